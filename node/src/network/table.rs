//! Who may connect, who is connected, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use kanhe_proto::ids::TimeMs;
use libp2p::PeerId;
use libp2p::request_response::OutboundRequestId;

use super::conduct::{Conduct, Rates};
use super::status::{PeerInfo, PeerStatus, clock_ahead_ms};

/// Status requests in a row without an answer before a peer is let go.
const SILENT_MAX: u32 = 2;

#[derive(Debug, Default)]
struct Connected {
    subscribed: bool,
    status: Option<PeerStatus>,
    clock_ahead_ms: Option<i64>,
    asked: Option<(OutboundRequestId, TimeMs)>,
    silent: u32,
}

/// All peers; no more of them than are listed.
#[derive(Debug)]
pub(super) struct Table {
    rates: Rates,
    listed: BTreeSet<PeerId>,
    connected: BTreeMap<PeerId, Connected>,
    /// Outlive connections, so that a new one is no clean slate.
    conducts: BTreeMap<PeerId, Conduct>,
    banned: BTreeMap<PeerId, Instant>,
}

impl Table {
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            rates,
            listed: BTreeSet::new(),
            connected: BTreeMap::new(),
            conducts: BTreeMap::new(),
            banned: BTreeMap::new(),
        }
    }

    /// Replaces the list; returns who is to be let in from now on, and who no longer.
    pub(super) fn list(&mut self, listed: BTreeSet<PeerId>) -> (Vec<PeerId>, Vec<PeerId>) {
        let added = listed.difference(&self.listed).filter(|peer| !self.banned.contains_key(peer)).copied().collect();
        let removed: Vec<PeerId> = self.listed.difference(&listed).copied().collect();
        for peer in &removed {
            self.conducts.remove(peer);
        }
        self.listed = listed;
        (added, removed)
    }
    pub(super) fn ban(&mut self, peer: PeerId, until: Instant) {
        self.banned.insert(peer, until);
    }
    /// Whose ban ended and who may connect again.
    pub(super) fn pardon(&mut self, now: Instant) -> Vec<PeerId> {
        let ended: Vec<PeerId> =
            self.banned.iter().filter(|(_, until)| **until <= now).map(|(peer, _)| *peer).collect();
        for peer in &ended {
            self.banned.remove(peer);
            self.conducts.remove(peer);
        }
        ended.into_iter().filter(|peer| self.listed.contains(peer)).collect()
    }
    /// Whether a connection to it is missing and allowed.
    pub(super) fn is_wanted(&self, peer: &PeerId) -> bool {
        self.listed.contains(peer) && !self.banned.contains_key(peer) && !self.connected.contains_key(peer)
    }
    pub(super) fn is_listed(&self, peer: &PeerId) -> bool {
        self.listed.contains(peer)
    }
    pub(super) fn is_banned(&self, peer: &PeerId) -> bool {
        self.banned.contains_key(peer)
    }

    pub(super) fn conduct(&mut self, peer: PeerId, now: Instant) -> &mut Conduct {
        let rates = self.rates;
        self.conducts.entry(peer).or_insert_with(|| Conduct::new(&rates, now))
    }

    pub(super) fn connect(&mut self, peer: PeerId) {
        self.connected.entry(peer).or_default();
    }
    pub(super) fn disconnect(&mut self, peer: &PeerId) {
        self.connected.remove(peer);
    }
    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.connected.contains_key(peer)
    }
    pub(super) fn subscribe(&mut self, peer: &PeerId, subscribed: bool) {
        if let Some(connected) = self.connected.get_mut(peer) {
            connected.subscribed = subscribed;
        }
    }

    /// Who is to be asked for its status: whoever does not owe an answer.
    pub(super) fn to_ask(&self) -> Vec<PeerId> {
        self.connected.iter().filter(|(_, connected)| connected.asked.is_none()).map(|(peer, _)| *peer).collect()
    }
    pub(super) fn asked(&mut self, peer: &PeerId, request: OutboundRequestId, at: TimeMs) {
        if let Some(connected) = self.connected.get_mut(peer) {
            connected.asked = Some((request, at));
        }
    }
    fn owed(&mut self, peer: &PeerId, request: OutboundRequestId) -> Option<(&mut Connected, TimeMs)> {
        let connected = self.connected.get_mut(peer)?;
        let (_, at) = connected.asked.take_if(|(asked, _)| *asked == request)?;
        Some((connected, at))
    }
    /// An answer came; returns whether it is one to a status request of ours.
    pub(super) fn answered(
        &mut self,
        peer: &PeerId,
        request: OutboundRequestId,
        status: PeerStatus,
        now: TimeMs,
    ) -> bool {
        let Some((connected, at)) = self.owed(peer, request) else { return false };
        connected.silent = 0;
        connected.status = Some(status);
        connected.clock_ahead_ms = Some(clock_ahead_ms(at, now, status.clock));
        true
    }
    /// A request failed; returns whether the peer is to be let go for its silence.
    pub(super) fn failed(&mut self, peer: &PeerId, request: OutboundRequestId) -> bool {
        let Some((connected, _)) = self.owed(peer, request) else { return false };
        connected.silent += 1;
        connected.silent >= SILENT_MAX
    }

    pub(super) fn infos(&self) -> Vec<PeerInfo> {
        self.connected
            .iter()
            .map(|(peer, connected)| PeerInfo {
                peer: *peer,
                subscribed: connected.subscribed,
                status: connected.status,
                clock_ahead_ms: connected.clock_ahead_ms,
            })
            .collect()
    }
}
