//! A key that a bureau brings, with the proof that it holds it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::identifiers::Uscc;
use crate::key::{Algorithm, KeyError, PublicKey, SignError, Signature, Signer};
use crate::registry::KeyRole;
use crate::tags;
use crate::vote::{self, ChainContext};

/// A key, its role, and its holder's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct NewKey {
    /// What for.
    pub role: KeyRole,
    /// The key.
    pub key: PublicKey,
    /// By the key itself; nothing for a sealing key, which cannot sign: whoever proposes it vouches for it.
    pub possession: Option<Signature>,
}

/// Why a key cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NewKeyError {
    /// Of another algorithm than its role needs.
    #[error("a key of role {0:?} is not of this algorithm")]
    Algorithm(KeyRole),
    /// Not a key of its algorithm.
    #[error("malformed key of role {0:?}")]
    Malformed(KeyRole),
    /// The signature is missing, not called for, or wrong.
    #[error("possession of the key of role {0:?} is not proved")]
    Possession(KeyRole),
}

impl NewKey {
    /// tag ‖ chain ‖ bureau ‖ role: what the key signs.
    pub fn possession_bytes(chain: &ChainContext, bureau: &Uscc, role: KeyRole) -> Vec<u8> {
        vote::preimage(tags::GOVERNANCE_POSSESSION, chain, &(bureau, role))
    }
    /// A key that can sign, with its proof.
    pub fn prove(chain: &ChainContext, bureau: &Uscc, role: KeyRole, signer: &dyn Signer) -> Result<Self, SignError> {
        let possession = Some(signer.sign(&Self::possession_bytes(chain, bureau, role))?);
        Ok(Self { role, key: signer.public_key(), possession })
    }
    /// A key to seal to.
    pub fn sealing(key: PublicKey) -> Self {
        Self { role: KeyRole::Sealing, key, possession: None }
    }
    /// Checks algorithm and possession.
    pub fn check(&self, chain: &ChainContext, bureau: &Uscc) -> Result<(), NewKeyError> {
        let role = self.role;
        if role == KeyRole::Sealing {
            let fits = self.key.algorithm == Algorithm::X25519;
            return match (fits, self.key.bytes.len(), &self.possession) {
                (false, ..) => Err(NewKeyError::Algorithm(role)),
                (true, 32, None) => Ok(()),
                (true, 32, Some(_)) => Err(NewKeyError::Possession(role)),
                (true, ..) => Err(NewKeyError::Malformed(role)),
            };
        }
        let verifier = self.key.verifier().map_err(|error| match error {
            KeyError::NotInUse(_) => NewKeyError::Algorithm(role),
            _ => NewKeyError::Malformed(role),
        })?;
        let signature = self.possession.as_ref().ok_or(NewKeyError::Possession(role))?;
        verifier
            .verify(&Self::possession_bytes(chain, bureau, role), signature)
            .map_err(|_| NewKeyError::Possession(role))
    }
}
