//! Rule 2 of the verdict: evidence that is missing, altered, of something else or not believed, one test per code
//! and per binding between a licence and its evidence.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::evidence::{Evidence, LicencePath};
use kanhe_proto::hash::Hash;
use kanhe_proto::ids::{Era, Height, LogIndex, Round, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::proof::ProvedLeaf;
use kanhe_proto::registry::{Accreditation, Bureau, KeyEntry, LicenceType, RegistryRecord};
use kanhe_proto::response::Stapled;
use kanhe_proto::status::{Status, batch_status_key, licence_status_key};
use kanhe_proto::verdict::Outcome::*;
use kanhe_proto::verdict::{Verdict, verify_response};
use world::{BUSINESS_TYPE, Held, PERSON_TYPE, Spec, World, bureau, issuing_key, said, secret};

fn undecided(verdict: &Verdict, code: &str) {
    assert_eq!(said(verdict), (Undecided, 2, code));
    assert!(verdict.licences.iter().all(|licence| licence.claims.is_empty() && licence.as_of.is_none()));
}

/// The verdict with spoilt evidence.
fn spoilt(spoil: impl FnOnce(&World, &Held, &mut Evidence)) -> Verdict {
    let (world, held) = World::with_licence();
    world.judge_with(&held, |evidence| spoil(&world, &held, evidence))
}

/// The verdict with spoilt bytes beside the licence.
fn stapled(spoil: impl FnOnce(&mut Stapled)) -> Verdict {
    let (world, held) = World::with_licence();
    let request = world.usual_request();
    let mut response = world.respond(&request, &[&held]);
    spoil(response.evidence.get_mut("id").unwrap());
    verify_response(&response.to_bytes(), &request, &world.trust(), world.time, None)
}

/// The verdict with another path beside the licence.
fn with_path(spoil: impl FnOnce(&mut LicencePath)) -> Verdict {
    let (world, held) = World::with_licence();
    let mut path = held.path.clone();
    spoil(&mut path);
    let request = world.usual_request();
    let mut response = world.respond(&request, &[&held]);
    response.evidence.insert("id".into(), world::staple(&world.evidence(&held), &path));
    verify_response(&response.to_bytes(), &request, &world.trust(), world.time, None)
}

mod bytes {
    use super::*;

    #[test]
    fn missing() {
        let (world, held) = World::with_licence();
        let request = world.usual_request();
        let mut response = world.respond(&request, &[&held]);
        response.evidence.clear();
        let verdict = verify_response(&response.to_bytes(), &request, &world.trust(), world.time, None);
        undecided(&verdict, "evidence_missing");
    }
    #[test]
    fn malformed() {
        undecided(&stapled(|stapled| stapled.evidence = Blob::new(vec![1]).unwrap()), "evidence_malformed");
        undecided(&stapled(|stapled| stapled.path = Blob::new(vec![1]).unwrap()), "path_malformed");
        let longer = |bytes: &[u8]| [bytes, &[0]].concat();
        undecided(
            &stapled(|stapled| stapled.evidence = Blob::new(longer(&stapled.evidence)).unwrap()),
            "evidence_malformed",
        );
        undecided(&stapled(|stapled| stapled.path = Blob::new(longer(&stapled.path)).unwrap()), "path_malformed");
    }
    #[test]
    fn of_a_version_that_is_not_known() {
        undecided(&spoilt(|_, _, evidence| evidence.version = 2), "evidence_version");
    }
}

mod header {
    use super::*;

    #[test]
    fn of_an_unknown_chain() {
        let changed = spoilt(|world, _, evidence| {
            let mut header = evidence.certified.header.clone();
            header.chain_id.0[0] ^= 1;
            evidence.certified = world.certify(header);
        });
        undecided(&changed, "unknown_chain");
        let era = spoilt(|world, _, evidence| {
            let header = kanhe_proto::header::Header { era: Era(1), ..evidence.certified.header.clone() };
            evidence.certified = world.certify(header);
        });
        undecided(&era, "unknown_chain");
    }
    #[test]
    fn of_a_licence_of_another_chain() {
        let (world, _) = World::with_licence();
        let mut other = World::new();
        other.genesis.time.0 += 1;
        let held = other.issue(&[Spec::new(PERSON_TYPE, 101, 1)]).remove(0);
        let mut mixed = world.clone();
        mixed.records.clone_from(&other.records);
        undecided(&mixed.judge(&held), "unknown_chain");
        // And a request of one's own for another chain than the pinned one.
        let request = other.usual_request();
        let response = other.respond(&request, &[&held]);
        let verdict = verify_response(&response.to_bytes(), &request, &world.trust(), world.time, None);
        assert_eq!(said(&verdict), (Undecided, 2, "unknown_chain"));
    }
    #[test]
    fn ahead_of_the_clock() {
        let (world, held) = World::with_licence();
        assert!(world.judge_at(&held, TimeMs(world.time.0 - 60_000), None).is_valid());
        undecided(&world.judge_at(&held, TimeMs(world.time.0 - 60_001), None), "ahead_of_clock");
    }
    #[test]
    fn of_unknown_version_or_suite() {
        let version = spoilt(|world, _, evidence| {
            let header = kanhe_proto::header::Header { version: 2, ..evidence.certified.header.clone() };
            evidence.certified = world.certify(header);
        });
        undecided(&version, "header_version");
    }
    #[test]
    fn of_unknown_validators() {
        let (mut world, held) = World::with_licence();
        world.next = World::other_set();
        world.begin_epoch();
        undecided(&world.judge(&held), "unknown_validators");
    }
    #[test]
    fn with_a_certificate_that_certifies_nothing() {
        let spoils: [fn(&World, &mut Evidence); 8] = [
            |_, evidence| evidence.certified.certificate.header_hash.0[0] ^= 1,
            |_, evidence| evidence.certified.certificate.height = Height(1),
            |_, evidence| evidence.certified.certificate.round = Round(1),
            |_, evidence| evidence.certified.certificate.version = 2,
            |_, evidence| {
                let signatures = evidence.certified.certificate.signatures.as_mut_slice();
                signatures.swap(0, 1);
            },
            |world, evidence| {
                let header = evidence.certified.header.clone();
                evidence.certified.certificate = world.certificate(&header, &world.validators[..2]);
            },
            |world, evidence| {
                let header = evidence.certified.header.clone();
                evidence.certified.certificate = world.certificate(&header, &world.validators);
            },
            |_, evidence| evidence.certified.header.log_size += 1,
        ];
        for (at, spoil) in spoils.into_iter().enumerate() {
            let verdict = spoilt(|world, _, evidence| spoil(world, evidence));
            assert_eq!(said(&verdict), (Undecided, 2, "certificate_wrong"), "spoil {at}");
        }
    }
    #[test]
    fn believed_too_long_ago() {
        let (world, held) = World::with_licence();
        let year = 365 * world::DAY;
        let verdict = world.judge_at(&held, TimeMs(world::START.0 + year), None);
        assert_eq!(verdict.code, "expired", "the last moment of trust");
        undecided(&world.judge_at(&held, TimeMs(world::START.0 + year + 1), None), "trust_stale");
    }
    #[test]
    fn that_contradicts_the_newest_one() {
        let (world, held) = World::with_licence();
        let mut trust = world.trust();
        let mut other = world.clone();
        other.records.push(b"\x09\x01other".to_vec());
        trust.accept(&other.certified(), world.time).unwrap();
        let request = world.usual_request();
        let response = world.respond(&request, &[&held]);
        let verdict = verify_response(&response.to_bytes(), &request, &trust, world.time, None);
        undecided(&verdict, "conflicting_headers");
    }
    #[test]
    fn older_than_the_newest_known_is_judged_by_its_age_alone() {
        let (mut world, held) = World::with_licence();
        let request = world.usual_request();
        let response = world.respond(&request, &[&held]);
        let mut trust = world.trust();
        world.block();
        world.block();
        trust.accept(&world.certified(), world.time).unwrap();
        let verdict = verify_response(&response.to_bytes(), &request, &trust, world.time, None);
        assert!(verdict.is_valid());
    }
}

mod bindings {
    use super::*;

    /// A value that is there, changed, where the map proves another.
    fn changed(leaf: &mut ProvedLeaf) {
        let mut value = leaf.value.clone().unwrap().into_vec();
        *value.last_mut().unwrap() ^= 1;
        leaf.value = Some(Blob::new(value).unwrap());
    }

    #[test]
    fn registry_records_of_the_issuer() {
        let wrong = "registry_proof_wrong";
        undecided(&spoilt(|_, _, evidence| changed(&mut evidence.issuer)), wrong);
        undecided(&spoilt(|_, _, evidence| changed(&mut evidence.key)), wrong);
        undecided(&spoilt(|_, _, evidence| changed(&mut evidence.accreditation)), wrong);
        undecided(&spoilt(|_, _, evidence| changed(&mut evidence.licence_type)), wrong);
        undecided(&spoilt(|_, _, evidence| changed(&mut evidence.supervisions.as_mut_slice()[0].leaf)), wrong);
    }
    #[test]
    fn registry_records_hidden_behind_an_absence() {
        let hide = |leaf: &mut ProvedLeaf| leaf.value = None;
        let wrong = "registry_proof_wrong";
        undecided(&spoilt(|_, _, evidence| hide(&mut evidence.issuer)), wrong);
        undecided(&spoilt(|_, _, evidence| hide(&mut evidence.key)), wrong);
        undecided(&spoilt(|_, _, evidence| hide(&mut evidence.accreditation)), wrong);
        undecided(&spoilt(|_, _, evidence| hide(&mut evidence.licence_type)), wrong);
    }
    #[test]
    fn registry_records_of_somebody_else() {
        let wrong = "registry_proof_wrong";
        let issuer = |world: &World, _: &Held, evidence: &mut Evidence| {
            evidence.issuer = world.registry_leaf(Bureau::key_of(&bureau(1)));
        };
        undecided(&spoilt(issuer), wrong);
        let key = |world: &World, _: &Held, evidence: &mut Evidence| {
            evidence.key = world.registry_leaf(KeyEntry::key_of(&(bureau(1), issuing_key(1).public_key().id())));
        };
        undecided(&spoilt(key), wrong);
        let accreditation = |world: &World, _: &Held, evidence: &mut Evidence| {
            let id = (bureau(0), BUSINESS_TYPE.parse().unwrap());
            evidence.accreditation = world.registry_leaf(Accreditation::key_of(&id));
        };
        undecided(&spoilt(accreditation), wrong);
        let licence_type = |world: &World, _: &Held, evidence: &mut Evidence| {
            let id = (BUSINESS_TYPE.parse().unwrap(), world::vct(BUSINESS_TYPE).version);
            evidence.licence_type = world.registry_leaf(LicenceType::key_of(&id));
        };
        undecided(&spoilt(licence_type), wrong);
        // The right of one supervisor under the name of another.
        let supervisor = |_: &World, _: &Held, evidence: &mut Evidence| {
            evidence.supervisions.as_mut_slice()[0].supervisor = bureau(2);
        };
        undecided(&spoilt(supervisor), wrong);
    }
    #[test]
    fn registry_records_of_another_header() {
        let (mut world, held) = World::with_licence();
        let old = world.evidence(&held);
        world.change::<Accreditation>(&(bureau(0), PERSON_TYPE.parse().unwrap()), |entry| {
            entry
                .intervals
                .end(Height(2), kanhe_proto::registry::Authority::Genesis, kanhe_proto::registry::Effect::Keep)
                .unwrap();
        });
        world.block();
        let verdict = world.judge_with(&held, |evidence| evidence.accreditation = old.accreditation.clone());
        undecided(&verdict, "registry_proof_wrong");
        assert_eq!(world.judge(&held).code, "not_accredited");
    }
    #[test]
    fn a_status_hidden_changed_or_of_something_else() {
        let (mut world, held) = World::with_licence();
        let old = world.evidence(&held);
        let entry = world.entry(Status::Revoked);
        world.set_licence(&held, vec![entry.clone()]);
        world.set_batch(
            &held,
            &kanhe_proto::status::BatchStatus { entries: List::new(vec![entry]).unwrap(), reaffirmed: None },
        );
        let wrong = "status_proof_wrong";
        undecided(&world.judge_with(&held, |evidence| evidence.licence_status = old.licence_status.clone()), wrong);
        undecided(&world.judge_with(&held, |evidence| evidence.batch_status = old.batch_status.clone()), wrong);
        undecided(&world.judge_with(&held, |evidence| evidence.licence_status.value = None), wrong);
        undecided(&world.judge_with(&held, |evidence| changed(&mut evidence.licence_status)), wrong);
        undecided(&world.judge_with(&held, |evidence| changed(&mut evidence.batch_status)), wrong);
        // Proved absences at other places.
        let elsewhere = |evidence: &mut Evidence| {
            let mut digest = held.digest;
            digest.0[0] ^= 0x80;
            evidence.licence_status = world.state_leaf(licence_status_key(&bureau(0), &digest));
        };
        undecided(&world.judge_with(&held, elsewhere), wrong);
        let elsewhere = |evidence: &mut Evidence| {
            evidence.batch_status = world.state_leaf(batch_status_key(&bureau(0), LogIndex(77)));
        };
        undecided(&world.judge_with(&held, elsewhere), wrong);
        // A batch's leaf where a licence's belongs is not at its key.
        undecided(&world.judge_with(&held, |evidence| evidence.licence_status = evidence.batch_status.clone()), wrong);
    }
    #[test]
    fn a_leaf_of_another_kind_at_the_right_place() {
        let (mut world, held) = World::with_licence();
        let batch = kanhe_proto::map_value::MapValue::to_value(&kanhe_proto::status::BatchStatus::default());
        world.state.insert(licence_status_key(&bureau(0), &held.digest), batch);
        undecided(&world.judge(&held), "status_proof_wrong");
    }
    #[test]
    fn a_batch_that_the_log_does_not_hold() {
        let wrong = "batch_not_in_log";
        let changed = |_: &World, _: &Held, evidence: &mut Evidence| {
            let mut record = evidence.batch.record.clone().into_vec();
            *record.last_mut().unwrap() ^= 1;
            evidence.batch.record = Blob::new(record).unwrap();
        };
        undecided(&spoilt(changed), wrong);
        undecided(&spoilt(|_, _, evidence| evidence.batch.index = LogIndex(0)), wrong);
        undecided(&spoilt(|_, _, evidence| evidence.batch.inclusion.size += 1), wrong);
        undecided(&spoilt(|_, _, evidence| evidence.batch.inclusion.siblings = List::empty()), wrong);
    }
    #[test]
    fn a_record_that_is_no_batch() {
        let (world, mut held) = World::with_licence();
        held.path.batch = LogIndex(0);
        undecided(&world.judge(&held), "batch_malformed");
    }
    #[test]
    fn a_path_of_another_batch() {
        undecided(&with_path(|path| path.batch = LogIndex(2)), "path_of_another_batch");
    }
    #[test]
    fn a_batch_of_another_issuer() {
        let mut world = World::new();
        let held = world.issue_with(&[Spec::new(PERSON_TYPE, 101, 1)], |record| record.issuer = bureau(1)).remove(0);
        undecided(&world.judge(&held), "batch_of_another_issuer");
    }
    #[test]
    fn a_batch_of_another_type_or_version() {
        for spoil in [0, 1] {
            let mut world = World::new();
            let spoil = |record: &mut kanhe_proto::record::BatchRecord| match spoil {
                0 => record.type_code = BUSINESS_TYPE.parse().unwrap(),
                _ => record.type_version.0 = 2,
            };
            let held = world.issue_with(&[Spec::new(PERSON_TYPE, 101, 1)], spoil).remove(0);
            undecided(&world.judge(&held), "batch_of_another_type");
        }
    }
    #[test]
    fn a_batch_of_another_key() {
        let mut world = World::new();
        let spoil = |record: &mut kanhe_proto::record::BatchRecord| record.signing_key = secret(99).public_key().id();
        let held = world.issue_with(&[Spec::new(PERSON_TYPE, 101, 1)], spoil).remove(0);
        undecided(&world.judge(&held), "batch_of_another_key");
    }
    #[test]
    fn a_licence_that_is_not_in_the_batch() {
        let wrong = "not_anchored";
        let mut world = World::new();
        let spoil = |record: &mut kanhe_proto::record::BatchRecord| record.root = Hash([7; 32]);
        let held = world.issue_with(&[Spec::new(PERSON_TYPE, 101, 1)], spoil).remove(0);
        undecided(&world.judge(&held), wrong);
        undecided(&with_path(|path| path.inclusion.index = 1), wrong);
        undecided(&with_path(|path| path.inclusion.size = 3), wrong);
        undecided(&with_path(|path| path.inclusion.siblings.as_mut_slice()[0].0[0] ^= 1), wrong);
        undecided(&with_path(|path| path.inclusion.siblings = List::empty()), wrong);
    }
    #[test]
    fn a_licence_signed_but_never_anchored() {
        // Signed by the issuer's own key, beside the batch: a stolen key without the chain.
        let (world, held) = World::with_licence();
        let mut aside = world.clone();
        let mut forged = aside.issue(&[Spec::new(PERSON_TYPE, 150, 9), Spec::new(PERSON_TYPE, 151, 8)]).remove(0);
        forged.path = held.path.clone();
        undecided(&world.judge(&forged), "not_anchored");
    }
    #[test]
    fn a_count_that_the_path_does_not_fit() {
        let mut world = World::new();
        let spec = [Spec::new(PERSON_TYPE, 101, 1), Spec::new(PERSON_TYPE, 102, 2)];
        let held = world.issue_with(&spec, |record| record.count = 3).remove(0);
        undecided(&world.judge(&held), "not_anchored");
    }
    #[test]
    fn evidence_of_another_licence() {
        let mut world = World::new();
        let held = world.issue(&[Spec::new(PERSON_TYPE, 101, 1), Spec::new(PERSON_TYPE, 102, 2)]);
        let entry = world.entry(Status::Revoked);
        world.set_licence(&held[0], vec![entry]);
        assert_eq!(world.judge(&held[0]).outcome, Revoked);
        let other = world.evidence(&held[1]);
        undecided(&world.judge_with(&held[0], |evidence| *evidence = other), "status_proof_wrong");
    }
}
