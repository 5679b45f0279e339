//! `kanhe licence issue`, killed at named points and at random moments and started again: every row is issued, and none
//! twice.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use kanhe_tests::aim::{self, Aimer, ISSUER_POINTS, Point};
use kanhe_tests::dice::Dice;
use kanhe_tests::network::Network;
use kanhe_tests::person::Person;
use serde_json::Value;

const TYPE: &str = "DEMOYYZZ001";
const ROWS: usize = 600;
/// Licences in a batch: many batches, so that many moments are between two writes of the journal.
const BATCH: &str = "16";
/// At random moments.
const KILLS: u32 = 4;
/// Points that a run comes to only at its end, the last ones of the list.
const LAST_POINTS: usize = 2;
const COUNTER: &str = "kanhe_chain_committed_licences_total";

/// Runs the command and kills it after a while; nothing if it was killed.
fn run_for(person: &Person, words: &[&str], time: Duration) -> Option<ExitStatus> {
    let mut child = person.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + time;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Runs the command until it dies at a point.
fn run_until(person: &Person, words: &[&str], point: Point, aimer: &mut Aimer, dice: &mut Dice) {
    let mut command = person.command(words);
    let shot = aimer.aim(&mut command, &person.at(""), point, dice);
    let output = command.output().unwrap();
    assert!(aimer.hit(&shot, output.status), "{shot}: {output:?}");
}

/// Licences that the chain has, by a node's counter.
fn licences(network: &Network, node: usize) -> usize {
    let (status, body) = network.http.get(&format!("{}/metrics", network.api(node))).unwrap();
    assert_eq!(status, 200);
    let text = String::from_utf8(body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(COUNTER)).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_killed_issuer_issues_every_row_once() {
    let mut dice = Dice::of_test("issue_kill", 3);
    let mut network = Network::found(4, 1_000);
    network.start_fast();
    network.start_all();
    network.wait_ready(Duration::from_secs(60));
    let node = network.api(1).to_owned();
    let (company, bureau) = (Person::new(&node), Person::at_desk(&node, &network.bureau(0).passphrase_file));
    company.pin(&network);
    bureau.pin(&network);
    let (issuer, count) = (network.bureau(0).uscc.to_string(), ROWS.to_string());
    company.ok(&["wallet", "init"]);
    let apply = ["wallet", "apply", "--type", TYPE, "--issuer", &issuer, "--count", &count, "--out", "applications"];
    company.ok(&apply);
    company.give("applications", &bureau);
    let sample = ["sample", "--type", "business-licence", "--count", &count, "--applications", "applications"];
    bureau.ok(&[&sample[..], &["--out", "rows.csv"]].concat());

    let key = network.bureau(0).issuing_key.to_str().unwrap().to_owned();
    let issue = ["licence", "issue", "rows.csv", "--type", TYPE, "--key", &key, "--batch", BATCH, "--out", "issued"];
    let (mut aimer, mut killed) = (Aimer::build(), 0);
    let (early, last) = ISSUER_POINTS.split_at(ISSUER_POINTS.len() - LAST_POINTS);
    for point in aim::shuffled(early, &mut dice) {
        run_until(&bureau, &issue, point, &mut aimer, &mut dice);
    }
    while killed < KILLS && run_for(&bureau, &issue, Duration::from_millis(150 + dice.below(600))).is_none() {
        killed += 1;
    }
    assert_eq!(killed, KILLS, "it ended before it was killed often enough");
    for point in last {
        run_until(&bureau, &issue, *point, &mut aimer, &mut dice);
    }
    aimer.table(&ISSUER_POINTS);
    let at_last = bureau.run(&issue);
    println!("{killed} kills, then {at_last:?}");
    // A run that had come to its end, even if it was killed before its process had, is not begun again: every row is
    // refused as known. Nothing else is an excuse.
    let known = format!("{ROWS} of {ROWS}");
    assert!(at_last.code == 0 || at_last.talk.contains("rows_bad") && at_last.talk.contains(&known), "{at_last:?}");

    assert_eq!(licences(&network, 1), ROWS);
    let mut digests = BTreeSet::new();
    for entry in fs::read_dir(bureau.at("issued")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            for line in fs::read_to_string(path).unwrap().lines() {
                let delivery: Value = serde_json::from_str(line).unwrap();
                assert!(digests.insert(delivery["sd_jwt"].as_str().unwrap().to_owned()), "delivered twice");
            }
        }
    }
    assert_eq!(digests.len(), ROWS);
}
