//! The records between two headers, page by page.

use kanhe_proto::header::Header;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::merkle::log::{Frontier, Span};

use super::source::{LogSource, RecordBytes};
use crate::talk::Failure;

/// A page has at most 2^this records.
const PAGE_LEVEL: u8 = 10;

/// Records of the log of a header from one on. Each page is proved when it comes, so a node that leaves a record out, adds,
/// alters or moves one is known at once.
#[derive(Debug)]
pub struct Pages {
    frontier: Frontier,
    next: u64,
}

impl Pages {
    /// The records from an index on, up to the last one of a header's log.
    pub fn of(source: &mut LogSource<'_>, last: &Header, from: u64) -> Result<Self, Failure> {
        Ok(Self { frontier: source.frontier(last)?, next: from })
    }

    /// The next page, with the index of its first record; none after the last.
    pub fn next(&mut self, source: &mut LogSource<'_>) -> Result<Option<(LogIndex, Vec<RecordBytes>)>, Failure> {
        let mut level_max = PAGE_LEVEL;
        while let Some(span) = Span::between(self.next, self.frontier.size(), level_max).next() {
            match source.records(&self.frontier, span)? {
                Some(records) => {
                    let first = LogIndex(self.next);
                    self.next += records.len() as u64;
                    return Ok(Some((first, records)));
                }
                // Only a span with halves is said to be too large.
                None => level_max = span.level.saturating_sub(1),
            }
        }
        Ok(None)
    }
}
