//! A validator signed two values: it is recorded, and the validator loses seat and key.

use kanhe_proto::equivocation::{EquivocationPayload, EquivocationRecord};
use kanhe_proto::record::Record;
use kanhe_proto::registry::{Authority, Seat};
use kanhe_proto::transaction::TransactionKind;
use kanhe_proto::validators::Address;

use super::desk::Desk;
use super::{require, seats};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{Execution, Staged};
use crate::ledger::view::View;

/// Records a proof. Its key gets no seat again, so one misdeed is recorded once.
pub(in crate::ledger) fn record<V: View>(
    execution: &Execution<'_, V>,
    payload: &EquivocationPayload,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    let mut desk = Desk::new(execution, std::mem::take(staged));
    let context = desk.context();
    let all = desk.seats()?;
    let seat = all.all().iter().find(|seat| Address::of(&seat.key) == payload.address()).ok_or(Code::NoSuch)?;
    payload.check(&context.chain, &seat.key).map_err(|_| Code::EquivocationWrong)?;
    require(payload.first.vote.height <= context.height, Code::EquivocationWrong)?;
    seats::unseat(&mut desk, |other: &Seat| other.key == seat.key)?;
    seats::check(&desk, false)?;
    seats::end_key(&mut desk, &seat.bureau, &seat.key, Authority::Bureau(seat.bureau))?;
    let record = EquivocationRecord {
        bureau: seat.bureau,
        key: seat.key.clone(),
        proof: payload.clone(),
        height: context.height,
        time: context.time,
    };
    desk.staged.records.push(record.to_record());
    *staged = desk.staged;
    Ok(TransactionKind::Equivocation)
}
