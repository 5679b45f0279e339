//! What was decided and takes effect later.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::RegistryRecord;
use crate::bounded::List;
use crate::hash::ProposalId;
use crate::identifiers::Uscc;
use crate::ids::{Height, ProtocolVersion, TimeMs};
use crate::key::{KeyId, PublicKey};
use crate::limits::SCHEDULE_MAX;
use crate::map_value::{Kind, MapValue};

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// In the first block whose parent is of this time or later.
    Time(TimeMs),
    /// In this block.
    Height(Height),
}

impl Due {
    /// Is it due in the block of this height, after a parent of this time?
    pub fn is_due(&self, height: Height, parent_time: TimeMs) -> bool {
        match self {
            Self::Time(time) => *time <= parent_time,
            Self::Height(at) => *at <= height,
        }
    }
}

/// What takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduledWhat {
    /// A key, registered without an interval, begins to hold.
    KeyBegins {
        /// Whose.
        bureau: Uscc,
        /// Which.
        key: KeyId,
    },
    /// A key ends.
    KeyEnds {
        /// Whose.
        bureau: Uscc,
        /// Which.
        key: KeyId,
    },
    /// A seat that was not taken is given up.
    SeatLapses {
        /// Its key.
        key: PublicKey,
    },
    /// Blocks from the next one on are executed under this version.
    Protocol {
        /// The rules.
        version: ProtocolVersion,
    },
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Scheduled {
    /// When.
    pub due: Due,
    /// What.
    pub what: ScheduledWhat,
    /// The proposal that put it there; a veto of that proposal takes it out.
    pub by: ProposalId,
}

/// All entries, in the order in which they were decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Schedule {
    /// The entries.
    pub entries: List<Scheduled, SCHEDULE_MAX>,
}

impl MapValue for Schedule {
    const KIND: Kind = Kind::Schedule;
}
impl RegistryRecord for Schedule {
    type Id = ();
    fn id(&self) {}
}
