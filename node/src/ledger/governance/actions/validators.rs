//! Seats are given and taken away.

use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Power, TimeMs};
use kanhe_proto::key::PublicKey;
use kanhe_proto::registry::{Due, KeyEntry, KeyRole, Scheduled, ScheduledWhat, Seat, SeatState};

use super::Decision;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::governance::desk::Desk;
use crate::ledger::governance::{require, seats};
use crate::ledger::view::View;

/// A new seat waits until its key takes it; another power of a seat that is taken counts from the next epoch on.
pub(super) fn seat<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    bureau: &Uscc,
    key: &PublicKey,
    power: Power,
) -> Result<(), Refusal> {
    desk.require_member(bureau)?;
    let entry: KeyEntry = desk.need(&(*bureau, key.id()))?;
    require(entry.role == KeyRole::Validator, Code::KeyRole)?;
    require(entry.intervals.hold_at(desk.binds()) && entry.distrusted_from.is_none(), Code::KeyNotValid)?;
    let before = desk.seats()?;
    let known = before.get(key);
    require(known.is_none_or(|seat| seat.bureau == *bureau), Code::NotOwn)?;
    let active = known.is_some_and(|seat| seat.state == SeatState::Active);
    require(!active || known.is_some_and(|seat| seat.power != power), Code::ExistsAlready)?;
    // A seat that another is to be replaced by comes by that rotation.
    let replacing = known.is_some_and(|seat| matches!(seat.state, SeatState::Replacing { .. }));
    require(!replacing, Code::ExistsAlready)?;
    let mut all: Vec<Seat> = before.all().iter().filter(|seat| seat.key != *key).cloned().collect();
    for seat in &mut all {
        if matches!(&seat.state, SeatState::Replacing { old, .. } if old == key) {
            seat.power = power;
        }
    }
    let state = if active { SeatState::Active } else { SeatState::Decided { until: decision.expires } };
    all.push(Seat { bureau: *bureau, key: key.clone(), power, state, by: Some(decision.id) });
    desk.write_seats(all)?;
    if active { Ok(()) } else { lapse(desk, key, decision.id, decision.expires) }
}

/// A seat that nobody takes is given up.
pub(super) fn lapse<V: View>(
    desk: &mut Desk<'_, '_, V>,
    key: &PublicKey,
    by: ProposalId,
    until: TimeMs,
) -> Result<(), Refusal> {
    desk.plan(Scheduled { due: Due::Time(until), what: ScheduledWhat::SeatLapses { key: key.clone() }, by })
}

/// A seat is taken away, or a decision to give it.
pub(super) fn unseat<V: View>(desk: &mut Desk<'_, '_, V>, bureau: &Uscc, key: &PublicKey) -> Result<(), Refusal> {
    let gone = seats::unseat(desk, |seat| seat.bureau == *bureau && seat.key == *key)?;
    require(!gone.is_empty(), Code::NoSuch)
}
