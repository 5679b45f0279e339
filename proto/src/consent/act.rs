//! Giving consent and taking it back, and what is signed for it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::codec::{self, CodecError};
use crate::hash::{self, ChainId, Commitment, ConsentId};
use crate::identifiers::Uscc;
use crate::ids::TimeMs;
use crate::key::{KeyError, PublicKey, SignError, Signature, Signer};
use crate::limits::{CONSENT_ACTS_MAX, CONSENT_PAYLOAD_BYTES_MAX};
use crate::registry::PurposeCode;
use crate::tags;
use crate::vote::{self, ChainContext};

/// Payload of `Consent`, version 1: acts that are executed all or none, in order. Any member sends it, with an issuing or
/// validator key: what counts is signed inside.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ConsentPayload {
    /// At least one.
    pub acts: List<SignedAct, CONSENT_ACTS_MAX>,
}

impl ConsentPayload {
    /// Signatures that executing it verifies, besides the transaction's own.
    pub fn signatures(&self) -> usize {
        self.acts.len()
    }
    /// Whether it only takes back: such acts are outside quotas.
    pub fn only_withdraws(&self) -> bool {
        !self.acts.is_empty() && self.acts.iter().all(|signed| matches!(signed.act, Act::Withdraw(_)))
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads acts of anyone; nothing of them is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, CONSENT_PAYLOAD_BYTES_MAX)
    }
}

/// Lets a bureau read something of somebody. Who, what and at which source is only in the terms.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Grant {
    /// A fresh key for this consent alone; names the consent.
    pub key: PublicKey,
    /// Block time after which the grant itself is void; at most a day ahead. So it cannot come again once its leaf is gone.
    pub accept_before: TimeMs,
    /// Who may read.
    pub grantee: Uscc,
    /// What for; of public benefit.
    pub purpose: PurposeCode,
    /// The last moment at which a read may be recorded; at most 90 days after the block.
    pub not_after: TimeMs,
    /// How often, 1 to 1,000.
    pub reads: u32,
    /// To the encoded [`Terms`](super::Terms).
    pub terms: Commitment,
}

/// Takes a consent back. What was read stays read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Withdraw {
    /// Which consent.
    pub consent: ConsentId,
}

/// Something that is done to a consent, always by its own key. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// See [`Grant`].
    Grant(Grant),
    /// See [`Withdraw`].
    Withdraw(Withdraw),
}

impl Act {
    /// The consent that it is about.
    pub fn consent(&self, chain: &ChainId) -> ConsentId {
        match self {
            Self::Grant(grant) => consent_id(chain, &grant.key),
            Self::Withdraw(withdraw) => withdraw.consent,
        }
    }
    /// Signs it, with the consent's key.
    pub fn sign(self, chain: &ChainContext, signer: &dyn Signer) -> Result<SignedAct, SignError> {
        let signature = signer.sign(&act_bytes(chain, &self))?;
        Ok(SignedAct { act: self, signature })
    }
}

/// An act with the signature of the consent's key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedAct {
    /// What.
    pub act: Act,
    /// Over [`act_bytes`].
    pub signature: Signature,
}

impl SignedAct {
    /// Whether it is of this key, on this chain.
    pub fn verify(&self, chain: &ChainContext, key: &PublicKey) -> Result<(), KeyError> {
        key.verify(&act_bytes(chain, &self.act), &self.signature)
    }
}

/// H(tag ‖ chain id ‖ the consent's key).
pub fn consent_id(chain: &ChainId, key: &PublicKey) -> ConsentId {
    ConsentId(hash::tagged(tags::CONSENT_ID, &(chain, key)))
}

/// tag ‖ chain ‖ act: what the consent's key signs.
pub fn act_bytes(chain: &ChainContext, act: &Act) -> Vec<u8> {
    vote::preimage(tags::CONSENT_ACT, chain, act)
}
