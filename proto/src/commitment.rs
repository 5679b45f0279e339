//! Commitments to content that stays off the chain.
//!
//! H(tag ‖ 32 random bytes ‖ content). The random bytes are kept with the content: who deletes both leaves a number that
//! means nothing, however little there is to guess in the content.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::hash::{self, Hash};
use crate::tags;

/// Random bytes of one commitment, used once.
pub type Salt = [u8; 32];

/// A commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(pub Hash);

impl Commitment {
    /// To this content.
    pub fn to(salt: &Salt, content: &[u8]) -> Self {
        Self(Hash(hash::sha256(&[tags::COMMITMENT.bytes(), salt, content])))
    }
    /// Whether it is one to this content.
    pub fn is_to(&self, salt: &Salt, content: &[u8]) -> bool {
        *self == Self::to(salt, content)
    }
}

impl std::fmt::Display for Commitment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_nothing_without_its_salt() {
        let (salt, other) = ([1; 32], [2; 32]);
        let commitment = Commitment::to(&salt, b"11010519491231002X");
        assert!(commitment.is_to(&salt, b"11010519491231002X"));
        assert!(!commitment.is_to(&other, b"11010519491231002X") && !commitment.is_to(&salt, b"110105194912310021"));
    }
}
