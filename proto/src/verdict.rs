//! The verdict on a response: the first rule that matches.
//!
//! Three outcomes are kept apart: good or bad for a reason that is proved, and *undecided*, which means "do not
//! accept" and says why it could not be told. An outage never turns a good licence into a bad one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::evidence::{Cause, Evidence, Facts, LicencePath, Subject};
use crate::identifiers::Uscc;
use crate::ids::{SpanMs, TimeMs};
use crate::request::{LicenceQuery, Request};
use crate::response::{PATH_BYTES_MAX, Response, Stapled};
use crate::sd_jwt::{self, ExpectedBinding, HOLDER_BINDING_CLAIM, SdJwtError, UnverifiedSdJwt, VerifiedLicence};
use crate::status::Status;
use crate::trust::Trust;
use crate::{codec, registry::Names};

/// How far a key binding may be ahead of the verifier's clock.
const BINDING_AHEAD_MAX: SpanMs = SpanMs(60_000);
/// A key binding is made while the request lives; its clock may lag a little.
const BINDING_AGE_MAX: SpanMs = SpanMs(660_000);
/// A case's nonce is of one case, slot, round and bureau, and a wallet may be without a node for weeks before its act is
/// on the chain: 30 days.
const CASE_BINDING_AGE_MAX: SpanMs = SpanMs(30 * 86_400_000);

/// What a response is worth. In the order of the rules: the first that matches is the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Wrong in itself, or proved to be issued without a right.
    Invalid,
    /// Could not be told: do not accept.
    Undecided,
    /// Withdrawn for good.
    Revoked,
    /// Replaced by another for good.
    Superseded,
    /// Past its last day.
    Expired,
    /// Before its first day.
    NotYetValid,
    /// Withdrawn for now.
    Suspended,
    /// Good.
    Valid,
}

/// Which of the eight rules of the verdict matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule(pub u8);

/// The verdict on one licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceVerdict {
    /// The query that it answers.
    pub query: String,
    /// What it is worth.
    pub outcome: Outcome,
    /// Which rule says so.
    pub rule: Rule,
    /// Stable reason code.
    pub code: String,
    /// Time of the header that proves the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<TimeMs>,
    /// Status then, where it is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Who issued it, as far as proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,
    /// Its type, as far as proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence_type: Option<ProvedType>,
    /// What was disclosed. Not to be shown for an undecided verdict unless asked.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub claims: Map<String, Value>,
}

/// An issuer, from the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Its code.
    pub uscc: Uscc,
    /// Its name.
    pub names: Names,
}

/// A type, from the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvedType {
    /// `urn:kanhe:type:…`.
    pub vct: String,
    /// Its name.
    pub names: Names,
}

/// The verdict on a response: that of its worst licence by the order of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it is worth.
    pub outcome: Outcome,
    /// Which rule says so.
    pub rule: Rule,
    /// Stable reason code.
    pub code: String,
    /// The oldest time of evidence, if all have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<TimeMs>,
    /// Each licence by query.
    pub licences: Vec<LicenceVerdict>,
}

impl Verdict {
    /// May it be relied on?
    pub const fn is_valid(&self) -> bool {
        matches!(self.outcome, Outcome::Valid)
    }
    fn whole(outcome: Outcome, rule: u8, code: &str) -> Self {
        Self { outcome, rule: Rule(rule), code: code.to_owned(), as_of: None, licences: Vec::new() }
    }
}

/// A finding on the way to a verdict.
struct Finding {
    outcome: Outcome,
    rule: u8,
    code: String,
}

fn invalid(code: &str) -> Finding {
    Finding { outcome: Outcome::Invalid, rule: 1, code: code.to_owned() }
}
fn undecided(code: &str) -> Finding {
    Finding { outcome: Outcome::Undecided, rule: 2, code: code.to_owned() }
}

/// When a verdict is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The verifier's clock; freshness is always against it.
    pub now: TimeMs,
    /// The time that dates and status are asked for; default: now for dates, the header's for status.
    pub at: Option<TimeMs>,
    /// When it was presented, if that is proved: the request and the key binding are judged as of then.
    pub presented: Option<TimeMs>,
}

/// Judges a response to a request of one's own.
pub fn verify_response(bytes: &[u8], request: &Request, trust: &Trust, now: TimeMs, at: Option<TimeMs>) -> Verdict {
    verify(bytes, request, trust, Moment { now, at, presented: None })
}

/// Judges what was presented in a case, as of the block that has its act: dates and status are those of its time, which the
/// evidence must cover.
pub fn verify_presented(bytes: &[u8], request: &Request, trust: &Trust, now: TimeMs, presented: TimeMs) -> Verdict {
    verify(bytes, request, trust, Moment { now, at: Some(presented), presented: Some(presented) })
}

fn verify(bytes: &[u8], request: &Request, trust: &Trust, moment: Moment) -> Verdict {
    let response = match Response::from_bytes(bytes) {
        Ok(response) => response,
        Err(_) => return Verdict::whole(Outcome::Invalid, 1, "response_malformed"),
    };
    let asked = moment.presented.unwrap_or(moment.now);
    if let Err(error) = request.check().and_then(|()| request.check_time(asked)) {
        return Verdict::whole(Outcome::Invalid, 1, error.code());
    }
    if request.client_id.chain != trust.chain_ref() {
        return Verdict::whole(Outcome::Undecided, 2, "unknown_chain");
    }
    let tokens = match tokens(&response, request) {
        Ok(tokens) => tokens,
        Err(code) => return Verdict::whole(Outcome::Invalid, 1, code),
    };
    let hashes: Vec<String> = tokens.iter().map(UnverifiedSdJwt::sd_hash).collect();
    let set = sd_jwt::set(&hashes);
    let mut licences = Vec::new();
    for (query, token) in request.dcql_query.credentials.iter().zip(&tokens) {
        let judge = Judge { query, request, trust, moment, set: &set };
        licences.push(judge.licence(token, response.evidence.get(&query.id)));
    }
    if request.same_holder {
        check_same_holder(&mut licences);
    }
    conclude(licences)
}

/// One token for each query, in the order of the queries, and nothing else.
fn tokens<'a>(response: &'a Response, request: &Request) -> Result<Vec<UnverifiedSdJwt<'a>>, &'static str> {
    let queries = &request.dcql_query.credentials;
    let asked = |id: &String| queries.iter().any(|query| query.id == *id);
    if !response.vp_token.keys().chain(response.evidence.keys()).all(asked) {
        return Err("not_asked_for");
    }
    let mut tokens = Vec::new();
    for query in queries {
        let texts = response.vp_token.get(&query.id).ok_or("licence_missing")?;
        let [text] = texts.as_slice() else { return Err("licence_missing") };
        tokens.push(UnverifiedSdJwt::parse(text).map_err(|error| error.code())?);
    }
    Ok(tokens)
}

/// All licences disclose one `kanhe_hb`.
fn check_same_holder(licences: &mut [LicenceVerdict]) {
    let bindings: Vec<Option<Value>> =
        licences.iter().map(|licence| licence.claims.get(HOLDER_BINDING_CLAIM).cloned()).collect();
    for (licence, binding) in licences.iter_mut().zip(&bindings) {
        // A licence without claims is judged already, by a rule that comes no later.
        if licence.rule <= Rule(2) {
            continue;
        }
        let same = binding.is_some() && bindings.iter().flatten().all(|other| Some(other) == binding.as_ref());
        if !same {
            licence.outcome = Outcome::Invalid;
            licence.rule = Rule(1);
            licence.code = "not_same_holder".to_owned();
        }
    }
}

fn conclude(licences: Vec<LicenceVerdict>) -> Verdict {
    let worst = licences.iter().min_by_key(|licence| licence.rule);
    let (outcome, rule, code) = match worst {
        Some(worst) => (worst.outcome, worst.rule, worst.code.clone()),
        None => (Outcome::Invalid, Rule(1), "licence_missing".to_owned()),
    };
    let times: Option<Vec<TimeMs>> = licences.iter().map(|licence| licence.as_of).collect();
    let as_of = times.and_then(|times| times.into_iter().min());
    Verdict { outcome, rule, code, as_of, licences }
}

struct Judge<'a> {
    query: &'a LicenceQuery,
    request: &'a Request,
    trust: &'a Trust,
    moment: Moment,
    set: &'a str,
}

impl Judge<'_> {
    fn licence(&self, token: &UnverifiedSdJwt<'_>, stapled: Option<&Stapled>) -> LicenceVerdict {
        let mut verdict = LicenceVerdict {
            query: self.query.id.clone(),
            outcome: Outcome::Undecided,
            rule: Rule(2),
            code: String::new(),
            as_of: None,
            status: None,
            issuer: None,
            licence_type: None,
            claims: Map::new(),
        };
        let finding = self.judge(token, stapled, &mut verdict).unwrap_or_else(|finding| finding);
        verdict.outcome = finding.outcome;
        verdict.rule = Rule(finding.rule);
        verdict.code = finding.code;
        verdict
    }

    fn judge(
        &self,
        token: &UnverifiedSdJwt<'_>,
        stapled: Option<&Stapled>,
        verdict: &mut LicenceVerdict,
    ) -> Result<Finding, Finding> {
        if !token.has_key_binding() {
            return Err(invalid(SdJwtError::KeyBindingMissing.code()));
        }
        let (evidence, path) = self.evidence(stapled)?;
        let kid = token.kid();
        if kid.did.chain != self.trust.chain_ref() {
            return Err(undecided("unknown_chain"));
        }
        let key = evidence.key_entry(kid.did.uscc, kid.key).map_err(|error| undecided(error.code()))?;
        let Some(key) = key else {
            return Err(Finding { outcome: Outcome::Invalid, rule: 3, code: "key_unknown".to_owned() });
        };
        let licence = self.presentation(token, &key.key)?;
        let subject = Subject {
            issuer: licence.fixed.issuer.uscc,
            key: kid.key,
            vct: licence.fixed.vct.clone(),
            digest: licence.digest,
        };
        let facts = evidence.read(&subject, &path).map_err(|error| undecided(error.code()))?;
        self.describe(&facts, &licence, verdict);
        Ok(self.weigh(&facts, &licence, verdict))
    }

    /// Evidence under a header that trust believes.
    fn evidence(&self, stapled: Option<&Stapled>) -> Result<(Evidence, LicencePath), Finding> {
        let stapled = stapled.ok_or_else(|| undecided("evidence_missing"))?;
        let evidence = Evidence::from_bytes(&stapled.evidence).map_err(|error| undecided(error.code()))?;
        let path = codec::decode(&stapled.path, PATH_BYTES_MAX).map_err(|_| undecided("path_malformed"))?;
        self.trust.check(&evidence.certified, self.moment.now).map_err(|error| undecided(error.code()))?;
        Ok((evidence, path))
    }

    /// The licence under its issuer's key, bound to this request, and what was asked for.
    fn presentation(
        &self,
        token: &UnverifiedSdJwt<'_>,
        key: &crate::key::PublicKey,
    ) -> Result<VerifiedLicence, Finding> {
        let audience = self.request.client_id.to_string();
        let expected = ExpectedBinding { nonce: &self.request.nonce, audience: &audience, set: Some(self.set) };
        let wrong = |error: SdJwtError| invalid(error.code());
        let (licence, binding) = token.verify_presentation(key, &expected).map_err(wrong)?;
        let (made, age_max) = match self.moment.presented {
            Some(presented) => (presented, CASE_BINDING_AGE_MAX),
            None => (self.moment.now, BINDING_AGE_MAX),
        };
        binding.check_time(made, age_max, BINDING_AHEAD_MAX).map_err(wrong)?;
        if !self.query.meta.vct_values.contains(&licence.fixed.vct) {
            return Err(invalid("type_not_asked_for"));
        }
        let missing = |name: &str| !licence.claims.contains_key(name);
        if self.query.claim_names().any(missing) {
            return Err(invalid("claim_not_disclosed"));
        }
        Ok(licence)
    }

    fn describe(&self, facts: &Facts, licence: &VerifiedLicence, verdict: &mut LicenceVerdict) {
        verdict.as_of = Some(facts.as_of);
        verdict.claims = licence.claims.clone();
        verdict.issuer = facts.issuer.as_ref().map(|issuer| Issuer { uscc: issuer.uscc, names: issuer.names.clone() });
        verdict.licence_type = facts
            .licence_type
            .as_ref()
            .map(|entry| ProvedType { vct: licence.fixed.vct.to_string(), names: entry.names.clone() });
    }

    /// Rules 3 to 8.
    fn weigh(&self, facts: &Facts, licence: &VerifiedLicence, verdict: &mut LicenceVerdict) -> Finding {
        let finding = |outcome, rule, code: &str| Finding { outcome, rule, code: code.to_owned() };
        if let Some(code) = facts.not_accredited() {
            return finding(Outcome::Invalid, 3, code);
        }
        let Moment { now, at, .. } = self.moment;
        if at.is_some_and(|at| at > facts.as_of) {
            return finding(Outcome::Undecided, 2, "not_covered");
        }
        let effective = facts.status_at(at.unwrap_or(facts.as_of));
        verdict.status = Some(effective.status);
        let cause = match effective.cause {
            Cause::Licence => "licence",
            Cause::Batch => "batch",
            Cause::KeyCompromised => "key_compromised",
        };
        match effective.status {
            Status::Revoked => return finding(Outcome::Revoked, 4, cause),
            Status::Superseded => return finding(Outcome::Superseded, 4, cause),
            Status::Suspended | Status::Active => {}
        }
        let day = at.unwrap_or(now);
        if licence.fixed.expires.is_some_and(|expires| day >= expires) {
            return finding(Outcome::Expired, 5, "expired");
        }
        if licence.fixed.not_before.is_some_and(|from| day < from) {
            return finding(Outcome::NotYetValid, 5, "not_yet_valid");
        }
        if now.since(facts.as_of) > self.request.max_age_ms {
            return finding(Outcome::Undecided, 6, "stale");
        }
        if effective.status == Status::Suspended {
            return finding(Outcome::Suspended, 7, cause);
        }
        finding(Outcome::Valid, 8, "valid")
    }
}
