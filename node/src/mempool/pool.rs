//! The pool: submission, states, and what blocks are made of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use kanhe_proto::hash::{ConsentId, TransactionId};
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::key::Signature;
use kanhe_proto::transaction::Transaction;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::admission::Admission;
use super::config::MempoolConfig;
use super::outcomes::{Outcomes, TransactionState};
use super::queue::{PooledTransaction, Queue, TakeLimits};
use super::submission::Submission;
use super::verified::VerifiedCache;
use super::verify::{Fault, Job, Verification};
use super::waiters::{TooManyWaiters, Waiters};

/// How full the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Transactions that wait.
    pub transactions: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Bureaus that sent them.
    pub sponsors: usize,
    /// Settled transactions that are remembered.
    pub outcomes: usize,
    /// Ids that somebody waits for.
    pub awaited: usize,
}

/// Transactions that wait for a block; shared by the interface, the network and the consensus.
pub struct Mempool<A: Admission> {
    admission: Arc<A>,
    verified: Arc<VerifiedCache>,
    verification: Verification,
    waiting: Semaphore,
    work: watch::Sender<bool>,
    inner: Mutex<Inner<A::Code>>,
}

#[derive(Debug)]
struct Inner<C> {
    queue: Queue,
    outcomes: Outcomes<C>,
    waiters: Waiters<C>,
    /// First copies that are being verified, and where their answer will be.
    verifying: HashMap<TransactionId, (Signature, Answer<C>)>,
    /// Time of the last block.
    block_time: TimeMs,
}

type Answer<C> = watch::Receiver<Option<Submission<C>>>;

/// What is to be done about one of the transactions handed in together.
enum Step<'a, A: Admission> {
    Done(Submission<A::Code>),
    Verify { bytes: Bytes, job: Job, claim: Option<Claim<'a, A>> },
    Behind(Answer<A::Code>),
}

/// The right to verify the first copy. Given back when dropped, also when the caller goes away.
struct Claim<'a, A: Admission> {
    pool: &'a Mempool<A>,
    id: TransactionId,
    answer: watch::Sender<Option<Submission<A::Code>>>,
}

impl<A: Admission> Drop for Claim<'_, A> {
    fn drop(&mut self) {
        self.pool.lock().verifying.remove(&self.id);
    }
}

impl<A: Admission> Mempool<A> {
    /// An empty pool on top of a block of this time.
    pub fn new(config: &MempoolConfig, admission: Arc<A>, block_time: TimeMs) -> Self {
        Self {
            admission,
            verified: Arc::new(VerifiedCache::new(config.verified_max)),
            verification: Verification::new(config.verify_threads, config.verify_queue_max),
            waiting: Semaphore::new(config.waiters_max.min(Semaphore::MAX_PERMITS)),
            work: watch::Sender::new(false),
            inner: Mutex::new(Inner {
                queue: Queue::new(config.transactions_max, config.bytes_max, config.withdrawals_max),
                outcomes: Outcomes::new(config.outcomes_max),
                waiters: Waiters::new(),
                verifying: HashMap::new(),
                block_time,
            }),
        }
    }
    /// Signatures that held, for the check of blocks.
    pub fn cache(&self) -> &Arc<VerifiedCache> {
        &self.verified
    }
    /// Whether any transaction waits.
    pub fn work(&self) -> watch::Receiver<bool> {
        self.work.subscribe()
    }
    /// How full it is.
    pub fn stats(&self) -> Stats {
        let inner = self.lock();
        Stats {
            transactions: inner.queue.len(),
            bytes: inner.queue.bytes(),
            sponsors: inner.queue.sponsors(),
            outcomes: inner.outcomes.len(),
            awaited: inner.waiters.len(),
        }
    }

    /// Hands in one transaction.
    pub async fn submit(&self, bytes: Bytes) -> Submission<A::Code> {
        self.submit_many(vec![bytes]).await.pop().expect("one answer for one transaction")
    }

    /// Hands in transactions; they line up in this order. The answers are in the same order.
    pub async fn submit_many(&self, transactions: Vec<Bytes>) -> Vec<Submission<A::Code>> {
        let mut steps: Vec<Step<'_, A>> = transactions.into_iter().map(|bytes| self.sort(bytes)).collect();
        let jobs: Vec<Job> = steps
            .iter()
            .filter_map(|step| if let Step::Verify { job, .. } = step { Some(job.clone()) } else { None })
            .collect();
        let faults = match self.verification.reserve(jobs.len()) {
            Some(_room) => Some(self.verification.run(&self.admission, &self.verified, jobs).await),
            None => None,
        };
        let mut faults = faults.into_iter().flatten();
        for step in &mut steps {
            if let Step::Verify { bytes, job, claim } = step {
                let submission = match faults.next() {
                    Some(result) => self.settle(std::mem::take(bytes), job, result),
                    None => Submission::Busy,
                };
                if let Some(claim) = claim.take() {
                    claim.answer.send_replace(Some(submission.clone()));
                }
                *step = Step::Done(submission);
            }
        }
        let mut submissions = Vec::with_capacity(steps.len());
        for step in steps {
            submissions.push(match step {
                Step::Done(submission) => submission,
                Step::Behind(mut answer) => match answer.wait_for(Option::is_some).await {
                    Ok(first) => first.as_ref().map_or(Submission::Busy, Submission::of_copy),
                    Err(_) => Submission::Busy,
                },
                Step::Verify { .. } => Submission::Busy,
            });
        }
        submissions
    }

    /// Decodes and looks whether it is known.
    fn sort(&self, bytes: Bytes) -> Step<'_, A> {
        let (transaction, id) = match Transaction::from_bytes(&bytes) {
            Ok(decoded) => decoded,
            Err(error) => return Step::Done(Submission::Malformed(error)),
        };
        let mut inner = self.lock();
        let signed = self.verified.contains(&id, &transaction.signature)
            || inner.queue.get(&id).is_some_and(|first| first.transaction.signature == transaction.signature);
        if signed && let Some(state) = inner.known(&id) {
            return Step::Done(Submission::Known { id, state, signed });
        }
        let claim = match inner.verifying.get(&id) {
            Some((signature, answer)) if *signature == transaction.signature => return Step::Behind(answer.clone()),
            // Another signature: looked at by itself, for the first may be the spoiled one.
            Some(_) => None,
            None => {
                let (answer, receiver) = watch::channel(None);
                inner.verifying.insert(id, (transaction.signature.clone(), receiver));
                Some(Claim { pool: self, id, answer })
            }
        };
        Step::Verify { bytes, job: Job { id, transaction: Arc::new(transaction) }, claim }
    }

    /// Lets a checked transaction in, or says why not.
    fn settle(&self, bytes: Bytes, job: &Job, result: Result<(), Fault<A::Code>>) -> Submission<A::Code> {
        let id = job.id;
        // Asked outside the lock: it may read the disk.
        let committed = if result.is_ok() { None } else { self.admission.committed(&id) };
        let mut inner = self.lock();
        let known = committed.map(|height| TransactionState::Committed { height }).or_else(|| inner.known(&id));
        match (result, known) {
            (Err(Fault::Undecided), _) => Submission::Busy,
            (Err(Fault::Signature(code)), _) => Submission::WrongSignature { id, code },
            (Err(Fault::Unsigned(_)), Some(state)) => Submission::Known { id, state, signed: false },
            (Err(Fault::Unsigned(code)), None) => Submission::Refused { id, code },
            (_, Some(state)) => Submission::Known { id, state, signed: true },
            (Err(Fault::Signed(code)), None) => {
                inner.tell(id, TransactionState::Rejected { code: code.clone() });
                Submission::Refused { id, code }
            }
            (Ok(()), None) if job.transaction.body.expiry <= inner.block_time => {
                inner.tell(id, TransactionState::Expired);
                Submission::Known { id, state: TransactionState::Expired, signed: true }
            }
            (Ok(()), None) => {
                let transaction = Transaction::clone(&job.transaction);
                if let Some(id) = inner.queue.same_withdrawal(&transaction) {
                    return Submission::Known { id, state: TransactionState::Pending, signed: true };
                }
                if let Err(what) = inner.queue.push(PooledTransaction { id, bytes, transaction }) {
                    return Submission::Full { id, what };
                }
                inner.waiters.tell(&id, TransactionState::Pending);
                self.work.send_if_modified(|work| !std::mem::replace(work, true));
                Submission::Accepted(id)
            }
        }
    }

    /// Where a transaction stands.
    pub fn state(&self, id: &TransactionId) -> TransactionState<A::Code> {
        if let Some(state) = self.lock().known(id) {
            return state;
        }
        let committed = self.admission.committed(id);
        committed.map_or(TransactionState::Unknown, |height| TransactionState::Committed { height })
    }

    /// Waits until a transaction's state satisfies the caller, or for so long; returns the state then.
    pub async fn wait(
        &self,
        id: TransactionId,
        limit: Duration,
        enough: impl Fn(&TransactionState<A::Code>) -> bool,
    ) -> Result<TransactionState<A::Code>, TooManyWaiters> {
        let now = self.state(&id);
        if enough(&now) {
            return Ok(now);
        }
        let permit = self.waiting.try_acquire().map_err(|_| TooManyWaiters)?;
        let mut seat = Seat { pool: self, id, receiver: None, _permit: permit };
        let receiver = {
            let mut inner = self.lock();
            // The state may have changed since it was read above.
            let now = inner.known(&id).unwrap_or(now);
            seat.receiver.insert(inner.waiters.join(id, now))
        };
        let ended = tokio::time::timeout(limit, receiver.wait_for(|state| enough(state))).await;
        match ended {
            Ok(Ok(state)) => Ok(state.clone()),
            _ => Ok(self.state(&id)),
        }
    }

    /// What a block is made of; see [`TakeLimits`]. Nothing is removed.
    pub fn take(&self, limits: &TakeLimits) -> Vec<Arc<PooledTransaction>> {
        self.lock().queue.take(limits)
    }
    /// Whether anything that waits takes a consent back.
    pub fn is_withdrawing(&self, consent: &ConsentId) -> bool {
        self.lock().queue.is_withdrawing(consent)
    }
    /// One that waits.
    pub fn get(&self, id: &TransactionId) -> Option<Arc<PooledTransaction>> {
        self.lock().queue.get(id).cloned()
    }

    /// A block was committed: its transactions are settled, and what expired by its time goes.
    pub fn committed(&self, ids: &[TransactionId], height: Height, block_time: TimeMs) {
        let mut inner = self.lock();
        inner.block_time = inner.block_time.max(block_time);
        for id in ids {
            inner.queue.remove(id);
            inner.tell(*id, TransactionState::Committed { height });
        }
        let block_time = inner.block_time;
        for id in inner.queue.expire(block_time) {
            inner.tell(id, TransactionState::Expired);
        }
        self.update_work(&inner);
    }

    /// Execution refused one of those that wait.
    pub fn reject(&self, id: &TransactionId, code: A::Code) {
        let mut inner = self.lock();
        if inner.queue.remove(id).is_some() {
            inner.tell(*id, TransactionState::Rejected { code });
        }
        self.update_work(&inner);
    }

    fn update_work(&self, inner: &Inner<A::Code>) {
        let now = inner.queue.len() > 0;
        self.work.send_if_modified(|work| std::mem::replace(work, now) != now);
    }
    fn lock(&self) -> MutexGuard<'_, Inner<A::Code>> {
        // A panic under this lock is a broken invariant of the queue: nothing here may go on then.
        self.inner.lock().expect("no holder of the pool's lock panics")
    }
}

impl<C: Clone> Inner<C> {
    fn known(&self, id: &TransactionId) -> Option<TransactionState<C>> {
        if self.queue.get(id).is_some() {
            return Some(TransactionState::Pending);
        }
        self.outcomes.get(id).cloned()
    }
    fn tell(&mut self, id: TransactionId, state: TransactionState<C>) {
        if self.outcomes.set(id, state.clone()) {
            self.waiters.tell(&id, state);
        }
    }
}

/// A caller that waits; its place is free again when it ends or goes away.
struct Seat<'a, A: Admission> {
    pool: &'a Mempool<A>,
    id: TransactionId,
    receiver: Option<watch::Receiver<TransactionState<A::Code>>>,
    _permit: SemaphorePermit<'a>,
}

impl<A: Admission> Drop for Seat<'_, A> {
    fn drop(&mut self) {
        if let Some(receiver) = self.receiver.take() {
            self.pool.lock().waiters.leave(&self.id, receiver);
        }
    }
}
