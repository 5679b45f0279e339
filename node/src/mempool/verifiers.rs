//! Public keys read once: decompressing one costs an eighth of a verification.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use kanhe_proto::key::{KeyError, PublicKey, Verifier};

/// Keys that are remembered; all are forgotten when there are more.
const KEYS_MAX: usize = 256;

/// The bureaus' keys, ready for use.
#[derive(Debug, Default)]
pub(super) struct Verifiers(RwLock<BTreeMap<PublicKey, Verifier>>);

impl Verifiers {
    /// The verifier of a key.
    pub fn of(&self, key: &PublicKey) -> Result<Verifier, KeyError> {
        // A map is whole after every change, so a panic elsewhere does not spoil it.
        if let Some(verifier) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(verifier.clone());
        }
        let verifier = key.verifier()?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        known.insert(key.clone(), verifier.clone());
        Ok(verifier)
    }
}
