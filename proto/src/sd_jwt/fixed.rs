//! The claims of every licence that are always visible: who, which type, until when, to whose key.

use serde_json::{Map, Value, json};

use crate::bounded::Text;
use crate::identifiers::{Did, Vct};
use crate::ids::TimeMs;
use crate::key::PublicKey;

use super::{SdJwtError, jwk};

/// Place in an IETF Token Status List, kept from the start so that one can be served later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRef {
    /// Random index in the list.
    pub idx: u32,
    /// Where the list is.
    pub uri: Text<256>,
}

/// The claims that a disclosure never carries. Times are whole seconds: milliseconds are cut off when issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedClaims {
    /// `iss`: the issuing bureau.
    pub issuer: Did,
    /// `vct`: type and version.
    pub vct: Vct,
    /// `jti`: random, so that no two licences have the same bytes.
    pub jti: Text<64>,
    /// `iat`: when the issuer says that it signed; the chain's word is the batch's time.
    pub issued_at: Option<TimeMs>,
    /// `nbf`: from when it is valid.
    pub not_before: Option<TimeMs>,
    /// `exp`: from when it is no longer valid; none: 长期.
    pub expires: Option<TimeMs>,
    /// `cnf.jwk`: the holder's key for this licence.
    pub holder: PublicKey,
    /// `status.status_list`.
    pub status: StatusRef,
}

impl FixedClaims {
    /// Names of these claims in the payload.
    pub const NAMES: [&'static str; 8] = ["iss", "vct", "jti", "iat", "nbf", "exp", "cnf", "status"];

    pub(super) fn write(&self, payload: &mut Map<String, Value>) -> Result<(), SdJwtError> {
        let mut put = |name: &str, value: Value| payload.insert(name.to_owned(), value);
        put("iss", self.issuer.to_string().into());
        put("vct", self.vct.to_string().into());
        put("jti", self.jti.as_str().into());
        put("cnf", json!({ "jwk": jwk::to_jwk(&self.holder)? }));
        put("status", json!({ "status_list": { "idx": self.status.idx, "uri": self.status.uri.as_str() } }));
        for (name, time) in [("iat", self.issued_at), ("nbf", self.not_before), ("exp", self.expires)] {
            if let Some(time) = time {
                put(name, (time.0 / 1000).into());
            }
        }
        Ok(())
    }

    pub(super) fn read(payload: &Map<String, Value>) -> Result<Self, SdJwtError> {
        let jti = text(payload, "jti")?;
        if jti.is_empty() {
            return Err(SdJwtError::ClaimWrong("jti"));
        }
        Ok(Self {
            issuer: text(payload, "iss")?.parse().map_err(|_| SdJwtError::ClaimWrong("iss"))?,
            vct: text(payload, "vct")?.parse().map_err(|_| SdJwtError::ClaimWrong("vct"))?,
            jti: Text::new(jti).map_err(|_| SdJwtError::ClaimWrong("jti"))?,
            issued_at: time(payload, "iat")?,
            not_before: time(payload, "nbf")?,
            expires: time(payload, "exp")?,
            holder: holder(payload)?,
            status: status(payload)?,
        })
    }
}

/// A string claim that must be there.
pub(super) fn text<'a>(payload: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, SdJwtError> {
    let value = payload.get(name).ok_or(SdJwtError::ClaimMissing(name))?;
    value.as_str().ok_or(SdJwtError::ClaimWrong(name))
}

/// A NumericDate of whole seconds, if it is there.
pub(super) fn time(payload: &Map<String, Value>, name: &'static str) -> Result<Option<TimeMs>, SdJwtError> {
    let Some(value) = payload.get(name) else { return Ok(None) };
    let ms = value.as_u64().and_then(|seconds| seconds.checked_mul(1000)).ok_or(SdJwtError::ClaimWrong(name))?;
    Ok(Some(TimeMs(ms)))
}

fn holder(payload: &Map<String, Value>) -> Result<PublicKey, SdJwtError> {
    let cnf = payload.get("cnf").ok_or(SdJwtError::ClaimMissing("cnf"))?;
    let key = cnf.as_object().and_then(|cnf| cnf.get("jwk")).ok_or(SdJwtError::ClaimWrong("cnf"))?;
    jwk::from_jwk(key)
}

fn status(payload: &Map<String, Value>) -> Result<StatusRef, SdJwtError> {
    const WRONG: SdJwtError = SdJwtError::ClaimWrong("status");
    let status = payload.get("status").ok_or(SdJwtError::ClaimMissing("status"))?;
    let list = status.get("status_list").and_then(Value::as_object).ok_or(WRONG)?;
    let idx = list.get("idx").and_then(Value::as_u64).and_then(|idx| u32::try_from(idx).ok()).ok_or(WRONG)?;
    let uri = list.get("uri").and_then(Value::as_str).and_then(|uri| Text::new(uri).ok()).ok_or(WRONG)?;
    Ok(StatusRef { idx, uri })
}
