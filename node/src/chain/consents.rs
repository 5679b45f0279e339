//! Consents, reads and classes of data, with their proofs.

use kanhe_proto::consent::{Consent, ConsentEvent, SourceReads, consent_key, source_reads_key};
use kanhe_proto::hash::ConsentId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::proof::{ProvedLeaf, ProvedRecord};
use kanhe_proto::registry::{DataCatalogue, DataClass};

use super::error::ChainError;
use super::history::History;
use super::snapshot::{Snapshot, value_of};

/// Reads of a source, ascending by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    /// How many there are, or that there is none.
    pub leaf: ProvedLeaf,
    /// Some of them.
    pub records: Vec<ProvedRecord>,
    /// Number of the one after these.
    pub next: Option<u64>,
}

/// All classes of data of a bureau.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataClasses {
    /// Which there are, or that there is none.
    pub catalogue: ProvedLeaf,
    /// Each, in the catalogue's order.
    pub classes: Vec<ProvedLeaf>,
}

impl Snapshot<'_> {
    /// A consent with its proof, or that there is none.
    pub fn consent(&self, id: &ConsentId) -> Result<(Option<Consent>, ProvedLeaf), ChainError> {
        let leaf = self.prove_state(&consent_key(id))?;
        Ok((value_of(&leaf)?, leaf))
    }

    /// Events of a consent from one on back, at most `max`; without one from the last. None if `from` is no event of it.
    pub fn consent_events(
        &self,
        id: &ConsentId,
        from: Option<LogIndex>,
        max: usize,
    ) -> Result<Option<History>, ChainError> {
        let (consent, leaf) = self.consent(id)?;
        self.history(leaf, from.or(consent.map(|consent| consent.last)), max, |record| {
            let event = ConsentEvent::from_record(record).ok();
            event.filter(|event| event.consent() == Some(*id)).map(|event| event.before())
        })
    }

    /// Reads that a source recorded from a number on, at most `max`.
    pub fn reads_of(&self, source: &Uscc, from: u64, max: usize) -> Result<Reads, ChainError> {
        let leaf = self.prove_state(&source_reads_key(source))?;
        let count = value_of::<SourceReads>(&leaf)?.map_or(0, |reads| reads.count);
        let missing = || ChainError::Missing(format!("reads of {source} from {from} on"));
        let mut records = Vec::new();
        for index in self.reader.reads_of(source, from, max)? {
            records.push(self.record(index)?.ok_or_else(missing)?);
        }
        let end = from.saturating_add(records.len() as u64);
        if records.len() < max && end < count {
            return Err(missing());
        }
        Ok(Reads { leaf, records, next: (end < count).then_some(end) })
    }

    /// All classes of data that a bureau ever declared.
    pub fn data_classes(&self, bureau: &Uscc) -> Result<DataClasses, ChainError> {
        let (found, catalogue) = self.registry::<DataCatalogue>(bureau)?;
        let mut classes = Vec::new();
        for entry in found.iter().flat_map(|catalogue| catalogue.classes.iter()) {
            let (class, leaf) = self.registry::<DataClass>(&(*bureau, entry.code.clone()))?;
            class.ok_or_else(|| ChainError::Missing(format!("class {} of {bureau}", entry.code)))?;
            classes.push(leaf);
        }
        Ok(DataClasses { catalogue, classes })
    }
}
