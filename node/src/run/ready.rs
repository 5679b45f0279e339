//! Whether a node follows the chain: its own word, for probes and people.

use kanhe_proto::ids::TimeMs;

use crate::chain::TipState;
use crate::network::PeerInfo;

/// Heartbeats without a block after which the chain stands still.
const HEARTBEATS_MAX: u64 = 3;
/// Blocks that the tip may be behind a peer's word.
const BEHIND_MAX: u64 = 5;

/// What a probe is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It follows and answers.
    Ready,
    /// Something stored was found damaged.
    Damaged {
        /// What.
        what: String,
    },
    /// Nothing is certified yet.
    NoBlock,
    /// No block for longer than the chain allows.
    Stalled {
        /// Age of the newest block, in milliseconds.
        age_ms: u64,
    },
    /// Peers are further.
    Behind {
        /// Blocks behind the one furthest ahead.
        blocks: u64,
    },
}

impl std::fmt::Display for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Damaged { what } => write!(f, "{what}; restore this home, or rejoin from peers (see the log)"),
            Self::NoBlock => f.write_str("no block yet: waiting for more than two thirds of the validators"),
            Self::Stalled { age_ms } => write!(f, "no block for {} s: too few validators agree", age_ms / 1_000),
            Self::Behind { blocks } => write!(f, "{blocks} blocks behind its peers: catching up"),
        }
    }
}

/// Judges by the tip, the clock and what peers say.
pub fn readiness(tip: &TipState, now: TimeMs, peers: &[PeerInfo]) -> Readiness {
    if tip.certified.is_none() {
        return Readiness::NoBlock;
    }
    // The second highest word: one liar alone does not make a node look late.
    let mut heights: Vec<u64> = peers.iter().filter_map(|peer| peer.status).map(|status| status.height.0).collect();
    heights.sort_unstable();
    let believed = if heights.len() > 1 { heights[heights.len() - 2] } else { 0 };
    let behind = believed.saturating_sub(tip.header.height.0);
    if behind > BEHIND_MAX {
        return Readiness::Behind { blocks: behind };
    }
    let age_ms = now.since(tip.header.time).0;
    if age_ms > HEARTBEATS_MAX * tip.parameters.heartbeat.0 {
        return Readiness::Stalled { age_ms };
    }
    Readiness::Ready
}
