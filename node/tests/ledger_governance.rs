//! Governance by the pure state machine: each action, each refusal, epochs, the schedule, who is alive.
#![allow(clippy::unwrap_used)]

mod common;
mod governance;

use common::{MemoryView, START, World, issue};
use governance::{Bench, DAY, names, secret};
use kanhe_node::ledger::governance::dry_run;
use kanhe_node::ledger::{BlockContext, Code, Execution, Outcome, Refusal, SignatureCheck, check_stateless, execute};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::equivocation::{EquivocationPayload, EquivocationRecord, SignedVote};
use kanhe_proto::governance::{
    Action, GovernancePayload, OpenProposals, Proposal, ProposalVotes, activate_bytes, open_proposals_key,
    proposal_votes_key, withdraw_bytes,
};
use kanhe_proto::hash::{HeaderHash, ProposalId};
use kanhe_proto::ids::{Height, LogIndex, ProtocolVersion, Round, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::{Choice, GovernanceRecord, GovernanceVote, Record};
use kanhe_proto::registry::{Bureau, Membership, Parameters, Purpose, PurposeClass, Schedule, SeatState};
use kanhe_proto::transaction::Payload;
use kanhe_proto::vote::{Vote, VoteType};

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
