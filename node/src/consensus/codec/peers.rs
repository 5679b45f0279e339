//! What peers tell, ask and answer.

use bytes::{BufMut, Bytes, BytesMut};
use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt};
use kanhe_proto::key::Signature;
use kanhe_proto::limits::{BLOCK_BYTES_MAX, VALIDATORS_MAX};
use kanhe_proto::validators::Address as ValidatorAddress;
use kanhe_proto::{codec, vote as proto};
use malachite_app::types::PeerId;
use malachite_codec::{Codec, HasEncodedLen};
use malachite_sync::{RawDecidedValue, Request, Response, Status, ValueRequest, ValueResponse};
use malachite_types::{ExtendedCommitCertificate, ExtendedCommitSignature, Round, ValidatorProof};

use super::super::context::{Address, Height, KanheContext, Seal};
use super::super::tips::StatusFields;
use super::super::watch::SyncedCertificate;
use super::{
    ANSWER_BLOCKS_MAX, CERTIFICATE_BYTES_MAX, EngineCodec, MessageError, PEER_BYTES_MAX, PROOF, REQUEST, RESPONSE,
    SMALL_BYTES_MAX, STATUS, defined, fields, list, message, signature, split_kind,
};

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
