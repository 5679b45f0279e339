//! The vault: one file, one owner at a time.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kanhe_proto::text;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::VaultError;
use super::seal::{self, Key, Keys};
use super::transaction::{Reader, Table, Transaction};
use super::wrap::{Effort, Wrapped};
use crate::talk::Passphrase;

const VERSION: u64 = 1;
/// What is not sealed: the head, and the sealed state.
const HEAD: TableDefinition<&str, &[u8]> = TableDefinition::new("head");
const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
/// Up to this size the set hash over all rows is checked at every open; above it only by [`Vault::check`].
const CHECKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The readable part of a vault.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    version: u64,
    /// Random name of this vault, in its backups too.
    pub(super) vault: String,
    pub(super) key: Wrapped,
}

/// What a vault knows about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// Committed transactions that changed something, ever.
    pub changes: u64,
    /// Rows in all tables.
    pub rows: u64,
    /// Set hash of all rows.
    pub(super) sum: [u8; 32],
    /// `changes` at the last backup.
    pub backed_up_changes: Option<u64>,
    /// When that was, in milliseconds since 1970.
    pub backed_up_ms: Option<u64>,
}

/// An open vault. Dropping it gives the lock back.
pub struct Vault {
    database: Database,
    path: PathBuf,
    pub(super) head: Head,
    pub(super) keys: Keys,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Vault {
    /// Makes an empty vault at a path where nothing is. The folder is made too, for its owner alone.
    pub fn create(path: &Path, passphrase: &Passphrase, effort: Effort) -> Result<Self, VaultError> {
        let vault = text::hex(&seal::random::<16>()?);
        let data = Key::random()?;
        let key = Wrapped::new(&data, &vault, passphrase, effort)?;
        Self::found(path, Head { version: VERSION, vault, key }, Keys::new(data), |_| Ok(State::default()))
    }

    /// Makes the file under another name, fills it, and gives it its name last: a vault is there whole or not at all.
    pub(super) fn found(
        path: &Path,
        head: Head,
        keys: Keys,
        fill: impl FnOnce(&mut Transaction<'_, '_>) -> Result<State, VaultError>,
    ) -> Result<Self, VaultError> {
        if path.exists() {
            return Err(VaultError::Exists(path.to_path_buf()));
        }
        let dir = folder(path)?;
        let unfinished = sibling(path, &format!("new-{}", text::hex(&seal::random::<4>()?)));
        let result = (|| {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            let database = Builder::new().create(&unfinished)?;
            let made = Self { database, path: path.to_path_buf(), head, keys };
            made.write_head(&made.head)?;
            made.fill(fill)?;
            // A link fails where a rename would replace what another process has just made.
            match std::fs::hard_link(&unfinished, path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    Err(VaultError::Exists(path.to_path_buf()))
                }
                other => other.map(|()| made).map_err(VaultError::Io),
            }
        })();
        let _ = std::fs::remove_file(&unfinished);
        let made = result?;
        sync_folder(&dir)?;
        Ok(made)
    }

    /// Opens a vault and takes its lock.
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, VaultError> {
        let (database, bytes) = open_file(path, true)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let head = read_head(&database)?;
        let keys = Keys::new(head.key.open(&head.vault, passphrase)?);
        let vault = Self { database, path: path.to_path_buf(), head, keys };
        if bytes <= CHECKED_BYTES_MAX {
            vault.check()?;
        }
        Ok(vault)
    }

    /// Gives the lock back, and keeps what spares deriving the key anew.
    pub fn park(self) -> Parked {
        let counter = self.state().map(|state| state.changes).ok();
        let Self { database, path, head, keys } = self;
        drop(database);
        let left_as = stamp(&path);
        Parked { path, vault: head.vault, keys, left_as, counter }
    }

    /// Whether anybody has changed something since it was parked. Unlike [`Parked::is_changed`] this misses nothing.
    pub fn is_changed_since(&self, parked: &Parked) -> Result<bool, VaultError> {
        Ok(parked.counter != Some(self.state()?.changes))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it knows about itself.
    pub fn state(&self) -> Result<State, VaultError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(HEAD)?;
        let sealed = table.get("state")?;
        self.open_state(sealed.as_ref().map(|sealed| sealed.value()))
    }

    /// Compares all rows with the state: finds rows that were removed or put back.
    pub fn check(&self) -> Result<State, VaultError> {
        let state = self.state()?;
        let transaction = self.database.begin_read()?;
        let rows = transaction.open_table(ROWS)?;
        let mut sum = [0; 32];
        for row in rows.iter()? {
            let (place, sealed) = row?;
            self.keys.add_to_sum(&mut sum, place.value(), sealed.value());
        }
        if (rows.len()?, sum) != (state.rows, state.sum) {
            return Err(VaultError::Damaged("rows were removed or put back".to_string()));
        }
        Ok(state)
    }

    /// A consistent view.
    pub fn read(&self) -> Result<Reader<'_>, VaultError> {
        let rows = self.database.begin_read()?.open_table(ROWS)?;
        Ok(Reader { keys: &self.keys, rows })
    }

    /// The value under a key.
    pub fn get<T: DeserializeOwned>(&self, table: &Table<T>, key: &str) -> Result<Option<T>, VaultError> {
        self.read()?.get(table, key)
    }

    /// All rows of a table, by ascending key.
    pub fn scan<T: DeserializeOwned + Send>(&self, table: &Table<T>) -> Result<Vec<(String, T)>, VaultError> {
        self.read()?.scan(table)
    }

    /// Sets one value, durably.
    pub fn put<T: Serialize>(&self, table: &Table<T>, key: &str, value: &T) -> Result<(), VaultError> {
        self.write(|transaction| transaction.put(table, key, value))
    }

    /// Removes one key, durably; says whether it was there.
    pub fn delete<T>(&self, table: &Table<T>, key: &str) -> Result<bool, VaultError> {
        self.write(|transaction| transaction.delete(table, key))
    }

    /// Does several things at once: all are durable when this returns, or none was done if it fails.
    pub fn write<R, E: From<VaultError>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let writing = self.database.begin_write().map_err(VaultError::from)?;
        let (result, state) = {
            let state = self.state()?;
            let rows = writing.open_table(ROWS).map_err(VaultError::from)?;
            let mut transaction = Transaction { keys: &self.keys, rows, state, changed: false };
            let result = work(&mut transaction)?;
            (result, transaction.changed.then_some(transaction.state))
        };
        if let Some(mut state) = state {
            state.changes += 1;
            self.put_state(&writing, &state)?;
            writing.commit().map_err(VaultError::from)?;
        }
        Ok(result)
    }

    /// Wraps the data key under another passphrase.
    pub fn change_passphrase(&mut self, passphrase: &Passphrase, effort: Effort) -> Result<(), VaultError> {
        let key = Wrapped::new(&self.keys.data, &self.head.vault, passphrase, effort)?;
        let head = Head { key, ..self.head.clone() };
        self.write_head(&head)?;
        self.head = head;
        Ok(())
    }

    /// What opening costs.
    pub fn effort(&self) -> Effort {
        self.head.key.effort()
    }

    /// Notes a backup; that is no change of the content.
    pub(super) fn note_backup(&self, changes: u64, now_ms: u64) -> Result<(), VaultError> {
        let writing = self.database.begin_write()?;
        let state = State { backed_up_changes: Some(changes), backed_up_ms: Some(now_ms), ..self.state()? };
        self.put_state(&writing, &state)?;
        Ok(writing.commit()?)
    }

    /// State and every row of one moment, each as (table, key, value).
    pub(super) fn export(&self, mut each: impl FnMut(&[u8]) -> Result<(), VaultError>) -> Result<State, VaultError> {
        let state = self.check()?;
        let transaction = self.database.begin_read()?;
        let rows = transaction.open_table(ROWS)?;
        for row in rows.iter()? {
            let (place, sealed) = row?;
            each(&self.keys.unseal_row(place.value(), sealed.value())?)?;
        }
        Ok(state)
    }

    fn fill(&self, fill: impl FnOnce(&mut Transaction<'_, '_>) -> Result<State, VaultError>) -> Result<(), VaultError> {
        let writing = self.database.begin_write()?;
        let state = {
            let rows = writing.open_table(ROWS)?;
            let state = State::default();
            let mut transaction = Transaction { keys: &self.keys, rows, state, changed: false };
            let told = fill(&mut transaction)?;
            State { rows: transaction.state.rows, sum: transaction.state.sum, ..told }
        };
        self.put_state(&writing, &state)?;
        Ok(writing.commit()?)
    }

    fn put_state(&self, writing: &redb::WriteTransaction, state: &State) -> Result<(), VaultError> {
        let form = |source| VaultError::Form { table: "state", source };
        let content = serde_json::to_vec(state).map_err(form)?;
        let sealed = self.keys.state.seal(self.head.vault.as_bytes(), &content)?;
        writing.open_table(HEAD)?.insert("state", sealed.as_slice())?;
        Ok(())
    }

    fn open_state(&self, sealed: Option<&[u8]>) -> Result<State, VaultError> {
        let content = sealed.and_then(|sealed| self.keys.state.unseal(self.head.vault.as_bytes(), sealed));
        let state = content.and_then(|content| serde_json::from_slice(&content).ok());
        state.ok_or_else(|| VaultError::Damaged("its state is not readable".to_string()))
    }

    fn write_head(&self, head: &Head) -> Result<(), VaultError> {
        let form = |source| VaultError::Form { table: "head", source };
        let bytes = serde_json::to_vec(head).map_err(form)?;
        let writing = self.database.begin_write()?;
        writing.open_table(HEAD)?.insert("head", bytes.as_slice())?;
        Ok(writing.commit()?)
    }
}

/// A vault that was open and will be again soon, by the same process.
pub struct Parked {
    path: PathBuf,
    /// Its random name: another file in its place is another vault.
    vault: String,
    keys: Keys,
    left_as: Option<(SystemTime, u64)>,
    /// Transactions until then.
    counter: Option<u64>,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Parked {
    /// Whether another process has written to it, as far as the file's time and length show: what was written in the moment
    /// of parking does not.
    pub fn is_changed(&self) -> bool {
        self.left_as.is_none() || stamp(&self.path) != self.left_as
    }

    /// Takes the lock again. What nobody has written to since is not checked once more.
    pub fn open(&self) -> Result<Vault, VaultError> {
        let is_changed = self.is_changed();
        let (database, bytes) = open_file(&self.path, is_changed)?;
        let head = read_head(&database)?;
        if head.vault != self.vault {
            return Err(VaultError::Damaged("it is another vault than before".to_string()));
        }
        let vault = Vault { database, path: self.path.clone(), head, keys: self.keys.clone() };
        if is_changed && bytes <= CHECKED_BYTES_MAX {
            vault.check()?;
        }
        Ok(vault)
    }
}

/// When and how long a file was written.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// The database in a file, and the file's length.
fn open_file(path: &Path, check: bool) -> Result<(Database, u64), VaultError> {
    let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => VaultError::Missing(path.to_path_buf()),
        _ => VaultError::Io(error),
    })?;
    // The database would make a new store of an empty file.
    if !meta.is_file() || meta.len() == 0 {
        return Err(VaultError::Damaged("the file is empty".to_string()));
    }
    // Damage done from outside may break what the database takes for granted.
    let opened = catch_unwind(AssertUnwindSafe(|| Builder::new().set_check_integrity_on_open(check).open(path)));
    let database = opened.map_err(|_| VaultError::Damaged("its structure is broken".to_string()))??;
    Ok((database, meta.len()))
}

fn read_head(database: &Database) -> Result<Head, VaultError> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(HEAD)?;
    let bytes = table.get("head")?;
    let value = bytes.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(bytes.value()).ok());
    let value = value.ok_or_else(|| VaultError::Damaged("its head is not readable".to_string()))?;
    parse_head(value)
}

/// Reads a head, and says so if it is of a newer version.
pub(super) fn parse_head(value: serde_json::Value) -> Result<Head, VaultError> {
    match value["version"].as_u64() {
        Some(version) if version > VERSION => return Err(VaultError::Newer(version)),
        _ => {}
    }
    serde_json::from_value(value).map_err(|_| VaultError::Damaged("its head is not readable".to_string()))
}

/// The folder of a path, made for its owner alone if it is not there.
pub(super) fn folder(path: &Path) -> Result<PathBuf, VaultError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_path_buf(),
        _ => PathBuf::from("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    Ok(dir)
}

/// Makes names in a folder durable.
pub(super) fn sync_folder(dir: &Path) -> Result<(), VaultError> {
    Ok(File::open(dir)?.sync_all()?)
}

/// A name beside a path.
pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}
