//! An append-only file of checksummed entries, each durable before [`Journal::append`] returns.
//!
//! # Layout
//! Magic (8 bytes), then entries: length (u32, big-endian) ‖ length inverted (u32) ‖ payload ‖ sum (8 bytes), where the
//! sum is the first 8 bytes of SHA-256(sum of the entry before ‖ length ‖ payload), zeros before the first. So an entry
//! that was removed or altered shows at the next one, and an altered length cannot hide the entries after it.
//!
//! # Durability
//! A write that was interrupted leaves a torn last entry: one that ends early, or in zeros where a file system grew the
//! file before it wrote the bytes. Opening cuts it off, since its caller was never answered. Anything else that does
//! not read is damage, and is left as it is for the operator.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use kanhe_proto::hash::sha256;

const MAGIC: [u8; 8] = *b"kanhejn1";
const SUM_BYTES: usize = 8;
const LENGTH_BYTES: usize = 4;
const HEAD_BYTES: usize = 2 * LENGTH_BYTES;
/// Bytes of one entry.
pub const ENTRY_BYTES_MAX: usize = 64 << 10;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// Not a journal, or damaged before its last entry.
    #[error("{path} is damaged at byte {offset}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where reading failed.
        offset: usize,
    },
    /// A write failed before: what is on disk is not known any more.
    #[error("{0} failed before and takes no more entries")]
    Poisoned(PathBuf),
}

/// An open journal; one process at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    sum: [u8; SUM_BYTES],
    poisoned: bool,
}

impl Journal {
    /// A new journal; fails where a file is already.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(failed)?;
        file.write_all(&MAGIC).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        sync_parent(path).map_err(failed)?;
        lock(&file, path)?;
        Ok(Self { path: path.to_owned(), file, sum: [0; SUM_BYTES], poisoned: false })
    }

    /// Opens a journal, cuts off a torn last entry, and returns the payloads.
    pub fn open(path: &Path) -> Result<(Self, Vec<Vec<u8>>), JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        lock(&file, path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let parsed = parse(&bytes, path)?;
        if parsed.end < bytes.len() {
            tracing::warn!(path = %path.display(), at = parsed.end, "cutting off a torn last entry");
            file.set_len(parsed.end as u64).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok((Self { path: path.to_owned(), file, sum: parsed.sum, poisoned: false }, parsed.payloads))
    }

    /// Reads the payloads of a journal that may be in use.
    pub fn read(path: &Path) -> Result<Vec<Vec<u8>>, JournalError> {
        let bytes = std::fs::read(path).map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
        parse(&bytes, path).map(|parsed| parsed.payloads)
    }

    /// Adds an entry; it is on disk when this returns.
    pub fn append(&mut self, payload: &[u8]) -> Result<(), JournalError> {
        self.append_all(&[payload])
    }

    /// Adds entries in one write; all are on disk when this returns.
    pub fn append_all(&mut self, payloads: &[impl AsRef<[u8]>]) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned(self.path.clone()));
        }
        let (mut sum, mut entries) = (self.sum, Vec::new());
        for payload in payloads {
            let payload = payload.as_ref();
            assert!(payload.len() <= ENTRY_BYTES_MAX, "entries of this program are small");
            let length = u32::try_from(payload.len()).expect("at most ENTRY_BYTES_MAX").to_be_bytes();
            sum = sum_of(&sum, &length, payload);
            entries.extend_from_slice(&length);
            entries.extend_from_slice(&length.map(|byte| !byte));
            entries.extend_from_slice(payload);
            entries.extend_from_slice(&sum);
        }
        let written = self.file.write_all(&entries).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.poisoned = true;
            return Err(JournalError::Io { path: self.path.clone(), source });
        }
        self.sum = sum;
        Ok(())
    }
}

struct Parsed {
    payloads: Vec<Vec<u8>>,
    sum: [u8; SUM_BYTES],
    end: usize,
}

fn parse(bytes: &[u8], path: &Path) -> Result<Parsed, JournalError> {
    let damaged = |offset| JournalError::Damaged { path: path.to_owned(), offset };
    if !bytes.starts_with(&MAGIC) {
        return Err(damaged(0));
    }
    let mut parsed = Parsed { payloads: Vec::new(), sum: [0; SUM_BYTES], end: MAGIC.len() };
    while parsed.end < bytes.len() {
        let rest = &bytes[parsed.end..];
        match entry(rest, &parsed.sum) {
            Entry::Whole(payload, sum) => {
                parsed.end += HEAD_BYTES + payload.len() + SUM_BYTES;
                parsed.payloads.push(payload.to_vec());
                parsed.sum = sum;
            }
            Entry::Torn => break,
            Entry::Damaged => return Err(damaged(parsed.end)),
        }
    }
    Ok(parsed)
}

enum Entry<'a> {
    Whole(&'a [u8], [u8; SUM_BYTES]),
    Torn,
    Damaged,
}

fn entry<'a>(rest: &'a [u8], before: &[u8; SUM_BYTES]) -> Entry<'a> {
    // A file system may have grown the file and not yet written its bytes.
    let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>().filter(|_| written >= HEAD_BYTES) else {
        return Entry::Torn;
    };
    let (length, inverted) = head.split_at(LENGTH_BYTES);
    let len = u32::from_be_bytes(length.try_into().expect("4 bytes")) as usize;
    if length.iter().zip(inverted).any(|(byte, inverted)| *byte != !*inverted) || len > ENTRY_BYTES_MAX {
        return Entry::Damaged;
    }
    if let (Some(payload), Some(found)) = (after.get(..len), after.get(len..len + SUM_BYTES)) {
        let sum = sum_of(before, length, payload);
        if found == sum {
            return Entry::Whole(payload, sum);
        }
    }
    if written < HEAD_BYTES + len + SUM_BYTES { Entry::Torn } else { Entry::Damaged }
}

fn sum_of(before: &[u8; SUM_BYTES], length: &[u8], payload: &[u8]) -> [u8; SUM_BYTES] {
    let hash = sha256(&[before, length, payload]);
    hash[..SUM_BYTES].try_into().expect("8 of 32 bytes")
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => JournalError::InUse(path.to_owned()),
        std::fs::TryLockError::Error(source) => JournalError::Io { path: path.to_owned(), source },
    })
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("kanhe-journal-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir.join("journal")
    }

    fn written(name: &str) -> (PathBuf, Vec<u8>) {
        let path = path(name);
        let mut journal = Journal::create(&path).unwrap();
        for payload in [&b"one"[..], b"two", b"three"] {
            journal.append(payload).unwrap();
        }
        drop(journal);
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    }

    #[test]
    fn every_cut_of_the_last_entry_is_torn_and_going_on_works() {
        let (path, bytes) = written("torn");
        let last = bytes.len() - (HEAD_BYTES + 5 + SUM_BYTES);
        for cut in last..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let (mut journal, payloads) = Journal::open(&path).unwrap();
            assert_eq!(payloads, [b"one".to_vec(), b"two".to_vec()]);
            journal.append(b"again").unwrap();
            drop(journal);
            assert_eq!(Journal::read(&path).unwrap().last().unwrap(), b"again");
        }
        std::fs::write(&path, [&bytes[..last], &[0; 4096]].concat()).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1.len(), 2);
    }

    #[test]
    fn a_flipped_bit_is_damage() {
        let (path, bytes) = written("flip");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).unwrap();
            let read = Journal::read(&path);
            assert!(matches!(read, Err(JournalError::Damaged { .. })), "bit {bit}: {read:?}");
        }
    }

    #[test]
    fn one_process_at_a_time() {
        let (path, _) = written("lock");
        let open = Journal::open(&path).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse(_))));
        drop(open);
        Journal::open(&path).unwrap();
    }
}
