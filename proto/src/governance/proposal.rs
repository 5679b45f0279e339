//! A proposal: what is to be done, who proposes it, until when it can be decided.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Action, DecidedBy};
use crate::bounded::{List, Text};
use crate::codec::{self, CodecError};
use crate::hash::{self, ProposalId};
use crate::identifiers::Uscc;
use crate::ids::TimeMs;
use crate::limits::{ACTIONS_MAX, NOTE_BYTES_MAX, PROPOSAL_BYTES_MAX};
use crate::tags;

/// Layout of proposals.
pub const PROPOSAL_VERSION: u8 = 1;

/// A proposal. The same content is the same proposal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Proposal {
    /// Layout: 1.
    pub version: u8,
    /// The bureau that answers for it.
    pub proposer: Uscc,
    /// When it was made; not after the block that takes it.
    pub created: TimeMs,
    /// The last block time at which it can be decided; what was decided and not yet taken up lapses then.
    pub expires: TimeMs,
    /// Why, for people.
    pub note: Text<NOTE_BYTES_MAX>,
    /// What is done, in this order, all or nothing.
    pub actions: List<Action, ACTIONS_MAX>,
}

/// H(tag ‖ proposal bytes).
pub fn proposal_id(bytes: &[u8]) -> ProposalId {
    ProposalId(hash::tagged_bytes(tags::GOVERNANCE_PROPOSAL, bytes))
}

impl Proposal {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads a proposal of anyone; nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, PROPOSAL_BYTES_MAX)
    }
    /// H(tag ‖ encoding).
    pub fn id(&self) -> ProposalId {
        proposal_id(&self.to_bytes())
    }
    /// What it takes: the strictest of its actions.
    pub fn decided_by(&self) -> DecidedBy {
        let strictest = self.actions.iter().map(|action| action.decided_by(&self.proposer)).max();
        strictest.unwrap_or(DecidedBy::Constitution)
    }
    /// Whether the proposer itself must vote yes: an action lies within its own rights.
    pub fn needs_proposer(&self) -> bool {
        self.actions.iter().any(|action| action.own_of() == Some(self.proposer))
    }
}
