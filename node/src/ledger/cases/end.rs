//! A case is taken back, or rated after its end.

use kanhe_proto::case::{CaseStatus, OPENER_SLOT, Rate, SignedAct, Slot, SlotKey, Withdraw};

use super::progress::end;
use super::require;
use super::turn::Turn;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

pub(super) fn withdraw<V: View>(
    turn: &mut Turn<'_, '_, V>,
    signed: &SignedAct,
    withdraw: &Withdraw,
) -> Result<(), Refusal> {
    let mut case = turn.running(&withdraw.case)?;
    let item = turn.item(&case)?;
    let applicant = case.applicant(&item).map(|(place, _)| place);
    let named = withdraw.slot == OPENER_SLOT || applicant == Some(withdraw.slot);
    let slot = case.slots.get(usize::from(withdraw.slot)).filter(|_| named);
    verify(turn, signed, slot)?;
    let time = turn.time();
    end(&mut case, CaseStatus::Withdrawn, time);
    turn.record(case, signed);
    Ok(())
}

pub(super) fn rate<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedAct, rate: &Rate) -> Result<(), Refusal> {
    let mut case = turn.known(&rate.case)?;
    let item = turn.item(&case)?;
    require(case.status != CaseStatus::Open, Code::CaseNotOver)?;
    require(case.stars.is_none(), Code::CaseRated)?;
    rate.check().map_err(|_| Code::CaseShape)?;
    verify(turn, signed, case.applicant(&item).map(|(_, slot)| slot))?;
    case.stars = Some(rate.stars);
    turn.record(case, signed);
    Ok(())
}

/// The act is of the party in the slot; who was invited and has not joined does nothing.
fn verify<V: View>(turn: &Turn<'_, '_, V>, signed: &SignedAct, slot: Option<&Slot>) -> Result<(), Refusal> {
    match slot.map(|slot| &slot.key) {
        Some(SlotKey::Known(key)) => turn.verify(signed, key),
        Some(SlotKey::Invited(_)) | None => Err(Code::CaseNotNamed.into()),
    }
}
