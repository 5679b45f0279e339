//! A key of a bureau.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Intervals, RegistryRecord};
use crate::identifiers::Uscc;
use crate::ids::Height;
use crate::key::{KeyId, PublicKey};
use crate::map_value::{Kind, MapValue};

/// What a key is for; a key has one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRole {
    /// Votes and rotates the others; kept offline.
    Governance,
    /// Signs licences and their transactions.
    Issuing,
    /// Signs votes of the consensus.
    Validator,
    /// Identity of a node towards its peers.
    Network,
    /// What is sent to the bureau is sealed to it.
    Sealing,
}
crate::ids::byte_enum!(KeyRole { Governance = 1, Issuing = 2, Validator = 3, Network = 4, Sealing = 5 });

/// A key with its role and times.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct KeyEntry {
    /// Whose key.
    pub bureau: Uscc,
    /// What for.
    pub role: KeyRole,
    /// The key.
    pub key: PublicKey,
    /// When it may sign.
    pub intervals: Intervals,
    /// The key was stolen: batches recorded at or after this height are revoked unless reaffirmed.
    pub distrusted_from: Option<Height>,
}

impl MapValue for KeyEntry {
    const KIND: Kind = Kind::Key;
}
impl RegistryRecord for KeyEntry {
    type Id = (Uscc, KeyId);
    fn id(&self) -> Self::Id {
        (self.bureau, self.key.id())
    }
}
