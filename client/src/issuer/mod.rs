//! The issuer's side: from a spreadsheet to anchored licences, and what happens to them later.
//!
//! Everything that an issuing run needs to go on is in the encrypted register before anything leaves this machine: the
//! licences with their salts, their order in the batch, and the bytes of the transaction. A run that was killed goes on
//! with the same bytes, so nothing is issued twice. A transaction is replaced only once it is proved that no block can
//! hold it any more and none does.

mod abandon;
mod anchor;
mod batch;
mod definition;
mod extract;
mod grant;
mod holder_requests;
mod journal;
mod office;
mod people;
mod pickups;
mod post;
mod prepare;
mod records;
mod register;
mod renew;
mod run;
mod standing;
mod survey;
mod withdrawal;

pub use abandon::{Unfinished, unfinished};
pub use anchor::{Expected, Settled, settle, transaction};
pub use definition::{Definition, issuer_name};
pub use extract::Extracting;
pub use grant::{Due, Given, Grant, Granting, Taken, Types, Way, await_batches};
pub use holder_requests::{HolderRequests, Round};
pub use journal::{Left, anchor_open};
pub use office::Office;
pub(crate) use people::count_read;
pub use people::{ENTERPRISE_ID_TYPE, HeldAbout, PERSON_ID_TYPE, holder_of, subject};
pub use pickups::hand_out;
pub use post::{Fetched, fetch, queue_proof, send};
pub use prepare::{Prepared, Rows, prepare};
pub use records::{Awaiting, BatchEntry, IssuedCopy, Journaled, LicenceEntry, Run};
pub use register::Register;
pub use renew::{Renewing, check_active, renewal};
pub use run::{Issuing, Told};
pub use standing::{Act, Change, Held, change, held};
pub use survey::{Surveyed, survey};

// What governance asks of the same chain and the same key files.
pub use anchor::record_at;
pub use office::unlock;
