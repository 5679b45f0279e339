//! A case as the state map holds it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::act::SlotKey;
use crate::bounded::List;
use crate::hash::{self, CaseId, MapKey};
use crate::identifiers::Uscc;
use crate::ids::{LogIndex, TimeMs};
use crate::item::{ItemCode, ItemVersion};
use crate::key::PublicKey;
use crate::limits::{CASE_FORGET_AFTER_MS, CASE_SLOTS_MAX, ITEM_ROLES_MAX, ITEM_STEPS_MAX};
use crate::map_value::{Kind, MapValue};
use crate::registry::ServiceItem;
use crate::tags;

/// Place of the opener among the slots.
pub const OPENER_SLOT: u8 = 0;

/// How a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseStatus {
    /// It runs.
    Open,
    /// All is decided and issued.
    Closed,
    /// A bureau said no.
    Rejected,
    /// Taken back.
    Withdrawn,
    /// Its time ran out.
    Expired,
}
crate::ids::byte_enum!(CaseStatus { Open = 1, Closed = 2, Rejected = 3, Withdrawn = 4, Expired = 5 });

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// For other steps, or for parties.
    Waiting,
    /// For its bureau.
    Ready,
    /// Decided: yes.
    Approved,
    /// Decided: no.
    Rejected,
}
crate::ids::byte_enum!(StepState { Waiting = 1, Ready = 2, Approved = 3, Rejected = 4 });

/// Somebody who takes part besides bureaus.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Slot {
    /// Place of the party in the item.
    pub party: u8,
    /// Who acts in it; an invitation until somebody joined.
    pub key: SlotKey,
    /// Counts how often it was asked to present anew.
    pub round: u32,
    /// When it presented in this round.
    pub presented: Option<TimeMs>,
    /// Letters to it are sealed to this.
    pub letter_key: Option<PublicKey>,
}

/// A step of a case.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CaseStep {
    /// How it stands.
    pub state: StepState,
    /// Counts how often what it decides on was replaced.
    pub round: u32,
    /// Since when it stands so.
    pub since: TimeMs,
    /// By when it is to be decided, while it is ready.
    pub due: Option<TimeMs>,
    /// Whether its licences are issued.
    pub issued: bool,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Case {
    /// Which: its place in the map is a hash of it.
    pub id: CaseId,
    /// The item.
    pub item: ItemCode,
    /// Its version.
    pub version: ItemVersion,
    /// Who plays each role of the item.
    pub chosen: List<Uscc, ITEM_ROLES_MAX>,
    /// Who takes part; the opener first.
    pub slots: List<Slot, CASE_SLOTS_MAX>,
    /// The item's steps.
    pub steps: List<CaseStep, ITEM_STEPS_MAX>,
    /// How it stands.
    pub status: CaseStatus,
    /// When it was opened.
    pub opened: TimeMs,
    /// When its time runs out.
    pub ends: TimeMs,
    /// Number of its records.
    pub events: u32,
    /// The last of them.
    pub last: LogIndex,
    /// When this leaf goes; set at the end.
    pub forget: Option<TimeMs>,
    /// What its applicant said of it.
    pub stars: Option<u8>,
}

impl MapValue for Case {
    const KIND: Kind = Kind::Case;
}

/// Where a case is kept.
pub fn case_key(id: &CaseId) -> MapKey {
    MapKey(hash::tagged(tags::CASE_KEY, id))
}

impl Case {
    /// When something happens to it by time alone: it expires, or is forgotten.
    pub const fn next_by_time(&self) -> TimeMs {
        match self.forget {
            Some(forget) => forget,
            None => self.ends,
        }
    }
    /// When it ended.
    pub const fn ended(&self) -> Option<TimeMs> {
        match self.forget {
            Some(forget) => Some(TimeMs(forget.0.saturating_sub(CASE_FORGET_AFTER_MS))),
            None => None,
        }
    }
    /// Whether anything but rating can be done to it in a block of this time.
    pub fn runs_at(&self, time: TimeMs) -> bool {
        self.status == CaseStatus::Open && time < self.ends
    }
    /// The bureau of a step.
    pub fn bureau_of(&self, item: &ServiceItem, step: u8) -> Option<Uscc> {
        let by = item.steps.get(usize::from(step))?.by;
        self.chosen.get(usize::from(by)).copied()
    }
    /// The applicant's slot.
    pub fn applicant(&self, item: &ServiceItem) -> Option<(u8, &Slot)> {
        (0u8..)
            .zip(self.slots.iter())
            .find(|(_, slot)| item.parties.get(usize::from(slot.party)).is_some_and(|party| party.applicant))
    }
    /// Whether all that a step needs is there.
    pub fn has_all_for(&self, item: &ServiceItem, step: u8) -> bool {
        let Some(asked) = item.steps.get(usize::from(step)) else { return false };
        let approved =
            |need: &u8| self.steps.get(usize::from(*need)).is_some_and(|step| step.state == StepState::Approved);
        let presented = |slot: &Slot| !asked.waits_for.contains(&slot.party) || slot.presented.is_some();
        asked.needs.iter().all(approved) && self.slots.iter().all(presented)
    }
    /// Whether a step yields a licence to somebody who takes part.
    pub fn yields(&self, item: &ServiceItem, step: u8) -> bool {
        item.yields.iter().any(|given| given.step == step && self.slots.iter().any(|slot| slot.party == given.to))
    }
    /// Whether all is decided and issued.
    pub fn is_done(&self, item: &ServiceItem) -> bool {
        let step = |place: u8| self.steps.get(usize::from(place));
        let mut closing = (0u8..).zip(item.steps.iter()).filter(|(_, step)| step.closes);
        let approved = closing.all(|(place, _)| step(place).is_some_and(|step| step.state == StepState::Approved));
        approved && (0u8..).zip(self.steps.iter()).all(|(place, step)| step.issued || !self.yields(item, place))
    }
}
