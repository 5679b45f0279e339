//! What is kept, in memory as an index of what is on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kanhe_proto::api::{CaseFileListed, CaseFileState};
use kanhe_proto::case_file::FilePart;
use kanhe_proto::hash::{CaseId, ChainId, Commitment};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;

use super::disk::{Disk, FileId, FilesError, Found};

/// Room that a file takes for its folders and its mark, however short it is.
const FILE_BYTES: u64 = 16 << 10;
/// Room of a part is a multiple of this.
const BLOCK_BYTES: u64 = 4 << 10;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all.
    pub bytes_max: u64,
    /// Bytes of the disk that are left to others: the chain stops where it cannot write.
    pub free_min: u64,
}

/// A file that another bureau does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub file: FileId,
    /// Parts of the whole.
    pub parts: u16,
    /// Parts that are here.
    pub places: BTreeSet<u16>,
}

#[derive(Debug, Clone)]
struct Entry {
    parts: u16,
    places: BTreeSet<u16>,
    bytes: u64,
    delivered: bool,
    since: TimeMs,
}

#[derive(Debug, Default)]
struct Index {
    files: BTreeMap<FileId, Entry>,
    /// Those that another bureau does not have yet.
    waiting: BTreeSet<FileId>,
    bytes: u64,
}

/// The case files that a node keeps. What it does on disk blocks.
#[derive(Debug)]
pub struct Store {
    disk: Disk,
    bureau: Option<Uscc>,
    room: Room,
    index: Mutex<Index>,
    /// Held while something is written or removed, the index not.
    writing: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change leaves the index whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room that so many bytes take on a disk.
const fn taken(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

impl Entry {
    fn of(found: &Found) -> Self {
        let parts: u64 = found.places.values().map(|bytes| taken(*bytes)).sum();
        Self {
            parts: found.parts,
            places: found.places.keys().copied().collect(),
            bytes: FILE_BYTES + parts,
            delivered: found.delivered,
            since: found.since,
        }
    }
    fn is_whole(&self) -> bool {
        self.delivered || self.places.len() == usize::from(self.parts)
    }
}

impl Store {
    /// In this folder, which is made, for a node of this bureau.
    pub fn open(dir: PathBuf, chain: ChainId, bureau: Option<Uscc>, room: Room) -> Result<Self, FilesError> {
        let disk = Disk::open(dir, chain)?;
        let mut index = Index::default();
        for (file, found) in disk.scan()? {
            let mut entry = Entry::of(&found);
            if entry.delivered {
                // Stopped between the mark and the last part.
                found.places.keys().try_for_each(|place| disk.remove_part(&file, *place))?;
                (entry.places, entry.bytes) = (BTreeSet::new(), FILE_BYTES);
            }
            index.bytes += entry.bytes;
            if !entry.delivered && Some(file.to) != bureau {
                index.waiting.insert(file);
            }
            index.files.insert(file, entry);
        }
        Ok(Self { disk, bureau, room, index: Mutex::new(index), writing: Mutex::new(()) })
    }

    /// Whose node keeps them.
    pub const fn bureau(&self) -> Option<Uscc> {
        self.bureau
    }
    /// Room that is taken.
    pub fn bytes(&self) -> u64 {
        lock(&self.index).bytes
    }
    /// Files of which something is known here.
    pub fn count(&self) -> usize {
        lock(&self.index).files.len()
    }
    /// Files that another bureau does not have yet.
    pub fn waiting_count(&self) -> usize {
        lock(&self.index).waiting.len()
    }

    fn told(&self, file: &FileId, entry: &Entry) -> CaseFileState {
        let stored = if entry.delivered { entry.parts } else { entry.places.len() as u16 };
        let delivered = entry.is_whole() && (entry.delivered || Some(file.to) == self.bureau);
        CaseFileState { parts: entry.parts, stored, delivered }
    }

    /// How much of a file is here.
    pub fn state(&self, file: &FileId) -> Option<CaseFileState> {
        lock(&self.index).files.get(file).map(|entry| self.told(file, entry))
    }

    /// Keeps a part, durably, that came at this time. One that is here stays as it is.
    pub fn keep(&self, part: &FilePart, now: TimeMs) -> Result<CaseFileState, FilesError> {
        let file = FileId::of(part);
        let _writing = lock(&self.writing);
        let content = part.encode();
        let bytes = {
            let index = lock(&self.index);
            let entry = index.files.get(&file);
            if let Some(entry) = entry {
                if entry.parts != part.parts {
                    return Err(FilesError::Parts { known: entry.parts, said: part.parts });
                }
                if entry.delivered || entry.places.contains(&part.place) {
                    return Ok(self.told(&file, entry));
                }
            }
            let bytes = taken(content.len() as u64) + if entry.is_none() { FILE_BYTES } else { 0 };
            if index.bytes.saturating_add(bytes) > self.room.bytes_max {
                return Err(FilesError::Full);
            }
            bytes
        };
        if self.disk.free().saturating_sub(bytes) < self.room.free_min {
            return Err(FilesError::Full);
        }
        self.disk.write(&file, part.place, &content)?;
        let mut index = lock(&self.index);
        index.bytes += bytes;
        if Some(file.to) != self.bureau {
            index.waiting.insert(file);
        }
        let new = Entry { parts: part.parts, places: BTreeSet::new(), bytes: 0, delivered: false, since: now };
        let entry = index.files.entry(file).or_insert(new);
        entry.places.insert(part.place);
        entry.bytes += bytes;
        entry.since = entry.since.max(now);
        Ok(self.told(&file, entry))
    }

    /// A part, encoded. One that cannot be read any more is removed.
    pub fn read(&self, file: &FileId, place: u16) -> Result<Option<Vec<u8>>, FilesError> {
        let is_here = || lock(&self.index).files.get(file).is_some_and(|entry| entry.places.contains(&place));
        if !is_here() {
            return Ok(None);
        }
        if let Some(bytes) = self.disk.read(file, place)? {
            return Ok(Some(bytes));
        }
        let _writing = lock(&self.writing);
        // It may have been delivered or dropped just now.
        if is_here() {
            tracing::error!(to = %file.to, case = %file.case, place, "a part of a case file is damaged: removed");
            self.disk.remove_part(file, place)?;
            let mut index = lock(&self.index);
            if let Some(entry) = index.files.get_mut(file) {
                // What it took is not known any more; the next start counts anew.
                entry.places.remove(&place);
            }
        }
        Ok(None)
    }

    /// Files that are here whole for this node's bureau, after one of them, at most so many.
    pub fn whole(&self, after: Option<(CaseId, Commitment)>, max: usize) -> Vec<CaseFileListed> {
        let Some(to) = self.bureau else { return Vec::new() };
        let first = FileId { to, case: CaseId::default(), commitment: Commitment::default() };
        let from = match after {
            Some((case, commitment)) => Bound::Excluded(FileId { to, case, commitment }),
            None => Bound::Included(first),
        };
        let index = lock(&self.index);
        let files = index.files.range((from, Bound::Unbounded)).take_while(|(file, _)| file.to == to);
        let whole = files.filter(|(_, entry)| entry.is_whole() && !entry.delivered);
        let listed = |(file, entry): (&FileId, &Entry)| CaseFileListed {
            case: file.case,
            commitment: file.commitment,
            parts: entry.parts,
        };
        whole.map(listed).take(max).collect()
    }

    /// Bureaus that do not have files yet which are for them.
    pub fn recipients(&self) -> Vec<Uscc> {
        let index = lock(&self.index);
        let mut found: Vec<Uscc> = Vec::new();
        let mut next = index.waiting.first();
        while let Some(file) = next {
            found.push(file.to);
            let last = FileId { to: file.to, case: CaseId([0xff; 32]), commitment: Commitment([0xff; 32]) };
            next = index.waiting.range((Bound::Excluded(last), Bound::Unbounded)).next();
        }
        found
    }

    /// The next file that a bureau does not have yet, after one of them.
    pub fn next_waiting(&self, to: &Uscc, after: Option<FileId>) -> Option<Waiting> {
        let first = FileId { to: *to, case: CaseId::default(), commitment: Commitment::default() };
        let from = after.map_or(Bound::Included(first), Bound::Excluded);
        let index = lock(&self.index);
        let file = index.waiting.range((from, Bound::Unbounded)).next().filter(|file| file.to == *to)?;
        let entry = index.files.get(file)?;
        Some(Waiting { file: *file, parts: entry.parts, places: entry.places.clone() })
    }

    /// A node of the recipient has all parts: that is kept, durably, and they are not.
    pub fn mark_delivered(&self, file: &FileId) -> Result<(), FilesError> {
        let _writing = lock(&self.writing);
        let Some(entry) = lock(&self.index).files.get(file).filter(|entry| !entry.delivered).cloned() else {
            return Ok(());
        };
        self.disk.write_mark(file, entry.parts)?;
        let mut index = lock(&self.index);
        index.waiting.remove(file);
        index.bytes = index.bytes.saturating_sub(entry.bytes.saturating_sub(FILE_BYTES));
        if let Some(entry) = index.files.get_mut(file) {
            (entry.delivered, entry.bytes) = (true, FILE_BYTES);
            entry.places.clear();
        }
        drop(index);
        // What cannot be removed goes at the next start.
        entry.places.iter().try_for_each(|place| self.disk.remove_part(file, *place))
    }

    /// Files to which nothing was added since, after one of them, at most so many.
    pub fn older_than(&self, time: TimeMs, after: Option<FileId>, max: usize) -> Vec<FileId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let index = lock(&self.index);
        let files = index.files.range((from, Bound::Unbounded)).filter(|(_, entry)| entry.since < time);
        files.map(|(file, _)| *file).take(max).collect()
    }

    /// Drops a file, unless something was added to it since. Whether it was dropped.
    pub fn drop_older_than(&self, time: TimeMs, file: &FileId) -> Result<bool, FilesError> {
        let _writing = lock(&self.writing);
        if lock(&self.index).files.get(file).is_none_or(|entry| entry.since >= time) {
            return Ok(false);
        }
        self.disk.remove(file)?;
        let mut index = lock(&self.index);
        index.waiting.remove(file);
        if let Some(entry) = index.files.remove(file) {
            index.bytes = index.bytes.saturating_sub(entry.bytes);
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
