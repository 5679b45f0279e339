//! Compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037) and an exact `typ`.

use serde_json::{Map, Value, json};

use crate::key::{Algorithm, KeyError, PublicKey, Signature, Signer};
use crate::text::{base64url, from_base64url};

use super::SdJwtError;
use super::json::{self, JsonError};

/// The one `alg` in use; ES256 has its place in the format of keys and none here yet.
pub const ALG: &str = "EdDSA";
/// The longest header, decoded, in bytes.
pub const HEADER_BYTES_MAX: usize = 4096;

impl From<JsonError> for SdJwtError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Malformed => Self::Format("not JSON of whole numbers"),
            JsonError::NotObject => Self::Format("not a JSON object"),
            JsonError::TooDeep => Self::TooDeep,
            JsonError::NameRepeated => Self::ClaimCollision,
        }
    }
}

/// A compact JWS whose signature nobody has checked yet: only what finds the key can be read.
#[derive(Debug, Clone)]
pub struct UnverifiedJws<'a> {
    text: &'a str,
    signing_input: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
    kid: Option<String>,
}

impl<'a> UnverifiedJws<'a> {
    /// Splits a compact JWS and reads its header: `alg` of the allow-list, exactly this `typ`, no `crit`.
    pub fn parse(text: &'a str, typ: &str) -> Result<Self, SdJwtError> {
        const SHAPE: SdJwtError = SdJwtError::Format("not three parts of a JWS");
        let (signing_input, signature) = text.rsplit_once('.').ok_or(SHAPE)?;
        let (header, payload) = signing_input.split_once('.').ok_or(SHAPE)?;
        if payload.contains('.') || header.is_empty() {
            return Err(SHAPE);
        }
        let kid = read_header(header, typ)?;
        let signature = from_base64url(signature).map_err(|_| SdJwtError::Format("signature is not base64url"))?;
        Ok(Self { text, signing_input, payload, signature, kid })
    }
    /// The `kid` as written: names a key, proves nothing.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
    /// The received text.
    pub const fn text(&self) -> &'a str {
        self.text
    }
    /// The payload, once the signature of this key over the received bytes is proved.
    pub fn verify(&self, key: &PublicKey) -> Result<Map<String, Value>, SdJwtError> {
        if key.algorithm != Algorithm::Ed25519 {
            return Err(SdJwtError::AlgNotAllowed);
        }
        let bytes: [u8; 64] = self.signature.as_slice().try_into().map_err(|_| SdJwtError::SignatureWrong)?;
        match key.verify(self.signing_input.as_bytes(), &Signature::ed25519(bytes)) {
            Ok(()) => self.payload(),
            Err(KeyError::NotInUse(_) | KeyError::AlgorithmDiffers { .. }) => Err(SdJwtError::AlgNotAllowed),
            Err(KeyError::Malformed | KeyError::Wrong) => Err(SdJwtError::SignatureWrong),
        }
    }
    /// The payload without any proof: for the holder's own licences only.
    pub(super) fn payload(&self) -> Result<Map<String, Value>, SdJwtError> {
        let bytes = from_base64url(self.payload).map_err(|_| SdJwtError::Format("payload is not base64url"))?;
        Ok(json::parse_object(&bytes)?)
    }
}

fn read_header(header: &str, typ: &str) -> Result<Option<String>, SdJwtError> {
    let bytes = from_base64url(header).map_err(|_| SdJwtError::Format("header is not base64url"))?;
    if bytes.len() > HEADER_BYTES_MAX {
        return Err(SdJwtError::TooLarge { len: bytes.len(), max: HEADER_BYTES_MAX });
    }
    let header = json::parse_object(&bytes)?;
    if header.get("alg").and_then(Value::as_str) != Some(ALG) {
        return Err(SdJwtError::AlgNotAllowed);
    }
    if header.get("typ").and_then(Value::as_str) != Some(typ) {
        return Err(SdJwtError::TypWrong);
    }
    if header.contains_key("crit") {
        return Err(SdJwtError::HeaderCritical);
    }
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) => Ok(Some(kid.clone())),
        Some(_) => Err(SdJwtError::KidWrong),
    }
}

/// Signs a payload as compact JWS under this `typ` and `kid`.
pub fn sign(typ: &str, kid: Option<&str>, payload: &Value, signer: &dyn Signer) -> Result<String, SdJwtError> {
    if signer.public_key().algorithm != Algorithm::Ed25519 {
        return Err(SdJwtError::AlgNotAllowed);
    }
    let mut header = json!({ "alg": ALG, "typ": typ });
    if let Some(kid) = kid {
        header["kid"] = Value::from(kid);
    }
    // Whatever kind of map serde_json is built with, the bytes are the same.
    header.sort_all_objects();
    let mut jws = base64url(header.to_string().as_bytes());
    jws.push('.');
    jws.push_str(&base64url(payload.to_string().as_bytes()));
    let signature = signer.sign(jws.as_bytes())?;
    jws.push('.');
    jws.push_str(&base64url(&signature.bytes));
    Ok(jws)
}
