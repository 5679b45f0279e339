//! Which act explains what becomes of a validator.

use std::collections::BTreeSet;

use super::{Cause, Change, Explanation, HandOverError, Spent};
use crate::governance::Action;
use crate::identifiers::Uscc;
use crate::ids::{Power, TimeMs};
use crate::key::{KeyId, PublicKey};
use crate::registry::KeyRole;
use crate::validators::{Address, Validator, ValidatorSet};

/// What an act does to the validator set.
pub(super) enum Deed {
    /// A key gets a seat of this power.
    Seats(PublicKey, Power),
    /// A key loses its seat.
    Unseats(KeyId),
    /// A seat passes from a key of the same bureau to another.
    Rotates(KeyId, PublicKey),
    /// A validator signed twice.
    Equivocated(Address),
}

/// An act whose record, votes and signatures are checked.
pub(super) struct Proved {
    pub cause: Cause,
    pub until: TimeMs,
    pub deeds: Vec<Deed>,
}

/// The deeds of a proposal; `owned` are the validator keys shown to be of a bureau.
pub(super) fn deeds(actions: &[Action], owned: &[(Uscc, KeyId)]) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for action in actions {
        match action {
            Action::SeatValidator { key, power, .. } => deeds.push(Deed::Seats(key.clone(), *power)),
            Action::UnseatValidator { key, .. } => deeds.push(Deed::Unseats(key.id())),
            Action::FreezeBureau { bureau } | Action::RemoveBureau { bureau } => {
                let keys = owned.iter().filter(|(owner, _)| owner == bureau);
                deeds.extend(keys.map(|(_, key)| Deed::Unseats(*key)));
            }
            Action::RotateKey { bureau, new, old: Some(old), .. }
                if new.role == KeyRole::Validator && owned.contains(&(*bureau, *old)) =>
            {
                deeds.push(Deed::Rotates(*old, new.key.clone()));
            }
            _ => {}
        }
    }
    deeds
}

/// Explains every difference, ascending by address, or names the first that nothing explains.
pub(super) fn explain(
    acts: &[Proved],
    current: &ValidatorSet,
    next: &ValidatorSet,
    spent: &[Spent],
) -> Result<Vec<Explanation>, HandOverError> {
    let explainer = Explainer { acts, current, next, spent };
    let addresses: BTreeSet<Address> =
        current.members().iter().chain(next.members()).map(|member| member.address).collect();
    let mut explanations = Vec::new();
    for address in addresses {
        let member = |set: &ValidatorSet| set.get(&address).map(|(_, member)| member.clone());
        let (change, act) = match (member(current), member(next)) {
            (None, Some(new)) => (Change::Came(new.power), explainer.seated(&new)),
            (Some(old), None) => (Change::Left(old.power), explainer.unseated(&old)),
            (Some(old), Some(new)) if old.power != new.power => {
                (Change::Power { from: old.power, to: new.power }, explainer.seated(&new))
            }
            _ => continue,
        };
        let act = act.ok_or(HandOverError::Unexplained { address })?;
        let spent = Spent { cause: act.cause, address, until: act.until };
        explanations.push(Explanation { address, change, spent });
    }
    Ok(explanations)
}

struct Explainer<'a> {
    acts: &'a [Proved],
    current: &'a ValidatorSet,
    next: &'a ValidatorSet,
    spent: &'a [Spent],
}

impl<'a> Explainer<'a> {
    /// Acts that have not yet explained a change of this validator, with their deeds.
    fn deeds(&self, address: Address) -> impl Iterator<Item = (&'a Proved, &'a Deed)> + '_ {
        self.acts
            .iter()
            .filter(move |act| !self.spent.iter().any(|spent| spent.cause == act.cause && spent.address == address))
            .flat_map(|act| act.deeds.iter().map(move |deed| (act, deed)))
    }

    /// The act that gives a validator its seat and power.
    fn seated(&self, member: &Validator) -> Option<&'a Proved> {
        let gives = |deed: &Deed| match deed {
            Deed::Seats(key, power) => *key == member.key && *power == member.power,
            // The old key must go: one seat does not become two.
            Deed::Rotates(old, new) => {
                *new == member.key && !has(self.next, old) && self.may_have(old, member.power, &mut BTreeSet::new())
            }
            Deed::Unseats(_) | Deed::Equivocated(_) => false,
        };
        self.deeds(member.address).find(|(_, deed)| gives(deed)).map(|(act, _)| act)
    }

    /// Had this key that power, or was it given it since?
    fn may_have(&self, key: &KeyId, power: Power, seen: &mut BTreeSet<KeyId>) -> bool {
        if !seen.insert(*key) {
            return false;
        }
        let had = |member: &Validator| member.key.id() == *key && member.power == power;
        self.current.members().iter().any(had)
            || self.all().any(|deed| match deed {
                Deed::Seats(seated, given) => seated.id() == *key && *given == power,
                Deed::Rotates(old, new) => new.id() == *key && self.may_have(old, power, seen),
                Deed::Unseats(_) | Deed::Equivocated(_) => false,
            })
    }

    /// The act that takes a validator its seat.
    fn unseated(&self, member: &Validator) -> Option<&'a Proved> {
        let mut seen = BTreeSet::from([member.key.id()]);
        let takes = |deed: &Deed| match deed {
            Deed::Unseats(key) => *key == member.key.id(),
            Deed::Equivocated(address) => *address == member.address,
            Deed::Rotates(old, new) => *old == member.key.id() && self.passed_on(new, &mut seen),
            Deed::Seats(..) => false,
        };
        let mut takes = takes;
        self.deeds(member.address).find(|(_, deed)| takes(deed)).map(|(act, _)| act)
    }

    /// Has the successor of a key the seat, or what became of it is explained in its turn?
    fn passed_on(&self, key: &PublicKey, seen: &mut BTreeSet<KeyId>) -> bool {
        if has(self.next, &key.id()) {
            return true;
        }
        if !seen.insert(key.id()) {
            return false;
        }
        self.all().any(|deed| match deed {
            Deed::Unseats(gone) => *gone == key.id(),
            Deed::Equivocated(address) => *address == Address::of(key),
            Deed::Rotates(old, new) => *old == key.id() && self.passed_on(new, seen),
            Deed::Seats(..) => false,
        })
    }

    fn all(&self) -> impl Iterator<Item = &'a Deed> {
        self.acts.iter().flat_map(|act| act.deeds.iter())
    }
}

fn has(set: &ValidatorSet, key: &KeyId) -> bool {
    set.members().iter().any(|member| member.key.id() == *key)
}
