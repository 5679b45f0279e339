//! What a node has of enterprises' accounts.

use kanhe_proto::api::{AccountActsAnswer, LeafAnswer, TransactionStatus};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::limits::RECORD_BYTES_MAX;

use super::{JSON_BYTES_MAX, NodeClient, NodeError, OCTETS};

/// Longest answer with acts: a page of records with their proofs, as base64url.
const ACTS_BYTES_MAX: usize = 16 * RECORD_BYTES_MAX;

impl NodeClient {
    /// An account, or that there is none.
    pub fn account(&self, uscc: &Uscc) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/accounts/{uscc}"))
    }
    /// Acts on an account from one on back, or from its last.
    pub fn account_acts(&self, uscc: &Uscc, from: Option<LogIndex>) -> Result<AccountActsAnswer, NodeError> {
        let from = from.map(|index| format!("?from={index}")).unwrap_or_default();
        self.get_json(&format!("/v1/accounts/{uscc}/acts{from}"), ACTS_BYTES_MAX)
    }
    /// Hands in signed acts, the encoding of a [`kanhe_proto::account::AccountPayload`]: the node makes their transaction.
    pub fn account_act(&self, acts: &[u8]) -> Result<TransactionStatus, NodeError> {
        self.post("/v1/accounts/acts", OCTETS, acts, JSON_BYTES_MAX)
    }
}
