//! Consents and reads by the pure state machine: a whole life, each refusal, order, time and room.
#![allow(clippy::unwrap_used)]

mod common;

use common::flat::{DAY, Flat, payload, put};
use common::person::{Person, READER, SOURCE, acts, reads, statutory};
use common::{MemoryView, START, World};
use kanhe_node::ledger::{
    BlockContext, Code, ConsentDue, Execution, Outcome, ReadPlace, Refusal, SignatureCheck, check_stateless, execute,
};
use kanhe_proto::bounded::Text;
use kanhe_proto::consent::{
    AccessRecord, Act, Answered, Basis, Consent, ConsentRecord, Grant, Read, ReadRequest, SignedRead, SourceReads,
    Statutory, Trace, Under, consent_key, source_reads_key,
};
use kanhe_proto::hash::ConsentId;
use kanhe_proto::ids::{Height, LogIndex, ProtocolVersion, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::limits::{CONSENTS_SWEPT_MAX, READ_AGE_MAX_MS};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::Record;
use kanhe_proto::registry::{Authority, Bureau, Effect, KeyEntry, Parameters, Purpose, PurposeCode, RegistryRecord};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::transaction::Payload;

struct Bench {
    world: World,
    view: MemoryView,
    height: Height,
    time: TimeMs,
    parent_time: TimeMs,
    person: Person,
}

impl Bench {
    fn new() -> Self {
        let world = World::new(4);
        let mut view = MemoryView::of(&world);
        put(&world, &mut view);
        let (time, person) = (TimeMs(START.0 + 100_000), Person::new(&world, 1));
        Self { view, height: Height(1), time, parent_time: START, person, world }
    }
    fn granted() -> Self {
        let mut bench = Self::new();
        bench.commit(&acts(&[bench.person.grant(&bench.world, bench.time)]));
        bench
    }
    fn context(&self) -> BlockContext {
        self.world.context(self.height, self.time, self.parent_time)
    }
    fn run(&self, payload: &Payload) -> Result<Outcome, Code> {
        let transaction = self.world.transaction(3, TimeMs(self.time.0 + 1_000), payload);
        let mut execution = Execution::begin(&self.view, self.context()).unwrap();
        let applied = execution.apply(&self.world.checked(&transaction), SignatureCheck::Verify);
        let outcome = execution.finish().unwrap();
        match applied {
            Ok(_) => Ok(outcome),
            Err(Refusal::Code(code)) => {
                // Refused means that nothing changed.
                let empty = execute(&self.view, self.context(), &[], |_| SignatureCheck::Verify).unwrap();
                assert_eq!(outcome, empty);
                Err(code)
            }
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    }
    fn keep(&mut self, outcome: &Outcome) {
        self.view.keep(outcome);
        self.height = self.height.next();
        (self.parent_time, self.time) = (self.time, TimeMs(self.time.0 + 1_000));
    }
    fn commit(&mut self, payload: &Payload) -> Outcome {
        let outcome = self.run(payload).unwrap();
        self.keep(&outcome);
        outcome
    }
    fn empty(&mut self) -> Outcome {
        let outcome = execute(&self.view, self.context(), &[], |_| SignatureCheck::Verify).unwrap();
        self.keep(&outcome);
        outcome
    }
    /// The next block is of this time, and so is its parent but for a moment.
    fn at(&mut self, time: u64) {
        (self.parent_time, self.time) = (TimeMs(time - 1), TimeMs(time));
    }
    fn refuses(&self, payload: &Payload, code: Code) {
        assert_eq!(self.run(payload).map(|_| ()), Err(code));
    }
    fn read(&self, basis: Basis, n: u64) -> SignedRead {
        self.person.read(&self.world, basis, n, self.time)
    }
    fn refuses_read(&self, basis: Basis, code: Code) {
        self.refuses(&reads(&[self.read(basis, 1)]), code);
    }
    /// A read whose request was changed before both signed.
    fn edited(&self, basis: Basis, edit: impl FnOnce(&mut ReadRequest)) -> Payload {
        let mut request = self.person.requesting(&self.world, basis, self.time);
        edit(&mut request);
        reads(&[self.person.recorded(&self.world, request, 1)])
    }
    fn consent(&self) -> Consent {
        let value = self.view.state.get(&consent_key(&self.person.id())).unwrap();
        Consent::from_value(value).unwrap()
    }
    fn counted(&self) -> Option<SourceReads> {
        let key = source_reads_key(&self.world.offices[SOURCE].uscc);
        self.view.state.get(&key).map(|value| SourceReads::from_value(value).unwrap())
    }
    fn change<T: RegistryRecord>(&mut self, id: &T::Id, edit: impl FnOnce(&mut T)) {
        let mut record = T::from_value(&self.view.registry[&T::key_of(id)]).unwrap();
        edit(&mut record);
        self.view.registry.insert(record.key(), record.to_value());
    }
}

fn access(outcome: &Outcome, at: usize) -> AccessRecord {
    AccessRecord::from_record(&outcome.records[at]).unwrap()
}

#[test]
fn a_consent_from_its_grant_to_its_end() {
    let mut bench = Bench::new();
    let granted = bench.time;
    let outcome = bench.commit(&acts(&[bench.person.grant(&bench.world, granted)]));
    let consent = bench.consent();
    assert_eq!((consent.left, consent.reads, consent.granted, consent.withdrawn), (3, 3, granted, None));
    assert_eq!((consent.last, consent.forget.0), (LogIndex(0), granted.0 + 60 * DAY));
    let record = ConsentRecord::from_record(&outcome.records[0]).unwrap();
    assert_eq!((record.consent, record.before, record.time), (bench.person.id(), None, granted));
    assert_eq!((outcome.counters.consent_acts, outcome.counters.reads), (1, 0));
    assert_eq!(bench.counted(), None);

    let mut trace = Trace::new(bench.person.trace.clone());
    for n in 1..=2 {
        let outcome = bench.commit(&reads(&[bench.read(bench.person.under(n), u64::from(n))]));
        let record = access(&outcome, 0);
        assert_eq!((record.number, record.before), (u64::from(n) - 1, Some(LogIndex(u64::from(n) - 1))));
        assert_eq!(trace.recognise(&record.read.read.tag), Some(u64::from(n)));
        assert_eq!((outcome.counters.consent_acts, outcome.counters.reads), (0, 1));
        // Its number keeps the request from coming again: no id is spent for it.
        assert_eq!(outcome.spent.len(), 1);
        let place = ReadPlace {
            source: bench.world.offices[SOURCE].uscc,
            number: u64::from(n) - 1,
            index: LogIndex(u64::from(n)),
        };
        assert_eq!(outcome.reads, [place]);
    }
    let counted = bench.counted().unwrap();
    assert_eq!((counted.count, counted.last, bench.consent().left), (2, LogIndex(2), 1));

    let withdrawn = bench.time;
    let outcome = bench.commit(&acts(&[bench.person.withdraw()]));
    let record = ConsentRecord::from_record(&outcome.records[0]).unwrap();
    assert_eq!((record.before, bench.consent().last), (Some(LogIndex(2)), LogIndex(3)));
    assert_eq!((bench.consent().withdrawn, bench.consent().left), (Some(withdrawn), 1));
    bench.refuses_read(bench.person.under(3), Code::ConsentWithdrawn);
    bench.refuses(&acts(&[bench.person.withdraw()]), Code::ConsentWithdrawn);
    // Its own key again grants nothing while the leaf is there.
    bench.refuses(&acts(&[bench.person.grant(&bench.world, bench.time)]), Code::ConsentExists);

    let forget = bench.consent().forget.0;
    bench.at(forget);
    assert!(bench.empty().consents.is_empty());
    bench.at(forget + 2);
    let outcome = bench.empty();
    assert!(outcome.records.is_empty() && outcome.consents[0].after.is_none());
    assert!(!bench.view.state.contains_key(&consent_key(&bench.person.id())) && bench.view.consents_due.is_empty());
    bench.refuses(&acts(&[bench.person.withdraw()]), Code::ConsentUnknown);
    bench.refuses_read(bench.person.under(3), Code::ConsentUnknown);
    // The grant of then does not come again either.
    let old = bench.person.grant(&bench.world, granted);
    bench.refuses(&acts(&[old]), Code::ConsentLate);
    assert_eq!(bench.counted().unwrap().count, 2);
}

#[test]
fn grants_that_do_not_fit_are_refused() {
    let mut bench = Bench::new();
    let person = bench.person.clone();
    let with = |bench: &Bench, edit: &dyn Fn(&mut Grant)| {
        let mut grant = person.granting(&bench.world, bench.time);
        edit(&mut grant);
        acts(&[person.sign(Act::Grant(grant))])
    };
    bench.run(&with(&bench, &|_| {})).unwrap();
    bench.run(&with(&bench, &|grant| grant.accept_before = bench.time)).unwrap();
    bench.run(&with(&bench, &|grant| grant.not_after = TimeMs(bench.time.0 + 90 * DAY))).unwrap();
    for ahead in [bench.time.0 - 1, bench.time.0 + DAY + 1] {
        bench.refuses(&with(&bench, &|grant| grant.accept_before = TimeMs(ahead)), Code::ConsentLate);
    }
    for end in [bench.time.0, bench.time.0 + 90 * DAY + 1] {
        bench.refuses(&with(&bench, &|grant| grant.not_after = TimeMs(end)), Code::ConsentShape);
    }
    for count in [0, 1_001] {
        bench.refuses(&with(&bench, &|grant| grant.reads = count), Code::ConsentShape);
    }
    let sealing = SealingSecret::from_seed([1; 32]).public_key();
    bench.refuses(&with(&bench, &|grant| grant.key = sealing.clone()), Code::ConsentShape);
    bench.refuses(&with(&bench, &|grant| grant.grantee = common::uscc(77)), Code::NotMember);
    bench.refuses(&with(&bench, &|grant| grant.purpose = Text::new("none").unwrap()), Code::PurposeUnknown);
    bench.refuses(&with(&bench, &|grant| grant.purpose = Text::new("profit").unwrap()), Code::PurposeCommercial);
    let mut stolen = person.clone();
    stolen.key = Person::new(&bench.world, 2).key;
    let forged = stolen.sign(Act::Grant(person.granting(&bench.world, bench.time)));
    bench.refuses(&acts(&[forged]), Code::ConsentSignature);
    bench.refuses(&acts(&[]), Code::NoChanges);
    bench.commit(&acts(&[person.grant(&bench.world, bench.time)]));
    bench.refuses(&acts(&[stolen.sign(person.withdraw().act)]), Code::ConsentSignature);
    bench.refuses(&acts(&[stolen.withdraw()]), Code::ConsentUnknown);
    bench.change::<Bureau>(&bench.world.offices[READER].uscc.clone(), |bureau| {
        bureau.intervals.end(Height(1), Authority::Genesis, Effect::Keep).unwrap();
    });
    let later = Person::new(&bench.world, 3);
    bench.refuses(&acts(&[later.grant(&bench.world, bench.time)]), Code::NotMember);
}

#[test]
fn a_read_under_a_consent_keeps_to_it() {
    let mut bench = Bench::granted();
    let person = bench.person.clone();
    let under = |n| person.under(n);
    bench.run(&reads(&[bench.read(under(1), 1)])).unwrap();
    for n in [0, 2, 3, 4] {
        bench.refuses_read(under(n), Code::ConsentOrder);
    }
    bench.refuses_read(Basis::Consent(Under { id: ConsentId([1; 32]), n: 1 }), Code::ConsentUnknown);
    let reader = bench.world.offices[0].uscc;
    bench.refuses(&bench.edited(under(1), |request| request.reader = reader), Code::ConsentOther);
    let purpose = |code: &str| bench.edited(under(1), |request| request.purpose = Text::new(code).unwrap());
    bench.refuses(&purpose("profit"), Code::PurposeCommercial);
    bench.refuses(&purpose("none"), Code::PurposeUnknown);
    let last = bench.consent().not_after.0;
    bench.at(last);
    bench.run(&reads(&[bench.read(under(1), 1)])).unwrap();
    bench.run(&acts(&[bench.person.withdraw()])).unwrap();
    bench.at(last + 1);
    bench.refuses_read(bench.person.under(1), Code::ConsentOver);
    bench.refuses(&acts(&[bench.person.withdraw()]), Code::ConsentOver);
}

#[test]
fn a_purpose_of_another_kind_is_not_that_of_the_consent() {
    let mut bench = Bench::granted();
    let mut other: Purpose =
        Purpose::from_value(&bench.view.registry[&Purpose::key_of(&PurposeCode::new("registration").unwrap())])
            .unwrap();
    other.code = Text::new("other").unwrap();
    bench.view.registry.insert(other.key(), other.to_value());
    let other = bench.edited(bench.person.under(1), |request| request.purpose = Text::new("other").unwrap());
    bench.refuses(&other, Code::ConsentOther);
    // Retired meanwhile: nothing is read for it any more.
    bench.change::<Purpose>(&PurposeCode::new("registration").unwrap(), |purpose| {
        purpose.intervals.end(Height(1), Authority::Genesis, Effect::Keep).unwrap();
    });
    bench.refuses_read(bench.person.under(1), Code::PurposeUnknown);
    bench.refuses_read(statutory(None), Code::PurposeUnknown);
}

#[test]
fn the_last_read_is_the_last() {
    let mut bench = Bench::granted();
    let all: Vec<SignedRead> = (1..=3).map(|n| bench.read(bench.person.under(n), u64::from(n))).collect();
    // All of a transaction or none: the fourth is one too many.
    let four = [all.clone(), vec![bench.read(bench.person.under(4), 4)]].concat();
    bench.refuses(&reads(&four), Code::ConsentSpent);
    let outcome = bench.commit(&reads(&all));
    let earlier: Vec<Option<LogIndex>> = (0..3).map(|at| access(&outcome, at).before).collect();
    assert_eq!(earlier, [Some(LogIndex(0)), Some(LogIndex(1)), Some(LogIndex(2))]);
    assert_eq!((bench.consent().left, bench.consent().last, outcome.consents.len()), (0, LogIndex(3), 1));
    bench.refuses_read(bench.person.under(4), Code::ConsentSpent);
    bench.commit(&acts(&[bench.person.withdraw()]));
    bench.refuses_read(bench.person.under(4), Code::ConsentWithdrawn);
    bench.refuses(&reads(&[]), Code::NoChanges);
}

#[test]
fn a_withdrawal_and_a_read_in_one_block_stand_in_the_blocks_order() {
    let bench = Bench::granted();
    let checked =
        |payload: &Payload| bench.world.checked(&bench.world.transaction(3, TimeMs(bench.time.0 + 1_000), payload));
    let (read, withdraw) = (reads(&[bench.read(bench.person.under(1), 1)]), acts(&[bench.person.withdraw()]));
    let [read, withdraw] = [&read, &withdraw].map(checked);
    let apply = |first, second| {
        let mut execution = Execution::begin(&bench.view, bench.context()).unwrap();
        execution.apply(first, SignatureCheck::Verify).unwrap();
        execution.apply(second, SignatureCheck::Verify).map(|_| ()).map_err(|refusal| match refusal {
            Refusal::Code(code) => code,
            Refusal::Read(error) => panic!("{error}"),
        })
    };
    assert_eq!(apply(&read, &withdraw), Ok(()));
    assert_eq!(apply(&withdraw, &read), Err(Code::ConsentWithdrawn));
}

#[test]
fn a_request_is_good_for_ten_minutes() {
    let bench = Bench::granted();
    for basis in [bench.person.under(1), statutory(None)] {
        let made = |time: u64| bench.edited(basis.clone(), |request| request.time = TimeMs(time));
        for time in [bench.time.0 - 600_000, bench.time.0 + 60_000] {
            bench.run(&made(time)).unwrap();
        }
        for time in [0, bench.time.0 - 600_001, bench.time.0 + 60_001, u64::MAX] {
            bench.refuses(&made(time), Code::ReadTime);
        }
    }
}

#[test]
fn both_sign_with_issuing_keys_that_hold() {
    let mut bench = Bench::granted();
    let world = &bench.world;
    let [reader, source] = [READER, SOURCE].map(|at| &world.offices[at]);
    for basis in [bench.person.under(1), statutory(None)] {
        let signed = |by: &kanhe_proto::key::SecretKey, of: &kanhe_proto::key::SecretKey| {
            let request =
                ReadRequest { key: by.public_key().id(), ..bench.person.requesting(world, basis.clone(), bench.time) };
            reads(&[bench.person.recorded_by(request, 1, by, of)])
        };
        bench.run(&signed(&reader.issuing, &source.issuing)).unwrap();
        for wrong in [&reader.validator, &reader.governance, &reader.retired, &reader.stolen, &source.issuing] {
            bench.refuses(&signed(wrong, &source.issuing), Code::ReadKey);
        }
        for wrong in [&source.validator, &source.governance, &source.retired, &source.stolen, &reader.issuing] {
            bench.refuses(&signed(&reader.issuing, wrong), Code::ReadKey);
        }
        let right = bench.read(basis.clone(), 1);
        let other = bench.person.read(world, basis.clone(), 2, TimeMs(bench.time.0 + 1));
        let mut spoilt = right.clone();
        spoilt.signature = other.signature.clone();
        bench.refuses(&reads(&[spoilt]), Code::ReadSignature);
        // The source signs again what the reader did not sign so.
        let mut read = right.read.clone();
        read.request.request.nonce[0] ^= 1;
        bench.refuses(&reads(&[read.sign(&world.chain(), &source.issuing).unwrap()]), Code::ReadSignature);
        let mut read = right.read.clone();
        read.request.signature = other.read.request.signature.clone();
        bench.refuses(&reads(&[read.sign(&world.chain(), &source.issuing).unwrap()]), Code::ReadSignature);
        // Nobody changes what the source wrote.
        let mut changed = right.clone();
        changed.read.note.0[0] ^= 1;
        bench.refuses(&reads(&[changed]), Code::ReadSignature);
    }
    let key = bench.world.offices[READER].issuing.public_key().id();
    let id = (bench.world.offices[READER].uscc, key);
    bench.change::<KeyEntry>(&id, |entry| entry.distrusted_from = Some(Height(2)));
    bench.refuses_read(bench.person.under(1), Code::ReadKey);
}

#[test]
fn a_refusal_is_recorded_whatever_was_asked_for_and_uses_nothing() {
    let mut bench = Bench::granted();
    let refused = |bench: &Bench, request: ReadRequest, n: u64, code: &str| {
        let source = &bench.world.offices[SOURCE].issuing;
        let read = bench.person.recorded(&bench.world, request, n).read;
        let answered = Answered::Refused(Text::new(code).unwrap());
        reads(&[Read { answered, ..read }.sign(&bench.world.chain(), source).unwrap()])
    };
    let asked = |bench: &Bench, basis: Basis| bench.person.requesting(&bench.world, basis, TimeMs(bench.time.0));
    let left = bench.consent().left;
    // On a consent that is another's, out of turn; for profit: that it was refused is true all the same.
    let request = asked(&bench, bench.person.under(7));
    let record = refused(&bench, request, 1, "consent_other");
    let outcome = bench.commit(&record);
    assert_eq!((access(&outcome, 0).before, access(&outcome, 0).read.read.refused()), (None, Some("consent_other")));
    assert_eq!((bench.consent().left, bench.counted().unwrap().count), (left, 1));
    bench.refuses(&record, Code::ReadTwice);
    let profit = ReadRequest { purpose: Text::new("profit").unwrap(), ..asked(&bench, statutory(None)) };
    bench.commit(&refused(&bench, profit, 2, "purpose_commercial"));
    assert_eq!(bench.counted().unwrap().count, 2);
    // No text of anybody's own.
    let unknown = ReadRequest { purpose: Text::new("Zhang San").unwrap(), ..asked(&bench, statutory(None)) };
    bench.refuses(&refused(&bench, unknown, 3, "purpose_unknown"), Code::PurposeUnknown);
    for code in ["", "Zhang San", "张三"] {
        bench.refuses(&refused(&bench, asked(&bench, statutory(None)), 3, code), Code::ReadCode);
    }
    let late = ReadRequest { time: TimeMs(bench.time.0 - READ_AGE_MAX_MS - 1), ..asked(&bench, statutory(None)) };
    bench.refuses(&refused(&bench, late, 3, "read_case"), Code::ReadTime);
    // By another than the source.
    let read = bench.person.recorded(&bench.world, asked(&bench, statutory(None)), 3).read;
    let answered = Answered::Refused(Text::new("read_case").unwrap());
    let forged = Read { answered, ..read }.sign(&bench.world.chain(), &bench.world.offices[READER].issuing).unwrap();
    bench.refuses(&reads(&[forged]), Code::ReadSignature);
}

#[test]
fn a_read_on_a_rule_is_of_public_benefit_and_recorded_once() {
    let mut bench = Bench::new();
    let ground = |code: &str| {
        let basis = Basis::Statutory(Statutory { ground: Text::new(code).unwrap(), case: None });
        bench.edited(basis, |_| {})
    };
    bench.refuses(&ground("profit"), Code::PurposeCommercial);
    bench.refuses(&ground("none"), Code::PurposeUnknown);
    let profit = bench.edited(statutory(None), |request| request.purpose = Text::new("profit").unwrap());
    bench.refuses(&profit, Code::PurposeCommercial);

    let read = bench.read(statutory(None), 1);
    bench.refuses(&reads(&[read.clone(), read.clone()]), Code::ReadTwice);
    let outcome = bench.commit(&reads(std::slice::from_ref(&read)));
    assert_eq!((outcome.spent.len(), access(&outcome, 0).before), (2, None));
    bench.refuses(&reads(std::slice::from_ref(&read)), Code::ReadTwice);
    // Under another number of the person's as well: it is the request that comes once.
    let request = bench.person.requesting(&bench.world, statutory(None), read.request().time);
    bench.refuses(&reads(&[bench.person.recorded(&bench.world, request, 2)]), Code::ReadTwice);
    bench.commit(&reads(&[bench.read(statutory(None), 2)]));
    assert_eq!(bench.counted().unwrap().count, 2);
    // In its last moment the id is there; when it is swept the request is too old.
    let until = read.request().good_until().0;
    bench.at(until);
    bench.refuses(&reads(std::slice::from_ref(&read)), Code::ReadTwice);
    bench.at(until + 2);
    bench.refuses(&reads(std::slice::from_ref(&read)), Code::ReadTime);
    let outcome = bench.empty();
    assert!(outcome.swept.iter().any(|swept| swept.expiry.0 == until));
    assert!(bench.view.expiries.iter().all(|spent| spent.expiry.0 > until));
}

#[test]
fn a_case_that_is_named_is_open_and_of_one_of_both() {
    let mut bench = Bench::new();
    // Bureaus 0, 2 and 3 play its roles: the reader does, the source does not.
    let flat = Flat::new(&bench.world, 1);
    bench.refuses_read(statutory(Some(flat.id())), Code::ReadCase);
    bench.commit(&payload(&[flat.open(&bench.world, bench.time)]));
    bench.run(&reads(&[bench.read(statutory(Some(flat.id())), 1)])).unwrap();
    let (reader, key) = (bench.world.offices[3].uscc, bench.world.offices[3].issuing.public_key().id());
    let request = |source: usize, by: usize| ReadRequest {
        source: bench.world.offices[source].uscc,
        reader: bench.world.offices[by].uscc,
        key: bench.world.offices[by].issuing.public_key().id(),
        ..bench.person.requesting(&bench.world, statutory(Some(flat.id())), bench.time)
    };
    let signed = |source: usize, by: usize| {
        let (reader, source_key) = (&bench.world.offices[by].issuing, &bench.world.offices[source].issuing);
        reads(&[bench.person.recorded_by(request(source, by), 1, reader, source_key)])
    };
    assert_eq!((request(1, 3).reader, request(1, 3).key), (reader, key));
    bench.run(&signed(1, 3)).unwrap();
    bench.run(&signed(3, 1)).unwrap();
    // A case of bureau 0 alone is none of theirs.
    let note = Flat::new(&bench.world, 2);
    let mut with_note = Bench::new();
    with_note.commit(&payload(&[note.noting(&with_note.world, with_note.time)]));
    with_note.refuses_read(statutory(Some(note.id())), Code::ReadCase);
    // Nor is one that has ended, or whose time is over.
    let ends = bench.time.0 + 30 * DAY;
    bench.commit(&payload(&[flat.withdraw(0, &flat.keys[0])]));
    bench.refuses_read(statutory(Some(flat.id())), Code::ReadCase);
    let late = Flat::new(&bench.world, 3);
    bench.commit(&payload(&[late.open(&bench.world, bench.time)]));
    bench.at(ends + 10_000);
    bench.refuses_read(statutory(Some(late.id())), Code::ReadCase);
}

#[test]
fn reads_of_each_source_are_numbered_by_themselves() {
    let mut bench = Bench::new();
    let made = |source: usize, n: u64| {
        let request = ReadRequest {
            source: bench.world.offices[source].uscc,
            nonce: [n as u8; 32],
            ..bench.person.requesting(&bench.world, statutory(None), bench.time)
        };
        let offices = &bench.world.offices;
        bench.person.recorded_by(request, n, &offices[READER].issuing, &offices[source].issuing)
    };
    let all = [made(1, 1), made(3, 1), made(1, 2), made(1, 3), made(3, 2)];
    let outcome = bench.commit(&reads(&all));
    let numbers: Vec<u64> = (0..5).map(|at| access(&outcome, at).number).collect();
    assert_eq!(numbers, [0, 0, 1, 2, 1]);
    let counted = bench.counted().unwrap();
    assert_eq!((counted.count, counted.last, outcome.counters.reads), (3, LogIndex(3), 5));
    let outcome = bench.commit(&reads(&[bench.read(statutory(None), 4)]));
    assert_eq!((access(&outcome, 0).number, bench.counted().unwrap().last), (3, LogIndex(5)));
}

#[test]
fn acts_of_a_transaction_are_all_or_none_and_see_each_other() {
    let mut bench = Bench::new();
    let (first, second) = (bench.person.clone(), Person::new(&bench.world, 2));
    let all = [first.grant(&bench.world, bench.time), second.grant(&bench.world, bench.time), first.withdraw()];
    let spoilt = [all.to_vec(), vec![first.withdraw()]].concat();
    bench.refuses(&acts(&spoilt), Code::ConsentWithdrawn);
    let outcome = bench.commit(&acts(&all));
    assert_eq!((outcome.records.len(), outcome.consents.len(), outcome.counters.consent_acts), (3, 2, 3));
    assert_eq!((bench.consent().withdrawn, bench.consent().last), (Some(bench.parent_time), LogIndex(2)));
}

#[test]
fn at_most_so_many_consents_are_swept_in_a_block_in_order() {
    let mut bench = Bench::new();
    let mut expected: Vec<ConsentDue> = Vec::new();
    for block in 0..10u64 {
        let people: Vec<Person> = (0..30).map(|at| Person::new(&bench.world, block * 30 + at)).collect();
        let granted: Vec<_> = people.iter().map(|person| person.grant(&bench.world, bench.time)).collect();
        let forget = TimeMs(bench.time.0 + 60 * DAY);
        bench.commit(&acts(&granted));
        expected.extend(people.iter().map(|person| ConsentDue { time: forget, id: person.id() }));
    }
    expected.sort_unstable();
    assert!(bench.view.consents_due.iter().eq(&expected));
    let later = bench.time.0 + 61 * DAY;
    bench.at(later);
    // What is tried without a block of its own sweeps nothing.
    let mut context = bench.context();
    context.parameters.block_swept_max = 0;
    assert!(execute(&bench.view, context, &[], |_| SignatureCheck::Verify).unwrap().consents.is_empty());
    let first = bench.empty();
    let mut swept: Vec<ConsentId> = first.consents.iter().map(|change| change.before.as_ref().unwrap().id).collect();
    swept.sort_unstable();
    let mut due: Vec<ConsentId> = expected[..CONSENTS_SWEPT_MAX].iter().map(|due| due.id).collect();
    due.sort_unstable();
    assert_eq!(swept, due);
    assert_eq!(bench.empty().consents.len(), 300 - CONSENTS_SWEPT_MAX);
    assert!(bench.empty().consents.is_empty() && bench.view.consents_due.is_empty());
}

#[test]
fn any_members_validator_or_issuing_key_carries_acts_and_reads() {
    let bench = Bench::granted();
    let office = &bench.world.offices[3];
    for carried in [acts(&[bench.person.withdraw()]), reads(&[bench.read(bench.person.under(1), 1)])] {
        for (key, expected) in [
            (&office.issuing, Ok(())),
            (&office.validator, Ok(())),
            (&office.governance, Err(Code::KeyRole)),
            (&office.retired, Err(Code::KeyNotValid)),
        ] {
            let mut body = bench.world.body(3, bench.time, &carried);
            body.key = key.public_key().id();
            let checked = bench.world.checked(&body.sign(key).unwrap());
            let mut execution = Execution::begin(&bench.view, bench.context()).unwrap();
            let found =
                execution.apply(&checked, SignatureCheck::Verify).map(|_| ()).map_err(|refusal| match refusal {
                    Refusal::Code(code) => code,
                    Refusal::Read(error) => panic!("{error}"),
                });
            assert_eq!(found, expected);
        }
        let transaction = bench.world.transaction(0, bench.time, &carried);
        for version in [1, 2] {
            let refused = check_stateless(&transaction, &bench.world.chain(), ProtocolVersion(version)).unwrap_err();
            assert_eq!(refused, Code::UnknownKind);
        }
    }
}

#[test]
fn a_block_has_room_for_so_many_leaves_and_signatures() {
    let bench = Bench::granted();
    let checked =
        |payload: &Payload| bench.world.checked(&bench.world.transaction(3, TimeMs(bench.time.0 + 1_000), payload));
    let granted: Vec<_> =
        (10..30).map(|number| Person::new(&bench.world, number).grant(&bench.world, bench.time)).collect();
    let on_rules: Vec<SignedRead> = (10..30)
        .map(|number| Person::new(&bench.world, number).read(&bench.world, statutory(None), 1, bench.time))
        .collect();
    // 20 consents; 20 ids of requests and the source; one more consent and the same source.
    let all =
        [acts(&granted), reads(&on_rules), reads(&[bench.read(bench.person.under(1), 1)])].map(|one| checked(&one));
    let apply = |parameters: Parameters| {
        let context = BlockContext { parameters, ..bench.context() };
        let mut execution = Execution::begin(&bench.view, context).unwrap();
        execution.apply(&all[0], SignatureCheck::Verify).unwrap();
        execution.apply(&all[1], SignatureCheck::Verify).unwrap();
        match execution.apply(&all[2], SignatureCheck::Verify) {
            Ok(_) => None,
            Err(Refusal::Code(code)) => Some(code),
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    };
    let parameters = Parameters::default();
    assert_eq!(apply(Parameters { block_updates_max: 42, ..parameters.clone() }), None);
    assert_eq!(apply(Parameters { block_updates_max: 41, ..parameters.clone() }), Some(Code::BlockUpdates));
    // 1 + 20, 1 + 40, 1 + 2.
    assert_eq!(apply(Parameters { block_signatures_max: 65, ..parameters.clone() }), None);
    assert_eq!(apply(Parameters { block_signatures_max: 64, ..parameters }), Some(Code::BlockSignatures));
}
