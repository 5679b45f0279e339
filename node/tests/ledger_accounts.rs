//! Accounts of enterprises by the pure state machine: a whole life, each refusal, and two acts at once.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use common::{MemoryView, RARE_TYPE, START, TYPE, World};
use kanhe_node::ledger::map::ReadError;
use kanhe_node::ledger::{
    BlockContext, CaseDue, Code, ConsentDue, Execution, Outcome, Refusal, SignatureCheck, SpentKey, View,
    check_stateless,
};
use kanhe_proto::account::{
    AccountAct, AccountHistory, AccountPayload, AccountRecord, By, Change, EnterpriseAccount, Grant, Opening,
    SignedAccountAct, account_key,
};
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::hash::MapKey;
use kanhe_proto::identifiers::{TypeVersion, Uscc};
use kanhe_proto::ids::{Height, LogIndex, ProtocolVersion, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::Record;
use kanhe_proto::registry::{Accreditation, Authority, Effect, HolderKind, LicenceType, RegistryRecord};
use kanhe_proto::transaction::Payload;

const DAY: u64 = 86_400_000;

fn company() -> Uscc {
    Uscc::with_check("91370100MA3E00013").unwrap()
}
fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}
fn keys(seeds: &[u8]) -> List<PublicKey, 8> {
    List::new(seeds.iter().map(|seed| key(*seed).public_key()).collect()).unwrap()
}

struct Bench {
    world: World,
    view: MemoryView,
    height: Height,
    time: TimeMs,
    seen: RefCell<BTreeSet<Code>>,
}

impl Bench {
    fn new() -> Self {
        let world = World::new(4);
        let view = MemoryView::of(&world);
        Self { world, view, height: Height(1), time: TimeMs(START.0 + 1_000), seen: RefCell::default() }
    }
    /// An account with the key 1.
    fn opened() -> Self {
        let mut bench = Self::new();
        bench.commit(&[bench.open(0, &[1])]);
        bench
    }
    fn context(&self) -> BlockContext {
        self.world.context(self.height, self.time, TimeMs(self.time.0 - 1_000))
    }
    fn run(&self, acts: &[SignedAccountAct]) -> Result<Outcome, Code> {
        let payload = Payload::EnterpriseAccount(AccountPayload { acts: List::new(acts.to_vec()).unwrap() });
        let transaction = self.world.transaction(2, TimeMs(self.time.0 + 1_000), &payload);
        let mut execution = Execution::begin(&self.view, self.context()).unwrap();
        let applied = execution.apply(&self.world.checked(&transaction), SignatureCheck::Verify);
        let outcome = execution.finish().unwrap();
        match applied {
            Ok(_) => Ok(outcome),
            Err(Refusal::Code(code)) => {
                // Refused means that nothing changed.
                assert!(outcome.records.is_empty() && outcome.receipts.is_empty());
                assert!(!outcome.state.contains_key(&account_key(&company())));
                Err(code)
            }
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    }
    fn commit(&mut self, acts: &[SignedAccountAct]) -> Outcome {
        let outcome = self.run(acts).unwrap();
        self.view.keep(&outcome);
        self.height = self.height.next();
        self.time = TimeMs(self.time.0 + 1_000);
        outcome
    }
    fn refuses(&self, act: SignedAccountAct, code: Code) {
        assert_eq!(self.run(&[act]).map(|_| ()), Err(code));
        self.seen.borrow_mut().insert(code);
    }
    fn account(&self) -> EnterpriseAccount {
        EnterpriseAccount::from_value(&self.view.state[&account_key(&company())]).unwrap()
    }
    fn sequence(&self) -> u32 {
        self.account().sequence
    }
    fn sign(&self, sequence: u32, by: By, change: Change, signer: &SecretKey) -> SignedAccountAct {
        AccountAct { uscc: company(), sequence, by, change }.sign(&self.world.chain(), signer).unwrap()
    }
    fn by_bureau(&self, office: usize, sequence: u32, change: Change) -> SignedAccountAct {
        let office = &self.world.offices[office];
        let by = By::Bureau { bureau: office.uscc, key: office.issuing.public_key().id() };
        self.sign(sequence, by, change, &office.issuing)
    }
    fn open_as(&self, office: usize, code: &str, version: u32, seeds: &[u8]) -> SignedAccountAct {
        let opening =
            Opening { type_code: code.parse().unwrap(), type_version: TypeVersion(version), keys: keys(seeds) };
        self.by_bureau(office, 0, Change::Open(opening))
    }
    fn open(&self, office: usize, seeds: &[u8]) -> SignedAccountAct {
        self.open_as(office, TYPE, 1, seeds)
    }
    /// By a key of the account, as the account is now.
    fn own(&self, seed: u8, change: Change) -> SignedAccountAct {
        self.sign(self.sequence(), By::Own(key(seed).public_key().id()), change, &key(seed))
    }
    fn grant(&self, seed: u8) -> Grant {
        Grant {
            key: key(seed).public_key(),
            items: List::new(vec![Text::new("note").unwrap()]).unwrap(),
            amount_max: Some(100),
            cases_max: None,
            not_after: TimeMs(self.time.0 + DAY),
        }
    }
}

#[test]
fn a_whole_life_of_an_account() {
    let mut bench = Bench::new();
    let opened_at = bench.time;
    let outcome = bench.commit(&[bench.open(0, &[1])]);
    let account = bench.account();
    assert_eq!((account.opened_by, account.sequence, account.last), (bench.world.offices[0].uscc, 1, LogIndex(0)));
    let record = AccountRecord::from_record(&outcome.records[0]).unwrap();
    assert_eq!((record.before, record.height, record.time), (None, Height(1), opened_at));
    // Neither a case nor a decision is counted.
    assert_eq!((outcome.counters.case_events, outcome.acts.len(), outcome.cases.len()), (0, 0, 0));

    // Several acts of one transaction, each seeing the one before.
    let grant = bench.grant(9);
    let next =
        |sequence, seed: u8, change| bench.sign(sequence, By::Own(key(seed).public_key().id()), change, &key(seed));
    let acts = [
        next(1, 1, Change::AddKey(key(2).public_key())),
        next(2, 2, Change::SetDelegate(grant.clone())),
        next(3, 2, Change::RemoveKey(key(1).public_key().id())),
    ];
    let outcome = bench.commit(&acts);
    let account = bench.account();
    assert_eq!((account.keys.to_vec(), account.sequence), (vec![key(2).public_key()], 4));
    assert_eq!((account.delegates[0].grant.clone(), account.delegates[0].since), (grant, 2));
    assert_eq!((outcome.records.len(), account.last), (3, LogIndex(3)));
    let last = AccountRecord::from_record(&outcome.records[2]).unwrap();
    assert_eq!(last.before, Some(LogIndex(2)));
    bench.refuses(bench.own(1, Change::Close), Code::AccountNotNamed);

    bench.commit(&[bench.own(2, Change::RevokeDelegate(key(9).public_key().id()))]);
    assert_eq!(bench.account().delegates[0].revoked, Some(TimeMs(bench.time.0 - 1_000)));
    bench.commit(&[bench.own(2, Change::Close)]);
    assert!(bench.account().closed);
    bench.refuses(bench.own(2, Change::AddKey(key(3).public_key())), Code::AccountClosed);
    // An old opening brings nothing back; the bureau does.
    bench.refuses(bench.open(0, &[1]), Code::AccountExists);
    let replaced = bench.by_bureau(3, bench.sequence(), Change::ReplaceKeys(keys(&[5])));
    bench.commit(&[replaced]);
    let account = bench.account();
    assert_eq!((account.closed, account.keys.to_vec(), account.delegates.len()), (false, vec![key(5).public_key()], 0));
    assert_eq!(AccountHistory::of(&account).wanted(), Some(account.last));
    bench.refuses(bench.own(2, Change::Close), Code::AccountNotNamed);
    let closed = bench.by_bureau(0, bench.sequence(), Change::Close);
    bench.commit(&[closed]);
    assert!(bench.account().closed);
}

#[test]
fn only_an_accredited_bureau_opens_and_only_under_a_type_of_enterprises() {
    let mut bench = Bench::new();
    // Bureau 0 alone is accredited for the rare type.
    bench.refuses(bench.open_as(1, RARE_TYPE, 1, &[1]), Code::NotAccredited);
    bench.run(&[bench.open_as(0, RARE_TYPE, 1, &[1])]).unwrap();
    bench.refuses(bench.open_as(0, TYPE, 2, &[1]), Code::AccountType);
    bench.refuses(bench.open_as(0, "nothing", 1, &[1]), Code::AccountType);
    let id = (TYPE.parse().unwrap(), TypeVersion(1));
    let before = bench.view.clone();
    let place = LicenceType::key_of(&id);
    let mut of_people = LicenceType::from_value(&bench.view.registry[&place]).unwrap();
    of_people.holder = HolderKind::Person;
    bench.view.registry.insert(place, of_people.to_value());
    bench.refuses(bench.open(0, &[1]), Code::AccountType);
    bench.view = before;
    // Its accreditation has ended.
    let place = Accreditation::key_of(&(bench.world.offices[3].uscc, TYPE.parse().unwrap()));
    let mut right = Accreditation::from_value(&bench.view.registry[&place]).unwrap();
    right.intervals.end(Height(1), Authority::Genesis, Effect::Keep).unwrap();
    bench.view.registry.insert(place, right.to_value());
    bench.refuses(bench.open(3, &[1]), Code::NotAccredited);
    // Keys that do not sign now, and another's.
    let (office, chain) = (&bench.world.offices[0], bench.world.chain());
    let opening = bench.open(0, &[1]).act;
    for key in [&office.retired, &office.stolen, &office.governance, &office.validator] {
        let by = By::Bureau { bureau: office.uscc, key: key.public_key().id() };
        let act = AccountAct { by, ..opening.clone() }.sign(&chain, key).unwrap();
        bench.refuses(act, Code::AccountNotNamed);
    }
    bench.refuses(opening.clone().sign(&chain, &key(1)).unwrap(), Code::AccountSignature);
    let by_itself = AccountAct { by: By::Own(key(1).public_key().id()), ..opening }.sign(&chain, &key(1)).unwrap();
    bench.refuses(by_itself, Code::AccountNotNamed);
    bench.refuses(bench.open(0, &[]), Code::AccountKeys);
    bench.refuses(bench.open(0, &[1, 1]), Code::AccountKeys);
    assert_eq!(bench.run(&[]).map(|_| ()), Err(Code::NoChanges));

    bench.commit(&[bench.open(0, &[1])]);
    bench.refuses(bench.by_bureau(3, 1, Change::ReplaceKeys(keys(&[2]))), Code::NotAccredited);
    bench.refuses(bench.by_bureau(3, 1, Change::Close), Code::NotAccredited);
}

#[test]
fn what_an_account_refuses() {
    let bench = Bench::opened();
    let unknown = AccountAct { uscc: bench.world.offices[0].uscc, ..bench.own(1, Change::Close).act };
    bench.refuses(unknown.sign(&bench.world.chain(), &key(1)).unwrap(), Code::AccountUnknown);
    bench.refuses(bench.open(1, &[2]), Code::AccountExists);
    bench.refuses(bench.sign(0, By::Own(key(1).public_key().id()), Change::Close, &key(1)), Code::AccountSequence);
    bench.refuses(bench.sign(1, By::Own(key(1).public_key().id()), Change::Close, &key(2)), Code::AccountSignature);
    bench.refuses(bench.own(2, Change::Close), Code::AccountNotNamed);
    bench.refuses(bench.own(1, Change::ReplaceKeys(keys(&[2]))), Code::AccountNotNamed);
    bench.refuses(bench.by_bureau(0, 1, Change::AddKey(key(2).public_key())), Code::AccountNotNamed);
    bench.refuses(bench.own(1, Change::RemoveKey(key(1).public_key().id())), Code::AccountKeys);
    bench.refuses(bench.own(1, Change::RevokeDelegate(key(9).public_key().id())), Code::AccountDelegate);
    let late = Grant { not_after: bench.time, ..bench.grant(9) };
    bench.refuses(bench.own(1, Change::SetDelegate(late)), Code::AccountDelegateLife);
    // A key does not let itself in.
    let itself = bench.sign(1, By::Own(key(2).public_key().id()), Change::AddKey(key(2).public_key()), &key(2));
    bench.refuses(itself, Code::AccountNotNamed);
    // All or none.
    let half = [bench.own(1, Change::AddKey(key(2).public_key())), bench.own(1, Change::Close)];
    assert_eq!(bench.run(&half).map(|_| ()), Err(Code::AccountSequence));
    let mut closed = Bench::opened();
    closed.commit(&[closed.own(1, Change::Close)]);
    closed.refuses(closed.own(1, Change::AddKey(key(2).public_key())), Code::AccountClosed);

    let seen: BTreeSet<Code> = bench.seen.borrow().union(&closed.seen.borrow()).copied().collect();
    let others = [Code::AccountType];
    let all = Code::ALL.iter().filter(|code| code.as_str().starts_with("account_") && !others.contains(code));
    let missing: Vec<&Code> = all.filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no way to {missing:?}");
}

/// Two transactions of one block: the second sees the first.
#[test]
fn of_two_acts_at_once_the_chain_takes_the_first() {
    let bench = Bench::opened();
    let mut execution = Execution::begin(&bench.view, bench.context()).unwrap();
    let one = |act: SignedAccountAct, office: usize| {
        let payload = Payload::EnterpriseAccount(AccountPayload { acts: List::new(vec![act]).unwrap() });
        bench.world.checked(&bench.world.transaction(office, TimeMs(bench.time.0 + 1_000), &payload))
    };
    let first = one(bench.own(1, Change::AddKey(key(2).public_key())), 1);
    let second = one(bench.own(1, Change::AddKey(key(3).public_key())), 2);
    execution.apply(&first, SignatureCheck::Verify).unwrap();
    let refused = execution.apply(&second, SignatureCheck::Verify).unwrap_err();
    assert!(matches!(refused, Refusal::Code(Code::AccountSequence)));
    let outcome = execution.finish().unwrap();
    let leaf = outcome.state[&account_key(&company())].clone().unwrap();
    let account = EnterpriseAccount::from_value(&leaf).unwrap();
    assert_eq!((account.keys.len(), account.sequence, outcome.records.len()), (2, 2, 1));
}

/// A view that counts how often the account is read.
struct Counted<'a> {
    view: &'a MemoryView,
    reads: Cell<usize>,
}

impl View for Counted<'_> {
    fn registry(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        self.view.registry(key)
    }
    fn state(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        self.reads.set(self.reads.get() + usize::from(*key == account_key(&company())));
        self.view.state(key)
    }
    fn expired(&self, before: TimeMs, max: usize) -> Result<Vec<SpentKey>, ReadError> {
        self.view.expired(before, max)
    }
    fn due_cases(&self, before: TimeMs, max: usize) -> Result<Vec<CaseDue>, ReadError> {
        self.view.due_cases(before, max)
    }
    fn due_consents(&self, before: TimeMs, max: usize) -> Result<Vec<ConsentDue>, ReadError> {
        self.view.due_consents(before, max)
    }
    fn log_size(&self) -> u64 {
        self.view.log_size()
    }
}

#[test]
fn many_acts_in_one_block_do_the_same_as_one_by_one_and_read_the_account_once() {
    let mut bench = Bench::opened();
    let own = |sequence, change| bench.sign(sequence, By::Own(key(1).public_key().id()), change, &key(1));
    let acts: Vec<_> = (0..20).map(|n| own(1 + u32::from(n), Change::SetDelegate(bench.grant(100 + n)))).collect();
    let one = |act: &SignedAccountAct, office: usize| {
        let payload = AccountPayload { acts: List::new(vec![act.clone()]).unwrap() };
        let payload = Payload::EnterpriseAccount(payload);
        bench.world.checked(&bench.world.transaction(office, TimeMs(bench.time.0 + 1_000), &payload))
    };
    let counted = Counted { view: &bench.view, reads: Cell::new(0) };
    let mut execution = Execution::begin(&counted, bench.context()).unwrap();
    for act in &acts {
        // What is refused does not have the account read again either.
        let early = own(act.act.sequence + 1, Change::Close);
        assert!(execution.apply(&one(&early, 1), SignatureCheck::Verify).is_err());
        execution.apply(&one(act, 2), SignatureCheck::Verify).unwrap();
        assert!(execution.apply(&one(act, 3), SignatureCheck::Verify).is_err());
    }
    let together = execution.finish().unwrap();
    assert_eq!(counted.reads.get(), 1);
    let leaf = together.state[&account_key(&company())].clone().unwrap();
    let together_account = EnterpriseAccount::from_value(&leaf).unwrap();
    let records = |outcome: &Outcome| -> Vec<(Option<LogIndex>, SignedAccountAct)> {
        let records = outcome.records.iter().map(|record| AccountRecord::from_record(record).unwrap());
        records.map(|record| (record.before, record.signed)).collect()
    };
    let mut apart = Vec::new();
    for act in acts {
        apart.extend(records(&bench.commit(&[act])));
    }
    assert_eq!(records(&together), apart);
    let mut apart_account = bench.account();
    // Each block has a time of its own.
    for delegate in apart_account.delegates.as_mut_slice() {
        delegate.set = together_account.delegates[0].set;
    }
    assert_eq!(together_account, apart_account);
}

#[test]
fn a_block_has_room_for_so_many_accounts_and_signatures() {
    let bench = Bench::new();
    let open = |n: u64| {
        let uscc = Uscc::with_check(&format!("91370100MA3E{n:05}")).unwrap();
        let act = AccountAct { uscc, ..bench.open(0, &[1]).act };
        act.sign(&bench.world.chain(), &bench.world.offices[0].issuing).unwrap()
    };
    let acts: Vec<_> = (0..8).map(open).collect();
    let payload = Payload::EnterpriseAccount(AccountPayload { acts: List::new(acts).unwrap() });
    let transaction = bench.world.checked(&bench.world.transaction(1, TimeMs(bench.time.0 + 1_000), &payload));
    let tried = |edit: &dyn Fn(&mut BlockContext)| {
        let mut context = bench.context();
        edit(&mut context);
        let mut execution = Execution::begin(&bench.view, context).unwrap();
        match execution.apply(&transaction, SignatureCheck::Verify) {
            Ok(_) => None,
            Err(Refusal::Code(code)) => Some(code),
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    };
    assert_eq!(tried(&|context| context.parameters.block_updates_max = 8), None);
    assert_eq!(tried(&|context| context.parameters.block_updates_max = 7), Some(Code::BlockUpdates));
    assert_eq!(tried(&|context| context.parameters.block_signatures_max = 9), None);
    assert_eq!(tried(&|context| context.parameters.block_signatures_max = 8), Some(Code::BlockSignatures));
}

#[test]
fn earlier_versions_know_no_accounts() {
    let bench = Bench::new();
    let payload = Payload::EnterpriseAccount(AccountPayload { acts: List::new(vec![bench.open(0, &[1])]).unwrap() });
    let transaction = bench.world.transaction(0, TimeMs(bench.time.0 + 1_000), &payload);
    for version in [1, 2] {
        let refused = check_stateless(&transaction, &bench.world.chain(), ProtocolVersion(version));
        assert_eq!(refused.unwrap_err(), Code::UnknownKind);
    }
    check_stateless(&transaction, &bench.world.chain(), ProtocolVersion(3)).unwrap();
}

/// On a chain with its database.
#[test]
fn acts_on_an_account_are_shown_page_by_page_and_no_others() {
    let (dir, bench) = (tempfile::tempdir().unwrap(), Bench::new());
    let node = bench.world.create(dir.path());
    let own = |sequence, change| bench.sign(sequence, By::Own(key(1).public_key().id()), change, &key(1));
    let acts = [bench.open(0, &[1]), own(1, Change::AddKey(key(2).public_key())), own(2, Change::Close)];
    for act in &acts {
        let payload = AccountPayload { acts: List::new(vec![act.clone()]).unwrap() };
        let expiry = TimeMs(node.now().0 + 60_000);
        let transaction = bench.world.transaction(0, expiry, &Payload::EnterpriseAccount(payload));
        node.block(&bench.world, &[transaction]);
    }
    assert_eq!(*node.source.rejected.lock().unwrap(), []);
    let snapshot = node.chain.snapshot().unwrap();
    let (mut shown, mut from) = (Vec::new(), None);
    loop {
        let page = snapshot.account_acts(&company(), from, 2).unwrap().unwrap();
        let records = page.records.iter().map(|proved| AccountRecord::from_record(&proved.record).unwrap());
        shown.extend(records.map(|record| record.signed));
        let Some(next) = page.next else { break };
        from = Some(next);
    }
    shown.reverse();
    assert_eq!(shown, acts);
    let other = bench.world.offices[0].uscc;
    assert!(snapshot.account_acts(&other, None, 2).unwrap().unwrap().records.is_empty());
    assert!(snapshot.account_acts(&other, Some(LogIndex(0)), 2).unwrap().is_none());
    assert!(snapshot.account_acts(&company(), Some(LogIndex(999)), 2).unwrap().is_none());
}
