//! What became of transactions, as this node remembers it.

use std::collections::{HashMap, VecDeque};

use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::Height;

/// Where a transaction stands. All but `Committed` are this node's word and prove nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionState<C> {
    /// Waits for a block.
    Pending,
    /// In the block of this height.
    Committed {
        /// The height.
        height: Height,
    },
    /// This node refuses it; another may still commit it.
    Rejected {
        /// Why.
        code: C,
    },
    /// Its expiry passed before it got into a block.
    Expired,
    /// Not seen here, or forgotten.
    Unknown,
}

impl<C> TransactionState<C> {
    /// Whether it may still change by itself.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }
}

/// The last settled transactions, at most a fixed number. `Committed` is never overwritten.
#[derive(Debug)]
pub(super) struct Outcomes<C> {
    max: usize,
    states: HashMap<TransactionId, TransactionState<C>>,
    order: VecDeque<TransactionId>,
}

impl<C> Outcomes<C> {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), states: HashMap::new(), order: VecDeque::new() }
    }
    pub(super) fn get(&self, id: &TransactionId) -> Option<&TransactionState<C>> {
        self.states.get(id)
    }
    /// Records a state; returns whether it is news.
    pub(super) fn set(&mut self, id: TransactionId, state: TransactionState<C>) -> bool {
        if matches!(self.states.get(&id), Some(TransactionState::Committed { .. })) {
            return false;
        }
        if self.states.insert(id, state).is_none() {
            self.order.push_back(id);
            if self.order.len() > self.max
                && let Some(oldest) = self.order.pop_front()
            {
                self.states.remove(&oldest);
            }
        }
        true
    }
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}
