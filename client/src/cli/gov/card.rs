//! `kanhe gov card`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kanhe_proto::bounded::{List, Text, TooMany};
use kanhe_proto::governance::{CardBody, FOUNDING, MembershipCard, NewKey};
use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{KeyId, PublicKey, SecretKey};
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileRole};
use kanhe_proto::registry::{KeyRole, Names};
use kanhe_proto::vote::ChainContext;
use serde::Serialize;

use super::keys::{must_be_new, role_of};
use super::words;
use crate::cli::Context;
use crate::cli::{name, show::clean};
use crate::clock;
use crate::governance::{Lock, prove, read_card};
use crate::home;
use crate::issuer::unlock;
use crate::talk::{ExitCode, Failure, moment, say};

/// Membership cards.
#[derive(Debug, Subcommand)]
pub enum Card {
    /// Makes a card from the bureau's key files; its governance key signs it
    New(Box<New>),
    /// Shows a card, and checks its signature and the proofs of its keys
    Show {
        /// The card
        file: PathBuf,
    },
}

/// Options of `gov card new`.
#[derive(Debug, Args)]
pub struct New {
    /// Key file of the bureau; once for each key, exactly one of governance
    #[arg(long = "key", value_name = "KEYFILE", required = true)]
    keys: Vec<PathBuf>,
    /// The bureau
    #[arg(long = "as", value_name = "USCC")]
    bureau: Uscc,
    /// Its Chinese name
    #[arg(long, value_name = "NAME")]
    zh: String,
    /// Its English name
    #[arg(long, value_name = "NAME")]
    en: String,
    /// Its administrative division, as 370100
    #[arg(long, value_name = "CODE")]
    region: String,
    /// Where its node listens, as /ip4/192.0.2.1/tcp/27000; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
    /// For a chain that is still to be founded; otherwise the card is for the pinned chain
    #[arg(long)]
    founding: bool,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which chain a card is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum For {
    /// One that is still to be founded.
    Founding,
    /// The pinned one.
    Pinned,
    /// Another than the pinned one, or none is pinned.
    Other,
}

/// A key of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct CardKey {
    #[schemars(with = "String")]
    role: KeyRole,
    #[schemars(with = "String")]
    id: KeyId,
    #[schemars(with = "String")]
    key: PublicKey,
    /// Whether the key itself proves that the bureau has it; a sealing key cannot, and the governance key vouches.
    proved: bool,
}

/// A card that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct CardShown {
    file: String,
    #[schemars(with = "String")]
    bureau: Uscc,
    #[schemars(with = "crate::talk::shape::Names")]
    names: Names,
    region: String,
    addresses: Vec<String>,
    keys: Vec<CardKey>,
    #[schemars(with = "serde_json::Value")]
    chain: ChainContext,
    #[serde(rename = "for")]
    chain_is: For,
    #[schemars(with = "u64")]
    created_ms: TimeMs,
    #[schemars(with = "String")]
    digest: Hash,
}

/// Runs a command of the group.
pub fn run(command: Card, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Card::New(options) => new(&options, context),
        Card::Show { file } => show(&file, context),
    }
}

fn new(options: &New, context: &Context) -> Result<ExitCode, Failure> {
    must_be_new(&options.out)?;
    let chain = if options.founding { FOUNDING } else { context.home.trust()?.chain };
    let mut lock = Lock::new(&context.passphrase);
    let (mut keys, mut governance) = (Vec::with_capacity(options.keys.len()), None);
    for path in &options.keys {
        let (key, signer) = one(&chain, &options.bureau, path, &mut lock)?;
        keys.push(key);
        governance = signer.or(governance);
    }
    let long = |error: TooMany| Failure::of(ExitCode::Usage, "gov_too_long", &[("what", &"card"), ("cause", &error)]);
    let addresses = options.address.iter().map(|address| Text::new(address.clone()).map_err(long));
    let body = CardBody {
        version: CardBody::VERSION,
        chain,
        created: clock::now(),
        bureau: options.bureau,
        names: Names {
            zh: Text::new(options.zh.clone()).map_err(long)?,
            en: Text::new(options.en.clone()).map_err(long)?,
        },
        region: Text::new(options.region.clone()).map_err(long)?,
        addresses: List::new(addresses.collect::<Result<Vec<_>, _>>()?).map_err(long)?,
        keys: List::new(keys).map_err(long)?,
    };
    let signer = governance.ok_or_else(|| Failure::of(ExitCode::Usage, "gov_card_governance", &[]))?;
    let card = body.sign(&signer).map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
    // Whoever makes a card that nobody would take is told here.
    card.check(&chain).map_err(|error| wrong(&options.out, &error))?;
    let text = serde_json::to_string_pretty(&card).expect("a card has only members that JSON can hold");
    home::write_private(&options.out, format!("{text}\n").as_bytes())?;
    told(&card, &options.out, context)
}

fn one(
    chain: &ChainContext,
    bureau: &Uscc,
    path: &Path,
    lock: &mut Lock<'_>,
) -> Result<(NewKey, Option<SecretKey>), Failure> {
    let text = home::read_text(path, KEY_FILE_BYTES_MAX)?;
    let described = key_file::describe(&text)
        .map_err(|error| Failure::of(ExitCode::Failure, "key_file", &[("path", &path.display()), ("cause", &error)]))?;
    let key = prove(chain, bureau, role_of(described.0, path)?, path, lock)?;
    if described.0 != KeyFileRole::Governance {
        return Ok((key, None));
    }
    let unlocked = unlock(path, KeyFileRole::Governance, &lock.passphrase()?)?;
    Ok((key, Some(SecretKey::from_seed(*unlocked.seed()))))
}

fn wrong(path: &Path, cause: &dyn std::fmt::Display) -> Failure {
    Failure::of(ExitCode::Failure, "gov_card_wrong", &[("path", &path.display()), ("cause", cause)])
}

fn show(file: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let card = read_card(file)?;
    card.check(&card.body.chain).map_err(|error| wrong(file, &error))?;
    told(&card, file, context)
}

fn told(card: &MembershipCard, file: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let pinned = context.home.trust_if_pinned()?.map(|trust| trust.chain);
    let body = &card.body;
    let chain_is = match pinned {
        _ if body.chain == FOUNDING => For::Founding,
        Some(pinned) if pinned == body.chain => For::Pinned,
        _ => For::Other,
    };
    let key = |key: &NewKey| CardKey {
        role: key.role,
        id: key.key.id(),
        key: key.key.clone(),
        proved: key.possession.is_some(),
    };
    let shown = CardShown {
        file: file.display().to_string(),
        bureau: body.bureau,
        names: body.names.clone(),
        region: body.region.as_str().to_owned(),
        addresses: body.addresses.iter().map(|address| address.as_str().to_owned()).collect(),
        keys: body.keys.iter().map(key).collect(),
        chain: body.chain,
        chain_is,
        created_ms: body.created,
        digest: card.digest(),
    };
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

fn text(shown: &CardShown) -> String {
    let made = moment(shown.created_ms.0, clock::now().0);
    let (name, region) = (clean(name(&shown.names)), clean(&shown.region));
    let addresses: Vec<String> = shown.addresses.iter().map(|address| clean(address)).collect();
    let args: &[(&str, &dyn std::fmt::Display)] = &[
        ("name", &name),
        ("bureau", &shown.bureau),
        ("region", &region),
        ("addresses", &addresses.join(", ")),
        ("made", &made),
    ];
    let mut lines = vec![say("gov.card", args)];
    lines.push(match shown.chain_is {
        For::Founding => say("gov.card_founding", &[]),
        For::Pinned => say("gov.card_pinned", &[]),
        For::Other => say("gov.card_other", &[("chain", &shown.chain.chain_id)]),
    });
    for key in &shown.keys {
        let proved = if key.proved { say("gov.card_proved", &[]) } else { say("gov.card_vouched", &[]) };
        let role = words::role(key.role);
        lines.push(say("gov.card_key", &[("role", &role), ("id", &key.id), ("key", &key.key), ("proved", &proved)]));
    }
    lines.push(say("gov.card_digest", &[("digest", &shown.digest)]));
    lines.join("\n")
}
