//! The holder's side: keys, licences, and what was shown to whom.
//!
//! All of it lies in one encrypted vault. A licence is verified once, when it is taken in, and its evidence each time
//! that it is fetched; what is presented was proved before. What is shown is written to the log before it leaves.

mod apply;
mod collect;
mod import;
mod present;
mod proof;
mod proved_request;
mod records;

pub use apply::{Application, Wish};
pub use collect::Asked;
pub use import::{Delivery, deliveries};
pub use present::{Choice, Plan, Shown};
pub use proof::{Standing, Subject, subject};
pub use proved_request::{ProvedRequest, prove_request};
pub use records::{ApplicationRecord, KeyRecord, LicenceRecord, LogLicence, LogRecord, Seed};

use std::path::Path;

use kanhe_proto::hash::LicenceDigest;
use kanhe_proto::key::{KeyId, PublicKey};

use crate::talk::{ExitCode, Failure, Passphrase};
use crate::vault::{Effort, Vault};
use records::{APPLICATIONS, KEYS, LICENCES, LOG, PERSON, Person};

/// An open wallet.
#[derive(Debug)]
pub struct Wallet {
    vault: Vault,
}

impl Wallet {
    /// Makes an empty wallet with a person's secret of its own.
    pub fn create(path: &Path, passphrase: &Passphrase, effort: Effort) -> Result<Self, Failure> {
        let vault = Vault::create(path, passphrase, effort)?;
        let wallet = Self { vault };
        wallet.person()?;
        Ok(wallet)
    }
    /// Opens a wallet; another process then cannot.
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        Ok(Self { vault: Vault::open(path, passphrase)? })
    }
    /// The vault below.
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The person's secret, the base of `kanhe_hb`; the same in every application, so that licences can be shown to be
    /// of one person.
    fn person(&self) -> Result<Seed, Failure> {
        if let Some(person) = self.vault.get(&PERSON, "self")? {
            return Ok(person.secret);
        }
        let secret = Seed::random()?;
        self.vault.put(&PERSON, "self", &Person { secret: secret.clone() })?;
        Ok(secret)
    }

    /// The record of a licence key of this wallet.
    pub fn key(&self, key: &PublicKey) -> Result<Option<KeyRecord>, Failure> {
        Ok(self.vault.get(&KEYS, &key.id().to_string())?)
    }
    /// All applications, oldest first.
    pub fn applications(&self) -> Result<Vec<ApplicationRecord>, Failure> {
        let mut all: Vec<ApplicationRecord> =
            self.vault.scan(&APPLICATIONS)?.into_iter().map(|(_, record)| record).collect();
        all.sort_by_key(|record| record.made_ms);
        Ok(all)
    }
    /// An application by the key that names it.
    pub fn application(&self, id: &KeyId) -> Result<Option<ApplicationRecord>, Failure> {
        Ok(self.vault.get(&APPLICATIONS, &id.to_string())?)
    }
    /// All licences, in the order in which they came.
    pub fn licences(&self) -> Result<Vec<LicenceRecord>, Failure> {
        let mut all: Vec<LicenceRecord> = self.vault.scan(&LICENCES)?.into_iter().map(|(_, record)| record).collect();
        all.sort_by_key(|record| (record.taken_ms, record.digest));
        Ok(all)
    }
    /// The licence that a person means: its digest, or the first characters of it.
    pub fn licence(&self, id: &str) -> Result<LicenceRecord, Failure> {
        let matching = |record: &LicenceRecord| !id.is_empty() && record.digest.to_string().starts_with(id);
        let mut found: Vec<LicenceRecord> = self.licences()?.into_iter().filter(matching).collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::of(ExitCode::Usage, "licence_unknown", &[("id", &id)])),
            count => Err(Failure::of(ExitCode::Usage, "licence_ambiguous", &[("id", &id), ("count", &count)])),
        }
    }
    /// Keeps a licence.
    pub fn put(&self, record: &LicenceRecord) -> Result<(), Failure> {
        Ok(self.vault.put(&LICENCES, &record.digest.to_string(), record)?)
    }
    /// Whether a licence is kept already.
    pub fn has(&self, digest: &LicenceDigest) -> Result<bool, Failure> {
        Ok(self.vault.get(&LICENCES, &digest.to_string())?.is_some())
    }
    /// What was shown to whom, newest last.
    pub fn log(&self) -> Result<Vec<LogRecord>, Failure> {
        Ok(self.vault.scan(&LOG)?.into_iter().map(|(_, record)| record).collect())
    }
}
