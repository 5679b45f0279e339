//! Parameters, protocol versions, and what is taken back from the schedule.

use kanhe_proto::hash::ProposalId;
use kanhe_proto::ids::{Height, ProtocolVersion};
use kanhe_proto::registry::{Due, Parameters, Scheduled, ScheduledWhat, SeatState};

use super::Decision;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::governance::desk::Desk;
use crate::ledger::governance::{require, seats};
use crate::ledger::view::View;

pub(super) fn set<V: View>(desk: &mut Desk<'_, '_, V>, parameters: &Parameters) -> Result<(), Refusal> {
    require(desk.need::<Parameters>(&())? != *parameters, Code::ExistsAlready)?;
    desk.write(parameters);
    desk.staged.parameters = Some(parameters.clone());
    Ok(())
}

/// One version waits at a time, and it is newer than the one in force.
pub(super) fn activate<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    version: ProtocolVersion,
    at: Height,
) -> Result<(), Refusal> {
    require(version > desk.context().protocol && at > desk.context().height, Code::ProtocolWrong)?;
    let waiting = |entry: &Scheduled| matches!(entry.what, ScheduledWhat::Protocol { .. });
    require(!desk.schedule()?.iter().any(waiting), Code::ExistsAlready)?;
    desk.plan(Scheduled { due: Due::Height(at), what: ScheduledWhat::Protocol { version }, by: decision.id })
}

/// What waits because of a proposal does not come to pass: a key never begins and the old one stays, a seat is not given.
pub(super) fn veto<V: View>(desk: &mut Desk<'_, '_, V>, proposal: &ProposalId) -> Result<(), Refusal> {
    let (gone, left): (Vec<Scheduled>, Vec<Scheduled>) =
        desk.schedule()?.into_iter().partition(|entry| entry.by == *proposal);
    require(!gone.is_empty(), Code::NoSuch)?;
    desk.write_schedule(left)?;
    seats::unseat(desk, |seat| seat.by == Some(*proposal) && seat.state != SeatState::Active).map(|_| ())
}
