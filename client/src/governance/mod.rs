//! The bureau's side of governance: proposals are made, read with their proofs, voted on, also on a machine without a
//! node, and carried in.
//!
//! What the chain holds is believed only with its proof. What a proposal would do is a node's word and is marked so.

mod bundle;
mod calls;
mod data;
mod desk;
mod handed;
mod key_list;
mod making;
mod new_key;
mod officer;
mod parameters;
mod read;
mod refusal;
mod submit;
mod wanted;

pub use bundle::{BUNDLE_BYTES_MAX, Bundle};
pub use desk::{Desk, Lock};
pub use handed::{Changed, ChangedHow, changes};
pub use key_list::{BureauKey, BureauKeys, KeyState, keys};
pub use new_key::{NewKeyFile, prove, read_card};
pub use officer::{Officer, owner};
pub use parameters::{NAMES as PARAMETER_NAMES, amend};
pub use read::{Decided, Open, Rules, Standing, decided, effects, list, rules, standing};
pub use refusal::explain;
pub use submit::{carry_in, withdraw};
pub use wanted::{Proposing, Wanted, word};
