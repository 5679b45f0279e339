//! Case files on their way: sealed parts that this node keeps for its own bureau, or until a node of another has them.
//!
//! Invariants: a part that was taken is on disk, synced, before anybody is told so; one that is there stays as it is; all
//! together have a bound, and what the chain does not want yet has narrower ones. What several authors sign under one
//! commitment are files of their own, so that nobody is in another's way. A node reads of a part what is written on it,
//! never what is sealed.
//!
//! Failure: a disk that cannot be written refuses parts and stops nothing. A kill at any point leaves whole parts and
//! what was not whole, which goes at the next start. A part that cannot be read any more is removed, so that the state of
//! its file says that it is missing and its sender brings it again.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, section 3

mod disk;
mod files;
mod store;

pub use disk::{FileId, FilesError};
pub use files::CaseFiles;
pub use store::{AUTHORS_MAX, Room, Store, Waiting};
