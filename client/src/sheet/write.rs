//! Sheets that offices fill in or mend.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ::csv;
use rust_xlsxwriter::{Format as Style, Workbook, Worksheet, XlsxError};

use super::check::Report;
use super::columns::{Columns, Kind};
use super::read::{Format, Sheet};
use crate::talk::{ExitCode, Failure, Lang, say_in, width};

/// Heading of the column with reasons; a reader skips it.
pub const REASON_HEADING: &str = "错误原因 (reason)";

/// Writes rows of texts in one of the formats. Every cell is text, also for the spreadsheet that opens it: no number
/// loses digits, no value becomes a date.
pub struct Writer {
    format: Format,
    rows: Vec<Vec<String>>,
    notes: Vec<Vec<String>>,
}

impl Writer {
    /// An empty sheet with headings.
    pub fn new(format: Format, headings: Vec<String>) -> Self {
        Self { format, rows: vec![headings], notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes a new file for its owner alone; rows hold personal data.
    pub fn save(self, path: &Path) -> Result<(), Failure> {
        let failed = |cause: &dyn std::fmt::Display| {
            Failure::of(ExitCode::Failure, "sheet_not_written", &[("path", &path.display()), ("cause", cause)])
        };
        let bytes = self.bytes().map_err(|error| failed(&error))?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::of(ExitCode::Failure, "file_exists", &[("path", &path.display())])
            }
            _ => failed(&error),
        })?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|error| failed(&error))
    }

    /// The content of the file.
    pub fn bytes(self) -> Result<Vec<u8>, WriteError> {
        match self.format {
            Format::Xlsx => Ok(self.xlsx()?),
            Format::Csv => Ok(self.csv()?),
        }
    }

    fn xlsx(self) -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        fill(book.add_worksheet(), "data", &self.rows)?;
        if !self.notes.is_empty() {
            fill(book.add_worksheet(), "说明 notes", &self.notes)?;
        }
        book.save_to_buffer()
    }

    /// UTF-8 with a byte order mark, without which the usual spreadsheet takes it for another encoding.
    fn csv(self) -> Result<Vec<u8>, csv::Error> {
        let out = b"\xef\xbb\xbf".to_vec();
        let mut writer = csv::WriterBuilder::new().flexible(true).terminator(csv::Terminator::CRLF).from_writer(out);
        for row in &self.rows {
            writer.write_record(row)?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

/// A sheet that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// As a workbook.
    #[error("{0}")]
    Xlsx(#[from] XlsxError),
    /// As separated values.
    #[error("{0}")]
    Csv(#[from] csv::Error),
}

fn fill(sheet: &mut Worksheet, name: &str, rows: &[Vec<String>]) -> Result<(), XlsxError> {
    let text = Style::new().set_num_format("@");
    let bold = Style::new().set_num_format("@").set_bold();
    sheet.set_name(name)?.set_freeze_panes(1, 0)?;
    for column in 0..rows.first().map_or(0, Vec::len) {
        let widest = rows.iter().take(100).filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        sheet.set_column_format(column, &text)?;
        sheet.set_column_width(column, widest.unwrap_or(8).clamp(8, 60) as f64 + 2.0)?;
    }
    for (line, row) in rows.iter().enumerate() {
        let style = if line == 0 { &bold } else { &text };
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            sheet.write_string_with_format(line, u16::try_from(column).unwrap_or(u16::MAX), cell, style)?;
        }
    }
    Ok(())
}

/// A sheet to fill in: headings, one example row (which the check refuses, so that nobody issues it), and in a workbook
/// a second sheet that explains the columns.
pub fn template(columns: &Columns, format: Format, lang: Lang) -> Writer {
    let list = columns.list();
    let title = |zh: &str, en: &str| if lang == Lang::Zh { zh.to_string() } else { en.to_string() };
    let mut writer = Writer::new(format, list.iter().map(|c| title(&c.title_zh, &c.title_en)).collect());
    writer.row(list.iter().map(|column| column.example.clone()).collect());
    let heading = ["code", "title", "required", "form", "example"];
    writer.notes.push(heading.map(|name| say_in(lang, &format!("template.{name}"), &[])).to_vec());
    for column in list {
        let required = if column.required { "template.required_yes" } else { "template.required_no" };
        writer.notes.push(vec![
            column.code.clone(),
            title(&column.title_zh, &column.title_en),
            say_in(lang, required, &[]),
            say_in(lang, &format!("template.{}", form(column.kind, column.claim)), &[]),
            column.example.clone(),
        ]);
    }
    writer
}

const fn form(kind: Kind, claim: bool) -> &'static str {
    match kind {
        Kind::Text if !claim => "application",
        Kind::Text => "text",
        Kind::Uscc => "uscc",
        Kind::PersonId => "person_id",
        Kind::Date => "date",
        Kind::EndDate => "end_date",
        Kind::Amount => "amount",
    }
}

/// The bad rows of a sheet in a file of the same format and headings, with the reason in a last column. Once mended it
/// can be read as it is. Formulas come out empty.
pub fn write_bad_rows(sheet: &Sheet, report: &Report, lang: Lang, path: &Path) -> Result<(), Failure> {
    let kept: Vec<usize> = (0..sheet.headings.len()).filter(|place| sheet.headings[*place] != REASON_HEADING).collect();
    let mut headings: Vec<String> = kept.iter().map(|place| sheet.headings[*place].clone()).collect();
    headings.push(REASON_HEADING.to_string());
    let mut writer = Writer::new(sheet.format, headings);
    for row in sheet.rows.iter().filter(|row| report.bad_lines().contains(&row.line)) {
        let cell = |place: &usize| match row.cells.get(*place) {
            None | Some(super::Cell::Formula) => String::new(),
            Some(cell) => cell.shown(),
        };
        let mut cells: Vec<String> = kept.iter().map(cell).collect();
        cells.push(report.reasons(row.line, lang));
        writer.row(cells);
    }
    writer.save(path)
}
