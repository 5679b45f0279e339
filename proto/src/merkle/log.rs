//! The append-only log of RFC 9162 with SHA-256.
//!
//! A leaf is hashed with the prefix 0x00, a node with 0x01, so neither passes for the other. The root of no leaves is
//! the hash of nothing. Everything here works on *leaf hashes*; [`leaf_hash`] makes one of a record's bytes.
//!
//! Sizes are at most [`SIZE_MAX`], so every proof has at most 64 hashes. A size given to a verifier must come from
//! something signed: proofs of neighbouring sizes can have the same shape.
//!
//! Source: RFC 9162 section 2.1.

mod frontier;
mod proof;
mod span;
mod tree;

pub use frontier::Frontier;
pub use proof::{
    ConsistencyProof, InclusionProof, prove_consistency, prove_inclusion, root_at, verify_consistency, verify_inclusion,
};
pub use span::{Span, SpanProof, prove_span, verify_span};
pub use tree::Tree;

use crate::hash::{Hash, sha256};

/// The most leaves that a log may have.
pub const SIZE_MAX: u64 = 1 << 62;
/// The most hashes in a proof.
pub const SIBLINGS_MAX: usize = 64;
/// SHA-256 of nothing.
const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Root of a log without leaves: SHA-256 of nothing.
pub const fn empty_root() -> Hash {
    EMPTY_ROOT
}

/// Hash of a leaf that holds these bytes.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Hash(sha256(&[&[0], bytes]))
}

/// Hash of a node above two others.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(sha256(&[&[1], left.bytes(), right.bytes()]))
}

/// Root of the log of these leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(*leaf, &mut |_| {});
    }
    frontier.root()
}

/// The root of a complete subtree: 2^`level` leaves, the first of them at `index` · 2^`level`.
///
/// Once complete it never changes, so a store only ever adds nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogNode {
    /// Height above the leaves.
    pub level: u8,
    /// Position among the nodes of its level.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// Where the nodes of complete subtrees are kept, leaf hashes at level 0 among them.
pub trait NodeReader {
    /// The node at this place, if it was ever completed.
    fn node(&self, level: u8, index: u64) -> Option<Hash>;
}
