//! Hand-overs: made while their header is the tip, since only then the registry can be proved under it, and kept.

use std::collections::BTreeSet;

use kanhe_proto::bounded::List;
use kanhe_proto::equivocation::EquivocationRecord;
use kanhe_proto::governance::{Action, Proposal};
use kanhe_proto::hand_over::{Act, HAND_OVER_VERSION, HandOver, validator_keys};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, SpanMs};
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::{ACT_AGE_MAX_MS, ACTS_MAX};
use kanhe_proto::record::{GovernanceRecord, Record};
use kanhe_proto::registry::{KeyEntry, Parameters, RegistryRecord};
use kanhe_proto::validators::{Address, ValidatorSet};

use super::Chain;
use super::error::ChainError;
use super::snapshot::Snapshot;

impl Chain {
    /// Keeps the hand-over of the tip, if its next set is another one and it is not kept yet. Nothing may be committed
    /// meanwhile.
    pub(super) fn keep_hand_over(&self) -> Result<(), ChainError> {
        let snapshot = self.snapshot()?;
        let header = &snapshot.tip.header;
        if header.validators == header.next_validators || snapshot.reader.hand_over(header.height)?.is_some() {
            return Ok(());
        }
        if let Some(hand_over) = snapshot.make_hand_over()? {
            self.storage.put_hand_over(header.height, &hand_over.to_bytes())?;
        }
        Ok(())
    }
}

impl Snapshot<'_> {
    /// Hand-overs from a height on, oldest first, at most so many.
    pub fn hand_overs(&self, from: Height, max: usize) -> Result<Vec<Vec<u8>>, ChainError> {
        Ok(self.reader.hand_overs(from, max)?)
    }

    fn make_hand_over(&self) -> Result<Option<HandOver>, ChainError> {
        let Some(certified) = self.certified().cloned() else { return Ok(None) };
        let (current, next) = (&self.tip.validators, &self.tip.next_validators);
        let mut acts = Vec::new();
        let oldest = certified.header.time.0.saturating_sub(ACT_AGE_MAX_MS);
        for index in self.reader.acts_back()? {
            if acts.len() == ACTS_MAX {
                break;
            }
            match self.act(index, current, next)? {
                Found::TooOld(time) if time < oldest => break,
                Found::TooOld(_) | Found::Irrelevant => {}
                Found::Act(act) => acts.push(*act),
            }
        }
        acts.reverse();
        Ok(Some(HandOver {
            version: HAND_OVER_VERSION,
            next: next.as_ref().clone(),
            acts: List::new(acts).expect("counted"),
            parameters: self.prove_registry(&Parameters::key_of(&()))?,
            certified,
        }))
    }

    /// A record as an act, if it has to do with a validator that the two sets have differently.
    fn act(&self, index: LogIndex, current: &ValidatorSet, next: &ValidatorSet) -> Result<Found, ChainError> {
        let missing = || ChainError::Missing(format!("record {index} of the log"));
        let record = self.record(index)?.ok_or_else(missing)?;
        let differing = differing(current, next);
        if let Ok(equivocation) = EquivocationRecord::from_record(&record.record) {
            let concerns = differing.contains(&equivocation.key.id());
            let act = || Found::Act(Box::new(Act { record, keys: List::empty() }));
            return Ok(if concerns { act() } else { Found::Irrelevant });
        }
        let decision = GovernanceRecord::from_record(&record.record).map_err(|_| missing())?;
        let proposal = Proposal::from_bytes(&decision.proposal).map_err(|_| missing())?;
        if proposal.created.after(SpanMs(ACT_AGE_MAX_MS)) < self.tip.header.time {
            // Records are in order of their own time, which may be up to a proposal's life later.
            return Ok(Found::TooOld(decision.time.0));
        }
        let shown = self.shown(&proposal.actions, current, next)?;
        if !proposal.actions.iter().any(|action| concerns(action, &differing, &shown)) {
            return Ok(Found::Irrelevant);
        }
        let votes = decision.votes.iter().map(|vote| (vote.bureau, vote.key));
        let mut keys = Vec::new();
        for id in votes.chain(shown) {
            keys.push(self.prove_registry(&KeyEntry::key_of(&id))?);
        }
        let keys = List::new(keys).map_err(|_| missing())?;
        Ok(Found::Act(Box::new(Act { record, keys })))
    }

    /// Validator keys that the verifier asks for and the registry has.
    fn shown(
        &self,
        actions: &[Action],
        current: &ValidatorSet,
        next: &ValidatorSet,
    ) -> Result<Vec<(Uscc, KeyId)>, ChainError> {
        let mut shown = Vec::new();
        for id in validator_keys(actions, current, next) {
            if self.registry::<KeyEntry>(&id)?.0.is_some() {
                shown.push(id);
            }
        }
        Ok(shown)
    }
}

enum Found {
    Act(Box<Act>),
    Irrelevant,
    /// With the time of the record, in milliseconds.
    TooOld(u64),
}

/// Keys of the validators that come, go or change their power.
fn differing(current: &ValidatorSet, next: &ValidatorSet) -> BTreeSet<KeyId> {
    let power = |set: &ValidatorSet, address: &Address| set.get(address).map(|(_, member)| member.power);
    let members = current.members().iter().chain(next.members());
    let changed = members.filter(|member| power(current, &member.address) != power(next, &member.address));
    changed.map(|member| member.key.id()).collect()
}

fn concerns(action: &Action, differing: &BTreeSet<KeyId>, shown: &[(Uscc, KeyId)]) -> bool {
    match action {
        Action::SeatValidator { key, .. } | Action::UnseatValidator { key, .. } => differing.contains(&key.id()),
        Action::RotateKey { new, old: Some(old), .. } => differing.contains(&new.key.id()) || differing.contains(old),
        Action::FreezeBureau { bureau } | Action::RemoveBureau { bureau } => {
            shown.iter().any(|(owner, key)| owner == bureau && differing.contains(key))
        }
        _ => false,
    }
}
