//! The check of a response, with memory.

use kanhe_proto::hash::sha256;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::request::Request;
use kanhe_proto::response::Response;
use kanhe_proto::text;
use kanhe_proto::trust::Trust;
use kanhe_proto::verdict::{Outcome, Rule, Verdict, verify_response};

use super::fetch::{Evidences, replaced};
use super::{Memory, Spent};
use crate::talk::Failure;

/// What is asked about a response.
#[derive(Debug)]
pub struct Question<'a> {
    /// The response as received.
    pub response: &'a [u8],
    /// The request of one's own.
    pub request: &'a Request,
    /// What is believed.
    pub trust: &'a Trust,
    /// Evidence fetched just now.
    pub fresh: &'a Evidences,
    /// The verifier's clock.
    pub now: TimeMs,
    /// The time asked for, if another than now.
    pub at: Option<TimeMs>,
}

/// The verdict, and when it was first given.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What the response is worth.
    pub verdict: Verdict,
    /// The first check of these very bytes, if this is not it.
    pub before: Option<TimeMs>,
}

/// The first rule after which the presentation is proved to be bound to the request's nonce.
const BOUND: Rule = Rule(3);

/// Judges a response once. A verdict stands; only an undecided one is asked again, since evidence may have come.
pub fn check(question: &Question<'_>, memory: &Memory<'_>) -> Result<Checked, Failure> {
    let nonce = &question.request.nonce;
    let digest = text::hex(&sha256(&[question.response]));
    let spent = memory.spent(nonce)?;
    if let Some(spent) = &spent {
        if spent.response != digest {
            return Ok(Checked { verdict: replayed(), before: None });
        }
        if spent.at == question.at && spent.verdict.outcome != Outcome::Undecided {
            return Ok(Checked { verdict: spent.verdict.clone(), before: Some(spent.checked) });
        }
    }
    let verdict = question.judge();
    if verdict.rule >= BOUND && spent.is_none() {
        let spent = Spent { response: digest, checked: question.now, at: question.at, verdict: verdict.clone() };
        memory.spend(nonce, &spent)?;
    } else if let Some(spent) = &spent
        && spent.at == question.at
        && verdict.rule >= BOUND
        && verdict.outcome != Outcome::Undecided
    {
        memory.spend(nonce, &Spent { verdict: verdict.clone(), ..spent.clone() })?;
    }
    Ok(Checked { verdict, before: spent.map(|spent| spent.checked) })
}

impl Question<'_> {
    /// The verdict without memory. Fresh evidence is judged first; where it proves nothing of the licence, what the
    /// holder stapled is judged, so that a node that lies cannot make a good licence doubtful.
    pub fn judge(&self) -> Verdict {
        let stapled = || verify_response(self.response, self.request, self.trust, self.now, self.at);
        let response = match Response::from_bytes(self.response) {
            Ok(response) if !self.fresh.is_empty() => response,
            _ => return stapled(),
        };
        let bytes = replaced(&response, self.fresh).to_bytes();
        let verdict = verify_response(&bytes, self.request, self.trust, self.now, self.at);
        if verdict.rule == Rule(2) { stapled() } else { verdict }
    }
}

/// Other bytes for a nonce that is spent.
fn replayed() -> Verdict {
    Verdict { outcome: Outcome::Invalid, rule: Rule(1), code: "replayed".to_owned(), as_of: None, licences: Vec::new() }
}
