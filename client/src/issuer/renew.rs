//! Renewals: the next version of a licence, and the end of the one before, in one transaction.

use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::LicenceNumber;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::Signer as _;
use kanhe_proto::sd_jwt::{HOLDER_BINDING_CLAIM, Holding};
use kanhe_proto::text;
use serde_json::Value;

use super::journal::{anchor, supersede};
use super::prepare::bind;
use super::{Issuing, LicenceEntry, Office, Prepared, Register, Run, Told};
use crate::clock;
use crate::follow::Follower;
use crate::sheet::{self, Format, Sheet, Writer};
use crate::talk::{ExitCode, Failure, Progress};

/// Most copies superseded by one transaction, so that several fit a block beside what others send.
const SUPERSEDED_MAX: usize = 500;
/// Problems that are shown.
const PROBLEMS_SHOWN: usize = 20;

/// Refuses if any copy of any licence is not active, as proved now.
pub fn check_active(
    office: &Office,
    register: &Register,
    follower: &mut Follower,
    licences: &[LicenceEntry],
) -> Result<(), Failure> {
    for licence in licences {
        if licence.replaced {
            return Err(Failure::of(ExitCode::Refused, "renew_superseded", &[("number", &licence.number)]));
        }
        supersede(office, register, follower, std::slice::from_ref(&licence.number))?;
    }
    Ok(())
}

/// What the next version of a licence says: the claims of this one but for those named, checked as a row of a sheet
/// is. It is bound to the same keys, unless its holder applied anew.
pub fn renewal(
    issuing: &Issuing<'_>,
    old: &LicenceEntry,
    set: &[(String, String)],
    application: Option<&str>,
    as_of: TimeMs,
) -> Result<Prepared, Failure> {
    let next = old.number.next_version();
    let next = next.ok_or_else(|| Failure::of(ExitCode::Failure, "renew_last", &[("number", &old.number)]))?;
    let row = row(issuing, old, set)?;
    let prepared = match application {
        Some(text) => {
            let bound = bind(issuing.office, issuing.definition, row, text, as_of);
            let bound = bound.map_err(|fault| Failure::reported(ExitCode::Failure, fault.code(), fault.message()))?;
            let used = issuing.register.of_application(&bound.application())?;
            if used.is_some_and(|number| number != old.number) {
                return Err(Failure::of(ExitCode::Failure, "application_used", &[]));
            }
            bound
        }
        None => {
            let binding = old.claims.get(HOLDER_BINDING_CLAIM).and_then(Value::as_str).map(str::to_owned);
            Prepared { row, number: None, replaces: None, keys: keys(old)?, binding }
        }
    };
    Ok(Prepared { number: Some(next), replaces: Some(old.number.clone()), ..prepared })
}

/// The keys of a licence's copies.
fn keys(licence: &LicenceEntry) -> Result<Vec<kanhe_proto::key::PublicKey>, Failure> {
    let key = |sd_jwt: &str| Holding::open(sd_jwt).map(|holding| holding.fixed().holder.clone());
    let keys = licence.copies.iter().map(|copy| key(&copy.sd_jwt)).collect::<Result<_, _>>();
    keys.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))
}

/// The claims as a row of a sheet, so that they are judged by the same rules.
fn row(issuing: &Issuing<'_>, old: &LicenceEntry, set: &[(String, String)]) -> Result<sheet::Row, Failure> {
    let columns = &issuing.definition.columns;
    let claims = || columns.list().iter().filter(|column| column.claim);
    if let Some((code, _)) = set.iter().find(|(code, _)| !claims().any(|column| column.code == *code)) {
        return Err(Failure::of(ExitCode::Usage, "renew_no_claim", &[("claim", code)]));
    }
    let value = |code: &str| {
        let new = set.iter().rev().find(|(name, _)| name == code).map(|(_, value)| value.clone());
        new.unwrap_or_else(|| old.claim(code).to_owned())
    };
    let mut writer = Writer::new(Format::Csv, claims().map(|column| column.code.clone()).collect());
    writer.row(claims().map(|column| value(&column.code)).collect());
    let bytes = writer.bytes().map_err(|error| Failure::reported(ExitCode::Failure, "claims_wrong", error))?;
    let read = Sheet::of_bytes(bytes).map_err(|error| Failure::reported(ExitCode::Failure, "claims_wrong", error))?;
    let code = &old.vct.code;
    let mut report = sheet::check(&read, columns, |column, value| {
        let user = issuing.register.user(code, column, value)?;
        Ok::<bool, Failure>(user.is_some_and(|number| number.serial() != old.number.serial()))
    })?;
    match report.good.pop() {
        Some(row) if report.is_clean() => Ok(sheet::Row { application: None, ..row }),
        _ => {
            let problems = report.shown(PROBLEMS_SHOWN);
            let args: &[(&str, &dyn std::fmt::Display)] = &[("number", &old.number), ("problems", &problems)];
            Err(Failure::of(ExitCode::Failure, "renew_bad", args))
        }
    }
}

/// A run of `licence renew`.
#[derive(Debug)]
pub struct Renewing<'a>(pub &'a Issuing<'a>);

impl Renewing<'_> {
    /// Begins a run; what is renewed is fixed from here on.
    pub fn begin(&self, what: Hash, numbers: Vec<LicenceNumber>) -> Result<Run, Failure> {
        let issuing = self.0;
        let run = Run {
            id: text::hex(&clock::random::<8>()?),
            file: what,
            vct: issuing.definition.vct(),
            key: issuing.office.key.public_key().id(),
            lines: Vec::new(),
            awaiting: Vec::new(),
            renews: numbers,
            started_ms: clock::now().0,
            finished: false,
            abandoned: false,
        };
        issuing.register.put_run(&run)?;
        Ok(run)
    }

    /// Renews whatever of the run is not renewed yet; `prepare` makes the next version of a licence. Like a run that
    /// issues, it ends once what the holders get is written.
    pub fn finish(
        &self,
        run: &Run,
        mut prepare: impl FnMut(&LicenceEntry) -> Result<Prepared, Failure>,
        follower: &mut Follower,
        progress: &mut Progress,
    ) -> Result<Told, Failure> {
        let Issuing { office, register, .. } = *self.0;
        let mut batches = Vec::new();
        for batch in register.batches_of(&run.id)? {
            batches.push(self.anchored(run, anchor(office, register, follower, batch))?);
        }
        let mut left = Vec::new();
        for number in &run.renews {
            let licence = register.licence(number)?;
            let licence = licence.ok_or_else(|| Failure::of(ExitCode::Failure, "run_rows", &[("run", &run.id)]))?;
            if !licence.replaced {
                left.push(licence);
            }
        }
        progress.add((run.renews.len() - left.len()) as u64);
        while !left.is_empty() {
            let rest = left.split_off(portion(&left, self.0.batch_max.min(SUPERSEDED_MAX)));
            let rows = left.iter().map(&mut prepare).collect::<Result<Vec<_>, _>>()?;
            let place = u32::try_from(batches.len()).expect("fewer batches than licences");
            let anchored = self.0.plan(&run.id, place, &rows, follower);
            let anchored = anchored.and_then(|batch| anchor(office, register, follower, batch));
            batches.push(self.anchored(run, anchored)?);
            progress.add(left.len() as u64);
            left = rest;
        }
        let copies = batches.iter().map(|batch| batch.leaves.len()).sum();
        let batches = batches.iter().filter_map(|batch| batch.anchored).collect();
        Ok(Told { run: run.id.clone(), licences: run.renews.len(), copies, batches, awaiting: 0 })
    }

    /// A licence that somebody revoked or suspended meanwhile ends the run: it cannot be finished as it was meant.
    fn anchored(&self, run: &Run, batch: Result<super::BatchEntry, Failure>) -> Result<super::BatchEntry, Failure> {
        if let Err(failure) = &batch
            && ["renew_suspended", "status_final"].contains(&failure.code.as_str())
        {
            self.0.register.end_run(run)?;
        }
        batch
    }
}

/// How many licences fill a transaction.
fn portion(licences: &[LicenceEntry], copies_max: usize) -> usize {
    let mut copies = 0;
    let fits = licences.iter().take_while(|licence| {
        // The next version has as many copies, unless its holder applied anew, and then it is the only one.
        copies += licence.copies.len();
        copies <= copies_max
    });
    fits.count().max(1)
}
