//! What a block does to the state.

use kanhe_proto::case::Case;
use kanhe_proto::hash::{Hash, TransactionId};
use kanhe_proto::ids::{LogIndex, ProtocolVersion};
use kanhe_proto::registry::Parameters;
use kanhe_proto::transaction::TransactionKind;
use kanhe_proto::validators::ValidatorSet;

use super::map::Changes;
use super::view::SpentKey;

/// What one transaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Which.
    pub id: TransactionId,
    /// Of what kind.
    pub kind: TransactionKind,
    /// The batch that it recorded.
    pub batch: Option<LogIndex>,
    /// Statuses that it changed.
    pub status_changes: u32,
}

/// Sums over a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Batches recorded.
    pub batches: u64,
    /// Licences in them.
    pub licences: u64,
    /// Statuses changed.
    pub status_changes: u64,
    /// Expired ids removed.
    pub swept: u64,
    /// Events of cases recorded.
    pub case_events: u64,
}

/// The result of executing a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Changes of the registry map.
    pub registry: Changes,
    /// Changes of the state map.
    pub state: Changes,
    /// Records appended to the log.
    pub records: Vec<Vec<u8>>,
    /// Ids recorded, in the order of execution.
    pub spent: Vec<SpentKey>,
    /// Ids swept, in the order of sweeping.
    pub swept: Vec<SpentKey>,
    /// One for each transaction.
    pub receipts: Vec<Receipt>,
    /// The set of the next height, if the block ends an epoch.
    pub next_validators: Option<ValidatorSet>,
    /// Parameters of the next block, if other ones.
    pub parameters: Option<Parameters>,
    /// Rules of the next block, if other ones.
    pub protocol: Option<ProtocolVersion>,
    /// Schemas that types name by digest since this block.
    pub schemas: Vec<(Hash, String)>,
    /// Places of decisions and proofs among the records.
    pub acts: Vec<LogIndex>,
    /// Cases that it opened, changed or forgot, ascending by id.
    pub cases: Vec<CaseChange>,
    /// Sums.
    pub counters: Counters,
}

/// What a block does to one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseChange {
    /// As it was; nothing if the block opens it.
    pub before: Option<Case>,
    /// As it is; nothing if the block forgets it.
    pub after: Option<Case>,
}
