//! Service items: a version is added, and the one before ends; or the newest ends.
//!
//! What the chain knows of an item is derived from its text here, so that it cannot differ from what people read.

use kanhe_proto::bounded::Text;
use kanhe_proto::genesis::schema_digest;
use kanhe_proto::identifiers::{TypeCode, TypeVersion};
use kanhe_proto::item::{BoundRole, Item, ItemCode, ItemVersion};
use kanhe_proto::limits::ITEM_BYTES_MAX;
use kanhe_proto::registry::{
    Accreditation, CatalogueEntry, Effect, ItemCatalogue, LicenceType, Purpose, PurposeClass, ServiceItem,
};

use super::{Decision, interval};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::governance::desk::Desk;
use crate::ledger::governance::require;
use crate::ledger::view::View;

pub(super) fn register<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    file: &Text<ITEM_BYTES_MAX>,
    bound: &[BoundRole],
) -> Result<(), Refusal> {
    let item = Item::from_json(file).map_err(|_| Code::ProposalWrong)?;
    let mut record = item.service_item(bound).map_err(|_| Code::ProposalWrong)?;
    check(desk, &item, &record)?;
    let catalogue = desk.read::<ItemCatalogue>(&())?.unwrap_or_default();
    let before = catalogue.find(&item.code).map_or(ItemVersion(0), |entry| entry.newest);
    require(item.version > before, Code::ExistsAlready)?;
    require(item.version.0 == before.0 + 1, Code::NoSuch)?;
    if catalogue.find(&item.code).is_some_and(|entry| entry.in_force) {
        end(desk, decision, &item.code, before)?;
    }
    record.intervals.open(desk.binds(), decision.vote()).map_err(interval)?;
    desk.write(&record);
    list(desk, &catalogue, CatalogueEntry { code: item.code, newest: item.version, in_force: true })?;
    desk.staged.schemas.push((schema_digest(file), file.as_str().to_owned()));
    Ok(())
}

pub(super) fn retire<V: View>(desk: &mut Desk<'_, '_, V>, decision: &Decision, code: &ItemCode) -> Result<(), Refusal> {
    let catalogue = desk.read::<ItemCatalogue>(&())?.unwrap_or_default();
    let entry = catalogue.find(code).filter(|entry| entry.in_force).ok_or(Code::NoSuch)?.clone();
    end(desk, decision, code, entry.newest)?;
    list(desk, &catalogue, CatalogueEntry { in_force: false, ..entry })
}

fn end<V: View>(
    desk: &mut Desk<'_, '_, V>,
    decision: &Decision,
    code: &ItemCode,
    version: ItemVersion,
) -> Result<(), Refusal> {
    let mut record = desk.need::<ServiceItem>(&(code.clone(), version))?;
    record.intervals.end(desk.binds(), decision.vote(), Effect::Keep).map_err(interval)?;
    desk.write(&record);
    Ok(())
}

fn list<V: View>(desk: &mut Desk<'_, '_, V>, catalogue: &ItemCatalogue, entry: CatalogueEntry) -> Result<(), Refusal> {
    desk.write(&catalogue.with(entry).ok_or(Code::RegistryFull)?);
    Ok(())
}

/// All that an item names is in force: its purpose, which is of public benefit, its types, its bureaus, and the right of
/// those that issue.
fn check<V: View>(desk: &Desk<'_, '_, V>, item: &Item, record: &ServiceItem) -> Result<(), Refusal> {
    let binds = desk.binds();
    let purpose = desk.need::<Purpose>(&item.purpose)?;
    let shared = purpose.intervals.hold_at(binds) && purpose.class == PurposeClass::PublicBenefit;
    require(shared, Code::NoSuch)?;
    let in_force = |code: &TypeCode, version: TypeVersion| -> Result<(), Refusal> {
        let known = desk.read::<LicenceType>(&(code.clone(), version))?;
        require(known.is_some_and(|known| known.intervals.hold_at(binds)), Code::UnknownType)
    };
    let asked = item.ask.iter().flat_map(|ask| ask.types.iter());
    let read = item.read.iter().map(|read| &read.type_ref);
    for named in asked.chain(read) {
        in_force(named.code(), named.version())?;
    }
    for bureau in record.bureaus.iter().flat_map(|role| role.bound.iter()) {
        desk.require_member(bureau)?;
    }
    for given in &record.yields {
        in_force(&given.type_code, given.type_version)?;
        let step = &record.steps[usize::from(given.step)];
        for issuer in &record.bureaus[usize::from(step.by)].bound {
            let right = desk.read::<Accreditation>(&(*issuer, given.type_code.clone()))?;
            require(right.is_some_and(|right| right.intervals.hold_at(binds)), Code::NotAccredited)?;
        }
    }
    Ok(())
}
