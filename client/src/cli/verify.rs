//! `kanhe verify`: the verifier's side.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::limits::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};
use kanhe_proto::verdict::{LicenceVerdict, Outcome, Verdict};

use super::types::TypeSpec;
use super::verify_serve::{self, Serve};
use super::{Context, name, show};
use crate::clock;
use crate::given::{moment as moment_of, span};
use crate::home;
use crate::talk::{ExitCode, Failure, moment, say};
use crate::verifier::{self, Asking, Memory, Presented, RECEIPT_BYTES_MAX, Receipt, Told, Wanted};

/// The verifier.
#[derive(Debug, Subcommand)]
pub enum Verify {
    /// Makes a signed request; it lives for ten minutes
    Request(Request),
    /// Judges a response to a request of one's own
    Check(Check),
    /// Judges a receipt anew, as of its time
    Recheck {
        /// The receipt
        receipt: PathBuf,
        /// Shows claims also where the verdict is undecided
        #[arg(long)]
        show_claims: bool,
    },
    /// Forgets requests that are past their life for a day, and what answered them; this happens by itself as well
    ///
    /// Receipts that `verify serve` has kept stay, unless --receipts-older says how long they must be there: they show
    /// why a response was believed, and the law wants some of them for years.
    Sweep {
        /// Removes receipts kept for longer as well, such as 3650d
        #[arg(long, value_name = "SPAN", value_parser = span)]
        receipts_older: Option<SpanMs>,
    },
    /// Does both for a counter's own software: an HTTP service on this machine, with this home's pin and memory
    ///
    /// Programs on this machine ask over HTTP what `verify request` and `verify check` do:
    ///
    ///   POST /v1/requests      {"licences":[{"type":"DEMOYYZZ001","claims":["CZZT","CZZTDM"]}],
    ///                           "purpose":"loan","max_age":"24h"}
    ///                          gives {"id":…,"request":…}: hand `request` to the holder's wallet
    ///   POST /v1/checks        {"request_id":…,"response":"what the wallet wrote, as one string"}
    ///                          and as wanted "offline":true, "at":"2026-03-01", "receipt":true;
    ///                          gives the verdict as `verify check --json` does: only the outcome
    ///                          `valid` may be relied on
    ///   GET  /v1/receipts/ID   a receipt, for `verify recheck`
    ///   GET  /healthz          whether it can judge; needs no token
    ///
    /// Each request carries the token: curl -H "Authorization: Bearer $(cat ~/.kanhe/verifier/token)" …
    /// Errors are RFC 9457 problems with a stable `code`. Pages in a browser are not answered.
    #[command(verbatim_doc_comment)]
    Serve(Serve),
}

/// Who asks.
#[derive(Debug, Args)]
pub struct Party {
    /// File of the request key
    #[arg(long, value_name = "KEYFILE")]
    pub(super) key: PathBuf,
    /// Whose key it is, if it was registered after genesis
    #[arg(long = "as", value_name = "USCC")]
    pub(super) relying_party: Option<Uscc>,
}

impl Party {
    /// With its key unlocked.
    pub(super) fn open(&self, context: &Context) -> Result<Asking, Failure> {
        Asking::open(&context.home, &self.key, self.relying_party, &context.passphrase.existing()?)
    }
}

/// Options of `verify request`.
#[derive(Debug, Args)]
pub struct Request {
    /// Type of licence: CODE or CODE:VERSION; once for each licence
    #[arg(long = "type", value_name = "TYPE", required = true)]
    types: Vec<TypeSpec>,
    /// Claims of it, separated by commas; once for each --type, in the same order
    #[arg(long, value_name = "CLAIMS")]
    claims: Vec<String>,
    /// Code of a registered purpose
    #[arg(long, value_name = "CODE")]
    purpose: String,
    /// Greatest age of evidence: 30s, 15m, 24h, 7d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    max_age: SpanMs,
    /// All licences must be of one person
    #[arg(long)]
    same_holder: bool,
    #[command(flatten)]
    party: Party,
    /// Writes to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Options of `verify check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The response; `-` for stdin
    response: PathBuf,
    /// The request that it answers, made in this home
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Asks no node: judges by the evidence that came with the response
    #[arg(long)]
    offline: bool,
    /// Judges status and dates as of a day (its end, UTC+8) or of a moment in milliseconds since 1970
    #[arg(long, value_name = "DATE", value_parser = moment_of)]
    at: Option<TimeMs>,
    /// Writes a receipt, to show later why the verdict was given
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Shows claims also where the verdict is undecided
    #[arg(long)]
    show_claims: bool,
}

/// Runs a command of the group.
pub fn run(command: Verify, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Verify::Request(options) => request(&options, context),
        Verify::Check(options) => check(&options, context),
        Verify::Recheck { receipt, show_claims } => recheck(&receipt, show_claims, context),
        Verify::Sweep { receipts_older } => sweep(receipts_older, context),
        Verify::Serve(options) => verify_serve::run(&options, context),
    }
}

fn request(options: &Request, context: &Context) -> Result<ExitCode, Failure> {
    if options.claims.len() != options.types.len() {
        let (types, claims) = (options.types.len(), options.claims.len());
        return Err(Failure::of(ExitCode::Usage, "claims_count", &[("types", &types), ("claims", &claims)]));
    }
    let claims =
        |list: &String| list.split(',').map(str::trim).filter(|claim| !claim.is_empty()).map(str::to_owned).collect();
    let licences = options.types.iter().cloned().zip(options.claims.iter().map(claims)).collect();
    let (purpose, max_age, same_holder) = (options.purpose.clone(), options.max_age, options.same_holder);
    let wanted = Wanted { licences, purpose, max_age, same_holder };
    let (_, text) = options.party.open(context)?.request(&wanted)?;
    // The request is made, whatever comes of what is past.
    if let Err(failure) = Memory::new(&context.home).sweep_if_due(SystemTime::now()) {
        context.output.talk(say("verify.not_swept", &[("cause", &failure.message)]));
    }
    match &options.out {
        Some(path) => {
            home::write_private(path, text.as_bytes())?;
            context.output.talk(say("verify.request_written", &[("path", &path.display())]));
        }
        None => context.output.raw(&text)?,
    }
    Ok(ExitCode::Ok)
}

fn check(options: &Check, context: &Context) -> Result<ExitCode, Failure> {
    let response = home::read_given(&options.response, RESPONSE_BYTES_MAX)?;
    let request = home::read_text(&options.request, REQUEST_BYTES_MAX + 2)?;
    let (offline, at) = (options.offline, options.at);
    let presented = Presented { response: &response, request: request.trim(), offline, at };
    let judged = verifier::judge(&context.home, context.nodes()?, &presented)?;
    if let Some(trouble) = &judged.trouble {
        context.output.talk(say("verify.stapled_only", &[("cause", &trouble.message)]));
    }
    let (mut told, mut no_receipt) = (judged.told(options.show_claims), None);
    if let Some(path) = &options.receipt {
        if judged.checked.before.is_some() && path.exists() {
            // The receipt of the first check is the better one.
            context.output.talk(say("verify.receipt_kept", &[("path", &path.display())]));
            told.receipt = Some(path.display().to_string());
        } else {
            match judged.receipt() {
                Ok(receipt) => {
                    home::write_private(path, &receipt.to_bytes())?;
                    context.output.talk(say("verify.receipt_written", &[("path", &path.display())]));
                    told.receipt = Some(path.display().to_string());
                }
                Err(failure) => no_receipt = Some(failure),
            }
        }
    }
    tell(&told, context)?;
    match no_receipt {
        // Whoever wanted a proof must not believe that it is there.
        Some(failure) if told.exit() == ExitCode::Ok => Err(failure),
        Some(failure) => {
            context.output.talk(failure.message);
            Ok(told.exit())
        }
        None => Ok(told.exit()),
    }
}

fn recheck(path: &Path, show_claims: bool, context: &Context) -> Result<ExitCode, Failure> {
    let receipt = Receipt::from_bytes(&home::read_given(path, RECEIPT_BYTES_MAX)?)?;
    let rechecked = receipt.recheck(&context.home.trust()?)?;
    let mut told = Told::new(&rechecked.verdict, rechecked.checked, show_claims);
    told.same_as_receipt = Some(rechecked.same);
    tell(&told, context)?;
    Ok(told.exit())
}

fn sweep(receipts_older: Option<SpanMs>, context: &Context) -> Result<ExitCode, Failure> {
    let (memory, now) = (Memory::new(&context.home), SystemTime::now());
    let kept = receipts_older.map(|span| Duration::from_millis(span.0));
    if let Some(kept) = kept {
        let count = memory.receipts_older(now, kept)?;
        if count > 0 {
            context.confirm(&say("verify.sweep_confirm", &[("count", &count)]))?;
        }
    }
    let mut swept = memory.sweep(now)?;
    if let Some(kept) = kept {
        swept.receipts = memory.sweep_receipts(now, kept)?;
    }
    context.output.data(&swept, || {
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("requests", &swept.requests), ("verdicts", &swept.verdicts), ("receipts", &swept.receipts)];
        say("verify.swept", args)
    })?;
    Ok(ExitCode::Ok)
}

/// Says the verdict.
fn tell(told: &Told, context: &Context) -> Result<(), Failure> {
    context.output.data(told, || {
        let now = clock::now();
        let mut lines = vec![headline(&told.verdict, now)];
        lines.extend(told.checked_before.map(|time| say("verify.before", &[("time", &moment(time.0, now.0))])));
        lines.extend(told.same_as_receipt.map(|same| match same {
            true => say("verify.receipt_same", &[("time", &moment(told.checked.0, now.0))]),
            false => say("verify.receipt_differs", &[("time", &moment(told.checked.0, now.0))]),
        }));
        lines.extend(told.verdict.licences.iter().map(|licence| describe(licence, now)));
        lines.join("\n")
    })
}

fn headline(verdict: &Verdict, now: TimeMs) -> String {
    let word = outcome(verdict.outcome, &verdict.code);
    match verdict.as_of {
        Some(as_of) => say("licence.as_of", &[("status", &word), ("time", &moment(as_of.0, now.0))]),
        None => word,
    }
}

fn outcome(outcome: Outcome, code: &str) -> String {
    let args: &[(&str, &dyn std::fmt::Display)] = &[("code", &code)];
    match outcome {
        Outcome::Valid => say("verify.valid", &[]),
        Outcome::Invalid => say("verify.invalid", args),
        Outcome::Undecided => say("verify.undecided", args),
        Outcome::Revoked => say("verify.revoked", args),
        Outcome::Superseded => say("verify.superseded", args),
        Outcome::Expired => say("verify.expired", &[]),
        Outcome::NotYetValid => say("verify.not_yet_valid", &[]),
        Outcome::Suspended => say("verify.suspended", args),
    }
}

fn describe(licence: &LicenceVerdict, now: TimeMs) -> String {
    let type_name = licence.licence_type.as_ref().map(|proved| show::clean(name(&proved.names)));
    let issuer =
        licence.issuer.as_ref().map(|issuer| format!("{} ({})", show::clean(name(&issuer.names)), issuer.uscc));
    let mut lines = vec![say(
        "verify.licence",
        &[
            ("query", &licence.query),
            ("type", &type_name.unwrap_or_else(|| "?".to_owned())),
            ("issuer", &issuer.unwrap_or_else(|| "?".to_owned())),
            ("outcome", &outcome(licence.outcome, &licence.code)),
        ],
    )];
    if let (Some(status), Some(as_of), Outcome::Undecided) = (licence.status, licence.as_of, licence.outcome) {
        let time = moment(as_of.0, now.0);
        lines.push(say("verify.last_status", &[("status", &show::status(status)), ("time", &time)]));
    }
    for (claim, value) in &licence.claims {
        lines.push(format!("  {}: {}", show::clean(claim), show::value(value)));
    }
    lines.join("\n")
}
