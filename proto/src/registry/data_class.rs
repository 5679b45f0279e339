//! What data a bureau holds: classes with counts, and never the data.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, Names, RegistryRecord};
use crate::bounded::{List, Text};
use crate::identifiers::{TypeCode, Uscc};
use crate::ids::TimeMs;
use crate::limits::{CODE_BYTES_MAX, DATA_CLASSES_MAX};
use crate::map_value::{Kind, MapValue};

/// Code of a data class, among those of its bureau.
pub type DataCode = Text<CODE_BYTES_MAX>;

/// What a bureau says of a class that it holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct DataDeclaration {
    /// Its code.
    pub code: DataCode,
    /// Its name.
    pub names: Names,
    /// The licence type as which it is read, if it is one.
    pub type_code: Option<TypeCode>,
    /// How many entries there are.
    pub count: u64,
    /// As of when.
    pub as_of: TimeMs,
}

/// A class of data that a bureau holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct DataClass {
    /// The bureau.
    pub bureau: Uscc,
    /// What it said last.
    pub declared: DataDeclaration,
    /// When it held such data.
    pub intervals: Intervals,
}

impl MapValue for DataClass {
    const KIND: Kind = Kind::DataClass;
}
impl RegistryRecord for DataClass {
    type Id = (Uscc, DataCode);
    fn id(&self) -> Self::Id {
        (self.bureau, self.declared.code.clone())
    }
}

/// A class in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct DataEntry {
    /// Its code.
    pub code: DataCode,
    /// Whether the bureau still holds it.
    pub in_force: bool,
}

/// All classes that a bureau ever declared, ascending by code: one proof shows that none is kept back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct DataCatalogue {
    /// The bureau.
    pub bureau: Uscc,
    /// Its classes.
    pub classes: List<DataEntry, DATA_CLASSES_MAX>,
}

impl DataCatalogue {
    /// Of a bureau that declared nothing.
    pub const fn empty(bureau: Uscc) -> Self {
        Self { bureau, classes: List::empty() }
    }
    /// The same with this entry new or changed; nothing if there is no room.
    #[must_use]
    pub fn with(&self, entry: DataEntry) -> Option<Self> {
        let mut classes = self.classes.to_vec();
        match classes.binary_search_by(|known| known.code.cmp(&entry.code)) {
            Ok(at) => classes[at] = entry,
            Err(at) => classes.insert(at, entry),
        }
        List::new(classes).ok().map(|classes| Self { bureau: self.bureau, classes })
    }
}

impl MapValue for DataCatalogue {
    const KIND: Kind = Kind::DataCatalogue;
}
impl RegistryRecord for DataCatalogue {
    type Id = Uscc;
    fn id(&self) -> Uscc {
        self.bureau
    }
}
