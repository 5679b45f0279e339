//! Why data is read.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, Names, RegistryRecord};
use crate::bounded::Text;
use crate::limits::CODE_BYTES_MAX;
use crate::map_value::{Kind, MapValue};

/// Code of a purpose.
pub type PurposeCode = Text<CODE_BYTES_MAX>;

/// Shared data serves people; it is never read for profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurposeClass {
    /// For people's benefit.
    PublicBenefit,
    /// For profit.
    Commercial,
}
crate::ids::byte_enum!(PurposeClass { PublicBenefit = 1, Commercial = 2 });

/// A purpose that requests and reads may name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Purpose {
    /// Its code.
    pub code: PurposeCode,
    /// Its name.
    pub names: Names,
    /// Its class.
    pub class: PurposeClass,
    /// When it may be named.
    pub intervals: Intervals,
}

impl MapValue for Purpose {
    const KIND: Kind = Kind::Purpose;
}
impl RegistryRecord for Purpose {
    type Id = PurposeCode;
    fn id(&self) -> PurposeCode {
        self.code.clone()
    }
}
