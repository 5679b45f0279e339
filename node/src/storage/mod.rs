//! The database of a node: RocksDB, one column family for each kind of thing.
//!
//! # Durability
//! A body is written once, synced, when its block is checked. A committed block is one synced `WriteBatch` that holds
//! all else, so after a crash the database is as of some committed block, whole. A failed write is the last one.
//!
//! A home is made once from genesis ([`Storage::create`]) and then only opened ([`Storage::open`]): what was lost is an
//! error, never a new beginning.

pub mod fsck;

mod closing;
mod column;
mod error;
mod home;
mod options;
mod reader;
mod scrub;
mod staging;
mod store;

pub use closing::Closing;
pub use column::{Column, layout};
pub use error::{DAMAGED_HINT, StorageError};
pub use home::SCHEMA_VERSION;
pub use options::OPEN_FILES_MAX;
pub use reader::{Iter, Leaves, Nodes, Reader};
pub use scrub::Scrubbed;
pub use staging::{Kept, Staging};
pub use store::{Commit, CreateError, LeafChanges, Storage};
