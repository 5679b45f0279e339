//! Transactions that wait for a block.
//!
//! A transaction is checked once, by [`Admission`] and by one verification of its signature, and then waits until it
//! is committed, refused by execution, or expired by block time. The pool is bounded by count and by bytes; a bureau
//! (the *sponsor* of what it sends) may hold only as much as it leaves free, so one bureau never fills the pool and k
//! of them always leave a share of 1/(k+1).
//!
//! A transaction that only takes consents back counts on nobody's share: see `withdrawals`.
//!
//! Invariants: order within a sponsor is order of arrival; nothing is kept, remembered or relayed under a
//! transaction's id before its signature held, because the id doesn't cover the signature and anybody could spoil
//! another's transaction otherwise; [`Mempool::take`] removes nothing, for a proposed block may never be decided.
//!
//! Failure: all state is memory and is lost with the process; what was not committed is then sent again.

pub mod admission;
pub mod config;
pub mod outcomes;
pub mod pool;
pub mod queue;
pub mod relay;
mod source;
pub mod submission;
pub mod verified;
mod verify;
mod waiters;
mod withdrawals;

pub use admission::{Admission, Denial};
pub use config::MempoolConfig;
pub use outcomes::TransactionState;
pub use pool::{Mempool, Stats};
pub use queue::{PooledTransaction, TakeLimits};
pub use submission::{Full, Submission};
pub use verified::VerifiedCache;
pub use waiters::TooManyWaiters;
