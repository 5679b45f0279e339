//! What validators sign: fixed bytes, the same for the engine and for a light client.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::hash::{ChainId, HeaderHash};
use crate::ids::{Era, Height, Round};
use crate::tags;
use crate::validators::Address;

/// The two kinds of vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteType {
    /// First vote of a round.
    Prevote,
    /// Second vote of a round; a quorum of them is a certificate.
    Precommit,
}
crate::ids::byte_enum!(VoteType { Prevote = 1, Precommit = 2 });

/// The chain and era that every signature of a validator is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ChainContext {
    /// Hash of genesis.
    pub chain_id: ChainId,
    /// Counts recoveries.
    pub era: Era,
}

/// A vote without its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Vote {
    /// Prevote or precommit.
    pub vote_type: VoteType,
    /// For which block number.
    pub height: Height,
    /// In which attempt.
    pub round: Round,
    /// For which block; nothing is a vote for nil.
    pub value: Option<HeaderHash>,
    /// Whose vote.
    pub address: Address,
}

impl Vote {
    /// tag ‖ chain id ‖ era ‖ type ‖ height ‖ round ‖ value id ‖ address.
    pub fn sign_bytes(&self, chain: &ChainContext) -> Vec<u8> {
        preimage(tags::VOTE, chain, self)
    }
}

/// A proposal without its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Proposal {
    /// For which block number.
    pub height: Height,
    /// In which attempt.
    pub round: Round,
    /// The block proposed.
    pub value: HeaderHash,
    /// The earlier round in which the block had a quorum of prevotes.
    pub valid_round: Option<Round>,
    /// Whose proposal.
    pub address: Address,
}

impl Proposal {
    /// tag ‖ chain id ‖ era ‖ height ‖ round ‖ value id ‖ valid round ‖ address.
    pub fn sign_bytes(&self, chain: &ChainContext) -> Vec<u8> {
        preimage(tags::PROPOSAL, chain, self)
    }
}

/// tag ‖ chain id ‖ era ‖ encoding of the value.
pub fn preimage<T: Encode>(tag: tags::Tag, chain: &ChainContext, value: &T) -> Vec<u8> {
    let mut bytes = tag.bytes().to_vec();
    bytes.extend(codec::encode(chain));
    bytes.extend(codec::encode(value));
    bytes
}
