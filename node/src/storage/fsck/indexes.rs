//! Indexes, both ways: what should be in them is, and nothing else.

use std::collections::BTreeSet;

use kanhe_proto::case::{Case, CaseRecord};
use kanhe_proto::equivocation::EquivocationRecord;
use kanhe_proto::genesis::{Genesis, schema_digest};
use kanhe_proto::hand_over::{HandOver, Spent};
use kanhe_proto::hash::{Hash, TransactionId};
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::map_value::{Kind, MapValue};
use kanhe_proto::record::{BatchRecord, GovernanceRecord, Record, RecordKind};
use kanhe_proto::status::{SpentId, spent_id_key};
use kanhe_proto::transaction::Transaction;

use super::Fsck;
use crate::ledger::map::split_record;
use crate::storage::{Column, layout};

impl Fsck<'_> {
    pub(super) fn transactions(&mut self) {
        const COLUMN: Column = Column::Transactions;
        let mut expected = 0;
        for number in self.base.0 + 1..=self.tip.0 {
            let Some(block) = self.block(Height(number)) else { continue };
            for (position, bytes) in (0u32..).zip(&block.transactions) {
                let Ok((_, id)) = Transaction::from_bytes(bytes) else { continue };
                expected += 1;
                self.expect(COLUMN, id.bytes(), &layout::place(Height(number), position));
            }
        }
        let found = self.count(COLUMN);
        self.expect_count(COLUMN, found, expected);
    }

    pub(super) fn expiries(&mut self) {
        const COLUMN: Column = Column::Expiries;
        let mut found = 0;
        self.each(COLUMN, |fsck, key, value| {
            found += 1;
            let Some(spent) = layout::read_spent(key) else { return fsck.problem(COLUMN, key, "is not readable") };
            if !value.is_empty() {
                fsck.problem(COLUMN, key, "holds something");
            }
            if fsck.spent(&spent.id).is_none_or(|leaf| leaf.expiry != spent.expiry) {
                fsck.problem(COLUMN, key, "is not in the state with this expiry");
            }
        });
        let mut expected = 0;
        self.each(Column::State, |_, _, record| {
            let kind = split_record(record).and_then(|(_, value)| value.first().copied());
            expected += u64::from(kind == Some(Kind::SpentId.byte()));
        });
        self.expect_count(COLUMN, found, expected);
    }

    fn spent(&mut self, id: &TransactionId) -> Option<SpentId> {
        let record = self.get(Column::State, spent_id_key(id).bytes())?;
        let (_, value) = split_record(&record)?;
        SpentId::from_value(value).ok()
    }

    /// The index of cases is computed from their leaves. Each leaf names a record of the log that is of its case.
    pub(super) fn cases(&mut self) {
        const COLUMN: Column = Column::Cases;
        let mut expected = 0;
        self.each(Column::State, |fsck, key, record| {
            let case = split_record(record).and_then(|(_, value)| Case::from_value(value).ok());
            let Some(case) = case else { return };
            for entry in layout::case_entries(&case) {
                expected += 1;
                fsck.expect(COLUMN, &entry, b"");
            }
            let last = fsck.get(Column::Records, &case.last.0.to_be_bytes());
            let last = last.and_then(|record| CaseRecord::from_record(&record).ok());
            let named = |last: &CaseRecord| last.case == case.id && last.number.checked_add(1) == Some(case.events);
            if !last.as_ref().is_some_and(named) {
                fsck.problem(Column::State, key, "names a last record that is not of this case");
            }
        });
        let found = self.count(COLUMN);
        self.expect_count(COLUMN, found, expected);
    }

    pub(super) fn schemas(&mut self, genesis: &Genesis, named: &BTreeSet<Hash>) {
        const COLUMN: Column = Column::Schemas;
        let mut expected: BTreeSet<Hash> = genesis.schemas.iter().map(|text| schema_digest(text)).collect();
        expected.extend(named);
        let mut missing = expected.clone();
        self.each(COLUMN, |fsck, key, value| {
            let digest = key.try_into().map(Hash).unwrap_or_default();
            missing.remove(&digest);
            let right = std::str::from_utf8(value).is_ok_and(|text| schema_digest(text) == digest);
            if !right {
                fsck.problem(COLUMN, key, "is not the schema of its digest");
            }
            if !expected.contains(&digest) {
                fsck.problem(COLUMN, key, "no type names it");
            }
        });
        for digest in missing {
            self.problem(COLUMN, digest.bytes(), "missing");
        }
    }

    pub(super) fn acts(&mut self) {
        const COLUMN: Column = Column::Acts;
        let mut expected = 0;
        self.each(Column::Records, |fsck, key, value| {
            let read = match value.first().copied().and_then(RecordKind::from_byte) {
                Some(RecordKind::Governance) => GovernanceRecord::from_record(value).map(|_| ()),
                Some(RecordKind::Equivocation) => EquivocationRecord::from_record(value).map(|_| ()),
                _ => return,
            };
            expected += 1;
            if let Err(error) = read {
                fsck.problem(Column::Records, key, error.to_string());
            }
            fsck.expect(COLUMN, key, b"");
        });
        let found = self.count(COLUMN);
        self.expect_count(COLUMN, found, expected);
    }

    /// One for each header that names another set; the tip's is made after its commit, or at the next start.
    pub(super) fn hand_overs(&mut self) {
        const COLUMN: Column = Column::HandOvers;
        let mut spent: Vec<Spent> = Vec::new();
        let mut expected = 0;
        if self.base.0 > 0 {
            expected = self.hand_overs_before(&mut spent);
        }
        for number in self.base.0.max(1)..=self.tip.0 {
            let Some(header) = self.header(Height(number)) else { continue };
            let key = layout::height(header.height);
            if header.next_validators == header.validators
                || (header.height == self.tip && matches!(self.reader.get(COLUMN, &key), Ok(None)))
            {
                continue;
            }
            expected += 1;
            let Some(bytes) = self.get(COLUMN, &key) else { continue };
            match HandOver::from_bytes(&bytes) {
                Ok(hand_over) if hand_over.certified.header == header => {
                    let Some(current) = self.sets.get(&header.validators) else { continue };
                    if let Err(error) = hand_over.certified.certificate.verify_trimmed(current, &self.chain) {
                        self.problem(COLUMN, &key, error.to_string());
                        continue;
                    }
                    match hand_over.verify(&self.chain, current, &spent) {
                        Ok(explained) => spent.extend(explained.iter().map(|explained| explained.spent)),
                        Err(error) => self.problem(COLUMN, &key, error.to_string()),
                    }
                }
                Ok(_) => self.problem(COLUMN, &key, "is of another header"),
                Err(error) => self.problem(COLUMN, &key, error.to_string()),
            }
        }
        let found = self.count(COLUMN);
        self.expect_count(COLUMN, found, expected);
    }

    /// Follows those below the snapshot that the database began with, from the founders' set to the snapshot's.
    fn hand_overs_before(&mut self, spent: &mut Vec<Spent>) -> u64 {
        const COLUMN: Column = Column::HandOvers;
        let mut count = 0;
        let mut current = self.header(Height(0)).map(|header| header.next_validators).unwrap_or_default();
        self.each(COLUMN, |fsck, key, value| {
            if layout::read_number(key).is_none_or(|height| height >= fsck.base.0) {
                return;
            }
            count += 1;
            let hand_over = match HandOver::from_bytes(value) {
                Ok(hand_over) => hand_over,
                Err(error) => return fsck.problem(COLUMN, key, error.to_string()),
            };
            let header = &hand_over.certified.header;
            let Some(set) = fsck.sets.get(&current).filter(|_| layout::height(header.height) == key) else {
                return fsck.problem(COLUMN, key, "does not follow the one before");
            };
            let checked = hand_over.certified.certificate.verify_trimmed(set, &fsck.chain);
            let named = hand_over.certified.certificate.header_hash == header.hash();
            if let Err(error) = checked {
                return fsck.problem(COLUMN, key, error.to_string());
            }
            match hand_over.verify(&fsck.chain, set, spent) {
                Ok(explained) if named => spent.extend(explained.iter().map(|explained| explained.spent)),
                Ok(_) => fsck.problem(COLUMN, key, "is certified for another header"),
                Err(error) => fsck.problem(COLUMN, key, error.to_string()),
            }
            current = header.next_validators;
        });
        if self.header(self.base).is_some_and(|header| header.validators != current) {
            self.problem(COLUMN, &[], "do not lead from the founders to the snapshot that the database began with");
        }
        count
    }

    pub(super) fn issuer_batches(&mut self) {
        const COLUMN: Column = Column::IssuerBatches;
        let mut expected = 0;
        self.each(Column::Records, |fsck, key, value| {
            if value.first() != Some(&RecordKind::Batch.byte()) {
                return;
            }
            match (BatchRecord::from_record(value), layout::read_number(key)) {
                (Ok(batch), Some(index)) => {
                    expected += 1;
                    fsck.expect(COLUMN, &layout::issuer_batch(&batch.issuer, LogIndex(index)), b"");
                }
                _ => fsck.problem(Column::Records, key, "is not a readable batch"),
            }
        });
        let found = self.count(COLUMN);
        self.expect_count(COLUMN, found, expected);
    }
}
