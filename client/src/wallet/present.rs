//! Presenting: choose licences and claims, say exactly what leaves, bind it to who asks.

use std::collections::BTreeMap;

use kanhe_proto::ids::TimeMs;
use kanhe_proto::registry::Names;
use kanhe_proto::request::{LicenceQuery, Request};
use kanhe_proto::response::{Response, Stapled};
use kanhe_proto::sd_jwt::{self, ClaimPath, FixedClaims, Holding, KeyBinding, Presentation, Step};
use kanhe_proto::text;
use serde_json::Value;

use super::records::{KEYS, LICENCES, LOG};
use super::{LicenceRecord, LogLicence, LogRecord, ProvedRequest, Standing, Wallet};
use crate::clock;
use crate::talk::{ExitCode, Failure};

/// One licence of a presentation.
pub struct Choice {
    /// The query that it answers.
    pub query: String,
    /// The licence.
    pub record: LicenceRecord,
    /// The same, opened.
    pub holding: Holding,
    /// Claims that are chosen.
    pub paths: Vec<ClaimPath>,
}

/// What would be shown.
pub struct Plan {
    /// In the order of the queries.
    pub choices: Vec<Choice>,
}

/// A claim as it will be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Where it is.
    pub path: String,
    /// Its value.
    pub value: String,
}

impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Choice({}, {})", self.query, self.record.digest)
    }
}
impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.choices).finish()
    }
}

/// Finds a licence for each query: one named by the user if any fits, else a good one that was shown least.
fn plan(wallet: &Wallet, request: &Request, named: &[String], only: &[String], now: TimeMs) -> Result<Plan, Failure> {
    let mut opened = Vec::new();
    for record in wallet.licences()? {
        let holding = record.holding()?;
        opened.push((record, holding));
    }
    let mut choices: Vec<Choice> = Vec::new();
    for query in &request.dcql_query.credentials {
        let paths = chosen(query, request.same_holder, only)?;
        let mut fitting: Vec<&(LicenceRecord, Holding)> = opened
            .iter()
            .filter(|(_, holding)| query.meta.vct_values.contains(&holding.fixed().vct) && has_all(holding, &paths))
            .collect();
        let is_named = |record: &LicenceRecord| {
            named.iter().any(|id| !id.is_empty() && record.digest.to_string().starts_with(id.as_str()))
        };
        if fitting.iter().any(|(record, _)| is_named(record)) {
            fitting.retain(|(record, _)| is_named(record));
        }
        let unused = |record: &LicenceRecord| !choices.iter().any(|choice| choice.record.digest == record.digest);
        let best = fitting.into_iter().min_by_key(|(record, _)| {
            let good = Standing::of(record, now).is_ok_and(|standing| standing.is_good());
            (!unused(record), !good, record.shown, std::cmp::Reverse(record.taken_ms), record.digest)
        });
        let (record, holding) = best.ok_or_else(|| {
            let wanted: Vec<String> = query.meta.vct_values.iter().map(|vct| vct.code.to_string()).collect();
            Failure::of(ExitCode::Failure, "no_fitting_licence", &[("types", &wanted.join(", "))])
        })?;
        choices.push(Choice { query: query.id.clone(), record: record.clone(), holding: holding.clone(), paths });
    }
    Ok(Plan { choices })
}

/// The claims asked for, or those of them that the user names.
fn chosen(query: &LicenceQuery, same_holder: bool, only: &[String]) -> Result<Vec<ClaimPath>, Failure> {
    let asked = query.paths(same_holder);
    if only.is_empty() {
        return Ok(asked);
    }
    let kept = |path: &ClaimPath| only.iter().any(|name| path.to_string() == *name);
    Ok(asked.into_iter().filter(kept).collect())
}

/// Refuses names that no query asks for: they would be shown to nobody's need.
fn check_only(request: &Request, only: &[String]) -> Result<(), Failure> {
    let queries = &request.dcql_query.credentials;
    let asked: Vec<String> =
        queries.iter().flat_map(|query| query.paths(request.same_holder)).map(|path| path.to_string()).collect();
    match only.iter().find(|name| !asked.contains(name)) {
        Some(name) => Err(Failure::of(ExitCode::Usage, "claim_not_asked", &[("claim", name)])),
        None => Ok(()),
    }
}

fn has_all(holding: &Holding, paths: &[ClaimPath]) -> bool {
    let claims = Value::Object(holding.claims().clone());
    paths.iter().all(|path| !path.resolve(&claims).is_empty())
}

impl Choice {
    /// The same once more.
    pub fn again(&self) -> Self {
        let (record, holding) = (self.record.clone(), self.holding.clone());
        Self { query: self.query.clone(), record, holding, paths: self.paths.clone() }
    }
    /// The paths that will be disclosed, with what they drag along.
    pub fn disclosed(&self) -> Result<Vec<ClaimPath>, Failure> {
        let selection = self.holding.selection(&self.paths).map_err(wrong)?;
        Ok(selection.into_iter().cloned().collect())
    }
    /// Every claim that the relying party will see, but for those of the protocol.
    pub fn shown(&self) -> Result<Vec<Shown>, Failure> {
        let disclosed = self.disclosed()?;
        let hideable: Vec<&ClaimPath> = self.holding.disclosable().collect();
        let claims = self.holding.claims();
        let mut shown = Vec::new();
        for (name, value) in claims {
            let path = ClaimPath::name(name);
            let fixed = FixedClaims::NAMES.contains(&name.as_str());
            // What cannot be kept back is seen as well.
            if !fixed && (!hideable.contains(&&path) || disclosed.contains(&path)) {
                see(value, &path, &hideable, &disclosed, &mut shown);
            }
        }
        Ok(shown)
    }
    /// The presentation, not yet bound.
    fn presentation(&self) -> Result<Presentation, Failure> {
        self.holding.present(&self.paths).map_err(wrong)
    }
}

/// The leaves of a claim that will be seen.
fn see(value: &Value, path: &ClaimPath, hideable: &[&ClaimPath], disclosed: &[ClaimPath], shown: &mut Vec<Shown>) {
    let visible = |path: &ClaimPath| !hideable.contains(&path) || disclosed.contains(path);
    let children: Vec<(ClaimPath, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, value)| (path.join(name.as_str()), value)).collect(),
        Value::Array(array) => (0..).zip(array).map(|(at, value)| (path.join(Step::Index(at)), value)).collect(),
        leaf => {
            let value = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
            shown.push(Shown { path: path.to_string(), value });
            return;
        }
    };
    for (path, value) in children.iter().filter(|(path, _)| visible(path)) {
        see(value, path, hideable, disclosed, shown);
    }
}

fn wrong(error: sd_jwt::SdJwtError) -> Failure {
    Failure::reported(ExitCode::Failure, error.code(), error)
}

impl Wallet {
    /// What would be shown for a request; `named` licences first, `only` these of the claims asked for.
    pub fn plan(&self, request: &Request, named: &[String], only: &[String], now: TimeMs) -> Result<Plan, Failure> {
        check_only(request, only)?;
        plan(self, request, named, only, now)
    }

    /// Binds the presentation under each licence's key, gives it its `form`, and writes it to the log; only then it may
    /// leave. A response that has no such form was not shown: it leaves log and copies as they were.
    pub fn present<T>(
        &self,
        plan: &Plan,
        proved: &ProvedRequest,
        now: TimeMs,
        form: impl FnOnce(Response) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let names = proved.party.as_ref().map(|party| party.names.clone());
        self.present_to(plan, &proved.request, names, now, form)
    }

    /// The same for a request that is proved elsewhere, as that which stands in a registered item; `names` are of who asks.
    pub fn present_to<T>(
        &self,
        plan: &Plan,
        request: &Request,
        names: Option<Names>,
        now: TimeMs,
        form: impl FnOnce(Response) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let presentations = plan.choices.iter().map(Choice::presentation).collect::<Result<Vec<_>, _>>()?;
        let hashes: Vec<String> = presentations.iter().map(Presentation::sd_hash).collect();
        let binding = KeyBinding {
            nonce: request.nonce.clone(),
            audience: request.client_id.to_string(),
            issued_at: now,
            set: Some(sd_jwt::set(&hashes)),
        };
        let mut response = Response { vp_token: BTreeMap::new(), evidence: BTreeMap::new() };
        let mut logged = Vec::new();
        for (choice, presentation) in plan.choices.iter().zip(&presentations) {
            let key = self.vault.get(&KEYS, &choice.holding.fixed().holder.id().to_string())?;
            let key = key.ok_or_else(|| Failure::of(ExitCode::Failure, "not_our_key", &[]))?;
            let token = presentation.bind(&binding, &key.seed.key()).map_err(wrong)?;
            response.vp_token.insert(choice.query.clone(), vec![token]);
            let (evidence, path) = (choice.record.evidence.clone(), choice.record.path.clone());
            response.evidence.insert(choice.query.clone(), Stapled { evidence, path });
            logged.push(LogLicence {
                digest: choice.record.digest,
                vct: choice.holding.fixed().vct.clone(),
                claims: choice.disclosed()?,
            });
        }
        let formed = form(response)?;
        let record = LogRecord {
            time_ms: now.0,
            relying_party: request.client_id.clone(),
            names,
            purpose: request.purpose.clone(),
            nonce: request.nonce.clone(),
            licences: logged,
        };
        self.note(plan, &record)?;
        Ok(formed)
    }

    fn note(&self, plan: &Plan, record: &LogRecord) -> Result<(), Failure> {
        let now = record.time_ms;
        let row = format!("{now:020}-{}", text::hex(&clock::random::<4>()?));
        self.vault.write::<_, Failure>(|transaction| {
            transaction.put(&LOG, &row, record)?;
            for choice in &plan.choices {
                let digest = choice.record.digest.to_string();
                if let Some(mut kept) = transaction.get(&LICENCES, &digest)? {
                    kept.shown += 1;
                    transaction.put(&LICENCES, &digest, &kept)?;
                }
            }
            Ok(())
        })
    }
}
