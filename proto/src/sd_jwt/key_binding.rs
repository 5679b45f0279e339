//! The key binding JWT: the holder made this presentation, for this verifier and request (RFC 9901 §4.3, §7.3).

use serde_json::{Value, json};

use crate::hash::sha256;
use crate::ids::{SpanMs, TimeMs};
use crate::key::{PublicKey, Signer};
use crate::text::base64url;

use super::fixed::{text, time};
use super::jws::{self, UnverifiedJws};
use super::{KEY_BINDING_TYP, SdJwtError};

/// What a holder binds a presentation to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBinding {
    /// `nonce` of the request.
    pub nonce: String,
    /// `aud`: the asker's DID.
    pub audience: String,
    /// `iat`, by the wallet's clock, in whole seconds.
    pub issued_at: TimeMs,
    /// `set`: over all presentations of the response, so that none can be put into another; see [`set`].
    pub set: Option<String>,
}

/// What a verifier demands of a key binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedBinding<'a> {
    /// The nonce of its request.
    pub nonce: &'a str,
    /// Its own DID.
    pub audience: &'a str,
    /// [`set`] of the response; none: not looked at.
    pub set: Option<&'a str>,
}

/// base64url(SHA-256(SD-JWT up to and with the last `~`)).
pub fn sd_hash(presented: &str) -> String {
    base64url(&sha256(&[presented.as_bytes()]))
}

/// base64url(SHA-256(the `sd_hash` strings in query order, joined by `.`)).
pub fn set<T: AsRef<str>>(sd_hashes: &[T]) -> String {
    let joined: Vec<&str> = sd_hashes.iter().map(AsRef::as_ref).collect();
    base64url(&sha256(&[joined.join(".").as_bytes()]))
}

impl KeyBinding {
    /// The key binding JWT over a presentation of this `sd_hash`.
    pub(super) fn sign(&self, sd_hash: &str, signer: &dyn Signer) -> Result<String, SdJwtError> {
        let mut payload = json!({
            "aud": self.audience, "iat": self.issued_at.0 / 1000, "nonce": self.nonce, "sd_hash": sd_hash
        });
        if let Some(set) = &self.set {
            payload["set"] = Value::from(set.as_str());
        }
        payload.sort_all_objects();
        jws::sign(KEY_BINDING_TYP, None, &payload, signer)
    }

    /// Whether it was made at most `age_max` ago and, clocks being what they are, at most `ahead_max` ahead.
    pub fn check_time(&self, now: TimeMs, age_max: SpanMs, ahead_max: SpanMs) -> Result<(), SdJwtError> {
        let in_time = now.since(self.issued_at) <= age_max && self.issued_at.since(now) <= ahead_max;
        if in_time { Ok(()) } else { Err(SdJwtError::KeyBindingTime) }
    }
}

/// Proves a key binding JWT under the licence's own key, over the received bytes.
pub(super) fn verify(
    jwt: &str,
    holder: &PublicKey,
    sd_hash: &str,
    expected: &ExpectedBinding<'_>,
) -> Result<KeyBinding, SdJwtError> {
    let payload = UnverifiedJws::parse(jwt, KEY_BINDING_TYP)?.verify(holder).map_err(|error| match error {
        SdJwtError::SignatureWrong => SdJwtError::KeyBindingSignature,
        other => other,
    })?;
    let nonce = text(&payload, "nonce")?;
    if nonce != expected.nonce {
        return Err(SdJwtError::NonceWrong);
    }
    let audience = text(&payload, "aud")?;
    if audience != expected.audience {
        return Err(SdJwtError::AudienceWrong);
    }
    if text(&payload, "sd_hash")? != sd_hash {
        return Err(SdJwtError::SdHashWrong);
    }
    let set = match payload.get("set") {
        None => None,
        Some(Value::String(set)) => Some(set.clone()),
        Some(_) => return Err(SdJwtError::SetWrong),
    };
    if expected.set.is_some() && set.as_deref() != expected.set {
        return Err(SdJwtError::SetWrong);
    }
    let issued_at = time(&payload, "iat")?.ok_or(SdJwtError::ClaimMissing("iat"))?;
    Ok(KeyBinding { nonce: nonce.to_owned(), audience: audience.to_owned(), issued_at, set })
}
