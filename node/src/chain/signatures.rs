//! Signatures of a block: each verified once on a node, those not seen before on several threads.

use std::collections::BTreeMap;

use kanhe_proto::key::{PublicKey, Verifier};
use kanhe_proto::transaction::Transaction;

use super::source::TransactionSource;
use crate::ledger::{Checked, Code, Registry, Rejection, View};

/// Fewer signatures than this are verified on the calling thread.
const PARALLEL_MIN: usize = 16;

/// A signature to verify: the transaction's place, and the place of its key's verifier.
type Job = (usize, usize);

/// Verifies what the source doesn't know to be verified, and tells it what held.
pub(super) fn verify<V: View>(
    registry: &mut Registry<'_, V>,
    transactions: &[Checked],
    source: &dyn TransactionSource,
    threads: usize,
) -> Result<(), Rejection> {
    let mut places: BTreeMap<PublicKey, usize> = BTreeMap::new();
    let mut verifiers: Vec<Verifier> = Vec::new();
    let mut jobs: Vec<Job> = Vec::new();
    for (position, checked) in transactions.iter().enumerate() {
        if source.is_verified(&checked.id, &checked.transaction.signature) {
            continue;
        }
        let refuse = |refusal| Rejection { position, refusal };
        let key = registry.signer(&checked.transaction.body).map_err(refuse)?;
        let place = match places.get(key) {
            Some(place) => *place,
            None => {
                verifiers.push(key.verifier().map_err(|_| refuse(Code::BadSignature.into()))?);
                places.insert(key.clone(), verifiers.len() - 1);
                verifiers.len() - 1
            }
        };
        jobs.push((position, place));
    }
    let wrong = if jobs.len() < PARALLEL_MIN || threads < 2 {
        first_wrong(&jobs, transactions, &verifiers)
    } else {
        first_wrong_parallel(&jobs, transactions, &verifiers, threads)
    };
    if let Some(position) = wrong {
        return Err(Rejection { position, refusal: Code::BadSignature.into() });
    }
    for (position, _) in jobs {
        let checked = &transactions[position];
        source.verified(checked.id, checked.transaction.signature.clone());
    }
    Ok(())
}

fn first_wrong(jobs: &[Job], transactions: &[Checked], verifiers: &[Verifier]) -> Option<usize> {
    let holds = |(position, place): &Job| {
        let checked = &transactions[*position];
        let message = Transaction::sign_bytes(&checked.id);
        verifiers[*place].verify(&message, &checked.transaction.signature).is_ok()
    };
    jobs.iter().find(|job| !holds(job)).map(|(position, _)| *position)
}

fn first_wrong_parallel(
    jobs: &[Job],
    transactions: &[Checked],
    verifiers: &[Verifier],
    threads: usize,
) -> Option<usize> {
    std::thread::scope(|scope| {
        let work = |part| move || first_wrong(part, transactions, verifiers);
        let running: Vec<_> = jobs.chunks(jobs.len().div_ceil(threads)).map(|part| scope.spawn(work(part))).collect();
        let found = running.into_iter().map(|thread| thread.join().expect("verification does not panic"));
        found.flatten().min()
    })
}
