//! What a proposer packs: as much as there is, and less in later rounds and after what came too late.
#![allow(clippy::unwrap_used)]

mod common;

use common::{START, World, change, changes, digest};
use kanhe_node::chain::BlockCheck;
use kanhe_proto::block::Block;
use kanhe_proto::ids::{Height, Round, TimeMs};
use kanhe_proto::registry::Parameters;
use kanhe_proto::status::Status;
use kanhe_proto::transaction::{StatusTarget, Transaction};
use tempfile::tempdir;

const BATCHES: u64 = 300;

fn expiry() -> TimeMs {
    TimeMs(START.0 + 1_800_000)
}

fn packed(body: &[u8]) -> usize {
    Block::from_bytes(body).unwrap().transactions.len()
}

#[test]
fn each_later_round_packs_less_but_something() {
    let world = World::new(4);
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    node.source.offer(&(0..BATCHES).map(|number| world.batch(0, expiry(), number)).collect::<Vec<_>>());
    let sizes: Vec<usize> =
        [0, 5, 6, 7, 40, u32::MAX].map(|round| packed(&node.propose_in(&world, Round(round)).1)).into();
    assert_eq!(sizes[0] as u64, BATCHES);
    assert!(sizes.is_sorted_by(|before, after| before >= after), "{sizes:?}");
    assert!(sizes[3] < sizes[0] && sizes[5] > 0, "{sizes:?}");
    // The others take all of them.
    for round in [0, 7] {
        assert!(matches!(node.check(&node.propose_in(&world, Round(round)).1), BlockCheck::Valid(_)));
    }
}

#[test]
fn what_was_missed_is_halved_until_blocks_are_in_time_and_grows_again() {
    let world = World::new(4);
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    let numbers = |from: u64| (from..from + BATCHES).map(|number| world.batch(0, expiry(), number)).collect::<Vec<_>>();
    node.source.offer(&numbers(0));
    let (hash, body) = node.propose(&world);
    assert_eq!(packed(&body) as u64, BATCHES);
    node.chain.missed(&hash);
    let (hash, body) = node.propose(&world);
    let half = packed(&body) as u64;
    assert!((BATCHES / 2 - 1..=BATCHES / 2 + 1).contains(&half), "{half}");
    // Of no block that was built here.
    node.chain.missed(&kanhe_proto::hash::HeaderHash([7; 32]));
    assert!(packed(&node.propose(&world).1) as u64 >= half);
    node.chain.keep(Height(1), hash, &body).unwrap();
    node.decide(&world, hash);
    node.source.offer(&numbers(BATCHES));
    let sizes: Vec<usize> = (0..30).map(|_| packed(&node.propose(&world).1)).collect();
    assert!(sizes.is_sorted(), "{sizes:?}");
    assert!(*sizes.last().unwrap() as u64 > BATCHES, "{sizes:?}");
}

/// Each attempt executes a transaction for nothing, with a thousand changes and more.
#[test]
fn a_full_block_tries_few_that_have_no_room() {
    let world = World::with(4, Parameters { block_updates_max: 1_000, ..Parameters::default() });
    let dir = tempdir().unwrap();
    let node = world.create(dir.path());
    let own = world.offices[0].uscc;
    let revoke = |from: u64, count: u64| -> Transaction {
        let one = |number| change(own, StatusTarget::Licence(digest(number)), 0, Status::Revoked);
        world.transaction(0, expiry(), &changes((from..from + count).map(one).collect()))
    };
    // One fills the block; of the others, the small one comes after too many that do not fit.
    let mut offered = vec![revoke(0, 999)];
    offered.extend((1..20).map(|number| revoke(number * 1_000, 500)));
    offered.push(revoke(900_000, 1));
    node.source.offer(&offered);
    let (_, body) = node.propose(&world);
    assert_eq!(packed(&body), 1);
    assert!(node.source.rejected.lock().unwrap().is_empty(), "they wait for the next block");
    // Where few do not fit, what follows is still tried.
    let dir = tempdir().unwrap();
    let other = world.create(dir.path());
    other.source.offer(&[revoke(0, 999), revoke(1_000, 500), revoke(900_000, 1)]);
    assert_eq!(packed(&other.propose(&world).1), 2);
}
