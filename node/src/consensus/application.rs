//! What the consensus asks of the chain: state machine, storage and mempool behind one trait.
//!
//! Every method may block on disk; the consensus calls them from threads that may. A body is durable before
//! [`Application::keep`] and [`Application::check`] return; a commit is one durable write.

use std::sync::Arc;

use bytes::Bytes;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round, SpanMs, TimeMs};
use kanhe_proto::key::Signature;
use kanhe_proto::validators::{Address, ValidatorSet};
use kanhe_proto::vote::{Proposal, Vote};
use tokio::sync::watch;

/// Why the chain cannot answer. Both stop the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationError {
    /// A read or durable write failed, or what should be stored is not.
    #[error("{0}")]
    Storage(String),
    /// A certified block does not execute to its header.
    #[error("{0}")]
    Mismatch(String),
}

/// The last committed block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its number; 0 is genesis.
    pub height: Height,
    /// Its hash.
    pub header_hash: HeaderHash,
    /// Its time.
    pub time: TimeMs,
    /// Parameter: an idle chain makes a block this long after the last.
    pub heartbeat: SpanMs,
}

/// A turn to propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Block number.
    pub height: Height,
    /// Attempt.
    pub round: Round,
    /// Whose turn.
    pub proposer: Address,
}

/// A block built here, not yet proposed.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Hash of its header.
    pub header_hash: HeaderHash,
    /// Encoding of the block.
    pub body: Bytes,
}

/// How a body came, which decides what it is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The height it is for.
    pub height: Height,
    /// Who must be named as proposer; nobody in particular for a block proposed again or synced, but always a
    /// member of that height's set.
    pub proposer: Option<Address>,
    /// Came with a certificate: the clock does not matter.
    pub synced: bool,
}

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Executes to its header, and is durable.
    Valid(HeaderHash),
    /// Never to be voted for; without a hash if it is not even a block.
    Invalid {
        /// Hash of the header, if there is one.
        header_hash: Option<HeaderHash>,
        /// Why.
        reason: String,
    },
    /// Ahead of this node's clock: ask again in a later round.
    NotYet {
        /// Hash of the header.
        header_hash: HeaderHash,
        /// When it may be asked again.
        until: TimeMs,
    },
}

/// A committed block with what proves it.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Encoding of the block.
    pub body: Bytes,
    /// A quorum's certificate.
    pub certificate: Certificate,
}

/// Two messages of one validator that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Equivocation {
    /// Two votes.
    Votes(Box<[(Vote, Signature); 2]>),
    /// Two proposals.
    Proposals(Box<[(Proposal, Signature); 2]>),
}

/// The chain behind the consensus.
pub trait Application: Send + Sync + 'static {
    /// The last committed block.
    fn tip(&self) -> Tip;

    /// The set that certifies a height: any committed one, and the next.
    fn validator_set(&self, height: Height) -> Option<Arc<ValidatorSet>>;

    /// Builds a block for a turn on top of the tip, carrying the parent's certificate (none for block 1). An empty
    /// block is fine, and where building takes long, a small one. Called ahead of time where the turn is known; a
    /// candidate may be proposed in any later turn at its height.
    fn candidate(&self, slot: &Slot, last_certificate: Option<&Certificate>) -> Result<Candidate, ApplicationError>;

    /// A candidate was proposed, and its round ended without a decision: it may be too much for the others.
    fn missed(&self, _header_hash: &HeaderHash) {}

    /// Stores the body of a candidate, durably, before it is proposed.
    fn keep(&self, height: Height, candidate: &Candidate) -> Result<(), ApplicationError>;

    /// Checks and executes a body on top of the tip, and stores it durably before it answers
    /// [`Check::Valid`]. Kept until its height is decided.
    fn check(&self, body: &Bytes, origin: &Origin) -> Result<Check, ApplicationError>;

    /// A body answered valid or kept, or committed.
    fn body(&self, header_hash: &HeaderHash) -> Result<Option<Bytes>, ApplicationError>;

    /// Bodies stored for a height that is not decided: what a restart finds.
    fn undecided(&self, height: Height) -> Result<Vec<HeaderHash>, ApplicationError>;

    /// Commits the block next to the tip, by its certificate, in one durable write.
    fn commit(&self, certificate: &Certificate) -> Result<Tip, ApplicationError>;

    /// The tip's certificate with every signature that came in time, and who equivocated. The next candidate gets the
    /// same certificate.
    fn finalized(&self, certificate: &Certificate, equivocations: Vec<Equivocation>);

    /// A committed block.
    fn decided(&self, height: Height) -> Result<Option<Decided>, ApplicationError>;

    /// The certificate of a committed block, also where the block itself is not kept.
    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ApplicationError> {
        Ok(self.decided(height)?.map(|decided| decided.certificate))
    }

    /// The lowest height that [`Self::decided`] answers.
    fn earliest(&self) -> Height;

    /// Whether transactions wait.
    fn work(&self) -> watch::Receiver<bool>;
}
