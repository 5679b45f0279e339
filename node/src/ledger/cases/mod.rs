//! Cases as the state machine executes them, from protocol version 3 on.
//!
//! An act is checked against its item (`kanhe_proto::case`), the case and the one key that may do it, and becomes a record
//! of the log. The only lock is the round of the part that it is about: two steps of a case never disturb each other, and
//! of two decisions on one step the chain takes the first.
//!
//! Time is the block's. Before its transactions a block takes the first cases to which time alone does something, in
//! order of (time, id): open ones expire, ended ones are forgotten.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`

mod decide;
mod end;
mod open;
mod present;
mod progress;
mod sweep;
mod turn;

pub(super) use sweep::begin;

use kanhe_proto::case::{Act, CasePayload};
use kanhe_proto::transaction::TransactionKind;

use super::code::{Code, Refusal};
use super::execution::{Execution, Staged};
use super::view::View;
use turn::Turn;

/// Acts of a transaction, all or none; a later one sees what an earlier one did.
pub(super) fn execute<V: View>(
    execution: &mut Execution<'_, V>,
    payload: &CasePayload,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    require(!payload.acts.is_empty(), Code::NoChanges)?;
    staged.signatures = payload.signatures();
    let mut turn = Turn { execution, staged };
    for signed in &payload.acts {
        match &signed.act {
            Act::Open(act) => open::open(&mut turn, signed, act)?,
            Act::Present(act) => present::present(&mut turn, signed, act)?,
            Act::Decide(act) => decide::decide(&mut turn, signed, act)?,
            Act::Issued(act) => decide::issued(&mut turn, signed, act)?,
            Act::Withdraw(act) => end::withdraw(&mut turn, signed, act)?,
            Act::Rate(act) => end::rate(&mut turn, signed, act)?,
        }
    }
    Ok(TransactionKind::Case)
}

/// Fails with a code unless something holds.
fn require(holds: bool, code: Code) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(code.into()) }
}
