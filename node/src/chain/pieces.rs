//! A snapshot to hand over: the chain as of one certified block, in pieces that are each proved.

use std::collections::BTreeMap;

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::hash::{Hash, MapKey, TransactionId};
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::limits::{MAP_VALUE_BYTES_MAX, PIECE_BYTES_MAX, PIECE_ITEMS_MAX, RECORD_BYTES_MAX};
use kanhe_proto::merkle::log::{Frontier, Span, prove_span};
use kanhe_proto::merkle::map::Prefix;
use kanhe_proto::snapshot::{Content, FullLeaf, HandOverPart, Leaves, Offer, Piece, Records, SNAPSHOT_VERSION};
use kanhe_proto::status::spent_id_key;

use super::error::ChainError;
use super::snapshot::Snapshot;
use crate::ledger::map::{LeafReader, Map};
use crate::storage::{Column, Reader, layout};

/// The least that a leaf adds to a piece: key, length, kind and version.
const LEAF_BYTES_MIN: u64 = 42;

/// The chain as of one certified block, to be handed over.
#[derive(Debug)]
pub struct Pieces<'a> {
    snapshot: Snapshot<'a>,
    offer: Offer,
    /// Ids of transactions by the keys of their leaves, which are hashes of them.
    ids: BTreeMap<MapKey, TransactionId>,
}

impl<'a> Snapshot<'a> {
    /// This block for handing over; none if nothing is certified yet, or its hand-over is not made yet.
    pub fn into_pieces(self) -> Result<Option<Pieces<'a>>, ChainError> {
        let Some(certified) = self.certified().cloned() else { return Ok(None) };
        let header = &certified.header;
        if header.validators != header.next_validators && self.reader.hand_over(header.height)?.is_none() {
            return Ok(None);
        }
        let log = Frontier::read(header.log_size, &self.reader.log())?;
        let history = Frontier::read(header.height.0, &self.reader.history())?;
        let mut ids = BTreeMap::new();
        let mut iter = self.reader.pass(Column::Expiries);
        iter.seek_to_first();
        while let Some(key) = iter.key() {
            let unreadable = || ChainError::Missing("a readable id of a transaction".into());
            let spent = layout::read_spent(key).ok_or_else(unreadable)?;
            ids.insert(spent_id_key(&spent.id), spent.id);
            iter.next();
        }
        iter.status().map_err(crate::storage::StorageError::from)?;
        drop(iter);
        let offer = Offer { version: SNAPSHOT_VERSION, certified, log, history };
        Ok(Some(Pieces { snapshot: self, offer, ids }))
    }
}

impl Pieces<'_> {
    /// What is handed over.
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// The answer to a question for a piece; `Gone` for what this snapshot cannot have.
    pub fn piece(&self, piece: &Piece) -> Result<Content, ChainError> {
        let (reader, tip) = (&self.snapshot.reader, &self.snapshot.tip);
        match piece {
            Piece::Registry(prefix) => self.leaves(&tip.registry, &reader.registry(), prefix),
            Piece::State(prefix) => self.leaves(&tip.state, &reader.state(), prefix),
            Piece::Records(span) => self.records(*span),
            Piece::Schema(digest) => self.schema(digest),
            Piece::HandOver { from, part } => self.hand_over(*from, *part),
        }
    }

    fn leaves(&self, map: &Map, store: &impl LeafReader, prefix: &Prefix) -> Result<Content, ChainError> {
        let max = (PIECE_BYTES_MAX as u64 / LEAF_BYTES_MIN).min(PIECE_ITEMS_MAX as u64);
        let Some((covered, proof)) = map.prove_subtree(store, prefix, max)? else { return Ok(Content::TooLarge) };
        let (mut leaves, mut ids, mut bytes) = (Vec::with_capacity(covered.len()), Vec::new(), 0);
        for leaf in covered {
            let missing = || ChainError::Missing(format!("the leaf {}", leaf.key));
            let value = store.get(&leaf.key)?.ok_or_else(missing)?;
            let value = Blob::<MAP_VALUE_BYTES_MAX>::new(value).map_err(|_| missing())?;
            let full = FullLeaf { key: leaf.key, value };
            bytes += full.size();
            if bytes > PIECE_BYTES_MAX {
                return Ok(Content::TooLarge);
            }
            if full.records_id() {
                ids.push(*self.ids.get(&leaf.key).ok_or_else(missing)?);
            }
            leaves.push(full);
        }
        let leaves = List::new(leaves).expect("as many as were asked of the map at most");
        Ok(Content::Leaves(Leaves { leaves, ids: List::new(ids).expect("no more than leaves"), proof }))
    }

    fn records(&self, span: Span) -> Result<Content, ChainError> {
        records(&self.snapshot.reader, &self.offer.log, span)
    }

    fn schema(&self, digest: &Hash) -> Result<Content, ChainError> {
        let text = self.snapshot.reader.schema(digest)?.and_then(|text| Text::new(text).ok());
        Ok(text.map_or(Content::Gone, Content::Schema))
    }

    fn hand_over(&self, from: Height, part: u32) -> Result<Content, ChainError> {
        let found = self.snapshot.reader.hand_overs(from, 1)?.into_iter().next();
        let part = found.and_then(|whole| {
            let bytes = whole.chunks(PIECE_BYTES_MAX).nth(part as usize)?;
            let length = u32::try_from(whole.len()).ok()?;
            Some(HandOverPart { length, bytes: Blob::new(bytes).ok()? })
        });
        Ok(Content::HandOver(part))
    }
}

/// Records of a span of the log that has this frontier; `Gone` of one that it does not have.
pub(super) fn records(reader: &Reader<'_>, frontier: &Frontier, span: Span) -> Result<Content, ChainError> {
    let Ok(proof) = prove_span(frontier, span, &reader.log()) else {
        return Ok(Content::Gone);
    };
    let (Some(first), Some(count)) = (span.first(), span.count()) else { return Ok(Content::Gone) };
    if count > PIECE_ITEMS_MAX as u64 {
        return Ok(Content::TooLarge);
    }
    let (mut records, mut bytes) = (Vec::new(), 0);
    for index in first..first + count {
        let missing = || ChainError::Missing(format!("record {index} of the log"));
        let record = reader.record(LogIndex(index))?.ok_or_else(missing)?;
        bytes += 8 + record.len();
        if bytes > PIECE_BYTES_MAX {
            return Ok(Content::TooLarge);
        }
        records.push(Blob::<RECORD_BYTES_MAX>::new(record).map_err(|_| missing())?);
    }
    Ok(Content::Records(Records { records: List::new(records).expect("counted above"), proof }))
}
