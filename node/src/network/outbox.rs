//! Transactions on their way out, several in a message.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::gossip::{self, GOSSIP_TRANSACTIONS_MAX, size_in_message};

/// The message in the making. Once ready it takes no more until it is sent.
#[derive(Debug)]
pub struct Outbox {
    bytes_max: usize,
    wait: Duration,
    waiting: Vec<Bytes>,
    /// One that didn't fit into this message and begins the next.
    next: Option<Bytes>,
    bytes: usize,
    since: Option<Instant>,
}

impl Outbox {
    /// Messages of about so many bytes, or of what came within the wait.
    pub fn new(bytes_max: usize, wait: Duration) -> Self {
        let bytes_max = bytes_max.clamp(1, gossip::GOSSIP_BYTES_MAX);
        Self { bytes_max, wait, waiting: Vec::new(), next: None, bytes: 0, since: None }
    }
    /// Adds one; must not be called when [`Self::is_full`].
    pub fn push(&mut self, transaction: Bytes, now: Instant) {
        debug_assert!(!self.is_full(), "a full message is sent first");
        let size = size_in_message(&transaction);
        if !self.waiting.is_empty() && gossip::message_bytes(self.bytes + size) > self.bytes_max {
            self.next = Some(transaction);
            return;
        }
        self.bytes += size;
        self.waiting.push(transaction);
        self.since.get_or_insert(now);
    }
    /// Whether it must be sent before more comes in.
    pub fn is_full(&self) -> bool {
        self.next.is_some()
            || self.waiting.len() >= GOSSIP_TRANSACTIONS_MAX
            || gossip::message_bytes(self.bytes) >= self.bytes_max
    }
    /// When it should be sent, if there is anything.
    pub fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + self.wait)
    }
    /// The transactions of the message.
    pub fn transactions(&self) -> &[Bytes] {
        &self.waiting
    }
    /// The message was sent: the next begins.
    pub fn sent(&mut self, now: Instant) {
        self.waiting.clear();
        self.bytes = 0;
        self.since = None;
        if let Some(transaction) = self.next.take() {
            self.push(transaction, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_end_by_size_or_by_time() {
        let now = Instant::now();
        let mut outbox = Outbox::new(100, Duration::from_millis(5));
        assert_eq!(outbox.due(), None);
        outbox.push(Bytes::from(vec![1; 30]), now);
        assert!(!outbox.is_full());
        assert_eq!(outbox.due(), Some(now + Duration::from_millis(5)));
        outbox.push(Bytes::from(vec![2; 30]), now);
        assert!(!outbox.is_full());
        outbox.push(Bytes::from(vec![3; 30]), now);
        assert!(outbox.is_full());
        assert_eq!(outbox.transactions().len(), 2);
        outbox.sent(now);
        assert_eq!(outbox.transactions(), [Bytes::from(vec![3; 30])]);
        outbox.sent(now);
        outbox.push(Bytes::from(vec![4; 1_000]), now);
        assert!(outbox.is_full(), "one that is larger than a message goes alone");
    }
}
