//! New keys: made, proved, carried from the machine that has them, and membership cards.

use std::path::Path;

use kanhe_proto::governance::{MembershipCard, NewKey};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::SecretKey;
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileRole};
use kanhe_proto::limits::CARD_BYTES_MAX;
use kanhe_proto::registry::KeyRole;
use kanhe_proto::vote::ChainContext;
use serde::{Deserialize, Serialize};

use super::Lock;
use crate::home;
use crate::issuer::unlock;
use crate::talk::{ExitCode, Failure};

/// Layout of the file.
const VERSION: u8 = 1;

/// A public key with the proof that its holder has it: what leaves the machine of the key in its stead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKeyFile {
    /// Layout: 1.
    pub kanhe_new_key: u8,
    /// The chain that it is proved for.
    pub chain: ChainContext,
    /// Whose key.
    pub bureau: Uscc,
    /// The key.
    pub key: NewKey,
}

impl NewKeyFile {
    /// Of a proved key.
    pub const fn new(chain: ChainContext, bureau: Uscc, key: NewKey) -> Self {
        Self { kanhe_new_key: VERSION, chain, bureau, key }
    }
    /// As it is written.
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a key has only members that JSON can hold");
        format!("{text}\n")
    }
}

/// A new key of a bureau in a role: proved here with a key file, or elsewhere with a file of [`NewKeyFile`].
pub fn prove(
    chain: &ChainContext,
    bureau: &Uscc,
    role: KeyRole,
    path: &Path,
    lock: &mut Lock<'_>,
) -> Result<NewKey, Failure> {
    let text = home::read_text(path, KEY_FILE_BYTES_MAX)?;
    let shown = path.display();
    let wrong = |cause: &dyn std::fmt::Display| {
        Failure::of(ExitCode::Failure, "gov_file_wrong", &[("path", &shown), ("cause", cause)])
    };
    if let Ok(carried) = serde_json::from_str::<NewKeyFile>(&text) {
        let fits = (carried.kanhe_new_key, carried.chain, carried.bureau, carried.key.role);
        if fits != (VERSION, *chain, *bureau, role) {
            return Err(Failure::of(ExitCode::Usage, "gov_new_key_other", &[("path", &shown), ("bureau", bureau)]));
        }
        carried.key.check(chain, bureau).map_err(|error| wrong(&error))?;
        return Ok(carried.key);
    }
    if role == KeyRole::Sealing {
        let described = key_file::describe(&text).map_err(|error| wrong(&error))?;
        if described.0 != KeyFileRole::Sealing {
            return Err(Failure::of(ExitCode::Usage, "key_role_other", &[("path", &shown), ("expected", &"sealing")]));
        }
        return Ok(NewKey::sealing(described.1));
    }
    let unlocked = unlock(path, role.into(), &lock.passphrase()?)?;
    let key = SecretKey::from_seed(*unlocked.seed());
    NewKey::prove(chain, bureau, role, &key).map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))
}

/// A membership card, as JSON or in its canonical encoding; nothing of it is checked yet.
pub fn read_card(path: &Path) -> Result<MembershipCard, Failure> {
    // JSON takes more room than the encoding whose limit this is.
    let bytes = home::read_given(path, 4 * CARD_BYTES_MAX)?;
    let wrong = |cause: &dyn std::fmt::Display| {
        Failure::of(ExitCode::Failure, "gov_card_wrong", &[("path", &path.display()), ("cause", cause)])
    };
    if bytes.first() == Some(&b'{') {
        return serde_json::from_slice(&bytes).map_err(|error| wrong(&error));
    }
    kanhe_proto::codec::decode(&bytes, CARD_BYTES_MAX).map_err(|error| wrong(&error))
}
