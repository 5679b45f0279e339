//! Consents and reads in the log.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::act::SignedAct;
use super::read::SignedRead;
use crate::hash::ConsentId;
use crate::ids::{Height, LogIndex, TimeMs};
use crate::record::{Record, RecordKind};

/// A consent was granted or taken back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ConsentRecord {
    /// Which.
    pub consent: ConsentId,
    /// The record of this consent before; a grant has none.
    pub before: Option<LogIndex>,
    /// What, with its signature.
    pub act: SignedAct,
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block.
    pub time: TimeMs,
}

impl Record for ConsentRecord {
    const KIND: RecordKind = RecordKind::Consent;
}

/// Somebody read somebody's data: recorded before it left the source.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct AccessRecord {
    /// Counts the reads of this source, from 0.
    pub number: u64,
    /// The record of the same consent before; none on a rule.
    pub before: Option<LogIndex>,
    /// What, with the signatures of reader and source.
    pub read: SignedRead,
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block.
    pub time: TimeMs,
}

impl Record for AccessRecord {
    const KIND: RecordKind = RecordKind::Access;
}
