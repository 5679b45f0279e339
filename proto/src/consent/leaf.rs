//! Consents, and the number of reads of a source, as the state map holds them.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::act::Grant;
use crate::hash::{self, Commitment, ConsentId, MapKey};
use crate::identifiers::Uscc;
use crate::ids::{LogIndex, SpanMs, TimeMs};
use crate::key::PublicKey;
use crate::limits::CONSENT_FORGET_AFTER_MS;
use crate::map_value::{Kind, MapValue};
use crate::registry::PurposeCode;
use crate::tags;

/// A consent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Consent {
    /// Which: its place in the map is a hash of it.
    pub id: ConsentId,
    /// Its key: who has it withdraws.
    pub key: PublicKey,
    /// Who may read.
    pub grantee: Uscc,
    /// What for.
    pub purpose: PurposeCode,
    /// When it was granted.
    pub granted: TimeMs,
    /// The last moment at which a read may be recorded.
    pub not_after: TimeMs,
    /// How often at most.
    pub reads: u32,
    /// How often from now on.
    pub left: u32,
    /// When it was taken back.
    pub withdrawn: Option<TimeMs>,
    /// To its terms.
    pub terms: Commitment,
    /// The last of its records: granted, withdrawn or read.
    pub last: LogIndex,
    /// When this leaf goes.
    pub forget: TimeMs,
}

impl MapValue for Consent {
    const KIND: Kind = Kind::Consent;
}

impl Consent {
    /// As it stands when it is granted.
    pub fn granted(id: ConsentId, grant: &Grant, time: TimeMs, record: LogIndex) -> Self {
        Self {
            id,
            key: grant.key.clone(),
            grantee: grant.grantee,
            purpose: grant.purpose.clone(),
            granted: time,
            not_after: grant.not_after,
            reads: grant.reads,
            left: grant.reads,
            withdrawn: None,
            terms: grant.terms,
            last: record,
            forget: grant.not_after.after(SpanMs(CONSENT_FORGET_AFTER_MS)),
        }
    }
    /// Number of the next read, from 1.
    pub const fn next(&self) -> u32 {
        self.reads.saturating_sub(self.left) + 1
    }
}

/// How many reads a source has recorded: the numbers in its records are 0 to `count` - 1, each once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SourceReads {
    /// The source.
    pub source: Uscc,
    /// How many.
    pub count: u64,
    /// The last of them in the log.
    pub last: LogIndex,
}

impl MapValue for SourceReads {
    const KIND: Kind = Kind::SourceReads;
}

/// Where a consent is kept.
pub fn consent_key(id: &ConsentId) -> MapKey {
    MapKey(hash::tagged(tags::CONSENT_KEY, id))
}

/// Where the number of a source's reads is kept.
pub fn source_reads_key(source: &Uscc) -> MapKey {
    MapKey(hash::tagged(tags::SOURCE_READS, source))
}
