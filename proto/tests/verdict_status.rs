//! Rules 3 to 8 of the verdict: right to issue, status at three levels, dates, age, and the order among them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::bounded::List;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::registry::{
    Accreditation, Authority, Bureau, Effect, Intervals, KeyEntry, KeyRole, LicenceType, RegistryRecord, Supervision,
};
use kanhe_proto::status::{BatchStatus, Reaffirmation, Status, StatusEntry};
use kanhe_proto::verdict::Outcome::{self, *};
use world::{BUSINESS_TYPE, DAY, Held, PERSON_TYPE, SECOND, START, Spec, World, bureau, issuing_key, said, vct};

const HOUR: u64 = 3_600_000;

fn type_code(code: &str) -> kanhe_proto::identifiers::TypeCode {
    code.parse().unwrap()
}
fn after(time: TimeMs, ms: u64) -> TimeMs {
    TimeMs(time.0 + ms)
}
/// Height of the batch in [`World::with_licence`].
const BATCH: Height = Height(2);

/// Ends the open interval.
fn end(intervals: &mut Intervals, to: u64, effect: Effect) {
    intervals.end(Height(to), Authority::Genesis, effect).unwrap();
}

mod right_to_issue {
    use super::*;

    fn refused(world: &World, held: &Held, code: &str) {
        let verdict = world.judge(held);
        assert_eq!(said(&verdict), (Invalid, 3, code));
    }

    /// Each record must hold at the batch's height: one case for every way in which it can end.
    fn each_end<T: RegistryRecord>(id: &T::Id, intervals: fn(&mut T) -> &mut Intervals, code: &str) {
        let cases: [(u64, Effect, bool); 6] = [
            (3, Effect::Keep, true),
            (2, Effect::Keep, false),
            (3, Effect::VoidFrom(Height(3)), true),
            (3, Effect::VoidFrom(Height(2)), false),
            (3, Effect::VoidFrom(Height(1)), false),
            (2, Effect::VoidFrom(Height(9)), false),
        ];
        for (to, effect, stands) in cases {
            let (mut world, held) = World::with_licence();
            world.change::<T>(id, |record| end(intervals(record), to, effect));
            if stands {
                assert_eq!(said(&world.judge(&held)), (Valid, 8, "valid"), "to {to}, {effect:?}");
            } else {
                refused(&world, &held, code);
            }
        }
        let (mut world, held) = World::with_licence();
        world.change::<T>(id, |record| *intervals(record) = Intervals::from(Height(3), Authority::Genesis));
        refused(&world, &held, code);
        let (mut world, held) = World::with_licence();
        world.change::<T>(id, |record| {
            end(intervals(record), 1, Effect::Keep);
            intervals(record).open(BATCH, Authority::Genesis).unwrap();
        });
        assert!(world.judge(&held).is_valid(), "what came back in time holds");
    }

    #[test]
    fn the_issuer_was_a_member() {
        each_end::<Bureau>(&bureau(0), |record| &mut record.intervals, "issuer_not_member");
        let (mut world, held) = World::with_licence();
        world.registry.remove(&Bureau::key_of(&bureau(0)));
        refused(&world, &held, "issuer_not_member");
    }
    #[test]
    fn the_key_was_valid() {
        let id = (bureau(0), issuing_key(0).public_key().id());
        each_end::<KeyEntry>(&id, |record| &mut record.intervals, "key_not_valid");
    }
    #[test]
    fn the_key_was_known() {
        let (mut world, held) = World::with_licence();
        world.registry.remove(&KeyEntry::key_of(&(bureau(0), issuing_key(0).public_key().id())));
        refused(&world, &held, "key_unknown");
    }
    #[test]
    fn the_key_was_one_to_issue_with() {
        for role in [KeyRole::Governance, KeyRole::Validator, KeyRole::Network, KeyRole::Sealing] {
            let (mut world, held) = World::with_licence();
            let id = (bureau(0), issuing_key(0).public_key().id());
            world.change::<KeyEntry>(&id, |key| key.role = role);
            refused(&world, &held, "key_unknown");
        }
    }
    #[test]
    fn a_key_of_another_bureau_is_unknown() {
        let mut world = World::new();
        let spec = Spec { signer: issuing_key(1), ..Spec::new(PERSON_TYPE, 101, 1) };
        let held = world.issue(&[spec]).remove(0);
        refused(&world, &held, "key_unknown");
    }
    #[test]
    fn the_issuer_was_accredited() {
        let id = (bureau(0), type_code(PERSON_TYPE));
        each_end::<Accreditation>(&id, |record| &mut record.intervals, "not_accredited");
        let (mut world, held) = World::with_licence();
        world.registry.remove(&Accreditation::key_of(&id));
        refused(&world, &held, "not_accredited");
    }
    #[test]
    fn the_type_was_in_force() {
        let id = (type_code(PERSON_TYPE), vct(PERSON_TYPE).version);
        each_end::<LicenceType>(&id, |record| &mut record.intervals, "type_not_in_force");
        let (mut world, held) = World::with_licence();
        world.registry.remove(&LicenceType::key_of(&id));
        refused(&world, &held, "type_not_in_force");
    }
    #[test]
    fn comes_before_status_dates_and_age() {
        let (mut world, held) = World::with_licence();
        let entry = world.entry(Status::Revoked);
        world.set_licence(&held, vec![entry]);
        world.registry.remove(&Accreditation::key_of(&(bureau(0), type_code(PERSON_TYPE))));
        let verdict = world.judge_at(&held, after(world.time, 400 * DAY), None);
        // Older than the trust period it still says so: nothing newer is known.
        assert_eq!(verdict.outcome, Undecided);
        assert_eq!(verdict.code, "trust_stale");
        let verdict = world.judge_at(&held, after(world.time, 300 * DAY), Some(after(world.time, 350 * DAY)));
        assert_eq!(said(&verdict), (Invalid, 3, "not_accredited"));
    }
}

mod levels {
    use super::*;

    fn with_licence_entry(status: Status) -> (World, Held) {
        let (mut world, held) = World::with_licence();
        let entry = world.entry(status);
        world.set_licence(&held, vec![entry]);
        (world, held)
    }
    fn batch(entries: Vec<StatusEntry>) -> BatchStatus {
        BatchStatus { entries: List::new(entries).unwrap(), reaffirmed: None }
    }
    fn distrust(world: &mut World, from: u64) {
        let id = (bureau(0), issuing_key(0).public_key().id());
        world.change::<KeyEntry>(&id, |key| key.distrusted_from = Some(Height(from)));
    }

    #[test]
    fn of_the_licence() {
        for (status, outcome, rule) in
            [(Status::Suspended, Suspended, 7), (Status::Superseded, Superseded, 4), (Status::Revoked, Revoked, 4)]
        {
            let (world, held) = with_licence_entry(status);
            let verdict = world.judge(&held);
            assert_eq!(said(&verdict), (outcome, rule, "licence"));
            assert_eq!(verdict.licences[0].status, Some(status));
        }
    }
    #[test]
    fn of_another_licence_of_the_batch_says_nothing() {
        let mut world = World::new();
        let held = world.issue(&[Spec::new(PERSON_TYPE, 101, 1), Spec::new(PERSON_TYPE, 102, 2)]);
        let entry = world.entry(Status::Revoked);
        world.set_licence(&held[1], vec![entry]);
        assert!(world.judge(&held[0]).is_valid());
        assert_eq!(world.judge(&held[1]).outcome, Revoked);
    }
    #[test]
    fn of_the_batch() {
        for (status, outcome, rule) in
            [(Status::Suspended, Suspended, 7), (Status::Superseded, Superseded, 4), (Status::Revoked, Revoked, 4)]
        {
            let (mut world, held) = World::with_licence();
            let entry = world.entry(status);
            world.set_batch(&held, &batch(vec![entry]));
            assert_eq!(said(&world.judge(&held)), (outcome, rule, "batch"));
        }
    }
    #[test]
    fn the_worst_counts_and_of_equals_the_licences_own() {
        let (mut world, held) = with_licence_entry(Status::Suspended);
        let entry = world.entry(Status::Suspended);
        world.set_batch(&held, &batch(vec![entry]));
        assert_eq!(said(&world.judge(&held)), (Suspended, 7, "licence"));
        let entry = world.entry(Status::Superseded);
        world.set_batch(&held, &batch(vec![entry]));
        assert_eq!(said(&world.judge(&held)), (Superseded, 4, "batch"));
        distrust(&mut world, 1);
        assert_eq!(said(&world.judge(&held)), (Revoked, 4, "key_compromised"));
    }
    #[test]
    fn lifted_again() {
        let (mut world, held) = World::with_licence();
        let entries = vec![world.entry(Status::Suspended), world.entry(Status::Active)];
        world.set_licence(&held, entries);
        assert!(world.judge(&held).is_valid());
    }
    #[test]
    fn of_a_stolen_key() {
        for (from, stolen) in [(1, true), (2, true), (3, false)] {
            let (mut world, held) = World::with_licence();
            distrust(&mut world, from);
            let verdict = world.judge(&held);
            if stolen {
                assert_eq!(said(&verdict), (Revoked, 4, "key_compromised"));
            } else {
                assert!(verdict.is_valid(), "recorded before the theft");
            }
        }
    }
    #[test]
    fn a_batch_reaffirmed_is_good_again_by_its_own_status() {
        let (mut world, held) = World::with_licence();
        distrust(&mut world, 1);
        let key = world::governance_key(0).public_key().id();
        let reaffirmed = Some(Reaffirmation { height: Height(world.height), key });
        world.set_batch(&held, &BatchStatus { entries: List::empty(), reaffirmed: reaffirmed.clone() });
        assert!(world.judge(&held).is_valid());
        let entry = world.entry(Status::Suspended);
        world.set_batch(&held, &BatchStatus { entries: List::new(vec![entry]).unwrap(), reaffirmed });
        assert_eq!(said(&world.judge(&held)), (Suspended, 7, "batch"));
    }
}

mod supervision {
    use super::*;

    fn supervised(code: &str) -> (World, Held) {
        let (mut world, held) = World::with_licence();
        let entry = world.supervisor_entry(Status::Revoked, code);
        world.set_licence(&held, vec![entry]);
        (world, held)
    }

    #[test]
    fn of_the_licences_type_counts() {
        let (world, held) = supervised(PERSON_TYPE);
        assert_eq!(said(&world.judge(&held)), (Revoked, 4, "licence"));
    }
    #[test]
    fn of_another_type_is_ignored() {
        let (world, held) = supervised(BUSINESS_TYPE);
        assert!(world.judge(&held).is_valid());
    }
    #[test]
    fn without_a_right_is_ignored() {
        let (mut world, held) = supervised(PERSON_TYPE);
        let id = (bureau(1), bureau(0), type_code(PERSON_TYPE));
        world.registry.remove(&Supervision::key_of(&id));
        assert!(world.judge(&held).is_valid(), "absence of the right is proved");
        let (mut world, held) = supervised(PERSON_TYPE);
        let acted = world.height;
        world.change::<Supervision>(&id, |right| end(&mut right.intervals, acted, Effect::Keep));
        assert!(world.judge(&held).is_valid(), "the right had ended when it acted");
        let (mut world, held) = supervised(PERSON_TYPE);
        world.change::<Supervision>(&id, |right| end(&mut right.intervals, acted + 1, Effect::Keep));
        assert_eq!(world.judge(&held).outcome, Revoked, "the right ended after it acted");
    }
    #[test]
    fn whose_right_is_not_shown_leaves_it_undecided() {
        for code in [PERSON_TYPE, BUSINESS_TYPE] {
            let (world, held) = supervised(code);
            let verdict = world.judge_with(&held, |evidence| evidence.supervisions = List::empty());
            if code == PERSON_TYPE {
                assert_eq!(said(&verdict), (Undecided, 2, "supervision_missing"));
            } else {
                assert!(verdict.is_valid(), "what is ignored need not be shown");
            }
        }
    }
    #[test]
    fn on_a_batch_counts_too() {
        let (mut world, held) = World::with_licence();
        let entry = world.supervisor_entry(Status::Suspended, PERSON_TYPE);
        world.set_batch(&held, &BatchStatus { entries: List::new(vec![entry]).unwrap(), reaffirmed: None });
        assert_eq!(said(&world.judge(&held)), (Suspended, 7, "batch"));
        let verdict = world.judge_with(&held, |evidence| evidence.supervisions = List::empty());
        assert_eq!(said(&verdict), (Undecided, 2, "supervision_missing"));
    }
    #[test]
    fn an_ignored_entry_leaves_the_one_before_in_force() {
        let (mut world, held) = World::with_licence();
        let entries = vec![world.entry(Status::Suspended), world.supervisor_entry(Status::Active, BUSINESS_TYPE)];
        world.set_licence(&held, entries);
        assert_eq!(said(&world.judge(&held)), (Suspended, 7, "licence"));
        let entries = vec![
            world.supervisor_entry(Status::Suspended, PERSON_TYPE),
            world.supervisor_entry(Status::Active, PERSON_TYPE),
        ];
        world.set_licence(&held, entries);
        assert!(world.judge(&held).is_valid(), "a supervisor lifts what a supervisor set");
    }
}

mod dates {
    use super::*;

    fn dated(from: Option<TimeMs>, to: Option<TimeMs>) -> (World, Held) {
        let mut world = World::new();
        let spec = Spec { not_before: from, expires: to, ..Spec::new(PERSON_TYPE, 101, 1) };
        let held = world.issue(&[spec]).remove(0);
        world.block();
        (world, held)
    }

    #[test]
    fn expires_with_the_end_of_its_last_day() {
        let expiry = TimeMs(START.0 + DAY + HOUR);
        let (world, held) = dated(None, Some(expiry));
        assert!(world.judge_at(&held, TimeMs(expiry.0 - 1), None).is_valid());
        assert_eq!(said(&world.judge_at(&held, expiry, None)), (Expired, 5, "expired"));
    }
    #[test]
    fn has_no_end_if_none_is_written() {
        let (world, held) = dated(None, None);
        let verdict = world.judge_at(&held, after(world.time, 30 * 60_000), None);
        assert!(verdict.is_valid());
    }
    #[test]
    fn begins_with_its_first_day() {
        let (world, held) = dated(Some(TimeMs(START.0 + DAY + HOUR)), None);
        let begin = TimeMs(START.0 + DAY + HOUR);
        assert_eq!(said(&world.judge_at(&held, TimeMs(begin.0 - 1), None)), (NotYetValid, 5, "not_yet_valid"));
        assert!(world.judge_at(&held, begin, None).is_valid());
    }
    #[test]
    fn are_asked_for_the_time_given() {
        let (world, held) = dated(Some(START), Some(TimeMs(START.0 + HOUR)));
        let now = world.time;
        assert_eq!(said(&world.judge_at(&held, now, None)), (Expired, 5, "expired"));
        assert!(world.judge_at(&held, now, Some(START)).is_valid());
        let before = Some(TimeMs(START.0 - 1));
        assert_eq!(said(&world.judge_at(&held, now, before)), (NotYetValid, 5, "not_yet_valid"));
    }
}

mod age {
    use super::*;

    #[test]
    fn up_to_max_age_is_fresh() {
        let (world, held) = World::with_licence();
        assert!(world.judge_at(&held, after(world.time, HOUR), None).is_valid());
        let verdict = world.judge_at(&held, after(world.time, HOUR + 1), None);
        assert_eq!(said(&verdict), (Undecided, 6, "stale"));
        assert_eq!(verdict.as_of, Some(world.time));
        assert_eq!(verdict.licences[0].status, Some(Status::Active));
    }
    #[test]
    fn is_against_the_clock_whatever_time_is_asked_for() {
        let (world, held) = World::with_licence();
        let verdict = world.judge_at(&held, after(world.time, HOUR + 1), Some(world.time));
        assert_eq!(said(&verdict), (Undecided, 6, "stale"));
    }
}

mod asked_for_a_time {
    use super::*;

    #[test]
    fn after_the_header_is_not_covered() {
        let (world, held) = World::with_licence();
        let now = after(world.time, SECOND);
        assert!(world.judge_at(&held, now, Some(world.time)).is_valid());
        let verdict = world.judge_at(&held, now, Some(after(world.time, 1)));
        assert_eq!(said(&verdict), (Undecided, 2, "not_covered"));
    }
    #[test]
    fn tells_the_status_of_that_time() {
        let (mut world, held) = World::with_licence();
        let good = world.time;
        let entries = vec![world.entry(Status::Suspended), world.entry(Status::Active), world.entry(Status::Revoked)];
        let [suspended, lifted, revoked] = [0, 1, 2].map(|at: usize| entries[at].effective_from);
        world.set_licence(&held, entries);
        let outcome = |at| world.judge_at(&held, world.time, Some(at)).outcome;
        let expected: [(TimeMs, Outcome); 5] = [
            (good, Valid),
            (suspended, Suspended),
            (TimeMs(lifted.0 - 1), Suspended),
            (lifted, Valid),
            (revoked, Revoked),
        ];
        for (at, expected) in expected {
            assert_eq!(outcome(at), expected, "at {at}");
        }
        assert_eq!(world.judge(&held).outcome, Revoked);
    }
    #[test]
    fn a_change_counts_from_when_it_is_effective_not_from_when_it_was_recorded() {
        let (mut world, held) = World::with_licence();
        let good = world.time;
        world.time.0 += HOUR;
        let entry = StatusEntry { effective_from: after(good, 60_000), ..world.entry(Status::Revoked) };
        world.set_licence(&held, vec![entry]);
        assert!(world.judge_at(&held, world.time, Some(after(good, 59_999))).is_valid());
        assert_eq!(world.judge_at(&held, world.time, Some(after(good, 60_000))).outcome, Revoked);
    }
    #[test]
    fn never_brings_back_what_a_stolen_key_signed() {
        let (mut world, held) = World::with_licence();
        let id = (bureau(0), issuing_key(0).public_key().id());
        world.change::<KeyEntry>(&id, |key| key.distrusted_from = Some(Height(1)));
        let verdict = world.judge_at(&held, world.time, Some(START));
        assert_eq!(said(&verdict), (Revoked, 4, "key_compromised"));
    }
}

mod order {
    use super::*;

    fn with(status: Status, expires: Option<TimeMs>) -> (World, Held) {
        let mut world = World::new();
        let held = world.issue(&[Spec { expires, ..Spec::new(PERSON_TYPE, 101, 1) }]).remove(0);
        let entry = world.entry(status);
        world.set_licence(&held, vec![entry]);
        (world, held)
    }
    const STALE: u64 = 30 * DAY;

    #[test]
    fn revoked_beats_expired_and_stale() {
        for (status, outcome) in [(Status::Revoked, Revoked), (Status::Superseded, Superseded)] {
            let (world, held) = with(status, Some(TimeMs(START.0 + HOUR)));
            assert_eq!(world.judge(&held).outcome, outcome);
            assert_eq!(said(&world.judge_at(&held, after(world.time, STALE), None)), (outcome, 4, "licence"));
        }
    }
    #[test]
    fn not_covered_beats_revoked() {
        let (world, held) = with(Status::Revoked, None);
        let verdict = world.judge_at(&held, after(world.time, STALE), Some(after(world.time, 1)));
        assert_eq!(said(&verdict), (Undecided, 2, "not_covered"));
    }
    #[test]
    fn expired_beats_stale_and_suspended() {
        let (world, held) = with(Status::Suspended, Some(TimeMs(START.0 + HOUR)));
        assert_eq!(said(&world.judge(&held)), (Expired, 5, "expired"));
        assert_eq!(said(&world.judge_at(&held, after(world.time, STALE), None)), (Expired, 5, "expired"));
    }
    #[test]
    fn stale_beats_suspended() {
        let (world, held) = with(Status::Suspended, None);
        assert_eq!(said(&world.judge(&held)), (Suspended, 7, "licence"));
        let verdict = world.judge_at(&held, after(world.time, STALE), None);
        assert_eq!(said(&verdict), (Undecided, 6, "stale"));
        assert_eq!(verdict.licences[0].status, Some(Status::Suspended), "the last status is told");
    }
}
