//! The chain of this node: ledger, database and the maps in memory as one thing.
//!
//! # Invariants
//! Blocks are executed on top of the tip alone, on a snapshot of the database that is as of the tip; an executed block
//! is an overlay, keyed by its header's hash, until it is committed or dropped. A body is durable before its block is
//! answered valid, and a commit is one durable write. A certified block that does not execute to its header changes
//! nothing and stops the process, as does any failed write.
//!
//! The header does not commit to signatures of transactions, so a wrong signature says something about a body, never
//! about its header ([`BlockError::condemns_header`]).

pub mod source;

mod accounts;
mod admission;
mod application;
mod blocks;
mod candidate;
mod cases;
mod check;
mod claims;
mod consents;
mod dry_run;
mod error;
mod evidence;
mod hand_over;
mod history;
mod members;
mod overlay;
mod pace;
mod past_log;
mod pieces;
mod recent;
mod roster;
mod signatures;
mod snapshot;
mod tip;
mod totals;

pub use admission::{AdmissionError, ChainAdmission};
pub use candidate::BuiltBlock;
pub use cases::{Overdue, OverduePlace, Ready};
pub use check::{BlockCheck, CheckRules};
pub use claims::{Claim, Claimed};
pub use consents::{DataClasses, Reads};
pub use error::{BlockError, ChainError};
pub use evidence::NoEvidence;
pub use history::History;
pub use members::{MemberNodes, Members};
pub use pieces::Pieces;
pub use roster::{KeyLine, Roster};
pub use snapshot::{CommittedTransaction, ProvedHeader, Snapshot};
pub use source::{NoTransactions, Offered, Room, TransactionSource};
pub use tip::TipState;
pub use totals::{Totals, TotalsNow};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use kanhe_proto::equivocation::EquivocationPayload;
use kanhe_proto::genesis::PROTOCOL_VERSIONS;
use kanhe_proto::ids::{Height, ProtocolVersion, SpanMs, TimeMs};
use kanhe_proto::validators::ValidatorSet;
use tokio::sync::watch;

use crate::storage::{Reader, Storage};
use blocks::Pending;
use pace::Pace;
use recent::Recent;

/// Tells the time in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> TimeMs + Send + Sync>;

/// Local choices; nodes of one chain may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainConfig {
    /// How far ahead of this node's clock a proposed block may be.
    pub clock_drift: SpanMs,
    /// Threads that verify the signatures of a block.
    pub verify_threads: usize,
    /// Leaves of the registry that are kept in memory, at about 130 bytes.
    pub registry_held_max: u64,
    /// Leaves of the state that are kept in memory, at about 130 bytes.
    pub state_held_max: u64,
    /// How long building a block, or checking one, should take at most. Validators wait for both, so it is well below half
    /// of what they wait.
    pub block_work: Duration,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            clock_drift: SpanMs(500),
            verify_threads: 2,
            registry_held_max: 1 << 16,
            state_held_max: 1 << 18,
            block_work: Duration::from_millis(125),
        }
    }
}

/// The chain of this node.
pub struct Chain {
    storage: Arc<Storage>,
    config: ChainConfig,
    clock: Clock,
    source: OnceLock<Arc<dyn TransactionSource>>,
    nothing: Arc<NoTransactions>,
    /// Blocks up to here were never here: the database began with a snapshot.
    base: Height,
    tip: RwLock<Arc<TipState>>,
    pending: Mutex<Pending>,
    pace: Mutex<Pace>,
    /// Held while a body or a block is written.
    writing: Mutex<()>,
    recent: Recent,
    counters: Totals,
    committed: watch::Sender<Height>,
    /// Proofs of double signatures that nobody has taken yet.
    misdeeds: Mutex<Vec<EquivocationPayload>>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain(at {})", self.tip().header.height)
    }
}

impl Chain {
    /// The chain that a database holds; every root is checked against the tip's header.
    pub fn open(storage: Arc<Storage>, config: ChainConfig, clock: Clock) -> Result<Self, ChainError> {
        let tip = TipState::load(&storage.read(), &config)?;
        check_protocol(tip.protocol)?;
        let base = storage.read().base()?.map_or(Height(0), |(height, _)| height);
        let chain = Self {
            storage,
            config,
            clock,
            source: OnceLock::new(),
            nothing: NoTransactions::shared(),
            base,
            committed: watch::Sender::new(tip.header.height),
            tip: RwLock::new(Arc::new(tip)),
            pending: Mutex::default(),
            pace: Mutex::new(Pace::new(config.block_work)),
            writing: Mutex::default(),
            recent: Recent::default(),
            counters: Totals::default(),
            misdeeds: Mutex::default(),
        };
        // Stopped between a commit and its hand-over.
        chain.keep_hand_over()?;
        Ok(chain)
    }

    /// Where candidates get their transactions; the first one given counts. Before there is one, blocks are empty.
    pub fn connect(&self, source: Arc<dyn TransactionSource>) {
        // A second source would split the pool's view of what is committed; it is refused by being ignored.
        let _ = self.source.set(source);
    }

    fn source(&self) -> &dyn TransactionSource {
        match self.source.get() {
            Some(source) => source.as_ref(),
            None => self.nothing.as_ref(),
        }
    }

    fn now(&self) -> TimeMs {
        (self.clock)()
    }

    /// The last committed block.
    pub fn tip(&self) -> Arc<TipState> {
        Arc::clone(&self.tip.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The height of the tip, as it rises.
    pub fn committed(&self) -> watch::Receiver<Height> {
        self.committed.subscribe()
    }

    /// What was committed since the start.
    pub fn totals(&self) -> TotalsNow {
        self.counters.now()
    }

    /// Proofs of double signatures seen since this was asked last.
    pub fn take_misdeeds(&self) -> Vec<EquivocationPayload> {
        std::mem::take(&mut lock(&self.misdeeds))
    }

    /// The height that this database began with: neither it nor what was before can be had here, but for what the
    /// state, the log and the hand-overs tell. 0 if all blocks are here.
    pub const fn base(&self) -> Height {
        self.base
    }

    /// The database.
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// The chain as of one block, to be read with proofs.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, ChainError> {
        let (reader, tip) = self.consistent()?;
        Ok(Snapshot { chain: self, reader, tip })
    }

    /// A snapshot of the database and the tip that belongs to it. Between the end of a commit's write and the moment
    /// its tip is shown, a few microseconds, they differ: then again.
    fn consistent(&self) -> Result<(Reader<'_>, Arc<TipState>), ChainError> {
        loop {
            let tip = self.tip();
            let reader = self.storage.read();
            let (height, hash) = reader.tip()?;
            if hash == tip.hash {
                return Ok((reader, tip));
            }
            if height.0 > tip.header.height.0 + 1 && self.tip().hash == tip.hash {
                return Err(ChainError::Missing(format!("the tip that the database has at height {height}")));
            }
            std::thread::yield_now();
        }
    }

    /// The set that certifies a height: any committed one, and the next.
    pub fn validator_set(&self, height: Height) -> Result<Option<Arc<ValidatorSet>>, ChainError> {
        let tip = self.tip();
        if height == tip.header.height.next() {
            return Ok(Some(Arc::clone(&tip.next_validators)));
        }
        if height == tip.header.height {
            return Ok(Some(Arc::clone(&tip.validators)));
        }
        let reader = self.storage.read();
        match reader.header(height)? {
            Some(header) => tip::validators(&reader, &header.validators).map(Some),
            None => Ok(None),
        }
    }
}

/// A node must not go on under rules that it does not have.
fn check_protocol(version: ProtocolVersion) -> Result<(), ChainError> {
    if PROTOCOL_VERSIONS.contains(&version.0) { Ok(()) } else { Err(ChainError::Protocol(version)) }
}

/// Every change under these locks leaves the content whole, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
