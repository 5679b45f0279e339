//! What somebody shows in a case who acts for an enterprise.
//!
//! It names chain, case, slot, item, account and key, and is signed by that key: in another case or place it is nothing. With
//! it goes the account as a certified header has it, so that it can be judged for years without asking anybody.

use bincode::{Decode, Encode};

use super::leaf::{EnterpriseAccount, account_key};
use crate::codec::{self, CodecError};
use crate::hash::CaseId;
use crate::identifiers::Uscc;
use crate::item::ItemCode;
use crate::key::{KeyError, PublicKey, SignError, Signature, Signer};
use crate::proof::{CertifiedHeader, ProofError, ProvedLeaf};
use crate::tags;
use crate::vote::{self, ChainContext};

/// The layout that is written and read.
pub const MANDATE_VERSION: u8 = 1;
/// Bytes of an encoded mandate: a header, its certificate, the largest account and its path.
pub const MANDATE_BYTES_MAX: usize = 128 << 10;

/// What the key signs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MandateBody {
    /// Layout: [`MANDATE_VERSION`].
    pub version: u8,
    /// The case.
    pub case: CaseId,
    /// The slot in it.
    pub slot: u8,
    /// Its item.
    pub item: ItemCode,
    /// For whom.
    pub account: Uscc,
    /// A delegate's key, or one of the account's own.
    pub key: PublicKey,
}

/// A mandate, as it goes in a case file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Mandate {
    /// What is signed.
    pub body: MandateBody,
    /// By the key that it names.
    pub signature: Signature,
    /// The header under which the account is shown.
    pub certified: CertifiedHeader,
    /// The account.
    pub account: ProvedLeaf,
}

/// Why a mandate is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MandateError {
    /// Not decodable.
    #[error("malformed: {0}")]
    Malformed(#[from] CodecError),
    /// Of a layout that is not known.
    #[error("unknown layout {0}")]
    Version(u8),
    /// For another case, slot or item.
    #[error("for another case, slot or item")]
    Other,
    /// Not signed by the key that it names.
    #[error("the signature of the mandate")]
    Signature(#[source] KeyError),
    /// The account is not in the header's state.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The header's state has no such account.
    #[error("the header has no such account")]
    NoAccount,
}

impl MandateError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Version(_) => "mandate_malformed",
            Self::Other => "mandate_other",
            Self::Signature(_) => "mandate_signature",
            Self::Proof(_) | Self::NoAccount => "mandate_proof",
        }
    }
}

impl MandateBody {
    /// Signs it, with the account as it was read.
    pub fn sign(
        self,
        chain: &ChainContext,
        signer: &dyn Signer,
        certified: CertifiedHeader,
        account: ProvedLeaf,
    ) -> Result<Mandate, SignError> {
        let signature = signer.sign(&mandate_bytes(chain, &self))?;
        Ok(Mandate { body: self, signature, certified, account })
    }
}

impl Mandate {
    /// As it is sent.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads what anybody sent.
    pub fn decode(bytes: &[u8]) -> Result<Self, MandateError> {
        let mandate: Self = codec::decode(bytes, MANDATE_BYTES_MAX)?;
        match mandate.body.version {
            MANDATE_VERSION => Ok(mandate),
            version => Err(MandateError::Version(version)),
        }
    }

    /// The account that it shows, if it is for this place of this case and signed. Whether to believe the header, and what the
    /// account allows, is for the caller to say.
    pub fn read(
        &self,
        chain: &ChainContext,
        case: &CaseId,
        slot: u8,
        item: &ItemCode,
    ) -> Result<EnterpriseAccount, MandateError> {
        let body = &self.body;
        if (&body.case, body.slot, &body.item) != (case, slot, item) {
            return Err(MandateError::Other);
        }
        body.key.verify(&mandate_bytes(chain, body), &self.signature).map_err(MandateError::Signature)?;
        let root = &self.certified.header.state_root;
        let account = self.account.read::<EnterpriseAccount>(root, &account_key(&body.account))?;
        account.filter(|account| account.uscc == body.account).ok_or(MandateError::NoAccount)
    }
}

/// tag ‖ chain ‖ body: what the key signs.
pub fn mandate_bytes(chain: &ChainContext, body: &MandateBody) -> Vec<u8> {
    vote::preimage(tags::MANDATE, chain, body)
}
