//! Where a proposer's transactions come from, and what the chain tells it back.

use std::sync::Arc;

use bytes::Bytes;
use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::key::Signature;
use tokio::sync::watch;

use crate::ledger::Code;

/// Room in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all transactions together.
    pub bytes: usize,
    /// Number of transactions.
    pub count: usize,
}

/// A transaction that waits for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its id.
    pub id: TransactionId,
    /// As it was received.
    pub bytes: Bytes,
}

/// The mempool, as the chain sees it.
pub trait TransactionSource: Send + Sync + 'static {
    /// What a block would be made of, in a fair order; of a contested block each sponsor gets a third at most. Nothing
    /// is removed: the block may never be decided.
    fn take(&self, room: &Room) -> Vec<Offered>;
    /// A block was committed.
    fn committed(&self, ids: &[TransactionId], height: Height, time: TimeMs);
    /// Execution on top of the tip refused it, and will again.
    fn reject(&self, id: &TransactionId, code: Code);
    /// Whether any transaction waits.
    fn work(&self) -> watch::Receiver<bool>;
    /// Whether this very signature was verified for this id.
    fn is_verified(&self, id: &TransactionId, signature: &Signature) -> bool;
    /// Remembers a signature that held.
    fn verified(&self, id: TransactionId, signature: Signature);
}

/// A source that never has anything.
#[derive(Debug)]
pub struct NoTransactions(watch::Sender<bool>);

impl NoTransactions {
    /// Nothing, shared.
    pub fn shared() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(false)))
    }
}

impl TransactionSource for NoTransactions {
    fn take(&self, _: &Room) -> Vec<Offered> {
        Vec::new()
    }
    fn committed(&self, _: &[TransactionId], _: Height, _: TimeMs) {}
    fn reject(&self, _: &TransactionId, _: Code) {}
    fn work(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
    fn is_verified(&self, _: &TransactionId, _: &Signature) -> bool {
        false
    }
    fn verified(&self, _: TransactionId, _: Signature) {}
}
