//! Reads of one source in the order of their numbers: a list without gaps, in which a person looks for hers alone.

use super::history::HistoryError;
use super::leaf::SourceReads;
use super::record::AccessRecord;
use crate::header::Header;
use crate::identifiers::Uscc;
use crate::proof::ProvedRecord;
use crate::record::Record;

/// Takes a source's reads one after another, from a number on. The state says how many there are, and the ledger gives each
/// number once: whoever takes reads until [`ReadList::is_whole`] has all of them as of that state. Whoever asks a node for
/// pages of a source tells it nothing of who she is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadList {
    source: Uscc,
    next: u64,
    count: u64,
}

impl ReadList {
    /// From a number on, to the last as of this leaf; a source without one has recorded nothing.
    pub fn of(source: Uscc, proved: Option<&SourceReads>, from: u64) -> Self {
        let count = proved.filter(|reads| reads.source == source).map_or(0, |reads| reads.count);
        Self { source, next: from, count }
    }
    /// Number of the read that must come next; none if all are here.
    pub fn wanted(&self) -> Option<u64> {
        (self.next < self.count).then_some(self.next)
    }
    /// Takes the next read, proved under a header that is believed.
    pub fn push(&mut self, header: &Header, proved: &ProvedRecord) -> Result<AccessRecord, HistoryError> {
        proved.verify(header)?;
        let record = AccessRecord::from_record(&proved.record)?;
        if self.wanted() != Some(record.number) || record.read.request().source != self.source {
            return Err(HistoryError::OtherEvent(proved.index));
        }
        self.next += 1;
        Ok(record)
    }
    /// Whether all reads are here.
    pub fn is_whole(&self) -> bool {
        self.wanted().is_none()
    }
}
