//! A membership card: what a bureau shows of itself to found a chain or to join one.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Action, NewKey, NewKeyError};
use crate::bounded::{List, Text};
use crate::codec::{self, CodecError};
use crate::hash::{self, ChainId, Hash};
use crate::identifiers::Uscc;
use crate::ids::{Era, TimeMs};
use crate::key::{SignError, Signature, Signer};
use crate::limits::{ADMITTED_KEYS_MAX, CARD_BYTES_MAX, CODE_BYTES_MAX};
use crate::registry::{Addresses, KeyRole, Names};
use crate::tags;
use crate::vote::ChainContext;

/// Layout of cards.
const CARD_VERSION: u8 = 1;
/// Stands for the chain in cards of its founders: it has no id before their cards are together.
pub const FOUNDING: ChainContext = ChainContext { chain_id: ChainId([0; 32]), era: Era(0) };

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CardBody {
    /// Layout: 1.
    pub version: u8,
    /// The chain to be joined; [`FOUNDING`] if it is still to be founded.
    pub chain: ChainContext,
    /// When it was made.
    pub created: TimeMs,
    /// The bureau.
    pub bureau: Uscc,
    /// Its name.
    pub names: Names,
    /// Its administrative division.
    pub region: Text<CODE_BYTES_MAX>,
    /// Where its node listens.
    pub addresses: Addresses,
    /// Its keys, each proved.
    pub keys: List<NewKey, ADMITTED_KEYS_MAX>,
}

/// A card under the signature of its governance key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct MembershipCard {
    /// What is signed.
    pub body: CardBody,
    /// By the only governance key of the card.
    pub signature: Signature,
}

/// Why a card is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Unknown layout.
    #[error("card of unknown version {0}")]
    Version(u8),
    /// Of another chain.
    #[error("the card is for another chain")]
    Chain,
    /// Not one governance key.
    #[error("a card needs exactly one governance key")]
    Governance,
    /// A key is there twice.
    #[error("a key is there twice")]
    Twice,
    /// A key is not the bureau's.
    #[error(transparent)]
    Key(#[from] NewKeyError),
    /// Not signed by its governance key.
    #[error("the card is not signed by its governance key")]
    Signature,
}

impl CardBody {
    /// Layout of a new card.
    pub const VERSION: u8 = CARD_VERSION;

    fn sign_bytes(&self) -> Vec<u8> {
        [tags::GOVERNANCE_CARD.bytes().as_slice(), &codec::encode(self)].concat()
    }
    /// Signs it with its governance key.
    pub fn sign(self, governance: &dyn Signer) -> Result<MembershipCard, SignError> {
        let signature = governance.sign(&self.sign_bytes())?;
        Ok(MembershipCard { body: self, signature })
    }
}

impl MembershipCard {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads a card and checks it for a chain.
    pub fn from_bytes(bytes: &[u8], chain: &ChainContext) -> Result<Self, CardError> {
        let card: Self = codec::decode(bytes, CARD_BYTES_MAX)?;
        card.check(chain)?;
        Ok(card)
    }
    /// What two people compare: H(tag ‖ encoding).
    pub fn digest(&self) -> Hash {
        Hash(hash::tagged(tags::GOVERNANCE_CARD, self))
    }
    /// Checks keys and signature.
    pub fn check(&self, chain: &ChainContext) -> Result<(), CardError> {
        let body = &self.body;
        if body.version != CARD_VERSION {
            return Err(CardError::Version(body.version));
        }
        if body.chain != *chain {
            return Err(CardError::Chain);
        }
        for (at, key) in body.keys.iter().enumerate() {
            if body.keys[at + 1..].iter().any(|other| other.key == key.key) {
                return Err(CardError::Twice);
            }
            key.check(chain, &body.bureau)?;
        }
        let mut governance = body.keys.iter().filter(|key| key.role == KeyRole::Governance);
        let (Some(key), None) = (governance.next(), governance.next()) else { return Err(CardError::Governance) };
        key.key.verify(&body.sign_bytes(), &self.signature).map_err(|_| CardError::Signature)
    }
    /// The action that admits the bureau.
    pub fn admission(&self) -> Action {
        let CardBody { bureau, names, region, addresses, keys, .. } = self.body.clone();
        Action::AdmitBureau { bureau, names, region, addresses, keys }
    }
}
