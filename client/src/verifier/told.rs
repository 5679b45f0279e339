//! What a verifier is told, by the command and by the service alike.

use kanhe_proto::ids::TimeMs;
use kanhe_proto::verdict::{Outcome, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use crate::talk::{ExitCode, shape};

/// A verdict as it is told.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Told {
    /// The verdict.
    #[serde(flatten)]
    #[schemars(with = "shape::Verdict")]
    pub verdict: Verdict,
    /// When it was given, in milliseconds since 1970.
    #[schemars(with = "u64")]
    pub checked: TimeMs,
    /// When these very bytes were judged first, if this is not the first time, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub checked_before: Option<TimeMs>,
    /// Whether a receipt that is judged anew says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as_receipt: Option<bool>,
    /// Why no fresh evidence was had, so that what came with the response was judged: a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stapled_only: Option<String>,
    /// Where the receipt is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

impl Told {
    /// An undecided verdict shows no claims unless asked: whoever sees them might rely on them.
    pub fn new(verdict: &Verdict, checked: TimeMs, show_claims: bool) -> Self {
        let mut verdict = verdict.clone();
        if verdict.outcome == Outcome::Undecided && !show_claims {
            for licence in &mut verdict.licences {
                licence.claims.clear();
            }
        }
        Self { verdict, checked, checked_before: None, same_as_receipt: None, stapled_only: None, receipt: None }
    }

    /// What a command ends with.
    pub const fn exit(&self) -> ExitCode {
        match self.verdict.outcome {
            Outcome::Valid => ExitCode::Ok,
            Outcome::Invalid => ExitCode::Invalid,
            Outcome::Undecided => ExitCode::Undecided,
            Outcome::Revoked | Outcome::Superseded | Outcome::Expired | Outcome::NotYetValid | Outcome::Suspended => {
                ExitCode::NotInForce
            }
        }
    }
}
