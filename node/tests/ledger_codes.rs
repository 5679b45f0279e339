//! Every code of the ledger, by the shortest way to it.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;

use common::{MemoryView, RARE_TYPE, START, TYPE, World, change, changes, digest, issue};
use kanhe_node::ledger::{BlockContext, Checked, Code, Execution, Refusal, SignatureCheck, execute};
use kanhe_proto::bounded::Blob;
use kanhe_proto::genesis::PROTOCOL_VERSION;
use kanhe_proto::governance::alive_key;
use kanhe_proto::hash::{Hash, MapKey};
use kanhe_proto::identifiers::TypeVersion;
use kanhe_proto::ids::{Era, Height, LogIndex, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::limits::{EXPIRY_AHEAD_MAX_MS, TRANSACTION_BYTES_MAX};
use kanhe_proto::merkle::log;
use kanhe_proto::status::Status;
use kanhe_proto::transaction::{Payload, StatusChange, StatusTarget, Transaction, TransactionBody};

const NOW: TimeMs = TimeMs(START.0 + 10_000);

struct Bench {
    world: World,
    view: MemoryView,
    height: Height,
    seen: RefCell<BTreeSet<Code>>,
}

impl Bench {
    fn new() -> Self {
        let world = World::new(3);
        let view = MemoryView::of(&world);
        Self { world, view, height: Height(1), seen: RefCell::default() }
    }
    fn context(&self) -> BlockContext {
        self.world.context(self.height, NOW, TimeMs(NOW.0 - 1_000))
    }
    fn run(&self, transaction: &Transaction) -> Result<(), Code> {
        let checked = Checked::from_bytes(&transaction.to_bytes(), &self.world.chain(), PROTOCOL_VERSION)?;
        let mut execution = Execution::begin(&self.view, self.context()).unwrap();
        match execution.apply(&checked, SignatureCheck::Verify) {
            Ok(_) => Ok(()),
            Err(Refusal::Code(code)) => {
                // Refused means that nothing changed.
                let outcome = execution.finish().unwrap();
                let alive = |(key, _): (&MapKey, &Option<Vec<u8>>)| *key == alive_key();
                assert!(outcome.state.iter().all(alive) && outcome.records.is_empty() && outcome.receipts.is_empty());
                Err(code)
            }
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    }
    /// Executes and keeps.
    fn commit(&mut self, transaction: &Transaction) {
        let checked = Checked::from_bytes(&transaction.to_bytes(), &self.world.chain(), PROTOCOL_VERSION).unwrap();
        let outcome = execute(&self.view, self.context(), &[checked], |_| SignatureCheck::Verify).unwrap();
        self.view.keep(&outcome);
        self.height = self.height.next();
    }
    fn refuses(&self, transaction: &Transaction, code: Code) {
        assert_eq!(self.run(transaction), Err(code));
        self.seen.borrow_mut().insert(code);
    }
    fn signed(&self, key: &SecretKey, payload: &Payload, edit: impl FnOnce(&mut TransactionBody)) -> Transaction {
        let mut body = self.world.body(0, NOW, payload);
        body.key = key.public_key().id();
        edit(&mut body);
        body.sign(key).unwrap()
    }
    fn batch(&self, edit: impl FnOnce(&mut kanhe_proto::transaction::IssueBatch)) -> Transaction {
        let mut payload = issue(1);
        edit(&mut payload);
        self.world.transaction(0, NOW, &Payload::IssueBatch(payload))
    }
    fn status(&self, office: usize, list: Vec<StatusChange>) -> Transaction {
        self.world.transaction(office, NOW, &changes(list))
    }
}

fn licence(number: u64) -> StatusTarget {
    StatusTarget::Licence(digest(number))
}

fn stateless(bench: &Bench) {
    let own = &bench.world.offices[0].issuing;
    let payload = Payload::IssueBatch(issue(1));
    let from_bytes = |bytes: &[u8]| Checked::from_bytes(bytes, &bench.world.chain(), PROTOCOL_VERSION).unwrap_err();
    let mut bytes = bench.batch(|_| {}).to_bytes();
    bytes.push(0);
    assert_eq!(from_bytes(&bytes), Code::Malformed);
    assert_eq!(from_bytes(&vec![0; TRANSACTION_BYTES_MAX + 1]), Code::TooLarge);
    bench.seen.borrow_mut().insert(Code::TooLarge);
    bench.refuses(
        &bench.signed(own, &payload, |body| body.payload.content = Blob::new(vec![1, 2, 3]).unwrap()),
        Code::Malformed,
    );
    bench.refuses(&bench.signed(own, &payload, |body| body.version = 2), Code::UnknownVersion);
    for (kind, version) in [(4, 1), (3, 2), (0, 1), (200, 1), (1, 2)] {
        let edit = |body: &mut TransactionBody| (body.payload.kind, body.payload.version) = (kind, version);
        bench.refuses(&bench.signed(own, &payload, edit), Code::UnknownKind);
    }
    bench.refuses(&bench.signed(own, &payload, |body| body.chain.chain_id.0[0] ^= 1), Code::WrongChain);
    bench.refuses(&bench.signed(own, &payload, |body| body.chain.era = Era(1)), Code::WrongEra);
}

fn sender(bench: &Bench) {
    let office = &bench.world.offices[0];
    let payload = Payload::IssueBatch(issue(1));
    bench.refuses(&bench.signed(&office.issuing, &payload, |b| b.sender = common::uscc(99)), Code::UnknownSender);
    bench.refuses(&bench.signed(&SecretKey::from_seed([9; 32]), &payload, |_| {}), Code::UnknownKey);
    bench.refuses(&bench.signed(&bench.world.offices[1].issuing, &payload, |_| {}), Code::UnknownKey);
    bench.refuses(&bench.signed(&office.governance, &payload, |_| {}), Code::KeyRole);
    bench.refuses(&bench.signed(&office.validator, &payload, |_| {}), Code::KeyRole);
    bench.refuses(&bench.signed(&office.retired, &payload, |_| {}), Code::KeyNotValid);
    bench.refuses(&bench.signed(&office.stolen, &payload, |_| {}), Code::KeyDistrusted);
    let mut wrong = bench.batch(|_| {});
    wrong.signature = bench.batch(|batch| batch.count = 2).signature;
    bench.refuses(&wrong, Code::BadSignature);
    let mut short = bench.batch(|_| {});
    short.signature.bytes = Blob::new(vec![0; 63]).unwrap();
    bench.refuses(&short, Code::BadSignature);
}

fn window(bench: &mut Bench) {
    let payload = Payload::IssueBatch(issue(1));
    let at = |time| bench.world.transaction(0, TimeMs(time), &payload);
    bench.refuses(&at(NOW.0 - 1), Code::Expired);
    bench.refuses(&at(NOW.0 + EXPIRY_AHEAD_MAX_MS + 1), Code::ExpiryTooFar);
    for time in [NOW.0, NOW.0 + EXPIRY_AHEAD_MAX_MS] {
        assert_eq!(bench.run(&at(time)), Ok(()));
    }
    let first = at(NOW.0);
    bench.commit(&first);
    bench.refuses(&first, Code::Duplicate);
}

fn issuing(bench: &Bench) {
    bench.refuses(&bench.batch(|batch| batch.type_code = "nothing".parse().unwrap()), Code::NotAccredited);
    let mut rare = issue(1);
    rare.type_code = RARE_TYPE.parse().unwrap();
    bench.refuses(&bench.world.transaction(1, NOW, &Payload::IssueBatch(rare)), Code::NotAccredited);
    bench.refuses(&bench.batch(|batch| batch.type_version = TypeVersion(2)), Code::UnknownType);
    bench.refuses(&bench.batch(|batch| batch.count = 0), Code::BatchCount);
    let max = bench.world.genesis.parameters.batch_count_max;
    bench.refuses(&bench.batch(|batch| batch.count = max + 1), Code::BatchCount);
    assert_eq!(bench.run(&bench.batch(|batch| batch.count = max)), Ok(()));
    bench.refuses(&bench.batch(|batch| batch.root = log::empty_root()), Code::BatchRoot);
    bench.refuses(&bench.batch(|batch| batch.root = Hash::default()), Code::BatchRoot);
}

fn statuses(bench: &mut Bench) {
    let (own, other) = (bench.world.offices[0].uscc, bench.world.offices[2].uscc);
    let supervised = |mut change: StatusChange, code: &str| {
        change.supervised_type = Some(code.parse().unwrap());
        change
    };
    bench.refuses(&bench.status(0, vec![]), Code::NoChanges);
    bench.refuses(&bench.status(0, vec![change(other, licence(1), 0, Status::Revoked)]), Code::NotOwn);
    let over = |issuer, code| supervised(change(issuer, licence(1), 0, Status::Suspended), code);
    bench.refuses(&bench.status(1, vec![over(own, RARE_TYPE)]), Code::NotSupervisor);
    bench.refuses(&bench.status(1, vec![over(other, TYPE)]), Code::NotSupervisor);
    bench.refuses(&bench.status(0, vec![over(own, TYPE)]), Code::NotSupervisor);
    let beyond = StatusTarget::Batch(LogIndex(bench.view.log_size));
    bench.refuses(&bench.status(0, vec![change(own, beyond, 0, Status::Revoked)]), Code::UnknownBatch);
    bench.refuses(&bench.status(0, vec![change(own, licence(1), 1, Status::Revoked)]), Code::StaleHistory);
    bench.refuses(&bench.status(0, vec![change(own, licence(1), 0, Status::Active)]), Code::StatusUnchanged);
    let mut later = change(own, licence(1), 0, Status::Suspended);
    later.effective_from = TimeMs(NOW.0 + 1);
    bench.refuses(&bench.status(0, vec![later]), Code::EffectiveLater);

    // A failing change undoes the ones before it.
    let half = vec![change(own, licence(1), 0, Status::Revoked), change(own, licence(2), 5, Status::Revoked)];
    bench.refuses(&bench.status(0, half), Code::StaleHistory);
    let twice = vec![change(own, licence(1), 0, Status::Suspended), change(own, licence(1), 1, Status::Revoked)];
    bench.commit(&bench.status(0, twice));
    bench.refuses(&bench.status(0, vec![change(own, licence(1), 2, Status::Active)]), Code::StatusFinal);

    bench.commit(&bench.status(1, vec![supervised(change(own, licence(3), 0, Status::Suspended), TYPE)]));
    bench.refuses(&bench.status(0, vec![change(own, licence(3), 1, Status::Active)]), Code::SetBySupervisor);
    bench.commit(&bench.status(1, vec![supervised(change(own, licence(3), 1, Status::Active), TYPE)]));

    let turns =
        (0..30).map(|i| change(own, licence(4), i, if i % 2 == 0 { Status::Suspended } else { Status::Active }));
    bench.commit(&bench.status(0, turns.collect()));
    bench.refuses(&bench.status(0, vec![change(own, licence(4), 30, Status::Suspended)]), Code::HistoryFull);
    bench.commit(&bench.status(0, vec![change(own, licence(4), 30, Status::Superseded)]));
}

fn updates(bench: &Bench) {
    let own = bench.world.offices[0].uscc;
    let mut context = bench.context();
    context.parameters.block_updates_max = 1_000;
    let mut execution = Execution::begin(&bench.view, context).unwrap();
    let many = |from: u64, count: u64, length| {
        let list = (from..from + count).map(|i| change(own, licence(1_000 + i), length, Status::Suspended));
        let transaction = bench.status(0, list.collect());
        Checked::from_bytes(&transaction.to_bytes(), &bench.world.chain(), PROTOCOL_VERSION).unwrap()
    };
    execution.apply(&many(0, 999, 0), SignatureCheck::Verify).unwrap();
    let refused = execution.apply(&many(2_000, 2, 0), SignatureCheck::Verify).unwrap_err();
    assert!(matches!(refused, Refusal::Code(Code::BlockUpdates)));
    bench.seen.borrow_mut().insert(Code::BlockUpdates);
    execution.apply(&many(2_000, 1, 0), SignatureCheck::Verify).unwrap();
    assert_eq!(execution.len(), 2);
}

#[test]
fn each_code_has_its_way() {
    let mut bench = Bench::new();
    stateless(&bench);
    sender(&bench);
    issuing(&bench);
    window(&mut bench);
    statuses(&mut bench);
    updates(&bench);
    let missing: Vec<&Code> = Code::ALL
        .iter()
        .filter(|code| {
            !bench.seen.borrow().contains(code) && !governs(code) && !is_of_cases(code) && !is_of_accounts(code)
        })
        .collect();
    assert!(missing.is_empty(), "no way to {missing:?}");
}

#[test]
fn one_failing_transaction_makes_a_block_invalid() {
    let bench = Bench::new();
    let checked = |transaction: Transaction| {
        Checked::from_bytes(&transaction.to_bytes(), &bench.world.chain(), PROTOCOL_VERSION).unwrap()
    };
    let good = checked(bench.world.batch(0, NOW, 1));
    let bad = checked(bench.batch(|batch| batch.count = 0));
    let rejection =
        execute(&bench.view, bench.context(), &[good.clone(), bad], |_| SignatureCheck::Verify).unwrap_err();
    assert_eq!(rejection.position, 1);
    let rejection =
        execute(&bench.view, bench.context(), &[good.clone(), good], |_| SignatureCheck::Verify).unwrap_err();
    assert!(matches!(rejection.refusal, Refusal::Code(Code::Duplicate)));
}

#[test]
fn a_batch_gets_the_next_index_and_the_blocks_time() {
    use kanhe_proto::record::{BatchRecord, Record};
    let mut bench = Bench::new();
    bench.view.log_size = 7;
    let checked: Vec<Checked> = (0..3)
        .map(|i| {
            Checked::from_bytes(&bench.world.batch(i, NOW, i as u64).to_bytes(), &bench.world.chain(), PROTOCOL_VERSION)
                .unwrap()
        })
        .collect();
    let outcome = execute(&bench.view, bench.context(), &checked, |_| SignatureCheck::Verify).unwrap();
    let ids: Vec<_> = outcome.receipts.iter().map(|receipt| receipt.batch.unwrap().0).collect();
    assert_eq!(ids, [7, 8, 9]);
    let record = BatchRecord::from_record(&outcome.records[1]).unwrap();
    assert_eq!((record.issuer, record.height, record.time), (bench.world.offices[1].uscc, Height(1), NOW));
    assert_eq!(record.signing_key, bench.world.offices[1].issuing.public_key().id());
}

#[test]
fn expired_ids_are_swept_in_order_and_at_most_so_many() {
    let mut bench = Bench::new();
    let expiries = [NOW.0 + 5, NOW.0 + 1, NOW.0 + 3, NOW.0 + 1, NOW.0 + 9];
    for (i, expiry) in expiries.into_iter().enumerate() {
        bench.commit(&bench.world.batch(0, TimeMs(expiry), 100 + i as u64));
    }
    let mut order: Vec<_> = bench.view.expiries.iter().copied().collect();
    assert_eq!(order.len(), 5);
    let mut context = bench.context();
    context.time = TimeMs(NOW.0 + 50);
    // Strictly before the parent's time.
    context.parent_time = TimeMs(NOW.0 + 5);
    context.parameters.block_swept_max = 2;
    let outcome = execute(&bench.view, context.clone(), &[], |_| SignatureCheck::Verify).unwrap();
    assert_eq!(outcome.swept, order[..2]);
    let swept: Vec<_> = outcome.state.iter().filter(|(key, _)| **key != alive_key()).collect();
    assert!(swept.iter().all(|(_, value)| value.is_none()) && swept.len() == 2);
    bench.view.keep(&outcome);
    order.drain(..2);
    let outcome = execute(&bench.view, context.clone(), &[], |_| SignatureCheck::Verify).unwrap();
    assert_eq!(outcome.swept, order[..1], "of the rest only one expired before the parent's time");
    bench.view.keep(&outcome);
    // The swept id is gone, and its transaction is void all the same.
    let again = bench.world.batch(0, TimeMs(NOW.0 + 1), 101);
    let checked = Checked::from_bytes(&again.to_bytes(), &bench.world.chain(), PROTOCOL_VERSION).unwrap();
    let rejection = execute(&bench.view, context, &[checked], |_| SignatureCheck::Verify).unwrap_err();
    assert!(matches!(rejection.refusal, Refusal::Code(Code::Expired)));
}

/// These have their ways in `governance.rs`.
fn governs(code: &Code) -> bool {
    (Code::ProposalWrong..=Code::EquivocationWrong).contains(code)
}

/// Codes of cases, consents and reads: see `ledger_cases` and `ledger_consents`.
fn is_of_cases(code: &Code) -> bool {
    (Code::BlockSignatures..=Code::ReadCase).contains(code)
}

/// Codes of enterprises' accounts: see `ledger_accounts`.
fn is_of_accounts(code: &Code) -> bool {
    (Code::AccountExists..=Code::AccountDelegateLife).contains(code)
}
