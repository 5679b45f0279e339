//! Ways in which a node ends or does not start, each with its exit code and a hint that helps.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use kanhe_node::run::home;
use kanhe_node::storage::{Column, Storage};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::{KeyEntry, KeyRole};
use kanhe_tests::load::Load;
use kanhe_tests::network::{Network, run_node_program};
use kanhe_tests::power::files;
use kanhe_tests::{audit, programs};

const READY: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 2_000;
const VICTIM: usize = 2;
const MISMATCH: i32 = 74;

fn code_and_hint(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let hint = said.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_else(|| panic!("no hint: {said}"));
    (output.status.code(), hint.to_owned())
}

fn run(home: &Path) -> (Option<i32>, String) {
    code_and_hint(&run_node_program(&["run", "--home", home.to_str().unwrap()]))
}

/// The largest file of a database whose name holds a text.
fn database_file(home: &Path, part: &str) -> PathBuf {
    let mut found = files(&home::chain(home));
    found.retain(|(path, _)| path.file_name().unwrap().to_str().unwrap().contains(part));
    found.sort_by_key(|(_, length)| *length);
    found.pop().unwrap_or_else(|| panic!("no {part}")).0
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_keeps_a_node_from_starting_is_said_with_a_hint_that_helps() {
    let network = Network::found(1, HEARTBEAT_MS);
    let home = network.home(0);
    let passphrase = home.join("passphrase");
    fs::rename(&passphrase, home.join("away")).unwrap();
    let (code, hint) = run(home);
    assert!(code == Some(29) && hint.contains("--passphrase-file"), "{code:?} {hint}");
    fs::rename(home.join("away"), &passphrase).unwrap();

    let script = format!("ulimit -n 300; exec {} run --home {}", programs::node().display(), home.display());
    let limited = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).output().unwrap();
    let (code, hint) = code_and_hint(&limited);
    assert!(code == Some(32) && hint.contains("LimitNOFILE"), "{code:?} {hint}");

    let manifest = database_file(home, "MANIFEST-");
    let good = fs::read(&manifest).unwrap();
    flip(&manifest, good.len() / 2);
    let (code, hint) = run(home);
    assert!(code == Some(24) && hint.contains("keep a copy") && hint.contains("--rejoin"), "{code:?} {hint}");
    fs::write(&manifest, good).unwrap();

    fs::remove_file(home::guard(home)).unwrap();
    let (code, hint) = run(home);
    assert!(code == Some(24) && hint.contains("--rejoin"), "{code:?} {hint}");
}

#[test]
fn a_network_that_cannot_be_made_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let init = |dir: &Path, bureaus: &str| {
        let dir = dir.to_str().unwrap();
        code_and_hint(&run_node_program(&["devnet", "init", "--dir", dir, "--bureaus", bureaus]))
    };
    assert_eq!(init(&dir.path().join("none"), "0").0, Some(2));
    fs::write(dir.path().join("something"), "").unwrap();
    let (code, hint) = init(dir.path(), "1");
    assert!(code == Some(2) && hint.contains("--dir"), "{code:?} {hint}");
    // Not even root can make a folder below a file.
    let (code, hint) = init(&dir.path().join("something/below"), "1");
    assert!(code == Some(26) && hint.contains("permissions"), "{code:?} {hint}");
}

/// Makes a stopped node's own copy of the issuing keys keys of another role, behind the back of their hashes.
fn spoil_issuers(network: &Network, node: usize) {
    const HASH_BYTES: usize = 32;
    let storage = Storage::open(&home::chain(network.home(node)), &network.genesis.chain_id()).unwrap();
    let database = storage.database();
    let column = database.cf_handle(Column::Registry.name()).unwrap();
    let mut spoiled = 0;
    for entry in database.iterator_cf(column, rocksdb::IteratorMode::Start) {
        let (name, record) = entry.unwrap();
        let (hash, value) = record.split_at(HASH_BYTES);
        match KeyEntry::from_value(value) {
            Ok(key) if key.role == KeyRole::Issuing => {
                let value = KeyEntry { role: KeyRole::Governance, ..key }.to_value();
                database.put_cf(column, name, [hash, &value].concat()).unwrap();
                spoiled += 1;
            }
            _ => {}
        }
    }
    assert!(spoiled > 0);
    database.flush_wal(true).unwrap();
}

#[test]
fn a_node_whose_state_is_spoiled_stops_at_the_first_certified_block_that_shows_it() {
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    network.start_all();
    network.wait_ready(READY);
    let load = Load::start(&network, 74, Duration::from_millis(8));
    network.wait_blocks(5, READY);
    network.kill(&[VICTIM]);
    let backup = network.home(VICTIM).with_extension("backup");
    assert!(Command::new("cp").arg("-a").arg(network.home(VICTIM)).arg(&backup).status().unwrap().success());
    spoil_issuers(&network, VICTIM);
    network.start(VICTIM);
    let code = network.wait_end(VICTIM, READY).code();
    let said = network.last_words(VICTIM);
    assert_eq!(code, Some(MISMATCH), "{said}");
    assert!(said.lines().last().unwrap().contains("run fsck"), "{said}");
    let checked = run_node_program(&["fsck", "--home", network.home(VICTIM).to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(31), "{checked:?}");

    // As the hint says.
    fs::remove_dir_all(network.home(VICTIM)).unwrap();
    fs::rename(&backup, network.home(VICTIM)).unwrap();
    network.start_with(VICTIM, |command, _| {
        command.arg("--rejoin");
    });
    network.wait_blocks(10, READY);
    let reported = load.stop();
    network.wait_blocks(1, READY);
    network.stop_all();
    audit::check(&network, &reported);
}

#[test]
fn a_damaged_table_of_old_blocks_shows_before_somebody_asks_for_them() {
    let mut network = Network::found(1, 1_000);
    network.start_fast();
    network.configure(0, "peers_ms", "100");
    network.start(0);
    network.wait_blocks(5, READY);
    network.stop_all();
    // What is in the log is written to tables when the database is opened; a second time, so that they are old.
    network.start(0);
    network.wait_blocks(2, READY);
    network.stop_all();
    let chain = network.genesis.chain_id();
    let bodies = {
        let storage = Storage::open(&home::chain(network.home(0)), &chain).unwrap();
        let live = storage.database().live_files().unwrap();
        let of_bodies = live.iter().find(|file| file.column_family_name == Column::Bodies.name());
        of_bodies.unwrap().name.trim_start_matches('/').to_owned()
    };
    flip(&database_file(network.home(0), &bodies), 40);
    network.start(0);
    network.wait(0, "an answer", READY, |_| true);
    let until = Instant::now() + READY;
    loop {
        let (status, body) = network.http.get(&format!("{}/readyz", network.api(0))).unwrap();
        let said = String::from_utf8(body).unwrap();
        if status == 503 && said.contains("damaged") {
            break;
        }
        assert!(Instant::now() < until, "{status} {said}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(network.last_words(0).contains("--rejoin"), "{}", network.last_words(0));
    network.stop_all();
    let checked = run_node_program(&["fsck", "--home", network.home(0).to_str().unwrap()]);
    assert_ne!(checked.status.code(), Some(0), "{checked:?}");
}
