//! What nodes tell each other about themselves. Their word: good for warnings and for pacing, never for a verdict.

use kanhe_proto::hash::HeaderHash;
use std::fmt;

use kanhe_proto::ids::{Height, ProtocolVersion, TimeMs};
use libp2p::PeerId;

/// A clock that is further from a peer's than this is reported, in milliseconds.
pub const CLOCK_OFF_MAX_MS: u64 = 30_000;

/// This node's tip, as it is told to peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TipStatus {
    /// Number of the last committed block.
    pub height: Height,
    /// Its hash.
    pub header_hash: HeaderHash,
}

/// Version of a node's software: numbers, so that no peer's words are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoftwareVersion(pub u16, pub u16, pub u16);

impl SoftwareVersion {
    /// Of this software.
    pub fn own() -> Self {
        let number = |text: &str| text.parse().unwrap_or(0);
        Self(
            number(env!("CARGO_PKG_VERSION_MAJOR")),
            number(env!("CARGO_PKG_VERSION_MINOR")),
            number(env!("CARGO_PKG_VERSION_PATCH")),
        )
    }
}

impl fmt::Display for SoftwareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, patch) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// A peer's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerStatus {
    /// Number of its last committed block.
    pub height: Height,
    /// Its hash.
    pub header_hash: HeaderHash,
    /// Its clock when it answered.
    pub clock: TimeMs,
    /// Its software.
    pub software: SoftwareVersion,
    /// The newest rules that it knows.
    pub protocol_known: ProtocolVersion,
}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Who.
    pub peer: PeerId,
    /// Whether it takes this chain's transactions.
    pub subscribed: bool,
    /// Its last answer.
    pub status: Option<PeerStatus>,
    /// How far its clock is ahead of ours, in milliseconds, to within half the time that the answer took.
    pub clock_ahead_ms: Option<i64>,
}

impl PeerInfo {
    /// Whether its clock and ours differ by more than [`CLOCK_OFF_MAX_MS`].
    pub fn is_clock_off(&self) -> bool {
        self.clock_ahead_ms.is_some_and(|ahead| ahead.unsigned_abs() > CLOCK_OFF_MAX_MS)
    }
}

/// How far the peer's clock is ahead, if it was read in the middle between asking and hearing.
pub(super) fn clock_ahead_ms(asked: TimeMs, heard: TimeMs, peer: TimeMs) -> i64 {
    let middle = i128::from(asked.0) + (i128::from(heard.0) - i128::from(asked.0)) / 2;
    let ahead = i128::from(peer.0) - middle;
    i64::try_from(ahead).unwrap_or(if ahead > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_in_the_middle() {
        assert_eq!(clock_ahead_ms(TimeMs(1_000), TimeMs(1_100), TimeMs(1_050)), 0);
        assert_eq!(clock_ahead_ms(TimeMs(1_000), TimeMs(1_100), TimeMs(50)), -1_000);
        assert_eq!(clock_ahead_ms(TimeMs(0), TimeMs(0), TimeMs(u64::MAX)), i64::MAX);
        assert_eq!(clock_ahead_ms(TimeMs(u64::MAX), TimeMs(u64::MAX), TimeMs(0)), i64::MIN);
    }
}
