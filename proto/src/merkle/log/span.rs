//! Leaves of a complete subtree, proved to be exactly those: how a log is handed over in pieces.
//!
//! Who has a log's frontier, checked against its root, holds the roots of all its largest complete subtrees. A piece
//! is the leaves of one of these or of a complete subtree inside it, with the siblings from there up.

use super::{Frontier, LogNode, NodeReader, SIBLINGS_MAX, SIZE_MAX, node_hash, root};
use crate::bounded::List;
use crate::codec::{Decode, Encode};
use crate::hash::Hash;
use crate::merkle::MerkleError;

/// 2^`level` leaves of a log, the first of them at `index` · 2^`level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Span {
    /// Height of the subtree above the leaves.
    pub level: u8,
    /// Position among the subtrees of its level.
    pub index: u64,
}

impl Span {
    /// Index of its first leaf; none beyond any log.
    pub fn first(&self) -> Option<u64> {
        self.index.checked_mul(self.count()?).filter(|first| *first < SIZE_MAX)
    }
    /// Number of its leaves; none beyond any log.
    pub const fn count(&self) -> Option<u64> {
        if self.level <= 62 { Some(1 << self.level) } else { None }
    }
    /// Both halves, left first; none of a single leaf.
    pub fn halves(&self) -> Option<[Self; 2]> {
        let (level, index) = (self.level.checked_sub(1)?, self.index.checked_mul(2)?);
        Some([Self { level, index }, Self { level, index: index + 1 }])
    }

    /// The pieces of a log of `size` leaves: in order, of at most 2^`level_max` leaves each, all of them complete.
    pub fn all(size: u64, level_max: u8) -> impl Iterator<Item = Self> {
        Self::between(0, size, level_max)
    }

    /// The same of the leaves from `from` on, before `to`.
    pub fn between(from: u64, to: u64, level_max: u8) -> impl Iterator<Item = Self> {
        let mut from = from;
        std::iter::from_fn(move || {
            let left = to.min(SIZE_MAX).checked_sub(from).filter(|left| *left > 0)?;
            let level = left.ilog2().min(from.trailing_zeros()).min(u32::from(level_max)) as u8;
            let span = Self { level, index: from >> level };
            from += 1 << level;
            Some(span)
        })
    }
}

/// The way from a span to the peak of the frontier above it; nothing if it is one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SpanProof {
    /// Hashes of the siblings, from the span up.
    pub siblings: List<Hash, SIBLINGS_MAX>,
}

/// The peak that has a span's leaves below it.
fn peak_above(frontier: &Frontier, span: Span) -> Result<LogNode, MerkleError> {
    let none = || MerkleError::NoSuchLeaf { index: span.first().unwrap_or(u64::MAX), size: frontier.size() };
    let first = span.first().ok_or_else(none)?;
    frontier.peaks().find(|peak| peak.level >= span.level && first >> peak.level == peak.index).ok_or_else(none)
}

/// Checks that the log with this frontier holds exactly these leaves in the span.
///
/// The frontier must be known to be the log's: see [`Frontier::verify`].
pub fn verify_span(frontier: &Frontier, span: Span, leaves: &[Hash], proof: &SpanProof) -> Result<(), MerkleError> {
    let peak = peak_above(frontier, span)?;
    let expected = usize::try_from(span.count().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    if leaves.len() != expected {
        return Err(MerkleError::WrongLength { found: leaves.len(), expected });
    }
    let expected = usize::from(peak.level - span.level);
    if proof.siblings.len() != expected {
        return Err(MerkleError::WrongLength { found: proof.siblings.len(), expected });
    }
    let mut at = span.index;
    let reached = proof.siblings.iter().fold(root(leaves), |below, sibling| {
        let above = if at & 1 == 1 { node_hash(sibling, &below) } else { node_hash(&below, sibling) };
        at >>= 1;
        above
    });
    if reached == peak.hash { Ok(()) } else { Err(MerkleError::WrongRoot) }
}

/// Builds the proof of a span in the log that has this frontier.
pub fn prove_span(frontier: &Frontier, span: Span, nodes: &impl NodeReader) -> Result<SpanProof, MerkleError> {
    let peak = peak_above(frontier, span)?;
    let mut siblings = Vec::new();
    for level in span.level..peak.level {
        let index = (span.index >> (level - span.level)) ^ 1;
        siblings.push(nodes.node(level, index).ok_or(MerkleError::MissingNode { level, index })?);
    }
    Ok(SpanProof { siblings: List::new(siblings).expect("a log of at most 2^62 leaves has paths of at most 62") })
}
