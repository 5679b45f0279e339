//! Whom to dial and when: the peers whose address is known, with growing pauses.

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
    /// Knows nobody yet.
    pub fn new(pause_max: Duration) -> Self {
        Self { targets: BTreeMap::new(), pause_max: pause_max.max(PAUSE_MIN) }
    }
    /// Replaces the addresses. New peers are due at once, the others when they were. Oneself is left out, so that all
    /// nodes may share one list.
    pub fn replace<'a>(&mut self, peers: impl Iterator<Item = &'a PeerAddress>, own: &PeerId, now: Instant) {
        let mut before = std::mem::take(&mut self.targets);
        for PeerAddress { peer, address } in peers.filter(|target| target.peer != *own) {
            let target = self.targets.entry(*peer).or_insert_with(|| {
                let (next, pause) = before.remove(peer).map_or((now, PAUSE_MIN), |known| (known.next, known.pause));
                Target { addresses: Vec::new(), next, pause }
            });
            if !target.addresses.contains(address) {
                target.addresses.push(address.clone());
            }
        }
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
        let mut dialer = Dialer::new(Duration::from_millis(500));
        let peers = [target(own), target(other)];
        dialer.replace(peers.iter(), &own, now);
        for pause in [200, 400, 500, 500] {
            let due = dialer.due(now, |_| true);
            assert_eq!(due.len(), 1);
            assert_eq!(due[0].0, other);
            dialer.replace(peers.iter(), &own, now);
            now += Duration::from_millis(pause - 1);
            assert!(dialer.due(now, |_| true).is_empty());
            now += Duration::from_millis(1);
        }
        dialer.met(&other);
        assert!(dialer.due(now, |_| false).is_empty(), "connected");
        assert_eq!(dialer.due(now, |_| true).len(), 1);
        assert_eq!(dialer.due(now + PAUSE_MIN, |_| true).len(), 1);
        dialer.replace([].iter(), &own, now);
        assert!(dialer.due(now + Duration::from_secs(9), |_| true).is_empty(), "forgotten");
    }
}
