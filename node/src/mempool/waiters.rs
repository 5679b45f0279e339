//! Callers that wait for a transaction's state to change.

use std::collections::HashMap;

use kanhe_proto::hash::TransactionId;
use tokio::sync::watch;

use super::outcomes::TransactionState;

/// No more callers may wait now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many callers wait for transactions")]
pub struct TooManyWaiters;

/// One channel for each id that somebody waits for.
#[derive(Debug)]
pub(super) struct Waiters<C> {
    channels: HashMap<TransactionId, watch::Sender<TransactionState<C>>>,
}

impl<C> Waiters<C> {
    pub(super) fn new() -> Self {
        Self { channels: HashMap::new() }
    }
    /// Joins those who wait for an id whose state is known now.
    pub(super) fn join(&mut self, id: TransactionId, now: TransactionState<C>) -> watch::Receiver<TransactionState<C>> {
        self.channels.entry(id).or_insert_with(|| watch::Sender::new(now)).subscribe()
    }
    /// Must follow each wait that ends.
    pub(super) fn leave(&mut self, id: &TransactionId, receiver: watch::Receiver<TransactionState<C>>) {
        drop(receiver);
        if self.channels.get(id).is_some_and(|channel| channel.receiver_count() == 0) {
            self.channels.remove(id);
        }
    }
    pub(super) fn tell(&self, id: &TransactionId, state: TransactionState<C>) {
        if let Some(channel) = self.channels.get(id) {
            channel.send_replace(state);
        }
    }
    /// Ids that somebody waits for.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }
}
