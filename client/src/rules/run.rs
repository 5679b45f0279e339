//! What a decision says of the rules that it rests on, so that they can be run again.

use kanhe_proto::bounded::Text;
use kanhe_proto::case::{Run, commitment};
use kanhe_proto::hash::{Hash, sha256};
use serde::Serialize;

use super::job::{Answer, Job};

/// The engine: the crate's version, and that of the functions and bounds here. Another result of the same rules and inputs
/// needs another name.
pub const ENGINE: &str = "cel-0.15.0+kanhe-1";

/// 32 fresh random bytes each, kept with job and answer: without them the commitments mean nothing.
#[derive(Debug, Clone, Copy)]
pub struct Salts {
    /// Of the inputs.
    pub inputs: [u8; 32],
    /// Of the answer.
    pub result: [u8; 32],
}

/// What a decision signs of a job that was done: SHA-256 of the rules and values with their names, in order; the engine;
/// and commitments to inputs and answer. Whoever has these runs it again and gets the same, or it is not so.
pub fn run_of(job: &Job, answer: &Answer, salts: &Salts) -> Run {
    Run {
        rules: rules_digest(job),
        engine: Text::new(ENGINE).expect("the engine's name is short"),
        inputs: commitment(&salts.inputs, &canonical(&job.input)),
        result: commitment(&salts.result, &canonical(answer)),
    }
}

/// SHA-256 of the rules and values of a job with their names, in order: known from the item's text alone.
pub fn rules_digest(job: &Job) -> Hash {
    Hash(sha256(&[&canonical(&(&job.rules, &job.values))]))
}

/// Sorted members, no blanks: the same bytes wherever it is run.
fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    let mut value = serde_json::to_value(value).expect("text keys and whole numbers alone");
    value.sort_all_objects();
    value.to_string().into_bytes()
}
