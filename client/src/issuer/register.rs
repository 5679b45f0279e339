//! The register: all licences of the bureau, and the journal of running issues, in one encrypted vault.

use std::path::Path;

use kanhe_proto::bounded::Blob;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::hash::{LicenceDigest, sha256};
use kanhe_proto::identifiers::TypeCode;
use kanhe_proto::key::KeyId;
use kanhe_proto::merkle::log::{Tree, leaf_hash};
use kanhe_proto::response::PATH_BYTES_MAX;
use kanhe_proto::{codec, text};
use serde_json::Value;

use super::records::{Anchored, BATCHES, LICENCES, PATHS, RUNS, UNIQUE, Use};
use super::{BatchEntry, Definition, LicenceEntry, Run};
use crate::talk::{ExitCode, Failure, Passphrase};
use crate::vault::{Effort, Vault};
use crate::wallet::Delivery;

/// The open register.
#[derive(Debug)]
pub struct Register {
    vault: Vault,
}

impl Register {
    /// Opens the register; another process then cannot.
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::of(ExitCode::Failure, "no_register", &[("path", &path.display())]));
        }
        Ok(Self { vault: Vault::open(path, passphrase)? })
    }
    /// The same; makes an empty one where none is.
    pub fn open_or_create(path: &Path, passphrase: &Passphrase, effort: Effort) -> Result<Self, Failure> {
        if path.exists() {
            return Self::open(path, passphrase);
        }
        Ok(Self { vault: Vault::create(path, passphrase, effort)? })
    }

    /// The run that is not finished, if there is one.
    pub fn running(&self) -> Result<Option<Run>, Failure> {
        Ok(self.vault.scan(&RUNS)?.into_iter().map(|(_, run)| run).find(|run| !run.finished))
    }
    /// Keeps a run.
    pub fn put_run(&self, run: &Run) -> Result<(), Failure> {
        Ok(self.vault.put(&RUNS, &run.id, run)?)
    }
    /// Batches, in the order of runs and places.
    pub fn batches(&self) -> Result<Vec<BatchEntry>, Failure> {
        Ok(self.vault.scan(&BATCHES)?.into_iter().map(|(_, batch)| batch).collect())
    }
    /// Batches of a run, in order.
    pub fn batches_of(&self, run: &str) -> Result<Vec<BatchEntry>, Failure> {
        Ok(self.batches()?.into_iter().filter(|batch| batch.run == run).collect())
    }
    /// Keeps a batch as it is now.
    pub fn put_batch(&self, batch: &BatchEntry) -> Result<(), Failure> {
        Ok(self.vault.put(&BATCHES, &batch_key(batch), batch)?)
    }

    /// Journals a batch with all its licences; durable when this returns.
    pub fn plan(&self, definition: &Definition, batch: &BatchEntry, licences: &[LicenceEntry]) -> Result<(), Failure> {
        let unique: Vec<&str> =
            definition.columns.list().iter().filter(|c| c.unique && c.claim).map(|c| &*c.code).collect();
        self.vault.write::<_, Failure>(|transaction| {
            for licence in licences {
                let number = licence.number.to_string();
                if transaction.get(&LICENCES, &number)?.is_some() {
                    return Err(Failure::of(ExitCode::Failure, "number_taken", &[("number", &number)]));
                }
                let used = Use { number: licence.number.clone() };
                for code in &unique {
                    if let Some(value) = licence.claims.get(*code).and_then(Value::as_str) {
                        transaction.put(&UNIQUE, &value_key(&licence.vct.code, code, value), &used)?;
                    }
                }
                transaction.put(&UNIQUE, &application_key(&licence.application), &used)?;
                transaction.put(&LICENCES, &number, licence)?;
            }
            Ok(transaction.put(&BATCHES, &batch_key(batch), batch)?)
        })
    }

    /// Notes where a batch is on the chain, and the path of each of its licences.
    pub fn anchor(&self, batch: &BatchEntry, anchored: Anchored) -> Result<BatchEntry, Failure> {
        let tree = Tree::new(batch.leaves.iter().map(|digest| leaf_hash(digest.bytes())).collect());
        if tree.root() != batch.root {
            return Err(Failure::of(ExitCode::Failure, "batch_root", &[("run", &batch.run)]));
        }
        let batch = BatchEntry { anchored: Some(anchored), ..batch.clone() };
        self.vault.write::<_, Failure>(|transaction| {
            for (digest, inclusion) in batch.leaves.iter().zip(tree.paths()) {
                let path = codec::encode(&LicencePath { batch: anchored.batch, inclusion });
                let path = Blob::new(path).expect("a path of a batch is within its limit");
                transaction.put(&PATHS, &digest.to_string(), &path)?;
            }
            Ok(transaction.put(&BATCHES, &batch_key(&batch), &batch)?)
        })?;
        Ok(batch)
    }

    /// Whether a value of a unique column, or a key of an application, is used by a licence.
    pub fn knows(&self, code: &TypeCode, column: &str, value: &str) -> Result<bool, Failure> {
        Ok(self.vault.get(&UNIQUE, &value_key(code, column, value))?.is_some())
    }
    /// Whether an application was answered already.
    pub fn answered(&self, application: &KeyId) -> Result<bool, Failure> {
        Ok(self.vault.get(&UNIQUE, &application_key(application))?.is_some())
    }

    /// All licences, by number.
    pub fn licences(&self) -> Result<Vec<LicenceEntry>, Failure> {
        Ok(self.vault.scan(&LICENCES)?.into_iter().map(|(_, licence)| licence).collect())
    }
    /// Licences that a person may mean.
    pub fn find(&self, query: &str) -> Result<Vec<LicenceEntry>, Failure> {
        if let Some(licence) = self.vault.get(&LICENCES, query)? {
            return Ok(vec![licence]);
        }
        Ok(self.licences()?.into_iter().filter(|licence| licence.answers(query)).collect())
    }
    /// Licences of a run, in the order of its file.
    pub fn licences_of(&self, run: &str) -> Result<Vec<LicenceEntry>, Failure> {
        let mut found: Vec<LicenceEntry> = self.licences()?.into_iter().filter(|licence| licence.run == run).collect();
        found.sort_by_key(|licence| licence.line);
        Ok(found)
    }
    /// The path of a copy, once it is anchored.
    pub fn path(&self, digest: &LicenceDigest) -> Result<Option<Blob<PATH_BYTES_MAX>>, Failure> {
        Ok(self.vault.get(&PATHS, &digest.to_string())?)
    }
    /// What the holder of a licence gets; nothing of a copy that is not anchored.
    pub fn deliveries(&self, licences: &[LicenceEntry]) -> Result<Vec<Delivery>, Failure> {
        let reader = self.vault.read()?;
        let mut deliveries = Vec::new();
        for copy in licences.iter().flat_map(|licence| &licence.copies) {
            if let Some(path) = reader.get(&PATHS, &copy.digest.to_string())? {
                deliveries.push(Delivery { sd_jwt: copy.sd_jwt.clone(), path });
            }
        }
        Ok(deliveries)
    }
}

fn batch_key(batch: &BatchEntry) -> String {
    format!("{}/{:06}", batch.run, batch.place)
}

/// Hashed, since a value may be longer than a key of the vault.
fn value_key(code: &TypeCode, column: &str, value: &str) -> String {
    format!("{code}/{column}/{}", text::hex(&sha256(&[value.as_bytes()])))
}

fn application_key(key: &KeyId) -> String {
    format!("application/{key}")
}
