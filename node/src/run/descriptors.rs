//! Open files: the limit is raised as far as the system allows, and must then be enough.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::RunError;
use crate::config::Config;
use crate::storage::OPEN_FILES_MAX;

/// Files, pipes and sockets besides those that are counted.
const SPARE: u64 = 128;
/// Connections that a peer may have with the two swarms, coming and going.
const PER_PEER: u64 = 8;
/// What is asked for where the system knows no limit.
const ENOUGH: u64 = 1 << 20;

/// What a node with this configuration may come to need.
fn needed(config: &Config) -> u64 {
    let peers = (config.consensus.peers.len() + config.network.peers.len()) as u64;
    OPEN_FILES_MAX.unsigned_abs() as u64 + config.api.connections_max as u64 + PER_PEER * peers + SPARE
}

/// Raises the limit of this process, and refuses one that is too low.
pub fn raise(config: &Config) -> Result<(), RunError> {
    let (needed, limit) = (needed(config), getrlimit(Resource::Nofile));
    let wanted = limit.maximum.unwrap_or(ENOUGH);
    let allowed = match limit.current {
        Some(current) if current < wanted => {
            let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
            if raised.is_ok() { wanted } else { current }
        }
        Some(current) => current,
        None => u64::MAX,
    };
    if allowed < needed { Err(RunError::Descriptors { allowed, needed }) } else { Ok(()) }
}
