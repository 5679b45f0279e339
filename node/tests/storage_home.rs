//! Homes, crashes, and a check that must find every flipped byte.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::flat::{Flat, payload, registering};
use common::{Dice, World, change, changes, digest, person};
use kanhe_node::storage::fsck::{Report, fsck};
use kanhe_node::storage::{Column, CreateError, Storage, StorageError, layout};
use kanhe_proto::governance::Action;
use kanhe_proto::hash::ChainId;
use kanhe_proto::ids::{Height, Power, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::registry::Parameters;
use kanhe_proto::status::Status;
use kanhe_proto::transaction::StatusTarget;
use tempfile::tempdir;

/// Files with their content and time of change.
fn picture(dir: &Path) -> Vec<(String, u64, std::time::SystemTime)> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                dirs.push(entry.path());
            } else {
                files.push((entry.path().display().to_string(), meta.len(), meta.modified().unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_home_is_made_once_and_never_begins_anew() {
    let world = governed();
    let chain_id = world.genesis.chain_id();
    let dir = tempdir().unwrap();
    let home = dir.path().join("home");
    assert!(matches!(Storage::open(&home, &chain_id), Err(StorageError::NotInitialised(_))));
    assert!(!home.exists(), "nothing is written");
    drop(Storage::create(&home, &world.genesis).unwrap());
    let before = picture(&home);
    let again = Storage::create(&home, &world.genesis);
    assert!(matches!(again, Err(CreateError::Storage(StorageError::AlreadyInitialised(_)))));
    let other = ChainId([7; 32]);
    assert!(matches!(Storage::open(&home, &other), Err(StorageError::OtherChain { .. })));
    assert!(matches!(Storage::open_read_only(&home, &other), Err(StorageError::OtherChain { .. })));
    assert_eq!(picture(&home), before, "nothing is written");
    let open = Storage::open(&home, &chain_id).unwrap();
    let second = Storage::open(&home, &chain_id);
    assert!(matches!(second, Err(StorageError::InUse(_))), "{second:?}");
    drop(open);

    // The database is lost: no new beginning.
    fs::rename(home.join("db"), dir.path().join("away")).unwrap();
    let before = picture(&home);
    assert!(matches!(Storage::open(&home, &chain_id), Err(StorageError::Gone(_))));
    let again = Storage::create(&home, &world.genesis);
    assert!(matches!(again, Err(CreateError::Storage(StorageError::AlreadyInitialised(_)))));
    assert_eq!(picture(&home), before, "nothing is written");
    fs::rename(dir.path().join("away"), home.join("db")).unwrap();

    // The mark is lost: the database says what it is, and the mark comes back.
    fs::remove_file(home.join("CHAIN")).unwrap();
    assert!(matches!(Storage::open(&home, &other), Err(StorageError::OtherChain { .. })));
    drop(Storage::open(&home, &chain_id).unwrap());
    assert!(home.join("CHAIN").exists());

    // Newer or older software was here.
    for schema in [1, 2, 3, 5] {
        fs::write(home.join("CHAIN"), format!("schema {schema}\nchain {chain_id}\n")).unwrap();
        let before = picture(&home);
        let other = Storage::open(&home, &chain_id).unwrap_err();
        assert!(matches!(other, StorageError::OtherSchema { found, known: 4, .. } if found == schema), "{other}");
        assert_eq!(picture(&home), before, "nothing is written");
    }
    fs::write(home.join("CHAIN"), "what?").unwrap();
    assert!(matches!(Storage::open(&home, &chain_id), Err(StorageError::Damaged(_))));
}

#[test]
fn an_interrupted_making_is_made_again() {
    let world = governed();
    let dir = tempdir().unwrap();
    fs::create_dir_all(dir.path().join("db.new")).unwrap();
    fs::write(dir.path().join("db.new/CURRENT"), "half").unwrap();
    assert!(matches!(Storage::open(dir.path(), &world.genesis.chain_id()), Err(StorageError::NotInitialised(_))));
    drop(Storage::create(dir.path(), &world.genesis).unwrap());
    assert!(!dir.path().join("db.new").exists());
}

#[test]
fn a_home_that_cannot_be_written_is_said_so() {
    let world = governed();
    let dir = tempdir().unwrap();
    // A file where the directory should be: also root cannot write there.
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let made = Storage::create(&file, &world.genesis);
    assert!(matches!(made, Err(CreateError::Storage(StorageError::Unwritable { .. }))), "{made:?}");
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn a_damaged_database_is_said_so() {
    let world = governed();
    let chain_id = world.genesis.chain_id();
    let dir = tempdir().unwrap();
    drop(Storage::create(dir.path(), &world.genesis).unwrap());
    let current = dir.path().join("db/CURRENT");
    let kept = fs::read(&current).unwrap();
    fs::write(&current, "MANIFEST-999999\n").unwrap();
    let opened = Storage::open(dir.path(), &chain_id);
    assert!(matches!(opened, Err(StorageError::Damaged(_))), "{opened:?}");
    fs::remove_file(&current).unwrap();
    let opened = Storage::open(dir.path(), &chain_id);
    assert!(matches!(opened, Err(StorageError::Damaged(_))), "{opened:?}");
    fs::write(&current, kept).unwrap();
    drop(Storage::open(dir.path(), &chain_id).unwrap());
}

/// Four bureaus; epochs end soon.
fn governed() -> World {
    World::with(4, Parameters { epoch_blocks: 5, ..Parameters::default() })
}

/// A chain with something in every column.
fn grown(world: &World, dir: &Path) {
    let node = world.create(dir);
    let own = world.offices[0].uscc;
    let her = person::Person::new(world, 1);
    let mut number = 0;
    // Another power for one validator: the set changes, and who signs stays as it is.
    let key = world.offices[3].validator.public_key();
    let seat = Action::SeatValidator { bureau: world.offices[3].uscc, key, power: Power(2) };
    let decided = world.decision(&node, &[0, 1, 2, 3], vec![seat]);
    let open = world.decision(&node, &[0], vec![Action::FreezeBureau { bureau: world.offices[1].uscc }]);
    for round in 0..12u64 {
        // Half of the ids expire soon and are swept.
        let expiry = |n: u64| TimeMs(node.now().0 + if n.is_multiple_of(2) { 300 } else { 600_000 });
        let mut transactions: Vec<_> = (0..3)
            .map(|office| {
                number += 1;
                world.batch(office, expiry(number), number)
            })
            .collect();
        let one = change(own, StatusTarget::Licence(digest(round)), 0, Status::Suspended);
        transactions.push(world.transaction(0, expiry(1), &changes(vec![one])));
        if round == 0 {
            let sent = [&decided, &open].map(|payload| world.transaction(0, expiry(1), payload));
            transactions.extend(sent);
        }
        // Items, a case of one, and a consent with reads.
        let actions = registering(world);
        let more = match round {
            1 => Some(world.decision(&node, &[0, 1, 2, 3], actions[..1].to_vec())),
            3 => Some(world.decision(&node, &[0, 1, 2, 3], actions[1..].to_vec())),
            5 => Some(payload(&[Flat::new(world, 1).open(world, node.now())])),
            6 => Some(person::acts(&[her.grant(world, node.now())])),
            8 => Some(person::reads(&[
                her.read(world, her.under(1), 1, node.now()),
                her.read(world, person::statutory(None), 2, node.now()),
            ])),
            _ => None,
        };
        transactions.extend(more.map(|payload| world.transaction(0, expiry(1), &payload)));
        node.block(world, &transactions);
        assert!(node.source.rejected.lock().unwrap().is_empty());
    }
    node.pass(100);
    let (hash, body) = node.propose(world);
    node.chain.keep(Height(13), hash, &body).unwrap();
    assert_eq!(node.chain.tip().header.height, Height(12));
    assert!(node.chain.totals().counters.swept > 0);
}

fn check(world: &World, dir: &Path) -> Report {
    let chain_id = world.genesis.chain_id();
    let storage = Storage::open_read_only(dir, &chain_id).unwrap();
    fsck(&storage, &chain_id, &mut |_| {})
}

/// Names the home of the process that [`a_kill_loses_nothing_that_was_committed`] kills.
const CRASH_HOME: &str = "KANHE_TEST_CRASH_HOME";

/// Makes blocks and says so after each, until it is killed. Not a test by itself.
#[test]
fn crash_child() {
    let Ok(dir) = std::env::var(CRASH_HOME) else { return };
    let world = governed();
    let node = world.open(Path::new(&dir));
    loop {
        let number = node.chain.tip().header.log_size;
        let expiry = TimeMs(node.now().0.max(node.chain.tip().header.time.0) + 60_000);
        let transactions: Vec<_> = (0..20).map(|i| world.batch(0, expiry, number + i)).collect();
        node.block(&world, &transactions);
        let tip = node.chain.tip();
        println!("\ncommitted {} {}", tip.header.height, tip.hash);
    }
}

#[test]
fn a_kill_loses_nothing_that_was_committed() {
    let world = governed();
    let dir = tempdir().unwrap();
    drop(world.create(dir.path()));
    let mut dice = Dice::new(7);
    for _ in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash_child", "--exact", "--nocapture"])
            .env(CRASH_HOME, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = None;
        for _ in 0..=dice.below(30) {
            said = lines.find_map(|line| line.strip_prefix("committed ").map(str::to_owned));
        }
        std::thread::sleep(Duration::from_micros(dice.below(8_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died may still be in the pipe.
        said = lines.filter_map(|line| line.strip_prefix("committed ").map(str::to_owned)).last().or(said);
        let said = said.unwrap();
        let (height, hash) = said.split_once(' ').unwrap();
        let report = check(&world, dir.path());
        assert!(report.is_clean(), "{:#?}", report.problems);
        let storage = Storage::open(dir.path(), &world.genesis.chain_id()).unwrap();
        let header = storage.read().header(Height(height.parse().unwrap())).unwrap().unwrap();
        assert_eq!(header.hash().to_string(), hash);
    }
}

#[test]
fn reading_only_changes_no_file() {
    let world = governed();
    let dir = tempdir().unwrap();
    grown(&world, dir.path());
    let before = picture(&dir.path().join("db"));
    let report = check(&world, dir.path());
    assert!(report.is_clean(), "{:#?}", report.problems);
    assert!(report.entries > 200 && report.height == 12);
    let after = picture(&dir.path().join("db"));
    let data = |files: &[(String, u64, std::time::SystemTime)]| {
        files.iter().filter(|(name, ..)| !name.contains("/LOG")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(data(&after), data(&before));
}

/// Every entry of a column, as stored.
fn entries(storage: &Storage, column: Column) -> Vec<(Vec<u8>, Vec<u8>)> {
    let reader = storage.read();
    let mut iter = reader.iter(column);
    let mut found = Vec::new();
    iter.seek_to_first();
    while let Some((key, value)) = iter.item() {
        found.push((key.to_vec(), value.to_vec()));
        iter.next();
    }
    found
}

fn put(storage: &Storage, column: Column, key: &[u8], value: &[u8]) {
    let db = storage.database();
    db.put_cf(db.cf_handle(column.name()).unwrap(), key, value).unwrap();
}

fn delete(storage: &Storage, column: Column, key: &[u8]) {
    let db = storage.database();
    db.delete_cf(db.cf_handle(column.name()).unwrap(), key).unwrap();
}

#[test]
fn fsck_finds_each_flipped_byte() {
    let world = governed();
    let chain_id = world.genesis.chain_id();
    let dir = tempdir().unwrap();
    grown(&world, dir.path());
    let storage = Storage::open(dir.path(), &chain_id).unwrap();
    let run = || fsck(&storage, &chain_id, &mut |_| {});
    assert!(run().is_clean(), "{:#?}", run().problems);
    let mut dice = Dice::new(20_261_124);
    let mut flips = 0;
    for column in Column::ALL {
        let all: Vec<_> = entries(&storage, column).into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let empty = matches!(
            column,
            Column::Expiries | Column::IssuerBatches | Column::Acts | Column::Cases | Column::Consents
        );
        assert_eq!(all.is_empty(), empty, "{column:?}");
        for _ in 0..if empty { 0 } else { 12 } {
            let (key, value) = &all[dice.below(all.len() as u64) as usize];
            let at = dice.below(value.len() as u64) as usize;
            let mut flipped = value.clone();
            flipped[at] ^= 1 << dice.below(8);
            put(&storage, column, key, &flipped);
            let report = run();
            assert!(!report.is_clean(), "byte {at} of {} in {} is not found", value.len(), column.name());
            put(&storage, column, key, value);
            flips += 1;
        }
    }
    assert!(flips >= 50);
    assert!(run().is_clean());
}

#[test]
fn fsck_finds_each_lost_and_each_stray_entry() {
    let world = governed();
    let chain_id = world.genesis.chain_id();
    let dir = tempdir().unwrap();
    grown(&world, dir.path());
    let storage = Storage::open(dir.path(), &chain_id).unwrap();
    let run = || fsck(&storage, &chain_id, &mut |_| {});
    for column in Column::ALL {
        let all = entries(&storage, column);
        assert!(!all.is_empty(), "{column:?}");
        for (key, value) in [&all[0], &all[all.len() / 2]] {
            // A body that is not decided yet may be there or not.
            if column == Column::Bodies && layout::read_block(key).unwrap().0 == Height(13) {
                continue;
            }
            delete(&storage, column, key);
            assert!(!run().is_clean(), "a lost entry of {} is not found", column.name());
            put(&storage, column, key, value);
        }
        let (key, value) = &all[all.len() / 2];
        let mut stray = key.clone();
        *stray.last_mut().unwrap() ^= 0x55;
        assert!(storage.read().get(column, &stray).unwrap().is_none());
        put(&storage, column, &stray, value);
        assert!(!run().is_clean(), "a stray entry of {} is not found", column.name());
        delete(&storage, column, &stray);
    }
    assert!(run().is_clean(), "{:#?}", run().problems);
}

/// Everything stored, read through a storage.
fn content(storage: &Storage) -> Vec<(Column, Vec<u8>, Vec<u8>)> {
    let of = |column| entries(storage, column).into_iter().map(move |(key, value)| (column, key, value));
    Column::ALL.into_iter().flat_map(of).collect()
}

/// Flips random bytes of a database's files of one kind, one at a time, and gives each result of opening and checking.
fn flip_files(
    world: &World,
    dir: &Path,
    ending: &str,
    flips: usize,
    dice: &mut Dice,
    mut judge: impl FnMut(&str, Option<(Report, Storage)>),
) {
    let mut files: Vec<_> = picture(&dir.join("db")).into_iter().map(|(name, ..)| name).collect();
    files.retain(|name| name.ends_with(ending));
    assert!(!files.is_empty(), "no {ending}");
    let whole: Vec<Vec<u8>> = files.iter().map(|name| fs::read(name).unwrap()).collect();
    let total: usize = whole.iter().map(Vec::len).sum();
    for _ in 0..flips {
        let mut at = dice.below(total as u64) as usize;
        let file = whole
            .iter()
            .position(|bytes| {
                at < bytes.len() || {
                    at -= bytes.len();
                    false
                }
            })
            .unwrap();
        let mut bytes = whole[file].clone();
        bytes[at] ^= 1 << dice.below(8);
        fs::write(&files[file], bytes).unwrap();
        let chain_id = world.genesis.chain_id();
        let opened = Storage::open_read_only(dir, &chain_id).ok();
        judge(
            &format!("byte {at} of {}", files[file]),
            opened.map(|storage| (fsck(&storage, &chain_id, &mut |_| {}), storage)),
        );
        fs::write(&files[file], &whole[file]).unwrap();
    }
}

#[test]
fn a_flipped_byte_on_the_disk_is_found_or_changes_nothing() {
    let world = World::new(4);
    let chain_id = world.genesis.chain_id();
    let dir = tempdir().unwrap();
    grown(&world, dir.path());
    let before = Storage::open_read_only(dir.path(), &chain_id).unwrap();
    let (whole, tip) = (content(&before), before.read().tip().unwrap().0);
    let header = |storage: &Storage, height| storage.read().header(height).unwrap().unwrap();
    let mut dice = Dice::new(7);

    // The database's log: what follows the flipped byte is as if it had never been written, as after a torn write. What
    // is left is an earlier block, whole; the guard, or the peers, show that there were later ones.
    let (mut shorter, mut found) = (0, 0);
    flip_files(&world, dir.path(), ".log", 30, &mut dice, |what, opened| match opened {
        Some((report, storage)) if report.is_clean() => {
            let height = storage.read().tip().unwrap().0;
            assert_eq!(header(&storage, height), header(&before, height), "{what}");
            shorter += usize::from(height < tip);
        }
        _ => found += 1,
    });
    println!("log: {found} found, {shorter} as of an earlier block");
    assert!(found + shorter >= 25, "{found} and {shorter}");
    drop(before);

    // Opening writes what is in the log to tables.
    drop(Storage::open(dir.path(), &chain_id).unwrap());
    let (mut found, mut harmless) = (0, 0);
    flip_files(&world, dir.path(), ".sst", 60, &mut dice, |what, opened| match opened {
        Some((report, storage)) if report.is_clean() => {
            assert!(content(&storage) == whole, "{what} changes what is read, and fsck does not see it");
            harmless += 1;
        }
        _ => found += 1,
    });
    // Tables also hold statistics and filters that nothing here reads.
    println!("tables: {found} found, {harmless} in what is not read");
    assert!(found >= 30, "{found}");
    assert!(check(&world, dir.path()).is_clean());
}
