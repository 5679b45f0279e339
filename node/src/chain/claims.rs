//! What the chain says of a case file: whether it commits to it, and whether its author has anything to say in the case.

use kanhe_proto::case::{Act, Case, CaseEvent, CaseRecord, CaseStatus, FileRef, OPENER_SLOT, SlotKey, case_key};
use kanhe_proto::case_file::parts_of;
use kanhe_proto::hash::{CaseId, Commitment};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::KeyId;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::Record;
use kanhe_proto::registry::{KeyEntry, KeyRole};

use super::error::ChainError;
use super::snapshot::Snapshot;
use crate::ledger::map::LeafReader;

/// A case file, as far as its parts are legible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// For whom.
    pub to: Uscc,
    /// Of which case.
    pub case: CaseId,
    /// To its content.
    pub commitment: Commitment,
    /// Whose signature its parts have.
    pub author: KeyId,
    /// How many there are.
    pub parts: u16,
}

/// What the chain says of a case file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It does not have the case: not yet, or not any more.
    NoCase,
    /// An event of the case commits to it, by the key that signed it.
    Wanted,
    /// No event does, and one may: the key is of somebody who takes part, or might join.
    Possible,
    /// Its author says nothing in the case, or another file than this.
    Stranger,
}

impl Snapshot<'_> {
    /// What the chain says of a case file.
    pub fn claim(&self, file: &Claimed) -> Result<Claim, ChainError> {
        let Some(value) = self.reader.state().get(&case_key(&file.case))? else { return Ok(Claim::NoCase) };
        let missing = |_| ChainError::Missing(format!("a readable case {}", file.case));
        let case = Case::from_value(&value).map_err(missing)?;
        match self.committed(&case, file)? {
            Some(true) => Ok(Claim::Wanted),
            Some(false) => Ok(Claim::Stranger),
            None if self.may_speak(&case, file)? => Ok(Claim::Possible),
            None => Ok(Claim::Stranger),
        }
    }

    /// Whether an event commits to the file by its author's key; none: no event commits to such content.
    fn committed(&self, case: &Case, file: &Claimed) -> Result<Option<bool>, ChainError> {
        let (mut found, mut next) = (None, Some(case.last));
        while let Some(index) = next {
            let missing = || ChainError::Missing(format!("record {index} of case {}", case.id));
            let bytes = self.reader.record(index)?.ok_or_else(missing)?;
            let record = CaseRecord::from_record(&bytes).map_err(|_| missing())?;
            if let CaseEvent::Act(signed) = &record.event
                && let Some((author, files)) = said(case, &signed.act)
            {
                let to_it = |said: &&FileRef| {
                    said.commitment == file.commitment && case.chosen.get(usize::from(said.to)) == Some(&file.to)
                };
                for said in files.iter().filter(to_it) {
                    if author == file.author && parts_of(said.bytes as usize) == file.parts {
                        return Ok(Some(true));
                    }
                    found = Some(false);
                }
            }
            next = record.before;
        }
        Ok(found)
    }

    /// Whether the author may yet commit to a file: a party by its key of the case, a bureau of the case by an issuing key. Who
    /// was invited says something before its key is known.
    fn may_speak(&self, case: &Case, file: &Claimed) -> Result<bool, ChainError> {
        if case.status != CaseStatus::Open {
            return Ok(false);
        }
        let is_party = case.slots.iter().any(|slot| match &slot.key {
            SlotKey::Known(key) => key.id() == file.author,
            SlotKey::Invited(_) => true,
        });
        if is_party {
            return Ok(true);
        }
        let height = self.tip.header.height.next();
        for bureau in &case.chosen {
            let (entry, _) = self.registry::<KeyEntry>(&(*bureau, file.author))?;
            let signs = |entry: KeyEntry| entry.role == KeyRole::Issuing && entry.intervals.hold_at(height);
            if entry.is_some_and(signs) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Who commits to which files by an act.
fn said<'a>(case: &Case, act: &'a Act) -> Option<(KeyId, &'a [FileRef])> {
    let key = |slot: u8| case.slots.get(usize::from(slot)).map(|slot| slot.key.key().id());
    match act {
        Act::Open(open) => Some((key(OPENER_SLOT)?, &open.files)),
        Act::Present(present) => Some((key(present.slot)?, &present.files)),
        Act::Decide(decide) => Some((decide.key, &decide.passed)),
        Act::Issued(_) | Act::Withdraw(_) | Act::Rate(_) => None,
    }
}
