//! Hand-overs: how trust passes from one validator set to the next.
//!
//! The last header of an epoch names the next set. It is certified by the current set, and the governance records
//! that caused a change come with the votes of the bureaus: validators alone cannot replace themselves.

use bincode::{Decode, Encode};

use crate::bounded::List;
use crate::codec::{self, CodecError};
use crate::hash::ProposalId;
use crate::identifiers::Uscc;
use crate::ids::Height;
use crate::limits::{ACTS_MAX, BUREAUS_MAX, HAND_OVER_BYTES_MAX};
use crate::proof::{CertifiedHeader, ProvedLeaf, ProvedRecord};
use crate::record::{Choice, GovernanceRecord, GovernanceVote, Record};
use crate::registry::{KeyEntry, KeyRole, Membership, Parameters, RegistryRecord};
use crate::validators::ValidatorSet;
use crate::vote::ChainContext;

/// Layout of hand-overs.
pub const HAND_OVER_VERSION: u8 = 1;

/// A decision of the bureaus, proved under the hand-over's header.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Act {
    /// The governance record in the log.
    pub record: ProvedRecord,
    /// The governance key of each vote, in the order of the votes.
    pub keys: List<ProvedLeaf, BUREAUS_MAX>,
}

/// A change of the validator set.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HandOver {
    /// Layout: 1.
    pub version: u8,
    /// Last header of an epoch.
    pub certified: CertifiedHeader,
    /// The set that certifies the next height.
    pub next: ValidatorSet,
    /// What the bureaus decided; at least one if the set changes.
    pub acts: List<Act, ACTS_MAX>,
    /// Registry: who votes.
    pub membership: ProvedLeaf,
    /// Registry: the thresholds.
    pub parameters: ProvedLeaf,
}

/// Why a hand-over proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A layout this software does not know.
    #[error("hand-over of unknown version {0}")]
    Version(u8),
    /// The header names another next set.
    #[error("the header names another next validator set")]
    OtherSet,
    /// The set changes, and no decision of the bureaus is shown.
    #[error("the validator set changes without a decision of the bureaus")]
    WithoutActs,
    /// A registry record that is not proved.
    #[error("the {0} is not proved under the header")]
    Registry(&'static str),
    /// A record that is not in the log.
    #[error("governance record {0} is not in the log")]
    NotInLog(ProposalId),
    /// Not a governance record.
    #[error("a record is not one of governance")]
    NotGovernance,
    /// A vote without a right.
    #[error("vote of {bureau} on {proposal}: {reason}")]
    Vote {
        /// Whose vote.
        bureau: Uscc,
        /// On what.
        proposal: ProposalId,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Too few votes.
    #[error("{yes} of {bureaus} bureaus voted for {proposal}, which is not enough")]
    TooFewVotes {
        /// On what.
        proposal: ProposalId,
        /// Votes for it.
        yes: usize,
        /// Bureaus that may vote.
        bureaus: usize,
    },
}

impl HandOver {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads a hand-over of anyone; nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HandOverError> {
        let hand_over: Self = codec::decode(bytes, HAND_OVER_BYTES_MAX)?;
        if hand_over.version != HAND_OVER_VERSION {
            return Err(HandOverError::Version(hand_over.version));
        }
        Ok(hand_over)
    }

    /// Checks everything but the header's certificate, which is the light client's to check.
    pub fn verify(&self, chain: &ChainContext) -> Result<(), HandOverError> {
        let header = &self.certified.header;
        if self.next.hash() != header.next_validators {
            return Err(HandOverError::OtherSet);
        }
        if header.next_validators != header.validators && self.acts.is_empty() {
            return Err(HandOverError::WithoutActs);
        }
        let membership: Membership = self.registry(&self.membership, "list of members", &())?;
        let parameters: Parameters = self.registry(&self.parameters, "set of parameters", &())?;
        self.acts.iter().try_for_each(|act| self.verify_act(act, &membership, &parameters, chain))
    }

    fn registry<T: RegistryRecord>(
        &self,
        leaf: &ProvedLeaf,
        what: &'static str,
        id: &T::Id,
    ) -> Result<T, HandOverError> {
        leaf.read(&self.certified.header.registry_root, &T::key_of(id))
            .ok()
            .flatten()
            .ok_or(HandOverError::Registry(what))
    }

    fn verify_act(
        &self,
        act: &Act,
        membership: &Membership,
        parameters: &Parameters,
        chain: &ChainContext,
    ) -> Result<(), HandOverError> {
        let record = GovernanceRecord::from_record(&act.record.record).map_err(|_| HandOverError::NotGovernance)?;
        let proposal = record.proposal_id();
        act.record.verify(&self.certified.header).map_err(|_| HandOverError::NotInLog(proposal))?;
        let refuse = |bureau, reason| Err(HandOverError::Vote { bureau, proposal, reason });
        let mut yes = 0;
        let mut last: Option<Uscc> = None;
        for (place, vote) in record.votes.iter().enumerate() {
            if last.is_some_and(|last| last >= vote.bureau) {
                return refuse(vote.bureau, "votes are not in ascending order, one a bureau");
            }
            last = Some(vote.bureau);
            if membership.bureaus.binary_search(&vote.bureau).is_err() {
                return refuse(vote.bureau, "not a member");
            }
            let Some(leaf) = act.keys.get(place) else { return refuse(vote.bureau, "its key is not shown") };
            let key: KeyEntry = self.registry(leaf, "governance key", &(vote.bureau, vote.key))?;
            if let Err(reason) = check_vote(vote, &key, record.height, &proposal, chain) {
                return refuse(vote.bureau, reason);
            }
            yes += usize::from(vote.choice == Choice::Yes);
        }
        let bureaus = membership.bureaus.len();
        if !parameters.threshold_constitution.is_met(yes, bureaus) {
            return Err(HandOverError::TooFewVotes { proposal, yes, bureaus });
        }
        Ok(())
    }
}

fn check_vote(
    vote: &GovernanceVote,
    key: &KeyEntry,
    height: Height,
    proposal: &ProposalId,
    chain: &ChainContext,
) -> Result<(), &'static str> {
    if key.role != KeyRole::Governance {
        return Err("its key is not one of governance");
    }
    if !key.intervals.hold_at(height) {
        return Err("its key was not valid then");
    }
    let bytes = GovernanceVote::sign_bytes(chain, proposal, vote.choice);
    key.key.verify(&bytes, &vote.signature).map_err(|_| "wrong signature")
}
