//! Reads with their proofs: database, maps and certificate as of one block.

use std::sync::Arc;

use kanhe_proto::block::Block;
use kanhe_proto::bounded::Blob;
use kanhe_proto::hash::{Hash, MapKey, TransactionId};
use kanhe_proto::header::Header;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::merkle::log::{ConsistencyProof, InclusionProof, Tree};
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf, ProvedRecord, ProvedTransaction};
use kanhe_proto::registry::RegistryRecord;
use kanhe_proto::transaction::Transaction;
use kanhe_proto::validators::ValidatorSet;

use super::Chain;
use super::error::ChainError;
use super::overlay::transactions_tree;
use super::tip::{TipState, certified, validators};
use crate::ledger::map::{LeafReader, Map};
use crate::storage::Reader;

/// The chain as of its tip when this was made.
#[derive(Debug)]
pub struct Snapshot<'a> {
    pub(super) chain: &'a Chain,
    pub(super) reader: Reader<'a>,
    pub(super) tip: Arc<TipState>,
}

/// Where a transaction was committed, and the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedTransaction {
    /// The block.
    pub height: Height,
    /// Its place in it.
    pub position: u32,
    /// Shows it.
    pub proof: ProvedTransaction,
}

/// An old header under the tip's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedHeader {
    /// The header.
    pub header: Header,
    /// Path to the tip's history root; none for the tip itself.
    pub inclusion: Option<InclusionProof>,
}

impl Snapshot<'_> {
    /// The block that all is proved under.
    pub fn tip(&self) -> &TipState {
        &self.tip
    }

    /// The tip with its quorum; none as long as there is only genesis, under which nothing can be proved.
    pub fn certified(&self) -> Option<&CertifiedHeader> {
        self.tip.certified.as_ref()
    }

    /// What the registry holds under a key, or that it holds nothing.
    pub fn prove_registry(&self, key: &MapKey) -> Result<ProvedLeaf, ChainError> {
        prove(&self.tip.registry, &self.reader.registry(), key)
    }

    /// What the state holds under a key, or that it holds nothing.
    pub fn prove_state(&self, key: &MapKey) -> Result<ProvedLeaf, ChainError> {
        prove(&self.tip.state, &self.reader.state(), key)
    }

    /// A registry record with its proof.
    pub fn registry<T: RegistryRecord>(&self, id: &T::Id) -> Result<(Option<T>, ProvedLeaf), ChainError> {
        let leaf = self.prove_registry(&T::key_of(id))?;
        Ok((value_of(&leaf)?, leaf))
    }

    /// A record of the log with its proof; none beyond its end.
    pub fn record(&self, index: LogIndex) -> Result<Option<ProvedRecord>, ChainError> {
        if index.0 >= self.tip.log.size() {
            return Ok(None);
        }
        let missing = || ChainError::Missing(format!("record {index} of the log"));
        let record = self.reader.record(index)?.ok_or_else(missing)?;
        let record = Blob::new(record).map_err(|_| missing())?;
        let inclusion = self.tip.log.prove_inclusion(index.0, &self.reader.log())?;
        Ok(Some(ProvedRecord { index, record, inclusion }))
    }

    /// Shows that the log begins with itself as it was at `old_size` records.
    pub fn log_consistency(&self, old_size: u64) -> Result<ConsistencyProof, ChainError> {
        Ok(self.tip.log.prove_consistency(old_size, &self.reader.log())?)
    }

    /// A committed header with its path to the tip's history; none above the tip or below where the database began.
    pub fn header(&self, height: Height) -> Result<Option<ProvedHeader>, ChainError> {
        if height < self.chain.base || height > self.tip.header.height {
            return Ok(None);
        }
        let missing = || ChainError::Missing(format!("the header of height {height}"));
        let header = self.reader.header(height)?.ok_or_else(missing)?;
        let inclusion = match height == self.tip.header.height {
            true => None,
            false => Some(self.tip.history.prove_inclusion(height.0, &self.reader.history())?),
        };
        Ok(Some(ProvedHeader { header, inclusion }))
    }

    /// A committed header with a quorum of its own height; none of genesis and above the tip.
    pub fn certified_at(&self, height: Height) -> Result<Option<CertifiedHeader>, ChainError> {
        if height == self.tip.header.height {
            return Ok(self.tip.certified.clone());
        }
        if height.0 == 0 || height < self.chain.base || height > self.tip.header.height {
            return Ok(None);
        }
        let missing = |what: &str| ChainError::Missing(format!("the {what} of height {height}"));
        let header = self.reader.header(height)?.ok_or_else(|| missing("header"))?;
        let certificate = self.reader.certificate(height)?.ok_or_else(|| missing("certificate"))?;
        let set = self.set(&header)?;
        certified(&header, &certificate, &set).ok_or_else(|| missing("quorum")).map(Some)
    }

    /// The set that certified a header.
    pub fn set(&self, header: &Header) -> Result<Arc<ValidatorSet>, ChainError> {
        if header.validators == self.tip.header.validators {
            return Ok(Arc::clone(&self.tip.validators));
        }
        validators(&self.reader, &header.validators)
    }

    /// A committed transaction with its proof.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<CommittedTransaction>, ChainError> {
        let Some((height, position)) = self.reader.transaction(id)? else { return Ok(None) };
        let missing = || ChainError::Missing(format!("the block of height {height}"));
        let certified = self.certified_at(height)?.ok_or_else(missing)?;
        let tree = match self.chain.recent.get(height) {
            Some(tree) => tree,
            None => Arc::new(self.tree(height)?),
        };
        let inclusion = tree.path(u64::from(position))?;
        Ok(Some(CommittedTransaction { height, position, proof: ProvedTransaction { certified, inclusion } }))
    }

    fn tree(&self, height: Height) -> Result<Tree, ChainError> {
        let missing = || ChainError::Missing(format!("the block of height {height}"));
        let block = self.block(height)?.ok_or_else(missing)?;
        let mut ids = Vec::with_capacity(block.transactions.len());
        for bytes in &block.transactions {
            let (_, id) = Transaction::from_bytes(bytes).map_err(|_| missing())?;
            ids.push(id);
        }
        Ok(transactions_tree(&ids))
    }

    /// The bytes of a committed block; none above the tip, and none up to where the database began ([`Chain::base`]).
    pub fn body(&self, height: Height) -> Result<Option<Vec<u8>>, ChainError> {
        if height <= self.chain.base || height > self.tip.header.height {
            return Ok(None);
        }
        let missing = || ChainError::Missing(format!("the block of height {height}"));
        let header = self.reader.header(height)?.ok_or_else(missing)?;
        self.reader.body(height, &header.hash())?.ok_or_else(missing).map(Some)
    }

    /// A committed block.
    pub fn block(&self, height: Height) -> Result<Option<Block>, ChainError> {
        let Some(body) = self.body(height)? else { return Ok(None) };
        let damaged = |_| ChainError::Missing(format!("the block of height {height}"));
        Block::from_bytes(&body).map_err(damaged).map(Some)
    }

    /// A JSON Schema by its digest.
    pub fn schema(&self, digest: &Hash) -> Result<Option<String>, ChainError> {
        Ok(self.reader.schema(digest)?)
    }

    /// Indexes of an issuer's batches from one on, at most `max`. The index proves nothing by itself; each record does.
    pub fn issuer_batches(&self, issuer: &Uscc, from: LogIndex, max: usize) -> Result<Vec<LogIndex>, ChainError> {
        Ok(self.reader.issuer_batches(issuer, from, max)?)
    }

    /// The founders' file.
    pub fn genesis(&self) -> Result<Vec<u8>, ChainError> {
        Ok(self.reader.genesis()?)
    }
}

fn prove(map: &Map, store: &impl LeafReader, key: &MapKey) -> Result<ProvedLeaf, ChainError> {
    let (value, proof) = map.get(store, key)?;
    let value = value.map(Blob::new).transpose();
    let value = value.map_err(|_| ChainError::Missing(format!("a value of allowed length under {key}")))?;
    Ok(ProvedLeaf { value, proof })
}

/// The value that a leaf of this node holds.
pub(super) fn value_of<T: MapValue>(leaf: &ProvedLeaf) -> Result<Option<T>, ChainError> {
    let read = |value: &Blob<{ kanhe_proto::limits::MAP_VALUE_BYTES_MAX }>| T::from_value(value);
    let value = leaf.value.as_ref().map(read).transpose();
    value.map_err(|error| ChainError::Missing(format!("a readable leaf ({error})")))
}
