//! A log of the node (of records, of headers): its frontier in memory, its nodes in a store.
//!
//! Appending gives the nodes to write; a block's log is a clone that is kept at commit or dropped. Once written a node
//! never changes, so proofs for any earlier size come from the same store.

use kanhe_proto::hash::Hash;
use kanhe_proto::merkle::MerkleError;
use kanhe_proto::merkle::log::{self, ConsistencyProof, Frontier, InclusionProof, LogNode, NodeReader};

/// A log as of one block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    frontier: Frontier,
}

impl Log {
    /// The log that a store holds, at `size` leaves.
    pub fn load(size: u64, nodes: &impl NodeReader) -> Result<Self, MerkleError> {
        Ok(Self { frontier: Frontier::read(size, nodes)? })
    }

    /// Number of leaves; the next leaf has this index.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The log after these leaf hashes, and the nodes to write when it is committed.
    pub fn append(&self, leaves: impl IntoIterator<Item = Hash>) -> (Self, Vec<LogNode>) {
        let mut after = self.clone();
        let mut completed = Vec::new();
        for leaf in leaves {
            after.frontier.append(leaf, &mut |node| completed.push(node));
        }
        (after, completed)
    }

    /// Shows that a leaf stands in this log; its nodes must be written.
    pub fn prove_inclusion(&self, index: u64, nodes: &impl NodeReader) -> Result<InclusionProof, MerkleError> {
        log::prove_inclusion(index, self.size(), nodes)
    }

    /// Shows that this log begins with itself as it was at `old_size` leaves.
    pub fn prove_consistency(&self, old_size: u64, nodes: &impl NodeReader) -> Result<ConsistencyProof, MerkleError> {
        log::prove_consistency(old_size, self.size(), nodes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kanhe_proto::merkle::log::{leaf_hash, root, verify_consistency, verify_inclusion};

    use super::*;

    #[derive(Default)]
    struct Store(BTreeMap<(u8, u64), Hash>);

    impl NodeReader for Store {
        fn node(&self, level: u8, index: u64) -> Option<Hash> {
            self.0.get(&(level, index)).copied()
        }
    }

    #[test]
    fn a_log_grows_by_blocks_and_proves_each_past() {
        let leaves: Vec<Hash> = (0u64..100).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let (mut log, mut store, mut past) = (Log::default(), Store::default(), vec![]);
        for block in leaves.chunks(7) {
            past.push((log.size(), log.root()));
            let (after, nodes) = log.append(block.iter().copied());
            // A dropped block changes nothing.
            assert_eq!(log.append(block.iter().copied()).0, after);
            store.0.extend(nodes.iter().map(|node| ((node.level, node.index), node.hash)));
            log = after;
            assert_eq!(log.root(), root(&leaves[..log.size() as usize]));
            assert_eq!(Log::load(log.size(), &store).unwrap(), log);
            for (size, old_root) in &past {
                assert_eq!(Log::load(*size, &store).unwrap().root(), *old_root);
                let proof = log.prove_consistency(*size, &store).unwrap();
                verify_consistency(*size, old_root, log.size(), &log.root(), &proof).unwrap();
            }
        }
        for index in 0..100 {
            let proof = log.prove_inclusion(index, &store).unwrap();
            verify_inclusion(&leaves[index as usize], index, 100, &proof, &log.root()).unwrap();
        }
        assert!(log.prove_inclusion(100, &store).is_err());
        assert!(Log::load(101, &store).is_err());
    }
}
