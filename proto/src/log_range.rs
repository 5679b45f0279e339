//! All records of the log between two certified headers.
//!
//! Who has the log's frontier as it was before the range, checked against the header before it, and appends every record
//! of the range must arrive at the root of the last header. So none is left out, added, altered or moved, and the log
//! before the range is the beginning of the one after it. A record that is not shown goes in by its leaf hash.
//!
//! Each record says in which block it came: that must lie within the range, and never before that of an earlier record.
//!
//! Whether to believe the headers is for [`crate::trust`] to say. Source: RFC 9162 section 2.1

use crate::hash::Hash;
use crate::header::Header;
use crate::ids::{Height, LogIndex, TimeMs};
use crate::log_record::LogRecord;
use crate::merkle::MerkleError;
use crate::merkle::log::{Frontier, empty_root, leaf_hash};

/// Why records are not all of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogRangeError {
    /// It does not lead to the root of the header before.
    #[error("the frontier is not that of the log before the range")]
    Frontier(#[source] MerkleError),
    /// The last header is not after the one before the range, or its log is shorter.
    #[error("the last header is not after the one before the range")]
    Order,
    /// Records are missing, or there are more than the last header has.
    #[error("the log of the last header has {size} records, here are {here}")]
    Size {
        /// Records of the log.
        size: u64,
        /// Records up to the last one here.
        here: u64,
    },
    /// A record is another, or left out for another.
    #[error("the records are not those of the log under the last header")]
    Root,
    /// It says that it came before the record before it, or before or after the range.
    #[error("record {0} says that it is of a block where it cannot be")]
    Place(LogIndex),
}

/// Records of a range, taken one after the other.
#[derive(Debug, Clone)]
pub struct LogRange {
    frontier: Frontier,
    first: u64,
    before: Height,
    /// Block of the last record that said one, or the least one that the range has.
    reached: (Height, TimeMs),
}

impl LogRange {
    /// A range after a header; without one from the first record of the chain on.
    pub fn begin(before: Option<&Header>, frontier: Frontier) -> Result<Self, LogRangeError> {
        let (size, root) = before.map_or((0, empty_root()), |header| (header.log_size, header.log_root));
        frontier.verify(size, &root).map_err(LogRangeError::Frontier)?;
        let reached = before.map_or((Height(0), TimeMs(0)), |header| (header.height.next(), header.time));
        Ok(Self { frontier, first: size, before: before.map_or(Height(0), |header| header.height), reached })
    }

    /// Index of its first record.
    pub const fn first(&self) -> LogIndex {
        LogIndex(self.first)
    }
    /// Index of the record that comes next.
    pub fn next(&self) -> LogIndex {
        LogIndex(self.frontier.size())
    }
    /// Root of the log up to here.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Takes the next record.
    pub fn push(&mut self, bytes: &[u8]) -> Result<LogRecord, LogRangeError> {
        let record = LogRecord::read(bytes);
        if let Some(recorded) = record.recorded() {
            if recorded.0 < self.reached.0 || recorded.1 < self.reached.1 {
                return Err(LogRangeError::Place(self.next()));
            }
            self.reached = recorded;
        }
        self.push_hash(leaf_hash(bytes));
        Ok(record)
    }
    /// Takes the next record, of which only the leaf hash is here.
    pub fn push_hash(&mut self, leaf: Hash) {
        self.frontier.append(leaf, &mut |_| {});
    }

    /// Checks that these are all records up to a header, and as it has them.
    pub fn finish(&self, last: &Header) -> Result<(), LogRangeError> {
        if last.height <= self.before || last.log_size < self.first {
            return Err(LogRangeError::Order);
        }
        let here = self.frontier.size();
        if here != last.log_size {
            return Err(LogRangeError::Size { size: last.log_size, here });
        }
        if self.root() != last.log_root {
            return Err(LogRangeError::Root);
        }
        match here.checked_sub(1).filter(|index| *index >= self.first) {
            Some(index) if self.reached.0 > last.height || self.reached.1 > last.time => {
                Err(LogRangeError::Place(LogIndex(index)))
            }
            _ => Ok(()),
        }
    }
}
