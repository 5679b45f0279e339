//! A file of rows, whatever its format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::cell::Cell;
use super::limits::{CELL_CHARS_MAX, COLUMNS_MAX, FILE_BYTES_MAX, LINE_BYTES_MAX, ROWS_MAX, UNPACKED_BYTES_MAX};
use super::write::REASON_HEADING;
use super::{csv, xlsx};
use crate::talk::{ExitCode, Failure};

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Office Open XML.
    Xlsx,
    /// Separated values.
    Csv,
}

/// One row below the headings.
#[derive(Debug, Clone, PartialEq)]
pub struct RawRow {
    /// Line in the file, from 1, as spreadsheets and editors count.
    pub line: u32,
    /// Cells, in the order of the headings; later ones may be absent.
    pub cells: Vec<Cell>,
}

/// The first sheet of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// What it was read from.
    pub format: Format,
    /// Line of the headings.
    pub heading_line: u32,
    /// Headings.
    pub headings: Vec<String>,
    /// Rows that hold anything.
    pub rows: Vec<RawRow>,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The file system.
    #[error("cannot read the file: {0}")]
    Io(#[from] std::io::Error),
    /// Larger than a sheet may be.
    #[error("larger than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLarge,
    /// A small file that unpacks to a large one.
    #[error("unpacks to more than {} MiB", UNPACKED_BYTES_MAX >> 20)]
    UnpacksTooLarge,
    /// More rows than a batch may have.
    #[error("more than {ROWS_MAX} rows")]
    TooManyRows,
    /// More columns than a sheet may have.
    #[error("more than {COLUMNS_MAX} columns")]
    TooManyColumns,
    /// A cell longer than a cell may be.
    #[error("line {line}: a cell is longer than {CELL_CHARS_MAX} characters")]
    CellTooLong {
        /// The line.
        line: u32,
    },
    /// A line longer than all cells of a row together may be.
    #[error("a line is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// The old binary format of spreadsheets, or one with a password.
    #[error("an .xls file, or a workbook with a password")]
    OldFormat,
    /// A workbook that cannot be understood.
    #[error("not readable as .xlsx: {0}")]
    NotXlsx(String),
    /// Text in no encoding that offices use.
    #[error("not text in UTF-8, UTF-16 or GB18030")]
    NotText,
    /// Separated values that cannot be understood.
    #[error("line {line}: not readable as CSV: {what}")]
    NotCsv {
        /// The line.
        line: u32,
        /// What is wrong.
        what: String,
    },
    /// No row at all.
    #[error("the sheet is empty")]
    Empty,
}

impl SheetError {
    /// The failure of a command, with its hint.
    pub fn failure(&self, path: &Path) -> Failure {
        let code = match self {
            Self::Io(_) => "sheet_unread",
            Self::TooLarge | Self::UnpacksTooLarge | Self::TooManyRows => "sheet_too_large",
            Self::TooManyColumns | Self::LineTooLong => "sheet_too_wide",
            Self::CellTooLong { .. } => "sheet_cell_too_long",
            Self::OldFormat => "sheet_old_format",
            Self::NotXlsx(_) | Self::NotCsv { .. } => "sheet_not_readable",
            Self::NotText => "sheet_not_text",
            Self::Empty => "sheet_empty",
        };
        Failure::of(ExitCode::Failure, code, &[("path", &path.display()), ("cause", self)])
    }
}

impl Sheet {
    /// Reads a file; its content, not its name, says what it is.
    pub fn read(path: &Path) -> Result<Self, SheetError> {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Self::of_bytes(bytes)
    }

    /// Reads the content of a file.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, SheetError> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(SheetError::TooLarge);
        }
        if bytes.starts_with(b"PK\x03\x04") {
            xlsx::read(bytes)
        } else if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
            Err(SheetError::OldFormat)
        } else {
            csv::read(&bytes)
        }
    }
}

/// Takes rows in, with the limits of a sheet; the first row that holds anything has the headings.
pub(super) struct Rows {
    format: Format,
    headings: Option<(u32, Vec<String>)>,
    rows: Vec<RawRow>,
}

impl Rows {
    pub(super) fn new(format: Format) -> Self {
        Self { format, headings: None, rows: Vec::new() }
    }

    pub(super) fn add(&mut self, line: u32, mut cells: Vec<Cell>) -> Result<(), SheetError> {
        while cells.last().is_some_and(Cell::is_empty) {
            cells.pop();
        }
        if cells.is_empty() {
            return Ok(());
        }
        if cells.len() > COLUMNS_MAX {
            return Err(SheetError::TooManyColumns);
        }
        // Every character is at least one byte, so most cells need no counting.
        let long = |cell: &Cell| match cell {
            Cell::Text(text) => text.len() > CELL_CHARS_MAX && text.chars().count() > CELL_CHARS_MAX,
            _ => false,
        };
        if cells.iter().any(long) {
            return Err(SheetError::CellTooLong { line });
        }
        match &self.headings {
            None => self.headings = Some((line, cells.iter().map(Cell::shown).collect())),
            Some(_) if self.rows.len() >= ROWS_MAX => return Err(SheetError::TooManyRows),
            Some((_, headings)) => {
                // The reasons in a file that was written for mending are no data.
                let reason = headings.iter().position(|heading| heading == REASON_HEADING);
                if let Some(cell) = reason.and_then(|at| cells.get_mut(at)) {
                    *cell = Cell::Empty;
                }
                if !cells.iter().all(Cell::is_empty) {
                    self.rows.push(RawRow { line, cells });
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Sheet, SheetError> {
        let (heading_line, headings) = self.headings.ok_or(SheetError::Empty)?;
        Ok(Sheet { format: self.format, heading_line, headings, rows: self.rows })
    }
}
