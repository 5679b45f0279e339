//! A member of the consortium.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, RegistryRecord};
use crate::bounded::{List, Text};
use crate::identifiers::Uscc;
use crate::limits::{ADDRESSES_MAX, CODE_BYTES_MAX, NAME_BYTES_MAX};
use crate::map_value::{Kind, MapValue};

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Names {
    /// Chinese.
    pub zh: Text<NAME_BYTES_MAX>,
    /// English.
    pub en: Text<NAME_BYTES_MAX>,
}

/// Where a node listens, as multiaddresses.
pub type Addresses = List<Text<NAME_BYTES_MAX>, ADDRESSES_MAX>;

/// A bureau.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Bureau {
    /// Its unified social credit code.
    pub uscc: Uscc,
    /// Its name.
    pub names: Names,
    /// Its administrative division (GB/T 2260), e.g. 370100.
    pub region: Text<CODE_BYTES_MAX>,
    /// Where its node listens, as multiaddresses.
    pub addresses: Addresses,
    /// When it was a member.
    pub intervals: Intervals,
}

impl MapValue for Bureau {
    const KIND: Kind = Kind::Bureau;
}
impl RegistryRecord for Bureau {
    type Id = Uscc;
    fn id(&self) -> Uscc {
        self.uscc
    }
}
