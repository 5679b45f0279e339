//! Who may ask holders, and for what.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, Names, PurposeCode, RegistryRecord};
use crate::bounded::{List, Text};
use crate::identifiers::{TypeCode, Uscc};
use crate::key::PublicKey;
use crate::limits::{CODE_BYTES_MAX, REGISTRY_LIST_MAX};
use crate::map_value::{Kind, MapValue};

/// Name of a claim: a field code.
pub type ClaimName = Text<CODE_BYTES_MAX>;

/// One type, and the claims of it that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct AskRight {
    /// The type, in all its versions.
    pub type_code: TypeCode,
    /// Claims, ascending.
    pub claims: List<ClaimName, REGISTRY_LIST_MAX>,
}

/// A registered bank, counter or company.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct RelyingParty {
    /// Its unified social credit code.
    pub uscc: Uscc,
    /// Its name, shown to whom it asks.
    pub names: Names,
    /// Verifies its requests.
    pub request_key: PublicKey,
    /// What it may ask for.
    pub may_ask: List<AskRight, REGISTRY_LIST_MAX>,
    /// Why it may ask.
    pub purposes: List<PurposeCode, REGISTRY_LIST_MAX>,
    /// When it was registered.
    pub intervals: Intervals,
}

impl RelyingParty {
    /// May it ask for this claim of this type?
    pub fn may_ask(&self, type_code: &TypeCode, claim: &str) -> bool {
        self.may_ask
            .iter()
            .any(|right| right.type_code == *type_code && right.claims.iter().any(|allowed| allowed.as_str() == claim))
    }
}

impl MapValue for RelyingParty {
    const KIND: Kind = Kind::RelyingParty;
}
impl RegistryRecord for RelyingParty {
    type Id = Uscc;
    fn id(&self) -> Uscc {
        self.uscc
    }
}
