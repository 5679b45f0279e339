//! The one text of an item: JSON with sorted members, no blanks, whole numbers only, and what is absent left out.

use super::{Fault, Item};
use crate::hash::{self, Hash};
use crate::limits::ITEM_BYTES_MAX;
use crate::sd_jwt::json::{self, JsonError};

/// Why a text is not an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemTextError {
    /// More bytes than allowed.
    #[error("an item has at most {ITEM_BYTES_MAX} bytes")]
    TooLong,
    /// Not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member is missing, unknown, too long, or of another kind.
    #[error("not an item: {0}")]
    Shape(String),
    /// The same item has another text.
    #[error("not the canonical text of the item")]
    NotCanonical,
    /// The first fault of several.
    #[error(transparent)]
    Fault(Fault),
}

impl Item {
    /// Its canonical text.
    pub fn to_json(&self) -> String {
        let mut value = serde_json::to_value(self).expect("an item has text keys and whole numbers alone");
        // Whatever kind of map serde_json is built with, the bytes are the same.
        value.sort_all_objects();
        value.to_string()
    }

    /// SHA-256 of its canonical text.
    pub fn digest(&self) -> Hash {
        digest_of(&self.to_json())
    }

    /// Reads a canonical text, and refuses an item with a fault.
    pub fn from_json(text: &str) -> Result<Self, ItemTextError> {
        if text.len() > ITEM_BYTES_MAX {
            return Err(ItemTextError::TooLong);
        }
        let value = json::parse(text.as_bytes())?;
        let item: Self = serde_json::from_value(value).map_err(|error| ItemTextError::Shape(error.to_string()))?;
        if item.to_json() != text {
            return Err(ItemTextError::NotCanonical);
        }
        match item.faults().into_iter().next() {
            Some(fault) => Err(ItemTextError::Fault(fault)),
            None => Ok(item),
        }
    }
}

pub(super) fn digest_of(text: &str) -> Hash {
    Hash(hash::sha256(&[text.as_bytes()]))
}
