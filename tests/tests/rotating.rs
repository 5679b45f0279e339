//! A bureau's validator key is replaced by hand-over: the node takes the seat of the next key, changes to it by itself,
//! and neither key signs where the other does.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use kanhe_node::config::Config;
use kanhe_node::consensus::guard;
use kanhe_node::run::home;
use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_proto::governance::{Action, NewKey};
use kanhe_proto::ids::SpanMs;
use kanhe_proto::key::Signer;
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::registry::KeyRole;
use kanhe_tests::audit;
use kanhe_tests::load::Load;
use kanhe_tests::network::{Network, run_node_program};
use kanhe_tests::officer::{Officer, card};

const WAIT: Duration = Duration::from_secs(60);
const NODE: usize = 1;
const EPOCH: &str = "8";

#[test]
fn the_next_validator_key_takes_over_and_the_chain_goes_on() {
    let mut network = Network::found_with(4, 1_000, &["--epoch-blocks", EPOCH]);
    network.start_fast();
    network.start_all();
    network.wait_ready(WAIT);
    let load = Load::start(&network, 49, Duration::from_millis(20));

    let home = network.home(NODE).to_owned();
    let rotate = || {
        let made = run_node_program(&["validator", "rotate", "--home", home.to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap().lines().next().unwrap().to_owned()
    };
    let said = rotate();
    assert_eq!(rotate(), said, "another key");
    let next = Config::load(&home).unwrap().keys.validator_next.unwrap();
    let passphrase = PassphraseSource::File(network.bureau(NODE).passphrase_file.clone()).read().unwrap();
    let key = keys::open_secret(&home.join(&next), KeyFileRole::Validator, &passphrase).unwrap();
    assert!(said.ends_with(&key.public_key().to_string()), "{said}");
    network.kill(&[NODE]);
    network.start(NODE);

    let officer = Officer::of(&network, NODE);
    let keys = card(&network, NODE).body.keys;
    let old = keys.iter().find(|key| key.role == KeyRole::Validator).unwrap().key.id();
    let new = NewKey::prove(&network.genesis.chain(), &officer.uscc, KeyRole::Validator, &key).unwrap();
    let action = Action::RotateKey { bureau: officer.uscc, new, old: Some(old), overlap: SpanMs(0) };
    network.wait(NODE, "readiness", WAIT, |status| status.ready);
    officer.propose(&network, 0, &officer.proposal("a new key", vec![action]), &[]).unwrap();

    let beside = home::guard_beside(&home.join(&next));
    let until = Instant::now() + WAIT;
    while guard::read(&beside).unwrap().len() < 10 {
        assert!(Instant::now() < until, "the next key does not sign\n{}", network.last_words(NODE));
        network.wait_blocks_of(&[0], 1, WAIT);
    }
    assert_eq!(Config::load(&home).unwrap().keys.validator, Some(next));
    network.wait_ready(WAIT);
    let reported = load.stop();
    network.wait_blocks(2, WAIT);
    network.stop_all();
    audit::check(&network, &reported);
    let (before, after) = (audit::signed(&home), guard::read(&beside).unwrap());
    let last = before.iter().map(|entry| entry.slot.height).max().unwrap();
    let first = after.iter().map(|entry| entry.slot.height).min().unwrap();
    assert!(last < first, "the old key signed up to {last}, the new one from {first}");
    assert_eq!(guard::double_signs(&after), []);
}
