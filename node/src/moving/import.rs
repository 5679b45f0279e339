//! Into a home: first the guard, silenced, then the key, then the configuration that names it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kanhe_proto::genesis::Genesis;
use kanhe_proto::ids::Height;
use kanhe_proto::key::PublicKey;
use kanhe_proto::key_file::{self, KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::validator_file::{self, Label, Moved, VALIDATOR_FILE_BYTES_MAX};
use kanhe_proto::validators::Address;

use super::MoveError;
use super::export::sync_folder;
use crate::bounded_file;
use crate::config::{CONFIG_FILE, Config};
use crate::consensus::Guard;
use crate::consensus::guard::{GuardError, Packed, is_in_use};
use crate::founding::keys::{key_path, random, write_private};
use crate::run::keys::open_secret;
use crate::run::{home, read_genesis};
use crate::storage::Storage;

/// What arrived.
#[derive(Debug, Clone, Copy)]
pub struct Imported {
    /// The validator.
    pub validator: Address,
    /// The newest block of the source.
    pub height: Height,
    /// The highest height for which it signed.
    pub signed: Option<Height>,
    /// Messages in its guard.
    pub messages: usize,
}

/// Installs a key that was exported, with its guard, in a home that has a chain and does not run. An interrupted import
/// is finished by another.
///
/// The first passphrase is that of the home's keys, the second opens the file.
pub fn import(home: &Path, file: &Path, keys: &Passphrase, passphrase: &Passphrase) -> Result<Imported, MoveError> {
    let mut config = Config::load(home)?;
    if let Some(next) = &config.keys.validator_next {
        return Err(MoveError::Rotating(home.join(next)));
    }
    let genesis = read_genesis(home, &config)?;
    let text = read(file)?;
    let wrong = |source| MoveError::File { path: file.to_owned(), source };
    let label = validator_file::describe(&text).map_err(wrong)?;
    same_chain(&label, &genesis)?;
    // All keys of a home open with one passphrase.
    open_secret(&home.join(&config.keys.network), KeyFileRole::Network, keys)?;
    let moved = validator_file::open(&text, passphrase).map_err(wrong)?;
    let packed = Packed::read(&moved.guard);
    let packed = packed.map_err(|source| MoveError::Packed { path: file.to_owned(), source })?;
    // Keeps a node from running meanwhile.
    let storage = Storage::open(&home::chain(home), &genesis.chain_id())?;
    let relative = config.keys.validator.clone().unwrap_or_else(|| key_path("validator"));
    let key = home.join(&relative);
    let guard_path = home::guard_of(home, &relative);
    let public = &label.public_key;
    make_room(&guard_path, &key, &genesis, public, &packed)?;

    let guard = Guard::install(&guard_path, &genesis.chain(), public, &packed)?;
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| MoveError::Unwritable { path, source }
    };
    write_key(&key, &moved, keys).map_err(unwritable(&key))?;
    if config.keys.validator.is_none() {
        config.keys.validator = Some(relative);
        config.save(home).map_err(unwritable(&home.join(CONFIG_FILE)))?;
    }
    drop((guard, storage));
    let Label { validator, height, .. } = label;
    Ok(Imported { validator, height, signed: packed.highest(), messages: packed.messages() })
}

fn read(file: &Path) -> Result<String, MoveError> {
    let unreadable = |source| MoveError::Unreadable { path: file.to_owned(), source };
    let malformed = |what| MoveError::File { path: file.to_owned(), source: key_file::KeyFileError::Malformed(what) };
    let bytes = bounded_file::read(file, VALIDATOR_FILE_BYTES_MAX).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => malformed("too long"),
        _ => unreadable(source),
    })?;
    String::from_utf8(bytes).map_err(|_| malformed("not text"))
}

fn same_chain(label: &Label, genesis: &Genesis) -> Result<(), MoveError> {
    let (found, wanted) = (label.chain, genesis.chain());
    if found == wanted {
        return Ok(());
    }
    Err(MoveError::OtherChain {
        found: found.chain_id,
        found_era: found.era,
        wanted: wanted.chain_id,
        wanted_era: wanted.era,
    })
}

/// Refuses where a key would be lost that signed or may have signed; puts one aside that never did.
fn make_room(
    guard: &Path,
    key: &Path,
    genesis: &Genesis,
    public: &PublicKey,
    packed: &Packed,
) -> Result<(), MoveError> {
    let other_key = match fs::read_to_string(key) {
        Ok(text) => !key_file::describe(&text).is_ok_and(|(_, found)| found == *public),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => return Err(MoveError::Unreadable { path: key.to_owned(), source }),
    };
    let mut aside = None;
    if guard.exists() {
        match Guard::open(guard, &genesis.chain(), public) {
            Ok(here) => {
                if let Some(slot) = here.ahead_of(packed) {
                    return Err(MoveError::Older(slot));
                }
            }
            Err(GuardError::Foreign) if is_in_use(guard)? => return Err(MoveError::OtherKey(key.to_owned())),
            Err(GuardError::Foreign) => aside = Some(guard),
            Err(error) => return Err(error.into()),
        }
    }
    // Of a key without its guard nobody knows what it signed.
    if other_key && aside.is_none() {
        return Err(MoveError::OtherKey(key.to_owned()));
    }
    // The key first: a home that lacks it does not start, and an interrupted import finds the guard and goes on.
    for path in [other_key.then_some(key), aside].into_iter().flatten() {
        put_aside(path).map_err(|source| MoveError::Unwritable { path: path.to_owned(), source })?;
    }
    Ok(())
}

fn put_aside(path: &Path) -> io::Result<()> {
    let mut attempts = (0..u32::MAX).map(|attempt| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".unused-{attempt}"));
        PathBuf::from(name)
    });
    let free = attempts.find(|aside| !aside.exists()).ok_or_else(|| io::Error::other("no free name"))?;
    tracing::warn!(from = %path.display(), to = %free.display(), "put aside: its key is not in use");
    fs::rename(path, free)?;
    sync_folder(path)
}

fn write_key(path: &Path, moved: &Moved, passphrase: &Passphrase) -> io::Result<()> {
    let text =
        key_file::protect(moved.seed(), KeyFileRole::Validator, passphrase, KdfCost::USUAL, random()?, random()?);
    replace(path, text.map_err(|error| io::Error::other(error.to_string()))?.as_bytes())
}

/// Replaces a file by one of mode 0600; all or nothing, and durable.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&new, content)?;
    fs::rename(&new, path)?;
    sync_folder(path)
}
