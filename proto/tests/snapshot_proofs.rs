//! Snapshots in pieces: each is accepted as it is, and refused with anything flipped, dropped, added or moved.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use std::collections::BTreeMap;

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::codec;
use kanhe_proto::genesis::schema_digest;
use kanhe_proto::hash::{Hash, MapKey, TransactionId, sha256};
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::limits::PIECE_BYTES_MAX;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::merkle::MerkleError;
use kanhe_proto::merkle::log::{self, Frontier, NodeReader, Span, SpanProof, leaf_hash, prove_span, verify_span};
use kanhe_proto::merkle::map::{self, MapLeaf, Prefix, SubtreeProof, prove_subtree, root_of, verify_subtree};
use kanhe_proto::snapshot::{
    Ask, Content, FullLeaf, HandOverPart, Leaves, Offer, Piece, Records, SNAPSHOT_VERSION, SnapshotError,
};
use kanhe_proto::status::{SpentId, spent_id_key};
use world::World;

fn key(seed: u64) -> MapKey {
    MapKey(sha256(&[&seed.to_be_bytes()]))
}

/// Leaves spread evenly, and some whose keys share 250 bits.
fn content(count: u64, ground: u8) -> Vec<MapLeaf> {
    let spread = (0..count).map(key);
    let close = (0..ground).map(|end| {
        let mut bytes = [0xab; 32];
        bytes[31] = end;
        MapKey(bytes)
    });
    let mut leaves: Vec<MapLeaf> = spread.chain(close).map(|key| MapLeaf::new(key, key.bytes())).collect();
    leaves.sort_unstable_by_key(|leaf| leaf.key);
    leaves
}

fn prefix(key: &MapKey, bits: usize) -> Prefix {
    Prefix::of(key, bits).unwrap()
}

#[derive(Default)]
struct Nodes(BTreeMap<(u8, u64), Hash>);

impl NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.0.get(&(level, index)).copied()
    }
}

fn stored(leaves: &[Hash]) -> (Frontier, Nodes) {
    let (mut frontier, mut nodes) = (Frontier::default(), Nodes::default());
    for leaf in leaves {
        frontier.append(*leaf, &mut |node| {
            nodes.0.insert((node.level, node.index), node.hash);
        });
    }
    (frontier, nodes)
}

#[test]
fn prefixes_have_one_form() {
    let some = key(1);
    for bits in 0..=256 {
        let prefix = prefix(&some, bits);
        assert!(prefix.covers(&some) && prefix.covers(&prefix.first()) && prefix.covers(&prefix.last()));
        assert!(prefix.first() <= some && some <= prefix.last());
        assert_eq!(map::common_prefix(&prefix.first(), &prefix.last()), bits);
        let bytes = codec::encode(&prefix);
        assert_eq!(codec::decode::<Prefix>(&bytes, 64).unwrap(), prefix);
        match prefix.halves() {
            Some([left, right]) => {
                assert_eq!((left.first(), right.last()), (prefix.first(), prefix.last()));
                assert_ne!(left.covers(&some), right.covers(&some));
                assert_eq!((left.parent(), right.parent()), (Some(prefix), Some(prefix)));
                let mut other = bytes;
                other[4..].copy_from_slice(right.first().bytes());
                assert!(codec::decode::<Prefix>(&other, 64).is_err(), "a bit beyond the prefix");
            }
            None => assert_eq!(bits, 256),
        }
    }
    assert_eq!(Prefix::ALL.parent(), None);
    assert_eq!(Prefix::of(&some, 257), None);
    assert!(codec::decode::<Prefix>(&codec::encode(&(257_u32, some)), 64).is_err());
}

#[test]
fn every_prefix_of_small_maps_is_proved_and_all_of_one_depth_make_the_map() {
    for (count, ground) in [(0, 0), (1, 0), (2, 0), (0, 3), (7, 0), (40, 5)] {
        let leaves = content(count, ground);
        let root = root_of(&leaves);
        for bits in 0..=6 {
            let mut joined = Vec::new();
            for place in 0..1_u16 << bits {
                let mut first = [0; 32];
                first[..2].copy_from_slice(&(place.checked_shl(16 - bits).unwrap_or(0)).to_be_bytes());
                let prefix = prefix(&MapKey(first), bits as usize);
                let (covered, proof) = prove_subtree(&leaves, &prefix);
                verify_subtree(&root, &prefix, covered, &proof).unwrap();
                joined.extend_from_slice(covered);
            }
            assert_eq!(joined, leaves, "{count} and {ground} leaves at {bits} bits");
        }
        for leaf in &leaves {
            for bits in [7, 8, 9, 100, 249, 250, 251, 255, 256] {
                let prefix = prefix(&leaf.key, bits);
                let (covered, proof) = prove_subtree(&leaves, &prefix);
                assert!(covered.contains(leaf));
                verify_subtree(&root, &prefix, covered, &proof).unwrap();
            }
        }
    }
}

#[test]
fn a_leaf_flipped_dropped_added_or_moved_is_refused() {
    let leaves = content(40, 4);
    let root = root_of(&leaves);
    for leaf in leaves.iter().step_by(5) {
        for bits in [0, 1, 3, 5, 12, 252, 254, 256] {
            let prefix = prefix(&leaf.key, bits);
            let (covered, proof) = prove_subtree(&leaves, &prefix);
            let refused = |changed: &[MapLeaf]| assert!(verify_subtree(&root, &prefix, changed, &proof).is_err());
            for at in 0..covered.len() {
                let mut flipped = covered.to_vec();
                flipped[at].value_hash.0[at % 32] ^= 1;
                refused(&flipped);
                let mut moved = covered.to_vec();
                moved[at].key.0[31] ^= 0x40;
                refused(&moved);
                moved.sort_unstable_by_key(|leaf| leaf.key);
                refused(&moved);
                let mut dropped = covered.to_vec();
                dropped.remove(at);
                refused(&dropped);
                let mut twice = covered.to_vec();
                twice.insert(at, covered[at]);
                refused(&twice);
                let mut swapped = covered.to_vec();
                swapped.swap(0, at);
                assert!(at == 0 || verify_subtree(&root, &prefix, &swapped, &proof).is_err());
            }
            for new in [prefix.first(), prefix.last(), key(9_999)] {
                let mut added = covered.to_vec();
                added.push(MapLeaf::new(new, b"new"));
                added.sort_unstable_by_key(|leaf| leaf.key);
                refused(&added);
            }
            refuse_changed(&proof, |proof| verify_subtree(&root, &prefix, covered, proof));
        }
    }
}

/// Every encoding that differs in a bit, and every list with a hash less or more.
fn refuse_changed(proof: &SubtreeProof, verify: impl Fn(&SubtreeProof) -> Result<(), MerkleError>) {
    verify(proof).unwrap();
    let bytes = codec::encode(proof);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = codec::decode::<SubtreeProof>(&flipped, bytes.len()) {
            assert!(verify(&changed).is_err(), "bit {bit}");
        }
    }
    for at in 0..proof.siblings.len() {
        let mut fewer = proof.siblings.to_vec();
        fewer.remove(at);
        assert!(verify(&SubtreeProof { siblings: List::new(fewer).unwrap(), ..proof.clone() }).is_err());
    }
    let mut more = proof.siblings.to_vec();
    more.push(map::empty_root());
    if let Ok(siblings) = List::new(more) {
        assert!(verify(&SubtreeProof { siblings, ..proof.clone() }).is_err());
    }
}

#[test]
fn a_leaf_cannot_be_hidden_as_the_other_one() {
    let leaves = content(1, 0);
    let root = root_of(&leaves);
    let hidden = SubtreeProof { other: Some(leaves[0]), siblings: List::empty() };
    let own = prefix(&leaves[0].key, 5);
    assert_eq!(verify_subtree(&root, &own, &[], &hidden), Err(MerkleError::Opposite));
    assert_eq!(verify_subtree(&root, &Prefix::ALL, &[], &hidden), Err(MerkleError::WrongLeaf));
    let mut away = leaves[0].key;
    away.0[0] ^= 0x80;
    verify_subtree(&root, &prefix(&away, 5), &[], &hidden).unwrap();
    assert_eq!(verify_subtree(&root, &prefix(&away, 5), &leaves, &hidden), Err(MerkleError::WrongLeaf));
}

#[test]
fn every_span_of_small_logs_is_proved_and_all_together_are_the_log() {
    for size in 0..=40_u64 {
        let leaves: Vec<Hash> = (0..size).map(|index| leaf_hash(&index.to_be_bytes())).collect();
        let (frontier, nodes) = stored(&leaves);
        frontier.verify(size, &log::root(&leaves)).unwrap();
        assert!(frontier.verify(size + 1, &log::root(&leaves)).is_err());
        assert!(frontier.verify(size, &leaf_hash(b"other")).is_err());
        for level_max in 0..=6 {
            let mut joined = Vec::new();
            for span in Span::all(size, level_max) {
                let first = span.first().unwrap() as usize;
                let of = &leaves[first..first + span.count().unwrap() as usize];
                let proof = prove_span(&frontier, span, &nodes).unwrap();
                verify_span(&frontier, span, of, &proof).unwrap();
                assert_eq!(codec::decode::<Span>(&codec::encode(&span), 16).unwrap(), span);
                joined.extend_from_slice(of);
                refuse_span(&frontier, span, of, &proof);
            }
            assert_eq!(joined, leaves);
        }
    }
}

fn refuse_span(frontier: &Frontier, span: Span, leaves: &[Hash], proof: &SpanProof) {
    let refused = |span: Span, leaves: &[Hash], proof: &SpanProof| {
        assert!(verify_span(frontier, span, leaves, proof).is_err(), "{span:?}");
    };
    for at in 0..leaves.len() {
        let mut changed = leaves.to_vec();
        changed[at].0[at % 32] ^= 1;
        refused(span, &changed, proof);
        changed = leaves.to_vec();
        changed.remove(at);
        refused(span, &changed, proof);
        changed = leaves.to_vec();
        changed.insert(at, leaves[at]);
        refused(span, &changed, proof);
        changed = leaves.to_vec();
        changed.swap(0, at);
        assert!(at == 0 || verify_span(frontier, span, &changed, proof).is_err());
    }
    refused(Span { index: span.index + 1, ..span }, leaves, proof);
    refused(Span { level: span.level + 1, index: span.index / 2 }, leaves, proof);
    for at in 0..proof.siblings.len() {
        let mut siblings = proof.siblings.to_vec();
        siblings[at].0[0] ^= 1;
        refused(span, leaves, &SpanProof { siblings: List::new(siblings.clone()).unwrap() });
        siblings.remove(at);
        refused(span, leaves, &SpanProof { siblings: List::new(siblings).unwrap() });
    }
    let mut siblings = proof.siblings.to_vec();
    siblings.push(log::empty_root());
    refused(span, leaves, &SpanProof { siblings: List::new(siblings).unwrap() });
}

#[test]
fn impossible_spans_are_errors() {
    let (frontier, nodes) = stored(&[leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")]);
    for span in [(0, 3), (1, 1), (2, 0), (62, 0), (63, 1), (255, u64::MAX), (0, u64::MAX)] {
        let span = Span { level: span.0, index: span.1 };
        assert!(prove_span(&frontier, span, &nodes).is_err(), "{span:?}");
        assert!(verify_span(&frontier, span, &[], &SpanProof { siblings: List::empty() }).is_err());
    }
    assert_eq!(Span { level: 0, index: 5 }.halves(), None);
    let [left, right] = Span { level: 3, index: 5 }.halves().unwrap();
    assert_eq!((left.first(), right.first()), (Some(40), Some(44)));
}

fn record_leaves(world: &World) -> Vec<Hash> {
    world.records.iter().map(|record| leaf_hash(record)).collect()
}

/// An offer of the usual world, with what it commits to.
fn offer() -> (World, Offer) {
    let (world, _) = World::with_licence();
    let records = record_leaves(&world);
    let mut offer = Offer {
        version: SNAPSHOT_VERSION,
        certified: world.certified(),
        log: stored(&records).0,
        history: Frontier::default(),
    };
    let headers: Vec<Hash> =
        (0..offer.certified.header.height.0).map(|height| leaf_hash(&height.to_be_bytes())).collect();
    offer.history = stored(&headers).0;
    let mut header = world.header();
    header.history_root = offer.history.root();
    offer.certified = world.certify(header);
    (world, offer)
}

#[test]
fn an_offer_is_believed_with_its_header_and_frontiers_alone() {
    let (world, offer) = offer();
    let (trust, now) = (world.trust(), TimeMs(offer.certified.header.time.0 + 1));
    offer.verify(&trust, now).unwrap();
    let bytes = offer.to_bytes();
    assert_eq!(Offer::from_bytes(&bytes).unwrap(), offer);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let believed = Offer::from_bytes(&flipped).and_then(|changed| changed.verify(&trust, now));
        assert!(believed.is_err(), "bit {bit}");
    }
}

fn full(values: &BTreeMap<MapKey, Vec<u8>>, prefix: &Prefix) -> Leaves {
    let leaves: Vec<MapLeaf> = values.iter().map(|(key, value)| MapLeaf::new(*key, value)).collect();
    let (covered, proof) = prove_subtree(&leaves, prefix);
    let value = |leaf: &MapLeaf| FullLeaf { key: leaf.key, value: Blob::new(values[&leaf.key].clone()).unwrap() };
    Leaves { leaves: List::new(covered.iter().map(value).collect()).unwrap(), ids: List::empty(), proof }
}

#[test]
fn pieces_are_accepted_as_answers_to_their_own_question() {
    let (world, offer) = offer();
    let registry = Piece::Registry(Prefix::ALL);
    let content = Content::Leaves(full(&world.registry, &Prefix::ALL));
    offer.verify_piece(&registry, &content).unwrap();
    assert_eq!(Content::from_bytes(&content.to_bytes()).unwrap(), content);
    assert!(offer.verify_piece(&Piece::State(Prefix::ALL), &content).is_err());
    let text = "{}";
    let schema = Piece::Schema(schema_digest(text));
    let answer = Content::Schema(Text::new(text).unwrap());
    offer.verify_piece(&schema, &answer).unwrap();
    assert_eq!(offer.verify_piece(&schema, &content), Err(SnapshotError::OtherPiece));
    let other = Piece::Schema(schema_digest("[]"));
    assert_eq!(offer.verify_piece(&other, &answer), Err(SnapshotError::Schema));
    for piece in [registry, Piece::Records(Span { level: 1, index: 0 })] {
        offer.verify_piece(&piece, &Content::TooLarge).unwrap();
        offer.verify_piece(&piece, &Content::Gone).unwrap();
    }
    let whole = Piece::State(prefix(&key(1), 256));
    for piece in [whole, schema, Piece::Records(Span { level: 0, index: 0 })] {
        assert_eq!(offer.verify_piece(&piece, &Content::TooLarge), Err(SnapshotError::TooLargeOfOne));
    }
    let ask = Ask::new(offer.certified.header.hash(), whole);
    assert_eq!(Ask::from_bytes(&ask.to_bytes()).unwrap(), ask);
}

#[test]
fn no_bit_of_a_piece_can_be_flipped() {
    let (world, offer) = offer();
    let span = Span::all(offer.log.size(), 0).next().unwrap();
    let records = Records {
        records: List::new(vec![Blob::new(world.records[0].clone()).unwrap()]).unwrap(),
        proof: prove_span(&offer.log, span, &stored(&record_leaves(&world)).1).unwrap(),
    };
    let half = prefix(&MapKey([0x80; 32]), 2);
    let pieces = [
        (Piece::Registry(half), Content::Leaves(full(&world.registry, &half))),
        (Piece::Records(span), Content::Records(records)),
    ];
    for (piece, content) in pieces {
        offer.verify_piece(&piece, &content).unwrap();
        let bytes = content.to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let believed = Content::from_bytes(&flipped).and_then(|changed| offer.verify_piece(&piece, &changed));
            assert!(believed.is_err(), "bit {bit}");
        }
    }
}

#[test]
fn ids_of_transactions_come_with_the_leaves_that_record_them() {
    let (mut world, _) = World::with_licence();
    let ids = [1, 2, 3].map(|seed| TransactionId([seed; 32]));
    for id in &ids {
        let leaf = SpentId { expiry: TimeMs(9), height: Height(1) };
        world.state.insert(spent_id_key(id), leaf.to_value());
    }
    let offer = Offer {
        version: SNAPSHOT_VERSION,
        certified: world.certified(),
        log: Frontier::default(),
        history: Frontier::default(),
    };
    let mut right = ids.to_vec();
    right.sort_unstable_by_key(spent_id_key);
    let leaves = full(&world.state, &Prefix::ALL);
    let verify = |ids: Vec<TransactionId>| {
        let leaves = Leaves { ids: List::new(ids).unwrap(), ..leaves.clone() };
        offer.verify_piece(&Piece::State(Prefix::ALL), &Content::Leaves(leaves))
    };
    verify(right.clone()).unwrap();
    let mut reversed = right.clone();
    reversed.reverse();
    let mut other = right.clone();
    other[1].0[0] ^= 1;
    let more = [&right[..], &[TransactionId([4; 32])]].concat();
    for wrong in [reversed, other, more, right[1..].to_vec(), Vec::new()] {
        assert_eq!(verify(wrong), Err(SnapshotError::Ids));
    }
}

#[test]
fn pieces_are_bounded() {
    let (_, offer) = offer();
    let part = |length: usize, bytes: usize| {
        let bytes = Blob::new(vec![1; bytes]).unwrap();
        Content::HandOver(Some(HandOverPart { length: length as u32, bytes }))
    };
    let at = |part| Piece::HandOver { from: Height(1), part };
    offer.verify_piece(&at(0), &Content::HandOver(None)).unwrap();
    offer.verify_piece(&at(0), &part(9, 9)).unwrap();
    offer.verify_piece(&at(0), &part(PIECE_BYTES_MAX + 1, PIECE_BYTES_MAX)).unwrap();
    offer.verify_piece(&at(1), &part(PIECE_BYTES_MAX + 1, 1)).unwrap();
    for (piece, content) in [(0, part(9, 8)), (0, part(0, 0)), (1, part(9, 9)), (0, part(9 << 20, 1 << 20))] {
        assert_eq!(offer.verify_piece(&at(piece), &content), Err(SnapshotError::TooLarge));
    }
    let value = Blob::new(vec![7; 128 << 10]).unwrap();
    let leaves = (0..9).map(|seed| FullLeaf { key: key(seed), value: value.clone() }).collect();
    let proof = SubtreeProof { other: None, siblings: List::empty() };
    let large = Content::Leaves(Leaves { leaves: List::new(leaves).unwrap(), ids: List::empty(), proof });
    assert_eq!(offer.verify_piece(&Piece::State(Prefix::ALL), &large), Err(SnapshotError::TooLarge));
    assert!(Content::from_bytes(&large.to_bytes()).is_err());
}
