//! `kanhe wallet`: the holder's side.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::{COPIES_MAX, REQUEST_BYTES_MAX};
use kanhe_proto::registry::HolderKind;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::types::{TypeSpec, sealing_key};
use super::{Context, backup, collect, name, qr, show};
use crate::clock;
use crate::home;
use crate::talk::{ExitCode, Failure, Table, moment, say, shape};
use crate::vault::Effort;
use crate::wallet::{self, Plan, ProvedRequest, Standing, Wallet as Open, Wish};

/// Longest file of deliveries, in bytes.
const DELIVERIES_BYTES_MAX: usize = 64 << 20;
/// Applications made by one command.
const APPLICATIONS_MAX: u32 = 100_000;

/// The holder's wallet.
#[derive(Debug, Subcommand)]
pub enum Wallet {
    /// Makes an empty, encrypted wallet
    Init,
    /// Makes an application with fresh keys: one line for the issuer
    Apply(Apply),
    /// Fetches licences from their issuers through any node, after proving each: applied for, or by pickup code
    Collect(collect::Collect),
    /// Takes in licences that an issuer handed over, after proving each
    Import {
        /// JSON with `sd_jwt` and `path`: one, a list, or one a line; `-` for stdin
        file: PathBuf,
    },
    /// Lists the licences
    List,
    /// Shows a licence with all its claims
    Show {
        /// Its name in the list
        licence: String,
    },
    /// Fetches fresh evidence, so that the licences can be shown without network
    Refresh {
        /// Names in the list; none: all
        licences: Vec<String>,
    },
    /// Answers a request: shows who asks and exactly what will be disclosed, asks, writes the response
    Present(Present),
    /// Lists what was shown to whom
    Log,
    /// Writes everything to one encrypted file
    Backup {
        /// A file that is not there yet
        file: PathBuf,
    },
    /// Makes the wallet from a backup, and says which licences of the wallet here that lacks
    Restore {
        /// The backup
        file: PathBuf,
        /// Even if the wallet here has newer changes or cannot be read; it is kept beside it
        #[arg(long)]
        older: bool,
    },
}

/// Options of `wallet apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// Type: CODE or CODE:VERSION
    #[arg(long = "type", value_name = "TYPE")]
    licence_type: TypeSpec,
    /// The bureau that shall issue it: its unified social credit code
    #[arg(long, value_name = "USCC")]
    issuer: Uscc,
    /// One-time copies, each with a key of its own: showings of different copies cannot be linked
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(COPIES_MAX)))]
    copies: u8,
    /// Separate applications, one a line
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(APPLICATIONS_MAX)))]
    count: u32,
    /// The bureau's sealing key by its id, if it is not that of genesis
    #[arg(long, value_name = "KEY_ID")]
    sealing_key: Option<KeyId>,
    /// Writes to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Forms of a presentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// OpenID4VP's shape, with the evidence beside it
    Response,
    /// The bare SD-JWT+KB of a single licence
    SdJwt,
}

/// Options of `wallet present`.
#[derive(Debug, Args)]
pub struct Present {
    /// The request; `-` for stdin
    request: PathBuf,
    /// Only these of the claims asked for
    #[arg(long, value_name = "CLAIM", value_delimiter = ',')]
    disclose: Vec<String>,
    /// Which licences to show, by their names in the list
    #[arg(long, value_name = "LICENCE", value_delimiter = ',')]
    licence: Vec<String>,
    /// Writes the response to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draws the response as a QR code
    #[arg(long, value_name = "FILE.png")]
    qr: Option<PathBuf>,
    /// Form of the response
    #[arg(long, value_enum, default_value_t = Format::Response)]
    format: Format,
    /// Answers even somebody whom the registry does not have
    #[arg(long)]
    allow_unknown: bool,
}

/// Runs a command of the group.
pub fn run(command: Wallet, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Wallet::Init => init(context),
        Wallet::Apply(options) => apply(&options, context),
        Wallet::Collect(options) => collect::run(&options, context),
        Wallet::Import { file } => import(&file, context),
        Wallet::List => list(context),
        Wallet::Show { licence } => show_one(&licence, context),
        Wallet::Refresh { licences } => refresh(&licences, context),
        Wallet::Present(options) => present(&options, context),
        Wallet::Log => log(context),
        Wallet::Backup { file } => backup::write(&file, context),
        Wallet::Restore { file, older } => backup::restore(&file, older, context),
    }
}

/// The wallet of this home.
pub fn open(context: &Context) -> Result<Open, Failure> {
    let path = context.home.wallet();
    if !path.exists() {
        return Err(missing(&path));
    }
    Open::open(&path, &context.passphrase.existing()?)
}

/// There is no wallet.
pub fn missing(path: &std::path::Path) -> Failure {
    Failure::of(ExitCode::Failure, "no_wallet", &[("path", &path.display())])
}

/// A wallet that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Made {
    /// Its file.
    wallet: String,
}

fn init(context: &Context) -> Result<ExitCode, Failure> {
    let path = context.home.wallet();
    if path.exists() {
        return Err(Failure::of(ExitCode::Failure, "vault_exists", &[("path", &path.display())]));
    }
    let passphrase = context.passphrase.fresh()?;
    Open::create(&path, &passphrase, Effort::USUAL)?;
    let made = Made { wallet: path.display().to_string() };
    context.output.data(&made, || say("wallet.made", &[("path", &path.display())]))?;
    Ok(ExitCode::Ok)
}

fn apply(options: &Apply, context: &Context) -> Result<ExitCode, Failure> {
    let (genesis, trust) = (context.home.genesis()?, context.home.trust()?);
    let entry = options.licence_type.newest(context, &genesis)?;
    let sealing = match entry.holder {
        HolderKind::Person => Some(sealing_key(context, &genesis, options.issuer, options.sealing_key)?),
        HolderKind::Enterprise => None,
    };
    let wish = Wish {
        chain: trust.chain.chain_id,
        issuer: options.issuer,
        vct: kanhe_proto::identifiers::Vct { code: entry.code.clone(), version: entry.version },
        copies: options.copies,
        sealing_key: sealing,
    };
    let made = open(context)?.apply(&wish, options.count, clock::now())?;
    let lines: Vec<&str> = made.iter().map(|one| one.application.as_str()).collect();
    match &options.out {
        Some(path) => {
            home::write_private(path, format!("{}\n", lines.join("\n")).as_bytes())?;
            context.output.talk(say("wallet.applied", &[("count", &made.len()), ("path", &path.display())]));
        }
        None => context.output.data(&made, || lines.join("\n"))?,
    }
    Ok(ExitCode::Ok)
}

fn import(file: &std::path::Path, context: &Context) -> Result<ExitCode, Failure> {
    let deliveries = wallet::deliveries(&home::read_text(file, DELIVERIES_BYTES_MAX)?)?;
    let (wallet, mut follower) = (open(context)?, context.follower()?);
    let mut taken = Vec::new();
    for delivery in &deliveries {
        taken.push(wallet.take(delivery, &mut follower)?);
    }
    show_list(&taken, context)
}

/// A licence of the wallet.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Line {
    /// Its name for people: the first characters of its digest.
    id: String,
    /// Type and version.
    vct: String,
    /// End of its validity, in milliseconds since 1970.
    #[schemars(with = "Option<u64>")]
    expires: Option<TimeMs>,
    /// How often it was shown.
    shown: u32,
    /// How it stands, as the kept evidence says.
    standing: Standing,
}

/// Shows licences in a table.
pub fn show_list(records: &[wallet::LicenceRecord], context: &Context) -> Result<ExitCode, Failure> {
    let now = clock::now();
    let mut lines = Vec::new();
    for record in records {
        let fixed = record.holding()?.fixed().clone();
        lines.push(Line {
            id: record.short(),
            vct: fixed.vct.to_string(),
            expires: fixed.expires,
            shown: record.shown,
            standing: Standing::of(record, now)?,
        });
    }
    context.output.data(&lines, || {
        if lines.is_empty() {
            return say("wallet.empty", &[]);
        }
        let mut table = Table::new(&[
            say("wallet.column_id", &[]),
            say("wallet.column_type", &[]),
            say("wallet.column_issuer", &[]),
            say("wallet.column_status", &[]),
            say("wallet.column_until", &[]),
            say("wallet.column_shown", &[]),
        ]);
        for line in &lines {
            let named = |names: &Option<_>| names.as_ref().map_or("", |names| name(names)).to_owned();
            table.row(&[
                line.id.clone(),
                named(&line.standing.licence_type),
                named(&line.standing.issuer),
                show::standing(&line.standing, now),
                show::last_day(line.expires),
                line.shown.to_string(),
            ]);
        }
        table.to_string()
    })?;
    Ok(ExitCode::Ok)
}

fn list(context: &Context) -> Result<ExitCode, Failure> {
    let records = open(context)?.licences()?;
    show_list(&records, context)
}

/// A licence with all that it says.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// Its digest, in hexadecimal.
    id: String,
    /// All claims, those that are always visible too.
    claims: Map<String, Value>,
    /// How it stands, as the kept evidence says.
    standing: Standing,
}

fn show_one(id: &str, context: &Context) -> Result<ExitCode, Failure> {
    let record = open(context)?.licence(id)?;
    let (holding, standing) = (record.holding()?, Standing::of(&record, clock::now())?);
    let shown = Shown { id: record.digest.to_string(), claims: show::told(holding.claims()), standing };
    context.output.data(&shown, || {
        let mut lines = vec![show::standing(&shown.standing, clock::now())];
        for (name, value) in &shown.claims {
            if name != "cnf" && name != "status" && name != "jti" {
                lines.push(format!("{name}: {}", show::value(value)));
            }
        }
        lines.join("\n")
    })?;
    Ok(ExitCode::Ok)
}

fn refresh(ids: &[String], context: &Context) -> Result<ExitCode, Failure> {
    let (wallet, mut follower) = (open(context)?, context.follower()?);
    let records = match ids {
        [] => wallet.licences()?,
        ids => ids.iter().map(|id| wallet.licence(id)).collect::<Result<_, _>>()?,
    };
    let mut fresh = Vec::new();
    for record in &records {
        fresh.push(wallet.refresh(record, &mut follower)?);
    }
    show_list(&fresh, context)
}

fn present(options: &Present, context: &Context) -> Result<ExitCode, Failure> {
    let text = home::read_text(&options.request, REQUEST_BYTES_MAX + 2)?;
    let mut follower = context.follower()?;
    let proved = wallet::prove_request(text.trim(), &mut follower, &context.home, options.allow_unknown)?;
    let wallet = open(context)?;
    let now = clock::now();
    let mut plan = wallet.plan(&proved.request, &options.licence, &options.disclose, now)?;
    if options.format == Format::SdJwt && plan.choices.len() != 1 {
        return Err(Failure::of(ExitCode::Usage, "sd_jwt_single", &[]));
    }
    freshen(&wallet, &mut plan, &proved, &mut follower, context)?;
    context.output.talk(announcement(&proved, &plan, &context.home.genesis()?, now)?);
    context.confirm(&say("present.confirm", &[]))?;
    let (bytes, picture) = wallet.present(&plan, &proved, clock::now(), |response| {
        let bytes = match options.format {
            Format::Response => response.to_bytes(),
            Format::SdJwt => response.vp_token.into_values().flatten().collect::<String>().into_bytes(),
        };
        let picture = options.qr.as_ref().map(|_| qr::png(&bytes)).transpose()?;
        Ok((bytes, picture))
    })?;
    if let (Some(path), Some(picture)) = (&options.qr, &picture) {
        home::write_private(path, picture)?;
        context.output.talk(say("present.written", &[("path", &path.display())]));
    }
    match &options.out {
        Some(path) => {
            home::write_private(path, &bytes)?;
            context.output.talk(say("present.written", &[("path", &path.display())]));
        }
        None if options.qr.is_some() => {}
        None if options.format == Format::Response => {
            context.output.written::<shape::Response>(&String::from_utf8_lossy(&bytes))?;
        }
        None => context.output.raw(&String::from_utf8_lossy(&bytes))?,
    }
    Ok(ExitCode::Ok)
}

/// Evidence older than the relying party accepts is fetched anew, if a node answers.
fn freshen(
    wallet: &Open,
    plan: &mut Plan,
    proved: &ProvedRequest,
    follower: &mut crate::follow::Follower,
    context: &Context,
) -> Result<(), Failure> {
    for choice in &mut plan.choices {
        let standing = Standing::of(&choice.record, clock::now())?;
        if clock::now().since(standing.as_of) <= proved.request.max_age_ms {
            continue;
        }
        match wallet.refresh(&choice.record, follower) {
            Ok(fresh) => choice.record = fresh,
            Err(failure) if failure.exit == ExitCode::Unreachable || failure.code == "no_node" => {
                context.output.talk(say("present.old_evidence", &[("id", &choice.record.short())]));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Who asks, why, and exactly what will leave.
fn announcement(proved: &ProvedRequest, plan: &Plan, genesis: &Genesis, now: TimeMs) -> Result<String, Failure> {
    let request = &proved.request;
    let mut lines = vec![match (&proved.party, proved.as_of) {
        (Some(party), Some(as_of)) => say(
            "present.relying_party",
            &[("name", &show::clean(name(&party.names))), ("uscc", &party.uscc), ("as_of", &moment(as_of.0, now.0))],
        ),
        _ => say("present.unknown_party", &[("did", &request.client_id)]),
    }];
    let purpose = genesis.purposes.iter().find(|purpose| purpose.code.as_str() == request.purpose);
    let purpose = purpose.map_or_else(|| request.purpose.clone(), |purpose| name(&purpose.names).to_owned());
    lines.push(say("present.purpose", &[("purpose", &show::clean(&purpose))]));
    if request.same_holder {
        lines.push(say("present.same_holder", &[]));
    }
    for choice in &plan.choices {
        let standing = Standing::of(&choice.record, now)?;
        let type_name = standing.licence_type.as_ref().map_or("", |names| name(names));
        let status = show::standing(&standing, now);
        lines
            .push(say("present.licence", &[("type", &type_name), ("id", &choice.record.short()), ("status", &status)]));
        for shown in choice.shown()? {
            lines.push(format!("  {}: {}", show::clean(&shown.path), show::clean(&shown.value)));
        }
        let fixed = choice.holding.fixed();
        lines.push(say("present.always", &[("issuer", &fixed.issuer), ("until", &show::last_day(fixed.expires))]));
    }
    Ok(lines.join("\n"))
}

fn log(context: &Context) -> Result<ExitCode, Failure> {
    let records = open(context)?.log()?;
    let now = clock::now();
    context.output.data(&records, || {
        if records.is_empty() {
            return say("wallet.log_empty", &[]);
        }
        let mut table = Table::new(&[
            say("wallet.column_time", &[]),
            say("wallet.column_party", &[]),
            say("wallet.column_purpose", &[]),
            say("wallet.column_licence", &[]),
            say("wallet.column_claims", &[]),
        ]);
        for record in &records {
            let unknown = say("wallet.unknown_party", &[("did", &record.relying_party)]);
            let party = record.names.as_ref().map_or(unknown, |names| name(names).to_owned());
            for licence in &record.licences {
                let claims: Vec<String> = licence.claims.iter().map(ToString::to_string).collect();
                table.row(&[
                    moment(record.time_ms, now.0),
                    party.clone(),
                    record.purpose.clone(),
                    format!("{} {}", licence.vct.code, &licence.digest.to_string()[..8]),
                    claims.join(", "),
                ]);
            }
        }
        table.to_string()
    })?;
    Ok(ExitCode::Ok)
}
