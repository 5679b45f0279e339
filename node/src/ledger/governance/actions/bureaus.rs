//! Bureaus come, are frozen and thawed, and go.

use kanhe_proto::bounded::List;
use kanhe_proto::governance::{Action, NewKey};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::registry::{Bureau, Effect, Intervals, KeyEntry, Membership};

use super::{Decision, interval};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::governance::desk::Desk;
use crate::ledger::governance::{require, seats};
use crate::ledger::view::View;

pub(super) fn execute<V: View>(
    desk: &mut Desk<'_, '_, V>,
    action: &Action,
    decision: &Decision,
) -> Result<(), Refusal> {
    match action {
        Action::AdmitBureau { bureau, names, region, addresses, keys } => {
            let (names, region, addresses) = (names.clone(), region.clone(), addresses.clone());
            let intervals = desk.read::<Bureau>(bureau)?.map_or_else(Intervals::default, |known| known.intervals);
            let record = Bureau { uscc: *bureau, names, region, addresses, intervals };
            join(desk, record, decision)?;
            keys.iter().try_for_each(|key| admit_key(desk, bureau, key, decision))
        }
        Action::ThawBureau { bureau } => {
            let record = desk.need(bureau)?;
            join(desk, record, decision)
        }
        // A removed bureau keeps its records, which answer for what it did; without membership none of its keys counts.
        Action::FreezeBureau { bureau } | Action::RemoveBureau { bureau } => leave(desk, bureau, decision),
        Action::SetAddresses { bureau, addresses } => {
            desk.require_member(bureau)?;
            let record: Bureau = desk.need(bureau)?;
            desk.write(&Bureau { addresses: addresses.clone(), ..record });
            Ok(())
        }
        _ => Err(Code::ProposalWrong.into()),
    }
}

fn join<V: View>(desk: &mut Desk<'_, '_, V>, mut bureau: Bureau, decision: &Decision) -> Result<(), Refusal> {
    bureau.intervals.open(desk.binds(), decision.vote()).map_err(interval)?;
    let mut members = desk.membership()?.bureaus.into_vec();
    let place = members.binary_search(&bureau.uscc).err().ok_or(Code::ExistsAlready)?;
    members.insert(place, bureau.uscc);
    desk.write(&Membership { bureaus: List::new(members).map_err(|_| Code::RegistryFull)? });
    desk.write(&bureau);
    Ok(())
}

fn admit_key<V: View>(
    desk: &mut Desk<'_, '_, V>,
    bureau: &Uscc,
    new: &NewKey,
    decision: &Decision,
) -> Result<(), Refusal> {
    let binds = desk.binds();
    if let Some(known) = desk.read::<KeyEntry>(&(*bureau, new.key.id()))? {
        // Who comes back may bring the keys that it has, but none that ended or was stolen.
        let same = known.role == new.role && known.distrusted_from.is_none() && known.intervals.hold_at(binds);
        return require(same, Code::ExistsAlready);
    }
    desk.write(&KeyEntry {
        bureau: *bureau,
        role: new.role,
        key: new.key.clone(),
        intervals: Intervals::from(binds, decision.vote()),
        distrusted_from: None,
    });
    Ok(())
}

fn leave<V: View>(desk: &mut Desk<'_, '_, V>, bureau: &Uscc, decision: &Decision) -> Result<(), Refusal> {
    let mut record: Bureau = desk.need(bureau)?;
    desk.require_member(bureau)?;
    record.intervals.end(desk.binds(), decision.vote(), Effect::Keep).map_err(interval)?;
    desk.write(&record);
    let mut members = desk.membership()?.bureaus.into_vec();
    members.retain(|member| member != bureau);
    // Nobody would be left to decide anything.
    require(!members.is_empty(), Code::WouldHalt)?;
    desk.write(&Membership { bureaus: List::new(members).expect("fewer than before") });
    seats::unseat(desk, |seat| seat.bureau == *bureau).map(|_| ())
}
