//! Governance on a chain with its database: headers, sets, hand-overs, restarts, and what `fsck` says.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Office, TestNode, World, issue};
use kanhe_node::storage::fsck::fsck;
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::certificate::Certificate;
use kanhe_proto::governance::{Action, GovernancePayload, NewKey, activate_bytes};
use kanhe_proto::hand_over::{Change, HandOver};
use kanhe_proto::ids::{Height, Power, Round, SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::registry::{KeyRole, Names, Parameters, Seats};
use kanhe_proto::transaction::Payload;
use kanhe_proto::trust::Trust;
use kanhe_proto::validators::Address;
use kanhe_proto::vote::{Vote, VoteType};
use tempfile::tempdir;

fn names(text: &str) -> Names {
    Names { zh: Text::new(text).unwrap(), en: Text::new(text).unwrap() }
}

/// Commits a block of these payloads, certified by those of the set whose keys are here.
fn block(world: &World, node: &TestNode, keys: &[&SecretKey], last: &mut Option<Certificate>, payloads: &[Payload]) {
    let expiry = TimeMs(node.now().0 + 60_000);
    let transactions: Vec<_> = payloads.iter().map(|payload| world.transaction(0, expiry, payload)).collect();
    node.source.offer(&transactions);
    node.pass(100);
    let tip = node.chain.tip();
    let height = tip.header.height.next();
    let proposer = tip.next_validators.members()[0].address;
    let built = node.chain.build_candidate((height, Round(0)), proposer, node.now(), last.as_ref()).unwrap();
    assert!(node.source.rejected.lock().unwrap().is_empty(), "{:?}", node.source.rejected);
    node.chain.keep(height, built.header_hash, &built.body).unwrap();
    let sign = |key: &&SecretKey| {
        let address = Address::of(&key.public_key());
        let value = Some(built.header_hash);
        let vote = Vote { vote_type: VoteType::Precommit, height, round: Round(0), value, address };
        (address, key.sign(&vote.sign_bytes(&world.chain())).unwrap())
    };
    let set = &tip.next_validators;
    let present = keys.iter().filter(|key| set.get(&Address::of(&key.public_key())).is_some());
    let signatures = present.map(sign).collect();
    let certificate = Certificate::new(set, height, Round(0), built.header_hash, signatures).unwrap();
    node.chain.commit(&certificate).unwrap();
    *last = Some(certificate);
}

#[test]
fn a_light_client_follows_whoever_comes_and_goes() {
    let world = World::with(3, Parameters { epoch_blocks: 4, ..Parameters::default() });
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    let new = Office::new(9);
    let rotated = SecretKey::from_seed([7; 32]);
    let keys: Vec<&SecretKey> =
        world.offices.iter().map(|office| &office.validator).chain([&new.validator, &rotated]).collect();
    let mut last = None;
    let chain = world.chain();
    let new_key = |role, key: &SecretKey| NewKey::prove(&chain, &new.uscc, role, key).unwrap();
    let admit = Action::AdmitBureau {
        bureau: new.uscc,
        names: names("new"),
        region: Text::new("370100").unwrap(),
        addresses: List::empty(),
        keys: List::new(vec![
            new_key(KeyRole::Governance, &new.governance),
            new_key(KeyRole::Validator, &new.validator),
        ])
        .unwrap(),
    };
    let seat = Action::SeatValidator { bureau: new.uscc, key: new.validator.public_key(), power: Power(1) };
    let decide = world.decision(&node, &[0, 1, 2], vec![admit, seat]);
    block(&world, &node, &keys, &mut last, &[decide, Payload::IssueBatch(issue(1))]);
    let activate = |bureau, key: &SecretKey| {
        let snapshot = node.chain.snapshot().unwrap();
        let (seats, _) = snapshot.registry::<Seats>(&()).unwrap();
        let proposal = seats.unwrap().get(&key.public_key()).unwrap().by.unwrap();
        let signature = key.sign(&activate_bytes(&chain, &bureau, &proposal)).unwrap();
        Payload::Governance(GovernancePayload::Activate { bureau, key: key.public_key(), proposal, signature })
    };
    block(&world, &node, &keys, &mut last, &[activate(new.uscc, &new.validator)]);
    while node.chain.tip().header.height < Height(4) {
        block(&world, &node, &keys, &mut last, &[]);
    }
    assert_eq!(node.chain.tip().next_validators.members().len(), 4);

    // In one epoch one bureau rotates its key and another goes.
    let bureau = world.offices[1].uscc;
    let rotate = Action::RotateKey {
        bureau,
        new: NewKey::prove(&chain, &bureau, KeyRole::Validator, &rotated).unwrap(),
        old: Some(world.offices[1].validator.public_key().id()),
        overlap: SpanMs(0),
    };
    let own = world.decision(&node, &[1], vec![rotate]);
    block(&world, &node, &keys, &mut last, &[own]);
    block(&world, &node, &keys, &mut last, &[activate(bureau, &rotated)]);
    while node.chain.tip().header.height < Height(8) {
        block(&world, &node, &keys, &mut last, &[]);
    }
    let remove = world.decision(&node, &[0, 1, 2], vec![Action::RemoveBureau { bureau: world.offices[2].uscc }]);
    block(&world, &node, &keys, &mut last, &[remove]);
    while node.chain.tip().header.height < Height(14) {
        block(&world, &node, &keys, &mut last, &[]);
    }

    let mut trust = Trust::pin(&world.genesis, node.now()).unwrap();
    let kept = node.chain.snapshot().unwrap().hand_overs(Height(0), 10).unwrap();
    let mut changes = Vec::new();
    for bytes in &kept {
        let hand_over = HandOver::from_bytes(bytes).unwrap();
        changes.extend(trust.hand_over(&hand_over, node.now()).unwrap().into_iter().map(|explained| explained.change));
    }
    changes.sort_by_key(|change| format!("{change:?}"));
    let (came, left) = (Change::Came(Power(1)), Change::Left(Power(1)));
    assert_eq!((kept.len(), changes), (3, vec![came, came, left, left]));
    trust.check(node.chain.snapshot().unwrap().certified().unwrap(), node.now()).unwrap();

    // Evidence made under any set still leads to the same batch, and the database holds together.
    let tip = node.chain.tip().header.clone();
    drop(node);
    let node = world.open(dir.path());
    assert_eq!(node.chain.tip().header, tip);
    let report = fsck(node.chain.storage(), &world.genesis.chain_id(), &mut |_| {});
    assert!(report.is_clean(), "{:#?}", report.problems);
}
