//! Governance as the state machine executes it, from protocol version 2 on.
//!
//! Every decision is a proposal: it waits in two leaves of the state until its votes suffice, and then all its actions
//! are executed at once and a record of it, with the votes, goes into the log. What is executed in a block binds from the
//! next one on: intervals begin and end at the height above.
//!
//! No decision may leave a chain that cannot go on: whatever changes seats is asked what the living validators of the
//! resulting set could do (`seats`).
//!
//! Source: `docs/adr/0009-every-decision-is-a-proposal.md`

mod actions;
mod alive;
mod desk;
mod dry_run;
mod equivocation;
mod propose;
mod schedule;
mod seats;
mod votes;

pub use alive::living_at;
pub use dry_run::{Effects, LeafChange, dry_run, dry_run_open};
pub(super) use equivocation::record as record_equivocation;

use kanhe_proto::governance::GovernancePayload;
use kanhe_proto::transaction::TransactionKind;
use kanhe_proto::validators::ValidatorSet;

use super::code::{Code, Refusal};
use super::execution::{Execution, Staged};
use super::map::ReadError;
use super::view::View;
use desk::Desk;

/// What stands at the beginning of a block: who signed, what is due, which proposals have expired.
pub(super) fn begin<V: View>(execution: &Execution<'_, V>) -> Result<Staged, ReadError> {
    let mut desk = Desk::new(execution, Staged::default());
    let result = alive::update(&mut desk)
        .and_then(|()| schedule::run(&mut desk))
        .and_then(|()| propose::sweep_expired(&mut desk));
    match result {
        Ok(()) => Ok(desk.staged),
        Err(Refusal::Read(error)) => Err(error),
        Err(Refusal::Code(code)) => Err(ReadError(format!("the registry cannot be brought forward: {code}").into())),
    }
}

/// A governance transaction.
pub(super) fn execute<V: View>(
    execution: &Execution<'_, V>,
    payload: &GovernancePayload,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    let mut desk = Desk::new(execution, std::mem::take(staged));
    match payload {
        GovernancePayload::Propose { proposal, votes } => propose::propose(&mut desk, proposal, votes)?,
        GovernancePayload::Vote { proposal, votes } => propose::vote(&mut desk, proposal, votes)?,
        GovernancePayload::Withdraw { proposal, bureau, key, signature } => {
            propose::withdraw(&mut desk, proposal, bureau, key, signature)?;
        }
        GovernancePayload::Activate { bureau, key, proposal, signature } => {
            seats::activate(&mut desk, bureau, key, proposal, signature)?;
        }
    }
    *staged = desk.staged;
    Ok(TransactionKind::Governance)
}

/// The set of the next height if the block ends an epoch.
pub(super) fn next_validators<V: View>(execution: &Execution<'_, V>) -> Result<Option<ValidatorSet>, ReadError> {
    let context = &execution.context;
    if !context.height.0.is_multiple_of(context.parameters.epoch_blocks) {
        return Ok(None);
    }
    let desk = Desk::new(execution, Staged::default());
    let seats = desk.seats().map_err(|refusal| match refusal {
        Refusal::Read(error) => error,
        Refusal::Code(code) => ReadError(format!("the seats cannot be read: {code}").into()),
    })?;
    seats.validator_set().map(Some).map_err(|error| ReadError(Box::new(error)))
}

/// Fails with a code unless something holds.
fn require(holds: bool, code: Code) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(code.into()) }
}
