//! The issuer's side: from a spreadsheet to anchored licences, and what happens to them later.
//!
//! Everything that an issuing run needs to go on is in the encrypted register before anything leaves this machine: the
//! licences with their salts, their order in the batch, and the bytes of the transaction. A run that was killed goes on
//! with the same bytes, so nothing is issued twice. A transaction is replaced only once it is proved that no block can
//! hold it any more and none does.

mod anchor;
mod batch;
mod definition;
mod office;
mod prepare;
mod records;
mod register;
mod run;
mod standing;
mod survey;

pub use anchor::{Expected, Settled, settle, transaction};
pub use definition::{Definition, issuer_name};
pub use office::Office;
pub use prepare::{Prepared, prepare};
pub use records::{BatchEntry, IssuedCopy, LicenceEntry, Run};
pub use register::Register;
pub use run::{Issuing, Told};
pub use standing::{Act, Change, Held, change, held};
pub use survey::{Surveyed, survey};
