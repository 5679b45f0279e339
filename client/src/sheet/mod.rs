//! Spreadsheets of offices: read, checked against a licence type, and written.
//!
//! A file is read into raw cells ([`Sheet`]), checked as a whole against the [`Columns`] of a type ([`check()`]), and
//! only rows without any fault come out as claims. Nothing is repaired in silence: a value that a spreadsheet has
//! damaged (`3.70102E+17`) or that could mean two things (`2018/9/3`) is a fault with a hint how to mend it. Real date
//! cells are the one exception, since they convert without loss.
//!
//! Everything in a file is hostile: its size, what it unpacks to, rows, columns and lengths have limits ([`limits`]).

mod cell;
mod check;
mod columns;
mod csv;
mod fault;
pub mod limits;
mod read;
mod value;
mod write;
mod xlsx;

pub use cell::Cell;
pub use check::{Report, Row, check};
pub use columns::{APPLICATION, Column, Columns, Kind, SchemaError};
pub use fault::{Fault, Problem};
pub use read::{Format, RawRow, Sheet, SheetError};
pub use write::{REASON_HEADING, Writer, template, write_bad_rows};

#[cfg(test)]
mod tests;
