//! A presentation in a case: what the bureau asks by the item, and what the answer is worth.

use kanhe_proto::case::case_nonce;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::{Day, Did, Vct};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::item::{Item, Party};
use kanhe_proto::request::{REQUEST_LIFE_MAX, Request};
use kanhe_proto::response::Response;
use kanhe_proto::sd_jwt::json;
use kanhe_proto::text;
use kanhe_proto::trust::Trust;
use kanhe_proto::verdict::{LicenceVerdict, Outcome, Verdict, verify_presented};
use serde_json::{Map, Value, json};

use super::reading::ReadShown;
use super::row::{Fault, VerdictSeen};
use crate::verifier::{Evidences, replaced};

/// Greatest age of the evidence by which a presentation is judged: it is fetched for that.
const EVIDENCE_AGE_MAX: SpanMs = SpanMs(3_600_000);

/// To whom, by whom and when something was presented.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The item.
    pub item: &'a Item,
    /// The case.
    pub case: &'a CaseId,
    /// The bureau.
    pub bureau: &'a Did,
    /// Its place in the item.
    pub place: u8,
    /// The party.
    pub party: &'a Party,
    /// Its slot.
    pub slot: u8,
    /// The slot's round.
    pub round: u32,
    /// Time of the block that has the act.
    pub presented: TimeMs,
}

/// What came of a presentation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Claims by ask: of good licences alone, and no more of them than was asked for.
    pub given: Map<String, Value>,
    /// What evidence says, by ask.
    pub evidence: Map<String, Value>,
    /// Each licence.
    pub verdicts: Vec<VerdictSeen>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// It could not be told, which may pass.
    pub undecided: Option<String>,
}

/// What the item asks of the party for the bureau: those asks that may be left out only if the answer has them. Nothing if
/// nothing is asked.
pub fn request_of(shown: &Shown<'_>, answered: &[&str]) -> Option<Request> {
    let role = shown.item.bureau.get(usize::from(shown.place))?;
    let dcql_query = shown.item.query(&shown.party.code, &role.code, answered)?;
    let iat = shown.presented.0 / 1000;
    Some(Request {
        client_id: shown.bureau.clone(),
        response_type: "vp_token".to_owned(),
        nonce: case_nonce(shown.case, shown.slot, shown.round, shown.place),
        dcql_query,
        purpose: shown.item.purpose.to_string(),
        max_age_ms: EVIDENCE_AGE_MAX,
        same_holder: shown.party.same_holder,
        iat,
        exp: iat + REQUEST_LIFE_MAX.0 / 1000,
    })
}

/// Judges what a file has as presentation, by evidence fetched just now: it must cover the time of the act.
pub fn shown(shown: &Shown<'_>, presentation: &[u8], fresh: &Evidences, trust: &Trust, now: TimeMs) -> Judged {
    let mut judged = Judged::default();
    let party = shown.party.code.as_str();
    let response = match (presentation.is_empty(), Response::from_bytes(presentation)) {
        (true, _) => Response { vp_token: Default::default(), evidence: Default::default() },
        (false, Ok(response)) => response,
        (false, Err(_)) => {
            judged.faults.push(Fault::of("presentation_malformed", Some(party), ""));
            return judged;
        }
    };
    let answered: Vec<&str> = response.vp_token.keys().map(String::as_str).collect();
    let Some(request) = request_of(shown, &answered) else {
        if !presentation.is_empty() {
            judged.faults.push(Fault::of("presentation_not_asked", Some(party), ""));
        }
        return judged;
    };
    let response = replaced(&response, fresh);
    let verdict = verify_presented(&response.to_bytes(), &request, trust, now, shown.presented);
    take(shown, &response, &verdict, &mut judged);
    judged
}

/// The same for somebody for whom a clerk acts: what was read instead was proved when it came.
pub fn instead(shown: &Shown<'_>, read: Option<&ReadShown>) -> Judged {
    let Some(read) = read else { return Judged::default() };
    let seen = |ask: &String| VerdictSeen {
        party: shown.party.code.to_string(),
        slot: shown.slot,
        ask: ask.clone(),
        outcome: Outcome::Valid,
        code: "read_instead".to_owned(),
    };
    let verdicts = read.given.keys().map(seen).collect();
    Judged { given: read.given.clone(), evidence: read.evidence.clone(), verdicts, ..Judged::default() }
}

fn take(shown: &Shown<'_>, response: &Response, verdict: &Verdict, judged: &mut Judged) {
    let party = shown.party.code.as_str();
    if verdict.licences.is_empty() && !verdict.is_valid() {
        judged.faults.push(Fault::of("presentation_not_valid", Some(party), &*verdict.code));
    }
    for licence in &verdict.licences {
        judged.verdicts.push(VerdictSeen {
            party: party.to_owned(),
            slot: shown.slot,
            ask: licence.query.clone(),
            outcome: licence.outcome,
            code: licence.code.clone(),
        });
        if licence.outcome == Outcome::Undecided {
            judged.undecided.get_or_insert_with(|| licence.code.clone());
        }
        if licence.outcome != Outcome::Valid {
            let about = format!("{}: {}", licence.query, licence.code);
            judged.faults.push(Fault::of("presentation_not_valid", Some(party), about));
            continue;
        }
        let Some(ask) = shown.item.ask.iter().find(|ask| ask.code.as_str() == licence.query) else { continue };
        let asked = |name: &str| ask.claims.iter().any(|claim| claim.split(['.', '[']).next() == Some(name));
        let claims = licence.claims.iter().filter(|(name, _)| asked(name));
        let claims: Map<String, Value> = claims.map(|(name, value)| (name.clone(), value.clone())).collect();
        judged.given.insert(licence.query.clone(), Value::Object(claims));
        judged.evidence.insert(licence.query.clone(), evidence(shown, response, licence));
    }
}

/// What rules may know of a licence: the same whoever judges it again, so as of the act and not of the evidence.
fn evidence(shown: &Shown<'_>, response: &Response, licence: &LicenceVerdict) -> Value {
    let mut known = Map::new();
    if let Some(issuer) = &licence.issuer {
        known.insert("issuer".to_owned(), issuer.uscc.to_string().into());
    }
    let vct = licence.licence_type.as_ref().and_then(|proved| proved.vct.parse::<Vct>().ok());
    if let Some(vct) = vct {
        known.insert("type".to_owned(), vct.code.to_string().into());
        known.insert("version".to_owned(), vct.version.0.into());
    }
    if let Some(status) = licence.status {
        known.insert("status".to_owned(), json!(status));
    }
    let token = response.vp_token.get(&licence.query).and_then(|tokens| tokens.first());
    if let Some(issued) = token.and_then(|token| issued_at(token)) {
        known.insert("issued".to_owned(), Day::of(issued).to_string().into());
    }
    known.insert("as_of".to_owned(), Day::of(shown.presented).to_string().into());
    Value::Object(known)
}

/// `iat` of a token that was verified.
fn issued_at(token: &str) -> Option<TimeMs> {
    let payload = text::from_base64url(token.split('.').nth(1)?).ok()?;
    let seconds = json::parse_object(&payload).ok()?.get("iat")?.as_u64()?;
    Some(TimeMs(seconds.saturating_mul(1000)))
}
