//! Anchors licences issued together.

use kanhe_proto::hash::Hash;
use kanhe_proto::merkle::log;
use kanhe_proto::record::{BatchRecord, Record};
use kanhe_proto::transaction::{IssueBatch, TransactionBody, TransactionKind};

use super::change_status;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{Execution, Staged};
use crate::ledger::view::View;

/// Checks accreditation, type, count and root, and stages the record and the statuses changed with it.
pub(in crate::ledger) fn execute<V: View>(
    execution: &mut Execution<'_, V>,
    body: &TransactionBody,
    payload: &IssueBatch,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    if !execution.registry.is_accredited(body.sender, &payload.type_code)? {
        return Err(Code::NotAccredited.into());
    }
    if !execution.registry.is_in_force(&payload.type_code, payload.type_version)? {
        return Err(Code::UnknownType.into());
    }
    if !(1..=execution.context.parameters.batch_count_max).contains(&payload.count) {
        return Err(Code::BatchCount.into());
    }
    // No leaf leads to either of them.
    if payload.root == log::empty_root() || payload.root == Hash::default() {
        return Err(Code::BatchRoot.into());
    }
    change_status::stage(execution, body, &payload.changes, staged)?;
    let record = BatchRecord {
        issuer: body.sender,
        signing_key: body.key,
        type_code: payload.type_code.clone(),
        type_version: payload.type_version,
        root: payload.root,
        count: payload.count,
        height: execution.context.height,
        time: execution.context.time,
    };
    staged.records.push(record.to_record());
    staged.licences = payload.count;
    Ok(TransactionKind::IssueBatch)
}
