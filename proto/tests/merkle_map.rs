//! The sparse map against the Jellyfish Merkle Tree itself.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

use std::collections::BTreeMap;

use jmt::mock::MockTreeStore;
use jmt::storage::TreeWriter;
use jmt::{KeyHash, RootHash, Sha256Jmt};
use kanhe_proto::bounded::List;
use kanhe_proto::codec;
use kanhe_proto::hash::{Hash, MapKey, sha256};
use kanhe_proto::merkle::MerkleError;
use kanhe_proto::merkle::map::{self, MapLeaf, MapProof, prove, root_of, verify_absence, verify_inclusion};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

type Content = BTreeMap<MapKey, Vec<u8>>;

fn leaves(content: &Content) -> Vec<MapLeaf> {
    content.iter().map(|(key, value)| MapLeaf::new(*key, value)).collect()
}

/// Key whose first bytes are `prefix` and whose last one is `end`.
fn key(prefix: &[u8], end: u8) -> MapKey {
    let mut bytes = [0; 32];
    bytes[..prefix.len()].copy_from_slice(prefix);
    bytes[31] = end;
    MapKey(bytes)
}
fn random_key(seed: u64) -> MapKey {
    MapKey(sha256(&[&seed.to_be_bytes()]))
}

/// A map and its oracle, changed together.
#[derive(Default)]
struct Pair {
    content: Content,
    store: MockTreeStore,
    version: u64,
}

impl Pair {
    fn with(content: &Content) -> Self {
        let mut pair = Self::default();
        pair.change(content.iter().map(|(key, value)| (*key, Some(value.clone()))).collect());
        pair
    }

    /// Applies changes to both and compares the roots.
    fn change(&mut self, changes: BTreeMap<MapKey, Option<Vec<u8>>>) {
        let values = changes.iter().map(|(key, value)| (KeyHash(key.0), value.clone()));
        let (root, batch) = Sha256Jmt::new(&self.store).put_value_set(values, self.version).unwrap();
        self.store.write_node_batch(&batch.node_batch).unwrap();
        self.version += 1;
        for (key, value) in changes {
            match value {
                Some(value) => self.content.insert(key, value),
                None => self.content.remove(&key),
            };
        }
        assert_eq!(self.root().0, root.0, "after {} versions", self.version);
    }

    fn root(&self) -> Hash {
        root_of(&leaves(&self.content))
    }

    /// Compares the proofs for a key, and lets each verifier check.
    fn compare(&self, key: &MapKey) {
        let proof = prove(&leaves(&self.content), key);
        let (value, theirs) = Sha256Jmt::new(&self.store).get_with_proof(KeyHash(key.0), self.version - 1).unwrap();
        assert_eq!(value.as_ref(), self.content.get(key));
        theirs.verify(RootHash(self.root().0), KeyHash(key.0), value.as_ref()).unwrap();
        assert_eq!(from_theirs(&serde_json::to_value(&theirs).unwrap()), proof);
        match &value {
            Some(value) => {
                verify_inclusion(&self.root(), key, value, &proof).unwrap();
                assert_eq!(verify_absence(&self.root(), key, &proof), Err(MerkleError::Opposite));
            }
            None => {
                verify_absence(&self.root(), key, &proof).unwrap();
                assert!(verify_inclusion(&self.root(), key, b"", &proof).is_err());
            }
        }
    }
}

fn bytes32(value: &Value) -> [u8; 32] {
    serde_json::from_value(value.clone()).unwrap()
}
fn their_leaf(value: &Value) -> MapLeaf {
    MapLeaf { key: MapKey(bytes32(&value["key_hash"])), value_hash: Hash(bytes32(&value["value_hash"])) }
}

/// The oracle's proof in our form; it keeps its siblings to itself but for serialisation.
fn from_theirs(proof: &Value) -> MapProof {
    let sibling = |value: &Value| match value.as_str() {
        Some("Null") => map::empty_root(),
        Some(other) => panic!("unknown kind of sibling: {other}"),
        None if value["Leaf"].is_object() => their_leaf(&value["Leaf"]).hash(),
        None => {
            let node = &value["Internal"];
            map::node_hash(&Hash(bytes32(&node["left_child"])), &Hash(bytes32(&node["right_child"])))
        }
    };
    let leaf = (!proof["leaf"].is_null()).then(|| their_leaf(&proof["leaf"]));
    let siblings = proof["siblings"].as_array().unwrap().iter().map(sibling).collect();
    MapProof { leaf, siblings: List::new(siblings).unwrap() }
}

#[test]
fn nothing_one_and_two_leaves() {
    assert_eq!(root_of(&[]).bytes(), b"SPARSE_MERKLE_PLACEHOLDER_HASH__");
    let empty = prove(&[], &key(b"", 1));
    assert_eq!(empty, MapProof { leaf: None, siblings: List::empty() });
    verify_absence(&map::empty_root(), &key(b"", 1), &empty).unwrap();

    let one = MapLeaf::new(key(b"", 1), b"value");
    assert_eq!(root_of(&[one]).0, sha256(&[b"JMT::LeafNode", &one.key.0, &sha256(&[b"value"])]));
    verify_absence(&root_of(&[one]), &key(b"", 2), &prove(&[one], &key(b"", 2))).unwrap();

    let two = MapLeaf::new(key(b"\x80", 1), b"other");
    let root = Hash(sha256(&[b"JMT::IntrnalNode", one.hash().bytes(), two.hash().bytes()]));
    assert_eq!(root_of(&[one, two]), root);
    assert_eq!(prove(&[one, two], &two.key).siblings.to_vec(), [one.hash()]);
}

#[test]
fn keys_that_share_all_but_the_last_bit() {
    let pair = Pair::with(&[(key(b"", 0), b"a".to_vec()), (key(b"", 1), b"b".to_vec())].into());
    assert_eq!(prove(&leaves(&pair.content), &key(b"", 1)).siblings.len(), 256);
    for end in [0, 1, 2, 128] {
        pair.compare(&key(b"", end));
    }
    pair.compare(&key(b"\xff", 0));
}

#[test]
fn a_removed_leaf_leaves_no_trace() {
    let mut pair = Pair::with(&[(key(b"", 0), b"a".to_vec()), (key(b"\x40", 0), b"c".to_vec())].into());
    let before = pair.root();
    pair.change([(key(b"", 1), Some(b"b".to_vec()))].into());
    assert_ne!(pair.root(), before);
    pair.change([(key(b"", 1), None), (key(b"", 9), None)].into());
    assert_eq!(pair.root(), before);
    pair.compare(&key(b"", 1));
    pair.change([(key(b"", 0), None), (key(b"\x40", 0), None)].into());
    assert_eq!(pair.root(), map::empty_root());
}

#[test]
#[should_panic(expected = "strictly ascend")]
fn unsorted_leaves_are_a_mistake() {
    root_of(&[MapLeaf::new(key(b"", 1), b"a"), MapLeaf::new(key(b"", 1), b"b")]);
}

/// A map with random keys, and with ones that share 8, 100 and 240 bits.
fn mixed() -> Content {
    let mut content: Content = (0..60).map(|seed| (random_key(seed), seed.to_be_bytes().to_vec())).collect();
    for end in 0..6 {
        content.insert(key(b"\x55", end), vec![end]);
        content.insert(key(&[7; 13], end * 40), vec![end]);
        content.insert(key(&random_key(3).0[..30], end), vec![end; 300]);
    }
    content
}

#[test]
fn proofs_agree_with_the_oracle() {
    let pair = Pair::with(&mixed());
    for key in pair.content.keys() {
        pair.compare(key);
        for bit in [0, 3, 9, 99, 239, 240, 250, 255] {
            let mut near = *key;
            near.0[bit / 8] ^= 128 >> (bit % 8);
            pair.compare(&near);
        }
    }
}

#[test]
fn damaged_proofs_are_refused() {
    let content = mixed();
    let leaves = leaves(&content);
    let root = root_of(&leaves);
    let absent = [key(b"\x55", 99), key(b"\x54", 0), random_key(1_000), key(&[7; 13], 1), key(&[7; 12], 1)];
    for key in content.keys().chain(&absent) {
        let value = content.get(key);
        let verifies = |key: &MapKey, proof: &MapProof, root: &Hash| match value {
            Some(value) => verify_inclusion(root, key, value, proof).is_ok(),
            None => verify_absence(root, key, proof).is_ok(),
        };
        let proof = prove(&leaves, key);
        assert!(verifies(key, &proof, &root));
        assert!(!verifies(key, &proof, &proof.siblings[0]));
        if let Some(value) = value {
            assert!(verify_inclusion(&root, key, &[value, &[0][..]].concat(), &proof).is_err());
            let (left, right) = proof.siblings.split_first().unwrap();
            let skipped = MapProof { leaf: None, siblings: List::new(right.to_vec()).unwrap() };
            assert!(verify_absence(&root, key, &skipped).is_err());
            assert!(verify_absence(&root, key, &MapProof { leaf: None, ..proof.clone() }).is_err());
            assert_ne!(left, &root);
        }
        let bytes = codec::encode(&proof);
        // Each bit of a short proof; of a path of hundreds of hashes, one in every byte.
        for bit in (0..bytes.len() * 8).step_by(if bytes.len() > 2_000 { 7 } else { 1 }) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(damaged) = codec::decode::<MapProof>(&flipped, bytes.len()) {
                assert!(!verifies(key, &damaged, &root), "bit {bit}");
            }
        }
        for end in [0, proof.siblings.len()] {
            for extra in [root, map::empty_root()] {
                let mut siblings = proof.siblings.to_vec();
                siblings.insert(end, extra);
                // One more than 256 cannot even be said.
                let Ok(siblings) = List::new(siblings) else { continue };
                assert!(!verifies(key, &MapProof { leaf: proof.leaf, siblings }, &root));
            }
        }
        for at in 0..proof.siblings.len() {
            let mut siblings = proof.siblings.to_vec();
            siblings.remove(at);
            assert!(!verifies(key, &MapProof { leaf: proof.leaf, siblings: List::new(siblings).unwrap() }, &root));
        }
    }
}

#[test]
fn a_leaf_elsewhere_proves_no_absence() {
    let content = mixed();
    let leaves = leaves(&content);
    let root = root_of(&leaves);
    for key in content.keys() {
        // The inclusion proof of one key, offered as the neighbour of another that is present.
        let proof = prove(&leaves, key);
        for other in content.keys() {
            assert!(verify_absence(&root, other, &proof).is_err());
        }
    }
    let foreign = prove(&leaves, &key(b"\x55", 0));
    assert!(matches!(verify_absence(&root, &key(b"\x95", 0), &foreign), Err(MerkleError::NotNeighbour { .. })));
}

#[derive(Debug, Clone)]
enum Step {
    Put(MapKey, Vec<u8>),
    Remove(MapKey),
}

/// Few distinct keys, so that updates and removals meet them; half of them ground to share long prefixes.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = prop_oneof![
        (0u64..40).prop_map(random_key),
        (0usize..32, 0u8..4).prop_map(|(shared, end)| key(&random_key(5).0[..shared], end)),
        (0usize..256).prop_map(|bit| {
            let mut key = random_key(5);
            key.0[bit / 8] ^= 128 >> (bit % 8);
            key
        }),
    ];
    let value = proptest::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        3 => (key.clone(), value).prop_map(|(key, value)| Step::Put(key, value)),
        2 => key.prop_map(Step::Remove),
    ];
    proptest::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: RngSeed::Fixed(12), failure_persistence: None,
        ..ProptestConfig::default() })]

    #[test]
    fn any_history_agrees_with_the_oracle(blocks in proptest::collection::vec(steps(), 1..8)) {
        let mut pair = Pair::default();
        for block in &blocks {
            let change = |step: &Step| match step {
                Step::Put(key, value) => (*key, Some(value.clone())),
                Step::Remove(key) => (*key, None),
            };
            pair.change(block.iter().map(change).collect());
        }
        for step in blocks.iter().flatten() {
            let (Step::Put(key, _) | Step::Remove(key)) = step;
            pair.compare(key);
        }
    }
}
