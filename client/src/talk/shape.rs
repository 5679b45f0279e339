//! Shapes in JSON of what `kanhe_proto` defines, for the published schemas: the protocol's own types know no schema
//! language. The tests hold every output of every command against the schemas, so that a shape that is not that of its
//! type fails.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A name in both languages.
#[derive(Debug, JsonSchema)]
pub struct Names {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// What a licence is worth on the chain.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Status {
    /// Good.
    Active,
    /// Not to be relied on for now.
    Suspended,
    /// Replaced by another; final.
    Superseded,
    /// Withdrawn; final.
    Revoked,
}

/// How a step of a case ends.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Approved, with no officer.
    Approved,
    /// Rejected.
    Rejected,
    /// Sent back to be corrected.
    Returned,
    /// An officer decides.
    Officer,
}

/// What a bureau decided on a step.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Decided {
    /// Yes.
    Approved,
    /// No: ends the case.
    Rejected,
    /// Those whom the step waits for present anew.
    Returned,
}

/// What a response is worth.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Outcome {
    /// Wrong in itself, or proved to be issued without a right.
    Invalid,
    /// Could not be told: do not accept.
    Undecided,
    /// Withdrawn for good.
    Revoked,
    /// Replaced by another for good.
    Superseded,
    /// Past its last day.
    Expired,
    /// Before its first day.
    NotYetValid,
    /// Withdrawn for now.
    Suspended,
    /// Good.
    Valid,
}

/// The verdict on a response: that of its worst licence.
#[derive(Debug, JsonSchema)]
pub struct Verdict {
    /// What it is worth.
    pub outcome: Outcome,
    /// Which of the eight rules of the verdict says so.
    pub rule: u8,
    /// Stable reason code.
    pub code: String,
    /// The oldest time of evidence, if all have one, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Each licence by query.
    pub licences: Vec<LicenceVerdict>,
}

/// The verdict on one licence.
#[derive(Debug, JsonSchema)]
pub struct LicenceVerdict {
    /// The query that it answers.
    pub query: String,
    /// What it is worth.
    pub outcome: Outcome,
    /// Which rule says so.
    pub rule: u8,
    /// Stable reason code.
    pub code: String,
    /// Time of the header that proves the status, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Status then, where it is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Who issued it, as far as proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,
    /// Its type, as far as proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence_type: Option<ProvedType>,
    /// What was disclosed; not of an undecided verdict, unless asked for.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

/// An issuer, from the registry.
#[derive(Debug, JsonSchema)]
pub struct Issuer {
    /// Its unified social credit code.
    pub uscc: String,
    /// Its name.
    pub names: Names,
}

/// A type, from the registry.
#[derive(Debug, JsonSchema)]
pub struct ProvedType {
    /// `urn:kanhe:type:…`.
    pub vct: String,
    /// Its name.
    pub names: Names,
}

/// How a node does: its own word.
#[derive(Debug, JsonSchema)]
pub struct NodeStatus {
    /// Always true.
    pub unproven: bool,
    /// The chain as in DIDs.
    pub chain: String,
    /// Its id, in hexadecimal.
    pub chain_id: String,
    /// Height of its tip.
    pub height: u64,
    /// Hash of its tip, in hexadecimal.
    pub header_hash: String,
    /// Time of its tip, in milliseconds since 1970.
    pub time_ms: u64,
    /// Records in the log.
    pub log_size: u64,
    /// Transactions waiting.
    pub pending: u64,
    /// Connected peers.
    pub peers: u64,
    /// Whether it follows the chain and answers.
    pub ready: bool,
    /// Version of the software.
    pub version: String,
}

/// A response in the shape of OpenID4VP, with evidence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Response {
    /// One SD-JWT+KB for each query.
    pub vp_token: BTreeMap<String, Vec<String>>,
    /// Its evidence, if the holder has any.
    pub evidence: BTreeMap<String, Stapled>,
}

/// Evidence beside a licence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stapled {
    /// The licence's path in its batch, in base64url.
    pub path: String,
    /// Evidence as of some time, in base64url.
    pub evidence: String,
}

/// A step into a claim: the name of a property, the place of an element from 0, or null for every element.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Step {
    /// A property.
    Name(String),
    /// An element.
    Index(u32),
    /// Every element.
    Any(()),
}

/// A public key as JWK (RFC 7517), with the names of its use.
#[derive(Debug, JsonSchema)]
pub struct Jwk {
    /// `OKP` or `EC`.
    pub kty: String,
    /// The curve.
    pub crv: String,
    /// Coordinate, in base64url.
    pub x: String,
    /// The other one, of a P-256 key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The key's URL, as licences name it.
    pub kid: String,
    /// Algorithm of its signatures.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}
