//! What goes into the process that runs rules, and what comes out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check::RULE_LIST_MAX;

/// Most bytes of a job.
pub const JOB_BYTES_MAX: usize = 1 << 20;
/// Most bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Deepest input.
const INPUT_DEPTH_MAX: usize = 16;
/// Longest text of an input, in bytes.
const INPUT_TEXT_MAX: usize = 64 << 10;

/// A named expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// CEL.
    pub cel: String,
}

/// Rules and values to be found over one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Each is true or false.
    pub rules: Vec<Source>,
    /// Each is a text, a whole number, or true or false.
    pub values: Vec<Source>,
    /// What they see.
    pub input: Map<String, Value>,
}

/// Why an input is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// More bytes than allowed.
    #[error("rules and inputs are more than {JOB_BYTES_MAX} bytes")]
    TooLong,
    /// A number with a fraction, or beyond 63 bits.
    #[error("{0}: only whole numbers of 63 bits")]
    Number(String),
    /// More elements than allowed.
    #[error("{0}: more than {RULE_LIST_MAX} elements")]
    List(String),
    /// A text that is too long.
    #[error("{0}: more than {INPUT_TEXT_MAX} bytes")]
    Text(String),
    /// Too deep.
    #[error("{0}: deeper than {INPUT_DEPTH_MAX}")]
    Depth(String),
}

impl Job {
    /// Refuses an input with anything that rules may not see.
    pub fn check(&self) -> Result<(), JobError> {
        for (name, value) in &self.input {
            allowed(value, name, 1)?;
        }
        Ok(())
    }
}

fn allowed(value: &Value, at: &str, depth: usize) -> Result<(), JobError> {
    if depth > INPUT_DEPTH_MAX {
        return Err(JobError::Depth(at.to_owned()));
    }
    match value {
        Value::Number(number) if number.as_i64().is_none() => Err(JobError::Number(at.to_owned())),
        Value::String(text) if text.len() > INPUT_TEXT_MAX => Err(JobError::Text(at.to_owned())),
        Value::Array(items) if items.len() > RULE_LIST_MAX => Err(JobError::List(at.to_owned())),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(place, item)| allowed(item, &format!("{at}[{place}]"), depth + 1))
        }
        Value::Object(members) => {
            members.iter().try_for_each(|(name, item)| allowed(item, &format!("{at}.{name}"), depth + 1))
        }
        _ => Ok(()),
    }
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It could not be evaluated, with the reason.
    Unknown(String),
}

/// What became of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// True or false.
    Truth(bool),
    /// It could not be made, with the reason.
    Unknown(String),
}

/// What comes out, in the order of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of each rule.
    pub rules: Vec<Holds>,
    /// Of each value.
    pub values: Vec<Made>,
}
