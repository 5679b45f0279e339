//! The state machine of the chain: pure, a function of the state and a block.
//!
//! A transaction passes three phases, each of which sees more than the one before: [`check_stateless`] sees nothing
//! but the transaction, [`Registry::signer`] who may send it at this height, [`Execution`] the block around it. Nothing
//! here sees a clock, a file or a random source: time is the block's.

pub mod cases;
pub mod consents;
pub mod governance;
pub mod log;
pub mod map;

mod book;
mod checked;
mod code;
mod execution;
mod handlers;
mod outcome;
mod registry;
mod view;

pub use checked::{Checked, check_stateless};
pub use code::{Code, Refusal};
pub use execution::{BlockContext, Execution, Rejection, SignatureCheck, check_expiry, execute};
pub use outcome::{CaseChange, Change, ConsentChange, Counters, Outcome, ReadPlace, Receipt};
pub use registry::Registry;
pub use view::{CaseDue, ConsentDue, SpentKey, View};
