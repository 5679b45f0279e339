//! The envelopes that nodes queue between wallets and issuers, and how an issuer proves itself to its node.
//!
//! Layouts, by the codec: [`MailRequest`] = version (1), chain id (32), issuer (8 + 18), id (16), [`Sealed`];
//! [`MailAnswer`] the same. A node sees issuer, id, sealing key and size.
//!
//! The id is the key id of the one-time X25519 key inside the request. So the wallet polls by a name that nobody can
//! guess, whoever polls besides gets what only the wallet opens, and a node, which knows the id but not the key, cannot
//! seal an answer of its own.

use bincode::{Decode, Encode};

use crate::bounded::Blob;
use crate::codec::{self, CodecError};
use crate::exchange::{Answer, HolderRequest, RequestError};
use crate::hash::ChainId;
use crate::identifiers::Uscc;
use crate::key::{KeyError, KeyId, PublicKey, SignError, Signature, Signer};
use crate::limits::SEALED_BYTES_MAX;
use crate::possession::{PossessionUse, preimage};
use crate::seal::{SealError, SealInfo, SealPurpose, Sealed, SealingSecret, seal};
use crate::sharing::{ReadAnswer, ReadLetter, SharingError};

/// The layout of envelopes that is written and read.
pub const MAIL_VERSION: u8 = 1;
/// The longest envelope in bytes.
pub const MAIL_BYTES_MAX: usize = 1 + 32 + 8 + 18 + 16 + SEALED_BYTES_MAX;
/// The longest proof towards a queue in bytes.
pub const QUEUE_PROOF_BYTES_MAX: usize = 256;

/// Why mail is not taken, opened or handed out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Not an envelope.
    #[error("malformed mail: {0}")]
    Malformed(#[source] CodecError),
    /// Of a layout that is not known.
    #[error("unknown layout {0} of mail")]
    Version(u8),
    /// Of another chain.
    #[error("the mail is of another chain")]
    OtherChain,
    /// For or from another bureau.
    #[error("the mail is of issuer {0}")]
    OtherIssuer(Uscc),
    /// The id is not that of the one-time key.
    #[error("the mail's id is not that of its key")]
    IdWrong,
    /// Cannot be sealed or opened.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// Opened, and not what it should be.
    #[error("{0}")]
    Content(#[source] RequestError),
    /// Opened, and not what a reader and a source say to each other.
    #[error("{0}")]
    Sharing(#[from] SharingError),
    /// Not signed by the issuing key over this challenge.
    #[error("the queue's challenge is not answered: {0}")]
    Proof(#[source] KeyError),
    /// Answers another challenge.
    #[error("the proof answers another challenge")]
    OtherChallenge,
}

impl MailError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "mail_malformed",
            Self::Version(_) => "mail_version",
            Self::OtherChain => "mail_other_chain",
            Self::OtherIssuer(_) => "mail_other_issuer",
            Self::IdWrong => "mail_id_wrong",
            Self::Seal(error) => error.code(),
            Self::Content(error) => error.code(),
            Self::Sharing(error) => error.code(),
            Self::Proof(_) => "queue_proof_wrong",
            Self::OtherChallenge => "queue_other_challenge",
        }
    }
}

/// Names a request and its answer: key id of the one-time key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct MailId(pub KeyId);

impl MailId {
    /// The id of what is answered to this key.
    pub fn of(answer_key: &PublicKey) -> Self {
        Self(answer_key.id())
    }
}
impl std::fmt::Display for MailId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
impl std::str::FromStr for MailId {
    type Err = crate::text::NotText;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

pub(crate) fn info(purpose: SealPurpose, chain: ChainId, issuer: Uscc, id: MailId) -> SealInfo {
    let subject = Blob::new(codec::encode(&(issuer, id))).expect("42 bytes are within a subject");
    SealInfo { chain, purpose, subject }
}

macro_rules! envelope {
    ($name:ident) => {
        impl $name {
            /// Reads an envelope of this chain; what is sealed stays sealed.
            pub fn decode(bytes: &[u8], chain: &ChainId) -> Result<Self, MailError> {
                let mail: Self = codec::decode(bytes, MAIL_BYTES_MAX).map_err(MailError::Malformed)?;
                if mail.version != MAIL_VERSION {
                    return Err(MailError::Version(mail.version));
                }
                if mail.chain != *chain {
                    return Err(MailError::OtherChain);
                }
                Ok(mail)
            }
        }
    };
}

/// A holder's request on its way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MailRequest {
    /// Layout: [`MAIL_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// Who is asked.
    pub issuer: Uscc,
    /// Names it.
    pub id: MailId,
    /// Sealed to the issuer's sealing key: a [`HolderRequest`].
    pub sealed: Sealed,
}
envelope!(MailRequest);

impl MailRequest {
    /// Seals a request to the issuer's sealing key. The seed is 32 fresh random bytes.
    pub fn seal(request: &HolderRequest, sealing_key: &PublicKey, seed: [u8; 32]) -> Result<Self, MailError> {
        let (chain, issuer) = (request.body.chain, request.body.issuer);
        let id = MailId::of(&request.body.answer);
        let info = info(SealPurpose::Request, chain, issuer, id);
        let sealed = seal(sealing_key, &info, &codec::encode(request), seed)?;
        Ok(Self { version: MAIL_VERSION, chain, issuer, id, sealed })
    }

    /// Opens a request, for the issuer alone. Whether its sender may ask is for [`HolderRequest::verify`].
    pub fn open(&self, secret: &SealingSecret) -> Result<HolderRequest, MailError> {
        let info = info(SealPurpose::Request, self.chain, self.issuer, self.id);
        let request = HolderRequest::decode(&secret.open(&info, &self.sealed)?).map_err(MailError::Content)?;
        if MailId::of(&request.body.answer) != self.id {
            return Err(MailError::IdWrong);
        }
        answerable(&request.body.answer, &info)?;
        Ok(request)
    }
}

impl MailRequest {
    /// Seals what a reader asks to the source's sealing key. The seed is 32 fresh random bytes.
    pub fn seal_letter(letter: &ReadLetter, sealing_key: &PublicKey, seed: [u8; 32]) -> Result<Self, MailError> {
        let (chain, issuer) = (letter.chain, letter.request.request.source);
        let id = MailId::of(&letter.answer);
        let info = info(SealPurpose::ReadRequest, chain, issuer, id);
        let sealed = seal(sealing_key, &info, &codec::encode(letter), seed)?;
        Ok(Self { version: MAIL_VERSION, chain, issuer, id, sealed })
    }

    /// Opens what a reader asks, for the source alone: bound to what the reader signed, but not yet known to be of one who
    /// may.
    pub fn open_letter(&self, secret: &SealingSecret) -> Result<ReadLetter, MailError> {
        let info = info(SealPurpose::ReadRequest, self.chain, self.issuer, self.id);
        let letter = ReadLetter::decode(&secret.open(&info, &self.sealed)?)?;
        letter.check(&self.chain)?;
        if MailId::of(&letter.answer) != self.id {
            return Err(MailError::IdWrong);
        }
        answerable(&letter.answer, &info)?;
        Ok(letter)
    }
}

/// Whether something can be sealed to a key: whoever asks under another one cannot be told anything.
fn answerable(answer: &PublicKey, info: &SealInfo) -> Result<(), MailError> {
    seal(answer, info, &[], [0; 32])?;
    Ok(())
}

/// An issuer's answer on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MailAnswer {
    /// Layout: [`MAIL_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// Who answers.
    pub issuer: Uscc,
    /// Which request it answers.
    pub id: MailId,
    /// Sealed to the one-time key: an [`Answer`].
    pub sealed: Sealed,
}
envelope!(MailAnswer);

impl MailAnswer {
    /// Seals an answer to the request's one-time key. The seed is 32 fresh random bytes.
    pub fn seal(request: &HolderRequest, answer: &Answer, seed: [u8; 32]) -> Result<Self, MailError> {
        let (chain, issuer, key) = (request.body.chain, request.body.issuer, &request.body.answer);
        let id = MailId::of(key);
        let sealed = seal(key, &info(SealPurpose::Answer, chain, issuer, id), &codec::encode(answer), seed)?;
        Ok(Self { version: MAIL_VERSION, chain, issuer, id, sealed })
    }

    /// Opens the answer of this issuer to the request made with this one-time key.
    pub fn open(&self, secret: &SealingSecret, issuer: &Uscc) -> Result<Answer, MailError> {
        if self.issuer != *issuer {
            return Err(MailError::OtherIssuer(self.issuer));
        }
        if MailId::of(&secret.public_key()) != self.id {
            return Err(MailError::IdWrong);
        }
        let info = info(SealPurpose::Answer, self.chain, self.issuer, self.id);
        Answer::decode(&secret.open(&info, &self.sealed)?).map_err(MailError::Content)
    }
}

impl MailAnswer {
    /// Seals a source's answer to the letter's one-time key. The seed is 32 fresh random bytes.
    pub fn seal_read(letter: &ReadLetter, answer: &ReadAnswer, seed: [u8; 32]) -> Result<Self, MailError> {
        let (chain, issuer) = (letter.chain, letter.request.request.source);
        let id = MailId::of(&letter.answer);
        let info = info(SealPurpose::ReadAnswer, chain, issuer, id);
        let sealed = seal(&letter.answer, &info, &codec::encode(answer), seed)?;
        Ok(Self { version: MAIL_VERSION, chain, issuer, id, sealed })
    }

    /// Opens the answer of this source to the letter made with this one-time key.
    pub fn open_read(&self, secret: &SealingSecret, source: &Uscc) -> Result<ReadAnswer, MailError> {
        if self.issuer != *source {
            return Err(MailError::OtherIssuer(self.issuer));
        }
        if MailId::of(&secret.public_key()) != self.id {
            return Err(MailError::IdWrong);
        }
        let info = info(SealPurpose::ReadAnswer, self.chain, self.issuer, self.id);
        Ok(ReadAnswer::decode(&secret.open(&info, &self.sealed)?)?)
    }
}

/// An issuer's proof towards its node's queue: its issuing key signs the node's one-time random challenge. The node
/// takes the key from the registry, as one of this bureau that is valid now.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct QueueProof {
    /// Layout: [`MAIL_VERSION`].
    pub version: u8,
    /// Whose mail.
    pub issuer: Uscc,
    /// Its issuing key.
    pub key: KeyId,
    /// The node's challenge: 32 random bytes, good once.
    pub challenge: [u8; 32],
    /// Over (version, chain id, issuer, challenge).
    pub signature: Signature,
}

impl QueueProof {
    /// Answers a challenge.
    pub fn sign(chain: &ChainId, issuer: Uscc, challenge: [u8; 32], signer: &dyn Signer) -> Result<Self, SignError> {
        let statement = preimage(PossessionUse::Queue, &(MAIL_VERSION, *chain, issuer, challenge));
        let signature = signer.sign(&statement)?;
        Ok(Self { version: MAIL_VERSION, issuer, key: signer.public_key().id(), challenge, signature })
    }
    /// Reads a proof.
    pub fn decode(bytes: &[u8]) -> Result<Self, MailError> {
        let proof: Self = codec::decode(bytes, QUEUE_PROOF_BYTES_MAX).map_err(MailError::Malformed)?;
        if proof.version != MAIL_VERSION {
            return Err(MailError::Version(proof.version));
        }
        Ok(proof)
    }
    /// Proves that this key answered this challenge.
    pub fn verify(&self, chain: &ChainId, challenge: &[u8; 32], key: &PublicKey) -> Result<(), MailError> {
        if self.challenge != *challenge {
            return Err(MailError::OtherChallenge);
        }
        let statement = preimage(PossessionUse::Queue, &(self.version, *chain, self.issuer, self.challenge));
        key.verify(&statement, &self.signature).map_err(MailError::Proof)
    }
}
