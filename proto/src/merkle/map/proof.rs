use super::{
    DEPTH_MAX, EMPTY_ROOT, MapLeaf, assert_ascending, common_prefix, node_hash, part, root_below, turns_right,
    value_hash,
};
use crate::bounded::List;
use crate::codec::{Decode, Encode};
use crate::hash::{Hash, MapKey};
use crate::merkle::MerkleError;

/// What stands where a key would, and the way from there to the root.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MapProof {
    /// The key's own leaf; or the one leaf below the place where the key would go; or nothing there.
    pub leaf: Option<MapLeaf>,
    /// Hashes of the siblings, from the leaf up.
    pub siblings: List<Hash, DEPTH_MAX>,
}

impl MapProof {
    /// Root that follows if the proof is about this key; the key alone says which sibling stands left.
    fn root(&self, key: &MapKey) -> Hash {
        let start = self.leaf.map_or(EMPTY_ROOT, |leaf| leaf.hash());
        let depths = (0..self.siblings.len()).rev();
        self.siblings.iter().zip(depths).fold(start, |below, (sibling, depth)| {
            if turns_right(key, depth) { node_hash(sibling, &below) } else { node_hash(&below, sibling) }
        })
    }

    fn leads_to(&self, root: &Hash, key: &MapKey) -> Result<(), MerkleError> {
        if self.root(key) == *root { Ok(()) } else { Err(MerkleError::WrongRoot) }
    }
}

/// Checks that the map with this root holds the value under the key.
pub fn verify_inclusion(root: &Hash, key: &MapKey, value: &[u8], proof: &MapProof) -> Result<(), MerkleError> {
    let leaf = proof.leaf.ok_or(MerkleError::Opposite)?;
    if leaf != (MapLeaf { key: *key, value_hash: value_hash(value) }) {
        return Err(MerkleError::WrongLeaf);
    }
    proof.leads_to(root, key)
}

/// Checks that the map with this root holds nothing under the key.
pub fn verify_absence(root: &Hash, key: &MapKey, proof: &MapProof) -> Result<(), MerkleError> {
    if let Some(other) = proof.leaf {
        let common = common_prefix(&other.key, key);
        if common == DEPTH_MAX {
            return Err(MerkleError::Opposite);
        }
        // A leaf that parts from the key above its place says nothing about the key's own place.
        let needed = proof.siblings.len();
        if common < needed {
            return Err(MerkleError::NotNeighbour { common, needed });
        }
    }
    proof.leads_to(root, key)
}

/// Builds the proof for a key, present or not, in the map of exactly these leaves.
///
/// # Panics
/// If the keys of the leaves do not strictly ascend.
pub fn prove(leaves: &[MapLeaf], key: &MapKey) -> MapProof {
    assert_ascending(leaves);
    let mut siblings = Vec::new();
    let leaf = prove_below(leaves, 0, key, &mut siblings);
    siblings.reverse();
    MapProof { leaf, siblings: List::new(siblings).expect("keys of 256 bits part at one of them") }
}

/// The lower part of a proof: what stands where the key would in the subtree at this depth that holds exactly these
/// leaves. Adds the hashes of the siblings from there *down*.
pub fn prove_below(
    mut leaves: &[MapLeaf],
    mut depth: usize,
    key: &MapKey,
    siblings: &mut Vec<Hash>,
) -> Option<MapLeaf> {
    while leaves.len() > 1 {
        let (left, right) = part(leaves, depth);
        let (mine, other) = if turns_right(key, depth) { (right, left) } else { (left, right) };
        depth += 1;
        siblings.push(root_below(other, depth));
        leaves = mine;
    }
    leaves.first().copied()
}
