//! Who is alive: signed one of the last committed certificates.

use std::collections::BTreeMap;

use kanhe_proto::bounded::List;
use kanhe_proto::governance::{Alive, LastSigned, alive_key};
use kanhe_proto::ids::Height;
use kanhe_proto::validators::{Address, ValidatorSet};

use super::desk::Desk;
use crate::ledger::code::Refusal;
use crate::ledger::view::View;

/// Certificates that count, at least.
const WINDOW_MIN: u64 = 16;

/// Notes who signed the parent's certificate. A validator that is new in the set counts from its first height on, so
/// that nobody is called dead before it could sign.
pub(super) fn update<V: View>(desk: &mut Desk<'_, '_, V>) -> Result<(), Refusal> {
    let context = desk.context();
    let parent = Height(context.height.0 - 1);
    let before: Alive = desk.leaf(&alive_key())?.unwrap_or_default();
    let before: BTreeMap<Address, Height> = before.last.iter().map(|last| (last.address, last.height)).collect();
    let last = context.validators.members().iter().map(|member| {
        let signed = context.signers.contains(&member.address);
        let height = if signed { parent } else { before.get(&member.address).copied().unwrap_or(parent) };
        LastSigned { address: member.address, height }
    });
    let alive = Alive { last: List::new(last.collect()).expect("as many as the set has members") };
    desk.put(alive_key(), &alive);
    Ok(())
}

/// The validators of the current set that are alive.
pub(super) fn living<V: View>(desk: &Desk<'_, '_, V>) -> Result<Vec<Address>, Refusal> {
    let context = desk.context();
    let alive: Alive = desk.leaf(&alive_key())?.unwrap_or_default();
    Ok(living_at(&alive, &context.validators, context.height))
}

/// The same of a leaf, for the height that comes after it.
pub fn living_at(alive: &Alive, set: &ValidatorSet, height: Height) -> Vec<Address> {
    let window = WINDOW_MIN.max(4 * set.members().len() as u64);
    let lives = alive.last.iter().filter(|last| last.height.0 + window >= height.0);
    lives.map(|last| last.address).collect()
}
