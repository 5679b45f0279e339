//! Why a block is not accepted, and why the chain cannot go on.

use kanhe_proto::certificate::CertificateError;
use kanhe_proto::codec::CodecError;
use kanhe_proto::hash::{Hash, HeaderHash};
use kanhe_proto::ids::{Height, ProtocolVersion};
use kanhe_proto::merkle::MerkleError;

use crate::ledger::map::{MapError, ReadError};
use crate::ledger::{Code, Refusal, Rejection};
use crate::storage::StorageError;

/// Why a block is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Not a block.
    #[error("not a block: {0}")]
    Malformed(CodecError),
    /// The certificate carried is not the one that the header names.
    #[error("the header names another certificate of its parent")]
    OtherCertificate,
    /// The transactions carried are not those that the header commits to.
    #[error("the header commits to other transactions")]
    OtherTransactions,
    /// A signature is wrong. The header does not commit to signatures, so the same header may have a good body.
    #[error("transaction {0}: bad_signature")]
    Signature(usize),
    /// For another height than the one it came for.
    #[error("height {found} where {expected} is next")]
    Height {
        /// In the header.
        found: Height,
        /// Next to the tip.
        expected: Height,
    },
    /// A field of the header is not what it must be on top of the tip, or after execution.
    #[error("the header's {0} is not what it must be")]
    Field(&'static str),
    /// Not later than the parent.
    #[error("not later than its parent")]
    Time,
    /// Named as proposer: nobody of the set, or not the one whose turn it was.
    #[error("proposer {0}")]
    Proposer(&'static str),
    /// The certificate of the parent does not hold.
    #[error("certificate of the parent: {0}")]
    Certificate(CertificateError),
    /// The certificate is of another block, or missing, or there where none may be.
    #[error("certificate of the parent: {0}")]
    NotOfParent(&'static str),
    /// Beyond a parameter.
    #[error("{what}: {found} where {max} are allowed")]
    Limit {
        /// Which.
        what: &'static str,
        /// What the block has.
        found: u64,
        /// What it may have.
        max: u64,
    },
    /// A transaction that does not succeed.
    #[error("transaction {position}: {code}")]
    Transaction {
        /// Its place.
        position: usize,
        /// Why.
        code: Code,
    },
}

impl BlockError {
    /// Whether every body under this header is invalid; if not, a peer merely sent a wrong body for a header that may
    /// be good, and nothing is known about the header.
    pub const fn condemns_header(&self) -> bool {
        !matches!(self, Self::Malformed(_) | Self::OtherCertificate | Self::OtherTransactions | Self::Signature(_))
    }
}

/// Why the chain cannot go on. The process must stop.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The database failed or is damaged.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The state could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A map could not be read or changed.
    #[error(transparent)]
    Map(#[from] MapError),
    /// A log lacks a node.
    #[error("a log of the database is incomplete: {0}")]
    Log(#[from] MerkleError),
    /// A root of the stored content is not the header's.
    #[error("the database is damaged: its {what} is {found}, the header of height {height} says {expected}")]
    Root {
        /// Which.
        what: &'static str,
        /// Of the tip.
        height: Height,
        /// From what is stored.
        found: Hash,
        /// In the header.
        expected: Hash,
    },
    /// Something that must be stored is not.
    #[error("the database is damaged: it lacks {0}")]
    Missing(String),
    /// A quorum certified a block that does not execute to its header here.
    #[error("certified block {header_hash} of height {height} does not execute to its header: {reason}")]
    Mismatch {
        /// Of the block.
        height: Height,
        /// Certified.
        header_hash: HeaderHash,
        /// What differs.
        reason: BlockError,
    },
    /// The bureaus decided on rules that this software does not have.
    #[error("the next block is under protocol version {0}, which this software does not have; hint: upgrade it")]
    Protocol(ProtocolVersion),
    /// Asked to commit what no quorum certified, or not on top of the tip.
    #[error("cannot commit height {height}: {reason}")]
    NotNext {
        /// Asked for.
        height: Height,
        /// Why not.
        reason: String,
    },
}

/// Either the block is wrong, or this node cannot say.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl From<Rejection> for CheckError {
    fn from(rejection: Rejection) -> Self {
        let Rejection { position, refusal } = rejection;
        match refusal {
            Refusal::Code(Code::BadSignature) => BlockError::Signature(position).into(),
            Refusal::Code(code) => BlockError::Transaction { position, code }.into(),
            Refusal::Read(error) => ChainError::from(error).into(),
        }
    }
}
