//! Separated values in the encodings that offices use.

use std::borrow::Cow;

use ::csv;
use encoding_rs::{Encoding, GB18030, UTF_8};

use super::cell::Cell;
use super::limits::{COLUMNS_MAX, LINE_BYTES_MAX};
use super::read::{Format, Rows, Sheet, SheetError};

/// Texts that spreadsheets write where a formula failed, or a column was too narrow.
const ERRORS: &[&str] = &["#N/A", "#VALUE!", "#REF!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"];

pub(super) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let text = decode(bytes).ok_or(SheetError::NotText)?;
    // Before the reader notes where each of its cells ends.
    if text.split(['\r', '\n']).any(|line| line.len() > LINE_BYTES_MAX) {
        return Err(SheetError::LineTooLong);
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&text))
        .from_reader(text.as_bytes());
    let mut rows = Rows::new(Format::Csv);
    let mut lines = Lines { bytes: text.as_bytes(), at: 0, line: 1 };
    let mut record = csv::StringRecord::new();
    loop {
        let line = lines.of(reader.position().byte());
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let width = record.len() - record.iter().rev().take_while(|text| text.is_empty()).count();
                if width > COLUMNS_MAX {
                    return Err(SheetError::TooManyColumns);
                }
                rows.add(line, record.iter().take(width).map(cell).collect())?;
            }
            Err(error) => return Err(SheetError::NotCsv { line, what: error.to_string() }),
        }
    }
    rows.finish()
}

/// Lines as editors count them. The reader's own count is behind where a record follows CR LF or empty lines.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl Lines<'_> {
    /// The line of the first record at or after a position; positions never go back.
    fn of(&mut self, byte: u64) -> u32 {
        let from = usize::try_from(byte).unwrap_or(usize::MAX).min(self.bytes.len());
        let blank = self.bytes[from..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let to = (from + blank).max(self.at);
        let passed = self.bytes[self.at..to].iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
        self.at = to;
        self.line
    }
}

fn cell(text: &str) -> Cell {
    if text.is_empty() {
        Cell::Empty
    } else if text.starts_with('=') {
        Cell::Formula
    } else if ERRORS.contains(&text) || (text.len() > 3 && text.bytes().all(|byte| byte == b'#')) {
        Cell::Error(text.to_string())
    } else {
        Cell::Text(text.to_string())
    }
}

/// A byte order mark decides; else UTF-8 if it is, else GB18030 if it is. Nothing is replaced in silence.
fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling_and_without_replacement(&bytes[length..]);
    }
    let text = [UTF_8, GB18030]
        .into_iter()
        .find_map(|encoding| encoding.decode_without_bom_handling_and_without_replacement(bytes));
    // A file of zeros is valid in both.
    text.filter(|text| !text.contains('\0'))
}

/// The separator that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: u8| line.bytes().filter(|byte| *byte == separator).count();
    // The first of equals wins: a comma where there is only one column.
    [b',', b'\t', b';'].into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_office_encoding_gives_the_same_sheet() {
        let text = "证照编号,持证主体\r\n1,\"济南,\n甲\"\r\n";
        let plain = read(text.as_bytes()).unwrap();
        assert_eq!(plain.headings, ["证照编号", "持证主体"]);
        assert_eq!(plain.rows[0].cells[1], Cell::Text("济南,\n甲".to_string()));
        let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        let gb = GB18030.encode(text).0.into_owned();
        let mut wide = vec![0xff, 0xfe];
        wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        for bytes in [marked, gb, wide] {
            assert_eq!(read(&bytes).unwrap(), plain);
        }
    }

    #[test]
    fn lines_are_those_of_the_file_and_other_separators_work() {
        let sheet = read("\n\na\tb\n1\t\"x\ny\"\n\n2\t3\n".as_bytes()).unwrap();
        assert_eq!((sheet.heading_line, sheet.headings.len()), (3, 2));
        assert_eq!(sheet.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [4, 7]);
        assert_eq!(read(b"a;b\n1;2").unwrap().rows[0].cells.len(), 2);
        assert_eq!(read(b"a\n1").unwrap().rows.len(), 1);
    }

    #[test]
    fn a_row_costs_no_more_than_its_columns() {
        let wide = |cells: usize| format!("a,b\n{}\n", vec!["1"; cells].join(","));
        assert_eq!(read(wide(COLUMNS_MAX).as_bytes()).unwrap().rows[0].cells.len(), COLUMNS_MAX);
        assert!(matches!(read(wide(COLUMNS_MAX + 1).as_bytes()), Err(SheetError::TooManyColumns)));
        // Spreadsheets write separators as far as anything was ever to the right.
        let trailing = format!("a,b\n1,2{}\n", ",".repeat(LINE_BYTES_MAX - 3));
        assert_eq!(read(trailing.as_bytes()).unwrap().rows[0].cells.len(), 2);
        for endless in [",", "\"", "x"] {
            assert!(matches!(read(endless.repeat(LINE_BYTES_MAX + 1).as_bytes()), Err(SheetError::LineTooLong)));
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(matches!(read(&[0xff, 0xff, 0x81]), Err(SheetError::NotText)));
        assert!(matches!(read(&[0; 100]), Err(SheetError::NotText)));
        assert!(matches!(read(b""), Err(SheetError::Empty)));
        assert!(matches!(read(b" \n\n").map(|s| s.rows.len()), Ok(0) | Err(SheetError::Empty)));
    }
}
