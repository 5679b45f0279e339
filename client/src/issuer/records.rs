//! Rows of the issuer's register.

use kanhe_proto::bounded::Blob;
use kanhe_proto::codec::{self, CodecError};
use kanhe_proto::consent::{TRACE_CLAIM, TraceKey};
use kanhe_proto::hash::{Hash, LicenceDigest, TransactionId};
use kanhe_proto::identifiers::{LicenceNumber, Vct};
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::TRANSACTION_BYTES_MAX;
use kanhe_proto::pickup::PickupEntry;
use kanhe_proto::response::PATH_BYTES_MAX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::vault::Table;

/// Longest encoding of a code's state, in bytes.
const PICKUP_ENTRY_BYTES_MAX: usize = 256;

pub(super) const LICENCES: Table<LicenceEntry> = Table::new("licences");
pub(super) const BATCHES: Table<BatchEntry> = Table::new("batches");
pub(super) const PATHS: Table<Blob<PATH_BYTES_MAX>> = Table::new("paths");
pub(super) const RUNS: Table<Run> = Table::new("runs");
pub(super) const UNIQUE: Table<Use> = Table::new("unique");
/// Batches that are not proved to be on the chain, by their keys.
pub(super) const OPEN: Table<u32> = Table::new("open");
pub(super) const PICKUPS: Table<Awaiting> = Table::new("pickups");
/// Number of a row that awaits pickup → that of its extract.
pub(super) const EXTRACTS: Table<LicenceNumber> = Table::new("extracts");
/// Hash of a pickup code → the number that it is for.
pub(super) const CODES: Table<LicenceNumber> = Table::new("codes");
/// Name of what something is for → the number of the row that awaits pickup for it.
pub(super) const PROMISED: Table<LicenceNumber> = Table::new("promised");
/// The salt of each run's pickup codes.
pub(super) const SALTS: Table<Blob<16>> = Table::new("salts");

/// What was journaled under a name of its own.
pub(super) const JOURNALED: Table<Journaled> = Table::new("journaled");

/// Where the licence is that something was issued as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journaled {
    /// Run of its batch.
    pub run: String,
    /// The batch's place in the run.
    pub place: u32,
    /// The licence's number.
    pub number: LicenceNumber,
}

/// One copy of a licence: its own key, salts and number in the status list.
#[derive(Clone, Serialize, Deserialize)]
pub struct IssuedCopy {
    /// Names it on the chain.
    pub digest: LicenceDigest,
    /// The SD-JWT with all its disclosures.
    pub sd_jwt: String,
}

/// A licence that was signed here; whether it is anchored, its batch says.
#[derive(Clone, Serialize, Deserialize)]
pub struct LicenceEntry {
    /// 电子证照标识.
    pub number: LicenceNumber,
    /// Type and version.
    pub vct: Vct,
    /// All claims.
    pub claims: Map<String, Value>,
    /// All copies; a status act covers all of them.
    pub copies: Vec<IssuedCopy>,
    /// First key of the application that it answers.
    pub application: KeyId,
    /// The run that issued it.
    pub run: String,
    /// Its batch within the run.
    pub batch: u32,
    /// Its line in the file.
    pub line: u32,
    /// When it was signed, in milliseconds since 1970.
    pub signed_ms: u64,
    /// The version that it takes the place of.
    pub replaces: Option<LicenceNumber>,
    /// Whether a later version is on the chain.
    pub replaced: bool,
    /// The row awaiting pickup that it was signed of for a read: nobody has its key.
    #[serde(default)]
    pub extract_of: Option<LicenceNumber>,
}

impl std::fmt::Debug for LicenceEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "LicenceEntry({})", self.number)
    }
}

impl LicenceEntry {
    /// A claim's text.
    pub fn claim(&self, code: &str) -> &str {
        text(&self.claims, code)
    }
    /// The key of the records of who read about its holder, for a natural person.
    pub fn trace(&self) -> Option<TraceKey> {
        TraceKey::from_claim(self.claim(TRACE_CLAIM)).ok()
    }
    /// Whether a person who looks for this text means this licence: its number, certificate number or holder's code
    /// exactly, or a part of the holder's name.
    pub fn answers(&self, query: &str) -> bool {
        answers(&self.number, &self.claims, query)
    }
}

fn text<'a>(claims: &'a Map<String, Value>, code: &str) -> &'a str {
    claims.get(code).and_then(Value::as_str).unwrap_or_default()
}

fn answers(number: &LicenceNumber, claims: &Map<String, Value>, query: &str) -> bool {
    !query.is_empty()
        && (number.to_string() == query
            || [text(claims, "ZZBH"), text(claims, "CZZTDM")].contains(&query)
            || text(claims, "CZZT").contains(query))
}

/// A licence that awaits pickup: nothing is signed before somebody comes with the code and a key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Awaiting {
    /// The number that it will have.
    pub number: LicenceNumber,
    /// Type and version.
    pub vct: Vct,
    /// The claims of its row.
    pub claims: Map<String, Value>,
    /// Encoding of the [`PickupEntry`].
    pub pickup: Blob<PICKUP_ENTRY_BYTES_MAX>,
    /// The run that prepared it.
    pub run: String,
    /// Its line in the file.
    pub line: u32,
}

impl std::fmt::Debug for Awaiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "Awaiting({})", self.number)
    }
}

impl Awaiting {
    /// The code's hash, and the key that it is bound to.
    pub fn entry(&self) -> Result<PickupEntry, CodecError> {
        codec::decode(&self.pickup, PICKUP_ENTRY_BYTES_MAX)
    }
    /// The same licence with another state of its code.
    pub fn with_entry(self, entry: &PickupEntry) -> Self {
        Self { pickup: pickup_bytes(entry), ..self }
    }
    /// A claim's text.
    pub fn claim(&self, code: &str) -> &str {
        text(&self.claims, code)
    }
    /// Whether a person who looks for this text means it; see [`LicenceEntry::answers`].
    pub fn answers(&self, query: &str) -> bool {
        answers(&self.number, &self.claims, query)
    }
}

/// The form in which a code's state is kept.
pub(super) fn pickup_bytes(entry: &PickupEntry) -> Blob<PICKUP_ENTRY_BYTES_MAX> {
    Blob::new(codec::encode(entry)).expect("an entry is within its limit")
}

/// A batch that was planned here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchEntry {
    /// The run that it belongs to.
    pub run: String,
    /// Its place in the run.
    pub place: u32,
    /// Type and version of its licences.
    pub vct: Vct,
    /// The issuing key that signed them.
    pub key: KeyId,
    /// Licences that those of the batch take the place of, superseded by the same transaction.
    pub replaces: Vec<LicenceNumber>,
    /// Lines of the file that it covers.
    pub lines: Vec<u32>,
    /// Digests in the order of the tree, which is random.
    pub leaves: Vec<LicenceDigest>,
    /// The tree's root.
    pub root: Hash,
    /// The transaction that anchors it, in its canonical encoding.
    pub transaction: Blob<TRANSACTION_BYTES_MAX>,
    /// Its id.
    pub id: TransactionId,
    /// Block time after which it is void.
    pub expiry: TimeMs,
    /// Records that the chain's log had before the first transaction for this batch was signed.
    pub log_from: u64,
    /// Where the chain has it, once that is proved.
    pub anchored: Option<Anchored>,
}

/// Where a batch is on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Anchored {
    /// The batch id.
    #[schemars(with = "u64")]
    pub batch: LogIndex,
    /// Block that recorded it.
    #[schemars(with = "u64")]
    pub height: Height,
    /// Time of that block, in milliseconds since 1970.
    #[schemars(with = "u64")]
    pub time: TimeMs,
}

/// One call of `licence issue` or `licence renew`, until all is anchored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Random name.
    pub id: String,
    /// SHA-256 of the file, or of what was to be renewed and how.
    pub file: Hash,
    /// Type and version.
    pub vct: Vct,
    /// The issuing key.
    pub key: KeyId,
    /// Lines of the rows that are to be issued.
    pub lines: Vec<u32>,
    /// Lines of the rows that await pickup.
    pub awaiting: Vec<u32>,
    /// Licences that are to be renewed.
    pub renews: Vec<LicenceNumber>,
    /// When it began, in milliseconds since 1970: applications are judged as of then.
    pub started_ms: u64,
    /// Whether nothing of it is left to do.
    pub finished: bool,
    /// Whether it was given up, and what was not on the chain taken back.
    #[serde(default)]
    pub abandoned: bool,
}

/// Who uses a value that may be used once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Use {
    pub(super) number: LicenceNumber,
}
