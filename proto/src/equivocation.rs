//! Proof that a validator signed two values where it may sign one.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::hash::HeaderHash;
use crate::identifiers::Uscc;
use crate::ids::{Height, TimeMs};
use crate::key::{KeyError, PublicKey, Signature};
use crate::record::{Record, RecordKind};
use crate::validators::Address;
use crate::vote::{ChainContext, Vote};

/// A vote with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedVote {
    /// The vote.
    pub vote: Vote,
    /// Of the validator that it names.
    pub signature: Signature,
}

/// Payload of `Equivocation`, version 1. Any member may send it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EquivocationPayload {
    /// The vote for the lesser value (nil is the least), so that one misdeed has one proof.
    pub first: SignedVote,
    /// The other one.
    pub second: SignedVote,
}

/// Why two votes prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EquivocationError {
    /// Of two validators, heights, rounds or types.
    #[error("the votes are not of one validator, height, round and type")]
    Different,
    /// For one value, or the greater one first.
    #[error("the votes are for one value, or not in ascending order of value")]
    Order,
    /// The key is not the one that the votes name.
    #[error("the key is not that of {0}")]
    Key(Address),
    /// A signature that does not verify.
    #[error("signature: {0}")]
    Signature(#[from] KeyError),
}

impl EquivocationPayload {
    /// Puts two votes in order.
    pub fn new(one: SignedVote, other: SignedVote) -> Self {
        let (first, second) = if one.vote.value <= other.vote.value { (one, other) } else { (other, one) };
        Self { first, second }
    }
    /// Who signed twice, as far as the votes say.
    pub fn address(&self) -> Address {
        self.first.vote.address
    }
    /// Checks both votes under the validator's key.
    pub fn check(&self, chain: &ChainContext, key: &PublicKey) -> Result<(), EquivocationError> {
        let place = |vote: &Vote| (vote.address, vote.height, vote.round, vote.vote_type);
        let value = |vote: &SignedVote| -> Option<HeaderHash> { vote.vote.value };
        if place(&self.first.vote) != place(&self.second.vote) {
            return Err(EquivocationError::Different);
        }
        if value(&self.first) >= value(&self.second) {
            return Err(EquivocationError::Order);
        }
        if Address::of(key) != self.address() {
            return Err(EquivocationError::Key(self.address()));
        }
        for signed in [&self.first, &self.second] {
            key.verify(&signed.vote.sign_bytes(chain), &signed.signature)?;
        }
        Ok(())
    }
}

/// What the log keeps of it; the seat is gone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EquivocationRecord {
    /// Whose validator.
    pub bureau: Uscc,
    /// Its key.
    pub key: PublicKey,
    /// The proof.
    pub proof: EquivocationPayload,
    /// Block that recorded it.
    pub height: Height,
    /// Time of that block.
    pub time: TimeMs,
}

impl Record for EquivocationRecord {
    const KIND: RecordKind = RecordKind::Equivocation;
}
