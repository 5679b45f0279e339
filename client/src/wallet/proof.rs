//! What evidence says of a licence of this wallet.

use kanhe_proto::evidence::{Cause, Evidence, Facts, LicencePath, Subject as About};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::registry::Names;
use kanhe_proto::sd_jwt::{FixedClaims, UnverifiedSdJwt};
use kanhe_proto::status::Status;
use schemars::JsonSchema;
use serde::Serialize;

use super::LicenceRecord;
use crate::talk::{ExitCode, Failure, shape};

/// A licence whose issuer's signature and anchoring are proved.
#[derive(Debug)]
pub struct Subject {
    /// What is always visible of it.
    pub fixed: FixedClaims,
    /// What the chain knows of it.
    pub facts: Facts,
}

/// Proves a licence by its evidence, whose header the light client has believed already.
pub fn subject(sd_jwt: &str, path: &LicencePath, evidence: &Evidence) -> Result<Subject, Failure> {
    let wrong = |code: &str, error: &dyn std::fmt::Display| Failure::reported(ExitCode::Invalid, code, error);
    let token = UnverifiedSdJwt::parse(sd_jwt).map_err(|error| wrong(error.code(), &error))?;
    let kid = token.kid().clone();
    let key = evidence.key_entry(kid.did.uscc, kid.key).map_err(|error| wrong(error.code(), &error))?;
    let key = key.ok_or_else(|| Failure::of(ExitCode::Invalid, "issuer_key_unknown", &[("key", &kid)]))?;
    let licence = token.verify(&key.key).map_err(|error| wrong(error.code(), &error))?;
    let about = About {
        issuer: licence.fixed.issuer.uscc,
        key: kid.key,
        vct: licence.fixed.vct.clone(),
        digest: licence.digest,
    };
    let facts = evidence.read(&about, path).map_err(|error| wrong(error.code(), &error))?;
    Ok(Subject { fixed: licence.fixed, facts })
}

/// How a licence stands, as its kept evidence says.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Standing {
    /// Proved status.
    #[schemars(with = "shape::Status")]
    pub status: Status,
    /// Which level it comes from: `licence`, `batch` or `key_compromised`.
    pub cause: &'static str,
    /// Whether its last day is not over, and its first has come.
    pub in_time: bool,
    /// Time of the evidence, in milliseconds since 1970.
    #[schemars(with = "u64")]
    pub as_of: TimeMs,
    /// Who issued it.
    #[schemars(with = "Option<shape::Names>")]
    pub issuer: Option<Names>,
    /// Its type.
    #[schemars(with = "Option<shape::Names>")]
    pub licence_type: Option<Names>,
}

impl Standing {
    /// From the evidence that the wallet keeps.
    pub fn of(record: &LicenceRecord, now: TimeMs) -> Result<Self, Failure> {
        let evidence = Evidence::from_bytes(&record.evidence)
            .map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
        let subject = subject(&record.sd_jwt, &record.licence_path()?, &evidence)?;
        let effective = subject.facts.status_at(subject.facts.as_of);
        let over = subject.fixed.expires.is_some_and(|end| now >= end);
        let early = subject.fixed.not_before.is_some_and(|from| now < from);
        Ok(Self {
            status: effective.status,
            cause: match effective.cause {
                Cause::Licence => "licence",
                Cause::Batch => "batch",
                Cause::KeyCompromised => "key_compromised",
            },
            in_time: !over && !early,
            as_of: subject.facts.as_of,
            issuer: subject.facts.issuer.map(|issuer| issuer.names),
            licence_type: subject.facts.licence_type.map(|entry| entry.names),
        })
    }
    /// Good as far as known.
    pub fn is_good(&self) -> bool {
        self.status == Status::Active && self.in_time
    }
}
