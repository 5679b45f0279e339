//! Control of the judge that looks for double votes: with guard and log taken away a validator votes twice and the judge
//! finds it; with the guard it does not, whatever is taken away besides.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::{Duration, Instant};

use kanhe_node::consensus::context::proposer_at;
use kanhe_node::consensus::guard::{self, Guard, SignedEntry};
use kanhe_node::run::home;
use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_proto::hash::Hash;
use kanhe_proto::ids::{Height, Round};
use kanhe_proto::key::{PublicKey, Signer};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::validators::Address;
use kanhe_tests::audit;
use kanhe_tests::load::Sender;
use kanhe_tests::network::Network;

const WAIT: Duration = Duration::from_secs(30);
const HEARTBEAT_MS: u64 = 1_000;
/// Bytes of the engine's log before its first entry.
const WAL_HEADER_BYTES: u64 = 12;

fn validator_key(network: &Network, node: usize) -> PublicKey {
    let passphrase = PassphraseSource::File(network.bureau(node).passphrase_file.clone()).read().unwrap();
    let path = network.home(node).join("keys/validator.key");
    keys::open_secret(&path, KeyFileRole::Validator, &passphrase).unwrap().public_key()
}

/// The node that proposes the first block.
fn first_proposer(network: &Network) -> usize {
    let set = network.genesis.validator_set().unwrap();
    let proposer = proposer_at(&set, Height(1), Round(0));
    (0..network.size()).find(|node| Address::of(&validator_key(network, *node)) == proposer).unwrap()
}

/// A network whose first proposer alone runs, so that it never gets beyond the first round.
fn alone() -> (Network, usize) {
    let network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    for node in 0..network.size() {
        network.configure(node, "peers_ms", "500");
    }
    let node = first_proposer(&network);
    (network, node)
}

/// Gives a lone node a transaction of its own to propose, until it has signed something or the time is over.
fn propose(network: &mut Network, node: usize, root: u8, limit: Duration) -> Vec<SignedEntry> {
    let before = audit::signed(network.home(node)).len();
    network.start(node);
    network.wait(node, "an answer", WAIT, |_| true);
    let transaction = Sender::of(network).batch(Hash([root; 32]), 1);
    let url = format!("{}/v1/transactions", network.api(node));
    let answer = network.http.post(&url, "application/octet-stream", &transaction.to_bytes()).unwrap();
    assert_eq!(answer.0, 202, "{}", String::from_utf8_lossy(&answer.1));
    let until = Instant::now() + limit;
    while Instant::now() < until && audit::signed(network.home(node)).len() < before + 2 {
        std::thread::sleep(Duration::from_millis(50));
    }
    network.kill(&[node]);
    audit::signed(network.home(node))
}

/// Leaves the engine a log that reads well and holds nothing.
fn empty_log(network: &Network, node: usize) {
    let log = fs::File::options().write(true).open(home::wal(network.home(node))).unwrap();
    log.set_len(WAL_HEADER_BYTES).unwrap();
}

#[test]
fn without_guard_and_log_a_validator_votes_twice_and_the_judge_sees_it() {
    let (mut network, node) = alone();
    let first = propose(&mut network, node, 1, WAIT);
    assert!(first.len() >= 2, "it proposed and voted: {first:?}");
    let path = home::guard(network.home(node));
    fs::remove_file(&path).unwrap();
    drop(Guard::create(&path, &network.genesis.chain(), &validator_key(&network, node), false).unwrap());
    empty_log(&network, node);
    let second = propose(&mut network, node, 2, WAIT);
    let found = guard::double_signs(&[first, second].concat());
    assert!(!found.is_empty(), "the judge sees nothing\n{}", network.last_words(node));
    println!("{} slots signed twice without the guard", found.len());
}

#[test]
fn with_its_guard_it_stays_silent_without_log() {
    let (mut network, node) = alone();
    let first = propose(&mut network, node, 1, WAIT);
    assert!(first.len() >= 2, "it proposed and voted: {first:?}");
    // The log holds nothing: the guard refuses another message for the slot.
    empty_log(&network, node);
    let second = propose(&mut network, node, 2, Duration::from_secs(5));
    assert_eq!(guard::double_signs(&second), []);
    // The log is gone: the validator is silent at once, and stays so.
    fs::remove_file(home::wal(network.home(node))).unwrap();
    let third = propose(&mut network, node, 3, Duration::from_secs(5));
    assert_eq!(third, second);
}
