//! What passes, sealed, between a holder and an issuer: requests for a licence, and the answers.
//!
//! A request is signed by the licence key, so that whoever saw an application or a pickup code in transit still cannot
//! fetch the licence. It carries the one-time X25519 key to which the answer is sealed.

use bincode::{Decode, Encode};

use crate::application::{AHEAD_MAX, APPLICATION_BYTES_MAX, Application, ApplicationError};
use crate::bounded::{Blob, List, Text};
use crate::codec::{self, CodecError};
use crate::hash::ChainId;
use crate::identifiers::Uscc;
use crate::ids::{SpanMs, TimeMs};
use crate::key::{KeyError, PublicKey, SignError, Signature, Signer};
use crate::limits::COPIES_MAX;
use crate::pickup::{PickupCode, RedeemError};
use crate::possession::{PossessionUse, preimage};
use crate::sd_jwt::TOKEN_BYTES_MAX;
use crate::seal::PLAINTEXT_BYTES_MAX;

/// The layout of requests and answers that is written and read.
pub const EXCHANGE_VERSION: u8 = 1;
/// How old a request may be, in milliseconds: 7 days, since the issuer's process may rest over holidays.
pub const REQUEST_AGE_MAX: SpanMs = SpanMs(7 * 24 * 3_600_000);
/// The longest request in bytes.
pub const HOLDER_REQUEST_BYTES_MAX: usize = APPLICATION_BYTES_MAX + 512;
/// The longest licence path in bytes.
pub const PATH_BYTES_MAX: usize = 4096;

/// What a holder asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Ask {
    /// Binds the licence that awaits this code to the keys of an application, and gives it.
    Pickup {
        /// The code.
        code: PickupCode,
        /// The application as text; its first key signs the request.
        application: Text<APPLICATION_BYTES_MAX>,
    },
    /// Gives the licences of the application whose first key this is; it signs the request.
    Collect {
        /// The key.
        key: PublicKey,
    },
}

/// What the licence key signs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RequestBody {
    /// Layout: [`EXCHANGE_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// Who is asked.
    pub issuer: Uscc,
    /// By the wallet's clock.
    pub time: TimeMs,
    /// One-time X25519 key for the answer.
    pub answer: PublicKey,
    /// What is asked for.
    pub ask: Ask,
}

/// A holder's request. Layout: body, signature over its encoding.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HolderRequest {
    /// What is signed.
    pub body: RequestBody,
    /// By the licence key.
    pub signature: Signature,
}

/// A request whose sender is proved to hold the licence key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvedAsk {
    /// Bind and give; whether the code is good is for the issuer's register.
    Pickup {
        /// The code.
        code: PickupCode,
        /// The application, proved.
        application: Box<Application>,
    },
    /// Give what was issued for this key.
    Collect {
        /// The first key of an application.
        key: PublicKey,
    },
}

/// Why a request is not answered with licences.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not a request.
    #[error("malformed request: {0}")]
    Malformed(#[source] CodecError),
    /// Of a layout that is not known.
    #[error("unknown layout {0} of a request")]
    Version(u8),
    /// Made for another chain.
    #[error("the request is for another chain")]
    OtherChain,
    /// Made for another bureau.
    #[error("the request is for issuer {0}")]
    OtherIssuer(Uscc),
    /// Not signed by the licence key.
    #[error("the request is not signed by the licence's key: {0}")]
    Signature(#[source] KeyError),
    /// The application inside is not good.
    #[error("{0}")]
    Application(#[source] ApplicationError),
    /// Older than [`REQUEST_AGE_MAX`] or ahead of the clock.
    #[error("the request is not of this time")]
    Time,
}

impl RequestError {
    /// What the holder is told.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Application(_) => Refusal::ApplicationWrong,
            _ => Refusal::RequestWrong,
        }
    }
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "request_malformed",
            Self::Version(_) => "request_version",
            Self::OtherChain => "request_other_chain",
            Self::OtherIssuer(_) => "request_other_issuer",
            Self::Signature(_) => "request_signature",
            Self::Application(error) => error.code(),
            Self::Time => "request_time",
        }
    }
}

impl HolderRequest {
    /// Signs a request under the licence key.
    pub fn sign(body: RequestBody, signer: &dyn Signer) -> Result<Self, SignError> {
        let signature = signer.sign(&preimage(PossessionUse::Request, &body))?;
        Ok(Self { body, signature })
    }

    /// Reads a request without proving anything but its form.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        let request: Self = codec::decode(bytes, HOLDER_REQUEST_BYTES_MAX).map_err(RequestError::Malformed)?;
        if request.body.version != EXCHANGE_VERSION {
            return Err(RequestError::Version(request.body.version));
        }
        Ok(request)
    }

    /// Proves that the sender holds the licence key and asks this issuer, on this chain, now.
    pub fn verify(&self, chain: &ChainId, issuer: &Uscc, now: TimeMs) -> Result<ProvedAsk, RequestError> {
        let body = &self.body;
        if body.version != EXCHANGE_VERSION {
            return Err(RequestError::Version(body.version));
        }
        if body.chain != *chain {
            return Err(RequestError::OtherChain);
        }
        if body.issuer != *issuer {
            return Err(RequestError::OtherIssuer(body.issuer));
        }
        if body.time.since(now) > AHEAD_MAX || now.since(body.time) > REQUEST_AGE_MAX {
            return Err(RequestError::Time);
        }
        let (key, ask) = match &body.ask {
            Ask::Pickup { code, application } => {
                let application =
                    Application::verify(application, chain, issuer, now).map_err(RequestError::Application)?;
                let key = application.key().clone();
                (key, ProvedAsk::Pickup { code: code.clone(), application: Box::new(application) })
            }
            Ask::Collect { key } => (key.clone(), ProvedAsk::Collect { key: key.clone() }),
        };
        key.verify(&preimage(PossessionUse::Request, body), &self.signature).map_err(RequestError::Signature)?;
        Ok(ask)
    }
}

/// Why no licence comes; a byte in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No licence awaits this pickup code.
    CodeUnknown,
    /// The code's 30 days are over.
    CodeExpired,
    /// The code was used with another key.
    CodeTaken,
    /// No application of this key is known.
    KeyUnknown,
    /// Known, but not issued yet: ask again.
    NotYet,
    /// The application is wrong or of another type.
    ApplicationWrong,
    /// The request is wrong, or not of this time.
    RequestWrong,
}
crate::ids::byte_enum!(Refusal {
    CodeUnknown = 1,
    CodeExpired = 2,
    CodeTaken = 3,
    KeyUnknown = 4,
    NotYet = 5,
    ApplicationWrong = 6,
    RequestWrong = 7,
});

impl Refusal {
    /// The stable name of the refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CodeUnknown => "pickup_code_unknown",
            Self::CodeExpired => "pickup_code_expired",
            Self::CodeTaken => "pickup_code_taken",
            Self::KeyUnknown => "key_unknown",
            Self::NotYet => "not_yet_issued",
            Self::ApplicationWrong => "application_wrong",
            Self::RequestWrong => "request_wrong",
        }
    }
}

impl From<RedeemError> for Refusal {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Unknown => Self::CodeUnknown,
            RedeemError::Expired => Self::CodeExpired,
            RedeemError::Taken => Self::CodeTaken,
        }
    }
}

/// One licence for its holder.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeliveredLicence {
    /// The SD-JWT with all its disclosures.
    pub sd_jwt: Text<TOKEN_BYTES_MAX>,
    /// Encoding of its path to the batch root.
    pub path: Blob<PATH_BYTES_MAX>,
}

impl std::fmt::Debug for DeliveredLicence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "DeliveredLicence({} bytes)", self.sd_jwt.len())
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// The licence's copies, in the order of the application's keys.
    Licences(List<DeliveredLicence, { COPIES_MAX as usize }>),
    /// No licence.
    Refused(Refusal),
}

/// An issuer's answer. Only who opened the request knows the key to seal it to, so that a node cannot make one up; the
/// licences inside are verified as any other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// Layout: [`EXCHANGE_VERSION`].
    pub version: u8,
    /// What comes back.
    pub outcome: Outcome,
}

impl Answer {
    /// An answer in the layout of today.
    pub const fn new(outcome: Outcome) -> Self {
        Self { version: EXCHANGE_VERSION, outcome }
    }
    /// Reads an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        let answer: Self = codec::decode(bytes, PLAINTEXT_BYTES_MAX).map_err(RequestError::Malformed)?;
        if answer.version != EXCHANGE_VERSION {
            return Err(RequestError::Version(answer.version));
        }
        Ok(answer)
    }
    /// Whether it can be sealed: an issuer asks before it issues so many or so long copies.
    pub fn fits(&self) -> bool {
        codec::encode(self).len() <= PLAINTEXT_BYTES_MAX
    }
}
