//! A snapshot: all that the chain holds after one certified header, handed over in pieces.
//!
//! Who joins follows the hand-overs from genesis to a header that it believes, and asks for the rest under that
//! header. Each piece is verified alone, against the roots in the header, so pieces can come from anyone and in any
//! order: leaves of both maps by prefix, records of the log by complete subtrees, schemas by their digest. A piece that
//! would be larger than [`PIECE_BYTES_MAX`] is asked for again in halves.
//!
//! Old blocks and headers are not part of it: the frontier of their log is, so the joined node goes on from there.

use bincode::{Decode, Encode};

use crate::bounded::{Blob, List, Text};
use crate::codec::{self, CodecError};
use crate::genesis::schema_digest;
use crate::hash::{Hash, HeaderHash, MapKey, TransactionId};
use crate::ids::{Height, TimeMs};
use crate::limits::{
    HAND_OVER_BYTES_MAX, MAP_VALUE_BYTES_MAX, PIECE_BYTES_MAX, PIECE_ITEMS_MAX, RECORD_BYTES_MAX, SCHEMA_BYTES_MAX,
};
use crate::map_value::Kind;
use crate::merkle::MerkleError;
use crate::merkle::log::{Frontier, Span, SpanProof, leaf_hash, verify_span};
use crate::merkle::map::{MapLeaf, Prefix, SubtreeProof, verify_subtree};
use crate::proof::CertifiedHeader;
use crate::status::spent_id_key;
use crate::trust::{Trust, TrustError};

/// Layout of offers and pieces.
pub const SNAPSHOT_VERSION: u8 = 1;
/// Bytes of an encoded offer.
pub const OFFER_BYTES_MAX: usize = 32 << 10;
/// Bytes of an encoded piece: its items, and the proof with what is around it.
pub const PIECE_ENCODED_BYTES_MAX: usize = PIECE_BYTES_MAX + (16 << 10);
/// Bytes of an encoded question for a piece.
pub const ASK_BYTES_MAX: usize = 256;

/// Why an offer or a piece is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A layout this software does not know.
    #[error("snapshot of unknown version {0}")]
    Version(u8),
    /// The header is not one to believe.
    #[error("the snapshot's header is not to be believed")]
    Header(#[from] TrustError),
    /// A frontier that does not lead to its root in the header.
    #[error("the frontier of the {0} is not the one that the header commits to")]
    Frontier(&'static str),
    /// Not what the header commits to.
    #[error("the piece is not what the header commits to: {0}")]
    Content(#[from] MerkleError),
    /// Not the schema with this digest.
    #[error("a schema with another digest")]
    Schema,
    /// Not the transaction ids that the leaves record.
    #[error("other transaction ids than the leaves record")]
    Ids,
    /// The answer is to another question.
    #[error("the answer is to another question")]
    OtherPiece,
    /// Said to be too large, though a single item never is.
    #[error("said to be too large, which a single item never is")]
    TooLargeOfOne,
    /// Larger than a piece may be.
    #[error("larger than a piece may be")]
    TooLarge,
}

/// What a node can hand over: the header and what the two logs need to grow.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    /// Layout: 1.
    pub version: u8,
    /// The header after which the snapshot is.
    pub certified: CertifiedHeader,
    /// Of the log of records.
    pub log: Frontier,
    /// Of the log of headers before this one.
    pub history: Frontier,
}

/// A part of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Piece {
    /// Leaves of the registry below a prefix.
    Registry(Prefix),
    /// Leaves of the state below a prefix.
    State(Prefix),
    /// Records of a complete subtree of the log.
    Records(Span),
    /// The JSON Schema with this digest.
    Schema(Hash),
    /// The first hand-over at or above a height, from the n-th part of [`PIECE_BYTES_MAX`] bytes on. Not bound to a
    /// header: it is checked by the light client.
    HandOver {
        /// The least height.
        from: Height,
        /// Which part of it.
        part: u32,
    },
}

/// A question for a piece of one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Ask {
    /// Layout: 1.
    pub version: u8,
    /// The snapshot's header.
    pub header: HeaderHash,
    /// What of it.
    pub piece: Piece,
}

/// A leaf with its value.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FullLeaf {
    /// Its place.
    pub key: MapKey,
    /// kind ‖ version ‖ fields.
    pub value: Blob<MAP_VALUE_BYTES_MAX>,
}

/// All leaves below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Leaves {
    /// Ascending by key.
    pub leaves: List<FullLeaf, PIECE_ITEMS_MAX>,
    /// The transaction id of each leaf that records one, in order: its key is a hash of it, and sweeping goes by ids.
    pub ids: List<TransactionId, PIECE_ITEMS_MAX>,
    /// That these are all.
    pub proof: SubtreeProof,
}

/// All records of a span.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Records {
    /// In order.
    pub records: List<Blob<RECORD_BYTES_MAX>, PIECE_ITEMS_MAX>,
    /// That these are they.
    pub proof: SpanProof,
}

/// A part of a hand-over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HandOverPart {
    /// Bytes of the whole, at most 8 MiB.
    pub length: u32,
    /// These of them.
    pub bytes: Blob<PIECE_BYTES_MAX>,
}

/// The answer to a question for a piece.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Content {
    /// Of a map.
    Leaves(Leaves),
    /// Of the log.
    Records(Records),
    /// A schema.
    Schema(Text<SCHEMA_BYTES_MAX>),
    /// A part of a hand-over, or that there is none at or above this height.
    HandOver(Option<HandOverPart>),
    /// To be asked for in halves.
    TooLarge,
    /// This snapshot is not served, or no longer.
    Gone,
}

impl Offer {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads an offer of anyone; nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let offer: Self = codec::decode(bytes, OFFER_BYTES_MAX)?;
        if offer.version == SNAPSHOT_VERSION { Ok(offer) } else { Err(SnapshotError::Version(offer.version)) }
    }

    /// Checks that trust believes the header, and that both frontiers are those that it commits to.
    pub fn verify(&self, trust: &Trust, now: TimeMs) -> Result<(), SnapshotError> {
        trust.check(&self.certified, now)?;
        let header = &self.certified.header;
        let frontier = |what| move |_| SnapshotError::Frontier(what);
        self.log.verify(header.log_size, &header.log_root).map_err(frontier("log"))?;
        self.history.verify(header.height.0, &header.history_root).map_err(frontier("history"))
    }

    /// Checks that this is the piece asked for, whole and as the header commits to it. Of a hand-over only the shape is
    /// checked. `Gone` and, where the piece has halves, `TooLarge` are answers without content.
    pub fn verify_piece(&self, piece: &Piece, content: &Content) -> Result<(), SnapshotError> {
        let header = &self.certified.header;
        match (piece, content) {
            (_, Content::Gone) => Ok(()),
            (piece, Content::TooLarge) => piece.halves().map(|_| ()).ok_or(SnapshotError::TooLargeOfOne),
            (Piece::Registry(prefix), Content::Leaves(leaves)) => leaves.verify(&header.registry_root, prefix),
            (Piece::State(prefix), Content::Leaves(leaves)) => leaves.verify(&header.state_root, prefix),
            (Piece::Records(span), Content::Records(records)) => records.verify(&self.log, *span),
            (Piece::Schema(digest), Content::Schema(text)) => {
                if schema_digest(text) == *digest {
                    Ok(())
                } else {
                    Err(SnapshotError::Schema)
                }
            }
            (Piece::HandOver { part, .. }, Content::HandOver(found)) => {
                found.as_ref().map_or(Ok(()), |found| found.verify(*part))
            }
            _ => Err(SnapshotError::OtherPiece),
        }
    }
}

impl Piece {
    /// The two pieces that together are this one, if it can be had in halves.
    pub fn halves(&self) -> Option<[Self; 2]> {
        match self {
            Self::Registry(prefix) => prefix.halves().map(|halves| halves.map(Self::Registry)),
            Self::State(prefix) => prefix.halves().map(|halves| halves.map(Self::State)),
            Self::Records(span) => span.halves().map(|halves| halves.map(Self::Records)),
            Self::Schema(_) | Self::HandOver { .. } => None,
        }
    }
}

impl Ask {
    /// A question for a piece of the snapshot after this header.
    pub const fn new(header: HeaderHash, piece: Piece) -> Self {
        Self { version: SNAPSHOT_VERSION, header, piece }
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads a question of anyone.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let ask: Self = codec::decode(bytes, ASK_BYTES_MAX)?;
        if ask.version == SNAPSHOT_VERSION { Ok(ask) } else { Err(SnapshotError::Version(ask.version)) }
    }
}

impl FullLeaf {
    /// Whether it records the id of a transaction.
    pub fn records_id(&self) -> bool {
        self.value.first() == Some(&Kind::SpentId.byte())
    }
    /// Bytes that it adds to a piece.
    pub fn size(&self) -> usize {
        32 + 8 + self.value.len() + if self.records_id() { 32 } else { 0 }
    }
}

impl Leaves {
    fn verify(&self, root: &Hash, prefix: &Prefix) -> Result<(), SnapshotError> {
        within(self.leaves.iter().map(FullLeaf::size).sum())?;
        let recording = self.leaves.iter().filter(|leaf| leaf.records_id()).map(|leaf| leaf.key);
        if !recording.eq(self.ids.iter().map(spent_id_key)) {
            return Err(SnapshotError::Ids);
        }
        let leaves: Vec<MapLeaf> = self.leaves.iter().map(|leaf| MapLeaf::new(leaf.key, &leaf.value)).collect();
        Ok(verify_subtree(root, prefix, &leaves, &self.proof)?)
    }
}

impl Records {
    /// Checks that the log with this frontier has exactly these records in the span. The frontier must be known to be the
    /// log's.
    pub fn verify(&self, log: &Frontier, span: Span) -> Result<(), SnapshotError> {
        within(self.records.iter().map(|record| 8 + record.len()).sum())?;
        let leaves: Vec<Hash> = self.records.iter().map(|record| leaf_hash(record)).collect();
        Ok(verify_span(log, span, &leaves, &self.proof)?)
    }
}

impl HandOverPart {
    /// Exactly the bytes that such a part of a whole of this length has.
    fn verify(&self, part: u32) -> Result<(), SnapshotError> {
        let length = self.length as usize;
        let before = (part as usize).saturating_mul(PIECE_BYTES_MAX);
        let expected = length.saturating_sub(before).min(PIECE_BYTES_MAX);
        let fits = length <= HAND_OVER_BYTES_MAX && expected > 0 && self.bytes.len() == expected;
        if fits { Ok(()) } else { Err(SnapshotError::TooLarge) }
    }
}

impl Content {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads an answer of anyone; nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        Ok(codec::decode(bytes, PIECE_ENCODED_BYTES_MAX)?)
    }
}

fn within(bytes: usize) -> Result<(), SnapshotError> {
    if bytes <= PIECE_BYTES_MAX { Ok(()) } else { Err(SnapshotError::TooLarge) }
}
