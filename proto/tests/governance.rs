//! Proposals: each rule, what each action takes, when votes suffice; cards, seats, double signatures.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::codec;
use kanhe_proto::equivocation::{EquivocationError, EquivocationPayload, SignedVote};
use kanhe_proto::genesis::{Genesis, GenesisError, PROTOCOL_VERSION};
use kanhe_proto::governance::{
    Action, CardBody, CardError, DecidedBy, FOUNDING, GovernancePayload, MembershipCard, NewKey, NewKeyError, Proposal,
    ProposalError, tally,
};
use kanhe_proto::hash::{HeaderHash, ProposalId};
use kanhe_proto::identifiers::TypeVersion;
use kanhe_proto::ids::{Height, LogIndex, Power, ProtocolVersion, Round, SpanMs, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::record::Choice;
use kanhe_proto::registry::{
    AskRight, Effect, HolderKind, KeyRole, Membership, Parameters, PurposeClass, RegistryRecord, Schedule, Seat,
    SeatState, Seats, Threshold,
};
use kanhe_proto::transaction::{Payload, PayloadError, TransactionKind};
use kanhe_proto::validators::{Address, ValidatorSetError};
use kanhe_proto::vote::{Vote, VoteType};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use world::{
    BUREAUS, DAY, PERSON_TYPE, START, World, bank, bureau, governance_key, names, sealing, seat, secret, unseat,
    validator_key,
};

fn new_key(at: usize, role: KeyRole, key: &SecretKey) -> NewKey {
    NewKey::prove(&World::new().genesis.chain(), &bureau(at), role, key).unwrap()
}
fn check(action: Action) -> Result<(), ProposalError> {
    check_all(vec![action])
}
fn check_all(actions: Vec<Action>) -> Result<(), ProposalError> {
    let world = World::new();
    world.proposal(actions).check(&world.genesis.chain(), &Parameters::default())
}
fn admit(keys: Vec<NewKey>) -> Action {
    Action::AdmitBureau {
        bureau: bureau(3),
        names: names("新局", "A new bureau"),
        region: Text::new("370100").unwrap(),
        addresses: List::empty(),
        keys: List::new(keys).unwrap(),
    }
}
fn governance() -> NewKey {
    new_key(3, KeyRole::Governance, &secret(90))
}
fn rotate(at: usize, new: NewKey, old: Option<&SecretKey>, overlap: u64) -> Action {
    let old = old.map(|key| key.public_key().id());
    Action::RotateKey { bureau: bureau(at), new, old, overlap: SpanMs(overlap) }
}
fn register(schema: &str, max_age: u64) -> Action {
    Action::RegisterType {
        code: PERSON_TYPE.parse().unwrap(),
        version: TypeVersion(2),
        names: names("证照", "A licence"),
        holder: HolderKind::Person,
        schema: Text::new(schema).unwrap(),
        max_age: SpanMs(max_age),
    }
}
fn relying_party(key: PublicKey, claims: &[&str]) -> Action {
    let claims = claims.iter().map(|claim| Text::new(*claim).unwrap()).collect();
    let right = AskRight { type_code: PERSON_TYPE.parse().unwrap(), claims: List::new(claims).unwrap() };
    Action::RegisterRelyingParty {
        uscc: bank(),
        names: names("银行", "A bank"),
        request_key: key,
        may_ask: List::new(vec![right]).unwrap(),
        purposes: List::new(vec![Text::new("account").unwrap()]).unwrap(),
    }
}
fn reaffirm(at: usize, batches: &[u64]) -> Action {
    let batches = batches.iter().map(|batch| LogIndex(*batch)).collect();
    Action::Reaffirm { bureau: bureau(at), batches: List::new(batches).unwrap() }
}

mod rules {
    use super::*;

    fn wrong(action: Action) -> &'static str {
        match check(action) {
            Err(ProposalError::Action(0, reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_version_and_lifetime() {
        let world = World::new();
        let (chain, parameters) = (world.genesis.chain(), Parameters::default());
        let good = world.proposal(vec![seat(0, &secret(90), 1)]);
        assert_eq!(good.check(&chain, &parameters), Ok(()));
        let other = Proposal { version: 2, ..good.clone() };
        assert_eq!(other.check(&chain, &parameters), Err(ProposalError::Version(2)));
        for expires in [good.created, TimeMs(good.created.0 - 1), TimeMs(good.created.0 + 30 * DAY + 1)] {
            let other = Proposal { expires, ..good.clone() };
            assert_eq!(other.check(&chain, &parameters), Err(ProposalError::Lifetime));
        }
    }
    #[test]
    fn it_does_something_once() {
        assert_eq!(check_all(Vec::new()), Err(ProposalError::Empty));
        let twice = vec![seat(0, &secret(90), 1), unseat(1, &validator_key(1)), seat(0, &secret(90), 1)];
        assert_eq!(check_all(twice), Err(ProposalError::Twice(2)));
    }
    #[test]
    fn of_a_new_bureau() {
        assert_eq!(check(admit(vec![governance(), NewKey::sealing(sealing().public_key())])), Ok(()));
        assert_eq!(wrong(admit(Vec::new())), "a bureau needs a governance key");
        let issuing = new_key(3, KeyRole::Issuing, &secret(90));
        assert_eq!(wrong(admit(vec![issuing.clone()])), "a bureau needs a governance key");
        assert_eq!(wrong(admit(vec![governance(), issuing])), "a key is there twice");
        let Action::AdmitBureau { bureau, names, addresses, keys, .. } = admit(vec![governance()]) else {
            panic!("of another kind")
        };
        let region = Text::default();
        assert_eq!(wrong(Action::AdmitBureau { bureau, names, region, addresses, keys }), "a bureau needs a region");
    }
    #[test]
    fn of_possession() {
        let refused = |key: NewKey| match check(admit(vec![key])) {
            Err(ProposalError::Key(0, error)) => error,
            other => panic!("{other:?}"),
        };
        let role = KeyRole::Governance;
        // By the key for another bureau, another role, by another key, or not at all.
        assert_eq!(refused(new_key(2, role, &secret(90))), NewKeyError::Possession(role));
        let other_role = NewKey { role, ..new_key(3, KeyRole::Issuing, &secret(90)) };
        assert_eq!(refused(other_role), NewKeyError::Possession(role));
        let other_key = NewKey { key: secret(91).public_key(), ..governance() };
        assert_eq!(refused(other_key), NewKeyError::Possession(role));
        assert_eq!(refused(NewKey { possession: None, ..governance() }), NewKeyError::Possession(role));
        let founding = NewKey::prove(&FOUNDING, &bureau(3), role, &secret(90)).unwrap();
        assert_eq!(refused(founding), NewKeyError::Possession(role));
        // Keys to seal to and keys to sign with do not pass for one another.
        let sealed = NewKey { role, ..NewKey::sealing(sealing().public_key()) };
        assert_eq!(refused(sealed), NewKeyError::Algorithm(role));
        let signing = NewKey { role: KeyRole::Sealing, possession: None, ..governance() };
        assert_eq!(refused(signing), NewKeyError::Algorithm(KeyRole::Sealing));
        let signed = NewKey { possession: governance().possession, ..NewKey::sealing(sealing().public_key()) };
        assert_eq!(refused(signed), NewKeyError::Possession(KeyRole::Sealing));
    }
    #[test]
    fn of_seats() {
        assert_eq!(wrong(seat(0, &secret(90), 0)), "power must be between 1 and 2^32");
        assert_eq!(wrong(seat(0, &secret(90), (1 << 32) + 1)), "power must be between 1 and 2^32");
        let (bureau, key) = (bureau(0), sealing().public_key());
        assert_eq!(wrong(Action::SeatValidator { bureau, key, power: Power(1) }), "the key cannot sign");
    }
    #[test]
    fn of_types() {
        assert_eq!(check(register("{}", 1)), Ok(()));
        assert_eq!(wrong(register("{}", 0)), "max_age must be above zero");
        for schema in ["", "[]", "{", "true"] {
            assert_eq!(wrong(register(schema, 1)), "the schema must be a JSON object");
        }
        let retire = |effect| {
            let (issuer, type_code) = (bureau(0), PERSON_TYPE.parse().unwrap());
            Action::WithdrawAccreditation { issuer, type_code, effect }
        };
        assert_eq!(check(retire(Effect::VoidFrom(Height(1)))), Ok(()));
        assert_eq!(wrong(retire(Effect::VoidFrom(Height(0)))), "nothing was issued at height 0");
    }
    #[test]
    fn of_names() {
        let purpose = |code: &str, zh: &str, en: &str| Action::RegisterPurpose {
            code: Text::new(code).unwrap(),
            names: names(zh, en),
            class: PurposeClass::PublicBenefit,
        };
        assert_eq!(check(purpose("study", "学习", "Study")), Ok(()));
        assert_eq!(wrong(purpose("study", "学习", "")), "a name in both languages is needed");
        assert_eq!(wrong(purpose("study", "", "Study")), "a name in both languages is needed");
        assert_eq!(wrong(purpose("", "学习", "Study")), "a purpose needs a code");
    }
    #[test]
    fn of_supervisors_and_relying_parties() {
        let supervise =
            |supervisor| Action::Supervise { supervisor, issuer: bureau(0), type_code: PERSON_TYPE.parse().unwrap() };
        assert_eq!(check(supervise(bureau(1))), Ok(()));
        assert_eq!(wrong(supervise(bureau(0))), "nobody supervises itself");
        assert_eq!(check(relying_party(secret(1).public_key(), &["a", "b"])), Ok(()));
        assert_eq!(wrong(relying_party(secret(1).public_key(), &["b", "a"])), "claims must ascend");
        assert_eq!(wrong(relying_party(secret(1).public_key(), &["a", "a"])), "claims must ascend");
        assert_eq!(wrong(relying_party(sealing().public_key(), &["a"])), "the key cannot sign");
    }
    #[test]
    fn of_parameters_and_protocol() {
        let parameters = Parameters { epoch_blocks: 0, ..Parameters::default() };
        let refused = check(Action::SetParameters { parameters: Box::new(parameters) });
        assert!(matches!(refused, Err(ProposalError::Parameters(0, _))));
        for (lifetime, delay) in [(59_999, 0), (61 * DAY, 0), (DAY, 61 * DAY)] {
            let parameters = Parameters {
                proposal_lifetime_max: SpanMs(lifetime),
                governance_key_delay: SpanMs(delay),
                ..Parameters::default()
            };
            assert!(parameters.check().is_err());
        }
        let activate = |version, at| Action::ActivateProtocol { version: ProtocolVersion(version), at: Height(at) };
        assert_eq!(check(activate(3, 9)), Ok(()));
        assert_eq!(wrong(activate(1, 9)), "no earlier version can be activated");
        assert_eq!(wrong(activate(3, 0)), "no earlier version can be activated");
    }
    #[test]
    fn of_rotations() {
        let issuing = new_key(0, KeyRole::Issuing, &secret(90));
        let validator = new_key(0, KeyRole::Validator, &secret(90));
        let old = secret(20);
        assert_eq!(check(rotate(0, issuing.clone(), Some(&old), 7 * DAY)), Ok(()));
        assert_eq!(check(rotate(0, issuing.clone(), None, 0)), Ok(()));
        assert_eq!(wrong(rotate(0, issuing.clone(), Some(&old), 7 * DAY + 1)), "the overlap is at most seven days");
        assert_eq!(wrong(rotate(0, issuing.clone(), None, 1)), "without an old key there is no overlap");
        assert_eq!(wrong(rotate(0, issuing, Some(&secret(90)), 0)), "a key cannot replace itself");
        assert_eq!(check(rotate(0, validator.clone(), Some(&old), 0)), Ok(()));
        assert_eq!(wrong(rotate(0, validator.clone(), Some(&old), 1)), "a validator key has no overlap");
        assert_eq!(
            wrong(rotate(0, validator.clone(), None, 0)),
            "a validator key replaces another; a new seat is voted"
        );
        let refused = check(rotate(1, validator, Some(&old), 0));
        assert_eq!(refused, Err(ProposalError::Key(0, NewKeyError::Possession(KeyRole::Validator))));
    }
    #[test]
    fn of_what_only_the_bureau_itself_may_do() {
        assert_eq!(check(reaffirm(0, &[1, 2])), Ok(()));
        assert_eq!(wrong(reaffirm(0, &[])), "no batch is named");
        assert_eq!(wrong(reaffirm(0, &[2, 2])), "batches must ascend");
        assert_eq!(check(reaffirm(1, &[1])), Err(ProposalError::NotOwn(0)));
        let moved = Action::SetAddresses { bureau: bureau(1), addresses: List::empty() };
        assert_eq!(check_all(vec![reaffirm(0, &[1]), moved]), Err(ProposalError::NotOwn(1)));
        assert_eq!(ProposalError::NotOwn(1).code(), "not_own");
    }
}

mod votes {
    use super::*;

    fn count(actions: Vec<Action>, votes: &[(usize, Choice)]) -> (usize, usize, usize, bool) {
        let world = World::new();
        let proposal = world.proposal(actions);
        let votes: Vec<_> = votes.iter().map(|(at, choice)| world.vote(*at, &proposal.id(), *choice)).collect();
        let tally = tally(&proposal, &votes, &world.get::<Membership>(&()), &world.get::<Parameters>(&()));
        (tally.yes, tally.no, tally.needed, tally.decided)
    }
    fn end_key(at: usize) -> Action {
        Action::EndKey { bureau: bureau(at), key: secret(20).public_key().id() }
    }

    #[test]
    fn what_actions_take() {
        let by = |action: Action| action.decided_by(&bureau(0));
        let distrust =
            |at| Action::DistrustKey { bureau: bureau(at), key: secret(20).public_key().id(), since: Height(1) };
        let issuing = new_key(1, KeyRole::Issuing, &secret(90));
        for action in [end_key(0), distrust(0), reaffirm(0, &[1]), rotate(0, issuing.clone(), None, 0)] {
            assert_eq!(by(action), DecidedBy::Own);
        }
        let freeze = Action::FreezeBureau { bureau: bureau(0) };
        for action in [end_key(1), distrust(1), freeze, Action::Veto { proposal: ProposalId([1; 32]) }] {
            assert_eq!(by(action), DecidedBy::Emergency);
        }
        for action in [register("{}", 1), relying_party(secret(1).public_key(), &["a"])] {
            assert_eq!(by(action), DecidedBy::Catalogue);
        }
        let thaw = Action::ThawBureau { bureau: bureau(0) };
        for action in [admit(vec![governance()]), seat(0, &secret(90), 1), thaw, rotate(1, issuing, None, 0)] {
            assert_eq!(by(action), DecidedBy::Constitution);
        }
    }
    #[test]
    fn the_strictest_action_counts() {
        let world = World::new();
        let by = |actions| world.proposal(actions).decided_by();
        assert_eq!(by(vec![end_key(0)]), DecidedBy::Own);
        assert_eq!(by(vec![end_key(0), end_key(1)]), DecidedBy::Emergency);
        assert_eq!(by(vec![end_key(0), register("{}", 1), end_key(1)]), DecidedBy::Catalogue);
        assert_eq!(by(vec![register("{}", 1), seat(0, &secret(90), 1)]), DecidedBy::Constitution);
    }
    #[test]
    fn that_suffice() {
        let (yes, no) = (Choice::Yes, Choice::No);
        let all = [(0, yes), (1, yes), (2, yes), (3, no)];
        assert_eq!(count(vec![end_key(0)], &all[..1]), (1, 0, 1, true));
        assert_eq!(count(vec![end_key(0)], &all[1..]), (0, 0, 1, false), "only the proposer's counts");
        assert_eq!(count(vec![end_key(0)], &[(0, no)]), (0, 1, 1, false));
        assert_eq!(count(vec![end_key(1)], &all[..1]), (1, 0, 2, false));
        assert_eq!(count(vec![end_key(1)], &all[..2]), (2, 0, 2, true));
        assert_eq!(count(vec![register("{}", 1)], &all[..2]), (2, 0, 3, false));
        assert_eq!(count(vec![register("{}", 1)], &all), (3, 1, 3, true));
        assert_eq!(count(vec![seat(0, &secret(90), 1)], &all), (3, 1, 3, true));
    }
    #[test]
    fn of_those_who_are_no_members_do_not_count() {
        let world = World::new();
        let proposal = world.proposal(vec![end_key(1)]);
        let votes: Vec<_> = [0, 3].iter().map(|at| world.vote(*at, &proposal.id(), Choice::Yes)).collect();
        let members = Membership { bureaus: List::new((0..BUREAUS - 1).map(bureau).collect()).unwrap() };
        let tally = tally(&proposal, &votes, &members, &Parameters::default());
        assert_eq!((tally.yes, tally.members, tally.needed, tally.decided), (1, 3, 2, false));
    }
    #[test]
    fn without_the_proposers_do_not_touch_its_own_rights() {
        let yes = Choice::Yes;
        let actions = vec![end_key(0), end_key(1)];
        assert_eq!(count(actions.clone(), &[(1, yes), (2, yes), (3, yes)]), (3, 0, 2, false));
        assert_eq!(count(actions, &[(0, yes), (1, yes)]), (2, 0, 2, true));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn needed_is_the_least_that_is_met(numerator in 0u32..1_000, more in 1u32..1_000, bureaus in 0usize..512) {
            let threshold = Threshold { numerator, denominator: numerator + more };
            let needed = threshold.needed(bureaus);
            prop_assert!(threshold.is_met(needed, bureaus));
            prop_assert!(needed == 0 || !threshold.is_met(needed - 1, bureaus));
            prop_assert!(needed <= bureaus || bureaus == 0, "all members together always suffice");
        }

        #[test]
        fn more_yes_never_undoes_a_decision(first in any::<u8>(), more in any::<u8>()) {
            let votes = |bits: u8| -> Vec<(usize, Choice)> {
                let choice = |at: usize| if bits & (1 << at) == 0 { Choice::No } else { Choice::Yes };
                (0..BUREAUS).map(|at| (at, choice(at))).collect()
            };
            for actions in [vec![end_key(0)], vec![end_key(1)], vec![end_key(0), seat(0, &secret(90), 1)]] {
                let (.., before) = count(actions.clone(), &votes(first));
                let (.., after) = count(actions, &votes(first | more));
                prop_assert!(after || !before);
            }
        }

        #[test]
        fn damaged_bytes_are_another_proposal_or_none(at in any::<usize>(), bit in 0u8..8) {
            let world = World::new();
            let proposal = world.proposal(vec![admit(vec![governance()]), end_key(1)]);
            let mut bytes = proposal.to_bytes();
            prop_assert_eq!(Proposal::from_bytes(&bytes).unwrap().id(), proposal.id());
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(other) = Proposal::from_bytes(&bytes) {
                prop_assert!(other.id() != proposal.id());
                prop_assert_eq!(other.to_bytes(), bytes);
            }
        }
    }
}

mod cards {
    use super::*;

    fn body() -> CardBody {
        CardBody {
            version: CardBody::VERSION,
            chain: World::new().genesis.chain(),
            created: START,
            bureau: bureau(3),
            names: names("新局", "A new bureau"),
            region: Text::new("370100").unwrap(),
            addresses: List::empty(),
            keys: List::new(vec![governance(), new_key(3, KeyRole::Validator, &secret(91))]).unwrap(),
        }
    }
    fn refused(body: CardBody) -> CardError {
        let card = body.sign(&secret(90)).unwrap();
        MembershipCard::from_bytes(&card.to_bytes(), &World::new().genesis.chain()).unwrap_err()
    }

    #[test]
    fn admit_their_bureau() {
        let chain = World::new().genesis.chain();
        let card = body().sign(&secret(90)).unwrap();
        assert_eq!(MembershipCard::from_bytes(&card.to_bytes(), &chain), Ok(card.clone()));
        assert_eq!(check(card.admission()), Ok(()));
        assert_eq!(card.check(&FOUNDING), Err(CardError::Chain));
    }
    #[test]
    fn of_founders_have_no_chain_yet() {
        let key = |role, secret: &SecretKey| NewKey::prove(&FOUNDING, &bureau(3), role, secret).unwrap();
        let keys = List::new(vec![key(KeyRole::Governance, &secret(90))]).unwrap();
        let card = CardBody { chain: FOUNDING, keys, ..body() }.sign(&secret(90)).unwrap();
        assert_eq!(card.check(&FOUNDING), Ok(()));
    }
    #[test]
    fn that_are_worth_nothing() {
        assert_eq!(refused(CardBody { version: 2, ..body() }), CardError::Version(2));
        let keys = |keys: Vec<NewKey>| CardBody { keys: List::new(keys).unwrap(), ..body() };
        assert_eq!(refused(keys(vec![new_key(3, KeyRole::Validator, &secret(91))])), CardError::Governance);
        let second = new_key(3, KeyRole::Governance, &secret(92));
        assert_eq!(refused(keys(vec![governance(), second])), CardError::Governance);
        assert_eq!(refused(keys(vec![governance(), governance()])), CardError::Twice);
        assert!(matches!(refused(CardBody { bureau: bureau(2), ..body() }), CardError::Key(_)));
        let chain = World::new().genesis.chain();
        let by_another = body().sign(&secret(91)).unwrap();
        assert_eq!(by_another.check(&chain), Err(CardError::Signature));
        let mut changed = body().sign(&secret(90)).unwrap();
        changed.body.names = names("他局", "Another");
        assert_eq!(changed.check(&chain), Err(CardError::Signature));
    }
}

mod genesis {
    use super::*;

    #[test]
    fn of_version_two_has_seats_and_a_schedule() {
        let world = World::new();
        let seats: Seats = world.get(&());
        assert_eq!(seats.validator_set().unwrap(), world.set);
        assert!(seats.all().iter().all(|seat| seat.state == SeatState::Active && seat.by.is_none()));
        assert_eq!(world.get::<Schedule>(&()), Schedule::default());
    }
    #[test]
    fn of_version_one_has_none() {
        let genesis = Genesis { protocol: ProtocolVersion(1), ..World::new().genesis };
        genesis.check().unwrap();
        let registry = genesis.registry().unwrap();
        assert!(!registry.contains_key(&Seats::key_of(&())) && !registry.contains_key(&Schedule::key_of(&())));
    }
    #[test]
    fn of_another_version_founds_nothing() {
        for version in [0, PROTOCOL_VERSION.0 + 1] {
            let genesis = Genesis { protocol: ProtocolVersion(version), ..World::new().genesis };
            assert_eq!(genesis.check(), Err(GenesisError::Protocol(ProtocolVersion(version))));
        }
    }
    #[test]
    fn payloads_wait_for_their_version() {
        let payload =
            Payload::Governance(GovernancePayload::Vote { proposal: ProposalId([1; 32]), votes: List::empty() });
        let raw = payload.to_raw();
        assert_eq!(raw.kind, TransactionKind::Governance.byte());
        assert_eq!(Payload::from_raw(&raw, ProtocolVersion(2)), Ok(payload));
        assert!(matches!(Payload::from_raw(&raw, ProtocolVersion(1)), Err(PayloadError::UnknownKind { kind: 3, .. })));
    }
}

mod seats {
    use super::*;

    fn of(at: usize, state: SeatState) -> Seat {
        Seat { bureau: bureau(at), key: validator_key(at).public_key(), power: Power(1), state, by: None }
    }

    #[test]
    fn only_active_ones_are_in_the_set() {
        let until = START;
        let replacing = SeatState::Replacing { old: validator_key(0).public_key(), until };
        let seats = Seats::new(vec![of(0, SeatState::Active), of(1, SeatState::Decided { until }), of(2, replacing)]);
        let seats = seats.unwrap();
        let set = seats.validator_set().unwrap();
        assert_eq!(set.members().len(), 1);
        assert_eq!(set.members()[0].address, Address::of(&validator_key(0).public_key()));
        assert!(seats.get(&validator_key(2).public_key()).is_some());
    }
    #[test]
    fn are_one_a_key_and_somebody_votes() {
        let active = || of(0, SeatState::Active);
        assert_eq!(Seats::new(vec![active(), active()]), Err(ValidatorSetError::Order));
        assert_eq!(Seats::new(Vec::new()), Err(ValidatorSetError::Empty));
        assert_eq!(Seats::new(vec![of(0, SeatState::Decided { until: START })]), Err(ValidatorSetError::Empty));
        let seats = Seats::new(vec![active(), of(1, SeatState::Active)]).unwrap();
        let mut bytes = codec::encode(&seats);
        assert_eq!(codec::decode::<Seats>(&bytes, 1 << 20), Ok(seats.clone()));
        let half = (bytes.len() - 8) / 2;
        bytes[8..].rotate_left(half);
        assert!(codec::decode::<Seats>(&bytes, 1 << 20).is_err(), "out of order");
    }
}

mod double_signatures {
    use super::*;

    fn signed(change: impl FnOnce(&mut Vote)) -> SignedVote {
        let address = Address::of(&validator_key(0).public_key());
        let (height, round) = (Height(7), Round(1));
        let mut vote = Vote { vote_type: VoteType::Prevote, height, round, value: Some(HeaderHash([1; 32])), address };
        change(&mut vote);
        let bytes = vote.sign_bytes(&World::new().genesis.chain());
        SignedVote { vote, signature: validator_key(0).sign(&bytes).unwrap() }
    }
    fn check(proof: &EquivocationPayload) -> Result<(), EquivocationError> {
        proof.check(&World::new().genesis.chain(), &validator_key(0).public_key())
    }

    #[test]
    fn are_two_values_at_one_place() {
        let nil = || signed(|vote| vote.value = None);
        let proof = EquivocationPayload::new(signed(|_| ()), nil());
        assert_eq!(check(&proof), Ok(()));
        assert_eq!(proof, EquivocationPayload::new(nil(), signed(|_| ())), "one misdeed, one proof");
        let swapped = EquivocationPayload { first: proof.second.clone(), second: proof.first.clone() };
        assert_eq!(check(&swapped), Err(EquivocationError::Order));
        let same = EquivocationPayload::new(nil(), nil());
        assert_eq!(check(&same), Err(EquivocationError::Order));
    }
    #[test]
    fn are_not_votes_at_different_places() {
        let changes: [fn(&mut Vote); 4] = [
            |vote| vote.height = Height(8),
            |vote| vote.round = Round(2),
            |vote| vote.vote_type = VoteType::Precommit,
            |vote| vote.address = Address::default(),
        ];
        for change in changes {
            let other = signed(|vote| {
                vote.value = None;
                change(vote);
            });
            let proof = EquivocationPayload::new(signed(|_| ()), other);
            assert_eq!(check(&proof), Err(EquivocationError::Different));
        }
    }
    #[test]
    fn are_of_the_validators_key() {
        let mut proof = EquivocationPayload::new(signed(|_| ()), signed(|vote| vote.value = None));
        let address = proof.address();
        let chain = World::new().genesis.chain();
        let other = governance_key(0).public_key();
        assert_eq!(proof.check(&chain, &other), Err(EquivocationError::Key(address)));
        assert!(matches!(proof.check(&FOUNDING, &validator_key(0).public_key()), Err(EquivocationError::Signature(_))));
        proof.second.signature = proof.first.signature.clone();
        assert!(matches!(check(&proof), Err(EquivocationError::Signature(_))));
    }
}
