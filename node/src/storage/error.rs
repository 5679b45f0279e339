//! Why the database cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use kanhe_proto::hash::ChainId;
use rocksdb::ErrorKind;

use super::column::Column;
use crate::ledger::map::ReadError;

/// What is wrong with the database, told apart by what its operator must do.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There was never a chain here.
    #[error("{} holds no chain", .0.display())]
    NotInitialised(PathBuf),
    /// There was a chain here, and its database is gone.
    #[error("{} belongs to a chain, but its database is gone", .0.display())]
    Gone(PathBuf),
    /// A chain is here already.
    #[error("{} holds a chain already", .0.display())]
    AlreadyInitialised(PathBuf),
    /// A chain is here, but another.
    #[error("{} belongs to chain {found}, not to {expected}", dir.display())]
    OtherChain {
        /// The home.
        dir: PathBuf,
        /// Its chain.
        found: ChainId,
        /// The chain asked for.
        expected: ChainId,
    },
    /// Written by newer or older software.
    #[error("{} was written with storage schema {found}; this software has {known}", dir.display())]
    OtherSchema {
        /// The home.
        dir: PathBuf,
        /// Its schema.
        found: u32,
        /// Schema of this software.
        known: u32,
    },
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Cannot be written.
    #[error("{} cannot be written", dir.display())]
    Unwritable {
        /// The home.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something stored is not what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A read or write failed.
    #[error("the database failed")]
    Failed(#[source] rocksdb::Error),
    /// A write failed before, so nothing is written any more.
    #[error("a write failed before; the process must stop")]
    FailedBefore,
}

/// What to do with a damaged database. `fsck` tells where it is damaged, but only if it can be opened at all.
pub const DAMAGED_HINT: &str = "keep a copy of the home; then restore its backup, or move its folder `chain` away to get \
                                all from peers; in both cases start once with `run --rejoin`";

impl StorageError {
    /// What the operator can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotInitialised(_) => {
                "check the path; to join a chain with this home's genesis file, start once with `run --rejoin`"
            }
            Self::Gone(_) => {
                "restore the home from a backup, or leave it as it is; in both cases start once with `run --rejoin`, \
                 which gets from peers what is missing and keeps a validator from signing twice"
            }
            Self::AlreadyInitialised(_) => "start it, or choose another home",
            Self::OtherChain { .. } => "check the home and the genesis file in the configuration",
            Self::OtherSchema { found, known, .. } if *found > *known => {
                "run the newer version again; a database is never taken back to an older schema"
            }
            Self::OtherSchema { .. } => {
                "an older version wrote it: run that one, or move the folder `chain` away, `join` anew and start once \
                 with `run --rejoin`"
            }
            Self::InUse(_) => "stop the other process first",
            Self::Unwritable { .. } => "check owner, permissions and free space of the directory",
            Self::Damaged(_) => DAMAGED_HINT,
            Self::Failed(_) | Self::FailedBefore => "check the disk and its free space, then start again",
        }
    }

    /// From an error of the database in a home.
    pub(super) fn opening(dir: &Path, error: rocksdb::Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            ErrorKind::Corruption => Self::Damaged(text),
            ErrorKind::IOError if text.contains("lock") || text.contains("LOCK") => Self::InUse(dir.to_owned()),
            ErrorKind::IOError if text.contains("ermission denied") || text.contains("Read-only") => {
                Self::Unwritable { dir: dir.to_owned(), source: io::Error::other(text) }
            }
            // A file that the manifest names is not there.
            ErrorKind::IOError if text.contains("No such file") => Self::Damaged(text),
            ErrorKind::InvalidArgument => Self::Damaged(text),
            _ => Self::Failed(error),
        }
    }

    pub(super) fn undecodable(column: Column) -> Self {
        Self::Damaged(format!("an entry of {} is not readable", column.name()))
    }
}

impl From<rocksdb::Error> for StorageError {
    fn from(error: rocksdb::Error) -> Self {
        match error.kind() {
            ErrorKind::Corruption => Self::Damaged(error.to_string()),
            _ => Self::Failed(error),
        }
    }
}

impl From<StorageError> for ReadError {
    fn from(error: StorageError) -> Self {
        Self(Box::new(error))
    }
}
