//! What the swarm counts.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters since the start of the node; each name ends with its unit.
        #[derive(Debug, Default)]
        pub struct NetworkMetrics { $($(#[$doc])* pub $name: AtomicU64),+ }

        impl NetworkMetrics {
            /// All names and values, to be shown.
            pub fn samples(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed))),+]
            }
        }
    };
}

counters! {
    /// Connections refused: strangers, peers shut out, too many.
    refused_connections_total,
    /// Connections made to and by peers.
    established_connections_total,
    /// Gossip messages received, without copies.
    received_messages_total,
    /// Their bytes.
    received_bytes_total,
    /// Messages dropped because their peer sent more than its rate allows.
    over_rate_messages_total,
    /// Messages dropped because the node was busy.
    busy_messages_total,
    /// Messages that are no list of transactions.
    malformed_messages_total,
    /// Messages with something that must not be passed on.
    rejected_messages_total,
    /// Messages passed on.
    accepted_messages_total,
    /// Messages neither passed on nor blamed on their peer.
    ignored_messages_total,
    /// Messages published here.
    published_messages_total,
    /// Transactions in them.
    published_transactions_total,
    /// Their bytes.
    published_bytes_total,
    /// Transactions not gossiped because the queue was full.
    unpublished_transactions_total,
    /// Messages that peers were too slow to take.
    slow_peer_messages_total,
    /// Requests of peers.
    received_requests_total,
    /// Requests of peers dropped for their rate or for want of room.
    dropped_requests_total,
    /// Requests of peers that are none, or too long.
    malformed_requests_total,
    /// Requests to peers without an answer.
    failed_requests_total,
    /// Peers shut out for a while.
    banned_peers_total,
    /// Peers let go because they did not answer.
    silent_peers_total,
}

pub(super) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

pub(super) fn add(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// A counter's value.
pub fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
