//! A chain that stands still says why: who is missing and since when, and what would help; a node that is stopped says so
//! from its own home; and an idle chain is called idle.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Output;
use std::time::{Duration, Instant};

use kanhe_proto::diagnosis::{Code, DiagnosisAnswer, Severity};
use kanhe_tests::audit;
use kanhe_tests::network::{Network, run_node_program};
use kanhe_tests::person::Person;
use serde_json::Value;

const READY: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 1_500;
/// The node that is asked.
const LIVE: usize = 0;
/// Those that are stopped.
const GONE: [usize; 2] = [2, 3];

fn why(person: &Person) -> Value {
    serde_json::from_str(&person.ok(&["chain", "status", "--why"]).data).unwrap()
}

fn finding<'a>(why: &'a Value, code: &str) -> Option<&'a Value> {
    why["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code)
}

/// Asks until the answer is as wanted.
fn wait(person: &Person, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + READY;
    loop {
        let why = why(person);
        if wanted(&why) {
            return why;
        }
        assert!(Instant::now() < until, "no {what}: {why:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn doctor(network: &Network, node: usize) -> (Option<i32>, Value) {
    let Output { status, stdout, stderr, .. } =
        run_node_program(&["doctor", "--json", "--home", network.home(node).to_str().unwrap()]);
    let said = serde_json::from_slice(&stdout);
    (status.code(), said.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr))))
}

fn bureaus(missing: &Value) -> BTreeSet<String> {
    missing.as_array().unwrap().iter().map(|missing| missing["bureau"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_chain_that_stands_says_who_is_missing_and_an_idle_one_that_it_is_idle() {
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    network.start_all();
    network.wait_ready(READY);
    let person = Person::new(network.api(LIVE));
    person.pin(&network);

    let idle = wait(&person, "idle chain", |why| {
        finding(why, "nothing_to_do").is_some() && finding(why, "validators_missing").is_none()
    });
    assert_eq!((&idle["stands"], idle["validators"].as_array().unwrap().len()), (&Value::Bool(false), 4));
    assert!(finding(&idle, "quorum_missing").is_none(), "{idle:#}");
    let (code, said) = doctor(&network, LIVE);
    assert_eq!((code, said["state"].as_str()), (Some(0), Some("running")), "{said:#}");

    let before = network.highest();
    network.kill(&GONE);
    let stands = wait(&person, "standstill", |why| {
        finding(why, "quorum_missing").is_some_and(|found| found["severity"] == "blocks")
    });
    let found = finding(&stands, "quorum_missing").unwrap();
    let gone: BTreeSet<String> = GONE.iter().map(|node| network.bureau(*node).uscc.to_string()).collect();
    assert_eq!(bureaus(&found["missing"]), gone, "{found:#}");
    let tip = network.status(LIVE).unwrap();
    for missing in found["missing"].as_array().unwrap() {
        let since = missing["since_height"].as_u64().unwrap();
        assert!((before.saturating_sub(8)..=tip.height).contains(&since), "{missing:#}, killed at {before}");
        assert!(missing["since_ms"].as_u64().unwrap() <= tip.time_ms, "{missing:#}");
        assert_eq!(missing["presence"], "away");
    }
    // Three of four decide: either of the two is enough.
    let lacks = found["power_missing"].as_u64().unwrap();
    assert!((1..=found["missing"][0]["power"].as_u64().unwrap()).contains(&lacks), "{found:#}");
    let unblock: Vec<usize> =
        found["unblock"].as_array().unwrap().iter().map(|group| group.as_array().unwrap().len()).collect();
    assert_eq!(unblock, [1, 1], "{found:#}");
    for node in GONE {
        let bureau = network.bureau(node);
        assert!(found["text"].as_str().unwrap().contains(&bureau.uscc.to_string()), "{found:#}");
    }
    let text = person.command(&["chain", "status", "--why"]).args(["--lang", "zh"]).output().unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("链已停止"), "{text:?}");

    // The node's own doctor says it too; and that of a stopped one says how its home is.
    let (code, said) = doctor(&network, LIVE);
    assert_eq!((code, said["state"].as_str()), (Some(35), Some("running")), "{said:#}");
    assert!(said["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == "quorum_missing"), "{said:#}");
    let (code, said) = doctor(&network, GONE[0]);
    assert_eq!((code, said["state"].as_str()), (Some(0), Some("stopped")), "{said:#}");
    assert!(said["height"].as_u64().unwrap() + 2 >= before && said["signed_up_to"].as_u64().is_some(), "{said:#}");

    // What would unblock it does.
    network.start(GONE[0]);
    let height = tip.height;
    let goes = wait(&person, "chain that goes on", |why| {
        why["height"].as_u64().unwrap() > height + 1 && why["stands"] == false
    });
    assert!(finding(&goes, "quorum_missing").is_none(), "{goes:#}");
    let left = wait(&person, "one that is missing", |why| finding(why, "validators_missing").is_some());
    let left = bureaus(&finding(&left, "validators_missing").unwrap()["missing"]);
    assert_eq!(left, [network.bureau(GONE[1]).uscc.to_string()].into());
    let answer: DiagnosisAnswer = network.http.json(&format!("{}/v1/diagnosis", network.api(LIVE))).unwrap();
    assert!(answer.diagnosis.unproven && answer.findings.iter().all(|found| found.severity != Severity::Blocks));
    network.start(GONE[1]);
    wait(&person, "whole set", |why| finding(why, "validators_missing").is_none() && why["stands"] == false);
    let (code, said) = doctor(&network, GONE[1]);
    assert_eq!(code, Some(0), "{said:#}");
    let all: DiagnosisAnswer = network.http.json(&format!("{}/v1/diagnosis", network.api(LIVE))).unwrap();
    assert!(!all.findings.iter().any(|found| found.code == Code::QuorumMissing), "{all:?}");
    network.stop_all();
    audit::check(&network, &[]);
}
