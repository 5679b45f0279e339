//! Power cuts: the process dies, and with it all that was never synced.
//!
//! [`Shim`] is `shim/unsynced.c`, compiled here. [`Shim::record`] notes what a home holds when its process
//! starts, and [`Shim::cut`] makes of it what a power cut would have left at worst: files cut back to the length
//! at their last sync, and names gone whose folder was not synced since they were made. Removals are taken as done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The shim, compiled.
#[derive(Debug)]
pub struct Shim {
    folder: TempDir,
}

impl Shim {
    /// Compiles it.
    pub fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        compile("unsynced", folder.path());
        Self { folder }
    }

    fn log(&self, root: &Path) -> PathBuf {
        let name: String = root.to_string_lossy().chars().map(|c| if c == '/' { '_' } else { c }).collect();
        self.folder.path().join(name)
    }

    /// Makes a command record what it syncs below a folder. What is there now counts as synced.
    pub fn record(&self, command: &mut Command, root: &Path) {
        let log = self.log(root);
        let _ = fs::remove_file(&log);
        let mut lengths = String::new();
        for (path, length) in files(root) {
            lengths.push_str(&format!("S {length} {}\n", path.display()));
        }
        fs::write(&log, lengths).unwrap();
        command.env("LD_PRELOAD", self.folder.path().join("unsynced.so"));
        command.env("KANHE_SHIM_ROOT", root).env("KANHE_SHIM_LOG", log);
    }

    /// Takes away what the dead process never synced.
    pub fn cut(&self, root: &Path) -> Lost {
        let text = fs::read_to_string(self.log(root)).unwrap();
        let mut disk = Disk::default();
        text.lines().for_each(|line| disk.read(line));
        disk.cut(root)
    }
}

/// What a cut took.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Files and folders that are gone.
    pub names: BTreeSet<PathBuf>,
    /// Files cut back, and by how many bytes.
    pub bytes: BTreeMap<PathBuf, u64>,
    /// Files that got their old name back.
    pub renamed: BTreeSet<PathBuf>,
}

impl Lost {
    /// Whether nothing is lost.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is on the disk for sure, by the record.
#[derive(Debug, Default)]
struct Disk {
    /// Length at the last sync.
    synced: BTreeMap<PathBuf, u64>,
    /// Names made since their folder was last synced, with the name that the file had before, if it had a lasting one.
    fresh: BTreeMap<PathBuf, Option<PathBuf>>,
}

impl Disk {
    fn read(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        match kind {
            "C" => {
                self.fresh.insert(rest.into(), None);
                self.synced.insert(rest.into(), 0);
            }
            "D" => self.fresh.retain(|path, _| path.parent() != Some(Path::new(rest))),
            "S" | "T" => {
                let (length, path) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                let length: u64 = length.parse().unwrap();
                let synced = self.synced.entry(path.into()).or_insert(0);
                *synced = if kind == "S" { length } else { length.min(*synced) };
            }
            "M" | "O" => {
                let (from, to) = rest.split_once('\t').unwrap_or_else(|| panic!("{line}"));
                self.rename(Path::new(from), Path::new(to), kind == "M");
            }
            "U" => {
                self.fresh.remove(Path::new(rest));
                self.synced.remove(Path::new(rest));
            }
            _ => panic!("{line}"),
        }
    }

    fn rename(&mut self, from: &Path, to: &Path, is_new: bool) {
        let length = self.synced.remove(from).unwrap_or(0);
        self.synced.insert(to.to_owned(), length);
        let before = match self.fresh.remove(from) {
            // Never had a name that lasts.
            Some(before) => before,
            None => Some(from.to_owned()),
        };
        if is_new {
            self.fresh.insert(to.to_owned(), before);
        }
    }

    fn cut(&self, root: &Path) -> Lost {
        let mut lost = Lost::default();
        for (path, length) in files(root) {
            let synced = self.synced.get(&path).copied().unwrap_or(0);
            if synced < length {
                fs::File::options().write(true).open(&path).unwrap().set_len(synced).unwrap();
                lost.bytes.insert(path, length - synced);
            }
        }
        for (path, before) in &self.fresh {
            match before {
                _ if fs::symlink_metadata(path).is_err() => continue,
                Some(before) if fs::symlink_metadata(before).is_err() => {
                    fs::rename(path, before).unwrap();
                    lost.renamed.insert(path.clone());
                    continue;
                }
                _ if path.is_dir() => fs::remove_dir_all(path).unwrap(),
                _ => fs::remove_file(path).unwrap(),
            }
            lost.bytes.remove(path);
            lost.names.insert(path.clone());
        }
        lost
    }
}

/// Compiles `shim/NAME.c` into a folder; gives the library to preload.
pub(crate) fn compile(name: &str, folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("shim/{name}.c"));
    let library = folder.join(format!("{name}.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-fPIC", "-shared", "-Wall", "-Werror", "-o"]).arg(&library);
    let built = compiler.arg(&source).args(["-ldl", "-lpthread"]).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    library
}

/// All files below a folder, with their lengths.
pub fn files(root: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push((entry.path(), entry.metadata().unwrap().len()));
        }
    }
    found
}
