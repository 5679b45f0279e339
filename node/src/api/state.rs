//! What the handlers share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use kanhe_proto::api::{BatchAnswer, CertifiedBytes, HeaderAnswer, LeafAnswer};
use kanhe_proto::codec;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::{ChainRef, Uscc};
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf};
use kanhe_proto::record::{BatchRecord, Record};
use kanhe_proto::transaction::{Payload, Transaction};
use tokio::sync::{Semaphore, watch};

use super::body::blob;
use super::places::Places as StreamPlaces;
use super::post_office::PostOffice;
use super::problem::ApiError;
use super::sponsor::Sponsor;
use super::tls::Tls;
use crate::case_files::CaseFiles;
use crate::chain::{Chain, Snapshot};
use crate::consensus::app::Status;
use crate::network::NetworkHandle;
use crate::run::Pool;
use crate::run::diagnosis::Diagnoser;

/// Blocks whose batches are remembered by the place of their transactions.
const BATCH_INDEX_BLOCKS: usize = 32;

/// Of each transaction of a block the batch that it anchored.
type Places = Vec<Option<LogIndex>>;

/// Shared by all requests.
pub struct State {
    pub genesis: Arc<Genesis>,
    pub chain_ref: ChainRef,
    pub chain: Arc<Chain>,
    pub pool: Arc<Pool>,
    pub network: NetworkHandle,
    pub consensus: watch::Receiver<Status>,
    pub mail: Arc<PostOffice>,
    pub files: Arc<CaseFiles>,
    pub diagnoser: Arc<Diagnoser>,
    pub reads: Arc<Semaphore>,
    pub streams: Arc<Semaphore>,
    pub stream_places: Arc<StreamPlaces>,
    pub streams_per_address: usize,
    pub stopped: watch::Receiver<bool>,
    /// What was found damaged in the database.
    pub damaged: watch::Receiver<Option<String>>,
    pub tls: Option<Arc<Tls>>,
    pub sponsor: Option<Sponsor>,
    /// Batches of the last blocks asked about, by the place of the transaction.
    batches: Mutex<VecDeque<(Height, Arc<Places>)>>,
}

impl State {
    pub fn new(api: super::Api, stopped: watch::Receiver<bool>) -> Self {
        let chain_ref = ChainRef::new(api.genesis.name.clone(), &api.genesis.chain_id());
        Self {
            reads: Arc::new(Semaphore::new(api.config.reads_max.min(Semaphore::MAX_PERMITS))),
            streams: Arc::new(Semaphore::new(api.config.streams_max.min(Semaphore::MAX_PERMITS))),
            stream_places: Arc::default(),
            streams_per_address: api.config.streams_per_address,
            genesis: api.genesis,
            chain_ref,
            chain: api.chain,
            pool: api.pool,
            network: api.network,
            consensus: api.consensus,
            mail: api.mail,
            files: api.files,
            diagnoser: api.diagnoser,
            stopped,
            damaged: api.damaged,
            tls: api.tls,
            sponsor: api.sponsor,
            batches: Mutex::default(),
        }
    }

    /// Reads the chain as of one block, on a thread that may block.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Self, &Snapshot<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = Arc::clone(&self.reads).acquire_owned().await.map_err(|_| ApiError::internal())?;
        let state = Arc::clone(self);
        let answered = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let snapshot = state.chain.snapshot()?;
            question(&state, &snapshot)
        });
        answered.await.map_err(|panicked| {
            tracing::error!("a read ended badly: {panicked}");
            ApiError::internal()
        })?
    }

    /// The batch that the transaction at a place of a block anchored.
    pub fn batch_of(
        &self,
        snapshot: &Snapshot<'_>,
        height: Height,
        position: u32,
    ) -> Result<Option<LogIndex>, ApiError> {
        let place = position as usize;
        let remembered = {
            let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
            batches.iter().find(|(of, _)| *of == height).map(|(_, places)| Arc::clone(places))
        };
        let places = match remembered {
            Some(places) => places,
            None => {
                let places = Arc::new(batches_of(snapshot, height)?);
                let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
                if batches.len() >= BATCH_INDEX_BLOCKS {
                    batches.pop_front();
                }
                batches.push_back((height, Arc::clone(&places)));
                places
            }
        };
        Ok(places.get(place).copied().flatten())
    }
}

/// For each transaction of a block the batch that it anchored: found by issuer and root among the block's records.
fn batches_of(snapshot: &Snapshot<'_>, height: Height) -> Result<Places, ApiError> {
    let Some(block) = snapshot.block(height)? else { return Ok(Vec::new()) };
    let parent = snapshot.header(Height(height.0.saturating_sub(1)))?;
    let first = parent.map_or(0, |parent| parent.header.log_size);
    let mut records: Vec<(LogIndex, Uscc, Hash)> = Vec::new();
    for index in first..block.header.log_size {
        let Some(proved) = snapshot.record(LogIndex(index))? else { break };
        if let Ok(record) = BatchRecord::from_record(&proved.record) {
            records.push((LogIndex(index), record.issuer, record.root));
        }
    }
    let mut places = Vec::with_capacity(block.transactions.len());
    let mut next = 0;
    for bytes in &block.transactions {
        let issued = Transaction::from_bytes(bytes).ok().and_then(|(transaction, _)| {
            match Payload::from_raw(&transaction.body.payload, block.header.protocol) {
                Ok(Payload::IssueBatch(batch)) => Some((transaction.body.sender, batch.root)),
                _ => None,
            }
        });
        // Records stand in the order of their transactions.
        places.push(issued.and_then(|(issuer, root)| {
            let (index, ..) = records.get(next).filter(|(_, of, under)| *of == issuer && *under == root)?;
            next += 1;
            Some(*index)
        }));
    }
    Ok(places)
}

/// The header that a snapshot's proofs are under.
pub fn certified(snapshot: &Snapshot<'_>) -> Result<CertifiedBytes, ApiError> {
    blob(codec::encode(snapshot.certified().ok_or_else(ApiError::nothing_certified)?))
}

/// A leaf with its header.
pub fn leaf(snapshot: &Snapshot<'_>, leaf: &ProvedLeaf) -> Result<LeafAnswer, ApiError> {
    Ok(LeafAnswer { certified: certified(snapshot)?, leaf: blob(codec::encode(leaf))? })
}

/// A record of the log with its header.
pub fn record(snapshot: &Snapshot<'_>, index: LogIndex) -> Result<BatchAnswer, ApiError> {
    let Some(proved) = snapshot.record(index)? else {
        return Err(absent(snapshot, format!("the log has no record {index}")));
    };
    Ok(BatchAnswer { id: index, certified: certified(snapshot)?, record: blob(codec::encode(&proved))? })
}

/// That the chain ends before what was asked for: its newest header shows it.
pub fn absent(snapshot: &Snapshot<'_>, detail: String) -> ApiError {
    certified(snapshot).map_or_else(|error| error, |newest| ApiError::absent(detail, newest))
}

/// A header's answer.
pub fn header(certified: &CertifiedHeader) -> Result<HeaderAnswer, ApiError> {
    Ok(HeaderAnswer {
        height: certified.header.height,
        header_hash: certified.header.hash().to_string(),
        time_ms: certified.header.time.0,
        certified: blob(codec::encode(certified))?,
    })
}
