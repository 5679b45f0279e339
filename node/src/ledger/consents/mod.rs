//! Consents and reads as the state machine executes them, from protocol version 3 on.
//!
//! A consent is given and taken back by its own key. A read is recorded on a consent or on a rule, with the signatures of who
//! reads and who has the data; the chain's order decides between a withdrawal and a read. It does not see who or what is read.
//!
//! Time is the block's. Before its transactions a block forgets the first consents whose time is long over.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, §6

mod act;
mod read;
mod sweep;
mod turn;

pub(super) use sweep::begin;

use kanhe_proto::consent::{Act, ConsentPayload, ReadPayload};
use kanhe_proto::transaction::TransactionKind;

use super::code::{Code, Refusal};
use super::execution::{Execution, Staged};
use super::view::View;
use turn::Turn;

/// Acts of a transaction, all or none; a later one sees what an earlier one did.
pub(super) fn execute<V: View>(
    execution: &mut Execution<'_, V>,
    payload: &ConsentPayload,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    require(!payload.acts.is_empty(), Code::NoChanges)?;
    staged.signatures = payload.signatures();
    let mut turn = Turn { execution, staged };
    for signed in &payload.acts {
        match &signed.act {
            Act::Grant(grant) => act::grant(&mut turn, signed, grant)?,
            Act::Withdraw(withdraw) => act::withdraw(&mut turn, signed, withdraw)?,
        }
    }
    Ok(TransactionKind::Consent)
}

/// Reads of a transaction, all or none.
pub(super) fn record_reads<V: View>(
    execution: &mut Execution<'_, V>,
    payload: &ReadPayload,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    require(!payload.reads.is_empty(), Code::NoChanges)?;
    staged.signatures = payload.signatures();
    let mut turn = Turn { execution, staged };
    for signed in &payload.reads {
        read::read(&mut turn, signed)?;
    }
    Ok(TransactionKind::AccessRecord)
}

/// Fails with a code unless something holds.
fn require(holds: bool, code: Code) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(code.into()) }
}
