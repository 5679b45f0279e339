//! Cases by the pure state machine: a whole run, each refusal, time, rounds, and two desks at one step.
#![allow(clippy::unwrap_used)]

mod common;

use common::flat::{BUYER, DAY, DEVELOPER, Flat, KIN, REGISTER, SPOUSE, TAX, file, payload, put};
use common::{MemoryView, START, World};
use kanhe_node::ledger::{
    BlockContext, CaseDue, Code, Execution, Outcome, Refusal, SignatureCheck, check_stateless, execute,
};
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::{
    Act, Case, CaseEvent, CaseRecord, CaseStatus, Clerk, Decide, How, Open, Outcome as Decided, Present, SignedAct,
    SlotKey, StepState, case_key,
};
use kanhe_proto::hash::Hash;
use kanhe_proto::ids::{Height, LogIndex, ProtocolVersion, TimeMs};
use kanhe_proto::item::ItemVersion;
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::limits::{CASE_ROUNDS_MAX, CASES_SWEPT_MAX};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::Record;
use kanhe_proto::registry::{Authority, Effect, Parameters, RegistryRecord, ServiceItem};

struct Bench {
    world: World,
    view: MemoryView,
    height: Height,
    time: TimeMs,
    parent_time: TimeMs,
    parameters: Parameters,
    flat: Flat,
}

impl Bench {
    fn new() -> Self {
        let world = World::new(4);
        let mut view = MemoryView::of(&world);
        put(&world, &mut view);
        Self {
            flat: Flat::new(&world, 1),
            view,
            height: Height(1),
            time: TimeMs(START.0 + 1_000),
            parent_time: START,
            parameters: Parameters::default(),
            world,
        }
    }
    /// A case that the buyer has joined, and the spouse.
    fn presented() -> Self {
        let mut bench = Self::new();
        bench.commit(&[bench.flat.open(&bench.world, bench.time)]);
        bench.commit(&[bench.flat.present(BUYER, 0)]);
        bench.commit(&[bench.flat.join()]);
        bench
    }
    fn context(&self) -> BlockContext {
        let context = self.world.context(self.height, self.time, self.parent_time);
        BlockContext { parameters: self.parameters.clone(), ..context }
    }
    fn run_by(&self, office: usize, acts: &[SignedAct]) -> Result<Outcome, Code> {
        let transaction = self.world.transaction(office, TimeMs(self.time.0 + 1_000), &payload(acts));
        let mut execution = Execution::begin(&self.view, self.context()).unwrap();
        let applied = execution.apply(&self.world.checked(&transaction), SignatureCheck::Verify);
        let outcome = execution.finish().unwrap();
        match applied {
            Ok(_) => Ok(outcome),
            Err(Refusal::Code(code)) => {
                // Refused means that nothing changed.
                assert!(outcome.records.is_empty() && outcome.cases.is_empty() && outcome.receipts.is_empty());
                Err(code)
            }
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    }
    fn run(&self, acts: &[SignedAct]) -> Result<Outcome, Code> {
        self.run_by(1, acts)
    }
    fn keep(&mut self, outcome: &Outcome) {
        self.view.keep(outcome);
        self.height = self.height.next();
        (self.parent_time, self.time) = (self.time, TimeMs(self.time.0 + 1_000));
    }
    fn commit(&mut self, acts: &[SignedAct]) -> Outcome {
        let outcome = self.run(acts).unwrap();
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
    fn refuses(&self, act: SignedAct, code: Code) {
        assert_eq!(self.run(&[act]).map(|_| ()), Err(code));
    }
    fn case_of(&self, flat: &Flat) -> Option<Case> {
        self.view.state.get(&case_key(&flat.id())).map(|value| Case::from_value(value).unwrap())
    }
    fn case(&self) -> Case {
        self.case_of(&self.flat).unwrap()
    }
    fn states(&self) -> Vec<StepState> {
        self.case().steps.iter().map(|step| step.state).collect()
    }
    fn issuing(&self, office: usize) -> &SecretKey {
        &self.world.offices[office].issuing
    }
    fn decide(&self, office: usize, step: u8, round: u32, outcome: Decided) -> SignedAct {
        self.flat.decide(self.issuing(office), step, round, outcome)
    }
    fn approve(&self, office: usize, step: u8) -> SignedAct {
        self.decide(office, step, 0, Decided::Approved)
    }
}

fn record(outcome: &Outcome, at: usize) -> CaseRecord {
    CaseRecord::from_record(&outcome.records[at]).unwrap()
}

#[test]
fn a_whole_case_from_its_opening_to_its_rating() {
    use StepState::*;
    let mut bench = Bench::new();
    let opened = bench.time;
    let outcome = bench.commit(&[bench.flat.open(&bench.world, opened)]);
    let case = bench.case();
    assert_eq!((case.status, case.opened, case.ends.0), (CaseStatus::Open, opened, opened.0 + 30 * DAY));
    assert_eq!((case.events, case.last, case.slots.len()), (1, LogIndex(0), 3));
    assert_eq!((case.slots[0].presented, case.slots[1].presented), (Some(opened), None));
    assert_eq!((outcome.counters.case_events, outcome.acts.len()), (1, 0));
    assert_eq!(bench.states(), [Waiting, Waiting, Waiting]);

    bench.commit(&[bench.flat.present(BUYER, 0)]);
    assert_eq!(bench.states(), [Ready, Waiting, Waiting]);
    let ready = bench.parent_time;
    let step = bench.case().steps[0].clone();
    assert_eq!((step.since, step.due), (ready, Some(TimeMs(ready.0 + 3 * DAY))));
    // The spouse joins by the invitation, from a wallet of its own, in its own time.
    bench.commit(&[bench.flat.join()]);
    assert_eq!(bench.states(), [Ready, Ready, Waiting]);
    assert_eq!(bench.case().slots[2].key, SlotKey::Known(bench.flat.keys[2].public_key()));

    bench.commit(&[bench.decide(2, TAX, 0, Decided::Returned)]);
    let case = bench.case();
    let rounds: Vec<u32> = case.slots.iter().map(|slot| slot.round).collect();
    assert_eq!((rounds, bench.states()), (vec![1, 1, 0], vec![Waiting, Waiting, Waiting]));
    bench.commit(&[bench.flat.present(BUYER, 1), bench.flat.present(DEVELOPER, 1)]);
    assert_eq!(bench.states(), [Ready, Ready, Waiting]);

    let by_rules = Decide {
        how: How::Rules,
        passed: List::new(vec![file(0)]).unwrap(),
        ..bench.flat.deciding(bench.issuing(2), TAX, 1, Decided::Approved)
    };
    bench.commit(&[bench.flat.sign(Act::Decide(by_rules), bench.issuing(2))]);
    bench.commit(&[bench.decide(3, KIN, 1, Decided::Approved)]);
    assert_eq!(bench.states(), [Approved, Approved, Ready]);
    // It was returned before it was ready, so its round is another too.
    bench.commit(&[bench.decide(0, REGISTER, 1, Decided::Approved)]);
    assert_eq!((bench.states(), bench.case().status), (vec![Approved; 3], CaseStatus::Open));
    let outcome = bench.commit(&[bench.flat.issued(bench.issuing(0), REGISTER)]);
    let closed = record(&outcome, 0);
    assert_eq!((closed.status, closed.number), (CaseStatus::Closed, 9));
    let ended = closed.time;
    assert_eq!((bench.case().ended(), bench.case().forget), (Some(ended), Some(TimeMs(ended.0 + 30 * DAY))));
    let outcome = bench.commit(&[bench.flat.rate(5, &bench.flat.keys[1])]);
    let rated = record(&outcome, 0);
    assert_eq!((rated.number, rated.before, rated.status), (10, Some(LogIndex(9)), CaseStatus::Closed));
    assert_eq!((bench.case().stars, bench.case().events), (Some(5), 11));

    // Its leaf is forgotten, its records are not.
    let forget = bench.case().forget.unwrap().0;
    bench.at(forget);
    assert!(bench.empty().cases.is_empty());
    bench.at(forget + 2);
    let outcome = bench.empty();
    assert!(outcome.records.is_empty() && outcome.cases[0].after.is_none());
    assert!(bench.case_of(&bench.flat).is_none() && bench.view.cases_due.is_empty());
    bench.refuses(bench.flat.rate(5, &bench.flat.keys[1]), Code::CaseUnknown);
}

#[test]
fn openings_that_do_not_fit_are_refused() {
    let mut bench = Bench::new();
    let flat = bench.flat.clone();
    let with = |bench: &Bench, edit: &dyn Fn(&mut Open)| {
        let mut open = flat.opening(&bench.world, bench.time);
        edit(&mut open);
        flat.sign(Act::Open(open), &flat.keys[0])
    };
    bench.run(&[with(&bench, &|open| open.not_after = bench.time)]).unwrap();
    bench.run(&[with(&bench, &|open| open.not_after = TimeMs(bench.time.0 + DAY))]).unwrap();
    for ahead in [bench.time.0 - 1, bench.time.0 + DAY + 1] {
        bench.refuses(with(&bench, &|open| open.not_after = TimeMs(ahead)), Code::CaseOpeningLate);
    }
    bench.refuses(with(&bench, &|open| open.file = Hash([1; 32])), Code::ItemNotInForce);
    bench.refuses(with(&bench, &|open| open.version = ItemVersion(2)), Code::ItemNotInForce);
    bench.refuses(with(&bench, &|open| open.item = Text::new("none").unwrap()), Code::ItemNotInForce);
    bench.refuses(with(&bench, &|open| open.slots = List::empty()), Code::CaseShape);
    bench.refuses(with(&bench, &|open| open.chosen.as_mut_slice()[1] = bench.world.offices[3].uscc), Code::CaseShape);
    let forged = flat.sign(Act::Open(flat.opening(&bench.world, bench.time)), &flat.keys[1]);
    bench.refuses(forged, Code::CaseSignature);
    // Frozen meanwhile: it takes no new cases.
    let mut frozen = bench.view.clone();
    let key = kanhe_proto::registry::Bureau::key_of(&bench.world.offices[2].uscc);
    let mut record = kanhe_proto::registry::Bureau::from_value(&frozen.registry[&key]).unwrap();
    record.intervals.end(Height(1), Authority::Genesis, Effect::Keep).unwrap();
    frozen.registry.insert(key, record.to_value());
    let view = std::mem::replace(&mut bench.view, frozen);
    bench.refuses(flat.open(&bench.world, bench.time), Code::NotMember);
    bench.view = view;

    bench.commit(&[flat.open(&bench.world, bench.time)]);
    bench.refuses(flat.open(&bench.world, bench.time), Code::CaseExists);
    // A retired version opens no case, and those that it opened go on.
    let id = (common::flat::item().code, ItemVersion(1));
    let mut item = ServiceItem::from_value(&bench.view.registry[&ServiceItem::key_of(&id)]).unwrap();
    item.intervals.end(bench.height, Authority::Genesis, Effect::Keep).unwrap();
    bench.view.registry.insert(item.key(), item.to_value());
    bench.refuses(Flat::new(&bench.world, 2).open(&bench.world, bench.time), Code::ItemNotInForce);
    bench.commit(&[flat.present(BUYER, 0)]);
    assert_eq!(bench.run(&[]).map(|_| ()), Err(Code::NoChanges));
}

#[test]
fn a_clerk_opens_on_a_ground_under_the_bureaus_key() {
    let bench = Bench::new();
    let flat = &bench.flat;
    let open = |office: usize, ground: &str, key: &SecretKey| {
        assisted(&bench, Act::Open(flat.opening(&bench.world, bench.time)), office, ground, key)
    };
    let sign = |act: Act| flat.sign(act, &flat.keys[0]);
    let (issuing, office) = (bench.issuing(3), &bench.world.offices[3]);
    bench.run(&[sign(open(3, "registration", issuing))]).unwrap();
    bench.refuses(sign(open(3, "profit", issuing)), Code::CaseGround);
    bench.refuses(sign(open(3, "nothing", issuing)), Code::CaseGround);
    for key in [&office.retired, &office.stolen, &office.validator, bench.issuing(2)] {
        bench.refuses(sign(open(3, "registration", key)), Code::CaseNotNamed);
    }
    let changed = |edit: &dyn Fn(&mut Open)| {
        let Act::Open(mut opening) = open(3, "registration", issuing) else { unreachable!("it opens") };
        edit(&mut opening);
        sign(Act::Open(opening))
    };
    let other = |open: &mut Open| open.assisted.as_mut().unwrap().clerk = Text::new("A-18").unwrap();
    bench.refuses(changed(&other), Code::CaseSignature);
    bench.refuses(changed(&|open| open.files = List::empty()), Code::CaseSignature);
}

#[test]
fn a_clerk_presents_on_a_ground_under_the_bureaus_key() {
    let mut bench = Bench::new();
    let flat = bench.flat.clone();
    bench.commit(&[flat.open(&bench.world, bench.time)]);
    let sign = |bench: &Bench, ground: &str, key: &SecretKey| {
        let act = assisted(bench, Act::Present(flat.presenting(BUYER, 0)), 3, ground, key);
        flat.sign(act, &flat.keys[1])
    };
    bench.refuses(sign(&bench, "profit", bench.issuing(3)), Code::CaseGround);
    bench.refuses(sign(&bench, "registration", bench.issuing(2)), Code::CaseNotNamed);
    let mut other = sign(&bench, "registration", bench.issuing(3));
    let Act::Present(present) = &mut other.act else { unreachable!("it presents") };
    present.assisted.as_mut().unwrap().clerk = Text::new("A-18").unwrap();
    bench.refuses(flat.sign(other.act, &flat.keys[1]), Code::CaseSignature);
    // Without the clerk it is the party's own word.
    bench.run(&[flat.present(BUYER, 0)]).unwrap();
    let good = sign(&bench, "registration", bench.issuing(3));
    bench.commit(std::slice::from_ref(&good));
    bench.refuses(good, Code::CasePresented);
}

/// By a clerk of one of the offices.
fn assisted(bench: &Bench, act: Act, office: usize, ground: &str, key: &SecretKey) -> Act {
    let (number, ground) = (Text::new("A-17").unwrap(), Text::new(ground).unwrap());
    let clerk = Clerk { bureau: bench.world.offices[office].uscc, number, ground };
    act.assisted_by(&bench.world.chain(), clerk, key).unwrap()
}

#[test]
fn only_who_is_named_presents_once_in_a_round() {
    let mut bench = Bench::new();
    let flat = bench.flat.clone();
    bench.refuses(flat.present(BUYER, 0), Code::CaseUnknown);
    bench.commit(&[flat.open(&bench.world, bench.time)]);
    let with = |present: Present, edit: &dyn Fn(&mut Present), key: &SecretKey| {
        let mut present = present;
        edit(&mut present);
        flat.sign(Act::Present(present), key)
    };
    let [_, buyer, spouse] = &flat.keys;
    bench.refuses(with(flat.presenting(BUYER, 0), &|_| (), spouse), Code::CaseSignature);
    bench.refuses(with(flat.presenting(BUYER, 0), &|present| present.slot = 9, buyer), Code::CaseNotNamed);
    bench.refuses(flat.present(BUYER, 1), Code::CaseRound);
    bench.refuses(flat.present(DEVELOPER, 0), Code::CasePresented);
    let to_civil = |present: &mut Present| present.files = List::new(vec![file(2)]).unwrap();
    bench.refuses(with(flat.presenting(BUYER, 0), &to_civil, buyer), Code::CaseShape);
    // Joining: by the invitation, under the own key, and only where somebody was invited.
    bench.refuses(flat.present(SPOUSE, 0), Code::CaseNotNamed);
    bench.refuses(with(flat.joining(), &|present| present.slot = BUYER, spouse), Code::CaseShape);
    let uninvited = |present: &mut Present| (present.slot, present.files) = (BUYER, List::empty());
    bench.refuses(with(flat.joining(), &uninvited, spouse), Code::CaseNotNamed);
    bench.refuses(with(flat.joining(), &|_| (), &flat.invitation), Code::CaseSignature);
    let other = Flat::new(&bench.world, 2);
    let stolen = |present: &mut Present| present.join.as_mut().unwrap().key = other.keys[2].public_key();
    bench.refuses(with(flat.joining(), &stolen, &other.keys[2]), Code::CaseSignature);
    let of_other = |present: &mut Present| present.join = other.joining().join;
    bench.refuses(with(flat.joining(), &of_other, &other.keys[2]), Code::CaseSignature);
    bench.commit(&[flat.join()]);
    bench.refuses(flat.join(), Code::CasePresented);
    bench.refuses(other.present(BUYER, 0), Code::CaseUnknown);
    bench.commit(&[flat.present(BUYER, 0)]);
    bench.refuses(flat.present(BUYER, 0), Code::CasePresented);
}

#[test]
fn only_the_chosen_bureau_decides_what_is_ready() {
    let mut bench = Bench::new();
    bench.commit(&[bench.flat.open(&bench.world, bench.time)]);
    bench.refuses(bench.approve(2, TAX), Code::CaseNotReady);
    bench.commit(&[bench.flat.present(BUYER, 0)]);
    bench.refuses(bench.approve(3, KIN), Code::CaseNotReady);
    bench.refuses(bench.approve(0, REGISTER), Code::CaseNotReady);
    // Bureau 1 could play the role, but was not chosen.
    for office in [0, 1, 3] {
        bench.refuses(bench.approve(office, TAX), Code::CaseNotNamed);
    }
    let office = &bench.world.offices[2];
    for key in [&office.retired, &office.stolen, &office.governance, &office.validator] {
        bench.refuses(bench.flat.decide(key, TAX, 0, Decided::Approved), Code::CaseNotNamed);
    }
    let with = |edit: &dyn Fn(&mut Decide), key: &SecretKey| {
        let mut decide = bench.flat.deciding(bench.issuing(2), TAX, 0, Decided::Approved);
        edit(&mut decide);
        bench.flat.sign(Act::Decide(decide), key)
    };
    bench.refuses(with(&|_| (), bench.issuing(3)), Code::CaseSignature);
    bench.refuses(with(&|decide| decide.step = 9, bench.issuing(2)), Code::CaseNotNamed);
    bench.refuses(with(&|decide| decide.round = 1, bench.issuing(2)), Code::CaseRound);
    bench.refuses(with(&|decide| (decide.how, decide.run) = (How::Rules, None), bench.issuing(2)), Code::CaseShape);
    let words = |decide: &mut Decide| decide.reason = Some(Text::new("Zhang San").unwrap());
    bench.refuses(with(&words, bench.issuing(2)), Code::CaseShape);
    bench.refuses(bench.flat.issued(bench.issuing(2), TAX), Code::CaseNotReady);
    bench.commit(&[bench.approve(2, TAX)]);
    bench.refuses(bench.approve(2, TAX), Code::CaseDecided);
    bench.refuses(bench.decide(2, TAX, 0, Decided::Rejected), Code::CaseDecided);
    bench.refuses(bench.flat.issued(bench.issuing(2), TAX), Code::CaseShape);
    bench.refuses(bench.flat.issued(bench.issuing(0), 9), Code::CaseNotNamed);
}

/// Two desks of one bureau, in one block and in two: the chain takes the first.
#[test]
fn two_desks_decide_and_only_one_wins() {
    let bench = Bench::presented();
    let yes = bench.approve(2, TAX);
    let other_officer = Decide {
        how: How::Officer { officer: common::flat::said("another officer") },
        ..bench.flat.deciding(bench.issuing(2), TAX, 0, Decided::Approved)
    };
    let also_yes = bench.flat.sign(Act::Decide(other_officer), bench.issuing(2));
    let no = bench.decide(2, TAX, 0, Decided::Rejected);
    let anew = bench.decide(2, TAX, 0, Decided::Returned);
    for (first, second, code) in [
        (&yes, &also_yes, Code::CaseDecided),
        (&yes, &no, Code::CaseDecided),
        (&yes, &anew, Code::CaseDecided),
        (&no, &yes, Code::CaseOver),
        (&anew, &yes, Code::CaseRound),
        (&anew, &no, Code::CaseRound),
    ] {
        let mut execution = Execution::begin(&bench.view, bench.context()).unwrap();
        let checked = |act: &SignedAct, office| {
            let payload = payload(std::slice::from_ref(act));
            bench.world.checked(&bench.world.transaction(office, TimeMs(bench.time.0 + 1_000), &payload))
        };
        execution.apply(&checked(first, 1), SignatureCheck::Verify).unwrap();
        let refused = execution.apply(&checked(second, 2), SignatureCheck::Verify).unwrap_err();
        assert!(matches!(refused, Refusal::Code(found) if found == code), "{refused} for {code}");
        let outcome = execution.finish().unwrap();
        assert_eq!(record(&outcome, 0).event, CaseEvent::Act(first.clone()));
        assert_eq!((outcome.records.len(), outcome.cases.len()), (1, 1));
    }
}

#[test]
fn parallel_steps_do_not_disturb_each_other_and_none_is_decided_on_what_was_replaced() {
    let mut bench = Bench::presented();
    // Both are ready, and both decisions count, whatever comes first.
    let (tax, kin) = (bench.approve(2, TAX), bench.approve(3, KIN));
    for acts in [[tax.clone(), kin.clone()], [kin.clone(), tax.clone()]] {
        bench.run(&acts).unwrap();
    }
    // One returns what the buyer presented: the other may not decide on it any more, and later on what came anew.
    bench.commit(&[bench.decide(2, TAX, 0, Decided::Returned)]);
    bench.refuses(kin, Code::CaseRound);
    bench.refuses(bench.decide(3, KIN, 1, Decided::Approved), Code::CaseNotReady);
    bench.refuses(bench.flat.present(BUYER, 0), Code::CaseRound);
    bench.commit(&[bench.flat.present(BUYER, 1)]);
    bench.commit(&[bench.decide(3, KIN, 1, Decided::Approved)]);
    bench.refuses(bench.decide(2, TAX, 1, Decided::Approved), Code::CaseNotReady);
    bench.commit(&[bench.flat.present(DEVELOPER, 1)]);
    // What is approved stays so when another step returns what it was approved on.
    bench.commit(&[bench.decide(2, TAX, 1, Decided::Returned)]);
    assert_eq!(bench.states(), [StepState::Waiting, StepState::Approved, StepState::Waiting]);
    assert_eq!(bench.case().steps.iter().map(|step| step.round).collect::<Vec<_>>(), [2, 1, 2]);
}

#[test]
fn a_step_is_not_returned_for_ever() {
    let mut bench = Bench::presented();
    for round in 0..CASE_ROUNDS_MAX {
        bench.commit(&[bench.decide(2, TAX, round, Decided::Returned)]);
        bench.commit(&[bench.flat.present(DEVELOPER, round + 1), bench.flat.present(BUYER, round + 1)]);
    }
    bench.refuses(bench.decide(2, TAX, CASE_ROUNDS_MAX, Decided::Returned), Code::CaseRounds);
    bench.commit(&[bench.decide(2, TAX, CASE_ROUNDS_MAX, Decided::Rejected)]);
    assert_eq!(bench.case().status, CaseStatus::Rejected);
}

#[test]
fn a_case_is_taken_back_by_opener_or_applicant() {
    for slot in [DEVELOPER, BUYER] {
        let mut bench = Bench::presented();
        let flat = bench.flat.clone();
        bench.refuses(flat.withdraw(SPOUSE, &flat.keys[2]), Code::CaseNotNamed);
        bench.refuses(flat.withdraw(9, &flat.keys[0]), Code::CaseNotNamed);
        bench.refuses(flat.withdraw(slot, &flat.keys[2]), Code::CaseSignature);
        bench.refuses(flat.rate(3, &flat.keys[1]), Code::CaseNotOver);
        bench.commit(&[flat.withdraw(slot, &flat.keys[usize::from(slot)])]);
        assert_eq!(bench.case().status, CaseStatus::Withdrawn);
        for act in [
            flat.withdraw(slot, &flat.keys[usize::from(slot)]),
            flat.present(BUYER, 0),
            bench.approve(2, TAX),
            flat.issued(bench.issuing(0), REGISTER),
        ] {
            bench.refuses(act, Code::CaseOver);
        }
        bench.refuses(flat.rate(0, &flat.keys[1]), Code::CaseShape);
        bench.refuses(flat.rate(6, &flat.keys[1]), Code::CaseShape);
        bench.refuses(flat.rate(3, &flat.keys[0]), Code::CaseSignature);
        bench.commit(&[flat.rate(1, &flat.keys[1])]);
        bench.refuses(flat.rate(5, &flat.keys[1]), Code::CaseRated);
        // Its own key again opens nothing while the leaf is there.
        bench.refuses(flat.open(&bench.world, bench.time), Code::CaseExists);
    }
}

#[test]
fn who_was_invited_and_has_not_joined_takes_nothing_back() {
    let mut bench = Bench::new();
    let flat = bench.flat.clone();
    let mut open = flat.opening(&bench.world, bench.time);
    open.slots.as_mut_slice()[0].key = SlotKey::Invited(flat.keys[1].public_key());
    bench.commit(&[flat.sign(Act::Open(open), &flat.keys[0])]);
    bench.refuses(flat.withdraw(BUYER, &flat.keys[1]), Code::CaseNotNamed);
    bench.commit(&[flat.withdraw(DEVELOPER, &flat.keys[0])]);
    bench.refuses(flat.rate(4, &flat.keys[1]), Code::CaseNotNamed);
}

#[test]
fn a_case_expires_by_block_time_and_only_once() {
    let mut bench = Bench::presented();
    let ends = bench.case().ends.0;
    // At its last moment it runs, at its end it is over, and the first block whose parent is later says so.
    bench.at(ends - 1);
    bench.run(&[bench.approve(2, TAX)]).unwrap();
    bench.at(ends);
    bench.refuses(bench.approve(2, TAX), Code::CaseOver);
    bench.refuses(bench.flat.withdraw(DEVELOPER, &bench.flat.keys[0]), Code::CaseOver);
    bench.refuses(bench.flat.rate(4, &bench.flat.keys[1]), Code::CaseNotOver);
    (bench.parent_time, bench.time) = (TimeMs(ends), TimeMs(ends + 5));
    assert!(bench.empty().records.is_empty());
    (bench.parent_time, bench.time) = (TimeMs(ends + 1), TimeMs(ends + 5));
    let outcome = bench.empty();
    let expired = record(&outcome, 0);
    assert_eq!((&expired.event, expired.status, expired.number), (&CaseEvent::Expired, CaseStatus::Expired, 3));
    assert_eq!((expired.before, bench.case().last, outcome.counters.case_events), (Some(LogIndex(2)), LogIndex(3), 1));
    assert!(bench.empty().records.is_empty());
    bench.refuses(bench.approve(2, TAX), Code::CaseOver);
    bench.commit(&[bench.flat.rate(2, &bench.flat.keys[1])]);
}

#[test]
fn at_most_so_many_cases_are_swept_in_a_block_in_order() {
    let mut bench = Bench::new();
    let mut expected: Vec<CaseDue> = Vec::new();
    for block in 0..10u64 {
        let flats: Vec<Flat> = (0..30).map(|at| Flat::new(&bench.world, block * 30 + at)).collect();
        let acts: Vec<SignedAct> = flats.iter().map(|flat| flat.noting(&bench.world, bench.time)).collect();
        bench.commit(&acts);
        expected.extend(flats.iter().map(|flat| {
            let case = bench.case_of(flat).unwrap();
            CaseDue { time: case.next_by_time(), id: case.id }
        }));
    }
    expected.sort_unstable();
    let later = bench.time.0 + 3 * DAY;
    bench.at(later);
    let first = bench.empty();
    let second = bench.empty();
    assert_eq!((first.records.len(), second.records.len()), (CASES_SWEPT_MAX, 300 - CASES_SWEPT_MAX));
    let swept =
        [&first, &second].into_iter().flat_map(|outcome| (0..outcome.records.len()).map(|at| record(outcome, at)));
    assert!(swept.map(|record| record.case).eq(expected.iter().map(|due| due.id)));
    // What is tried without a block of its own sweeps nothing.
    let at = bench.time.0 + 31 * DAY;
    bench.at(at);
    let mut context = bench.context();
    context.parameters.block_swept_max = 0;
    assert!(execute(&bench.view, context, &[], |_| SignatureCheck::Verify).unwrap().cases.is_empty());
    assert_eq!(bench.empty().cases.len(), CASES_SWEPT_MAX);
    assert_eq!(bench.empty().cases.len(), 300 - CASES_SWEPT_MAX);
    assert!(bench.empty().cases.is_empty() && bench.view.cases_due.is_empty());
    assert!(!bench.view.state.values().any(|value| Case::from_value(value).is_ok()));
}

#[test]
fn acts_of_a_transaction_are_all_or_none_and_see_each_other() {
    let mut bench = Bench::new();
    let flat = bench.flat.clone();
    let other = Flat::new(&bench.world, 2);
    let all = [
        flat.open(&bench.world, bench.time),
        flat.present(BUYER, 0),
        other.open(&bench.world, bench.time),
        flat.join(),
    ];
    let spoilt = [all.to_vec(), vec![bench.approve(3, TAX)]].concat();
    assert_eq!(bench.run(&spoilt).map(|_| ()), Err(Code::CaseNotNamed));
    let outcome = bench.commit(&all);
    let numbers: Vec<(u32, Option<LogIndex>)> =
        (0..4).map(|at| record(&outcome, at)).map(|record| (record.number, record.before)).collect();
    let (first, second) = (Some(LogIndex(0)), Some(LogIndex(1)));
    assert_eq!(numbers, [(0, None), (1, first), (0, None), (2, second)]);
    assert_eq!((bench.case().events, bench.case().last, outcome.cases.len()), (3, LogIndex(3), 2));
}

#[test]
fn any_members_validator_or_issuing_key_carries_acts() {
    let bench = Bench::new();
    let acts = [bench.flat.open(&bench.world, bench.time)];
    let office = &bench.world.offices[3];
    for (key, expected) in [
        (&office.issuing, Ok(())),
        (&office.validator, Ok(())),
        (&office.governance, Err(Code::KeyRole)),
        (&office.retired, Err(Code::KeyNotValid)),
    ] {
        let mut body = bench.world.body(3, bench.time, &payload(&acts));
        body.key = key.public_key().id();
        let checked = bench.world.checked(&body.sign(key).unwrap());
        let mut execution = Execution::begin(&bench.view, bench.context()).unwrap();
        let found = execution.apply(&checked, SignatureCheck::Verify).map(|_| ()).map_err(|refusal| match refusal {
            Refusal::Code(code) => code,
            Refusal::Read(error) => panic!("{error}"),
        });
        assert_eq!(found, expected);
    }
    let transaction = bench.world.transaction(0, bench.time, &payload(&acts));
    for version in [1, 2] {
        let refused = check_stateless(&transaction, &bench.world.chain(), ProtocolVersion(version)).unwrap_err();
        assert_eq!(refused, Code::UnknownKind);
    }
}

#[test]
fn a_block_has_room_for_so_many_leaves_and_signatures() {
    let mut bench = Bench::new();
    let payload_of = |bench: &Bench, numbers: std::ops::Range<u64>| {
        let acts: Vec<SignedAct> =
            numbers.map(|number| Flat::new(&bench.world, number).noting(&bench.world, bench.time)).collect();
        bench.world.checked(&bench.world.transaction(1, TimeMs(bench.time.0 + 1_000), &payload(&acts)))
    };
    let apply = |bench: &Bench, parameters: Parameters| {
        let context = BlockContext { parameters, ..bench.context() };
        let mut execution = Execution::begin(&bench.view, context).unwrap();
        let [one, two, three] = [0..20, 20..30, 30..50].map(|range| payload_of(bench, range));
        execution.apply(&one, SignatureCheck::Verify).unwrap();
        execution.apply(&two, SignatureCheck::Verify).unwrap();
        match execution.apply(&three, SignatureCheck::Verify) {
            Ok(_) => None,
            Err(Refusal::Code(code)) => Some(code),
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    };
    let parameters = Parameters::default();
    assert_eq!(apply(&bench, Parameters { block_updates_max: 50, ..parameters.clone() }), None);
    assert_eq!(apply(&bench, Parameters { block_updates_max: 49, ..parameters.clone() }), Some(Code::BlockUpdates));
    assert_eq!(apply(&bench, Parameters { block_signatures_max: 53, ..parameters.clone() }), None);
    assert_eq!(apply(&bench, Parameters { block_signatures_max: 52, ..parameters }), Some(Code::BlockSignatures));
    bench.commit(&[bench.flat.open(&bench.world, bench.time)]);
}

#[test]
fn the_same_block_gives_the_same_outcome() {
    let run = || {
        let mut bench = Bench::presented();
        let mut all = vec![bench.commit(&[bench.approve(2, TAX), bench.approve(3, KIN)])];
        all.push(bench.commit(&[bench.decide(0, REGISTER, 0, Decided::Returned)]));
        bench.at(bench.case().ends.0 + 10);
        all.push(bench.empty());
        all
    };
    assert_eq!(run(), run());
}
