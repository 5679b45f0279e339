//! What a check of the database found.

use std::fmt;

use kanhe_proto::text;

use crate::storage::Column;

/// Problems listed in full; beyond, only their number grows.
const LISTED_MAX: usize = 10_000;

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub column: Column,
    /// The entry's key; empty if it is about no single entry.
    pub key: Vec<u8>,
    /// What.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.column.name(), text::hex(&self.key), self.what)
    }
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is read.
    pub column: Column,
    /// Entries of it read so far.
    pub entries: u64,
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The first of them, in the order in which they were found.
    pub problems: Vec<Problem>,
    /// How many there are in all.
    pub problems_total: u64,
    /// Entries read.
    pub entries: u64,
    /// Height of the tip.
    pub height: u64,
    /// Height of the snapshot that the database began with: blocks up to it are not here. 0 if all are.
    pub base: u64,
}

impl Report {
    /// Nothing wrong.
    pub const fn is_clean(&self) -> bool {
        self.problems_total == 0
    }
    pub(super) fn add(&mut self, column: Column, key: &[u8], what: impl Into<String>) {
        self.problems_total += 1;
        if self.problems.len() < LISTED_MAX {
            self.problems.push(Problem { column, key: key.to_vec(), what: what.into() });
        }
    }
}
