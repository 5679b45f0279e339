//! Accounts of enterprises as wallets and bureaus meet them: read with proofs, acts brought onto the chain, and mandates made
//! for cases.
//!
//! An account's keys and those of delegates are keys of a wallet, in its vault: a licence's key where the account was opened with
//! the business licence, else a key that was made for it.

mod act;
mod mandate;
mod own;
mod read;
mod refusal;
mod send;

pub use act::{change, signed_by_bureau};
pub use mandate::{Acting, amount_of};
pub use own::AccountKey;
pub use read::{AccountFound, Told, history, read};
pub use refusal::explain;
pub use send::{Sent, send};
