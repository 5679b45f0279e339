//! Where things are in a node's home.

use std::path::{Path, PathBuf};

/// The chain's database.
pub fn chain(home: &Path) -> PathBuf {
    home.join("chain")
}
/// The signing guard of the validator key.
pub fn guard(home: &Path) -> PathBuf {
    home.join("guard")
}
/// The write-ahead log of the consensus engine.
pub fn wal(home: &Path) -> PathBuf {
    home.join("consensus.wal")
}
