//! What can go wrong with a vault, and how it is told.

use std::path::PathBuf;

use crate::talk::{ExitCode, Failure};

/// Why a vault could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Nothing is there.
    #[error("no vault at {0}")]
    Missing(PathBuf),
    /// Something is there already and is not overwritten.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// Another process (or another handle) has it open.
    #[error("the vault is in use by another process")]
    InUse,
    /// The passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// It was changed or cut off by something other than this program.
    #[error("the vault is damaged: {0}")]
    Damaged(String),
    /// It was written by a newer version.
    #[error("format {0} is newer than this program")]
    Newer(u64),
    /// A backup that is cut off, or changed.
    #[error("the backup is damaged: {0}")]
    BackupDamaged(&'static str),
    /// The backup belongs to another vault.
    #[error("the backup is of another vault")]
    OtherVault,
    /// The backup lacks changes that the vault has.
    #[error("the backup lacks the last {changes} changes")]
    Older {
        /// How many changes it lacks; none known if the vault itself cannot be read.
        changes: u64,
        /// When the backup was made, in milliseconds since 1970.
        made_ms: u64,
    },
    /// What a restore would replace cannot be read, so that nothing says what the backup lacks.
    #[error("the vault that is there cannot be read: {0}")]
    Unread(Box<Self>),
    /// A value has another shape than its table says.
    #[error("a row of table {table} has an unexpected form")]
    Form {
        /// The table.
        table: &'static str,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// The file system or the random source.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The database below.
    #[error("{0}")]
    Database(String),
}

impl VaultError {
    /// The failure of a command, with its hint.
    pub fn failure(&self) -> Failure {
        let exit = ExitCode::Failure;
        match self {
            Self::Missing(path) => Failure::of(exit, "vault_missing", &[("path", &path.display())]),
            Self::Exists(path) => Failure::of(exit, "vault_exists", &[("path", &path.display())]),
            Self::InUse => Failure::of(exit, "vault_in_use", &[]),
            Self::WrongPassphrase => Failure::of(exit, "wrong_passphrase", &[]),
            Self::Damaged(what) => Failure::of(exit, "vault_damaged", &[("cause", what)]),
            Self::Newer(version) => Failure::of(exit, "vault_newer", &[("version", version)]),
            Self::BackupDamaged(what) => Failure::of(exit, "backup_damaged", &[("cause", what)]),
            Self::OtherVault => Failure::of(exit, "backup_other", &[]),
            Self::Older { changes, made_ms } => {
                let made = crate::talk::moment(*made_ms, now_ms());
                Failure::of(exit, "backup_older", &[("changes", changes), ("made", &made)])
            }
            Self::Unread(cause) => Failure::of(exit, "vault_unread", &[("cause", &cause.failure())]),
            Self::Form { table, source } => Failure::of(exit, "vault_form", &[("table", table), ("cause", source)]),
            Self::Io(error) => Failure::of(exit, "vault_io", &[("cause", error)]),
            Self::Database(what) => Failure::of(exit, "vault_io", &[("cause", what)]),
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        error.failure()
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Sorts what the database reports: a lock, damage, or trouble of the file system.
fn sort(error: redb::Error) -> VaultError {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => VaultError::InUse,
        redb::Error::Corrupted(what) => VaultError::Damaged(what),
        redb::Error::UpgradeRequired(version) => VaultError::Damaged(format!("format byte {version}")),
        redb::Error::TableDoesNotExist(name) => VaultError::Damaged(format!("table {name} is missing")),
        redb::Error::Io(error) if matches!(error.kind(), InvalidData | UnexpectedEof) => {
            VaultError::Damaged(error.to_string())
        }
        redb::Error::Io(error) => VaultError::Io(error),
        other => VaultError::Database(other.to_string()),
    }
}

macro_rules! from_redb {
    ($($kind:ident),+) => {$(
        impl From<redb::$kind> for VaultError {
            fn from(error: redb::$kind) -> Self {
                sort(error.into())
            }
        }
    )+};
}
from_redb!(DatabaseError, TransactionError, TableError, StorageError, CommitError);
