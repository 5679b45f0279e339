//! The log against published vectors and against two other implementations.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use kanhe_proto::bounded::List;
use kanhe_proto::codec;
use kanhe_proto::hash::Hash;
use kanhe_proto::merkle::MerkleError;
use kanhe_proto::merkle::log::{
    self, ConsistencyProof, Frontier, InclusionProof, LogNode, NodeReader, Tree, leaf_hash, prove_consistency,
    prove_inclusion, root_at, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha2::Sha256;
use sha2::digest::Output;

/// Every node that a log has completed.
#[derive(Default)]
struct Nodes(BTreeMap<(u8, u64), Hash>);

impl Nodes {
    fn grow(&mut self, frontier: &mut Frontier, leaf: Hash) {
        frontier.append(leaf, &mut |LogNode { level, index, hash }| {
            assert_eq!(self.0.insert((level, index), hash), None, "a node is completed once");
        });
    }
}
impl NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.0.get(&(level, index)).copied()
    }
}
impl tlog_tiles::HashReader for Nodes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let read = |index: &u64| {
            let (level, n) = tlog_tiles::split_stored_hash_index(*index);
            tlog_tiles::Hash(self.0[&(level, n)].0)
        };
        Ok(indexes.iter().map(read).collect())
    }
}

fn stored(leaves: &[Hash]) -> (Frontier, Nodes) {
    let (mut frontier, mut nodes) = (Frontier::default(), Nodes::default());
    for leaf in leaves {
        nodes.grow(&mut frontier, *leaf);
    }
    (frontier, nodes)
}

fn record(i: u64) -> Vec<u8> {
    format!("record {i}").into_bytes()
}
fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&record(i))).collect()
}
fn theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect()
}
fn outputs(hashes: &[Hash]) -> Vec<Output<Sha256>> {
    hashes.iter().map(|hash| hash.0.into()).collect()
}

/// The eight leaves of the reference implementation of Certificate Transparency and the roots after each.
const VECTORS: [(&str, &str); 8] = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
];

fn vector_leaves() -> Vec<Hash> {
    VECTORS.iter().map(|(bytes, _)| leaf_hash(&kanhe_proto::text::from_hex(bytes).unwrap())).collect()
}
fn hashes(texts: &[&str]) -> Vec<Hash> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn published_roots() {
    assert_eq!(log::empty_root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(log::root(&[]), log::empty_root());
    let leaves = vector_leaves();
    for (i, (_, root)) in VECTORS.iter().enumerate() {
        assert_eq!(log::root(&leaves[..=i]).to_string(), *root);
        assert_eq!(Tree::new(leaves[..=i].to_vec()).root().to_string(), *root);
    }
}

#[test]
fn published_proofs() {
    let (_, nodes) = stored(&vector_leaves());
    let inclusion: [(u64, u64, &[&str]); 4] = [
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (
            1,
            5,
            &[
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (index, size, path) in inclusion {
        assert_eq!(prove_inclusion(index, size, &nodes).unwrap().siblings.to_vec(), hashes(path));
    }
    let consistency: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (old, new, path) in consistency {
        assert_eq!(prove_consistency(old, new, &nodes).unwrap().nodes.to_vec(), hashes(path));
    }
}

#[test]
fn every_small_log_agrees_with_both_oracles() {
    const MAX: u64 = 70;
    let leaves = leaves(MAX);
    let (_, nodes) = stored(&leaves);
    let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots = vec![log::empty_root()];
    for size in 1..=MAX {
        oracle.push(record(size - 1));
        let tree = Tree::new(leaves[..size as usize].to_vec());
        let root = tree.root();
        roots.push(root);
        assert_eq!(root, log::root(&leaves[..size as usize]));
        assert_eq!(root, root_at(size, &nodes).unwrap());
        assert_eq!(Frontier::read(size, &nodes).unwrap().root(), root);
        assert_eq!(oracle.root().as_bytes().as_slice(), root.bytes());
        let their_root = tlog_tiles::tree_hash(size, &nodes).unwrap();
        assert_eq!(their_root.0, root.0);
        for (index, path) in (0..size).zip(tree.paths()) {
            let leaf = leaves[index as usize];
            assert_eq!(prove_inclusion(index, size, &nodes).unwrap(), path);
            verify_inclusion(&leaf, index, size, &path, &root).unwrap();
            let their_leaf = tlog_tiles::Hash(leaf.0);
            assert_eq!(tlog_tiles::prove_record(size, index, &nodes).unwrap(), theirs(&path.siblings));
            tlog_tiles::check_record(&theirs(&path.siblings), size, their_root, index, their_leaf).unwrap();
            let digests = outputs(&path.siblings);
            let proof = ct_merkle::InclusionProof::from_digests(digests.iter());
            oracle.root().verify_inclusion(&record(index), index, &proof).unwrap();
            assert_eq!(oracle.prove_inclusion(index as usize).as_bytes(), proof.as_bytes());
        }
        for old in 1..=size {
            let proof = prove_consistency(old, size, &nodes).unwrap();
            verify_consistency(old, &roots[old as usize], size, &root, &proof).unwrap();
            let their_old = tlog_tiles::Hash(roots[old as usize].0);
            assert_eq!(tlog_tiles::prove_tree(size, old, &nodes).unwrap(), theirs(&proof.nodes));
            tlog_tiles::check_tree(&theirs(&proof.nodes), size, their_root, old, their_old).unwrap();
            let digests = outputs(&proof.nodes);
            let ours = ct_merkle::ConsistencyProof::<Sha256>::from_digests(digests.iter());
            assert_eq!(oracle.prove_consistency((size - old) as usize).as_bytes(), ours.as_bytes());
        }
    }
}

#[test]
fn every_log_begins_with_the_empty_one() {
    let (frontier, nodes) = stored(&leaves(5));
    for size in 0..=5 {
        let root = root_at(size, &nodes).unwrap();
        let proof = prove_consistency(0, size, &nodes).unwrap();
        verify_consistency(0, &log::empty_root(), size, &root, &proof).unwrap();
        assert_eq!(verify_consistency(0, &frontier.root(), size, &root, &proof), Err(MerkleError::WrongRoot));
    }
    let proof = prove_consistency(0, 0, &nodes).unwrap();
    assert!(verify_consistency(0, &log::empty_root(), 0, &frontier.root(), &proof).is_err());
}

#[test]
fn impossible_positions_are_errors() {
    let (_, nodes) = stored(&leaves(5));
    let beyond = MerkleError::NoSuchLeaf { index: 5, size: 5 };
    assert_eq!(prove_inclusion(5, 5, &nodes), Err(beyond));
    assert_eq!(Tree::new(leaves(5)).path(5), Err(beyond));
    assert_eq!(prove_inclusion(0, 6, &nodes).unwrap_err(), MerkleError::MissingNode { level: 1, index: 2 });
    assert_eq!(prove_consistency(4, 3, &nodes), Err(MerkleError::Shrunk { old: 4, new: 3 }));
    assert_eq!(prove_inclusion(0, u64::MAX, &nodes), Err(MerkleError::TooLarge(u64::MAX)));
    assert_eq!(Frontier::read(u64::MAX, &nodes), Err(MerkleError::TooLarge(u64::MAX)));
    let huge = |size| InclusionProof { index: 0, size, siblings: List::empty() };
    let root = log::empty_root();
    for size in [0, log::SIZE_MAX, log::SIZE_MAX + 1, u64::MAX] {
        assert!(verify_inclusion(&root, 0, size, &huge(size), &root).is_err());
        let shrunk = ConsistencyProof { old_size: size, new_size: 0, nodes: List::empty() };
        assert_eq!(verify_consistency(size, &root, 0, &root, &shrunk).is_ok(), size == 0);
    }
}

#[test]
fn a_frontier_has_one_encoding() {
    for size in [0, 1, 2, 3, 7, 8, 21] {
        let (frontier, _) = stored(&leaves(size));
        let bytes = codec::encode(&frontier);
        assert_eq!(bytes.len(), 8 + 32 * size.count_ones() as usize);
        assert_eq!(codec::decode::<Frontier>(&bytes, 4096).unwrap(), frontier);
        assert!(codec::decode::<Frontier>(&[&bytes[..], &[0; 32]].concat(), 4096).is_err());
        assert!(codec::decode::<Frontier>(&bytes[..bytes.len() - 1], 4096).is_err());
    }
    assert!(codec::decode::<Frontier>(&codec::encode(&u64::MAX), 4096).is_err());
}

/// Every encoding that differs from a good one in one bit, one hash less or one hash more must not verify.
fn refuse_mutations<T: codec::Encode + codec::Decode<()>>(proof: &T, verifies: impl Fn(&T) -> bool) {
    assert!(verifies(proof));
    let bytes = codec::encode(proof);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(proof) = codec::decode::<T>(&flipped, bytes.len()) {
            assert!(!verifies(&proof), "bit {bit}");
        }
    }
}

fn with(hashes: &[Hash]) -> List<Hash, 64> {
    List::new(hashes.to_vec()).unwrap()
}

#[test]
fn damaged_proofs_are_refused() {
    let (_, nodes) = stored(&leaves(40));
    for size in [1, 2, 3, 7, 8, 13, 40] {
        let root = root_at(size, &nodes).unwrap();
        for index in 0..size {
            let leaf = nodes.node(0, index).unwrap();
            let proof = prove_inclusion(index, size, &nodes).unwrap();
            refuse_mutations(&proof, |proof| verify_inclusion(&leaf, index, size, proof, &root).is_ok());
            let mut longer = proof.clone();
            longer.siblings.push(root).unwrap();
            assert!(verify_inclusion(&leaf, index, size, &longer, &root).is_err());
            if let Some((_, shorter)) = proof.siblings.split_last() {
                let shorter = InclusionProof { siblings: with(shorter), ..proof.clone() };
                assert!(verify_inclusion(&leaf, index, size, &shorter, &root).is_err());
            }
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(verify_inclusion(&leaf, other, size, &proof, &root).is_err());
                let moved = InclusionProof { index: other, ..proof.clone() };
                assert!(verify_inclusion(&leaf, other, size, &moved, &root).is_err());
            }
            assert!(verify_inclusion(&leaf, index, size + 1, &proof, &root).is_err());
            assert!(verify_inclusion(&root_at(40, &nodes).unwrap(), index, size, &proof, &root).is_err());
        }
        for old in 1..=size {
            let old_root = root_at(old, &nodes).unwrap();
            let proof = prove_consistency(old, size, &nodes).unwrap();
            let verifies = |proof: &ConsistencyProof| verify_consistency(old, &old_root, size, &root, proof).is_ok();
            refuse_mutations(&proof, verifies);
            let mut longer = proof.clone();
            longer.nodes.push(root).unwrap();
            assert!(!verifies(&longer));
            if let Some((_, shorter)) = proof.nodes.split_last() {
                assert!(!verifies(&ConsistencyProof { nodes: with(shorter), ..proof.clone() }));
            }
            let mut other_root = old_root;
            other_root.0[0] ^= 1;
            assert!(verify_consistency(old, &other_root, size, &root, &proof).is_err());
            assert!(verify_consistency(old, &old_root, size, &other_root, &proof).is_err());
        }
    }
}

#[test]
fn paths_of_a_large_batch() {
    let leaves = leaves(100_000);
    let tree = Tree::new(leaves.clone());
    assert_eq!(tree.root(), log::root(&leaves));
    for index in [0, 1, 65_535, 65_536, 99_998, 99_999] {
        let path = tree.path(index).unwrap();
        verify_inclusion(&leaves[index as usize], index, 100_000, &path, &tree.root()).unwrap();
    }
    assert_eq!(tree.paths().count(), 100_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(9162), failure_persistence: None,
        ..ProptestConfig::default() })]

    #[test]
    fn larger_logs_agree_with_the_oracle(size in 71u64..3_000, seeds in proptest::collection::vec(any::<u64>(), 8)) {
        let leaves = leaves(size);
        let (frontier, nodes) = stored(&leaves);
        let root = tlog_tiles::tree_hash(size, &nodes).unwrap();
        prop_assert_eq!(frontier.root().0, root.0);
        for seed in seeds {
            let index = seed % size;
            let path = prove_inclusion(index, size, &nodes).unwrap();
            prop_assert_eq!(tlog_tiles::prove_record(size, index, &nodes).unwrap(), theirs(&path.siblings));
            verify_inclusion(&leaves[index as usize], index, size, &path, &frontier.root()).unwrap();
            let (old, old_root) = (index + 1, root_at(index + 1, &nodes).unwrap());
            let proof = prove_consistency(old, size, &nodes).unwrap();
            prop_assert_eq!(tlog_tiles::prove_tree(size, old, &nodes).unwrap(), theirs(&proof.nodes));
            verify_consistency(old, &old_root, size, &frontier.root(), &proof).unwrap();
        }
    }
}
