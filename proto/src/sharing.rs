//! What a reader and a source say to each other, sealed: who is asked about, on which ground, and what is given.
//!
//! The reader's signed request is in the chain's record too, and commits to what is asked; what is given is committed to in
//! the same record before it leaves. So a [`SharedProof`] shows later, to whoever is given it, who read what of whom on which
//! ground: the record is the source's signature under it.
//!
//! The nonce of a request is a hash of the one-time key for its answer: nobody can have the answer to a signed request sealed
//! to another key, and the record names no mail.
//!
//! Layouts, by the codec: [`ReadLetter`], [`ReadAnswer`], [`Parcel`] and [`SharedProof`] as their fields stand.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, §6

use bincode::{Decode, Encode};
use serde_json::{Map, Value};

use crate::bounded::{Blob, List, Text};
use crate::case::commitment;
use crate::codec::{self, CodecError};
use crate::consent::{AccessRecord, Answered, Asked, Scope, SignedRequest, Terms};
use crate::evidence::{Evidence, EvidenceError, LicencePath, Subject as About};
use crate::exchange::PATH_BYTES_MAX;
use crate::hash::{ChainId, ConsentId, LicenceDigest, ReadId, tagged};
use crate::identifiers::{Uscc, Vct};
use crate::ids::{LogIndex, TimeMs};
use crate::item::PartName;
use crate::key::PublicKey;
use crate::limits::{CODE_BYTES_MAX, EVIDENCE_BYTES_MAX};
use crate::proof::{CertifiedHeader, ProvedRecord};
use crate::record::Record as _;
use crate::sd_jwt::{SdJwtError, TOKEN_BYTES_MAX, UnverifiedSdJwt};
use crate::seal::PLAINTEXT_BYTES_MAX;
use crate::status::Status;
use crate::tags;
use crate::trust::{Trust, TrustError};
use crate::vote::ChainContext;

/// The layout that is written and read.
pub const SHARING_VERSION: u8 = 1;
/// Bytes of the presentation by which a person shows whose a consent is.
pub const SHOWN_BYTES_MAX: usize = 64 << 10;
/// The longest letter in bytes.
pub const LETTER_BYTES_MAX: usize = 160 << 10;
/// Licences in one answer.
pub const PARCEL_LICENCES_MAX: usize = 16;
/// What an answer has besides its parcel, in bytes, and more.
const ANSWER_FRAME_BYTES: usize = 256;
/// The longest parcel in bytes: one that can be sealed in an answer.
pub const PARCEL_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX - ANSWER_FRAME_BYTES;
/// The longest proof of what was shared, in bytes.
pub const SHARED_PROOF_BYTES_MAX: usize = 1 << 20;

/// Who consents, shown to the source: a licence of theirs, bound to the consent by its key
/// ([`crate::consent::consent_nonce`]).
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct HolderShown {
    /// The SD-JWT+KB.
    pub token: Text<SHOWN_BYTES_MAX>,
    /// Encoding of its path in the batch.
    pub path: Blob<PATH_BYTES_MAX>,
}

impl std::fmt::Debug for HolderShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "HolderShown({} bytes)", self.token.len())
    }
}

/// A consent as whoever may read under it has it, and shows it to the source.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ConsentShown {
    /// What was agreed to.
    pub terms: Terms,
    /// Random bytes of the commitment to it.
    pub random: [u8; 32],
    /// By whom.
    pub holder: HolderShown,
}

/// A consent as it is handed to whoever may read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Handed {
    /// Layout: [`SHARING_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// Which consent.
    pub consent: ConsentId,
    /// What the source is shown of it.
    pub shown: ConsentShown,
}

impl Handed {
    /// Reads what was handed over; nothing of it is proved.
    pub fn decode(bytes: &[u8]) -> Result<Self, SharingError> {
        let handed: Self = codec::decode(bytes, LETTER_BYTES_MAX)?;
        require(handed.version == SHARING_VERSION, SharingError::Version(handed.version))?;
        Ok(handed)
    }
}

/// What a reader says to a source.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReadLetter {
    /// Layout: [`SHARING_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// What the record will have of it.
    pub request: SignedRequest,
    /// Of whom, and what.
    pub asked: Asked,
    /// Random bytes of the commitment to it.
    pub random: [u8; 32],
    /// Which of the item's reads this is, if the request names a case; or which of its asks, where a clerk acts for somebody who
    /// cannot show it.
    pub read: Option<PartName>,
    /// The consent, if that is the ground.
    pub consent: Option<ConsentShown>,
    /// One-time X25519 key for the answer.
    pub answer: PublicKey,
}

/// Why a letter, a parcel or a proof is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// Not decodable.
    #[error("malformed: {0}")]
    Malformed(#[from] CodecError),
    /// Of a layout that is not known.
    #[error("unknown layout {0}")]
    Version(u8),
    /// Of another chain.
    #[error("it is of another chain")]
    OtherChain,
    /// The signed request does not commit to what is asked, or to this key for the answer.
    #[error("what is asked is not what the reader signed")]
    NotSigned,
    /// The record is not of this request.
    #[error("the record is of another read")]
    OtherRecord,
    /// The log under the header does not have the record.
    #[error("the log does not have the record")]
    NotRecorded,
    /// What was given is not what the record commits to.
    #[error("it is not what the source committed to")]
    Commitment,
    /// A licence that is not the source's, or shows more than was asked.
    #[error("more is given than was asked, or not by the source")]
    Beyond,
    /// The header is not believed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A licence is not what it should be.
    #[error(transparent)]
    Licence(#[from] SdJwtError),
    /// A licence is not proved.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

impl SharingError {
    /// The stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "share_malformed",
            Self::Version(_) => "share_version",
            Self::OtherChain => "share_other_chain",
            Self::NotSigned => "share_not_signed",
            Self::OtherRecord => "share_other_record",
            Self::NotRecorded => "share_not_recorded",
            Self::Commitment => "share_commitment",
            Self::Beyond => "share_beyond",
            Self::Trust(error) => error.code(),
            Self::Licence(error) => error.code(),
            Self::Evidence(error) => error.code(),
        }
    }
}

/// The nonce of a request whose answer is sealed to this key.
pub fn answer_nonce(answer: &PublicKey) -> [u8; 32] {
    tagged(tags::READ_NONCE, answer)
}

fn require(holds: bool, error: SharingError) -> Result<(), SharingError> {
    if holds { Ok(()) } else { Err(error) }
}

impl ReadLetter {
    /// Reads a letter; who signed it is for the registry to say.
    pub fn decode(bytes: &[u8]) -> Result<Self, SharingError> {
        let letter: Self = codec::decode(bytes, LETTER_BYTES_MAX)?;
        require(letter.version == SHARING_VERSION, SharingError::Version(letter.version))?;
        Ok(letter)
    }
    /// Whether the signed request is bound to what is asked here, and to the key for the answer.
    pub fn check(&self, chain: &ChainId) -> Result<(), SharingError> {
        require(self.chain == *chain, SharingError::OtherChain)?;
        let request = &self.request.request;
        let bound = self.asked.commitment(&self.random) == request.asked && answer_nonce(&self.answer) == request.nonce;
        require(bound, SharingError::NotSigned)
    }
}

/// One licence of which claims are shared.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SharedLicence {
    /// The issuer-signed JWT with the disclosures of what was asked; no key binding.
    pub sd_jwt: Text<TOKEN_BYTES_MAX>,
    /// Encoding of its path in the batch.
    pub path: Blob<PATH_BYTES_MAX>,
    /// Encoding of its evidence.
    pub evidence: Blob<EVIDENCE_BYTES_MAX>,
}

impl std::fmt::Debug for SharedLicence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "SharedLicence({} bytes)", self.sd_jwt.len())
    }
}

/// What a source gives: nothing in it means that it has nothing of the kind.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Parcel {
    /// Layout: [`SHARING_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// The request that it answers.
    pub request: ReadId,
    /// Who gives.
    pub source: Uscc,
    /// When it was put together, by the source's clock.
    pub time: TimeMs,
    /// The licences.
    pub licences: List<SharedLicence, PARCEL_LICENCES_MAX>,
}

/// What was given, with what opens the record's commitment to it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Shared {
    /// Encoding of the [`Parcel`].
    pub parcel: Blob<PARCEL_BYTES_MAX>,
    /// Random bytes of the commitment.
    pub random: [u8; 32],
    /// Where the record is.
    pub record: LogIndex,
}

/// What comes back. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ReadOutcome {
    /// It was recorded and given.
    Shared(Shared),
    /// It was not; the stable code why.
    Refused(Text<CODE_BYTES_MAX>),
}

/// A source's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReadAnswer {
    /// Layout: [`SHARING_VERSION`].
    pub version: u8,
    /// What comes back.
    pub outcome: ReadOutcome,
}

impl ReadAnswer {
    /// An answer in the layout of today.
    pub const fn new(outcome: ReadOutcome) -> Self {
        Self { version: SHARING_VERSION, outcome }
    }
    /// Reads an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, SharingError> {
        let answer: Self = codec::decode(bytes, PLAINTEXT_BYTES_MAX)?;
        require(answer.version == SHARING_VERSION, SharingError::Version(answer.version))?;
        Ok(answer)
    }
}

/// Everything that shows what was shared, to whoever is given it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SharedProof {
    /// Layout: [`SHARING_VERSION`].
    pub version: u8,
    /// The reader's request.
    pub request: SignedRequest,
    /// What was asked.
    pub asked: Asked,
    /// Random bytes of the commitment to it.
    pub asked_random: [u8; 32],
    /// Encoding of the [`Parcel`].
    pub parcel: Blob<PARCEL_BYTES_MAX>,
    /// Random bytes of the commitment to it.
    pub random: [u8; 32],
    /// The header that proves the record.
    pub certified: CertifiedHeader,
    /// The record.
    pub record: ProvedRecord,
}

/// A licence as it was shared, proved.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedFacts {
    /// Names it on the chain.
    pub digest: LicenceDigest,
    /// Type and version.
    pub vct: Vct,
    /// What was shown.
    pub claims: Map<String, Value>,
    /// What it was worth then.
    pub status: Status,
    /// Whether its first day had come and its last was not over.
    pub in_time: bool,
    /// Time of the evidence.
    pub as_of: TimeMs,
    /// When it was issued, as it says itself.
    pub issued: Option<TimeMs>,
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedShown {
    /// The record.
    pub record: AccessRecord,
    /// Where the log has it.
    pub index: LogIndex,
    /// What was given.
    pub licences: Vec<SharedFacts>,
}

impl SharedProof {
    /// Reads a proof; nothing of it is checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, SharingError> {
        let proof: Self = codec::decode(bytes, SHARED_PROOF_BYTES_MAX)?;
        require(proof.version == SHARING_VERSION, SharingError::Version(proof.version))?;
        Ok(proof)
    }

    /// What was shared, on which ground. The state machine has verified both signatures before the log had the record.
    pub fn verify(&self, trust: &Trust, now: TimeMs) -> Result<SharedShown, SharingError> {
        trust.check(&self.certified, now)?;
        self.record.verify(&self.certified.header).map_err(|_| SharingError::NotRecorded)?;
        let record = AccessRecord::from_record(&self.record.record).map_err(|_| SharingError::OtherRecord)?;
        let read = &record.read.read;
        require(read.request == self.request, SharingError::OtherRecord)?;
        require(self.asked.commitment(&self.asked_random) == self.request.request.asked, SharingError::NotSigned)?;
        let given = Answered::Given(commitment(&self.random, &self.parcel));
        require(given == read.answered, SharingError::Commitment)?;
        let licences = opened(&self.parcel, &self.request, &self.asked, trust, now)?;
        Ok(SharedShown { index: self.record.index, record, licences })
    }
}

/// The licences of a parcel, each proved, none with more than was asked.
pub fn opened(
    parcel: &[u8],
    request: &SignedRequest,
    asked: &Asked,
    trust: &Trust,
    now: TimeMs,
) -> Result<Vec<SharedFacts>, SharingError> {
    let parcel: Parcel = codec::decode(parcel, PARCEL_BYTES_MAX)?;
    require(parcel.version == SHARING_VERSION, SharingError::Version(parcel.version))?;
    let chain: ChainContext = trust.chain;
    require(parcel.chain == chain.chain_id, SharingError::OtherChain)?;
    let source = request.request.source;
    require(parcel.request == request.request.id(&chain) && parcel.source == source, SharingError::OtherRecord)?;
    parcel.licences.iter().map(|licence| facts(licence, &source, &asked.scope, trust, now)).collect()
}

fn facts(
    licence: &SharedLicence,
    source: &Uscc,
    scope: &Scope,
    trust: &Trust,
    now: TimeMs,
) -> Result<SharedFacts, SharingError> {
    let token = UnverifiedSdJwt::parse(&licence.sd_jwt)?;
    require(!token.has_key_binding(), SharingError::Licence(SdJwtError::KeyBindingUnexpected))?;
    let evidence = Evidence::from_bytes(&licence.evidence)?;
    let path: LicencePath = codec::decode(&licence.path, PATH_BYTES_MAX)?;
    trust.check(&evidence.certified, now)?;
    let kid = token.kid().clone();
    require(kid.did.chain == trust.chain_ref(), SharingError::OtherChain)?;
    let key = evidence.key_entry(kid.did.uscc, kid.key)?.ok_or(SharingError::Licence(SdJwtError::KidWrong))?;
    let verified = token.verify(&key.key)?;
    let issuer = verified.fixed.issuer.uscc;
    let about = About { issuer, key: kid.key, vct: verified.fixed.vct.clone(), digest: verified.digest };
    let facts = evidence.read(&about, &path)?;
    let wanted = scope.iter().find(|of_type| of_type.type_code == verified.fixed.vct.code);
    let within = |name: &String| wanted.is_some_and(|wanted| wanted.claims.iter().any(|claim| claim.as_str() == name));
    let right = issuer == *source && facts.not_accredited().is_none() && wanted.is_some();
    require(right && verified.claims.keys().all(within), SharingError::Beyond)?;
    let as_of = facts.as_of;
    let fixed = &verified.fixed;
    let in_time = fixed.expires.is_none_or(|end| as_of < end) && fixed.not_before.is_none_or(|from| as_of >= from);
    Ok(SharedFacts {
        digest: verified.digest,
        issued: fixed.issued_at,
        vct: verified.fixed.vct,
        claims: verified.claims,
        status: facts.status_at(as_of).status,
        in_time,
        as_of,
    })
}
