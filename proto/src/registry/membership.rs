//! The bureaus that vote: the denominator of every threshold.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::RegistryRecord;
use crate::bounded::List;
use crate::identifiers::Uscc;
use crate::limits::BUREAUS_MAX;
use crate::map_value::{Kind, MapValue};

/// Members in ascending order of their code.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Membership {
    /// The bureaus.
    pub bureaus: List<Uscc, BUREAUS_MAX>,
}

impl MapValue for Membership {
    const KIND: Kind = Kind::Membership;
}
impl RegistryRecord for Membership {
    type Id = ();
    fn id(&self) {}
}
