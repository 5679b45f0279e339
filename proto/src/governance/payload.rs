//! What a governance transaction carries.

use bincode::{Decode, Encode};

use crate::bounded::{Blob, List};
use crate::hash::ProposalId;
use crate::identifiers::Uscc;
use crate::key::{KeyId, PublicKey, Signature};
use crate::limits::{BUREAUS_MAX, PROPOSAL_BYTES_MAX};
use crate::record::GovernanceVote;
use crate::tags;
use crate::vote::{self, ChainContext};

/// Votes, strictly ascending by bureau.
pub type GovernanceVotes = List<GovernanceVote, BUREAUS_MAX>;

/// Payload of `Governance`, version 1. Any member sends it, with an issuing or governance key: what counts is signed
/// inside. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum GovernancePayload {
    /// A proposal, with the proposer's yes among the votes.
    Propose {
        /// Encoding of a [`super::Proposal`].
        proposal: Blob<PROPOSAL_BYTES_MAX>,
        /// At least the proposer's.
        votes: GovernanceVotes,
    },
    /// Votes on an open proposal.
    Vote {
        /// Which.
        proposal: ProposalId,
        /// At least one.
        votes: GovernanceVotes,
    },
    /// The proposer takes an open proposal back.
    Withdraw {
        /// Which.
        proposal: ProposalId,
        /// The proposer.
        bureau: Uscc,
        /// Its governance key.
        key: KeyId,
        /// Over [`withdraw_bytes`].
        signature: Signature,
    },
    /// A validator takes the seat that it was given.
    Activate {
        /// Whose.
        bureau: Uscc,
        /// Its key.
        key: PublicKey,
        /// The proposal that gave the seat, so that an old signature takes no seat given anew.
        proposal: ProposalId,
        /// By that key, over [`activate_bytes`].
        signature: Signature,
    },
}

/// tag ‖ chain ‖ proposal id: what the proposer's governance key signs to withdraw.
pub fn withdraw_bytes(chain: &ChainContext, proposal: &ProposalId) -> Vec<u8> {
    vote::preimage(tags::GOVERNANCE_WITHDRAW, chain, proposal)
}

/// tag ‖ chain ‖ bureau ‖ proposal id: what a validator key signs to take its seat.
pub fn activate_bytes(chain: &ChainContext, bureau: &Uscc, proposal: &ProposalId) -> Vec<u8> {
    vote::preimage(tags::GOVERNANCE_ACTIVATE, chain, &(bureau, proposal))
}
