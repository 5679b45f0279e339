//! What a clerk says for somebody who has no wallet: who it is, where bureaus find what the person would have shown, and how
//! what comes of the case is picked up.

use bincode::{Decode, Encode};

use super::{APPLICATIONS_MAX, ascending};
use crate::bounded::List;
use crate::consent::Subject;
use crate::identifiers::{TypeCode, Uscc};
use crate::item::PartName;
use crate::limits::ITEM_ASKS_MAX;
use crate::pickup::PickupHash;

/// An ask of the item that the person cannot answer: the bureau reads it, on the ground that the act names.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HelpedAsk {
    /// The ask.
    pub ask: PartName,
    /// Of which type the licence is; one of the ask's.
    pub type_code: TypeCode,
    /// Who issued it.
    pub source: Uscc,
}

/// A licence that the case yields: prepared for whoever brings the code, which the bureau does not know.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HelpedPickup {
    /// The yield.
    pub yields: PartName,
    /// Of the code, with the chain's own salt ([`crate::pickup::chain_salt`]).
    pub hash: PickupHash,
}

/// Somebody for whom a clerk acts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Helped {
    /// Who, by the document that the clerk has seen.
    pub person: Subject,
    /// Strictly ascending by ask.
    pub asks: List<HelpedAsk, ITEM_ASKS_MAX>,
    /// Strictly ascending by yield.
    pub pickups: List<HelpedPickup, APPLICATIONS_MAX>,
}

impl Helped {
    pub(super) fn is_ordered(&self) -> bool {
        ascending(self.asks.iter().map(|of| of.ask.as_str()))
            && ascending(self.pickups.iter().map(|of| of.yields.as_str()))
    }
}
