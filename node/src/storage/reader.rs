//! Reads of the database as of one moment.

use std::cell::RefCell;
use std::fmt;

use kanhe_proto::certificate::Certificate;
use kanhe_proto::codec;
use kanhe_proto::hash::{CaseId, Hash, HeaderHash, MapKey, TransactionId, ValidatorsHash};
use kanhe_proto::header::Header;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::limits::{CERTIFICATE_BYTES_MAX, GENESIS_BYTES_MAX, HEADER_BYTES_MAX};
use kanhe_proto::merkle::log::NodeReader;
use kanhe_proto::merkle::map::MapLeaf;
use kanhe_proto::validators::ValidatorSet;
use rocksdb::{DB, DBRawIteratorWithThreadMode, ReadOptions, Snapshot};

use super::column::{Column, layout};
use super::error::StorageError;
use super::store::Storage;
use crate::ledger::map::{LeafReader, ReadError, split_record};
use crate::ledger::{CaseDue, ConsentDue, SpentKey};

/// Bytes of a validator set: 128 members of less than 128 bytes.
const VALIDATORS_BYTES_MAX: usize = 32 << 10;

/// Acts that are looked at for one hand-over: those of 90 days in a lively consortium.
const ACTS_SOUGHT_MAX: usize = 10_000;

/// The database as of the moment at which it was made.
pub struct Reader<'a> {
    storage: &'a Storage,
    snapshot: Snapshot<'a>,
    swept: Option<SpentKey>,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// A raw iterator over one column.
pub type Iter<'r> = DBRawIteratorWithThreadMode<'r, DB>;

impl<'a> Reader<'a> {
    pub(super) const fn new(storage: &'a Storage, snapshot: Snapshot<'a>, swept: Option<SpentKey>) -> Self {
        Self { storage, snapshot, swept }
    }

    /// A stored value.
    pub fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.snapshot.get_cf(self.storage.column(column), key)?)
    }

    fn decode<T>(
        &self,
        column: Column,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, StorageError> {
        let pinned = self.snapshot.get_pinned_cf(self.storage.column(column), key)?;
        pinned.map(|value| read(&value).ok_or_else(|| StorageError::undecodable(column))).transpose()
    }

    /// The last committed block.
    pub fn tip(&self) -> Result<(Height, HeaderHash), StorageError> {
        let tip = self.decode(Column::Meta, layout::TIP, layout::read_block)?;
        tip.ok_or_else(|| StorageError::Damaged("meta: no tip".into()))
    }

    /// The block after whose snapshot this database begins: of those up to it there are neither headers nor bodies,
    /// but for its own header.
    pub fn base(&self) -> Result<Option<(Height, HeaderHash)>, StorageError> {
        self.decode(Column::Meta, layout::BASE, layout::read_block)
    }

    /// The founders' file.
    pub fn genesis(&self) -> Result<Vec<u8>, StorageError> {
        let genesis = self.get(Column::Meta, layout::GENESIS)?.filter(|bytes| bytes.len() <= GENESIS_BYTES_MAX);
        genesis.ok_or_else(|| StorageError::Damaged("meta: no genesis".into()))
    }

    /// A committed header.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StorageError> {
        let read = |bytes: &[u8]| codec::decode(bytes, HEADER_BYTES_MAX).ok();
        self.decode(Column::Headers, &layout::height(height), read)
    }

    /// The height of a committed header.
    pub fn height_of(&self, hash: &HeaderHash) -> Result<Option<Height>, StorageError> {
        self.decode(Column::Heights, hash.bytes(), |bytes| layout::read_number(bytes).map(Height))
    }

    /// This node's own certificate of a committed header.
    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, StorageError> {
        let read = |bytes: &[u8]| codec::decode(bytes, CERTIFICATE_BYTES_MAX).ok();
        self.decode(Column::Certificates, &layout::height(height), read)
    }

    /// A validator set.
    pub fn validators(&self, hash: &ValidatorsHash) -> Result<Option<ValidatorSet>, StorageError> {
        let read = |bytes: &[u8]| codec::decode(bytes, VALIDATORS_BYTES_MAX).ok();
        self.decode(Column::Validators, hash.bytes(), read)
    }

    /// A block, committed or not.
    pub fn body(&self, height: Height, hash: &HeaderHash) -> Result<Option<Vec<u8>>, StorageError> {
        self.get(Column::Bodies, &layout::block(height, hash))
    }

    /// Hashes of all bodies of a height.
    pub fn bodies(&self, height: Height) -> Result<Vec<HeaderHash>, StorageError> {
        let from = layout::block(height, &HeaderHash([0; 32]));
        let mut found = Vec::new();
        let mut iter = self.iter(Column::Bodies);
        iter.seek(from);
        while let Some(key) = iter.key() {
            let (at, hash) = layout::read_block(key).ok_or_else(|| StorageError::undecodable(Column::Bodies))?;
            if at != height {
                break;
            }
            found.push(hash);
            iter.next();
        }
        iter.status()?;
        Ok(found)
    }

    /// A record of the log.
    pub fn record(&self, index: LogIndex) -> Result<Option<Vec<u8>>, StorageError> {
        self.get(Column::Records, &index.0.to_be_bytes())
    }

    /// Height and position of a committed transaction.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<(Height, u32)>, StorageError> {
        self.decode(Column::Transactions, id.bytes(), layout::read_place)
    }

    /// A JSON Schema by its digest.
    pub fn schema(&self, digest: &Hash) -> Result<Option<String>, StorageError> {
        self.decode(Column::Schemas, digest.bytes(), |bytes| String::from_utf8(bytes.to_vec()).ok())
    }

    /// Indexes of an issuer's batches from one on, at most `max`.
    pub fn issuer_batches(&self, issuer: &Uscc, from: LogIndex, max: usize) -> Result<Vec<LogIndex>, StorageError> {
        let mut found = Vec::new();
        let mut iter = self.iter(Column::IssuerBatches);
        iter.seek(layout::issuer_batch(issuer, from));
        while let Some(index) = iter.key().filter(|_| found.len() < max).and_then(|key| {
            let index = key.strip_prefix(issuer.as_str().as_bytes())?;
            layout::read_number(index)
        }) {
            found.push(LogIndex(index));
            iter.next();
        }
        iter.status()?;
        Ok(found)
    }

    /// The first ids of the state that expire before a time, in order.
    pub fn expired(&self, before: TimeMs, max: usize) -> Result<Vec<SpentKey>, StorageError> {
        let mut found = Vec::new();
        if max == 0 {
            return Ok(found);
        }
        let mut iter = self.iter(Column::Expiries);
        match &self.swept {
            Some(last) => iter.seek(layout::spent(last)),
            None => iter.seek_to_first(),
        }
        while let Some(key) = iter.key().filter(|_| found.len() < max) {
            let spent = layout::read_spent(key).ok_or_else(|| StorageError::undecodable(Column::Expiries))?;
            if spent.expiry >= before {
                break;
            }
            found.push(spent);
            iter.next();
        }
        iter.status()?;
        Ok(found)
    }

    /// The first cases to which time alone does something before a time, in order.
    pub fn due_cases(&self, before: TimeMs, max: usize) -> Result<Vec<CaseDue>, StorageError> {
        let until = |key: &[u8]| layout::read_case_due(key).map(|due| (due.time < before).then_some(due));
        self.cases(vec![layout::CASE_DUE], max, until)
    }

    /// The first steps of open cases that were due before a time and are not decided, in order: when, which case, and
    /// its place in the item.
    pub fn overdue_steps(
        &self,
        before: TimeMs,
        after: Option<(TimeMs, CaseId, u8)>,
        max: usize,
    ) -> Result<Vec<(TimeMs, CaseId, u8)>, StorageError> {
        let until = |key: &[u8]| layout::read_case_step(key).map(|step| (step.0 < before).then_some(step));
        let from = after.map_or_else(
            || vec![layout::CASE_STEP],
            |(time, id, place)| {
                // The key after it.
                [&[layout::CASE_STEP], &time.0.to_be_bytes()[..], id.bytes(), &[place, 0]].concat()
            },
        );
        self.cases(from, max, until)
    }

    /// Open cases in which a bureau plays a role, ascending by id, after one.
    pub fn open_cases(&self, bureau: &Uscc, after: Option<CaseId>, max: usize) -> Result<Vec<CaseId>, StorageError> {
        let mut from = layout::case_of_bureau(bureau, &after.unwrap_or_default());
        if after.is_some() {
            from.push(0);
        }
        self.cases(from, max, |key| Some(layout::read_case_of_bureau(key, bureau)))
    }

    /// The first ready steps of open cases in which a bureau plays a role, what is due first at the front, after one: when it
    /// is due, which case, and its place in the item. Some are the turn of another bureau of the same case.
    pub fn ready_steps(
        &self,
        bureau: &Uscc,
        after: Option<(TimeMs, CaseId, u8)>,
        max: usize,
    ) -> Result<Vec<(TimeMs, CaseId, u8)>, StorageError> {
        let mut from = layout::case_ready(bureau, &after.unwrap_or((TimeMs(0), CaseId::default(), 0)));
        if after.is_some() {
            // The key after it.
            from.push(0);
        }
        self.cases(from, max, |key| layout::read_case_ready(key, bureau))
    }

    /// Entries of the index of cases, from a key on, while they are of its kind and `read` gives something.
    fn cases<T>(
        &self,
        from: Vec<u8>,
        max: usize,
        read: impl Fn(&[u8]) -> Option<Option<T>>,
    ) -> Result<Vec<T>, StorageError> {
        let mut found = Vec::new();
        let mut iter = self.iter(Column::Cases);
        iter.seek(&from);
        while let Some(key) = iter.key().filter(|key| key.first() == from.first() && found.len() < max) {
            let Some(entry) = read(key).ok_or_else(|| StorageError::undecodable(Column::Cases))? else { break };
            found.push(entry);
            iter.next();
        }
        iter.status()?;
        Ok(found)
    }

    /// The first consents that are to be forgotten before a time, in order.
    pub fn due_consents(&self, before: TimeMs, max: usize) -> Result<Vec<ConsentDue>, StorageError> {
        let mut found = Vec::new();
        let mut iter = self.iter(Column::Consents);
        iter.seek_to_first();
        while let Some(key) = iter.key().filter(|_| found.len() < max) {
            let due = layout::read_consent_due(key).ok_or_else(|| StorageError::undecodable(Column::Consents))?;
            if due.time >= before {
                break;
            }
            found.push(due);
            iter.next();
        }
        iter.status()?;
        Ok(found)
    }

    /// Places in the log of a source's reads from a number on, at most `max`.
    pub fn reads_of(&self, source: &Uscc, from: u64, max: usize) -> Result<Vec<LogIndex>, StorageError> {
        let mut found = Vec::new();
        let mut iter = self.iter(Column::Reads);
        iter.seek(layout::read_of_source(source, from));
        while let Some((_, index)) =
            iter.item().filter(|(key, _)| key.starts_with(source.as_str().as_bytes()) && found.len() < max)
        {
            let index = layout::read_number(index).ok_or_else(|| StorageError::undecodable(Column::Reads))?;
            found.push(LogIndex(index));
            iter.next();
        }
        iter.status()?;
        Ok(found)
    }

    /// Places of governance acts and double signatures in the log, the newest first.
    pub fn acts_back(&self) -> Result<Vec<LogIndex>, StorageError> {
        let mut found = Vec::new();
        let mut iter = self.iter(Column::Acts);
        iter.seek_to_last();
        while let Some(key) = iter.key().filter(|_| found.len() < ACTS_SOUGHT_MAX) {
            let index = layout::read_number(key).ok_or_else(|| StorageError::undecodable(Column::Acts))?;
            found.push(LogIndex(index));
            iter.prev();
        }
        iter.status()?;
        Ok(found)
    }

    /// The hand-over of a height.
    pub fn hand_over(&self, height: Height) -> Result<Option<Vec<u8>>, StorageError> {
        self.get(Column::HandOvers, &layout::height(height))
    }

    /// Hand-overs from a height on, at most so many.
    pub fn hand_overs(&self, from: Height, max: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        let mut found = Vec::new();
        let mut iter = self.iter(Column::HandOvers);
        iter.seek(layout::height(from));
        while let Some(value) = iter.value().filter(|_| found.len() < max) {
            found.push(value.to_vec());
            iter.next();
        }
        iter.status()?;
        Ok(found)
    }

    /// Everything of one column.
    pub fn iter(&self, column: Column) -> Iter<'_> {
        self.snapshot.raw_iterator_cf(self.storage.column(column))
    }

    /// Everything of one column for one long pass, which leaves the cache to others.
    pub fn pass(&self, column: Column) -> Iter<'_> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(1 << 20);
        self.snapshot.raw_iterator_cf_opt(self.storage.column(column), options)
    }

    /// Leaves of the registry.
    pub fn registry(&self) -> Leaves<'_> {
        self.leaves(Column::Registry)
    }
    /// Leaves of the state.
    pub fn state(&self) -> Leaves<'_> {
        self.leaves(Column::State)
    }
    fn leaves(&self, column: Column) -> Leaves<'_> {
        Leaves { reader: self, column, iter: RefCell::new(None) }
    }

    /// Nodes of the log.
    pub const fn log(&self) -> Nodes<'_> {
        Nodes { reader: self, column: Column::LogNodes }
    }
    /// Nodes of the log of headers.
    pub const fn history(&self) -> Nodes<'_> {
        Nodes { reader: self, column: Column::HistoryNodes }
    }
}

/// Leaves of one map.
pub struct Leaves<'r> {
    reader: &'r Reader<'r>,
    column: Column,
    /// Kept between scans: making one costs more than a scan of a few leaves.
    iter: RefCell<Option<Iter<'r>>>,
}

impl LeafReader for Leaves<'_> {
    fn get(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        let read = |record: &[u8]| split_record(record).map(|(_, value)| value.to_vec());
        Ok(self.reader.decode(self.column, key.bytes(), read)?)
    }

    fn scan(&self, from: &MapKey, to: &MapKey, visit: &mut dyn FnMut(MapLeaf)) -> Result<(), ReadError> {
        let undecodable = || StorageError::undecodable(self.column);
        let mut slot = self.iter.borrow_mut();
        let iter = slot.get_or_insert_with(|| self.reader.iter(self.column));
        iter.seek(from.bytes());
        while let Some((key, record)) = iter.item() {
            let key = MapKey(key.try_into().map_err(|_| undecodable())?);
            if key > *to {
                break;
            }
            let (value_hash, _) = split_record(record).ok_or_else(undecodable)?;
            visit(MapLeaf { key, value_hash });
            iter.next();
        }
        iter.status().map_err(StorageError::from)?;
        Ok(())
    }
}

/// Nodes of one log.
#[derive(Debug)]
pub struct Nodes<'r> {
    reader: &'r Reader<'r>,
    column: Column,
}

impl NodeReader for Nodes<'_> {
    /// A read that fails looks like a missing node: either way there is no proof.
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let read = |bytes: &[u8]| bytes.try_into().ok().map(Hash);
        self.reader.decode(self.column, &layout::node(level, index), read).ok().flatten()
    }
}
