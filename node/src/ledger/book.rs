//! Leaves of one kind in one block: each read and decoded once.

use std::collections::BTreeMap;

use kanhe_proto::account::{EnterpriseAccount, account_key};
use kanhe_proto::case::{Case, case_key};
use kanhe_proto::consent::{Consent, SourceReads, consent_key, source_reads_key};
use kanhe_proto::hash::{CaseId, ConsentId, MapKey};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::map_value::MapValue;

use super::map::ReadError;
use super::outcome::Change;
use super::view::View;

/// A leaf of the state that is kept by an id.
pub(super) trait Kept: MapValue + Clone {
    /// What tells it from others of its kind.
    type Id: Ord + Copy;
    /// Where it is kept.
    fn key_of(id: &Self::Id) -> MapKey;
}

impl Kept for Case {
    type Id = CaseId;
    fn key_of(id: &CaseId) -> MapKey {
        case_key(id)
    }
}
impl Kept for Consent {
    type Id = ConsentId;
    fn key_of(id: &ConsentId) -> MapKey {
        consent_key(id)
    }
}
impl Kept for EnterpriseAccount {
    type Id = Uscc;
    fn key_of(uscc: &Uscc) -> MapKey {
        account_key(uscc)
    }
}
impl Kept for SourceReads {
    type Id = Uscc;
    fn key_of(source: &Uscc) -> MapKey {
        source_reads_key(source)
    }
}

/// What the block read and changed so far.
#[derive(Debug)]
pub(super) struct Book<T: Kept> {
    pages: BTreeMap<T::Id, Page<T>>,
    changed: usize,
}

impl<T: Kept> Default for Book<T> {
    fn default() -> Self {
        Self { pages: BTreeMap::new(), changed: 0 }
    }
}

#[derive(Debug)]
struct Page<T> {
    before: Option<T>,
    now: Option<T>,
    changed: bool,
}

impl<T: Kept> Book<T> {
    /// A leaf as the block has it so far.
    pub fn get<V: View>(&mut self, view: &V, id: &T::Id) -> Result<Option<&T>, ReadError> {
        if !self.pages.contains_key(id) {
            let value = view.state(&T::key_of(id))?;
            let leaf = value.map(|value| T::from_value(&value)).transpose();
            let leaf = leaf.map_err(|error| ReadError(Box::new(error)))?;
            self.pages.insert(*id, Page { before: leaf.clone(), now: leaf, changed: false });
        }
        Ok(self.pages.get(id).and_then(|page| page.now.as_ref()))
    }

    /// Changes a leaf that was read, or takes it away.
    pub fn put(&mut self, id: T::Id, leaf: Option<T>) {
        let page = self.pages.get_mut(&id).expect("a leaf is read before it is changed");
        self.changed += usize::from(!page.changed);
        (page.now, page.changed) = (leaf, true);
    }

    /// Number of leaves that the block would have changed with these.
    pub fn changed_with<'a>(&self, more: impl Iterator<Item = &'a T::Id>) -> usize
    where
        T::Id: 'a,
    {
        self.changed + more.filter(|id| !self.pages.get(id).is_some_and(|page| page.changed)).count()
    }

    /// Number of leaves that the block changed so far.
    pub const fn changed(&self) -> usize {
        self.changed
    }

    /// All that the block changed, ascending by id.
    pub fn into_changes(self) -> impl Iterator<Item = (T::Id, Change<T>)> {
        let changed = self.pages.into_iter().filter(|(_, page)| page.changed);
        changed.map(|(id, page)| (id, Change { before: page.before, after: page.now }))
    }
}
