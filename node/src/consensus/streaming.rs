//! Bodies of blocks as streams of parts.
//!
//! The first part names what is streamed, how long it is and who streams it, signed, and carries the first bytes: a
//! small block is one message. Parts come in any order (each is a substream of its own) and from one peer: streams are
//! keyed by it. Nothing is put together before its first part was admitted, and every peer has a budget of streams
//! and bytes, so that no peer can fill the memory.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round};
use kanhe_proto::key::{KeyError, PublicKey, SignError, Signature, Signer};
use kanhe_proto::tags;
use kanhe_proto::validators::Address;
use kanhe_proto::vote::{self, ChainContext};
use malachite_app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite_app::types::PeerId;

use super::context::ProposalPart;

/// Bytes of a body in one part. Large, since each part costs a substream and several hops inside the engine.
pub const PART_BYTES: usize = 512 << 10;
/// Streams of one peer that may be incomplete at a time.
const OPEN_MAX: usize = 8;
/// First parts of one peer for one height and round.
const STARTS_PER_ROUND_MAX: usize = 4;
/// Bytes of a stream id of ours: height, round, counter.
pub const STREAM_ID_BYTES_MAX: usize = 24;

/// What is streamed, without its signature: height, round, valid round, value, body bytes, streamer.
pub type StreamFields = (Height, Round, Option<Round>, HeaderHash, u64, Address);

/// The signed head of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInit {
    /// Block number.
    pub height: Height,
    /// Round of the proposal.
    pub round: Round,
    /// Round in which the block had a quorum of prevotes, if it is proposed again.
    pub valid_round: Option<Round>,
    /// Hash of the block's header.
    pub value: HeaderHash,
    /// Length of the body.
    pub body_bytes: u64,
    /// Which validator streams it: not always who proposed it.
    pub streamer: Address,
    /// The streamer's signature.
    pub signature: Signature,
}

impl StreamInit {
    /// Signs the head of a stream.
    pub fn sign(fields: StreamFields, chain: &ChainContext, signer: &dyn Signer) -> Result<Self, SignError> {
        let signature = signer.sign(&vote::preimage(tags::PROPOSAL_PART, chain, &fields))?;
        Ok(Self::from_fields(fields, signature))
    }
    /// A head as it was received.
    pub const fn from_fields(fields: StreamFields, signature: Signature) -> Self {
        let (height, round, valid_round, value, body_bytes, streamer) = fields;
        Self { height, round, valid_round, value, body_bytes, streamer, signature }
    }
    /// What is signed.
    pub const fn fields(&self) -> StreamFields {
        (self.height, self.round, self.valid_round, self.value, self.body_bytes, self.streamer)
    }
    /// Checks the signature with the streamer's key.
    pub fn verify(&self, key: &PublicKey, chain: &ChainContext) -> Result<(), KeyError> {
        key.verify(&vote::preimage(tags::PROPOSAL_PART, chain, &self.fields()), &self.signature)
    }
}

/// Splits a body into the parts of a stream.
pub fn split(id: u64, init: StreamInit, body: &Bytes) -> Vec<StreamMessage<ProposalPart>> {
    let mut name = Vec::with_capacity(STREAM_ID_BYTES_MAX);
    name.extend_from_slice(&init.height.0.to_be_bytes());
    name.extend_from_slice(&init.round.0.to_be_bytes());
    name.extend_from_slice(&id.to_be_bytes());
    let name = StreamId::new(name.into());
    let first = body.slice(..body.len().min(PART_BYTES));
    let mut parts = vec![ProposalPart::Init(Box::new(init), first)];
    let mut from = PART_BYTES;
    while from < body.len() {
        let to = body.len().min(from + PART_BYTES);
        parts.push(ProposalPart::Data(body.slice(from..to)));
        from = to;
    }
    let message = |(sequence, part)| StreamMessage::new(name.clone(), sequence, StreamContent::Data(part));
    (0u64..).zip(parts).map(message).collect()
}

/// A body that came whole.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// Head of its stream.
    pub init: StreamInit,
    /// Its bytes, not looked at.
    pub body: Bytes,
}

/// What came of a part.
#[derive(Debug)]
pub enum Accepted {
    /// More parts are needed.
    Incomplete,
    /// The body is whole.
    Whole(Box<Assembled>),
    /// The head names a value that is known already: its other parts are not needed.
    Known(Box<StreamInit>),
}

/// Why a part is dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// More streams, starts or bytes than a peer may have.
    #[error("over the peer's budget of {0}")]
    Budget(&'static str),
    /// A part that does not fit its stream.
    #[error("does not fit its stream: {0}")]
    Misfit(&'static str),
    /// The head was refused.
    #[error("{0}")]
    Head(String),
}

/// Whether the body behind a head is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Yes.
    Body,
    /// The value is known.
    Nothing,
}

#[derive(Debug, Default)]
struct Stream {
    init: Option<StreamInit>,
    chunks: BTreeMap<u64, Bytes>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Peer {
    streams: BTreeMap<Bytes, Stream>,
    bytes: usize,
    starts: BTreeMap<(Height, Round), usize>,
}

/// All incomplete streams.
#[derive(Debug)]
pub struct StreamPool {
    peers: BTreeMap<PeerId, Peer>,
    body_bytes_max: usize,
}

impl StreamPool {
    /// A pool for bodies of at most so many bytes.
    pub const fn new(body_bytes_max: usize) -> Self {
        Self { peers: BTreeMap::new(), body_bytes_max }
    }

    /// Takes a part of a peer; `admit` decides on heads.
    pub fn accept(
        &mut self,
        from: PeerId,
        message: StreamMessage<ProposalPart>,
        admit: impl FnOnce(&StreamInit) -> Result<Wanted, String>,
    ) -> Result<Accepted, Dropped> {
        let peer = self.peers.entry(from).or_default();
        let id = message.stream_id.to_bytes();
        let sequence = message.sequence;
        let StreamContent::Data(part) = message.content else { return Ok(Accepted::Incomplete) };
        let chunk = match part {
            ProposalPart::Data(chunk) => chunk,
            ProposalPart::Init(init, chunk) => {
                match peer.start(&init, sequence, self.body_bytes_max, admit) {
                    Ok(Wanted::Body) => {}
                    Ok(Wanted::Nothing) => {
                        peer.close(&id);
                        return Ok(Accepted::Known(init));
                    }
                    Err(dropped) => {
                        peer.close(&id);
                        return Err(dropped);
                    }
                }
                let stream = peer.open(&id)?;
                if stream.init.is_some() {
                    return Err(Dropped::Misfit("a second head"));
                }
                stream.init = Some(*init);
                chunk
            }
        };
        // Two bodies at a time are what a peer may need: one proposed again, one new.
        if peer.bytes + chunk.len() > 2 * self.body_bytes_max {
            return Err(Dropped::Budget("bytes"));
        }
        let stream = peer.open(&id)?;
        let len = chunk.len();
        if stream.chunks.insert(sequence, chunk).is_some() {
            peer.close(&id);
            return Err(Dropped::Misfit("a part twice"));
        }
        stream.bytes += len;
        peer.bytes += len;
        let taken = peer.take_if_whole(&id);
        if taken.as_ref().map_or_else(|_| true, Option::is_some) {
            peer.close(&id);
        }
        Ok(taken?.map_or(Accepted::Incomplete, |whole| Accepted::Whole(Box::new(whole))))
    }

    /// A height was started: everything older is forgotten, and so are streams that never showed a head.
    pub fn started(&mut self, height: Height) {
        for peer in self.peers.values_mut() {
            peer.streams.retain(|_, stream| stream.init.as_ref().is_some_and(|init| init.height >= height));
            peer.bytes = peer.streams.values().map(|stream| stream.bytes).sum();
            peer.starts.retain(|(started, _), _| *started >= height);
        }
        self.peers.retain(|_, peer| !peer.streams.is_empty() || !peer.starts.is_empty());
    }

    /// Forgets incomplete streams of rounds that are over.
    pub fn started_round(&mut self, height: Height, round: Round) {
        for peer in self.peers.values_mut() {
            peer.streams.retain(|_, stream| {
                stream.init.as_ref().is_none_or(|init| init.height != height || init.round >= round)
            });
            peer.bytes = peer.streams.values().map(|stream| stream.bytes).sum();
        }
    }
}

impl Peer {
    fn start(
        &mut self,
        init: &StreamInit,
        sequence: u64,
        body_bytes_max: usize,
        admit: impl FnOnce(&StreamInit) -> Result<Wanted, String>,
    ) -> Result<Wanted, Dropped> {
        if sequence != 0 {
            return Err(Dropped::Misfit("a head that is not first"));
        }
        if init.body_bytes > body_bytes_max as u64 || init.body_bytes == 0 {
            return Err(Dropped::Misfit("the length of the body"));
        }
        let wanted = admit(init).map_err(Dropped::Head)?;
        let starts = self.starts.entry((init.height, init.round)).or_default();
        if *starts >= STARTS_PER_ROUND_MAX {
            return Err(Dropped::Budget("streams per round"));
        }
        *starts += 1;
        Ok(wanted)
    }

    fn open(&mut self, id: &Bytes) -> Result<&mut Stream, Dropped> {
        if !self.streams.contains_key(id) && self.streams.len() >= OPEN_MAX {
            return Err(Dropped::Budget("open streams"));
        }
        Ok(self.streams.entry(id.clone()).or_default())
    }

    fn close(&mut self, id: &Bytes) {
        if let Some(stream) = self.streams.remove(id) {
            self.bytes -= stream.bytes;
        }
    }

    fn take_if_whole(&self, id: &Bytes) -> Result<Option<Assembled>, Dropped> {
        let Some((stream, init)) = self.streams.get(id).and_then(|stream| Some((stream, stream.init.as_ref()?))) else {
            return Ok(None);
        };
        let whole = usize::try_from(init.body_bytes).map_err(|_| Dropped::Misfit("the length of the body"))?;
        if stream.bytes > whole {
            return Err(Dropped::Misfit("more bytes than its head says"));
        }
        if stream.bytes < whole {
            return Ok(None);
        }
        if stream.chunks.keys().zip(0u64..).any(|(sequence, place)| *sequence != place) {
            return Err(Dropped::Misfit("a gap between its parts"));
        }
        let body = match stream.chunks.first_key_value() {
            Some((_, only)) if stream.chunks.len() == 1 => only.clone(),
            _ => {
                let mut body = BytesMut::with_capacity(whole);
                stream.chunks.values().for_each(|chunk| body.extend_from_slice(chunk));
                body.freeze()
            }
        };
        Ok(Some(Assembled { init: init.clone(), body }))
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::hash::ChainId;
    use kanhe_proto::ids::Era;
    use kanhe_proto::key::SecretKey;

    use super::*;

    const CHAIN: ChainContext = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };
    const MAX: usize = 4 << 20;

    fn init(round: u32, len: usize) -> StreamInit {
        let key = SecretKey::from_seed([1; 32]);
        let address = Address::of(&key.public_key());
        let fields = (Height(5), Round(round), None, HeaderHash([3; 32]), len as u64, address);
        StreamInit::sign(fields, &CHAIN, &key).unwrap()
    }
    fn peer() -> PeerId {
        let keys = malachite_app::types::Keypair::ed25519_from_bytes([9; 32]).unwrap();
        PeerId::from_bytes(&keys.public().to_peer_id().to_bytes()).unwrap()
    }
    fn body(len: usize) -> Bytes {
        (0..len).map(|i| (i % 251) as u8).collect::<Vec<_>>().into()
    }
    fn open(_: &StreamInit) -> Result<Wanted, String> {
        Ok(Wanted::Body)
    }

    #[test]
    fn a_body_comes_whole_in_any_order() {
        for len in [1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7] {
            for reversed in [false, true] {
                let body = body(len);
                let mut parts = split(1, init(0, len), &body);
                if reversed {
                    parts.reverse();
                }
                let last = parts.pop().unwrap();
                let mut pool = StreamPool::new(MAX);
                for part in parts {
                    assert!(matches!(pool.accept(peer(), part, open), Ok(Accepted::Incomplete)));
                }
                let Ok(Accepted::Whole(whole)) = pool.accept(peer(), last, open) else { panic!("not whole") };
                assert_eq!(whole.body, body);
                whole.init.verify(&SecretKey::from_seed([1; 32]).public_key(), &CHAIN).unwrap();
            }
        }
    }

    #[test]
    fn memory_of_a_peer_is_bounded() {
        let mut pool = StreamPool::new(MAX);
        let mut kept = 0;
        for id in 0..10_000 {
            let mut parts = split(id, init(0, MAX), &body(MAX));
            // Never the head.
            for part in parts.drain(1..).take(3) {
                kept += usize::from(pool.accept(peer(), part, open).is_ok());
            }
            if id > 50 {
                break;
            }
        }
        assert!(kept * PART_BYTES <= 2 * MAX);
        pool.started(Height(5));
        assert!(pool.peers.is_empty());
    }

    #[test]
    fn streams_per_round_are_bounded_and_heads_asked() {
        let mut pool = StreamPool::new(MAX);
        let started = (0..20)
            .filter(|id| pool.accept(peer(), split(*id, init(1, 10), &body(10)).remove(0), open).is_ok())
            .count();
        assert_eq!(started, STARTS_PER_ROUND_MAX);
        let refuse = |_: &StreamInit| Err("no".to_owned());
        let part = split(0, init(2, 10), &body(10)).remove(0);
        assert_eq!(pool.accept(peer(), part, refuse).unwrap_err(), Dropped::Head("no".into()));
        let known = |_: &StreamInit| Ok(Wanted::Nothing);
        let part = split(0, init(2, 10), &body(10)).remove(0);
        assert!(matches!(pool.accept(peer(), part, known), Ok(Accepted::Known(_))));
    }

    #[test]
    fn a_changed_head_does_not_verify() {
        let key = SecretKey::from_seed([1; 32]).public_key();
        let changed = StreamInit { round: Round(1), ..init(0, 10) };
        assert_eq!(changed.verify(&key, &CHAIN), Err(KeyError::Wrong));
    }
}
