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
/// The signing guard of the key in this file, relative to the home: beside it for a key that took over from another,
/// the home's for the first.
pub fn guard_of(home: &Path, key: &Path) -> PathBuf {
    let beside = guard_beside(&home.join(key));
    if beside.exists() { beside } else { guard(home) }
}
/// The signing guard of a key that takes over from another.
pub fn guard_beside(key: &Path) -> PathBuf {
    key.with_extension("guard")
}
/// Why the node ended by itself the last time.
pub fn last_stop(home: &Path) -> PathBuf {
    home.join("last-stop.json")
}
/// Parts of case files.
pub fn case_files(home: &Path) -> PathBuf {
    home.join("case-files")
}
/// The write-ahead log of the consensus engine.
pub fn wal(home: &Path) -> PathBuf {
    home.join("consensus.wal")
}
