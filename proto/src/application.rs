//! A holder's application for a licence: which keys the issuer shall bind it to, without the issuer ever seeing a
//! secret one.
//!
//! One line of text, a compact JWS (EdDSA, `typ: kanhe-application+jwt`) by the first licence key, so that it fits a
//! cell of the issuer's spreadsheet as well as a sealed request. Its payload has these members and no others:
//!
//! | member | content |
//! | --- | --- |
//! | `v` | 1 |
//! | `chain` | base64url of the chain id |
//! | `aud` | USCC of the issuer |
//! | `vct` | type and version |
//! | `iat` | seconds since 1970 |
//! | `jwk` | the first copy's key, which signs the whole |
//! | `copies` | further one-time copies, if any: `<key>.<base64url of its signature>` each |
//! | `s` | only for persons: base64url of a [`Sealed`] secret of 32 bytes, the base of `kanhe_hb` |
//!
//! Every key proves its possession: the first by the JWS, each other by a signature over (chain, issuer, type, time,
//! first key, its own place), so that nobody can put another's proof into an application of his own. The number of
//! copies is the number of keys. The secret is sealed to the bureau's sealing key and bound to the first key.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::bounded::{Blob, List};
use crate::codec;
use crate::hash::ChainId;
use crate::identifiers::{Uscc, Vct};
use crate::ids::{SpanMs, TimeMs};
use crate::key::{PublicKey, SignError, Signature, Signer};
use crate::limits::COPIES_MAX;
use crate::possession::{PossessionUse, preimage};
use crate::sd_jwt::jws::{self, UnverifiedJws};
use crate::sd_jwt::{SdJwtError, json as strict_json, jwk};
use crate::seal::{SealError, SealInfo, SealPurpose, Sealed, SealingSecret, seal};
use crate::text;

/// `typ` of an application.
pub const TYP: &str = "kanhe-application+jwt";
/// The longest application in bytes: as much as a cell of a spreadsheet may hold.
pub const APPLICATION_BYTES_MAX: usize = 4_000;
/// How old an application may be when it is first looked at, in milliseconds: 90 days, as long as a sealing key lives.
pub const APPLICATION_AGE_MAX: SpanMs = SpanMs(90 * 24 * 3_600_000);
/// How far ahead a holder's clock may be, in milliseconds: 10 minutes.
pub const AHEAD_MAX: SpanMs = SpanMs(600_000);

const VERSION: u8 = 1;
const COPIES: usize = COPIES_MAX as usize;
const MEMBERS: [&str; 8] = ["v", "chain", "aud", "vct", "iat", "jwk", "copies", "s"];
/// A sealed secret of 32 bytes, encoded.
const SEALED_SECRET_BYTES: usize = 1 + 16 + 32 + 8 + 32 + 16;

/// Why an application is not made or not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationError {
    /// More bytes than allowed.
    #[error("{len} bytes are more than the {max} of an application")]
    TooLong {
        /// What was given.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not of the form at all, or a member is missing, malformed or unknown.
    #[error("malformed application: {0}")]
    Malformed(&'static str),
    /// Of a layout that is not known.
    #[error("unknown layout of an application")]
    Version,
    /// The JWS is not one of these, or not by the first key.
    #[error("the application's signature: {0}")]
    Jws(#[source] SdJwtError),
    /// Made for another chain.
    #[error("the application is for another chain")]
    OtherChain,
    /// Made for another bureau.
    #[error("the application is for issuer {0}")]
    OtherIssuer(Uscc),
    /// No keys, or more than copies are allowed.
    #[error("{0} keys where 1 to 16 are allowed")]
    Copies(usize),
    /// Two copies of one key could be linked.
    #[error("a key occurs twice")]
    KeyRepeated,
    /// The key of a further copy did not sign.
    #[error("copy {0} lacks the proof that its key is held")]
    CopyUnproved(usize),
    /// Older than [`APPLICATION_AGE_MAX`].
    #[error("the application is too old")]
    TooOld,
    /// Further ahead than [`AHEAD_MAX`].
    #[error("the application was made in the future")]
    Ahead,
    /// It carries no secret.
    #[error("the application carries no secret of a person")]
    NoSecret,
    /// The secret cannot be sealed or opened.
    #[error("the secret in the application: {0}")]
    Secret(#[source] SealError),
    /// The signer failed.
    #[error("{0}")]
    Sign(#[source] SignError),
}

impl ApplicationError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "application_too_long",
            Self::Malformed(_) => "application_malformed",
            Self::Version => "application_version",
            Self::Jws(_) => "application_signature",
            Self::OtherChain => "application_other_chain",
            Self::OtherIssuer(_) => "application_other_issuer",
            Self::Copies(_) => "application_copies",
            Self::KeyRepeated => "application_key_repeated",
            Self::CopyUnproved(_) => "application_copy_unproved",
            Self::TooOld => "application_too_old",
            Self::Ahead => "application_ahead",
            Self::NoSecret => "application_no_secret",
            Self::Secret(_) => "application_secret",
            Self::Sign(_) => "application_sign",
        }
    }
}

/// An application, made or proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The chain.
    pub chain: ChainId,
    /// Who shall issue.
    pub issuer: Uscc,
    /// Which type, in which version.
    pub vct: Vct,
    /// By the wallet's clock, in whole seconds.
    pub time: TimeMs,
    /// One key per copy, each used in no other licence; the first names the application.
    pub keys: List<PublicKey, COPIES>,
    /// A person's secret, sealed; see [`Application::seal_secret`].
    pub secret: Option<Sealed>,
}

impl Application {
    /// The key that names the application: licences are collected by its possession.
    pub fn key(&self) -> &PublicKey {
        &self.keys[0]
    }

    /// Seals a person's secret to the bureau's sealing key, for an application of this first licence key.
    pub fn seal_secret(
        secret: &[u8; 32],
        chain: ChainId,
        licence_key: &PublicKey,
        sealing_key: &PublicKey,
        seed: [u8; 32],
    ) -> Result<Sealed, ApplicationError> {
        seal(sealing_key, &secret_info(chain, licence_key), secret, seed).map_err(ApplicationError::Secret)
    }

    /// The person's secret, for the issuer alone.
    pub fn open_secret(&self, sealing: &SealingSecret) -> Result<Zeroizing<[u8; 32]>, ApplicationError> {
        let sealed = self.secret.as_ref().ok_or(ApplicationError::NoSecret)?;
        let opened = sealing.open(&secret_info(self.chain, self.key()), sealed).map_err(ApplicationError::Secret)?;
        let mut secret = Zeroizing::new([0; 32]);
        if opened.len() != secret.len() {
            return Err(ApplicationError::Malformed("s"));
        }
        secret.copy_from_slice(&opened);
        Ok(secret)
    }

    /// The application as text. The signers are those of [`keys`](Self::keys), in the same order.
    pub fn sign(&self, signers: &[&dyn Signer]) -> Result<String, ApplicationError> {
        check_keys(&self.keys)?;
        if !signers.iter().map(|signer| signer.public_key()).eq(self.keys.iter().cloned()) {
            return Err(ApplicationError::Malformed("keys and signers differ"));
        }
        let mut payload = json!({
            "v": VERSION,
            "chain": text::base64url(&self.chain.0),
            "aud": self.issuer.as_str(),
            "vct": self.vct.to_string(),
            "iat": self.time.0 / 1000,
            "jwk": jwk::to_jwk(self.key()).map_err(ApplicationError::Jws)?,
        });
        if self.keys.len() > 1 {
            payload["copies"] = self.copies(signers)?.into();
        }
        if let Some(sealed) = &self.secret {
            payload["s"] = text::base64url(&codec::encode(sealed)).into();
        }
        payload.sort_all_objects();
        let text = jws::sign(TYP, None, &payload, signers[0]).map_err(ApplicationError::Jws)?;
        bounded(&text)?;
        Ok(text)
    }

    fn copies(&self, signers: &[&dyn Signer]) -> Result<Vec<String>, ApplicationError> {
        let further = self.keys.iter().zip(signers).enumerate().skip(1);
        further
            .map(|(place, (key, signer))| {
                let signature = signer.sign(&self.copy_statement(place)).map_err(ApplicationError::Sign)?;
                Ok(format!("{key}.{}", text::base64url(&signature.bytes)))
            })
            .collect()
    }

    /// What the key at a place signs.
    fn copy_statement(&self, place: usize) -> Vec<u8> {
        let seconds = self.time.0 / 1000;
        preimage(PossessionUse::Copy, &(self.chain, self.issuer, &self.vct, seconds, self.key(), place as u64))
    }

    /// Proves an application made for this issuer on this chain.
    pub fn verify(text: &str, chain: &ChainId, issuer: &Uscc, now: TimeMs) -> Result<Self, ApplicationError> {
        let (application, proofs) = Self::read(text.trim_ascii())?;
        if application.chain != *chain {
            return Err(ApplicationError::OtherChain);
        }
        if application.issuer != *issuer {
            return Err(ApplicationError::OtherIssuer(application.issuer));
        }
        for (at, proof) in proofs.iter().enumerate() {
            let place = at + 1;
            let proved = application.keys[place].verify(&application.copy_statement(place), proof);
            proved.map_err(|_| ApplicationError::CopyUnproved(place))?;
        }
        if application.time.since(now) > AHEAD_MAX {
            return Err(ApplicationError::Ahead);
        }
        if now.since(application.time) > APPLICATION_AGE_MAX {
            return Err(ApplicationError::TooOld);
        }
        Ok(application)
    }

    /// Reads the members under the signature of the first key; the others' proofs are handed on.
    fn read(text: &str) -> Result<(Self, Vec<Signature>), ApplicationError> {
        bounded(text)?;
        let jws = UnverifiedJws::parse(text, TYP).map_err(ApplicationError::Jws)?;
        let payload = jws.verify(&claimed_key(text)?).map_err(ApplicationError::Jws)?;
        if payload.get("v").and_then(Value::as_u64) != Some(u64::from(VERSION)) {
            return Err(ApplicationError::Version);
        }
        if payload.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(ApplicationError::Malformed("an unknown member"));
        }
        let chain = text::from_base64url(member(&payload, "chain")?).ok().and_then(|bytes| bytes.try_into().ok());
        let seconds = payload.get("iat").and_then(Value::as_u64).and_then(|seconds| seconds.checked_mul(1000));
        let (mut keys, mut proofs) = (vec![first_key(&payload)?], Vec::new());
        for (key, proof) in further_keys(&payload)? {
            keys.push(key);
            proofs.push(proof);
        }
        check_keys(&keys)?;
        let application = Self {
            chain: ChainId(chain.ok_or(ApplicationError::Malformed("chain"))?),
            issuer: member(&payload, "aud")?.parse().map_err(|_| ApplicationError::Malformed("aud"))?,
            vct: member(&payload, "vct")?.parse().map_err(|_| ApplicationError::Malformed("vct"))?,
            time: TimeMs(seconds.ok_or(ApplicationError::Malformed("iat"))?),
            keys: List::new(keys).map_err(|error| ApplicationError::Copies(error.len))?,
            secret: payload.get("s").map(sealed_secret).transpose()?,
        };
        Ok((application, proofs))
    }
}

fn secret_info(chain: ChainId, licence_key: &PublicKey) -> SealInfo {
    let subject = Blob::new(codec::encode(&licence_key.id())).expect("16 bytes are within a subject");
    SealInfo { chain, purpose: SealPurpose::HolderSecret, subject }
}

fn bounded(text: &str) -> Result<(), ApplicationError> {
    let (len, max) = (text.len(), APPLICATION_BYTES_MAX);
    if len > max { Err(ApplicationError::TooLong { len, max }) } else { Ok(()) }
}

fn check_keys(keys: &[PublicKey]) -> Result<(), ApplicationError> {
    if keys.is_empty() || keys.len() > COPIES {
        return Err(ApplicationError::Copies(keys.len()));
    }
    let repeated = keys.iter().enumerate().any(|(at, key)| keys[..at].contains(key));
    if repeated { Err(ApplicationError::KeyRepeated) } else { Ok(()) }
}

/// The key that the payload names: the signature then proves that its holder wrote the payload.
fn claimed_key(text: &str) -> Result<PublicKey, ApplicationError> {
    let payload = text.split('.').nth(1).and_then(|part| text::from_base64url(part).ok());
    let payload = payload.ok_or(ApplicationError::Malformed("payload"))?;
    first_key(&strict_json::parse_object(&payload).map_err(|_| ApplicationError::Malformed("payload"))?)
}

fn first_key(payload: &Map<String, Value>) -> Result<PublicKey, ApplicationError> {
    payload.get("jwk").and_then(|key| jwk::from_jwk(key).ok()).ok_or(ApplicationError::Malformed("jwk"))
}

fn member<'a>(payload: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, ApplicationError> {
    payload.get(name).and_then(Value::as_str).ok_or(ApplicationError::Malformed(name))
}

fn further_keys(payload: &Map<String, Value>) -> Result<Vec<(PublicKey, Signature)>, ApplicationError> {
    const WRONG: ApplicationError = ApplicationError::Malformed("copies");
    let Some(copies) = payload.get("copies") else { return Ok(Vec::new()) };
    let copies = copies.as_array().filter(|copies| !copies.is_empty()).ok_or(WRONG)?;
    if copies.len() >= COPIES {
        return Err(ApplicationError::Copies(copies.len() + 1));
    }
    let read = |copy: &Value| {
        let (key, signature) = copy.as_str()?.split_once('.')?;
        let key: PublicKey = key.parse().ok()?;
        let bytes = Blob::new(text::from_base64url(signature).ok()?).ok()?;
        let algorithm = key.algorithm;
        Some((key, Signature { algorithm, bytes }))
    };
    copies.iter().map(|copy| read(copy).ok_or(WRONG)).collect()
}

fn sealed_secret(value: &Value) -> Result<Sealed, ApplicationError> {
    let bytes = value.as_str().and_then(|text| text::from_base64url(text).ok());
    let sealed = bytes.filter(|bytes| bytes.len() == SEALED_SECRET_BYTES);
    let sealed = sealed.and_then(|bytes| codec::decode(&bytes, SEALED_SECRET_BYTES).ok());
    sealed.ok_or(ApplicationError::Malformed("s"))
}
