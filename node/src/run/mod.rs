//! A node as a process: opening its home, wiring its parts, and ending well.
//!
//! Order of the start: configuration, keys, database, pool, swarm, consensus, API; the first that fails ends it with
//! an exit code of its own ([`RunError::exit_code`]). A home is never made here, so that a lost database is an error.

pub(crate) mod claim;
pub mod delivery;
mod descriptors;
pub mod diagnosis;
mod error;
mod forgetting;
pub mod governance;
pub mod home;
pub mod inbound;
mod joining;
pub mod keys;
pub mod last_stop;
pub mod logging;
mod node;
pub mod peers;
pub(crate) mod ports;
mod ready;
mod scrub;
pub mod serving;
mod watchers;

pub use error::{EXIT_CODES, RunError, exit};
pub use node::{Ended, Node, Opened, open, read_genesis};
pub use ready::{Readiness, readiness};

use kanhe_proto::ids::TimeMs;

use crate::chain::ChainAdmission;
use crate::mempool::Mempool;

/// The pool of this node.
pub type Pool = Mempool<ChainAdmission>;

/// This node's clock.
pub fn now() -> TimeMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    TimeMs(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}
