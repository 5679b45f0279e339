//! Signatures that held: each is verified once on a node.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kanhe_proto::hash::TransactionId;
use kanhe_proto::key::Signature;

/// Verified pairs of id and signature, at most a fixed number.
///
/// The id alone would not do: it does not cover the signature. A block with a spoiled signature under a known id
/// would pass on nodes that remember the id and fail on all others, and the chain would split. The id covers the
/// key's id, so which key it was needs no record; whether that key is valid *now* is never remembered.
#[derive(Debug)]
pub struct VerifiedCache {
    max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    signatures: HashMap<TransactionId, Signature>,
    order: VecDeque<TransactionId>,
}

impl VerifiedCache {
    /// Remembers at most `max` signatures.
    pub fn new(max: usize) -> Self {
        Self { max, inner: Mutex::default() }
    }
    /// Whether this very signature was verified for this id.
    pub fn contains(&self, id: &TransactionId, signature: &Signature) -> bool {
        self.lock().signatures.get(id) == Some(signature)
    }
    /// Remembers a signature that held.
    pub fn insert(&self, id: TransactionId, signature: Signature) {
        if self.max == 0 {
            return;
        }
        let mut inner = self.lock();
        if inner.signatures.insert(id, signature).is_none() {
            inner.order.push_back(id);
            if inner.order.len() > self.max
                && let Some(oldest) = inner.order.pop_front()
            {
                inner.signatures.remove(&oldest);
            }
        }
    }
    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }
    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves the cache whole, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_known_only_with_its_id_and_forgotten_in_order() {
        let cache = VerifiedCache::new(2);
        let id = |n| TransactionId([n; 32]);
        let signature = |n| Signature::ed25519([n; 64]);
        cache.insert(id(1), signature(1));
        assert!(cache.contains(&id(1), &signature(1)));
        assert!(!cache.contains(&id(1), &signature(2)), "another signature under the same id");
        cache.insert(id(1), signature(2));
        cache.insert(id(2), signature(2));
        assert_eq!(cache.len(), 2);
        cache.insert(id(3), signature(3));
        assert_eq!(cache.len(), 2);
        assert!(!cache.contains(&id(1), &signature(2)));
        assert!(cache.contains(&id(2), &signature(2)) && cache.contains(&id(3), &signature(3)));
    }
}
