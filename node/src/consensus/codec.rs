//! Bytes of the engine's messages, on its network and in its write-ahead log.
//!
//! One kind byte, then the canonical encoding of a tuple; bodies of blocks follow raw, so that they are sliced and not
//! copied. Whatever is longer than its kind allows is refused before it is decoded. A message that the guard withheld
//! is not encoded, so it never leaves.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::codec::{self, CodecError, Decode, Encode};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt};
use kanhe_proto::key::Signature;
use kanhe_proto::limits::{BLOCK_BYTES_MAX, VALIDATORS_MAX};
use kanhe_proto::validators::Address as ValidatorAddress;
use kanhe_proto::vote as proto;
use malachite_app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite_app::types::PeerId;
use malachite_codec::{Codec, HasEncodedLen};
use malachite_core::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use malachite_sync::{RawDecidedValue, Request, Response, Status, ValueRequest, ValueResponse};
use malachite_types::{
    ExtendedCommitCertificate, ExtendedCommitSignature, PolkaCertificate, PolkaSignature, Round, RoundCertificate,
    RoundCertificateType, RoundSignature, SignedProposal, SignedVote, ValidatorProof, Validity,
};

use super::context::{
    self, Address, Height, KanheContext, Proposal, ProposalPart, Seal, Value, Vote, from_option, to_option,
};
use super::streaming::{PART_BYTES, STREAM_ID_BYTES_MAX, StreamFields, StreamInit};
use super::tips::{StatusFields, StatusKey};
use super::watch::{SyncedCertificate, Watch};

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

// Votes and proposals.

fn encode_vote(vote: &SignedVote<KanheContext>) -> Result<Bytes, MessageError> {
    let fields = (vote.message.to_proto().ok_or(MessageError::NotOurs)?, signature(&vote.signature)?);
    Ok(message(VOTE, &fields))
}

impl EngineCodec {
    fn decode_vote(&self, bytes: &[u8]) -> Result<SignedVote<KanheContext>, MessageError> {
        let (vote, signature): (proto::Vote, Signature) = fields(VOTE, bytes, SMALL_BYTES_MAX)?;
        self.saw(|watch| watch.vote(&vote, &signature));
        Ok(SignedVote::new(Vote::from(vote), Seal::Signed(signature)))
    }
}

impl Codec<SignedConsensusMsg<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, signed: &SignedConsensusMsg<KanheContext>) -> Result<Bytes, MessageError> {
        match signed {
            SignedConsensusMsg::Vote(vote) => encode_vote(vote),
            SignedConsensusMsg::Proposal(proposal) => {
                let fields =
                    (proposal.message.to_proto().ok_or(MessageError::NotOurs)?, signature(&proposal.signature)?);
                Ok(message(PROPOSAL, &fields))
            }
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<SignedConsensusMsg<KanheContext>, MessageError> {
        match split_kind(&bytes)?.0 {
            VOTE => self.decode_vote(&bytes).map(SignedConsensusMsg::Vote),
            PROPOSAL => {
                let (proposal, signature): (proto::Proposal, Signature) = fields(PROPOSAL, &bytes, SMALL_BYTES_MAX)?;
                let proposal = Proposal::from(proposal);
                Ok(SignedConsensusMsg::Proposal(SignedProposal::new(proposal, Seal::Signed(signature))))
            }
            _ => Err(MessageError::Kind),
        }
    }
}

// Certificates of rounds.

type PolkaFields = (BlockNumber, Attempt, HeaderHash, List<(ValidatorAddress, Signature), VALIDATORS_MAX>);
type RoundVote = (proto::VoteType, Option<HeaderHash>, ValidatorAddress, Signature);
type RoundFields = (BlockNumber, Attempt, bool, List<RoundVote, { VALIDATORS_MAX * 2 }>);

fn list<T, const MAX: usize>(items: Vec<T>) -> Result<List<T, MAX>, MessageError> {
    List::new(items).map_err(|_| MessageError::Malformed("too many signatures"))
}

impl Codec<PolkaCertificate<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, polka: &PolkaCertificate<KanheContext>) -> Result<Bytes, MessageError> {
        let mut signatures = Vec::with_capacity(polka.polka_signatures.len());
        for signed in &polka.polka_signatures {
            signatures.push((signed.address.0, signature(&signed.signature)?));
        }
        let fields: PolkaFields = (polka.height.0, defined(polka.round)?, polka.value_id, list(signatures)?);
        Ok(message(POLKA, &fields))
    }

    fn decode(&self, bytes: Bytes) -> Result<PolkaCertificate<KanheContext>, MessageError> {
        let (height, attempt, value, signatures): PolkaFields = fields(POLKA, &bytes, CERTIFICATE_BYTES_MAX)?;
        for (address, signature) in &signatures {
            self.saw_in_certificate(proto::VoteType::Prevote, height, attempt, Some(value), *address, signature);
        }
        let signed = |(address, signature)| PolkaSignature::new(Address(address), Seal::Signed(signature));
        Ok(PolkaCertificate {
            height: Height(height),
            round: Round::new(attempt.0),
            value_id: value,
            polka_signatures: signatures.into_vec().into_iter().map(signed).collect(),
        })
    }
}

impl EngineCodec {
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

    fn decode_round_certificate(&self, bytes: &[u8]) -> Result<RoundCertificate<KanheContext>, MessageError> {
        let (height, attempt, skip, votes): RoundFields = fields(ROUND, bytes, CERTIFICATE_BYTES_MAX)?;
        for (vote_type, value, address, signature) in &votes {
            self.saw_in_certificate(*vote_type, height, attempt, *value, *address, signature);
        }
        let signed = |(vote_type, value, address, signature): RoundVote| {
            let vote_type = context::from_proto_type(vote_type);
            RoundSignature::new(vote_type, from_option(value), Address(address), Seal::Signed(signature))
        };
        Ok(RoundCertificate {
            height: Height(height),
            round: Round::new(attempt.0),
            cert_type: if skip { RoundCertificateType::Skip } else { RoundCertificateType::Precommit },
            round_signatures: votes.into_vec().into_iter().map(signed).collect(),
        })
    }
}

fn encode_round_certificate(certificate: &RoundCertificate<KanheContext>) -> Result<Bytes, MessageError> {
    let mut votes = Vec::with_capacity(certificate.round_signatures.len());
    for signed in &certificate.round_signatures {
        let vote_type = context::to_proto_type(signed.vote_type);
        votes.push((vote_type, to_option(&signed.value_id), signed.address.0, signature(&signed.signature)?));
    }
    let skip = certificate.cert_type == RoundCertificateType::Skip;
    let fields: RoundFields = (certificate.height.0, defined(certificate.round)?, skip, list(votes)?);
    Ok(message(ROUND, &fields))
}

impl Codec<LivenessMsg<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, liveness: &LivenessMsg<KanheContext>) -> Result<Bytes, MessageError> {
        match liveness {
            LivenessMsg::Vote(vote) => encode_vote(vote),
            LivenessMsg::PolkaCertificate(polka) => self.encode(polka),
            LivenessMsg::SkipRoundCertificate(certificate) => encode_round_certificate(certificate),
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<LivenessMsg<KanheContext>, MessageError> {
        match split_kind(&bytes)?.0 {
            VOTE => self.decode_vote(&bytes).map(LivenessMsg::Vote),
            POLKA => self.decode(bytes).map(LivenessMsg::PolkaCertificate),
            ROUND => self.decode_round_certificate(&bytes).map(LivenessMsg::SkipRoundCertificate),
            _ => Err(MessageError::Kind),
        }
    }
}

// Parts of streamed blocks.

type StreamPlace = (Blob<STREAM_ID_BYTES_MAX>, u64);
type InitFields = (StreamFields, Signature);

/// kind ‖ length of the fields (u32) ‖ fields ‖ raw bytes.
fn with_tail<T: Encode>(kind: u8, fields: &T, tail: &[u8]) -> Bytes {
    let fields = codec::encode(fields);
    let mut bytes = BytesMut::with_capacity(1 + 4 + fields.len() + tail.len());
    bytes.put_u8(kind);
    bytes.put_u32(u32::try_from(fields.len()).expect("heads of messages are small"));
    bytes.extend_from_slice(&fields);
    bytes.extend_from_slice(tail);
    bytes.freeze()
}

fn split_tail<T: Decode<()> + Encode>(mut bytes: Bytes, tail_max: usize) -> Result<(T, Bytes), MessageError> {
    const SHORT: MessageError = MessageError::Malformed("too short");
    let head = bytes.get(1..5).ok_or(SHORT)?;
    let len = u32::from_be_bytes(head.try_into().expect("4 bytes")) as usize;
    if len > SMALL_BYTES_MAX || bytes.len() < 5 + len {
        return Err(SHORT);
    }
    let fields = codec::decode(&bytes[5..5 + len], SMALL_BYTES_MAX)?;
    let tail = bytes.split_off(5 + len);
    if tail.len() > tail_max {
        return Err(MessageError::Malformed("too long"));
    }
    Ok((fields, tail))
}

impl Codec<StreamMessage<ProposalPart>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, part: &StreamMessage<ProposalPart>) -> Result<Bytes, MessageError> {
        let id = Blob::new(part.stream_id.to_bytes().to_vec()).map_err(|_| MessageError::Malformed("stream id"))?;
        let place: StreamPlace = (id, part.sequence);
        Ok(match &part.content {
            StreamContent::Fin => with_tail(END, &place, &[]),
            StreamContent::Data(ProposalPart::Data(bytes)) => with_tail(DATA, &place, bytes),
            StreamContent::Data(ProposalPart::Init(init, bytes)) => {
                with_tail(INIT, &(place, init.fields(), init.signature.clone()), bytes)
            }
        })
    }

    fn decode(&self, bytes: Bytes) -> Result<StreamMessage<ProposalPart>, MessageError> {
        let kind = split_kind(&bytes)?.0;
        let ((id, sequence), content) = match kind {
            END => {
                let (place, _): (StreamPlace, Bytes) = split_tail(bytes, 0)?;
                (place, StreamContent::Fin)
            }
            DATA => {
                let (place, tail): (StreamPlace, Bytes) = split_tail(bytes, PART_BYTES)?;
                (place, StreamContent::Data(ProposalPart::Data(tail)))
            }
            INIT => {
                let ((place, fields, signature), tail): ((StreamPlace, StreamFields, Signature), Bytes) =
                    split_tail(bytes, PART_BYTES)?;
                let init = StreamInit::from_fields(fields, signature);
                self.saw(|watch| watch.stream(&init));
                (place, StreamContent::Data(ProposalPart::Init(Box::new(init), tail)))
            }
            _ => return Err(MessageError::Kind),
        };
        Ok(StreamMessage::new(StreamId::new(id.into_vec().into()), sequence, content))
    }
}

impl Codec<ProposalPart> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, part: &ProposalPart) -> Result<Bytes, MessageError> {
        Ok(match part {
            ProposalPart::Data(bytes) => with_tail(DATA, &(), bytes),
            ProposalPart::Init(init, bytes) => with_tail(INIT, &(init.fields(), init.signature.clone()), bytes),
        })
    }

    fn decode(&self, bytes: Bytes) -> Result<ProposalPart, MessageError> {
        match split_kind(&bytes)?.0 {
            DATA => split_tail::<()>(bytes, PART_BYTES).map(|((), tail)| ProposalPart::Data(tail)),
            INIT => {
                let ((fields, signature), tail): (InitFields, Bytes) = split_tail(bytes, PART_BYTES)?;
                Ok(ProposalPart::Init(Box::new(StreamInit::from_fields(fields, signature)), tail))
            }
            _ => Err(MessageError::Kind),
        }
    }
}

// Peers.

type ProofFields = (Blob<128>, Blob<PEER_BYTES_MAX>, Signature);

fn blob<const MAX: usize>(bytes: Vec<u8>) -> Result<Blob<MAX>, MessageError> {
    Blob::new(bytes).map_err(|_| MessageError::Malformed("too long"))
}

impl Codec<ValidatorProof<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, proof: &ValidatorProof<KanheContext>) -> Result<Bytes, MessageError> {
        let fields: ProofFields =
            (blob(proof.public_key.clone())?, blob(proof.peer_id.clone())?, signature(&proof.signature)?);
        Ok(message(PROOF, &fields))
    }

    fn decode(&self, bytes: Bytes) -> Result<ValidatorProof<KanheContext>, MessageError> {
        let (public_key, peer_id, signature): ProofFields = fields(PROOF, &bytes, SMALL_BYTES_MAX)?;
        Ok(ValidatorProof::new(public_key.into_vec(), peer_id.into_vec(), Seal::Signed(signature)))
    }
}

impl Codec<Status<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, status: &Status<KanheContext>) -> Result<Bytes, MessageError> {
        let fields: StatusFields = (blob(status.peer_id.to_bytes())?, status.tip_height.0, status.history_min_height.0);
        let signed = self.status.as_ref().ok_or(MessageError::NotOurs)?.sign(&fields);
        Ok(message(STATUS, &(fields, signed.map_err(|_| MessageError::Withheld)?)))
    }

    fn decode(&self, bytes: Bytes) -> Result<Status<KanheContext>, MessageError> {
        let (status, signature): (StatusFields, Signature) = fields(STATUS, &bytes, SMALL_BYTES_MAX)?;
        self.saw(|watch| watch.status(&status, &signature));
        let (peer, tip, earliest) = status;
        let peer_id = PeerId::from_bytes(&peer).map_err(|_| MessageError::Malformed("peer id"))?;
        Ok(Status { peer_id, tip_height: Height(tip), history_min_height: Height(earliest) })
    }
}

impl Codec<Request<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, request: &Request<KanheContext>) -> Result<Bytes, MessageError> {
        let Request::ValueRequest(request) = request;
        Ok(message(REQUEST, &(request.range.start().0, request.range.end().0)))
    }

    fn decode(&self, bytes: Bytes) -> Result<Request<KanheContext>, MessageError> {
        let (first, last): (BlockNumber, BlockNumber) = fields(REQUEST, &bytes, SMALL_BYTES_MAX)?;
        Ok(Request::ValueRequest(ValueRequest::new(Height(first)..=Height(last))))
    }
}

type DecidedFields = (BlockNumber, Attempt, HeaderHash, List<(ValidatorAddress, Signature), VALIDATORS_MAX>);

fn decided_fields(certificate: &ExtendedCommitCertificate<KanheContext>) -> Result<Vec<u8>, MessageError> {
    let mut signatures = Vec::with_capacity(certificate.commit_signatures.len());
    for signed in &certificate.commit_signatures {
        if signed.extension.is_some() {
            return Err(MessageError::NotOurs);
        }
        signatures.push((signed.address.0, signature(&signed.signature)?));
    }
    let fields: DecidedFields =
        (certificate.height.0, defined(certificate.round)?, certificate.value_id, list(signatures)?);
    Ok(codec::encode(&fields))
}

/// kind ‖ first height (u64) ‖ number of blocks (u32) ‖ for each: length (u32) ‖ certificate ‖ length (u32) ‖ body.
fn encode_response(response: &Response<KanheContext>) -> Result<Bytes, MessageError> {
    let Response::ValueResponse(response) = response;
    let mut certificates = Vec::with_capacity(response.values.len());
    for value in &response.values {
        certificates.push(decided_fields(&value.certificate)?);
    }
    let bodies = response.values.iter().map(|value| &value.value_bytes);
    let len: usize = certificates.iter().zip(bodies.clone()).map(|(head, body)| 8 + head.len() + body.len()).sum();
    let mut bytes = BytesMut::with_capacity(1 + 8 + 4 + len);
    bytes.put_u8(RESPONSE);
    bytes.put_u64(response.start_height.0.0);
    bytes.put_u32(length(certificates.len())?);
    for (certificate, body) in certificates.iter().zip(bodies) {
        bytes.put_u32(length(certificate.len())?);
        bytes.extend_from_slice(certificate);
        bytes.put_u32(length(body.len())?);
        bytes.extend_from_slice(body);
    }
    Ok(bytes.freeze())
}

fn length(len: usize) -> Result<u32, MessageError> {
    u32::try_from(len).map_err(|_| MessageError::Malformed("too long"))
}

fn take(bytes: &mut Bytes, max: usize) -> Result<Bytes, MessageError> {
    let len = take_u32(bytes)?;
    if len > max || len > bytes.len() {
        return Err(MessageError::Malformed("a length beyond the end"));
    }
    Ok(bytes.split_to(len))
}

fn take_u32(bytes: &mut Bytes) -> Result<usize, MessageError> {
    if bytes.len() < 4 {
        return Err(MessageError::Malformed("too short"));
    }
    let number = bytes.split_to(4);
    Ok(u32::from_be_bytes(number[..].try_into().expect("4 bytes")) as usize)
}

impl Codec<Response<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, response: &Response<KanheContext>) -> Result<Bytes, MessageError> {
        encode_response(response)
    }

    fn decode(&self, mut bytes: Bytes) -> Result<Response<KanheContext>, MessageError> {
        if split_kind(&bytes)?.0 != RESPONSE {
            return Err(MessageError::Kind);
        }
        if bytes.len() < 9 {
            return Err(MessageError::Malformed("too short"));
        }
        let head = bytes.split_to(9);
        let start = u64::from_be_bytes(head[1..].try_into().expect("8 bytes"));
        let count = take_u32(&mut bytes)?;
        if count > ANSWER_BLOCKS_MAX {
            return Err(MessageError::Malformed("too many blocks"));
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let certificate = take(&mut bytes, CERTIFICATE_BYTES_MAX)?;
            let certificate = self.decode_decided(&certificate)?;
            let body = take(&mut bytes, BLOCK_BYTES_MAX)?;
            values.push(RawDecidedValue::new(body, certificate));
        }
        if !bytes.is_empty() {
            return Err(MessageError::Malformed("bytes after the end"));
        }
        Ok(Response::ValueResponse(ValueResponse::new(Height(BlockNumber(start)), values)))
    }
}

impl EngineCodec {
    fn decode_decided(&self, bytes: &[u8]) -> Result<ExtendedCommitCertificate<KanheContext>, MessageError> {
        let (height, round, value, signatures): DecidedFields = codec::decode(bytes, CERTIFICATE_BYTES_MAX)?;
        let signatures = signatures.into_vec();
        for (address, signature) in &signatures {
            self.saw_in_certificate(proto::VoteType::Precommit, height, round, Some(value), *address, signature);
        }
        self.saw(|watch| watch.synced(height, value, SyncedCertificate { round, signatures: signatures.clone() }));
        let signed =
            |(address, signature)| ExtendedCommitSignature::new(Address(address), Seal::Signed(signature), None);
        Ok(ExtendedCommitCertificate {
            height: Height(height),
            round: Round::new(round.0),
            value_id: value,
            commit_signatures: signatures.into_iter().map(signed).collect(),
        })
    }
}

impl HasEncodedLen<Response<KanheContext>> for EngineCodec {
    fn encoded_len(&self, response: &Response<KanheContext>) -> Result<usize, MessageError> {
        let Response::ValueResponse(response) = response;
        response.values.iter().try_fold(13, |len, value| {
            Ok(len + 8 + decided_fields(&value.certificate)?.len() + value.value_bytes.len())
        })
    }
}

// The write-ahead log.

type ValueFields = (BlockNumber, Option<Attempt>, Option<Attempt>, ValidatorAddress, HeaderHash, bool);

impl Codec<ProposedValue<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, value: &ProposedValue<KanheContext>) -> Result<Bytes, MessageError> {
        let fields: ValueFields = (
            value.height.0,
            attempt(value.round),
            attempt(value.valid_round),
            value.proposer.0,
            value.value.0,
            value.validity.is_valid(),
        );
        Ok(message(VALUE, &fields))
    }

    fn decode(&self, bytes: Bytes) -> Result<ProposedValue<KanheContext>, MessageError> {
        let (height, at, valid_round, proposer, value, valid): ValueFields = fields(VALUE, &bytes, SMALL_BYTES_MAX)?;
        Ok(ProposedValue {
            height: Height(height),
            round: round(at),
            valid_round: round(valid_round),
            proposer: Address(proposer),
            value: Value(value),
            validity: Validity::from_bool(valid),
        })
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::hash::ChainId;
    use kanhe_proto::ids::Era;
    use kanhe_proto::key::{SecretKey, Signer};
    use kanhe_proto::vote::ChainContext;
    use malachite_types::{NilOrVal, VoteType};

    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_seed([1; 32])
    }
    fn address() -> ValidatorAddress {
        ValidatorAddress::of(&key().public_key())
    }
    fn seal() -> Seal {
        Seal::Signed(key().sign(b"x").unwrap())
    }
    fn vote(seal: Seal) -> SignedVote<KanheContext> {
        let vote = proto::Vote {
            vote_type: proto::VoteType::Precommit,
            height: BlockNumber(5),
            round: Attempt(2),
            value: Some(HeaderHash([4; 32])),
            address: address(),
        };
        SignedVote::new(Vote::from(vote), seal)
    }
    fn init(len: usize) -> StreamInit {
        let fields = (BlockNumber(5), Attempt(0), Some(Attempt(1)), HeaderHash([3; 32]), len as u64, address());
        StreamInit::from_fields(fields, key().sign(b"y").unwrap())
    }
    fn decided(body: &'static [u8]) -> RawDecidedValue<KanheContext> {
        let certificate = ExtendedCommitCertificate {
            height: Height(BlockNumber(9)),
            round: Round::new(1),
            value_id: HeaderHash([2; 32]),
            commit_signatures: vec![ExtendedCommitSignature::new(Address(address()), seal(), None)],
        };
        RawDecidedValue::new(Bytes::from_static(body), certificate)
    }

    /// Round trip; every truncation and one appended byte are refused.
    fn check<T>(value: &T)
    where
        T: std::fmt::Debug + PartialEq,
        EngineCodec: Codec<T, Error = MessageError>,
    {
        let chain = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };
        let codec = EngineCodec { watch: None, status: Some(StatusKey { key: key(), chain }) };
        let bytes = Codec::<T>::encode(&codec, value).unwrap();
        assert_eq!(&Codec::<T>::decode(&codec, bytes.clone()).unwrap(), value);
        for cut in 0..bytes.len().min(400) {
            let cut = Codec::<T>::decode(&codec, bytes.slice(..cut));
            assert!(cut.as_ref() != Ok(value));
        }
    }

    #[test]
    fn messages_come_back_as_they_went() {
        check(&SignedConsensusMsg::Vote(vote(seal())));
        let proposal = proto::Proposal {
            height: BlockNumber(5),
            round: Attempt(2),
            value: HeaderHash([4; 32]),
            valid_round: Some(Attempt(1)),
            address: address(),
        };
        check(&SignedConsensusMsg::Proposal(SignedProposal::new(Proposal::from(proposal), seal())));
        check(&LivenessMsg::Vote(vote(seal())));
        let polka = PolkaCertificate {
            height: Height(BlockNumber(5)),
            round: Round::new(0),
            value_id: HeaderHash([4; 32]),
            polka_signatures: vec![PolkaSignature::new(Address(address()), seal())],
        };
        check(&polka);
        check(&LivenessMsg::PolkaCertificate(polka));
        let round = RoundCertificate {
            height: Height(BlockNumber(5)),
            round: Round::new(0),
            cert_type: RoundCertificateType::Skip,
            round_signatures: vec![RoundSignature::new(VoteType::Prevote, NilOrVal::Nil, Address(address()), seal())],
        };
        check(&LivenessMsg::SkipRoundCertificate(round));
        check(&ValidatorProof::<KanheContext>::new(vec![1; 42], vec![2; 38], seal()));
        let (tip_height, history_min_height) = (Height(BlockNumber(9)), Height(BlockNumber(1)));
        check(&Status::<KanheContext> {
            peer_id: PeerId::from_bytes(&[0, 3, 1, 2, 3]).unwrap(),
            tip_height,
            history_min_height,
        });
        check(&ProposedValue::<KanheContext> {
            height: Height(BlockNumber(5)),
            round: Round::Nil,
            valid_round: Round::new(3),
            proposer: Address(address()),
            value: Value(HeaderHash([4; 32])),
            validity: Validity::Invalid,
        });
    }

    #[test]
    fn parts_and_answers_come_back_as_they_went() {
        let body = Bytes::from(vec![7; 1000]);
        check(&ProposalPart::Data(body.clone()));
        for part in super::super::streaming::split(3, init(1000), &body) {
            check(&part);
        }
        check(&StreamMessage::new(StreamId::new(Bytes::from_static(b"id")), 4, StreamContent::<ProposalPart>::Fin));
        check(&Request::<KanheContext>::ValueRequest(ValueRequest::new(
            Height(BlockNumber(1))..=Height(BlockNumber(9)),
        )));
        let values = vec![decided(b"one"), decided(b"two")];
        let response = Response::ValueResponse(ValueResponse::new(Height(BlockNumber(9)), values));
        check(&response);
        let codec = EngineCodec::plain();
        let len = Codec::<Response<KanheContext>>::encode(&codec, &response).unwrap().len();
        assert_eq!(codec.encoded_len(&response).unwrap(), len);
    }

    #[test]
    fn what_the_guard_withheld_is_not_sent() {
        let codec = EngineCodec::plain();
        let withheld = SignedConsensusMsg::Vote(vote(Seal::Withheld));
        assert_eq!(codec.encode(&withheld), Err(MessageError::Withheld));
        assert_eq!(codec.encode(&LivenessMsg::Vote(vote(Seal::Withheld))), Err(MessageError::Withheld));
    }

    #[test]
    fn a_part_beyond_its_limit_is_refused() {
        let codec = EngineCodec::plain();
        let part = ProposalPart::Data(vec![0; PART_BYTES + 1].into());
        let bytes = Codec::<ProposalPart>::encode(&codec, &part).unwrap();
        assert!(Codec::<ProposalPart>::decode(&codec, bytes).is_err());
    }
}
