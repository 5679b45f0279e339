//! Hand-overs: each difference between two validator sets is explained, and each way to cheat is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::equivocation::{EquivocationPayload, EquivocationRecord, SignedVote};
use kanhe_proto::governance::{Action, NewKey, Proposal};
use kanhe_proto::hand_over::{Cause, Change, HandOver, HandOverError};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, LogIndex, Power, Round, SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::record::{Choice, GovernanceRecord, Record};
use kanhe_proto::registry::{KeyRole, Parameters};
use kanhe_proto::trust::{Trust, TrustError};
use kanhe_proto::validators::{Address, Validator, ValidatorSet};
use kanhe_proto::vote::{Vote, VoteType};
use world::{DAY, World, bank, bureau, key_entry, seat, secret, unseat, validator_key};

const THREE: &[(usize, Choice)] = &[(0, Choice::Yes), (1, Choice::Yes), (2, Choice::Yes)];
const ONE: &[(usize, Choice)] = &[(0, Choice::Yes)];

fn set(members: &[(SecretKey, u64)]) -> ValidatorSet {
    let members = members.iter().map(|(key, power)| Validator::new(key.public_key(), Power(*power)));
    ValidatorSet::new(members.collect()).unwrap()
}
/// The founders' set with changes: a power of zero takes one out.
fn changed(changes: &[(SecretKey, u64)]) -> ValidatorSet {
    let mut members: Vec<(SecretKey, u64)> = (0..world::BUREAUS).map(|at| (validator_key(at), 1)).collect();
    for (key, power) in changes {
        members.retain(|(old, _)| old.public_key() != key.public_key());
        members.extend((*power > 0).then(|| (key.clone(), *power)));
    }
    set(&members)
}
fn address(key: &SecretKey) -> Address {
    Address::of(&key.public_key())
}
/// The hand-over to `next` with these decisions.
fn hand_over(world: &mut World, next: ValidatorSet, decisions: &[LogIndex]) -> HandOver {
    world.next = next;
    world.hand_over(decisions.iter().map(|index| world.act(*index)).collect())
}
fn refused(trust: &Trust, hand_over: &HandOver) -> HandOverError {
    let mut tried = trust.clone();
    let now = hand_over.certified.header.time;
    match tried.hand_over(hand_over, now) {
        Err(TrustError::HandOver(error)) => {
            assert_eq!(tried, *trust, "a refused hand-over changes nothing");
            *error
        }
        other => panic!("{other:?}"),
    }
}
fn unexplained(trust: &Trust, hand_over: &HandOver, key: &SecretKey) {
    assert_eq!(refused(trust, hand_over), HandOverError::Unexplained { address: address(key) });
}
/// What one decision of three bureaus makes of the founders' set.
fn decided(actions: Vec<Action>, next: ValidatorSet) -> (World, HandOver) {
    let mut world = World::new();
    let proposal = world.proposal(actions);
    let index = world.decide_on(&proposal, THREE);
    let hand_over = hand_over(&mut world, next, &[index]);
    (world, hand_over)
}
fn rotation(world: &World, at: usize, old: &SecretKey, new: &SecretKey) -> Action {
    let bureau = bureau(at);
    let new = NewKey::prove(&world.genesis.chain(), &bureau, KeyRole::Validator, new).unwrap();
    Action::RotateKey { bureau, new, old: Some(old.public_key().id()), overlap: SpanMs(0) }
}
/// The next epoch: trust has followed, the world has too.
fn enter(world: &mut World, trust: &mut Trust, hand_over: &HandOver, keys: Vec<SecretKey>) {
    trust.hand_over(hand_over, world.time).unwrap();
    world.set = world.next.clone();
    world.validators = keys;
    world.block();
}
fn founders() -> Vec<SecretKey> {
    (0..world::BUREAUS).map(validator_key).collect()
}

mod explained {
    use super::*;

    #[test]
    fn a_validator_comes() {
        let (world, hand_over) = decided(vec![seat(0, &secret(90), 2)], changed(&[(secret(90), 2)]));
        let mut trust = world.trust();
        let explained = trust.hand_over(&hand_over, world.time).unwrap();
        assert_eq!(explained.len(), 1);
        assert_eq!((explained[0].address, explained[0].change), (address(&secret(90)), Change::Came(Power(2))));
        let id = GovernanceRecord::from_record(&hand_over.acts[0].record.record).unwrap().proposal_id();
        assert_eq!(explained[0].spent.cause, Cause::Proposal(id));
        assert_eq!(Trust::from_bytes(&trust.to_bytes()).unwrap(), trust);
    }
    #[test]
    fn a_validator_goes() {
        let (world, hand_over) = decided(vec![unseat(3, &validator_key(3))], changed(&[(validator_key(3), 0)]));
        let explained = world.trust().hand_over(&hand_over, world.time).unwrap();
        assert_eq!(explained[0].change, Change::Left(Power(1)));
    }
    #[test]
    fn a_power_changes() {
        let (world, hand_over) = decided(vec![seat(3, &validator_key(3), 4)], changed(&[(validator_key(3), 4)]));
        let explained = world.trust().hand_over(&hand_over, world.time).unwrap();
        assert_eq!(explained[0].change, Change::Power { from: Power(1), to: Power(4) });
    }
    #[test]
    fn a_bureau_is_frozen_or_removed() {
        for action in [Action::FreezeBureau { bureau: bureau(3) }, Action::RemoveBureau { bureau: bureau(3) }] {
            let (world, hand_over) = decided(vec![action], changed(&[(validator_key(3), 0)]));
            world.trust().hand_over(&hand_over, world.time).unwrap();
        }
    }
    #[test]
    fn a_bureau_rotates_its_own_key() {
        let mut world = World::new();
        let proposal = world.proposal(vec![rotation(&world, 0, &validator_key(0), &secret(90))]);
        let index = world.decide_on(&proposal, ONE);
        let next = changed(&[(validator_key(0), 0), (secret(90), 1)]);
        let hand_over = hand_over(&mut world, next, &[index]);
        assert_eq!(world.trust().hand_over(&hand_over, world.time).unwrap().len(), 2);
    }
    #[test]
    fn a_key_is_rotated_twice_before_the_epoch_ends() {
        let mut world = World::new();
        world.put(&key_entry(bureau(0), KeyRole::Validator, secret(90).public_key()));
        let first = world.proposal(vec![rotation(&world, 0, &validator_key(0), &secret(90))]);
        let second = world.proposal(vec![rotation(&world, 0, &secret(90), &secret(91))]);
        let decisions = [world.decide_on(&first, ONE), world.decide_on(&second, ONE)];
        let next = changed(&[(validator_key(0), 0), (secret(91), 1)]);
        let hand_over = hand_over(&mut world, next, &decisions);
        world.trust().hand_over(&hand_over, world.time).unwrap();
    }
    #[test]
    fn a_key_is_rotated_and_loses_its_seat() {
        let mut world = World::new();
        let first = world.proposal(vec![rotation(&world, 0, &validator_key(0), &secret(90))]);
        let second = world.proposal(vec![unseat(0, &secret(90))]);
        let decisions = [world.decide_on(&first, ONE), world.decide_on(&second, THREE)];
        let hand_over = hand_over(&mut world, changed(&[(validator_key(0), 0)]), &decisions);
        world.trust().hand_over(&hand_over, world.time).unwrap();
    }
    #[test]
    fn a_validator_signed_twice() {
        let mut world = World::new();
        let index = equivocation(&mut world, &validator_key(3), &validator_key(3));
        let hand_over = hand_over(&mut world, changed(&[(validator_key(3), 0)]), &[index]);
        let explained = world.trust().hand_over(&hand_over, world.time).unwrap();
        assert!(matches!(explained[0].spent.cause, Cause::Equivocation(_)));
    }
    #[test]
    fn one_decision_seats_two_in_two_epochs() {
        let mut world = World::new();
        let proposal = world.proposal(vec![seat(0, &secret(90), 1), seat(1, &secret(91), 1)]);
        let index = world.decide_on(&proposal, THREE);
        let mut trust = world.trust();
        let first = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
        let keys = [founders(), vec![secret(90)]].concat();
        enter(&mut world, &mut trust, &first, keys);
        let second = hand_over(&mut world, changed(&[(secret(90), 1), (secret(91), 1)]), &[index]);
        trust.hand_over(&second, world.time).unwrap();
        assert_eq!(trust.sets().len(), 3);
    }
    #[test]
    fn a_decision_by_the_emergency_share() {
        let mut world = World::new();
        let proposal = world.proposal(vec![Action::FreezeBureau { bureau: bureau(3) }]);
        let index = world.decide_on(&proposal, &THREE[..2]);
        let hand_over = hand_over(&mut world, changed(&[(validator_key(3), 0)]), &[index]);
        world.trust().hand_over(&hand_over, world.time).unwrap();
    }
    #[test]
    fn trust_follows_the_parameters() {
        let (mut world, _) = decided(Vec::new(), changed(&[]));
        world.change::<Parameters>(&(), |parameters| parameters.heartbeat = SpanMs(9_000));
        let mut trust = world.trust();
        trust.hand_over(&world.hand_over(Vec::new()), world.time).unwrap();
        assert_eq!(trust.heartbeat, SpanMs(9_000));
    }
}

/// A record that `key` signed two values, put into the log; the votes name the validator `of`.
fn equivocation(world: &mut World, key: &SecretKey, of: &SecretKey) -> LogIndex {
    let chain = world.genesis.chain();
    let signed = |value: Option<HeaderHash>| {
        let (height, round) = (Height(7), Round(0));
        let vote = Vote { vote_type: VoteType::Precommit, height, round, value, address: address(of) };
        SignedVote { vote, signature: key.sign(&vote.sign_bytes(&chain)).unwrap() }
    };
    let proof = EquivocationPayload::new(signed(Some(HeaderHash([1; 32]))), signed(None));
    let (height, time) = (Height(world.height), world.time);
    world.record(&EquivocationRecord { bureau: bureau(3), key: of.public_key(), proof, height, time })
}

mod cheats {
    use super::*;

    #[test]
    fn nobody_else_comes() {
        let next = changed(&[(secret(90), 1), (secret(91), 1)]);
        let (world, hand_over) = decided(vec![seat(0, &secret(90), 1)], next);
        unexplained(&world.trust(), &hand_over, &secret(91));
    }
    #[test]
    fn nobody_else_goes() {
        let next = changed(&[(secret(90), 1), (validator_key(3), 0)]);
        let (world, hand_over) = decided(vec![seat(0, &secret(90), 1)], next);
        unexplained(&world.trust(), &hand_over, &validator_key(3));
    }
    #[test]
    fn not_with_another_power() {
        let (world, hand_over) = decided(vec![seat(0, &secret(90), 1)], changed(&[(secret(90), 2)]));
        unexplained(&world.trust(), &hand_over, &secret(90));
        let actions = vec![seat(3, &validator_key(3), 4)];
        let (world, hand_over) = decided(actions, changed(&[(validator_key(3), 3)]));
        unexplained(&world.trust(), &hand_over, &validator_key(3));
    }
    #[test]
    fn a_new_power_takes_no_seat() {
        let (world, hand_over) = decided(vec![seat(3, &validator_key(3), 4)], changed(&[(validator_key(3), 0)]));
        unexplained(&world.trust(), &hand_over, &validator_key(3));
    }
    #[test]
    fn with_an_unrelated_decision() {
        let actions = vec![Action::Supervise {
            supervisor: bureau(1),
            issuer: bureau(0),
            type_code: world::BUSINESS_TYPE.parse().unwrap(),
        }];
        let (world, hand_over) = decided(actions, changed(&[(secret(90), 1)]));
        unexplained(&world.trust(), &hand_over, &secret(90));
    }
    #[test]
    fn with_the_key_of_another_bureau() {
        // Bureau 0 proposes to rotate the validator of bureau 1 to a key of its own, in its own name.
        let mut world = World::new();
        let proposal = world.proposal(vec![rotation(&world, 0, &validator_key(1), &secret(90))]);
        let index = world.decide_on(&proposal, ONE);
        let next = changed(&[(validator_key(1), 0), (secret(90), 1)]);
        let key = [secret(90), validator_key(1)].into_iter().min_by_key(address).unwrap();
        let hand_over = hand_over(&mut world, next, &[index]);
        unexplained(&world.trust(), &hand_over, &key);
    }
    #[test]
    fn with_a_rotation_of_another_bureau_on_ones_own_word() {
        let mut world = World::new();
        let proposal = world.proposal(vec![rotation(&world, 1, &validator_key(1), &secret(90))]);
        let index = world.decide_on(&proposal, ONE);
        let next = changed(&[(validator_key(1), 0), (secret(90), 1)]);
        let hand_over = hand_over(&mut world, next, &[index]);
        assert!(matches!(refused(&world.trust(), &hand_over), HandOverError::TooFewVotes { yes: 1, bureaus: 4, .. }));
    }
    #[test]
    fn with_an_own_decision_that_others_voted_for() {
        let mut world = World::new();
        let proposal = world.proposal(vec![rotation(&world, 0, &validator_key(0), &secret(90))]);
        let others = [(1, Choice::Yes), (2, Choice::Yes), (3, Choice::Yes)];
        let index = world.decide_on(&proposal, &others);
        let next = changed(&[(validator_key(0), 0), (secret(90), 1)]);
        let hand_over = hand_over(&mut world, next, &[index]);
        assert!(matches!(refused(&world.trust(), &hand_over), HandOverError::TooFewVotes { yes: 0, .. }));
    }
    #[test]
    fn one_seat_does_not_become_two() {
        let (world, action) = (World::new(), rotation(&World::new(), 0, &validator_key(0), &secret(90)));
        let (_, hand_over) = decided(vec![action], changed(&[(secret(90), 1)]));
        unexplained(&world.trust(), &hand_over, &secret(90));
    }
    #[test]
    fn a_rotation_takes_no_seat_that_it_does_not_give() {
        let action = rotation(&World::new(), 0, &validator_key(0), &secret(90));
        let (world, hand_over) = decided(vec![action], changed(&[(validator_key(0), 0)]));
        unexplained(&world.trust(), &hand_over, &validator_key(0));
    }
    #[test]
    fn a_rotation_keeps_the_power() {
        let action = rotation(&World::new(), 0, &validator_key(0), &secret(90));
        let next = changed(&[(validator_key(0), 0), (secret(90), 2)]);
        let (world, hand_over) = decided(vec![action], next);
        unexplained(&world.trust(), &hand_over, &secret(90));
    }
    #[test]
    fn rotations_in_a_circle() {
        let mut world = World::new();
        for key in [secret(90), secret(91)] {
            world.put(&key_entry(bureau(0), KeyRole::Validator, key.public_key()));
        }
        let actions =
            vec![rotation(&world, 0, &secret(90), &secret(91)), rotation(&world, 0, &secret(91), &secret(90))];
        let proposal = world.proposal(actions);
        let index = world.decide_on(&proposal, ONE);
        let hand_over = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
        unexplained(&world.trust(), &hand_over, &secret(90));
    }
    #[test]
    fn the_freeze_of_another_bureau() {
        let (world, hand_over) =
            decided(vec![Action::FreezeBureau { bureau: bureau(2) }], changed(&[(validator_key(3), 0)]));
        unexplained(&world.trust(), &hand_over, &validator_key(3));
        let (world, hand_over) =
            decided(vec![Action::RemoveBureau { bureau: bank() }], changed(&[(validator_key(3), 0)]));
        unexplained(&world.trust(), &hand_over, &validator_key(3));
    }
    #[test]
    fn a_double_signature_that_is_none() {
        let mut world = World::new();
        let index = equivocation(&mut world, &validator_key(2), &validator_key(3));
        let forged = hand_over(&mut world, changed(&[(validator_key(3), 0)]), &[index]);
        assert!(matches!(refused(&world.trust(), &forged), HandOverError::Equivocation(..)));
        let mut world = World::new();
        let index = equivocation(&mut world, &validator_key(2), &validator_key(2));
        let other = hand_over(&mut world, changed(&[(validator_key(3), 0)]), &[index]);
        unexplained(&world.trust(), &other, &validator_key(3));
    }
    #[test]
    fn a_decision_replayed() {
        // Seated, unseated, and then seated again by the old decision in a new record.
        let mut world = World::new();
        let mut trust = world.trust();
        let proposal = world.proposal(vec![seat(0, &secret(90), 1)]);
        let index = world.decide_on(&proposal, THREE);
        let came = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
        enter(&mut world, &mut trust, &came, [founders(), vec![secret(90)]].concat());
        let end = world.proposal(vec![unseat(0, &secret(90))]);
        let index = world.decide_on(&end, THREE);
        let went = hand_over(&mut world, changed(&[]), &[index]);
        enter(&mut world, &mut trust, &went, founders());
        let index = world.decide_on(&proposal, THREE);
        let replayed = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
        unexplained(&trust, &replayed, &secret(90));
        // A new decision of the same content seats it again.
        let again = Proposal { created: world.time, ..proposal };
        let index = world.decide_on(&again, THREE);
        let honest = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
        trust.hand_over(&honest, world.time).unwrap();
    }
    #[test]
    fn a_decision_of_another_year() {
        for (days, fresh) in [(89, true), (91, false)] {
            let mut world = World::new();
            let proposal = world.proposal(vec![seat(0, &secret(90), 1)]);
            let index = world.decide_on(&proposal, THREE);
            world.time.0 += days * DAY;
            let late = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
            if fresh {
                world.trust().hand_over(&late, world.time).unwrap();
            } else {
                assert_eq!(refused(&world.trust(), &late), HandOverError::TooOld(proposal.id()));
            }
        }
    }
    #[test]
    fn old_votes_in_a_new_record() {
        let mut world = World::new();
        let proposal = world.proposal(vec![seat(0, &secret(90), 1)]);
        world.time = TimeMs(proposal.expires.0 + 1);
        let index = world.decide_on(&proposal, THREE);
        let late = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
        assert_eq!(refused(&world.trust(), &late), HandOverError::Lifetime(proposal.id()));
        world.time = TimeMs(proposal.created.0 - 1);
        world.records.pop();
        let index = world.decide_on(&proposal, THREE);
        let early = hand_over(&mut world, changed(&[(secret(90), 1)]), &[index]);
        assert_eq!(refused(&world.trust(), &early), HandOverError::Lifetime(proposal.id()));
    }
    #[test]
    fn from_another_set() {
        let (world, hand_over) = decided(vec![seat(0, &secret(90), 1)], changed(&[(secret(90), 1)]));
        let chain = world.genesis.chain();
        assert_eq!(hand_over.verify(&chain, &world.next, &[]), Err(HandOverError::OtherCurrentSet));
        assert!(hand_over.verify(&chain, &world.set, &[]).is_ok());
    }
}
