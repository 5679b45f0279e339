//! A mistake in an item's file, as it is told.

use schemars::JsonSchema;
use serde::Serialize;

use crate::talk::{find, say};

/// A mistake, where it is, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mistake {
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// Which part: `step[1].needs[0]`; parts of a kind count from 0.
    pub place: String,
    /// Stable code.
    pub code: String,
    /// What is wrong, in the language in use.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Mistake {
    /// A mistake whose words are `item.fault.<code>` and `item.hint.<code>`.
    pub fn of(code: &str, position: Option<(usize, usize)>, place: String, name: &str, instead: &[String]) -> Self {
        let known = instead.join(", ");
        let args: &[(&str, &dyn std::fmt::Display)] = &[("name", &name), ("known", &known)];
        Self {
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            place,
            code: code.to_owned(),
            message: say(&format!("item.fault.{code}"), args),
            hint: find(&format!("item.hint.{code}"), args),
        }
    }

    /// `FILE:LINE:COLUMN: what`, and the hint below.
    pub fn lines(&self, file: &str) -> String {
        let position = match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
            _ => file.to_owned(),
        };
        let place = if self.place.is_empty() { String::new() } else { format!(" {}", self.place) };
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("\n    hint: {hint}"));
        format!("{position}:{place}: {}{hint}", self.message)
    }
}
