//! The register: all licences of the bureau, and the journal of running issues, in one encrypted vault.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use kanhe_proto::bounded::Blob;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::hash::{LicenceDigest, sha256};
use kanhe_proto::identifiers::{LicenceNumber, TypeCode};
use kanhe_proto::key::KeyId;
use kanhe_proto::merkle::log::{Tree, leaf_hash};
use kanhe_proto::pickup::{PickupCode, PickupHash};
use kanhe_proto::response::PATH_BYTES_MAX;
use kanhe_proto::{codec, text};
use serde_json::{Map, Value};

use super::people::add_holder;
use super::records::{
    Anchored, Awaiting, BATCHES, CODES, EXTRACTS, JOURNALED, Journaled, LICENCES, OPEN, PATHS, PICKUPS, PROMISED, RUNS,
    SALTS, UNIQUE, Use,
};
use super::{BatchEntry, Definition, IssuedCopy, LicenceEntry, Run};
use crate::talk::{ExitCode, Failure, Passphrase};
use crate::vault::{Effort, Parked, Vault, VaultError};
use crate::wallet::Delivery;

/// How often and how long another process is waited for.
const OPEN_TRIES: u32 = 20;
const OPEN_PAUSE: Duration = Duration::from_millis(250);

/// The open register.
#[derive(Debug)]
pub struct Register {
    pub(super) vault: Vault,
}

impl Register {
    /// The vault that holds it: the desk keeps its rows beside the licences.
    pub(crate) const fn vault(&self) -> &Vault {
        &self.vault
    }
    /// Fails where there is none.
    pub fn require(path: &Path) -> Result<(), Failure> {
        match path.exists() {
            true => Ok(()),
            false => Err(Failure::of(ExitCode::Failure, "no_register", &[("path", &path.display())])),
        }
    }
    /// Opens the register; another process then cannot.
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, Failure> {
        Self::require(path)?;
        Ok(Self { vault: patiently(|| Vault::open(path, passphrase))? })
    }
    /// Opens again what was parked.
    pub fn reopen(parked: &Parked) -> Result<Self, Failure> {
        Ok(Self { vault: patiently(|| parked.open())? })
    }
    /// Whether another process has changed something since it was parked.
    pub fn is_changed_since(&self, parked: &Parked) -> Result<bool, Failure> {
        Ok(self.vault.is_changed_since(parked)?)
    }
    /// Gives it back for a while.
    pub fn park(self) -> Parked {
        self.vault.park()
    }
    /// The same; makes an empty one where none is.
    pub fn open_or_create(path: &Path, passphrase: &Passphrase, effort: Effort) -> Result<Self, Failure> {
        if path.exists() {
            return Self::open(path, passphrase);
        }
        let made = Self { vault: Vault::create(path, passphrase, effort)? };
        made.mark_new()?;
        Ok(made)
    }

    /// The run that is not finished, if there is one.
    pub fn running(&self) -> Result<Option<Run>, Failure> {
        Ok(self.vault.scan(&RUNS)?.into_iter().map(|(_, run)| run).find(|run| !run.finished))
    }
    /// Keeps a run.
    pub fn put_run(&self, run: &Run) -> Result<(), Failure> {
        Ok(self.vault.put(&RUNS, &run.id, run)?)
    }
    /// Ends a run: nothing of it is left to do, its deliveries are written too.
    pub fn end_run(&self, run: &Run) -> Result<(), Failure> {
        self.put_run(&Run { finished: true, ..run.clone() })
    }
    /// Batches, in the order of runs and places.
    pub fn batches(&self) -> Result<Vec<BatchEntry>, Failure> {
        Ok(self.vault.scan(&BATCHES)?.into_iter().map(|(_, batch)| batch).collect())
    }
    /// Batches of a run, in order.
    pub fn batches_of(&self, run: &str) -> Result<Vec<BatchEntry>, Failure> {
        Ok(self.batches()?.into_iter().filter(|batch| batch.run == run).collect())
    }
    /// A batch of a run, by its place in it.
    pub fn batch(&self, run: &str, place: u32) -> Result<Option<BatchEntry>, Failure> {
        Ok(self.vault.get(&BATCHES, &format!("{run}/{place:06}"))?)
    }
    /// What was journaled under names, and not taken back since.
    pub fn journaled(&self, names: &[String]) -> Result<Vec<Option<(Journaled, LicenceEntry)>>, Failure> {
        let reader = self.vault.read()?;
        let found = reader.get_many(&JOURNALED, names)?.into_iter().map(|found| {
            let Some(journaled) = found else { return Ok(None) };
            let licence = reader.get(&LICENCES, &journaled.number.to_string())?;
            Ok(licence.map(|licence| (journaled, licence)))
        });
        found.collect()
    }
    /// Whether something was journaled under each name, or awaits pickup under it.
    pub fn are_named(&self, names: &[String]) -> Result<Vec<bool>, Failure> {
        let journaled = self.journaled(names)?;
        let promised = self.vault.read()?.get_many(&PROMISED, names)?;
        Ok(journaled
            .iter()
            .zip(promised)
            .map(|(journaled, promised)| journaled.is_some() || promised.is_some())
            .collect())
    }
    /// Keeps a batch as it is now.
    pub fn put_batch(&self, batch: &BatchEntry) -> Result<(), Failure> {
        Ok(self.vault.put(&BATCHES, &batch_key(batch), batch)?)
    }

    /// Batches that are not proved to be on the chain.
    pub fn open_batches(&self) -> Result<Vec<BatchEntry>, Failure> {
        let reader = self.vault.read()?;
        let open = reader.scan(&OPEN)?;
        let found = open.iter().map(|(key, _)| reader.get(&BATCHES, key));
        Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Journals a batch with all its licences, the pickup codes that they answer, and the names of what they are for; durable
    /// when this returns.
    pub fn plan(
        &self,
        definition: &Definition,
        batch: &BatchEntry,
        licences: &[LicenceEntry],
        redeemed: &[Awaiting],
        names: &[String],
    ) -> Result<(), Failure> {
        assert!(names.is_empty() || names.len() == licences.len(), "each licence has a name, or none has");
        let unique = unique(definition);
        self.vault.write::<_, Failure>(|transaction| {
            for (name, licence) in names.iter().zip(licences) {
                if let Some(known) = transaction.get(&JOURNALED, name)? {
                    let stands = transaction.get(&LICENCES, &known.number.to_string())?.is_some();
                    assert!(!stands, "nothing is issued twice");
                }
                let (run, place) = (batch.run.clone(), batch.place);
                transaction.put(&JOURNALED, name, &Journaled { run, place, number: licence.number.clone() })?;
            }
            let (mut numbers, mut uses) = (BTreeSet::new(), Vec::new());
            for licence in licences {
                let number = licence.number.to_string();
                if transaction.get(&LICENCES, &number)?.is_some() || !numbers.insert(number.clone()) {
                    return Err(Failure::of(ExitCode::Failure, "number_taken", &[("number", &number)]));
                }
                // An extract takes nothing from the row that it is of.
                if licence.extract_of.is_none() {
                    uses.extend(uses_of(&unique, &licence.vct.code, &licence.claims, &licence.number));
                }
                let used = Use { number: licence.number.clone() };
                uses.push((application_key(&licence.application), used));
            }
            transaction.put_many(&UNIQUE, &uses)?;
            let rows: Vec<(String, &LicenceEntry)> =
                licences.iter().map(|licence| (licence.number.to_string(), licence)).collect();
            transaction.put_many(&LICENCES, &rows)?;
            for licence in licences {
                match (&licence.extract_of, definition.subject(&licence.claims)) {
                    (Some(row), _) => transaction.put(&EXTRACTS, &row.to_string(), &licence.number)?,
                    (None, Some(holder)) => {
                        add_holder(transaction, &licence.vct.code, &holder, &licence.number)?;
                    }
                    (None, None) => {}
                }
            }
            for awaiting in redeemed {
                transaction.put(&PICKUPS, &awaiting.number.to_string(), awaiting)?;
            }
            transaction.put(&OPEN, &batch_key(batch), &batch.place)?;
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
            let path = |(digest, inclusion): (&LicenceDigest, _)| {
                let path = codec::encode(&LicencePath { batch: anchored.batch, inclusion });
                (digest.to_string(), Blob::new(path).expect("a path of a batch is within its limit"))
            };
            let paths: Vec<(String, Blob<PATH_BYTES_MAX>)> = batch.leaves.iter().zip(tree.paths()).map(path).collect();
            transaction.put_many(&PATHS, &paths)?;
            for number in &batch.replaces {
                let number = number.to_string();
                if let Some(licence) = transaction.get(&LICENCES, &number)? {
                    transaction.put(&LICENCES, &number, &LicenceEntry { replaced: true, ..licence })?;
                }
            }
            transaction.delete(&OPEN, &batch_key(&batch))?;
            Ok(transaction.put(&BATCHES, &batch_key(&batch), &batch)?)
        })?;
        Ok(batch)
    }

    /// Prepares licences for pickup, and keeps the names of what they are for; a run has one salt for all its codes.
    pub fn await_pickup(
        &self,
        definition: &Definition,
        run: &str,
        salt: &[u8; 16],
        all: &[(Awaiting, PickupHash)],
        names: &[String],
    ) -> Result<(), Failure> {
        assert!(names.is_empty() || names.len() == all.len(), "each row has a name, or none has");
        let unique = unique(definition);
        self.vault.write::<_, Failure>(|transaction| {
            for (name, (awaiting, _)) in names.iter().zip(all) {
                assert!(transaction.get(&PROMISED, name)?.is_none(), "nothing is promised twice");
                transaction.put(&PROMISED, name, &awaiting.number)?;
            }
            for (awaiting, hash) in all {
                for (key, used) in uses_of(&unique, &awaiting.vct.code, &awaiting.claims, &awaiting.number) {
                    transaction.put(&UNIQUE, &key, &used)?;
                }
                if let Some(subject) = definition.subject(&awaiting.claims) {
                    add_holder(transaction, &awaiting.vct.code, &subject, &awaiting.number)?;
                }
                transaction.put(&CODES, &text::hex(&hash.0), &awaiting.number)?;
                transaction.put(&PICKUPS, &awaiting.number.to_string(), awaiting)?;
            }
            Ok(transaction.put(&SALTS, run, &Blob::new(*salt).expect("16 of 16 bytes"))?)
        })
    }
    /// Whether something awaits this code.
    pub fn has_code(&self, hash: &PickupHash) -> Result<bool, Failure> {
        Ok(self.vault.get(&CODES, &text::hex(&hash.0))?.is_some())
    }
    /// Whether the pickup codes of a run were made.
    pub fn has_codes(&self, run: &str) -> Result<bool, Failure> {
        Ok(self.vault.get(&SALTS, run)?.is_some())
    }
    /// The licence that a pickup code is for.
    pub fn of_code(&self, code: &PickupCode) -> Result<Option<Awaiting>, Failure> {
        let reader = self.vault.read()?;
        for (_, salt) in reader.scan(&SALTS)? {
            let Ok(salt) = <[u8; 16]>::try_from(&salt[..]) else { continue };
            if let Some(number) = reader.get(&CODES, &text::hex(&code.hash(&salt).0))? {
                return Ok(reader.get(&PICKUPS, &number.to_string())?);
            }
        }
        Ok(None)
    }
    /// Licences that await pickup and that a person may mean.
    pub fn awaiting(&self, query: &str) -> Result<Vec<Awaiting>, Failure> {
        let reader = self.vault.read()?;
        let mut found = Vec::new();
        for (number, awaiting) in reader.scan(&PICKUPS)? {
            if awaiting.answers(query) && reader.get(&LICENCES, &number)?.is_none() {
                found.push(awaiting);
            }
        }
        Ok(found)
    }

    /// The licence that uses a value of a unique column.
    pub fn user(&self, code: &TypeCode, column: &str, value: &str) -> Result<Option<LicenceNumber>, Failure> {
        Ok(self.vault.get(&UNIQUE, &value_key(code, column, value))?.map(|used| used.number))
    }
    /// The newest licence of an application.
    pub fn of_application(&self, application: &KeyId) -> Result<Option<LicenceNumber>, Failure> {
        Ok(self.vault.get(&UNIQUE, &application_key(application))?.map(|used| used.number))
    }
    /// A licence by its number.
    pub fn licence(&self, number: &LicenceNumber) -> Result<Option<LicenceEntry>, Failure> {
        Ok(self.vault.get(&LICENCES, &number.to_string())?)
    }

    /// All licences, by number.
    pub fn licences(&self) -> Result<Vec<LicenceEntry>, Failure> {
        Ok(self.vault.scan(&LICENCES)?.into_iter().map(|(_, licence)| licence).collect())
    }
    /// Licences that a person may mean; one that was renewed only if its own number is given.
    pub fn find(&self, query: &str) -> Result<Vec<LicenceEntry>, Failure> {
        if let Some(licence) = self.vault.get(&LICENCES, query)? {
            return Ok(vec![licence]);
        }
        let meant =
            |licence: &LicenceEntry| !licence.replaced && licence.extract_of.is_none() && licence.answers(query);
        Ok(self.licences()?.into_iter().filter(meant).collect())
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
        let copies: Vec<&IssuedCopy> = licences.iter().flat_map(|licence| &licence.copies).collect();
        let keys: Vec<String> = copies.iter().map(|copy| copy.digest.to_string()).collect();
        let paths = self.vault.read()?.get_many(&PATHS, &keys)?;
        let anchored = copies.into_iter().zip(paths).filter_map(|(copy, path)| Some((copy, path?)));
        Ok(anchored.map(|(copy, path)| Delivery { sd_jwt: copy.sd_jwt.clone(), path }).collect())
    }
}

/// Another command holds the register only for a moment, unless it issues.
fn patiently(open: impl Fn() -> Result<Vault, VaultError>) -> Result<Vault, VaultError> {
    for _ in 0..OPEN_TRIES {
        match open() {
            Err(VaultError::InUse) => std::thread::sleep(OPEN_PAUSE),
            other => return other,
        }
    }
    open()
}

pub(super) fn batch_key(batch: &BatchEntry) -> String {
    format!("{}/{:06}", batch.run, batch.place)
}

fn unique(definition: &Definition) -> Vec<&str> {
    definition.columns.list().iter().filter(|column| column.unique && column.claim).map(|c| &*c.code).collect()
}

/// The unique values of a licence, by their keys.
fn uses_of(
    unique: &[&str],
    code: &TypeCode,
    claims: &Map<String, Value>,
    number: &LicenceNumber,
) -> Vec<(String, Use)> {
    let mut uses = Vec::with_capacity(unique.len());
    for column in unique {
        if let Some(value) = claims.get(*column).and_then(Value::as_str) {
            uses.push((value_key(code, column, value), Use { number: number.clone() }));
        }
    }
    uses
}

/// Hashed, since a value may be longer than a key of the vault.
pub(super) fn value_key(code: &TypeCode, column: &str, value: &str) -> String {
    format!("{code}/{column}/{}", text::hex(&sha256(&[value.as_bytes()])))
}

pub(super) fn application_key(key: &KeyId) -> String {
    format!("application/{key}")
}
