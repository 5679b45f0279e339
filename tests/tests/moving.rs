//! A validator key moves to another home with its guard: the source never signs again, the new home does after its
//! silence, a second copy does not get to vote, and an interrupted export is repeated.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use kanhe_node::config::Config;
use kanhe_node::consensus::guard::{self, SignedEntry};
use kanhe_node::run::{exit, home};
use kanhe_proto::ids::Height;
use kanhe_proto::validator_file;
use kanhe_tests::aim::{Aimer, Call, Point, When};
use kanhe_tests::audit;
use kanhe_tests::dice::Dice;
use kanhe_tests::load::Load;
use kanhe_tests::network::{Network, run_node_program};
use kanhe_tests::programs;

const READY: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 1_000;
const MOVER: usize = 2;
const LENDER: usize = 3;
/// Votes under the own key that the guard does not hold.
const DOUBLE_VOTE: i32 = 72;

/// Where an export is interrupted: before, while and after the guard ends and the file is written.
const POINTS: [Point; 10] = [
    point("end: not written", "home/guard", Call::Write, When::Before),
    point("end: torn", "home/guard", Call::Write, When::Half),
    point("end: not synced", "home/guard", Call::Sync, When::Before),
    point("end: synced", "home/guard", Call::Sync, When::After),
    point("file: not written", "moved.part", Call::Write, When::Before),
    point("file: torn", "moved.part", Call::Write, When::Half),
    point("file: not synced", "moved.part", Call::Sync, When::Before),
    point("file: synced", "moved.part", Call::Sync, When::After),
    point("file: not named", "moved", Call::Rename, When::Before),
    point("file: named", "moved", Call::Rename, When::After),
];

const fn point(name: &'static str, file: &'static str, call: Call, when: When) -> Point {
    Point { name, file, bytes: None, call, when, nth_max: 1 }
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn export(home: &Path, out: &Path) -> Output {
    run_node_program(&["validator", "export", "--home", text(home), "--out", text(out)])
}

fn import(home: &Path, file: &Path, passphrase: &Path) -> Output {
    let words = ["validator", "import", "--home", text(home), text(file), "--file-passphrase-file", text(passphrase)];
    run_node_program(&words)
}

fn assert_code(output: &Output, code: u8) {
    assert_eq!(output.status.code(), Some(i32::from(code)), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A home with a network key and a chain of its own, and no validator key.
fn new_home(network: &Network, model: &Path, name: &str) -> PathBuf {
    let home = model.with_file_name(name);
    fs::create_dir_all(home.join("keys")).unwrap();
    for file in ["keys/network.key", "passphrase"] {
        fs::copy(model.join(file), home.join(file)).unwrap();
    }
    let mut config = Config::load(model).unwrap();
    config.keys.validator = None;
    config.genesis = "genesis.bin".into();
    fs::write(home.join("config.toml"), config.to_toml()).unwrap();
    let hash = network.genesis.chain_id().to_string();
    let genesis = text(&network.description.genesis);
    assert_code(&run_node_program(&["join", "--home", text(&home), "--genesis", genesis, "--genesis-hash", &hash]), 0);
    home
}

/// Waits until a node signs above all that was signed before; gives what its guard holds.
fn signs_again(network: &mut Network, node: usize, before: &[SignedEntry]) -> Vec<SignedEntry> {
    let highest = before.iter().map(|entry| entry.slot.height).max().unwrap();
    let until = Instant::now() + READY;
    loop {
        network.wait(node, "an answer", READY, |_| true);
        let signed = audit::signed(network.home(node));
        if signed.iter().any(|entry| entry.slot.height > Height(highest.0 + 5)) {
            return signed;
        }
        assert!(Instant::now() < until, "it signs nothing above {highest}\n{}", network.last_words(node));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A home starts in a node's place, and ends by itself with this code.
fn ends_with(network: &mut Network, node: usize, home: &Path, code: i32, options: &[&str]) {
    let own = std::mem::replace(&mut network.description.bureaus[node].home, home.to_owned());
    network.start_with(node, |command, _| {
        command.args(options);
    });
    let ended = network.wait_end(node, READY).code();
    assert_eq!(ended, Some(code), "{}", network.last_words(node));
    network.description.bureaus[node].home = own;
}

/// Kills an export at each point: never a file whose source may still sign, and the next attempt succeeds.
fn interrupted_exports(source: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let (mut aimer, mut dice) = (Aimer::build(), Dice::new(5));
    let (home, out) = (folder.path().join("home"), folder.path().join("moved"));
    for point in POINTS {
        copy(source, &home);
        let _ = fs::remove_file(&out);
        let mut command = Command::new(programs::node());
        command.args(["validator", "export", "--home", text(&home), "--out", text(&out)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let shot = aimer.aim(&mut command, folder.path(), point, &mut dice);
        let ended = command.status().unwrap();
        assert!(aimer.hit(&shot, ended), "{shot}: {ended}");
        assert!(!out.exists() || !guard::is_in_use(&home::guard(&home)).unwrap(), "{shot}: two copies");
        if !out.exists() {
            assert_code(&export(&home, &out), exit::OK);
        }
        assert!(!guard::is_in_use(&home::guard(&home)).unwrap());
        validator_file::describe(&fs::read_to_string(&out).unwrap()).unwrap();
    }
    aimer.table(&POINTS);
}

/// What is not what it should be is not imported, and the home stays as it was.
fn refused_imports(network: &Network, home: &Path, file: &Path, passphrase: &Path) {
    let damaged = file.with_extension("damaged");
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
    fs::write(&damaged, &bytes).unwrap();
    assert_code(&import(home, &damaged, passphrase), exit::DAMAGED);
    let other = network.home(LENDER).join("passphrase");
    assert_code(&import(home, file, &other), exit::PASSPHRASE);
    let stranger = Network::found(1, HEARTBEAT_MS);
    assert_code(&import(stranger.home(0), file, passphrase), exit::OTHER_CHAIN);
    assert!(!home::guard(home).exists() && !home.join("keys/validator.key").exists());
}

#[test]
fn a_validator_key_moves_and_never_signs_twice() {
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    network.start_all();
    network.wait_ready(READY);
    let load = Load::start(&network, 48, Duration::from_millis(20));
    network.wait_blocks(8, READY);
    let source = network.home(MOVER).to_owned();
    let passphrase = source.join("passphrase");
    let file = source.with_file_name("validator.moved");
    assert_code(&export(&source, &file), exit::IN_USE);
    assert!(!file.exists());
    network.kill(&[MOVER]);
    let mut lives = audit::signed(&source);
    interrupted_exports(&source);

    assert_code(&export(&source, &file), exit::OK);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_code(&export(&source, &file), exit::USAGE);
    for options in [&[][..], &["--rejoin"]] {
        ends_with(&mut network, MOVER, &source, i32::from(exit::MOVED), options);
    }
    println!("exported, {} messages", lives.len());

    let moved = new_home(&network, &source, "moved");
    refused_imports(&network, &moved, &file, &passphrase);
    assert_code(&import(&moved, &file, &passphrase), exit::OK);
    assert_code(&import(&moved, &file, &passphrase), exit::OK);
    network.description.bureaus[MOVER].home = moved.clone();
    network.start(MOVER);
    lives.extend(signs_again(&mut network, MOVER, &lives));
    assert_eq!(guard::double_signs(&lives), []);
    println!("signs on another machine, {} messages of all lives", lives.len());

    // The same file on a third machine: it never votes while the second does.
    network.kill(&[LENDER]);
    let lender = network.home(LENDER).to_owned();
    let third = new_home(&network, &lender, "third");
    assert_code(&import(&third, &file, &passphrase), exit::OK);
    let held = audit::signed(&third);
    ends_with(&mut network, LENDER, &third, DOUBLE_VOTE, &[]);
    assert_eq!(audit::signed(&third), held, "it signed");
    network.wait_blocks_of(&[0, 1, MOVER], 3, READY);
    println!("a second host of the key stopped");

    network.start(LENDER);
    network.wait_ready(READY);
    let reported = load.stop();
    network.wait_blocks(1, READY);
    network.stop_all();
    audit::check(&network, &reported);
    lives.extend(audit::signed(&moved));
    assert_eq!(guard::double_signs(&lives), []);
    // A key in use is not overwritten, nor a guard by an older one.
    assert_code(&import(&lender, &file, &passphrase), exit::NOT_IMPORTED);
    assert_code(&import(&moved, &file, &passphrase), exit::NOT_IMPORTED);
    assert_eq!(guard::double_signs(&audit::signed(&lender)), []);
}
