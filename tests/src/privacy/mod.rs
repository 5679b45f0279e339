//! Looks for personal data where none may be: in everything that a node writes.
//!
//! [`Needles`] are the claim values of a spreadsheet in every form in which they might have slipped through, [`scan()`]
//! looks for them in a stopped node's database and files, and [`control()`] plants some in a copy, to show that the scan
//! would have found them.

mod needles;
mod plant;
mod scan;
mod values;

pub use needles::{Form, Needles, Origin};
pub use plant::control;
pub use scan::{Finding, Scan, scan};
pub use values::{Excluded, Public, Values};
