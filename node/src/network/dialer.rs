//! Whom to dial and when: configured peers, with growing pauses.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use super::config::PeerAddress;

/// Pause after the first failure.
const PAUSE_MIN: Duration = Duration::from_millis(200);

#[derive(Debug)]
struct Target {
    addresses: Vec<Multiaddr>,
    next: Instant,
    pause: Duration,
}

/// The peers to reach.
#[derive(Debug)]
pub struct Dialer {
    targets: BTreeMap<PeerId, Target>,
    pause_max: Duration,
}

impl Dialer {
    /// All are due at once. Oneself is left out, so that all nodes may share one list.
    pub fn new(peers: &[PeerAddress], own: &PeerId, pause_max: Duration, now: Instant) -> Self {
        let mut targets = BTreeMap::new();
        for PeerAddress { peer, address } in peers.iter().filter(|target| target.peer != *own) {
            let target =
                targets.entry(*peer).or_insert_with(|| Target { addresses: Vec::new(), next: now, pause: PAUSE_MIN });
            target.addresses.push(address.clone());
        }
        Self { targets, pause_max: pause_max.max(PAUSE_MIN) }
    }
    /// Whom to dial now. Each time the pause until the next attempt doubles.
    pub fn due(&mut self, now: Instant, wanted: impl Fn(&PeerId) -> bool) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for (peer, target) in &mut self.targets {
            if target.next <= now && wanted(peer) {
                target.next = now + target.pause;
                target.pause = (target.pause * 2).min(self.pause_max);
                due.push((*peer, target.addresses.clone()));
            }
        }
        due
    }
    /// A peer answered a request, which is more than accepting a connection: pauses start over.
    pub fn met(&mut self, peer: &PeerId) {
        if let Some(target) = self.targets.get_mut(peer) {
            target.pause = PAUSE_MIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_limit_and_start_over() {
        let (own, other) = (PeerId::random(), PeerId::random());
        let target = |peer| PeerAddress { peer, address: "/ip4/127.0.0.1/tcp/1".parse().unwrap() };
        let mut now = Instant::now();
        let mut dialer = Dialer::new(&[target(own), target(other)], &own, Duration::from_millis(500), now);
        for pause in [200, 400, 500, 500] {
            let due = dialer.due(now, |_| true);
            assert_eq!(due.len(), 1);
            assert_eq!(due[0].0, other);
            now += Duration::from_millis(pause - 1);
            assert!(dialer.due(now, |_| true).is_empty());
            now += Duration::from_millis(1);
        }
        dialer.met(&other);
        assert!(dialer.due(now, |_| false).is_empty(), "connected");
        assert_eq!(dialer.due(now, |_| true).len(), 1);
        assert_eq!(dialer.due(now + PAUSE_MIN, |_| true).len(), 1);
    }
}
