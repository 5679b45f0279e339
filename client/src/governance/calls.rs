//! What a node is asked about governance.

use kanhe_proto::api::{KeysAnswer, LeafAnswer, ProposalAnswer, ProposalEffects, ProposalsAnswer};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::limits::MAP_VALUE_BYTES_MAX;

use crate::node::{NodeClient, NodeError};

/// Longest answer: many registry records, each before and after, as base64url.
const ANSWER_BYTES_MAX: usize = 64 * MAP_VALUE_BYTES_MAX;
const OCTETS: &str = "application/octet-stream";

impl NodeClient {
    /// All open proposals.
    pub fn proposals(&self) -> Result<ProposalsAnswer, NodeError> {
        self.get_json("/v1/proposals", ANSWER_BYTES_MAX)
    }
    /// An open proposal, or the proof that it is not open.
    pub fn proposal(&self, id: &ProposalId) -> Result<ProposalAnswer, NodeError> {
        self.get_json(&format!("/v1/proposals/{id}"), ANSWER_BYTES_MAX)
    }
    /// What a proposal would do: the node's word.
    pub fn dry_run(&self, proposal: &[u8]) -> Result<ProposalEffects, NodeError> {
        self.post("/v1/proposals/dry-run", OCTETS, proposal, ANSWER_BYTES_MAX)
    }
    /// All keys of a bureau, also those that have ended.
    pub fn keys(&self, bureau: &Uscc) -> Result<KeysAnswer, NodeError> {
        self.get_json(&format!("/v1/registry/keys/{bureau}"), ANSWER_BYTES_MAX)
    }
    /// What was decided and takes effect later.
    pub fn schedule(&self) -> Result<LeafAnswer, NodeError> {
        self.get_json("/v1/registry/schedule", ANSWER_BYTES_MAX)
    }
    /// The seats of the validators.
    pub fn seats(&self) -> Result<LeafAnswer, NodeError> {
        self.get_json("/v1/registry/seats", ANSWER_BYTES_MAX)
    }
}
