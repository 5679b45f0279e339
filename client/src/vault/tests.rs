//! The promises of a vault: nothing lost, nothing changed unseen, one process at a time.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::*;
use crate::talk::Passphrase;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    text: String,
    count: u64,
}

const NOTES: Table<Note> = Table::new("notes");
const NUMBERS: Table<u64> = Table::new("numbers");
const NOW_MS: u64 = 1_772_344_920_000;

fn secret(text: &str) -> Passphrase {
    Passphrase::new(text.to_string())
}

fn note(count: u64) -> Note {
    Note { text: format!("营业执照 {count}"), count }
}

fn create(path: &Path) -> Vault {
    Vault::create(path, &secret("correct horse"), Effort::NONE).unwrap()
}

fn open(path: &Path) -> Result<Vault, VaultError> {
    Vault::open(path, &secret("correct horse"))
}

#[test]
fn values_come_back_in_order_of_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("home").join("wallet");
    let vault = create(&path);
    vault.write(|tx| (0..20).try_for_each(|i| tx.put(&NOTES, &format!("{i:02}"), &note(i)))).unwrap();
    vault.put(&NUMBERS, "01", &7).unwrap();
    assert!(vault.delete(&NOTES, "03").unwrap());
    assert!(!vault.delete(&NOTES, "03").unwrap());
    drop(vault);
    let vault = open(&path).unwrap();
    let keys: Vec<String> = vault.scan(&NOTES).unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, (0..20).filter(|i| *i != 3).map(|i| format!("{i:02}")).collect::<Vec<_>>());
    assert_eq!(vault.get(&NOTES, "07").unwrap(), Some(note(7)));
    assert_eq!(vault.get(&NUMBERS, "01").unwrap(), Some(7));
    assert_eq!(vault.get(&NUMBERS, "07").unwrap(), None);
    let state = vault.check().unwrap();
    assert_eq!((state.changes, state.rows), (3, 20));
}

#[test]
fn files_are_for_their_owner_alone_and_show_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("home").join("wallet");
    let vault = create(&path);
    vault.put(&NOTES, "370102197001011234", &note(1)).unwrap();
    vault.backup(&dir.path().join("backup"), NOW_MS).unwrap();
    drop(vault);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&dir.path().join("backup")), 0o600);
    for file in [path, dir.path().join("backup")] {
        let bytes = std::fs::read(file).unwrap();
        for hidden in ["370102197001011234", "notes", "营业执照"] {
            assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{hidden}");
        }
    }
    assert_eq!(std::fs::read_dir(dir.path().join("home")).unwrap().count(), 1, "no unfinished file stays");
}

#[test]
fn a_failed_transaction_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(&dir.path().join("v"));
    let failed: Result<(), VaultError> = vault.write(|tx| {
        tx.put(&NUMBERS, "a", &1)?;
        assert_eq!(tx.get(&NUMBERS, "a")?, Some(1));
        assert_eq!(tx.scan(&NUMBERS)?.len(), 1);
        Err(VaultError::WrongPassphrase)
    });
    assert!(failed.is_err());
    assert_eq!(vault.get(&NUMBERS, "a").unwrap(), None);
    assert_eq!(vault.check().unwrap().changes, 0);
}

#[test]
fn a_wrong_passphrase_is_not_taken_for_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let mut vault = create(&path);
    vault.put(&NUMBERS, "a", &1).unwrap();
    vault.change_passphrase(&secret("battery staple"), Effort::NONE).unwrap();
    drop(vault);
    assert!(matches!(open(&path), Err(VaultError::WrongPassphrase)));
    let vault = Vault::open(&path, &secret("battery staple")).unwrap();
    assert_eq!(vault.get(&NUMBERS, "a").unwrap(), Some(1));
}

#[test]
fn nothing_is_overwritten_or_made_out_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    assert!(matches!(open(&path), Err(VaultError::Missing(_))));
    assert!(!path.exists());
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(open(&path), Err(VaultError::Damaged(_))));
    assert!(matches!(Vault::create(&path, &secret("x"), Effort::NONE), Err(VaultError::Exists(_))));
    std::fs::write(&path, [7; 5000]).unwrap();
    assert!(matches!(open(&path), Err(VaultError::Damaged(_))));
}

#[test]
fn a_second_owner_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let vault = create(&path);
    assert!(matches!(open(&path), Err(VaultError::InUse)));
    assert_eq!(child("child_open", &path).code(), Some(42));
    drop(vault);
    assert_eq!(child("child_open", &path).code(), Some(43));
}

/// Run in a process of its own by `a_second_owner_is_refused`.
#[test]
fn child_open() {
    let Some(path) = child_path() else { return };
    match open(Path::new(&path)) {
        Err(VaultError::InUse) => std::process::exit(42),
        Ok(_) => std::process::exit(43),
        Err(_) => std::process::exit(44),
    }
}

#[test]
fn a_killed_writer_loses_nothing_committed_and_leaves_nothing_half() {
    let dir = tempfile::tempdir().unwrap();
    for kill_at in [1_u64, 2, 5] {
        let path = dir.path().join(format!("v{kill_at}"));
        let vault = create(&path);
        vault.put(&NUMBERS, "kill-at", &kill_at).unwrap();
        drop(vault);
        assert!(child("child_write", &path).code().is_none(), "it was to die by a signal");
        let vault = open(&path).unwrap();
        let committed = vault.get(&NUMBERS, "committed").unwrap();
        assert_eq!(committed, (kill_at > 1).then(|| kill_at - 1));
        assert_eq!(vault.scan(&NOTES).unwrap().len() as u64, 10 * (kill_at - 1));
        assert_eq!(vault.check().unwrap().changes, kill_at);
    }
}

/// Run in a process of its own: commits rounds of eleven rows, and dies in the middle of one.
#[test]
fn child_write() {
    let Some(path) = child_path() else { return };
    let vault = open(Path::new(&path)).unwrap();
    let kill_at = vault.get(&NUMBERS, "kill-at").unwrap().unwrap();
    for round in 1.. {
        let done: Result<(), VaultError> = vault.write(|tx| {
            for i in 0..10 {
                tx.put(&NOTES, &format!("{round}-{i}"), &note(i))?;
            }
            if round == kill_at {
                std::process::abort();
            }
            tx.put(&NUMBERS, "committed", &round)
        });
        done.unwrap();
    }
}

fn child_path() -> Option<String> {
    std::env::var("KANHE_TEST_VAULT").ok()
}

fn child(test: &str, path: &Path) -> std::process::ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("vault::tests::{test}"), "--nocapture", "--test-threads=1"])
        .env("KANHE_TEST_VAULT", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn a_flipped_byte_is_found_or_was_of_no_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let vault = create(&path);
    vault.write(|tx| (0..200).try_for_each(|i| tx.put(&NOTES, &format!("{i:03}"), &note(i)))).unwrap();
    drop(vault);
    let whole = std::fs::read(&path).unwrap();
    let copy = dir.path().join("copy");
    let mut found = 0;
    for at in (0..whole.len()).step_by(whole.len() / 400) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&copy, &bytes).unwrap();
        match open(&copy) {
            Ok(vault) => {
                let notes = vault.scan(&NOTES).unwrap();
                assert!(notes.iter().enumerate().all(|(i, (_, value))| *value == note(i as u64)), "byte {at}");
                assert_eq!(notes.len(), 200, "byte {at}");
            }
            Err(VaultError::Damaged(_) | VaultError::WrongPassphrase | VaultError::Newer(_)) => found += 1,
            Err(other) => panic!("byte {at}: {other:?}"),
        }
    }
    assert!(found > 5, "the control: some of these bytes carry rows ({found})");
}

#[test]
fn a_truncated_file_is_never_a_smaller_vault() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let vault = create(&path);
    vault.write(|tx| (0..200).try_for_each(|i| tx.put(&NOTES, &format!("{i:03}"), &note(i)))).unwrap();
    drop(vault);
    let whole = std::fs::read(&path).unwrap();
    let copy = dir.path().join("copy");
    for part in 0..40 {
        std::fs::write(&copy, &whole[..whole.len() * part / 40]).unwrap();
        match open(&copy) {
            Ok(vault) => assert_eq!(vault.scan(&NOTES).unwrap().len(), 200),
            Err(VaultError::Damaged(_)) => {}
            Err(other) => panic!("{part}/40: {other:?}"),
        }
    }
}

/// Opens the database below and does to its rows what a thief of the disk could.
fn tamper(path: &Path, change: impl FnOnce(&mut std::collections::BTreeMap<Vec<u8>, Vec<u8>>)) {
    use redb::{ReadableDatabase, ReadableTable, TableDefinition};
    let definition: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
    let database = redb::Database::open(path).unwrap();
    let mut rows = std::collections::BTreeMap::new();
    for row in database.begin_read().unwrap().open_table(definition).unwrap().iter().unwrap() {
        let (place, sealed) = row.unwrap();
        rows.insert(place.value().to_vec(), sealed.value().to_vec());
    }
    change(&mut rows);
    let writing = database.begin_write().unwrap();
    writing.delete_table(definition).unwrap();
    {
        let mut table = writing.open_table(definition).unwrap();
        for (place, sealed) in &rows {
            table.insert(place.as_slice(), sealed.as_slice()).unwrap();
        }
    }
    writing.commit().unwrap();
}

fn rows(path: &Path) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = std::collections::BTreeMap::new();
    tamper(path, |rows| seen = rows.clone());
    seen
}

#[test]
fn swapped_removed_and_old_rows_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = |name: &str| {
        let path = dir.path().join(name);
        let vault = create(&path);
        vault.put(&NUMBERS, "a", &1).unwrap();
        vault.put(&NUMBERS, "b", &2).unwrap();
        path
    };
    let swapped = fresh("swapped");
    tamper(&swapped, |rows| {
        let values: Vec<Vec<u8>> = rows.values().rev().cloned().collect();
        rows.values_mut().zip(values).for_each(|(value, other)| *value = other);
    });
    assert!(matches!(open(&swapped), Err(VaultError::Damaged(_))));

    let removed = fresh("removed");
    tamper(&removed, |rows| drop(rows.pop_first()));
    assert!(matches!(open(&removed), Err(VaultError::Damaged(_))));

    let old = fresh("old");
    let before = rows(&old);
    open(&old).unwrap().put(&NUMBERS, "a", &10).unwrap();
    assert_eq!(open(&old).unwrap().get(&NUMBERS, "a").unwrap(), Some(10), "control: an honest change is fine");
    tamper(&old, |rows| *rows = before);
    assert!(matches!(open(&old), Err(VaultError::Damaged(_))));
}

#[test]
fn a_backup_brings_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup) = (dir.path().join("v"), dir.path().join("b"));
    let vault = create(&path);
    let long = Note { text: "长".repeat(100_000), count: 0 };
    vault.write(|tx| (0..12).try_for_each(|i| tx.put(&NOTES, &format!("{i:02}"), &long))).unwrap();
    let info = vault.backup(&backup, NOW_MS).unwrap();
    assert_eq!((info.changes, info.rows, info.made_ms), (1, 12, NOW_MS));
    assert_eq!(vault.state().unwrap().backed_up_changes, Some(1));
    assert!(matches!(vault.backup(&backup, NOW_MS), Err(VaultError::Exists(_))));
    let to = dir.path().join("elsewhere").join("v");
    let wrong = Vault::restore(&backup, &to, &secret("wrong"), Older::Refuse);
    assert!(matches!(wrong, Err(VaultError::WrongPassphrase)));
    let restored = Vault::restore(&backup, &to, &secret("correct horse"), Older::Refuse).unwrap();
    assert_eq!((restored.info, restored.replaced), (info, None));
    assert_eq!(restored.vault.scan(&NOTES).unwrap(), vault.scan(&NOTES).unwrap());
    assert_eq!(restored.vault.state().unwrap().changes, 1);
}

#[test]
fn an_old_backup_says_how_old_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup) = (dir.path().join("v"), dir.path().join("b"));
    let vault = create(&path);
    vault.put(&NUMBERS, "a", &1).unwrap();
    vault.backup(&backup, NOW_MS).unwrap();
    (0..3).for_each(|i| vault.put(&NUMBERS, "a", &i).unwrap());
    let info = Vault::backup_info(&backup).unwrap();
    assert_eq!(vault.behind(&info).unwrap(), Behind { changes: 3, made_ms: NOW_MS });
    let busy = Vault::restore(&backup, &path, &secret("correct horse"), Older::Allow);
    assert!(matches!(busy, Err(VaultError::InUse)));
    drop(vault);
    let refused = Vault::restore(&backup, &path, &secret("correct horse"), Older::Refuse);
    assert!(matches!(refused, Err(VaultError::Older { changes: 3, made_ms: NOW_MS })));
    assert_eq!(open(&path).unwrap().get(&NUMBERS, "a").unwrap(), Some(2));
    let restored = Vault::restore(&backup, &path, &secret("correct horse"), Older::Allow).unwrap();
    assert_eq!(restored.vault.get(&NUMBERS, "a").unwrap(), Some(1));
    assert_eq!(open(&restored.replaced.unwrap()).unwrap().get(&NUMBERS, "a").unwrap(), Some(2));
    let other = create(&dir.path().join("other"));
    assert!(matches!(other.behind(&info), Err(VaultError::OtherVault)));
}

#[test]
fn a_torn_or_changed_backup_is_refused_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup, to) = (dir.path().join("v"), dir.path().join("b"), dir.path().join("x").join("to"));
    let vault = create(&path);
    vault.put(&NOTES, "a", &note(1)).unwrap();
    vault.backup(&backup, NOW_MS).unwrap();
    let whole = std::fs::read(&backup).unwrap();
    let torn = dir.path().join("torn");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&torn, if at % 2 == 0 { &bytes } else { &whole[..at] }).unwrap();
        let refused = Vault::restore(&torn, &to, &secret("correct horse"), Older::Allow);
        assert!(matches!(refused, Err(VaultError::BackupDamaged(_))), "byte {at}: {refused:?}");
    }
    assert!(!to.exists());
    // Even with a corrected checksum the counter cannot be changed.
    let mut forged = whole[..whole.len() - 32].to_vec();
    let at = forged.windows(11).position(|window| window == b"\"changes\":1").unwrap() + 10;
    forged[at] = b'9';
    forged.extend_from_slice(&kanhe_proto::hash::sha256(&[&forged]));
    std::fs::write(&torn, &forged).unwrap();
    let refused = Vault::restore(&torn, &to, &secret("correct horse"), Older::Allow);
    assert!(matches!(refused, Err(VaultError::BackupDamaged(_))), "{refused:?}");
    assert_eq!(std::fs::read_dir(dir.path().join("x")).unwrap().count(), 0);
}
