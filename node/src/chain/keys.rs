//! Keys of the members, found by one pass over the registry.

use std::collections::BTreeSet;

use kanhe_proto::key::PublicKey;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::{KeyEntry, KeyRole, Membership};

use super::error::ChainError;
use super::snapshot::Snapshot;
use crate::ledger::map::split_record;
use crate::storage::Column;

impl Snapshot<'_> {
    /// Keys of one role that members hold from the next block on.
    pub fn member_keys(&self, role: KeyRole) -> Result<BTreeSet<PublicKey>, ChainError> {
        let height = self.tip.header.height.next();
        let members = self.registry::<Membership>(&())?.0;
        let member = |entry: &KeyEntry| {
            members.as_ref().is_some_and(|members| members.bureaus.binary_search(&entry.bureau).is_ok())
        };
        let mut found = BTreeSet::new();
        let mut iter = self.reader.iter(Column::Registry);
        iter.seek_to_first();
        while let Some((_, record)) = iter.item() {
            let entry = split_record(record).and_then(|(_, value)| KeyEntry::from_value(value).ok());
            if let Some(entry) = entry
                && entry.role == role
                && entry.intervals.hold_at(height)
                && entry.distrusted_from.is_none_or(|from| height < from)
                && member(&entry)
            {
                found.insert(entry.key);
            }
            iter.next();
        }
        iter.status().map_err(crate::storage::StorageError::from)?;
        Ok(found)
    }
}
