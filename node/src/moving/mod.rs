//! A validator key goes to another machine, with the signing guard that says what it signed, in one encrypted file.
//!
//! [`export()`] first ends the guard of the source, durably, then writes the file: whenever it is interrupted, either the
//! source signs on and there is no file, or it never signs again and the file can be written again. [`import()`] installs
//! the guard, silenced, before the key: a home with the key and without the guard does not start. [`rotate()`] makes the key that
//! takes over from the one in use.

mod export;
mod import;
mod rotate;

use std::io;
use std::path::PathBuf;

use kanhe_proto::hash::ChainId;
use kanhe_proto::ids::Era;
use kanhe_proto::key_file::KeyFileError;

pub use export::{Exported, export};
pub use import::{Imported, import};
pub use rotate::{Rotating, rotate};

use crate::config::ConfigError;
use crate::consensus::guard::{GuardError, SignSlot};
use crate::run::keys::KeyError;
use crate::run::{RunError, exit};
use crate::storage::StorageError;

/// Why a key does not move.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] RunError),
    /// There is no validator key here.
    #[error("this home has no validator key")]
    NoKey,
    /// A next key waits to take over from the one that would move.
    #[error("the key in {} is to take over from this home's validator key", .0.display())]
    Rotating(PathBuf),
    /// Something is there already.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// The file is not what it should be, or the passphrase is wrong.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyFileError,
    },
    /// The guard in the file does not read.
    #[error("{} holds no guard", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: GuardError,
    },
    /// The key signs on another chain.
    #[error("the key in the file is of chain {found} era {}, this home is of {wanted} era {}", found_era.0, wanted_era.0)]
    OtherChain {
        /// Of the file.
        found: ChainId,
        /// And its era.
        found_era: Era,
        /// Of the home.
        wanted: ChainId,
        /// And its era.
        wanted_era: Era,
    },
    /// The home's validator key may have signed.
    #[error("this home has another validator key, which may be in use: {}", .0.display())]
    OtherKey(PathBuf),
    /// The guard here knows more.
    #[error("the guard in the file is older than the one here: it does not hold what was signed for {0:?}")]
    Older(SignSlot),
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<KeyError> for MoveError {
    fn from(error: KeyError) -> Self {
        Self::Home(error.into())
    }
}
impl From<ConfigError> for MoveError {
    fn from(error: ConfigError) -> Self {
        Self::Home(error.into())
    }
}
impl From<GuardError> for MoveError {
    fn from(error: GuardError) -> Self {
        Self::Home(error.into())
    }
}
impl From<StorageError> for MoveError {
    fn from(error: StorageError) -> Self {
        Self::Home(error.into())
    }
}

impl MoveError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Home(error) => error.exit_code(),
            Self::NoKey => exit::KEY,
            Self::Exists(_) => exit::USAGE,
            Self::File { source: KeyFileError::WrongPassphrase, .. } => exit::PASSPHRASE,
            Self::File { .. } | Self::Packed { .. } => exit::DAMAGED,
            Self::OtherChain { .. } => exit::OTHER_CHAIN,
            Self::Rotating(_) => exit::USAGE,
            Self::OtherKey(_) | Self::Older(_) => exit::NOT_IMPORTED,
            Self::Unreadable { .. } => exit::OTHER,
            Self::Unwritable { .. } => exit::UNWRITABLE,
        }
    }

    /// What the operator can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Home(error) => error.hint(),
            Self::NoKey => "[keys] in config.toml names none: this node follows without a vote",
            Self::Rotating(_) => {
                "let it take over first (`kanhe gov rotate validator`), or take `validator_next` out of [keys] in config.toml"
            }
            Self::Exists(_) => "name another file; if it is the earlier export of this key, it is whole and of use",
            Self::File { source: KeyFileError::WrongPassphrase, .. } => {
                "it is the passphrase that the file was exported with; name it with --file-passphrase-file"
            }
            Self::File { .. } | Self::Packed { .. } => {
                "carry the file again, or run `validator export` on the source once more: that is always possible"
            }
            Self::OtherChain { .. } => "a validator key signs on one chain only: import it into a home of that chain",
            Self::OtherKey(_) => {
                "import into a home of its own, or export that key first. Never delete the guard of a key that signed"
            }
            Self::Older(_) => {
                "the key signed here after that file was written: keep this home, and export it anew if it is to move"
            }
            Self::Unreadable { .. } | Self::Unwritable { .. } => "check the path, its owner and its mode",
        }
    }
}
