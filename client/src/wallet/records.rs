//! Rows of the wallet's vault.

use kanhe_proto::bounded::Blob;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::hash::LicenceDigest;
use kanhe_proto::identifiers::{Did, Uscc, Vct};
use kanhe_proto::key::{KeyId, SecretKey};
use kanhe_proto::limits::EVIDENCE_BYTES_MAX;
use kanhe_proto::registry::Names;
use kanhe_proto::response::PATH_BYTES_MAX;
use kanhe_proto::sd_jwt::{ClaimPath, Holding};
use kanhe_proto::{codec, text};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::clock;
use crate::talk::{ExitCode, Failure, shape};
use crate::vault::Table;

pub(super) const PERSON: Table<Person> = Table::new("person");
pub(super) const KEYS: Table<KeyRecord> = Table::new("keys");
pub(super) const APPLICATIONS: Table<ApplicationRecord> = Table::new("applications");
/// Pickup code → the application that went with it.
pub(super) const PICKUPS: Table<KeyId> = Table::new("pickups");
pub(super) const LICENCES: Table<LicenceRecord> = Table::new("licences");
pub(super) const LOG: Table<LogRecord> = Table::new("log");

/// 32 secret bytes: wiped when dropped, never printed; base64url in the vault.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A new one.
    pub fn random() -> Result<Self, Failure> {
        clock::random().map(Self)
    }
    /// Of secret bytes that came from elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// The signing key of it.
    pub fn key(&self) -> SecretKey {
        SecretKey::from_seed(self.0)
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}
impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(text::base64url(&self.0)))
    }
}
impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = Zeroizing::new(text::from_base64url(&text).map_err(serde::de::Error::custom)?);
        bytes[..].try_into().map(Self).map_err(|_| serde::de::Error::custom("not 32 bytes"))
    }
}

/// The holder, where it is a natural person.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) secret: Seed,
}

/// The key of one copy of one licence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Its secret half.
    pub seed: Seed,
    /// First key of the application that it belongs to.
    pub application: KeyId,
    /// Its place among the keys of the application.
    pub place: u32,
}

/// An application that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApplicationRecord {
    /// Names it: its first key.
    pub id: KeyId,
    /// Type and version.
    pub vct: Vct,
    /// The bureau that it is for.
    pub issuer: Uscc,
    /// Keys, and so copies asked for.
    pub copies: u32,
    /// When, in milliseconds since 1970.
    pub made_ms: u64,
    /// The application as it is handed over.
    pub text: String,
}

/// A licence of this wallet.
#[derive(Clone, Serialize, Deserialize)]
pub struct LicenceRecord {
    /// Names it.
    pub digest: LicenceDigest,
    /// The SD-JWT with all its disclosures.
    pub sd_jwt: String,
    /// Encoding of its path in the batch.
    pub path: Blob<PATH_BYTES_MAX>,
    /// Encoding of the newest evidence.
    pub evidence: Blob<EVIDENCE_BYTES_MAX>,
    /// When it came, in milliseconds since 1970.
    pub taken_ms: u64,
    /// How often it was shown: a fresh copy links to no showing before.
    pub shown: u32,
}

impl std::fmt::Debug for LicenceRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "LicenceRecord({})", self.digest)
    }
}

impl LicenceRecord {
    /// The licence, opened.
    pub fn holding(&self) -> Result<Holding, Failure> {
        Holding::open(&self.sd_jwt).map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))
    }
    /// Its path.
    pub fn licence_path(&self) -> Result<LicencePath, Failure> {
        codec::decode(&self.path, PATH_BYTES_MAX)
            .map_err(|error| Failure::reported(ExitCode::Failure, "path_malformed", error))
    }
    /// Its name for people: the first characters of the digest.
    pub fn short(&self) -> String {
        self.digest.to_string()[..8].to_owned()
    }
}

/// One licence of a showing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LogLicence {
    /// Which licence.
    #[schemars(with = "String")]
    pub digest: LicenceDigest,
    /// Its type.
    #[schemars(with = "String")]
    pub vct: Vct,
    /// What was disclosed of it.
    #[schemars(with = "Vec<Vec<shape::Step>>")]
    pub claims: Vec<ClaimPath>,
}

/// One showing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LogRecord {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// Who asked.
    #[schemars(with = "String")]
    #[serde(alias = "asker")]
    pub relying_party: Did,
    /// Its name; none if it was not proved.
    #[schemars(with = "Option<shape::Names>")]
    pub names: Option<Names>,
    /// Code of the purpose that it gave.
    pub purpose: String,
    /// The request's nonce.
    pub nonce: String,
    /// What was shown.
    pub licences: Vec<LogLicence>,
}
