//! A cell as the file has it.

use kanhe_proto::identifiers::Day;

/// What a cell holds. CSV has texts only.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// Nothing.
    #[default]
    Empty,
    /// Text, exactly as it is in the file.
    Text(String),
    /// A number: the spreadsheet has already decided that leading zeros and digits beyond the 15th are of no use.
    Number(f64),
    /// A date cell of midnight.
    Date(Day),
    /// A date cell with a time of day, or a time alone.
    DateTime(String),
    /// TRUE or FALSE.
    Bool(bool),
    /// Something computed; its value depends on what else is in the workbook.
    Formula,
    /// `#N/A` and its like.
    Error(String),
}

impl Cell {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty) || matches!(self, Self::Text(text) if text.is_empty())
    }

    /// The cell as text: for messages, headings and files to mend.
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::DateTime(text) | Self::Error(text) => text.clone(),
            Self::Number(number) => number_text(*number),
            Self::Date(day) => day.to_string(),
            Self::Bool(value) => value.to_string().to_uppercase(),
            Self::Formula => "=…".to_string(),
        }
    }
}

/// A number as a spreadsheet shows it in a narrow column: digits, or `3.70102E+17`.
pub(super) fn number_text(number: f64) -> String {
    if number.abs() < 1e15 { number.to_string() } else { format!("{number:.5E}").replace('E', "E+") }
}
