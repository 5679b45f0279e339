//! A bureau's validator key is replaced by hand-over: the node takes the seat of the next key, changes to it by itself,
//! and neither key signs where the other does, also if it is killed just then; and making the key can be interrupted.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Stdio};
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
use kanhe_tests::aim::{Aimer, Call, Point, When};
use kanhe_tests::audit;
use kanhe_tests::dice::Dice;
use kanhe_tests::load::Load;
use kanhe_tests::network::{Network, run_node_program};
use kanhe_tests::officer::{Officer, card};
use kanhe_tests::programs;

const WAIT: Duration = Duration::from_secs(60);
const NODE: usize = 1;
const EPOCH: &str = "8";

/// Where making the next key is interrupted.
const POINTS: [Point; 6] = [
    point("key: torn", "home/keys/validator-*.key", Call::Write, When::Half),
    point("key: synced", "home/keys/validator-*.key", Call::Sync, When::After),
    point("guard: torn", "home/keys/validator-*.guard", Call::Write, When::Half),
    point("guard: synced", "home/keys/validator-*.guard", Call::Sync, When::After),
    point("configuration: not named", "home/config.toml", Call::Rename, When::Before),
    point("configuration: named", "home/config.toml", Call::Rename, When::After),
];
/// Where the node dies after it has started itself again: before it has written down which key it has now.
const TAKING_OVER: Point = point("taking over", "config.toml", Call::Rename, When::Before);

const fn point(name: &'static str, file: &'static str, call: Call, when: When) -> Point {
    Point { name, file, bytes: None, call, when, nth_max: 1 }
}

/// Whatever is left of it, a key that the configuration names is whole and has its guard, and the next attempt gives one.
fn interrupted_rotations(source: &Path, aimer: &mut Aimer, dice: &mut Dice) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let whole = || {
        let next = home.join(Config::load(&home).unwrap().keys.validator_next?);
        assert_eq!(guard::read(&home::guard_beside(&next)).unwrap(), []);
        kanhe_proto::key_file::describe(&std::fs::read_to_string(&next).unwrap()).unwrap();
        Some(next)
    };
    for point in POINTS {
        let _ = std::fs::remove_dir_all(&home);
        assert!(Command::new("cp").arg("-a").arg(source).arg(&home).status().unwrap().success());
        let words = ["validator", "rotate", "--home", home.to_str().unwrap()];
        let mut command = Command::new(programs::node());
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let shot = aimer.aim(&mut command, folder.path(), point, dice);
        let ended = command.status().unwrap();
        assert!(aimer.hit(&shot, ended), "{shot}: {ended}");
        let before = whole();
        assert_eq!(before.is_some(), point == POINTS[5], "{shot}");
        let again = run_node_program(&words);
        assert!(again.status.success(), "{shot}: {again:?}");
        let after = whole();
        assert!(after.is_some() && (before.is_none() || before == after), "{shot}");
    }
    aimer.table(&POINTS);
}

#[test]
fn the_next_validator_key_takes_over_and_the_chain_goes_on() {
    let mut network = Network::found_with(4, 1_000, &["--epoch-blocks", EPOCH]);
    network.start_fast();
    let (mut aimer, mut dice) = (Aimer::build(), Dice::new(7));
    interrupted_rotations(network.home(NODE), &mut aimer, &mut dice);
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
    let mut shot = None;
    network.start_with(NODE, |command, home| shot = Some(aimer.aim(command, home, TAKING_OVER, &mut dice)));

    let officer = Officer::of(&network, NODE);
    let keys = card(&network, NODE).body.keys;
    let old = keys.iter().find(|key| key.role == KeyRole::Validator).unwrap().key.id();
    let new = NewKey::prove(&network.genesis.chain(), &officer.uscc, KeyRole::Validator, &key).unwrap();
    let action = Action::RotateKey { bureau: officer.uscc, new, old: Some(old), overlap: SpanMs(0) };
    network.wait(NODE, "readiness", WAIT, |status| status.ready);
    officer.propose(&network, 0, &officer.proposal("a new key", vec![action]), &[]).unwrap();

    let died = network.wait_end(NODE, WAIT);
    assert!(aimer.hit(&shot.unwrap(), died), "{died}\n{}", network.last_words(NODE));
    let keys = Config::load(&home).unwrap().keys;
    assert_eq!((keys.validator.is_some(), keys.validator_next.as_ref()), (true, Some(&next)));
    network.start(NODE);
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
