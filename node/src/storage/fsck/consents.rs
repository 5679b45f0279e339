//! Consents and reads: their indexes both ways, and that the leaves name what the log has.

use std::collections::BTreeMap;

use kanhe_proto::consent::{AccessRecord, Consent, ConsentEvent, SourceReads};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::{Record, RecordKind};

use super::Fsck;
use crate::ledger::ConsentDue;
use crate::ledger::map::split_record;
use crate::storage::{Column, layout};

impl Fsck<'_> {
    /// The index of consents is computed from their leaves. Each leaf names a record of the log that is of its consent.
    pub(super) fn consents(&mut self) {
        const COLUMN: Column = Column::Consents;
        let mut expected = 0;
        self.each(Column::State, |fsck, key, record| {
            let consent = split_record(record).and_then(|(_, value)| Consent::from_value(value).ok());
            let Some(consent) = consent else { return };
            expected += 1;
            fsck.expect(COLUMN, &layout::consent_due(&ConsentDue { time: consent.forget, id: consent.id }), b"");
            let last = fsck.get(Column::Records, &consent.last.0.to_be_bytes());
            let last = last.and_then(|record| ConsentEvent::from_record(&record).ok());
            if last.and_then(|event| event.consent()) != Some(consent.id) {
                fsck.problem(Column::State, key, "names a last record that is not of this consent");
            }
        });
        let found = self.count(COLUMN);
        self.expect_count(COLUMN, found, expected);
    }

    /// Reads of each source are numbered from 0 without gaps in the order of the log, and the state has their count.
    pub(super) fn reads(&mut self) {
        const COLUMN: Column = Column::Reads;
        let mut sources: BTreeMap<Uscc, (u64, LogIndex)> = BTreeMap::new();
        let mut expected = 0;
        self.each(Column::Records, |fsck, key, value| {
            if value.first() != Some(&RecordKind::Access.byte()) {
                return;
            }
            let (Ok(record), Some(index)) = (AccessRecord::from_record(value), layout::read_number(key)) else {
                return fsck.problem(Column::Records, key, "is not a readable read");
            };
            expected += 1;
            let source = record.read.request().source;
            let (count, last) = sources.entry(source).or_insert((0, LogIndex(index)));
            if record.number != *count {
                fsck.problem(Column::Records, key, "has another number than the next of its source");
            }
            (*count, *last) = (*count + 1, LogIndex(index));
            fsck.expect(COLUMN, &layout::read_of_source(&source, record.number), &index.to_be_bytes());
        });
        let found = self.count(COLUMN);
        self.expect_count(COLUMN, found, expected);
        self.each(Column::State, |fsck, key, record| {
            let reads = split_record(record).and_then(|(_, value)| SourceReads::from_value(value).ok());
            let Some(reads) = reads else { return };
            if sources.remove(&reads.source) != Some((reads.count, reads.last)) {
                fsck.problem(Column::State, key, "counts other reads than the log has");
            }
        });
        for source in sources.keys() {
            self.problem(Column::State, source.as_str().as_bytes(), "does not count the reads of this source");
        }
    }
}
