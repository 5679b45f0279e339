//! Changes statuses of licences and batches.

use kanhe_proto::hash::MapKey;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::status::{self, BatchStatus, LicenceStatus, StatusEntry, batch_status_key, licence_status_key};
use kanhe_proto::transaction::{ChangeStatus, StatusChange, StatusTarget, TransactionBody, TransactionKind};

use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{Execution, Staged};
use crate::ledger::map::ReadError;
use crate::ledger::view::View;

/// Stages all changes, or none.
pub(in crate::ledger) fn execute<V: View>(
    execution: &mut Execution<'_, V>,
    body: &TransactionBody,
    payload: &ChangeStatus,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    if payload.changes.is_empty() {
        return Err(Code::NoChanges.into());
    }
    stage(execution, body, &payload.changes, staged)?;
    Ok(TransactionKind::ChangeStatus)
}

/// Stages changes in order; a later one sees what an earlier one of the same transaction did.
pub(super) fn stage<V: View>(
    execution: &mut Execution<'_, V>,
    body: &TransactionBody,
    changes: &[StatusChange],
    staged: &mut Staged,
) -> Result<(), Refusal> {
    for change in changes {
        check_right(execution, body, change)?;
        let entry = StatusEntry {
            height: execution.context.height,
            recorded_at: execution.context.time,
            effective_from: change.effective_from,
            status: change.status,
            reason: change.reason,
            by: body.sender,
            supervised_type: change.supervised_type.clone(),
        };
        let (key, value) = match &change.target {
            StatusTarget::Licence(digest) => {
                let key = licence_status_key(&change.issuer, digest);
                let mut leaf: LicenceStatus = current(execution, staged, &key)?;
                status::append(&mut leaf.entries, change.expected_length, entry).map_err(Code::from)?;
                (key, leaf.to_value())
            }
            StatusTarget::Batch(batch) => {
                if batch.0 >= execution.log_size() {
                    return Err(Code::UnknownBatch.into());
                }
                let key = batch_status_key(&change.issuer, *batch);
                let mut leaf: BatchStatus = current(execution, staged, &key)?;
                status::append(&mut leaf.entries, change.expected_length, entry).map_err(Code::from)?;
                (key, leaf.to_value())
            }
        };
        staged.statuses.insert(key, value);
        staged.status_changes += 1;
    }
    Ok(())
}

/// A bureau writes under its own name, or as registered supervisor of that issuer for a type.
fn check_right<V: View>(
    execution: &mut Execution<'_, V>,
    body: &TransactionBody,
    change: &StatusChange,
) -> Result<(), Refusal> {
    match &change.supervised_type {
        None if change.issuer == body.sender => Ok(()),
        None => Err(Code::NotOwn.into()),
        Some(type_code) if execution.registry.supervises(body.sender, change.issuer, type_code)? => Ok(()),
        Some(_) => Err(Code::NotSupervisor.into()),
    }
}

fn current<T: MapValue + Default, V: View>(
    execution: &Execution<'_, V>,
    staged: &Staged,
    key: &MapKey,
) -> Result<T, Refusal> {
    let value = execution.status(staged, key)?;
    let leaf = value.map(|value| T::from_value(&value)).transpose();
    Ok(leaf.map_err(|error| ReadError(Box::new(error)))?.unwrap_or_default())
}
