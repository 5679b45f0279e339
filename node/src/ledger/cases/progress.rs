//! How a case goes on by itself after something happened to it.

use kanhe_proto::case::{Case, CaseEvent, CaseRecord, CaseStatus, StepState};
use kanhe_proto::ids::{LogIndex, SpanMs, TimeMs};
use kanhe_proto::limits::CASE_FORGET_AFTER_MS;
use kanhe_proto::registry::ServiceItem;

use crate::ledger::execution::BlockContext;

/// Steps whose needs are there become ready and are due after their limit; those that lack something again wait. If all
/// is decided and issued the case closes.
pub(super) fn settle(case: &mut Case, item: &ServiceItem, time: TimeMs) {
    for place in 0u8..case.steps.len() as u8 {
        let whole = case.has_all_for(item, place);
        let at = usize::from(place);
        let step = &mut case.steps.as_mut_slice()[at];
        match (step.state, whole) {
            (StepState::Waiting, true) => {
                (step.state, step.since, step.due) = (StepState::Ready, time, Some(time.after(item.steps[at].limit)));
            }
            (StepState::Ready, false) => (step.state, step.since, step.due) = (StepState::Waiting, time, None),
            _ => {}
        }
    }
    if case.status == CaseStatus::Open && case.is_done(item) {
        end(case, CaseStatus::Closed, time);
    }
}

/// Ends a case. Its leaf stays for some time, to be read and rated.
pub(super) fn end(case: &mut Case, status: CaseStatus, time: TimeMs) {
    case.status = status;
    case.forget = Some(time.after(SpanMs(CASE_FORGET_AFTER_MS)));
}

/// The record of an event that left the case so, which the case names from now on.
pub(super) fn record_of(case: &mut Case, event: CaseEvent, index: LogIndex, context: &BlockContext) -> CaseRecord {
    let number = case.events;
    let before = (number > 0).then_some(case.last);
    (case.events, case.last) = (number + 1, index);
    CaseRecord {
        case: case.id,
        number,
        before,
        item: case.item.clone(),
        version: case.version,
        event,
        status: case.status,
        height: context.height,
        time: context.time,
    }
}
