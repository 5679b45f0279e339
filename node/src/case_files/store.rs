//! What is kept, in memory as an index of what is on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kanhe_proto::api::{CaseFileListed, CaseFileState};
use kanhe_proto::case_file::FilePart;
use kanhe_proto::hash::{CaseId, ChainId, Commitment};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::KeyId;

use super::disk::{Disk, FileId, FilesError, Found};

/// Room that a file takes for its folders and its mark, however short it is.
const FILE_BYTES: u64 = 16 << 10;
/// Room of a part is a multiple of this.
const BLOCK_BYTES: u64 = 4 << 10;
/// Others that may say of one file that it is theirs, before the chain says whose it is.
pub const AUTHORS_MAX: usize = 4;
/// A file that was delivered, and that the chain does not want yet, may be dropped where it was delivered to: a mark older
/// than this does not keep it from being taken and delivered again. Longer than it takes to hand in all of a file.
const MARK_BELIEVED: SpanMs = SpanMs(10 * 60_000);

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all. What the chain does not want yet gets half of them at most.
    pub bytes_max: u64,
    /// Bytes of one case for one recipient, of what the chain does not want yet.
    pub case_bytes_max: u64,
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
    /// Whether the chain commits to it.
    wanted: bool,
    since: TimeMs,
}

#[derive(Debug, Default)]
struct Index {
    files: BTreeMap<FileId, Entry>,
    /// Those that another bureau does not have yet, and that the chain wants; and the others.
    waiting: BTreeSet<FileId>,
    waiting_unwanted: BTreeSet<FileId>,
    bytes: u64,
    /// Bytes of what the chain does not want yet: of each recipient and case, and of all.
    unwanted: BTreeMap<(Uscc, CaseId), u64>,
    unwanted_bytes: u64,
}

impl Index {
    const fn waiting_mut(&mut self, wanted: bool) -> &mut BTreeSet<FileId> {
        if wanted { &mut self.waiting } else { &mut self.waiting_unwanted }
    }
    fn is_waiting(&self, file: &FileId) -> bool {
        self.waiting.contains(file) || self.waiting_unwanted.contains(file)
    }
    /// Counts what a file takes, or takes no more.
    fn count(&mut self, file: &FileId, wanted: bool, before: u64, now: u64) {
        let moved = |sum: u64| sum.saturating_sub(before).saturating_add(now);
        self.bytes = moved(self.bytes);
        if wanted {
            return;
        }
        self.unwanted_bytes = moved(self.unwanted_bytes);
        let of_case = self.unwanted.entry((file.to, file.case)).or_default();
        *of_case = moved(*of_case);
        if *of_case == 0 {
            self.unwanted.remove(&(file.to, file.case));
        }
    }
    /// Files of the same content as others say, as far as the chain does not want them.
    fn other_authors(&self, file: &FileId) -> usize {
        let (first, last) = (KeyId([0; 16]), KeyId([0xff; 16]));
        let same = FileId { author: first, ..*file }..=FileId { author: last, ..*file };
        self.files.range(same).filter(|(other, entry)| **other != *file && !entry.wanted).count()
    }
    /// Whether so many bytes more may be kept. A file that the chain wants is kept from by nothing but the end of all room.
    fn has_room(&self, file: &FileId, wanted: bool, bytes: u64, room: &Room) -> Result<(), FilesError> {
        if self.bytes.saturating_add(bytes) > room.bytes_max {
            return Err(FilesError::Full);
        }
        if wanted {
            return Ok(());
        }
        if !self.files.contains_key(file) && self.other_authors(file) >= AUTHORS_MAX {
            return Err(FilesError::Authors);
        }
        let of_case = self.unwanted.get(&(file.to, file.case)).copied().unwrap_or_default();
        if of_case.saturating_add(bytes) > room.case_bytes_max {
            return Err(FilesError::CaseFull);
        }
        match self.unwanted_bytes.saturating_add(bytes) > room.bytes_max / 2 {
            true => Err(FilesError::Full),
            false => Ok(()),
        }
    }
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

/// Before all files for a bureau.
fn first(to: Uscc) -> FileId {
    FileId { to, case: CaseId::default(), commitment: Commitment::default(), author: KeyId([0; 16]) }
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
            // Until the chain is looked at.
            wanted: false,
            since: found.since,
        }
    }
    fn is_whole(&self) -> bool {
        self.delivered || self.places.len() == usize::from(self.parts)
    }
    /// Whether its recipient is known to have it still.
    fn is_there(&self, now: TimeMs) -> bool {
        self.delivered && (self.wanted || now.since(self.since) <= MARK_BELIEVED)
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
            index.count(&file, false, 0, entry.bytes);
            if !entry.delivered && Some(file.to) != bureau {
                index.waiting_mut(false).insert(file);
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
        let index = lock(&self.index);
        index.waiting.len() + index.waiting_unwanted.len()
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

    /// Whether the chain is known to want a file.
    pub fn is_wanted(&self, file: &FileId) -> bool {
        lock(&self.index).files.get(file).is_some_and(|entry| entry.wanted)
    }

    /// Keeps a part, durably, that came at this time; `wanted` if the chain commits to its file. One that is here stays as
    /// it is, and its file stays from now on as long as a new one.
    pub fn keep(&self, part: &FilePart, wanted: bool, now: TimeMs) -> Result<CaseFileState, FilesError> {
        let (file, parts, place) = (FileId::of(part), part.body.parts, part.body.place);
        let _writing = lock(&self.writing);
        let content = part.encode();
        if let Some(known) = self.state(&file).map(|known| known.parts).filter(|known| *known != parts) {
            return Err(FilesError::Parts { known, said: parts });
        }
        if wanted {
            self.want(&file);
        }
        if let Some(told) = self.keep_known(&file, place, now)? {
            return Ok(told);
        }
        let bytes = {
            let index = lock(&self.index);
            let entry = index.files.get(&file);
            let wanted = wanted || entry.is_some_and(|entry| entry.wanted);
            let bytes = taken(content.len() as u64) + if entry.is_none() { FILE_BYTES } else { 0 };
            index.has_room(&file, wanted, bytes, &self.room)?;
            bytes
        };
        if self.disk.free().saturating_sub(bytes) < self.room.free_min {
            return Err(FilesError::Full);
        }
        self.disk.write(&file, place, &content)?;
        // The part first: a kill in between leaves the mark, and nobody was told of the part.
        if lock(&self.index).files.get(&file).is_some_and(|entry| entry.delivered) {
            self.disk.remove_mark(&file)?;
        }
        let mut index = lock(&self.index);
        let new = Entry { parts, places: BTreeSet::new(), bytes: 0, delivered: false, wanted, since: now };
        let entry = index.files.entry(file).or_insert(new);
        entry.delivered = false;
        entry.places.insert(place);
        entry.bytes += bytes;
        entry.since = entry.since.max(now);
        let (told, wanted) = (self.told(&file, entry), entry.wanted);
        if Some(file.to) != self.bureau {
            index.waiting_mut(wanted).insert(file);
        }
        index.count(&file, wanted, 0, bytes);
        Ok(told)
    }

    /// What is known of a file of which nothing is to be written, because the part is here or its recipient has all.
    fn keep_known(&self, file: &FileId, place: u16, now: TimeMs) -> Result<Option<CaseFileState>, FilesError> {
        let Some(entry) = lock(&self.index).files.get(file).cloned() else { return Ok(None) };
        if entry.is_there(now) {
            return Ok(Some(self.told(file, &entry)));
        }
        if !entry.places.contains(&place) {
            return Ok(None);
        }
        let since = entry.since.max(now);
        // What the chain wants stays as long as its case, whenever it came.
        if !entry.wanted && !self.disk.touch(file, place, since)? {
            return Ok(None);
        }
        if let Some(entry) = lock(&self.index).files.get_mut(file) {
            entry.since = since;
        }
        Ok(Some(self.told(file, &entry)))
    }

    /// The chain commits to a file.
    pub fn want(&self, file: &FileId) {
        let mut index = lock(&self.index);
        let Some(entry) = index.files.get_mut(file).filter(|entry| !entry.wanted) else { return };
        entry.wanted = true;
        let bytes = entry.bytes;
        index.count(file, false, bytes, 0);
        index.count(file, true, 0, bytes);
        if index.waiting_mut(false).remove(file) {
            index.waiting_mut(true).insert(*file);
        }
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
    pub fn whole(&self, after: Option<(CaseId, Commitment, KeyId)>, max: usize) -> Vec<CaseFileListed> {
        let Some(to) = self.bureau else { return Vec::new() };
        let from = match after {
            Some((case, commitment, author)) => Bound::Excluded(FileId { to, case, commitment, author }),
            None => Bound::Included(first(to)),
        };
        let index = lock(&self.index);
        let files = index.files.range((from, Bound::Unbounded)).take_while(|(file, _)| file.to == to);
        let whole = files.filter(|(_, entry)| entry.is_whole() && !entry.delivered);
        let listed = |(file, entry): (&FileId, &Entry)| CaseFileListed {
            case: file.case,
            commitment: file.commitment,
            author: file.author,
            parts: entry.parts,
        };
        whole.map(listed).take(max).collect()
    }

    /// Bureaus that do not have files yet which are for them.
    pub fn recipients(&self) -> BTreeSet<Uscc> {
        let index = lock(&self.index);
        let mut found = BTreeSet::new();
        for waiting in [&index.waiting, &index.waiting_unwanted] {
            let mut next = waiting.first();
            while let Some(file) = next {
                found.insert(file.to);
                let (case, commitment, author) = (CaseId([0xff; 32]), Commitment([0xff; 32]), KeyId([0xff; 16]));
                let last = FileId { to: file.to, case, commitment, author };
                next = waiting.range((Bound::Excluded(last), Bound::Unbounded)).next();
            }
        }
        found
    }

    /// The next file that a bureau does not have yet, after one of them: of those that the chain is known to want, or of
    /// the others.
    pub fn next_waiting(&self, to: &Uscc, wanted: bool, after: Option<FileId>) -> Option<Waiting> {
        let from = after.map_or(Bound::Included(first(*to)), Bound::Excluded);
        let index = lock(&self.index);
        let waiting = if wanted { &index.waiting } else { &index.waiting_unwanted };
        let file = waiting.range((from, Bound::Unbounded)).next().filter(|file| file.to == *to)?;
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
        index.waiting_mut(true).remove(file);
        index.waiting_mut(false).remove(file);
        if let Some(now) = index.files.get_mut(file) {
            let (wanted, before) = (now.wanted, now.bytes);
            (now.delivered, now.bytes) = (true, FILE_BYTES);
            now.places.clear();
            index.count(file, wanted, before, FILE_BYTES);
        }
        drop(index);
        // What cannot be removed goes at the next start.
        entry.places.iter().try_for_each(|place| self.disk.remove_part(file, *place))
    }

    /// Whether a file is here that another bureau does not have yet.
    pub fn is_waiting(&self, file: &FileId) -> bool {
        lock(&self.index).is_waiting(file)
    }

    /// Files that the chain is not known to want, after one of them, at most so many.
    pub fn unwanted(&self, after: Option<FileId>, max: usize) -> Vec<(FileId, u16)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let index = lock(&self.index);
        let files = index.files.range((from, Bound::Unbounded)).filter(|(_, entry)| !entry.wanted);
        files.map(|(file, entry)| (*file, entry.parts)).take(max).collect()
    }

    /// Files to which nothing was added since, after one of them, at most so many, with their numbers of parts.
    pub fn older_than(&self, time: TimeMs, after: Option<FileId>, max: usize) -> Vec<(FileId, u16)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let index = lock(&self.index);
        let files = index.files.range((from, Bound::Unbounded)).filter(|(_, entry)| entry.since < time);
        files.map(|(file, entry)| (*file, entry.parts)).take(max).collect()
    }

    /// Drops a file, unless something was added to it since. Whether it was dropped.
    pub fn drop_older_than(&self, time: TimeMs, file: &FileId) -> Result<bool, FilesError> {
        let _writing = lock(&self.writing);
        if lock(&self.index).files.get(file).is_none_or(|entry| entry.since >= time) {
            return Ok(false);
        }
        self.disk.remove(file)?;
        let mut index = lock(&self.index);
        index.waiting_mut(true).remove(file);
        index.waiting_mut(false).remove(file);
        if let Some(entry) = index.files.remove(file) {
            index.count(file, entry.wanted, entry.bytes, 0);
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
