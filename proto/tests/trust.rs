//! The light client: which headers it believes, what it remembers, and how trust is handed over.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::governance::Proposal;
use kanhe_proto::hand_over::{HandOver, HandOverError};
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Era, Height, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::record::{Choice, GovernanceRecord, Record};
use kanhe_proto::registry::{
    Authority, Effect, Intervals, KeyEntry, KeyRole, Membership, Parameters, RegistryRecord, Threshold,
};
use kanhe_proto::trust::{Trust, TrustError};
use world::{BUREAUS, DAY, START, World, bureau, governance_key};

const YES: Choice = Choice::Yes;
const NO: Choice = Choice::No;

fn code<T>(result: Result<T, TrustError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "believed")
}

mod headers {
    use super::*;

    #[test]
    fn a_certified_one_is_believed_and_the_newest_remembered() {
        let mut world = World::new();
        let mut trust = world.trust();
        assert_eq!((trust.height(), trust.newest()), (Height(0), None));
        let first = world.certified();
        trust.accept(&first, world.time).unwrap();
        assert_eq!(trust.newest(), Some(&first.header));
        world.block();
        trust.accept(&world.certified(), world.time).unwrap();
        assert_eq!(trust.height(), first.header.height.next());
        trust.accept(&first, world.time).unwrap();
        assert_eq!(trust.height(), first.header.height.next(), "an older one is believed and changes nothing");
        assert_eq!(Trust::from_bytes(&trust.to_bytes()).unwrap(), trust);
    }
    #[test]
    fn checking_remembers_nothing() {
        let world = World::new();
        let trust = world.trust();
        trust.check(&world.certified(), world.time).unwrap();
        trust.check_online(&world.certified(), world.time).unwrap();
        assert_eq!(trust, world.trust());
    }
    #[test]
    fn of_another_chain_or_era() {
        let world = World::new();
        let trust = world.trust();
        let mut header = world.header();
        header.chain_id.0[31] ^= 1;
        assert_eq!(code(trust.check(&world.certify(header), world.time)), "unknown_chain");
        let header = Header { era: Era(1), ..world.header() };
        assert_eq!(code(trust.check(&world.certify(header), world.time)), "unknown_chain");
    }
    #[test]
    fn ahead_of_the_clock() {
        let world = World::new();
        let trust = world.trust();
        let certified = world.certified();
        assert_eq!(code(trust.check(&certified, TimeMs(world.time.0 - 60_000))), "believed");
        assert_eq!(code(trust.check(&certified, TimeMs(world.time.0 - 60_001))), "ahead_of_clock");
    }
    #[test]
    fn a_quorum_is_more_than_two_thirds() {
        let world = World::new();
        let trust = world.trust();
        let header = world.header();
        let with = |signers| kanhe_proto::proof::CertifiedHeader {
            header: header.clone(),
            certificate: world.certificate(&header, signers),
        };
        assert_eq!(code(trust.check(&with(&world.validators[..3]), world.time)), "believed");
        assert_eq!(code(trust.check(&with(&world.validators[..2]), world.time)), "certificate_wrong");
        assert_eq!(code(trust.check(&with(&world.validators), world.time)), "certificate_wrong", "not trimmed");
    }
    #[test]
    fn nothing_new_after_the_trust_period() {
        let mut world = World::new();
        let mut trust = world.trust();
        let period = trust.trust_period.0;
        let old = world.certified();
        trust.accept(&old, world.time).unwrap();
        world.height += 1;
        let newest = trust.newest().unwrap().time;
        world.time = TimeMs(newest.0 + period);
        let last_moment = world.certified();
        assert_eq!(code(trust.clone().accept(&last_moment, world.time)), "believed");
        let late = TimeMs(newest.0 + period + 1);
        assert_eq!(code(trust.accept(&last_moment, late)), "trust_stale");
        assert_eq!(code(trust.check(&old, late)), "believed", "what is not newer was believed before");
    }
    #[test]
    fn a_pin_is_as_old_as_the_moment_of_the_pin() {
        let world = World::new();
        let late = TimeMs(START.0 + 3 * 365 * DAY);
        let trust = Trust::pin(&world.genesis, late).unwrap();
        assert_eq!(code(trust.check(&world.certified(), late)), "believed");
        assert_eq!(code(world.trust().check(&world.certified(), late)), "trust_stale");
    }
}

mod online {
    use super::*;

    #[test]
    fn less_than_is_known_is_a_rollback() {
        let mut world = World::new();
        let mut trust = world.trust();
        let old = world.certified();
        world.block();
        let newest = world.certified();
        trust.accept(&newest, world.time).unwrap();
        assert_eq!(code(trust.check_online(&old, world.time)), "rollback");
        assert_eq!(code(trust.check_online(&newest, world.time)), "believed");
        assert_eq!(code(trust.check(&old, world.time)), "believed", "stapled evidence is judged by age alone");
    }
    #[test]
    fn older_than_three_heartbeats_is_a_rollback() {
        let world = World::new();
        let trust = world.trust();
        let limit = 3 * trust.heartbeat.0;
        let certified = world.certified();
        assert_eq!(code(trust.check_online(&certified, TimeMs(world.time.0 + limit))), "believed");
        assert_eq!(code(trust.check_online(&certified, TimeMs(world.time.0 + limit + 1))), "rollback");
    }
}

mod conflicts {
    use super::*;

    fn twins() -> (World, World) {
        let world = World::new();
        let mut other = world.clone();
        other.records.push(b"\x09\x01a second history".to_vec());
        (world, other)
    }

    #[test]
    fn are_kept_and_stop_trust_for_good() {
        let (mut world, other) = twins();
        let mut trust = world.trust();
        let (first, second) = (world.certified(), other.certified());
        trust.accept(&first, world.time).unwrap();
        assert_eq!(code(trust.accept(&second, world.time)), "conflicting_headers");
        let conflict = trust.conflict.clone().unwrap();
        assert_eq!((&conflict.first, &conflict.second), (&first, &second));
        assert_eq!(code(trust.check(&first, world.time)), "conflicting_headers");
        world.block();
        assert_eq!(code(trust.accept(&world.certified(), world.time)), "conflicting_headers");
        assert_eq!(trust.conflict, Some(conflict), "the first conflict stays");
        assert_eq!(trust.newest(), Some(&first.header));
        let kept = Trust::from_bytes(&trust.to_bytes()).unwrap();
        assert_eq!(code(kept.check(&first, world.time)), "conflicting_headers");
    }
    #[test]
    fn in_a_hand_over_are_kept_too() {
        let (world, mut other) = twins();
        let mut trust = world.trust();
        trust.accept(&world.certified(), world.time).unwrap();
        let act = other.decide(&[(0, YES), (1, YES), (2, YES)]);
        other.next = World::other_set();
        let hand_over = other.hand_over(vec![other.act(act)]);
        assert_eq!(code(trust.hand_over(&hand_over, world.time)), "conflicting_headers");
        assert_eq!(trust.conflict.unwrap().second, hand_over.certified);
    }
    #[test]
    fn are_not_another_certificate_of_one_header() {
        let world = World::new();
        let mut trust = world.trust();
        let header = world.header();
        trust.accept(&world.certified(), world.time).unwrap();
        for without in 0..BUREAUS {
            let mut signers = world.validators.clone();
            signers.remove(without);
            let certificate = world.certificate(&header, &signers);
            let certified = kanhe_proto::proof::CertifiedHeader { header: header.clone(), certificate };
            assert_eq!(code(trust.accept(&certified, world.time)), "believed");
        }
        assert_eq!(trust.conflict, None);
    }
    #[test]
    fn need_a_certificate() {
        let (world, other) = twins();
        let mut trust = world.trust();
        trust.accept(&world.certified(), world.time).unwrap();
        let mut forged = other.certified();
        forged.certificate = world.certified().certificate;
        assert_eq!(code(trust.accept(&forged, world.time)), "certificate_wrong");
        assert_eq!(trust.conflict, None);
    }
}

mod hand_overs {
    use super::*;

    /// The bureaus decided with these votes, and the set changes.
    fn decided(votes: &[(usize, Choice)]) -> (World, HandOver) {
        let mut world = World::new();
        let act = world.decide(votes);
        world.next = World::other_set();
        let hand_over = world.hand_over(vec![world.act(act)]);
        (world, hand_over)
    }
    fn refusal(world: &World, hand_over: &HandOver) -> HandOverError {
        let mut trust = world.trust();
        match trust.hand_over(hand_over, world.time) {
            Err(TrustError::HandOver(error)) => {
                assert_eq!(trust, world.trust(), "a refused hand-over changes nothing");
                assert_eq!(TrustError::HandOver(error.clone()).code(), "hand_over_wrong");
                *error
            }
            other => panic!("{other:?}"),
        }
    }
    fn reason(world: &World, hand_over: &HandOver) -> &'static str {
        match refusal(world, hand_over) {
            HandOverError::Vote { reason, .. } => reason,
            other => panic!("{other}"),
        }
    }
    /// Spoils the governance record and puts it into the log so.
    fn spoilt_record(spoil: impl FnOnce(&World, &mut GovernanceRecord)) -> (World, HandOver) {
        let mut world = World::new();
        let index = world.decide(&[(0, YES), (1, YES), (2, YES)]);
        let mut record = GovernanceRecord::from_record(&world.records[index.0 as usize]).unwrap();
        spoil(&world, &mut record);
        world.records[index.0 as usize] = record.to_record();
        world.next = World::other_set();
        let hand_over = world.hand_over(vec![world.act(index)]);
        (world, hand_over)
    }

    #[test]
    fn with_a_decision_of_more_than_two_thirds() {
        for votes in [&[(0, YES), (1, YES), (2, YES)][..], &[(0, YES), (1, NO), (2, YES), (3, YES)]] {
            let (mut world, hand_over) = decided(votes);
            let mut trust = world.trust();
            trust.hand_over(&hand_over, world.time).unwrap();
            assert_eq!(trust.newest(), Some(&hand_over.certified.header));
            assert_eq!(trust.sets().len(), 2);
            let (last, first) = (hand_over.certified.header.height, hand_over.certified.header.height.next());
            assert_eq!(trust.validators_at(last), Some(&world.set));
            assert_eq!(trust.validators_at(first), Some(&world.next));
            let old = hand_over.certified;
            world.begin_epoch();
            trust.accept(&world.certified(), world.time).unwrap();
            assert_eq!(code(world.trust().accept(&world.certified(), world.time)), "unknown_validators");
            trust.check(&old, world.time).unwrap();
            assert_eq!(Trust::from_bytes(&trust.to_bytes()).unwrap(), trust);
        }
    }
    #[test]
    fn of_the_old_set_no_longer_count() {
        let (mut world, hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let mut trust = world.trust();
        trust.hand_over(&hand_over, world.time).unwrap();
        let stayed = world.clone();
        world.begin_epoch();
        let mut late = stayed;
        late.block();
        assert_eq!(code(trust.accept(&late.certified(), late.time)), "unknown_validators");
    }
    #[test]
    fn twice_is_once() {
        let (world, hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let mut trust = world.trust();
        trust.hand_over(&hand_over, world.time).unwrap();
        let once = trust.clone();
        trust.hand_over(&hand_over, world.time).unwrap();
        assert_eq!(trust, once);
    }
    #[test]
    fn without_a_change_need_no_decision() {
        let world = World::new();
        let mut trust = world.trust();
        trust.hand_over(&world.hand_over(Vec::new()), world.time).unwrap();
        assert_eq!((trust.sets().len(), trust.height()), (1, world.header().height));
    }
    #[test]
    fn with_a_change_need_one() {
        let mut world = World::new();
        world.next = World::other_set();
        assert_eq!(refusal(&world, &world.hand_over(Vec::new())), HandOverError::WithoutActs);
    }
    #[test]
    fn of_another_set_than_the_header_names() {
        let (world, mut hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        hand_over.next = world.set.clone();
        assert_eq!(refusal(&world, &hand_over), HandOverError::OtherSet);
    }
    #[test]
    fn with_too_few_votes() {
        for votes in
            [&[][..], &[(0, YES), (1, YES)], &[(0, YES), (1, YES), (2, NO)], &[(0, YES), (1, YES), (2, NO), (3, NO)]]
        {
            let (world, hand_over) = decided(votes);
            let refused = refusal(&world, &hand_over);
            assert!(matches!(refused, HandOverError::TooFewVotes { bureaus: 4, .. }), "{refused}");
        }
    }
    #[test]
    fn are_counted_by_the_share_and_the_members_of_their_block() {
        let (mut world, act) = (World::new(), &[(0, YES), (1, YES), (2, YES)]);
        let fewer = |parameters: &mut Parameters| {
            parameters.threshold_constitution = Threshold { numerator: 3, denominator: 4 };
        };
        let before = world.decide(act);
        world.change::<Parameters>(&(), fewer);
        let after = world.decide(act);
        world.next = World::other_set();
        let hand_over = world.hand_over(vec![world.act(after)]);
        assert!(matches!(refusal(&world, &hand_over), HandOverError::TooFewVotes { yes: 3, .. }));
        let members = (1..BUREAUS).map(bureau).chain([world::bank()]).collect();
        world.put(&Membership { bureaus: List::new(members).unwrap() });
        let hand_over = world.hand_over(vec![world.act(before)]);
        world.trust().hand_over(&hand_over, world.time).unwrap();
    }
    #[test]
    fn with_more_votes_than_members() {
        let (world, hand_over) = spoilt_record(|_, record| record.members = 2);
        assert!(matches!(refusal(&world, &hand_over), HandOverError::TooFewVotes { yes: 3, bureaus: 2, .. }));
    }
    #[test]
    fn with_a_wrong_signature() {
        let wrong = "wrong signature";
        let (world, hand_over) = spoilt_record(|_, record| {
            let first = record.votes[0].signature.clone();
            record.votes.as_mut_slice()[1].signature = first;
        });
        assert_eq!(reason(&world, &hand_over), wrong);
        let (world, hand_over) = spoilt_record(|_, record| record.votes.as_mut_slice()[1].choice = NO);
        assert_eq!(reason(&world, &hand_over), wrong);
        let (world, hand_over) = spoilt_record(|_, record| {
            let mut proposal = Proposal::from_bytes(&record.proposal).unwrap();
            proposal.note = Text::new("another").unwrap();
            record.proposal = Blob::new(proposal.to_bytes()).unwrap();
        });
        assert_eq!(reason(&world, &hand_over), wrong);
    }
    #[test]
    fn with_bytes_that_are_no_proposal() {
        let (world, hand_over) = spoilt_record(|_, record| record.proposal = Blob::new(b"another".to_vec()).unwrap());
        assert!(matches!(refusal(&world, &hand_over), HandOverError::Proposal(_)));
    }
    #[test]
    fn with_votes_out_of_order_or_twice() {
        let wrong = "votes are not in ascending order, one a bureau";
        let (world, hand_over) = spoilt_record(|_, record| record.votes.as_mut_slice().swap(0, 1));
        assert_eq!(reason(&world, &hand_over), wrong);
        let (world, hand_over) = decided(&[(0, YES), (0, YES), (1, YES)]);
        assert_eq!(reason(&world, &hand_over), wrong);
    }
    #[test]
    fn with_a_key_of_another_role() {
        let mut world = World::new();
        let act = world.decide(&[(0, YES), (1, YES), (2, YES)]);
        let id = (bureau(1), governance_key(1).public_key().id());
        world.change::<KeyEntry>(&id, |key| key.role = KeyRole::Issuing);
        world.next = World::other_set();
        let hand_over = world.hand_over(vec![world.act(act)]);
        assert_eq!(reason(&world, &hand_over), "its key is not one of governance");
    }
    #[test]
    fn with_a_key_that_was_not_valid_then() {
        let mut world = World::new();
        world.height = 20;
        let act = world.decide(&[(0, YES), (1, YES), (2, YES)]);
        let id = (bureau(1), governance_key(1).public_key().id());
        world.change::<KeyEntry>(&id, |key| {
            key.intervals.end(Height(20), Authority::Genesis, Effect::Keep).unwrap();
        });
        world.next = World::other_set();
        let hand_over = world.hand_over(vec![world.act(act)]);
        // The decision itself may have ended it.
        world.trust().hand_over(&hand_over, world.time).unwrap();
        world.change::<KeyEntry>(&id, |key| {
            key.intervals = Intervals::from(Height(0), Authority::Genesis);
            key.intervals.end(Height(19), Authority::Genesis, Effect::Keep).unwrap();
        });
        let hand_over = world.hand_over(vec![world.act(act)]);
        assert_eq!(reason(&world, &hand_over), "its key was not valid then");
    }
    #[test]
    fn with_a_key_that_is_not_shown_or_not_proved() {
        let (world, hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let mut fewer = hand_over.clone();
        fewer.acts.as_mut_slice()[0].keys = List::new(hand_over.acts[0].keys[..2].to_vec()).unwrap();
        assert_eq!(reason(&world, &fewer), "its key is not shown");
        let mut swapped = hand_over.clone();
        swapped.acts.as_mut_slice()[0].keys.as_mut_slice().swap(0, 1);
        assert_eq!(refusal(&world, &swapped), HandOverError::Registry("governance key"));
        let mut hidden = hand_over.clone();
        hidden.parameters.value = None;
        assert_eq!(refusal(&world, &hidden), HandOverError::Registry("set of parameters"));
        let mut other = hand_over;
        other.parameters = world.registry_leaf(Membership::key_of(&()));
        assert_eq!(refusal(&world, &other), HandOverError::Registry("set of parameters"));
    }
    #[test]
    fn with_a_decision_that_is_not_in_the_log() {
        let (mut world, hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let act = hand_over.acts[0].clone();
        world.records.pop();
        world.records.push(b"\x09\x01nothing".to_vec());
        let forged = world.hand_over(vec![act]);
        assert!(matches!(refusal(&world, &forged), HandOverError::NotInLog(_)));
    }
    #[test]
    fn with_a_record_of_another_kind() {
        let (world, hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let mut act = hand_over.acts[0].clone();
        act.record = world.proved_record(kanhe_proto::ids::LogIndex(0));
        let other = world.hand_over(vec![act]);
        assert_eq!(refusal(&world, &other), HandOverError::NotGovernance);
    }
    #[test]
    fn with_one_bad_decision_among_good_ones() {
        let mut world = World::new();
        let good = world.decide(&[(0, YES), (1, YES), (2, YES)]);
        let bad = world.decide(&[(0, YES)]);
        world.next = World::other_set();
        let hand_over = world.hand_over(vec![world.act(good), world.act(bad)]);
        assert!(matches!(refusal(&world, &hand_over), HandOverError::TooFewVotes { yes: 1, .. }));
    }
    #[test]
    fn below_what_is_known_are_a_rollback() {
        let (mut world, hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let mut trust = world.trust();
        trust.accept(&hand_over.certified, world.time).unwrap();
        trust.hand_over(&hand_over, world.time).unwrap();
        world.begin_epoch();
        trust.accept(&world.certified(), world.time).unwrap();
        assert_eq!(code(trust.hand_over(&hand_over, world.time)), "rollback");
    }
    #[test]
    fn not_certified_by_the_set_in_force() {
        let (mut world, _) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let trust = world.trust();
        world.set = World::other_set();
        world.validators = World::other_keys();
        let hand_over = world.hand_over(Vec::new());
        assert_eq!(code(trust.clone().hand_over(&hand_over, world.time)), "unknown_validators");
    }
    #[test]
    fn of_bytes_that_are_none() {
        let (_, hand_over) = decided(&[(0, YES), (1, YES), (2, YES)]);
        let bytes = hand_over.to_bytes();
        assert_eq!(HandOver::from_bytes(&bytes), Ok(hand_over.clone()));
        assert!(matches!(HandOver::from_bytes(&bytes[1..]), Err(HandOverError::Codec(_))));
        let version = HandOver { version: 9, ..hand_over };
        assert_eq!(HandOver::from_bytes(&version.to_bytes()), Err(HandOverError::Version(9)));
    }
}
