//! `kanhe licence`: the issuing bureau's side.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kanhe_proto::hash::{Hash, sha256};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::limits::BATCH_COUNT_MAX;
use kanhe_proto::status::{Reason, Status};
use serde::Serialize;

use super::types::TypeSpec;
use super::{Context, show};
use crate::clock;
use crate::follow::Follower;
use crate::home;
use crate::issuer::{self, Act, Definition, Issuing, LicenceEntry, Office, Prepared, Register, Told};
use crate::sheet::{self, Format, Report, Sheet};
use crate::talk::{ExitCode, Failure, Lang, Passphrase, Table, moment, say};
use crate::vault::Effort;

/// Problems of a sheet that are shown; all of them are in the file of bad rows.
const PROBLEMS_SHOWN: usize = 20;
/// Licences named in a question; beyond that only their number is given.
const NAMED_MAX: usize = 20;
/// Longest file of queries, in bytes.
const QUERIES_BYTES_MAX: usize = 16 << 20;

/// The issuing bureau.
#[derive(Debug, Subcommand)]
pub enum Licence {
    /// Issues a licence for every row of a spreadsheet that names its holder's application
    Issue(Issue),
    /// Writes a spreadsheet to fill in, with an example row
    Template {
        /// Type: CODE or CODE:VERSION
        #[arg(long = "type", value_name = "TYPE")]
        licence_type: TypeSpec,
        /// File to write: .xlsx or .csv
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Finds licences in the register: by number, certificate number, holder's code, or part of the holder's name
    Find {
        /// What to look for
        query: String,
    },
    /// Shows licences with all their claims and their proved status
    Show {
        /// What to look for
        query: String,
        /// Writes what the holder gets, for `wallet import`
        #[arg(long, value_name = "FILE")]
        delivery: Option<PathBuf>,
    },
    /// Suspends licences: not to be relied on for now
    Suspend(Change),
    /// Makes suspended licences good again
    Reinstate(Change),
    /// Revokes licences for good
    Revoke(Change),
    /// Suspends all licences of a holder who reports a loss
    Loss {
        /// The holder's code: USCC or id number
        #[arg(long, value_name = "CODE")]
        holder: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Compares the chain's batches under the bureau's name with the register
    Batches {
        /// The bureau
        #[arg(long, value_name = "USCC")]
        issuer: Uscc,
        /// First record of the log to look at
        #[arg(long, value_name = "INDEX", default_value_t = 0)]
        from: u64,
    },
}

/// Who acts.
#[derive(Debug, Args)]
pub struct Acting {
    /// File of the issuing key
    #[arg(long, value_name = "KEYFILE")]
    key: PathBuf,
    /// The bureau, if its key was registered after genesis
    #[arg(long = "as", value_name = "USCC")]
    issuer: Option<Uscc>,
}

/// Options of `licence issue`.
#[derive(Debug, Args)]
pub struct Issue {
    /// The spreadsheet: .xlsx or CSV, with a column for the applications
    file: PathBuf,
    /// Type: CODE or CODE:VERSION
    #[arg(long = "type", value_name = "TYPE")]
    licence_type: TypeSpec,
    #[command(flatten)]
    acting: Acting,
    /// File of the sealing key, to which persons seal what is in their applications
    #[arg(long, value_name = "KEYFILE")]
    sealing_key: Option<PathBuf>,
    /// Folder for what the holders get and for bad rows
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
}

/// Options of a change of status.
#[derive(Debug, Args)]
pub struct Change {
    /// What to look for: number, certificate number, holder's code, or part of the holder's name
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    query: Option<String>,
    /// One a line; each must mean exactly one licence
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The holder asked for it, not the bureau
    #[arg(long)]
    for_holder: bool,
    #[command(flatten)]
    acting: Acting,
}

/// Runs a command of the group.
pub fn run(command: Licence, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Licence::Issue(options) => issue(&options, context),
        Licence::Template { licence_type, out } => template(&licence_type, &out, context),
        Licence::Find { query } => find(&query, context),
        Licence::Show { query, delivery } => show_all(&query, delivery.as_deref(), context),
        Licence::Suspend(options) => change(&options, Status::Suspended, context),
        Licence::Reinstate(options) => change(&options, Status::Active, context),
        Licence::Revoke(options) => change(&options, Status::Revoked, context),
        Licence::Loss { holder, acting } => loss(&holder, &acting, context),
        Licence::Batches { issuer, from } => batches(issuer, LogIndex(from), context),
    }
}

/// The format that a file's name calls for.
pub fn format_of(path: &Path) -> Result<Format, Failure> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("xlsx") => Ok(Format::Xlsx),
        Some("csv") => Ok(Format::Csv),
        _ => Err(Failure::of(ExitCode::Usage, "sheet_format", &[("path", &path.display())])),
    }
}

fn template(spec: &TypeSpec, out: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let entry = spec.newest(context, &genesis)?;
    let definition = Definition::of(entry, &genesis, &context.nodes()?)?;
    sheet::template(&definition.columns, format_of(out)?, Lang::current()).save(out)?;
    let told = serde_json::json!({ "file": out.display().to_string() });
    context.output.data(&told, || say("issue.template", &[("path", &out.display())]))?;
    Ok(ExitCode::Ok)
}

/// Everything that a file is issued with.
struct Desk {
    definition: Definition,
    office: Office,
    follower: Follower,
    issuer_name: String,
    batch_max: usize,
}

fn desk(options: &Issue, passphrase: &Passphrase, context: &Context) -> Result<Desk, Failure> {
    let genesis = context.home.genesis()?;
    let entry = options.licence_type.newest(context, &genesis)?;
    let definition = Definition::of(entry, &genesis, &context.nodes()?)?;
    let mut follower = context.follower()?;
    let acting = &options.acting;
    let mut office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, passphrase)?;
    match &options.sealing_key {
        Some(path) => office = office.with_sealing(path, passphrase)?,
        None if definition.is_of_persons() => return Err(Failure::of(ExitCode::Usage, "needs_sealing_key", &[])),
        None => {}
    }
    office.check_right(&mut follower, &definition.entry.code)?;
    let issuer_name = issuer::issuer_name(&genesis, &mut follower, office.issuer)?;
    let batch_max = options.batch.min(genesis.parameters.batch_count_max) as usize;
    Ok(Desk { definition, office, follower, issuer_name, batch_max })
}

fn issue(options: &Issue, context: &Context) -> Result<ExitCode, Failure> {
    let bytes = home::read_given(&options.file, sheet::limits::FILE_BYTES_MAX as usize)?;
    let file = Hash(sha256(&[&bytes]));
    let sheet = Sheet::of_bytes(bytes).map_err(|error| error.failure(&options.file))?;
    let passphrase = context.passphrase.existing()?;
    let Desk { definition, office, mut follower, issuer_name, batch_max } = desk(options, &passphrase, context)?;
    let path = context.home.register();
    if options.dry_run && !path.exists() {
        let (report, prepared) = checked(&sheet, &definition, &office, None, clock::now())?;
        return dry(&report, &prepared, context);
    }
    let register = Register::open_or_create(&path, &passphrase, Effort::USUAL)?;
    let issuing = Issuing { office: &office, definition: &definition, issuer_name, register: &register, batch_max };
    let (run, prepared) = match issuing.interrupted(&file)? {
        Some(run) if !options.dry_run => {
            context.output.talk(say("issue.goes_on", &[("run", &run.id)]));
            let (_, prepared) = checked(&sheet, &definition, &office, None, TimeMs(run.started_ms))?;
            let of_run = |prepared: &Prepared| run.lines.binary_search(&prepared.row.line).is_ok();
            let prepared = prepared.into_iter().filter(of_run).collect();
            (run, prepared)
        }
        _ => {
            let (report, prepared) = checked(&sheet, &definition, &office, Some(&register), clock::now())?;
            if options.dry_run {
                return dry(&report, &prepared, context);
            }
            let bad = refuse_bad(&sheet, &report, &prepared, options, context)?;
            let copies: usize = prepared.iter().map(|prepared| prepared.keys.len()).sum();
            let args: &[(&str, &dyn std::fmt::Display)] = &[
                ("count", &prepared.len()),
                ("copies", &copies),
                ("type", &super::name(&definition.entry.names)),
                ("issuer", &issuing.issuer_name),
                ("bad", &bad),
            ];
            context.confirm(&say("issue.confirm", args))?;
            (issuing.begin(file, &prepared)?, prepared)
        }
    };
    let mut progress = context.output.progress(&say("issue.progress", &[]), run.lines.len() as u64);
    let told = issuing.finish(&run, prepared, &mut follower, &mut progress)?;
    drop(progress);
    deliver(&told, &register, &options.out, context)
}

/// All rows against type and register, and the applications of the good ones.
fn checked(
    sheet: &Sheet,
    definition: &Definition,
    office: &Office,
    register: Option<&Register>,
    as_of: TimeMs,
) -> Result<(Report, Vec<Prepared>), Failure> {
    let code = &definition.entry.code;
    let mut report = sheet::check(sheet, &definition.columns, |column, value| match register {
        Some(register) if column != sheet::APPLICATION => register.knows(code, column, value),
        _ => Ok::<bool, Failure>(false),
    })?;
    let prepared = issuer::prepare(office, definition, &mut report, register, as_of)?;
    Ok((report, prepared))
}

fn dry(report: &Report, prepared: &[Prepared], context: &Context) -> Result<ExitCode, Failure> {
    let bad = report.bad_lines().len();
    let told = serde_json::json!({ "rows": report.rows, "good": prepared.len(), "bad": bad });
    if !report.is_clean() {
        context.output.talk(report.shown(PROBLEMS_SHOWN));
    }
    context.output.data(&told, || say("issue.dry", &[("good", &prepared.len()), ("bad", &bad)]))?;
    Ok(if report.is_clean() { ExitCode::Ok } else { ExitCode::Failure })
}

/// One bad row and nothing is issued, unless they are to be skipped; says how many are.
fn refuse_bad(
    sheet: &Sheet,
    report: &Report,
    prepared: &[Prepared],
    options: &Issue,
    context: &Context,
) -> Result<usize, Failure> {
    if report.is_clean() && !prepared.is_empty() {
        return Ok(0);
    }
    let bad = report.bad_lines().len();
    context.output.talk(report.shown(PROBLEMS_SHOWN));
    if report.headings_bad || prepared.is_empty() || !options.skip_bad {
        return Err(Failure::of(ExitCode::Failure, "rows_bad", &[("bad", &bad), ("rows", &report.rows)]));
    }
    let extension = if sheet.format == Format::Xlsx { "xlsx" } else { "csv" };
    let path = options.out.join(format!("bad-rows-{}.{extension}", clock::now().0));
    make_folder(&options.out)?;
    sheet::write_bad_rows(sheet, report, Lang::current(), &path)?;
    context.output.talk(say("issue.bad_rows", &[("bad", &bad), ("path", &path.display())]));
    Ok(bad)
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    let made = std::fs::create_dir_all(path);
    made.map_err(|error| {
        Failure::of(ExitCode::Failure, "file_not_written", &[("path", &path.display()), ("cause", &error)])
    })
}

#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    told: &'a Told,
    deliveries: String,
}

/// Writes what the holders get: one delivery a line.
fn deliver(told: &Told, register: &Register, out: &Path, context: &Context) -> Result<ExitCode, Failure> {
    make_folder(out)?;
    let path = out.join(format!("deliveries-{}.jsonl", told.run));
    write_deliveries(register, &register.licences_of(&told.run)?, &path)?;
    let issued = Issued { told, deliveries: path.display().to_string() };
    context.output.data(&issued, || {
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("licences", &told.licences),
            ("copies", &told.copies),
            ("batches", &told.batches.len()),
            ("path", &path.display()),
        ];
        say("issue.done", args)
    })?;
    Ok(ExitCode::Ok)
}

fn write_deliveries(register: &Register, licences: &[LicenceEntry], path: &Path) -> Result<(), Failure> {
    let mut lines = String::new();
    for delivery in register.deliveries(licences)? {
        let line = serde_json::to_string(&delivery);
        lines.push_str(&line.map_err(|error| Failure::reported(ExitCode::Failure, "delivery_wrong", error))?);
        lines.push('\n');
    }
    home::write_private(path, lines.as_bytes())
}

fn open(context: &Context, passphrase: &Passphrase) -> Result<Register, Failure> {
    Register::open(&context.home.register(), passphrase)
}

#[derive(Serialize)]
struct Line {
    number: String,
    vct: String,
    holder: String,
    code: String,
    copies: usize,
    anchored: bool,
    signed_ms: u64,
}

fn lines(register: &Register, licences: &[LicenceEntry]) -> Result<Vec<Line>, Failure> {
    let line = |licence: &LicenceEntry| {
        let anchored = match licence.copies.first() {
            Some(copy) => register.path(&copy.digest)?.is_some(),
            None => false,
        };
        Ok(Line {
            number: licence.number.to_string(),
            vct: licence.vct.to_string(),
            holder: licence.claim("CZZT").to_owned(),
            code: licence.claim("CZZTDM").to_owned(),
            copies: licence.copies.len(),
            anchored,
            signed_ms: licence.signed_ms,
        })
    };
    licences.iter().map(line).collect()
}

fn table(lines: &[Line]) -> String {
    if lines.is_empty() {
        return say("issue.none", &[]);
    }
    let now = clock::now().0;
    let mut table = Table::new(&[
        say("issue.column_number", &[]),
        say("issue.column_holder", &[]),
        say("issue.column_code", &[]),
        say("issue.column_copies", &[]),
        say("issue.column_signed", &[]),
        say("issue.column_anchored", &[]),
    ]);
    for line in lines {
        let anchored = if line.anchored { say("issue.anchored", &[]) } else { say("issue.not_anchored", &[]) };
        let signed = moment(line.signed_ms, now);
        let cells = [&line.number, &line.holder, &line.code, &line.copies.to_string(), &signed, &anchored];
        table.row(&cells);
    }
    table.to_string()
}

fn find(query: &str, context: &Context) -> Result<ExitCode, Failure> {
    let register = open(context, &context.passphrase.existing()?)?;
    let found = lines(&register, &register.find(query)?)?;
    context.output.data(&found, || table(&found))?;
    Ok(ExitCode::Ok)
}

fn some(register: &Register, query: &str) -> Result<Vec<LicenceEntry>, Failure> {
    let found = register.find(query)?;
    if found.is_empty() {
        return Err(Failure::of(ExitCode::Usage, "not_in_register", &[("query", &query)]));
    }
    Ok(found)
}

fn show_all(query: &str, delivery: Option<&Path>, context: &Context) -> Result<ExitCode, Failure> {
    let register = open(context, &context.passphrase.existing()?)?;
    let licences = some(&register, query)?;
    let mut follower = context.follower()?;
    let (mut shown, mut texts) = (Vec::new(), Vec::new());
    for licence in &licences {
        let mut copies = Vec::new();
        let mut lines = vec![licence.number.to_string()];
        lines.extend(licence.claims.iter().map(|(name, value)| format!("  {name}: {}", show::value(value))));
        for copy in &licence.copies {
            let held = issuer::held(&mut follower, &licence.number.issuer(), &copy.digest)?;
            lines.push(say(
                "issue.copy",
                &[
                    ("digest", &copy.digest),
                    ("status", &show::status(held.status)),
                    ("as_of", &moment(held.as_of.0, clock::now().0)),
                ],
            ));
            copies.push(serde_json::json!({ "digest": copy.digest, "status": held.status, "as_of": held.as_of }));
        }
        shown.push(serde_json::json!({ "number": licence.number, "claims": licence.claims, "copies": copies }));
        texts.push(lines.join("\n"));
    }
    if let Some(path) = delivery {
        write_deliveries(&register, &licences, path)?;
        context.output.talk(say("issue.delivery", &[("path", &path.display())]));
    }
    context.output.data(&shown, || texts.join("\n\n"))?;
    Ok(ExitCode::Ok)
}

fn change(options: &Change, status: Status, context: &Context) -> Result<ExitCode, Failure> {
    let passphrase = context.passphrase.existing()?;
    let register = open(context, &passphrase)?;
    let licences = match (&options.query, &options.file) {
        (Some(query), _) => some(&register, query)?,
        (None, Some(path)) => {
            let text = home::read_text(path, QUERIES_BYTES_MAX)?;
            let mut licences = Vec::new();
            for query in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let mut found = some(&register, query)?;
                if found.len() != 1 {
                    let args: &[(&str, &dyn std::fmt::Display)] = &[("query", &query), ("count", &found.len())];
                    return Err(Failure::of(ExitCode::Usage, "register_ambiguous", args));
                }
                licences.append(&mut found);
            }
            licences.sort_by(|a, b| a.number.cmp(&b.number));
            licences.dedup_by(|a, b| a.number == b.number);
            licences
        }
        (None, None) => Vec::new(),
    };
    let reason = if options.for_holder { Reason::Holder } else { Reason::Issuer };
    act(&register, &licences, Act { status, reason }, &options.acting, &passphrase, context)
}

fn loss(holder: &str, acting: &Acting, context: &Context) -> Result<ExitCode, Failure> {
    let passphrase = context.passphrase.existing()?;
    let register = open(context, &passphrase)?;
    let mut licences = some(&register, holder)?;
    licences.retain(|licence| licence.claim("CZZTDM") == holder);
    if licences.is_empty() {
        return Err(Failure::of(ExitCode::Usage, "not_in_register", &[("query", &holder)]));
    }
    let mut follower = context.follower()?;
    let mut open = Vec::new();
    for licence in licences {
        let mut finals = false;
        for copy in &licence.copies {
            finals |= issuer::held(&mut follower, &licence.number.issuer(), &copy.digest)?.status.is_final();
        }
        if !finals {
            open.push(licence);
        }
    }
    let suspend = Act { status: Status::Suspended, reason: Reason::Holder };
    act(&register, &open, suspend, acting, &passphrase, context)
}

/// Shows whom it concerns, asks, changes and proves.
fn act(
    register: &Register,
    licences: &[LicenceEntry],
    act: Act,
    acting: &Acting,
    passphrase: &Passphrase,
    context: &Context,
) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, passphrase)?;
    if let Some(other) = licences.iter().find(|licence| licence.number.issuer() != office.issuer) {
        let args: &[(&str, &dyn std::fmt::Display)] = &[("number", &other.number), ("issuer", &office.issuer)];
        return Err(Failure::of(ExitCode::Usage, "licence_of_other", args));
    }
    let shown = &licences[..licences.len().min(NAMED_MAX)];
    context.output.talk(table(&lines(register, shown)?));
    let args: &[(&str, &dyn std::fmt::Display)] = &[("count", &licences.len()), ("status", &show::status(act.status))];
    context.confirm(&say("issue.confirm_act", args))?;
    let done = issuer::change(&office, &mut follower, licences, act)?;
    let numbers: Vec<String> = licences.iter().map(|licence| licence.number.to_string()).collect();
    let told = serde_json::json!({
        "status": act.status, "licences": numbers, "copies_changed": done.changed, "copies_unchanged": done.unchanged,
        "height": done.height,
    });
    context.output.data(&told, || {
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("count", &licences.len()),
            ("changed", &done.changed),
            ("unchanged", &done.unchanged),
            ("status", &show::status(act.status)),
        ];
        say("issue.acted", args)
    })?;
    Ok(ExitCode::Ok)
}

fn batches(bureau: Uscc, from: LogIndex, context: &Context) -> Result<ExitCode, Failure> {
    let register = open(context, &context.passphrase.existing()?)?;
    let found = issuer::survey(&register, &mut context.follower()?, bureau, from)?;
    context.output.data(&found, || {
        if found.is_empty() {
            return say("issue.no_batches", &[]);
        }
        let now = clock::now().0;
        let mut table = Table::new(&[
            say("issue.column_batch", &[]),
            say("issue.column_type", &[]),
            say("issue.column_count", &[]),
            say("issue.column_time", &[]),
            say("issue.column_register", &[]),
        ]);
        for batch in &found {
            let known = if batch.known { say("issue.known", &[]) } else { say("issue.unknown", &[]) };
            let time = moment(batch.time.0, now);
            let cells = [batch.batch.to_string(), batch.vct.to_string(), batch.count.to_string(), time, known];
            table.row(&cells);
        }
        table.to_string()
    })?;
    let strange = found.iter().filter(|batch| !batch.known).count();
    if strange > 0 {
        return Err(Failure::of(ExitCode::Failure, "strange_batches", &[("count", &strange)]));
    }
    Ok(ExitCode::Ok)
}
