//! Cases: their leaves, their events, whose turn it is, and who is late.

use std::collections::BTreeMap;

use kanhe_proto::case::{Case, CaseRecord, case_key};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::ProvedLeaf;
use kanhe_proto::record::Record;
use kanhe_proto::registry::ServiceItem;

use super::error::ChainError;
use super::history::History;
use super::snapshot::{Snapshot, value_of};
use crate::ledger::map::LeafReader;

/// Place of a step in the order of overdue ones: when it was due, its case, its place in the item.
pub type OverduePlace = (TimeMs, CaseId, u8);

/// A step that is ready for longer than its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Its place in their order.
    pub place: OverduePlace,
    /// The case.
    pub case: Case,
    /// Whose it is to decide.
    pub bureau: Uscc,
}

/// A step that is a bureau's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Its place in their order: when it is due, its case, its place in the item.
    pub place: OverduePlace,
    /// Its round.
    pub round: u32,
}

impl Snapshot<'_> {
    /// A case with its proof, or that there is none.
    pub fn case(&self, id: &CaseId) -> Result<(Option<Case>, ProvedLeaf), ChainError> {
        let leaf = self.prove_state(&case_key(id))?;
        Ok((value_of(&leaf)?, leaf))
    }

    /// Whether there is a case: from its opening until 30 days after its end.
    pub fn has_case(&self, id: &CaseId) -> Result<bool, ChainError> {
        Ok(self.reader.state().get(&case_key(id))?.is_some())
    }

    /// Events of a case from one on back, at most `max`; without one from the last. None if `from` is no event of it.
    pub fn case_events(&self, id: &CaseId, from: Option<LogIndex>, max: usize) -> Result<Option<History>, ChainError> {
        let (case, leaf) = self.case(id)?;
        self.history(leaf, from.or(case.map(|case| case.last)), max, |record| {
            let record = CaseRecord::from_record(record).ok();
            record.filter(|record| record.case == *id).map(|record| record.before)
        })
    }

    /// Steps that were due before this block's time and are not decided, the longest overdue first, after one of them.
    pub fn overdue(&self, after: Option<OverduePlace>, max: usize) -> Result<Vec<Overdue>, ChainError> {
        let places = self.reader.overdue_steps(self.tip.header.time, after, max)?;
        let mut found = Vec::with_capacity(places.len());
        for place in places {
            let (_, id, step) = place;
            let missing = || ChainError::Missing(format!("step {step} of case {id}"));
            let value = self.reader.state().get(&case_key(&id))?.ok_or_else(missing)?;
            let case = Case::from_value(&value).map_err(|_| missing())?;
            let (item, _) = self.registry::<ServiceItem>(&(case.item.clone(), case.version))?;
            let bureau = item.and_then(|item| case.bureau_of(&item, step)).ok_or_else(missing)?;
            found.push(Overdue { place, case, bureau });
        }
        Ok(found)
    }

    /// Steps that are a bureau's turn, what is due first at the front, after a place; and from where to ask on, if there may be
    /// more. At most `max` are looked at, of which some may be the turn of another bureau.
    pub fn ready(
        &self,
        bureau: &Uscc,
        after: Option<OverduePlace>,
        max: usize,
    ) -> Result<(Vec<Ready>, Option<OverduePlace>), ChainError> {
        let places = self.reader.ready_steps(bureau, after, max)?;
        let next = places.last().copied().filter(|_| places.len() == max);
        let (mut items, mut found) = (BTreeMap::new(), Vec::new());
        for place in places {
            let (_, id, step) = place;
            let missing = || ChainError::Missing(format!("step {step} of case {id}"));
            let value = self.reader.state().get(&case_key(&id))?.ok_or_else(missing)?;
            let case = Case::from_value(&value).map_err(|_| missing())?;
            let version = (case.item.clone(), case.version);
            if !items.contains_key(&version) {
                let (item, _) = self.registry::<ServiceItem>(&version)?;
                items.insert(version.clone(), item.ok_or_else(missing)?);
            }
            let known = case.steps.get(usize::from(step)).ok_or_else(missing)?;
            if case.bureau_of(&items[&version], step) == Some(*bureau) {
                found.push(Ready { place, round: known.round });
            }
        }
        Ok((found, next))
    }

    /// Open cases in which a bureau plays a role, ascending by id, after one of them.
    pub fn open_cases(&self, bureau: &Uscc, after: Option<CaseId>, max: usize) -> Result<Vec<CaseId>, ChainError> {
        Ok(self.reader.open_cases(bureau, after, max)?)
    }
}
