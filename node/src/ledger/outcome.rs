//! What a block does to the state.

use kanhe_proto::case::Case;
use kanhe_proto::consent::Consent;
use kanhe_proto::hash::{Hash, TransactionId};
use kanhe_proto::identifiers::Uscc;
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
    /// Consents given or taken back.
    pub consent_acts: u64,
    /// Reads recorded.
    pub reads: u64,
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
    /// Consents that it recorded, changed or forgot, ascending by id.
    pub consents: Vec<ConsentChange>,
    /// Reads that it recorded, in the order of the log.
    pub reads: Vec<ReadPlace>,
    /// Sums.
    pub counters: Counters,
}

/// What a block does to one leaf that is kept by an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// As it was; nothing if the block makes it.
    pub before: Option<T>,
    /// As it is; nothing if the block forgets it.
    pub after: Option<T>,
}

/// What a block does to one case.
pub type CaseChange = Change<Case>;
/// What a block does to one consent.
pub type ConsentChange = Change<Consent>;

/// Where a read is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadPlace {
    /// Who has the data.
    pub source: Uscc,
    /// Counts the reads of the source, from 0.
    pub number: u64,
    /// Its record.
    pub index: LogIndex,
}
