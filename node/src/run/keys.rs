//! Opening secret keys: the passphrase from a file or a person, never from arguments or the environment.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kanhe_proto::key::SecretKey;
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileError, KeyFileRole, Passphrase, Unlocked};

use crate::bounded_file;
use crate::config::Config;

/// Longest passphrase, in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 1_024;

/// Why a key does not open.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such file.
    #[error("the key file {} is missing", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file with the passphrase cannot be read.
    #[error("the passphrase file {} cannot be read", path.display())]
    PassphraseFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be, or the passphrase is wrong.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyFileError,
    },
    /// The key is for something else.
    #[error("{} holds a key of role {found:?}, not {wanted:?}", path.display())]
    Role {
        /// The file.
        path: PathBuf,
        /// Its role.
        found: KeyFileRole,
        /// The role asked for.
        wanted: KeyFileRole,
    },
    /// Others can read it.
    #[error("{} is readable by others (mode {mode:04o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Nobody to ask, and no file named.
    #[error("the keys need a passphrase, and there is nobody to ask")]
    NoPassphrase,
    /// Empty or too long.
    #[error("the passphrase is empty or longer than {PASSPHRASE_BYTES_MAX} bytes")]
    Length,
}

impl KeyError {
    /// Whether the passphrase is at fault.
    pub const fn is_passphrase(&self) -> bool {
        matches!(
            self,
            Self::File { source: KeyFileError::WrongPassphrase, .. }
                | Self::PassphraseFile { .. }
                | Self::NoPassphrase
                | Self::Length
        )
    }
    /// What the operator can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Unreadable { .. } => "check [keys] in config.toml, and owner and mode of the file",
            Self::File { source: KeyFileError::WrongPassphrase, .. } => {
                "name the right file with --passphrase-file, or passphrase_file in config.toml"
            }
            Self::File { .. } => "restore the key file from its backup",
            Self::Role { .. } => "check which file [keys] in config.toml names",
            Self::Open { .. } => "chmod 600 it, and change the passphrase if others may have read it",
            Self::PassphraseFile { .. } => {
                "name the right file with --passphrase-file, or passphrase_file in config.toml, and check its owner: its \
                 first line is the passphrase"
            }
            Self::NoPassphrase => "name a file with --passphrase-file, or passphrase_file in config.toml",
            Self::Length => "the first line of the file is the passphrase",
        }
    }
}

/// Where the passphrase comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassphraseSource {
    /// The first line of a file of mode 0600.
    File(PathBuf),
    /// A person at a terminal.
    Prompt,
}

impl PassphraseSource {
    /// The file named on the command line, else the one of the configuration, else a prompt.
    pub fn of(home: &Path, config: &Config, named: Option<PathBuf>) -> Self {
        let configured = config.passphrase_file.as_ref().map(|path| home.join(path));
        named.or(configured).map_or(Self::Prompt, Self::File)
    }

    /// Gets it.
    pub fn read(&self) -> Result<Passphrase, KeyError> {
        let text = match self {
            Self::File(path) => first_line(path)?,
            Self::Prompt if !io::stdin().is_terminal() => return Err(KeyError::NoPassphrase),
            Self::Prompt => {
                rpassword::prompt_password("passphrase of the keys: ").map_err(|_| KeyError::NoPassphrase)?.into_bytes()
            }
        };
        if text.is_empty() || text.len() as u64 > PASSPHRASE_BYTES_MAX {
            return Err(KeyError::Length);
        }
        Ok(Passphrase::new(text))
    }
}

fn first_line(path: &Path) -> Result<Vec<u8>, KeyError> {
    let unreadable = |source| KeyError::PassphraseFile { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::with_capacity(64);
    file.take(PASSPHRASE_BYTES_MAX + 2).read_to_end(&mut bytes).map_err(unreadable)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    bytes.truncate(end);
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(bytes)
}

/// Opens a key file.
pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Unlocked, KeyError> {
    let malformed = |what| KeyError::File { path: path.to_owned(), source: KeyFileError::Malformed(what) };
    let text = bounded_file::read(path, KEY_FILE_BYTES_MAX).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
        io::ErrorKind::FileTooLarge => malformed("too long"),
        _ => KeyError::Unreadable { path: path.to_owned(), source },
    })?;
    let text = String::from_utf8(text).map_err(|_| malformed("not text"))?;
    key_file::unprotect(&text, passphrase).map_err(|source| KeyError::File { path: path.to_owned(), source })
}

/// Opens the file of a signing key of one role.
pub fn open_secret(path: &Path, role: KeyFileRole, passphrase: &Passphrase) -> Result<SecretKey, KeyError> {
    let unlocked = open(path, passphrase)?;
    if unlocked.role != role {
        return Err(KeyError::Role { path: path.to_owned(), found: unlocked.role, wanted: role });
    }
    Ok(SecretKey::from_seed(*unlocked.seed()))
}
