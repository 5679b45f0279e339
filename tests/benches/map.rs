//! The authenticated map: a block's worth of changes, and one proof.
#![allow(clippy::unwrap_used, reason = "a bench ends where something is wrong")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kanhe_node::ledger::map::{Applied, Changes, LeafReader, Map, ReadError, leaf_record, split_record};
use kanhe_proto::hash::{MapKey, sha256};
use kanhe_proto::merkle::map::MapLeaf;

/// Leaves of the map.
const LEAVES: u64 = 200_000;
/// Changes of a block.
const CHANGES: u64 = 4_000;

/// Leaves in memory, so that the map is measured and not a disk.
#[derive(Default)]
struct Store(BTreeMap<MapKey, Vec<u8>>);

impl LeafReader for Store {
    fn get(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.0.get(key).map(|record| split_record(record).unwrap().1.to_vec()))
    }
    fn scan(&self, from: &MapKey, to: &MapKey, visit: &mut dyn FnMut(MapLeaf)) -> Result<(), ReadError> {
        for (key, record) in self.0.range(from..=to) {
            visit(MapLeaf { key: *key, value_hash: split_record(record).unwrap().0 });
        }
        Ok(())
    }
}

impl Store {
    fn commit(&mut self, changes: &Changes, applied: &Applied) {
        for ((key, value), hash) in changes.iter().zip(&applied.value_hashes) {
            self.0.insert(*key, leaf_record(&hash.unwrap(), value.as_ref().unwrap()));
        }
    }
}

fn key(number: u64) -> MapKey {
    MapKey(sha256(&[b"key", &number.to_be_bytes()]))
}

fn changes(numbers: std::ops::Range<u64>) -> Changes {
    numbers.map(|number| (key(number), Some(number.to_be_bytes().repeat(3)))).collect()
}

fn map(criterion: &mut Criterion) {
    for (name, held_max) in [("leaves_in_store", 0), ("leaves_in_memory", u64::MAX)] {
        let mut store = Store::default();
        let all = changes(0..LEAVES);
        let applied = Map::empty(held_max).apply(&store, &all).unwrap();
        store.commit(&all, &applied);
        let map = applied.map;
        let block = changes(LEAVES..LEAVES + CHANGES);
        let mut group = criterion.benchmark_group("map");
        group.throughput(Throughput::Elements(CHANGES));
        group.bench_with_input(BenchmarkId::new("update_4000", name), &block, |bencher, block| {
            bencher.iter(|| map.apply(&store, black_box(block)).unwrap());
        });
        group.throughput(Throughput::Elements(1));
        let mut number = 0;
        group.bench_function(BenchmarkId::new("prove", name), |bencher| {
            bencher.iter(|| {
                number += 1;
                map.prove(&store, &key(black_box(number % (2 * LEAVES)))).unwrap()
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = map
}
criterion_main!(benches);
