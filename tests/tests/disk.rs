//! A full disk: the node stops with its own code and says why; when there is room again it goes on and lost nothing.
//!
//! The disk is a small tmpfs in user, mount and network namespaces of their own (`unshare -rnm`, no root needed): the
//! test runs itself once more in there.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use kanhe_proto::diagnosis::{Code, Severity};
use kanhe_tests::apart::{self, succeed};
use kanhe_tests::audit;
use kanhe_tests::inquiry;
use kanhe_tests::load::Load;
use kanhe_tests::network::Network;

const READY: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 2_000;
/// Whose disk it is.
const VICTIM: usize = 2;
/// Room for a database that has just begun, which reserves some for its logs.
const DISK: &str = "size=64m,mode=0700";
/// The engine's log, the signing guard, the database.
const CODES: [i32; 3] = [71, 73, 75];
const UNWRITABLE: i32 = 26;
/// The doctor found something that must be mended.
const DOCTOR: i32 = 35;

#[test]
fn a_full_disk_stops_the_node_and_loses_nothing() {
    apart::run("there is no small disk to fill");
}

/// Moves a home onto a disk of its own.
fn small_disk(home: &Path) {
    let aside = home.with_extension("aside");
    fs::rename(home, &aside).unwrap();
    fs::create_dir(home).unwrap();
    let home = home.to_str().unwrap();
    succeed("mount", &["-t", "tmpfs", "-o", DISK, "tmpfs", home]);
    succeed("cp", &["-a", &format!("{}/.", aside.display()), home]);
}

/// Fills a disk to the last byte.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut chunk = vec![0x55; 1 << 20];
    while !chunk.is_empty() {
        match file.write_all(&chunk) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => chunk.truncate(chunk.len() / 2),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
#[ignore = "the part of the other test that runs in namespaces of its own"]
fn inside() {
    let Some(folder) = apart::folder() else { return };
    succeed("ip", &["link", "set", "lo", "up"]);
    let mut network = Network::found_in(&folder, 4, HEARTBEAT_MS);
    network.start_fast();
    small_disk(network.home(VICTIM));
    network.start_all();
    network.wait_ready(READY);
    let load = Load::start(&network, 31, Duration::from_millis(8));
    network.wait_blocks(20, READY);
    // So small a disk is called full before it is.
    inquiry::wait(&network, VICTIM, "word of its disk", READY, |answer| {
        inquiry::finding(answer, Code::DiskFull).is_some_and(|found| found.severity == Severity::Blocks)
    });

    let filler = network.home(VICTIM).join("filler");
    fill(&filler);
    let code = network.wait_end(VICTIM, READY).code().unwrap();
    let said = network.last_words(VICTIM);
    println!("the node on the full disk ended with {code}: {}", said.lines().last().unwrap_or_default());
    assert!(CODES.contains(&code), "{code}\n{said}");
    assert!(said.contains("error: ") && said.contains("hint: "), "{said}");
    // The engine keeps the reason of its own log to itself.
    assert!(code == CODES[0] || said.contains("No space left on device"), "{said}");

    let (code, said) = inquiry::doctor(&network, VICTIM);
    assert_eq!((code, inquiry::outcome(&said, "disk")), (Some(DOCTOR), "bad"), "{said:#}");

    // Its end gave back what its database had reserved. Started on a full disk, it says so and changes nothing.
    let more = network.home(VICTIM).join("filler-2");
    fill(&more);
    network.start(VICTIM);
    let code = network.wait_end(VICTIM, READY).code().unwrap();
    let said = network.last_words(VICTIM);
    assert_eq!(code, UNWRITABLE, "{said}");
    assert!(said.lines().last().unwrap().starts_with("hint: "), "{said}");
    let (code, said) = inquiry::doctor(&network, VICTIM);
    assert_eq!((code, inquiry::outcome(&said, "disk")), (Some(DOCTOR), "bad"), "{said:#}");

    // The others go on without it.
    let before = network.highest();
    for node in (0..4).filter(|node| *node != VICTIM) {
        network.wait(node, "blocks without the full node", READY, |status| status.height > before + 5);
        let gone = [network.bureau(VICTIM).uscc.to_string()].into();
        inquiry::wait(&network, node, "the full node's name", READY, |answer| {
            inquiry::finding(answer, Code::ValidatorsMissing).is_some_and(|found| inquiry::missing(found) == gone)
        });
    }
    fs::remove_file(&filler).unwrap();
    fs::remove_file(&more).unwrap();
    network.start(VICTIM);
    network.wait_blocks(5, READY);
    let reported = load.stop();
    network.stop_all();
    audit::check(&network, &reported);
    assert!(reported.len() > 30, "too little load: {}", reported.len());
    // Nobody but this process holds the small disk; it goes with the namespace.
    apart::done();
}
