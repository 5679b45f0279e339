use std::cell::Cell;

use kanhe_proto::hash::sha256;
use kanhe_proto::merkle::map::{root_of, verify_absence, verify_inclusion};

use super::*;

/// Leaves in memory that count the scans over them.
#[derive(Default, Clone)]
struct Store {
    records: BTreeMap<MapKey, Vec<u8>>,
    scanned: Cell<usize>,
    scans: Cell<usize>,
}

impl LeafReader for Store {
    fn get(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.records.get(key).map(|record| split_record(record).unwrap().1.to_vec()))
    }
    fn scan(&self, from: &MapKey, to: &MapKey, visit: &mut dyn FnMut(MapLeaf)) -> Result<(), ReadError> {
        self.scans.set(self.scans.get() + 1);
        for (key, record) in self.records.range(from..=to) {
            self.scanned.set(self.scanned.get() + 1);
            visit(MapLeaf { key: *key, value_hash: split_record(record).unwrap().0 });
        }
        Ok(())
    }
}

impl Store {
    fn commit(&mut self, changes: &Changes, applied: &Applied) {
        for ((key, value), hash) in changes.iter().zip(&applied.value_hashes) {
            match (value, hash) {
                (Some(value), Some(hash)) => self.records.insert(*key, leaf_record(hash, value)),
                _ => self.records.remove(key),
            };
        }
    }
    fn leaves(&self) -> Vec<MapLeaf> {
        self.records.iter().map(|(key, record)| MapLeaf::new(*key, split_record(record).unwrap().1)).collect()
    }
}

/// A small generator, so that these tests need no dependency.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
    /// One of `distinct` keys; of every four, one is ground to share up to 240 bits with others.
    fn key(&mut self, distinct: u64) -> MapKey {
        let mut bytes = sha256(&[&self.below(distinct).to_be_bytes()]);
        if self.below(4) == 0 {
            let shared = [2, 9, 30][self.below(3) as usize];
            bytes[..shared].fill(0xa5);
        }
        MapKey(bytes)
    }
    fn changes(&mut self, count: u64, distinct: u64, removals_in_ten: u64) -> Changes {
        let mut change = || {
            let key = self.key(distinct);
            (key, (self.below(10) >= removals_in_ten).then(|| self.below(1 << 40).to_be_bytes().to_vec()))
        };
        (0..count).map(|_| change()).collect()
    }
}

fn check(map: &Map, store: &Store, random: &mut Random, distinct: u64) {
    assert_eq!(map.root(), root_of(&store.leaves()));
    assert_eq!(map.len(), store.records.len() as u64);
    let reloaded = Map::load(store, map.held_max).unwrap();
    assert_eq!((reloaded.root(), reloaded.len()), (map.root(), map.len()));
    for _ in 0..20 {
        let key = random.key(distinct);
        let (value, proof) = map.get(store, &key).unwrap();
        assert_eq!(proof, kanhe_proto::merkle::map::prove(&store.leaves(), &key));
        assert_eq!(proof, reloaded.prove(store, &key).unwrap());
        match value {
            Some(value) => verify_inclusion(&map.root(), &key, &value, &proof).unwrap(),
            None => verify_absence(&map.root(), &key, &proof).unwrap(),
        }
    }
}

#[test]
fn random_histories_match_the_definition() {
    for (seed, held_max) in [(1, 0), (2, 50), (3, 200), (4, u64::MAX)] {
        let mut random = Random(seed);
        let (mut map, mut store) = (Map::empty(held_max), Store::default());
        for round in 0..120 {
            // It grows, stands, and shrinks to nothing, so buckets split and join.
            let removals = [1, 5, 9][round / 40];
            let count = 1 + random.below(60);
            let changes = random.changes(count, 600, removals);
            let applied = map.apply(&store, &changes).unwrap();
            let dropped = map.apply(&store, &random.changes(30, 600, 5)).unwrap();
            drop(dropped);
            store.commit(&changes, &applied);
            map = applied.map;
            check(&map, &store, &mut random, 600);
        }
        let all: Changes = store.records.keys().map(|key| (*key, None)).collect();
        let applied = map.apply(&store, &all).unwrap();
        assert_eq!(applied.map.root(), map::empty_root());
        assert!(applied.map.is_empty());
    }
}

#[test]
fn a_load_of_many_matches_the_definition() {
    let mut random = Random(7);
    for (count, held_max) in [(1, 0), (17, 0), (3_000, 0), (60_000, 1_000), (60_000, u64::MAX)] {
        let mut store = Store::default();
        let changes = random.changes(count, 1 << 40, 0);
        let applied = Map::empty(held_max).apply(&store, &changes).unwrap();
        store.commit(&changes, &applied);
        check(&applied.map, &store, &mut random, 1 << 40);
        let loaded = Map::load(&store, held_max).unwrap();
        let changes = random.changes(500, 1 << 40, 3);
        let (a, b) = (loaded.apply(&store, &changes).unwrap(), applied.map.apply(&store, &changes).unwrap());
        assert_eq!(a.map.root(), b.map.root());
        store.commit(&changes, &a);
        check(&a.map, &store, &mut random, 1 << 40);
    }
}

#[test]
fn ground_keys_make_no_large_bucket() {
    let mut store = Store::default();
    let ground = |i: u32| {
        let mut bytes = sha256(&[&i.to_be_bytes()]);
        bytes[..8].fill(0x11);
        MapKey(bytes)
    };
    let changes: Changes = (0..5_000).map(|i| (ground(i), Some(i.to_be_bytes().to_vec()))).collect();
    let applied = Map::empty(0).apply(&store, &changes).unwrap();
    store.commit(&changes, &applied);
    let one: Changes = [(ground(77), Some(b"new".to_vec()))].into();
    store.scanned.take();
    store.scans.take();
    applied.map.apply(&store, &one).unwrap();
    assert_eq!(store.scans.get(), 1);
    assert!(store.scanned.get() <= Shape { hold: false }.bucket_max());
}

#[test]
fn a_small_map_reads_nothing_to_change() {
    let mut store = Store::default();
    let mut random = Random(5);
    let first = random.changes(400, 1 << 40, 0);
    let applied = Map::empty(1_000).apply(&store, &first).unwrap();
    store.commit(&first, &applied);
    store.scans.take();
    applied.map.apply(&store, &random.changes(200, 1 << 40, 0)).unwrap();
    assert_eq!(store.scans.get(), 0);
}

#[test]
fn a_store_of_another_height_is_an_error() {
    let mut store = Store::default();
    let changes = Random(6).changes(300, 1 << 40, 0);
    let applied = Map::empty(0).apply(&store, &changes).unwrap();
    let key = *changes.keys().nth(100).unwrap();
    let again: Changes = [(key, Some(b"again".to_vec()))].into();
    // Not yet written, then a leaf lost, then a leaf that holds something else.
    assert!(matches!(applied.map.apply(&store, &again), Err(MapError::Mismatch { .. })));
    store.commit(&changes, &applied);
    applied.map.apply(&store, &again).unwrap();
    let record = store.records.remove(&key).unwrap();
    assert!(matches!(applied.map.apply(&store, &again), Err(MapError::Mismatch { .. })));
    assert!(matches!(applied.map.get(&store, &key), Err(MapError::Mismatch { .. })));
    let mut flipped = record.clone();
    flipped[0] ^= 1;
    store.records.insert(key, flipped);
    assert!(matches!(applied.map.prove(&store, &key), Err(MapError::Mismatch { .. })));
    let mut flipped = record;
    flipped[32] ^= 1;
    store.records.insert(key, flipped);
    assert!(matches!(applied.map.get(&store, &key), Err(MapError::Mismatch { .. })));
}

#[test]
fn records_keep_hash_and_value_apart() {
    let hash = value_hash(b"value");
    assert_eq!(split_record(&leaf_record(&hash, b"value")), Some((hash, &b"value"[..])));
    assert_eq!(split_record(&leaf_record(&hash, b"")), Some((hash, &b""[..])));
    assert_eq!(split_record(&[0; 31]), None);
}

/// Not a check of correctness: prints what a block of 4,000 changes costs. `cargo test -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_block() {
    for (count, held_max) in [(10_000, 0), (10_000, u64::MAX), (1_000_000, 0), (1_000_000, u64::MAX)] {
        let mut random = Random(8);
        let mut store = Store::default();
        let content = random.changes(count, 1 << 60, 0);
        let applied = Map::empty(held_max).apply(&store, &content).unwrap();
        store.commit(&content, &applied);
        let start = std::time::Instant::now();
        let map = Map::load(&store, held_max).unwrap();
        let load = start.elapsed();
        let changes = random.changes(4_000, 1 << 60, 0);
        let once = |_| {
            let start = std::time::Instant::now();
            map.apply(&store, &changes).unwrap();
            start.elapsed()
        };
        let apply = (0..5).map(once).min().unwrap();
        let start = std::time::Instant::now();
        for key in content.keys().take(1_000) {
            map.prove(&store, key).unwrap();
        }
        let prove = start.elapsed() / 1_000;
        println!("{count} leaves, held {held_max}: load {load:?}, apply {apply:?}, prove {prove:?}");
    }
}
