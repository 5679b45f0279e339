//! Typed records of the chain's log: kind and version first.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bounded::{Blob, List};
use crate::codec::{self, CodecError};
use crate::hash::{self, Hash, ProposalId};
use crate::identifiers::{TypeCode, TypeVersion, Uscc};
use crate::ids::{Height, TimeMs};
use crate::key::{KeyId, Signature};
use crate::limits::{BUREAUS_MAX, PROPOSAL_BYTES_MAX, RECORD_BYTES_MAX};
use crate::registry::Threshold;
use crate::tags;
use crate::vote::{self, ChainContext};

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Licences issued together.
    Batch,
    /// Somebody read somebody's data ([`crate::consent::AccessRecord`]).
    Access,
    /// An act on a case, or its end by time ([`crate::case::CaseRecord`]).
    Case,
    /// The bureaus decided something.
    Governance,
    /// A validator signed two values.
    Equivocation,
    /// A consent was given or taken back ([`crate::consent::ConsentRecord`]).
    Consent,
    /// An act on an enterprise's account ([`crate::account::AccountRecord`]).
    EnterpriseAccount,
}
crate::ids::byte_enum!(RecordKind {
    Batch = 1, Access = 2, Case = 3, Governance = 4, Equivocation = 5, Consent = 6, EnterpriseAccount = 7,
});

/// Licences issued together. Its position in the log is the batch id.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BatchRecord {
    /// The bureau.
    pub issuer: Uscc,
    /// The issuing key that signed the licences and the transaction.
    pub signing_key: KeyId,
    /// Type of all licences of the batch.
    pub type_code: TypeCode,
    /// Version of the type.
    pub type_version: TypeVersion,
    /// RFC 9162 root over licence digests in random order.
    pub root: Hash,
    /// Number of licences.
    pub count: u32,
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block: the issue time of its licences.
    pub time: TimeMs,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// For it.
    Yes,
    /// Against it.
    No,
}
crate::ids::byte_enum!(Choice { Yes = 1, No = 2 });

/// A bureau's vote on a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct GovernanceVote {
    /// Who.
    pub bureau: Uscc,
    /// Its governance key.
    pub key: KeyId,
    /// What.
    pub choice: Choice,
    /// Over tag ‖ chain id ‖ era ‖ proposal id ‖ choice.
    pub signature: Signature,
}

impl GovernanceVote {
    /// What is signed.
    pub fn sign_bytes(chain: &ChainContext, proposal: &ProposalId, choice: Choice) -> Vec<u8> {
        vote::preimage(tags::GOVERNANCE_VOTE, chain, &(proposal, choice))
    }
}

/// A decision of the bureaus, with everything that proves it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct GovernanceRecord {
    /// The proposal; its layout is that of the protocol version in force.
    pub proposal: Blob<PROPOSAL_BYTES_MAX>,
    /// Votes, ascending by bureau.
    pub votes: List<GovernanceVote, BUREAUS_MAX>,
    /// Bureaus that could vote when it was decided: later the number is another, and this decision still stands.
    pub members: u32,
    /// The share that it took then.
    pub threshold: Threshold,
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block.
    pub time: TimeMs,
}

impl GovernanceRecord {
    /// H(tag ‖ proposal bytes).
    pub fn proposal_id(&self) -> ProposalId {
        ProposalId(hash::tagged_bytes(tags::GOVERNANCE_PROPOSAL, &self.proposal))
    }
}

/// Why bytes are not the record called for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Of another kind, or too short to have one.
    #[error("not a record of kind {0:?}")]
    Kind(RecordKind),
    /// Of a layout this software does not know.
    #[error("record of unknown version {0}")]
    Version(u8),
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A type that is a record of the log.
pub trait Record: Encode + Decode<()> {
    /// First byte.
    const KIND: RecordKind;
    /// Second byte.
    const VERSION: u8 = 1;

    /// kind ‖ version ‖ encoding: the leaf of the log.
    fn to_record(&self) -> Vec<u8> {
        let mut bytes = vec![Self::KIND.byte(), Self::VERSION];
        bytes.extend(codec::encode(self));
        bytes
    }
    /// Reads a record and refuses one of another kind or version.
    fn from_record(bytes: &[u8]) -> Result<Self, RecordError> {
        match bytes {
            [kind, version, rest @ ..] if *kind == Self::KIND.byte() => {
                if *version != Self::VERSION {
                    return Err(RecordError::Version(*version));
                }
                Ok(codec::decode(rest, RECORD_BYTES_MAX)?)
            }
            _ => Err(RecordError::Kind(Self::KIND)),
        }
    }
}
impl Record for BatchRecord {
    const KIND: RecordKind = RecordKind::Batch;
}
impl Record for GovernanceRecord {
    const KIND: RecordKind = RecordKind::Governance;
}
