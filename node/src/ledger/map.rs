//! The authenticated map of the node: its leaves are in a store, the hashes above them in memory.
//!
//! Memory holds the upper part of the tree of [`kanhe_proto::merkle::map`]: a branch for each subtree of more than 16
//! leaves, and below the branches *buckets*, of which only count and hash are kept. So the depth follows the content:
//! about log2(leaves / 12) where keys are evenly spread, and deeper just where someone ground keys that share a prefix,
//! so that no change ever hashes or reads more than 16 leaves of a bucket. It takes about 14 bytes a leaf.
//!
//! A small map (its owner says up to how many leaves) also keeps its leaves, in buckets of at most 4 and at about 130
//! bytes each, and then reads nothing from the store to change. Neither choice shows in any root or proof.
//!
//! Nodes are shared and never changed. A block is executed on [`Map::apply`]'s result, which has its own nodes along
//! the changed paths and the old ones elsewhere: to commit, write the changes to the store and keep the new map; to
//! drop the block, drop it. The store must show the content of the map that it is asked with, so pair a map with a
//! snapshot; a scan that finds another number of leaves than the map remembers is an error, not a wrong root.

mod leaves;
mod node;

pub use leaves::{LeafReader, ReadError, leaf_record, split_record};

use std::collections::BTreeMap;

use kanhe_proto::bounded::List;
use kanhe_proto::hash::{Hash, MapKey};
use kanhe_proto::merkle::map::{
    self, MapLeaf, MapProof, Prefix, SubtreeProof, prove_below, prove_subtree_below, turns_right, value_hash,
};

use leaves::{Change, Range};
use node::{Node, Shape, Update, load};

/// What goes into one block: a value to put under a key, or none to remove it.
pub type Changes = BTreeMap<MapKey, Option<Vec<u8>>>;

/// Why a map cannot say what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The store could not be read.
    #[error("cannot read the leaves of the map")]
    Read(#[from] ReadError),
    /// The store does not hold what the map was built from: damaged, or of another height.
    #[error("the store does not match the map below {prefix} at depth {depth}")]
    Mismatch {
        /// First key of the subtree.
        prefix: MapKey,
        /// Leading bits that its keys share.
        depth: usize,
    },
}

/// A map as of one block. A clone is as cheap as a pointer.
#[derive(Debug, Clone)]
pub struct Map {
    top: Node,
    /// Up to this many leaves are kept in memory.
    held_max: u64,
}

/// The result of [`Map::apply`].
#[derive(Debug)]
pub struct Applied {
    /// The map after the changes.
    pub map: Map,
    /// Hash of each new value, in the order of the changes, to be stored beside it; none for a removal.
    pub value_hashes: Vec<Option<Hash>>,
}

impl Map {
    /// A map without leaves that keeps up to `held_max` of them in memory.
    pub fn empty(held_max: u64) -> Self {
        Self { top: Node::Empty, held_max }
    }

    /// The map of what a store holds, by one scan.
    pub fn load(store: &impl LeafReader, held_max: u64) -> Result<Self, MapError> {
        Ok(Self { top: load(store, held_max)?, held_max })
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        self.top.hash()
    }

    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.top.count()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The map after these changes; neither this one nor the store is touched. Removing what is not there is no change.
    pub fn apply(&self, store: &impl LeafReader, changes: &Changes) -> Result<Applied, MapError> {
        let hash = |value: &Option<Vec<u8>>| value.as_deref().map(value_hash);
        let changes: Vec<Change> =
            changes.iter().map(|(key, value)| Change { key: *key, value_hash: hash(value) }).collect();
        let hold = self.len() + changes.len() as u64 <= self.held_max;
        let update = Update { store, shape: Shape { hold } };
        let top = update.apply(&self.top, Range::all(), &changes)?;
        let value_hashes = changes.into_iter().map(|change| change.value_hash).collect();
        Ok(Applied { map: Self { top, held_max: self.held_max }, value_hashes })
    }

    /// The proof of what the map holds under a key, or that it holds nothing.
    pub fn prove(&self, store: &impl LeafReader, key: &MapKey) -> Result<MapProof, MapError> {
        let mut siblings = Vec::new();
        let (mut node, mut range) = (&self.top, Range::all());
        while let Node::Branch(branch) = node {
            let right = turns_right(key, range.depth);
            let (mine, other) = if right { (&branch.right, &branch.left) } else { (&branch.left, &branch.right) };
            siblings.push(other.hash());
            (node, range) = (mine, range.child(right));
        }
        let leaves = node.leaves(store, range)?;
        // Whatever the store says, no proof leaves here that does not lead to the root.
        if map::root_below(&leaves, range.depth) != node.hash() {
            return Err(range.mismatch());
        }
        let leaf = prove_below(&leaves, range.depth, key, &mut siblings);
        siblings.reverse();
        let siblings = List::new(siblings).expect("keys of 256 bits part at one of them");
        Ok(MapProof { leaf, siblings })
    }

    /// All leaves below a prefix, with the proof that they are all; nothing if they are more than `max`.
    pub fn prove_subtree(
        &self,
        store: &impl LeafReader,
        prefix: &Prefix,
        max: u64,
    ) -> Result<Option<(Vec<MapLeaf>, SubtreeProof)>, MapError> {
        let mut siblings = Vec::new();
        let (mut node, mut range) = (&self.top, Range::all());
        while let Node::Branch(branch) = node
            && range.depth < prefix.bits()
        {
            let right = turns_right(&prefix.first(), range.depth);
            let (mine, other) = if right { (&branch.right, &branch.left) } else { (&branch.left, &branch.right) };
            siblings.push(other.hash());
            (node, range) = (mine, range.child(right));
        }
        if node.count() > max {
            return Ok(None);
        }
        let leaves = node.leaves(store, range)?;
        if map::root_below(&leaves, range.depth) != node.hash() {
            return Err(range.mismatch());
        }
        let (covered, other) = prove_subtree_below(&leaves, range.depth, prefix, &mut siblings);
        siblings.reverse();
        let siblings = List::new(siblings).expect("a prefix has at most 256 bits");
        Ok(Some((covered.to_vec(), SubtreeProof { other, siblings })))
    }

    /// The value under a key, if there is one, with its proof.
    pub fn get(&self, store: &impl LeafReader, key: &MapKey) -> Result<(Option<Vec<u8>>, MapProof), MapError> {
        let value = store.get(key)?;
        let proof = self.prove(store, key)?;
        let proved = proof.leaf.filter(|leaf| leaf.key == *key);
        if proved != value.as_deref().map(|value| MapLeaf::new(*key, value)) {
            return Err(MapError::Mismatch { prefix: *key, depth: map::DEPTH_MAX });
        }
        Ok((value, proof))
    }
}

#[cfg(test)]
mod tests;
