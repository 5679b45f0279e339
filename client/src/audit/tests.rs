use std::collections::BTreeSet;
use std::sync::Arc;

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::{
    Act, Case, CaseEvent, CaseRecord, CaseStatus, CaseStep, Decide, How, Issued, Open, Outcome, Rate, Slot, SlotKey,
    StepState, Withdraw, case_id, commitment,
};
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Era, Height, LogIndex, SpanMs, TimeMs};
use kanhe_proto::item::{BoundRole, ItemVersion};
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::registry::{Authority, Intervals, KeyEntry, KeyRole};
use kanhe_proto::vote::ChainContext;
use serde_json::Map;

use super::{Done, Fault, Finding, Judged, Keys, Signer, judge};
use crate::case::KnownItem;
use crate::item::ItemSource;
use crate::rules::{Answer, Job, Salts, run_of};

const CHAIN: ChainContext = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };
const DAY_MS: u64 = 86_400_000;
const FOUNDED: u64 = 1_780_000_000_000;
const BUREAUS: [&str; 4] = ["11370100MB2858147K", "11370100MB28581553", "11370100MB28581633", "11370100MB28581713"];

fn bureau(place: usize) -> Uscc {
    // The check character is of no matter here, so whichever is right is found.
    let stem = &BUREAUS[place][..17];
    let digits = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    digits.chars().find_map(|last| format!("{stem}{last}").parse().ok()).unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// A company is opened, gets its licence from an officer, and rates.
struct Scene {
    known: KnownItem,
    case: Case,
    keys: Keys,
    events: Vec<(LogIndex, CaseRecord)>,
    /// What records say from now on.
    status: CaseStatus,
}

impl Scene {
    fn new() -> Self {
        let text = include_str!("../../../deploy/items/company-opening.toml");
        let item = ItemSource::of(text.to_owned()).unwrap().item;
        let bound: Vec<BoundRole> = (0..4)
            .map(|at| BoundRole { role: item.bureau[at].code.clone(), bureaus: List::new(vec![bureau(at)]).unwrap() })
            .collect();
        let public = item.service_item(&bound).unwrap();
        let keys = (0..4u8).map(|at| {
            let (uscc, key) = (bureau(usize::from(at)), key(10 + at).public_key());
            let intervals = Intervals::from(Height(0), Authority::Genesis);
            let entry = KeyEntry { bureau: uscc, role: KeyRole::Issuing, key, intervals, distrusted_from: None };
            ((uscc, entry.key.id()), entry)
        });
        let opener = key(1).public_key();
        let steps = vec![
            CaseStep { state: StepState::Waiting, round: 0, since: TimeMs(0), due: None, issued: false };
            public.steps.len()
        ];
        let case = Case {
            id: case_id(&CHAIN.chain_id, &opener),
            item: public.code.clone(),
            version: ItemVersion(1),
            chosen: List::new((0..4).map(bureau).collect()).unwrap(),
            slots: List::new(vec![Slot {
                party: 0,
                key: SlotKey::Known(opener),
                round: 0,
                presented: None,
                letter_key: None,
            }])
            .unwrap(),
            steps: List::new(steps).unwrap(),
            status: CaseStatus::Open,
            opened: TimeMs(FOUNDED),
            ends: TimeMs(FOUNDED + 30 * DAY_MS),
            events: 0,
            last: LogIndex(0),
            forget: None,
            stars: None,
        };
        let (known, status) = (KnownItem { public, item }, CaseStatus::Open);
        let mut scene = Self { keys: keys.collect(), known, case, events: Vec::new(), status };
        scene.open();
        scene
    }

    fn add(&mut self, event: CaseEvent, days: u64) {
        let number = self.events.len() as u32;
        let record = CaseRecord {
            case: self.case.id,
            number,
            before: number.checked_sub(1).map(|before| LogIndex(u64::from(before))),
            item: self.case.item.clone(),
            version: self.case.version,
            event,
            status: self.status,
            height: Height(u64::from(number) + 5),
            time: TimeMs(FOUNDED + days * DAY_MS),
        };
        self.events.push((LogIndex(u64::from(number)), record));
    }
    fn sign(&mut self, act: Act, seed: u8, days: u64) {
        let signed = act.sign(&CHAIN, &key(seed)).unwrap();
        self.add(CaseEvent::Act(signed), days);
    }
    fn open(&mut self) {
        let open = Open {
            item: self.case.item.clone(),
            version: self.case.version,
            file: self.known.public.file,
            not_after: TimeMs(FOUNDED + DAY_MS),
            key: key(1).public_key(),
            letter_key: key(2).public_key(),
            chosen: self.case.chosen.clone(),
            slots: List::new(vec![]).unwrap(),
            files: List::new(vec![]).unwrap(),
            assisted: None,
        };
        self.sign(Act::Open(open), 1, 0);
    }
    fn decision(&self, step: u8, how: How, outcome: Outcome) -> Decide {
        let job = Job::of(&self.known.item, &self.known.item.step[usize::from(step)], Map::new());
        let answer = Answer { rules: Vec::new(), values: Vec::new() };
        Decide {
            case: self.case.id,
            step,
            round: 0,
            key: key(10 + step).public_key().id(),
            outcome,
            how,
            run: Some(run_of(&job, &answer, &Salts { inputs: [1; 32], result: [2; 32] })),
            reason: None,
            letter: None,
            passed: List::new(vec![]).unwrap(),
        }
    }
    fn officer() -> How {
        How::Officer { officer: commitment(&[3; 32], b"17") }
    }
    /// A step is decided under its bureau's key.
    fn decides(&mut self, step: u8, how: How, outcome: Outcome, days: u64) {
        let decide = self.decision(step, how, outcome);
        self.sign(Act::Decide(decide), 10 + step, days);
    }
    fn issues(&mut self, step: u8, days: u64) {
        let key = key(10 + step).public_key().id();
        let issued = Issued { case: self.case.id, step, key, licences: commitment(&[4; 32], b"batch") };
        self.sign(Act::Issued(issued), 10 + step, days);
    }
    fn rates(&mut self, stars: u8, seed: u8, days: u64) {
        self.sign(Act::Rate(Rate { case: self.case.id, stars }), seed, days);
    }
    /// All is decided and issued at the third day, and the case as the chain must keep it.
    fn closes(&mut self) {
        self.decides(0, Self::officer(), Outcome::Approved, 3);
        self.issues(0, 3);
        self.decides(1, How::Rules, Outcome::Approved, 3);
        self.decides(2, How::Rules, Outcome::Approved, 3);
        self.status = CaseStatus::Closed;
        self.decides(3, Self::officer(), Outcome::Approved, 3);
        let end = TimeMs(FOUNDED + 3 * DAY_MS);
        self.case.status = CaseStatus::Closed;
        self.case.forget = Some(TimeMs(end.0 + 30 * DAY_MS));
        self.case.slots.as_mut_slice()[0].presented = Some(TimeMs(FOUNDED));
        for (place, step) in self.case.steps.as_mut_slice().iter_mut().enumerate() {
            (step.state, step.issued) = (StepState::Approved, place == 0);
        }
    }
    fn judged(&self) -> Judged {
        judge(&CHAIN, &Arc::new(self.known.clone()), &self.case, &self.keys, &self.events)
    }
    fn judge(&self) -> Vec<Finding> {
        self.judged().findings
    }
    fn faults(&self) -> BTreeSet<Fault> {
        self.judge().into_iter().flat_map(|finding| finding.faults).collect()
    }
}

#[test]
fn an_honest_case_is_proved_and_what_is_late_is_said() {
    let mut scene = Scene::new();
    scene.closes();
    scene.rates(5, 1, 4);
    scene.case.stars = Some(5);
    let judged = scene.judged();
    assert!(judged.is_proved(), "{judged:?}");
    let findings = judged.findings;
    let done: Vec<Done> = findings.iter().map(|finding| finding.done).collect();
    let approved = Done::Approved;
    assert_eq!(done, [Done::Opened, approved, Done::Issued, approved, approved, approved, Done::Rated]);
    assert_eq!(findings[1].signer, Signer::Bureau(bureau(0), key(10).public_key().id()));
    assert_eq!((findings[1].late, findings[3].late), (true, false), "a day is what the licence may take");
    assert_eq!((findings[1].by_rules, findings[3].by_rules), (Some(false), Some(true)));
    let waited = [findings[1].waited, findings[2].waited, findings[3].waited];
    assert_eq!(waited, [Some(SpanMs(3 * DAY_MS)), None, Some(SpanMs(0))]);
}

#[test]
fn what_the_chain_says_of_status_and_end_is_judged_too() {
    type Spoil = fn(&mut Scene);
    let cases: [(Fault, Spoil); 10] = [
        (Fault::StatusWrong, |scene| scene.events[2].1.status = CaseStatus::Closed),
        (Fault::StatusWrong, |scene| {
            let last = scene.events.len() - 1;
            scene.events[last].1.status = CaseStatus::Open;
        }),
        (Fault::StatusWrong, |scene| _ = scene.events.remove(2)),
        (Fault::RatedTwice, |scene| {
            scene.rates(5, 1, 4);
            scene.rates(1, 1, 5);
        }),
        (Fault::RatedEarly, |scene| {
            scene.events.truncate(3);
            scene.status = CaseStatus::Open;
            scene.rates(5, 1, 4);
        }),
        (Fault::StarsWrong, |scene| scene.rates(6, 1, 4)),
        (Fault::SignatureWrong, |scene| scene.rates(5, 10, 4)),
        (Fault::AfterEnd, |scene| {
            scene.sign(Act::Withdraw(Withdraw { case: scene.case.id, slot: 0 }), 1, 4);
        }),
        (Fault::AfterEnd, |scene| scene.add(CaseEvent::Expired, 31)),
        (Fault::NotNamed, |scene| {
            scene.sign(Act::Withdraw(Withdraw { case: scene.case.id, slot: 1 }), 1, 4);
        }),
    ];
    for (fault, spoil) in cases {
        let mut scene = Scene::new();
        scene.closes();
        assert_eq!(scene.faults(), BTreeSet::new());
        spoil(&mut scene);
        assert!(scene.faults().contains(&fault), "{fault:?}: {:?}", scene.judge());
    }
    let mut late = Scene::new();
    late.decides(0, Scene::officer(), Outcome::Approved, 30);
    assert_eq!(late.judge()[1].faults, [Fault::AfterEnd], "its time had run out, though no block had said so yet");
}

#[test]
fn a_case_kept_otherwise_than_its_events_make_it_is_found() {
    let spoils: [fn(&mut Case); 9] = [
        |case| case.status = CaseStatus::Rejected,
        |case| case.stars = Some(5),
        |case| case.forget = None,
        |case| case.ends = TimeMs(case.ends.0 + 1),
        |case| case.opened = TimeMs(case.opened.0 + 1),
        |case| case.steps.as_mut_slice()[3].state = StepState::Rejected,
        |case| case.steps.as_mut_slice()[0].issued = false,
        |case| case.steps.as_mut_slice()[1].round = 1,
        |case| case.slots.as_mut_slice()[0].key = SlotKey::Known(key(9).public_key()),
    ];
    for (at, spoil) in spoils.into_iter().enumerate() {
        let mut scene = Scene::new();
        scene.closes();
        assert!(scene.judged().is_proved(), "{:?}", scene.judged());
        spoil(&mut scene.case);
        assert_eq!(scene.judged().faults, [Fault::LeafWrong], "{at}");
    }
}

#[test]
fn whatever_item_and_registry_do_not_allow_is_found() {
    type Spoil = fn(&mut Scene);
    let cases: [(Fault, Spoil); 11] = [
        (Fault::SignatureWrong, |scene| {
            let decide = scene.decision(0, Scene::officer(), Outcome::Approved);
            scene.sign(Act::Decide(decide), 11, 1);
        }),
        (Fault::KeyNotInForce, |scene| {
            scene.keys.clear();
            let decide = scene.decision(0, Scene::officer(), Outcome::Approved);
            scene.sign(Act::Decide(decide), 10, 1);
        }),
        (Fault::KeyNotInForce, |scene| {
            for entry in scene.keys.values_mut() {
                entry.intervals = Intervals::from(Height(100), Authority::Genesis);
            }
            let decide = scene.decision(0, Scene::officer(), Outcome::Approved);
            scene.sign(Act::Decide(decide), 10, 1);
        }),
        (Fault::OfficerMissing, |scene| {
            let decide = scene.decision(0, How::Rules, Outcome::Approved);
            scene.sign(Act::Decide(decide), 10, 1);
        }),
        (Fault::NotReady, |scene| {
            let decide = scene.decision(1, How::Rules, Outcome::Approved);
            scene.sign(Act::Decide(decide), 11, 1);
        }),
        (Fault::DecidedTwice, |scene| {
            for _ in 0..2 {
                let decide = scene.decision(0, Scene::officer(), Outcome::Approved);
                scene.sign(Act::Decide(decide), 10, 1);
            }
        }),
        (Fault::OtherRound, |scene| {
            let decide = Decide { round: 1, ..scene.decision(0, Scene::officer(), Outcome::Approved) };
            scene.sign(Act::Decide(decide), 10, 1);
        }),
        (Fault::OtherRules, |scene| {
            let mut decide = scene.decision(0, Scene::officer(), Outcome::Approved);
            decide.run.as_mut().unwrap().engine = Text::new("cel-0.0.0").unwrap();
            scene.sign(Act::Decide(decide), 10, 1);
        }),
        (Fault::AfterEnd, |scene| {
            let reject = scene.decision(0, Scene::officer(), Outcome::Rejected);
            scene.sign(Act::Decide(reject), 10, 1);
            let seal = scene.decision(1, How::Rules, Outcome::Rejected);
            scene.sign(Act::Decide(seal), 11, 1);
        }),
        (Fault::NotExpired, |scene| scene.add(CaseEvent::Expired, 29)),
        (Fault::BureauNotBound, |scene| {
            scene.known.public.bureaus.as_mut_slice()[0].bound = List::new(vec![bureau(3)]).unwrap();
        }),
    ];
    for (fault, spoil) in cases {
        let mut scene = Scene::new();
        spoil(&mut scene);
        assert!(scene.faults().contains(&fault), "{fault:?}: {:?}", scene.judge());
    }
}

#[test]
fn what_was_handed_back_is_decided_in_the_next_round() {
    let mut scene = Scene::new();
    let back = scene.decision(0, Scene::officer(), Outcome::Returned);
    scene.sign(Act::Decide(back), 10, 1);
    let too_early = Decide { round: 1, ..scene.decision(0, Scene::officer(), Outcome::Approved) };
    scene.sign(Act::Decide(too_early), 10, 1);
    assert_eq!(scene.judge()[2].faults, [Fault::NotReady]);
    assert_eq!(scene.judge()[1].faults, []);
}
