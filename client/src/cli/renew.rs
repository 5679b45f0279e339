//! `kanhe licence renew`.

use std::path::{Path, PathBuf};

use clap::Args;
use kanhe_proto::application::APPLICATION_BYTES_MAX;
use kanhe_proto::hash::{Hash, sha256};
use kanhe_proto::ids::TimeMs;
use schemars::JsonSchema;
use serde::Serialize;

use super::licence::{self, Acting, Selection};
use super::{Context, abandon, issue};
use crate::clock;
use crate::home;
use crate::issuer::{self, Definition, Issuing, LicenceEntry, Office, Prepared, Register, Renewing, Run, Told};
use crate::talk::{ExitCode, Failure, say};

/// Options of `licence renew`.
#[derive(Debug, Args)]
#[command(mut_arg("key", issue::unless_abandoned))]
#[command(
    override_usage = "kanhe licence renew [OPTIONS] --key <KEYFILE> [QUERY]\n       kanhe licence renew [OPTIONS] --abandon"
)]
#[command(mut_arg("query", |arg| arg.required(false).required_unless_present_any(["file", "abandon"])))]
pub struct Renew {
    #[command(flatten)]
    selection: Option<Selection>,
    /// A claim of the new version, as CODE=VALUE; all others stay as they are. An empty value takes it out
    #[arg(long, value_name = "CODE=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// File with the holder's new application: binds the new version to its keys; otherwise the keys stay
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    application: Option<PathBuf>,
    /// File of the sealing key, to which a person sealed what is in the new application
    #[arg(long, value_name = "KEYFILE")]
    sealing_key: Vec<PathBuf>,
    /// Folder for what the holders get
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[command(flatten)]
    acting: Option<Acting>,
    /// Ends the run that cannot be finished, an issue or a renewal; see `kanhe licence issue --help`
    #[arg(long, conflicts_with_all = ["Selection", "Acting", "set", "application", "sealing_key"])]
    abandon: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((code, value)) if !code.is_empty() => Ok((code.to_owned(), value.to_owned())),
        _ => Err("CODE=VALUE".to_owned()),
    }
}

/// Names what is done, so that a run that was cut off is gone on with only by the same command.
#[derive(Serialize)]
struct What<'a> {
    queries: &'a [String],
    set: &'a [(String, String)],
    application: Option<&'a str>,
}

/// Issues the next version of licences and supersedes the one before, both in one transaction.
pub fn run(options: &Renew, context: &Context) -> Result<ExitCode, Failure> {
    let (Some(selection), Some(acting)) = (&options.selection, &options.acting) else {
        return abandon::run(&options.out, context);
    };
    let passphrase = context.passphrase.existing()?;
    let application = options.application.as_ref().map(|path| home::read_text(path, APPLICATION_BYTES_MAX + 2));
    let application = application.transpose()?;
    let queries = selection.queries()?;
    let what = What { queries: &queries, set: &options.set, application: application.as_deref() };
    let what = serde_json::to_vec(&what).map_err(|error| Failure::reported(ExitCode::Failure, "renew_bad", error))?;
    let what = Hash(sha256(&[b"renew", &what]));

    let register = licence::open(context, &passphrase)?;
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, &passphrase)?;
    let office = office.with_sealing(&options.sealing_key, &passphrase)?;
    let running = register.running()?;
    let licences = match &running {
        Some(run) if run.file == what => of_run(&register, run)?,
        Some(run) => {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("run", &run.id), ("file", &run.file)];
            return Err(Failure::of(ExitCode::Failure, "run_in_progress", args));
        }
        None => {
            // What is renewed may be in any of them.
            if let Some(left) = issuer::anchor_open(&office, &register, &mut follower)?.into_iter().next() {
                return Err(left.why);
            }
            selection.licences(&register)?
        }
    };
    let definition = definition(&licences, &office, &genesis, &mut follower)?;
    let issuer_name = issuer::issuer_name(&genesis, &mut follower, office.issuer)?;
    let batch_max = genesis.parameters.batch_count_max as usize;
    let issuing = Issuing { office: &office, definition: &definition, issuer_name, register: &register, batch_max };
    let run = match running {
        Some(run) => {
            context.output.talk(say("issue.goes_on", &[("run", &run.id)]));
            run
        }
        None => {
            if application.is_some() && licences.len() != 1 {
                let query = queries.join(", ");
                let args: &[(&str, &dyn std::fmt::Display)] = &[("query", &query), ("count", &licences.len())];
                return Err(Failure::of(ExitCode::Usage, "register_ambiguous", args));
            }
            issuer::check_active(&office, &register, &mut follower, &licences)?;
            // All of them can be made before any is.
            for licence in &licences {
                next(&issuing, licence, options, application.as_deref(), clock::now())?;
            }
            licence::show_some(&register, &licences, context)?;
            context.confirm(&say("renew.confirm", &[("count", &licences.len())]))?;
            let numbers = licences.iter().map(|licence| licence.number.clone()).collect();
            Renewing(&issuing).begin(what, numbers)?
        }
    };
    let mut progress = context.output.progress(&say("renew.progress", &[]), run.renews.len() as u64);
    let started = TimeMs(run.started_ms);
    let prepare = |licence: &LicenceEntry| next(&issuing, licence, options, application.as_deref(), started);
    let told = Renewing(&issuing).finish(&run, prepare, &mut follower, &mut progress)?;
    drop(progress);
    issue::make_folder(&options.out)?;
    let path = options.out.join(format!("deliveries-{}.jsonl", told.run));
    let licences = register.licences_of(&told.run)?;
    issue::write_deliveries(&register, &licences, &path)?;
    register.end_run(&run)?;
    tell(&told, &licences, &path, context)
}

fn next(
    issuing: &Issuing<'_>,
    licence: &LicenceEntry,
    options: &Renew,
    application: Option<&str>,
    as_of: TimeMs,
) -> Result<Prepared, Failure> {
    issuer::renewal(issuing, licence, &options.set, application, as_of)
}

fn of_run(register: &Register, run: &Run) -> Result<Vec<LicenceEntry>, Failure> {
    let found = run.renews.iter().map(|number| register.licence(number));
    Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// The type of all licences; a batch has one.
fn definition(
    licences: &[LicenceEntry],
    office: &Office,
    genesis: &kanhe_proto::genesis::Genesis,
    follower: &mut crate::follow::Follower,
) -> Result<Definition, Failure> {
    let first = licences.first().ok_or_else(|| Failure::of(ExitCode::Usage, "renew_none", &[]))?;
    licence::check_own(licences, office)?;
    if let Some(other) = licences.iter().find(|licence| licence.vct != first.vct) {
        let args: &[(&str, &dyn std::fmt::Display)] = &[("one", &first.vct), ("other", &other.vct)];
        return Err(Failure::of(ExitCode::Usage, "renew_one_type", args));
    }
    office.check_right(follower, &first.vct.code)?;
    Definition::fetch(&first.vct, genesis, follower)
}

/// A renewal that is finished.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Renewed<'a> {
    #[serde(flatten)]
    told: &'a Told,
    /// The new versions.
    numbers: Vec<String>,
    /// File of what their holders get.
    deliveries: String,
}

fn tell(told: &Told, licences: &[LicenceEntry], path: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let numbers = licences.iter().map(|licence| licence.number.to_string()).collect();
    let renewed = Renewed { told, numbers, deliveries: path.display().to_string() };
    context.output.data(&renewed, || {
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("licences", &told.licences), ("copies", &told.copies), ("path", &path.display())];
        say("renew.done", args)
    })?;
    Ok(ExitCode::Ok)
}
