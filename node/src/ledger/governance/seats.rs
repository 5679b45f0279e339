//! Seats: who takes one, and what the set that results could do.

use kanhe_proto::governance::activate_bytes;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::Power;
use kanhe_proto::key::{PublicKey, Signature};
use kanhe_proto::registry::{Authority, Effect, KeyEntry, Seat, SeatState, Seats};
use kanhe_proto::validators::{Address, Validator, ValidatorSet};

use super::alive;
use super::desk::Desk;
use super::require;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

/// A validator takes the seat that it was given.
pub(super) fn activate<V: View>(
    desk: &mut Desk<'_, '_, V>,
    bureau: &Uscc,
    key: &PublicKey,
    proposal: &ProposalId,
    signature: &Signature,
) -> Result<(), Refusal> {
    desk.require_member(bureau)?;
    let before = desk.seats()?;
    let given = |seat: &&Seat| seat.bureau == *bureau && seat.by == Some(*proposal) && seat.state != SeatState::Active;
    let seat = before.get(key).filter(given).ok_or(Code::NoSuch)?;
    key.verify(&activate_bytes(&desk.context().chain, bureau, proposal), signature).map_err(|_| Code::VoteSignature)?;
    let replaced = match &seat.state {
        SeatState::Replacing { old, .. } => Some(old.clone()),
        SeatState::Decided { .. } | SeatState::Active => None,
    };
    let mut seats = before.all().to_vec();
    seats.retain(|seat| replaced.as_ref() != Some(&seat.key));
    for seat in &mut seats {
        if seat.key == *key {
            seat.state = SeatState::Active;
        }
    }
    desk.write_seats(seats)?;
    if let Some(old) = replaced {
        end_key(desk, bureau, &old, Authority::Bureau(*bureau))?;
    }
    check(desk, false)
}

/// Ends a validator key whose seat is gone for good.
pub(super) fn end_key<V: View>(
    desk: &mut Desk<'_, '_, V>,
    bureau: &Uscc,
    key: &PublicKey,
    by: Authority,
) -> Result<(), Refusal> {
    let Some(mut entry) = desk.read::<KeyEntry>(&(*bureau, key.id()))? else { return Ok(()) };
    if entry.intervals.end(desk.binds(), by, Effect::Keep).is_ok() {
        desk.write(&entry);
    }
    Ok(())
}

/// Takes seats away, and with each those that were to replace it.
pub(super) fn unseat<V: View>(desk: &mut Desk<'_, '_, V>, goes: impl Fn(&Seat) -> bool) -> Result<Vec<Seat>, Refusal> {
    let (gone, mut stay): (Vec<Seat>, Vec<Seat>) = desk.seats()?.all().iter().cloned().partition(|seat| goes(seat));
    if gone.is_empty() {
        return Ok(gone);
    }
    stay.retain(|seat| match &seat.state {
        SeatState::Replacing { old, .. } => !gone.iter().any(|gone| gone.key == *old),
        SeatState::Decided { .. } | SeatState::Active => true,
    });
    desk.write_seats(stay)?;
    Ok(gone)
}

/// Refuses seats with which the chain could not go on, or that change too much at once: both as they stand, and as they
/// would be once every seat that was given is taken.
pub(super) fn check<V: View>(desk: &Desk<'_, '_, V>, limit_power: bool) -> Result<(), Refusal> {
    let seats = desk.seats()?;
    let current = &desk.context().validators;
    let living = alive::living(desk)?;
    let sets = [seats.validator_set().map_err(|_| Code::WouldHalt)?, all_taken(&seats)?];
    for next in &sets {
        // Whoever is not in the set yet has just signed that it takes its seat, or takes part only when it does.
        let lives = |member: &&Validator| current.get(&member.address).is_none() || living.contains(&member.address);
        let power = next.members().iter().filter(lives).map(|member| member.power.0).sum();
        require(next.is_quorum(Power(power)), Code::WouldHalt)?;
        if limit_power {
            require(changed(current, next) * 3 <= u128::from(current.total_power().0), Code::PowerChange)?;
        }
    }
    Ok(())
}

pub(super) fn all_taken(seats: &Seats) -> Result<ValidatorSet, Refusal> {
    let replaced = |key: &PublicKey| {
        seats.all().iter().any(|seat| matches!(&seat.state, SeatState::Replacing { old, .. } if old == key))
    };
    let members = seats.all().iter().filter(|seat| !replaced(&seat.key));
    let members = members.map(|seat| Validator::new(seat.key.clone(), seat.power)).collect();
    ValidatorSet::new(members).map_err(|_| Code::RegistryFull.into())
}

/// The power that comes or the power that goes, whichever is more.
fn changed(current: &ValidatorSet, next: &ValidatorSet) -> u128 {
    let power = |set: &ValidatorSet, address: &Address| set.get(address).map_or(0, |(_, member)| member.power.0);
    let more = |from: &ValidatorSet, to: &ValidatorSet| -> u128 {
        let gain = |member: &Validator| u128::from(member.power.0.saturating_sub(power(from, &member.address)));
        to.members().iter().map(gain).sum()
    };
    more(current, next).max(more(next, current))
}
