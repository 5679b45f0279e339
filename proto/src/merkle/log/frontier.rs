use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};

use super::{EMPTY_ROOT, LogNode, NodeReader, SIZE_MAX, node_hash};
use crate::codec::{Decode, Encode, impl_decode};
use crate::hash::Hash;
use crate::merkle::MerkleError;

/// What a log must remember to grow: its size and the roots of its largest complete subtrees, left to right.
///
/// There is one peak for each bit set in the size, so the encoding is the size and then exactly those hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a stored log when it had `size` leaves.
    pub fn read(size: u64, nodes: &impl NodeReader) -> Result<Self, MerkleError> {
        if size > SIZE_MAX {
            return Err(MerkleError::TooLarge(size));
        }
        let mut peaks = Vec::with_capacity(size.count_ones() as usize);
        let mut before = 0;
        for level in (0..=62u8).rev().filter(|level| size >> level & 1 == 1) {
            let index = before >> level;
            peaks.push(nodes.node(level, index).ok_or(MerkleError::MissingNode { level, index })?);
            before += 1 << level;
        }
        Ok(Self { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and hands over each node that it completes, the leaf itself first.
    ///
    /// # Panics
    /// If the log has [`SIZE_MAX`] leaves, which no chain can reach.
    pub fn append(&mut self, leaf: Hash, completed: &mut impl FnMut(LogNode)) {
        assert!(self.size < SIZE_MAX, "a log never has 2^62 leaves");
        let mut node = LogNode { level: 0, index: self.size, hash: leaf };
        completed(node);
        while node.index & 1 == 1 {
            let left = self.peaks.pop().expect("a set bit of the size has its peak");
            node = LogNode { level: node.level + 1, index: node.index >> 1, hash: node_hash(&left, &node.hash) };
            completed(node);
        }
        self.peaks.push(node.hash);
        self.size += 1;
    }

    /// The roots of its largest complete subtrees, left to right.
    pub fn peaks(&self) -> impl Iterator<Item = LogNode> + '_ {
        let mut before = 0;
        let levels = (0..=62u8).rev().filter(|level| self.size >> level & 1 == 1);
        levels.zip(&self.peaks).map(move |(level, hash)| {
            let node = LogNode { level, index: before >> level, hash: *hash };
            before += 1 << level;
            node
        })
    }

    /// Checks that it is the frontier of the log of `size` leaves with this root, which must belong together.
    pub fn verify(&self, size: u64, root: &Hash) -> Result<(), MerkleError> {
        if self.size != size {
            return Err(MerkleError::WrongPosition);
        }
        if self.root() == *root { Ok(()) } else { Err(MerkleError::WrongRoot) }
    }

    /// Root of the log as it stands.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return EMPTY_ROOT };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

impl Encode for Frontier {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.size.encode(encoder)?;
        self.peaks.iter().try_for_each(|peak| peak.encode(encoder))
    }
}
impl_decode!(Frontier, decoder => {
    let size = <u64 as Decode<D::Context>>::decode(decoder)?;
    if size > SIZE_MAX {
        return Err(DecodeError::Other("a log of this size is too large"));
    }
    let mut peaks = Vec::with_capacity(size.count_ones() as usize);
    for _ in 0..size.count_ones() {
        peaks.push(<Hash as Decode<D::Context>>::decode(decoder)?);
    }
    Ok(Self { size, peaks })
});
