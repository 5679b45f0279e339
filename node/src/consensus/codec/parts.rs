//! Parts of streamed blocks.

use bytes::{BufMut, Bytes, BytesMut};
use kanhe_proto::bounded::Blob;
use kanhe_proto::codec::{self, Decode, Encode};
use kanhe_proto::key::Signature;
use malachite_app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite_codec::Codec;

use super::super::context::ProposalPart;
use super::super::streaming::{PART_BYTES, STREAM_ID_BYTES_MAX, StreamFields, StreamInit};
use super::{DATA, END, EngineCodec, INIT, MessageError, SMALL_BYTES_MAX, split_kind};

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
