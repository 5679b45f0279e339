//! Parts as files: `RECIPIENT/CASE/COMMITMENT/AUTHOR/PLACE`, and `delivered` beside them once their recipient has all. The
//! author is the id of the key that signed them. `layout` says how the folder is laid out.
//!
//! # Durability
//! A part is written under another name, synced, renamed, and every folder on its path synced: it is there whole or not
//! at all. The names are made of values that were read as what they are, so none leads elsewhere; other names that lie
//! there are left alone.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kanhe_proto::case_file::{FilePart, PART_ENCODED_BYTES_MAX, PART_HEAD_BYTES, PART_VERSION, PARTS_MAX};
use kanhe_proto::codec;
use kanhe_proto::hash::{CaseId, ChainId, Commitment};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{KeyId, PublicKey};

use crate::bounded_file;

/// Where a part is before it is whole.
const UNFINISHED: &str = "unfinished";
/// Says that a node of the recipient has all parts.
const DELIVERED: &str = "delivered";
/// The layout of that mark: version, number of parts.
const MARK_VERSION: u8 = 1;
const MARK_BYTES: usize = 3;
/// Says how the folder is laid out: one line.
const LAYOUT: &str = "layout";
const LAYOUT_NEW: &str = "layout.new";
const LAYOUT_LINE: &str = "case files 2\n";
/// Folders without that line are of the first layout, of parts that nobody signed.
const LAYOUT_FIRST: &str = "case files 1";
const LAYOUT_BYTES_MAX: usize = 64;

type Head = (u8, ChainId, CaseId, Uscc, Commitment, PublicKey, u16, u16);

/// Why a part is not kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// All that may be kept is kept.
    #[error("no more case files are kept now")]
    Full,
    /// All is kept that may be kept of a case before the chain says what is said in it.
    #[error("no more files of this case are kept before the chain commits to them")]
    CaseFull,
    /// As many say to be the author of the file as are believed before the chain says who is.
    #[error("too many others say that this file is theirs")]
    Authors,
    /// The folder is laid out otherwise.
    #[error("{} holds `{found}`, and not `{}`", path.display(), LAYOUT_LINE.trim_end())]
    Layout {
        /// Where.
        path: PathBuf,
        /// What its line says.
        found: String,
    },
    /// Other parts of the file say that it has another number of them.
    #[error("the file has {known} parts, and not {said}")]
    Parts {
        /// As was said first.
        known: u16,
        /// As this part says.
        said: u16,
    },
    /// The disk failed.
    #[error("{}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    /// For whom.
    pub to: Uscc,
    /// Of which case.
    pub case: CaseId,
    /// To its content.
    pub commitment: Commitment,
    /// The key that signed it: what others sign under the same commitment is another file.
    pub author: KeyId,
}

impl FileId {
    /// The file of a part.
    pub fn of(part: &FilePart) -> Self {
        let body = &part.body;
        Self { to: body.to, case: body.case, commitment: body.commitment, author: part.author() }
    }
}

/// What was found of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) parts: u16,
    /// Bytes of each part by its place.
    pub(super) places: BTreeMap<u16, u64>,
    pub(super) delivered: bool,
    /// When the last of them was written.
    pub(super) since: TimeMs,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    chain: ChainId,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FilesError + '_ {
    move |source| FilesError::Io { path: path.to_owned(), source }
}

/// A full disk is no failure of the disk.
fn full_or(other: impl FnOnce(io::Error) -> FilesError) -> impl FnOnce(io::Error) -> FilesError {
    |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FilesError::Full,
        _ => other(error),
    }
}

fn none_if_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Entries whose names are what this writes for a value, in order.
fn named<T: FromStr + ToString + Ord>(dir: &Path) -> Result<Vec<T>, FilesError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(at(dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(at(dir))?.file_name();
        let value = name.to_str().and_then(|name| name.parse::<T>().ok().filter(|value| value.to_string() == name));
        names.extend(value);
    }
    names.sort_unstable();
    Ok(names)
}

fn sync_folder(path: &Path) -> Result<(), FilesError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at(path))
}

fn written(metadata: &fs::Metadata) -> TimeMs {
    let since = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A new folder is given the line of this layout; parts of another are never read as if they were of this one.
fn check_layout(dir: &Path) -> Result<(), FilesError> {
    let path = dir.join(LAYOUT);
    let other = |found: &str| FilesError::Layout { path: dir.to_owned(), found: found.trim_end().to_owned() };
    match bounded_file::read(&path, LAYOUT_BYTES_MAX) {
        Ok(line) if line == LAYOUT_LINE.as_bytes() => return Ok(()),
        Ok(line) => return Err(other(&String::from_utf8_lossy(&line))),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(other("more than one line")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&path)(error)),
    }
    if !named::<Uscc>(dir)?.is_empty() {
        return Err(other(LAYOUT_FIRST));
    }
    let new = dir.join(LAYOUT_NEW);
    let written = File::create(&new).and_then(|mut new| {
        new.write_all(LAYOUT_LINE.as_bytes())?;
        new.sync_all()
    });
    written.map_err(at(&new))?;
    fs::rename(&new, &path).map_err(at(&path))?;
    sync_folder(dir)
}

impl Disk {
    /// Makes the folder. What was not whole is removed.
    pub(super) fn open(dir: PathBuf, chain: ChainId) -> Result<Self, FilesError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(at(&dir))?;
        check_layout(&dir)?;
        let unfinished = dir.join(UNFINISHED);
        none_if_missing(fs::remove_dir_all(&unfinished)).map_err(at(&unfinished))?;
        fs::create_dir(&unfinished).map_err(at(&unfinished))?;
        sync_folder(&dir)?;
        if let Some(above) = dir.parent() {
            sync_folder(above)?;
        }
        Ok(Self { dir, chain })
    }

    fn folder(&self, file: &FileId) -> PathBuf {
        let of_case = self.dir.join(file.to.to_string()).join(file.case.to_string());
        of_case.join(file.commitment.to_string()).join(file.author.to_string())
    }
    fn part(&self, file: &FileId, place: u16) -> PathBuf {
        self.folder(file).join(place.to_string())
    }

    /// All files of which something is there.
    pub(super) fn scan(&self) -> Result<BTreeMap<FileId, Found>, FilesError> {
        let mut files = BTreeMap::new();
        for to in named::<Uscc>(&self.dir)? {
            let of_bureau = self.dir.join(to.to_string());
            for case in named::<CaseId>(&of_bureau)? {
                let of_case = of_bureau.join(case.to_string());
                for commitment in named::<Commitment>(&of_case)? {
                    let authors = of_case.join(commitment.to_string());
                    for author in named::<KeyId>(&authors)? {
                        let file = FileId { to, case, commitment, author };
                        match self.look(&file)? {
                            Some(found) => drop(files.insert(file, found)),
                            // Stopped while it was made or removed.
                            None => self.prune(&self.folder(&file)),
                        }
                    }
                    // The same, before there was an author's folder in it.
                    self.prune(&authors);
                }
            }
        }
        Ok(files)
    }

    fn look(&self, file: &FileId) -> Result<Option<Found>, FilesError> {
        let folder = self.folder(file);
        let mark = self.mark(&folder)?;
        let mut found = Found {
            parts: mark.map_or(0, |(parts, _)| parts),
            places: BTreeMap::new(),
            delivered: mark.is_some(),
            since: mark.map_or(TimeMs(0), |(_, since)| since),
        };
        for place in named::<u16>(&folder)? {
            let path = folder.join(place.to_string());
            let Some((parts, bytes, since)) = self.head(file, place, &path)? else {
                tracing::warn!(path = %path.display(), "not a part of this case file: left alone");
                continue;
            };
            if found.parts == 0 {
                found.parts = parts;
            }
            if found.parts == parts {
                found.places.insert(place, bytes);
                found.since = found.since.max(since);
            }
        }
        Ok((found.parts > 0).then_some(found))
    }

    fn mark(&self, folder: &Path) -> Result<Option<(u16, TimeMs)>, FilesError> {
        let path = folder.join(DELIVERED);
        let bytes = match bounded_file::read(&path, MARK_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::FileTooLarge) => {
                return Ok(None);
            }
            Err(error) => return Err(at(&path)(error)),
        };
        match codec::decode::<(u8, u16)>(&bytes, MARK_BYTES) {
            Ok((MARK_VERSION, parts)) if parts > 0 => {
                let metadata = fs::metadata(&path).map_err(at(&path))?;
                Ok(Some((parts, written(&metadata))))
            }
            _ => Ok(None),
        }
    }

    /// Number of parts, bytes and time of a part, if what stands in it is what its path says.
    fn head(&self, file: &FileId, place: u16, path: &Path) -> Result<Option<(u16, u64, TimeMs)>, FilesError> {
        let metadata = fs::symlink_metadata(path).map_err(at(path))?;
        let len = metadata.len();
        if !metadata.is_file() || len <= PART_HEAD_BYTES as u64 || len > PART_ENCODED_BYTES_MAX as u64 {
            return Ok(None);
        }
        let mut head = [0; PART_HEAD_BYTES];
        File::open(path).and_then(|mut opened| opened.read_exact(&mut head)).map_err(at(path))?;
        let is_here = |head: &Head| {
            let (version, chain, case, to, commitment, ref author, at, parts) = *head;
            version == PART_VERSION
                && chain == self.chain
                && FileId { to, case, commitment, author: author.id() } == *file
                && (at, at < parts, usize::from(parts) <= PARTS_MAX) == (place, true, true)
        };
        let head = codec::decode::<Head>(&head, PART_HEAD_BYTES).ok().filter(is_here);
        Ok(head.map(|head| (head.7, len, written(&metadata))))
    }

    /// Bytes that are free; as many as there can be where the system does not tell.
    pub(super) fn free(&self) -> u64 {
        rustix::fs::statvfs(&self.dir).map_or(u64::MAX, |room| room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Writes a part, durably. One at a time: the caller sees to that.
    pub(super) fn write(&self, file: &FileId, place: u16, content: &[u8]) -> Result<(), FilesError> {
        self.put(file, &place.to_string(), content)
    }

    /// Writes that the recipient has all parts, durably.
    pub(super) fn write_mark(&self, file: &FileId, parts: u16) -> Result<(), FilesError> {
        self.put(file, DELIVERED, &codec::encode(&(MARK_VERSION, parts)))
    }

    /// Takes that back, durably.
    pub(super) fn remove_mark(&self, file: &FileId) -> Result<(), FilesError> {
        let folder = self.folder(file);
        let path = folder.join(DELIVERED);
        none_if_missing(fs::remove_file(&path)).map_err(at(&path))?;
        sync_folder(&folder)
    }

    /// Has a part pass for one that was written at a time, durably. Whether it is there.
    pub(super) fn touch(&self, file: &FileId, place: u16, time: TimeMs) -> Result<bool, FilesError> {
        let path = self.part(file, place);
        let touched = File::options().write(true).open(&path).and_then(|part| {
            part.set_modified(UNIX_EPOCH + Duration::from_millis(time.0))?;
            part.sync_all()
        });
        Ok(none_if_missing(touched).map_err(at(&path))?.is_some())
    }

    fn put(&self, file: &FileId, name: &str, content: &[u8]) -> Result<(), FilesError> {
        let (folder, new) = (self.folder(file), self.dir.join(UNFINISHED).join("new"));
        let written = File::create(&new).and_then(|mut new| {
            new.write_all(content)?;
            new.sync_all()
        });
        if let Err(error) = written {
            // It takes room that a full disk does not have; where it stays the next one is written over it.
            let _ = fs::remove_file(&new);
            return Err(full_or(at(&new))(error));
        }
        fs::create_dir_all(&folder).map_err(full_or(at(&folder)))?;
        let path = folder.join(name);
        fs::rename(&new, &path).map_err(at(&path))?;
        // Folders above may have been made just now, or by a process that ended before it could sync them.
        folder.ancestors().take_while(|above| above.starts_with(&self.dir)).try_for_each(sync_folder)
    }

    /// A part that is what its path says.
    pub(super) fn read(&self, file: &FileId, place: u16) -> Result<Option<Vec<u8>>, FilesError> {
        let path = self.part(file, place);
        let bytes = match bounded_file::read(&path, PART_ENCODED_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::FileTooLarge) => {
                return Ok(None);
            }
            Err(error) => return Err(at(&path)(error)),
        };
        let part = FilePart::decode(&bytes, &self.chain).ok();
        Ok(part.filter(|part| FileId::of(part) == *file && part.body.place == place).map(|_| bytes))
    }

    /// Removes a part.
    pub(super) fn remove_part(&self, file: &FileId, place: u16) -> Result<(), FilesError> {
        let path = self.part(file, place);
        none_if_missing(fs::remove_file(&path)).map(drop).map_err(at(&path))
    }

    /// Removes all of a file.
    pub(super) fn remove(&self, file: &FileId) -> Result<(), FilesError> {
        let folder = self.folder(file);
        none_if_missing(fs::remove_dir_all(&folder)).map_err(at(&folder))?;
        folder.parent().into_iter().for_each(|above| self.prune(above));
        Ok(())
    }

    /// Removes folders that are empty now, from this one up.
    fn prune(&self, folder: &Path) {
        let below = folder.ancestors().take_while(|above| *above != self.dir && above.starts_with(&self.dir));
        for folder in below {
            // Others are in it: that is no failure.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}
