//! A chain handed over in pieces: what arrives is the same chain, goes on like it, and nothing false gets in.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::atomic::Ordering;

use common::{TestNode, World, change, changes, digest};
use kanhe_node::chain::Pieces;
use kanhe_node::storage::fsck::{Report, fsck};
use kanhe_node::storage::{Kept, Staging, Storage, StorageError};
use kanhe_proto::governance::Action;
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::ids::{Height, LogIndex, Power, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::log_range::LogRange;
use kanhe_proto::merkle::log::{self, Span};
use kanhe_proto::merkle::map::Prefix;
use kanhe_proto::registry::Parameters;
use kanhe_proto::snapshot::{Content, Offer, Piece};
use kanhe_proto::status::Status;
use kanhe_proto::transaction::StatusTarget;
use kanhe_proto::trust::Trust;
use tempfile::tempdir;

fn governed() -> World {
    World::with(4, Parameters { epoch_blocks: 5, ..Parameters::default() })
}

/// One more block: three batches, a status, ids of which half expire soon.
fn block(world: &World, node: &TestNode, more: &[kanhe_proto::transaction::Transaction]) -> bytes::Bytes {
    let number = node.chain.tip().header.height.0 * 3;
    let expiry = |n: u64| TimeMs(node.now().0 + if n.is_multiple_of(2) { 300 } else { 600_000 });
    let mut transactions: Vec<_> =
        (0..3).map(|office| world.batch(office, expiry(office as u64), number + office as u64)).collect();
    let target = StatusTarget::Licence(digest(number));
    let one = change(world.offices[0].uscc, target, 0, Status::Suspended);
    transactions.push(world.transaction(0, expiry(1), &changes(vec![one])));
    transactions.extend_from_slice(more);
    let body = node.block(world, &transactions);
    assert!(node.source.rejected.lock().unwrap().is_empty());
    body
}

/// A chain of twelve blocks with two hand-overs behind it.
fn grown(world: &World, dir: &Path) -> TestNode {
    let node = world.create(dir);
    let key = world.offices[3].validator.public_key();
    let seat = Action::SeatValidator { bureau: world.offices[3].uscc, key, power: Power(2) };
    let decided = world.decision(&node, &[0, 1, 2, 3], vec![seat]);
    let open = world.decision(&node, &[0], vec![Action::FreezeBureau { bureau: world.offices[1].uscc }]);
    let first = [&decided, &open].map(|payload| world.transaction(0, TimeMs(node.now().0 + 600_000), payload));
    block(world, &node, &first);
    for _ in 1..12 {
        block(world, &node, &[]);
    }
    node
}

/// Follows the hand-overs to the offered header, and keeps them.
fn follow(world: &World, pieces: &Pieces<'_>, now: TimeMs, staging: &Staging) {
    let mut trust = Trust::pin(&world.genesis, now).unwrap();
    let mut from = Height(1);
    let mut followed = 0;
    loop {
        let Content::HandOver(part) = pieces.piece(&Piece::HandOver { from, part: 0 }).unwrap() else { panic!() };
        let Some(part) = part else { break };
        let hand_over = HandOver::from_bytes(&part.bytes).unwrap();
        trust.hand_over(&hand_over, now).unwrap();
        staging.put_hand_over(&hand_over).unwrap();
        from = hand_over.certified.header.height.next();
        followed += 1;
    }
    assert_eq!(followed, 1);
    pieces.offer().verify(&trust, now).unwrap();
}

/// All pieces of an offer at depths that leave several of each kind.
fn all(offer: &Offer) -> Vec<Piece> {
    let halves = |piece: Piece| piece.halves().unwrap();
    let mut pieces: Vec<Piece> = [Piece::Registry(Prefix::ALL), Piece::State(Prefix::ALL)]
        .into_iter()
        .flat_map(halves)
        .flat_map(halves)
        .flat_map(halves)
        .collect();
    pieces.extend(Span::all(offer.log.size(), 3).map(Piece::Records));
    pieces
}

fn fetch(pieces: &Pieces<'_>, staging: &Staging, wanted: &[Piece]) {
    for piece in wanted {
        let content = Content::from_bytes(&pieces.piece(piece).unwrap().to_bytes()).unwrap();
        pieces.offer().verify_piece(piece, &content).unwrap();
        staging.put(piece, &content).unwrap();
        assert_eq!(staging.kept(piece).unwrap(), Some(Kept::Whole));
    }
}

fn check(world: &World, dir: &Path) -> Report {
    let chain_id = world.genesis.chain_id();
    let storage = Storage::open_read_only(dir, &chain_id).unwrap();
    fsck(&storage, &chain_id, &mut |_| {})
}

#[test]
fn what_is_handed_over_is_the_chain_and_goes_on() {
    let world = governed();
    let (theirs, own) = (tempdir().unwrap(), tempdir().unwrap());
    let node = grown(&world, theirs.path());
    drop(world.create(own.path()));
    let snapshot = node.chain.snapshot().unwrap();
    let pieces = snapshot.into_pieces().unwrap().unwrap();
    let offer = pieces.offer().clone();
    assert_eq!(offer.certified.header.height, Height(12));
    let staging = Staging::begin(own.path(), &world.genesis, &offer).unwrap();
    follow(&world, &pieces, node.now(), &staging);

    // Interrupted half-way: what is here stays here.
    let wanted = all(&offer);
    fetch(&pieces, &staging, &wanted[..wanted.len() / 2]);
    drop(staging);
    let (staging, kept) = Staging::resume(own.path(), &world.genesis.chain_id()).unwrap().unwrap();
    assert_eq!(kept, offer);
    let missing: Vec<Piece> = wanted.iter().filter(|piece| staging.kept(piece).unwrap().is_none()).copied().collect();
    assert_eq!(missing.len(), wanted.len() - wanted.len() / 2);
    // A snapshot stays as it is while the chain goes on.
    block(&world, &node, &[]);
    fetch(&pieces, &staging, &missing);
    assert_eq!(staging.schemas_missing().unwrap(), []);
    staging.finish(&offer).unwrap();
    assert!(!own.path().join("db.sync").exists());

    let report = check(&world, own.path());
    assert!(report.is_clean(), "{:#?}", report.problems);
    assert_eq!((report.base, report.height), (12, 12));
    let joined = world.open(own.path());
    assert_eq!(joined.chain.base(), Height(12));
    assert_eq!(joined.chain.tip().header, offer.certified.header);
    // It executes what the others decide, through a change of epoch, sweeping included, and makes blocks of its own.
    let body = node.chain.snapshot().unwrap().body(Height(13)).unwrap().unwrap();
    joined.follow(&world, &body);
    let set_clock = |one: &TestNode, other: &TestNode| one.clock.store(other.now().0, Ordering::SeqCst);
    for _ in 0..4 {
        let body = block(&world, &node, &[]);
        joined.follow(&world, &body);
        set_clock(&joined, &node);
        let body = block(&world, &joined, &[]);
        node.follow(&world, &body);
        set_clock(&node, &joined);
    }
    assert_eq!(joined.chain.tip().hash, node.chain.tip().hash);
    for node in [&node, &joined] {
        let snapshot = node.chain.snapshot().unwrap();
        for index in [0, 5, 30, 50] {
            let Some(record) = snapshot.record(LogIndex(index)).unwrap() else { panic!("record {index}") };
            record.verify(&snapshot.certified().unwrap().header).unwrap();
        }
    }
    let snapshot = joined.chain.snapshot().unwrap();
    assert!(snapshot.body(Height(12)).unwrap().is_none());
    assert!(snapshot.evidence(LogIndex(10), &digest(1)).is_ok());
    drop(snapshot);
    // It hands over in its turn.
    let again = joined.chain.snapshot().unwrap().into_pieces().unwrap().unwrap();
    let third = tempdir().unwrap();
    drop(world.create(third.path()));
    let staging = Staging::begin(third.path(), &world.genesis, again.offer()).unwrap();
    follow(&world, &again, node.now(), &staging);
    fetch(&again, &staging, &all(again.offer()));
    staging.finish(again.offer()).unwrap();
    drop(again);
    drop(joined);
    for (dir, base) in [(own.path(), 12), (third.path(), 21)] {
        let report = check(&world, dir);
        assert!(report.is_clean(), "{:#?}", report.problems);
        assert_eq!((report.base, report.height), (base, 21));
    }
}

#[test]
fn every_flipped_bit_of_a_piece_is_refused() {
    let world = governed();
    let dir = tempdir().unwrap();
    let node = grown(&world, dir.path());
    let pieces = node.chain.snapshot().unwrap().into_pieces().unwrap().unwrap();
    for piece in all(pieces.offer()).iter().step_by(3) {
        let bytes = pieces.piece(piece).unwrap().to_bytes();
        for bit in (0..bytes.len() * 8).step_by(41) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let believed =
                Content::from_bytes(&flipped).and_then(|content| pieces.offer().verify_piece(piece, &content));
            assert!(believed.is_err(), "bit {bit} of {piece:?}");
        }
    }
}

#[test]
fn what_does_not_exist_is_gone_and_what_is_missing_does_not_become_a_chain() {
    let world = governed();
    let (theirs, own) = (tempdir().unwrap(), tempdir().unwrap());
    let node = grown(&world, theirs.path());
    drop(world.create(own.path()));
    let pieces = node.chain.snapshot().unwrap().into_pieces().unwrap().unwrap();
    for span in [(0, 1_000), (5, 2), (63, 0), (255, u64::MAX)] {
        let span = Span { level: span.0, index: span.1 };
        assert_eq!(pieces.piece(&Piece::Records(span)).unwrap(), Content::Gone);
    }
    assert_eq!(pieces.piece(&Piece::Schema(kanhe_proto::hash::Hash([1; 32]))).unwrap(), Content::Gone);
    let late = Piece::HandOver { from: Height(1_000), part: 0 };
    assert_eq!(pieces.piece(&late).unwrap(), Content::HandOver(None));
    let wanted = all(pieces.offer());
    for left_out in [0, 9, wanted.len() - 1] {
        let staging = Staging::begin(own.path(), &world.genesis, pieces.offer()).unwrap();
        follow(&world, &pieces, node.now(), &staging);
        let some: Vec<Piece> = (0..wanted.len()).filter(|at| *at != left_out).map(|at| wanted[at]).collect();
        fetch(&pieces, &staging, &some);
        let finished = staging.finish(pieces.offer());
        // A prefix may have no leaves.
        if finished.is_err() {
            assert!(matches!(finished, Err(StorageError::Damaged(_))), "{finished:?}");
            assert_eq!(world.open(own.path()).chain.base(), Height(0), "the database is still the one of genesis");
        } else {
            std::fs::remove_dir_all(own.path()).unwrap();
            drop(world.create(own.path()));
        }
    }
}

/// All records between two headers, as a light client takes them from a node.
fn range_of(node: &TestNode, from: u64, to: u64, level_max: u8) -> u64 {
    let snapshot = node.chain.snapshot().unwrap();
    let header = |height: u64| snapshot.certified_at(Height(height)).unwrap().map(|certified| certified.header);
    let (before, last) = (header(from - 1), header(to).unwrap());
    let size = before.as_ref().map_or(0, |header| header.log_size);
    let mut range = LogRange::begin(before.as_ref(), snapshot.log_frontier(size).unwrap().unwrap()).unwrap();
    let frontier = snapshot.log_frontier(last.log_size).unwrap().unwrap();
    frontier.verify(last.log_size, &last.log_root).unwrap();
    for span in Span::between(size, last.log_size, level_max) {
        let Content::Records(found) = snapshot.log_span(last.log_size, span).unwrap() else { panic!("{span:?}") };
        found.verify(&frontier, span).unwrap();
        for record in &found.records {
            assert!(range.push(record).unwrap().recorded().is_some());
        }
    }
    range.finish(&last).unwrap();
    let proof = snapshot.past_consistency(size, last.log_size).unwrap().unwrap();
    let old = before.map_or_else(log::empty_root, |header| header.log_root);
    log::verify_consistency(size, &old, last.log_size, &last.log_root, &proof).unwrap();
    last.log_size - size
}

#[test]
fn all_records_between_any_two_headers_are_served_with_their_proofs() {
    let (world, dir) = (governed(), tempdir().unwrap());
    let node = grown(&world, dir.path());
    for from in 1..=12 {
        for to in from..=12 {
            // Each block has three batches; the first one has a decision besides.
            let expected = 3 * (to - from + 1) + u64::from(from == 1);
            for level_max in [0, 2, 10] {
                assert_eq!(range_of(&node, from, to, level_max), expected, "{from}..{to}");
            }
        }
    }
    let snapshot = node.chain.snapshot().unwrap();
    let size = snapshot.tip().header.log_size;
    assert_eq!(snapshot.log_frontier(size + 1).unwrap(), None);
    assert_eq!(snapshot.past_consistency(4, 3).unwrap(), None);
    assert_eq!(snapshot.past_consistency(4, size + 1).unwrap(), None);
    for (size, level, index) in [(size + 1, 0, 0), (8, 0, 8), (8, 4, 0), (8, 63, 0), (8, 0, u64::MAX), (0, 0, 0)] {
        assert_eq!(snapshot.log_span(size, Span { level, index }).unwrap(), Content::Gone, "{size} {level} {index}");
    }
}
