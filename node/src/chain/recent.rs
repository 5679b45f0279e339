//! Trees over the transactions of the last blocks: who waits for a commit asks for its proof at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use kanhe_proto::ids::Height;
use kanhe_proto::merkle::log::Tree;

use super::lock;

/// Blocks whose trees are kept: at most some 8 MB of full ones.
const BLOCKS: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<(Height, Arc<Tree>)>>);

impl Recent {
    pub fn put(&self, height: Height, tree: &Tree) {
        let tree = Arc::new(tree.clone());
        let mut trees = lock(&self.0);
        trees.push_back((height, tree));
        if trees.len() > BLOCKS {
            trees.pop_front();
        }
    }
    pub fn get(&self, height: Height) -> Option<Arc<Tree>> {
        lock(&self.0).iter().find(|(at, _)| *at == height).map(|(_, tree)| Arc::clone(tree))
    }
}
