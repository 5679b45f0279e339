//! What was found out once and is asked for again and again, bounded.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// At most `MAX` answers by their question; when there are more all are forgotten.
#[derive(Debug)]
pub struct Remembered<K, V, const MAX: usize>(RwLock<BTreeMap<K, V>>);

impl<K, V, const MAX: usize> Default for Remembered<K, V, MAX> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Ord, V: Clone, const MAX: usize> Remembered<K, V, MAX> {
    /// The answer, if it is remembered.
    pub fn get(&self, key: &K) -> Option<V> {
        // A map is whole after every change, so a panic elsewhere does not spoil it.
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
    /// Remembers an answer.
    pub fn put(&self, key: K, value: V) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX {
            known.clear();
        }
        known.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_before_it_grows_too_large() {
        let known = Remembered::<u32, &str, 2>::default();
        assert_eq!(known.get(&1), None);
        known.put(1, "a");
        known.put(2, "b");
        assert_eq!((known.get(&1), known.get(&2)), (Some("a"), Some("b")));
        known.put(3, "c");
        assert_eq!((known.get(&1), known.get(&2), known.get(&3)), (None, None, Some("c")));
    }
}
