//! The lines of an export: one JSON value a line, named by its only member.
//!
//! | line | how often | what it says |
//! | --- | --- | --- |
//! | `log` | first | which blocks, what is shown, the header before them with the log's frontier |
//! | `record` | once for each record shown | the record, decoded and as bytes |
//! | `left_out` | where records are not shown | their leaf hashes |
//! | `hand_over` | after the records | each change of validators since genesis |
//! | `end` | last | last and newest header, and the proof from the one to the other |

use kanhe_proto::api::{CertifiedBytes, ConsistencyBytes, FrontierBytes};
use kanhe_proto::bounded::Blob;
use kanhe_proto::governance::Proposal;
use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::Day;
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::limits::{HAND_OVER_BYTES_MAX, RECORD_BYTES_MAX};
use kanhe_proto::log_record::LogRecord;
use kanhe_proto::record::RecordKind;
use kanhe_proto::text::hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::filter::Filter;

/// Layout of exports.
pub const FORMAT: u32 = 1;
/// Records in one line of those left out: those of a page.
pub const LEFT_OUT_MAX: usize = 1 << 10;
/// Bytes of a line: the largest is a hand-over.
pub const LINE_BYTES_MAX: usize = 2 * HAND_OVER_BYTES_MAX;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// What the file is.
    Log(Box<Head>),
    /// A record.
    Record(RecordLine),
    /// Records that are not shown.
    LeftOut(LeftOut),
    /// A change of validators: encoding of a hand-over, as base64url.
    HandOver(#[schemars(with = "String")] Blob<HAND_OVER_BYTES_MAX>),
    /// What all of it is proved by.
    End(Box<End>),
}

/// What an export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Layout: 1.
    pub format: u32,
    /// The chain as in DIDs.
    pub chain: String,
    /// Hash of its genesis.
    pub chain_id: String,
    /// The first block.
    #[schemars(with = "u64")]
    pub from_height: Height,
    /// The last block.
    #[schemars(with = "u64")]
    pub to_height: Height,
    /// Set if blocks were asked for from this day on.
    #[schemars(with = "Option<String>")]
    pub from_day: Option<Day>,
    /// Set if they were asked for up to this day.
    #[schemars(with = "Option<String>")]
    pub to_day: Option<Day>,
    /// What is shown.
    pub shown: Filter,
    /// Index of the first record.
    #[schemars(with = "u64")]
    pub first: LogIndex,
    /// Encoding of the certified header before, as base64url; null at the beginning of the chain.
    #[schemars(with = "Option<String>")]
    pub before: Option<CertifiedBytes>,
    /// Encoding of the log's frontier there, as base64url.
    #[schemars(with = "String")]
    pub frontier: FrontierBytes,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordLine {
    /// Its place in the log; of a batch, the batch id.
    #[schemars(with = "u64")]
    pub index: LogIndex,
    /// `batch`, `access`, `case`, `governance`, `equivocation`, or `kind_N`.
    pub kind: String,
    /// Version of its layout.
    pub version: u8,
    /// The block that recorded it; null if its layout is not known here.
    #[schemars(with = "Option<u64>")]
    pub height: Option<Height>,
    /// Time of that block, in milliseconds since 1970.
    pub time_ms: Option<u64>,
    /// What it says, by kind; `hex` alone if its layout is not known here.
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub content: Value,
    /// The record itself: kind, version and encoding, as base64url.
    #[schemars(with = "String")]
    pub bytes: Blob<RECORD_BYTES_MAX>,
}

/// Records that are not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Index of the first of them.
    #[schemars(with = "u64")]
    pub first: LogIndex,
    /// Their leaf hashes, one after the other, as base64url.
    #[schemars(with = "String")]
    pub hashes: Blob<{ 32 * LEFT_OUT_MAX }>,
}

/// What an export is proved by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Records shown.
    pub records: u64,
    /// Records left out.
    pub left_out: u64,
    /// Encoding of the last block's certified header, as base64url.
    #[schemars(with = "String")]
    pub last: CertifiedBytes,
    /// The one after it, where the last day must be whole; null if the chain had none yet.
    #[schemars(with = "Option<String>")]
    pub next: Option<CertifiedBytes>,
    /// The newest one when the export was made.
    #[schemars(with = "String")]
    pub newest: CertifiedBytes,
    /// Encoding of the proof that the newest header's log begins with the last block's, as base64url.
    #[schemars(with = "String")]
    pub consistency: ConsistencyBytes,
}

impl Line {
    /// As it is written, without the end of line.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and lists always serialise")
    }
}

impl RecordLine {
    /// The line of a record.
    pub fn of(index: LogIndex, bytes: &Blob<RECORD_BYTES_MAX>, record: &LogRecord) -> Self {
        let recorded = record.recorded();
        Self {
            index,
            kind: kind_of(bytes),
            version: bytes.get(1).copied().unwrap_or_default(),
            height: recorded.map(|(height, _)| height),
            time_ms: recorded.map(|(_, time)| time.0),
            content: content_of(bytes, record),
            bytes: bytes.clone(),
        }
    }
}

impl LeftOut {
    /// The hashes.
    pub fn each(&self) -> impl Iterator<Item = Hash> + '_ {
        self.hashes.chunks_exact(32).map(|hash| Hash(hash.try_into().expect("32 bytes each")))
    }
    /// Whether the bytes are whole hashes, and at least one.
    pub fn is_whole(&self) -> bool {
        !self.hashes.is_empty() && self.hashes.len().is_multiple_of(32)
    }
}

/// The name of a record's kind.
pub fn kind_of(bytes: &[u8]) -> String {
    let byte = bytes.first().copied().unwrap_or_default();
    let name = match RecordKind::from_byte(byte) {
        Some(RecordKind::Batch) => "batch",
        Some(RecordKind::Access) => "access",
        Some(RecordKind::Case) => "case",
        Some(RecordKind::Governance) => "governance",
        Some(RecordKind::Equivocation) => "equivocation",
        Some(RecordKind::Consent) => "consent",
        Some(RecordKind::EnterpriseAccount) => "account",
        None => return format!("kind_{byte}"),
    };
    name.to_owned()
}

/// What a record says. Kinds that get a layout get their arm here.
fn content_of(bytes: &[u8], record: &LogRecord) -> Value {
    let plain = |value: serde_json::Result<Value>| value.expect("records always serialise");
    match record {
        LogRecord::Batch(batch) => json!({
            "issuer": batch.issuer.to_string(),
            "signing_key": batch.signing_key.to_string(),
            "type": format!("{}:{}", batch.type_code, batch.type_version),
            "root": batch.root.to_string(),
            "count": batch.count,
        }),
        LogRecord::Case(case) => json!({
            "case": case.case.to_string(),
            "number": case.number,
            "before": case.before,
            "item": case.item.as_str(),
            "version": case.version,
            "event": plain(serde_json::to_value(&case.event)),
            "status": plain(serde_json::to_value(case.status)),
        }),
        LogRecord::Governance(decided) => json!({
            "proposal_id": decided.proposal_id().to_string(),
            "proposal": Proposal::from_bytes(&decided.proposal).ok().map(|known| plain(serde_json::to_value(known))),
            "votes": plain(serde_json::to_value(&decided.votes)),
            "members": decided.members,
            "threshold": plain(serde_json::to_value(decided.threshold)),
        }),
        LogRecord::Equivocation(proved) => json!({
            "bureau": proved.bureau.to_string(),
            "key": plain(serde_json::to_value(&proved.key)),
            "proof": plain(serde_json::to_value(&proved.proof)),
        }),
        LogRecord::Access(access) => json!({
            "number": access.number,
            "before": access.before,
            "read": plain(serde_json::to_value(&access.read)),
        }),
        LogRecord::Consent(consent) => json!({
            "consent": consent.consent.to_string(),
            "before": consent.before,
            "act": plain(serde_json::to_value(&consent.act)),
        }),
        LogRecord::Account(account) => json!({
            "before": account.before,
            "act": plain(serde_json::to_value(&account.signed)),
        }),
        LogRecord::Other => json!({ "hex": hex(bytes) }),
    }
}
