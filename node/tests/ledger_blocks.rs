//! Blocks on real databases: roots against the protocol's own definition, hostile blocks, followers, proofs, restarts.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{Dice, START, TYPE, TestNode, World, change, changes, digest, issue};
use kanhe_node::chain::{BlockCheck, BlockError, ChainError, CheckRules};
use kanhe_node::ledger::Code;
use kanhe_node::storage::fsck::fsck;
use kanhe_proto::block::Block;
use kanhe_proto::bounded::List;
use kanhe_proto::evidence::{LicencePath, Subject};
use kanhe_proto::hash::{Hash, MapKey};
use kanhe_proto::header::Header;
use kanhe_proto::identifiers::{TypeVersion, Uscc, Vct};
use kanhe_proto::ids::{Height, LogIndex, Round, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::merkle::log::{self, leaf_hash};
use kanhe_proto::merkle::map::{MapLeaf, root_of};
use kanhe_proto::registry::{Bureau, Parameters, RegistryRecord};
use kanhe_proto::status::{LicenceStatus, Status, licence_status_key};
use kanhe_proto::transaction::{Payload, StatusTarget, Transaction};
use tempfile::tempdir;

fn leaves(map: &BTreeMap<MapKey, Vec<u8>>) -> Vec<MapLeaf> {
    map.iter().map(|(key, value)| MapLeaf::new(*key, value)).collect()
}

/// A few transactions that all succeed.
fn some(
    world: &World,
    dice: &mut Dice,
    now: TimeMs,
    number: &mut u64,
    lengths: &mut BTreeMap<u64, u32>,
) -> Vec<Transaction> {
    let mut made = Vec::new();
    for _ in 0..dice.below(8) {
        *number += 1;
        let expiry = TimeMs(now.0 + 200 + dice.below(2_000));
        let office = dice.below(world.offices.len() as u64) as usize;
        if dice.below(3) > 0 {
            made.push(world.batch(office, expiry, *number));
            continue;
        }
        let licence = dice.below(40);
        let length = lengths.entry(licence).or_default();
        if *length >= 29 {
            continue;
        }
        let status = if length.is_multiple_of(2) { Status::Suspended } else { Status::Active };
        let own = world.offices[0].uscc;
        let one = change(own, StatusTarget::Licence(digest(licence)), *length, status);
        *length += 1;
        made.push(world.transaction(0, expiry, &changes(vec![one])));
    }
    made
}

#[test]
fn roots_of_random_blocks_are_those_of_their_content() {
    for seed in 1..=3 {
        let mut parameters = Parameters { block_transactions_max: 8, block_swept_max: 16, ..Parameters::default() };
        parameters.block_signatures_max = 8;
        let world = World::with(4, parameters);
        let (dir, other) = (tempdir().unwrap(), tempdir().unwrap());
        let (node, follower) = (world.create(dir.path()), world.create(other.path()));
        let mut dice = Dice::new(seed);
        let (mut number, mut lengths) = (0, BTreeMap::new());
        let (mut state, mut records, mut headers) =
            (BTreeMap::new(), Vec::new(), vec![world.genesis.header().unwrap()]);
        let mut expiries = Vec::new();
        for _ in 0..40 {
            node.pass(dice.below(1_500));
            let transactions = some(&world, &mut dice, node.now(), &mut number, &mut lengths);
            let parent_time = node.chain.tip().header.time;
            let body = node.block(&world, &transactions);
            assert!(node.source.rejected.lock().unwrap().is_empty(), "seed {seed}");
            let block = Block::from_bytes(&body).unwrap();
            assert_eq!(block.transactions.len(), transactions.len());

            // The rule said again, without any code of the node.
            expiries.sort_unstable();
            let gone = expiries.iter().take_while(|(expiry, _)| *expiry < parent_time).take(16).count();
            for (_, id) in expiries.drain(..gone) {
                state.remove(&kanhe_proto::status::spent_id_key(&id));
            }
            for transaction in &transactions {
                restate(transaction, &block.header, &mut state, &mut records);
                expiries.push((transaction.body.expiry, transaction.body.id()));
            }
            let header = &block.header;
            restate_alive(&world, header, &mut state);
            assert_eq!(header.state_root, root_of(&leaves(&state)), "seed {seed}");
            assert_eq!(header.registry_root, root_of(&leaves(&world.genesis.registry().unwrap())));
            assert_eq!((header.log_root, header.log_size), (log::root(&records), records.len() as u64));
            let history: Vec<Hash> = headers.iter().map(|header: &Header| leaf_hash(header.hash().bytes())).collect();
            assert_eq!(header.history_root, log::root(&history));
            headers.push(header.clone());

            follower.follow(&world, &body);
            assert_eq!(follower.chain.tip().header, *header);
        }
        let chain_id = world.genesis.chain_id();
        drop((node.chain, follower.chain));
        for dir in [dir, other] {
            let node = world.open(dir.path());
            assert_eq!(node.chain.tip().header, *headers.last().unwrap());
            let report = fsck(node.chain.storage(), &chain_id, &mut |_| {});
            assert!(report.is_clean(), "{:#?}", report.problems);
        }
    }
}

/// Everybody signs every block.
fn restate_alive(world: &World, header: &Header, state: &mut BTreeMap<MapKey, Vec<u8>>) {
    use kanhe_proto::bounded::List;
    use kanhe_proto::governance::{Alive, LastSigned, alive_key};
    use kanhe_proto::map_value::MapValue;
    let height = Height(header.height.0 - 1);
    let set = world.set();
    let last = set.members().iter().map(|member| LastSigned { address: member.address, height }).collect();
    state.insert(alive_key(), Alive { last: List::new(last).unwrap() }.to_value());
}

fn restate(transaction: &Transaction, header: &Header, state: &mut BTreeMap<MapKey, Vec<u8>>, records: &mut Vec<Hash>) {
    use kanhe_proto::map_value::MapValue;
    use kanhe_proto::record::{BatchRecord, Record};
    use kanhe_proto::status::{SpentId, StatusEntry, spent_id_key};
    let body = &transaction.body;
    match Payload::from_raw(&body.payload, header.protocol).unwrap() {
        Payload::IssueBatch(batch) => {
            let record = BatchRecord {
                issuer: body.sender,
                signing_key: body.key,
                type_code: batch.type_code,
                type_version: batch.type_version,
                root: batch.root,
                count: batch.count,
                height: header.height,
                time: header.time,
            };
            records.push(leaf_hash(&record.to_record()));
        }
        Payload::ChangeStatus(list) => {
            for change in &list.changes {
                let StatusTarget::Licence(digest) = &change.target else { panic!() };
                let key = licence_status_key(&change.issuer, digest);
                let mut leaf =
                    state.get(&key).map_or_else(LicenceStatus::default, |v| LicenceStatus::from_value(v).unwrap());
                let entry = StatusEntry {
                    height: header.height,
                    recorded_at: header.time,
                    effective_from: change.effective_from,
                    status: change.status,
                    reason: change.reason,
                    by: body.sender,
                    supervised_type: None,
                };
                leaf.entries.push(entry).unwrap();
                state.insert(key, leaf.to_value());
            }
        }
        _ => panic!("nobody decides, applies for or reads anything here"),
    }
    let spent = SpentId { expiry: body.expiry, height: header.height };
    state.insert(spent_id_key(&body.id()), spent.to_value());
}

struct Hostile {
    world: World,
    node: TestNode,
    good: Block,
    _dir: tempfile::TempDir,
}

/// A node at height 1 and a good block for height 2.
fn hostile() -> Hostile {
    let world = World::new(4);
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    node.block(&world, &[]);
    node.pass(1_000);
    let expiry = TimeMs(node.now().0 + 60_000);
    node.source.offer(&[world.batch(0, expiry, 1), world.batch(1, expiry, 2)]);
    let (_, body) = node.propose(&world);
    let good = Block::from_bytes(&body).unwrap();
    drop(node.chain);
    // Opened anew, so that nothing of the proposal is known.
    let node = world.open(dir.path());
    Hostile { world, node, good, _dir: dir }
}

impl Hostile {
    fn refuses(&self, edit: impl FnOnce(&mut Block), condemns: bool) -> BlockError {
        let mut block = self.good.clone();
        edit(&mut block);
        match self.node.check(&block.to_bytes()) {
            BlockCheck::Invalid { header_hash, reason } => {
                assert_eq!(header_hash, condemns.then(|| block.header.hash()), "{reason}");
                assert!(self.node.chain.undecided(Height(2)).unwrap().is_empty(), "nothing is stored");
                reason
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_field_of_a_header_is_checked() {
    let hostile = hostile();
    macro_rules! field {
        ($field:ident = $value:expr) => {
            let reason = hostile.refuses(|block| block.header.$field = $value, true);
            assert_eq!(reason, BlockError::Field(stringify!($field)));
        };
    }
    let hash = Hash([7; 32]);
    field!(version = 2);
    field!(suite = kanhe_proto::hash::Suite::Sm3);
    field!(chain_id = kanhe_proto::hash::ChainId([7; 32]));
    field!(era = kanhe_proto::ids::Era(1));
    field!(parent = kanhe_proto::hash::HeaderHash([7; 32]));
    field!(validators = kanhe_proto::hash::ValidatorsHash([7; 32]));
    field!(next_validators = kanhe_proto::hash::ValidatorsHash([7; 32]));
    field!(protocol = kanhe_proto::ids::ProtocolVersion(1));
    field!(parameters = kanhe_proto::hash::ParametersHash([7; 32]));
    field!(log_root = hash);
    field!(log_size = 9);
    field!(registry_root = hash);
    field!(state_root = hash);
    field!(history_root = hash);
    let height = hostile.refuses(|block| block.header.height = Height(3), true);
    assert_eq!(height, BlockError::Height { found: Height(3), expected: Height(2) });
    let parent_time = hostile.node.chain.tip().header.time;
    assert_eq!(hostile.refuses(|block| block.header.time = parent_time, true), BlockError::Time);
    let stranger = hostile.refuses(|block| block.header.proposer.0 = [7; 20], true);
    assert!(matches!(stranger, BlockError::Proposer(_)));
    // What the header does not determine says nothing about the header.
    assert_eq!(hostile.refuses(|block| block.header.transactions_root = hash, false), BlockError::OtherTransactions);
    assert_eq!(hostile.refuses(|block| block.header.last_certificate = hash, false), BlockError::OtherCertificate);
    assert!(matches!(hostile.node.check(&[1, 2, 3]), BlockCheck::Invalid { header_hash: None, .. }));

    // And the good one is still good.
    let body = hostile.good.to_bytes();
    let wrong_turn = CheckRules { height: Height(2), proposer: Some(hostile.world.address(1)), latest: None };
    assert!(matches!(
        hostile.node.chain.check_block(&body, &wrong_turn).unwrap(),
        BlockCheck::Invalid { reason: BlockError::Proposer(_), .. }
    ));
    let early = CheckRules {
        height: Height(2),
        proposer: Some(hostile.world.address(0)),
        latest: Some(TimeMs(hostile.good.header.time.0 - 1)),
    };
    assert!(matches!(hostile.node.chain.check_block(&body, &early).unwrap(), BlockCheck::Ahead { .. }));
    let in_time = CheckRules { latest: Some(hostile.good.header.time), ..early };
    let valid = BlockCheck::Valid(hostile.good.header.hash());
    assert_eq!(hostile.node.chain.check_block(&body, &in_time).unwrap(), valid);
    assert_eq!(hostile.node.chain.undecided(Height(2)).unwrap(), [hostile.good.header.hash()]);
}

#[test]
fn the_parents_certificate_is_checked_whole() {
    let hostile = hostile();
    let parent = hostile.node.chain.tip().header.clone();
    let carry = |certificate: Option<kanhe_proto::certificate::Certificate>| {
        let reason = hostile.refuses(
            |block| {
                block.header.last_certificate =
                    certificate.as_ref().map_or_else(Hash::default, |certificate| certificate.hash());
                block.last_certificate = certificate;
            },
            true,
        );
        assert!(matches!(reason, BlockError::Certificate(_) | BlockError::NotOfParent(_)), "{reason}");
    };
    carry(None);
    carry(Some(hostile.world.certify(&parent, &[0, 1])));
    carry(Some(hostile.world.certify(&hostile.good.header, &[0, 1, 2, 3])));
    let mut forged = hostile.world.certify(&parent, &[0, 1, 2, 3]);
    forged.signatures.as_mut_slice()[3].bytes = kanhe_proto::bounded::Blob::new([0; 64]).unwrap();
    carry(Some(forged));
    let mut later = hostile.world.certify(&parent, &[0, 1, 2, 3]);
    later.round.0 = 1;
    carry(Some(later));
    // Another subset is as good, but says that others are alive.
    let subset = hostile.world.certify(&parent, &[1, 2, 3]);
    let mut block = hostile.good.clone();
    (block.header.last_certificate, block.last_certificate) = (subset.hash(), Some(subset.clone()));
    let refused = hostile.node.check(&block.to_bytes());
    assert!(matches!(refused, BlockCheck::Invalid { reason: BlockError::Field("state_root"), .. }), "{refused:?}");
    let (now, proposer) = (hostile.good.header.time, hostile.good.header.proposer);
    let built = hostile.node.chain.build_candidate((Height(2), Round(0)), proposer, now, Some(&subset)).unwrap();
    assert_eq!(hostile.node.check(&built.body), BlockCheck::Valid(built.header_hash));
}

#[test]
fn a_wrong_signature_spoils_a_body_but_not_its_header() {
    let hostile = hostile();
    let spoil = |block: &mut Block| {
        let mut transactions = block.transactions.clone().into_vec();
        let mut bytes = transactions[1].clone().into_vec();
        *bytes.last_mut().unwrap() ^= 1;
        transactions[1] = kanhe_proto::bounded::Blob::new(bytes).unwrap();
        block.transactions = List::new(transactions).unwrap();
    };
    assert_eq!(hostile.refuses(spoil, false), BlockError::Signature(1));
    let mut spoiled = hostile.good.clone();
    spoil(&mut spoiled);
    assert_eq!(spoiled.header.hash(), hostile.good.header.hash());
    let good = hostile.good.to_bytes();
    assert!(matches!(hostile.node.check(&good), BlockCheck::Valid(_)));
    // Now the stored body counts, whatever comes under its header.
    assert!(matches!(hostile.node.check(&spoiled.to_bytes()), BlockCheck::Valid(_)));
    hostile.node.decide(&hostile.world, hostile.good.header.hash());
    assert_eq!(hostile.node.chain.body(&hostile.good.header.hash()).unwrap().unwrap(), good);
}

#[test]
fn a_certified_block_that_does_not_execute_changes_nothing() {
    let hostile = hostile();
    let mut wrong = hostile.good.clone();
    wrong.header.state_root = Hash([7; 32]);
    let hash = wrong.header.hash();
    hostile.node.chain.keep(Height(2), hash, &wrong.to_bytes()).unwrap();
    let certificate = hostile.world.certify(&wrong.header, &[0, 1, 2]);
    let error = hostile.node.chain.commit(&certificate).unwrap_err();
    assert!(matches!(error, ChainError::Mismatch { reason: BlockError::Field("state_root"), .. }), "{error}");
    assert_eq!(hostile.node.chain.tip().header.height, Height(1));
    let too_few = hostile.world.certify(&hostile.good.header, &[0, 1]);
    assert!(matches!(hostile.node.check(&hostile.good.to_bytes()), BlockCheck::Valid(_)));
    assert!(matches!(hostile.node.chain.commit(&too_few), Err(ChainError::NotNext { .. })));
    let unknown = hostile.world.certify_hash(Height(2), kanhe_proto::hash::HeaderHash([1; 32]), &[0, 1, 2]);
    assert!(matches!(hostile.node.chain.commit(&unknown), Err(ChainError::Missing(_))));
    hostile.node.decide(&hostile.world, hostile.good.header.hash());
    assert_eq!(hostile.node.chain.undecided(Height(2)).unwrap(), [hostile.good.header.hash()], "the loser is gone");
}

#[test]
fn limits_are_checked_before_anything_is_executed() {
    let mut parameters = Parameters { block_transactions_max: 3, block_swept_max: 6, ..Parameters::default() };
    parameters.block_signatures_max = 3;
    let world = World::with(4, parameters);
    let (dir, free_dir) = (tempdir().unwrap(), tempdir().unwrap());
    let node = world.create(dir.path());
    let expiry = TimeMs(node.now().0 + 60_000);
    let many: Vec<_> = (0..5).map(|i| world.batch(0, expiry, i)).collect();
    node.source.offer(&many);
    let (_, body) = node.propose(&world);
    let mut block = Block::from_bytes(&body).unwrap();
    assert_eq!(block.transactions.len(), 3, "a proposer keeps to the limit");
    let bytes = many.iter().map(|t| kanhe_proto::bounded::Blob::new(t.to_bytes()).unwrap()).collect();
    block.transactions = List::new(bytes).unwrap();
    let ids: Vec<Hash> = many.iter().map(|t| leaf_hash(t.body.id().bytes())).collect();
    block.header.transactions_root = log::root(&ids);
    let other = world.create(free_dir.path());
    let check = other.check(&block.to_bytes());
    assert!(
        matches!(
            check,
            BlockCheck::Invalid { reason: BlockError::Limit { what: "transactions", found: 5, max: 3 }, .. }
        ),
        "{check:?}"
    );
}

#[test]
fn a_proposer_skips_what_fails_and_says_so() {
    let world = World::new(4);
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    let expiry = TimeMs(node.now().0 + 60_000);
    let mut none = issue(7);
    none.count = 0;
    let bad = world.transaction(0, expiry, &Payload::IssueBatch(none));
    let mut forged = world.batch(1, expiry, 8);
    forged.signature = world.batch(1, expiry, 9).signature;
    let good = world.batch(2, expiry, 10);
    let body = node.block(&world, &[bad.clone(), forged.clone(), good.clone(), good.clone()]);
    let block = Block::from_bytes(&body).unwrap();
    assert_eq!(block.transactions.len(), 1);
    let rejected = node.source.rejected.lock().unwrap().clone();
    let expected =
        [(bad.body.id(), Code::BatchCount), (forged.body.id(), Code::BadSignature), (good.body.id(), Code::Duplicate)];
    assert_eq!(rejected, expected);
    assert_eq!(node.chain.totals().transactions, 1);
}

#[test]
fn undecided_bodies_survive_a_restart_and_are_executed_again() {
    let world = World::new(4);
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    node.block(&world, &[world.batch(0, TimeMs(START.0 + 60_000), 1)]);
    node.pass(500);
    node.source.offer(&[world.batch(0, TimeMs(START.0 + 60_000), 2)]);
    let (hash, body) = node.propose(&world);
    node.chain.keep(Height(2), hash, &body).unwrap();
    node.pass(1);
    let (loser, losing) = node.propose(&world);
    node.chain.keep(Height(2), loser, &losing).unwrap();
    drop(node);
    let node = world.open(dir.path());
    let mut expected = [hash, loser];
    expected.sort_by_key(|hash| hash.0);
    assert_eq!(node.chain.undecided(Height(2)).unwrap(), expected);
    // Committed without having been checked in this run.
    node.decide(&world, hash);
    assert_eq!(node.chain.tip().hash, hash);
    assert_eq!(node.chain.undecided(Height(2)).unwrap(), [hash]);
    assert!(node.chain.body(&loser).unwrap().is_none());
}

#[test]
fn reads_come_with_proofs_under_one_header() {
    let world = World::new(4);
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    assert!(node.chain.snapshot().unwrap().certified().is_none());
    let own: Uscc = world.offices[0].uscc;
    let expiry = TimeMs(START.0 + 60_000);
    // Five licences in one batch, of which number 3 is suspended later.
    let digests: Vec<Hash> = (0..5).map(|i| leaf_hash(digest(i).bytes())).collect();
    let tree = log::Tree::new(digests);
    let mut batch = issue(0);
    (batch.root, batch.count) = (tree.root(), 5);
    let first = world.transaction(0, expiry, &Payload::IssueBatch(batch));
    node.block(&world, &[world.batch(2, expiry, 50), first.clone()]);
    let suspend = change(own, StatusTarget::Licence(digest(3)), 0, Status::Suspended);
    let mut by_supervisor = change(own, StatusTarget::Licence(digest(4)), 0, Status::Revoked);
    by_supervisor.supervised_type = Some(TYPE.parse().unwrap());
    node.block(
        &world,
        &[
            world.transaction(0, expiry, &changes(vec![suspend])),
            world.transaction(1, expiry, &changes(vec![by_supervisor])),
        ],
    );
    for _ in 0..3 {
        node.block(&world, &[]);
    }
    let snapshot = node.chain.snapshot().unwrap();
    let certified = snapshot.certified().unwrap();
    certified.certificate.verify_trimmed(&world.set(), &world.chain()).unwrap();
    assert_eq!(certified.certificate.signatures.len(), 3);
    let header = &certified.header;

    let (bureau, leaf) = snapshot.registry::<Bureau>(&own).unwrap();
    assert_eq!(leaf.read::<Bureau>(&header.registry_root, &Bureau::key_of(&own)).unwrap(), bureau);
    let (nobody, leaf) = snapshot.registry::<Bureau>(&common::uscc(77)).unwrap();
    assert!(nobody.is_none());
    assert_eq!(leaf.read::<Bureau>(&header.registry_root, &Bureau::key_of(&common::uscc(77))).unwrap(), None);
    for height in 0..=5 {
        let proved = snapshot.header(Height(height)).unwrap().unwrap();
        match proved.inclusion {
            Some(inclusion) => {
                let leaf = leaf_hash(proved.header.hash().bytes());
                log::verify_inclusion(&leaf, height, 5, &inclusion, &header.history_root).unwrap();
            }
            None => assert_eq!(height, 5),
        }
    }
    assert!(snapshot.header(Height(6)).unwrap().is_none());
    let found = snapshot.transaction(&first.body.id()).unwrap().unwrap();
    assert_eq!((found.height, found.position), (Height(1), 1));
    found.proof.verify(&first.body.id()).unwrap();
    found.proof.certified.certificate.verify_trimmed(&world.set(), &world.chain()).unwrap();
    assert!(snapshot.transaction(&world.batch(0, expiry, 99).body.id()).unwrap().is_none());
    assert_eq!(snapshot.issuer_batches(&own, LogIndex(0), 10).unwrap(), [LogIndex(1)]);
    assert!(snapshot.record(LogIndex(2)).unwrap().is_none());

    for (licence, expected) in [(0, Status::Active), (3, Status::Suspended), (4, Status::Revoked)] {
        let evidence = snapshot.evidence(LogIndex(1), &digest(licence)).unwrap();
        let evidence = kanhe_proto::evidence::Evidence::from_bytes(&evidence.to_bytes()).unwrap();
        assert!(evidence.to_bytes().len() < 6_000, "{} bytes", evidence.to_bytes().len());
        let subject = Subject {
            issuer: own,
            key: world.offices[0].issuing.public_key().id(),
            vct: Vct { code: TYPE.parse().unwrap(), version: TypeVersion(1) },
            digest: digest(licence),
        };
        let path = LicencePath { batch: LogIndex(1), inclusion: tree.path(licence).unwrap() };
        let facts = evidence.read(&subject, &path).unwrap();
        assert_eq!(facts.not_accredited(), None);
        assert_eq!(facts.status_at(facts.as_of).status, expected);
    }
    drop(snapshot);
    // The same after a restart, without what memory kept of the last blocks.
    drop(node);
    let node = world.open(dir.path());
    let snapshot = node.chain.snapshot().unwrap();
    snapshot.transaction(&first.body.id()).unwrap().unwrap().proof.verify(&first.body.id()).unwrap();
}

#[test]
fn admission_refuses_what_a_block_would() {
    let world = World::new(4);
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    let (now, expiry) = (node.now(), TimeMs(node.now().0 + 60_000));
    let good = world.batch(0, expiry, 1);
    let id = good.body.id();
    assert_eq!(node.chain.signer(&good, now).unwrap(), world.offices[0].issuing.public_key());
    node.chain.admit(&good, &id, now).unwrap();
    node.block(&world, std::slice::from_ref(&good));
    let code = |result: Result<(), kanhe_node::chain::AdmissionError>| result.unwrap_err().to_string();
    assert_eq!(code(node.chain.admit(&good, &id, now)), "refused: duplicate");
    assert_eq!(node.chain.committed_height(&id).unwrap(), Some(Height(1)));
    let late = world.batch(0, TimeMs(now.0 - 1), 2);
    assert_eq!(node.chain.signer(&late, now).unwrap_err().to_string(), "refused: expired");
    let far = world.batch(0, TimeMs(node.now().0 + 3_600_001), 2);
    assert_eq!(node.chain.signer(&far, node.now()).unwrap_err().to_string(), "refused: expiry_too_far");
    let mut none = issue(7);
    none.count = 0;
    let bad = world.transaction(0, expiry, &Payload::IssueBatch(none));
    assert_eq!(code(node.chain.admit(&bad, &bad.body.id(), now)), "refused: batch_count");
}

/// Not a test: prints what a full block costs. `cargo test -p kanhe-node --test ledger_blocks -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn full_blocks() {
    use std::time::Instant;
    let world = World::new(4);
    let (dir, other_dir) = (tempdir().unwrap(), tempdir().unwrap());
    let (node, other) = (world.create(dir.path()), world.create(other_dir.path()));
    let size = world.genesis.parameters.block_transactions_max as u64;
    let blocks = 40;
    for number in 0..blocks {
        let now = node.now();
        // Every id expires some blocks later, so that sweeping is part of it.
        let expiry = TimeMs(now.0 + 10 * 100);
        let transactions: Vec<_> =
            (0..size).map(|i| world.batch((i % 4) as usize, expiry, number * size + i)).collect();
        let start = Instant::now();
        for transaction in &transactions {
            node.chain.signer(transaction, now).unwrap();
            node.chain.admit(transaction, &transaction.body.id(), now).unwrap();
        }
        let admitted = start.elapsed();
        node.source.offer(&transactions);
        node.pass(100);
        let start = Instant::now();
        let (hash, body) = node.propose(&world);
        let built = start.elapsed();
        node.chain.keep(node.chain.tip().header.height.next(), hash, &body).unwrap();
        let kept = start.elapsed() - built;
        let start = Instant::now();
        node.decide(&world, hash);
        let committed = start.elapsed();
        let start = Instant::now();
        assert!(matches!(other.check(&body), BlockCheck::Valid(_)));
        let checked = start.elapsed();
        other.decide(&world, hash);
        assert!(node.chain.snapshot().unwrap().certified().is_some());
        if number % 4 == 3 {
            let evidence = Instant::now();
            let snapshot = node.chain.snapshot().unwrap();
            for licence in 0..1_000 {
                snapshot.evidence(LogIndex(licence), &digest(licence)).unwrap();
            }
            println!(
                "{number}: {} kB, admitted {admitted:?}, built {built:?}, kept {kept:?}, committed {committed:?}, \
                 checked {checked:?}, evidence {:?} each",
                body.len() / 1_000,
                evidence.elapsed() / 1_000,
            );
        }
    }
    let used: u64 =
        std::fs::read_dir(dir.path().join("db")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    println!(
        "{} bytes of disk per transaction, {} of them in tables",
        used / (blocks * size),
        node.chain.storage().disk_bytes() / (blocks * size)
    );
    let start = Instant::now();
    let report = fsck(node.chain.storage(), &world.genesis.chain_id(), &mut |_| {});
    println!("fsck of {} entries: {:?}, clean: {}", report.entries, start.elapsed(), report.is_clean());
}
