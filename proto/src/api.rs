//! What the HTTP API of a node sends and takes, as JSON.
//!
//! Everything provable travels as the base64url of its canonical encoding, next to what a person would read. A client
//! checks the encoding and ignores the rest; what has no proof is marked `unproven` and never enters a verdict.

use serde::{Deserialize, Serialize};

use crate::bounded::Blob;
use crate::governance::{LastSigned, Tally};
use crate::hash::{CaseId, Commitment, LicenceDigest, ProposalId, TransactionId};
use crate::identifiers::Uscc;
use crate::ids::{Height, LogIndex, TimeMs};
use crate::item::{ItemCode, ItemVersion};
use crate::key::KeyId;
use crate::limits::{EVIDENCE_BYTES_MAX, HAND_OVER_BYTES_MAX, MAP_VALUE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::validators::{Address, ValidatorSet};

/// Evidence asked for in one request.
pub const EVIDENCE_MANY_MAX: usize = 256;
/// Longest time that a long-poll waits, in seconds.
pub const WAIT_MAX_SECONDS: u64 = 30;

/// Encoding of a [`crate::proof::CertifiedHeader`].
pub type CertifiedBytes = Blob<{ 32 << 10 }>;

/// Encoding of a [`crate::proof::ProvedRecord`].
pub type RecordBytes = Blob<{ RECORD_BYTES_MAX + (8 << 10) }>;

/// State of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// In the node's pool.
    Pending,
    /// In a block; proved.
    Committed,
    /// Refused; `code` says why.
    Rejected,
    /// Its time ran out in the pool.
    Expired,
    /// Never seen, or forgotten.
    Unknown,
}

/// Answer to a transaction's submission or to the question about its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TransactionStatus {
    /// Which.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: TransactionId,
    /// Its state.
    pub state: TransactionState,
    /// True for every state but `committed`: the node's word alone.
    pub unproven: bool,
    /// Block that holds it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// Stable code of the rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Encoding of a [`crate::proof::ProvedTransaction`].
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Blob<{ 64 << 10 }>>,
    /// The batch that it anchored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchAnswer>,
}

/// A batch in the log, proved under a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchAnswer {
    /// Its id: the position in the log.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub id: LogIndex,
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of a [`crate::proof::ProvedRecord`] under that header.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub record: RecordBytes,
}

/// A leaf of the registry or of the state, or its proved absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeafAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of a [`crate::proof::ProvedLeaf`] under that header.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub leaf: Blob<{ MAP_VALUE_BYTES_MAX + (16 << 10) }>,
}

/// The keys of a bureau, also those that have ended, each proved. That there is no other is the node's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeysAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encodings of the [`crate::proof::ProvedLeaf`] of each [`crate::registry::KeyEntry`] under that header: first those
    /// that have ended, then by their beginning; of more than 256 the last ones.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub keys: Vec<LeafBytes>,
}

/// A certified header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeaderAnswer {
    /// Its height.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub height: Height,
    /// Its hash.
    pub header_hash: String,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
}

/// What a light client needs to get from a height to now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrustAnswer {
    /// Encodings of [`crate::hand_over::HandOver`], ascending.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub hand_overs: Vec<Blob<HAND_OVER_BYTES_MAX>>,
    /// Encoding of the newest [`crate::proof::CertifiedHeader`]; none while the chain has only genesis.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub newest: Option<CertifiedBytes>,
}

/// Which licence evidence is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceQuery {
    /// Its batch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub batch: LogIndex,
    /// Its digest.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: LicenceDigest,
}

/// Evidence of one licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceAnswer {
    /// Encoding of an [`crate::evidence::Evidence`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub evidence: Blob<EVIDENCE_BYTES_MAX>,
}

/// Many questions for evidence, at most [`EVIDENCE_MANY_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceMany {
    /// Which licences.
    pub licences: Vec<EvidenceQuery>,
}

/// Their answers, in order, all under one header; nothing for a batch that does not exist: either the log that the header
/// commits to ends before it, or `/v1/records/{batch}` shows that the record is not of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceManyAnswer {
    /// Encoding of the [`crate::proof::CertifiedHeader`] under which all was read.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Evidence by question.
    pub evidence: Vec<Option<EvidenceAnswer>>,
}

/// How a node does: its own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeStatus {
    /// Always true.
    pub unproven: bool,
    /// The chain as in DIDs.
    pub chain: String,
    /// Its id.
    pub chain_id: String,
    /// Height of its tip.
    pub height: u64,
    /// Hash of its tip.
    pub header_hash: String,
    /// Time of its tip, in milliseconds since 1970.
    pub time_ms: u64,
    /// Records in the log.
    pub log_size: u64,
    /// Transactions waiting.
    pub pending: u64,
    /// Connected peers.
    pub peers: u64,
    /// Whether it follows the chain and answers.
    pub ready: bool,
    /// Version of the software.
    pub version: String,
}

/// An error, as RFC 9457 has it. Where the chain has not what is asked for, `certified` and `record` prove it; without
/// them it is the node's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:kanhe:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short and stable.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// What happened here.
    pub detail: String,
    /// Encoding of a [`crate::proof::CertifiedHeader`]: with `not_found`, the newest, above which there is no block and
    /// beyond whose `log_size` there is no record.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified: Option<Box<CertifiedBytes>>,
    /// Encoding of a [`crate::proof::ProvedRecord`] under that header, where the log has a record of another kind.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RecordBytes>>,
}

impl Problem {
    /// A problem without a proof.
    pub fn new(status: u16, code: &str, title: &str, detail: String) -> Self {
        let kind = format!("urn:kanhe:problem:{code}");
        let (title, code) = (title.to_owned(), code.to_owned());
        Self { kind, title, status, code, detail, certified: None, record: None }
    }
}

/// Sealed mail was taken in: the node's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailReceipt {
    /// Always true.
    pub unproven: bool,
    /// Under which the answer is asked for.
    pub id: String,
}

/// What an issuer's process must sign to get at its mail: see [`crate::mail::QueueProof`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailChallenge {
    /// 32 random bytes, good once and for a minute.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub challenge: Blob<32>,
}

/// Mail that waits for the issuer; it stays until it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailQueue {
    /// Encodings of [`crate::mail::MailRequest`], oldest first.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub requests: Vec<Blob<{ crate::mail::MAIL_BYTES_MAX }>>,
    /// Whether more wait than fit in one answer.
    pub more: bool,
}

/// Answers of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailAnswers {
    /// Encoding of a [`crate::mail::QueueProof`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub proof: Blob<{ crate::mail::QUEUE_PROOF_BYTES_MAX }>,
    /// Encodings of [`crate::mail::MailAnswer`].
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub answers: Vec<Blob<{ crate::mail::MAIL_BYTES_MAX }>>,
}

/// All open proposals, proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalsAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of [`crate::governance::OpenProposals`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub open: LeafBytes,
}

/// One open proposal, or the proof that it is not open, with what it would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of [`crate::governance::ProposalContent`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub content: LeafBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of [`crate::governance::ProposalVotes`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub votes: LeafBytes,
    /// Nothing if it is not open.
    pub effects: Option<ProposalEffects>,
}

/// Encoding of a [`crate::proof::ProvedLeaf`].
pub type LeafBytes = Blob<{ MAP_VALUE_BYTES_MAX + (16 << 10) }>;

/// What a proposal would do if it were executed now: the node's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalEffects {
    /// Always true.
    pub unproven: bool,
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: ProposalId,
    /// Height of the state that it was tried on.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub height: Height,
    /// Whose word it takes, and how its votes stand.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tally: Tally,
    /// Why it could not be executed now; a stable code.
    pub refusal: Option<String>,
    /// Registry records that would change.
    pub changes: Vec<RegistryChange>,
    /// The set of this epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub validators: ValidatorSet,
    /// The set of the next epoch, if every seat that was given is taken.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub next_validators: Option<ValidatorSet>,
    /// Validators of this epoch that signed one of the last certificates.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub living: Vec<Address>,
    /// When each of them last signed.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub last_signed: Vec<LastSigned>,
}

/// A registry record before and after: encodings of its value, kind and version first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegistryChange {
    /// Nothing if it is new.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub before: Option<Blob<MAP_VALUE_BYTES_MAX>>,
    /// As it would be.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub after: Blob<MAP_VALUE_BYTES_MAX>,
}

/// Acts on an account in one answer.
pub const ACCOUNT_ACTS_PAGE: usize = 64;

/// Acts on an enterprise's account, proved under one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountActsAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of the [`crate::account::EnterpriseAccount`], or of its absence.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub leaf: LeafBytes,
    /// Encodings of [`crate::proof::ProvedRecord`], the newest first; [`crate::account::AccountHistory`] checks them.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub acts: Vec<RecordBytes>,
    /// From where to ask on; nothing if the last one here is the opening.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub next: Option<LogIndex>,
}

/// Encoding of a [`crate::merkle::log::Frontier`]: at most 63 hashes.
pub type FrontierBytes = Blob<{ 4 << 10 }>;
/// Encoding of a [`crate::merkle::log::ConsistencyProof`]: at most 64 hashes.
pub type ConsistencyBytes = Blob<{ 4 << 10 }>;

/// The log as it was at a size that a header commits to. The frontier is checked against that header's `log_root`, the
/// proof against the roots of both sizes: no header is needed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogAnswer {
    /// The roots of its largest complete subtrees: encoding of a [`crate::merkle::log::Frontier`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub frontier: FrontierBytes,
    /// That it begins with itself at the earlier size that was asked about: encoding of a
    /// [`crate::merkle::log::ConsistencyProof`].
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<ConsistencyBytes>,
}

/// Events in one answer.
pub const CASE_EVENTS_PAGE: usize = 64;
/// Cases, or steps, in one answer.
pub const CASES_PAGE: usize = 256;

/// Events of a case, proved under one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseEventsAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of the [`crate::case::Case`], or of its absence.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub leaf: LeafBytes,
    /// Encodings of [`crate::proof::ProvedRecord`], the newest first; [`crate::case::EventList`] checks them.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub events: Vec<RecordBytes>,
    /// From where to ask on; nothing if the last one here is the opening.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub next: Option<LogIndex>,
}

/// A step that is ready for longer than its limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OverdueStep {
    /// The case.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub case: CaseId,
    /// Its item.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub item: ItemCode,
    /// The item's version.
    #[cfg_attr(feature = "openapi", schema(value_type = u32))]
    pub version: ItemVersion,
    /// Place of the step in the item.
    pub step: u8,
    /// Whose it is to decide.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub bureau: Uscc,
    /// By when it was to be decided, in milliseconds since 1970.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub due_ms: TimeMs,
}

/// Overdue steps of open cases, the longest overdue first. That a step is overdue is shown by the leaf of its case; that
/// none is left out is the node's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OverdueAnswer {
    /// Always true.
    pub unproven: bool,
    /// The block as of which it is.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub height: Height,
    /// The steps.
    pub steps: Vec<OverdueStep>,
    /// What to ask on with, if there may be more.
    pub next: Option<String>,
}

/// Open cases of a bureau, ascending by id: the node's word, to be checked by their leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CasesAnswer {
    /// Always true.
    pub unproven: bool,
    /// The block as of which it is.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub height: Height,
    /// The cases.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub cases: Vec<CaseId>,
    /// What to ask on with, if there may be more.
    pub next: Option<String>,
}

/// Ready steps in one answer.
pub const READY_PAGE: usize = 512;

/// A step that is a bureau's turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadyStep {
    /// The case.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub case: CaseId,
    /// Place of the step in the item.
    pub step: u8,
    /// The step's round.
    pub round: u32,
    /// By when it is to be decided, in milliseconds since 1970.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub due_ms: TimeMs,
}

/// Steps that are a bureau's turn, what is due first at the front: the node's word, to be checked by the leaves of their cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadyAnswer {
    /// Always true.
    pub unproven: bool,
    /// The block as of which it is.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub height: Height,
    /// The steps. There may be none on a page that is not the last.
    pub steps: Vec<ReadyStep>,
    /// What to ask on with, if there may be more.
    pub next: Option<String>,
}

/// Cases in one question for their proofs.
pub const CASES_PROVED_MAX: usize = 128;
/// Once an answer has so many bytes of proofs it ends, and the rest is asked for anew.
pub const CASES_PROVED_BYTES: usize = 1 << 20;
/// Longest question for proofs.
pub const CASES_QUESTION_BYTES_MAX: usize = 16 << 10;

/// Cases of which proofs are wanted, at most [`CASES_PROVED_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CasesQuestion {
    /// The cases.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub cases: Vec<CaseId>,
    /// Whether their newest events are wanted as well.
    pub events: bool,
}

/// A case among several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseProved {
    /// Encoding of the [`crate::proof::ProvedLeaf`] of the [`crate::case::Case`], or of its absence.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub leaf: LeafBytes,
    /// Encodings of [`crate::proof::ProvedRecord`], the newest first; none unless they were asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub events: Vec<RecordBytes>,
}

/// Proofs of several cases under one header: of the first of those that were asked for, at least of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CasesProvedAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// In the order of the question.
    pub cases: Vec<CaseProved>,
}

/// Case files in one answer.
pub const CASE_FILES_PAGE: usize = 256;

/// How much of a case file a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseFileState {
    /// Parts of the whole.
    pub parts: u16,
    /// Parts that were written here, durably.
    pub stored: u16,
    /// Whether a node of its recipient has all of them: its word.
    pub delivered: bool,
}

/// A case file that waits, whole, for its recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseFileListed {
    /// The case.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub case: CaseId,
    /// To its content.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub commitment: Commitment,
    /// The key under which its author acts in the case.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub author: KeyId,
    /// Its parts.
    pub parts: u16,
}

/// Case files that a node has whole for its bureau, ascending by case, commitment and author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseFilesAnswer {
    /// The files, at most [`CASE_FILES_PAGE`].
    pub files: Vec<CaseFileListed>,
    /// What to ask on with, if there may be more.
    pub next: Option<String>,
}

/// A consent, or the proof that there is none now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of the [`crate::consent::Consent`], or of its absence.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub leaf: LeafBytes,
    /// Whether the node has seen a withdrawal that is in no block yet: its word. A source serves nothing then.
    pub withdrawing: bool,
}

/// Events of a consent, proved under one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentEventsAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of the [`crate::consent::Consent`], or of its absence.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub leaf: LeafBytes,
    /// Encodings of [`crate::proof::ProvedRecord`], the newest first; [`crate::consent::ConsentHistory`] checks them.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub events: Vec<RecordBytes>,
    /// From where to ask on; nothing if the last one here is the grant.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub next: Option<LogIndex>,
}

/// Reads in one answer.
pub const READS_PAGE: usize = 128;

/// Reads that a source recorded, ascending by number, proved under one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadsAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of the [`crate::consent::SourceReads`], or of its absence: how many there
    /// are.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub leaf: LeafBytes,
    /// Encodings of [`crate::proof::ProvedRecord`], at most [`READS_PAGE`]; [`crate::consent::ReadList`] checks them.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub reads: Vec<RecordBytes>,
    /// Number to ask on with; nothing if the last one is here.
    pub next: Option<u64>,
}

/// All classes of data of a bureau, proved under one header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataClassesAnswer {
    /// Encoding of a [`crate::proof::CertifiedHeader`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub certified: CertifiedBytes,
    /// Encoding of the [`crate::proof::ProvedLeaf`] of the [`crate::registry::DataCatalogue`], or of its absence: which there
    /// are.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub catalogue: LeafBytes,
    /// Encodings of the [`crate::proof::ProvedLeaf`] of each [`crate::registry::DataClass`], in the order of the catalogue.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub classes: Vec<LeafBytes>,
}
