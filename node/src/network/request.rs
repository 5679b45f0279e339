//! Requests from one node to another.
//!
//! Layout, in the canonical encoding: version (1 byte), kind (1 byte), content (length and bytes). On the stream a
//! message follows its length (4 bytes, big-endian).

use bytes::Bytes;
use kanhe_proto::bounded::Blob;
use kanhe_proto::case_file::PART_ENCODED_BYTES_MAX;
use kanhe_proto::codec::{self, CodecError};
use kanhe_proto::hash::{ChainId, HeaderHash};
use kanhe_proto::ids::{Height, ProtocolVersion, TimeMs};
use kanhe_proto::limits::SEALED_BYTES_MAX;
use kanhe_proto::snapshot::{ASK_BYTES_MAX, PIECE_ENCODED_BYTES_MAX};

use super::status::{PeerStatus, SoftwareVersion};

/// Layout of requests and responses.
pub const REQUEST_VERSION: u8 = 1;
/// Bytes of a forwarded message: a sealed one and what is written on its envelope.
pub const MAIL_BYTES_MAX: usize = SEALED_BYTES_MAX + (8 << 10);
/// Bytes of a request; a part of a case file is shorter than the longest mail.
pub const REQUEST_BYTES_MAX: usize = MAIL_BYTES_MAX + 10;
const _: () = assert!(PART_ENCODED_BYTES_MAX <= MAIL_BYTES_MAX);
/// Bytes of a response: a piece of a snapshot is the longest.
pub const RESPONSE_BYTES_MAX: usize = PIECE_ENCODED_BYTES_MAX + 10;

type Message = (u8, u8, Blob<PIECE_ENCODED_BYTES_MAX>);

/// The protocol of a chain's requests.
pub fn protocol(chain: &ChainId) -> String {
    format!("/kanhe/{chain}/request/{REQUEST_VERSION}")
}

/// What a node asks of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Its tip and clock.
    Status,
    /// To take a message of a wallet or issuer to the bureau whose node it is; at most [`MAIL_BYTES_MAX`] bytes.
    DeliverMail(Bytes),
    /// Which snapshot it hands over: one of the first block from this height on, so that those asked at the same time
    /// agree; of the newest block, if none comes in time.
    SnapshotOffer(Height),
    /// For a piece of one: an encoded [`kanhe_proto::snapshot::Ask`].
    SnapshotPiece(Bytes),
    /// To keep a part of a case file for the bureau whose node it is: an encoded [`kanhe_proto::case_file::FilePart`].
    DeliverFile(Bytes),
}

/// Why a node does not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No room now: later, perhaps.
    Busy,
    /// It is not for this node's bureau.
    NotHere,
    /// The content is not what it should be.
    Malformed,
}

impl Refusal {
    const fn byte(self) -> u8 {
        match self {
            Self::Busy => 1,
            Self::NotHere => 2,
            Self::Malformed => 3,
        }
    }
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Busy),
            2 => Some(Self::NotHere),
            3 => Some(Self::Malformed),
            _ => None,
        }
    }
}

/// How much of a case file is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKept {
    /// Parts that were written there.
    pub stored: u16,
    /// Parts of the whole.
    pub parts: u16,
}

/// A node's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Its tip and clock: its word, no proof.
    Status(PeerStatus),
    /// The answer to a message, perhaps empty.
    Mail(Bytes),
    /// An encoded [`kanhe_proto::snapshot::Offer`].
    Offer(Bytes),
    /// An encoded [`kanhe_proto::snapshot::Content`].
    Piece(Bytes),
    /// The part is kept, durably.
    FileKept(FileKept),
    /// Not done.
    Refused(Refusal),
}

const STATUS: u8 = 1;
const MAIL: u8 = 2;
const REFUSED: u8 = 3;
const OFFER: u8 = 4;
const PIECE: u8 = 5;
const FILE: u8 = 6;

fn frame(kind: u8, content: &[u8]) -> Result<Vec<u8>, CodecError> {
    let content = Blob::new(content).map_err(|error| CodecError::TooLong { len: error.len, max: error.max })?;
    let message: Message = (REQUEST_VERSION, kind, content);
    Ok(codec::encode(&message))
}

fn unframe(bytes: &[u8], max: usize) -> Result<(u8, Vec<u8>), CodecError> {
    let (version, kind, content): Message = codec::decode(bytes, max)?;
    if version != REQUEST_VERSION {
        return Err(CodecError::Malformed(format!("request version {version}")));
    }
    Ok((kind, content.into_vec()))
}

fn unknown(kind: u8) -> CodecError {
    CodecError::Malformed(format!("kind {kind} or its content"))
}

impl Request {
    /// As it is sent.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        match self {
            Self::Status => frame(STATUS, &[]),
            Self::DeliverMail(mail) if mail.len() > MAIL_BYTES_MAX => {
                Err(CodecError::TooLong { len: mail.len(), max: MAIL_BYTES_MAX })
            }
            Self::DeliverMail(mail) => frame(MAIL, mail),
            Self::SnapshotOffer(from) => frame(OFFER, &codec::encode(from)),
            Self::SnapshotPiece(ask) => frame(PIECE, ask),
            Self::DeliverFile(part) if part.len() > PART_ENCODED_BYTES_MAX => {
                Err(CodecError::TooLong { len: part.len(), max: PART_ENCODED_BYTES_MAX })
            }
            Self::DeliverFile(part) => frame(FILE, part),
        }
    }
    /// Reads what was sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        match unframe(bytes, REQUEST_BYTES_MAX)? {
            (STATUS, content) if content.is_empty() => Ok(Self::Status),
            (MAIL, content) => Ok(Self::DeliverMail(content.into())),
            (OFFER, content) => codec::decode(&content, HEIGHT_BYTES).map(Self::SnapshotOffer),
            (PIECE, content) if content.len() <= ASK_BYTES_MAX => Ok(Self::SnapshotPiece(content.into())),
            (FILE, content) if content.len() <= PART_ENCODED_BYTES_MAX => Ok(Self::DeliverFile(content.into())),
            (kind, _) => Err(unknown(kind)),
        }
    }
    /// Bytes that count against the sender's rate.
    pub fn size(&self) -> usize {
        match self {
            Self::Status | Self::SnapshotOffer(_) => 0,
            Self::DeliverMail(content) | Self::SnapshotPiece(content) | Self::DeliverFile(content) => content.len(),
        }
    }
}

/// Bytes of an encoded height.
const HEIGHT_BYTES: usize = 8;

type StatusContent = (Height, HeaderHash, TimeMs, (u16, u16, u16), ProtocolVersion);

impl Response {
    /// As it is sent.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        match self {
            Self::Status(status) => {
                let SoftwareVersion(major, minor, patch) = status.software;
                let software = (major, minor, patch);
                let content: StatusContent =
                    (status.height, status.header_hash, status.clock, software, status.protocol_known);
                frame(STATUS, &codec::encode(&content))
            }
            Self::Mail(mail) => frame(MAIL, mail),
            Self::Offer(offer) => frame(OFFER, offer),
            Self::Piece(piece) => frame(PIECE, piece),
            Self::FileKept(FileKept { stored, parts }) => frame(FILE, &codec::encode(&(*stored, *parts))),
            Self::Refused(refusal) => frame(REFUSED, &[refusal.byte()]),
        }
    }
    /// Reads what was sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let (kind, content) = unframe(bytes, RESPONSE_BYTES_MAX)?;
        match (kind, content.as_slice()) {
            (STATUS, content) => {
                let (height, header_hash, clock, (major, minor, patch), protocol_known) =
                    codec::decode::<StatusContent>(content, 64)?;
                let software = SoftwareVersion(major, minor, patch);
                Ok(Self::Status(PeerStatus { height, header_hash, clock, software, protocol_known }))
            }
            (MAIL, _) => Ok(Self::Mail(content.into())),
            (OFFER, _) => Ok(Self::Offer(content.into())),
            (PIECE, _) => Ok(Self::Piece(content.into())),
            (FILE, content) => {
                let (stored, parts) = codec::decode::<(u16, u16)>(content, 4)?;
                Ok(Self::FileKept(FileKept { stored, parts }))
            }
            (REFUSED, [byte]) => Refusal::from_byte(*byte).map(Self::Refused).ok_or_else(|| unknown(kind)),
            _ => Err(unknown(kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> PeerStatus {
        PeerStatus {
            height: Height(7),
            header_hash: HeaderHash([3; 32]),
            clock: TimeMs(9),
            software: SoftwareVersion(1, 2, 3),
            protocol_known: ProtocolVersion(4),
        }
    }

    #[test]
    fn messages_are_read_back_and_others_refused() {
        let status = status();
        let ask = Request::SnapshotPiece(Bytes::from(vec![2; ASK_BYTES_MAX]));
        let mail = Request::DeliverMail(Bytes::from(vec![1; MAIL_BYTES_MAX]));
        let part = Request::DeliverFile(Bytes::from(vec![4; PART_ENCODED_BYTES_MAX]));
        for request in [Request::Status, mail, Request::SnapshotOffer(Height(5)), ask, part] {
            let bytes = request.to_bytes().unwrap();
            assert!(bytes.len() <= REQUEST_BYTES_MAX);
            assert_eq!(Request::from_bytes(&bytes).unwrap(), request);
            assert!(Request::from_bytes(&bytes[1..]).is_err());
        }
        let refusals = [Refusal::Busy, Refusal::NotHere, Refusal::Malformed].map(Response::Refused);
        let piece = Response::Piece(Bytes::from(vec![3; PIECE_ENCODED_BYTES_MAX]));
        let kept = Response::FileKept(FileKept { stored: 3, parts: 4 });
        let others =
            [Response::Status(status), Response::Mail(Bytes::new()), Response::Offer(Bytes::new()), piece, kept];
        for response in others.into_iter().chain(refusals) {
            let bytes = response.to_bytes().unwrap();
            assert_eq!(Response::from_bytes(&bytes).unwrap(), response);
            assert!(Response::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
        }
        assert!(Request::DeliverMail(Bytes::from(vec![1; MAIL_BYTES_MAX + 1])).to_bytes().is_err());
        let long = Bytes::from(vec![1; PART_ENCODED_BYTES_MAX + 1]);
        assert!(Request::DeliverFile(long.clone()).to_bytes().is_err());
        assert!(Request::from_bytes(&frame(FILE, &long).unwrap()).is_err());
        assert!(Response::from_bytes(&frame(FILE, &[0, 1, 0]).unwrap()).is_err());
        let long = Bytes::from(vec![1; ASK_BYTES_MAX + 1]);
        assert!(Request::from_bytes(&Request::SnapshotPiece(long).to_bytes().unwrap()).is_err());
        assert!(Request::from_bytes(&frame(STATUS, b"x").unwrap()).is_err());
        assert!(Response::from_bytes(&frame(REFUSED, &[9]).unwrap()).is_err());
    }

    #[test]
    fn the_layout_is_fixed() {
        let hex = |bytes: Result<Vec<u8>, CodecError>| kanhe_proto::text::hex(&bytes.unwrap());
        assert_eq!(hex(Request::Status.to_bytes()), "01010000000000000000");
        assert_eq!(hex(Request::DeliverMail(Bytes::from_static(b"m")).to_bytes()), "010200000000000000016d");
        assert_eq!(hex(Request::DeliverFile(Bytes::from_static(b"p")).to_bytes()), "0106000000000000000170");
        assert_eq!(hex(Response::Refused(Refusal::NotHere).to_bytes()), "0103000000000000000102");
        let kept = Response::FileKept(FileKept { stored: 3, parts: 4 });
        assert_eq!(hex(kept.to_bytes()), "0106000000000000000400030004");
        let expected = format!("0101000000000000003a{:016x}{}{:016x}00010002000300000004", 7, "03".repeat(32), 9);
        assert_eq!(hex(Response::Status(status()).to_bytes()), expected);
    }
}
