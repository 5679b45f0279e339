//! The pool: bounds, fairness, duplicates, expiry, order, waiters, and a model of all of it.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kanhe_node::mempool::{Admission, Denial, Full, Mempool, MempoolConfig, Submission, TakeLimits, TransactionState};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::consent::{Act, ConsentPayload, Grant, SignedAct, Withdraw};
use kanhe_proto::hash::{ChainId, ConsentId, TransactionId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Era, Height, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, Signature, Signer};
use kanhe_proto::transaction::{Payload, RawPayload, Transaction, TransactionBody};
use kanhe_proto::vote::ChainContext;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    UnknownSender,
    WrongSignature,
    Unwelcome,
    Stale,
}

/// Knows the bureaus' keys, and refuses on demand.
#[derive(Default)]
struct Rules {
    strangers: Mutex<BTreeSet<Uscc>>,
    unwelcome: Mutex<BTreeSet<TransactionId>>,
    committed: Mutex<BTreeMap<TransactionId, Height>>,
    checks: AtomicUsize,
    slow: Option<Duration>,
}

impl Admission for Rules {
    type Code = Code;

    fn signer(&self, transaction: &Transaction) -> Result<PublicKey, Denial<Code>> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        if let Some(slow) = self.slow {
            std::thread::sleep(slow);
        }
        let sender = transaction.body.sender;
        let number = (0..9).find(|n| bureau(*n) == sender).ok_or(Code::UnknownSender)?;
        if self.strangers.lock().unwrap().contains(&sender) {
            return Err(Code::UnknownSender.into());
        }
        Ok(key(number).public_key())
    }
    fn wrong_signature(&self) -> Code {
        Code::WrongSignature
    }
    fn admit(&self, _: &Transaction, id: &TransactionId) -> Result<(), Denial<Code>> {
        if self.unwelcome.lock().unwrap().contains(id) { Err(Code::Unwelcome.into()) } else { Ok(()) }
    }
    fn committed(&self, id: &TransactionId) -> Option<Height> {
        self.committed.lock().unwrap().get(id).copied()
    }
}

fn bureau(number: u8) -> Uscc {
    Uscc::with_check(&format!("1137010000000000{number}")).unwrap()
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number + 1; 32])
}

/// A transaction of a bureau, different for each nonce.
fn transaction(number: u8, nonce: u32, size: usize, expiry: u64) -> (Bytes, TransactionId) {
    let mut content = vec![0; size.max(4)];
    content[..4].copy_from_slice(&nonce.to_be_bytes());
    let body = TransactionBody {
        version: 1,
        chain: ChainContext { chain_id: ChainId([1; 32]), era: Era(0) },
        sender: bureau(number),
        key: key(number).public_key().id(),
        expiry: TimeMs(expiry),
        payload: RawPayload { kind: 2, version: 1, content: Blob::new(content).unwrap() },
    };
    let id = body.id();
    (body.sign(&key(number)).unwrap().to_bytes().into(), id)
}

/// The same transaction under a signature that does not hold.
fn forged(bytes: &Bytes) -> Bytes {
    let (mut transaction, _) = Transaction::from_bytes(bytes).unwrap();
    transaction.signature = Signature::ed25519([9; 64]);
    transaction.to_bytes().into()
}

fn pool_of(config: &MempoolConfig, rules: Rules) -> Mempool<Rules> {
    Mempool::new(config, Arc::new(rules), TimeMs(0))
}

fn pool() -> Mempool<Rules> {
    pool_of(&MempoolConfig::default(), Rules::default())
}

const LATER: u64 = 1_000_000;
const WHOLE: TakeLimits = TakeLimits { bytes: usize::MAX, count: usize::MAX };

fn taken(pool: &Mempool<Rules>, limits: TakeLimits) -> Vec<TransactionId> {
    pool.take(&limits).iter().map(|pooled| pooled.id).collect()
}

#[tokio::test]
async fn a_transaction_goes_from_pending_to_committed() {
    let pool = pool();
    let work = pool.work();
    let (bytes, id) = transaction(0, 1, 10, LATER);
    assert_eq!(pool.state(&id), TransactionState::Unknown);
    assert!(!*work.borrow());
    assert_eq!(pool.submit(bytes.clone()).await, Submission::Accepted(id));
    assert!(*work.borrow());
    assert_eq!(pool.state(&id), TransactionState::Pending);
    assert_eq!(taken(&pool, WHOLE), [id]);
    assert_eq!(taken(&pool, WHOLE), [id], "taking removes nothing");
    pool.committed(&[id], Height(3), TimeMs(5));
    let state = TransactionState::Committed { height: Height(3) };
    assert_eq!(pool.state(&id), state);
    assert!(!*work.borrow() && taken(&pool, WHOLE).is_empty());
    assert_eq!(pool.submit(bytes).await, Submission::Known { id, state, signed: true });
}

#[tokio::test]
async fn each_signature_is_verified_once_and_a_copy_gets_the_firsts_state() {
    let pool = Arc::new(pool_of(
        &MempoolConfig::default(),
        Rules { slow: Some(Duration::from_millis(50)), ..Rules::default() },
    ));
    let (bytes, id) = transaction(0, 1, 10, LATER);
    let copies: Vec<_> = (0..8)
        .map(|_| {
            let (pool, bytes) = (Arc::clone(&pool), bytes.clone());
            tokio::spawn(async move { pool.submit(bytes).await })
        })
        .collect();
    let mut accepted = 0;
    for copy in copies {
        match copy.await.unwrap() {
            Submission::Accepted(of) if of == id => accepted += 1,
            Submission::Known { state: TransactionState::Pending, signed: true, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(accepted, 1);
    assert!(pool.cache().contains(&id, &pool.get(&id).unwrap().transaction.signature));
    let twice = pool.submit_many(vec![bytes.clone(), bytes]).await;
    assert!(twice.iter().all(|submission| matches!(submission, Submission::Known { signed: true, .. })));
    let (bytes, _) = transaction(0, 2, 10, LATER);
    let twice = pool.submit_many(vec![bytes.clone(), bytes]).await;
    assert!(matches!(twice[0], Submission::Accepted(_)));
    assert!(matches!(twice[1], Submission::Known { state: TransactionState::Pending, signed: true, .. }));
}

#[tokio::test]
async fn a_wrong_signature_spoils_nobodys_transaction() {
    let pool = pool();
    let (bytes, id) = transaction(0, 1, 10, LATER);
    let wrong = Submission::WrongSignature { id, code: Code::WrongSignature };
    assert_eq!(pool.submit(forged(&bytes)).await, wrong);
    assert_eq!(pool.state(&id), TransactionState::Unknown);
    let both = pool.submit_many(vec![forged(&bytes), bytes.clone()]).await;
    assert_eq!(both, [wrong.clone(), Submission::Accepted(id)]);
    assert_eq!(pool.submit(forged(&bytes)).await, wrong, "also when the right one waits");
    assert_eq!(pool.stats().transactions, 1);
    assert!(!pool.cache().contains(&id, &Signature::ed25519([9; 64])));
}

#[tokio::test]
async fn refusals_are_remembered_only_under_a_signature() {
    let pool = pool_of(&MempoolConfig::default(), Rules::default());
    let (unwelcome, id) = transaction(0, 1, 10, LATER);
    let rules = Rules::default();
    rules.unwelcome.lock().unwrap().insert(id);
    rules.strangers.lock().unwrap().insert(bureau(1));
    let strict = pool_of(&MempoolConfig::default(), rules);
    assert_eq!(strict.submit(unwelcome.clone()).await, Submission::Refused { id, code: Code::Unwelcome });
    let state = TransactionState::Rejected { code: Code::Unwelcome };
    assert_eq!(strict.state(&id), state);
    assert_eq!(strict.submit(unwelcome).await, Submission::Known { id, state, signed: true });
    let (stranger, id) = transaction(1, 1, 10, LATER);
    assert_eq!(strict.submit(stranger).await, Submission::Refused { id, code: Code::UnknownSender });
    assert_eq!(strict.state(&id), TransactionState::Unknown);
    assert!(matches!(pool.submit(Bytes::from_static(b"junk")).await, Submission::Malformed(_)));
    assert!(matches!(pool.submit(vec![0; 300 << 10].into()).await, Submission::Malformed(_)));
    assert_eq!(pool.stats().transactions, 0);
}

#[tokio::test]
async fn the_chain_is_asked_for_what_is_forgotten() {
    let rules = Rules::default();
    let (bytes, id) = transaction(0, 1, 10, LATER);
    rules.committed.lock().unwrap().insert(id, Height(7));
    rules.unwelcome.lock().unwrap().insert(id);
    let pool = pool_of(&MempoolConfig::default(), rules);
    let state = TransactionState::Committed { height: Height(7) };
    assert_eq!(pool.state(&id), state);
    assert_eq!(pool.submit(bytes).await, Submission::Known { id, state, signed: true });
}

#[tokio::test]
async fn one_bureau_never_fills_the_pool() {
    let config = MempoolConfig { transactions_max: 30, ..MempoolConfig::default() };
    let pool = pool_of(&config, Rules::default());
    let mut held = Vec::new();
    for number in 0..3 {
        let mut own = 0;
        for nonce in 0..40 {
            match pool.submit(transaction(number, nonce, 10, LATER).0).await {
                Submission::Accepted(_) => own += 1,
                Submission::Full { what: Full::Sponsor, .. } => {}
                other => panic!("{other:?}"),
            }
        }
        held.push(own);
    }
    assert_eq!(held, [15, 8, 4]);
    let config = MempoolConfig { bytes_max: 10_000, ..MempoolConfig::default() };
    let pool = pool_of(&config, Rules::default());
    let large = pool.submit(transaction(0, 1, 6_000, LATER).0).await;
    assert!(matches!(large, Submission::Full { what: Full::Pool | Full::Sponsor, .. } | Submission::Accepted(_)));
    for nonce in 0..40 {
        pool.submit(transaction(1, nonce, 500, LATER).0).await;
    }
    assert!(pool.stats().bytes <= 10_000);
    assert!(matches!(pool.submit(transaction(2, 1, 500, LATER).0).await, Submission::Accepted(_)));
}

#[tokio::test]
async fn a_contested_block_is_shared_and_order_is_kept() {
    let pool = pool();
    let mut ids: BTreeMap<u8, Vec<TransactionId>> = BTreeMap::new();
    for (number, count) in [(0, 60), (1, 60), (2, 60), (3, 2)] {
        for nonce in 0..count {
            let (bytes, id) = transaction(number, nonce, 10, LATER);
            assert!(matches!(pool.submit(bytes).await, Submission::Accepted(_)));
            ids.entry(number).or_default().push(id);
        }
    }
    let block = taken(&pool, TakeLimits { bytes: usize::MAX, count: 30 });
    assert_eq!(block.len(), 30);
    let share = |number: u8| block.iter().filter(|id| ids[&number].contains(id)).copied().collect::<Vec<_>>();
    for number in 0..3 {
        let own = share(number);
        assert!(own.len() <= 10);
        assert_eq!(own, ids[&number][..own.len()], "in order of arrival");
    }
    assert_eq!(share(3).len(), 2, "whoever wants little gets it");
    // Alone, a sponsor gets the whole block.
    let others: Vec<TransactionId> = (1..4).flat_map(|number| ids[&number].clone()).collect();
    pool.committed(&others, Height(1), TimeMs(1));
    assert_eq!(taken(&pool, TakeLimits { bytes: usize::MAX, count: 30 }), ids[&0][..30]);
}

/// A transaction of a bureau that takes back these consents, and grants one more or not.
fn withdrawal(number: u8, consents: &[u8], grants: bool, expiry: u64) -> (Bytes, TransactionId) {
    let signed = |act| SignedAct { act, signature: Signature::ed25519([1; 64]) };
    let mut acts: Vec<SignedAct> =
        consents.iter().map(|id| signed(Act::Withdraw(Withdraw { consent: ConsentId([*id; 32]) }))).collect();
    if grants {
        acts.push(signed(Act::Grant(Grant {
            key: key(8).public_key(),
            accept_before: TimeMs(1),
            grantee: bureau(1),
            purpose: Text::new("a").unwrap(),
            not_after: TimeMs(1),
            reads: 1,
            terms: Default::default(),
        })));
    }
    let payload = ConsentPayload { acts: List::new(acts).unwrap() };
    let body = TransactionBody {
        version: 1,
        chain: ChainContext { chain_id: ChainId([1; 32]), era: Era(0) },
        sender: bureau(number),
        key: key(number).public_key().id(),
        expiry: TimeMs(expiry),
        payload: Payload::Consent(payload).to_raw(),
    };
    let id = body.id();
    (body.sign(&key(number)).unwrap().to_bytes().into(), id)
}

#[tokio::test]
async fn consents_are_taken_back_outside_quotas_and_once_by_each_sponsor() {
    let config = MempoolConfig { transactions_max: 4, withdrawals_max: 3, ..MempoolConfig::default() };
    let pool = pool_of(&config, Rules::default());
    let accepted = |submission: Submission<Code>| matches!(submission, Submission::Accepted(_));
    let mut first = Vec::new();
    for nonce in 0..9 {
        let (bytes, id) = transaction(0, nonce, 10, LATER);
        first.extend(accepted(pool.submit(bytes).await).then_some(id));
    }
    assert_eq!(first.len(), 2, "its share is used up");
    let withdrawing = |id: u8| pool.is_withdrawing(&ConsentId([id; 32]));
    let (bytes, one) = withdrawal(0, &[1], false, LATER);
    assert!(!withdrawing(1));
    assert_eq!(pool.submit(bytes).await, Submission::Accepted(one));
    assert!(withdrawing(1) && !withdrawing(2));
    // By the same sponsor again, in another transaction, it is the one that waits; another sponsor passes it on as well.
    let waits = Submission::Known { id: one, state: TransactionState::Pending, signed: true };
    assert_eq!(pool.submit(withdrawal(0, &[1], false, LATER + 1).0).await, waits);
    let (bytes, others) = withdrawal(1, &[1], false, LATER);
    assert!(accepted(pool.submit(bytes).await));
    // More than that is new, and what also grants is on the sponsor's quota.
    let (bytes, two) = withdrawal(0, &[1, 2], false, LATER);
    assert!(accepted(pool.submit(bytes).await));
    let full = pool.submit(withdrawal(0, &[3], true, LATER).0).await;
    assert!(matches!(full, Submission::Full { what: Full::Sponsor, .. }) && !withdrawing(3));
    let (bytes, mixed) = withdrawal(2, &[3], true, LATER);
    assert!(accepted(pool.submit(bytes).await) && withdrawing(3));
    // The line is full: from here on they count like others.
    assert!(matches!(pool.submit(withdrawal(0, &[4], false, LATER).0).await, Submission::Full { .. }));
    // They come first, and leave the others their room.
    assert_eq!(pool.stats().transactions, 6);
    let block = taken(&pool, WHOLE);
    assert_eq!((&block[..3], block.len()), (&[one, others, two][..], 6));
    assert_eq!(taken(&pool, TakeLimits { bytes: usize::MAX, count: 5 })[0], one);

    pool.committed(&[one], Height(1), TimeMs(1));
    assert!(withdrawing(1), "others still wait");
    pool.committed(&[others, two], Height(2), TimeMs(2));
    assert!(!withdrawing(1) && !withdrawing(2));
    pool.reject(&mixed, Code::Stale);
    assert!(!withdrawing(3));
    let (bytes, again) = withdrawal(0, &[4], false, 5);
    assert_eq!(pool.submit(bytes).await, Submission::Accepted(again));
    pool.committed(&first, Height(3), TimeMs(5));
    assert!(!withdrawing(4) && pool.stats().transactions == 0 && pool.stats().bytes == 0);
    assert_eq!(pool.state(&again), TransactionState::Expired);
}

#[tokio::test]
async fn another_sponsor_begins_each_block_and_large_ones_have_their_turn() {
    let pool = pool();
    let mut large = Vec::new();
    for number in 0..3 {
        let (bytes, id) = transaction(number, 1, 10_000, LATER);
        pool.submit(bytes).await;
        large.push(id);
        pool.submit(transaction(number, 2, 10, LATER).0).await;
    }
    // Room for one large one only: three blocks bring all three forward, though each is above a third.
    let limits = TakeLimits { bytes: 11_000, count: 100 };
    let firsts: BTreeSet<TransactionId> = (0..3).map(|_| taken(&pool, limits)[0]).collect();
    assert_eq!(firsts, large.into_iter().collect());
    // What no block could hold stands in nobody's way.
    let (_, small) = transaction(0, 2, 10, LATER);
    assert!(taken(&pool, TakeLimits { bytes: 1_000, count: 100 }).contains(&small));
}

#[tokio::test]
async fn expiry_follows_block_time() {
    let pool = pool();
    let (soon, soon_id) = transaction(0, 1, 10, 100);
    let (late, late_id) = transaction(0, 2, 10, 200);
    pool.submit_many(vec![soon.clone(), late]).await;
    pool.committed(&[], Height(1), TimeMs(99));
    assert_eq!(pool.state(&soon_id), TransactionState::Pending);
    // The next block is later than this one, so an expiry at its time is past.
    pool.committed(&[], Height(2), TimeMs(100));
    assert_eq!(pool.state(&soon_id), TransactionState::Expired);
    assert_eq!(pool.state(&late_id), TransactionState::Pending);
    let again = Submission::Known { id: soon_id, state: TransactionState::Expired, signed: true };
    assert_eq!(pool.submit(soon).await, again);
    let (past, id) = transaction(1, 1, 10, 100);
    assert!(matches!(pool.submit(past).await, Submission::Known { state: TransactionState::Expired, .. }));
    assert_eq!(pool.state(&id), TransactionState::Expired);
    pool.reject(&late_id, Code::Stale);
    assert_eq!(pool.state(&late_id), TransactionState::Rejected { code: Code::Stale });
    assert!(!*pool.work().borrow());
    // Another node committed it nevertheless, and that stays.
    pool.committed(&[late_id], Height(3), TimeMs(101));
    pool.reject(&late_id, Code::Stale);
    assert_eq!(pool.state(&late_id), TransactionState::Committed { height: Height(3) });
}

#[tokio::test]
async fn outcomes_and_signatures_are_forgotten_in_order() {
    let config = MempoolConfig { outcomes_max: 5, verified_max: 5, ..MempoolConfig::default() };
    let pool = pool_of(&config, Rules::default());
    let mut ids = Vec::new();
    for nonce in 0..8 {
        let (bytes, id) = transaction(0, nonce, 10, LATER);
        pool.submit(bytes).await;
        pool.committed(&[id], Height(u64::from(nonce)), TimeMs(1));
        ids.push(id);
    }
    assert_eq!((pool.stats().outcomes, pool.cache().len()), (5, 5));
    assert_eq!(pool.state(&ids[2]), TransactionState::Unknown);
    assert_eq!(pool.state(&ids[3]), TransactionState::Committed { height: Height(3) });
}

#[tokio::test]
async fn waiters_hear_of_the_change_and_are_bounded() {
    let config = MempoolConfig { waiters_max: 2, ..MempoolConfig::default() };
    let pool = Arc::new(pool_of(&config, Rules::default()));
    let (bytes, id) = transaction(0, 1, 10, LATER);
    let wait = |limit| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.wait(id, limit, |state| !state.is_open()).await })
    };
    let long = Duration::from_secs(60);
    let (first, second) = (wait(long), wait(long));
    while pool.stats().awaited == 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert!(wait(long).await.unwrap().is_err(), "no third");
    pool.submit(bytes).await;
    pool.committed(&[id], Height(4), TimeMs(1));
    let state = TransactionState::Committed { height: Height(4) };
    assert_eq!(first.await.unwrap(), Ok(state.clone()));
    assert_eq!(second.await.unwrap(), Ok(state.clone()));
    assert_eq!(wait(long).await.unwrap(), Ok(state));
    assert_eq!(pool.stats().awaited, 0);
    let (_, other) = transaction(0, 2, 10, LATER);
    let ended = pool.wait(other, Duration::from_millis(10), |state| !state.is_open()).await;
    assert_eq!(ended, Ok(TransactionState::Unknown));
    // Whoever goes away leaves nothing behind.
    let gone = tokio::time::timeout(Duration::from_millis(10), pool.wait(other, long, |state| !state.is_open())).await;
    assert!(gone.is_err());
    assert_eq!(pool.stats().awaited, 0);
}

#[tokio::test]
async fn a_full_queue_of_verification_refuses() {
    let config = MempoolConfig { verify_queue_max: 4, ..MempoolConfig::default() };
    let pool = pool_of(&config, Rules::default());
    let many: Vec<Bytes> = (0..5).map(|nonce| transaction(0, nonce, 10, LATER).0).collect();
    assert!(pool.submit_many(many.clone()).await.iter().all(|submission| *submission == Submission::Busy));
    assert!(matches!(pool.submit(many[0].clone()).await, Submission::Accepted(_)), "nothing of it is left behind");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_behind() {
    let rules = Rules { slow: Some(Duration::from_millis(100)), ..Rules::default() };
    let pool = pool_of(&MempoolConfig::default(), rules);
    let (bytes, id) = transaction(0, 1, 10, LATER);
    assert!(tokio::time::timeout(Duration::from_millis(10), pool.submit(bytes.clone())).await.is_err());
    assert_eq!(pool.submit(bytes).await, Submission::Accepted(id));
}

/// A step of the model.
#[derive(Debug, Clone)]
enum Step {
    Submit { bureau: u8, size: usize, expires_in: u64 },
    Again { which: usize },
    Forge { which: usize },
    Block { count: usize, kilobytes: usize, passes: u64 },
    Reject { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u8, prop_oneof![Just(10_usize), 10..3_000_usize], 1..60_u64)
            .prop_map(|(bureau, size, expires_in)| Step::Submit { bureau, size, expires_in }),
        1 => (0..64_usize).prop_map(|which| Step::Again { which }),
        1 => (0..64_usize).prop_map(|which| Step::Forge { which }),
        2 => (1..12_usize, 1..8_usize, 1..20_u64)
            .prop_map(|(count, kilobytes, passes)| Step::Block { count, kilobytes, passes }),
        1 => (0..64_usize).prop_map(|which| Step::Reject { which }),
    ]
}

/// What the pool should be, kept in the plainest way.
#[derive(Default)]
struct Model {
    waiting: Vec<(TransactionId, u8, usize, u64)>,
    states: BTreeMap<TransactionId, TransactionState<Code>>,
    sent: Vec<(Bytes, TransactionId)>,
    time: u64,
    height: u64,
}

const COUNT_MAX: usize = 16;
const BYTES_MAX: usize = 20_000;

impl Model {
    fn submit(&mut self, number: u8, id: TransactionId, size: usize, expiry: u64) -> Submission<Code> {
        let own = || self.waiting.iter().filter(|(_, sponsor, ..)| *sponsor == number);
        let (own_count, own_bytes) = (own().count(), own().map(|(_, _, size, _)| size).sum::<usize>());
        let bytes_free = BYTES_MAX - self.waiting.iter().map(|(_, _, size, _)| size).sum::<usize>();
        let count_free = COUNT_MAX - self.waiting.len();
        if count_free == 0 || bytes_free < size {
            return Submission::Full { id, what: Full::Pool };
        }
        if own_count >= count_free || own_bytes + size > bytes_free {
            return Submission::Full { id, what: Full::Sponsor };
        }
        self.waiting.push((id, number, size, expiry));
        self.states.insert(id, TransactionState::Pending);
        Submission::Accepted(id)
    }
    fn settle(&mut self, id: TransactionId, state: TransactionState<Code>) {
        self.waiting.retain(|(waiting, ..)| *waiting != id);
        self.states.insert(id, state);
    }
    fn check_block(&self, block: &[TransactionId], limits: &TakeLimits) {
        let size = |id: &TransactionId| self.waiting.iter().find(|(waiting, ..)| waiting == id).unwrap().2;
        let bytes: usize = block.iter().map(size).sum();
        assert!(block.len() <= limits.count && bytes <= limits.bytes, "within the block");
        let mut hungry = 0;
        let mut above = 0;
        for number in 0..4 {
            let line: Vec<TransactionId> = self
                .waiting
                .iter()
                .filter(|(_, sponsor, size, _)| *sponsor == number && *size <= limits.bytes)
                .map(|(id, ..)| *id)
                .collect();
            let own: Vec<TransactionId> = block.iter().filter(|id| line.contains(id)).copied().collect();
            assert_eq!(own, line[..own.len()], "each line in order, without gaps");
            let own_bytes: usize = own.iter().map(size).sum();
            let shared = own.len() <= (limits.count / 3).max(1) && (own_bytes <= limits.bytes / 3 || own.len() == 1);
            above += usize::from(!shared);
            hungry += usize::from(own.len() < line.len());
        }
        assert!(hungry < 2 || above == 0, "at most a third each while others want more");
        let all: usize = self.waiting.iter().map(|(_, _, size, _)| size).sum();
        if self.waiting.len() <= limits.count && all <= limits.bytes {
            assert_eq!(block.len(), self.waiting.len(), "everything that has room");
        }
        assert!(!block.is_empty() || self.waiting.iter().all(|(_, _, size, _)| *size > limits.bytes));
    }
}

async fn run(steps: Vec<Step>) {
    let config = MempoolConfig { transactions_max: COUNT_MAX, bytes_max: BYTES_MAX, ..MempoolConfig::default() };
    let pool = pool_of(&config, Rules::default());
    let mut model = Model::default();
    for (nonce, step) in steps.into_iter().enumerate() {
        match step {
            Step::Submit { bureau, size, expires_in } => {
                let expiry = model.time + expires_in;
                let (bytes, id) = transaction(bureau, nonce as u32, size, expiry);
                let expected = model.submit(bureau, id, bytes.len(), expiry);
                assert_eq!(pool.submit(bytes.clone()).await, expected);
                if matches!(expected, Submission::Accepted(_)) {
                    model.sent.push((bytes, id));
                }
            }
            Step::Again { which } if !model.sent.is_empty() => {
                let (bytes, id) = model.sent[which % model.sent.len()].clone();
                let state = model.states[&id].clone();
                assert_eq!(pool.submit(bytes).await, Submission::Known { id, state, signed: true });
            }
            Step::Forge { which } if !model.sent.is_empty() => {
                let (bytes, id) = model.sent[which % model.sent.len()].clone();
                let wrong = Submission::WrongSignature { id, code: Code::WrongSignature };
                assert_eq!(pool.submit(forged(&bytes)).await, wrong);
            }
            Step::Reject { which } if !model.waiting.is_empty() => {
                let id = model.waiting[which % model.waiting.len()].0;
                pool.reject(&id, Code::Stale);
                model.settle(id, TransactionState::Rejected { code: Code::Stale });
            }
            Step::Block { count, kilobytes, passes } => {
                let limits = TakeLimits { bytes: kilobytes * 1_000, count };
                let block = taken(&pool, limits);
                model.check_block(&block, &limits);
                model.time += passes;
                model.height += 1;
                let height = Height(model.height);
                pool.committed(&block, height, TimeMs(model.time));
                for id in block {
                    model.settle(id, TransactionState::Committed { height });
                }
                let expired: Vec<_> = model.waiting.iter().filter(|entry| entry.3 <= model.time).map(|e| e.0).collect();
                for id in expired {
                    model.settle(id, TransactionState::Expired);
                }
            }
            _ => {}
        }
        let stats = pool.stats();
        assert_eq!(stats.transactions, model.waiting.len());
        assert_eq!(stats.bytes, model.waiting.iter().map(|(_, _, size, _)| size).sum::<usize>());
        assert_eq!(*pool.work().borrow(), !model.waiting.is_empty());
        for (id, state) in &model.states {
            assert_eq!(pool.state(id), *state);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_pool_is_as_the_model_says(steps in proptest::collection::vec(step(), 1..120)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }
}
