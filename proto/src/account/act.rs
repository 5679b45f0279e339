//! What is done to an account, and what is signed for it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::delegate::Grant;
use crate::bounded::List;
use crate::codec::{self, CodecError};
use crate::identifiers::{TypeCode, TypeVersion, Uscc};
use crate::key::{KeyError, KeyId, PublicKey, SignError, Signature, Signer};
use crate::limits::{ACCOUNT_ACTS_MAX, ACCOUNT_KEYS_MAX, ACCOUNT_PAYLOAD_BYTES_MAX};
use crate::tags;
use crate::vote::{self, ChainContext};

/// Payload of `EnterpriseAccount`, version 1: acts that are executed all or none, in order. Any member sends it, with an issuing
/// or validator key: what counts is signed inside.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct AccountPayload {
    /// At least one.
    pub acts: List<SignedAccountAct, ACCOUNT_ACTS_MAX>,
}

impl AccountPayload {
    /// Signatures that executing it verifies, besides the transaction's own.
    pub fn signatures(&self) -> usize {
        self.acts.len()
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads acts of anyone; nothing of them is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, ACCOUNT_PAYLOAD_BYTES_MAX)
    }
}

/// Who does it. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A bureau that is accredited for the type under which the account is opened.
    Bureau {
        /// The bureau.
        bureau: Uscc,
        /// Its issuing key.
        key: KeyId,
    },
    /// A key of the account.
    Own(KeyId),
}

/// Opens an account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Opening {
    /// The licence type of enterprises for which the bureau is accredited.
    pub type_code: TypeCode,
    /// A version of it that is in force.
    pub type_version: TypeVersion,
    /// Keys of the enterprise, at least one.
    pub keys: List<PublicKey, ACCOUNT_KEYS_MAX>,
}

/// What changes. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// By a bureau: the account is there from now on.
    Open(Opening),
    /// By a bureau: other keys in place of lost ones. Delegates go, and a closed account is open again.
    ReplaceKeys(List<PublicKey, ACCOUNT_KEYS_MAX>),
    /// By a key of the account: one more.
    AddKey(PublicKey),
    /// By a key of the account: one less, which may be itself, but never the last.
    RemoveKey(KeyId),
    /// By a key of the account: a delegate, or other limits of one.
    SetDelegate(Grant),
    /// By a key of the account: from this block on the delegate acts no more.
    RevokeDelegate(KeyId),
    /// By a bureau or a key of the account: nobody acts for it any more.
    Close,
}

/// Something that is done to an account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct AccountAct {
    /// Whose account.
    pub uscc: Uscc,
    /// Number of acts on it before this one.
    pub sequence: u32,
    /// By whom.
    pub by: By,
    /// What.
    pub change: Change,
}

impl AccountAct {
    /// Signs it.
    pub fn sign(self, chain: &ChainContext, signer: &dyn Signer) -> Result<SignedAccountAct, SignError> {
        let signature = signer.sign(&account_act_bytes(chain, &self))?;
        Ok(SignedAccountAct { act: self, signature })
    }
}

/// An act with the signature of who does it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedAccountAct {
    /// What.
    pub act: AccountAct,
    /// Over [`account_act_bytes`].
    pub signature: Signature,
}

impl SignedAccountAct {
    /// Whether it is of this key, on this chain.
    pub fn verify(&self, chain: &ChainContext, key: &PublicKey) -> Result<(), KeyError> {
        key.verify(&account_act_bytes(chain, &self.act), &self.signature)
    }
}

/// tag ‖ chain ‖ act: what is signed by who does it.
pub fn account_act_bytes(chain: &ChainContext, act: &AccountAct) -> Vec<u8> {
    vote::preimage(tags::ACCOUNT_ACT, chain, act)
}
