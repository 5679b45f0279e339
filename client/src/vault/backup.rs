//! Backups: one sealed file with everything in it.
//!
//! Layout: magic, length (u32) and JSON of the head, then pieces (length u32, sealed), then SHA-256 of all before.
//! The checksum tells damage from a wrong passphrase before one is tried. Each piece is sealed with the hash of the
//! head, its number and whether it is the last, so pieces cannot be exchanged, and counter, time and number of rows
//! in the head are authentic once the first piece opens.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kanhe_proto::hash::sha256;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::frame::{frame, unframe};
use super::seal::{self, Key, Keys, OVERHEAD_BYTES};
use super::store::{self, Head, State, Vault};
use super::transaction::{Transaction, misplaced};
use super::{VaultError, VaultError::BackupDamaged};
use crate::talk::Passphrase;

const MAGIC: &[u8; 8] = b"KANHEBK1";
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Rows are sealed in pieces of about this size.
const PIECE_BYTES: usize = 1024 * 1024;
/// A piece holds at most one row beyond that.
const PIECE_BYTES_MAX: usize = PIECE_BYTES + super::transaction::VALUE_BYTES_MAX + 64 * 1024;

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupInfo {
    /// Random name of the vault that it was made from.
    pub vault: String,
    /// The vault's change counter at that moment.
    pub changes: u64,
    /// Rows in it.
    pub rows: u64,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}

/// How a backup stands to the vault that it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Changes that the backup lacks.
    pub changes: u64,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}

/// Whether a backup may replace a vault that has newer changes, or that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// No: the error says how old it is.
    Refuse,
    /// Yes; the replaced file stays beside it.
    Allow,
}

/// A vault that came back from a backup.
#[derive(Debug)]
pub struct Restored {
    /// The vault, open.
    pub vault: Vault,
    /// What the backup was.
    pub info: BackupInfo,
    /// Where the file that was there before is kept.
    pub replaced: Option<PathBuf>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupHead {
    head: Head,
    changes: u64,
    rows: u64,
    made_ms: u64,
}

impl BackupHead {
    fn info(&self) -> BackupInfo {
        let Self { changes, rows, made_ms, .. } = *self;
        BackupInfo { vault: self.head.vault.clone(), changes, rows, made_ms }
    }
}

impl Vault {
    /// Writes everything to a new file, sealed, for its owner alone.
    pub fn backup(&self, to: &Path, now_ms: u64) -> Result<BackupInfo, VaultError> {
        if to.exists() {
            return Err(VaultError::Exists(to.to_path_buf()));
        }
        let dir = store::folder(to)?;
        let unfinished = store::sibling(to, &format!("new-{}", kanhe_proto::text::hex(&seal::random::<4>()?)));
        let written = self.write_backup(&unfinished, now_ms).and_then(|info| {
            std::fs::hard_link(&unfinished, to)?;
            Ok(info)
        });
        let _ = std::fs::remove_file(&unfinished);
        let info = written?;
        store::sync_folder(&dir)?;
        self.note_backup(info.changes, now_ms)?;
        Ok(info)
    }

    fn write_backup(&self, path: &Path, made_ms: u64) -> Result<BackupInfo, VaultError> {
        let State { changes, rows, .. } = self.state()?;
        let head = BackupHead { head: self.head.clone(), changes, rows, made_ms };
        let bytes = serde_json::to_vec(&head).map_err(|source| VaultError::Form { table: "backup", source })?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut out = Summed { out: BufWriter::new(file), hasher: Sha256::new() };
        out.put(MAGIC)?;
        out.put(&frame(&[&bytes]))?;
        let mut pieces = Pieces { key: self.keys.backup.clone(), head: sha256(&[&bytes]), number: 0 };
        let mut piece = Zeroizing::new(Vec::with_capacity(PIECE_BYTES));
        let state = self.export(|row| {
            if piece.len() >= PIECE_BYTES {
                out.put(&frame(&[&pieces.seal(&piece, false)?]))?;
                piece.clear();
            }
            piece.extend_from_slice(&frame(&[row]));
            Ok(())
        })?;
        debug_assert_eq!(state.changes, changes, "the lock keeps other writers out");
        out.put(&frame(&[&pieces.seal(&piece, true)?]))?;
        let sum: [u8; 32] = out.hasher.clone().finalize().into();
        out.put(&sum)?;
        out.out.into_inner().map_err(|error| VaultError::Io(error.into_error()))?.sync_all()?;
        Ok(head.info())
    }

    /// What a backup says about itself, after its checksum was verified. Without a passphrase nothing says who wrote it.
    pub fn backup_info(from: &Path) -> Result<BackupInfo, VaultError> {
        read_head(&mut checked(from)?).map(|(head, _)| head.info())
    }

    /// How far a backup is behind this vault.
    pub fn behind(&self, info: &BackupInfo) -> Result<Behind, VaultError> {
        if info.vault != self.head.vault {
            return Err(VaultError::OtherVault);
        }
        let changes = self.state()?.changes.saturating_sub(info.changes);
        Ok(Behind { changes, made_ms: info.made_ms })
    }

    /// Makes the vault of a backup at `to`. Where a vault is already, the backup must not lack changes that it has,
    /// unless `older` allows it; nor may it be unreadable. The replaced file is kept beside it. The passphrase is that of
    /// the backup.
    pub fn restore(from: &Path, to: &Path, passphrase: &Passphrase, older: Older) -> Result<Restored, VaultError> {
        let mut input = checked(from)?;
        let (head, hash) = read_head(&mut input)?;
        let info = head.info();
        let keys = Keys::new(head.head.key.open(&info.vault, passphrase)?);
        // Held until the end, so that nobody writes to what is being replaced.
        let existing = existing(to, passphrase, &info, older)?;
        let name = format!("before-restore-{}", kanhe_proto::text::hex(&seal::random::<4>()?));
        let (kept, fresh) = (store::sibling(to, &name), store::sibling(to, &format!("{name}-new")));
        let made = Self::found(&fresh, head.head, keys.clone(), |transaction| {
            fill(transaction, &mut input, Pieces { key: keys.backup.clone(), head: hash, number: 0 }, &info)
        });
        drop(made?);
        let replaced = to.exists().then_some(kept);
        if let Some(kept) = &replaced {
            std::fs::hard_link(to, kept)?;
        }
        if replaced.is_some() {
            std::fs::rename(&fresh, to)?;
        } else {
            // A link fails where a rename would replace what another process has just made.
            std::fs::hard_link(&fresh, to)?;
            std::fs::remove_file(&fresh)?;
        }
        store::sync_folder(&store::folder(to)?)?;
        drop(existing);
        Ok(Restored { vault: Self::open(to, passphrase)?, info, replaced })
    }
}

/// The vault that a restore would replace, if it may.
fn existing(to: &Path, passphrase: &Passphrase, info: &BackupInfo, older: Older) -> Result<Option<Vault>, VaultError> {
    let vault = match Vault::open(to, passphrase) {
        Ok(vault) => vault,
        Err(VaultError::Missing(_)) => return Ok(None),
        Err(VaultError::InUse) => return Err(VaultError::InUse),
        Err(_) if older == Older::Allow => return Ok(None),
        Err(error) => return Err(VaultError::Unread(Box::new(error))),
    };
    let Behind { changes, made_ms } = vault.behind(info)?;
    match (changes, older) {
        (1.., Older::Refuse) => Err(VaultError::Older { changes, made_ms }),
        _ => Ok(Some(vault)),
    }
}

fn fill(
    transaction: &mut Transaction<'_, '_>,
    input: &mut impl Read,
    mut pieces: Pieces,
    info: &BackupInfo,
) -> Result<State, VaultError> {
    loop {
        let sealed = part(input, PIECE_BYTES_MAX + OVERHEAD_BYTES)?;
        let (piece, last) = pieces.unseal(&sealed)?;
        let mut rest = piece.as_slice();
        while !rest.is_empty() {
            let row = part(&mut rest, PIECE_BYTES_MAX)?;
            let [table, key, value] = unframe::<3>(&row).ok_or_else(misplaced)?;
            let name = |bytes| std::str::from_utf8(bytes).map_err(|_| misplaced());
            transaction.put_bytes(name(table)?, name(key)?, value)?;
        }
        if last {
            break;
        }
    }
    if transaction.state.rows != info.rows {
        return Err(BackupDamaged("rows are missing"));
    }
    let (backed_up_changes, backed_up_ms) = (Some(info.changes), Some(info.made_ms));
    Ok(State { changes: info.changes, backed_up_changes, backed_up_ms, ..State::default() })
}

/// Opens a backup after comparing its checksum.
fn checked(from: &Path) -> Result<BufReader<File>, VaultError> {
    let missing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => VaultError::Missing(from.to_path_buf()),
        _ => VaultError::Io(error),
    };
    let length = std::fs::metadata(from).map_err(missing)?.len();
    let content = length.checked_sub(32 + 8).ok_or(BackupDamaged("it is cut off"))?;
    let mut file = BufReader::with_capacity(PIECE_BYTES, File::open(from)?);
    let mut hasher = Sha256::new();
    let mut magic = [0; 8];
    file.read_exact(&mut magic).map_err(cut)?;
    if magic != *MAGIC {
        return Err(BackupDamaged("it is no backup of a vault"));
    }
    hasher.update(magic);
    let mut rest = (&mut file).take(content);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match rest.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    let mut sum = [0; 32];
    file.read_exact(&mut sum).map_err(cut)?;
    if sum != <[u8; 32]>::from(hasher.finalize()) {
        return Err(BackupDamaged("it is cut off or changed"));
    }
    Ok(BufReader::new(File::open(from)?))
}

fn read_head(input: &mut impl Read) -> Result<(BackupHead, [u8; 32]), VaultError> {
    let mut magic = [0; 8];
    input.read_exact(&mut magic).map_err(cut)?;
    let bytes = part(input, HEAD_BYTES_MAX)?;
    let unreadable = BackupDamaged("its head is not readable");
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| unreadable)?;
    store::parse_head(value["head"].take())?;
    let head = serde_json::from_slice(&bytes).map_err(|_| BackupDamaged("its head is not readable"))?;
    Ok((head, sha256(&[&bytes])))
}

/// A file that ends too early is damaged; other trouble is the file system's.
fn cut(error: std::io::Error) -> VaultError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => BackupDamaged("it is cut off"),
        _ => VaultError::Io(error),
    }
}

/// One part after its length.
fn part(input: &mut impl Read, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(cut)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > bytes_max {
        return Err(BackupDamaged("a part is too long"));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    input.read_exact(&mut bytes).map_err(cut)?;
    Ok(bytes)
}

/// Seals pieces in order, or opens them.
struct Pieces {
    key: Key,
    head: [u8; 32],
    number: u64,
}

impl Pieces {
    fn associated(&self, last: bool) -> [u8; 41] {
        let mut bytes = [0; 41];
        bytes[..32].copy_from_slice(&self.head);
        bytes[32..40].copy_from_slice(&self.number.to_be_bytes());
        bytes[40] = u8::from(last);
        bytes
    }

    fn seal(&mut self, piece: &[u8], last: bool) -> Result<Vec<u8>, VaultError> {
        let sealed = self.key.seal(&self.associated(last), piece)?;
        self.number += 1;
        Ok(sealed)
    }

    fn unseal(&mut self, sealed: &[u8]) -> Result<(Zeroizing<Vec<u8>>, bool), VaultError> {
        let opened = [false, true]
            .into_iter()
            .find_map(|last| self.key.unseal(&self.associated(last), sealed).map(|piece| (piece, last)));
        self.number += 1;
        opened.ok_or(BackupDamaged("a part was changed"))
    }
}

struct Summed {
    out: BufWriter<File>,
    hasher: Sha256,
}

impl Summed {
    fn put(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.hasher.update(bytes);
        Ok(self.out.write_all(bytes)?)
    }
}
