//! Bytes of the engine's messages, on its network and in its write-ahead log.
//!
//! One kind byte, then the canonical encoding of a tuple; bodies of blocks follow raw, so that they are sliced and not
//! copied. Whatever is longer than its kind allows is refused before it is decoded. A message that the guard withheld
//! is not encoded, so it never leaves.

mod log;
mod parts;
mod peers;
#[cfg(test)]
mod tests;
mod votes;

use std::sync::Arc;

use bytes::Bytes;
use kanhe_proto::bounded::List;
use kanhe_proto::codec::{self, CodecError, Decode, Encode};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt};
use kanhe_proto::key::Signature;
use kanhe_proto::limits::VALIDATORS_MAX;
use kanhe_proto::validators::Address as ValidatorAddress;
use kanhe_proto::vote as proto;
use malachite_types::Round;

use super::context::Seal;
use super::tips::StatusKey;
use super::watch::Watch;

const VOTE: u8 = 1;
const PROPOSAL: u8 = 2;
const POLKA: u8 = 3;
const ROUND: u8 = 4;
const INIT: u8 = 5;
const DATA: u8 = 6;
const END: u8 = 7;
const PROOF: u8 = 8;
const STATUS: u8 = 9;
const REQUEST: u8 = 10;
const RESPONSE: u8 = 11;
const VALUE: u8 = 12;

/// Bytes of a message about one or two signatures.
const SMALL_BYTES_MAX: usize = 2 << 10;
/// Bytes of a certificate with one or two signatures of each validator.
const CERTIFICATE_BYTES_MAX: usize = VALIDATORS_MAX * 2 * 256;
/// Bytes of a peer id.
const PEER_BYTES_MAX: usize = 64;
/// Blocks in one answer of a peer.
const ANSWER_BLOCKS_MAX: usize = 64;

/// Why a message is not sent or not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Does not decode.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Of another kind than expected, or unknown.
    #[error("unexpected kind of message")]
    Kind,
    /// Ends before its parts do, or has other parts than its kind allows.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// Withheld by the signing guard.
    #[error("not signed, so not sent")]
    Withheld,
    /// Vote extensions are off.
    #[error("no round, or a vote extension")]
    NotOurs,
}

/// Encodes and decodes for the engine, and lets the watch see what comes.
#[derive(Debug, Clone)]
pub struct EngineCodec {
    watch: Option<Arc<Watch>>,
    status: Option<StatusKey>,
}

impl EngineCodec {
    /// For the write-ahead log, where nobody watches.
    pub const fn plain() -> Self {
        Self { watch: None, status: None }
    }
    /// For the network, where this node's own status is signed.
    pub const fn watched(watch: Arc<Watch>, status: StatusKey) -> Self {
        Self { watch: Some(watch), status: Some(status) }
    }
    fn saw(&self, look: impl FnOnce(&Watch)) {
        if let Some(watch) = &self.watch {
            look(watch);
        }
    }

    fn saw_in_certificate(
        &self,
        vote_type: proto::VoteType,
        height: BlockNumber,
        round: Attempt,
        value: Option<HeaderHash>,
        address: ValidatorAddress,
        signature: &Signature,
    ) {
        self.saw(|watch| {
            if watch.is_own(&address) {
                watch.own_vote(&proto::Vote { vote_type, height, round, value, address }, signature);
            }
        });
    }
}

fn message<T: Encode>(kind: u8, fields: &T) -> Bytes {
    let mut bytes = vec![kind];
    bytes.extend(codec::encode(fields));
    bytes.into()
}

fn split_kind(bytes: &[u8]) -> Result<(u8, &[u8]), MessageError> {
    bytes.split_first().map(|(kind, rest)| (*kind, rest)).ok_or(MessageError::Malformed("empty"))
}

fn fields<T: Decode<()> + Encode>(kind: u8, bytes: &[u8], max: usize) -> Result<T, MessageError> {
    match split_kind(bytes)? {
        (found, rest) if found == kind => Ok(codec::decode(rest, max)?),
        _ => Err(MessageError::Kind),
    }
}

fn signature(seal: &Seal) -> Result<Signature, MessageError> {
    match seal {
        Seal::Signed(signature) => Ok(signature.clone()),
        Seal::Withheld => Err(MessageError::Withheld),
    }
}

fn attempt(round: Round) -> Option<Attempt> {
    round.as_u32().map(Attempt)
}

fn round(attempt: Option<Attempt>) -> Round {
    attempt.map_or(Round::Nil, |attempt| Round::new(attempt.0))
}

fn defined(round: Round) -> Result<Attempt, MessageError> {
    attempt(round).ok_or(MessageError::NotOurs)
}

fn list<T, const MAX: usize>(items: Vec<T>) -> Result<List<T, MAX>, MessageError> {
    List::new(items).map_err(|_| MessageError::Malformed("too many signatures"))
}
