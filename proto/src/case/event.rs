//! The records of a case in the log: a list that cannot be cut.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::act::{Act, SignedAct};
use super::leaf::{Case, CaseStatus};
use crate::hash::CaseId;
use crate::header::Header;
use crate::ids::{Height, LogIndex, TimeMs};
use crate::item::{ItemCode, ItemVersion};
use crate::merkle::MerkleError;
use crate::proof::ProvedRecord;
use crate::record::{Record, RecordError, RecordKind};

/// What happened to a case.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all events are acts: a box would save nothing")]
pub enum CaseEvent {
    /// Somebody acted.
    Act(SignedAct),
    /// Its time ran out.
    Expired,
}

/// An event of a case in the log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CaseRecord {
    /// Which case.
    pub case: CaseId,
    /// Counts its events from 0.
    pub number: u32,
    /// The event before this one.
    pub before: Option<LogIndex>,
    /// The item.
    pub item: ItemCode,
    /// Its version.
    pub version: ItemVersion,
    /// What.
    pub event: CaseEvent,
    /// How the case stood after it.
    pub status: CaseStatus,
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block.
    pub time: TimeMs,
}

impl Record for CaseRecord {
    const KIND: RecordKind = RecordKind::Case;
}

/// Why records are not the events of a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The path does not lead to the log's root.
    #[error("the record is not in the log")]
    Merkle(#[from] MerkleError),
    /// No record of a case.
    #[error("not an event of a case")]
    Record(#[from] RecordError),
    /// Of another case, or not the one that the event after it names.
    #[error("record {0} is not the next event of this case")]
    OtherEvent(LogIndex),
    /// It does not begin with its opening.
    #[error("the first event is not the opening")]
    NoOpening,
}

/// Events of one case, read from the last one back: each must be the one that the leaf, or the event after it, names. So
/// whoever reads until [`EventList::is_whole`] has all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventList {
    case: CaseId,
    /// Place and number of the event that must come next.
    next: Option<(LogIndex, u32)>,
    /// Newest first.
    events: Vec<(LogIndex, CaseRecord)>,
}

impl EventList {
    /// The events of a case, of which this is the proved leaf.
    pub fn of(case: &Case) -> Self {
        let next = case.events.checked_sub(1).map(|number| (case.last, number));
        Self { case: case.id, next, events: Vec::new() }
    }
    /// The record that must come next; none if all are here.
    pub fn wanted(&self) -> Option<LogIndex> {
        self.next.map(|(index, _)| index)
    }
    /// Takes the next event, proved under a header that is believed: any that has it does.
    pub fn push(&mut self, header: &Header, proved: &ProvedRecord) -> Result<&CaseRecord, EventError> {
        proved.verify(header)?;
        let record = CaseRecord::from_record(&proved.record)?;
        let other = EventError::OtherEvent(proved.index);
        if self.next != Some((proved.index, record.number)) || record.case != self.case {
            return Err(other);
        }
        self.next = match (record.number.checked_sub(1), record.before) {
            (Some(number), Some(before)) if before < proved.index => Some((before, number)),
            (None, None) if matches!(&record.event, CaseEvent::Act(SignedAct { act: Act::Open(_), .. })) => None,
            (None, None) => return Err(EventError::NoOpening),
            _ => return Err(other),
        };
        self.events.push((proved.index, record));
        let (_, record) = self.events.last().expect("pushed above");
        Ok(record)
    }
    /// Whether all events are here.
    pub const fn is_whole(&self) -> bool {
        self.next.is_none()
    }
    /// What is here, newest first.
    pub fn events(&self) -> &[(LogIndex, CaseRecord)] {
        &self.events
    }
    /// All events, oldest first; nothing if some are missing.
    pub fn into_whole(mut self) -> Option<Vec<(LogIndex, CaseRecord)>> {
        self.events.reverse();
        self.next.is_none().then_some(self.events)
    }
}
