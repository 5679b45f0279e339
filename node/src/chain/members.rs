//! The members' nodes as the registry knows them, found by one pass over it.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::governance::{Alive, alive_key};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::Power;
use kanhe_proto::key::PublicKey;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::{Addresses, Bureau, KeyEntry, KeyRole, Membership};
use kanhe_proto::validators::Address;

use super::error::ChainError;
use super::snapshot::Snapshot;
use crate::ledger::governance::living_at;
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
    /// Bureaus that are no members any more, whose validators the others cannot do without until the epoch ends.
    pub needed: BTreeMap<Uscc, MemberNodes>,
    /// Other network keys that the registry knows.
    pub ended: BTreeSet<PublicKey>,
}

/// What one pass over the registry finds.
#[derive(Default)]
struct Keys {
    /// Network keys, and whether they hold.
    network: Vec<(Uscc, PublicKey, bool)>,
    /// Whose validator has an address.
    validators: BTreeMap<Address, Uscc>,
}

impl Snapshot<'_> {
    /// The members' nodes from the next block on.
    pub fn members(&self) -> Result<Members, ChainError> {
        let membership = self.registry::<Membership>(&())?.0;
        let keys = self.keys()?;
        let mut members = Members::default();
        for uscc in membership.iter().flat_map(|membership| membership.bureaus.iter()) {
            members.nodes.insert(*uscc, self.nodes(uscc)?);
        }
        for uscc in self.needed(&keys, &members)? {
            members.needed.insert(uscc, self.nodes(&uscc)?);
        }
        for (bureau, key, holds) in keys.network {
            let member = members.nodes.get_mut(&bureau).filter(|_| holds);
            // The keys of a bureau that was removed ended with it.
            match member.or(members.needed.get_mut(&bureau)) {
                Some(nodes) => nodes.keys.insert(key),
                None => members.ended.insert(key),
            };
        }
        Ok(members)
    }

    fn nodes(&self, bureau: &Uscc) -> Result<MemberNodes, ChainError> {
        let bureau = self.registry::<Bureau>(bureau)?.0;
        let addresses = bureau.map(|bureau| bureau.addresses).unwrap_or_default();
        Ok(MemberNodes { keys: BTreeSet::new(), addresses })
    }

    /// A bureau that was removed or frozen keeps its power until the epoch ends. If the living members alone are a quorum
    /// nobody has to talk to it; else its votes are needed until then.
    fn needed(&self, keys: &Keys, members: &Members) -> Result<BTreeSet<Uscc>, ChainError> {
        let set = &self.tip.next_validators;
        let bureau = |address: &Address| keys.validators.get(address);
        let gone = |address: &Address| bureau(address).filter(|bureau| !members.nodes.contains_key(*bureau));
        let gone: BTreeSet<Uscc> = set.members().iter().filter_map(|one| gone(&one.address)).copied().collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        let leaf = self.prove_state(&alive_key())?.value;
        let alive = leaf.and_then(|value| Alive::from_value(&value).ok()).unwrap_or_default();
        let living = living_at(&alive, set, self.tip.header.height.next());
        let stays = |address: &&Address| bureau(address).is_some_and(|bureau| !gone.contains(bureau));
        let power = living.iter().filter(stays).filter_map(|address| set.get(address));
        let power = Power(power.map(|(_, member)| member.power.0).sum());
        Ok(if set.is_quorum(power) { BTreeSet::new() } else { gone })
    }

    fn keys(&self) -> Result<Keys, ChainError> {
        let height = self.tip.header.height.next();
        let mut keys = Keys::default();
        let mut iter = self.reader.iter(Column::Registry);
        iter.seek_to_first();
        while let Some((_, record)) = iter.item() {
            let entry = split_record(record).and_then(|(_, value)| KeyEntry::from_value(value).ok());
            match entry {
                Some(entry) if entry.role == KeyRole::Network => {
                    let trusted = entry.distrusted_from.is_none_or(|from| height < from);
                    keys.network.push((entry.bureau, entry.key, trusted && entry.intervals.hold_at(height)));
                }
                Some(entry) if entry.role == KeyRole::Validator => {
                    keys.validators.insert(Address::of(&entry.key), entry.bureau);
                }
                _ => {}
            }
            iter.next();
        }
        iter.status().map_err(crate::storage::StorageError::from)?;
        Ok(keys)
    }
}
