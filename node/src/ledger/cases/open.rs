//! A case is opened.

use kanhe_proto::bounded::List;
use kanhe_proto::case::{Case, CaseStatus, CaseStep, Open, SignedAct, Slot, SlotKey, StepState, case_id};
use kanhe_proto::ids::{LogIndex, SpanMs};
use kanhe_proto::limits::CASE_OPENING_AHEAD_MAX_MS;
use kanhe_proto::registry::ServiceItem;

use super::progress::settle;
use super::require;
use super::turn::Turn;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

pub(super) fn open<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedAct, open: &Open) -> Result<(), Refusal> {
    let (time, height) = (turn.time(), turn.context().height);
    // A leaf stays for longer than an opening can be good, so no opening comes again after its case is forgotten.
    let latest = time.after(SpanMs(CASE_OPENING_AHEAD_MAX_MS));
    require((time..=latest).contains(&open.not_after), Code::CaseOpeningLate)?;
    let id = case_id(&turn.context().chain.chain_id, &open.key);
    require(turn.find(&id)?.is_none(), Code::CaseExists)?;
    let item = turn.execution.registry.service_item(&open.item, open.version)?;
    let in_force = |item: &ServiceItem| item.intervals.hold_at(height) && item.file == open.file;
    let item = item.filter(|item| in_force(item)).ok_or(Code::ItemNotInForce)?;
    open.check(&item).map_err(|_| Code::CaseShape)?;
    for bureau in &open.chosen {
        require(turn.execution.registry.is_member(*bureau)?, Code::NotMember)?;
    }
    turn.verify_assisted(signed)?;
    turn.verify(signed, &open.key)?;

    let opener = item.parties.iter().position(|party| party.opens).ok_or(Code::CaseShape)?;
    let mut slots = vec![Slot {
        party: u8::try_from(opener).map_err(|_| Code::CaseShape)?,
        key: SlotKey::Known(open.key.clone()),
        round: 0,
        presented: Some(time),
        letter_key: Some(open.letter_key.clone()),
    }];
    let others = open.slots.iter().map(|slot| (slot.party, slot.key.clone()));
    slots.extend(others.map(|(party, key)| Slot { party, key, round: 0, presented: None, letter_key: None }));
    let step = CaseStep { state: StepState::Waiting, round: 0, since: time, due: None, issued: false };
    let mut case = Case {
        id,
        item: open.item.clone(),
        version: open.version,
        chosen: open.chosen.clone(),
        slots: List::new(slots).expect("one more than an opening has at most"),
        steps: List::new(vec![step; item.steps.len()]).expect("as many as an item has"),
        status: CaseStatus::Open,
        opened: time,
        ends: time.after(item.life),
        events: 0,
        last: LogIndex(0),
        forget: None,
        stars: None,
    };
    settle(&mut case, &item, time);
    turn.record(case, signed);
    Ok(())
}
