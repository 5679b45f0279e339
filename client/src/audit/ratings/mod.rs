//! How cases were rated and how long they took, counted from the proved log: by item and by bureau, nobody identified.
//!
//! The log is read from its beginning, for a case may have been opened long before it ended. A case counts once, by its end;
//! a rating counts if the applicant's one-time key gave it, once, after the end. Groups of fewer than [`GROUP_MIN`] are not
//! shown. What is read is public: whoever reads the log can count otherwise. No record says who a case is of.
//!
//! Memory is bounded by the cases that are open or ended in the range.

mod cell;
mod course;
mod tally;

pub use cell::{GROUP_MIN, Row};
pub use tally::{Asked, Ratings, ratings};
