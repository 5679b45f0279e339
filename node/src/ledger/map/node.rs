use std::borrow::Cow;
use std::sync::Arc;

use kanhe_proto::hash::Hash;
use kanhe_proto::merkle::map::{self, MapLeaf, part, root_below, turns_right};

use super::MapError;
use super::leaves::{Change, LeafReader, Range, merge};

/// How finely memory cuts the tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Whether buckets keep their leaves.
    pub hold: bool,
}

impl Shape {
    /// The most leaves of a bucket. One is hashed whole at each change in it: some 28 hashes of 16 leaves, against 14
    /// bytes of memory for each leaf; where leaves are kept anyway, smaller buckets cost little more.
    pub const fn bucket_max(self) -> usize {
        if self.hold { 4 } else { 16 }
    }
    /// A branch becomes a bucket only at half of that, so that a key put and removed in turn doesn't split and join.
    const fn join_max(self) -> u64 {
        self.bucket_max() as u64 / 2
    }
}

/// Leading bits by which a load cuts its one scan into parts that it builds one after another.
const LOAD_DEPTH: usize = 12;

/// A subtree as memory has it.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Without leaves.
    Empty,
    /// With few leaves, at least one.
    Bucket(Arc<Bucket>),
    /// With more leaves, at least two.
    Branch(Arc<Branch>),
}

#[derive(Debug)]
pub(super) struct Bucket {
    hash: Hash,
    count: u64,
    /// The leaves themselves, in a map that is small enough to keep them.
    held: Option<Box<[MapLeaf]>>,
}

#[derive(Debug)]
pub(super) struct Branch {
    hash: Hash,
    count: u64,
    pub left: Node,
    pub right: Node,
}

impl Node {
    pub fn hash(&self) -> Hash {
        match self {
            Self::Empty => map::empty_root(),
            Self::Bucket(bucket) => bucket.hash,
            Self::Branch(branch) => branch.hash,
        }
    }

    pub fn count(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bucket(bucket) => bucket.count,
            Self::Branch(branch) => branch.count,
        }
    }

    /// All leaves below, from memory or from the store.
    pub fn leaves(&self, store: &impl LeafReader, range: Range) -> Result<Cow<'_, [MapLeaf]>, MapError> {
        let held = match self {
            Self::Empty => Some(&[][..]),
            Self::Bucket(bucket) => bucket.held.as_deref(),
            Self::Branch(_) => None,
        };
        held.map_or_else(|| range.read(store, self.count()).map(Cow::Owned), |leaves| Ok(Cow::Borrowed(leaves)))
    }

    /// The subtree at this depth with exactly these leaves.
    fn build(leaves: &[MapLeaf], depth: usize, shape: Shape) -> Self {
        if leaves.is_empty() {
            return Self::Empty;
        }
        if leaves.len() <= shape.bucket_max() {
            return Self::Bucket(Arc::new(Bucket {
                hash: root_below(leaves, depth),
                count: leaves.len() as u64,
                held: shape.hold.then(|| leaves.into()),
            }));
        }
        let (left, right) = part(leaves, depth);
        Self::branch(Self::build(left, depth + 1, shape), Self::build(right, depth + 1, shape))
    }

    /// Two subtrees that together have at least two leaves.
    fn branch(left: Self, right: Self) -> Self {
        let hash = map::node_hash(&left.hash(), &right.hash());
        Self::Branch(Arc::new(Branch { hash, count: left.count() + right.count(), left, right }))
    }
}

/// One application of changes.
pub(super) struct Update<'a, R> {
    /// The content before the changes.
    pub store: &'a R,
    /// Of the nodes that it makes.
    pub shape: Shape,
}

impl<R: LeafReader> Update<'_, R> {
    /// The subtree after the changes, all of which are in its range.
    pub fn apply(&self, node: &Node, range: Range, changes: &[Change]) -> Result<Node, MapError> {
        if changes.is_empty() {
            return Ok(node.clone());
        }
        let Node::Branch(branch) = node else {
            return self.rebuild(node, range, changes);
        };
        let middle = changes.partition_point(|change| !turns_right(&change.key, range.depth));
        let (to_left, to_right) = changes.split_at(middle);
        let left = self.apply(&branch.left, range.child(false), to_left)?;
        let right = self.apply(&branch.right, range.child(true), to_right)?;
        if left.count() + right.count() <= self.shape.join_max() {
            // The new buckets may not have their leaves, and the store has only the old ones: merge anew.
            return self.rebuild(node, range, changes);
        }
        Ok(Node::branch(left, right))
    }

    fn rebuild(&self, node: &Node, range: Range, changes: &[Change]) -> Result<Node, MapError> {
        let leaves = node.leaves(self.store, range)?;
        Ok(Node::build(&merge(&leaves, changes), range.depth, self.shape))
    }
}

/// Builds the map of what a store holds, by one scan. Keeps the leaves only if they are at most `held_max`.
pub(super) fn load(store: &impl LeafReader, held_max: u64) -> Result<Node, MapError> {
    let mut parts = vec![Node::Empty; 1 << LOAD_DEPTH];
    let mut pending: Vec<MapLeaf> = Vec::new();
    let mut total = 0;
    let mut in_order = true;
    let mut finish = |leaves: &mut Vec<MapLeaf>| {
        if let Some(first) = leaves.first() {
            total += leaves.len() as u64;
            // A part of one bucket may have to be joined with its neighbour, for which it needs its leaves.
            let hold = total <= held_max || leaves.len() <= Shape { hold: true }.bucket_max();
            parts[part_of(first)] = Node::build(leaves, LOAD_DEPTH, Shape { hold });
            leaves.clear();
        }
    };
    let all = Range::all();
    store.scan(&all.prefix, &all.last(), &mut |leaf| {
        if let Some(before) = pending.last() {
            in_order &= before.key < leaf.key;
            if part_of(before) != part_of(&leaf) {
                finish(&mut pending);
            }
        }
        pending.push(leaf);
    })?;
    finish(&mut pending);
    if !in_order {
        return Err(all.mismatch());
    }
    for depth in (0..LOAD_DEPTH).rev() {
        parts = parts.chunks_exact(2).map(|pair| join(&pair[0], &pair[1], depth)).collect();
    }
    Ok(parts.pop().unwrap_or(Node::Empty))
}

/// The first bits of a key as a number.
fn part_of(leaf: &MapLeaf) -> usize {
    usize::from(u16::from_be_bytes([leaf.key.0[0], leaf.key.0[1]]) >> (16 - LOAD_DEPTH))
}

/// The subtree at this depth above two that a load has just built.
fn join(left: &Node, right: &Node, depth: usize) -> Node {
    let shape = Shape { hold: true };
    if left.count() + right.count() > shape.bucket_max() as u64 {
        return Node::branch(left.clone(), right.clone());
    }
    // So few leaves were built as one bucket that keeps them.
    let held = |node: &Node| match node {
        Node::Bucket(bucket) => bucket.held.as_deref().unwrap_or_default().to_vec(),
        Node::Empty | Node::Branch(_) => Vec::new(),
    };
    Node::build(&[held(left), held(right)].concat(), depth, shape)
}
