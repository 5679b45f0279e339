//! The cases of one block: each read and decoded once.

use std::collections::BTreeMap;

use kanhe_proto::case::{Case, case_key};
use kanhe_proto::hash::CaseId;
use kanhe_proto::map_value::MapValue;

use crate::ledger::map::ReadError;
use crate::ledger::outcome::CaseChange;
use crate::ledger::view::View;

/// What the block read and changed so far.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Book {
    pages: BTreeMap<CaseId, Page>,
    changed: usize,
}

#[derive(Debug)]
struct Page {
    before: Option<Case>,
    now: Option<Case>,
    changed: bool,
}

impl Book {
    /// A case as the block has it so far.
    pub fn get<V: View>(&mut self, view: &V, id: &CaseId) -> Result<Option<&Case>, ReadError> {
        if !self.pages.contains_key(id) {
            let value = view.state(&case_key(id))?;
            let case = value.map(|value| Case::from_value(&value)).transpose();
            let case = case.map_err(|error| ReadError(Box::new(error)))?;
            self.pages.insert(*id, Page { before: case.clone(), now: case, changed: false });
        }
        Ok(self.pages.get(id).and_then(|page| page.now.as_ref()))
    }

    /// Changes a case that was read, or takes it away.
    pub fn put(&mut self, id: CaseId, case: Option<Case>) {
        let page = self.pages.get_mut(&id).expect("a case is read before it is changed");
        self.changed += usize::from(!page.changed);
        (page.now, page.changed) = (case, true);
    }

    /// Number of cases that the block changed.
    pub const fn changed(&self) -> usize {
        self.changed
    }
    /// Whether the block changed it.
    pub fn is_changed(&self, id: &CaseId) -> bool {
        self.pages.get(id).is_some_and(|page| page.changed)
    }

    /// All that the block changed, ascending by id.
    pub fn into_changes(self) -> impl Iterator<Item = (CaseId, CaseChange)> {
        let changed = self.pages.into_iter().filter(|(_, page)| page.changed);
        changed.map(|(id, page)| (id, CaseChange { before: page.before, after: page.now }))
    }
}
