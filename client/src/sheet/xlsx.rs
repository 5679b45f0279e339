//! Workbooks, cell by cell: a sheet that claims a cell in its last corner costs no memory.

use std::io::{Cursor, Read};
use std::panic::catch_unwind;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};
use kanhe_proto::identifiers::Day;

use super::cell::Cell;
use super::limits::{COLUMNS_MAX, PARTS_MAX, UNPACKED_BYTES_MAX};
use super::read::{Format, Rows, Sheet, SheetError};

pub(super) fn read(bytes: Vec<u8>) -> Result<Sheet, SheetError> {
    bound(&bytes)?;
    // The library reckons with the places that cells claim without asking whether there are such places.
    catch_unwind(|| cells(bytes)).unwrap_or_else(|_| Err(SheetError::NotXlsx("a cell is nowhere".to_string())))
}

fn cells(bytes: Vec<u8>) -> Result<Sheet, SheetError> {
    let not = |error: calamine::XlsxError| SheetError::NotXlsx(error.to_string());
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(not)?;
    let name = book.sheet_names().first().cloned().ok_or(SheetError::Empty)?;
    let mut reader = book.worksheet_cells_reader(&name).map_err(not)?;
    let mut rows = Rows::new(Format::Xlsx);
    let (mut line, mut cells) = (0_u32, Vec::new());
    while let Some(read) = reader.next_cell_with_formula_metadata().map_err(not)? {
        let (row, column) = read.pos;
        let cell = if read.formula.is_some() { Cell::Formula } else { cell(read.value) };
        if cell.is_empty() {
            continue;
        }
        if row != line {
            rows.add(line.saturating_add(1), std::mem::take(&mut cells))?;
            if row < line {
                return Err(SheetError::NotXlsx("its rows are out of order".to_string()));
            }
            line = row;
        }
        let column = column as usize;
        if column >= COLUMNS_MAX {
            return Err(SheetError::TooManyColumns);
        }
        if cells.len() <= column {
            cells.resize(column + 1, Cell::Empty);
        }
        cells[column] = cell;
    }
    rows.add(line.saturating_add(1), cells)?;
    rows.finish()
}

fn cell(value: DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::String(text) => Cell::Text(text),
        DataRef::SharedString(text) => Cell::Text(text.to_string()),
        DataRef::Int(number) => Cell::Number(number as f64),
        DataRef::Float(number) => Cell::Number(number),
        DataRef::Bool(value) => Cell::Bool(value),
        DataRef::DateTime(moment) => date(&moment),
        DataRef::DateTimeIso(text) => text.parse().map_or(Cell::DateTime(text), Cell::Date),
        DataRef::DurationIso(text) => Cell::DateTime(text),
        DataRef::Error(error) => Cell::Error(error.to_string()),
    }
}

fn date(moment: &ExcelDateTime) -> Cell {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let whole = (hour, minute, second, milli) == (0, 0, 0, 0) && moment.is_datetime();
    let found = || Day::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    match found().filter(|_| whole) {
        Some(day) => Cell::Date(day),
        None => Cell::DateTime(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")),
    }
}

/// Unpacks every part once and throws it away: what an archive says about its own sizes proves nothing.
fn bound(bytes: &[u8]) -> Result<(), SheetError> {
    let not = |error: zip::result::ZipError| SheetError::NotXlsx(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(not)?;
    if archive.len() > PARTS_MAX {
        return Err(SheetError::UnpacksTooLarge);
    }
    let mut left = UNPACKED_BYTES_MAX;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(not)?;
        let read = std::io::copy(&mut part.take(left + 1), &mut std::io::sink());
        let read = read.map_err(|error| SheetError::NotXlsx(error.to_string()))?;
        left = left.checked_sub(read).ok_or(SheetError::UnpacksTooLarge)?;
    }
    Ok(())
}
