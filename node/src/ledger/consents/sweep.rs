//! What time alone does: consents are forgotten, long after their last moment.

use kanhe_proto::limits::CONSENTS_SWEPT_MAX;

use crate::ledger::execution::Execution;
use crate::ledger::map::ReadError;
use crate::ledger::view::View;

/// Takes the first consents that are due before the parent's time; none in a block that may sweep no ids.
pub(in crate::ledger) fn begin<V: View>(execution: &mut Execution<'_, V>) -> Result<(), ReadError> {
    let max = CONSENTS_SWEPT_MAX.min(execution.context.parameters.block_swept_max as usize);
    if max == 0 {
        return Ok(());
    }
    let due = execution.view.due_consents(execution.context.parent_time, max)?;
    assert!(due.len() <= max, "a view gives no more consents than asked for");
    for due in due {
        let consent = execution.consents.get(execution.view, &due.id)?;
        if consent.is_none_or(|consent| consent.forget != due.time) {
            return Err(ReadError(format!("consent {} is not due when it is said", due.id).into()));
        }
        execution.consents.put(due.id, None);
    }
    Ok(())
}
