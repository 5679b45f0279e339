//! What the state map keeps of governance: open proposals, and who is alive.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::GovernanceVotes;
use crate::bounded::{Blob, List};
use crate::hash::{self, MapKey, ProposalId};
use crate::identifiers::Uscc;
use crate::ids::{Height, TimeMs};
use crate::limits::{OPEN_PROPOSALS_MAX, PROPOSAL_BYTES_MAX, VALIDATORS_MAX};
use crate::map_value::{Kind, MapValue};
use crate::tags;
use crate::validators::Address;

/// Content of an open proposal: written once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ProposalContent {
    /// Encoding of a [`super::Proposal`].
    pub proposal: Blob<PROPOSAL_BYTES_MAX>,
}
impl MapValue for ProposalContent {
    const KIND: Kind = Kind::ProposalContent;
}

/// Votes on an open proposal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ProposalVotes {
    /// Who proposed it.
    pub proposer: Uscc,
    /// When it ends.
    pub expires: TimeMs,
    /// Block that took it.
    pub height: Height,
    /// The last vote of each bureau.
    pub votes: GovernanceVotes,
}
impl MapValue for ProposalVotes {
    const KIND: Kind = Kind::ProposalVotes;
}

/// An open proposal, as far as limits and sweeping need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct OpenProposal {
    /// Which.
    pub id: ProposalId,
    /// Who proposed it.
    pub proposer: Uscc,
    /// When it ends.
    pub expires: TimeMs,
}

/// All open proposals, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct OpenProposals {
    /// The proposals.
    pub open: List<OpenProposal, OPEN_PROPOSALS_MAX>,
}
impl MapValue for OpenProposals {
    const KIND: Kind = Kind::OpenProposals;
}

/// The last height whose committed certificate a validator signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct LastSigned {
    /// Who.
    pub address: Address,
    /// When.
    pub height: Height,
}

/// Who signed when, ascending by address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Alive {
    /// One entry for each validator that ever signed and is still in the set.
    pub last: List<LastSigned, VALIDATORS_MAX>,
}
impl MapValue for Alive {
    const KIND: Kind = Kind::Alive;
}

/// Where the content of an open proposal is kept.
pub fn proposal_content_key(id: &ProposalId) -> MapKey {
    MapKey(hash::tagged(tags::PROPOSAL_CONTENT, id))
}
/// Where its votes are kept.
pub fn proposal_votes_key(id: &ProposalId) -> MapKey {
    MapKey(hash::tagged(tags::PROPOSAL_VOTES, id))
}
/// Where the list of open proposals is kept.
pub fn open_proposals_key() -> MapKey {
    MapKey(hash::tagged(tags::OPEN_PROPOSALS, &()))
}
/// Where the last signed heights are kept.
pub fn alive_key() -> MapKey {
    MapKey(hash::tagged(tags::ALIVE, &()))
}
