//! The encrypted store on disk of a wallet and of an issuer's register.
//!
//! One redb file. Its rows are pseudonym → sealed row; both halves need the data key.
//!
//! - **Data key**: 32 random bytes, wrapped under Argon2id(passphrase) with XChaCha20-Poly1305. Changing the
//!   passphrase wraps the same key anew; older backups open with the passphrase of their time.
//! - **Rows**: the pseudonym is a nested keyed hash of table and key, so the file shows neither names nor their
//!   order; what is sealed repeats table and key, and the pseudonym is its associated data, so rows can be neither
//!   swapped nor moved.
//! - **State row**: a change counter, the number of rows and a keyed set hash of all rows, sealed and written in each
//!   transaction. A row that was deleted or put back to an older value behind the store's back is noticed. Putting
//!   back the *whole* file cannot be noticed from the file; the counter says how far behind a backup is.
//!
//! # Durability
//! [`Vault::write`] returns after fsync, and is all or nothing. A killed process loses no committed change.
//!
//! # Locking
//! One process at a time: another open is refused ([`VaultError::InUse`]), also for reading.

mod backup;
mod error;
mod frame;
mod seal;
mod store;
mod transaction;
mod wrap;

pub use backup::{BackupInfo, Behind, Older, Restored};
pub use error::VaultError;
pub use store::{Parked, State, Vault};
pub use transaction::{Reader, Table, Transaction};
pub use wrap::Effort;

#[cfg(test)]
mod tests;
