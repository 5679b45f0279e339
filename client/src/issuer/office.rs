//! The bureau at work: its keys, and that the registry lets it issue.

use std::path::{Path, PathBuf};

use kanhe_proto::application::{Application, ApplicationError};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{ChainRef, TypeCode, Uscc};
use kanhe_proto::key::{KeyId, PublicKey, SecretKey, Signer as _};
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileRole, Unlocked};
use kanhe_proto::registry::{Accreditation, KeyEntry, KeyRole};
use kanhe_proto::seal::{SealError, SealingSecret};
use kanhe_proto::vote::ChainContext;
use zeroize::Zeroizing;

use crate::follow::Follower;
use crate::home;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, Passphrase};

/// The bureau at work.
pub struct Office {
    /// The chain.
    pub chain: ChainContext,
    /// Its name in DIDs.
    pub chain_ref: ChainRef,
    /// The bureau.
    pub issuer: Uscc,
    /// Its issuing key.
    pub key: SecretKey,
    /// Its sealing keys, where what holders sealed is opened; the older ones still open what is on its way.
    pub sealing: Vec<SealingSecret>,
}

impl std::fmt::Debug for Office {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Office({})", self.issuer)
    }
}

/// A key out of its file, which must be for one purpose.
pub fn unlock(path: &Path, role: KeyFileRole, passphrase: &Passphrase) -> Result<Unlocked, Failure> {
    let text = home::read_text(path, KEY_FILE_BYTES_MAX)?;
    let shown = path.display();
    let wrong = |error: key_file::KeyFileError| {
        Failure::of(ExitCode::Failure, "key_file", &[("path", &shown), ("cause", &error)])
    };
    let (found, _) = key_file::describe(&text).map_err(wrong)?;
    if found != role {
        let expected = format!("{role:?}").to_lowercase();
        return Err(Failure::of(ExitCode::Usage, "key_role_other", &[("path", &shown), ("expected", &expected)]));
    }
    let passphrase = key_file::Passphrase::new(passphrase.bytes().to_vec());
    key_file::unprotect(&text, &passphrase).map_err(wrong)
}

impl Office {
    /// With an issuing key. The bureau is the one that genesis names for the key, unless another is named.
    pub fn open(
        genesis: &Genesis,
        follower: &mut Follower,
        key: &Path,
        named: Option<Uscc>,
        passphrase: &Passphrase,
    ) -> Result<Self, Failure> {
        let key = SecretKey::from_seed(*unlock(key, KeyFileRole::Issuing, passphrase)?.seed());
        let public = key.public_key();
        let issuer = named.or_else(|| owner(genesis, &public));
        let issuer = issuer.ok_or_else(|| Failure::of(ExitCode::Usage, "issuer_unknown", &[("key", &public.id())]))?;
        let fetch = |node: &NodeClient| node.key(&issuer, public.id());
        let found = follower.registry::<KeyEntry>(&(issuer, public.id()), fetch)?;
        // What is signed now comes into the next block at the earliest.
        let height = found.header.header.height.next();
        let good = found.value.is_some_and(|entry| {
            entry.role == KeyRole::Issuing && entry.intervals.hold_at(height) && entry.distrusted_from.is_none()
        });
        if !good {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("key", &public.id()), ("issuer", &issuer)];
            return Err(Failure::of(ExitCode::Refused, "issuing_key_not_valid", args));
        }
        let (chain, chain_ref) = (follower.trust().chain, follower.trust().chain_ref());
        Ok(Self { chain, chain_ref, issuer, key, sealing: Vec::new() })
    }

    /// Opens the bureau's sealing keys as well.
    pub fn with_sealing(mut self, paths: &[PathBuf], passphrase: &Passphrase) -> Result<Self, Failure> {
        for path in paths {
            let unlocked = unlock(path, KeyFileRole::Sealing, passphrase)?;
            self.sealing.push(SealingSecret::from_seed(*unlocked.seed()));
        }
        Ok(self)
    }

    /// The sealing key that something was sealed to.
    pub fn sealing_key(&self, id: KeyId) -> Option<&SealingSecret> {
        self.sealing.iter().find(|secret| secret.public_key().id() == id)
    }

    /// The person's secret in an application.
    pub fn open_secret(&self, application: &Application) -> Result<Zeroizing<[u8; 32]>, ApplicationError> {
        let sealed = application.secret.as_ref().ok_or(ApplicationError::NoSecret)?;
        let other = || ApplicationError::Secret(SealError::OtherKey(sealed.key));
        application.open_secret(self.sealing_key(sealed.key).ok_or_else(other)?)
    }

    /// Refuses before anything is signed if the registry proves no right to issue the type now.
    pub fn check_right(&self, follower: &mut Follower, code: &TypeCode) -> Result<(), Failure> {
        let fetch = |node: &NodeClient| node.accreditation(&self.issuer, code);
        let found = follower.registry::<Accreditation>(&(self.issuer, code.clone()), fetch)?;
        // What is signed now comes into the next block at the earliest.
        let height = found.header.header.height.next();
        if found.value.is_some_and(|right| right.intervals.hold_at(height)) {
            return Ok(());
        }
        let args: &[(&str, &dyn std::fmt::Display)] = &[("issuer", &self.issuer), ("type", code)];
        Err(Failure::of(ExitCode::Refused, "not_accredited", args))
    }
}

fn owner(genesis: &Genesis, key: &PublicKey) -> Option<Uscc> {
    genesis.keys.iter().find(|entry| entry.key == *key && entry.role == KeyRole::Issuing).map(|entry| entry.bureau)
}
