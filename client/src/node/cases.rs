//! What a node has of cases, and their files.

use kanhe_proto::api::{
    CASES_PROVED_BYTES, CaseEventsAnswer, CaseFileState, CasesProvedAnswer, CasesQuestion, LeafAnswer, OverdueAnswer,
    ReadyAnswer, TransactionStatus,
};
use kanhe_proto::case_file::PART_ENCODED_BYTES_MAX;
use kanhe_proto::hash::{CaseId, Commitment};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::RECORD_BYTES_MAX;

use super::{JSON_BYTES_MAX, NodeClient, NodeError, OCTETS, percent};

/// Longest answer with events: a page of records with their proofs, as base64url.
const EVENTS_BYTES_MAX: usize = 16 * RECORD_BYTES_MAX;
/// Longest answer with proofs of several cases: it may exceed its portion by one record.
const PROVED_BYTES_MAX: usize = 2 * (CASES_PROVED_BYTES + RECORD_BYTES_MAX);

impl NodeClient {
    /// A case, or that there is none.
    pub fn case(&self, id: &CaseId) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/cases/{id}"))
    }
    /// Events of a case from one on back, or from its last.
    pub fn case_events(&self, id: &CaseId, from: Option<LogIndex>) -> Result<CaseEventsAnswer, NodeError> {
        let from = from.map(|index| format!("?from={index}")).unwrap_or_default();
        self.get_json(&format!("/v1/cases/{id}/events{from}"), EVENTS_BYTES_MAX)
    }
    /// Steps that are a bureau's turn: the node's word.
    pub fn cases_ready(&self, bureau: &Uscc, after: Option<&str>) -> Result<ReadyAnswer, NodeError> {
        let after = after.map(|after| format!("&after={}", percent(after))).unwrap_or_default();
        self.get_json(&format!("/v1/cases/ready?bureau={bureau}{after}"), JSON_BYTES_MAX)
    }
    /// Proofs of several cases, at most [`kanhe_proto::api::CASES_PROVED_MAX`], with their newest events if they are wanted.
    pub fn cases_proved(&self, question: &CasesQuestion) -> Result<CasesProvedAnswer, NodeError> {
        self.post_json("/v1/cases/proved", question, PROVED_BYTES_MAX)
    }
    /// Steps that are open for longer than their limit: the node's word.
    pub fn cases_overdue(&self, after: Option<&str>) -> Result<OverdueAnswer, NodeError> {
        self.get_json(&format!("/v1/cases/overdue{}", after_of(after)), JSON_BYTES_MAX)
    }
    /// Hands in signed acts, the encoding of a [`kanhe_proto::case::CasePayload`]: the node makes their transaction.
    pub fn case_acts(&self, acts: &[u8]) -> Result<TransactionStatus, NodeError> {
        self.post("/v1/cases/acts", OCTETS, acts, JSON_BYTES_MAX)
    }

    /// Hands in a part of a case file; it is durable there when this returns.
    pub fn send_file_part(&self, part: &[u8]) -> Result<CaseFileState, NodeError> {
        self.post("/v1/cases/files", OCTETS, part, JSON_BYTES_MAX)
    }
    /// How much of a case file is there, and whether its recipient has it.
    pub fn file_state(
        &self,
        to: &Uscc,
        case: &CaseId,
        commitment: &Commitment,
        author: &KeyId,
    ) -> Result<CaseFileState, NodeError> {
        self.get_json(&format!("/v1/cases/files/{to}/{case}/{commitment}/{author}"), JSON_BYTES_MAX)
    }
    /// A part of a case file, for the bureau that proves itself (a [`kanhe_proto::mail::QueueProof`]).
    pub fn file_part(
        &self,
        proof: &[u8],
        case: &CaseId,
        commitment: &Commitment,
        author: &KeyId,
        place: u16,
    ) -> Result<Vec<u8>, NodeError> {
        let path = format!("/v1/cases/files/{case}/{commitment}/{author}/{place}");
        self.sent(&path, OCTETS, proof, PART_ENCODED_BYTES_MAX)
    }
}

fn after_of(after: Option<&str>) -> String {
    after.map(|after| format!("?after={}", percent(after))).unwrap_or_default()
}
