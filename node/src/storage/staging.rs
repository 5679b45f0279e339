//! A snapshot while it is fetched: a database beside the chain's own, which no node serves from.
//!
//! Each piece is verified before it comes here and is on the disk, with a note that it is, when [`Staging::put`]
//! returns. So whoever is killed goes on with what is missing, as long as somebody still offers the same snapshot. When
//! all is there, [`Staging::finish`] computes the indexes, checks every root anew and gives the database its name.

use std::fs;
use std::path::Path;

use kanhe_proto::case::Case;
use kanhe_proto::codec;
use kanhe_proto::consent::{AccessRecord, Consent};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::hash::{ChainId, Hash};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::map_value::{Kind, MapValue};
use kanhe_proto::merkle::log::{Frontier, leaf_hash};
use kanhe_proto::merkle::map::value_hash;
use kanhe_proto::record::{BatchRecord, Record, RecordKind};
use kanhe_proto::registry::{LicenceType, ServiceItem};
use kanhe_proto::snapshot::{Content, FullLeaf, Leaves, Offer, Piece};
use kanhe_proto::status::SpentId;
use kanhe_proto::validators::ValidatorSet;
use rocksdb::WriteBatch;

use super::column::{Column, layout};
use super::error::StorageError;
use super::home::Home;
use super::store::{CreateError, Mode, Storage};
use crate::ledger::map::{Map, split_record};
use crate::ledger::{CaseChange, ConsentChange, ReadPlace, SpentKey};

/// Records whose indexes are written in one step.
const RECORDS_STEP: usize = 10_000;

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is here.
    Whole,
    /// It is fetched in halves.
    Halves,
}

/// A snapshot that is being fetched.
#[derive(Debug)]
pub struct Staging {
    home: Home,
    chain_id: ChainId,
    storage: Storage,
}

impl Staging {
    /// What an earlier attempt left for this chain, with the offer that it was fetched from.
    pub fn resume(dir: &Path, chain_id: &ChainId) -> Result<Option<(Self, Offer)>, StorageError> {
        let home = Home::new(dir);
        if !home.database_sync().is_dir() {
            return Ok(None);
        }
        let storage = match Storage::open_at(&home, &home.database_sync(), Mode::Create) {
            // Nothing is lost but time.
            Err(StorageError::Damaged(_)) => return Ok(None),
            opened => opened?,
        };
        let offer = storage.read().get(Column::Meta, layout::SYNCING)?;
        let Some(offer) = offer.and_then(|bytes| Offer::from_bytes(&bytes).ok()) else { return Ok(None) };
        storage.check_meta(&home, chain_id)?;
        Ok(Some((Self { home, chain_id: *chain_id, storage }, offer)))
    }

    /// Begins to fetch what was offered; what an earlier attempt left is thrown away, and must not be open any more.
    pub fn begin(dir: &Path, genesis: &Genesis, offer: &Offer) -> Result<Self, CreateError> {
        let home = Home::new(dir);
        home.check_writable()?;
        let path = home.database_sync();
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| home.unwritable(error))?;
        }
        let storage = Storage::open_at(&home, &path, Mode::Create)?;
        let mut batch = storage.genesis_batch(genesis, false)?;
        batch.put_cf(storage.column(Column::Meta), layout::SYNCING, offer.to_bytes());
        storage.write(batch)?;
        Ok(Self { home, chain_id: genesis.chain_id(), storage })
    }

    /// Throws away what an earlier attempt left: the chain has blocks.
    pub fn discard(dir: &Path) -> Result<(), StorageError> {
        let home = Home::new(dir);
        let path = home.database_sync();
        if path.exists() { fs::remove_dir_all(&path).map_err(|error| home.unwritable(error)) } else { Ok(()) }
    }

    /// What became of a piece, if it was answered.
    pub fn kept(&self, piece: &Piece) -> Result<Option<Kept>, StorageError> {
        let note = self.storage.read().get(Column::Meta, &note(piece))?;
        Ok(note.map(|note| if note == [1] { Kept::Halves } else { Kept::Whole }))
    }

    /// Keeps a verified piece, durably. `Gone` is nothing to keep; hand-overs have their own way.
    pub fn put(&self, piece: &Piece, content: &Content) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        let mut halves = 0;
        match (piece, content) {
            (_, Content::TooLarge) => halves = 1,
            (Piece::Registry(_), Content::Leaves(leaves)) => self.put_leaves(&mut batch, Column::Registry, leaves)?,
            (Piece::State(_), Content::Leaves(leaves)) => self.put_leaves(&mut batch, Column::State, leaves)?,
            (Piece::Records(span), Content::Records(records)) => {
                let first = span.first().unwrap_or_default();
                for (index, record) in (first..).zip(&records.records) {
                    batch.put_cf(self.storage.column(Column::Records), index.to_be_bytes(), &**record);
                }
            }
            (Piece::Schema(digest), Content::Schema(text)) => {
                batch.put_cf(self.storage.column(Column::Schemas), digest.bytes(), text.as_str());
            }
            _ => return Ok(()),
        }
        batch.put_cf(self.storage.column(Column::Meta), note(piece), [halves]);
        self.storage.write(batch)
    }

    fn put_leaves(&self, batch: &mut WriteBatch, column: Column, leaves: &Leaves) -> Result<(), StorageError> {
        for FullLeaf { key, value } in &leaves.leaves {
            self.storage.put_leaf(batch, column, key, &value_hash(value), value);
        }
        for leaf in leaves.leaves.iter().filter(|leaf| leaf.value.first() == Some(&Kind::Case.byte())) {
            let case = Case::from_value(&leaf.value).map_err(|_| StorageError::undecodable(column))?;
            self.storage.put_case(batch, &CaseChange { before: None, after: Some(case) });
        }
        for leaf in leaves.leaves.iter().filter(|leaf| leaf.value.first() == Some(&Kind::Consent.byte())) {
            let consent = Consent::from_value(&leaf.value).map_err(|_| StorageError::undecodable(column))?;
            self.storage.put_consent(batch, &ConsentChange { before: None, after: Some(consent) });
        }
        let recording = leaves.leaves.iter().filter(|leaf| leaf.records_id());
        for (leaf, id) in recording.zip(&leaves.ids) {
            let spent = SpentId::from_value(&leaf.value).map_err(|_| StorageError::undecodable(column))?;
            let key = layout::spent(&SpentKey { expiry: spent.expiry, id: *id });
            batch.put_cf(self.storage.column(Column::Expiries), key, b"");
        }
        Ok(())
    }

    /// Keeps a hand-over that the light client followed.
    pub fn put_hand_over(&self, hand_over: &HandOver) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        let height = layout::height(hand_over.certified.header.height);
        batch.put_cf(self.storage.column(Column::HandOvers), height, hand_over.to_bytes());
        let set = &hand_over.next;
        batch.put_cf(self.storage.column(Column::Validators), set.hash().bytes(), codec::encode::<ValidatorSet>(set));
        self.storage.write(batch)
    }

    /// Digests of the texts that types and items name and that are not here yet. Asked for when the registry is whole.
    pub fn schemas_missing(&self) -> Result<Vec<Hash>, StorageError> {
        let reader = self.storage.read();
        let mut missing = Vec::new();
        let mut iter = reader.pass(Column::Registry);
        iter.seek_to_first();
        while let Some((_, record)) = iter.item() {
            let named = split_record(record).and_then(|(_, value)| match value.first().copied() {
                Some(kind) if kind == Kind::LicenceType.byte() => {
                    LicenceType::from_value(value).ok().map(|it| it.schema)
                }
                Some(kind) if kind == Kind::ServiceItem.byte() => ServiceItem::from_value(value).ok().map(|it| it.file),
                _ => None,
            });
            if let Some(digest) = named
                && reader.get(Column::Schemas, digest.bytes())?.is_none()
                && !missing.contains(&digest)
            {
                missing.push(digest);
            }
            iter.next();
        }
        iter.status()?;
        Ok(missing)
    }

    /// Makes it the chain's database: computes the indexes, checks all roots, and puts it in the place of the database
    /// that is there, which must have no blocks and not be open any more.
    pub fn finish(self, offer: &Offer) -> Result<(), StorageError> {
        let header = &offer.certified.header;
        self.index_records(offer)?;
        let reader = self.storage.read();
        let roots = [
            ("registry", Map::load(&reader.registry(), 0).map(|map| map.root()), header.registry_root),
            ("state", Map::load(&reader.state(), 0).map(|map| map.root()), header.state_root),
        ];
        for (what, found, expected) in roots {
            if !found.is_ok_and(|root| root == expected) {
                return Err(StorageError::Damaged(format!("the {what} of the snapshot is not what was fetched")));
            }
        }
        let mut batch = WriteBatch::default();
        let hash = header.hash();
        self.storage.put_header(&mut batch, header, &hash);
        let meta = self.storage.column(Column::Meta);
        batch.put_cf(meta, layout::BASE, layout::block(header.height, &hash));
        let certificate = offer.certified.certificate.to_bytes();
        batch.put_cf(self.storage.column(Column::Certificates), layout::height(header.height), certificate);
        for node in offer.history.peaks() {
            let key = layout::node(node.level, node.index);
            batch.put_cf(self.storage.column(Column::HistoryNodes), key, node.hash.bytes());
        }
        let mut iter = reader.iter(Column::Meta);
        iter.seek(layout::PIECE);
        while let Some(key) = iter.key().filter(|key| key.starts_with(layout::PIECE)) {
            batch.delete_cf(meta, key);
            iter.next();
        }
        iter.status()?;
        batch.delete_cf(meta, layout::SYNCING);
        drop(iter);
        drop(reader);
        self.storage.write(batch)?;
        self.storage.database().flush()?;
        let Self { home, chain_id, storage } = self;
        drop(storage);
        home.settle_sync()?;
        home.mark(&chain_id)
    }

    /// Nodes of the log and indexes of its records, all of which must be here.
    fn index_records(&self, offer: &Offer) -> Result<(), StorageError> {
        let reader = self.storage.read();
        let mut iter = reader.pass(Column::Records);
        let mut frontier = Frontier::default();
        iter.seek_to_first();
        while iter.valid() {
            let mut batch = WriteBatch::default();
            for _ in 0..RECORDS_STEP {
                let Some((key, record)) = iter.item() else { break };
                if key != frontier.size().to_be_bytes() {
                    return Err(StorageError::Damaged(format!(
                        "record {} of the snapshot is missing",
                        frontier.size()
                    )));
                }
                let index = LogIndex(frontier.size());
                frontier.append(leaf_hash(record), &mut |node| {
                    let key = layout::node(node.level, node.index);
                    batch.put_cf(self.storage.column(Column::LogNodes), key, node.hash.bytes());
                });
                match record.first().copied().and_then(RecordKind::from_byte) {
                    Some(RecordKind::Batch) => {
                        let record = BatchRecord::from_record(record);
                        let record = record.map_err(|_| StorageError::undecodable(Column::Records))?;
                        let key = layout::issuer_batch(&record.issuer, index);
                        batch.put_cf(self.storage.column(Column::IssuerBatches), key, b"");
                    }
                    Some(RecordKind::Access) => {
                        let record = AccessRecord::from_record(record);
                        let record = record.map_err(|_| StorageError::undecodable(Column::Records))?;
                        let (source, number) = (record.read.request().source, record.number);
                        self.storage.put_read(&mut batch, &ReadPlace { source, number, index });
                    }
                    Some(RecordKind::Governance | RecordKind::Equivocation) => {
                        batch.put_cf(self.storage.column(Column::Acts), index.0.to_be_bytes(), b"");
                    }
                    _ => {}
                }
                iter.next();
            }
            self.storage.write(batch)?;
        }
        iter.status()?;
        if frontier == offer.log {
            return Ok(());
        }
        Err(StorageError::Damaged("the records of the snapshot are not what was fetched".into()))
    }
}

/// Key of the note about a piece.
fn note(piece: &Piece) -> Vec<u8> {
    [layout::PIECE, &codec::encode(piece)].concat()
}
