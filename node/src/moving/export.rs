//! Out of a home: the guard ends here, then the file becomes whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use kanhe_proto::ids::Height;
use kanhe_proto::key::Signer as _;
use kanhe_proto::key_file::{KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::validator_file;
use kanhe_proto::validators::Address;

use super::MoveError;
use crate::config::Config;
use crate::consensus::Guard;
use crate::consensus::guard::GuardError;
use crate::founding::keys::random;
use crate::run::keys::open_secret;
use crate::run::{RunError, home, read_genesis};
use crate::storage::Storage;

/// What left.
#[derive(Debug, Clone, Copy)]
pub struct Exported {
    /// The validator.
    pub validator: Address,
    /// The newest block of this home.
    pub height: Height,
    /// The highest height for which it signed.
    pub signed: Option<Height>,
    /// Whether this home's guard had ended before: the file was written once more.
    pub again: bool,
}

/// Moves the validator key of a home and its guard into a new file. From then on the home never signs again.
///
/// The first passphrase opens the home's keys, the second will open the file.
pub fn export(home: &Path, out: &Path, keys: &Passphrase, file: &Passphrase) -> Result<Exported, MoveError> {
    let config = Config::load(home)?;
    let genesis = read_genesis(home, &config)?;
    let chain = genesis.chain();
    let path = config.keys.validator.as_ref().ok_or(MoveError::NoKey)?;
    if let Some(next) = &config.keys.validator_next {
        return Err(MoveError::Rotating(home.join(next)));
    }
    if out.exists() {
        return Err(MoveError::Exists(out.to_owned()));
    }
    let key = open_secret(&home.join(path), KeyFileRole::Validator, keys)?;
    let guard_path = home::guard_of(home, path);
    if !guard_path.exists() {
        return Err(RunError::GuardMissing(guard_path).into());
    }
    // Nobody else has it open, so nothing is signed from here on.
    let guard = Guard::open(&guard_path, &chain, &key.public_key())?;
    let again = guard.moved();
    let height = again.unwrap_or_else(|| tip(home, &genesis.chain_id(), guard.highest()));

    let unwritable = |source| MoveError::Unwritable { path: out.to_owned(), source };
    let fresh = (random().map_err(unwritable)?, random().map_err(unwritable)?);
    let packed = guard.pack(&chain, &key.public_key());
    let text = validator_file::seal(key.seed(), &packed, (chain, height), file, KdfCost::USUAL, fresh)
        .map_err(|source| MoveError::File { path: out.to_owned(), source })?;
    // Whether it can be written at all shows before the guard ends.
    let (part, mut opened) = begin(out).map_err(unwritable)?;
    guard.retire(height).map_err(GuardError::from)?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).map_err(unwritable)?;
    fs::rename(&part, out).and_then(|()| sync_folder(out)).map_err(unwritable)?;
    let validator = Address::of(&key.public_key());
    Ok(Exported { validator, height, signed: guard.highest(), again: again.is_some() })
}

/// The newest block; for people, so a database that does not open is no hindrance.
fn tip(home: &Path, chain: &kanhe_proto::hash::ChainId, signed: Option<Height>) -> Height {
    let tip = Storage::open_read_only(&home::chain(home), chain).and_then(|storage| storage.read().tip());
    tip.map_or_else(|_| signed.unwrap_or_default(), |(height, _)| height)
}

/// A file beside the one wanted; what an interrupted export left there goes.
fn begin(out: &Path) -> io::Result<(PathBuf, File)> {
    let mut part = out.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    Ok((part, file))
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
