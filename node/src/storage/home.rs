//! The directory of a chain's database, and the mark that a chain was ever here.
//!
//! The mark is read before RocksDB is opened, because opening writes. It makes a lost database an error instead of a
//! new beginning.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kanhe_proto::hash::ChainId;

use super::error::StorageError;

/// Version of the database's layout.
pub const SCHEMA_VERSION: u32 = 4;

const MARK: &str = "CHAIN";
const DATABASE: &str = "db";
const DATABASE_NEW: &str = "db.new";
/// Where a snapshot is fetched into.
const DATABASE_SYNC: &str = "db.sync";
/// A whole snapshot that only lacks its name.
const DATABASE_READY: &str = "db.ready";

/// Where things are.
#[derive(Debug, Clone)]
pub(super) struct Home {
    pub dir: PathBuf,
}

impl Home {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
    pub fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }
    /// Where a database is made before it gets its name.
    pub fn database_new(&self) -> PathBuf {
        self.dir.join(DATABASE_NEW)
    }
    pub fn database_sync(&self) -> PathBuf {
        self.dir.join(DATABASE_SYNC)
    }
    pub fn unwritable(&self, source: io::Error) -> StorageError {
        StorageError::Unwritable { dir: self.dir.clone(), source }
    }

    /// Refuses a home that is not one of this chain; writes nothing.
    pub fn check(&self, chain_id: &ChainId) -> Result<(), StorageError> {
        let has_database = self.database().is_dir();
        match self.read_mark()? {
            Some((schema, _)) if schema != SCHEMA_VERSION => {
                Err(StorageError::OtherSchema { dir: self.dir.clone(), found: schema, known: SCHEMA_VERSION })
            }
            Some((_, found)) if found != *chain_id => {
                Err(StorageError::OtherChain { dir: self.dir.clone(), found, expected: *chain_id })
            }
            Some(_) if !has_database => Err(StorageError::Gone(self.dir.clone())),
            None if !has_database => Err(StorageError::NotInitialised(self.dir.clone())),
            _ => Ok(()),
        }
    }

    /// Refuses a home in which a chain is or was.
    pub fn check_free(&self) -> Result<(), StorageError> {
        if self.read_mark()?.is_some() || self.database().exists() {
            return Err(StorageError::AlreadyInitialised(self.dir.clone()));
        }
        Ok(())
    }

    /// Refuses a directory that cannot be written, before RocksDB leaves half of its files there.
    pub fn check_writable(&self) -> Result<(), StorageError> {
        let probe = self.dir.join(".probe");
        let written = File::create(&probe).and_then(|mut file| file.write_all(b"kanhe"));
        let removed = fs::remove_file(&probe);
        written.and(removed).map_err(|error| self.unwritable(error))
    }

    fn read_mark(&self) -> Result<Option<(u32, ChainId)>, StorageError> {
        let text = match fs::read_to_string(self.dir.join(MARK)) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(StorageError::Damaged(format!("{MARK} cannot be read: {error}"))),
        };
        let mut lines = text.lines();
        let schema = lines.next().and_then(|line| line.strip_prefix("schema ")?.parse().ok());
        let chain = lines.next().and_then(|line| line.strip_prefix("chain ")?.parse().ok());
        match (schema, chain) {
            (Some(schema), Some(chain)) => Ok(Some((schema, chain))),
            _ => Err(StorageError::Damaged(format!("{MARK} is not readable"))),
        }
    }

    /// Gives a finished database its name and marks the home; both are on the disk then.
    pub fn settle(&self, chain_id: &ChainId) -> Result<(), StorageError> {
        fs::rename(self.database_new(), self.database()).map_err(|error| self.unwritable(error))?;
        self.sync().map_err(|error| self.unwritable(error))?;
        self.mark(chain_id)
    }

    /// Puts the fetched snapshot in the place of a database that has no blocks. From the first rename on it is done,
    /// whatever cuts it off: see [`Self::recover`].
    pub fn settle_sync(&self) -> Result<(), StorageError> {
        fs::rename(self.database_sync(), self.dir.join(DATABASE_READY)).map_err(|error| self.unwritable(error))?;
        self.sync().map_err(|error| self.unwritable(error))?;
        self.recover()
    }

    /// Finishes a settling that was cut off.
    pub fn recover(&self) -> Result<(), StorageError> {
        let ready = self.dir.join(DATABASE_READY);
        if !ready.is_dir() {
            return Ok(());
        }
        let replace = || {
            if self.database().exists() {
                fs::remove_dir_all(self.database())?;
            }
            fs::rename(&ready, self.database())?;
            self.sync()
        };
        replace().map_err(|error| self.unwritable(error))
    }

    /// Writes the mark if it is missing: a home whose making was cut off just before the end.
    pub fn mark(&self, chain_id: &ChainId) -> Result<(), StorageError> {
        let path = self.dir.join(MARK);
        if path.exists() {
            return Ok(());
        }
        let new = self.dir.join("CHAIN.new");
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(format!("schema {SCHEMA_VERSION}\nchain {chain_id}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            self.sync()
        };
        write().map_err(|error| self.unwritable(error))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}
