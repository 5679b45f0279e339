//! How much a peer may send, and how much of what it should not.

use std::time::Instant;

/// Over-rate messages in a row, or as many points of blame, before a peer is shut out.
const BLAME_MAX: f64 = 100.0;
/// Points of blame forgiven in a second.
const BLAME_FORGIVEN_PER_SECOND: f64 = 1.0;
/// Blame for a message that no honest node sends.
const BLAME_OF_FORGERY: f64 = 20.0;
/// Blame for a message above the rate.
const BLAME_OF_FLOOD: f64 = 1.0;

/// Lets through so much a second, and at once as much as two seconds bring.
#[derive(Debug, Clone)]
struct Bucket {
    left: f64,
    per_second: f64,
    burst: f64,
    at: Instant,
}

impl Bucket {
    fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        Self { left: burst, per_second, burst, at: now }
    }
    fn take(&mut self, amount: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now.max(self.at);
        self.left = (self.left + passed * self.per_second).min(self.burst);
        let enough = amount <= self.left;
        if enough {
            self.left -= amount;
        }
        enough
    }
}

/// What one peer may send.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Gossip messages in a second.
    pub messages_per_second: u32,
    /// Bytes of all in a second.
    pub bytes_per_second: u32,
    /// Requests in a second.
    pub requests_per_second: u32,
}

/// Whether to go on with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Take what it sent.
    Take,
    /// Drop what it sent.
    Drop,
    /// Drop it and shut the peer out.
    Ban,
}

/// The account of one peer.
#[derive(Debug, Clone)]
pub struct Conduct {
    messages: Bucket,
    bytes: Bucket,
    requests: Bucket,
    blame: Bucket,
}

impl Conduct {
    /// A clean account.
    pub fn new(rates: &Rates, now: Instant) -> Self {
        let bucket = |per_second: u32| Bucket::new(f64::from(per_second), 2.0 * f64::from(per_second), now);
        Self {
            messages: bucket(rates.messages_per_second),
            bytes: bucket(rates.bytes_per_second),
            requests: bucket(rates.requests_per_second),
            blame: Bucket::new(BLAME_FORGIVEN_PER_SECOND, BLAME_MAX, now),
        }
    }
    /// A gossip message of this size came.
    pub fn message(&mut self, bytes: usize, now: Instant) -> Judgement {
        let within = self.messages.take(1.0, now) && self.bytes.take(bytes as f64, now);
        self.judge(within, now)
    }
    /// A request of this size came.
    pub fn request(&mut self, bytes: usize, now: Instant) -> Judgement {
        let within = self.requests.take(1.0, now) && self.bytes.take(bytes as f64, now);
        self.judge(within, now)
    }
    /// It sent what no honest node sends.
    pub fn forgery(&mut self, now: Instant) -> Judgement {
        if self.blame.take(BLAME_OF_FORGERY, now) { Judgement::Drop } else { Judgement::Ban }
    }
    fn judge(&mut self, within: bool, now: Instant) -> Judgement {
        if within {
            Judgement::Take
        } else if self.blame.take(BLAME_OF_FLOOD, now) {
            Judgement::Drop
        } else {
            Judgement::Ban
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RATES: Rates = Rates { messages_per_second: 10, bytes_per_second: 1_000, requests_per_second: 2 };

    #[test]
    fn a_flood_is_dropped_then_banned_and_a_pause_forgives() {
        let now = Instant::now();
        let mut conduct = Conduct::new(&RATES, now);
        let judged: Vec<_> = (0..200).map(|_| conduct.message(1, now)).collect();
        assert!(judged[..20].iter().all(|judgement| *judgement == Judgement::Take));
        assert!(judged[20..120].iter().all(|judgement| *judgement == Judgement::Drop));
        assert!(judged[120..].iter().all(|judgement| *judgement == Judgement::Ban));
        assert_eq!(conduct.message(1, now + Duration::from_secs(1)), Judgement::Take);
    }

    #[test]
    fn bytes_and_requests_have_rates_of_their_own() {
        let now = Instant::now();
        let mut conduct = Conduct::new(&RATES, now);
        assert_eq!(conduct.message(2_001, now), Judgement::Drop);
        assert_eq!(conduct.message(1_000, now), Judgement::Take);
        for _ in 0..4 {
            assert_eq!(conduct.request(1, now), Judgement::Take);
        }
        assert_eq!(conduct.request(1, now), Judgement::Drop);
    }

    #[test]
    fn few_forgeries_ban() {
        let now = Instant::now();
        let mut conduct = Conduct::new(&RATES, now);
        let judged: Vec<_> = (0..6).map(|_| conduct.forgery(now)).collect();
        assert_eq!(judged[..5], [Judgement::Drop; 5]);
        assert_eq!(judged[5], Judgement::Ban);
    }
}
