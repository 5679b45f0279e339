//! Checks and signatures of new transactions, on a bounded number of threads.

use std::sync::Arc;

use kanhe_proto::hash::TransactionId;
use kanhe_proto::key::{KeyError, PublicKey, Verifier};
use kanhe_proto::transaction::Transaction;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::admission::{Admission, Denial};
use super::verified::VerifiedCache;
use crate::remembered::Remembered;

/// Transactions that a thread verifies before it looks for others' turn: about 2 ms.
const CHUNK: usize = 32;
/// Public keys read once: decompressing one costs an eighth of a verification.
type Verifiers = Remembered<PublicKey, Verifier, 256>;

/// A transaction to check.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: TransactionId,
    pub(super) transaction: Arc<Transaction>,
}

/// Why a transaction is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault<C> {
    /// Before the signature could be looked at.
    Unsigned(C),
    /// The signature does not hold.
    Signature(C),
    /// The signature holds, the rest does not.
    Signed(C),
    /// Not decided: the state could not be read, or the thread was lost.
    Undecided,
}

/// The threads and the queue before them.
#[derive(Debug)]
pub(super) struct Verification {
    threads: Arc<Semaphore>,
    room: Arc<Semaphore>,
    verifiers: Arc<Verifiers>,
}

impl Verification {
    pub(super) fn new(threads: usize, queue_max: usize) -> Self {
        Self {
            threads: Arc::new(Semaphore::new(threads.max(1))),
            room: Arc::new(Semaphore::new(queue_max.clamp(1, Semaphore::MAX_PERMITS))),
            verifiers: Arc::default(),
        }
    }
    /// Room for so many transactions, held while they are verified.
    pub(super) fn reserve(&self, count: usize) -> Option<OwnedSemaphorePermit> {
        let count = u32::try_from(count).ok()?;
        Arc::clone(&self.room).try_acquire_many_owned(count).ok()
    }
    /// Checks all, in their order.
    pub(super) async fn run<A: Admission>(
        &self,
        admission: &Arc<A>,
        cache: &Arc<VerifiedCache>,
        jobs: Vec<Job>,
    ) -> Vec<Result<(), Fault<A::Code>>> {
        let mut running = Vec::new();
        for chunk in jobs.chunks(CHUNK) {
            let chunk = chunk.to_vec();
            let len = chunk.len();
            let thread = Arc::clone(&self.threads).acquire_owned().await.expect("the semaphore is never closed");
            let (admission, cache, verifiers) = (Arc::clone(admission), Arc::clone(cache), Arc::clone(&self.verifiers));
            let task = tokio::task::spawn_blocking(move || {
                let results = chunk.iter().map(|job| check(&*admission, &cache, &verifiers, job)).collect::<Vec<_>>();
                drop(thread);
                results
            });
            running.push((task, len));
        }
        let mut results = Vec::with_capacity(jobs.len());
        for (task, len) in running {
            results.extend(task.await.unwrap_or_else(|_| vec![Err(Fault::Undecided); len]));
        }
        results
    }
}

fn check<A: Admission>(
    admission: &A,
    cache: &VerifiedCache,
    verifiers: &Verifiers,
    job: &Job,
) -> Result<(), Fault<A::Code>> {
    let transaction = &*job.transaction;
    let key = admission.signer(transaction).map_err(|denial| denied(denial, Fault::Unsigned))?;
    if key.id() != transaction.body.key {
        return Err(Fault::Signature(admission.wrong_signature()));
    }
    if !cache.contains(&job.id, &transaction.signature) {
        verifier(verifiers, &key)
            .and_then(|key| key.verify(&Transaction::sign_bytes(&job.id), &transaction.signature))
            .map_err(|_| Fault::Signature(admission.wrong_signature()))?;
        cache.insert(job.id, transaction.signature.clone());
    }
    admission.admit(transaction, &job.id).map_err(|denial| denied(denial, Fault::Signed))
}

fn verifier(known: &Verifiers, key: &PublicKey) -> Result<Verifier, KeyError> {
    if let Some(verifier) = known.get(key) {
        return Ok(verifier);
    }
    let verifier = key.verifier()?;
    known.put(key.clone(), verifier.clone());
    Ok(verifier)
}

fn denied<C>(denial: Denial<C>, fault: fn(C) -> Fault<C>) -> Fault<C> {
    match denial {
        Denial::Code(code) => fault(code),
        Denial::Undecided => Fault::Undecided,
    }
}
