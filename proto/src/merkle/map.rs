//! The sparse map: 2^256 places, the root of those in use, and proofs of presence and of absence.
//!
//! The root is the one that the Jellyfish Merkle Tree defines (crate `jmt`, SHA-256), so other software can check it:
//! below a node of depth d stand the leaves whose keys share its first d bits; a subtree without leaves is
//! [`empty_root`], one with a single leaf is that leaf's hash, any other is
//! H("JMT::IntrnalNode" ‖ left ‖ right). A leaf is H("JMT::LeafNode" ‖ key ‖ H(value)). Bits are read from the most
//! significant down. The root depends on the content alone, never on the order in which it came.
//!
//! Functions here take *all* leaves of a subtree as a sorted slice; who holds millions keeps the upper nodes and calls
//! them for what is below.

mod proof;
mod subtree;

pub use proof::{MapProof, prove, prove_below, verify_absence, verify_inclusion};
pub use subtree::{Prefix, SubtreeProof, prove_subtree, prove_subtree_below, verify_subtree};

use crate::codec::{Decode, Encode};
use crate::hash::{Hash, MapKey, sha256};

/// Bits in a key: the depth at which two keys must differ, and the most siblings in a proof.
pub const DEPTH_MAX: usize = 256;
/// Stands for every subtree without leaves.
const EMPTY_ROOT: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

const LEAF_PREFIX: &[u8] = b"JMT::LeafNode";
const NODE_PREFIX: &[u8] = b"JMT::IntrnalNode";

/// A leaf as its hash sees it: where it stands, and the hash of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct MapLeaf {
    /// Its place.
    pub key: MapKey,
    /// SHA-256 of its value.
    pub value_hash: Hash,
}

impl MapLeaf {
    /// The leaf that holds this value.
    pub fn new(key: MapKey, value: &[u8]) -> Self {
        Self { key, value_hash: value_hash(value) }
    }
    /// Its hash in the tree.
    pub fn hash(&self) -> Hash {
        Hash(sha256(&[LEAF_PREFIX, self.key.bytes(), self.value_hash.bytes()]))
    }
}

/// Root of a map without leaves, and of every subtree without them; no hash has it as its result.
pub const fn empty_root() -> Hash {
    EMPTY_ROOT
}

/// SHA-256 of a value.
pub fn value_hash(value: &[u8]) -> Hash {
    Hash(sha256(&[value]))
}

/// Hash of a node with two or more leaves below it.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(sha256(&[NODE_PREFIX, left.bytes(), right.bytes()]))
}

/// Whether a key turns right at this depth.
pub fn turns_right(key: &MapKey, depth: usize) -> bool {
    key.0[depth / 8] >> (7 - depth % 8) & 1 == 1
}

/// Leading bits that two keys share.
pub fn common_prefix(a: &MapKey, b: &MapKey) -> usize {
    let differing = a.0.iter().zip(&b.0).position(|(a, b)| a != b);
    differing.map_or(DEPTH_MAX, |at| at * 8 + (a.0[at] ^ b.0[at]).leading_zeros() as usize)
}

/// Sorted leaves below a node of this depth, parted into those below its left and its right child.
pub fn part(leaves: &[MapLeaf], depth: usize) -> (&[MapLeaf], &[MapLeaf]) {
    leaves.split_at(leaves.partition_point(|leaf| !turns_right(&leaf.key, depth)))
}

/// Root of a map that holds exactly these leaves.
///
/// # Panics
/// If the keys do not strictly ascend.
pub fn root_of(leaves: &[MapLeaf]) -> Hash {
    assert_ascending(leaves);
    root_below(leaves, 0)
}

/// Root of the subtree at this depth that holds exactly these leaves: strictly ascending, sharing `depth` bits.
pub fn root_below(leaves: &[MapLeaf], depth: usize) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => leaf.hash(),
        _ => {
            let (left, right) = part(leaves, depth);
            node_hash(&root_below(left, depth + 1), &root_below(right, depth + 1))
        }
    }
}

fn assert_ascending(leaves: &[MapLeaf]) {
    assert!(leaves.is_sorted_by(|a, b| a.key < b.key), "keys of a map strictly ascend");
}
