//! A party presents, the first time or anew.

use kanhe_proto::case::{Present, SignedAct, SlotKey};

use super::progress::settle;
use super::require;
use super::turn::Turn;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

pub(super) fn present<V: View>(
    turn: &mut Turn<'_, '_, V>,
    signed: &SignedAct,
    present: &Present,
) -> Result<(), Refusal> {
    let mut case = turn.running(&present.case)?;
    let item = turn.item(&case)?;
    let (place, time) = (usize::from(present.slot), turn.time());
    let slot = case.slots.get(place).ok_or(Code::CaseNotNamed)?;
    require(slot.round == present.round, Code::CaseRound)?;
    require(slot.presented.is_none(), Code::CasePresented)?;
    present.check(&item, &case, slot).map_err(|_| Code::CaseShape)?;
    let key = match (&slot.key, &present.join) {
        (SlotKey::Known(key), None) => key.clone(),
        (SlotKey::Invited(invitation), Some(join)) => {
            let joined = join.verify(&turn.context().chain, &case.id, present.slot, invitation);
            joined.map_err(|_| Code::CaseSignature)?;
            join.key.clone()
        }
        // Who was not invited does not join, and who was must.
        (SlotKey::Known(_), Some(_)) | (SlotKey::Invited(_), None) => return Err(Code::CaseNotNamed.into()),
    };
    turn.verify_assisted(signed)?;
    turn.verify(signed, &key)?;
    let slot = &mut case.slots.as_mut_slice()[place];
    (slot.key, slot.presented) = (SlotKey::Known(key), Some(time));
    slot.letter_key = Some(present.letter_key.clone());
    settle(&mut case, &item, time);
    turn.record(case, signed);
    Ok(())
}
