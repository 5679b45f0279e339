//! How much the service bears.

use std::time::Duration;

/// How much the service bears at a time, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time of a request, from its head to its answer.
    pub request: Duration,
    /// How much longer it may take with its head, and a connection may rest between two requests.
    pub spare: Duration,
    /// Connections at a time; more wait in the system's queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A request lasts longer than one exchange with a node that hangs.
        Self { request: Duration::from_secs(75), spare: Duration::from_secs(15), connections: 64 }
    }
}
