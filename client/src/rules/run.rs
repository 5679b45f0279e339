//! What a decision says of the rules that it rests on, so that they can be run again.

use kanhe_proto::case::commitment;
use kanhe_proto::hash::{Commitment, Hash, sha256};
use serde::{Deserialize, Serialize};

use super::job::{Answer, Job, Source};

/// The engine: the crate's version, and that of the functions and bounds here. Another result of the same rules and inputs
/// needs another name.
pub const ENGINE: &str = "cel-0.15.0+kanhe-1";

/// Random bytes of one commitment, used once.
pub type Salt = [u8; 32];

/// Rules, engine, and commitments to what went in and came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// SHA-256 of the rules and values with their names, in order.
    pub rules: Hash,
    /// Which engine.
    pub engine: String,
    /// To the inputs.
    pub inputs: Commitment,
    /// To the answer.
    pub result: Commitment,
}

impl Run {
    /// Of a job that was done. The salts are 32 fresh random bytes each, kept with job and answer.
    pub fn of(job: &Job, answer: &Answer, inputs: &Salt, result: &Salt) -> Self {
        Self {
            rules: rules_digest(&job.rules, &job.values),
            engine: ENGINE.to_owned(),
            inputs: commitment(inputs, &canonical(&job.input)),
            result: commitment(result, &canonical(answer)),
        }
    }

    /// Whether a job that is done again is this run.
    pub fn is_of(&self, job: &Job, answer: &Answer, inputs: &Salt, result: &Salt) -> bool {
        *self == Self::of(job, answer, inputs, result)
    }
}

fn rules_digest(rules: &[Source], values: &[Source]) -> Hash {
    Hash(sha256(&[&canonical(&(rules, values))]))
}

/// Sorted members, no blanks: the same bytes wherever it is run.
fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    let mut value = serde_json::to_value(value).expect("text keys and whole numbers alone");
    value.sort_all_objects();
    value.to_string().into_bytes()
}
