//! Governance by the pure state machine: each action, each refusal, epochs, the schedule, who is alive.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use common::{MemoryView, RARE_TYPE, START, TYPE, World, issue};
use kanhe_node::ledger::governance::dry_run;
use kanhe_node::ledger::{BlockContext, Code, Execution, Outcome, Refusal, SignatureCheck, check_stateless, execute};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::equivocation::{EquivocationPayload, EquivocationRecord, SignedVote};
use kanhe_proto::governance::{
    Action, GovernancePayload, NewKey, OpenProposals, Proposal, ProposalVotes, activate_bytes, open_proposals_key,
    proposal_votes_key, withdraw_bytes,
};
use kanhe_proto::hash::{HeaderHash, ProposalId, sha256};
use kanhe_proto::identifiers::{TypeVersion, Uscc};
use kanhe_proto::ids::{Height, LogIndex, Power, ProtocolVersion, Round, SpanMs, TimeMs};
use kanhe_proto::item::{BoundRole, Item, ItemVersion};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::{Choice, GovernanceRecord, GovernanceVote, Record};
use kanhe_proto::registry::{
    Accreditation, Authority, Bureau, DataCatalogue, DataClass, DataDeclaration, Effect, HolderKind, ItemCatalogue,
    KeyEntry, KeyRole, LicenceType, Membership, Names, Parameters, Purpose, PurposeClass, RegistryRecord, RelyingParty,
    Schedule, SeatState, Seats, ServiceItem, Supervision,
};
use kanhe_proto::status::{BatchStatus, batch_status_key};
use kanhe_proto::transaction::{Payload, Transaction};
use kanhe_proto::validators::ValidatorSet;
use kanhe_proto::vote::{Vote, VoteType};

const DAY: u64 = 86_400_000;

fn secret(text: &str) -> SecretKey {
    SecretKey::from_seed(sha256(&[text.as_bytes()]))
}
fn names(text: &str) -> Names {
    Names { zh: Text::new(text).unwrap(), en: Text::new(text).unwrap() }
}

/// A chain of blocks of one transaction, without consensus.
struct Bench {
    world: World,
    view: MemoryView,
    height: Height,
    time: TimeMs,
    parent_time: TimeMs,
    parameters: Parameters,
    protocol: ProtocolVersion,
    validators: Arc<ValidatorSet>,
    /// Offices whose validators sign.
    awake: Vec<usize>,
    seen: RefCell<BTreeSet<Code>>,
}

impl Bench {
    fn new(bureaus: usize) -> Self {
        Self::of(World::with(bureaus, Parameters { epoch_blocks: 5, ..Parameters::default() }))
    }
    fn of(world: World) -> Self {
        Self {
            view: MemoryView::of(&world),
            height: Height(1),
            time: TimeMs(START.0 + 1_000),
            parent_time: START,
            parameters: world.genesis.parameters.clone(),
            protocol: world.genesis.protocol,
            validators: Arc::new(world.set()),
            awake: (0..world.offices.len()).collect(),
            seen: RefCell::default(),
            world,
        }
    }
    fn context(&self) -> BlockContext {
        BlockContext {
            height: self.height,
            time: self.time,
            parent_time: self.parent_time,
            parameters: self.parameters.clone(),
            chain: self.world.chain(),
            protocol: self.protocol,
            validators: Arc::clone(&self.validators),
            signers: self.awake.iter().map(|office| self.world.address(*office)).collect(),
        }
    }
    fn send(&self, payload: &Payload) -> Transaction {
        self.world.transaction(0, TimeMs(self.time.0 + 1_000), payload)
    }
    fn run(&self, payload: &Payload) -> Result<Outcome, Code> {
        let mut execution = Execution::begin(&self.view, self.context()).unwrap();
        match execution.apply(&self.world.checked(&self.send(payload)), SignatureCheck::Verify) {
            Ok(_) => Ok(execution.finish().unwrap()),
            Err(Refusal::Code(code)) => Err(code),
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    }
    fn keep(&mut self, outcome: &Outcome) {
        self.view.keep(outcome);
        if let Some(set) = &outcome.next_validators {
            self.validators = Arc::new(set.clone());
        }
        self.parameters = outcome.parameters.clone().unwrap_or(self.parameters.clone());
        self.protocol = outcome.protocol.unwrap_or(self.protocol);
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
    fn end_epoch(&mut self) {
        while !self.height.0.is_multiple_of(self.parameters.epoch_blocks) {
            self.empty();
        }
        self.empty();
    }
    fn pass(&mut self, ms: u64) {
        (self.parent_time, self.time) = (TimeMs(self.time.0 + ms), TimeMs(self.time.0 + ms + 1_000));
    }
    fn refuses(&self, payload: &Payload, code: Code) {
        assert_eq!(self.run(payload).map(|_| ()), Err(code));
        self.seen.borrow_mut().insert(code);
    }
    fn proposal(&self, proposer: usize, actions: Vec<Action>) -> Proposal {
        Proposal {
            version: 1,
            proposer: self.uscc(proposer),
            created: self.parent_time,
            expires: TimeMs(self.parent_time.0 + DAY),
            note: Text::new("why").unwrap(),
            actions: List::new(actions).unwrap(),
        }
    }
    fn vote(&self, office: usize, id: &ProposalId, choice: Choice) -> GovernanceVote {
        let office = &self.world.offices[office];
        let signature = office.governance.sign(&GovernanceVote::sign_bytes(&self.world.chain(), id, choice)).unwrap();
        GovernanceVote { bureau: office.uscc, key: office.governance.public_key().id(), choice, signature }
    }
    fn votes(&self, id: &ProposalId, offices: &[usize]) -> List<GovernanceVote, 512> {
        List::new(offices.iter().map(|office| self.vote(*office, id, Choice::Yes)).collect()).unwrap()
    }
    fn propose(&self, proposal: &Proposal, offices: &[usize]) -> Payload {
        let votes = self.votes(&proposal.id(), offices);
        let proposal = Blob::new(proposal.to_bytes()).unwrap();
        Payload::Governance(GovernancePayload::Propose { proposal, votes })
    }
    fn voting(&self, id: &ProposalId, offices: &[usize]) -> Payload {
        Payload::Governance(GovernancePayload::Vote { proposal: *id, votes: self.votes(id, offices) })
    }
    /// Decides these actions by the votes of all bureaus.
    fn decided(&self, actions: Vec<Action>) -> Payload {
        let all: Vec<usize> = (0..self.world.offices.len()).collect();
        self.propose(&self.proposal(0, actions), &all)
    }
    fn decide(&mut self, actions: Vec<Action>) -> Outcome {
        let payload = self.decided(actions);
        self.commit(&payload)
    }
    fn own(&self, office: usize, actions: Vec<Action>) -> Payload {
        self.propose(&self.proposal(office, actions), &[office])
    }
    fn refuses_action(&self, action: Action, code: Code) {
        self.refuses(&self.decided(vec![action]), code);
    }
    fn get<T: RegistryRecord>(&self, id: &T::Id) -> Option<T> {
        self.view.registry.get(&T::key_of(id)).map(|value| T::from_value(value).unwrap())
    }
    fn uscc(&self, office: usize) -> Uscc {
        self.world.offices[office].uscc
    }
    fn validator(&self, office: usize) -> PublicKey {
        self.world.offices[office].validator.public_key()
    }
    fn seats(&self) -> Seats {
        self.get(&()).unwrap()
    }
    fn new_key(&self, bureau: Uscc, role: KeyRole, key: &SecretKey) -> NewKey {
        NewKey::prove(&self.world.chain(), &bureau, role, key).unwrap()
    }
    fn activate(&self, bureau: Uscc, key: &SecretKey) -> Payload {
        let proposal = self.seats().get(&key.public_key()).unwrap().by.unwrap();
        let signature = key.sign(&activate_bytes(&self.world.chain(), &bureau, &proposal)).unwrap();
        Payload::Governance(GovernancePayload::Activate { bureau, key: key.public_key(), proposal, signature })
    }
    /// Bureau 9 with a governance and a validator key.
    fn admission(&self) -> Action {
        let bureau = common::uscc(9);
        let keys = vec![
            self.new_key(bureau, KeyRole::Governance, &secret("new governance")),
            self.new_key(bureau, KeyRole::Validator, &secret("new validator")),
        ];
        let (names, region) = (names("new"), Text::new("370100").unwrap());
        Action::AdmitBureau { bureau, names, region, addresses: List::empty(), keys: List::new(keys).unwrap() }
    }
    fn seating(&self, bureau: Uscc, key: PublicKey, power: u64) -> Action {
        Action::SeatValidator { bureau, key, power: Power(power) }
    }
    fn governance(&self) -> &SecretKey {
        &self.world.offices[1].governance
    }
}

#[test]
fn a_proposal_waits_for_votes_and_is_recorded_with_them() {
    let mut bench = Bench::new(4);
    let purpose = || Action::RegisterPurpose {
        code: Text::new("loan").unwrap(),
        names: names("loan"),
        class: PurposeClass::PublicBenefit,
    };
    let proposal = bench.proposal(0, vec![purpose()]);
    let id = proposal.id();
    let outcome = bench.commit(&bench.propose(&proposal, &[0]));
    assert!(outcome.records.is_empty() && bench.get::<Purpose>(&Text::new("loan").unwrap()).is_none());
    let leaf = |bench: &Bench| {
        bench.view.state.get(&proposal_votes_key(&id)).map(|value| ProposalVotes::from_value(value).unwrap())
    };
    assert_eq!(leaf(&bench).unwrap().votes.len(), 1);
    // A later vote of the same bureau replaces its earlier one.
    let no = GovernancePayload::Vote { proposal: id, votes: List::new(vec![bench.vote(1, &id, Choice::No)]).unwrap() };
    bench.commit(&Payload::Governance(no));
    bench.commit(&bench.voting(&id, &[1]));
    assert_eq!(leaf(&bench).unwrap().votes.len(), 2);
    let outcome = bench.commit(&bench.voting(&id, &[3]));
    let record = GovernanceRecord::from_record(&outcome.records[0]).unwrap();
    assert_eq!((record.proposal_id(), record.votes.len(), record.members), (id, 3, 4));
    assert_eq!((outcome.acts.as_slice(), outcome.receipts[0].batch), ([LogIndex(0)].as_slice(), None));
    assert!(leaf(&bench).is_none() && !bench.view.state.contains_key(&open_proposals_key()));
    let purpose_record: Purpose = bench.get(&Text::new("loan").unwrap()).unwrap();
    let at = bench.height.0 - 1;
    assert!(!purpose_record.intervals.hold_at(Height(at)) && purpose_record.intervals.hold_at(Height(at + 1)));
    // What was decided does not come again, by the same votes or others.
    bench.refuses(&bench.propose(&proposal, &[0, 1]), Code::ProposalExists);
    bench.refuses(&bench.voting(&id, &[2]), Code::ProposalUnknown);
}

#[test]
fn proposals_are_withdrawn_expire_and_are_limited() {
    let mut bench = Bench::new(4);
    let code = |number: usize| Text::new(format!("p{number}")).unwrap();
    let action =
        |number| Action::RegisterPurpose { code: code(number), names: names("p"), class: PurposeClass::PublicBenefit };
    for number in 0..8 {
        bench.commit(&bench.propose(&bench.proposal(0, vec![action(number)]), &[0]));
    }
    bench.refuses(&bench.propose(&bench.proposal(0, vec![action(8)]), &[0]), Code::ProposalLimit);
    let open = |bench: &Bench| OpenProposals::from_value(&bench.view.state[&open_proposals_key()]).unwrap().open;
    let first = open(&bench)[0];
    bench.refuses(&bench.voting(&ProposalId([1; 32]), &[1]), Code::ProposalUnknown);
    let withdraw = |office: usize, by: &SecretKey| {
        let signature = by.sign(&withdraw_bytes(&bench.world.chain(), &first.id)).unwrap();
        let key = bench.world.offices[office].governance.public_key().id();
        let bureau = bench.uscc(office);
        Payload::Governance(GovernancePayload::Withdraw { proposal: first.id, bureau, key, signature })
    };
    bench.refuses(&withdraw(1, bench.governance()), Code::NotOwn);
    bench.refuses(&withdraw(0, bench.governance()), Code::VoteSignature);
    let payload = withdraw(0, &bench.world.offices[0].governance);
    bench.commit(&payload);
    assert_eq!(open(&bench).len(), 7);
    bench.refuses(&bench.voting(&first.id, &[1]), Code::ProposalUnknown);
    // At its last moment it can be decided, a moment later not, and then its leaves are swept.
    let last = open(&bench)[6];
    (bench.parent_time, bench.time) = (TimeMs(last.expires.0 - 1), last.expires);
    bench.run(&bench.voting(&last.id, &[1, 2, 3])).unwrap();
    (bench.parent_time, bench.time) = (last.expires, TimeMs(last.expires.0 + 1));
    bench.refuses(&bench.voting(&last.id, &[1, 2, 3]), Code::ProposalExpired);
    bench.pass(10);
    bench.empty();
    assert!(!bench.view.state.contains_key(&open_proposals_key()));
    assert!(!bench.view.state.contains_key(&proposal_votes_key(&last.id)));
}

#[test]
fn wrong_proposals_and_votes_are_refused() {
    let bench = Bench::new(4);
    let addresses = || Action::SetAddresses { bureau: bench.uscc(0), addresses: List::empty() };
    let good = bench.proposal(0, vec![addresses()]);
    let change = |edit: &dyn Fn(&mut Proposal)| {
        let mut proposal = good.clone();
        edit(&mut proposal);
        bench.propose(&proposal, &[0])
    };
    bench.run(&bench.propose(&good, &[0])).unwrap();
    bench.refuses(&change(&|p| p.version = 2), Code::ProposalWrong);
    bench.refuses(&change(&|p| p.expires = p.created), Code::ProposalLifetime);
    bench.refuses(&change(&|p| p.created = TimeMs(bench.time.0 + 1)), Code::ProposalLifetime);
    bench.refuses(
        &change(&|p| (p.created, p.expires) = (TimeMs(START.0 - 10), TimeMs(bench.time.0 - 1))),
        Code::ProposalExpired,
    );
    bench.refuses(&change(&|p| p.proposer = common::uscc(8)), Code::NotOwn);
    let stranger = Proposal {
        proposer: common::uscc(8),
        ..bench.proposal(0, vec![Action::FreezeBureau { bureau: bench.uscc(3) }])
    };
    bench.refuses(&bench.propose(&stranger, &[0]), Code::NotMember);
    bench.refuses(&bench.propose(&good, &[1]), Code::ProposerVote);
    bench.refuses(&bench.propose(&good, &[]), Code::VotesOrder);
    bench.refuses(&bench.propose(&good, &[1, 0]), Code::VotesOrder);
    let with = |vote: GovernanceVote| {
        let proposal = Blob::new(good.to_bytes()).unwrap();
        Payload::Governance(GovernancePayload::Propose { proposal, votes: List::new(vec![vote]).unwrap() })
    };
    let vote = bench.vote(0, &good.id(), Choice::Yes);
    let key = |key: &SecretKey| key.public_key().id();
    bench.refuses(&with(GovernanceVote { choice: Choice::No, ..vote.clone() }), Code::VoteSignature);
    let office = &bench.world.offices[0];
    bench.refuses(&with(GovernanceVote { key: key(&office.issuing), ..vote.clone() }), Code::KeyRole);
    bench.refuses(&with(GovernanceVote { key: key(&secret("none")), ..vote.clone() }), Code::UnknownKey);
    bench.refuses(&with(GovernanceVote { bureau: common::uscc(8), ..vote }), Code::NotMember);
    let bad = Parameters { epoch_blocks: 0, ..Parameters::default() };
    bench.refuses_action(Action::SetParameters { parameters: Box::new(bad) }, Code::ParametersWrong);
}

#[test]
fn a_bureau_comes_takes_a_seat_and_another_goes() {
    let mut bench = Bench::new(4);
    let (bureau, key) = (common::uscc(9), secret("new validator"));
    let admission = bench.admission();
    let outcome = bench.decide(vec![admission.clone(), bench.seating(bureau, key.public_key(), 1)]);
    assert!(outcome.next_validators.is_none());
    assert_eq!(bench.get::<Membership>(&()).unwrap().bureaus.len(), 5);
    assert!(matches!(bench.seats().get(&key.public_key()).unwrap().state, SeatState::Decided { .. }));
    bench.refuses_action(admission, Code::ExistsAlready);
    // The seat is taken by its key alone, and counts from the next epoch on.
    let activate = bench.activate(bureau, &key);
    let Payload::Governance(GovernancePayload::Activate { bureau, key: public, proposal, .. }) = activate.clone()
    else {
        panic!()
    };
    let signature = bench.governance().sign(&activate_bytes(&bench.world.chain(), &bureau, &proposal)).unwrap();
    let wrong = GovernancePayload::Activate { bureau, key: public.clone(), proposal, signature };
    bench.refuses(&Payload::Governance(wrong), Code::VoteSignature);
    bench.end_epoch();
    assert_eq!(bench.validators.members().len(), 4, "nobody is seated that did not sign");
    bench.commit(&activate);
    bench.refuses(&activate, Code::NoSuch);
    bench.end_epoch();
    assert_eq!(bench.validators.members().len(), 5);
    // One of five goes, with its bureau.
    bench.decide(vec![Action::RemoveBureau { bureau: bench.uscc(3) }]);
    let unseat = Action::UnseatValidator { bureau: bench.uscc(3), key: bench.validator(3) };
    bench.refuses(&bench.propose(&bench.proposal(0, vec![unseat]), &[0, 1, 2]), Code::NoSuch);
    bench.end_epoch();
    assert_eq!(bench.validators.members().len(), 4);
    assert!(bench.validators.get(&bench.world.address(3)).is_none());
    let removed: Bureau = bench.get(&bench.uscc(3)).unwrap();
    assert!(!removed.intervals.hold_at(bench.height) && removed.intervals.hold_at(Height(3)));
    let sent = bench.world.transaction(3, bench.time, &Payload::IssueBatch(issue(1)));
    let mut execution = Execution::begin(&bench.view, bench.context()).unwrap();
    let refused = execution.apply(&bench.world.checked(&sent), SignatureCheck::Verify).unwrap_err();
    assert!(matches!(refused, Refusal::Code(Code::UnknownSender)));
}

#[test]
fn a_frozen_bureau_does_nothing_until_it_is_thawed() {
    let mut bench = Bench::new(4);
    let proposal = bench.proposal(0, vec![Action::FreezeBureau { bureau: bench.uscc(3) }]);
    bench.commit(&bench.propose(&proposal, &[0, 1]));
    assert_eq!(bench.seats().all().len(), 3);
    let own = bench.own(3, vec![Action::SetAddresses { bureau: bench.uscc(3), addresses: List::empty() }]);
    bench.refuses(&own, Code::NotMember);
    let thaw = bench.proposal(0, vec![Action::ThawBureau { bureau: bench.uscc(3) }]);
    bench.commit(&bench.propose(&thaw, &[0, 1, 2]));
    bench.run(&own).unwrap();
    // A seat is voted anew.
    assert_eq!(bench.seats().all().len(), 3);
    let seating = bench.seating(bench.uscc(3), bench.validator(3), 1);
    bench.decide(vec![seating]);
    assert_eq!(bench.seats().all().len(), 4);
    bench.refuses_action(Action::ThawBureau { bureau: bench.uscc(3) }, Code::ExistsAlready);
    bench.refuses_action(Action::ThawBureau { bureau: common::uscc(8) }, Code::NoSuch);
}

#[test]
fn the_chain_refuses_to_be_stopped() {
    let mut bench = Bench::new(4);
    let unseat =
        |bench: &Bench, office| Action::UnseatValidator { bureau: bench.uscc(office), key: bench.validator(office) };
    // Two of four at once are more than a third.
    bench.refuses(&bench.decided(vec![unseat(&bench, 2), unseat(&bench, 3)]), Code::PowerChange);
    bench.refuses_action(bench.seating(bench.uscc(3), bench.validator(3), 4), Code::PowerChange);
    // One of four is asleep for longer than the window: without a living one the rest has no quorum.
    bench.awake = vec![0, 1, 2];
    for _ in 0..20 {
        bench.empty();
    }
    bench.refuses_action(unseat(&bench, 0), Code::WouldHalt);
    // Also when it is only proposed.
    bench.refuses(&bench.propose(&bench.proposal(0, vec![unseat(&bench, 0)]), &[0]), Code::WouldHalt);
    bench.refuses_action(Action::FreezeBureau { bureau: bench.uscc(0) }, Code::WouldHalt);
    // The dead one may go, and then a living one as well.
    bench.decide(vec![unseat(&bench, 3)]);
    bench.end_epoch();
    assert_eq!(bench.validators.members().len(), 3);
    bench.decide(vec![unseat(&bench, 2)]);
    bench.end_epoch();
    assert_eq!(bench.validators.members().len(), 2);
}

#[test]
fn a_proposal_that_became_suicidal_takes_no_more_votes() {
    let mut bench = Bench::new(4);
    let unseat = Action::UnseatValidator { bureau: bench.uscc(0), key: bench.validator(0) };
    let proposal = bench.proposal(0, vec![unseat]);
    bench.commit(&bench.propose(&proposal, &[0]));
    bench.awake = vec![0, 1, 2];
    for _ in 0..20 {
        bench.empty();
    }
    bench.refuses(&bench.voting(&proposal.id(), &[1]), Code::WouldHalt);
    bench.refuses(&bench.voting(&proposal.id(), &[1, 2, 3]), Code::WouldHalt);
}

#[test]
fn a_seat_that_nobody_takes_lapses() {
    let mut bench = Bench::new(4);
    let admission = bench.admission();
    let seating = bench.seating(common::uscc(9), secret("new validator").public_key(), 1);
    bench.decide(vec![admission, seating]);
    assert_eq!((bench.seats().all().len(), bench.get::<Schedule>(&()).unwrap().entries.len()), (5, 1));
    bench.pass(2 * DAY);
    bench.empty();
    assert_eq!((bench.seats().all().len(), bench.get::<Schedule>(&()).unwrap().entries.len()), (4, 0));
}

#[test]
fn a_validator_key_is_rotated_by_its_bureau() {
    let mut bench = Bench::new(3);
    let (bureau, new) = (bench.uscc(1), secret("rotated"));
    let old = bench.validator(1);
    let rotate = Action::RotateKey {
        bureau,
        new: bench.new_key(bureau, KeyRole::Validator, &new),
        old: Some(old.id()),
        overlap: SpanMs(0),
    };
    bench.commit(&bench.own(1, vec![rotate.clone()]));
    assert_eq!(bench.seats().all().len(), 4);
    bench.refuses(&bench.own(1, vec![rotate]), Code::ExistsAlready);
    bench.refuses(&bench.own(1, vec![Action::EndKey { bureau, key: old.id() }]), Code::KeySeated);
    bench.end_epoch();
    assert!(bench.validators.get(&bench.world.address(1)).is_some(), "the old key stays until the new one signs");
    bench.commit(&bench.activate(bureau, &new));
    bench.end_epoch();
    assert_eq!(bench.validators.members().len(), 3);
    assert!(bench.validators.members().iter().any(|member| member.key == new.public_key()));
    assert!(!bench.get::<KeyEntry>(&(bureau, old.id())).unwrap().intervals.hold_at(bench.height));
}

/// The old key goes on meanwhile. The new one had its turn: the bureau makes another.
#[test]
fn a_rotation_that_its_key_does_not_take_up_lapses_and_is_made_anew_with_another_key() {
    let mut bench = Bench::new(4);
    let bureau = bench.uscc(1);
    let old = bench.validator(1);
    let rotate = |bench: &Bench, name: &str| Action::RotateKey {
        bureau,
        new: bench.new_key(bureau, KeyRole::Validator, &secret(name)),
        old: Some(old.id()),
        overlap: SpanMs(0),
    };
    let first = rotate(&bench, "never used");
    bench.commit(&bench.own(1, vec![first.clone()]));
    assert_eq!(bench.seats().all().len(), 5);
    let another = rotate(&bench, "too early");
    bench.refuses(&bench.own(1, vec![another]), Code::ExistsAlready);
    let late = bench.activate(bureau, &secret("never used"));
    while bench.seats().all().len() > 4 {
        bench.pass(DAY);
        bench.empty();
    }
    assert!(bench.seats().get(&old).is_some() && bench.validators.get(&bench.world.address(1)).is_some());
    bench.refuses(&late, Code::NoSuch);
    bench.refuses(&bench.own(1, vec![first]), Code::ExistsAlready);
    let second = rotate(&bench, "used");
    bench.commit(&bench.own(1, vec![second]));
    bench.commit(&bench.activate(bureau, &secret("used")));
    bench.end_epoch();
    assert!(bench.validators.members().iter().any(|member| member.key == secret("used").public_key()));
}

#[test]
fn keys_rotate_end_and_are_distrusted() {
    let mut bench = Bench::new(3);
    let bureau = bench.uscc(1);
    let office = &bench.world.offices[1];
    let (issuing, governance) = (office.issuing.public_key().id(), office.governance.public_key().id());
    let rotate = |bench: &Bench, role, new: &str, old, overlap| Action::RotateKey {
        bureau,
        new: bench.new_key(bureau, role, &secret(new)),
        old: Some(old),
        overlap: SpanMs(overlap),
    };
    let holds = |bench: &Bench, id| bench.get::<KeyEntry>(&(bureau, id)).unwrap().intervals.hold_at(bench.height);
    let (next, voter) = (secret("next").public_key().id(), secret("voter").public_key().id());
    bench.commit(&bench.own(1, vec![rotate(&bench, KeyRole::Issuing, "next", issuing, DAY)]));
    assert!(holds(&bench, next) && holds(&bench, issuing), "both hold while they overlap");
    bench.pass(2 * DAY);
    bench.empty();
    assert!(holds(&bench, next) && !holds(&bench, issuing));
    bench.refuses(&bench.own(1, vec![rotate(&bench, KeyRole::Network, "x", next, 0)]), Code::KeyRole);
    // A governance key waits, and the others may veto it.
    let proposal = bench.proposal(1, vec![rotate(&bench, KeyRole::Governance, "voter", governance, 0)]);
    bench.commit(&bench.propose(&proposal, &[1]));
    assert!(!holds(&bench, voter) && holds(&bench, governance));
    bench.decide(vec![Action::Veto { proposal: proposal.id() }]);
    bench.pass(4 * DAY);
    bench.empty();
    assert!(!holds(&bench, voter) && holds(&bench, governance));
    bench.refuses_action(Action::Veto { proposal: proposal.id() }, Code::NoSuch);
    bench.commit(&bench.own(1, vec![rotate(&bench, KeyRole::Governance, "third", governance, 0)]));
    bench.pass(4 * DAY);
    bench.empty();
    assert!(holds(&bench, secret("third").public_key().id()) && !holds(&bench, governance));
    // A lost governance key is replaced by the others' vote, at once.
    let lost = bench.world.offices[2].governance.public_key().id();
    let third = bench.uscc(2);
    let new = bench.new_key(third, KeyRole::Governance, &secret("found"));
    let action = Action::RotateKey { bureau: third, new, old: Some(lost), overlap: SpanMs(0) };
    let proposal = bench.proposal(0, vec![action]);
    let votes = [bench.vote(0, &proposal.id(), Choice::Yes)];
    let mut votes = votes.to_vec();
    let id = proposal.id();
    let chain = bench.world.chain();
    let sign = |key: &SecretKey| key.sign(&GovernanceVote::sign_bytes(&chain, &id, Choice::Yes)).unwrap();
    let by = secret("third");
    let (key, signature) = (by.public_key().id(), sign(&by));
    votes.push(GovernanceVote { bureau, key, choice: Choice::Yes, signature });
    votes.push(bench.vote(2, &id, Choice::Yes));
    let (proposal, votes) = (Blob::new(proposal.to_bytes()).unwrap(), List::new(votes).unwrap());
    bench.commit(&Payload::Governance(GovernancePayload::Propose { proposal, votes }));
    assert!(bench.get::<KeyEntry>(&(third, secret("found").public_key().id())).is_some());
    // The possession of a key is proved by the key.
    let mut forged = bench.new_key(bench.uscc(0), KeyRole::Issuing, &secret("mine"));
    forged.possession = Some(sign(&by));
    let action = Action::RotateKey { bureau: bench.uscc(0), new: forged, old: None, overlap: SpanMs(0) };
    bench.refuses(&bench.own(0, vec![action]), Code::PossessionWrong);
}

#[test]
fn a_stolen_key_is_distrusted_and_honest_batches_come_back() {
    let mut bench = Bench::new(3);
    bench.commit(&Payload::IssueBatch(issue(1)));
    let (bureau, key) = (bench.uscc(0), bench.world.offices[0].issuing.public_key().id());
    let distrust = |since| Action::DistrustKey { bureau, key, since: Height(since) };
    bench.refuses(&bench.own(0, vec![distrust(99)]), Code::EffectiveLater);
    let by_validator = |bench: &Bench, payload: &Payload| {
        let key = &bench.world.offices[0].validator;
        let mut body = bench.world.body(0, TimeMs(bench.time.0 + 1_000), payload);
        body.key = key.public_key().id();
        bench.world.checked(&body.sign(key).unwrap())
    };
    bench.commit(&bench.own(0, vec![distrust(1)]));
    assert_eq!(bench.get::<KeyEntry>(&(bureau, key)).unwrap().distrusted_from, Some(Height(1)));
    bench.refuses(&Payload::IssueBatch(issue(2)), Code::KeyDistrusted);
    // Governance goes on through another key of the bureau.
    let reaffirm = Action::Reaffirm { bureau, batches: List::new(vec![LogIndex(0)]).unwrap() };
    let checked = by_validator(&bench, &bench.own(0, vec![reaffirm]));
    let outcome = execute(&bench.view, bench.context(), &[checked], |_| SignatureCheck::Verify).unwrap();
    bench.keep(&outcome);
    let leaf = BatchStatus::from_value(&bench.view.state[&batch_status_key(&bureau, LogIndex(0))]).unwrap();
    assert_eq!(leaf.reaffirmed.unwrap().key, bench.world.offices[0].governance.public_key().id());
    let issue = by_validator(&bench, &Payload::IssueBatch(issue(3)));
    let refused = execute(&bench.view, bench.context(), &[issue], |_| SignatureCheck::Verify).unwrap_err();
    assert!(matches!(refused.refusal, Refusal::Code(Code::KeyRole)));
}

#[test]
fn the_catalogue_changes_by_more_than_half() {
    let mut bench = Bench::new(3);
    let (code, schema) = ("11370100XX".parse::<kanhe_proto::identifiers::TypeCode>().unwrap(), r#"{"title":"x"}"#);
    let register = |schema: &str| Action::RegisterType {
        code: code.clone(),
        version: TypeVersion(1),
        names: names("type"),
        holder: HolderKind::Person,
        schema: Text::new(schema).unwrap(),
        max_age: SpanMs(1_000),
    };
    let id = (code.clone(), TypeVersion(1));
    let issuer = bench.uscc(0);
    let accredit = Action::Accredit { issuer, type_code: code.clone() };
    let supervise = Action::Supervise { supervisor: bench.uscc(1), issuer, type_code: code.clone() };
    let purpose = Text::new("loan").unwrap();
    let party = |purposes: Vec<&str>| Action::RegisterRelyingParty {
        uscc: common::uscc(50),
        names: names("bank"),
        request_key: secret("bank").public_key(),
        may_ask: List::empty(),
        purposes: List::new(purposes.into_iter().map(|code| Text::new(code).unwrap()).collect()).unwrap(),
    };
    bench.refuses_action(party(vec!["loan"]), Code::NoSuch);
    let class = PurposeClass::PublicBenefit;
    let loan = Action::RegisterPurpose { code: purpose.clone(), names: names("loan"), class };
    let all = vec![register(schema), accredit.clone(), supervise.clone(), loan, party(vec!["loan"])];
    let outcome = bench.decide(all);
    assert_eq!(outcome.schemas[0].1, schema);
    let now = |bench: &Bench| bench.height;
    assert!(bench.get::<LicenceType>(&id).unwrap().intervals.hold_at(now(&bench)));
    assert!(bench.get::<Accreditation>(&(issuer, code.clone())).unwrap().intervals.hold_at(now(&bench)));
    bench.refuses_action(register(r#"{"title":"y"}"#), Code::ExistsAlready);
    bench.refuses_action(register(schema), Code::ExistsAlready);
    bench.refuses_action(accredit, Code::ExistsAlready);
    bench.decide(vec![party(vec![])]);
    assert!(bench.get::<RelyingParty>(&common::uscc(50)).unwrap().purposes.is_empty());
    let from = Height(1);
    bench.decide(vec![
        Action::RetireType { code: code.clone(), version: TypeVersion(1), effect: Effect::Keep },
        Action::WithdrawAccreditation { issuer, type_code: code.clone(), effect: Effect::VoidFrom(from) },
        Action::EndSupervision { supervisor: bench.uscc(1), issuer, type_code: code.clone() },
        Action::RemoveRelyingParty { uscc: common::uscc(50) },
        Action::RetirePurpose { code: purpose.clone() },
    ]);
    let before = Height(now(&bench).0 - 1);
    assert!(!bench.get::<LicenceType>(&id).unwrap().intervals.hold_at(now(&bench)));
    assert!(bench.get::<LicenceType>(&id).unwrap().intervals.hold_at(before));
    assert!(!bench.get::<Accreditation>(&(issuer, code.clone())).unwrap().intervals.hold_at(before), "voided");
    let supervision = bench.get::<Supervision>(&(bench.uscc(1), issuer, code)).unwrap();
    assert!(supervision.intervals.hold_at(before) && !supervision.intervals.hold_at(now(&bench)));
    assert!(!bench.get::<Purpose>(&purpose).unwrap().intervals.hold_at(now(&bench)));
    bench.refuses_action(Action::RetirePurpose { code: purpose }, Code::NoSuch);
    bench.refuses_action(
        Action::Accredit { issuer: common::uscc(8), type_code: TYPE.parse().unwrap() },
        Code::NotMember,
    );
}

#[test]
fn parameters_and_protocol_bind_from_the_next_block_on() {
    let mut bench = Bench::new(3);
    let parameters = Parameters { epoch_blocks: 7, ..bench.parameters.clone() };
    let same = Action::SetParameters { parameters: Box::new(bench.parameters.clone()) };
    bench.refuses_action(same, Code::ExistsAlready);
    let outcome = bench.decide(vec![Action::SetParameters { parameters: Box::new(parameters.clone()) }]);
    assert_eq!(outcome.parameters.as_ref(), Some(&parameters));
    assert_eq!(bench.get::<Parameters>(&()), Some(parameters));
    let version = |version, at| Action::ActivateProtocol { version: ProtocolVersion(version), at: Height(at) };
    bench.refuses_action(version(3, 50), Code::ProtocolWrong);
    bench.refuses_action(version(4, 1), Code::ProtocolWrong);
    bench.decide(vec![version(4, 4)]);
    bench.refuses_action(version(5, 9), Code::ExistsAlready);
    assert_eq!(bench.empty().protocol, None);
    assert_eq!((bench.height, bench.empty().protocol), (Height(4), Some(ProtocolVersion(4))));
    assert_eq!(bench.get::<Schedule>(&()).unwrap().entries.len(), 1, "whoever starts now reads it");
    bench.empty();
    assert!(bench.get::<Schedule>(&()).unwrap().entries.is_empty());
}

#[test]
fn who_signs_twice_loses_its_seat_for_good() {
    let mut bench = Bench::new(4);
    let office = common::Office::new(3);
    let address = bench.world.address(3);
    let chain = bench.world.chain();
    let vote = |value: Option<u8>, key: &SecretKey| {
        let vote = Vote {
            vote_type: VoteType::Precommit,
            height: Height(1),
            round: Round(0),
            value: value.map(|byte| HeaderHash([byte; 32])),
            address,
        };
        let signature = key.sign(&vote.sign_bytes(&chain)).unwrap();
        SignedVote { vote, signature }
    };
    let proof = EquivocationPayload::new(vote(Some(1), &office.validator), vote(Some(2), &office.validator));
    let forged = EquivocationPayload::new(vote(Some(1), &office.validator), vote(Some(2), &office.issuing));
    bench.refuses(&Payload::Equivocation(forged), Code::EquivocationWrong);
    let swapped = EquivocationPayload { first: proof.second.clone(), second: proof.first.clone() };
    bench.refuses(&Payload::Equivocation(swapped), Code::EquivocationWrong);
    let outcome = bench.commit(&Payload::Equivocation(proof.clone()));
    let record = EquivocationRecord::from_record(&outcome.records[0]).unwrap();
    assert_eq!((record.bureau, outcome.acts.as_slice()), (bench.uscc(3), [LogIndex(0)].as_slice()));
    assert_eq!(bench.seats().all().len(), 3);
    bench.refuses(&Payload::Equivocation(proof), Code::NoSuch);
    bench.refuses_action(bench.seating(bench.uscc(3), bench.validator(3), 1), Code::KeyNotValid);
    bench.end_epoch();
    assert_eq!(bench.validators.members().len(), 3);
}

#[test]
fn a_dry_run_says_what_would_change() {
    let bench = Bench::new(4);
    let admission = bench.admission();
    let seating = bench.seating(common::uscc(9), secret("new validator").public_key(), 1);
    let proposal = bench.proposal(0, vec![admission, seating]);
    let effects = dry_run(&bench.view, bench.context(), &proposal).unwrap();
    assert_eq!((effects.id, effects.refusal, effects.tally.needed), (proposal.id(), None, 3));
    assert_eq!((effects.next.unwrap().members().len(), effects.living.len()), (5, 4));
    // Bureau, two keys, membership, seats, schedule.
    assert_eq!(effects.leaves.len(), 6);
    let lone = bench.proposal(0, vec![Action::ThawBureau { bureau: common::uscc(8) }]);
    assert_eq!(dry_run(&bench.view, bench.context(), &lone).unwrap().refusal, Some(Code::NoSuch));
}

/// An item of one step, which issues licences of the type that only the first office may issue.
fn item(version: u32) -> Item {
    let words = serde_json::json!({"zh": "词", "en": "word"});
    let kind = format!("{RARE_TYPE}:1");
    serde_json::from_value(serde_json::json!({
        "format": 1, "code": "permit", "version": version, "region": "370100", "names": words, "about": words,
        "purpose": "permits", "life_days": 30,
        "party": [{"code": "owner", "names": words, "kind": "person", "opens": true, "applicant": true}],
        "bureau": [{"code": "office", "names": words}],
        "ask": [{"code": "shown", "of": "owner", "to": ["office"], "types": [kind], "claims": ["CZZT"], "why": words}],
        "step": [{"code": "decide", "names": words, "by": "office", "waits_for": ["owner"], "limit_days": 1, "final": true}],
        "yield": [{"code": "given", "step": "decide", "type": kind, "to": "owner", "claims": {"CZZT": "given.shown.CZZT"}}],
    }))
    .unwrap()
}

#[test]
fn items_are_registered_amended_and_retired() {
    let mut bench = Bench::new(3);
    let register = |text: String, bureau: Uscc| Action::RegisterItem {
        file: Text::new(text).unwrap(),
        bound: List::new(vec![BoundRole {
            role: Text::new("office").unwrap(),
            bureaus: List::new(vec![bureau]).unwrap(),
        }])
        .unwrap(),
    };
    let (own, other) = (bench.uscc(0), bench.uscc(1));
    let purpose = |class| Action::RegisterPurpose { code: Text::new("permits").unwrap(), names: names("p"), class };
    let good = |version| register(item(version).to_json(), own);
    bench.refuses_action(good(1), Code::NoSuch);
    bench.decide(vec![purpose(PurposeClass::Commercial)]);
    bench.refuses_action(good(1), Code::NoSuch);
    bench.decide(vec![Action::RetirePurpose { code: Text::new("permits").unwrap() }]);
    bench.decide(vec![purpose(PurposeClass::PublicBenefit)]);
    bench.refuses_action(register(item(1).to_json(), other), Code::NotAccredited);
    bench.refuses_action(register(item(1).to_json(), common::uscc(8)), Code::NotMember);
    bench.refuses_action(good(2), Code::NoSuch);
    let unknown = item(1).to_json().replace(&format!("{RARE_TYPE}:1"), &format!("{RARE_TYPE}:9"));
    bench.refuses_action(register(unknown, own), Code::UnknownType);
    bench.refuses_action(register(item(1).to_json().replace("\"final\":true,", ""), own), Code::ProposalWrong);
    bench.refuses_action(register(format!("{} ", item(1).to_json()), own), Code::ProposalWrong);
    let retire = Action::RetireItem { code: Text::new("permit").unwrap() };
    bench.refuses_action(retire.clone(), Code::NoSuch);

    let outcome = bench.decide(vec![good(1)]);
    assert_eq!(outcome.schemas[0].1, item(1).to_json(), "the file is kept to be served");
    let record = |bench: &Bench, version| {
        bench.get::<ServiceItem>(&(Text::new("permit").unwrap(), ItemVersion(version))).unwrap()
    };
    assert_eq!((record(&bench, 1).file, record(&bench, 1).steps.len()), (item(1).digest(), 1));
    assert!(record(&bench, 1).intervals.hold_at(bench.height));
    bench.refuses_action(good(1), Code::ExistsAlready);
    bench.refuses_action(good(3), Code::NoSuch);
    bench.decide(vec![good(2)]);
    assert!(!record(&bench, 1).intervals.hold_at(bench.height) && record(&bench, 2).intervals.hold_at(bench.height));
    assert!(record(&bench, 1).intervals.hold_at(Height(bench.height.0 - 1)), "cases of then stand");
    let catalogue = |bench: &Bench| bench.get::<ItemCatalogue>(&()).unwrap().items.to_vec();
    assert_eq!((catalogue(&bench)[0].newest, catalogue(&bench)[0].in_force), (ItemVersion(2), true));
    bench.decide(vec![retire.clone()]);
    assert!(!record(&bench, 2).intervals.hold_at(bench.height) && !catalogue(&bench)[0].in_force);
    bench.refuses_action(retire, Code::NoSuch);
    bench.decide(vec![good(3)]);
    assert_eq!((catalogue(&bench).len(), catalogue(&bench)[0].newest), (1, ItemVersion(3)));
}

#[test]
fn a_bureau_declares_and_retires_its_own_data() {
    let mut bench = Bench::new(3);
    let (bureau, other) = (bench.uscc(1), bench.uscc(2));
    let class = |bench: &Bench, code: &str, count| DataDeclaration {
        code: Text::new(code).unwrap(),
        names: names(code),
        type_code: Some(TYPE.parse().unwrap()),
        count,
        as_of: bench.time,
    };
    let declare = |classes: Vec<DataDeclaration>| Action::DeclareData { bureau, classes: List::new(classes).unwrap() };
    let retire = |codes: &[&str]| {
        let classes = codes.iter().map(|code| Text::new(*code).unwrap()).collect();
        Action::RetireData { bureau, classes: List::new(classes).unwrap() }
    };
    let own = |bench: &Bench, action: Action| bench.own(1, vec![action]);
    let got = |bench: &Bench, code: &str| bench.get::<DataClass>(&(bureau, Text::new(code).unwrap())).unwrap();
    // Nobody else does it for the bureau, not even all together.
    bench.refuses_action(declare(vec![class(&bench, "a", 1)]), Code::NotOwn);
    bench.refuses_action(retire(&["a"]), Code::NotOwn);
    let outcome = bench.commit(&own(&bench, declare(vec![class(&bench, "a", 1), class(&bench, "b", 2)])));
    assert_eq!(outcome.records.len(), 1, "how it stood is in the log");
    assert_eq!((got(&bench, "a").declared.count, got(&bench, "a").intervals.all().len()), (1, 1));
    assert_eq!(got(&bench, "a").intervals.all()[0].by, Authority::Bureau(bureau));
    // Said anew it is the same class as it stands now.
    bench.commit(&own(&bench, declare(vec![class(&bench, "a", 5)])));
    assert_eq!((got(&bench, "a").declared.count, got(&bench, "a").intervals.all().len()), (5, 1));
    let listed = |bench: &Bench| {
        let catalogue = bench.get::<DataCatalogue>(&bureau).unwrap();
        catalogue.classes.iter().map(|entry| (entry.code.to_string(), entry.in_force)).collect::<Vec<_>>()
    };
    assert_eq!(listed(&bench), [("a".into(), true), ("b".into(), true)]);
    bench.commit(&own(&bench, retire(&["a"])));
    assert!(!got(&bench, "a").intervals.hold_at(bench.height) && got(&bench, "b").intervals.hold_at(bench.height));
    assert_eq!(listed(&bench), [("a".into(), false), ("b".into(), true)]);
    bench.refuses(&own(&bench, retire(&["a"])), Code::NoSuch);
    bench.refuses(&own(&bench, retire(&["b", "c"])), Code::NoSuch);
    // It may come back.
    bench.commit(&own(&bench, declare(vec![class(&bench, "a", 7)])));
    assert_eq!((listed(&bench)[0].1, got(&bench, "a").intervals.all().len()), (true, 2));

    for wrong in [vec![], vec![class(&bench, "b", 1), class(&bench, "a", 1)], vec![class(&bench, "", 1)]] {
        bench.refuses(&own(&bench, declare(wrong)), Code::ProposalWrong);
    }
    bench.refuses(&own(&bench, retire(&[])), Code::ProposalWrong);
    bench.refuses(&own(&bench, retire(&["b", "a"])), Code::ProposalWrong);
    let unnamed = DataDeclaration { names: names(""), ..class(&bench, "c", 1) };
    bench.refuses(&own(&bench, declare(vec![unnamed])), Code::ProposalWrong);
    let rare = DataDeclaration { type_code: Some(RARE_TYPE.parse().unwrap()), ..class(&bench, "c", 1) };
    bench.refuses(&own(&bench, declare(vec![rare])), Code::NotAccredited);
    let later = DataDeclaration { as_of: TimeMs(bench.time.0 + 60_001), ..class(&bench, "c", 1) };
    bench.refuses(&own(&bench, declare(vec![later])), Code::EffectiveLater);
    // As many as there is room for, and no more.
    for part in 0..4 {
        let classes = (0..64).map(|at| class(&bench, &format!("x{:03}", 64 * part + at), 1)).collect();
        let full = own(&bench, declare(classes));
        match part {
            3 => bench.refuses(&full, Code::RegistryFull),
            _ => drop(bench.commit(&full)),
        }
    }
    assert_eq!((listed(&bench).len(), bench.get::<DataCatalogue>(&other)), (2 + 192, None));
    bench.protocol = ProtocolVersion(2);
    bench.refuses(&own(&bench, retire(&["b"])), Code::ProposalWrong);
}

#[test]
fn protocol_version_2_has_no_items() {
    let mut bench = Bench::new(3);
    bench.protocol = ProtocolVersion(2);
    let bound = BoundRole { role: Text::new("office").unwrap(), bureaus: List::new(vec![bench.uscc(0)]).unwrap() };
    let file = Text::new(item(1).to_json()).unwrap();
    bench.refuses_action(Action::RegisterItem { file, bound: List::new(vec![bound]).unwrap() }, Code::ProposalWrong);
    bench.refuses_action(Action::RetireItem { code: Text::new("permit").unwrap() }, Code::ProposalWrong);
}

#[test]
fn protocol_version_1_has_no_governance() {
    let world = World::new(3);
    let bench = Bench::of(world);
    let own = bench.own(0, vec![Action::SetAddresses { bureau: bench.uscc(0), addresses: List::empty() }]);
    let transaction = bench.send(&own);
    let chain = bench.world.chain();
    assert_eq!(check_stateless(&transaction, &chain, ProtocolVersion(1)).unwrap_err(), Code::UnknownKind);
    check_stateless(&transaction, &chain, ProtocolVersion(2)).unwrap();
    let mut genesis = bench.world.genesis.clone();
    genesis.protocol = ProtocolVersion(1);
    let view = MemoryView { registry: genesis.registry().unwrap(), ..MemoryView::default() };
    let context = BlockContext { protocol: ProtocolVersion(1), ..bench.context() };
    let outcome = execute(&view, context, &[], |_| SignatureCheck::Verify).unwrap();
    assert_eq!(outcome, Outcome::default());
}
