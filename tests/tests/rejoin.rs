//! A home put back as it was: without a word it stops before it signs, with `--rejoin` it comes back, and whatever its
//! validator signed before and after, nothing was signed twice.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use kanhe_node::consensus::guard::{self, SignedEntry};
use kanhe_node::run::home;
use kanhe_proto::ids::Height;
use kanhe_tests::audit;
use kanhe_tests::inquiry;
use kanhe_tests::load::Load;
use kanhe_tests::network::Network;

const READY: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 2_000;
const VICTIM: usize = 2;
/// Votes of another life were seen.
const DOUBLE_VOTE: i32 = 72;
/// The doctor found something that must be mended.
const DOCTOR: i32 = 35;

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// The gauge of a node's metrics.
fn gauge(network: &Network, node: usize, name: &str) -> Option<u64> {
    let (status, body) = network.http.get(&format!("{}/metrics", network.api(node)))?;
    assert_eq!(status, 200);
    let text = String::from_utf8(body).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn rejoin(network: &mut Network, node: usize) {
    network.start_with(node, |command, _| {
        command.arg("--rejoin");
    });
}

/// Waits until a node signs again; gives what it signed in this life, all above what it signed in the other.
fn signs_again(network: &mut Network, node: usize, before: &[SignedEntry]) -> Vec<SignedEntry> {
    let highest = before.iter().map(|entry| entry.slot.height).max().unwrap();
    let until = Instant::now() + READY;
    loop {
        network.wait(node, "an answer", READY, |_| true);
        let signed = audit::signed(network.home(node));
        if signed.iter().any(|entry| entry.slot.height > Height(highest.0 + 5)) {
            assert_eq!(gauge(network, node, "kanhe_consensus_silent "), Some(0));
            return signed;
        }
        assert!(Instant::now() < until, "it signs nothing above {highest}\n{}", network.last_words(node));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_restored_home_comes_back_without_signing_twice() {
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    network.start_all();
    network.wait_ready(READY);
    let load = Load::start(&network, 47, Duration::from_millis(8));
    network.wait_blocks(10, READY);
    // Last night's backup: of a stopped node, so it is whole.
    network.kill(&[VICTIM]);
    let backup = network.home(VICTIM).with_extension("backup");
    copy(network.home(VICTIM), &backup);
    network.start(VICTIM);
    network.wait_blocks(25, READY);
    network.kill(&[VICTIM]);
    let mut lives = audit::signed(network.home(VICTIM));
    let restored = audit::signed(&backup);
    assert!(lives.len() > restored.len() + 20, "it signed little since: {} and {}", restored.len(), lives.len());

    // It does not know that it is old, sees votes that it does not know, and stops, however often it is tried.
    for _ in 0..2 {
        copy(&backup, network.home(VICTIM));
        network.start(VICTIM);
        let ended = network.wait_end(VICTIM, READY).code();
        let said = network.last_words(VICTIM);
        assert_eq!(ended, Some(DOUBLE_VOTE), "{said}");
        assert!(said.lines().last().unwrap().contains("run --rejoin"), "{said}");
        lives.extend(audit::signed(network.home(VICTIM)));
        assert_eq!(guard::double_signs(&lives), [], "it signed twice before it stopped");
        // The home tells it without its log.
        let (code, said) = inquiry::doctor(&network, VICTIM);
        assert_eq!((code, inquiry::outcome(&said, "last_stop")), (Some(DOCTOR), "bad"), "{said:#}");
        let told = said["checks"].as_array().unwrap().iter().find(|check| check["check"] == "last_stop").unwrap();
        assert!(told["text"]["en"].as_str().unwrap().contains("exit code 72"), "{said:#}");
        assert!(told["hint"].as_str().unwrap().contains("run --rejoin"), "{said:#}");
    }

    // Told so, it comes back; killed meanwhile, it goes on being silent without being told again.
    copy(&backup, network.home(VICTIM));
    rejoin(&mut network, VICTIM);
    std::thread::sleep(Duration::from_millis(700));
    network.kill(&[VICTIM]);
    let (code, said) = inquiry::doctor(&network, VICTIM);
    assert_eq!(
        (code, inquiry::outcome(&said, "guard"), &said["silent"]),
        (Some(0), "warning", &true.into()),
        "{said:#}"
    );
    network.start(VICTIM);
    lives.extend(signs_again(&mut network, VICTIM, &lives));
    assert_eq!(guard::double_signs(&lives), []);
    println!("back from a backup, {} messages of all lives", lives.len());

    // The same for a home of which only configuration and keys are left.
    network.kill(&[VICTIM]);
    let lost = network.home(VICTIM).to_owned();
    fs::remove_dir_all(home::chain(&lost)).unwrap();
    fs::remove_file(home::guard(&lost)).unwrap();
    let (code, said) = inquiry::doctor(&network, VICTIM);
    assert_eq!(code, Some(DOCTOR), "{said:#}");
    assert_eq!(["guard", "database"].map(|check| inquiry::outcome(&said, check)), ["bad"; 2], "{said:#}");
    rejoin(&mut network, VICTIM);
    lives.extend(signs_again(&mut network, VICTIM, &lives));
    assert_eq!(guard::double_signs(&lives), []);
    println!("back with nothing but its keys, {} messages of all lives", lives.len());

    let reported = load.stop();
    network.wait_blocks(1, READY);
    network.stop_all();
    audit::check(&network, &reported);
}
