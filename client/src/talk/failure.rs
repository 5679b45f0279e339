//! The error that every command returns: an exit code, a stable code, what happened and what to do.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ExitCode, language};

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What the process ends with.
    pub exit: ExitCode,
    /// Stable code for programs.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A failure as JSON, in the last line of stderr.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Wire<'a> {
    error: Body<'a>,
}

/// Why the command failed.
#[derive(Debug, Serialize, JsonSchema)]
struct Body<'a> {
    /// Stable code, for programs.
    code: &'a str,
    /// What happened, in the language in use.
    message: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Failure {
    /// A failure whose text is `error.<code>` and, where the catalogue has one, `hint.<code>`, in the language in use.
    pub fn of(exit: ExitCode, code: &str, args: &[(&str, &dyn Display)]) -> Self {
        Self {
            exit,
            code: code.to_string(),
            message: language::say(&format!("error.{code}"), args),
            hint: language::find(&format!("hint.{code}"), args),
        }
    }

    /// A failure whose text comes from elsewhere: the code and words of a node or a library.
    pub fn reported(exit: ExitCode, code: &str, message: impl Display) -> Self {
        let (code, message) = (code.to_string(), message.to_string());
        Self { exit, code, message, hint: None }
    }

    /// The same with another hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `{"error":{"code","message","hint"}}`, for `--json`.
    pub fn to_json(&self) -> String {
        let error = Body { code: &self.code, message: &self.message, hint: self.hint.as_deref() };
        serde_json::to_string(&Wire { error }).expect("strings always serialise")
    }

    /// `error: …` and `hint: …` on lines of their own.
    pub fn to_lines(&self) -> String {
        let mut text = format!("error: {}", self.message);
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\nhint: {hint}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_carry_code_message_and_hint() {
        let failure = Failure::of(ExitCode::Usage, "needs_yes", &[]);
        assert!(failure.to_lines().starts_with("error: "));
        assert!(failure.to_lines().contains("\nhint: "));
        let value: serde_json::Value = serde_json::from_str(&failure.to_json()).unwrap();
        assert_eq!(value["error"]["code"], "needs_yes");
        assert!(value["error"]["hint"].is_string());
        let plain = Failure::reported(ExitCode::Refused, "unknown_kind", "kind 9");
        assert!(!plain.to_json().contains("hint"));
        assert_eq!(plain.with_hint("x").to_lines(), "error: kind 9\nhint: x");
    }
}
