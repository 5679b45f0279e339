//! Blocks of single-licence batches: executed by the pure ledger, built on a database, and checked by a follower.
#![allow(clippy::unwrap_used, reason = "a bench ends where something is wrong")]

#[path = "../../node/tests/common/mod.rs"]
mod common;

use std::hint::black_box;

use common::{MemoryView, START, World};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kanhe_node::chain::BlockCheck;
use kanhe_node::ledger::{Checked, SignatureCheck, execute};
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::transaction::Transaction;
use tempfile::tempdir;

/// Transactions of a block.
const TRANSACTIONS: u64 = 2_000;

fn transactions(world: &World) -> Vec<Transaction> {
    let expiry = TimeMs(START.0 + 3_000_000);
    (0..TRANSACTIONS).map(|number| world.batch((number % 4) as usize, expiry, number)).collect()
}

fn ledger(criterion: &mut Criterion) {
    let world = World::new(4);
    let view = MemoryView::of(&world);
    let checked: Vec<Checked> = transactions(&world)
        .into_iter()
        .map(|transaction| {
            let id = transaction.body.id();
            Checked::new(transaction, id, &world.chain(), world.genesis.protocol).unwrap()
        })
        .collect();
    let context = world.context(Height(1), TimeMs(START.0 + 1_000), START);
    let mut group = criterion.benchmark_group("block");
    group.throughput(Throughput::Elements(TRANSACTIONS));
    for (name, signature) in
        [("execute_2000_verified", SignatureCheck::Known), ("execute_2000", SignatureCheck::Verify)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| execute(&view, context.clone(), black_box(&checked), |_| signature).unwrap());
        });
    }
    group.finish();
}

/// With decoding, roots and header; the follower has seen the signatures before, as gossip lets it, and writes the body
/// durably before it answers.
fn chain(criterion: &mut Criterion) {
    let world = World::new(4);
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    let (proposer, follower) = (world.create(&first.path().join("chain")), world.create(&second.path().join("chain")));
    proposer.source.offer(&transactions(&world));
    let mut group = criterion.benchmark_group("block");
    group.throughput(Throughput::Elements(TRANSACTIONS));
    group.bench_function("build_2000", |bencher| {
        bencher.iter(|| {
            // Another time, another block: nothing is found again.
            proposer.pass(1);
            proposer.propose(&world)
        });
    });
    group.bench_function("check_2000_and_keep", |bencher| {
        let another = || {
            proposer.pass(1);
            follower.pass(1);
            proposer.propose(&world).1
        };
        bencher.iter_batched(
            another,
            |body| {
                let check = follower.check(&body);
                assert!(matches!(check, BlockCheck::Valid(_)), "{check:?}");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = ledger, chain
}
criterion_main!(benches);
