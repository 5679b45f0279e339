//! Receipts: why a verifier believed, to be shown years later.
//!
//! A receipt holds the response as received, the evidence that was fetched for it, the request with the key that signed
//! it, the trust used, the time, and the verdict. A recheck judges all of it anew as of that time, under validator sets
//! that today's own pin confirms: a receipt cannot bring its own chain.

use kanhe_proto::bounded::Blob;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::limits::RESPONSE_BYTES_MAX;
use kanhe_proto::request::UnverifiedRequest;
use kanhe_proto::trust::{TRUST_BYTES_MAX, Trust};
use kanhe_proto::verdict::{Outcome, Rule, Verdict};
use serde::{Deserialize, Serialize};

use super::fetch::Evidences;
use super::{KeptRequest, Question};
use crate::talk::{ExitCode, Failure};

/// Layout of receipts.
const VERSION: u8 = 1;
/// Longest receipt, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 80 << 20;

/// Why a response was believed, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Layout: 1.
    pub kanhe_receipt: u8,
    /// When it was judged.
    pub checked: TimeMs,
    /// The time asked for, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<TimeMs>,
    /// The verifier's request.
    pub request: KeptRequest,
    /// The response as received.
    pub response: Blob<RESPONSE_BYTES_MAX>,
    /// Evidence fetched for it, by query.
    #[serde(default, skip_serializing_if = "Evidences::is_empty")]
    pub evidence: Evidences,
    /// What was believed then.
    pub trust: Blob<TRUST_BYTES_MAX>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What a receipt is worth today.
#[derive(Debug, Clone, Serialize)]
pub struct Rechecked {
    /// When it was judged.
    pub checked: TimeMs,
    /// The verdict as it comes out now, as of then.
    pub verdict: Verdict,
    /// Whether the receipt says the same.
    pub same: bool,
}

impl Receipt {
    /// The receipt of a check.
    pub fn new(question: &Question<'_>, request: KeptRequest, verdict: &Verdict) -> Result<Self, Failure> {
        let too_long =
            |error: kanhe_proto::bounded::TooMany| Failure::reported(ExitCode::Failure, "receipt_too_long", error);
        Ok(Self {
            kanhe_receipt: VERSION,
            checked: question.now,
            at: question.at,
            request,
            response: Blob::new(question.response).map_err(too_long)?,
            evidence: question.fresh.clone(),
            trust: Blob::new(question.trust.to_bytes()).map_err(too_long)?,
            verdict: verdict.clone(),
        })
    }

    /// Reads a receipt of anyone.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
        let wrong =
            |cause: &dyn std::fmt::Display| Failure::of(ExitCode::Failure, "receipt_wrong", &[("cause", cause)]);
        let receipt: Self = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
        if receipt.kanhe_receipt != VERSION {
            return Err(wrong(&format_args!("version {}", receipt.kanhe_receipt)));
        }
        Ok(receipt)
    }

    /// As it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and maps of strings are JSON")
    }

    /// Judges everything anew as of the time of the check, under one's own pin.
    pub fn recheck(&self, own: &Trust) -> Result<Rechecked, Failure> {
        let wrong =
            |cause: &dyn std::fmt::Display| Failure::of(ExitCode::Failure, "receipt_wrong", &[("cause", cause)]);
        let trust = Trust::from_bytes(&self.trust).map_err(|error| wrong(&error))?;
        let request = UnverifiedRequest::parse(&self.request.request)
            .and_then(|request| request.verify(&self.request.key))
            .map_err(|error| wrong(&error))?;
        let verdict = match confirmed(&trust, own) {
            false => undecided("trust_differs"),
            true => {
                let question = Question {
                    response: &self.response,
                    request: &request,
                    trust: &trust,
                    fresh: &self.evidence,
                    now: self.checked,
                    at: self.at,
                };
                question.judge()
            }
        };
        let same = verdict == self.verdict;
        Ok(Rechecked { checked: self.checked, verdict, same })
    }
}

/// Whether every validator set that a receipt relies on is one that the own pin knows for those heights.
fn confirmed(trust: &Trust, own: &Trust) -> bool {
    trust.chain == own.chain
        && trust.chain_ref() == own.chain_ref()
        && trust.sets().iter().all(|set| own.validators_at(set.from) == Some(&set.validators))
}

fn undecided(code: &str) -> Verdict {
    Verdict { outcome: Outcome::Undecided, rule: Rule(2), code: code.to_owned(), as_of: None, licences: Vec::new() }
}
