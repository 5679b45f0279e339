//! Proving a case to somebody who sees no content: who did what, whether they might, and when.

mod judge;
mod keys;

pub use judge::{Done, Fault, Finding, Signer, judge};
pub use keys::{Keys, keys_of};

#[cfg(test)]
mod tests;
