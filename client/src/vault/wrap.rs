//! The data key under a passphrase.

use argon2::{Algorithm, Argon2, Params, Version};
use kanhe_proto::{tags, text};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::VaultError;
use super::seal::{self, Key};
use crate::talk::Passphrase;

const SALT_BYTES: usize = 16;

/// What Argon2id costs. Stored with the wrapped key, and bounded when read: a changed file must not be able to ask for
/// all memory or for hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effort {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Effort {
    /// For what people keep: 64 MiB, three passes (RFC 9106, second recommended choice).
    pub const USUAL: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// For tests only: opens at once, protects nothing.
    pub const NONE: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
    /// The most that is accepted from a file.
    pub const MAX: Self = Self { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

    fn params(self) -> Result<Params, VaultError> {
        let max = Self::MAX;
        if self.memory_kib > max.memory_kib || self.passes > max.passes || self.lanes > max.lanes {
            return Err(VaultError::Damaged("key derivation asks for too much".to_string()));
        }
        Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .map_err(|_| VaultError::Damaged("key derivation parameters".to_string()))
    }
}

/// The data key of a vault, wrapped. Public: it is worth what the passphrase is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrapped {
    effort: Effort,
    salt: String,
    sealed: String,
}

impl Wrapped {
    pub(super) fn new(key: &Key, vault: &str, passphrase: &Passphrase, effort: Effort) -> Result<Self, VaultError> {
        let salt: [u8; SALT_BYTES] = seal::random()?;
        let wrapping = derive(passphrase, &salt, effort)?;
        let sealed = wrapping.seal(&associated(vault, effort), key.bytes())?;
        Ok(Self { effort, salt: text::hex(&salt), sealed: text::hex(&sealed) })
    }

    pub(super) fn open(&self, vault: &str, passphrase: &Passphrase) -> Result<Key, VaultError> {
        let damaged = || VaultError::Damaged("the wrapped key is not readable".to_string());
        let salt: [u8; SALT_BYTES] = decode(&self.salt).and_then(|b| b.try_into().ok()).ok_or_else(damaged)?;
        let sealed = decode(&self.sealed).ok_or_else(damaged)?;
        let wrapping = derive(passphrase, &salt, self.effort)?;
        let key = wrapping.unseal(&associated(vault, self.effort), &sealed).ok_or(VaultError::WrongPassphrase)?;
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| damaged())?;
        Ok(Key::new(key))
    }

    pub(super) fn effort(&self) -> Effort {
        self.effort
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    text::from_hex(text).ok()
}

fn associated(vault: &str, effort: Effort) -> Vec<u8> {
    let Effort { memory_kib, passes, lanes } = effort;
    let mut bytes = tags::KEY_FILE.bytes().to_vec();
    for number in [memory_kib, passes, lanes] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(vault.as_bytes());
    bytes
}

fn derive(passphrase: &Passphrase, salt: &[u8], effort: Effort) -> Result<Key, VaultError> {
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, effort.params()?)
        .hash_password_into(passphrase.bytes(), salt, key.as_mut())
        .map_err(|error| VaultError::Database(error.to_string()))?;
    Ok(Key::new(*key))
}
