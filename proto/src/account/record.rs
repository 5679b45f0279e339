//! The records of an account in the log: a list that cannot be cut.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::act::{Change, SignedAccountAct};
use super::leaf::EnterpriseAccount;
use crate::header::Header;
use crate::identifiers::Uscc;
use crate::ids::{Height, LogIndex, TimeMs};
use crate::merkle::MerkleError;
use crate::proof::ProvedRecord;
use crate::record::{Record, RecordError, RecordKind};

/// An act on an account, in the log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The record of the act before this one; its own number is in the act.
    pub before: Option<LogIndex>,
    /// What, and by whom.
    pub signed: SignedAccountAct,
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block.
    pub time: TimeMs,
}

impl Record for AccountRecord {
    const KIND: RecordKind = RecordKind::EnterpriseAccount;
}

/// Why records are not the acts on an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The path does not lead to the log's root.
    #[error("the record is not in the log")]
    Merkle(#[from] MerkleError),
    /// No record of an account.
    #[error("not an act on an account")]
    Record(#[from] RecordError),
    /// Of another account, or not the one that the act after it names.
    #[error("record {0} is not the next act of this account")]
    Other(LogIndex),
}

/// Acts on one account, read from the last one back: each must be the one that the leaf, or the act after it, names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHistory {
    uscc: Uscc,
    /// Place and number of the act that must come next.
    next: Option<(LogIndex, u32)>,
    /// Newest first.
    acts: Vec<(LogIndex, AccountRecord)>,
}

impl AccountHistory {
    /// The acts on an account, of which this is the proved leaf.
    pub fn of(account: &EnterpriseAccount) -> Self {
        let next = account.sequence.checked_sub(1).map(|number| (account.last, number));
        Self { uscc: account.uscc, next, acts: Vec::new() }
    }
    /// The record that must come next; none if all are here.
    pub fn wanted(&self) -> Option<LogIndex> {
        self.next.map(|(index, _)| index)
    }
    /// Takes the next act, proved under a header that is believed.
    pub fn push(&mut self, header: &Header, proved: &ProvedRecord) -> Result<(), HistoryError> {
        proved.verify(header)?;
        let record = AccountRecord::from_record(&proved.record)?;
        let (act, other) = (&record.signed.act, HistoryError::Other(proved.index));
        if self.next != Some((proved.index, act.sequence)) || act.uscc != self.uscc {
            return Err(other);
        }
        self.next = match (act.sequence.checked_sub(1), record.before) {
            (Some(number), Some(before)) if before < proved.index => Some((before, number)),
            (None, None) if matches!(act.change, Change::Open(_)) => None,
            _ => return Err(other),
        };
        self.acts.push((proved.index, record));
        Ok(())
    }
    /// What is here, newest first.
    pub fn acts(&self) -> &[(LogIndex, AccountRecord)] {
        &self.acts
    }
    /// All acts, oldest first; nothing if some are missing.
    pub fn into_whole(mut self) -> Option<Vec<(LogIndex, AccountRecord)>> {
        self.acts.reverse();
        self.next.is_none().then_some(self.acts)
    }
}
