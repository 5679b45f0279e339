//! Responses: presentations by query, and the evidence beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounded::Blob;
use crate::limits::{EVIDENCE_BYTES_MAX, RESPONSE_BYTES_MAX, RESPONSE_LICENCES_MAX};
use crate::sd_jwt::json;

/// Bytes of an encoded licence path.
pub const PATH_BYTES_MAX: usize = 4 << 10;

/// What staples a licence to the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stapled {
    /// Encoding of an [`crate::evidence::Evidence`].
    pub evidence: Blob<EVIDENCE_BYTES_MAX>,
    /// Encoding of a [`crate::evidence::LicencePath`].
    pub path: Blob<PATH_BYTES_MAX>,
}

/// A response in the shape of OpenID4VP, with evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// One SD-JWT+KB for each query.
    pub vp_token: BTreeMap<String, Vec<String>>,
    /// Its evidence, if the holder has any.
    #[serde(default)]
    pub evidence: BTreeMap<String, Stapled>,
}

/// Why bytes are not a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("response is malformed: {0}")]
pub struct ResponseError(pub String);

impl Response {
    /// Reads a response of anyone: JSON without a repeated name, within bounds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ResponseError> {
        if bytes.len() > RESPONSE_BYTES_MAX {
            return Err(ResponseError(format!("more than {RESPONSE_BYTES_MAX} bytes")));
        }
        let object = json::parse_object(bytes).map_err(|error| ResponseError(error.to_string()))?;
        let response: Self =
            serde_json::from_value(Value::Object(object)).map_err(|error| ResponseError(error.to_string()))?;
        if response.vp_token.len() > RESPONSE_LICENCES_MAX || response.evidence.len() > RESPONSE_LICENCES_MAX {
            return Err(ResponseError("too many licences".to_owned()));
        }
        Ok(response)
    }
    /// As it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and maps of strings are JSON")
    }
}
