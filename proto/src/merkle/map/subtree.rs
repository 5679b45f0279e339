//! All leaves below a prefix, proved to be all: how a map is handed over in pieces.

use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};

use super::{
    DEPTH_MAX, EMPTY_ROOT, MapLeaf, assert_ascending, common_prefix, node_hash, part, root_below, turns_right,
};
use crate::bounded::List;
use crate::codec::{Decode, Encode, impl_decode};
use crate::hash::{Hash, MapKey};
use crate::merkle::MerkleError;

/// The first bits of a key: names the subtree of all keys that begin with them.
///
/// Encoded as the number of bits (`u32`) and a key whose other bits are zero, so each prefix has one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    first: MapKey,
    bits: usize,
}

impl Prefix {
    /// Of no bits: the whole map.
    pub const ALL: Self = Self { first: MapKey([0; 32]), bits: 0 };

    /// The first `bits` bits of a key; none if a key does not have so many.
    pub fn of(key: &MapKey, bits: usize) -> Option<Self> {
        if bits > DEPTH_MAX {
            return None;
        }
        let mut first = *key;
        for (at, byte) in first.0.iter_mut().enumerate() {
            let kept = bits.saturating_sub(at * 8).min(8);
            *byte &= !(0xff_u8.checked_shr(kept as u32).unwrap_or(0));
        }
        Some(Self { first, bits })
    }
    /// Number of bits: depth of the subtree.
    pub const fn bits(&self) -> usize {
        self.bits
    }
    /// The least key that begins with it.
    pub const fn first(&self) -> MapKey {
        self.first
    }
    /// The greatest key that begins with it.
    pub fn last(&self) -> MapKey {
        let mut last = self.first;
        for (at, byte) in last.0.iter_mut().enumerate() {
            let kept = self.bits.saturating_sub(at * 8).min(8);
            *byte |= 0xff_u8.checked_shr(kept as u32).unwrap_or(0);
        }
        last
    }
    /// Whether a key begins with it.
    pub fn covers(&self, key: &MapKey) -> bool {
        common_prefix(&self.first, key) >= self.bits
    }
    /// Both prefixes of one bit more, which together cover the same keys; none of a whole key.
    pub fn halves(&self) -> Option<[Self; 2]> {
        if self.bits == DEPTH_MAX {
            return None;
        }
        let left = Self { first: self.first, bits: self.bits + 1 };
        let mut right = left;
        right.first.0[self.bits / 8] |= 128 >> (self.bits % 8);
        Some([left, right])
    }
    /// The prefix of one bit less; none of the whole map.
    pub fn parent(&self) -> Option<Self> {
        Self::of(&self.first, self.bits.checked_sub(1)?)
    }
}

impl Encode for Prefix {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.bits as u32).encode(encoder)?;
        self.first.encode(encoder)
    }
}
impl_decode!(Prefix, decoder => {
    let bits = <u32 as Decode<D::Context>>::decode(decoder)?;
    let key = <MapKey as Decode<D::Context>>::decode(decoder)?;
    Prefix::of(&key, bits as usize)
        .filter(|prefix| prefix.first == key)
        .ok_or(DecodeError::Other("not a prefix of a key"))
});

/// The way from the subtree of a prefix to the root.
///
/// Where the map is thin the subtree does not exist as a node: at most one leaf stands at some smaller depth, below
/// which the prefix would be. Then there are fewer siblings than the prefix has bits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SubtreeProof {
    /// The one leaf that stands in the way and does not begin with the prefix.
    pub other: Option<MapLeaf>,
    /// Hashes of the siblings, from the subtree up.
    pub siblings: List<Hash, DEPTH_MAX>,
}

/// Checks that the map with this root holds *exactly* these leaves below the prefix: none is missing, added or moved.
pub fn verify_subtree(
    root: &Hash,
    prefix: &Prefix,
    leaves: &[MapLeaf],
    proof: &SubtreeProof,
) -> Result<(), MerkleError> {
    if !leaves.is_sorted_by(|a, b| a.key < b.key) || !leaves.iter().all(|leaf| prefix.covers(&leaf.key)) {
        return Err(MerkleError::WrongLeaf);
    }
    let depth = proof.siblings.len();
    if depth > prefix.bits {
        return Err(MerkleError::WrongLength { found: depth, expected: prefix.bits });
    }
    let standing = if depth == prefix.bits {
        if proof.other.is_some() {
            return Err(MerkleError::WrongLeaf);
        }
        root_below(leaves, depth)
    } else {
        match (leaves, &proof.other) {
            ([], None) => EMPTY_ROOT,
            ([leaf], None) => leaf.hash(),
            ([], Some(other)) => beside(prefix, other, depth)?.hash(),
            _ => return Err(MerkleError::WrongLeaf),
        }
    };
    let reached = proof.siblings.iter().zip((0..depth).rev()).fold(standing, |below, (sibling, depth)| {
        if turns_right(&prefix.first, depth) { node_hash(sibling, &below) } else { node_hash(&below, sibling) }
    });
    if reached == *root { Ok(()) } else { Err(MerkleError::WrongRoot) }
}

/// The other leaf, if it stands on the way to the prefix and is not one of its own.
fn beside<'a>(prefix: &Prefix, other: &'a MapLeaf, depth: usize) -> Result<&'a MapLeaf, MerkleError> {
    let common = common_prefix(&prefix.first, &other.key);
    if common >= prefix.bits {
        return Err(MerkleError::Opposite);
    }
    if common < depth { Err(MerkleError::NotNeighbour { common, needed: depth }) } else { Ok(other) }
}

/// Builds the proof for a prefix in the map of exactly these leaves, and says which of them it covers.
///
/// # Panics
/// If the keys of the leaves do not strictly ascend.
pub fn prove_subtree<'a>(leaves: &'a [MapLeaf], prefix: &Prefix) -> (&'a [MapLeaf], SubtreeProof) {
    assert_ascending(leaves);
    let mut siblings = Vec::new();
    let (covered, other) = prove_subtree_below(leaves, 0, prefix, &mut siblings);
    siblings.reverse();
    (covered, SubtreeProof { other, siblings: List::new(siblings).expect("a prefix has at most 256 bits") })
}

/// The lower part of a proof: the leaves that the prefix covers, and the one in its way, of the subtree at this depth
/// that holds exactly these leaves. Adds the hashes of the siblings from there *down*.
pub fn prove_subtree_below<'a>(
    mut leaves: &'a [MapLeaf],
    mut depth: usize,
    prefix: &Prefix,
    siblings: &mut Vec<Hash>,
) -> (&'a [MapLeaf], Option<MapLeaf>) {
    while leaves.len() > 1 && depth < prefix.bits {
        let (left, right) = part(leaves, depth);
        let (mine, other) = if turns_right(&prefix.first, depth) { (right, left) } else { (left, right) };
        depth += 1;
        siblings.push(root_below(other, depth));
        leaves = mine;
    }
    match leaves {
        [leaf] if !prefix.covers(&leaf.key) => (&[], Some(*leaf)),
        _ => (leaves, None),
    }
}
