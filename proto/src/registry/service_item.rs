//! One version of a service item: what the chain must know to run its cases. The rest is in its file.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{HolderKind, Intervals, Names, PurposeCode, RegistryRecord};
use crate::bounded::{List, Text};
use crate::hash::Hash;
use crate::identifiers::{TypeCode, TypeVersion, Uscc};
use crate::ids::SpanMs;
use crate::item::{ItemCode, ItemVersion, PartName};
use crate::limits::{
    CODE_BYTES_MAX, ITEM_BOUND_MAX, ITEM_PARTIES_MAX, ITEM_ROLES_MAX, ITEM_STEPS_MAX, ITEM_YIELDS_MAX, ITEMS_MAX,
};
use crate::map_value::{Kind, MapValue};

/// Who takes part besides bureaus.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ItemParty {
    /// Its name in the item.
    pub code: PartName,
    /// A person or an enterprise.
    pub kind: HolderKind,
    /// Opens cases.
    pub opens: bool,
    /// Whom the case is for, and who rates.
    pub applicant: bool,
    /// The case may go without it.
    pub optional: bool,
    /// Places of the bureaus that get a file from it, ascending.
    pub sends_to: List<u8, ITEM_ROLES_MAX>,
}

/// A role of a bureau.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ItemBureau {
    /// Its name in the item.
    pub code: PartName,
    /// Who may play it, ascending; who opens a case chooses one.
    pub bound: List<Uscc, ITEM_BOUND_MAX>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ItemStep {
    /// Its name in the item.
    pub code: PartName,
    /// Place of the bureau that decides.
    pub by: u8,
    /// Places of steps that must be approved before, ascending.
    pub needs: List<u8, ITEM_STEPS_MAX>,
    /// Places of parties that must have presented before, ascending.
    pub waits_for: List<u8, ITEM_PARTIES_MAX>,
    /// Decided by rules alone.
    pub auto: bool,
    /// To be decided within, once it is ready.
    pub limit: SpanMs,
    /// The case closes when all such steps are approved.
    pub closes: bool,
}

/// A licence that comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ItemYield {
    /// Place of the step whose bureau issues it.
    pub step: u8,
    /// The type.
    pub type_code: TypeCode,
    /// Its version.
    pub type_version: TypeVersion,
    /// Place of the party that gets it.
    pub to: u8,
}

/// A version of an item. A case runs to its end under the version that it was opened with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ServiceItem {
    /// Its code.
    pub code: ItemCode,
    /// Its version, from 1 without gaps.
    pub version: ItemVersion,
    /// Its name.
    pub names: Names,
    /// Administrative division that it is for.
    pub region: Text<CODE_BYTES_MAX>,
    /// SHA-256 of its file: the canonical JSON.
    pub file: Hash,
    /// Purpose of all that is asked and read.
    pub purpose: PurposeCode,
    /// How long a case lives that is not done.
    pub life: SpanMs,
    /// Who takes part.
    pub parties: List<ItemParty, ITEM_PARTIES_MAX>,
    /// Which bureaus.
    pub bureaus: List<ItemBureau, ITEM_ROLES_MAX>,
    /// The graph.
    pub steps: List<ItemStep, ITEM_STEPS_MAX>,
    /// What comes of it.
    pub yields: List<ItemYield, ITEM_YIELDS_MAX>,
    /// When cases could be opened under this version.
    pub intervals: Intervals,
}

impl MapValue for ServiceItem {
    const KIND: Kind = Kind::ServiceItem;
}
impl RegistryRecord for ServiceItem {
    type Id = (ItemCode, ItemVersion);
    fn id(&self) -> Self::Id {
        (self.code.clone(), self.version)
    }
}

/// An item in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// Its code.
    pub code: ItemCode,
    /// Its newest version.
    pub newest: ItemVersion,
    /// Whether cases can be opened.
    pub in_force: bool,
}

/// All items, ascending by code: one proof shows that none is kept back, and which version is the newest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize, Deserialize)]
pub struct ItemCatalogue {
    /// The items.
    pub items: List<CatalogueEntry, ITEMS_MAX>,
}

impl ItemCatalogue {
    /// The entry of an item.
    pub fn find(&self, code: &str) -> Option<&CatalogueEntry> {
        let at = self.items.binary_search_by(|entry| entry.code.as_str().cmp(code)).ok()?;
        self.items.get(at)
    }
    /// The same with this entry new or changed; nothing if there is no room.
    #[must_use]
    pub fn with(&self, entry: CatalogueEntry) -> Option<Self> {
        let mut items = self.items.to_vec();
        match items.binary_search_by(|known| known.code.cmp(&entry.code)) {
            Ok(at) => items[at] = entry,
            Err(at) => items.insert(at, entry),
        }
        List::new(items).ok().map(|items| Self { items })
    }
}

impl MapValue for ItemCatalogue {
    const KIND: Kind = Kind::ItemCatalogue;
}
impl RegistryRecord for ItemCatalogue {
    type Id = ();
    fn id(&self) {}
}
