//! All records of the chain's log between two blocks, proved complete, and kept in a file that anyone checks again.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `source` | nodes that are asked for parts of the log; who answers falsely is named, and another is asked |
//! | `range` | from which block to which: a day is found by binary search over proved headers |
//! | `pages` | the records between two headers, page by page, each proved |
//! | `line`, `filter` | what the lines of an export hold, and which records it shows |
//! | `reading` | an export as it grows: what was read so far leads to one root |
//! | `export` | writing one, or going on with one that was begun |
//! | `check` | checking one without any node |
//!
//! Memory is bounded by one page (1,024 records or 1 MiB) and the hand-overs of the chain.

mod check;
mod export;
mod filter;
mod line;
mod pages;
mod range;
mod reading;
mod source;

pub use check::{Checked, check};
pub use export::{Exported, Wanted, export};
pub use filter::{Filter, Kind};
pub use line::Line;
pub use pages::Pages;
pub use range::{Bound, Range};
pub use source::{LogSource, PassedOver};
