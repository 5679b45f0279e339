//! A node that joins by a snapshot, with real processes: a peer with a false piece is named and left out, a kill midway
//! loses nothing, and what has joined follows the chain, answers with proofs and is found clean.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kanhe_node::run::home;
use kanhe_node::storage::{Column, Storage};
use kanhe_proto::api::HeaderAnswer;
use kanhe_proto::map_value::Kind;
use kanhe_tests::audit;
use kanhe_tests::load::Load;
use kanhe_tests::network::{Network, run_node_program};

const READY: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 2_000;
/// Without its validator key: a read replica.
const OBSERVER: usize = 3;
const LIAR: usize = 1;
/// Where the snapshot is while it is fetched.
const UNFINISHED: &str = "db.sync";

/// Flips a byte of whatever a node stores that no block reads: relying parties, heights of ids, records. The sums beside
/// them still lead to the roots, so the node goes on and hands them over: no piece of it is right.
fn spoil(network: &Network, node: usize) {
    let storage = Storage::open(&home::chain(network.home(node)), &network.genesis.chain_id()).unwrap();
    let is_kind = |record: &[u8], kind: Kind| record.get(32) == Some(&kind.byte());
    for column in [Column::Registry, Column::State, Column::Records] {
        let mut flipped = Vec::new();
        {
            let reader = storage.read();
            let mut iter = reader.iter(column);
            iter.seek_to_first();
            while let Some((key, record)) = iter.item() {
                let unread = is_kind(record, Kind::RelyingParty) || is_kind(record, Kind::SpentId);
                if unread || column == Column::Records {
                    let mut record = record.to_vec();
                    *record.last_mut().unwrap() ^= 1;
                    flipped.push((key.to_vec(), record));
                }
                iter.next();
            }
        }
        assert!(!flipped.is_empty(), "{column:?}");
        let db = storage.database();
        for (key, record) in flipped {
            db.put_cf(db.cf_handle(column.name()).unwrap(), key, record).unwrap();
        }
    }
}

/// Makes a node an observer that joins by a snapshot.
fn observe(network: &Network, node: usize) {
    let path = network.home(node).join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("validator = ")).collect();
    assert_eq!(kept.len() + 1, text.lines().count());
    fs::write(&path, kept.join("\n") + "\n").unwrap();
    network.configure(node, "snapshot_above", "5");
}

fn unfinished(network: &Network) -> PathBuf {
    home::chain(network.home(OBSERVER)).join(UNFINISHED)
}

/// Waits until something is so.
fn until(what: &str, network: &Network, enough: impl Fn() -> bool) {
    let end = Instant::now() + READY;
    while !enough() {
        assert!(Instant::now() < end, "{what}\n{}", network.last_words(OBSERVER));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What fsck says of a home.
fn fsck(home: &Path) -> serde_json::Value {
    let checked = run_node_program(&["fsck", "--json", "--home", home.to_str().unwrap()]);
    assert!(checked.status.success(), "{checked:?}");
    serde_json::from_slice(&checked.stdout).unwrap()
}

#[test]
fn an_observer_joins_by_a_snapshot_past_a_liar_and_a_kill() {
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    observe(&network, OBSERVER);
    for node in 0..OBSERVER {
        network.start(node);
    }
    for node in 0..OBSERVER {
        network.wait(node, "readiness", READY, |status| status.ready);
    }
    let load = Load::start(&network, 11, Duration::from_millis(5));
    let enough = network.highest() + 15;
    for node in 0..OBSERVER {
        network.wait(node, "blocks", READY, |status| status.height >= enough);
    }
    load.stop();
    network.kill(&[LIAR]);
    spoil(&network, LIAR);
    network.start(LIAR);
    network.wait(LIAR, "readiness", READY, |status| status.ready);

    // Killed while it fetches, it goes on or begins anew.
    network.start(OBSERVER);
    until("it fetches nothing", &network, || unfinished(&network).exists());
    network.kill(&[OBSERVER]);
    network.start(OBSERVER);
    let status = network.wait(OBSERVER, "readiness", READY, |status| status.ready);
    assert!(status.height >= enough);
    assert!(!unfinished(&network).exists());
    let said = network.words(OBSERVER);
    assert!(said.contains("joined by a snapshot"), "{said}");
    assert!(said.contains("it is not asked again"), "the liar is not named: {said}");

    // What was before is not here, and the node says so; what comes is.
    let http = &network.http;
    let (status, body) = http.get(&format!("{}/v1/blocks/2", network.api(OBSERVER))).unwrap();
    assert_eq!(status, 404);
    assert!(String::from_utf8(body).unwrap().contains("not kept here"));
    let newest: HeaderAnswer = http.json(&format!("{}/v1/headers/newest", network.api(OBSERVER))).unwrap();
    assert_eq!(newest.header_hash, network.header_hash(0, newest.height.0).unwrap());
    let (status, _) = http.get(&format!("{}/v1/records/3", network.api(OBSERVER))).unwrap();
    assert_eq!(status, 200, "an old record with its proof");
    network.wait_blocks(3, READY);
    network.stop_all();

    let report = fsck(network.home(OBSERVER));
    assert!(report["base"].as_u64().unwrap() >= enough - 1, "{report}");
    audit::fsck(&network, 0);
    let liar = run_node_program(&["fsck", "--home", network.home(LIAR).to_str().unwrap()]);
    assert!(!liar.status.success(), "the damage is there");

    // It starts again like any other.
    network.start_all();
    network.wait_blocks(2, READY);
    network.stop_all();
}
