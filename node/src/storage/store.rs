//! The database: made from genesis, opened for one chain, written in whole blocks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kanhe_proto::case::Case;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::codec;
use kanhe_proto::consent::Consent;
use kanhe_proto::genesis::{Genesis, GenesisError, schema_digest};
use kanhe_proto::hash::{ChainId, Hash, HeaderHash, MapKey, TransactionId};
use kanhe_proto::header::Header;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::merkle::log::LogNode;
use kanhe_proto::merkle::map::value_hash;
use kanhe_proto::validators::ValidatorSet;
use rocksdb::{ColumnFamily, DB, WriteBatch};

use super::closing::Closing;
use super::column::{Column, layout};
use super::error::StorageError;
use super::home::{Home, SCHEMA_VERSION};
use super::options;
use super::reader::Reader;
use crate::ledger::map::{Changes, leaf_record};
use crate::ledger::{CaseChange, ConsentChange, ConsentDue, ReadPlace, SpentKey};

/// A home could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The genesis founds no chain.
    #[error("genesis founds no chain")]
    Genesis(#[from] GenesisError),
    /// The database could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// One map's changes with the hash of each new value.
#[derive(Debug)]
pub struct LeafChanges<'a> {
    /// What to put or remove.
    pub changes: &'a Changes,
    /// In the order of the changes.
    pub value_hashes: &'a [Option<Hash>],
}

/// Everything that one committed block writes besides its body, which is there already.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The block's header.
    pub header: &'a Header,
    /// Its hash.
    pub header_hash: HeaderHash,
    /// By which it is committed.
    pub certificate: &'a Certificate,
    /// Changes of the registry.
    pub registry: LeafChanges<'a>,
    /// Changes of the state.
    pub state: LeafChanges<'a>,
    /// Records and the index of the first.
    pub records: (u64, &'a [Vec<u8>]),
    /// Nodes of the log.
    pub log_nodes: &'a [LogNode],
    /// Nodes of the log of headers.
    pub history_nodes: &'a [LogNode],
    /// Ids in order.
    pub transactions: &'a [TransactionId],
    /// Ids recorded in the state.
    pub spent: &'a [SpentKey],
    /// Ids swept from it.
    pub swept: &'a [SpentKey],
    /// Batches by issuer.
    pub batches: &'a [(Uscc, LogIndex)],
    /// The set of the next height, if it is another one.
    pub next_validators: Option<&'a ValidatorSet>,
    /// Schemas by digest.
    pub schemas: &'a [(Hash, String)],
    /// Decisions of the bureaus and proofs of double signatures among the records.
    pub acts: &'a [LogIndex],
    /// Cases that changed.
    pub cases: &'a [CaseChange],
    /// Consents that changed.
    pub consents: &'a [ConsentChange],
    /// Reads by source.
    pub reads: &'a [ReadPlace],
    /// Bodies of this height that lost.
    pub losers: &'a [HeaderHash],
}

/// The database of one chain.
#[derive(Debug)]
pub struct Storage {
    db: DB,
    failed: AtomicBool,
    /// Up to here, included, all ids are swept, and none is recorded there any more: it would be expired. Lets the
    /// search for the next ones skip what RocksDB has only marked deleted.
    swept: Mutex<Option<SpentKey>>,
    /// After `db`, so that it goes when that is closed.
    open: Arc<()>,
}

impl Storage {
    /// Founds a chain in an empty home.
    pub fn create(dir: &Path, genesis: &Genesis) -> Result<Self, CreateError> {
        let home = Home::new(dir);
        fs::create_dir_all(dir).map_err(|error| home.unwritable(error))?;
        home.check_free()?;
        Self::found(&home, genesis)
    }

    /// Founds the chain again in a home whose database is gone: all of it is to come from peers.
    pub fn create_again(dir: &Path, genesis: &Genesis) -> Result<Self, CreateError> {
        let home = Home::new(dir);
        fs::create_dir_all(dir).map_err(|error| home.unwritable(error))?;
        match home.check(&genesis.chain_id()) {
            Err(StorageError::Gone(_) | StorageError::NotInitialised(_)) => Self::found(&home, genesis),
            Err(error) => Err(error.into()),
            Ok(()) => Err(StorageError::AlreadyInitialised(dir.to_owned()).into()),
        }
    }

    fn found(home: &Home, genesis: &Genesis) -> Result<Self, CreateError> {
        genesis.check()?;
        home.check_writable()?;
        // What an interrupted making left: it never got its name, so no chain ran on it.
        if home.database_new().exists() {
            fs::remove_dir_all(home.database_new()).map_err(|error| home.unwritable(error))?;
        }
        let chain_id = genesis.chain_id();
        let storage = Self::open_at(home, &home.database_new(), Mode::Create)?;
        storage.write(storage.genesis_batch(genesis, true)?)?;
        storage.db.flush().map_err(StorageError::from)?;
        drop(storage);
        home.settle(&chain_id)?;
        Ok(Self::open(&home.dir, &chain_id)?)
    }

    /// Opens the home of a chain; never makes one.
    pub fn open(dir: &Path, chain_id: &ChainId) -> Result<Self, StorageError> {
        let home = Home::new(dir);
        home.recover()?;
        home.check(chain_id)?;
        home.check_writable()?;
        let storage = Self::open_at(&home, &home.database(), Mode::Write)?;
        storage.check_meta(&home, chain_id)?;
        home.mark(chain_id)?;
        Ok(storage)
    }

    /// Opens the home of a chain to read only, as `fsck` does: not a byte of it changes.
    pub fn open_read_only(dir: &Path, chain_id: &ChainId) -> Result<Self, StorageError> {
        let home = Home::new(dir);
        home.check(chain_id)?;
        let storage = Self::open_at(&home, &home.database(), Mode::Read)?;
        storage.check_meta(&home, chain_id)?;
        Ok(storage)
    }

    /// Tells when this is closed.
    pub fn closing(&self) -> Closing {
        Closing(Arc::downgrade(&self.open))
    }

    pub(super) fn open_at(home: &Home, path: &Path, mode: Mode) -> Result<Self, StorageError> {
        let mut database = options::database();
        let columns = options::columns();
        let db = match mode {
            Mode::Read => DB::open_cf_descriptors_read_only(&database, path, columns, false),
            Mode::Write => DB::open_cf_descriptors(&database, path, columns),
            Mode::Create => {
                database.create_if_missing(true);
                database.create_missing_column_families(true);
                DB::open_cf_descriptors(&database, path, columns)
            }
        };
        let db = db.map_err(|error| StorageError::opening(&home.dir, error))?;
        Ok(Self { db, failed: AtomicBool::new(false), swept: Mutex::default(), open: Arc::default() })
    }

    pub(super) fn check_meta(&self, home: &Home, chain_id: &ChainId) -> Result<(), StorageError> {
        let damaged = |what: &str| StorageError::Damaged(format!("meta: {what}"));
        let reader = self.read();
        let schema = reader.get(Column::Meta, layout::SCHEMA)?.ok_or_else(|| damaged("no schema version"))?;
        let schema = schema.try_into().map(u32::from_be_bytes).map_err(|_| damaged("schema version is malformed"))?;
        if schema != SCHEMA_VERSION {
            return Err(StorageError::OtherSchema { dir: home.dir.clone(), found: schema, known: SCHEMA_VERSION });
        }
        let found = reader.get(Column::Meta, layout::CHAIN)?.ok_or_else(|| damaged("no chain id"))?;
        let found = ChainId(found.try_into().map_err(|_| damaged("chain id is malformed"))?);
        if found != *chain_id {
            return Err(StorageError::OtherChain { dir: home.dir.clone(), found, expected: *chain_id });
        }
        Ok(())
    }

    /// What genesis alone brings; its registry only where the chain begins with it.
    pub(super) fn genesis_batch(&self, genesis: &Genesis, with_registry: bool) -> Result<WriteBatch, CreateError> {
        let header = genesis.header()?;
        let registry = if with_registry { genesis.registry()? } else { BTreeMap::new() };
        let set = genesis.validator_set()?;
        let hash = header.hash();
        let mut batch = WriteBatch::default();
        let meta = self.column(Column::Meta);
        batch.put_cf(meta, layout::SCHEMA, SCHEMA_VERSION.to_be_bytes());
        batch.put_cf(meta, layout::CHAIN, header.chain_id.bytes());
        batch.put_cf(meta, layout::GENESIS, genesis.to_bytes());
        self.put_header(&mut batch, &header, &hash);
        batch.put_cf(self.column(Column::Validators), set.hash().bytes(), codec::encode::<ValidatorSet>(&set));
        for (key, value) in &registry {
            self.put_leaf(&mut batch, Column::Registry, key, &value_hash(value), value);
        }
        for schema in &genesis.schemas {
            batch.put_cf(self.column(Column::Schemas), schema_digest(schema).bytes(), schema.as_str());
        }
        Ok(batch)
    }

    /// Writes a block's body, durably; it is found again by height and hash, whether the block is committed or not.
    pub fn put_body(&self, height: Height, hash: &HeaderHash, body: &[u8]) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        batch.put_cf(self.column(Column::Bodies), layout::block(height, hash), body);
        self.write(batch)
    }

    /// Writes the hand-over of a committed block, durably. It can be made only while that block is the tip.
    pub fn put_hand_over(&self, height: Height, bytes: &[u8]) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        batch.put_cf(self.column(Column::HandOvers), layout::height(height), bytes);
        self.write(batch)
    }

    /// Writes a committed block in one durable step.
    pub fn commit(&self, commit: &Commit<'_>) -> Result<(), StorageError> {
        let height = commit.header.height;
        let mut batch = WriteBatch::default();
        self.put_header(&mut batch, commit.header, &commit.header_hash);
        let certificate = commit.certificate.to_bytes();
        batch.put_cf(self.column(Column::Certificates), layout::height(height), certificate);
        self.put_leaves(&mut batch, Column::Registry, &commit.registry);
        self.put_leaves(&mut batch, Column::State, &commit.state);
        let (first, records) = commit.records;
        for (index, record) in (first..).zip(records) {
            batch.put_cf(self.column(Column::Records), index.to_be_bytes(), record);
        }
        for (column, nodes) in [(Column::LogNodes, commit.log_nodes), (Column::HistoryNodes, commit.history_nodes)] {
            for node in nodes {
                batch.put_cf(self.column(column), layout::node(node.level, node.index), node.hash.bytes());
            }
        }
        for (position, id) in (0u32..).zip(commit.transactions) {
            batch.put_cf(self.column(Column::Transactions), id.bytes(), layout::place(height, position));
        }
        for key in commit.swept {
            batch.delete_cf(self.column(Column::Expiries), layout::spent(key));
        }
        for key in commit.spent {
            batch.put_cf(self.column(Column::Expiries), layout::spent(key), b"");
        }
        for (issuer, index) in commit.batches {
            batch.put_cf(self.column(Column::IssuerBatches), layout::issuer_batch(issuer, *index), b"");
        }
        if let Some(set) = commit.next_validators {
            batch.put_cf(self.column(Column::Validators), set.hash().bytes(), codec::encode::<ValidatorSet>(set));
        }
        for (digest, schema) in commit.schemas {
            batch.put_cf(self.column(Column::Schemas), digest.bytes(), schema);
        }
        for index in commit.acts {
            batch.put_cf(self.column(Column::Acts), index.0.to_be_bytes(), b"");
        }
        for change in commit.cases {
            self.put_case(&mut batch, change);
        }
        for change in commit.consents {
            self.put_consent(&mut batch, change);
        }
        for read in commit.reads {
            self.put_read(&mut batch, read);
        }
        for loser in commit.losers {
            batch.delete_cf(self.column(Column::Bodies), layout::block(height, loser));
        }
        self.write(batch)?;
        if let Some(last) = commit.swept.last() {
            *self.swept.lock().unwrap_or_else(PoisonError::into_inner) = Some(*last);
        }
        Ok(())
    }

    pub(super) fn put_header(&self, batch: &mut WriteBatch, header: &Header, hash: &HeaderHash) {
        batch.put_cf(self.column(Column::Headers), layout::height(header.height), header.to_bytes());
        batch.put_cf(self.column(Column::Heights), hash.bytes(), layout::height(header.height));
        batch.put_cf(self.column(Column::Meta), layout::TIP, layout::block(header.height, hash));
    }

    fn put_leaves(&self, batch: &mut WriteBatch, column: Column, leaves: &LeafChanges<'_>) {
        assert_eq!(leaves.changes.len(), leaves.value_hashes.len(), "each change has its hash or none");
        for ((key, value), hash) in leaves.changes.iter().zip(leaves.value_hashes) {
            match (value, hash) {
                (Some(value), Some(hash)) => self.put_leaf(batch, column, key, hash, value),
                _ => batch.delete_cf(self.column(column), key.bytes()),
            }
        }
    }

    /// Brings the index of cases up to date with a change of one.
    pub(super) fn put_case(&self, batch: &mut WriteBatch, change: &CaseChange) {
        let column = self.column(Column::Cases);
        let entries = |case: &Option<Case>| case.as_ref().map(layout::case_entries).unwrap_or_default();
        let (before, after) = (entries(&change.before), entries(&change.after));
        for gone in before.difference(&after) {
            batch.delete_cf(column, gone);
        }
        for new in after.difference(&before) {
            batch.put_cf(column, new, b"");
        }
    }

    /// Brings the index of consents up to date with a change of one. When it is forgotten never changes while it is there.
    pub(super) fn put_consent(&self, batch: &mut WriteBatch, change: &ConsentChange) {
        let column = self.column(Column::Consents);
        let due = |consent: &Consent| layout::consent_due(&ConsentDue { time: consent.forget, id: consent.id });
        match (&change.before, &change.after) {
            (None, Some(new)) => batch.put_cf(column, due(new), b""),
            (Some(gone), None) => batch.delete_cf(column, due(gone)),
            _ => {}
        }
    }

    /// Says where a read is in the log.
    pub(super) fn put_read(&self, batch: &mut WriteBatch, read: &ReadPlace) {
        let key = layout::read_of_source(&read.source, read.number);
        batch.put_cf(self.column(Column::Reads), key, read.index.0.to_be_bytes());
    }

    pub(super) fn put_leaf(&self, batch: &mut WriteBatch, column: Column, key: &MapKey, hash: &Hash, value: &[u8]) {
        batch.put_cf(self.column(column), key.bytes(), leaf_record(hash, value));
    }

    /// Once a durable write failed it is not known what is on the disk: nothing more is written.
    pub(super) fn write(&self, batch: WriteBatch) -> Result<(), StorageError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(StorageError::FailedBefore);
        }
        self.db.write_opt(batch, &options::synced()).map_err(|error| {
            self.failed.store(true, Ordering::SeqCst);
            StorageError::Failed(error)
        })
    }

    /// All that is stored now, unchanging while it is read.
    pub fn read(&self) -> Reader<'_> {
        // In this order: what was swept before the snapshot is swept in it as well.
        let swept = *self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        Reader::new(self, self.db.snapshot(), swept)
    }

    /// The database itself, for tests that damage it.
    pub fn database(&self) -> &DB {
        &self.db
    }

    pub(super) fn column(&self, column: Column) -> &ColumnFamily {
        self.db.cf_handle(column.name()).expect("every column is opened with the database")
    }

    /// Bytes on disk, without the database's own log.
    pub fn disk_bytes(&self) -> u64 {
        let size = |column: &Column| {
            let property = self.db.property_int_value_cf(self.column(*column), "rocksdb.total-sst-files-size");
            property.ok().flatten().unwrap_or(0)
        };
        Column::ALL.iter().map(size).sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Create,
    Write,
    Read,
}
