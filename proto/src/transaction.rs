//! Transactions: what bureaus ask the chain to do.
//!
//! A transaction is the encoding of its body followed by the sender's signature. Its id is the hash of the body's
//! bytes, and the signature is over the id, so neither depends on how anybody re-encodes it.

use bincode::{Decode, Encode};

use crate::account::AccountPayload;
use crate::bounded::{Blob, List};
use crate::case::CasePayload;
use crate::codec::{self, CodecError};
use crate::consent::{ConsentPayload, ReadPayload};
use crate::equivocation::EquivocationPayload;
use crate::governance::GovernancePayload;
use crate::hash::{self, Hash, LicenceDigest, TransactionId};
use crate::identifiers::{TypeCode, TypeVersion, Uscc};
use crate::ids::{LogIndex, ProtocolVersion, TimeMs};
use crate::key::{KeyId, SignError, Signature, Signer};
use crate::limits::{STATUS_CHANGES_MAX, TRANSACTION_BYTES_MAX};
use crate::status::{Reason, Status};
use crate::tags;
use crate::vote::ChainContext;

/// Layout of transactions.
pub const TRANSACTION_VERSION: u8 = 1;

/// What a transaction does. Every kind has its number; a kind is executed only under a protocol version that
/// defines its payload, and refused with `unknown_kind` under others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionKind {
    /// Anchors licences issued together; may change statuses as well.
    IssueBatch,
    /// Changes statuses.
    ChangeStatus,
    /// Proposes, votes, withdraws.
    Governance,
    /// Distrusts a stolen key.
    KeyDistrust,
    /// Brings back an honest batch of a stolen key.
    Reaffirm,
    /// Opens or changes an enterprise's account.
    EnterpriseAccount,
    /// Acts on cases.
    Case,
    /// Gives or withdraws consent.
    Consent,
    /// Records a read of data.
    AccessRecord,
    /// Shows that a validator signed two values.
    Equivocation,
}
crate::ids::byte_enum!(TransactionKind {
    IssueBatch = 1, ChangeStatus = 2, Governance = 3, KeyDistrust = 4, Reaffirm = 5, EnterpriseAccount = 6, Case = 7,
    Consent = 8, AccessRecord = 9, Equivocation = 10,
});

/// What a status change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum StatusTarget {
    /// One licence, by its digest.
    Licence(LicenceDigest),
    /// All licences of a batch.
    Batch(LogIndex),
}

/// One change of status.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StatusChange {
    /// Whose licence or batch.
    pub issuer: Uscc,
    /// Which.
    pub target: StatusTarget,
    /// Set if the sender acts as supervisor of `issuer` for this type.
    pub supervised_type: Option<TypeCode>,
    /// Length of the history that the sender saw: the change is refused if it grew since.
    pub expected_length: u32,
    /// The new status.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// From when on it counts; not later than the block.
    pub effective_from: TimeMs,
}

/// Changes of one transaction, executed all or none.
pub type StatusChanges = List<StatusChange, STATUS_CHANGES_MAX>;

/// Payload of `IssueBatch`, version 1. The sender's key is the one that signed the licences.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct IssueBatch {
    /// Type of all licences.
    pub type_code: TypeCode,
    /// Its version.
    pub type_version: TypeVersion,
    /// RFC 9162 root over licence digests in random order.
    pub root: Hash,
    /// Number of licences.
    pub count: u32,
    /// Statuses changed with it: a renewal supersedes what it replaces.
    pub changes: StatusChanges,
}

/// Payload of `ChangeStatus`, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChangeStatus {
    /// At least one.
    pub changes: StatusChanges,
}

/// A payload as sent: its kind may be unknown here.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RawPayload {
    /// A [`TransactionKind`], if known.
    pub kind: u8,
    /// Layout of the content.
    pub version: u8,
    /// Encoding of the kind's payload.
    pub content: Blob<TRANSACTION_BYTES_MAX>,
}

/// A payload that this protocol version executes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// See [`IssueBatch`].
    IssueBatch(IssueBatch),
    /// See [`ChangeStatus`].
    ChangeStatus(ChangeStatus),
    /// See [`GovernancePayload`]; from protocol version 2 on.
    Governance(GovernancePayload),
    /// See [`EquivocationPayload`]; from protocol version 2 on.
    Equivocation(EquivocationPayload),
    /// See [`CasePayload`]; from protocol version 3 on.
    Case(CasePayload),
    /// See [`ConsentPayload`]; from protocol version 3 on.
    Consent(ConsentPayload),
    /// See [`ReadPayload`]; from protocol version 3 on.
    AccessRecord(ReadPayload),
    /// See [`AccountPayload`]; from protocol version 3 on.
    EnterpriseAccount(AccountPayload),
}

/// Why a payload is not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// No payload of this kind and version is executed under the protocol version in force.
    #[error("kind {kind} version {version} is not executed by this protocol version")]
    UnknownKind {
        /// The kind's number.
        kind: u8,
        /// Its layout.
        version: u8,
    },
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Payload {
    /// As it is sent.
    pub fn to_raw(&self) -> RawPayload {
        let (kind, content) = match self {
            Self::IssueBatch(payload) => (TransactionKind::IssueBatch, codec::encode(payload)),
            Self::ChangeStatus(payload) => (TransactionKind::ChangeStatus, codec::encode(payload)),
            Self::Governance(payload) => (TransactionKind::Governance, codec::encode(payload)),
            Self::Equivocation(payload) => (TransactionKind::Equivocation, codec::encode(payload)),
            Self::Case(payload) => (TransactionKind::Case, codec::encode(payload)),
            Self::Consent(payload) => (TransactionKind::Consent, codec::encode(payload)),
            Self::AccessRecord(payload) => (TransactionKind::AccessRecord, codec::encode(payload)),
            Self::EnterpriseAccount(payload) => (TransactionKind::EnterpriseAccount, codec::encode(payload)),
        };
        let content = Blob::new(content).expect("bounded lists keep payloads within the limit");
        RawPayload { kind: kind.byte(), version: 1, content }
    }
    /// Reads what was sent, under the rules of the block that is to execute it.
    pub fn from_raw(raw: &RawPayload, protocol: ProtocolVersion) -> Result<Self, PayloadError> {
        let unknown = PayloadError::UnknownKind { kind: raw.kind, version: raw.version };
        if raw.version != 1 {
            return Err(unknown);
        }
        let governed = protocol >= ProtocolVersion(2);
        let has_cases = protocol >= ProtocolVersion(3);
        match TransactionKind::from_byte(raw.kind) {
            Some(TransactionKind::IssueBatch) => {
                Ok(Self::IssueBatch(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            Some(TransactionKind::ChangeStatus) => {
                Ok(Self::ChangeStatus(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            Some(TransactionKind::Governance) if governed => {
                Ok(Self::Governance(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            Some(TransactionKind::Equivocation) if governed => {
                Ok(Self::Equivocation(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            Some(TransactionKind::Case) if has_cases => {
                Ok(Self::Case(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            Some(TransactionKind::Consent) if has_cases => {
                Ok(Self::Consent(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            Some(TransactionKind::AccessRecord) if has_cases => {
                Ok(Self::AccessRecord(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            Some(TransactionKind::EnterpriseAccount) if has_cases => {
                Ok(Self::EnterpriseAccount(codec::decode(&raw.content, TRANSACTION_BYTES_MAX)?))
            }
            _ => Err(unknown),
        }
    }
}

/// Everything of a transaction but the signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TransactionBody {
    /// Layout: 1.
    pub version: u8,
    /// Chain and era.
    pub chain: ChainContext,
    /// The bureau that sends it.
    pub sender: Uscc,
    /// The key that signs it.
    pub key: KeyId,
    /// Block time after which it is void; at most an hour ahead.
    pub expiry: TimeMs,
    /// What it does.
    pub payload: RawPayload,
}

impl TransactionBody {
    /// H(tag ‖ bytes before the signature).
    pub fn id(&self) -> TransactionId {
        TransactionId(hash::tagged(tags::TRANSACTION, self))
    }
    /// Signs it.
    pub fn sign(self, signer: &dyn Signer) -> Result<Transaction, SignError> {
        let signature = signer.sign(&Transaction::sign_bytes(&self.id()))?;
        Ok(Transaction { body: self, signature })
    }
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Transaction {
    /// What is signed.
    pub body: TransactionBody,
    /// By the sender's key, over tag ‖ id.
    pub signature: Signature,
}

impl Transaction {
    /// What the sender signs.
    pub fn sign_bytes(id: &TransactionId) -> Vec<u8> {
        [tags::TRANSACTION_SIGN.bytes().as_slice(), id.bytes()].concat()
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads a transaction of anyone, with its id.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, TransactionId), CodecError> {
        let transaction: Self = codec::decode(bytes, TRANSACTION_BYTES_MAX)?;
        // The encoding is canonical: what precedes the signature is the body's encoding.
        let signature_len = 1 + 8 + transaction.signature.bytes.len();
        let id = hash::tagged_bytes(tags::TRANSACTION, &bytes[..bytes.len() - signature_len]);
        Ok((transaction, TransactionId(id)))
    }
}
