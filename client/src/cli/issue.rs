//! `kanhe licence issue`: from a spreadsheet to licences on the chain.

use std::path::{Path, PathBuf};

use clap::Args;
use kanhe_proto::hash::{Hash, sha256};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::limits::BATCH_COUNT_MAX;
use schemars::JsonSchema;
use serde::Serialize;

use super::licence::Acting;
use super::types::TypeSpec;
use super::{Context, abandon};
use crate::clock;
use crate::follow::Follower;
use crate::home;
use crate::issuer::{self, Definition, Issuing, LicenceEntry, Office, Register, Rows, Told};
use crate::parallel;
use crate::sheet::{self, Format, Report, Sheet};
use crate::talk::{ExitCode, Failure, Lang, Passphrase, say};
use crate::vault::Effort;
use crate::wallet::Delivery;

/// Problems of a sheet that are shown; all of them are in the file of bad rows.
const PROBLEMS_SHOWN: usize = 20;

/// Options of `licence issue`.
#[derive(Debug, Args)]
#[command(mut_arg("key", unless_abandoned))]
#[command(
    override_usage = "kanhe licence issue [OPTIONS] --type <TYPE> --key <KEYFILE> <FILE>\n       kanhe licence issue [OPTIONS] --abandon"
)]
pub struct Issue {
    /// The spreadsheet: .xlsx or CSV. Rows whose holder applied name the application; the others get pickup codes
    #[arg(required_unless_present = "abandon")]
    file: Option<PathBuf>,
    /// Type: CODE or CODE:VERSION
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "abandon")]
    licence_type: Option<TypeSpec>,
    #[command(flatten)]
    acting: Option<Acting>,
    /// File of the sealing key, to which persons seal what is in their applications; again for each older one
    #[arg(long, value_name = "KEYFILE")]
    sealing_key: Vec<PathBuf>,
    /// Folder for what the holders get, for pickup codes and for bad rows
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Checks everything and issues nothing
    #[arg(long)]
    dry_run: bool,
    /// Issues the good rows, and writes the bad ones to a file to mend
    #[arg(long)]
    skip_bad: bool,
    /// Most licences in one batch, copies counted
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(16..=i64::from(BATCH_COUNT_MAX)))]
    batch: u32,
    /// Ends the run that cannot be finished, an issue or a renewal, because its file or key is lost. What is on the chain
    /// stays, with its deliveries in --out; the rest is taken back and can be issued anew. Refused while a transaction
    /// of it may still come onto the chain
    #[arg(long, conflicts_with_all = ["file", "licence_type", "Acting", "sealing_key", "dry_run", "skip_bad", "batch"])]
    abandon: bool,
}

/// What is asked for unless a run is abandoned, which needs no key.
pub fn unless_abandoned(arg: clap::Arg) -> clap::Arg {
    arg.required(false).required_unless_present("abandon")
}

/// What issuing cannot do without.
struct Given<'a> {
    file: &'a Path,
    licence_type: &'a TypeSpec,
    acting: &'a Acting,
}

impl Issue {
    /// None: a run is to be abandoned.
    fn given(&self) -> Option<Given<'_>> {
        match (&self.file, &self.licence_type, &self.acting) {
            (Some(file), Some(licence_type), Some(acting)) if !self.abandon => {
                Some(Given { file, licence_type, acting })
            }
            _ => None,
        }
    }
}

/// Everything that a file is issued with.
struct Desk {
    definition: Definition,
    office: Office,
    follower: Follower,
    issuer_name: String,
    batch_max: usize,
}

fn desk(given: &Given<'_>, options: &Issue, passphrase: &Passphrase, context: &Context) -> Result<Desk, Failure> {
    let genesis = context.home.genesis()?;
    let entry = given.licence_type.newest(context, &genesis)?;
    let definition = Definition::of(entry, &genesis, &context.nodes()?)?;
    let mut follower = context.follower()?;
    let acting = given.acting;
    if definition.is_of_persons() && options.sealing_key.is_empty() {
        return Err(Failure::of(ExitCode::Usage, "needs_sealing_key", &[]));
    }
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, passphrase)?;
    let office = office.with_sealing(&options.sealing_key, passphrase)?;
    office.check_right(&mut follower, &definition.entry.code)?;
    let issuer_name = issuer::issuer_name(&genesis, &mut follower, office.issuer)?;
    let batch_max = options.batch.min(genesis.parameters.batch_count_max) as usize;
    Ok(Desk { definition, office, follower, issuer_name, batch_max })
}

/// Issues the rows of a file.
pub fn run(options: &Issue, context: &Context) -> Result<ExitCode, Failure> {
    let Some(given) = options.given() else { return abandon::run(&options.out, context) };
    let bytes = home::read_given(given.file, sheet::limits::FILE_BYTES_MAX as usize)?;
    let file = Hash(sha256(&[&bytes]));
    let sheet = Sheet::of_bytes(bytes).map_err(|error| error.failure(given.file))?;
    let passphrase = context.passphrase.existing()?;
    let Desk { definition, office, mut follower, issuer_name, batch_max } =
        desk(&given, options, &passphrase, context)?;
    let path = context.home.register();
    if options.dry_run && !path.exists() {
        let (report, rows) = checked(&sheet, &definition, &office, None, clock::now())?;
        return dry(&report, &rows, context);
    }
    let register = Register::open_or_create(&path, &passphrase, Effort::USUAL)?;
    let issuing = Issuing { office: &office, definition: &definition, issuer_name, register: &register, batch_max };
    let (run, rows) = match issuing.interrupted(&file)? {
        Some(run) if !options.dry_run => {
            context.output.talk(say("issue.goes_on", &[("run", &run.id)]));
            let (_, mut rows) = checked(&sheet, &definition, &office, None, TimeMs(run.started_ms))?;
            rows.bound.retain(|prepared| run.lines.binary_search(&prepared.row.line).is_ok());
            rows.awaiting.retain(|row| run.awaiting.binary_search(&row.line).is_ok());
            (run, rows)
        }
        _ => {
            let (report, rows) = checked(&sheet, &definition, &office, Some(&register), clock::now())?;
            if options.dry_run {
                return dry(&report, &rows, context);
            }
            let bad = refuse_bad(&sheet, &report, &rows, options, context)?;
            context.confirm(&question(&issuing, &rows, bad))?;
            (issuing.begin(file, &rows)?, rows)
        }
    };
    let codes = options.out.join(format!("codes-{}.csv", run.id));
    make_folder(&options.out)?;
    issuer::hand_out(&office, &definition, &register, &run, rows.awaiting, &codes)?;
    let mut progress = context.output.progress(&say("issue.progress", &[]), run.lines.len() as u64);
    let told = issuing.finish(&run, rows.bound, &mut follower, &mut progress)?;
    drop(progress);
    let deliveries = options.out.join(format!("deliveries-{}.jsonl", told.run));
    write_deliveries(&register, &register.licences_of(&told.run)?, &deliveries)?;
    register.end_run(&run)?;
    tell(&told, &deliveries, &codes, context)
}

fn question(issuing: &Issuing<'_>, rows: &Rows, bad: usize) -> String {
    let copies: usize = rows.bound.iter().map(|prepared| prepared.keys.len()).sum();
    let args: &[(&str, &dyn std::fmt::Display)] = &[
        ("count", &rows.bound.len()),
        ("copies", &copies),
        ("awaiting", &rows.awaiting.len()),
        ("type", &super::name(&issuing.definition.entry.names)),
        ("issuer", &issuing.issuer_name),
        ("bad", &bad),
    ];
    say("issue.confirm", args)
}

/// All rows against type and register, and the applications of the good ones.
fn checked(
    sheet: &Sheet,
    definition: &Definition,
    office: &Office,
    register: Option<&Register>,
    as_of: TimeMs,
) -> Result<(Report, Rows), Failure> {
    let code = &definition.entry.code;
    let mut report = sheet::check(sheet, &definition.columns, |column, value| match register {
        Some(register) if column != sheet::APPLICATION => Ok(register.user(code, column, value)?.is_some()),
        _ => Ok::<bool, Failure>(false),
    })?;
    let rows = issuer::prepare(office, definition, &mut report, register, as_of)?;
    Ok((report, rows))
}

/// What a file would bring.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DryRun {
    /// Rows below the headings.
    rows: usize,
    /// Rows that can be issued.
    good: usize,
    /// Those of them that name no application and would get pickup codes.
    awaiting: usize,
    /// Rows that cannot be issued.
    bad: usize,
}

fn dry(report: &Report, rows: &Rows, context: &Context) -> Result<ExitCode, Failure> {
    let bad = report.bad_lines().len();
    let awaiting = rows.awaiting.len();
    let told = DryRun { rows: report.rows, good: rows.len(), awaiting, bad };
    if !report.is_clean() {
        context.output.talk(report.shown(PROBLEMS_SHOWN));
    }
    let args: &[(&str, &dyn std::fmt::Display)] = &[("good", &rows.len()), ("awaiting", &awaiting), ("bad", &bad)];
    context.output.data(&told, || say("issue.dry", args))?;
    Ok(if report.is_clean() { ExitCode::Ok } else { ExitCode::Failure })
}

/// One bad row and nothing is issued, unless they are to be skipped; says how many are.
fn refuse_bad(
    sheet: &Sheet,
    report: &Report,
    rows: &Rows,
    options: &Issue,
    context: &Context,
) -> Result<usize, Failure> {
    if report.is_clean() && !rows.is_empty() {
        return Ok(0);
    }
    let bad = report.bad_lines().len();
    context.output.talk(report.shown(PROBLEMS_SHOWN));
    if report.headings_bad || rows.is_empty() || !options.skip_bad {
        return Err(Failure::of(ExitCode::Failure, "rows_bad", &[("bad", &bad), ("rows", &report.rows)]));
    }
    let extension = if sheet.format == Format::Xlsx { "xlsx" } else { "csv" };
    let path = options.out.join(format!("bad-rows-{}.{extension}", clock::now().0));
    make_folder(&options.out)?;
    sheet::write_bad_rows(sheet, report, Lang::current(), &path)?;
    context.output.talk(say("issue.bad_rows", &[("bad", &bad), ("path", &path.display())]));
    Ok(bad)
}

/// Makes a folder that the user named.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    let made = std::fs::create_dir_all(path);
    made.map_err(|error| {
        Failure::of(ExitCode::Failure, "file_not_written", &[("path", &path.display()), ("cause", &error)])
    })
}

/// A run that is finished.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Issued<'a> {
    #[serde(flatten)]
    told: &'a Told,
    /// File of what the holders get.
    deliveries: String,
    /// File of the pickup codes, if there are any.
    codes: Option<String>,
}

fn tell(told: &Told, path: &Path, codes: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let codes = (told.awaiting > 0).then(|| codes.display().to_string());
    let issued = Issued { told, deliveries: path.display().to_string(), codes };
    context.output.data(&issued, || {
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("licences", &told.licences),
            ("copies", &told.copies),
            ("batches", &told.batches.len()),
            ("path", &path.display()),
        ];
        let done = say("issue.done", args);
        let awaiting = |path: &String| say("issue.awaiting", &[("count", &told.awaiting), ("path", path)]);
        issued.codes.as_ref().map_or(done.clone(), |path| format!("{done}\n{}", awaiting(path)))
    })?;
    Ok(ExitCode::Ok)
}

/// Writes deliveries of licences, one a line; nothing of copies that are not anchored.
pub fn write_deliveries(register: &Register, licences: &[LicenceEntry], path: &Path) -> Result<(), Failure> {
    let line = |delivery: &Delivery| serde_json::to_string(delivery).map(|line| line + "\n");
    let lines = parallel::try_map(&register.deliveries(licences)?, line);
    let lines = lines.map_err(|error| Failure::reported(ExitCode::Failure, "delivery_wrong", error))?;
    home::write_private(path, lines.concat().as_bytes())
}
