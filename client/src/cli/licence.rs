//! `kanhe licence`: the issuing bureau's side.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::status::{Reason, Status};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::types::TypeSpec;
use super::{Context, batches, issue, renew, serve, show};
use crate::clock;
use crate::home;
use crate::issuer::{self, Act, Definition, LicenceEntry, Office, Register};
use crate::sheet::{self, Format};
use crate::talk::{ExitCode, Failure, Lang, Passphrase, Table, moment, say, shape};

/// Licences named in a question; beyond that only their number is given.
const NAMED_MAX: usize = 20;
/// Longest file of queries, in bytes.
const QUERIES_BYTES_MAX: usize = 16 << 20;

/// The issuing bureau.
#[derive(Debug, Subcommand)]
pub enum Licence {
    /// Issues a licence for every row of a spreadsheet: to the holder who applied, or to be picked up with a code
    Issue(issue::Issue),
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
    /// Issues the next version of licences and supersedes the one before, both in one transaction
    Renew(renew::Renew),
    /// Answers holders: the bureau's running process, for what is picked up by code and collected by application
    Serve(serve::Serve),
    /// Compares the chain's batches under the bureau's name with the register
    Batches(batches::Batches),
}

/// Who acts.
#[derive(Debug, Args)]
pub struct Acting {
    /// File of the issuing key
    #[arg(long, value_name = "KEYFILE")]
    pub(super) key: PathBuf,
    /// The bureau, if its key was registered after genesis
    #[arg(long = "as", value_name = "USCC")]
    pub(super) issuer: Option<Uscc>,
}

/// Which licences.
#[derive(Debug, Args)]
pub struct Selection {
    /// What to look for: number, certificate number, holder's code, or part of the holder's name
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    query: Option<String>,
    /// One a line; each must mean exactly one licence
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Selection {
    /// What to look for.
    pub fn queries(&self) -> Result<Vec<String>, Failure> {
        match (&self.query, &self.file) {
            (Some(query), _) => Ok(vec![query.clone()]),
            (None, Some(path)) => {
                let text = home::read_text(path, QUERIES_BYTES_MAX)?;
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                Ok(lines.map(str::to_owned).collect())
            }
            (None, None) => Ok(Vec::new()),
        }
    }

    /// The licences, by number.
    pub fn licences(&self, register: &Register) -> Result<Vec<LicenceEntry>, Failure> {
        let mut licences = Vec::new();
        for query in self.queries()? {
            let mut found = some(register, &query)?;
            if self.file.is_some() && found.len() != 1 {
                let args: &[(&str, &dyn std::fmt::Display)] = &[("query", &query), ("count", &found.len())];
                return Err(Failure::of(ExitCode::Usage, "register_ambiguous", args));
            }
            licences.append(&mut found);
        }
        licences.sort_by(|a, b| a.number.cmp(&b.number));
        licences.dedup_by(|a, b| a.number == b.number);
        Ok(licences)
    }
}

/// Options of a change of status.
#[derive(Debug, Args)]
pub struct Change {
    #[command(flatten)]
    selection: Selection,
    /// The holder asked for it, not the bureau
    #[arg(long)]
    for_holder: bool,
    #[command(flatten)]
    acting: Acting,
}

/// Runs a command of the group.
pub fn run(command: Licence, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Licence::Issue(options) => issue::run(&options, context),
        Licence::Template { licence_type, out } => template(&licence_type, &out, context),
        Licence::Find { query } => find(&query, context),
        Licence::Show { query, delivery } => show_all(&query, delivery.as_deref(), context),
        Licence::Suspend(options) => change(&options, Status::Suspended, context),
        Licence::Reinstate(options) => change(&options, Status::Active, context),
        Licence::Revoke(options) => change(&options, Status::Revoked, context),
        Licence::Loss { holder, acting } => loss(&holder, &acting, context),
        Licence::Renew(options) => renew::run(&options, context),
        Licence::Serve(options) => serve::run(&options, context),
        Licence::Batches(options) => batches::run(&options, context),
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

/// A template that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Template {
    /// The file.
    file: String,
}

fn template(spec: &TypeSpec, out: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let entry = spec.newest(context, &genesis)?;
    let definition = Definition::of(entry, &genesis, &context.nodes()?)?;
    sheet::template(&definition.columns, format_of(out)?, Lang::current()).save(out)?;
    let told = Template { file: out.display().to_string() };
    context.output.data(&told, || say("issue.template", &[("path", &out.display())]))?;
    Ok(ExitCode::Ok)
}

/// The register of this home.
pub fn open(context: &Context, passphrase: &Passphrase) -> Result<Register, Failure> {
    Register::open(&context.home.register(), passphrase)
}

/// A licence of the register.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Line {
    /// 电子证照标识.
    number: String,
    /// Type and version.
    vct: String,
    /// The holder's name.
    holder: String,
    /// The holder's code.
    code: String,
    /// Copies that were signed.
    copies: usize,
    /// Whether it is proved to be on the chain.
    anchored: bool,
    /// When it was signed, in milliseconds since 1970; null while it awaits pickup.
    signed_ms: Option<u64>,
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
            signed_ms: Some(licence.signed_ms),
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
        let signed = line.signed_ms.map_or_else(|| say("issue.awaits", &[]), |signed| moment(signed, now));
        let cells = [&line.number, &line.holder, &line.code, &line.copies.to_string(), &signed, &anchored];
        table.row(&cells);
    }
    table.to_string()
}

fn find(query: &str, context: &Context) -> Result<ExitCode, Failure> {
    let register = open(context, &context.passphrase.existing()?)?;
    let mut found = lines(&register, &register.find(query)?)?;
    found.extend(register.awaiting(query)?.iter().map(|awaiting| Line {
        number: awaiting.number.to_string(),
        vct: awaiting.vct.to_string(),
        holder: awaiting.claim("CZZT").to_owned(),
        code: awaiting.claim("CZZTDM").to_owned(),
        copies: 0,
        anchored: false,
        signed_ms: None,
    }));
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

/// A licence of the register, with its proved status.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownLicence {
    /// 电子证照标识.
    number: String,
    /// All claims.
    claims: Map<String, Value>,
    /// All copies.
    copies: Vec<ShownCopy>,
}

/// A copy of it.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownCopy {
    /// Names it on the chain, in hexadecimal.
    digest: String,
    /// What it is worth.
    #[schemars(with = "shape::Status")]
    status: Status,
    /// Time of the header that proves it, in milliseconds since 1970.
    #[schemars(with = "u64")]
    as_of: TimeMs,
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
            let held = issuer::held(&mut follower, &licence.number.issuer(), &licence.vct.code, &copy.digest)?;
            lines.push(say(
                "issue.copy",
                &[
                    ("digest", &copy.digest),
                    ("status", &show::status(held.status)),
                    ("as_of", &moment(held.as_of.0, clock::now().0)),
                ],
            ));
            copies.push(ShownCopy { digest: copy.digest.to_string(), status: held.status, as_of: held.as_of });
        }
        shown.push(ShownLicence { number: licence.number.to_string(), claims: show::told(&licence.claims), copies });
        texts.push(lines.join("\n"));
    }
    if let Some(path) = delivery {
        issue::write_deliveries(&register, &licences, path)?;
        context.output.talk(say("issue.delivery", &[("path", &path.display())]));
    }
    context.output.data(&shown, || texts.join("\n\n"))?;
    Ok(ExitCode::Ok)
}

fn change(options: &Change, status: Status, context: &Context) -> Result<ExitCode, Failure> {
    let passphrase = context.passphrase.existing()?;
    let register = open(context, &passphrase)?;
    let licences = options.selection.licences(&register)?;
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
            finals |=
                issuer::held(&mut follower, &licence.number.issuer(), &licence.vct.code, &copy.digest)?.own.is_final();
        }
        if !finals {
            open.push(licence);
        }
    }
    let suspend = Act { status: Status::Suspended, reason: Reason::Holder };
    act(&register, &open, suspend, acting, &passphrase, context)
}

/// Refuses to act on what another bureau issued.
pub fn check_own(licences: &[LicenceEntry], office: &Office) -> Result<(), Failure> {
    match licences.iter().find(|licence| licence.number.issuer() != office.issuer) {
        Some(other) => {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("number", &other.number), ("issuer", &office.issuer)];
            Err(Failure::of(ExitCode::Usage, "licence_of_other", args))
        }
        None => Ok(()),
    }
}

/// Shows whom an act concerns, before it is asked about.
pub fn show_some(register: &Register, licences: &[LicenceEntry], context: &Context) -> Result<(), Failure> {
    let shown = &licences[..licences.len().min(NAMED_MAX)];
    context.output.talk(table(&lines(register, shown)?));
    Ok(())
}

/// What was done to licences.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Changed {
    /// The status that they have now.
    #[schemars(with = "shape::Status")]
    status: Status,
    /// Which licences.
    licences: Vec<String>,
    /// Copies changed.
    copies_changed: usize,
    /// Copies that were so already.
    copies_unchanged: usize,
    /// The last block that did it; null if nothing was to do.
    #[schemars(with = "Option<u64>")]
    height: Option<Height>,
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
    check_own(licences, &office)?;
    show_some(register, licences, context)?;
    let args: &[(&str, &dyn std::fmt::Display)] = &[("count", &licences.len()), ("status", &show::status(act.status))];
    context.confirm(&say("issue.confirm_act", args))?;
    let done = issuer::change(&office, &mut follower, licences, act)?;
    let told = Changed {
        status: act.status,
        licences: licences.iter().map(|licence| licence.number.to_string()).collect(),
        copies_changed: done.changed,
        copies_unchanged: done.unchanged,
        height: done.height,
    };
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
