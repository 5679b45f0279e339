//! Who may sign for the next block, found out once per block.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{KeyId, PublicKey};

/// Keys that are remembered; the rights of more are read each time.
const SIGNERS_MAX: usize = 1_024;

/// Keys whose signatures count in the block after one tip. A new tip begins anew, for rights have heights.
#[derive(Debug, Default)]
pub(super) struct Signers(RwLock<BTreeMap<(Uscc, KeyId), PublicKey>>);

impl Signers {
    pub fn get(&self, sender: Uscc, key: KeyId) -> Option<PublicKey> {
        // A map is whole after every change, so a panic elsewhere does not spoil it.
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(sender, key)).cloned()
    }
    pub fn put(&self, sender: Uscc, key: KeyId, found: PublicKey) {
        let mut signers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if signers.len() < SIGNERS_MAX {
            signers.insert((sender, key), found);
        }
    }
}
