//! Types, accreditations, supervisions, relying parties and purposes.

use kanhe_proto::genesis::schema_digest;
use kanhe_proto::governance::Action;
use kanhe_proto::registry::{
    Accreditation, Intervals, LicenceType, Purpose, RegistryRecord, RelyingParty, Supervision,
};

use super::{Decision, interval};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::governance::desk::Desk;
use crate::ledger::governance::require;
use crate::ledger::view::View;
use kanhe_proto::registry::Effect;

pub(super) fn execute<V: View>(
    desk: &mut Desk<'_, '_, V>,
    action: &Action,
    decision: &Decision,
) -> Result<(), Refusal> {
    match action {
        Action::RegisterType { .. } => register_type(desk, action, decision),
        Action::RetireType { code, version, effect } => {
            end::<LicenceType, V>(desk, decision, &(code.clone(), *version), *effect, |record| &mut record.intervals)
        }
        Action::Accredit { issuer, type_code } => {
            desk.require_member(issuer)?;
            let new =
                || Accreditation { issuer: *issuer, type_code: type_code.clone(), intervals: Intervals::default() };
            open(desk, decision, &(*issuer, type_code.clone()), new, |record| &mut record.intervals)
        }
        Action::WithdrawAccreditation { issuer, type_code, effect } => {
            let id = (*issuer, type_code.clone());
            end::<Accreditation, V>(desk, decision, &id, *effect, |record| &mut record.intervals)
        }
        Action::Supervise { supervisor, issuer, type_code } => {
            desk.require_member(supervisor)?;
            desk.require_member(issuer)?;
            let (supervisor, issuer, type_code) = (*supervisor, *issuer, type_code.clone());
            let id = (supervisor, issuer, type_code.clone());
            let new = || Supervision { supervisor, issuer, type_code, intervals: Intervals::default() };
            open(desk, decision, &id, new, |record| &mut record.intervals)
        }
        Action::EndSupervision { supervisor, issuer, type_code } => {
            let id = (*supervisor, *issuer, type_code.clone());
            end::<Supervision, V>(desk, decision, &id, Effect::Keep, |record| &mut record.intervals)
        }
        Action::RegisterRelyingParty { .. } => register_party(desk, action, decision),
        Action::RemoveRelyingParty { uscc } => {
            end::<RelyingParty, V>(desk, decision, uscc, Effect::Keep, |record| &mut record.intervals)
        }
        Action::RegisterPurpose { code, names, class } => {
            let known = desk.read::<Purpose>(code)?;
            let intervals = known.map_or_else(Intervals::default, |known| known.intervals);
            let mut record = Purpose { code: code.clone(), names: names.clone(), class: *class, intervals };
            record.intervals.open(desk.binds(), decision.vote()).map_err(interval)?;
            desk.write(&record);
            Ok(())
        }
        Action::RetirePurpose { code } => {
            end::<Purpose, V>(desk, decision, code, Effect::Keep, |record| &mut record.intervals)
        }
        _ => Err(Code::ProposalWrong.into()),
    }
}

/// A version of a type never changes: licences of it were issued under its schema. One that was retired may come back.
fn register_type<V: View>(desk: &mut Desk<'_, '_, V>, action: &Action, decision: &Decision) -> Result<(), Refusal> {
    let Action::RegisterType { code, version, names, holder, schema, max_age } = action else {
        return Err(Code::ProposalWrong.into());
    };
    let digest = schema_digest(schema);
    let new = LicenceType {
        code: code.clone(),
        version: *version,
        names: names.clone(),
        holder: *holder,
        schema: digest,
        max_age: *max_age,
        intervals: Intervals::default(),
    };
    let known = desk.read::<LicenceType>(&(code.clone(), *version))?;
    let same = known.as_ref().is_none_or(|known| known.schema == digest && known.holder == *holder);
    require(same, Code::ExistsAlready)?;
    let intervals = known.map_or_else(Intervals::default, |known| known.intervals);
    let mut record = LicenceType { intervals, ..new };
    record.intervals.open(desk.binds(), decision.vote()).map_err(interval)?;
    desk.write(&record);
    desk.staged.schemas.push((digest, schema.as_str().to_owned()));
    Ok(())
}

/// A relying party is registered, or what it may do said anew.
fn register_party<V: View>(desk: &mut Desk<'_, '_, V>, action: &Action, decision: &Decision) -> Result<(), Refusal> {
    let Action::RegisterRelyingParty { uscc, names, request_key, may_ask, purposes } = action else {
        return Err(Code::ProposalWrong.into());
    };
    let binds = desk.binds();
    for code in purposes {
        require(desk.need::<Purpose>(code)?.intervals.hold_at(binds), Code::NoSuch)?;
    }
    let known = desk.read::<RelyingParty>(uscc)?;
    let mut intervals = known.map_or_else(Intervals::default, |known| known.intervals);
    if !intervals.hold_at(binds) {
        intervals.open(binds, decision.vote()).map_err(interval)?;
    }
    desk.write(&RelyingParty {
        uscc: *uscc,
        names: names.clone(),
        request_key: request_key.clone(),
        may_ask: may_ask.clone(),
        purposes: purposes.clone(),
        intervals,
    });
    Ok(())
}

fn open<T: RegistryRecord, V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    id: &T::Id,
    new: impl FnOnce() -> T,
    intervals: impl FnOnce(&mut T) -> &mut Intervals,
) -> Result<(), Refusal> {
    let mut record = desk.read::<T>(id)?.unwrap_or_else(new);
    intervals(&mut record).open(desk.binds(), decision.vote()).map_err(interval)?;
    desk.write(&record);
    Ok(())
}

fn end<T: RegistryRecord, V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    id: &T::Id,
    effect: Effect,
    intervals: impl FnOnce(&mut T) -> &mut Intervals,
) -> Result<(), Refusal> {
    let mut record = desk.need::<T>(id)?;
    intervals(&mut record).end(desk.binds(), decision.vote(), effect).map_err(interval)?;
    desk.write(&record);
    Ok(())
}
