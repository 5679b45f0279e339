//! The members' nodes as the registry knows them, found by one pass over it.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::PublicKey;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::{Addresses, Bureau, KeyEntry, KeyRole, Membership};

use super::error::ChainError;
use super::snapshot::Snapshot;
use crate::ledger::map::split_record;
use crate::storage::Column;

/// The network keys and addresses of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberNodes {
    /// Network keys that hold from the next block on.
    pub keys: BTreeSet<PublicKey>,
    /// Where its nodes listen.
    pub addresses: Addresses,
}

/// Whose nodes belong to the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// The members that are neither frozen nor removed.
    pub nodes: BTreeMap<Uscc, MemberNodes>,
    /// Network keys that held once and do not any more, or whose bureau is no member now.
    pub ended: BTreeSet<PublicKey>,
}

impl Snapshot<'_> {
    /// The members' nodes from the next block on.
    pub fn members(&self) -> Result<Members, ChainError> {
        let height = self.tip.header.height.next();
        let membership = self.registry::<Membership>(&())?.0;
        let mut members = Members::default();
        for uscc in membership.iter().flat_map(|membership| membership.bureaus.iter()) {
            let bureau = self.registry::<Bureau>(uscc)?.0;
            let addresses = bureau.map(|bureau| bureau.addresses).unwrap_or_default();
            members.nodes.insert(*uscc, MemberNodes { keys: BTreeSet::new(), addresses });
        }
        let mut iter = self.reader.iter(Column::Registry);
        iter.seek_to_first();
        while let Some((_, record)) = iter.item() {
            let entry = split_record(record).and_then(|(_, value)| KeyEntry::from_value(value).ok());
            if let Some(entry) = entry.filter(|entry| entry.role == KeyRole::Network) {
                let holds = entry.intervals.hold_at(height) && entry.distrusted_from.is_none_or(|from| height < from);
                match members.nodes.get_mut(&entry.bureau).filter(|_| holds) {
                    Some(nodes) => nodes.keys.insert(entry.key),
                    None => members.ended.insert(entry.key),
                };
            }
            iter.next();
        }
        iter.status().map_err(crate::storage::StorageError::from)?;
        Ok(members)
    }
}
