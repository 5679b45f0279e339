//! Whether an act fits its item, whatever the state of the case: wallets and desks ask before they sign.

use std::collections::BTreeSet;

use super::act::{Assisted, Decide, FileRef, How, Issued, Open, Outcome, Present, Rate};
use super::leaf::{Case, Slot};
use crate::item::is_part_name;
use crate::key::{Algorithm, PublicKey};
use crate::limits::{CASE_FILE_BYTES_MAX, CASE_FILE_UNIT_BYTES};
use crate::registry::ServiceItem;

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Not one bureau for each role, each bound to it.
    #[error("each role must be played by one of the bureaus bound to it")]
    Chosen,
    /// Slots that the item does not have.
    #[error("slots must be of the item's parties, with one for each that is not optional, and one for the applicant")]
    Slots,
    /// A key of another algorithm, malformed, or twice.
    #[error("each slot needs an Ed25519 key of its own, and letters an X25519 key")]
    Keys,
    /// A file for a bureau that gets none, out of order, or of a size that is none.
    #[error("files go to bureaus that the item sends them to, ascending, in units of 4 KiB")]
    Files,
    /// Not a clerk's number.
    #[error("a clerk is named by 1 to 32 of A-Z, a-z, 0-9 and -")]
    Clerk,
    /// Decided by rules where an officer must, or without a run of the rules.
    #[error("rules alone decide automatic steps, and their run is shown")]
    How,
    /// A reason without need, or none where one is.
    #[error("whoever is not approved is told a reason, which is a code")]
    Reason,
    /// Nobody could present anew.
    #[error("the step waits for nobody who could present anew")]
    Return,
    /// The step yields nothing.
    #[error("the step yields no licence to anybody in this case")]
    Yields,
    /// Not 1 to 5.
    #[error("stars are 1 to 5")]
    Stars,
}

fn require(holds: bool, error: ShapeError) -> Result<(), ShapeError> {
    if holds { Ok(()) } else { Err(error) }
}

/// Strictly ascending, each to one of `allowed`.
fn check_files(files: &[FileRef], allowed: impl Fn(u8) -> bool) -> Result<(), ShapeError> {
    let size = |bytes: u32| bytes > 0 && bytes <= CASE_FILE_BYTES_MAX && bytes.is_multiple_of(CASE_FILE_UNIT_BYTES);
    let right = files.iter().all(|file| allowed(file.to) && size(file.bytes))
        && files.windows(2).all(|pair| pair[0].to < pair[1].to);
    require(right, ShapeError::Files)
}

fn is_letter_key(key: &PublicKey) -> bool {
    key.algorithm == Algorithm::X25519 && key.bytes.len() == 32
}

fn sends(item: &ServiceItem, party: u8, to: u8) -> bool {
    item.parties.get(usize::from(party)).is_some_and(|party| party.sends_to.contains(&to))
}

/// A clerk is a number and no name.
fn check_clerk(assisted: Option<&Assisted>) -> Result<(), ShapeError> {
    let Some(clerk) = assisted.map(|assisted| assisted.clerk.as_str()) else { return Ok(()) };
    require(is_clerk(clerk), ShapeError::Clerk)
}

/// Whether this may number a clerk: letters, digits and hyphens.
pub fn is_clerk(number: &str) -> bool {
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Place of the party that opens cases of an item.
pub(super) fn opener(item: &ServiceItem) -> Option<u8> {
    (0u8..).zip(item.parties.iter()).find(|(_, party)| party.opens).map(|(at, _)| at)
}

impl Open {
    /// Checks it against its item.
    pub fn check(&self, item: &ServiceItem) -> Result<(), ShapeError> {
        let bound = self.chosen.len() == item.bureaus.len()
            && self.chosen.iter().zip(&item.bureaus).all(|(chosen, role)| role.bound.contains(chosen));
        require(bound, ShapeError::Chosen)?;
        let opener = opener(item).ok_or(ShapeError::Slots)?;
        for (place, party) in (0u8..).zip(item.parties.iter()) {
            let count = self.slots.iter().filter(|slot| slot.party == place).count();
            let fits = match (place == opener, party.applicant) {
                (true, _) => count == 0,
                (false, true) => count == 1,
                (false, false) => party.optional || count > 0,
            };
            require(fits, ShapeError::Slots)?;
        }
        let known = self.slots.iter().all(|slot| usize::from(slot.party) < item.parties.len());
        require(known, ShapeError::Slots)?;
        let keys = std::iter::once(&self.key).chain(self.slots.iter().map(|slot| slot.key.key()));
        let distinct: BTreeSet<&PublicKey> = keys.clone().collect();
        let all = distinct.len() == 1 + self.slots.len() && keys.into_iter().all(|key| key.verifier().is_ok());
        require(all && is_letter_key(&self.letter_key), ShapeError::Keys)?;
        check_files(&self.files, |to| sends(item, opener, to))?;
        check_clerk(self.assisted.as_ref())
    }
}

impl Present {
    /// Checks it against its item and the slot that it names.
    pub fn check(&self, item: &ServiceItem, case: &Case, slot: &Slot) -> Result<(), ShapeError> {
        require(is_letter_key(&self.letter_key), ShapeError::Keys)?;
        if let Some(join) = &self.join {
            let new = case.slots.iter().all(|slot| *slot.key.key() != join.key);
            require(new && join.key.verifier().is_ok(), ShapeError::Keys)?;
        }
        check_clerk(self.assisted.as_ref())?;
        check_files(&self.files, |to| sends(item, slot.party, to))
    }
}

impl Decide {
    /// Checks it against its item and the case.
    pub fn check(&self, item: &ServiceItem, case: &Case) -> Result<(), ShapeError> {
        let step = item.steps.get(usize::from(self.step));
        let by_rules = self.how == How::Rules;
        require(!by_rules || step.is_some_and(|step| step.auto && self.run.is_some()), ShapeError::How)?;
        let approved = self.outcome == Outcome::Approved;
        let reason = match &self.reason {
            Some(reason) => !approved && is_part_name(reason),
            None => approved,
        };
        require(reason, ShapeError::Reason)?;
        if self.outcome == Outcome::Returned {
            let anew = |slot: &Slot| step.is_some_and(|step| step.waits_for.contains(&slot.party));
            require(case.slots.iter().any(anew), ShapeError::Return)?;
        }
        let later = |to: u8| item.steps.iter().any(|step| step.by == to && step.needs.contains(&self.step));
        check_files(&self.passed, |to| approved && later(to))
    }
}

impl Issued {
    /// Checks it against its item and the case.
    pub fn check(&self, item: &ServiceItem, case: &Case) -> Result<(), ShapeError> {
        require(case.yields(item, self.step), ShapeError::Yields)
    }
}

impl Rate {
    /// Checks it.
    pub fn check(&self) -> Result<(), ShapeError> {
        require((1..=5).contains(&self.stars), ShapeError::Stars)
    }
}
