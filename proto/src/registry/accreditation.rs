//! The right of a bureau to issue a type.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, RegistryRecord};
use crate::identifiers::{TypeCode, Uscc};
use crate::map_value::{Kind, MapValue};

/// Who may issue what, and when.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Accreditation {
    /// The bureau.
    pub issuer: Uscc,
    /// The type, in all its versions.
    pub type_code: TypeCode,
    /// When.
    pub intervals: Intervals,
}

impl MapValue for Accreditation {
    const KIND: Kind = Kind::Accreditation;
}
impl RegistryRecord for Accreditation {
    type Id = (Uscc, TypeCode);
    fn id(&self) -> Self::Id {
        (self.issuer, self.type_code.clone())
    }
}
