//! A new validator key beside the one in use. Its guard is born with it, and lies beside it.

use std::path::{Path, PathBuf};

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::PublicKey;
use kanhe_proto::key_file::{KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::validators::Address;

use super::MoveError;
use crate::config::{CONFIG_FILE, Config};
use crate::consensus::Guard;
use crate::founding::keys::FreshKey;
use crate::run::keys::open_secret;
use crate::run::{home, read_genesis};

/// The key that is to take over.
#[derive(Debug, Clone)]
pub struct Rotating {
    /// The key.
    pub key: PublicKey,
    /// Its file.
    pub file: PathBuf,
    /// The bureau of this home, if the configuration names it.
    pub bureau: Option<Uscc>,
    /// Whether it was there already.
    pub again: bool,
}

/// Makes the next validator key of a home, or shows the one that was made. The node may run; it takes notice at its next
/// start.
pub fn rotate(home: &Path, passphrase: &Passphrase) -> Result<Rotating, MoveError> {
    let mut config = Config::load(home)?;
    let genesis = read_genesis(home, &config)?;
    let bureau = config.bureau;
    if config.keys.validator.is_none() {
        return Err(MoveError::NoKey);
    }
    // All keys of a home open with one passphrase.
    open_secret(&home.join(&config.keys.network), KeyFileRole::Network, passphrase)?;
    if let Some(path) = &config.keys.validator_next {
        use kanhe_proto::key::Signer as _;
        let file = home.join(path);
        let key = open_secret(&file, KeyFileRole::Validator, passphrase)?.public_key();
        return Ok(Rotating { key, file, bureau, again: true });
    }
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| MoveError::Unwritable { path, source }
    };
    let fresh = FreshKey::new(KeyFileRole::Validator).map_err(unwritable(home))?;
    let key = fresh.public();
    let name = Address::of(&key).to_string();
    let relative = Path::new("keys").join(format!("validator-{}.key", &name[..8]));
    let file = home.join(&relative);
    fresh.write(&file, passphrase, KdfCost::USUAL).map_err(unwritable(&file))?;
    drop(Guard::create(&home::guard_beside(&file), &genesis.chain(), &key, false)?);
    config.keys.validator_next = Some(relative);
    config.save(home).map_err(unwritable(&home.join(CONFIG_FILE)))?;
    Ok(Rotating { key, file, bureau, again: false })
}
