//! A validator that signs two values at one height, with real processes: the proof comes onto the chain, everybody is
//! shown it, the validator loses its seat by rule, and the chain goes on with three.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use kanhe_proto::diagnosis::{Code, Role, Severity};
use kanhe_proto::ids::Height;
use kanhe_tests::byzantine::Byzantine;
use kanhe_tests::load::Load;
use kanhe_tests::network::Network;
use kanhe_tests::person::Person;
use kanhe_tests::witness::Witness;
use kanhe_tests::{audit, inquiry};

const WAIT: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 1_000;
const EPOCH: &str = "8";
/// Whose key signs twice.
const TWICE: usize = 3;
const HONEST: [usize; 3] = [0, 1, 2];

/// It signs twice at height after height until the chain has recorded it; gives the height of the proof.
fn sign_until_recorded(network: &Network, byzantine: &Byzantine) -> u64 {
    let until = Instant::now() + WAIT;
    loop {
        byzantine.sign_twice(Height(network.highest() + 1));
        let answer = inquiry::diagnosis(network, HONEST[0]).unwrap();
        if let Some(one) = answer.diagnosis.double_signers.iter().find(|one| one.address == byzantine.address) {
            return one.height;
        }
        assert!(Instant::now() < until, "nothing is recorded\n{}", network.last_words(HONEST[0]));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All nodes and the client say whose validator it was, and the client proves how it left the set.
fn it_is_shown(network: &Network, witness: &Witness, byzantine: &Byzantine) {
    let uscc = network.bureau(TWICE).uscc.to_string();
    for node in HONEST {
        let answer = inquiry::wait(network, node, "word of it", WAIT, |answer| {
            inquiry::finding(answer, Code::DoubleSignature).is_some_and(|found| found.text.en.contains(&uscc))
        });
        let found = inquiry::finding(&answer, Code::DoubleSignature).unwrap();
        assert!(found.severity == Severity::Warns && found.hint.is_some(), "{found:#?}");
    }
    let (code, said) = inquiry::doctor(network, HONEST[0]);
    assert!(code == Some(0) && inquiry::names(&said, Code::DoubleSignature), "{said:#}");
    let person = Person::new(network.api(HONEST[1]));
    person.pin(network);
    let why = person.ok(&["chain", "status", "--why"]).json();
    let mut codes = why["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]);
    assert!(codes.any(|code| code == "double_signature"), "{why:#}");

    let until = Instant::now() + WAIT;
    loop {
        let told = witness.changes(network, HONEST[1]);
        if let Some(left) = told["changes"].as_array().and_then(|changes| changes.first()) {
            assert_eq!((&left["how"], &left["proposal"]), (&"left".into(), &serde_json::Value::Null), "{told:#}");
            assert_eq!(left["validator"], byzantine.address.to_string(), "{told:#}");
            return;
        }
        assert!(Instant::now() < until, "no change of the validators: {told:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn who_signs_twice_is_recorded_shown_and_loses_its_seat() {
    let mut network = Network::found_with(4, HEARTBEAT_MS, &["--epoch-blocks", EPOCH]);
    network.start_fast();
    network.start_all();
    network.wait_ready(WAIT);
    let witness = Witness::of(&network, HONEST[0]);
    let load = Load::start_at(&network, &HONEST, 23, Duration::from_millis(50));

    network.kill(&[TWICE]);
    let byzantine = Byzantine::in_place_of(&network, TWICE);
    let until = Instant::now() + WAIT;
    while byzantine.peers() < HONEST.len() {
        assert!(Instant::now() < until, "it has {} peers\n{}", byzantine.peers(), network.last_words(HONEST[0]));
        std::thread::sleep(Duration::from_millis(100));
    }
    let height = sign_until_recorded(&network, &byzantine);
    println!("the proof of height {height} is on the chain at {}", network.highest());
    it_is_shown(&network, &witness, &byzantine);
    drop(byzantine);

    // Three of three decide from now on, and nobody misses the fourth.
    network.wait_blocks_of(&HONEST, 20, WAIT);
    inquiry::wait(&network, HONEST[0], "a set of three", WAIT, |answer| {
        let validators = &answer.diagnosis.validators;
        validators.len() == 3 && inquiry::finding(answer, Code::ValidatorsMissing).is_none()
    });

    // Its node may follow, and is told why it does not vote.
    network.start(TWICE);
    let tip = network.highest();
    network.wait(TWICE, "the chain", WAIT, |status| status.height > tip);
    let answer = inquiry::wait(&network, TWICE, "word of its seat", WAIT, |answer| {
        let codes = [Code::NotSeated, Code::DoubleSignature];
        codes.into_iter().all(|code| inquiry::finding(answer, code).is_some())
    });
    assert_eq!(answer.diagnosis.role, Role::NotSeated);
    let before = audit::signed(network.home(TWICE)).len();
    network.wait_blocks(5, WAIT);
    assert_eq!(audit::signed(network.home(TWICE)).len(), before, "it signs nothing without a seat");

    let reported = load.stop();
    witness.confirm(&network, HONEST[2]);
    network.wait_blocks(1, WAIT);
    network.stop_all();
    audit::check(&network, &reported);
}
