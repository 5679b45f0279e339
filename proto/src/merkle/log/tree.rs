use super::{EMPTY_ROOT, InclusionProof, SIBLINGS_MAX, node_hash};
use crate::bounded::List;
use crate::hash::Hash;
use crate::merkle::MerkleError;

/// A whole log in memory, for batches and blocks: n leaves take 2n hashes of memory and of work, a path log n look-ups.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Leaf hashes first; each level above pairs the one below and carries an odd last node up unchanged.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over these leaf hashes.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node_hash(left, right),
                    _ => pair[0],
                })
                .collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or(EMPTY_ROOT)
    }

    /// The path of a leaf.
    pub fn path(&self, index: u64) -> Result<InclusionProof, MerkleError> {
        let size = self.size();
        if index >= size {
            return Err(MerkleError::NoSuchLeaf { index, size });
        }
        let mut siblings = Vec::with_capacity(self.levels.len());
        let mut at = usize::try_from(index).expect("an index of a leaf in memory");
        for level in &self.levels {
            // The last node of an odd level has no sibling there.
            siblings.extend(level.get(at ^ 1));
            at >>= 1;
        }
        let siblings = List::<Hash, SIBLINGS_MAX>::new(siblings).expect("a tree in memory has fewer than 64 levels");
        Ok(InclusionProof { index, size, siblings })
    }

    /// The path of every leaf, in order.
    pub fn paths(&self) -> impl Iterator<Item = InclusionProof> + '_ {
        (0..self.size()).map(|index| self.path(index).expect("every index is a leaf"))
    }
}
