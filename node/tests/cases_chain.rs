//! Cases on a chain with its database: proofs for a light client, the index, restarts, snapshots, and `fsck`.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::flat::{BUYER, DAY, Flat, KIN, REGISTER, TAX, payload, registering, said};
use common::{TestNode, World};
use kanhe_node::chain::{Claim, Claimed};
use kanhe_node::storage::fsck::{Report, fsck};
use kanhe_node::storage::{Column, Staging, Storage};
use kanhe_proto::api::CASE_EVENTS_PAGE;
use kanhe_proto::bounded::List;
use kanhe_proto::case::{
    Act, Case, CaseEvent, CaseStatus, Decide, EventError, EventList, FileRef, Outcome, SignedAct, case_key,
};
use kanhe_proto::hash::Commitment;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::merkle::log::Span;
use kanhe_proto::merkle::map::Prefix;
use kanhe_proto::snapshot::{Content, Piece};
use kanhe_proto::trust::Trust;
use tempfile::tempdir;

/// A block with the acts of one transaction.
fn act(world: &World, node: &TestNode, acts: &[SignedAct]) {
    let transaction = world.transaction(0, TimeMs(node.now().0 + 60_000), &payload(acts));
    node.block(world, &[transaction]);
    assert_eq!(*node.source.rejected.lock().unwrap(), []);
}

/// A chain on which both items are registered.
fn founded(dir: &Path) -> (World, TestNode) {
    let world = World::new(4);
    let node = world.create(dir);
    let decided = world.decision(&node, &[0, 1, 2, 3], registering(&world)[..1].to_vec());
    node.block(&world, &[world.transaction(0, TimeMs(node.now().0 + 60_000), &decided)]);
    node.block(&world, &[]);
    let decided = world.decision(&node, &[0, 1, 2, 3], registering(&world)[1..].to_vec());
    node.block(&world, &[world.transaction(0, TimeMs(node.now().0 + 60_000), &decided)]);
    assert_eq!(*node.source.rejected.lock().unwrap(), []);
    (world, node)
}

fn check(world: &World, dir: &Path) -> Report {
    let chain_id = world.genesis.chain_id();
    fsck(&Storage::open_read_only(dir, &chain_id).unwrap(), &chain_id, &mut |_| {})
}

/// What a light client makes of a case that a node shows: the leaf, and all its events.
fn follow(world: &World, node: &TestNode, flat: &Flat) -> Option<(Case, Vec<CaseEvent>)> {
    let snapshot = node.chain.snapshot().unwrap();
    let certified = snapshot.certified().unwrap().clone();
    let trust = Trust::pin(&world.genesis, node.now()).unwrap();
    trust.check(&certified, node.now()).unwrap();
    let header = &certified.header;
    let found = snapshot.case_events(&flat.id(), None, CASE_EVENTS_PAGE).unwrap().unwrap();
    let case = found.leaf.read::<Case>(&header.state_root, &case_key(&flat.id())).unwrap()?;
    let mut list = EventList::of(&case);
    let mut page = found;
    loop {
        for proved in &page.records {
            list.push(header, proved).unwrap();
        }
        let Some(next) = page.next else { break };
        assert_eq!(list.wanted(), Some(next));
        page = snapshot.case_events(&flat.id(), Some(next), 2).unwrap().unwrap();
    }
    let events = list.into_whole().unwrap();
    Some((case, events.into_iter().map(|(_, record)| record.event).collect()))
}

#[test]
fn a_light_client_follows_a_case_to_its_end_and_misses_nothing() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let flat = Flat::new(&world, 1);
    assert_eq!(follow(&world, &node, &flat), None);
    let issuing = |office: usize| &world.offices[office].issuing;
    let decide = |office, step, round, outcome| flat.decide(issuing(office), step, round, outcome);
    act(&world, &node, &[flat.open(&world, node.now())]);
    let all = [
        flat.present(BUYER, 0),
        flat.join(),
        decide(2, TAX, 0, Outcome::Returned),
        flat.present(BUYER, 1),
        flat.present(0, 1),
        decide(2, TAX, 1, Outcome::Approved),
        decide(3, KIN, 1, Outcome::Approved),
        decide(0, REGISTER, 1, Outcome::Approved),
        flat.issued(issuing(0), REGISTER),
        flat.rate(4, &flat.keys[1]),
    ];
    for step in &all {
        act(&world, &node, std::slice::from_ref(step));
    }
    let (case, events) = follow(&world, &node, &flat).unwrap();
    assert_eq!((case.status, case.stars, case.events, events.len()), (CaseStatus::Closed, Some(4), 11, 11));
    let acts: Vec<CaseEvent> = all.iter().cloned().map(CaseEvent::Act).collect();
    assert_eq!(events[1..], acts);
    // Not from another's event, nor beyond the log, and a list with a hole is no list.
    let snapshot = node.chain.snapshot().unwrap();
    assert!(snapshot.case_events(&flat.id(), Some(LogIndex(0)), 9).unwrap().is_none());
    assert!(snapshot.case_events(&flat.id(), Some(LogIndex(999)), 9).unwrap().is_none());
    let records = snapshot.case_events(&flat.id(), None, CASE_EVENTS_PAGE).unwrap().unwrap().records;
    let mut holed = EventList::of(&case);
    let header = &snapshot.certified().unwrap().header;
    holed.push(header, &records[0]).unwrap();
    assert_eq!(holed.push(header, &records[2]).unwrap_err(), EventError::OtherEvent(records[2].index));
    assert!(holed.into_whole().is_none());
    drop(snapshot);
    drop(node);
    let report = check(&world, dir.path());
    assert!(report.is_clean(), "{:#?}", report.problems);
}

#[test]
fn who_is_late_is_listed_and_whose_cases_are_open() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let flats: Vec<Flat> = (0..5).map(|number| Flat::new(&world, number)).collect();
    for flat in &flats {
        act(&world, &node, &[flat.open(&world, node.now()), flat.present(BUYER, 0)]);
    }
    let overdue = |node: &TestNode, after, max| node.chain.snapshot().unwrap().overdue(after, max).unwrap();
    let open = |node: &TestNode, office: usize, after, max| {
        let uscc = world.offices[office].uscc;
        node.chain.snapshot().unwrap().open_cases(&uscc, after, max).unwrap()
    };
    assert_eq!(overdue(&node, None, 9).len(), 0);
    let mut ids: Vec<_> = flats.iter().map(Flat::id).collect();
    ids.sort_unstable();
    assert_eq!((open(&node, 2, None, 9), open(&node, 1, None, 9).len()), (ids.clone(), 0));
    assert_eq!([open(&node, 2, None, 2), open(&node, 2, Some(ids[1]), 9)].concat(), ids);
    assert_eq!(open(&node, 2, Some(ids[4]), 9), []);

    node.pass(3 * DAY);
    node.block(&world, &[]);
    let late = overdue(&node, None, 9);
    let cases: Vec<_> = late.iter().map(|late| late.case.id).collect();
    assert_eq!(cases, flats.iter().map(Flat::id).collect::<Vec<_>>(), "in the order in which they were due");
    assert!(late.iter().all(|late| late.bureau == world.offices[2].uscc && late.place.2 == TAX));
    let pages = [overdue(&node, None, 2), overdue(&node, Some(late[1].place), 9)].concat();
    assert_eq!(pages, late);
    // Who decides is not late any more, and what is taken back is nobody's.
    let approve = flats[0].decide(&world.offices[2].issuing, TAX, 0, Outcome::Approved);
    act(&world, &node, &[approve, flats[1].withdraw(BUYER, &flats[1].keys[1])]);
    assert_eq!(overdue(&node, None, 9).len(), 3);
    assert_eq!((open(&node, 2, None, 9).len(), open(&node, 0, None, 9).len()), (4, 4));
}

#[test]
fn whose_turn_it_is_is_listed_by_when_it_is_due() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let flats: Vec<Flat> = (0..5).map(|number| Flat::new(&world, number)).collect();
    let ready = |office: usize, after, max| {
        let uscc = world.offices[office].uscc;
        let (found, next) = node.chain.snapshot().unwrap().ready(&uscc, after, max).unwrap();
        (found.iter().map(|ready| (ready.place.1, ready.place.2, ready.round)).collect::<Vec<_>>(), next)
    };
    for flat in &flats {
        act(&world, &node, &[flat.open(&world, node.now())]);
    }
    assert_eq!(ready(2, None, 9), (vec![], None), "the buyers have not presented");
    for flat in &flats {
        act(&world, &node, &[flat.present(BUYER, 0)]);
    }
    let all: Vec<_> = flats.iter().map(|flat| (flat.id(), TAX, 0)).collect();
    assert_eq!(ready(2, None, 9), (all.clone(), None), "in the order in which they are due");
    // The registry is in the cases too, and it is not its turn; a page of others' turns is no end.
    let (none, next) = ready(0, None, 2);
    assert_eq!((none, next.is_some(), ready(0, next, 9)), (vec![], true, (vec![], None)));
    assert_eq!(ready(1, None, 9), (vec![], None), "this bureau is in no case");
    let (first, next) = ready(2, None, 2);
    assert_eq!([first, ready(2, next, 9).0].concat(), all);
    // Who decides has one less, who returned it gets it in a new round, and what ends is nobody's turn.
    let decide = |flat: &Flat, outcome| flat.decide(&world.offices[2].issuing, TAX, 0, outcome);
    act(&world, &node, &[decide(&flats[0], Outcome::Approved), decide(&flats[1], Outcome::Returned)]);
    act(&world, &node, &[flats[1].present(BUYER, 1), flats[1].present(0, 1)]);
    act(&world, &node, &[flats[2].withdraw(BUYER, &flats[2].keys[1])]);
    assert_eq!(ready(2, None, 9).0, [all[3], all[4], (flats[1].id(), TAX, 1)]);
    drop(node);
    let report = check(&world, dir.path());
    assert!(report.is_clean(), "{:#?}", report.problems);
}

/// Every node sweeps the same, whether it has all blocks or began with a snapshot.
#[test]
fn cases_expire_and_are_forgotten_on_every_node_alike() {
    let dirs: Vec<_> = (0..3).map(|_| tempdir().unwrap()).collect();
    let (world, node) = founded(dirs[0].path());
    let flats: Vec<Flat> = (0..3).map(|number| Flat::new(&world, number)).collect();
    let opened: Vec<SignedAct> = flats.iter().map(|flat| flat.open(&world, node.now())).collect();
    act(&world, &node, &opened);
    act(&world, &node, &[flats[0].present(BUYER, 0), flats[0].join(), flats[1].withdraw(0, &flats[1].keys[0])]);
    let taken = node.chain.tip().header.height;

    // One follows by blocks, one joins by a snapshot.
    let follower = world.create(dirs[1].path());
    for height in 1..=taken.0 {
        let body = node.chain.snapshot().unwrap().body(kanhe_proto::ids::Height(height)).unwrap().unwrap();
        follower.clock.store(node.now().0, std::sync::atomic::Ordering::SeqCst);
        follower.follow(&world, &body);
    }
    drop(world.create(dirs[2].path()));
    let pieces = node.chain.snapshot().unwrap().into_pieces().unwrap().unwrap();
    let staging = Staging::begin(dirs[2].path(), &world.genesis, pieces.offer()).unwrap();
    let put = |piece: Piece| {
        let content = Content::from_bytes(&pieces.piece(&piece).unwrap().to_bytes()).unwrap();
        pieces.offer().verify_piece(&piece, &content).unwrap();
        staging.put(&piece, &content).unwrap();
    };
    [Piece::Registry(Prefix::ALL), Piece::State(Prefix::ALL)].into_iter().for_each(put);
    Span::all(pieces.offer().log.size(), 10).map(Piece::Records).for_each(put);
    // The texts of both items are part of it.
    let texts = staging.schemas_missing().unwrap();
    assert_eq!(texts.len(), 2);
    texts.into_iter().map(Piece::Schema).for_each(put);
    let offer = pieces.offer().clone();
    drop(pieces);
    staging.finish(&offer).unwrap();
    let joined = world.open(dirs[2].path());

    let tell = |body: &[u8], node: &TestNode| {
        for other in [&follower, &joined] {
            other.clock.store(node.now().0, std::sync::atomic::Ordering::SeqCst);
            other.follow(&world, body);
            assert_eq!(other.chain.tip().hash, node.chain.tip().hash);
        }
    };
    for days in [30, 1, 30, 1] {
        node.pass(days * DAY);
        for _ in 0..2 {
            let body = node.block(&world, &[]);
            tell(&body, &node);
        }
    }
    for flat in &flats {
        assert_eq!(follow(&world, &joined, flat), None);
    }
    // Their records stay, though no leaf names them.
    let snapshot = joined.chain.snapshot().unwrap();
    let last = LogIndex(snapshot.tip().header.log_size - 1);
    let ended =
        flats.iter().filter_map(|flat| snapshot.case_events(&flat.id(), Some(last), 9).unwrap()).next().unwrap();
    assert!(ended.leaf.value.is_none() && ended.next.is_none() && ended.records.len() >= 2);
    drop(snapshot);
    for node in [node, follower, joined] {
        drop(node);
    }
    for dir in &dirs {
        let report = check(&world, dir.path());
        assert!(report.is_clean(), "{:#?}", report.problems);
        let storage = Storage::open_read_only(dir.path(), &world.genesis.chain_id()).unwrap();
        let reader = storage.read();
        let mut index = reader.iter(Column::Cases);
        index.seek_to_first();
        assert!(!index.valid(), "nothing is left in the index");
    }
}

#[test]
fn the_chain_says_whose_a_case_file_is() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let flat = Flat::new(&world, 1);
    let bureau = |office: usize| world.offices[office].uscc;
    let issuing = |office: usize| &world.offices[office].issuing;
    let claim = |office: usize, commitment: Commitment, key: &SecretKey, parts: u16| {
        let (to, case, author) = (bureau(office), flat.id(), key.public_key().id());
        node.chain.snapshot().unwrap().claim(&Claimed { to, case, commitment, author, parts }).unwrap()
    };
    let (file, new, stranger) = (said("file"), said("new"), SecretKey::from_seed([99; 32]));
    let [opener, buyer, spouse] = &flat.keys;
    assert_eq!(claim(2, file, opener, 1), Claim::NoCase);

    act(&world, &node, &[flat.open(&world, node.now())]);
    assert_eq!(claim(2, file, opener, 1), Claim::Wanted);
    assert_eq!(claim(2, file, opener, 2), Claim::Stranger, "the chain says how long it is");
    for key in [buyer, &stranger, issuing(2)] {
        assert_eq!(claim(2, file, key, 1), Claim::Stranger, "another has committed to it");
    }
    assert_eq!(claim(0, file, opener, 1), Claim::Possible, "not to this bureau");
    // As long as somebody is invited anybody may be it.
    for key in [opener, buyer, spouse, &stranger] {
        assert_eq!(claim(3, new, key, 1), Claim::Possible);
    }
    act(&world, &node, &[flat.join(), flat.present(BUYER, 0)]);
    assert_eq!(claim(3, file, spouse, 1), Claim::Wanted);
    assert_eq!((claim(0, file, buyer, 1), claim(2, file, buyer, 1)), (Claim::Wanted, Claim::Wanted));
    assert_eq!(claim(2, file, opener, 1), Claim::Wanted, "each has a version of its own");
    assert_eq!((claim(3, new, spouse, 1), claim(3, new, &stranger, 1)), (Claim::Possible, Claim::Stranger));
    // Bureaus that play a role, by a key that issues.
    assert_eq!((claim(0, new, issuing(2), 1), claim(0, new, issuing(1), 1)), (Claim::Possible, Claim::Stranger));

    let passed = FileRef { to: 0, commitment: said("passed"), bytes: 196_608 + 4_096 };
    let decide = flat.deciding(issuing(2), TAX, 0, Outcome::Approved);
    let decide = Decide { passed: List::new(vec![passed]).unwrap(), ..decide };
    act(&world, &node, &[flat.sign(Act::Decide(decide), issuing(2))]);
    assert_eq!(claim(0, said("passed"), issuing(2), 2), Claim::Wanted);
    assert_eq!(claim(0, said("passed"), opener, 2), Claim::Stranger);

    // What was said stays; nothing is said any more.
    act(&world, &node, &[flat.withdraw(BUYER, buyer)]);
    assert_eq!((claim(2, file, opener, 1), claim(2, new, opener, 1)), (Claim::Wanted, Claim::Stranger));
    node.pass(31 * DAY);
    for _ in 0..2 {
        node.block(&world, &[]);
    }
    assert_eq!(claim(2, file, opener, 1), Claim::NoCase);
}

#[test]
fn damage_to_the_index_of_cases_is_found() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let flat = Flat::new(&world, 1);
    act(&world, &node, &[flat.open(&world, node.now()), flat.present(BUYER, 0)]);
    drop(node);
    assert!(check(&world, dir.path()).is_clean());
    let entries: Vec<Vec<u8>> = {
        let storage = Storage::open(dir.path(), &world.genesis.chain_id()).unwrap();
        let reader = storage.read();
        let mut index = reader.iter(Column::Cases);
        let mut entries = Vec::new();
        index.seek_to_first();
        while let Some(key) = index.key() {
            entries.push(key.to_vec());
            index.next();
        }
        entries
    };
    // Its end, one step that is ready, three bureaus, and the step for each of them.
    assert_eq!(entries.iter().map(|entry| entry[0]).collect::<Vec<_>>(), [1, 2, 3, 3, 3, 4, 4, 4]);
    let change = |damage: &dyn Fn(&rocksdb::DB, &rocksdb::ColumnFamily)| {
        let storage = Storage::open(dir.path(), &world.genesis.chain_id()).unwrap();
        let db = storage.database();
        damage(db, db.cf_handle(Column::Cases.name()).unwrap());
    };
    for entry in &entries {
        change(&|db, column| db.delete_cf(column, entry).unwrap());
        assert!(!check(&world, dir.path()).is_clean(), "{entry:?}");
        change(&|db, column| db.put_cf(column, entry, b"").unwrap());
        let more = [entry.as_slice(), &[0]].concat();
        change(&|db, column| db.put_cf(column, &more, b"").unwrap());
        assert!(!check(&world, dir.path()).is_clean(), "{more:?}");
        change(&|db, column| db.delete_cf(column, &more).unwrap());
        assert!(check(&world, dir.path()).is_clean());
    }
}
