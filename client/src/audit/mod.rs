//! What happened, proved to somebody who sees no content: a case with all that was done to it, all records of the log, and how
//! cases were rated.

mod finding;
mod judge;
mod keys;
pub mod log;
pub mod ratings;
mod replay;

pub use finding::{Done, Fault, Finding, Signer};
pub use judge::{Judged, judge};
pub use keys::{Keys, keys_of};
pub use replay::Replay;

#[cfg(test)]
mod tests;
