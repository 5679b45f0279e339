//! A home gets its chain: genesis checked against the hash that people compared, a database, and a signing guard.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kanhe_proto::genesis::{Genesis, GenesisError};
use kanhe_proto::hash::ChainId;
use kanhe_proto::key_file::{KeyFileRole, Passphrase};

use crate::config::{Config, ConfigError};
use crate::consensus::Guard;
use crate::consensus::guard::GuardError;
use crate::run::{home, keys};
use crate::storage::{CreateError, Storage};

/// Why a home got no chain.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// No configuration, or an unusable one.
    #[error("configuration")]
    Config(#[from] ConfigError),
    /// The bytes found no chain.
    #[error("the file founds no chain")]
    Genesis(#[from] GenesisError),
    /// Another chain than the one meant.
    #[error("the genesis has the hash {found}, not {wanted}")]
    Hash {
        /// Of the file.
        found: ChainId,
        /// That was asked for.
        wanted: ChainId,
    },
    /// The home has another genesis.
    #[error("the home belongs to the chain {0}")]
    Other(ChainId),
    /// A key does not open.
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    /// The database could not be made.
    #[error("the database could not be made")]
    Create(#[from] CreateError),
    /// The guard could not be made.
    #[error("the signing guard could not be made")]
    Guard(#[from] GuardError),
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Installs a genesis in a home that `init` made. What an interrupted attempt left is finished.
pub fn install(home: &Path, bytes: &[u8], wanted: ChainId, passphrase: &Passphrase) -> Result<Genesis, InstallError> {
    let genesis = Genesis::from_bytes(bytes)?;
    let found = genesis.chain_id();
    if found != wanted {
        return Err(InstallError::Hash { found, wanted });
    }
    let config = Config::load(home)?;
    let file = home.join(&config.genesis);
    let failed = |source| InstallError::Io { path: file.clone(), source };
    match fs::read(&file) {
        Ok(known) if known != bytes => {
            let other = Genesis::from_bytes(&known).map_or(ChainId::default(), |genesis| genesis.chain_id());
            return Err(InstallError::Other(other));
        }
        Ok(_) => {}
        Err(_) => write_synced(&file, bytes).map_err(failed)?,
    }
    // The guard before the database: a home with a database counts as whole.
    if let Some(path) = &config.keys.validator
        && !home::guard_of(home, path).exists()
    {
        let key = keys::open_secret(&home.join(path), KeyFileRole::Validator, passphrase)?;
        drop(Guard::create(&home::guard(home), &genesis.chain(), &kanhe_proto::key::Signer::public_key(&key), false)?);
    }
    drop(Storage::create(&home::chain(home), &genesis)?);
    Ok(genesis)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
