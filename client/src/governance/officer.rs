//! Who acts for a bureau in governance: a key, and whose it is.

use std::path::Path;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::governance::withdraw_bytes;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{SecretKey, SignError, Signature, Signer as _};
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileRole};
use kanhe_proto::record::{Choice, GovernanceVote};
use kanhe_proto::registry::KeyRole;
use kanhe_proto::vote::ChainContext;

use crate::home;
use crate::issuer::unlock;
use crate::talk::{ExitCode, Failure, Passphrase};

/// A bureau with one of its keys. Whether the key is in force is the chain's to say.
pub struct Officer {
    /// The chain.
    pub chain: ChainContext,
    /// The bureau.
    pub bureau: Uscc,
    /// Its key.
    pub key: SecretKey,
}

impl std::fmt::Debug for Officer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Officer({})", self.bureau)
    }
}

fn not_signed(error: SignError) -> Failure {
    Failure::reported(ExitCode::Failure, "not_signed", error)
}

/// Whose key a file holds, without its passphrase: the bureau that is named, else the one that genesis names for it.
pub fn owner(genesis: &Genesis, path: &Path, named: Option<Uscc>) -> Result<Uscc, Failure> {
    if let Some(named) = named {
        return Ok(named);
    }
    let text = home::read_text(path, KEY_FILE_BYTES_MAX)?;
    let (_, public) = key_file::describe(&text)
        .map_err(|error| Failure::of(ExitCode::Failure, "key_file", &[("path", &path.display()), ("cause", &error)]))?;
    let found = genesis.keys.iter().find(|entry| entry.key == public).map(|entry| entry.bureau);
    found.ok_or_else(|| Failure::of(ExitCode::Usage, "gov_bureau_unknown", &[("key", &public.id())]))
}

impl Officer {
    /// With the governance key of a file.
    pub fn governance(chain: ChainContext, bureau: Uscc, key: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        let unlocked = unlock(key, KeyFileRole::Governance, passphrase)?;
        Ok(Self { chain, bureau, key: SecretKey::from_seed(*unlocked.seed()) })
    }

    /// With a key that may send transactions: one of governance or of issuing.
    pub fn sender(chain: ChainContext, bureau: Uscc, key: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        let text = home::read_text(key, KEY_FILE_BYTES_MAX)?;
        let role = match key_file::describe(&text) {
            Ok((KeyFileRole::Issuing, _)) => KeyFileRole::Issuing,
            _ => KeyFileRole::from(KeyRole::Governance),
        };
        let unlocked = unlock(key, role, passphrase)?;
        Ok(Self { chain, bureau, key: SecretKey::from_seed(*unlocked.seed()) })
    }

    /// The bureau's vote.
    pub fn vote(&self, proposal: &ProposalId, choice: Choice) -> Result<GovernanceVote, Failure> {
        let bytes = GovernanceVote::sign_bytes(&self.chain, proposal, choice);
        let signature = self.key.sign(&bytes).map_err(not_signed)?;
        Ok(GovernanceVote { bureau: self.bureau, key: self.key.public_key().id(), choice, signature })
    }

    /// What takes a proposal back.
    pub fn withdrawal(&self, proposal: &ProposalId) -> Result<Signature, Failure> {
        self.key.sign(&withdraw_bytes(&self.chain, proposal)).map_err(not_signed)
    }
}
