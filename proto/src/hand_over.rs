//! Hand-overs: how trust passes from one validator set to the next.
//!
//! The last header of an epoch names the next set. It is certified by the current set, and every difference between
//! the two is explained by a decision of the bureaus, shown with its votes, or by a proof that a validator signed
//! twice. Each act explains each change once: [`Spent`] remembers, so that a quorum of validators cannot bring back
//! an old set with old votes.
//!
//! Votes are counted against the number of members and the share that the record names, those of its block: a
//! hand-over often comes after the members have changed. Registry entries and records are believed as certified.

mod explain;

use bincode::{Decode, Encode};

use crate::bounded::List;
use crate::codec::{self, CodecError};
use crate::equivocation::{EquivocationError, EquivocationRecord};
use crate::governance::{self, Action, DecidedBy, Proposal};
use crate::hash::{self, Hash, ProposalId};
use crate::identifiers::Uscc;
use crate::ids::{Height, Power, SpanMs, TimeMs};
use crate::key::KeyId;
use crate::limits::{ACT_AGE_MAX_MS, ACTS_MAX, BUREAUS_MAX, HAND_OVER_BYTES_MAX, VALIDATORS_MAX};
use crate::proof::{CertifiedHeader, ProvedLeaf, ProvedRecord};
use crate::record::{GovernanceRecord, GovernanceVote, Record, RecordKind};
use crate::registry::{KeyEntry, KeyRole, Parameters, RegistryRecord};
use crate::tags;
use crate::validators::{Address, ValidatorSet};
use crate::vote::ChainContext;
use explain::{Deed, Proved};

/// Layout of hand-overs.
pub const HAND_OVER_VERSION: u8 = 1;

/// A decision of the bureaus or a proof of double signature, proved under the hand-over's header.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Act {
    /// The governance or equivocation record in the log.
    pub record: ProvedRecord,
    /// The governance key of each vote, in the order of the votes; then the validator keys of [`validator_keys`].
    /// None for an equivocation.
    pub keys: List<ProvedLeaf, { BUREAUS_MAX + VALIDATORS_MAX }>,
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
    /// What explains the difference.
    pub acts: List<Act, ACTS_MAX>,
    /// Registry: the parameters, whose heartbeat and trust period trust follows.
    pub parameters: ProvedLeaf,
}

/// What explains a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Cause {
    /// A decision of the bureaus.
    Proposal(ProposalId),
    /// A double signature, by the hash of its proof.
    Equivocation(Hash),
}

/// What becomes of a validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It comes.
    Came(Power),
    /// It stays with another power.
    Power {
        /// Before.
        from: Power,
        /// After.
        to: Power,
    },
    /// It goes.
    Left(Power),
}

/// A change with what explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Whose.
    pub address: Address,
    /// What.
    pub change: Change,
    /// Why.
    pub spent: Spent,
}

/// An act that has explained a change, and explains it no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Spent {
    /// The act.
    pub cause: Cause,
    /// The validator.
    pub address: Address,
    /// Header time from which the act is too old anyway.
    pub until: TimeMs,
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
    /// The set to hand over from is not the one that certifies the header.
    #[error("the header is certified by another validator set")]
    OtherCurrentSet,
    /// The set changes, and no decision of the bureaus is shown.
    #[error("the validator set changes without a decision of the bureaus")]
    WithoutActs,
    /// A change that no act explains.
    #[error("no decision explains what becomes of validator {address}")]
    Unexplained {
        /// Whose.
        address: Address,
    },
    /// A decision too old to change anything.
    #[error("proposal {0} is too old to change the validator set")]
    TooOld(ProposalId),
    /// Decided before it was made or after it expired.
    #[error("proposal {0} was decided outside its lifetime")]
    Lifetime(ProposalId),
    /// A registry record that is not proved.
    #[error("the {0} is not proved under the header")]
    Registry(&'static str),
    /// A record that is not in the log.
    #[error("record {0} is not in the log")]
    NotInLog(crate::ids::LogIndex),
    /// Not a record of governance or equivocation.
    #[error("a record is neither of governance nor of equivocation")]
    NotGovernance,
    /// A proposal that is not decodable.
    #[error("proposal {0} is malformed")]
    Proposal(ProposalId),
    /// A double signature that is none.
    #[error("no double signature of {0}: {1}")]
    Equivocation(Address, EquivocationError),
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
        /// Bureaus that could vote.
        bureaus: usize,
    },
}

/// The validator keys that an act shows after its votes' keys, as far as the registry has them: those that a rotation
/// replaces, and those of a bureau frozen or removed that go.
pub fn validator_keys(actions: &[Action], current: &ValidatorSet, next: &ValidatorSet) -> Vec<(Uscc, KeyId)> {
    let mut keys = Vec::new();
    for action in actions {
        match action {
            Action::RotateKey { bureau, new, old: Some(old), .. } if new.role == KeyRole::Validator => {
                keys.push((*bureau, *old));
            }
            Action::FreezeBureau { bureau } | Action::RemoveBureau { bureau } => {
                let gone = current.members().iter().filter(|member| next.get(&member.address).is_none());
                keys.extend(gone.map(|member| (*bureau, member.key.id())));
            }
            _ => {}
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
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

    /// Checks everything but the header's certificate, which is the light client's to check, and explains every
    /// difference between the current set and the next, ascending by address. `spent` acts explain nothing again.
    pub fn verify(
        &self,
        chain: &ChainContext,
        current: &ValidatorSet,
        spent: &[Spent],
    ) -> Result<Vec<Explanation>, HandOverError> {
        let header = &self.certified.header;
        if self.next.hash() != header.next_validators {
            return Err(HandOverError::OtherSet);
        }
        if current.hash() != header.validators {
            return Err(HandOverError::OtherCurrentSet);
        }
        if header.next_validators != header.validators && self.acts.is_empty() {
            return Err(HandOverError::WithoutActs);
        }
        self.parameters()?;
        let proved = self.acts.iter().map(|act| self.verify_act(act, current, chain)).collect::<Result<Vec<_>, _>>()?;
        explain::explain(&proved, current, &self.next, spent)
    }

    /// The parameters under the header.
    pub fn parameters(&self) -> Result<Parameters, HandOverError> {
        self.registry(&self.parameters, "set of parameters", &())
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

    fn verify_act(&self, act: &Act, current: &ValidatorSet, chain: &ChainContext) -> Result<Proved, HandOverError> {
        act.record.verify(&self.certified.header).map_err(|_| HandOverError::NotInLog(act.record.index))?;
        match act.record.record.first().copied().and_then(RecordKind::from_byte) {
            Some(RecordKind::Governance) => self.verify_decision(act, current, chain),
            Some(RecordKind::Equivocation) => self.verify_equivocation(act, chain),
            _ => Err(HandOverError::NotGovernance),
        }
    }

    fn verify_equivocation(&self, act: &Act, chain: &ChainContext) -> Result<Proved, HandOverError> {
        let record = EquivocationRecord::from_record(&act.record.record).map_err(|_| HandOverError::NotGovernance)?;
        let address = record.proof.address();
        record.proof.check(chain, &record.key).map_err(|error| HandOverError::Equivocation(address, error))?;
        Ok(Proved {
            cause: Cause::Equivocation(Hash(hash::tagged(tags::EQUIVOCATION, &record.proof))),
            until: TimeMs(u64::MAX),
            deeds: vec![Deed::Equivocated(address)],
        })
    }

    fn verify_decision(
        &self,
        act: &Act,
        current: &ValidatorSet,
        chain: &ChainContext,
    ) -> Result<Proved, HandOverError> {
        let record = GovernanceRecord::from_record(&act.record.record).map_err(|_| HandOverError::NotGovernance)?;
        let id = record.proposal_id();
        let proposal = Proposal::from_bytes(&record.proposal)
            .ok()
            .filter(|proposal| proposal.version == governance::PROPOSAL_VERSION)
            .ok_or(HandOverError::Proposal(id))?;
        if record.time < proposal.created || record.time > proposal.expires {
            return Err(HandOverError::Lifetime(id));
        }
        // By the proposal's own time, which the votes sign: that of the record is the validators' word.
        let until = proposal.created.after(SpanMs(ACT_AGE_MAX_MS));
        if self.certified.header.time > until {
            return Err(HandOverError::TooOld(id));
        }
        self.verify_votes(act, &record, &proposal, chain)?;
        let shown = act.keys.get(record.votes.len()..).unwrap_or(&[]);
        let mut owned = Vec::new();
        for (bureau, key) in validator_keys(&proposal.actions, current, &self.next) {
            let entry = |leaf| self.registry::<KeyEntry>(leaf, "validator key", &(bureau, key)).ok();
            if shown.iter().filter_map(entry).any(|entry| entry.role == KeyRole::Validator) {
                owned.push((bureau, key));
            }
        }
        Ok(Proved { cause: Cause::Proposal(id), until, deeds: explain::deeds(&proposal.actions, &owned) })
    }

    fn verify_votes(
        &self,
        act: &Act,
        record: &GovernanceRecord,
        proposal: &Proposal,
        chain: &ChainContext,
    ) -> Result<(), HandOverError> {
        let id = record.proposal_id();
        let refuse = |bureau, reason| Err(HandOverError::Vote { bureau, proposal: id, reason });
        let mut last: Option<Uscc> = None;
        for (place, vote) in record.votes.iter().enumerate() {
            if last.is_some_and(|last| last >= vote.bureau) {
                return refuse(vote.bureau, "votes are not in ascending order, one a bureau");
            }
            last = Some(vote.bureau);
            let Some(leaf) = act.keys.get(place) else { return refuse(vote.bureau, "its key is not shown") };
            let key: KeyEntry = self.registry(leaf, "governance key", &(vote.bureau, vote.key))?;
            if let Err(reason) = check_vote(vote, &key, record.height, &id, chain) {
                return refuse(vote.bureau, reason);
            }
        }
        let bureaus = record.members as usize;
        let counted = governance::count(proposal, record.votes.iter(), bureaus, record.threshold);
        let plausible = counted.decided_by == DecidedBy::Own || record.votes.len() <= bureaus;
        if !counted.decided || !plausible {
            return Err(HandOverError::TooFewVotes { proposal: id, yes: counted.yes, bureaus });
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
    // A decision may end the very key that voted for it, in its own block.
    let before = Height(height.0.saturating_sub(1));
    if !key.intervals.hold_at(height) && !key.intervals.hold_at(before) {
        return Err("its key was not valid then");
    }
    let bytes = GovernanceVote::sign_bytes(chain, proposal, vote.choice);
    key.key.verify(&bytes, &vote.signature).map_err(|_| "wrong signature")
}
