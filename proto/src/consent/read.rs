//! A read: what a reader asks of a source, and what the source says it gave.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::note::SealedNote;
use super::trace::TraceTag;
use crate::bounded::{List, Text};
use crate::codec::{self, CodecError};
use crate::hash::{CaseId, Commitment, ConsentId, ReadId, sha256};
use crate::identifiers::Uscc;
use crate::ids::TimeMs;
use crate::key::{KeyError, KeyId, PublicKey, SignError, Signature, Signer};
use crate::limits::{CODE_BYTES_MAX, READ_REQUEST_BYTES_MAX, READS_MAX};
use crate::registry::PurposeCode;
use crate::tags;
use crate::vote::{self, ChainContext};

/// Payload of `AccessRecord`, version 1: reads that are recorded all or none, in order. Any member sends it, with an issuing
/// or validator key: what counts is signed inside, by reader and source.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ReadPayload {
    /// At least one.
    pub reads: List<SignedRead, READS_MAX>,
}

impl ReadPayload {
    /// Signatures that executing it verifies, besides the transaction's own: of reader and source.
    pub fn signatures(&self) -> usize {
        2 * self.reads.len()
    }
}

/// On which consent something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Under {
    /// The consent.
    pub id: ConsentId,
    /// Which of its reads this is, from 1.
    pub n: u32,
}

/// On which rule something is read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Statutory {
    /// The rule, as a registered purpose of public benefit.
    pub ground: PurposeCode,
    /// The case that needs it, if one does: it must be open, and reader or source play a role in it.
    pub case: Option<CaseId>,
}

/// Why a reader may. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Somebody consented.
    Consent(Under),
    /// A rule says so.
    Statutory(Statutory),
}

impl Basis {
    /// The consent, if it is one.
    pub const fn consent(&self) -> Option<&Under> {
        match self {
            Self::Consent(under) => Some(under),
            Self::Statutory(_) => None,
        }
    }
}

/// What a reader asks of a source. It says to nobody else of whom and what.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ReadRequest {
    /// Who has the data.
    pub source: Uscc,
    /// Who reads.
    pub reader: Uscc,
    /// Issuing key of the reader.
    pub key: KeyId,
    /// Why it may.
    pub basis: Basis,
    /// What for; under a consent, the consent's.
    pub purpose: PurposeCode,
    /// 32 fresh random bytes.
    pub nonce: [u8; 32],
    /// When it was made.
    pub time: TimeMs,
    /// To the encoded [`Asked`](super::Asked): the reader is bound to it, and the chain does not learn it.
    pub asked: Commitment,
}

impl ReadRequest {
    /// Signs it, with the reader's issuing key.
    pub fn sign(self, chain: &ChainContext, signer: &dyn Signer) -> Result<SignedRequest, SignError> {
        let signature = signer.sign(&request_bytes(chain, &self))?;
        Ok(SignedRequest { request: self, signature })
    }
    /// H(tag ‖ chain ‖ request): recorded once.
    pub fn id(&self, chain: &ChainContext) -> ReadId {
        ReadId(sha256(&[&request_bytes(chain, self)]))
    }
}

/// A request with the reader's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedRequest {
    /// What is asked.
    pub request: ReadRequest,
    /// Over [`request_bytes`].
    pub signature: Signature,
}

impl SignedRequest {
    /// Whether it is of this key of the reader, on this chain.
    pub fn verify(&self, chain: &ChainContext, reader: &PublicKey) -> Result<(), KeyError> {
        reader.verify(&request_bytes(chain, &self.request), &self.signature)
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads a request of anyone; nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, READ_REQUEST_BYTES_MAX)
    }
}

/// What a source does about a request. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// It gives: to what is sent, byte for byte.
    Given(Commitment),
    /// It refuses, and nothing leaves it: a stable code, so that whom it was about learns who tried, and why in vain.
    Refused(Text<CODE_BYTES_MAX>),
}

/// Whether this may be the code of a refusal: small letters, digits and underscores.
pub fn is_refusal_code(code: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !code.is_empty() && code.bytes().all(plain)
}

/// What a source says before data leaves it, or that none does.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Read {
    /// What was asked; the source is named in it.
    pub request: SignedRequest,
    /// By which the person recognises it.
    pub tag: TraceTag,
    /// What only the person and the source read.
    pub note: SealedNote,
    /// What it does.
    pub answered: Answered,
    /// Issuing key of the source.
    pub key: KeyId,
}

impl Read {
    /// Why it was refused; nothing if something was given.
    pub fn refused(&self) -> Option<&str> {
        match &self.answered {
            Answered::Given(_) => None,
            Answered::Refused(code) => Some(code),
        }
    }
    /// Signs it, with the source's issuing key.
    pub fn sign(self, chain: &ChainContext, signer: &dyn Signer) -> Result<SignedRead, SignError> {
        let signature = signer.sign(&read_bytes(chain, &self))?;
        Ok(SignedRead { read: self, signature })
    }
}

/// A read with the source's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedRead {
    /// What.
    pub read: Read,
    /// Over [`read_bytes`].
    pub signature: Signature,
}

impl SignedRead {
    /// What was asked.
    pub const fn request(&self) -> &ReadRequest {
        &self.read.request.request
    }
    /// Whether it is of this key of the source, on this chain. The reader's signature is another's to verify.
    pub fn verify(&self, chain: &ChainContext, source: &PublicKey) -> Result<(), KeyError> {
        source.verify(&read_bytes(chain, &self.read), &self.signature)
    }
}

/// tag ‖ chain ‖ request: what the reader signs.
pub fn request_bytes(chain: &ChainContext, request: &ReadRequest) -> Vec<u8> {
    vote::preimage(tags::READ_REQUEST, chain, request)
}

/// tag ‖ chain ‖ read, with the signed request in it: what the source signs.
pub fn read_bytes(chain: &ChainContext, read: &Read) -> Vec<u8> {
    vote::preimage(tags::READ, chain, read)
}
