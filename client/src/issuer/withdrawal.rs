//! Taking back what was journaled and is proved never to come onto the chain.

use std::collections::BTreeSet;

use kanhe_proto::identifiers::LicenceNumber;
use kanhe_proto::text;
use serde_json::{Map, Value};

use super::records::{Awaiting, BATCHES, CODES, LICENCES, OPEN, PICKUPS, RUNS, SALTS, UNIQUE, Use};
use super::register::{application_key, batch_key, value_key};
use super::{BatchEntry, LicenceEntry, Register, Run};
use crate::talk::{ExitCode, Failure};
use crate::vault::Transaction;

/// Who had the values of a licence before it, and has them again.
struct Before<'a> {
    number: &'a LicenceNumber,
    claims: &'a Map<String, Value>,
}

impl Register {
    /// Takes batches back that are proved never to come onto the chain.
    pub fn withdraw(&self, batches: &[BatchEntry]) -> Result<(), Failure> {
        self.take_back(batches, None)
    }

    /// Ends a run that cannot be finished: batches of it that are proved never to come onto the chain are taken back
    /// with it, in one durable step, and its pickup codes that nobody has come with.
    pub(super) fn give_up(&self, run: Option<&Run>, batches: &[BatchEntry]) -> Result<(), Failure> {
        self.take_back(batches, run)
    }

    /// Licences of batches, by number.
    pub(super) fn licences_in(&self, batches: &[BatchEntry]) -> Result<Vec<LicenceEntry>, Failure> {
        let places: BTreeSet<(&str, u32)> = batches.iter().map(|batch| (&*batch.run, batch.place)).collect();
        let all = self.licences()?.into_iter();
        Ok(all.filter(|licence| places.contains(&(&*licence.run, licence.batch))).collect())
    }

    /// Licences of a run that await pickup still, but for those of some numbers.
    pub(super) fn awaiting_of(&self, run: &Run) -> Result<Vec<Awaiting>, Failure> {
        let reader = self.vault.read()?;
        Ok(reader.scan(&PICKUPS)?.into_iter().map(|(_, kept)| kept).filter(|kept| kept.run == run.id).collect())
    }

    fn take_back(&self, batches: &[BatchEntry], run: Option<&Run>) -> Result<(), Failure> {
        // Nobody else writes meanwhile: the register is open here alone.
        let licences = self.licences_in(batches)?;
        let awaiting = run.map(|run| self.awaiting_of(run)).transpose()?.unwrap_or_default();
        self.vault.write::<_, Failure>(|transaction| {
            licences.iter().try_for_each(|licence| take_back_licence(transaction, licence))?;
            for batch in batches {
                transaction.delete(&OPEN, &batch_key(batch))?;
                transaction.delete(&BATCHES, &batch_key(batch))?;
            }
            let Some(run) = run else { return Ok(()) };
            let mut kept = false;
            for one in &awaiting {
                // Signed, and on the chain or on its way there: its code has done its work.
                if transaction.get(&LICENCES, &one.number.to_string())?.is_some() {
                    kept = true;
                } else {
                    take_back_code(transaction, one)?;
                }
            }
            if !kept {
                transaction.delete(&SALTS, &run.id)?;
            }
            Ok(transaction.put(&RUNS, &run.id, &Run { finished: true, abandoned: true, ..run.clone() })?)
        })
    }
}

/// Frees what a licence uses, for the one that it was to take the place of, or for the code that it answered.
fn take_back_licence(transaction: &mut Transaction<'_, '_>, licence: &LicenceEntry) -> Result<(), Failure> {
    let number = licence.number.to_string();
    let awaiting = transaction.get(&PICKUPS, &number)?;
    let old = licence.replaces.as_ref().map(|old| transaction.get(&LICENCES, &old.to_string())).transpose()?.flatten();
    let before = match (&old, &awaiting) {
        (Some(old), _) => Some(Before { number: &old.number, claims: &old.claims }),
        (None, Some(awaiting)) => Some(Before { number: &awaiting.number, claims: &awaiting.claims }),
        (None, None) => None,
    };
    for (column, value) in &licence.claims {
        let had = before.as_ref().filter(|before| before.claims.get(column) == Some(value));
        if let Some(value) = value.as_str() {
            let key = value_key(&licence.vct.code, column, value);
            free(transaction, &key, &licence.number, had.map(|before| before.number))?;
        }
    }
    let same_keys = old.as_ref().filter(|old| old.application == licence.application);
    let key = application_key(&licence.application);
    free(transaction, &key, &licence.number, same_keys.map(|old| &old.number))?;
    if let Some(awaiting) = awaiting {
        // No answer has left before the batch was on the chain, so that the code is as good as new.
        let mut entry = awaiting.entry().map_err(damaged)?;
        entry.bound = None;
        transaction.put(&PICKUPS, &number, &awaiting.with_entry(&entry))?;
    }
    transaction.delete(&LICENCES, &number)?;
    Ok(())
}

fn take_back_code(transaction: &mut Transaction<'_, '_>, awaiting: &Awaiting) -> Result<(), Failure> {
    for (column, value) in &awaiting.claims {
        if let Some(value) = value.as_str() {
            free(transaction, &value_key(&awaiting.vct.code, column, value), &awaiting.number, None)?;
        }
    }
    let hash = awaiting.entry().map_err(damaged)?.hash;
    transaction.delete(&CODES, &text::hex(&hash.0))?;
    transaction.delete(&PICKUPS, &awaiting.number.to_string())?;
    Ok(())
}

/// What is used by somebody else, or is not of a unique column, stays as it is.
fn free(
    transaction: &mut Transaction<'_, '_>,
    key: &str,
    number: &LicenceNumber,
    before: Option<&LicenceNumber>,
) -> Result<(), Failure> {
    if transaction.get(&UNIQUE, key)?.is_none_or(|used| used.number != *number) {
        return Ok(());
    }
    match before {
        Some(before) => transaction.put(&UNIQUE, key, &Use { number: before.clone() })?,
        None => drop(transaction.delete(&UNIQUE, key)?),
    }
    Ok(())
}

fn damaged(error: kanhe_proto::codec::CodecError) -> Failure {
    Failure::reported(ExitCode::Failure, "register_damaged", error)
}
