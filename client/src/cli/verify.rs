//! `kanhe verify`: the verifier's side.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{Day, Did, Uscc};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey};
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileRole};
use kanhe_proto::limits::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};
use kanhe_proto::response::Response;
use kanhe_proto::verdict::{LicenceVerdict, Outcome, Verdict};
use serde::Serialize;

use super::types::TypeSpec;
use super::{Context, name, show};
use crate::clock;
use crate::home;
use crate::talk::{ExitCode, Failure, moment, say};
use crate::verifier::{self, Ask, KeptRequest, Memory, Question, RECEIPT_BYTES_MAX, Receipt};

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
    /// File of the request key
    #[arg(long, value_name = "KEYFILE")]
    key: PathBuf,
    /// Whose key it is, if it was registered after genesis
    #[arg(long = "as", value_name = "USCC")]
    asker: Option<Uscc>,
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
    }
}

fn span(text: &str) -> Result<SpanMs, String> {
    let unit = text.chars().last().unwrap_or_default();
    let scale = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err("30s | 15m | 24h | 7d".to_owned()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| "30s | 15m | 24h | 7d".to_owned())?;
    number.checked_mul(scale).filter(|ms| *ms > 0).map(SpanMs).ok_or_else(|| "out of range".to_owned())
}

fn moment_of(text: &str) -> Result<TimeMs, String> {
    if let Ok(ms) = text.parse() {
        return Ok(TimeMs(ms));
    }
    // The end of the day, unless that is still to come.
    let day: Day = text.parse().map_err(|error: kanhe_proto::identifiers::IdentifierError| error.to_string())?;
    let end = TimeMs(day.end().0.saturating_sub(1));
    Ok(if day == Day::of(clock::now()) { clock::now() } else { end })
}

fn request(options: &Request, context: &Context) -> Result<ExitCode, Failure> {
    if options.claims.len() != options.types.len() {
        let (types, claims) = (options.types.len(), options.claims.len());
        return Err(Failure::of(ExitCode::Usage, "claims_count", &[("types", &types), ("claims", &claims)]));
    }
    let (genesis, trust) = (context.home.genesis()?, context.home.trust()?);
    let heartbeats = SpanMs(2 * trust.heartbeat.0);
    if options.max_age < heartbeats {
        let least = heartbeats.0 / 1000;
        return Err(Failure::of(ExitCode::Usage, "max_age_short", &[("least", &least)]));
    }
    let key = request_key(&options.key, context)?;
    let public = kanhe_proto::key::Signer::public_key(&key);
    let uscc = match options.asker {
        Some(uscc) => uscc,
        None => owner(&genesis, &public)?,
    };
    let mut asks = Vec::new();
    for (spec, claims) in options.types.iter().zip(&options.claims) {
        let claims = claims.split(',').map(str::trim).filter(|claim| !claim.is_empty());
        asks.push(Ask { vcts: spec.versions(&genesis)?, claims: claims.map(str::to_owned).collect() });
    }
    let did = Did::new(trust.chain_ref(), uscc);
    let (purpose, max_age) = (&options.purpose, options.max_age);
    let (made, text) = verifier::make(&asks, &did, purpose, max_age, options.same_holder, &key, clock::now())?;
    // What a wallet would refuse is better said here.
    let party = genesis.relying_parties.iter().find(|party| party.uscc == uscc && party.request_key == public);
    if let Some(party) = party {
        made.check_right(party).map_err(|error| Failure::reported(ExitCode::Usage, error.code(), error))?;
    }
    Memory::new(&context.home).keep(&made.nonce, &KeptRequest { request: text.clone(), key: public })?;
    match &options.out {
        Some(path) => {
            home::write_private(path, text.as_bytes())?;
            context.output.talk(say("verify.request_written", &[("path", &path.display())]));
        }
        None => context.output.line(&text)?,
    }
    Ok(ExitCode::Ok)
}

/// The relying party of genesis whose key this is.
fn owner(genesis: &Genesis, key: &PublicKey) -> Result<Uscc, Failure> {
    let party = genesis.relying_parties.iter().find(|party| party.request_key == *key);
    party.map(|party| party.uscc).ok_or_else(|| Failure::of(ExitCode::Usage, "asker_unnamed", &[]))
}

fn request_key(path: &Path, context: &Context) -> Result<SecretKey, Failure> {
    let text = home::read_text(path, KEY_FILE_BYTES_MAX)?;
    let shown = path.display();
    let wrong = |error: key_file::KeyFileError| {
        Failure::of(ExitCode::Failure, "key_file", &[("path", &shown), ("cause", &error)])
    };
    let (role, _) = key_file::describe(&text).map_err(wrong)?;
    if role != KeyFileRole::Request {
        return Err(Failure::of(ExitCode::Usage, "key_role", &[("path", &shown)]));
    }
    let passphrase = key_file::Passphrase::new(context.passphrase.existing()?.bytes().to_vec());
    let unlocked = key_file::unprotect(&text, &passphrase).map_err(wrong)?;
    Ok(SecretKey::from_seed(*unlocked.seed()))
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    verdict: &'a Verdict,
    checked: TimeMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_before: Option<TimeMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as_receipt: Option<bool>,
}

fn check(options: &Check, context: &Context) -> Result<ExitCode, Failure> {
    let bytes = home::read_given(&options.response, RESPONSE_BYTES_MAX)?;
    let text = home::read_text(&options.request, REQUEST_BYTES_MAX + 2)?;
    let memory = Memory::new(&context.home);
    let (request, kept) = memory.own(text.trim())?;
    let mut fresh = Default::default();
    let trust = if options.offline {
        context.home.trust()?
    } else {
        let mut follower = context.follower()?;
        if let Ok(response) = Response::from_bytes(&bytes) {
            let (found, trouble) = verifier::fresh(&response, &mut follower)?;
            if let Some(trouble) = trouble {
                context.output.talk(say("verify.stapled_only", &[("cause", &trouble.message)]));
            }
            fresh = found;
        }
        follower.trust().clone()
    };
    if let Some(conflict) = &trust.conflict {
        return Err(crate::follow::conflict(conflict.first.header.height));
    }
    let now = clock::now();
    let question = Question { response: &bytes, request: &request, trust: &trust, fresh: &fresh, now, at: options.at };
    let checked = {
        // Two checks of one nonce must not both be the first.
        let _lock = context.home.lock()?;
        verifier::check(&question, &memory)?
    };
    if let Some(path) = &options.receipt {
        if checked.before.is_some() && path.exists() {
            // The receipt of the first check is the better one.
            context.output.talk(say("verify.receipt_kept", &[("path", &path.display())]));
        } else {
            home::write_private(path, &Receipt::new(&question, kept, &checked.verdict)?.to_bytes())?;
            context.output.talk(say("verify.receipt_written", &[("path", &path.display())]));
        }
    }
    tell(&checked.verdict, now, checked.before, None, options.show_claims, context)
}

fn recheck(path: &Path, show_claims: bool, context: &Context) -> Result<ExitCode, Failure> {
    let receipt = Receipt::from_bytes(&home::read_given(path, RECEIPT_BYTES_MAX)?)?;
    let rechecked = receipt.recheck(&context.home.trust()?)?;
    tell(&rechecked.verdict, rechecked.checked, None, Some(rechecked.same), show_claims, context)
}

/// Says the verdict; one that is undecided shows no claims unless asked.
fn tell(
    verdict: &Verdict,
    checked: TimeMs,
    before: Option<TimeMs>,
    same: Option<bool>,
    show_claims: bool,
    context: &Context,
) -> Result<ExitCode, Failure> {
    let mut shown = verdict.clone();
    if shown.outcome == Outcome::Undecided && !show_claims {
        for licence in &mut shown.licences {
            licence.claims.clear();
        }
    }
    let told = Told { verdict: &shown, checked, checked_before: before, same_as_receipt: same };
    context.output.data(&told, || {
        let now = clock::now();
        let mut lines = vec![headline(&shown, now)];
        lines.extend(before.map(|time| say("verify.before", &[("time", &moment(time.0, now.0))])));
        lines.extend(same.map(|same| match same {
            true => say("verify.receipt_same", &[("time", &moment(checked.0, now.0))]),
            false => say("verify.receipt_differs", &[("time", &moment(checked.0, now.0))]),
        }));
        lines.extend(shown.licences.iter().map(|licence| describe(licence, now)));
        lines.join("\n")
    })?;
    Ok(match shown.outcome {
        Outcome::Valid => ExitCode::Ok,
        Outcome::Invalid => ExitCode::Invalid,
        Outcome::Undecided => ExitCode::Undecided,
        Outcome::Revoked | Outcome::Superseded | Outcome::Expired | Outcome::NotYetValid | Outcome::Suspended => {
            ExitCode::NotInForce
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_need_a_unit() {
        assert_eq!(span("10s"), Ok(SpanMs(10_000)));
        assert_eq!(span("24h"), Ok(SpanMs(86_400_000)));
        for wrong in ["", "s", "10", "0h", "-1d", "1.5h", "99999999999999999999d", "10天"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_means_its_end() {
        let day: Day = "2026-03-01".parse().unwrap();
        assert_eq!(moment_of("2026-03-01"), Ok(TimeMs(day.end().0 - 1)));
        assert_eq!(moment_of("1772344920000"), Ok(TimeMs(1_772_344_920_000)));
        assert!(moment_of("2026-02-30").is_err());
    }
}
