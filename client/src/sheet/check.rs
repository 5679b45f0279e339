//! All rows against a type, before anything is issued.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::cell::Cell;
use super::columns::{APPLICATION, Columns};
use super::fault::{Fault, Problem};
use super::limits::FAULTS_PER_ROW_MAX;
use super::read::{RawRow, Sheet};
use super::value::value;
use super::write::REASON_HEADING;
use crate::talk::{Lang, say};

/// A row without fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its line in the file.
    pub line: u32,
    /// Its claims, by field code.
    pub claims: Map<String, Value>,
    /// The holder's application that it answers; none means pickup.
    pub application: Option<String>,
}

/// What a check found.
#[derive(Debug)]
pub struct Report {
    /// Rows in the file.
    pub rows: usize,
    /// Rows without fault, in their order.
    pub good: Vec<Row>,
    /// All problems in the order of lines (at most eight for one row).
    pub problems: Vec<Problem>,
    /// Whether the headings themselves are wrong; then no row was read.
    pub headings_bad: bool,
    bad: BTreeSet<u32>,
}

impl Report {
    /// Whether everything may be issued.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
    /// Lines with a problem.
    pub fn bad_lines(&self) -> &BTreeSet<u32> {
        &self.bad
    }
    /// Adds what was found wrong later with a column of a row.
    pub fn refuse(&mut self, line: u32, column: &str, fault: Fault) {
        let place = self.problems.partition_point(|problem| problem.line <= line);
        self.problems.insert(place, Problem::new(line, Some(column), Some(column), "", fault));
        self.bad.insert(line);
        self.good.retain(|row| row.line != line);
    }
    /// Why a line is bad, in one cell's text.
    pub fn reasons(&self, line: u32, lang: Lang) -> String {
        let first = self.problems.partition_point(|problem| problem.line < line);
        let of_line = self.problems[first..].iter().take_while(|problem| problem.line == line);
        let reasons: Vec<String> = of_line
            .map(|problem| match &problem.column {
                Some(column) => format!("{column}: {}", problem.fault.reason(lang)),
                None => problem.fault.reason(lang),
            })
            .collect();
        reasons.join(" | ")
    }
    /// The first problems, and how many there are in all.
    pub fn shown(&self, most: usize) -> String {
        let mut text: Vec<String> = self.problems.iter().take(most).map(Problem::to_string).collect();
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("problems", &self.problems.len()),
            ("bad", &self.bad.len()),
            ("rows", &self.rows),
            ("shown", &self.problems.len().min(most)),
        ];
        text.push(say("sheet.summary", args));
        text.join("\n")
    }
}

/// Checks a sheet. `known` says whether the issuer's register has a value of a unique column already; its own error
/// ends the check.
pub fn check<E>(
    sheet: &Sheet,
    columns: &Columns,
    mut known: impl FnMut(&str, &str) -> Result<bool, E>,
) -> Result<Report, E> {
    let (places, problems) = headings(sheet, columns);
    let headings_bad = !problems.is_empty();
    let mut work = Work { sheet, columns, places, problems, seen: HashMap::new() };
    let mut good = Vec::with_capacity(sheet.rows.len());
    if !headings_bad {
        for raw in &sheet.rows {
            let row = work.row(raw);
            work.register(raw, &row, &mut known)?;
            good.push(row);
        }
        work.duplicates();
    }
    let mut problems = work.problems;
    problems.sort_by_key(|problem| problem.line);
    let bad: BTreeSet<u32> = problems.iter().map(|problem| problem.line).collect();
    good.retain(|row| !bad.contains(&row.line));
    Ok(Report { rows: sheet.rows.len(), good, problems, headings_bad, bad })
}

/// Where each column stands in the file.
fn headings(sheet: &Sheet, columns: &Columns) -> (Vec<Option<usize>>, Vec<Problem>) {
    let mut places = vec![None; columns.list().len()];
    let mut problems = Vec::new();
    let mut problem = |column: &str, field: Option<&str>, fault| {
        problems.push(Problem::new(sheet.heading_line, Some(column), field, "", fault));
    };
    for (place, heading) in sheet.headings.iter().enumerate() {
        match columns.named(heading) {
            Some(index) if places[index].is_none() => places[index] = Some(place),
            Some(index) => problem(heading, Some(&columns.list()[index].code), Fault::ColumnTwice),
            None if heading == REASON_HEADING => {}
            // A column of cells without heading is as unknown as one with a wrong heading, if it holds anything.
            None if heading.is_empty() && sheet.rows.iter().all(|row| cell(row, Some(place)).is_empty()) => {}
            None => problem(heading, None, Fault::UnknownColumn),
        }
    }
    let width = sheet.headings.len();
    if sheet.rows.iter().any(|row| row.cells.len() > width) {
        problem("", None, Fault::UnknownColumn);
    }
    for (column, _) in columns.list().iter().zip(&places).filter(|(column, place)| column.required && place.is_none()) {
        let name = if Lang::current() == Lang::Zh { &column.title_zh } else { &column.title_en };
        problem(name, Some(&column.code), Fault::NoColumn);
    }
    (places, problems)
}

fn cell(row: &RawRow, place: Option<usize>) -> &Cell {
    place.and_then(|place| row.cells.get(place)).unwrap_or(&Cell::Empty)
}

struct Work<'a> {
    sheet: &'a Sheet,
    columns: &'a Columns,
    places: Vec<Option<usize>>,
    problems: Vec<Problem>,
    /// Column and value of unique columns → the lines that have it.
    seen: HashMap<(usize, String), Vec<u32>>,
}

impl Work<'_> {
    fn problem(&mut self, raw: &RawRow, index: usize, fault: Fault) {
        let of_row = self.problems.iter().rev().take_while(|problem| problem.line == raw.line).count();
        if of_row >= FAULTS_PER_ROW_MAX {
            return;
        }
        let column = &self.columns.list()[index];
        let heading = self.places[index].map(|place| self.sheet.headings[place].as_str());
        let shown = cell(raw, self.places[index]).shown();
        self.problems.push(Problem::new(raw.line, heading, Some(&column.code), &shown, fault));
    }

    fn row(&mut self, raw: &RawRow) -> Row {
        let (mut claims, mut application) = (Map::new(), None);
        let mut faulty = BTreeSet::new();
        let columns = self.columns;
        if self.is_example(raw) {
            self.problems.push(Problem::new(raw.line, None, None, "", Fault::Example));
            return Row { line: raw.line, claims, application };
        }
        for (index, column) in columns.list().iter().enumerate() {
            let found = match value(column, cell(raw, self.places[index])) {
                Ok(None) if column.required => Err(Fault::Missing),
                other => other,
            };
            match found {
                Ok(None) => {}
                Ok(Some(value)) if column.code == APPLICATION => application = Some(value),
                Ok(Some(value)) => drop(claims.insert(column.code.clone(), Value::String(value))),
                Err(fault) => {
                    faulty.insert(column.code.as_str());
                    self.problem(raw, index, fault);
                }
            }
        }
        let claims = self.schema(raw, claims, &faulty);
        Row { line: raw.line, claims, application }
    }

    /// What the type's schema says beyond kinds and required values.
    fn schema(&mut self, raw: &RawRow, claims: Map<String, Value>, faulty: &BTreeSet<&str>) -> Map<String, Value> {
        let claims = Value::Object(claims);
        let validator = self.columns.row_validator();
        if !validator.is_valid(&claims) {
            for error in validator.iter_errors(&claims) {
                let path = error.instance_path().as_str();
                let code = path.trim_start_matches('/').split('/').next().unwrap_or_default();
                let fault = of_schema(error.kind(), &error);
                match self.columns.list().iter().position(|column| column.code == code) {
                    Some(_) if faulty.contains(code) => {}
                    Some(index) => self.problem(raw, index, fault),
                    None => self.problems.push(Problem::new(raw.line, None, None, "", fault)),
                }
            }
        }
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }

    fn is_example(&self, raw: &RawRow) -> bool {
        let mut pairs = self.columns.list().iter().zip(&self.places).filter(|(column, _)| column.claim);
        pairs.all(|(column, place)| place.is_none() || cell(raw, *place).shown() == column.example)
    }

    fn register<E>(
        &mut self,
        raw: &RawRow,
        row: &Row,
        known: &mut impl FnMut(&str, &str) -> Result<bool, E>,
    ) -> Result<(), E> {
        for (index, column) in self.columns.list().iter().enumerate().filter(|(_, column)| column.unique) {
            let value = match &row.application {
                application if column.code == APPLICATION => application.as_deref(),
                _ => row.claims.get(&column.code).and_then(Value::as_str),
            };
            let Some(value) = value else { continue };
            self.seen.entry((index, value.to_string())).or_default().push(raw.line);
            if known(&column.code, value)? {
                self.problem(raw, index, Fault::InRegister);
            }
        }
        Ok(())
    }

    /// Every line of a group is bad: which of them is right only the office knows.
    fn duplicates(&mut self) {
        let groups = std::mem::take(&mut self.seen).into_iter().filter(|(_, lines)| lines.len() > 1);
        let groups: BTreeMap<(usize, String), Vec<u32>> = groups.collect();
        for ((index, value), lines) in groups {
            for line in &lines {
                let other = lines.iter().find(|other| *other != line).unwrap_or(line);
                let column = &self.columns.list()[index];
                let heading = self.places[index].map(|place| self.sheet.headings[place].as_str());
                let fault = Fault::DuplicateInFile(*other);
                self.problems.push(Problem::new(*line, heading, Some(&column.code), &value, fault));
            }
        }
    }
}

fn of_schema(kind: &ValidationErrorKind, error: &jsonschema::ValidationError<'_>) -> Fault {
    match kind {
        ValidationErrorKind::MaxLength { limit } => Fault::TooLong(*limit),
        ValidationErrorKind::MinLength { limit } => Fault::TooShort(*limit),
        ValidationErrorKind::Pattern { .. } => Fault::Pattern,
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten().filter_map(Value::as_str);
            Fault::Choice(options.collect::<Vec<_>>().join(" | "))
        }
        _ => Fault::Schema(error.to_string()),
    }
}
