//! Who is who on the chain, for people: bureaus by name, validators and nodes by bureau, keys that end, who signed when.

use std::collections::BTreeMap;

use kanhe_proto::equivocation::EquivocationRecord;
use kanhe_proto::governance::{Alive, alive_key};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::key::PublicKey;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::ProvedLeaf;
use kanhe_proto::record::{Record, RecordKind};
use kanhe_proto::registry::{Bureau, KeyEntry, KeyRole, Names, RegistryRecord as _, Schedule};
use kanhe_proto::validators::Address;

use super::error::ChainError;
use super::snapshot::Snapshot;
use crate::ledger::map::split_record;
use crate::storage::{Column, StorageError};

/// A key of a bureau, by its last interval.
#[derive(Debug, Clone)]
pub struct KeyLine {
    /// Whose.
    pub bureau: Uscc,
    /// What for.
    pub role: KeyRole,
    /// The key.
    pub key: PublicKey,
    /// First height at which it holds; none as long as it waits to begin.
    pub begins: Option<Height>,
    /// First height at which it no longer holds.
    pub ends: Option<Height>,
}

impl KeyLine {
    /// Whether it holds at a height.
    pub fn holds_at(&self, height: Height) -> bool {
        self.begins.is_some_and(|begins| begins <= height) && self.ends.is_none_or(|ends| height < ends)
    }
}

/// Who is who, by one pass over the registry.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Names of all bureaus.
    pub names: BTreeMap<Uscc, Names>,
    /// Keys of all bureaus.
    pub keys: Vec<KeyLine>,
    /// What was decided and takes effect later.
    pub schedule: Schedule,
}

impl Roster {
    /// Whose validator has an address.
    pub fn validator(&self, address: &Address) -> Option<Uscc> {
        let mut keys = self.keys.iter().filter(|key| key.role == KeyRole::Validator);
        keys.find(|key| Address::of(&key.key) == *address).map(|key| key.bureau)
    }
    /// Whose node has a network key.
    pub fn node(&self, network: &PublicKey) -> Option<Uscc> {
        let mut keys = self.keys.iter().filter(|key| key.role == KeyRole::Network);
        keys.find(|key| key.key == *network).map(|key| key.bureau)
    }
}

impl Snapshot<'_> {
    /// Who is who.
    pub fn roster(&self) -> Result<Roster, ChainError> {
        let schedule = self.registry::<Schedule>(&())?.0.unwrap_or_default();
        let mut roster = Roster { schedule, ..Roster::default() };
        let mut iter = self.reader.iter(Column::Registry);
        iter.seek_to_first();
        while let Some((_, record)) = iter.item() {
            if let Some((_, value)) = split_record(record) {
                take(&mut roster, value);
            }
            iter.next();
        }
        iter.status().map_err(StorageError::from)?;
        Ok(roster)
    }

    /// The keys of a bureau, proved: first those that have ended, then by their beginning; of more than the limit the last.
    pub fn keys_of(&self, bureau: &Uscc, limit: usize) -> Result<Vec<ProvedLeaf>, ChainError> {
        let (roster, next) = (self.roster()?, self.tip.header.height.next());
        let mut own: Vec<&KeyLine> = roster.keys.iter().filter(|key| key.bureau == *bureau).collect();
        own.sort_by_key(|key| {
            let begins = key.begins.unwrap_or(Height(u64::MAX));
            (key.begins.is_none() || key.holds_at(next), begins, key.key.id())
        });
        let kept = own.split_off(own.len().saturating_sub(limit));
        kept.iter().map(|key| self.prove_registry(&KeyEntry::key_of(&(*bureau, key.key.id())))).collect()
    }

    /// The last height whose committed certificate each validator signed, with its time; of the tip, whom this node has
    /// under it.
    pub fn last_signed(&self) -> Result<BTreeMap<Address, (Height, TimeMs)>, ChainError> {
        let leaf = self.prove_state(&alive_key())?.value;
        let alive = leaf.and_then(|value| Alive::from_value(&value).ok()).unwrap_or_default();
        let mut heights: BTreeMap<Address, Height> =
            alive.last.iter().map(|last| (last.address, last.height)).collect();
        let tip = self.tip.header.height;
        if let Some(certificate) = self.reader.certificate(tip)? {
            heights.extend(certificate.signers(&self.tip.validators).map(|address| (address, tip)));
        }
        let mut times: BTreeMap<Height, TimeMs> = BTreeMap::new();
        let mut signed = BTreeMap::new();
        for (address, height) in heights {
            let time = match times.get(&height) {
                Some(time) => *time,
                None => self.reader.header(height)?.map_or(TimeMs(0), |header| header.time),
            };
            times.insert(height, time);
            signed.insert(address, (height, time));
        }
        Ok(signed)
    }

    /// Double signatures among the records from one on.
    pub fn double_signatures(&self, from: LogIndex) -> Result<Vec<EquivocationRecord>, ChainError> {
        let mut found = Vec::new();
        for index in from.0..self.tip.log.size() {
            let Some(record) = self.reader.record(LogIndex(index))? else { continue };
            if record.first() == Some(&RecordKind::Equivocation.byte()) {
                found.extend(EquivocationRecord::from_record(&record).ok());
            }
        }
        Ok(found)
    }
}

fn take(roster: &mut Roster, value: &[u8]) {
    if let Ok(entry) = KeyEntry::from_value(value) {
        let last = entry.intervals.all().last();
        roster.keys.push(KeyLine {
            bureau: entry.bureau,
            role: entry.role,
            begins: last.map(|last| last.from_height),
            ends: [last.and_then(|last| last.to_height), entry.distrusted_from].into_iter().flatten().min(),
            key: entry.key,
        });
    } else if let Ok(bureau) = Bureau::from_value(value) {
        roster.names.insert(bureau.uscc, bureau.names);
    }
}
