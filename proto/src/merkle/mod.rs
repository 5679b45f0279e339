//! Merkle structures: an append-only log and a sparse map, each with short proofs against one root.
//!
//! Building and verifying live side by side, so that a node and a verifier run the same rules. Nothing here stores:
//! nodes of a log and leaves of a map are read through traits or slices that the caller provides.

pub mod log;
pub mod map;

/// Why a proof does not prove, or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The proof is about another leaf or another tree size than the one asked for.
    #[error("the proof is for another position")]
    WrongPosition,
    /// There is no such leaf in a tree of this size.
    #[error("no leaf {index} in a tree of {size}")]
    NoSuchLeaf {
        /// Position asked for.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// A tree does not shrink: the earlier size is above the later.
    #[error("a tree of {old} leaves cannot be the past of one of {new}")]
    Shrunk {
        /// The size claimed to be earlier.
        old: u64,
        /// The size claimed to be later.
        new: u64,
    },
    /// More leaves than any log may have.
    #[error("a log of {0} leaves is too large")]
    TooLarge(u64),
    /// A proof for these positions has another number of hashes.
    #[error("{found} hashes in the proof where {expected} are needed")]
    WrongLength {
        /// Hashes in the proof.
        found: usize,
        /// Hashes that such a proof has.
        expected: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    WrongRoot,
    /// The leaf in the proof has another key or value than the one asked for.
    #[error("the proof is for another key or value")]
    WrongLeaf,
    /// The proof speaks of presence where absence was asked for, or the reverse.
    #[error("the proof shows the opposite")]
    Opposite,
    /// The other leaf does not stand where the key would.
    #[error("the other leaf shares {common} bits with the key, {needed} are needed")]
    NotNeighbour {
        /// Leading bits that both keys share.
        common: usize,
        /// Leading bits that fix the place of the leaf.
        needed: usize,
    },
    /// The reader lacks a node that a tree of this size has.
    #[error("node {index} of level {level} is missing")]
    MissingNode {
        /// Height above the leaves.
        level: u8,
        /// Position among the nodes of its level.
        index: u64,
    },
}
