//! Peers that were not let in, or that were not reached: the newest word about each, for people.

use std::collections::BTreeMap;

use kanhe_proto::diagnosis::RefusedWhy;
use kanhe_proto::ids::{SpanMs, TimeMs};
use libp2p::PeerId;

/// Peers remembered; strangers make room for others.
const REFUSED_MAX: usize = 64;
/// How long it is told that a peer was shut out, although it does not answer now.
const BAN_TOLD: SpanMs = SpanMs(10 * 60_000);
/// Characters of what the network said.
const DETAIL_MAX: usize = 200;

/// A peer that was refused or not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPeer {
    /// Who.
    pub peer: PeerId,
    /// Why.
    pub why: RefusedWhy,
    /// What the network said.
    pub detail: String,
    /// When last.
    pub at: TimeMs,
}

/// The newest word about each peer.
#[derive(Debug, Default)]
pub(super) struct RefusedTable(BTreeMap<PeerId, RefusedPeer>);

impl RefusedTable {
    /// Notes a peer.
    pub(super) fn note(&mut self, peer: PeerId, why: RefusedWhy, detail: &str, at: TimeMs) {
        if self.0.len() >= REFUSED_MAX && !self.0.contains_key(&peer) {
            let strangers = self.0.values().filter(|refused| refused.why == RefusedWhy::NotListed);
            let oldest = strangers.min_by_key(|refused| refused.at).map(|refused| refused.peer);
            let Some(oldest) = oldest else { return };
            self.0.remove(&oldest);
        }
        // That it cannot be reached says less than that it was shut out a moment ago.
        let banned = self.0.get(&peer).filter(|refused| refused.why == RefusedWhy::Banned);
        if why == RefusedWhy::Unreachable && banned.is_some_and(|refused| at.since(refused.at) < BAN_TOLD) {
            return;
        }
        let detail = detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DETAIL_MAX).collect();
        self.0.insert(peer, RefusedPeer { peer, why, detail, at });
    }
    /// It is connected now. Says whether that is news.
    pub(super) fn met(&mut self, peer: &PeerId) -> bool {
        self.0.remove(peer).is_some()
    }
    /// All of them.
    pub(super) fn all(&self) -> Vec<RefusedPeer> {
        self.0.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_it_was_shut_out_is_told_until_it_is_met() {
        let (mut table, peer) = (RefusedTable::default(), PeerId::random());
        let why = |table: &RefusedTable| table.all()[0].why;
        table.note(peer, RefusedWhy::Unreachable, "", TimeMs(1));
        table.note(peer, RefusedWhy::Banned, "", TimeMs(2));
        table.note(peer, RefusedWhy::Unreachable, "", TimeMs(3));
        assert_eq!(why(&table), RefusedWhy::Banned);
        table.note(peer, RefusedWhy::WrongKey, "", TimeMs(4));
        assert_eq!(why(&table), RefusedWhy::WrongKey, "any other word is newer");
        table.note(peer, RefusedWhy::Banned, "", TimeMs(5));
        table.note(peer, RefusedWhy::Unreachable, "", TimeMs(6 + BAN_TOLD.0));
        assert_eq!(why(&table), RefusedWhy::Unreachable, "that is long ago");
        assert!(table.met(&peer) && table.all().is_empty());
    }

    #[test]
    fn strangers_make_room_and_never_push_out_a_member() {
        let mut table = RefusedTable::default();
        let member = PeerId::random();
        table.note(member, RefusedWhy::Unreachable, "a\nb", TimeMs(1));
        for at in 2..200 {
            table.note(PeerId::random(), RefusedWhy::NotListed, "", TimeMs(at));
        }
        let all = table.all();
        assert_eq!(all.len(), REFUSED_MAX);
        assert!(all.iter().any(|refused| refused.peer == member && refused.detail == "a b"));
        assert!(table.met(&member) && !table.met(&member));
    }
}
