use std::error::Error;

use kanhe_proto::hash::{Hash, MapKey};
use kanhe_proto::merkle::map::{DEPTH_MAX, MapLeaf};

use super::MapError;

/// Where the leaves of a map are kept, seen as of one moment.
pub trait LeafReader {
    /// The value under a key.
    fn get(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError>;
    /// Hands over each leaf from one key to another, both included, in ascending order.
    fn scan(&self, from: &MapKey, to: &MapKey, visit: &mut dyn FnMut(MapLeaf)) -> Result<(), ReadError>;
}

/// A store's own error.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the store")]
pub struct ReadError(#[source] pub Box<dyn Error + Send + Sync>);

/// How a store keeps a leaf under its key: the hash of the value before the value, so that a scan hashes none.
pub fn leaf_record(value_hash: &Hash, value: &[u8]) -> Vec<u8> {
    [value_hash.bytes(), value].concat()
}

/// The hash and the value of a [`leaf_record`]; nothing if it is too short to be one.
pub fn split_record(record: &[u8]) -> Option<(Hash, &[u8])> {
    record.split_first_chunk::<32>().map(|(hash, value)| (Hash(*hash), value))
}

/// A leaf to put, or to remove if it has no value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub key: MapKey,
    pub value_hash: Option<Hash>,
}

/// The keys below one node: those that share the first `depth` bits of `prefix`, whose other bits are zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub prefix: MapKey,
    pub depth: usize,
}

impl Range {
    pub fn all() -> Self {
        Self { prefix: MapKey([0; 32]), depth: 0 }
    }
    /// The keys below the left or the right child.
    pub fn child(mut self, right: bool) -> Self {
        if right {
            self.prefix.0[self.depth / 8] |= 128 >> (self.depth % 8);
        }
        self.depth += 1;
        self
    }
    /// The greatest of them.
    pub fn last(&self) -> MapKey {
        let mut last = self.prefix;
        let whole = self.depth / 8;
        if self.depth < DEPTH_MAX {
            last.0[whole] |= 0xff >> (self.depth % 8);
            last.0[whole + 1..].fill(0xff);
        }
        last
    }
    pub fn mismatch(&self) -> MapError {
        MapError::Mismatch { prefix: self.prefix, depth: self.depth }
    }
    /// The leaves that a store has in this range, which must be `count`.
    pub fn read(&self, store: &impl LeafReader, count: u64) -> Result<Vec<MapLeaf>, MapError> {
        let mut leaves = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(1 << 16));
        store.scan(&self.prefix, &self.last(), &mut |leaf| leaves.push(leaf))?;
        let in_order = leaves.is_sorted_by(|a, b| a.key < b.key);
        if leaves.len() as u64 == count && in_order { Ok(leaves) } else { Err(self.mismatch()) }
    }
}

/// Sorted leaves after sorted changes.
pub(super) fn merge(leaves: &[MapLeaf], changes: &[Change]) -> Vec<MapLeaf> {
    let mut merged = Vec::with_capacity(leaves.len() + changes.len());
    let mut rest = leaves;
    for change in changes {
        let before = rest.partition_point(|leaf| leaf.key < change.key);
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if let [old, after @ ..] = rest
            && old.key == change.key
        {
            rest = after;
        }
        merged.extend(change.value_hash.map(|value_hash| MapLeaf { key: change.key, value_hash }));
    }
    merged.extend_from_slice(rest);
    merged
}
