//! What each action does to the registry.

mod bureaus;
mod catalogue;
mod data;
mod items;
mod keys;
mod parameters;
mod validators;

use kanhe_proto::governance::{Action, DecidedBy, Proposal};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::{Authority, IntervalError};

use super::desk::Desk;
use super::seats;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

/// A proposal as its actions see it.
pub(super) struct Decision {
    pub id: ProposalId,
    pub proposer: Uscc,
    pub decided_by: DecidedBy,
    pub expires: TimeMs,
    /// The governance key by which the proposer voted.
    pub key: Option<KeyId>,
}

impl Decision {
    pub fn new(proposal: &Proposal, id: ProposalId, key: Option<KeyId>) -> Self {
        let (proposer, expires) = (proposal.proposer, proposal.expires);
        Self { id, proposer, decided_by: proposal.decided_by(), expires, key }
    }
    /// What the registry names as the reason of a change within a bureau's own rights, or of any other.
    pub fn authority(&self, bureau: &Uscc) -> Authority {
        match self.decided_by == DecidedBy::Own && self.proposer == *bureau {
            true => Authority::Bureau(*bureau),
            false => Authority::Vote(self.id),
        }
    }
    pub const fn vote(&self) -> Authority {
        Authority::Vote(self.id)
    }
}

/// Executes all actions in order; each sees what the ones before did.
pub(super) fn execute_all<V: View>(
    desk: &mut Desk<'_, '_, V>,
    proposal: &Proposal,
    decision: &Decision,
) -> Result<(), Refusal> {
    let before = desk.seats()?;
    for action in &proposal.actions {
        execute(desk, action, decision)?;
    }
    if desk.seats()? != before {
        seats::check(desk, true)?;
    }
    Ok(())
}

fn execute<V: View>(desk: &mut Desk<'_, '_, V>, action: &Action, decision: &Decision) -> Result<(), Refusal> {
    match action {
        Action::AdmitBureau { .. }
        | Action::FreezeBureau { .. }
        | Action::ThawBureau { .. }
        | Action::RemoveBureau { .. }
        | Action::SetAddresses { .. } => bureaus::execute(desk, action, decision),
        Action::SeatValidator { bureau, key, power } => validators::seat(desk, decision, bureau, key, *power),
        Action::UnseatValidator { bureau, key } => validators::unseat(desk, bureau, key),
        Action::RotateKey { .. } | Action::EndKey { .. } | Action::DistrustKey { .. } | Action::Reaffirm { .. } => {
            keys::execute(desk, action, decision)
        }
        Action::SetParameters { parameters } => parameters::set(desk, parameters),
        Action::ActivateProtocol { version, at } => parameters::activate(desk, decision, *version, *at),
        Action::RegisterItem { file, bound } => items::register(desk, decision, file, bound),
        Action::RetireItem { code } => items::retire(desk, decision, code),
        Action::DeclareData { bureau, classes } => data::declare(desk, decision, bureau, classes),
        Action::RetireData { bureau, classes } => data::retire(desk, decision, bureau, classes),
        Action::Veto { proposal } => parameters::veto(desk, proposal),
        _ => catalogue::execute(desk, action, decision),
    }
}

/// What is said of intervals that cannot be changed so.
fn interval(error: IntervalError) -> Refusal {
    match error {
        IntervalError::NotOpen => Code::NoSuch,
        IntervalError::Open => Code::ExistsAlready,
        IntervalError::Full | IntervalError::Order => Code::RegistryFull,
    }
    .into()
}
