//! All that happened to a consent: a list that cannot be cut.

use super::act::{Act, SignedAct};
use super::leaf::Consent;
use super::record::{AccessRecord, ConsentRecord};
use crate::hash::ConsentId;
use crate::header::Header;
use crate::ids::LogIndex;
use crate::merkle::MerkleError;
use crate::proof::ProvedRecord;
use crate::record::{Record, RecordError, RecordKind};

/// What happened to a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most events are reads: a box would save nothing")]
pub enum ConsentEvent {
    /// It was granted or taken back.
    Act(ConsentRecord),
    /// Something was read under it.
    Read(AccessRecord),
}

impl ConsentEvent {
    /// Reads a record of either kind.
    pub fn from_record(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.first() == Some(&RecordKind::Access.byte()) {
            return AccessRecord::from_record(bytes).map(Self::Read);
        }
        ConsentRecord::from_record(bytes).map(Self::Act)
    }
    /// The consent, if there is one.
    pub const fn consent(&self) -> Option<ConsentId> {
        match self {
            Self::Act(record) => Some(record.consent),
            Self::Read(record) => match record.read.request().basis.consent() {
                Some(under) => Some(under.id),
                None => None,
            },
        }
    }
    /// The event before it.
    pub const fn before(&self) -> Option<LogIndex> {
        match self {
            Self::Act(record) => record.before,
            Self::Read(record) => record.before,
        }
    }
    /// Whether it is the grant, with which all begins.
    pub const fn is_grant(&self) -> bool {
        matches!(self, Self::Act(ConsentRecord { act: SignedAct { act: Act::Grant(_), .. }, .. }))
    }
}

/// Why records are not the events of a consent, or the reads of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The path does not lead to the log's root.
    #[error("the record is not in the log")]
    Merkle(#[from] MerkleError),
    /// No such record.
    #[error("neither of a consent nor a read")]
    Record(#[from] RecordError),
    /// Of another consent or source, or not the one that must come next.
    #[error("record {0} is not the next of this list")]
    OtherEvent(LogIndex),
}

/// Events of one consent, read from the last one back: each must be the one that the leaf, or the event after it, names. So
/// whoever reads until [`ConsentHistory::is_whole`] has all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentHistory {
    consent: ConsentId,
    /// Place of the event that must come next.
    next: Option<LogIndex>,
    /// Newest first.
    events: Vec<(LogIndex, ConsentEvent)>,
}

impl ConsentHistory {
    /// The events of a consent, of which this is the proved leaf.
    pub const fn of(consent: &Consent) -> Self {
        Self { consent: consent.id, next: Some(consent.last), events: Vec::new() }
    }
    /// The record that must come next; none if all are here.
    pub const fn wanted(&self) -> Option<LogIndex> {
        self.next
    }
    /// Takes the next event, proved under a header that is believed: any that has it does.
    pub fn push(&mut self, header: &Header, proved: &ProvedRecord) -> Result<&ConsentEvent, HistoryError> {
        proved.verify(header)?;
        let event = ConsentEvent::from_record(&proved.record)?;
        let index = proved.index;
        let earlier = event.before().is_none_or(|before| before < index);
        let begins = event.before().is_none() == event.is_grant();
        if self.next != Some(index) || event.consent() != Some(self.consent) || !earlier || !begins {
            return Err(HistoryError::OtherEvent(index));
        }
        self.next = event.before();
        self.events.push((index, event));
        let (_, event) = self.events.last().expect("pushed above");
        Ok(event)
    }
    /// Whether all events are here.
    pub const fn is_whole(&self) -> bool {
        self.next.is_none()
    }
    /// What is here, newest first.
    pub fn events(&self) -> &[(LogIndex, ConsentEvent)] {
        &self.events
    }
    /// All events, oldest first; nothing if some are missing.
    pub fn into_whole(mut self) -> Option<Vec<(LogIndex, ConsentEvent)>> {
        self.events.reverse();
        self.next.is_none().then_some(self.events)
    }
}
