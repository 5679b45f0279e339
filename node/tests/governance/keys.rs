//! Keys of bureaus and of validators: rotated, ended, distrusted.

use kanhe_node::ledger::{Code, Refusal, SignatureCheck, execute};
use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::governance::{Action, GovernancePayload};
use kanhe_proto::ids::{Height, LogIndex, SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::{Choice, GovernanceVote};
use kanhe_proto::registry::{KeyEntry, KeyRole};
use kanhe_proto::status::{BatchStatus, batch_status_key};
use kanhe_proto::transaction::Payload;

use super::{Bench, DAY, secret};
use crate::common::issue;

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
