//! The right of a bureau to act on another's licences of a type.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, RegistryRecord};
use crate::identifiers::{TypeCode, Uscc};
use crate::map_value::{Kind, MapValue};

/// Who may suspend and revoke whose licences. What a supervisor set, only a supervisor lifts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Supervision {
    /// The supervising bureau.
    pub supervisor: Uscc,
    /// The bureau whose licences.
    pub issuer: Uscc,
    /// Licences of this type.
    pub type_code: TypeCode,
    /// When.
    pub intervals: Intervals,
}

impl MapValue for Supervision {
    const KIND: Kind = Kind::Supervision;
}
impl RegistryRecord for Supervision {
    type Id = (Uscc, Uscc, TypeCode);
    fn id(&self) -> Self::Id {
        (self.supervisor, self.issuer, self.type_code.clone())
    }
}
