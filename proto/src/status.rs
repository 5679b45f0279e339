//! Status of a licence and of a batch: histories that only grow.
//!
//! Absence of a leaf means that nothing ever happened: active. Since a leaf is the whole history, today's proof
//! answers for any past moment.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::hash::{self, LicenceDigest, MapKey};
use crate::identifiers::{TypeCode, Uscc};
use crate::ids::{Height, LogIndex, TimeMs};
use crate::key::KeyId;
use crate::limits::STATUS_ENTRIES_MAX;
use crate::map_value::{Kind, MapValue};
use crate::tags;

/// What a licence, batch or key is worth. Ordered from best to worst: the worst of several levels counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Good.
    Active,
    /// Not to be relied on for now.
    Suspended,
    /// Replaced by another; final.
    Superseded,
    /// Withdrawn; final.
    Revoked,
}
crate::ids::byte_enum!(Status { Active = 1, Suspended = 2, Superseded = 3, Revoked = 4 });

impl Status {
    /// Nothing follows it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Superseded | Self::Revoked)
    }
}

/// Why, coarsely; details stay at the bureau.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The issuer's own decision.
    Issuer,
    /// The holder asked for it.
    Holder,
    /// A supervising bureau's decision.
    Supervisor,
    /// Another licence took its place.
    Replaced,
    /// It was issued or changed by mistake.
    Error,
}
crate::ids::byte_enum!(Reason { Issuer = 1, Holder = 2, Supervisor = 3, Replaced = 4, Error = 5 });

/// One change of status.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct StatusEntry {
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block.
    pub recorded_at: TimeMs,
    /// From when on it counts; not after `recorded_at`.
    pub effective_from: TimeMs,
    /// The status.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// Who: the issuer, or a supervisor of it.
    pub by: Uscc,
    /// For which type a supervisor claimed to act; nothing if the issuer acted.
    pub supervised_type: Option<TypeCode>,
}

/// An honest batch of a stolen key, brought back under a governance signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Reaffirmation {
    /// Block that recorded it.
    pub height: Height,
    /// The governance key that signed.
    pub key: KeyId,
}

/// Entries of a history, oldest first.
pub type StatusEntries = List<StatusEntry, STATUS_ENTRIES_MAX>;

/// Leaf of a licence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct LicenceStatus {
    /// The history.
    pub entries: StatusEntries,
}
impl MapValue for LicenceStatus {
    const KIND: Kind = Kind::LicenceStatus;
}

/// Leaf of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct BatchStatus {
    /// The history.
    pub entries: StatusEntries,
    /// Set once the batch of a stolen key was found honest.
    pub reaffirmed: Option<Reaffirmation>,
}
impl MapValue for BatchStatus {
    const KIND: Kind = Kind::BatchStatus;
}

/// Leaf of an executed transaction, until it expired and was swept.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SpentId {
    /// When it expires.
    pub expiry: TimeMs,
    /// Block that executed it.
    pub height: Height,
}
impl MapValue for SpentId {
    const KIND: Kind = Kind::SpentId;
}

/// Where the history of a licence is kept.
pub fn licence_status_key(issuer: &Uscc, digest: &LicenceDigest) -> MapKey {
    MapKey(hash::tagged(tags::LICENCE_STATUS, &(issuer, digest)))
}
/// Where the history of a batch is kept.
pub fn batch_status_key(issuer: &Uscc, batch: LogIndex) -> MapKey {
    MapKey(hash::tagged(tags::BATCH_STATUS, &(issuer, batch)))
}
/// Where the id of an executed transaction is kept.
pub fn spent_id_key(id: &hash::TransactionId) -> MapKey {
    MapKey(hash::tagged(tags::SPENT_ID, id))
}

/// The last entry of one author, in list order, that is effective by `at`; nothing is active.
pub fn entry_at<'a>(
    mut entries: impl DoubleEndedIterator<Item = &'a StatusEntry>,
    at: TimeMs,
) -> Option<&'a StatusEntry> {
    entries.rfind(|entry| entry.effective_from <= at)
}

/// Why a change of status is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// The history is not as long as the sender believed.
    #[error("history has {actual} entries, the change expects {expected}")]
    StaleHistory {
        /// What the change says.
        expected: u32,
        /// What there is.
        actual: u32,
    },
    /// Nothing follows `revoked` and `superseded`.
    #[error("{0:?} is final")]
    Final(Status),
    /// The status is that already.
    #[error("is {0:?} already")]
    Unchanged(Status),
    /// The last two places take only final statuses.
    #[error("history is full but for a final status")]
    Full,
    /// Effective after the block that records it.
    #[error("effective from a later time than that of the block")]
    EffectiveLater,
    /// A supervisor set it and only a supervisor lifts it.
    #[error("set by a supervisor, to be lifted by a supervisor")]
    SetBySupervisor,
}

/// The entries of one author: the issuer's own, or those of supervisors who acted for a type.
///
/// Each author's entries are a history of their own. The chain knows digests and no types, so it must take a supervisor's
/// word for the type; what it says about a type that is not the licence's neither counts nor stands in the issuer's way.
pub fn by_author<'a>(
    entries: &'a [StatusEntry],
    supervised_type: Option<&'a TypeCode>,
) -> impl DoubleEndedIterator<Item = &'a StatusEntry> {
    entries.iter().filter(move |entry| entry.supervised_type.as_ref() == supervised_type)
}

/// Checks and appends one entry.
pub fn append(entries: &mut StatusEntries, expected: u32, entry: StatusEntry) -> Result<(), StatusError> {
    let actual = entries.len() as u32;
    if expected != actual {
        return Err(StatusError::StaleHistory { expected, actual });
    }
    let author = entry.supervised_type.as_ref();
    let current = by_author(entries, author).next_back().map_or(Status::Active, |last| last.status);
    if current.is_final() {
        return Err(StatusError::Final(current));
    }
    if current == entry.status {
        let supervised = entries.last().is_some_and(|last| last.supervised_type.is_some() && last.status != current);
        let lifts = author.is_none() && current == Status::Active;
        return Err(if lifts && supervised { StatusError::SetBySupervisor } else { StatusError::Unchanged(current) });
    }
    if entry.effective_from > entry.recorded_at {
        return Err(StatusError::EffectiveLater);
    }
    // The last two places take only what is final, and the very last one only the issuer's word.
    let kept_free = if !entry.status.is_final() { 2 } else { usize::from(author.is_some()) };
    if entries.len() + kept_free >= STATUS_ENTRIES_MAX {
        return Err(StatusError::Full);
    }
    entries.push(entry).map_err(|_| StatusError::Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(status: Status, effective_from: u64, recorded_at: u64) -> StatusEntry {
        StatusEntry {
            height: Height(1),
            recorded_at: TimeMs(recorded_at),
            effective_from: TimeMs(effective_from),
            status,
            reason: Reason::Issuer,
            by: "91370100MA3CKE0H8L".parse().unwrap_or_else(|_| Uscc::with_check("91370100MA3CKE0H8").unwrap()),
            supervised_type: None,
        }
    }

    #[test]
    fn the_status_at_a_time_is_the_last_entry_effective_by_then() {
        let mut entries = StatusEntries::empty();
        append(&mut entries, 0, entry(Status::Suspended, 50, 100)).unwrap();
        append(&mut entries, 1, entry(Status::Active, 200, 200)).unwrap();
        append(&mut entries, 2, entry(Status::Revoked, 300, 400)).unwrap();
        let at = |t| entry_at(entries.iter(), TimeMs(t)).map(|e| e.status);
        assert_eq!(at(49), None);
        assert_eq!(at(50), Some(Status::Suspended));
        assert_eq!(at(200), Some(Status::Active));
        assert_eq!(at(300), Some(Status::Revoked));
        let after = append(&mut entries, 3, entry(Status::Active, 500, 500));
        assert_eq!(after, Err(StatusError::Final(Status::Revoked)));
    }

    #[test]
    fn an_earlier_dated_later_entry_counts_in_list_order() {
        let mut entries = StatusEntries::empty();
        append(&mut entries, 0, entry(Status::Suspended, 100, 100)).unwrap();
        append(&mut entries, 1, entry(Status::Active, 40, 200)).unwrap();
        assert_eq!(entry_at(entries.iter(), TimeMs(100)).map(|e| e.status), Some(Status::Active));
    }

    #[test]
    fn stale_history_and_full_history_are_refused() {
        let mut entries = StatusEntries::empty();
        let stale = append(&mut entries, 1, entry(Status::Suspended, 1, 1));
        assert_eq!(stale, Err(StatusError::StaleHistory { expected: 1, actual: 0 }));
        for i in 0..30 {
            let status = if i % 2 == 0 { Status::Suspended } else { Status::Active };
            append(&mut entries, i, entry(status, 1, 1)).unwrap();
        }
        assert_eq!(append(&mut entries, 30, entry(Status::Suspended, 1, 1)), Err(StatusError::Full));
        append(&mut entries, 30, entry(Status::Revoked, 1, 1)).unwrap();
    }

    #[test]
    fn only_a_supervisor_lifts_what_a_supervisor_set() {
        let mut entries = StatusEntries::empty();
        let supervised = |status| StatusEntry { supervised_type: Some("1".parse().unwrap()), ..entry(status, 1, 1) };
        append(&mut entries, 0, supervised(Status::Suspended)).unwrap();
        assert_eq!(append(&mut entries, 1, entry(Status::Active, 1, 1)), Err(StatusError::SetBySupervisor));
        append(&mut entries, 1, supervised(Status::Active)).unwrap();
    }

    #[test]
    fn a_supervisor_of_another_type_does_not_stand_in_the_issuers_way() {
        let mut entries = StatusEntries::empty();
        let other = |status| StatusEntry { supervised_type: Some("2".parse().unwrap()), ..entry(status, 1, 1) };
        append(&mut entries, 0, other(Status::Revoked)).unwrap();
        append(&mut entries, 1, entry(Status::Suspended, 1, 1)).unwrap();
        append(&mut entries, 2, entry(Status::Revoked, 1, 1)).unwrap();
        assert_eq!(append(&mut entries, 3, entry(Status::Superseded, 1, 1)), Err(StatusError::Final(Status::Revoked)));
    }

    #[test]
    fn the_last_place_is_the_issuers() {
        let mut entries = StatusEntries::empty();
        for i in 0..30 {
            let status = if i % 2 == 0 { Status::Suspended } else { Status::Active };
            append(&mut entries, i, entry(status, 1, 1)).unwrap();
        }
        let supervised =
            |code: &str| StatusEntry { supervised_type: Some(code.parse().unwrap()), ..entry(Status::Revoked, 1, 1) };
        append(&mut entries, 30, supervised("1")).unwrap();
        assert_eq!(append(&mut entries, 31, supervised("2")), Err(StatusError::Full));
        append(&mut entries, 31, entry(Status::Revoked, 1, 1)).unwrap();
    }
}
