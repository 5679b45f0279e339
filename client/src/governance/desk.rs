//! What actions are made from: the chain as it is proved, files, and the passphrase of key files.

use std::path::{Path, PathBuf};

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX};
use kanhe_proto::registry::{KeyEntry, KeyRole, Seat, SeatState, Seats};
use kanhe_proto::vote::ChainContext;

use crate::follow::Follower;
use crate::home;
use crate::node::NodeClient;
use crate::talk::secret::Source;
use crate::talk::{ExitCode, Failure, Passphrase};

/// A passphrase that is asked for when it is first needed, and once.
#[derive(Debug)]
pub struct Lock<'a> {
    source: &'a Source,
    kept: Option<Passphrase>,
}

impl<'a> Lock<'a> {
    /// From a source that is not read yet.
    pub const fn new(source: &'a Source) -> Self {
        Self { source, kept: None }
    }
    /// The passphrase.
    pub fn passphrase(&mut self) -> Result<Passphrase, Failure> {
        match &self.kept {
            Some(kept) => Ok(kept.clone()),
            None => Ok(self.kept.insert(self.source.existing()?).clone()),
        }
    }
}

/// Where a proposal is written.
#[derive(Debug)]
pub struct Desk<'a, 'l> {
    /// The founders' file.
    pub genesis: &'a Genesis,
    /// The chain.
    pub chain: ChainContext,
    /// Who proposes.
    pub proposer: Uscc,
    /// The proposer's governance key, if it is at hand.
    pub own_key: Option<KeyId>,
    /// The light client.
    pub follower: &'a mut Follower,
    /// Files are named from here.
    pub folder: PathBuf,
    /// Opens key files.
    pub lock: &'a mut Lock<'l>,
}

impl Desk<'_, '_> {
    /// A file that an action names.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// A key as text, by the id under which the registry has it, or in a key file.
    pub fn public_key(&mut self, text: &str, bureau: &Uscc) -> Result<PublicKey, Failure> {
        if let Ok(key) = text.parse::<PublicKey>() {
            return Ok(key);
        }
        if let Ok(id) = text.parse::<KeyId>() {
            return Ok(self.key_entry(bureau, id)?.key);
        }
        let path = self.path(Path::new(text));
        let content = home::read_text(&path, KEY_FILE_BYTES_MAX)?;
        key_file::describe(&content).map(|(_, key)| key).map_err(|error| {
            Failure::of(ExitCode::Failure, "key_file", &[("path", &path.display()), ("cause", &error)])
        })
    }

    /// A key in the registry, proved.
    pub fn key_entry(&mut self, bureau: &Uscc, id: KeyId) -> Result<KeyEntry, Failure> {
        let found = self.follower.registry::<KeyEntry>(&(*bureau, id), |node: &NodeClient| node.key(bureau, id))?;
        found.value.ok_or_else(|| Failure::of(ExitCode::Usage, "gov_key_unknown", &[("key", &id), ("bureau", bureau)]))
    }

    /// The seats of a bureau, proved.
    pub fn seats(&mut self, bureau: &Uscc) -> Result<Vec<Seat>, Failure> {
        let found = self.follower.registry::<Seats>(&(), NodeClient::seats)?;
        let all = found.value.map(|seats| seats.all().to_vec()).unwrap_or_default();
        Ok(all.into_iter().filter(|seat| seat.bureau == *bureau).collect())
    }

    /// The only seat of a bureau.
    pub fn only_seat(&mut self, bureau: &Uscc) -> Result<PublicKey, Failure> {
        let seats = self.seats(bureau)?;
        match &seats[..] {
            [seat] => Ok(seat.key.clone()),
            _ => Err(Failure::of(ExitCode::Usage, "gov_which_seat", &[("bureau", bureau), ("count", &seats.len())])),
        }
    }

    /// The key that a new one of this role replaces, as far as that is clear without being said.
    pub fn present_key(&mut self, bureau: &Uscc, role: KeyRole) -> Result<KeyId, Failure> {
        if role == KeyRole::Governance
            && *bureau == self.proposer
            && let Some(own) = self.own_key
        {
            return Ok(own);
        }
        let keys: Vec<KeyId> = if role == KeyRole::Validator {
            let seats = self.seats(bureau)?;
            seats.iter().filter(|seat| seat.state == SeatState::Active).map(|seat| seat.key.id()).collect()
        } else {
            // Without a node, or one that has no list, what genesis says is all that is known.
            let listed = super::keys(self.follower, bureau).ok();
            let own = || self.genesis.keys.iter().filter(|key| key.bureau == *bureau && key.role == role);
            match &listed {
                Some(keys) => keys.lasting(role).map(|entry| entry.key.id()).collect(),
                None => own().map(|key| key.key.id()).collect(),
            }
        };
        match keys[..] {
            [only] => Ok(only),
            _ => Err(Failure::of(ExitCode::Usage, "gov_which_key", &[("bureau", bureau), ("count", &keys.len())])),
        }
    }
}
