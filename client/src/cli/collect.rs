//! `kanhe wallet collect`: fetches licences from their issuers, through any node.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use kanhe_proto::exchange::Refusal;
use kanhe_proto::identifiers::{Uscc, Vct};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::limits::COPIES_MAX;
use kanhe_proto::pickup::{PICKUP_TEXT_BYTES_MAX, PickupCode};
use kanhe_proto::registry::HolderKind;
use kanhe_proto::sd_jwt::Holding;

use super::types::{TypeSpec, sealing_key};
use super::{Context, wallet};
use crate::clock;
use crate::follow::{FollowError, Follower};
use crate::home;
use crate::talk::{ExitCode, Failure, Progress, say};
use crate::wallet::{ApplicationRecord, Asked, Delivery, LicenceRecord, Wallet, Wish};

/// Requests on their way at once.
const AT_ONCE: usize = 100;
/// Longest single wait at a node.
const POLL_SECONDS: u64 = 10;
const PAUSE: Duration = Duration::from_millis(200);
/// How long the evidence of a licence that was just anchored is waited for: not every node has the block yet.
const EVIDENCE_PATIENCE: Duration = Duration::from_secs(10);

/// Options of `wallet collect`.
#[derive(Debug, Args)]
pub struct Collect {
    /// Pickup code that the bureau gave; `-` reads it from stdin. Without it: the licences that were applied for
    #[arg(long, value_name = "CODE", requires_all = ["issuer", "licence_type"])]
    code: Option<String>,
    /// The bureau that issues: its unified social credit code
    #[arg(long, value_name = "USCC")]
    issuer: Option<Uscc>,
    /// Type: CODE or CODE:VERSION
    #[arg(long = "type", value_name = "TYPE")]
    licence_type: Option<TypeSpec>,
    /// One-time copies of the licence to pick up, each with a key of its own
    #[arg(long, value_name = "N", default_value_t = 1, requires = "code", value_parser = clap::value_parser!(u8).range(1..=i64::from(COPIES_MAX)))]
    copies: u8,
    /// The bureau's sealing key by its id, if it is not that of genesis
    #[arg(long, value_name = "KEY_ID")]
    sealing_key: Option<KeyId>,
    /// Asks even where the licence is here: a renewed one has a new version
    #[arg(long, conflicts_with = "code")]
    again: bool,
    /// How long to wait for the issuer's answers
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

/// What came of the requests.
#[derive(Default)]
struct Gathered {
    taken: Vec<LicenceRecord>,
    /// Applications that the issuer has not answered in time.
    unanswered: usize,
    refused: Vec<(KeyId, Refusal)>,
}

/// Collects, and shows what came as `wallet list` does.
pub fn run(options: &Collect, context: &Context) -> Result<ExitCode, Failure> {
    let open = wallet::open(context)?;
    let mut follower = context.follower()?;
    let wanted = match &options.code {
        Some(text) => {
            let (record, code) = pickup(options, text, &open, context)?;
            vec![(record, Some(code))]
        }
        None => applied(options, &open)?,
    };
    let asking = Asking { sealing_key: options.sealing_key, wait: options.wait, as_applied: false };
    fetch(&wanted, &asking, &open, &mut follower, context)
}

/// How licences are asked for.
pub(super) struct Asking {
    /// The bureau's sealing key, if it is not that of genesis.
    pub sealing_key: Option<KeyId>,
    /// Seconds to wait for answers.
    pub wait: u64,
    /// Whether what comes must be of the very type and bureau that was applied for.
    pub as_applied: bool,
}

/// Fetches licences of applications, and shows what came as `wallet list` does.
pub(super) fn fetch(
    wanted: &[Wanted],
    asking: &Asking,
    open: &Wallet,
    follower: &mut Follower,
    context: &Context,
) -> Result<ExitCode, Failure> {
    if wanted.is_empty() {
        context.output.talk(say("collect.nothing", &[]));
    }
    let mut progress = context.output.progress(&say("collect.progress", &[]), wanted.len() as u64);
    let mut gathered = Gathered::default();
    let mut keys = BTreeMap::new();
    for portion in wanted.chunks(AT_ONCE) {
        let asked = ask(portion, asking, open, &mut keys, follower, context)?;
        gather(&asked, (portion, asking), open, &mut gathered, follower, &mut progress)?;
    }
    drop(progress);
    let shown = wallet::show_list(&gathered.taken, context)?;
    let (taken, count) = (gathered.taken.len(), gathered.refused.len());
    for (application, refusal) in &gathered.refused {
        let reason = say(&format!("error.{}", refusal.code()), &[]);
        context.output.talk(say("collect.refused", &[("application", application), ("reason", &reason)]));
    }
    if gathered.unanswered > 0 {
        let args: &[(&str, &dyn std::fmt::Display)] = &[("count", &gathered.unanswered)];
        return Err(Failure::of(ExitCode::Unreachable, "not_answered", args));
    }
    match gathered.refused.first() {
        Some((_, refusal)) if count == 1 && taken == 0 => Err(Failure::of(ExitCode::Refused, refusal.code(), &[])),
        Some(_) => Err(Failure::of(ExitCode::Refused, "collect_refused", &[("count", &count)])),
        None => Ok(shown),
    }
}

fn pickup(
    options: &Collect,
    text: &str,
    open: &Wallet,
    context: &Context,
) -> Result<(ApplicationRecord, PickupCode), Failure> {
    let text = match text {
        "-" => home::read_text("-".as_ref(), PICKUP_TEXT_BYTES_MAX)?,
        text => text.to_owned(),
    };
    let code = PickupCode::parse(&text);
    let code = code.map_err(|error| Failure::of(ExitCode::Usage, error.code(), &[]))?;
    let (Some(issuer), Some(spec)) = (options.issuer, &options.licence_type) else {
        return Err(Failure::of(ExitCode::Usage, "pickup_unnamed", &[]));
    };
    let (genesis, trust) = (context.home.genesis()?, context.home.trust()?);
    let entry = spec.newest(context, &genesis)?;
    let sealing = match entry.holder {
        HolderKind::Person => Some(sealing_key(context, &genesis, issuer, options.sealing_key)?),
        HolderKind::Enterprise => None,
    };
    let wish = Wish {
        chain: trust.chain.chain_id,
        issuer,
        vct: Vct { code: entry.code.clone(), version: entry.version },
        copies: options.copies,
        sealing_key: sealing,
    };
    Ok((open.application_for(&code, &wish, clock::now())?, code))
}

pub(super) type Wanted = (ApplicationRecord, Option<PickupCode>);

fn applied(options: &Collect, open: &Wallet) -> Result<Vec<Wanted>, Failure> {
    let mut records = open.uncollected(options.again)?;
    records.retain(|record| {
        let of_type = options.licence_type.as_ref().is_none_or(|spec| spec.means(&record.vct));
        of_type && options.issuer.is_none_or(|issuer| record.issuer == issuer)
    });
    Ok(records.into_iter().map(|record| (record, None)).collect())
}

fn ask(
    wanted: &[Wanted],
    asking: &Asking,
    open: &Wallet,
    keys: &mut BTreeMap<Uscc, PublicKey>,
    follower: &mut Follower,
    context: &Context,
) -> Result<Vec<Asked>, Failure> {
    let chain = follower.trust().chain.chain_id;
    let mut all = Vec::new();
    for (record, code) in wanted {
        let key = match keys.get(&record.issuer) {
            Some(key) => key.clone(),
            None => {
                let key = sealing_key(context, &context.home.genesis()?, record.issuer, asking.sealing_key)?;
                keys.insert(record.issuer, key.clone());
                key
            }
        };
        let asked = open.ask(record, code.as_ref(), chain, &key, clock::now())?;
        follower.ask(|_, node| node.send_mail(&asked.envelope).map_err(FollowError::Node))?;
        all.push(asked);
    }
    Ok(all)
}

fn gather(
    asked: &[Asked],
    (wanted, asking): (&[Wanted], &Asking),
    open: &Wallet,
    gathered: &mut Gathered,
    follower: &mut Follower,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(asking.wait);
    for (one, (record, _)) in asked.iter().zip(wanted) {
        match answer(one, deadline, follower)? {
            None => gathered.unanswered += 1,
            Some(Err(refusal)) => gathered.refused.push((one.application, refusal)),
            Some(Ok(deliveries)) => {
                if asking.as_applied {
                    deliveries.iter().try_for_each(|delivery| check_applied(delivery, record))?;
                }
                gathered.taken.extend(take(open, &deliveries, follower)?);
            }
        }
        progress.add(1);
    }
    Ok(())
}

/// What comes is of the type and the bureau that were applied for; that the bureau signed it is proved when it is taken in.
fn check_applied(delivery: &Delivery, record: &ApplicationRecord) -> Result<(), Failure> {
    let holding = Holding::open(&delivery.sd_jwt);
    let holding = holding.map_err(|error| Failure::reported(ExitCode::Invalid, error.code(), error))?;
    let fixed = holding.fixed();
    if fixed.vct == record.vct && fixed.issuer.uscc == record.issuer {
        return Ok(());
    }
    let args: &[(&str, &dyn std::fmt::Display)] = &[("found", &fixed.vct), ("expected", &record.vct)];
    Err(Failure::of(ExitCode::Invalid, "case_other_licence", args))
}

type Outcome = Result<Vec<Delivery>, Refusal>;

fn answer(asked: &Asked, deadline: Instant, follower: &mut Follower) -> Result<Option<Outcome>, Failure> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = left.as_secs().min(POLL_SECONDS);
        let answer =
            follower.ask(|_, node| node.mail_answer(&asked.id, &asked.issuer, wait).map_err(FollowError::Node));
        match answer {
            Ok(Some(bytes)) => return asked.open(&bytes).map(Some),
            Err(error) if left.is_zero() => return Err(error.failure()),
            Ok(None) if left.is_zero() => return Ok(None),
            // A node that is busy now may not be in a moment.
            Err(error) if error.failure().exit != ExitCode::Unreachable => return Err(error.failure()),
            Ok(None) | Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Proves and keeps what came. A node that is a block behind does not have its evidence yet.
fn take(open: &Wallet, deliveries: &[Delivery], follower: &mut Follower) -> Result<Vec<LicenceRecord>, Failure> {
    let began = Instant::now();
    loop {
        match open.receive(deliveries, follower) {
            Err(failure)
                if [ExitCode::Refused, ExitCode::Unreachable].contains(&failure.exit)
                    && began.elapsed() < EVIDENCE_PATIENCE =>
            {
                std::thread::sleep(PAUSE);
            }
            other => return other,
        }
    }
}
