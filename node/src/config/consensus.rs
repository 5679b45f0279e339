//! Where the consensus engine listens, and how long it waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::consensus::Timing;
use crate::network::PeerAddress;
use crate::network::config::ListenAddress;

/// `[consensus]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsensusSection {
    /// Where the engine listens.
    pub listen: ListenAddress,
    /// The engines of the other nodes; no others are talked to.
    pub peers: Vec<PeerAddress>,
    /// Wait for a proposal.
    pub propose_ms: u64,
    /// Wait for the other votes.
    pub vote_ms: u64,
    /// Shortest time between the starts of two heights.
    pub target_ms: u64,
    /// A validator listens this long before its first signature.
    pub listen_ms: u64,
    /// Longest wait for peers at the start.
    pub peers_ms: u64,
    /// How often peers are told this node's tip.
    pub status_ms: u64,
}

const fn millis(duration: Duration) -> u64 {
    // Constants of seconds at most.
    duration.as_millis() as u64
}

impl Default for ConsensusSection {
    fn default() -> Self {
        let timing = Timing::default();
        Self {
            listen: "/ip4/0.0.0.0/tcp/27000".parse().expect("a literal address"),
            peers: Vec::new(),
            propose_ms: millis(timing.propose),
            vote_ms: millis(timing.vote),
            target_ms: millis(timing.target),
            listen_ms: millis(timing.listen),
            peers_ms: millis(timing.peers),
            status_ms: millis(timing.status),
        }
    }
}

impl ConsensusSection {
    /// The durations as the engine takes them.
    pub fn timing(&self) -> Timing {
        Timing {
            propose: Duration::from_millis(self.propose_ms),
            vote: Duration::from_millis(self.vote_ms),
            target: Duration::from_millis(self.target_ms),
            listen: Duration::from_millis(self.listen_ms),
            peers: Duration::from_millis(self.peers_ms),
            status: Duration::from_millis(self.status_ms),
        }
    }
}
