use super::{EMPTY_ROOT, NodeReader, SIBLINGS_MAX, SIZE_MAX, node_hash};
use crate::bounded::List;
use crate::codec::{Decode, Encode};
use crate::hash::Hash;
use crate::merkle::MerkleError;

/// Shows that a leaf stands at `index` in the log of `size` leaves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct InclusionProof {
    /// Position of the leaf.
    pub index: u64,
    /// Leaves of the log.
    pub size: u64,
    /// Hashes of the siblings, from the leaf up.
    pub siblings: List<Hash, SIBLINGS_MAX>,
}

/// Shows that the log of `old_size` leaves is the beginning of the one of `new_size`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ConsistencyProof {
    /// Leaves of the earlier log.
    pub old_size: u64,
    /// Leaves of the later log.
    pub new_size: u64,
    /// Hashes of nodes in the order of RFC 9162; none if one log is empty or both are equal.
    pub nodes: List<Hash, SIBLINGS_MAX>,
}

/// Checks that the leaf stands at `index` in the log of `size` leaves with this root.
///
/// `size` and `root` must be known to belong together, from a header or a batch record.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &InclusionProof,
    root: &Hash,
) -> Result<(), MerkleError> {
    if (proof.index, proof.size) != (index, size) {
        return Err(MerkleError::WrongPosition);
    }
    within(size)?;
    if index >= size {
        return Err(MerkleError::NoSuchLeaf { index, size });
    }
    let expected = inclusion_length(index, size);
    if proof.siblings.len() != expected {
        return Err(MerkleError::WrongLength { found: proof.siblings.len(), expected });
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in &proof.siblings {
        // Levels where the node is last and alone have no sibling: the node goes up unchanged.
        while at == last && at & 1 == 0 {
            (at, last) = (at >> 1, last >> 1);
        }
        hash = if at & 1 == 1 { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
        (at, last) = (at >> 1, last >> 1);
    }
    if hash == *root { Ok(()) } else { Err(MerkleError::WrongRoot) }
}

/// Checks that the log with `old_root` is the beginning of the one with `new_root`.
///
/// Each size must be known to belong to its root. Every log begins with the empty one.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &ConsistencyProof,
) -> Result<(), MerkleError> {
    if (proof.old_size, proof.new_size) != (old_size, new_size) {
        return Err(MerkleError::WrongPosition);
    }
    ordered(old_size, new_size)?;
    let expected = consistency_length(old_size, new_size);
    if proof.nodes.len() != expected {
        return Err(MerkleError::WrongLength { found: proof.nodes.len(), expected });
    }
    if old_size == 0 {
        let new_is_right = new_size > 0 || *new_root == EMPTY_ROOT;
        return if *old_root == EMPTY_ROOT && new_is_right { Ok(()) } else { Err(MerkleError::WrongRoot) };
    }
    if old_size == new_size {
        return if old_root == new_root { Ok(()) } else { Err(MerkleError::WrongRoot) };
    }
    let (old, new) = climb(old_size, old_root, new_size, &proof.nodes);
    if old == *old_root && new == *new_root { Ok(()) } else { Err(MerkleError::WrongRoot) }
}

/// Both roots that a consistency proof of the right length leads to, for 0 < old < new.
fn climb(old_size: u64, old_root: &Hash, new_size: u64, nodes: &[Hash]) -> (Hash, Hash) {
    // The climb begins at the last complete subtree of the old log.
    let skipped = old_size.trailing_zeros();
    let (mut at, mut last) = ((old_size - 1) >> skipped, (new_size - 1) >> skipped);
    // A complete old log is that subtree: the proof leaves out what the verifier has.
    let (start, rest) = if old_size.is_power_of_two() { (*old_root, nodes) } else { (nodes[0], &nodes[1..]) };
    let (mut old, mut new) = (start, start);
    for node in rest {
        while at == last && at & 1 == 0 {
            (at, last) = (at >> 1, last >> 1);
        }
        if at & 1 == 1 {
            old = node_hash(node, &old);
            new = node_hash(node, &new);
        } else {
            new = node_hash(&new, node);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (old, new)
}

/// Number of siblings on the path of a leaf.
fn inclusion_length(index: u64, size: u64) -> usize {
    climb_length(index, size - 1)
}

/// Number of siblings between a node at `at` of a level whose last is `last`, and the root.
fn climb_length(at: u64, last: u64) -> usize {
    // Below the level where both meet each level has a sibling; above, each set bit has one to the left.
    let apart = u64::BITS - (at ^ last).leading_zeros();
    (apart + (at.checked_shr(apart).unwrap_or(0)).count_ones()) as usize
}

/// Number of hashes in a consistency proof, for old ≤ new.
fn consistency_length(old_size: u64, new_size: u64) -> usize {
    if old_size == 0 || old_size == new_size {
        return 0;
    }
    let skipped = old_size.trailing_zeros();
    let climbed = climb_length((old_size - 1) >> skipped, (new_size - 1) >> skipped);
    climbed + usize::from(!old_size.is_power_of_two())
}

/// Root of a stored log when it had `size` leaves.
pub fn root_at(size: u64, nodes: &impl NodeReader) -> Result<Hash, MerkleError> {
    within(size)?;
    if size == 0 { Ok(EMPTY_ROOT) } else { range_hash(nodes, 0, size) }
}

/// Builds the proof that a leaf stands in the log as it was at `size` leaves.
pub fn prove_inclusion(index: u64, size: u64, nodes: &impl NodeReader) -> Result<InclusionProof, MerkleError> {
    within(size)?;
    if index >= size {
        return Err(MerkleError::NoSuchLeaf { index, size });
    }
    let mut siblings = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + left_size(to - from);
        if index < middle {
            siblings.push(range_hash(nodes, middle, to)?);
            to = middle;
        } else {
            siblings.push(range_hash(nodes, from, middle)?);
            from = middle;
        }
    }
    Ok(InclusionProof { index, size, siblings: upwards(siblings) })
}

/// Builds the proof that the log at `old_size` leaves is the beginning of itself at `new_size`.
pub fn prove_consistency(
    old_size: u64,
    new_size: u64,
    nodes: &impl NodeReader,
) -> Result<ConsistencyProof, MerkleError> {
    ordered(old_size, new_size)?;
    let mut found = Vec::new();
    if old_size > 0 && old_size < new_size {
        let (mut from, mut to) = (0, new_size);
        // Down to the subtree that ends where the old log ends.
        while to != old_size {
            let middle = from + left_size(to - from);
            if old_size <= middle {
                found.push(range_hash(nodes, middle, to)?);
                to = middle;
            } else {
                found.push(range_hash(nodes, from, middle)?);
                from = middle;
            }
        }
        // If that is the whole old log, the verifier knows its root.
        if from > 0 {
            found.push(range_hash(nodes, from, to)?);
        }
    }
    Ok(ConsistencyProof { old_size, new_size, nodes: upwards(found) })
}

/// A path that was found from the root down, as a proof has it.
fn upwards(mut path: Vec<Hash>) -> List<Hash, SIBLINGS_MAX> {
    path.reverse();
    List::new(path).expect("a log of at most 2^62 leaves has paths of at most 63")
}

/// Root of the leaves `from..to`: a subtree of some log, so `from` is a multiple of the largest power of two below.
fn range_hash(nodes: &impl NodeReader, from: u64, to: u64) -> Result<Hash, MerkleError> {
    let count = to - from;
    if count.is_power_of_two() {
        let level = count.trailing_zeros() as u8;
        let index = from >> level;
        return nodes.node(level, index).ok_or(MerkleError::MissingNode { level, index });
    }
    let middle = from + left_size(count);
    Ok(node_hash(&range_hash(nodes, from, middle)?, &range_hash(nodes, middle, to)?))
}

/// The largest power of two below `count`, which is above one.
fn left_size(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

fn within(size: u64) -> Result<(), MerkleError> {
    if size > SIZE_MAX { Err(MerkleError::TooLarge(size)) } else { Ok(()) }
}

fn ordered(old: u64, new: u64) -> Result<(), MerkleError> {
    within(new)?;
    if old > new { Err(MerkleError::Shrunk { old, new }) } else { Ok(()) }
}
