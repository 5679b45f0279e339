//! Classes of data: a bureau says which it holds, how they stand, and which it holds no more.

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::limits::READ_AHEAD_MAX_MS;
use kanhe_proto::registry::{
    Accreditation, DataCatalogue, DataClass, DataCode, DataDeclaration, DataEntry, Effect, Intervals,
};

use super::{Decision, interval};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::governance::desk::Desk;
use crate::ledger::governance::require;
use crate::ledger::view::View;

/// What is declared again is overwritten; how it stood before is in the log.
pub(super) fn declare<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    bureau: &Uscc,
    classes: &[DataDeclaration],
) -> Result<(), Refusal> {
    desk.require_member(bureau)?;
    let (binds, time) = (desk.binds(), desk.context().time);
    let mut catalogue = desk.read::<DataCatalogue>(bureau)?.unwrap_or_else(|| DataCatalogue::empty(*bureau));
    for declared in classes {
        // As with requests, a bureau's clock may be a little ahead.
        require(declared.as_of <= time.after(SpanMs(READ_AHEAD_MAX_MS)), Code::EffectiveLater)?;
        if let Some(type_code) = &declared.type_code {
            // What is read of it is presented as a licence, which only an accredited bureau issues.
            let right = desk.read::<Accreditation>(&(*bureau, type_code.clone()))?;
            require(right.is_some_and(|right| right.intervals.hold_at(binds)), Code::NotAccredited)?;
        }
        let known = desk.read::<DataClass>(&(*bureau, declared.code.clone()))?;
        let mut intervals = known.map_or_else(Intervals::default, |known| known.intervals);
        if !intervals.hold_at(binds) {
            intervals.open(binds, decision.authority(bureau)).map_err(interval)?;
        }
        desk.write(&DataClass { bureau: *bureau, declared: declared.clone(), intervals });
        let entry = DataEntry { code: declared.code.clone(), in_force: true };
        catalogue = catalogue.with(entry).ok_or(Code::RegistryFull)?;
    }
    desk.write(&catalogue);
    Ok(())
}

pub(super) fn retire<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    bureau: &Uscc,
    classes: &[DataCode],
) -> Result<(), Refusal> {
    let mut catalogue = desk.need::<DataCatalogue>(bureau)?;
    for code in classes {
        let mut class = desk.need::<DataClass>(&(*bureau, code.clone()))?;
        let authority = decision.authority(bureau);
        class.intervals.end(desk.binds(), authority, Effect::Keep).map_err(interval)?;
        desk.write(&class);
        catalogue = catalogue.with(DataEntry { code: code.clone(), in_force: false }).ok_or(Code::RegistryFull)?;
    }
    desk.write(&catalogue);
    Ok(())
}
