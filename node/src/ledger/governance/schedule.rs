//! What was decided and is due.

use kanhe_proto::registry::{Authority, Due, Effect, KeyEntry, Scheduled, ScheduledWhat, SeatState};

use super::desk::Desk;
use super::seats;
use crate::ledger::code::Refusal;
use crate::ledger::view::View;

/// Carries out what is due by the parent's time or at this height.
pub(super) fn run<V: View>(desk: &mut Desk<'_, '_, V>) -> Result<(), Refusal> {
    let (height, parent_time) = (desk.context().height, desk.context().parent_time);
    let entries = desk.schedule()?;
    let (due, mut later): (Vec<Scheduled>, Vec<Scheduled>) =
        entries.into_iter().partition(|entry| entry.due.is_due(height, parent_time));
    if due.is_empty() {
        return Ok(());
    }
    for entry in due {
        carry_out(desk, &entry)?;
        // A new version stays for one block: whoever starts at this height reads from it what the next one is under.
        if matches!(entry.what, ScheduledWhat::Protocol { .. }) && entry.due == Due::Height(height) {
            later.push(entry);
        }
    }
    desk.write_schedule(later)
}

fn carry_out<V: View>(desk: &mut Desk<'_, '_, V>, entry: &Scheduled) -> Result<(), Refusal> {
    let binds = desk.binds();
    let by = Authority::Vote(entry.by);
    match &entry.what {
        ScheduledWhat::KeyBegins { bureau, key } => {
            if let Some(mut record) = desk.read::<KeyEntry>(&(*bureau, *key))?
                && record.intervals.open(binds, by).is_ok()
            {
                desk.write(&record);
            }
        }
        ScheduledWhat::KeyEnds { bureau, key } => {
            if let Some(mut record) = desk.read::<KeyEntry>(&(*bureau, *key))?
                && record.intervals.end(binds, by, Effect::Keep).is_ok()
            {
                desk.write(&record);
            }
        }
        ScheduledWhat::SeatLapses { key } => {
            let lapses = |seat: &kanhe_proto::registry::Seat| {
                seat.key == *key && seat.state != SeatState::Active && seat.by == Some(entry.by)
            };
            seats::unseat(desk, lapses)?;
        }
        ScheduledWhat::Protocol { version } => {
            if entry.due == Due::Height(desk.context().height) {
                desk.staged.protocol = Some(*version);
            }
        }
    }
    Ok(())
}
