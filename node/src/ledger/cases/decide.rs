//! A bureau decides a step, or has issued what the step yields.

use std::collections::BTreeSet;

use kanhe_proto::case::{Case, CaseStatus, Decide, Issued, Outcome, SignedAct, StepState};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::limits::CASE_ROUNDS_MAX;
use kanhe_proto::registry::ServiceItem;

use super::progress::{end, settle};
use super::require;
use super::turn::Turn;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

pub(super) fn decide<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedAct, decide: &Decide) -> Result<(), Refusal> {
    let mut case = turn.running(&decide.case)?;
    let item = turn.item(&case)?;
    let (place, time) = (usize::from(decide.step), turn.time());
    let step = case.steps.get(place).ok_or(Code::CaseNotNamed)?;
    require(step.round == decide.round, Code::CaseRound)?;
    match step.state {
        StepState::Ready => {}
        StepState::Waiting => return Err(Code::CaseNotReady.into()),
        StepState::Approved | StepState::Rejected => return Err(Code::CaseDecided.into()),
    }
    let rounds_left = step.round < CASE_ROUNDS_MAX;
    require(decide.outcome != Outcome::Returned || rounds_left, Code::CaseRounds)?;
    decide.check(&item, &case).map_err(|_| Code::CaseShape)?;
    let bureau = case.bureau_of(&item, decide.step).ok_or(Code::CaseNotNamed)?;
    let key = turn.issuing_key(bureau, decide.key)?;
    turn.verify(signed, &key)?;
    match decide.outcome {
        Outcome::Approved => close_step(&mut case, place, StepState::Approved, time),
        Outcome::Rejected => {
            close_step(&mut case, place, StepState::Rejected, time);
            end(&mut case, CaseStatus::Rejected, time);
        }
        Outcome::Returned => hand_back(&mut case, &item, place),
    }
    if case.status == CaseStatus::Open {
        settle(&mut case, &item, time);
    }
    turn.record(case, signed);
    Ok(())
}

fn close_step(case: &mut Case, place: usize, state: StepState, time: TimeMs) {
    let step = &mut case.steps.as_mut_slice()[place];
    (step.state, step.since, step.due) = (state, time, None);
}

/// All whom the step waits for present anew. Whoever else has yet to decide on what they presented gets a new round as
/// well, so that no decision is taken on what was replaced.
fn hand_back(case: &mut Case, item: &ServiceItem, place: usize) {
    let mut parties = BTreeSet::new();
    for slot in case.slots.as_mut_slice() {
        if item.steps[place].waits_for.contains(&slot.party) {
            (slot.round, slot.presented) = (slot.round + 1, None);
            parties.insert(slot.party);
        }
    }
    for (step, asked) in case.steps.as_mut_slice().iter_mut().zip(&item.steps) {
        let undecided = matches!(step.state, StepState::Waiting | StepState::Ready);
        if undecided && asked.waits_for.iter().any(|party| parties.contains(party)) {
            step.round += 1;
        }
    }
}

pub(super) fn issued<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedAct, issued: &Issued) -> Result<(), Refusal> {
    let mut case = turn.running(&issued.case)?;
    let item = turn.item(&case)?;
    let (place, time) = (usize::from(issued.step), turn.time());
    let step = case.steps.get(place).ok_or(Code::CaseNotNamed)?;
    require(step.state == StepState::Approved, Code::CaseNotReady)?;
    require(!step.issued, Code::CaseDecided)?;
    issued.check(&item, &case).map_err(|_| Code::CaseShape)?;
    let bureau = case.bureau_of(&item, issued.step).ok_or(Code::CaseNotNamed)?;
    let key = turn.issuing_key(bureau, issued.key)?;
    turn.verify(signed, &key)?;
    case.steps.as_mut_slice()[place].issued = true;
    settle(&mut case, &item, time);
    turn.record(case, signed);
    Ok(())
}
