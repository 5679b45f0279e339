//! One version of a licence type.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, Names, RegistryRecord};
use crate::hash::Hash;
use crate::identifiers::{TypeCode, TypeVersion};
use crate::ids::SpanMs;
use crate::map_value::{Kind, MapValue};

/// Whom licences of a type are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    /// A natural person: every licence has `kanhe_hb`, so that two can be shown to be of one person.
    Person,
    /// An enterprise, named by its unified social credit code.
    Enterprise,
}
crate::ids::byte_enum!(HolderKind { Person = 1, Enterprise = 2 });

/// A catalogue entry. The schema itself is served by its digest: evidence carries this record and stays small.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct LicenceType {
    /// Catalogue code.
    pub code: TypeCode,
    /// Version of the type.
    pub version: TypeVersion,
    /// Its name.
    pub names: Names,
    /// Whom it is about.
    pub holder: HolderKind,
    /// SHA-256 of the JSON Schema of its claims.
    pub schema: Hash,
    /// Max-age of evidence where a request does not say.
    pub max_age: SpanMs,
    /// When licences of this version could be issued.
    pub intervals: Intervals,
}

impl MapValue for LicenceType {
    const KIND: Kind = Kind::LicenceType;
}
impl RegistryRecord for LicenceType {
    type Id = (TypeCode, TypeVersion);
    fn id(&self) -> Self::Id {
        (self.code.clone(), self.version)
    }
}
