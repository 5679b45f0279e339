//! What the state machine reads.

use kanhe_proto::hash::{CaseId, ConsentId, MapKey, TransactionId};
use kanhe_proto::ids::TimeMs;

use super::map::ReadError;

/// The state after one block, unchanging while it is read.
pub trait View {
    /// The value under a key of the registry.
    fn registry(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError>;
    /// The value under a key of the state.
    fn state(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError>;
    /// The first ids of the state that expire before a time, at most `max`, in order of (expiry, id).
    fn expired(&self, before: TimeMs, max: usize) -> Result<Vec<SpentKey>, ReadError>;
    /// The first cases to which time alone does something before a time, at most `max`, in order of (time, id).
    fn due_cases(&self, before: TimeMs, max: usize) -> Result<Vec<CaseDue>, ReadError>;
    /// The first consents that are to be forgotten before a time, at most `max`, in order of (time, id).
    fn due_consents(&self, before: TimeMs, max: usize) -> Result<Vec<ConsentDue>, ReadError>;
    /// Number of records in the log.
    fn log_size(&self) -> u64;
}

/// Place of a case in the order of sweeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaseDue {
    /// When it expires or is forgotten.
    pub time: TimeMs,
    /// Which.
    pub id: CaseId,
}

/// Place of a consent in the order of sweeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsentDue {
    /// When it is forgotten.
    pub time: TimeMs,
    /// Which.
    pub id: ConsentId,
}

/// Place of an executed transaction, or of a recorded request, in the order of sweeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpentKey {
    /// When it expires.
    pub expiry: TimeMs,
    /// Which.
    pub id: TransactionId,
}
