//! Typed tables, and what is done with them inside one transaction.

use std::borrow::Borrow;
use std::marker::PhantomData;

use redb::ReadableTable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::VaultError;
use super::frame::{frame, unframe};
use super::seal::{self, Keys, Place};
use super::store::State;
use crate::parallel;

/// Longest key of a row, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest value of a row, in bytes of JSON.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A table: its name and the type of its values, which are kept as JSON.
#[derive(Debug)]
pub struct Table<T> {
    name: &'static str,
    values: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    /// A table by name; the same name must always have the same type.
    pub const fn new(name: &'static str) -> Self {
        Self { name, values: PhantomData }
    }
    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A consistent view for reading.
pub struct Reader<'a> {
    pub(super) keys: &'a Keys,
    pub(super) rows: redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl Reader<'_> {
    /// The value under a key.
    pub fn get<T: DeserializeOwned>(&self, table: &Table<T>, key: &str) -> Result<Option<T>, VaultError> {
        get(self.keys, &self.rows, table, key)
    }
    /// The values under several keys, in their order.
    pub fn get_many<T: DeserializeOwned + Send>(
        &self,
        table: &Table<T>,
        keys: &[String],
    ) -> Result<Vec<Option<T>>, VaultError> {
        let places = parallel::map(keys, |key| self.keys.place(table.name, key));
        let mut read = Vec::with_capacity(places.len());
        for place in places {
            read.push((place, self.rows.get(place.as_slice())?.map(|sealed| sealed.value().to_vec())));
        }
        parallel::try_map(&read, |(place, sealed)| {
            sealed.as_ref().map(|sealed| open(self.keys, place, sealed, table).map(|(_, value)| value)).transpose()
        })
    }
    /// All rows of a table, by ascending key.
    pub fn scan<T: DeserializeOwned + Send>(&self, table: &Table<T>) -> Result<Vec<(String, T)>, VaultError> {
        scan(self.keys, &self.rows, table)
    }
}

/// Changes that become durable together, or not at all.
pub struct Transaction<'a, 'txn> {
    pub(super) keys: &'a Keys,
    pub(super) rows: redb::Table<'txn, &'static [u8], &'static [u8]>,
    pub(super) state: State,
    pub(super) changed: bool,
}

impl Transaction<'_, '_> {
    /// The value under a key, as this transaction has left it.
    pub fn get<T: DeserializeOwned>(&self, table: &Table<T>, key: &str) -> Result<Option<T>, VaultError> {
        get(self.keys, &self.rows, table, key)
    }

    /// All rows of a table, by ascending key, as this transaction has left them.
    pub fn scan<T: DeserializeOwned + Send>(&self, table: &Table<T>) -> Result<Vec<(String, T)>, VaultError> {
        scan(self.keys, &self.rows, table)
    }

    /// Sets the value under a key.
    pub fn put<T: Serialize>(&mut self, table: &Table<T>, key: &str, value: &T) -> Result<(), VaultError> {
        self.insert(&sealed(self.keys, table, key, value)?)
    }

    /// Sets many values, sealed on all cores.
    pub fn put_many<T: Serialize + Sync>(
        &mut self,
        table: &Table<T>,
        rows: &[(String, impl Borrow<T> + Sync)],
    ) -> Result<(), VaultError> {
        let keys = self.keys;
        let all = parallel::try_map(rows, |(key, value)| sealed(keys, table, key, value.borrow()))?;
        all.iter().try_for_each(|row| self.insert(row))
    }

    pub(super) fn put_bytes(&mut self, table: &str, key: &str, value: &[u8]) -> Result<(), VaultError> {
        self.insert(&sealed_bytes(self.keys, table, key, value)?)
    }

    fn insert(&mut self, row: &SealedRow) -> Result<(), VaultError> {
        let old = self.rows.insert(row.place.as_slice(), row.sealed.as_slice())?;
        match old {
            Some(old) => self.keys.add_to_sum(&mut self.state.sum, &row.place, old.value()),
            None => self.state.rows += 1,
        }
        seal::add(&mut self.state.sum, &row.share);
        self.changed = true;
        Ok(())
    }

    /// Removes a key; says whether it was there.
    pub fn delete<T>(&mut self, table: &Table<T>, key: &str) -> Result<bool, VaultError> {
        let place = self.keys.place(table.name, key);
        let Some(old) = self.rows.remove(place.as_slice())? else { return Ok(false) };
        self.keys.add_to_sum(&mut self.state.sum, &place, old.value());
        self.state.rows = self.state.rows.saturating_sub(1);
        self.changed = true;
        Ok(true)
    }
}

/// A row as the database has it, and what it adds to the set hash.
struct SealedRow {
    place: Place,
    sealed: Vec<u8>,
    share: [u8; 32],
}

fn sealed<T: Serialize>(keys: &Keys, table: &Table<T>, key: &str, value: &T) -> Result<SealedRow, VaultError> {
    let form = |source| VaultError::Form { table: table.name, source };
    let value = zeroize::Zeroizing::new(serde_json::to_vec(value).map_err(form)?);
    sealed_bytes(keys, table.name, key, &value)
}

fn sealed_bytes(keys: &Keys, table: &str, key: &str, value: &[u8]) -> Result<SealedRow, VaultError> {
    if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
        return Err(VaultError::Database(format!("a row of table {table} is too large")));
    }
    let place = keys.place(table, key);
    let content = zeroize::Zeroizing::new(frame(&[table.as_bytes(), key.as_bytes(), value]));
    let sealed = keys.seal_row(&place, &content)?;
    let share = keys.share_of_sum(&place, &sealed);
    Ok(SealedRow { place, sealed, share })
}

fn get<T: DeserializeOwned, R>(keys: &Keys, rows: &R, table: &Table<T>, key: &str) -> Result<Option<T>, VaultError>
where
    R: ReadableTable<&'static [u8], &'static [u8]>,
{
    let place = keys.place(table.name, key);
    let Some(sealed) = rows.get(place.as_slice())? else { return Ok(None) };
    open(keys, &place, sealed.value(), table).map(|(_, value)| Some(value))
}

fn scan<T: DeserializeOwned + Send, R>(keys: &Keys, rows: &R, table: &Table<T>) -> Result<Vec<(String, T)>, VaultError>
where
    R: ReadableTable<&'static [u8], &'static [u8]>,
{
    let prefix = keys.table(table.name);
    let (first, last) = ([&prefix[..], &[0; 32]].concat(), [&prefix[..], &[0xff; 32]].concat());
    let mut read: Vec<(Place, Vec<u8>)> = Vec::new();
    for row in rows.range(first.as_slice()..=last.as_slice())? {
        let (place, sealed) = row?;
        read.push((place.value().try_into().map_err(|_| misplaced())?, sealed.value().to_vec()));
    }
    let mut found = parallel::try_map(&read, |(place, sealed)| open(keys, place, sealed, table))?;
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn open<T: DeserializeOwned>(
    keys: &Keys,
    place: &Place,
    sealed: &[u8],
    table: &Table<T>,
) -> Result<(String, T), VaultError> {
    let content = keys.unseal_row(place, sealed)?;
    let [name, key, value] = unframe::<3>(&content).ok_or_else(misplaced)?;
    let key = std::str::from_utf8(key).map_err(|_| misplaced())?;
    // The place is the associated data; that it is also the right one for what it holds is checked once more.
    if name != table.name.as_bytes() || keys.place(table.name, key) != *place {
        return Err(misplaced());
    }
    let value = serde_json::from_slice(value).map_err(|source| VaultError::Form { table: table.name, source })?;
    Ok((key.to_string(), value))
}

pub(super) fn misplaced() -> VaultError {
    VaultError::Damaged("a row is not what its place says".to_string())
}
