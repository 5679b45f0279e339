//! The programs under test: those that stand beside the test itself.

use std::path::{Path, PathBuf};

/// `kanhe-node`.
pub fn node() -> PathBuf {
    beside("kanhe-node")
}

/// `kanhe`.
pub fn client() -> PathBuf {
    beside("kanhe")
}

fn beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // A test is in `debug/deps`, a program in `debug`.
    let found = test.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| is_program(path));
    found.unwrap_or_else(|| panic!("{name} is not built: cargo build --workspace --bins"))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}
