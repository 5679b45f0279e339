//! What is wrong with a cell, and what to do about it.

use std::fmt::Display;

use crate::talk::{Lang, say, say_in};

/// Longest value that a message repeats, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// One fault of a cell or heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A required value is not there.
    Missing,
    /// A formula.
    Formula,
    /// `#N/A` and its like.
    CellError,
    /// TRUE or FALSE where text belongs.
    Boolean,
    /// Spaces before or after the value, or nothing but spaces.
    Spaces,
    /// A line break or an invisible character inside.
    Invisible,
    /// Full-width digits or letters.
    FullWidth(String),
    /// Longer than allowed.
    TooLong(u64),
    /// Shorter than allowed.
    TooShort(u64),
    /// Digits were lost: `3.70102E+17`, or zeros in place of the last digits.
    NumberMangled,
    /// Leading zeros were lost, or may have been.
    LeadingZeros,
    /// A number with decimals where text belongs.
    NumberInText,
    /// A date where text belongs.
    DateInText,
    /// A date in another form than ISO; the ISO form if it is clear.
    DateForm(Option<String>),
    /// A day that no calendar has.
    NoSuchDay,
    /// A time of day with the date.
    DateTime,
    /// The number by which spreadsheets count days.
    DateSerial(String),
    /// Not a valid 统一社会信用代码.
    Uscc,
    /// Not a valid 公民身份号码.
    PersonId,
    /// Not an amount.
    Amount,
    /// Not of the form that the type asks for.
    Pattern,
    /// None of the values that the type allows.
    Choice(String),
    /// Another rule of the type's schema.
    Schema(String),
    /// The same value in another line.
    DuplicateInFile(u32),
    /// The issuer's register has the value already.
    InRegister,
    /// The template's example row.
    Example,
    /// A heading that the type does not know.
    UnknownColumn,
    /// Two headings for one column.
    ColumnTwice,
    /// No heading for a required column.
    NoColumn,
    /// An application that cannot be answered.
    Application(String),
}

impl Fault {
    /// Stable code for programs, and key in the catalogue.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Formula => "formula",
            Self::CellError => "cell_error",
            Self::Boolean => "boolean",
            Self::Spaces => "spaces",
            Self::Invisible => "invisible",
            Self::FullWidth(_) => "full_width",
            Self::TooLong(_) => "too_long",
            Self::TooShort(_) => "too_short",
            Self::NumberMangled => "number_mangled",
            Self::LeadingZeros => "leading_zeros",
            Self::NumberInText => "number_in_text",
            Self::DateInText => "date_in_text",
            Self::DateForm(_) => "date_form",
            Self::NoSuchDay => "no_such_day",
            Self::DateTime => "date_time",
            Self::DateSerial(_) => "date_serial",
            Self::Uscc => "uscc",
            Self::PersonId => "person_id",
            Self::Amount => "amount",
            Self::Pattern => "pattern",
            Self::Choice(_) => "choice",
            Self::Schema(_) => "schema",
            Self::DuplicateInFile(_) => "duplicate_in_file",
            Self::InRegister => "in_register",
            Self::Example => "example",
            Self::UnknownColumn => "unknown_column",
            Self::ColumnTwice => "column_twice",
            Self::NoColumn => "no_column",
            Self::Application(_) => "application",
        }
    }

    /// One of each, for tests and documents.
    pub fn all() -> Vec<Self> {
        let text = || "x".to_string();
        vec![
            Self::Missing,
            Self::Formula,
            Self::CellError,
            Self::Boolean,
            Self::Spaces,
            Self::Invisible,
            Self::FullWidth(text()),
            Self::TooLong(1),
            Self::TooShort(1),
            Self::NumberMangled,
            Self::LeadingZeros,
            Self::NumberInText,
            Self::DateInText,
            Self::DateForm(Some(text())),
            Self::NoSuchDay,
            Self::DateTime,
            Self::DateSerial(text()),
            Self::Uscc,
            Self::PersonId,
            Self::Amount,
            Self::Pattern,
            Self::Choice(text()),
            Self::Schema(text()),
            Self::DuplicateInFile(1),
            Self::InRegister,
            Self::Example,
            Self::UnknownColumn,
            Self::ColumnTwice,
            Self::NoColumn,
            Self::Application(text()),
        ]
    }

    fn detail(&self) -> String {
        match self {
            Self::FullWidth(text)
            | Self::DateSerial(text)
            | Self::Choice(text)
            | Self::Schema(text)
            | Self::Application(text) => text.clone(),
            Self::DateForm(iso) => iso.clone().unwrap_or_else(|| "YYYY-MM-DD".to_string()),
            Self::TooLong(count) | Self::TooShort(count) => count.to_string(),
            Self::DuplicateInFile(line) => line.to_string(),
            _ => String::new(),
        }
    }

    /// What is wrong.
    pub fn message(&self) -> String {
        say(&format!("sheet.{}.message", self.code()), &[("detail", &self.detail())])
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        say(&format!("sheet.{}.hint", self.code()), &[("detail", &self.detail())])
    }

    /// Both in one language, for a file to mend.
    pub fn reason(&self, lang: Lang) -> String {
        let part = |which: &str| say_in(lang, &format!("sheet.{}.{which}", self.code()), &[("detail", &self.detail())]);
        let stop = if lang == Lang::Zh { "；" } else { "; " };
        format!("{}{stop}{}", part("message"), part("hint"))
    }
}

/// A fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: u32,
    /// Heading of the column as the file has it, or the column's title if the file lacks it; none for a whole row.
    pub column: Option<String>,
    /// Field code of the column.
    pub field: Option<String>,
    /// The value, cut to what a message can bear.
    pub value: String,
    /// What is wrong.
    pub fault: Fault,
}

impl Problem {
    pub(super) fn new(line: u32, column: Option<&str>, field: Option<&str>, value: &str, fault: Fault) -> Self {
        let mut shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        let (column, field) = (column.map(str::to_string), field.map(str::to_string));
        Self { line, column, field, value: shown, fault }
    }

    /// For `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "line": self.line,
            "column": self.column,
            "field": self.field,
            "value": self.value,
            "code": self.fault.code(),
            "message": self.fault.message(),
            "hint": self.fault.hint(),
        })
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = match &self.column {
            Some(column) => say("sheet.place", &[("line", &self.line), ("column", column)]),
            None => say("sheet.line", &[("line", &self.line)]),
        };
        write!(f, "{place}: {}", self.fault.message())?;
        if !self.value.is_empty() {
            write!(f, " ({:?})", self.value)?;
        }
        write!(f, "\n  hint: {}", self.fault.hint())
    }
}
