//! Consents and reads on a chain with its database: proofs for a light client, the indexes, snapshots, and `fsck`.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::atomic::Ordering;

use common::flat::{DAY, registering};
use common::person::{Person, SOURCE, acts, reads, statutory};
use common::{TYPE, TestNode, World};
use kanhe_node::storage::fsck::{Report, fsck};
use kanhe_node::storage::{Column, Staging, Storage};
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::consent::{
    Consent, ConsentEvent, ConsentHistory, ReadList, SourceReads, Trace, consent_key, source_reads_key,
};
use kanhe_proto::governance::Action;
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::merkle::log::Span;
use kanhe_proto::merkle::map::Prefix;
use kanhe_proto::registry::{DataCatalogue, DataClass, DataDeclaration, Names, RegistryRecord};
use kanhe_proto::snapshot::{Content, Piece};
use kanhe_proto::transaction::Payload;
use kanhe_proto::trust::Trust;
use tempfile::tempdir;

/// A block with one transaction.
fn block(world: &World, node: &TestNode, payload: &Payload) {
    node.block(world, &[world.transaction(0, TimeMs(node.now().0 + 60_000), payload)]);
    assert_eq!(*node.source.rejected.lock().unwrap(), []);
}

/// A chain on which a purpose is registered.
fn founded(dir: &Path) -> (World, TestNode) {
    let world = World::new(4);
    let node = world.create(dir);
    let decided = world.decision(&node, &[0, 1, 2, 3], registering(&world)[..1].to_vec());
    block(&world, &node, &decided);
    node.block(&world, &[]);
    (world, node)
}

fn check(world: &World, dir: &Path) -> Report {
    let chain_id = world.genesis.chain_id();
    fsck(&Storage::open_read_only(dir, &chain_id).unwrap(), &chain_id, &mut |_| {})
}

/// The tip's header, as a light client believes it.
fn believed(world: &World, node: &TestNode) -> Header {
    let certified = node.chain.snapshot().unwrap().certified().unwrap().clone();
    let trust = Trust::pin(&world.genesis, node.now()).unwrap();
    trust.check(&certified, node.now()).unwrap();
    certified.header
}

/// What a light client makes of a consent that a node shows: the leaf, and all its events.
fn follow(world: &World, node: &TestNode, person: &Person) -> Option<(Consent, Vec<ConsentEvent>)> {
    let (snapshot, header) = (node.chain.snapshot().unwrap(), believed(world, node));
    let mut page = snapshot.consent_events(&person.id(), None, 2).unwrap().unwrap();
    let key = consent_key(&person.id());
    let consent = page.leaf.read::<Consent>(&header.state_root, &key).unwrap()?;
    let mut list = ConsentHistory::of(&consent);
    loop {
        for proved in &page.records {
            list.push(&header, proved).unwrap();
        }
        assert_eq!(list.wanted(), page.next);
        let Some(next) = page.next else { break };
        page = snapshot.consent_events(&person.id(), Some(next), 2).unwrap().unwrap();
    }
    let events = list.into_whole().unwrap();
    Some((consent, events.into_iter().map(|(_, event)| event).collect()))
}

/// The numbers of a person's reads that she finds among all of the source, none of which a node could keep back.
fn scan(world: &World, node: &TestNode, person: &Person, from: u64) -> (u64, Vec<u64>) {
    let (snapshot, header, source) =
        (node.chain.snapshot().unwrap(), believed(world, node), world.offices[SOURCE].uscc);
    let mut trace = Trace::new(person.trace.clone());
    let mut next = from;
    loop {
        let page = snapshot.reads_of(&source, next, 3).unwrap();
        let counted = page.leaf.read::<SourceReads>(&header.state_root, &source_reads_key(&source)).unwrap();
        let mut list = ReadList::of(source, counted.as_ref(), next);
        for proved in &page.records {
            let record = list.push(&header, proved).unwrap();
            if let Some(n) = trace.recognise(&record.read.read.tag) {
                person.trace.open(&person.chain, record.read.request(), n, &record.read.read.note).unwrap();
            }
        }
        assert_eq!(list.wanted(), page.next);
        match page.next {
            Some(more) => next = more,
            None => return (counted.map_or(0, |counted| counted.count), trace.found().collect()),
        }
    }
}

/// Two people, of whom the first consents; reads of both on a rule between hers under the consent.
fn read(world: &World, node: &TestNode, hers: &Person, his: &Person) {
    block(world, node, &acts(&[hers.grant(world, node.now())]));
    let now = |node: &TestNode| node.now();
    block(world, node, &reads(&[hers.read(world, hers.under(1), 1, now(node))]));
    block(
        world,
        node,
        &reads(&[his.read(world, statutory(None), 1, now(node)), hers.read(world, statutory(None), 2, now(node))]),
    );
    block(
        world,
        node,
        &reads(&[his.read(world, statutory(None), 2, now(node)), hers.read(world, hers.under(2), 3, now(node))]),
    );
}

#[test]
fn a_person_follows_her_consent_and_finds_her_reads_and_misses_nothing() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let (hers, his) = (Person::new(&world, 1), Person::new(&world, 2));
    assert_eq!(follow(&world, &node, &hers), None);
    assert_eq!(scan(&world, &node, &hers, 0), (0, vec![]));
    read(&world, &node, &hers, &his);
    block(&world, &node, &acts(&[hers.withdraw()]));
    let (consent, events) = follow(&world, &node, &hers).unwrap();
    assert_eq!((consent.left, consent.withdrawn.is_some(), events.len()), (1, true, 4));
    assert!(
        events[0].is_grant()
            && matches!(&events[1..], [ConsentEvent::Read(_), ConsentEvent::Read(_), ConsentEvent::Act(_)])
    );
    assert_eq!(scan(&world, &node, &hers, 0), (5, vec![1, 2, 3]));
    assert_eq!(scan(&world, &node, &his, 0), (5, vec![1, 2]));
    assert_eq!(scan(&world, &node, &hers, 2), (5, vec![2, 3]));
    assert_eq!(scan(&world, &node, &hers, 5), (5, vec![]));
    assert_eq!(scan(&world, &node, &hers, 99), (5, vec![]));
    let snapshot = node.chain.snapshot().unwrap();
    assert_eq!(snapshot.reads_of(&world.offices[3].uscc, 0, 9).unwrap().records, []);
    // Not from another's event, nor beyond the log.
    for from in [LogIndex(0), LogIndex(999)] {
        assert!(snapshot.consent_events(&hers.id(), Some(from), 9).unwrap().is_none());
    }
    drop(snapshot);
    drop(node);
    let report = check(&world, dir.path());
    assert!(report.is_clean(), "{:#?}", report.problems);
    let node = world.open(dir.path());
    assert_eq!(scan(&world, &node, &hers, 0), (5, vec![1, 2, 3]));
}

/// Every node forgets the same, whether it has all blocks or began with a snapshot.
#[test]
fn consents_are_forgotten_on_every_node_alike_and_reads_are_not() {
    let dirs: Vec<_> = (0..3).map(|_| tempdir().unwrap()).collect();
    let (world, node) = founded(dirs[0].path());
    let (hers, his) = (Person::new(&world, 1), Person::new(&world, 2));
    read(&world, &node, &hers, &his);
    let taken = node.chain.tip().header.height;

    let follower = world.create(dirs[1].path());
    for height in 1..=taken.0 {
        let body = node.chain.snapshot().unwrap().body(Height(height)).unwrap().unwrap();
        follower.clock.store(node.now().0, Ordering::SeqCst);
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
    staging.schemas_missing().unwrap().into_iter().map(Piece::Schema).for_each(put);
    let offer = pieces.offer().clone();
    drop(pieces);
    staging.finish(&offer).unwrap();
    let joined = world.open(dirs[2].path());
    assert_eq!(follow(&world, &joined, &hers), follow(&world, &node, &hers));
    assert_eq!(scan(&world, &joined, &hers, 0), (5, vec![1, 2, 3]));

    // What was recorded before it joined is not recorded again.
    let again = reads(&[hers.read(&world, hers.under(3), 4, node.now())]);
    let transaction = world.transaction(0, TimeMs(node.now().0 + 60_000), &again);
    let tell = |body: &[u8], node: &TestNode| {
        for other in [&follower, &joined] {
            other.clock.store(node.now().0, Ordering::SeqCst);
            other.follow(&world, body);
            assert_eq!(other.chain.tip().hash, node.chain.tip().hash);
        }
    };
    tell(&node.block(&world, &[transaction]), &node);
    for days in [31, 31] {
        node.pass(days * DAY);
        for _ in 0..2 {
            tell(&node.block(&world, &[]), &node);
        }
    }
    for node in [&node, &follower, &joined] {
        assert_eq!(follow(&world, node, &hers), None);
        assert_eq!(scan(&world, node, &hers, 0), (6, vec![1, 2, 3, 4]));
    }
    // Its records stay, though no leaf names them.
    let snapshot = joined.chain.snapshot().unwrap();
    let last = LogIndex(snapshot.tip().header.log_size - 1);
    let found = snapshot.consent_events(&hers.id(), Some(last), 9).unwrap().unwrap();
    assert!(found.leaf.value.is_none() && found.next.is_none() && found.records.len() == 4);
    drop(snapshot);
    for node in [node, follower, joined] {
        drop(node);
    }
    for dir in &dirs {
        let report = check(&world, dir.path());
        assert!(report.is_clean(), "{:#?}", report.problems);
        let storage = Storage::open_read_only(dir.path(), &world.genesis.chain_id()).unwrap();
        let reader = storage.read();
        let mut index = reader.iter(Column::Consents);
        index.seek_to_first();
        assert!(!index.valid(), "nothing is left in the index");
    }
}

#[test]
fn damage_to_the_indexes_is_found() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let (hers, his) = (Person::new(&world, 1), Person::new(&world, 2));
    read(&world, &node, &hers, &his);
    drop(node);
    assert!(check(&world, dir.path()).is_clean());
    for (column, count) in [(Column::Consents, 1), (Column::Reads, 5)] {
        let entries: Vec<(Vec<u8>, Vec<u8>)> = {
            let storage = Storage::open(dir.path(), &world.genesis.chain_id()).unwrap();
            let reader = storage.read();
            let mut index = reader.iter(column);
            let mut entries = Vec::new();
            index.seek_to_first();
            while let Some((key, value)) = index.item() {
                entries.push((key.to_vec(), value.to_vec()));
                index.next();
            }
            entries
        };
        assert_eq!(entries.len(), count);
        let change = |damage: &dyn Fn(&rocksdb::DB, &rocksdb::ColumnFamily)| {
            let storage = Storage::open(dir.path(), &world.genesis.chain_id()).unwrap();
            let db = storage.database();
            damage(db, db.cf_handle(column.name()).unwrap());
        };
        let (key, value) = &entries[0];
        change(&|db, column| db.delete_cf(column, key).unwrap());
        assert!(!check(&world, dir.path()).is_clean(), "one is missing");
        change(&|db, column| db.put_cf(column, key, [value.as_slice(), &[1]].concat()).unwrap());
        assert!(!check(&world, dir.path()).is_clean(), "one says something else");
        change(&|db, column| db.put_cf(column, key, value).unwrap());
        let more = [key.as_slice(), &[0]].concat();
        change(&|db, column| db.put_cf(column, &more, value).unwrap());
        assert!(!check(&world, dir.path()).is_clean(), "one is too many");
        change(&|db, column| db.delete_cf(column, &more).unwrap());
        assert!(check(&world, dir.path()).is_clean());
    }
}

#[test]
fn a_bureau_declares_its_data_and_all_of_it_is_proved() {
    let dir = tempdir().unwrap();
    let (world, node) = founded(dir.path());
    let bureau = world.offices[2].uscc;
    let declared = |code: &str, count: u64, type_code: Option<&str>| DataDeclaration {
        code: Text::new(code).unwrap(),
        names: Names { zh: Text::new(code).unwrap(), en: Text::new(code).unwrap() },
        type_code: type_code.map(|code| code.parse().unwrap()),
        count,
        as_of: node.now(),
    };
    let declare = |classes: Vec<DataDeclaration>| {
        world.decision(&node, &[2], vec![Action::DeclareData { bureau, classes: List::new(classes).unwrap() }])
    };
    let proved = || {
        let (snapshot, header) = (node.chain.snapshot().unwrap(), believed(&world, &node));
        let found = snapshot.data_classes(&bureau).unwrap();
        let key = DataCatalogue::key_of(&bureau);
        let catalogue = found.catalogue.read::<DataCatalogue>(&header.registry_root, &key).unwrap();
        let entries: Vec<_> = catalogue.iter().flat_map(|all| all.classes.iter().cloned()).collect();
        assert_eq!(entries.len(), found.classes.len());
        let class = |(entry, leaf): (&kanhe_proto::registry::DataEntry, &kanhe_proto::proof::ProvedLeaf)| {
            let key = DataClass::key_of(&(bureau, entry.code.clone()));
            let class = leaf.read::<DataClass>(&header.registry_root, &key).unwrap().unwrap();
            assert_eq!(class.intervals.hold_at(header.height.next()), entry.in_force);
            (entry.code.to_string(), class.declared.count, entry.in_force)
        };
        entries.iter().zip(&found.classes).map(class).collect::<Vec<_>>()
    };
    assert_eq!(proved(), []);
    block(&world, &node, &declare(vec![declared("households", 9, Some(TYPE)), declared("moves", 0, None)]));
    let told = |code: &str, count, in_force| (code.to_owned(), count, in_force);
    assert_eq!(proved(), [told("households", 9, true), told("moves", 0, true)]);
    block(&world, &node, &declare(vec![declared("births", 3, None), declared("households", 12, Some(TYPE))]));
    assert_eq!(proved(), [told("births", 3, true), told("households", 12, true), told("moves", 0, true)]);
    let gone = List::new(vec![Text::new("moves").unwrap()]).unwrap();
    let retire = || world.decision(&node, &[2], vec![Action::RetireData { bureau, classes: gone.clone() }]);
    block(&world, &node, &retire());
    assert_eq!(proved(), [told("births", 3, true), told("households", 12, true), told("moves", 0, false)]);
    drop(node);
    let report = check(&world, dir.path());
    assert!(report.is_clean(), "{:#?}", report.problems);
}
