//! Keys are rotated, end, are distrusted, and batches of stolen ones brought back.

use kanhe_proto::governance::{Action, DecidedBy, NewKey};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, SpanMs};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::{
    Bureau, Due, Effect, Intervals, KeyEntry, KeyRole, Scheduled, ScheduledWhat, Seat, SeatState,
};
use kanhe_proto::status::{BatchStatus, Reaffirmation, batch_status_key};

use super::{Decision, interval, validators};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::governance::desk::Desk;
use crate::ledger::governance::require;
use crate::ledger::view::View;

pub(super) fn execute<V: View>(
    desk: &mut Desk<'_, '_, V>,
    action: &Action,
    decision: &Decision,
) -> Result<(), Refusal> {
    match action {
        Action::RotateKey { bureau, new, old, overlap } => rotate(desk, decision, bureau, new, old.as_ref(), *overlap),
        Action::EndKey { bureau, key } => end(desk, decision, bureau, key),
        Action::DistrustKey { bureau, key, since } => {
            let mut entry: KeyEntry = desk.need(&(*bureau, *key))?;
            require(*since <= desk.context().height, Code::EffectiveLater)?;
            require(entry.distrusted_from.is_none_or(|from| since < &from), Code::ExistsAlready)?;
            entry.distrusted_from = Some(*since);
            desk.write(&entry);
            Ok(())
        }
        Action::Reaffirm { bureau, batches } => {
            batches.iter().try_for_each(|batch| reaffirm(desk, decision, bureau, *batch))
        }
        _ => Err(Code::ProposalWrong.into()),
    }
}

fn rotate<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    bureau: &Uscc,
    new: &NewKey,
    old: Option<&KeyId>,
    overlap: SpanMs,
) -> Result<(), Refusal> {
    desk.need::<Bureau>(bureau)?;
    require(desk.read::<KeyEntry>(&(*bureau, new.key.id()))?.is_none(), Code::ExistsAlready)?;
    let replaced = old.map(|old| desk.need::<KeyEntry>(&(*bureau, *old))).transpose()?;
    if let Some(replaced) = &replaced {
        require(replaced.role == new.role, Code::KeyRole)?;
        require(replaced.intervals.hold_at(desk.context().height), Code::KeyNotValid)?;
    }
    // The others can veto a new key that votes, unless it was they who decided it.
    let waits = new.role == KeyRole::Governance && decision.decided_by != DecidedBy::Constitution;
    let delay = if waits { desk.context().parameters.governance_key_delay } else { SpanMs(0) };
    let by = decision.authority(bureau);
    let intervals = if waits { Intervals::default() } else { Intervals::from(desk.binds(), by) };
    let (role, key) = (new.role, new.key.clone());
    desk.write(&KeyEntry { bureau: *bureau, role, key, intervals, distrusted_from: None });
    if waits {
        let what = ScheduledWhat::KeyBegins { bureau: *bureau, key: new.key.id() };
        plan(desk, decision, delay, what)?;
    }
    match replaced {
        Some(old) if role == KeyRole::Validator && take_over(desk, decision, &old.key, &new.key)? => Ok(()),
        Some(old) if delay.0 + overlap.0 > 0 => {
            let what = ScheduledWhat::KeyEnds { bureau: *bureau, key: old.key.id() };
            plan(desk, decision, SpanMs(delay.0 + overlap.0), what)
        }
        Some(old) => end(desk, decision, bureau, &old.key.id()),
        None => Ok(()),
    }
}

/// The new validator key waits for the seat of the old one, if that has a seat; the old one ends when it goes over.
fn take_over<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    old: &PublicKey,
    new: &PublicKey,
) -> Result<bool, Refusal> {
    let before = desk.seats()?;
    let Some(seat) = before.get(old) else { return Ok(false) };
    require(seat.state == SeatState::Active, Code::KeySeated)?;
    let waits = |other: &Seat| matches!(&other.state, SeatState::Replacing { old: key, .. } if key == old);
    require(!before.all().iter().any(waits), Code::ExistsAlready)?;
    let state = SeatState::Replacing { old: old.clone(), until: decision.expires };
    let mut all = before.all().to_vec();
    all.push(Seat { bureau: seat.bureau, key: new.clone(), power: seat.power, state, by: Some(decision.id) });
    desk.write_seats(all)?;
    validators::lapse(desk, new, decision.id, decision.expires)?;
    Ok(true)
}

fn plan<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    after: SpanMs,
    what: ScheduledWhat,
) -> Result<(), Refusal> {
    let due = Due::Time(desk.context().time.after(after));
    desk.plan(Scheduled { due, what, by: decision.id })
}

fn end<V: View>(desk: &mut Desk<'_, '_, V>, decision: &Decision, bureau: &Uscc, key: &KeyId) -> Result<(), Refusal> {
    let mut entry: KeyEntry = desk.need(&(*bureau, *key))?;
    require(desk.seats()?.get(&entry.key).is_none(), Code::KeySeated)?;
    // A key that has not begun yet never begins.
    let entries = desk.schedule()?;
    let begins = |what: &ScheduledWhat| matches!(what, ScheduledWhat::KeyBegins { bureau: whose, key: which } if whose == bureau && which == key);
    let left: Vec<Scheduled> = entries.iter().filter(|entry| !begins(&entry.what)).cloned().collect();
    if left.len() < entries.len() {
        return desk.write_schedule(left);
    }
    entry.intervals.end(desk.binds(), decision.authority(bureau), Effect::Keep).map_err(interval)?;
    desk.write(&entry);
    Ok(())
}

fn reaffirm<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    bureau: &Uscc,
    batch: LogIndex,
) -> Result<(), Refusal> {
    require(batch.0 < desk.log_size(), Code::UnknownBatch)?;
    let place = batch_status_key(bureau, batch);
    let mut leaf: BatchStatus = desk.status(&place)?;
    require(leaf.reaffirmed.is_none(), Code::ExistsAlready)?;
    // Only tried out, it is signed by nobody yet, and nothing of it stays.
    leaf.reaffirmed =
        Some(Reaffirmation { height: desk.context().height, key: decision.key.unwrap_or(KeyId([0; 16])) });
    desk.staged.statuses.insert(place, leaf.to_value());
    Ok(())
}
