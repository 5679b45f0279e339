//! What time alone does: open cases expire, ended ones are forgotten.

use kanhe_proto::case::{CaseEvent, CaseStatus};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::limits::CASES_SWEPT_MAX;
use kanhe_proto::record::Record;

use super::progress::{end, record_of};
use crate::ledger::execution::Execution;
use crate::ledger::map::ReadError;
use crate::ledger::view::View;

/// Takes the first cases that are due before the parent's time. A block that may sweep no ids sweeps no cases either:
/// that is how a transaction is tried without one.
pub(in crate::ledger) fn begin<V: View>(execution: &mut Execution<'_, V>) -> Result<(), ReadError> {
    let max = CASES_SWEPT_MAX.min(execution.context.parameters.block_swept_max as usize);
    if max == 0 {
        return Ok(());
    }
    let due = execution.view.due_cases(execution.context.parent_time, max)?;
    assert!(due.len() <= max, "a view gives no more cases than asked for");
    for due in due {
        let case = execution.cases.get(execution.view, &due.id)?.cloned();
        let case = case.filter(|case| case.next_by_time() == due.time);
        let mut case = case.ok_or_else(|| ReadError(format!("case {} is not due when it is said", due.id).into()))?;
        if case.forget.is_some() {
            execution.cases.put(due.id, None);
            continue;
        }
        end(&mut case, CaseStatus::Expired, execution.context.time);
        let index = LogIndex(execution.log_size());
        let record = record_of(&mut case, CaseEvent::Expired, index, &execution.context);
        execution.outcome.records.push(record.to_record());
        execution.outcome.counters.case_events += 1;
        execution.cases.put(due.id, Some(case));
    }
    Ok(())
}
