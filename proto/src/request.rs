//! Requests: what a relying party asks of a holder, signed.
//!
//! A JWT in the shape of OpenID4VP: a DCQL query, a nonce, the asker's DID as `client_id` (and `aud` of the answer),
//! and what Kanhe adds: purpose, the greatest age of evidence, and whether all licences must be of one person.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::consent;
use crate::identifiers::{Did, KeyUrl, TypeCode, Vct};
use crate::ids::{SpanMs, TimeMs};
use crate::key::{PublicKey, Signer};
use crate::limits::{CODE_BYTES_MAX, REGISTRY_LIST_MAX, REQUEST_BYTES_MAX, RESPONSE_LICENCES_MAX};
use crate::registry::RelyingParty;
use crate::sd_jwt::jws::{self, UnverifiedJws};
use crate::sd_jwt::{ClaimPath, HOLDER_BINDING_CLAIM, SdJwtError, Step};

/// `typ` of a request (RFC 9101).
pub const REQUEST_TYP: &str = "oauth-authz-req+jwt";
/// `format` of a query.
pub const LICENCE_FORMAT: &str = "dc+sd-jwt";
/// Longest life of a request: ten minutes.
pub const REQUEST_LIFE_MAX: SpanMs = SpanMs(600_000);
const NONCE_CHARS: std::ops::RangeInclusive<usize> = 22..=86;

/// A licence asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceQuery {
    /// Names the answer; letters, digits, `_` and `-`.
    pub id: String,
    /// `dc+sd-jwt`.
    pub format: String,
    /// Which types.
    pub meta: QueryMeta,
    /// Which claims.
    pub claims: Vec<ClaimQuery>,
}

/// Types that a query accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryMeta {
    /// Each a type and version.
    pub vct_values: Vec<Vct>,
}

/// One claim asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimQuery {
    /// Where it is.
    pub path: ClaimPath,
}

/// A DCQL query of licences; all are needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dcql {
    /// In the order of the answer's `set`.
    pub credentials: Vec<LicenceQuery>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The asker's DID; `aud` of key bindings.
    pub client_id: Did,
    /// `vp_token`.
    pub response_type: String,
    /// At least 128 random bits, base64url.
    pub nonce: String,
    /// What is asked.
    pub dcql_query: Dcql,
    /// Code of a registered purpose.
    pub purpose: String,
    /// Greatest age of evidence, in milliseconds.
    pub max_age_ms: SpanMs,
    /// Whether all licences must be of one person.
    pub same_holder: bool,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// When it ends, at most ten minutes later.
    pub exp: u64,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not a signed request.
    #[error("not a signed request: {0}")]
    Jwt(#[from] SdJwtError),
    /// Too long, or a field missing, of another kind or out of bounds.
    #[error("request is malformed: {0}")]
    Malformed(String),
    /// Its time is over.
    #[error("the request expired")]
    Expired,
    /// It lives longer than a request may.
    #[error("the request lives longer than ten minutes")]
    LivesTooLong,
    /// Signed by a key that is not the asker's registered one.
    #[error("not signed by the registered key of the asker")]
    NotOfAsker,
    /// The registry does not have the asker now.
    #[error("the asker is not a registered relying party")]
    NotRegistered,
    /// A claim that the asker may not ask for.
    #[error("the asker may not ask for `{claim}` of type {type_code}")]
    BeyondRight {
        /// Of which type.
        type_code: TypeCode,
        /// Which claim.
        claim: String,
    },
    /// A purpose that the asker may not name.
    #[error("the asker may not ask for the purpose `{0}`")]
    Purpose(String),
}

impl RequestError {
    /// Stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Jwt(error) => error.code(),
            Self::Malformed(_) => "request_malformed",
            Self::Expired => "request_expired",
            Self::LivesTooLong => "request_too_long",
            Self::NotOfAsker => "request_signature_wrong",
            Self::NotRegistered => "asker_not_registered",
            Self::BeyondRight { .. } => "beyond_right",
            Self::Purpose(_) => "purpose_not_allowed",
        }
    }
}

/// A request as received: names its signer, nothing of it is proved.
#[derive(Debug, Clone)]
pub struct UnverifiedRequest<'a> {
    jws: UnverifiedJws<'a>,
    kid: KeyUrl,
}

impl<'a> UnverifiedRequest<'a> {
    /// Reads the header.
    pub fn parse(text: &'a str) -> Result<Self, RequestError> {
        if text.len() > REQUEST_BYTES_MAX {
            return Err(SdJwtError::TooLarge { len: text.len(), max: REQUEST_BYTES_MAX }.into());
        }
        let jws = UnverifiedJws::parse(text, REQUEST_TYP)?;
        let kid = jws.kid().and_then(|kid| kid.parse().ok()).ok_or(SdJwtError::KidWrong)?;
        Ok(Self { jws, kid })
    }
    /// The key that it says it is signed with.
    pub const fn kid(&self) -> &KeyUrl {
        &self.kid
    }
    /// The request, once it is proved to be signed with this key and is well formed.
    pub fn verify(&self, key: &PublicKey) -> Result<Request, RequestError> {
        if key.id() != self.kid.key {
            return Err(RequestError::NotOfAsker);
        }
        let payload = self.jws.verify(key)?;
        let request: Request = serde_json::from_value(Value::Object(payload))
            .map_err(|error| RequestError::Malformed(error.to_string()))?;
        request.check()?;
        if request.client_id != self.kid.did {
            return Err(RequestError::NotOfAsker);
        }
        Ok(request)
    }
}

impl Request {
    /// Signs it with the asker's request key.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, RequestError> {
        self.check()?;
        let kid = self.client_id.key_url(signer.public_key().id()).to_string();
        let mut payload = serde_json::to_value(self).map_err(|error| RequestError::Malformed(error.to_string()))?;
        // Whatever kind of map serde_json is built with, the bytes are the same.
        payload.sort_all_objects();
        Ok(jws::sign(REQUEST_TYP, Some(&kid), &payload, signer)?)
    }

    /// Form and bounds, which need neither clock nor registry.
    pub fn check(&self) -> Result<(), RequestError> {
        let malformed = |what: &str| Err(RequestError::Malformed(what.to_owned()));
        if self.response_type != "vp_token" {
            return malformed("response_type is not vp_token");
        }
        if !NONCE_CHARS.contains(&self.nonce.len()) || !self.nonce.bytes().all(is_id_byte) {
            return malformed("nonce is not base64url of at least 16 bytes");
        }
        if self.purpose.is_empty() || self.purpose.len() > CODE_BYTES_MAX {
            return malformed("purpose is empty or too long");
        }
        let queries = &self.dcql_query.credentials;
        if queries.is_empty() || queries.len() > RESPONSE_LICENCES_MAX {
            return malformed("no licence asked for, or too many");
        }
        for (place, query) in queries.iter().enumerate() {
            if query.format != LICENCE_FORMAT {
                return malformed("format is not dc+sd-jwt");
            }
            if query.id.is_empty() || query.id.len() > 64 || !query.id.bytes().all(is_id_byte) {
                return malformed("id of a query is not letters, digits, `_` and `-`");
            }
            if queries[..place].iter().any(|earlier| earlier.id == query.id) {
                return malformed("two queries have one id");
            }
            if query.meta.vct_values.is_empty() || query.meta.vct_values.len() > REGISTRY_LIST_MAX {
                return malformed("no type asked for, or too many");
            }
            let named = |claim: &ClaimQuery| matches!(claim.path.steps().first(), Some(Step::Name(_)));
            if query.claims.len() > REGISTRY_LIST_MAX || !query.claims.iter().all(named) {
                return malformed("too many claims, or a path that does not begin with a name");
            }
            if query.claims.iter().any(|claim| consent::is_trace(&claim.path)) {
                return malformed("the key by which a person recognises reads is shown to nobody");
            }
        }
        if self.exp <= self.iat || (self.exp - self.iat).saturating_mul(1000) > REQUEST_LIFE_MAX.0 {
            return Err(RequestError::LivesTooLong);
        }
        Ok(())
    }

    /// Is it still to be answered?
    pub fn check_time(&self, now: TimeMs) -> Result<(), RequestError> {
        if now.0 / 1000 >= self.exp { Err(RequestError::Expired) } else { Ok(()) }
    }

    /// Does the asker have the right to ask for all of it?
    pub fn check_right(&self, asker: &RelyingParty) -> Result<(), RequestError> {
        if !asker.purposes.iter().any(|purpose| purpose.as_str() == self.purpose) {
            return Err(RequestError::Purpose(self.purpose.clone()));
        }
        for query in &self.dcql_query.credentials {
            for vct in &query.meta.vct_values {
                for claim in query.claim_names() {
                    if !asker.may_ask(&vct.code, claim) {
                        return Err(RequestError::BeyondRight { type_code: vct.code.clone(), claim: claim.to_owned() });
                    }
                }
            }
        }
        Ok(())
    }
}

impl LicenceQuery {
    /// The top-level claims asked for.
    pub fn claim_names(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().filter_map(|claim| match claim.path.steps().first() {
            Some(Step::Name(name)) => Some(name.as_str()),
            _ => None,
        })
    }
    /// What to disclose: the claims asked for, and `kanhe_hb` if one person must be shown.
    pub fn paths(&self, same_holder: bool) -> Vec<ClaimPath> {
        let mut paths: Vec<ClaimPath> = self.claims.iter().map(|claim| claim.path.clone()).collect();
        let binding = ClaimPath::name(HOLDER_BINDING_CLAIM);
        if same_holder && !paths.contains(&binding) {
            paths.push(binding);
        }
        paths
    }
}

const fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
