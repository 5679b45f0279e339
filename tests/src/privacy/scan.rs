//! Reading everything that a stopped node has written.

use std::fs;
use std::path::Path;

use anyhow::Context;
use kanhe_node::run::home;
use rocksdb::{ColumnFamilyDescriptor, DB, IteratorMode, Options};

use super::needles::{Needles, Origin};
use crate::power::files;

/// Findings that are kept.
const FINDINGS_MAX: usize = 1_000;

/// A pattern that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where: `column NAME, key`, `column NAME, value`, or a file below the home.
    pub place: String,
    /// What.
    pub origin: Origin,
}

/// What was read, and found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Column families.
    pub columns: usize,
    /// Keys with their values.
    pub entries: u64,
    /// Bytes of those.
    pub entries_bytes: u64,
    /// Files: the engine's log, the database's logs and tables, the node's own log, and all others.
    pub files: usize,
    /// Bytes of those.
    pub files_bytes: u64,
    /// The first of what was found.
    pub findings: Vec<Finding>,
    /// How much was found.
    pub found: u64,
}

impl Scan {
    fn look(&mut self, place: &str, text: &[u8], needles: &Needles) {
        needles.find(text, |origin| {
            self.found += 1;
            if self.findings.len() < FINDINGS_MAX {
                self.findings.push(Finding { place: place.to_owned(), origin });
            }
        });
    }

    /// Reads a file as it is.
    pub fn file(&mut self, name: &str, path: &Path, needles: &Needles) -> anyhow::Result<()> {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        self.files += 1;
        self.files_bytes += bytes.len() as u64;
        self.look(name, &bytes, needles);
        Ok(())
    }

    /// Reads every key and value through the database, which keeps them compressed.
    fn database(&mut self, path: &Path, needles: &Needles) -> anyhow::Result<()> {
        let names = DB::list_cf(&Options::default(), path)?;
        let columns = names.iter().map(|name| ColumnFamilyDescriptor::new(name, Options::default()));
        let database = DB::open_cf_descriptors_read_only(&Options::default(), path, columns, false)?;
        for name in &names {
            let column = database.cf_handle(name).with_context(|| name.clone())?;
            self.columns += 1;
            let (key_place, value_place) = (format!("column {name}, key"), format!("column {name}, value"));
            for entry in database.iterator_cf(&column, IteratorMode::Start) {
                let (key, value) = entry?;
                self.entries += 1;
                self.entries_bytes += (key.len() + value.len()) as u64;
                self.look(&key_place, &key, needles);
                self.look(&value_place, &value, needles);
            }
        }
        Ok(())
    }
}

/// Reads a home whole: its database, and all its files.
pub fn scan(dir: &Path, needles: &Needles) -> anyhow::Result<Scan> {
    let mut scan = Scan::default();
    scan.database(&home::chain(dir).join("db"), needles)?;
    for (path, _) in files(dir) {
        let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
        scan.file(&name, &path, needles)?;
    }
    Ok(scan)
}
