//! What a node has of consents, reads and the data that bureaus hold.

use kanhe_proto::api::{ConsentAnswer, ConsentEventsAnswer, DataClassesAnswer, ReadsAnswer, TransactionStatus};
use kanhe_proto::hash::ConsentId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::limits::RECORD_BYTES_MAX;

use super::{JSON_BYTES_MAX, NodeClient, NodeError, OCTETS};

/// Longest answer with records: a page of them with their proofs, as base64url.
const RECORDS_BYTES_MAX: usize = 16 * RECORD_BYTES_MAX;

impl NodeClient {
    /// A consent, or that there is none.
    pub fn consent(&self, id: &ConsentId) -> Result<ConsentAnswer, NodeError> {
        self.get_json(&format!("/v1/consents/{id}"), JSON_BYTES_MAX)
    }
    /// Events of a consent from one on back, or from its last.
    pub fn consent_events(&self, id: &ConsentId, from: Option<LogIndex>) -> Result<ConsentEventsAnswer, NodeError> {
        let from = from.map(|index| format!("?from={index}")).unwrap_or_default();
        self.get_json(&format!("/v1/consents/{id}/events{from}"), RECORDS_BYTES_MAX)
    }
    /// Hands in signed acts, the encoding of a [`kanhe_proto::consent::ConsentPayload`]: the node makes their transaction.
    pub fn consent_acts(&self, acts: &[u8]) -> Result<TransactionStatus, NodeError> {
        self.post("/v1/consents/acts", OCTETS, acts, JSON_BYTES_MAX)
    }
    /// Reads that a source recorded, from a number on.
    pub fn reads_of(&self, source: &Uscc, from: u64) -> Result<ReadsAnswer, NodeError> {
        self.get_json(&format!("/v1/reads?source={source}&from={from}"), RECORDS_BYTES_MAX)
    }
    /// Classes of data that a bureau declared.
    pub fn data_classes(&self, bureau: &Uscc) -> Result<DataClassesAnswer, NodeError> {
        self.get_json(&format!("/v1/registry/data/{bureau}"), RECORDS_BYTES_MAX)
    }
}
