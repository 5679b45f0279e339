//! What hand-overs changed, and by whose decision.

use kanhe_proto::governance::{Action, Proposal};
use kanhe_proto::hand_over::{Cause, Change, Explanation, HandOver};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, Power};
use kanhe_proto::record::{Choice, GovernanceRecord, Record as _};
use kanhe_proto::registry::KeyRole;
use kanhe_proto::validators::Address;
use serde::Serialize;

/// What became of a validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangedHow {
    /// It came.
    Came,
    /// It has another power.
    Power,
    /// It left.
    Left,
}

/// A change of the validator set, proved by a hand-over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Changed {
    /// First height of the new set.
    #[schemars(with = "u64")]
    pub from_height: Height,
    /// The validator.
    #[schemars(with = "String")]
    pub validator: Address,
    /// Whose it is, where the decision says so.
    #[schemars(with = "Option<String>")]
    pub bureau: Option<Uscc>,
    /// What became of it.
    pub how: ChangedHow,
    /// Its power before; zero if it came.
    #[schemars(with = "u64")]
    pub power_before: Power,
    /// Its power after; zero if it left.
    #[schemars(with = "u64")]
    pub power_after: Power,
    /// The decision; none if it signed two values of one height.
    #[schemars(with = "Option<String>")]
    pub proposal: Option<ProposalId>,
    /// Who proposed it.
    #[schemars(with = "Option<String>")]
    pub proposer: Option<Uscc>,
    /// Why, in the proposer's words.
    pub note: Option<String>,
    /// Who voted for it.
    #[schemars(with = "Vec<String>")]
    pub yes: Vec<Uscc>,
    /// Bureaus that could vote.
    pub members: Option<u32>,
}

/// The explanations of a hand-over, with what its acts say of them.
pub fn changes(hand_over: &HandOver, explanations: &[Explanation]) -> Vec<Changed> {
    let records: Vec<GovernanceRecord> =
        hand_over.acts.iter().filter_map(|act| GovernanceRecord::from_record(&act.record.record).ok()).collect();
    let from_height = hand_over.certified.header.height.next();
    explanations.iter().map(|explanation| changed(from_height, explanation, &records)).collect()
}

fn changed(from_height: Height, explanation: &Explanation, records: &[GovernanceRecord]) -> Changed {
    let (how, power_before, power_after) = match explanation.change {
        Change::Came(power) => (ChangedHow::Came, Power(0), power),
        Change::Power { from, to } => (ChangedHow::Power, from, to),
        Change::Left(power) => (ChangedHow::Left, power, Power(0)),
    };
    let id = match explanation.spent.cause {
        Cause::Proposal(id) => Some(id),
        Cause::Equivocation(_) => None,
    };
    let record = records.iter().find(|record| Some(record.proposal_id()) == id);
    let proposal = record.and_then(|record| Proposal::from_bytes(&record.proposal).ok());
    let yes = record.map(|record| &record.votes[..]).unwrap_or_default().iter();
    Changed {
        from_height,
        validator: explanation.address,
        bureau: proposal.as_ref().and_then(|proposal| whose(&proposal.actions, &explanation.address, how)),
        how,
        power_before,
        power_after,
        proposal: id,
        proposer: proposal.as_ref().map(|proposal| proposal.proposer),
        note: proposal.map(|proposal| proposal.note.as_str().to_owned()).filter(|note| !note.is_empty()),
        yes: yes.filter(|vote| vote.choice == Choice::Yes).map(|vote| vote.bureau).collect(),
        members: record.map(|record| record.members),
    }
}

/// The bureau of the action that is about this validator.
fn whose(actions: &[Action], address: &Address, how: ChangedHow) -> Option<Uscc> {
    let rotates = |action: &&Action| matches!(action, Action::RotateKey { new, .. } if new.role == KeyRole::Validator);
    // The old key of a rotation is named by its id, from which no address follows.
    let only_rotation = actions.iter().filter(rotates).count() == 1;
    let named = actions.iter().find_map(|action| match action {
        Action::SeatValidator { bureau, key, .. } | Action::UnseatValidator { bureau, key }
            if Address::of(key) == *address =>
        {
            Some(*bureau)
        }
        Action::RotateKey { bureau, new, .. } if new.role == KeyRole::Validator => {
            let comes = Address::of(&new.key) == *address;
            (comes || (how == ChangedHow::Left && only_rotation)).then_some(*bureau)
        }
        _ => None,
    });
    // A bureau that is frozen or removed loses seats that the proposal does not name.
    let mut gone = actions.iter().filter_map(|action| match action {
        Action::FreezeBureau { bureau } | Action::RemoveBureau { bureau } if how == ChangedHow::Left => Some(*bureau),
        _ => None,
    });
    named.or_else(|| gone.next().filter(|_| gone.next().is_none()))
}
