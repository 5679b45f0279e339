//! A block's header: what validators certify and everything else is proved under.

use bincode::{Decode, Encode};

use crate::codec;
use crate::hash::{self, ChainId, Hash, HeaderHash, ParametersHash, Suite, ValidatorsHash};
use crate::ids::{Era, Height, ProtocolVersion, TimeMs};
use crate::tags;
use crate::validators::Address;

/// Layout of headers.
pub const HEADER_VERSION: u8 = 1;

/// The header of a block. Its roots stand *after* executing the block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// Layout: 1.
    pub version: u8,
    /// Hash functions of this header and of all that it commits to.
    pub suite: Suite,
    /// Hash of genesis.
    pub chain_id: ChainId,
    /// Counts recoveries of the chain.
    pub era: Era,
    /// Block number.
    pub height: Height,
    /// Later than the parent's.
    pub time: TimeMs,
    /// Who proposed it first; zero in header 0.
    pub proposer: Address,
    /// Hash of the header before; zero in header 0.
    pub parent: HeaderHash,
    /// Hash of the parent's certificate that the block carries; zero in headers 0 and 1.
    pub last_certificate: Hash,
    /// The set that certifies this header.
    pub validators: ValidatorsHash,
    /// The set that certifies the next one.
    pub next_validators: ValidatorsHash,
    /// Rules under which this block is executed.
    pub protocol: ProtocolVersion,
    /// Parameters under which this block is executed.
    pub parameters: ParametersHash,
    /// RFC 9162 tree over transaction ids, in order.
    pub transactions_root: Hash,
    /// RFC 9162 log of typed records.
    pub log_root: Hash,
    /// Number of records in it.
    pub log_size: u64,
    /// Sparse map of bureaus, keys, types, accreditations and the like.
    pub registry_root: Hash,
    /// Sparse map of statuses, unexpired ids, open cases and consents.
    pub state_root: Hash,
    /// RFC 9162 log of the headers before this one.
    pub history_root: Hash,
}

impl Header {
    /// H(tag ‖ encoding).
    pub fn hash(&self) -> HeaderHash {
        HeaderHash(hash::tagged(tags::HEADER, self))
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
}
