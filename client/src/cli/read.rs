//! `kanhe read`: a bureau reads what another one has, and proves later what it was given.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use kanhe_proto::bounded::Text;
use kanhe_proto::consent::{Asked as Scoped, Basis, Subject};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::{LicenceNumber, PersonId, Uscc};
use kanhe_proto::sharing::{SHARED_PROOF_BYTES_MAX, SharedProof};
use kanhe_proto::status::Status;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::consent::{ScopeShown, scope_shown, scope_text};
use super::licence::{self, Acting};
use super::show::{clean, value};
use super::types::TypeSpec;
use super::{Context, read_many, read_stats};
use crate::clock;
use crate::consent::{TICKET_TEXT_BYTES_MAX, Ticket, explain, scope_of, standing};
use crate::home;
use crate::issuer::{ENTERPRISE_ID_TYPE, Office, PERSON_ID_TYPE, Register, subject};
use crate::reads::{
    Ask, Asked, AskedState, CaseRead, GivenLicence, Ground, Reader, by_licence, fetch, receive, refuse, send,
    who_consents,
};
use crate::talk::{ExitCode, Failure, Table, moment, say, shape};
use crate::vault::Effort;

/// Longest single wait at a node.
pub(super) const POLL_SECONDS: u64 = 5;
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Reads of one bureau from another.
#[derive(Debug, Subcommand)]
pub enum ReadCommand {
    /// Asks another bureau for claims of somebody, on consent or on a rule, and waits for the answer. It is recorded on the
    /// chain before the data leaves there
    Request(Request),
    /// Lists what was asked, and what came of it
    List,
    /// Shows one of them with what was given
    Show {
        /// Its name in the list
        read: String,
        /// Writes the proof of what was shared, for `read check`
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Proves what was shared by whom with whom and why, from the file of `read request --out` or `read show --out`
    Check {
        /// The file
        file: PathBuf,
    },
    /// Counts and sums over what was read on a rule; groups of few people are not shown
    Stats(read_stats::Stats),
}

/// On which ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BasisKind {
    /// Somebody consents: with --consent
    Consent,
    /// A rule says so, which is registered as a purpose of public benefit
    Statute,
}

/// Options of `read request`.
#[derive(Debug, Args)]
pub struct Request {
    /// The bureau that has the data
    #[arg(long, value_name = "USCC")]
    pub(super) source: Uscc,
    /// About whom: an id number, a USCC, the number of a licence, or KIND:NUMBER. With --basis consent, whoever consents
    #[arg(long, value_name = "WHO")]
    subject: Option<String>,
    /// About many, on a rule: a file that names one a line. Each read is recorded and given by itself
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "consent", "case", "out"])]
    subjects: Option<PathBuf>,
    /// Type of licence that carries it
    #[arg(long = "type", value_name = "TYPE")]
    licence_type: TypeSpec,
    /// Claims
    #[arg(long, value_name = "CLAIM", value_delimiter = ',', required = true)]
    claims: Vec<String>,
    /// On which ground
    #[arg(long, value_enum)]
    basis: BasisKind,
    /// What for; under a consent, the consent's
    #[arg(long, value_name = "CODE", required_if_eq("basis", "statute"))]
    purpose: Option<String>,
    /// The rule, if it is not called like the purpose
    #[arg(long, value_name = "CODE")]
    ground: Option<String>,
    /// The consent: a file, the text itself, or `-` for stdin
    #[arg(long, value_name = "TICKET", required_if_eq("basis", "consent"))]
    consent: Option<String>,
    /// The case that needs it, by its whole id
    #[arg(long, value_name = "CASE", requires = "read")]
    case: Option<CaseId>,
    /// Which of the item's reads this is
    #[arg(long, value_name = "CODE", requires = "case")]
    read: Option<String>,
    #[command(flatten)]
    pub(super) acting: Acting,
    /// How long to wait for the source
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) wait: u64,
    /// Writes the proof of what was shared, for `read check`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// Its id, in hexadecimal.
    id: String,
    /// How far it is.
    state: AskedState,
    /// Why it was refused: stable code.
    code: Option<String>,
    /// Who has the data.
    source: String,
    /// About whom, as the source knows them.
    subject: SubjectShown,
    /// Which claims, by type.
    scope: Vec<ScopeShown>,
    /// What for.
    purpose: String,
    /// `consent` or `statute`.
    basis: &'static str,
    /// Which consent, in hexadecimal.
    consent: Option<String>,
    /// Which rule.
    ground: Option<String>,
    /// For which case, in hexadecimal.
    case: Option<String>,
    /// When it was asked, in milliseconds since 1970.
    made_ms: u64,
    /// When it was recorded: the block's time.
    recorded_ms: Option<u64>,
    /// Place of the record in the chain's log.
    record: Option<u64>,
    /// What was given.
    licences: Vec<LicenceShown>,
    /// The file that the proof was written to.
    file: Option<String>,
}

/// Somebody.
#[derive(Debug, Serialize, JsonSchema)]
struct SubjectShown {
    /// Kind of the number.
    kind: String,
    /// The number.
    number: String,
}

/// A licence that was given.
#[derive(Debug, Serialize, JsonSchema)]
struct LicenceShown {
    /// Its digest, in hexadecimal.
    digest: String,
    /// Type and version.
    vct: String,
    /// What was shown of it.
    claims: Map<String, Value>,
    /// Whether it was good then.
    good: bool,
    /// Its status then.
    #[schemars(with = "shape::Status")]
    status: Status,
}

/// What a proof shows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Checked {
    /// Who gave.
    source: String,
    /// Who read.
    reader: String,
    /// About whom.
    subject: SubjectShown,
    /// What was asked, by type.
    scope: Vec<ScopeShown>,
    /// What for.
    purpose: String,
    /// `consent` or `statute`.
    basis: &'static str,
    /// Which consent, in hexadecimal.
    consent: Option<String>,
    /// Which rule.
    ground: Option<String>,
    /// When it was recorded, before the data left: the block's time, in milliseconds since 1970.
    recorded_ms: u64,
    /// Height of that block.
    height: u64,
    /// Place of the record in the chain's log.
    record: u64,
    /// What was given.
    licences: Vec<LicenceShown>,
}

/// Runs a command of the group.
pub fn run(command: ReadCommand, context: &Context) -> Result<ExitCode, Failure> {
    let done = match command {
        ReadCommand::Request(options) => request(&options, context),
        ReadCommand::List => list(context),
        ReadCommand::Show { read, out } => show(&read, out.as_deref(), context),
        ReadCommand::Check { file } => check(&file, context),
        ReadCommand::Stats(options) => read_stats::run(&options, context),
    };
    done.map_err(explain)
}

/// The bureau's register.
pub(super) fn open(context: &Context) -> Result<Register, Failure> {
    licence::open(context, &context.passphrase.existing()?)
}

fn request(options: &Request, context: &Context) -> Result<ExitCode, Failure> {
    if let Some(path) = &options.subjects {
        return read_many::run(options, path, context);
    }
    if options.basis == BasisKind::Statute && options.subject.is_none() {
        return Err(Failure::of(ExitCode::Usage, "read_subject", &[("subject", &"")]));
    }
    let passphrase = context.passphrase.existing()?;
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let acting = &options.acting;
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, &passphrase)?;
    let ask = ask(options, &mut follower)?;
    let register = Register::open_or_create(&context.home.register(), &passphrase, Effort::USUAL)?;
    let reader = Reader { office: &office, register: &register };
    let mut asked = reader.make(ask, &mut follower)?;
    // The desk of this bureau needs the register while the source works.
    drop(register);
    let nodes = follower.nodes().to_vec();
    send(&asked, &nodes)?;
    let began = Instant::now();
    let answer = loop {
        let left = Duration::from_secs(options.wait).saturating_sub(began.elapsed());
        let wait = POLL_SECONDS.min(left.as_secs());
        match fetch(&asked, &nodes, wait) {
            Ok(Some(answer)) => break Some(answer),
            Ok(None) if left.is_zero() => break None,
            Ok(None) => std::thread::sleep(PAUSE),
            Err(_) if !left.is_zero() => std::thread::sleep(PAUSE),
            Err(failure) => return Err(failure),
        }
    };
    let register = Register::open(&context.home.register(), &passphrase)?;
    let Some(answer) = answer else {
        return Err(Failure::of(ExitCode::Unreachable, "read_unanswered", &[("source", &options.source)]));
    };
    receive(&mut asked, &answer, &register, &mut follower)?;
    if asked.state == AskedState::Asked {
        return Err(Failure::of(ExitCode::Unreachable, "read_not_proved", &[("source", &options.source)]));
    }
    told(&asked, options.out.as_deref(), &register, context)
}

/// What is asked, by the options.
pub(super) fn ask(options: &Request, follower: &mut crate::follow::Follower) -> Result<Ask, Failure> {
    let code = |given: &str| Text::new(given).map_err(|error| Failure::reported(ExitCode::Usage, "read_scope", error));
    let scope = scope_of(options.licence_type.code.clone(), options.claims.iter().cloned())?;
    let case = match (&options.case, &options.read) {
        (Some(case), Some(read)) => {
            Some(CaseRead { case: *case, step: 0, round: 0, slot: 0, read: code(read)?, is_ask: false })
        }
        _ => None,
    };
    let (ground, purpose) = match options.basis {
        BasisKind::Consent => {
            let ticket = ticket(options.consent.as_deref().unwrap_or_default())?;
            let found = standing(follower, &ticket.consent)?.consent;
            let found = found.ok_or_else(|| Failure::of(ExitCode::Refused, "consent_not_there", &[]))?;
            (Ground::Consent(Box::new(ticket)), found.purpose)
        }
        BasisKind::Statute => {
            let purpose = options.purpose.as_deref().unwrap_or_default();
            let ground = code(options.ground.as_deref().unwrap_or(purpose))?;
            (Ground::Statute { ground, case: case.clone() }, code(purpose)?)
        }
    };
    let purpose = match &options.purpose {
        Some(named) => code(named)?,
        None => purpose,
    };
    let about = match &options.subject {
        Some(who) => subject_of(who)?,
        None => who_consents(),
    };
    Ok(Ask { source: options.source, subject: about, scope, purpose, ground, case: None })
}

/// A ticket as it was handed over.
fn ticket(given: &str) -> Result<Ticket, Failure> {
    if given.starts_with("kanhe-consent:") {
        return Ticket::parse(given);
    }
    Ticket::parse(&home::read_text(given.as_ref(), TICKET_TEXT_BYTES_MAX)?)
}

/// Somebody as people name them.
pub(super) fn subject_of(who: &str) -> Result<Subject, Failure> {
    let wrong = || Failure::of(ExitCode::Usage, "read_subject", &[("subject", &who)]);
    let found = if who.parse::<PersonId>().is_ok() {
        subject(PERSON_ID_TYPE, who)
    } else if who.parse::<Uscc>().is_ok() {
        subject(ENTERPRISE_ID_TYPE, who)
    } else if who.parse::<LicenceNumber>().is_ok() {
        by_licence(who)
    } else {
        who.split_once(':').and_then(|(kind, number)| subject(kind, number))
    };
    found.ok_or_else(wrong)
}

/// Says what came of a read; a refusal fails the command, with its code.
fn told(
    asked: &Asked,
    out: Option<&std::path::Path>,
    register: &Register,
    context: &Context,
) -> Result<ExitCode, Failure> {
    if let (AskedState::Refused, Some(code)) = (asked.state, &asked.code) {
        return Err(Failure::reported(ExitCode::Refused, code, say("issue.rejected", &[("code", code)])));
    }
    let file = match out {
        Some(path) => Some(write_proof(asked, path, register)?),
        None => None,
    };
    let shown = Shown { file, ..shown(asked) };
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

fn write_proof(asked: &Asked, path: &std::path::Path, register: &Register) -> Result<String, Failure> {
    let none = || Failure::of(ExitCode::Failure, "read_no_proof", &[("id", &asked.short())]);
    let proof = register.proof_of(&asked.id)?.ok_or_else(none)?;
    home::write_private(path, &proof)?;
    Ok(path.display().to_string())
}

fn list(context: &Context) -> Result<ExitCode, Failure> {
    let register = open(context)?;
    let mut rows = register.asked()?;
    collect(&mut rows, &register, context)?;
    expire(&mut rows, &register)?;
    let lines: Vec<Shown> = rows.iter().map(shown).collect();
    context.output.data(&lines, || if lines.is_empty() { say("read.none", &[]) } else { table(&lines) })?;
    Ok(ExitCode::Ok)
}

/// Reads below one another.
pub(super) fn table(lines: &[Shown]) -> String {
    let now = clock::now().0;
    let mut table = Table::new(&[
        say("read.column_id", &[]),
        say("read.column_time", &[]),
        say("read.column_source", &[]),
        say("read.column_subject", &[]),
        say("read.column_scope", &[]),
        say("read.column_state", &[]),
    ]);
    for line in lines {
        let state = line.code.clone().unwrap_or_else(|| state(line.state));
        table.row(&[
            line.id[..8].to_owned(),
            moment(line.made_ms, now),
            line.source.clone(),
            about(&line.subject),
            scope_text(&line.scope),
            state,
        ]);
    }
    table.to_string()
}

/// Whether no case needs it: those of cases are the running desk's.
fn is_left(asked: &&mut Asked) -> bool {
    asked.state == AskedState::Asked && asked.case.is_none()
}

/// Fetches what was answered after the command that asked had ended. Without a node the list is told as it is.
fn collect(rows: &mut [Asked], register: &Register, context: &Context) -> Result<(), Failure> {
    if !rows.iter_mut().any(|asked| is_left(&asked)) {
        return Ok(());
    }
    let Ok(mut follower) = context.follower() else { return Ok(()) };
    let nodes = follower.nodes().to_vec();
    for asked in rows.iter_mut().filter(is_left) {
        let Ok(Some(answer)) = fetch(asked, &nodes, 0) else { continue };
        match receive(asked, &answer, register, &mut follower) {
            // It is tried again with the next list.
            Err(failure) if failure.exit == ExitCode::Unreachable => {}
            other => other?,
        }
    }
    Ok(())
}

/// What nobody answered in time can come to nothing any more.
fn expire(rows: &mut [Asked], register: &Register) -> Result<(), Failure> {
    let now = clock::now();
    for asked in rows.iter_mut().filter(is_left) {
        if now > asked.good_until()? {
            refuse(asked, "read_unanswered", register)?;
        }
    }
    Ok(())
}

fn show(id: &str, out: Option<&std::path::Path>, context: &Context) -> Result<ExitCode, Failure> {
    let register = open(context)?;
    let asked = register.find_asked(id)?;
    let file = match out {
        Some(path) => Some(write_proof(&asked, path, &register)?),
        None => None,
    };
    let shown = Shown { file, ..shown(&asked) };
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

fn check(file: &std::path::Path, context: &Context) -> Result<ExitCode, Failure> {
    let bytes = home::read_given(file, SHARED_PROOF_BYTES_MAX)?;
    let wrong = |error: kanhe_proto::sharing::SharingError| {
        Failure::of(ExitCode::Invalid, "read_proof_wrong", &[("code", &error.code()), ("cause", &error)])
    };
    let proof = SharedProof::decode(&bytes).map_err(wrong)?;
    let trust = context.home.trust()?;
    let found = proof.verify(&trust, clock::now()).map_err(wrong)?;
    let request = &proof.request.request;
    let (basis, consent, ground, _) = basis(&request.basis);
    let licences = found.licences.into_iter().map(|facts| LicenceShown {
        digest: facts.digest.to_string(),
        vct: facts.vct.to_string(),
        good: facts.status == Status::Active && facts.in_time,
        status: facts.status,
        claims: facts.claims,
    });
    let Scoped { subject, scope, .. } = &proof.asked;
    let checked = Checked {
        source: request.source.to_string(),
        reader: request.reader.to_string(),
        subject: subject_shown(subject),
        scope: scope_shown(scope),
        purpose: request.purpose.to_string(),
        basis,
        consent,
        ground,
        recorded_ms: found.record.time.0,
        height: found.record.height.0,
        record: found.index.0,
        licences: licences.collect(),
    };
    context.output.data(&checked, || {
        let time = moment(checked.recorded_ms, clock::now().0);
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("source", &checked.source),
            ("reader", &checked.reader),
            ("subject", &about(&checked.subject)),
            ("purpose", &clean(&checked.purpose)),
            ("time", &time),
            ("record", &checked.record),
        ];
        let mut lines = vec![say("read.proved", args)];
        lines.extend(licences_text(&checked.licences));
        lines.join("\n")
    })?;
    Ok(ExitCode::Ok)
}

/// Somebody for people: whoever consents has no number that the reader would know.
fn about(subject: &SubjectShown) -> String {
    if subject.number.is_empty() { say("read.who_consents", &[]) } else { clean(&subject.number) }
}

fn subject_shown(subject: &Subject) -> SubjectShown {
    SubjectShown { kind: clean(&subject.id_type), number: clean(&subject.id_number) }
}

type BasisShown = (&'static str, Option<String>, Option<String>, Option<String>);

fn basis(basis: &Basis) -> BasisShown {
    match basis {
        Basis::Consent(under) => ("consent", Some(under.id.to_string()), None, None),
        Basis::Statutory(statutory) => {
            ("statute", None, Some(statutory.ground.to_string()), statutory.case.map(|case| case.to_string()))
        }
    }
}

pub(super) fn shown(asked: &Asked) -> Shown {
    let (basis, consent, ground, case) = basis(&asked.basis);
    let licence = |given: &GivenLicence| LicenceShown {
        digest: given.digest.to_string(),
        vct: given.vct.clone(),
        claims: given.claims.clone(),
        good: given.good,
        status: given.status,
    };
    Shown {
        id: asked.id.to_string(),
        state: asked.state,
        code: asked.code.clone(),
        source: asked.source.to_string(),
        subject: subject_shown(&asked.subject),
        scope: scope_shown(&asked.scope),
        purpose: asked.purpose.to_string(),
        basis,
        consent,
        ground,
        case: case.or_else(|| asked.case.as_ref().map(|read| read.case.to_string())),
        made_ms: asked.made.0,
        recorded_ms: asked.recorded.map(|time| time.0),
        record: asked.record.map(|index| index.0),
        licences: asked.licences.iter().map(licence).collect(),
        file: None,
    }
}

fn state(state: AskedState) -> String {
    match state {
        AskedState::Asked => say("read.asked", &[]),
        AskedState::Given => say("read.given", &[]),
        AskedState::Refused => say("read.refused", &[]),
    }
}

fn text(shown: &Shown) -> String {
    let now = clock::now().0;
    let state = match &shown.code {
        Some(code) => crate::reads::refusal_words(code),
        None => state(shown.state),
    };
    let mut lines = vec![format!("{}  {state}", &shown.id[..8])];
    let args: &[(&str, &dyn std::fmt::Display)] = &[
        ("source", &shown.source),
        ("subject", &about(&shown.subject)),
        ("scope", &scope_text(&shown.scope)),
        ("purpose", &clean(&shown.purpose)),
    ];
    lines.push(say("read.about", args));
    if let (Some(time), Some(record)) = (shown.recorded_ms, shown.record) {
        lines.push(say("read.recorded", &[("time", &moment(time, now)), ("record", &record)]));
    }
    if shown.state == AskedState::Given {
        lines.extend(licences_text(&shown.licences));
    }
    lines.extend(shown.file.as_ref().map(|path| say("read.written", &[("path", path)])));
    lines.join("\n")
}

fn licences_text(licences: &[LicenceShown]) -> Vec<String> {
    if licences.is_empty() {
        return vec![say("read.nothing", &[])];
    }
    let mut lines = Vec::new();
    for licence in licences {
        let status = super::show::status(licence.status);
        lines.push(format!("  {} ({status})", clean(&licence.vct)));
        lines.extend(licence.claims.iter().map(|(claim, of)| format!("    {}: {}", clean(claim), value(of))));
    }
    lines
}
