//! What a governance transaction reads and writes before it is known to succeed.

use kanhe_proto::governance::{OpenProposals, open_proposals_key};
use kanhe_proto::hash::{MapKey, TransactionId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::{Membership, RegistryRecord, Schedule, Scheduled, Seat, Seats};
use kanhe_proto::status::spent_id_key;

use super::require;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{BlockContext, Execution, Staged};
use crate::ledger::map::ReadError;
use crate::ledger::view::{SpentKey, View};

/// The block so far, and what is staged on top of it.
pub(super) struct Desk<'a, 'v, V: View> {
    execution: &'a Execution<'v, V>,
    pub staged: Staged,
}

impl<'a, 'v, V: View> Desk<'a, 'v, V> {
    pub const fn new(execution: &'a Execution<'v, V>, staged: Staged) -> Self {
        Self { execution, staged }
    }
    pub const fn context(&self) -> &'a BlockContext {
        &self.execution.context
    }
    /// From here on what is decided now binds.
    pub fn binds(&self) -> Height {
        self.context().height.next()
    }
    pub fn log_size(&self) -> u64 {
        self.execution.log_size()
    }

    /// A registry record.
    pub fn read<T: RegistryRecord>(&self, id: &T::Id) -> Result<Option<T>, Refusal> {
        let key = T::key_of(id);
        let value = match self.staged.registry.get(&key) {
            Some(value) => Some(value.clone()),
            None => self.execution.registry.value(&key)?,
        };
        decode(value)
    }
    /// A registry record that an action is about.
    pub fn need<T: RegistryRecord>(&self, id: &T::Id) -> Result<T, Refusal> {
        self.read(id)?.ok_or_else(|| Code::NoSuch.into())
    }
    /// Stages a registry record.
    pub fn write<T: RegistryRecord>(&mut self, record: &T) {
        self.staged.registry.insert(record.key(), record.to_value());
    }

    /// A leaf of the state.
    pub fn leaf<T: MapValue>(&self, key: &MapKey) -> Result<Option<T>, Refusal> {
        let staged = self.staged.leaves.get(key).or_else(|| self.execution.outcome.state.get(key));
        let value = match staged {
            Some(value) => value.clone(),
            None => self.execution.view.state(key)?,
        };
        decode(value)
    }
    pub fn put<T: MapValue>(&mut self, key: MapKey, leaf: &T) {
        self.staged.leaves.insert(key, Some(leaf.to_value()));
    }
    pub fn remove(&mut self, key: MapKey) {
        self.staged.leaves.insert(key, None);
    }
    /// A leaf of a status: these are counted against the block's room.
    pub fn status<T: MapValue + Default>(&self, key: &MapKey) -> Result<T, Refusal> {
        Ok(decode(self.execution.status(&self.staged, key)?)?.unwrap_or_default())
    }

    /// Whether an id was spent, and is not yet swept.
    pub fn is_spent(&self, id: &TransactionId) -> Result<bool, Refusal> {
        let key = spent_id_key(id);
        let spent = match self.execution.outcome.state.get(&key) {
            Some(value) => value.is_some(),
            None => self.execution.view.state(&key)?.is_some(),
        };
        Ok(spent || self.staged.spent.iter().any(|spent| spent.id == *id))
    }
    pub fn spend(&mut self, id: TransactionId, expiry: TimeMs) {
        self.staged.spent.push(SpentKey { expiry, id });
    }

    pub fn open_proposals(&self) -> Result<OpenProposals, Refusal> {
        Ok(self.leaf(&open_proposals_key())?.unwrap_or_default())
    }
    pub fn membership(&self) -> Result<Membership, Refusal> {
        self.need(&())
    }
    pub fn is_member(&self, bureau: &Uscc) -> Result<bool, Refusal> {
        Ok(self.membership()?.bureaus.binary_search(bureau).is_ok())
    }
    pub fn require_member(&self, bureau: &Uscc) -> Result<(), Refusal> {
        require(self.is_member(bureau)?, Code::NotMember)
    }

    pub fn seats(&self) -> Result<Seats, Refusal> {
        self.need(&())
    }
    /// Stages the seats; without an active one there would be no validator.
    pub fn write_seats(&mut self, seats: Vec<Seat>) -> Result<(), Refusal> {
        let seats = Seats::new(seats).map_err(|error| match error {
            kanhe_proto::validators::ValidatorSetError::Empty => Code::WouldHalt,
            _ => Code::RegistryFull,
        })?;
        self.write(&seats);
        Ok(())
    }

    pub fn schedule(&self) -> Result<Vec<Scheduled>, Refusal> {
        Ok(self.need::<Schedule>(&())?.entries.into_vec())
    }
    pub fn write_schedule(&mut self, entries: Vec<Scheduled>) -> Result<(), Refusal> {
        let entries = kanhe_proto::bounded::List::new(entries).map_err(|_| Code::RegistryFull)?;
        self.write(&Schedule { entries });
        Ok(())
    }
    pub fn plan(&mut self, entry: Scheduled) -> Result<(), Refusal> {
        let mut entries = self.schedule()?;
        entries.push(entry);
        self.write_schedule(entries)
    }
}

fn decode<T: MapValue>(value: Option<Vec<u8>>) -> Result<Option<T>, Refusal> {
    let decoded = value.map(|value| T::from_value(&value)).transpose();
    decoded.map_err(|error| ReadError(Box::new(error)).into())
}
