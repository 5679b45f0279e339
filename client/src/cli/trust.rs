//! `kanhe trust`: which chain to believe.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::{Did, KeyUrl};
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::GENESIS_BYTES_MAX;
use kanhe_proto::registry::{KeyEntry, KeyRole};
use kanhe_proto::sd_jwt::jwk;
use kanhe_proto::trust::Trust as Believed;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::gov::words::{self, Who};
use crate::clock;
use crate::follow::{self, Follower, Updated};
use crate::governance::Changed;
use crate::home;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, moment, say, shape};

/// Which chain to believe.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Pins a chain by its genesis, from a file or from a node; everything else is proved from it
    Pin(Pin),
    /// Shows what is believed
    Show,
    /// Follows changes of the validators up to now, and says who decided each since genesis
    Update,
    /// Prints an issuer's proved key as JWK, for other software
    IssuerJwk {
        /// did:kanhe:… of the bureau, or the URL of one of its keys (`kid`)
        did: String,
    },
}

/// Options of `trust pin`.
#[derive(Debug, Args)]
pub struct Pin {
    /// The genesis file, from a source that you trust; otherwise it is fetched from the node
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// The chain id that it must have, 64 hexadecimal digits; without it you are asked
    #[arg(long, value_name = "HASH")]
    chain_id: Option<ChainId>,
    /// Gives up the chain that was pinned before
    #[arg(long)]
    replace: bool,
}

/// Runs a command of the group.
pub fn run(command: Trust, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Trust::Pin(pin) => self::pin(&pin, context),
        Trust::Show => show(&context.home.trust()?, context),
        Trust::Update => update(context),
        Trust::IssuerJwk { did } => issuer_jwk(&did, context),
    }
}

fn pin(pin: &Pin, context: &Context) -> Result<ExitCode, Failure> {
    let bytes = match &pin.genesis {
        Some(path) => home::read_given(path, GENESIS_BYTES_MAX)?,
        None => fetch_genesis(context)?,
    };
    let wrong = |error: &dyn std::fmt::Display| Failure::of(ExitCode::Failure, "genesis_wrong", &[("cause", error)]);
    let genesis = Genesis::from_bytes(&bytes).map_err(|error| wrong(&error))?;
    let trust = Believed::pin(&genesis, clock::now()).map_err(|error| wrong(&error))?;
    let chain_id = trust.chain.chain_id;
    if let Some(expected) = pin.chain_id
        && expected != chain_id
    {
        return Err(Failure::of(ExitCode::Failure, "other_chain", &[("found", &chain_id), ("expected", &expected)]));
    }
    let before = context.home.trust_if_pinned()?;
    let same = before.as_ref().is_some_and(|before| before.chain == trust.chain);
    if before.is_some() && !same && !pin.replace {
        let pinned = before.map(|before| before.chain_ref().to_string()).unwrap_or_default();
        return Err(Failure::of(ExitCode::Failure, "pinned_other", &[("pinned", &pinned)]));
    }
    if !same || pin.replace {
        // A file was chosen by hand; what a node says of itself needs a second source.
        if pin.genesis.is_none() && pin.chain_id.is_none() {
            let chain = trust.chain_ref();
            context.confirm(&say("trust.confirm", &[("chain", &chain), ("id", &chain_id)]))?;
        }
        context.home.pin(&genesis, &trust)?;
    }
    if !context.named().is_empty() {
        context.home.save_nodes(context.named())?;
    }
    let mut follower = context.follower()?;
    if !follower.nodes().is_empty()
        && let Err(error) = follower.update()
    {
        let failure = error.failure();
        if failure.exit != ExitCode::Unreachable {
            return Err(failure);
        }
        context.output.talk(say("trust.not_updated", &[("cause", &failure.message)]));
    }
    show(follower.trust(), context)
}

fn fetch_genesis(context: &Context) -> Result<Vec<u8>, Failure> {
    let mut last = crate::node::NodeError::Unnamed;
    for node in context.nodes()? {
        match node.genesis() {
            Ok(bytes) => return Ok(bytes),
            Err(error) => last = error,
        }
    }
    Err(last.failure())
}

/// What is believed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// The chain as in DIDs.
    chain: String,
    /// Its id, in hexadecimal.
    #[schemars(with = "String")]
    chain_id: ChainId,
    /// Its era.
    era: u32,
    /// The newest height that is believed.
    height: u64,
    /// Hash of that header; null if nothing but genesis is believed.
    header_hash: Option<String>,
    /// Its time, in milliseconds since 1970.
    header_time_ms: Option<u64>,
    /// When the chain was pinned, in milliseconds since 1970.
    pinned_at_ms: u64,
    /// How old the newest that is believed is, in milliseconds.
    age_ms: u64,
    /// Whether that is too old to follow changes of the validators.
    stale: bool,
    /// Validators of the next block.
    validators: usize,
    /// Validator sets that are known, from genesis on.
    validator_sets: usize,
    /// The height of which two headers were seen.
    conflict_at: Option<u64>,
}

fn show(trust: &Believed, context: &Context) -> Result<ExitCode, Failure> {
    let now = clock::now();
    let newest = trust.newest();
    let set = trust.validators_at(trust.height().next());
    let shown = Shown {
        chain: trust.chain_ref().to_string(),
        chain_id: trust.chain.chain_id,
        era: trust.chain.era.0,
        height: trust.height().0,
        header_hash: newest.map(|header| header.hash().to_string()),
        header_time_ms: newest.map(|header| header.time.0),
        pinned_at_ms: trust.pinned_at.0,
        age_ms: trust.age(now).0,
        stale: trust.age(now) > trust.trust_period,
        validators: set.map_or(0, |set| set.members().len()),
        validator_sets: trust.sets().len(),
        conflict_at: trust.conflict.as_ref().map(|conflict| conflict.first.header.height.0),
    };
    context.output.data(&shown, || {
        let time = newest.map_or_else(|| say("trust.genesis_only", &[]), |header| moment(header.time.0, now.0));
        say(
            "trust.shown",
            &[
                ("chain", &shown.chain),
                ("id", &shown.chain_id),
                ("height", &shown.height),
                ("time", &time),
                ("pinned", &moment(shown.pinned_at_ms, now.0)),
                ("validators", &shown.validators),
                ("sets", &shown.validator_sets),
            ],
        )
    })?;
    match &trust.conflict {
        Some(conflict) => Err(follow::conflict(conflict.first.header.height)),
        None => Ok(ExitCode::Ok),
    }
}

/// What an update of trust brought, and all that has changed since genesis.
#[derive(Serialize, schemars::JsonSchema)]
pub struct UpdatedShown {
    #[serde(flatten)]
    updated: Updated,
    /// Changes of the validators since genesis, each by a decision of the bureaus or a proof of double signature;
    /// nothing if no node shows them.
    changes: Option<Vec<ChangedShown>>,
}

/// A change of the validators.
#[derive(Serialize, schemars::JsonSchema)]
pub struct ChangedShown {
    #[serde(flatten)]
    changed: Changed,
    /// Whether it was not known before.
    new: bool,
}

fn update(context: &Context) -> Result<ExitCode, Failure> {
    let mut follower = context.follower()?;
    let updated = follower.update()?;
    let genesis = context.home.genesis()?;
    let mut who = Who::new(&genesis);
    let changes = if follower.trust().sets().len() > 1 { follower.changes_since(&genesis) } else { Ok(Vec::new()) };
    let changes = match changes {
        Ok(changes) => Some(changes),
        // What is believed does not hang on it.
        Err(error) => {
            context.output.talk(say("gov.changed.not_shown", &[("cause", &error)]));
            None
        }
    };
    let named = |changed: &Changed| changed.bureau.into_iter().chain(changed.proposer).chain(changed.yes.clone());
    who.learn(&mut follower, changes.iter().flatten().flat_map(named));
    let shown = |changed: Changed| ChangedShown { new: changed.from_height > updated.from.next(), changed };
    let changes = changes.map(|changes| changes.into_iter().map(shown).collect());
    let shown = UpdatedShown { updated, changes };
    context.output.data(&shown, || {
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("from", &updated.from), ("to", &updated.to), ("hand_overs", &updated.hand_overs)];
        let mut lines = vec![say("trust.updated", args)];
        for change in shown.changes.iter().flatten() {
            let line = words::changed(&change.changed, &who);
            lines.push(if change.new { say("gov.changed.new", &[("what", &line)]) } else { line });
        }
        lines.join("\n")
    })?;
    Ok(ExitCode::Ok)
}

/// An issuer's key, for other software.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct IssuerJwk(#[schemars(with = "shape::Jwk")] serde_json::Value);

fn issuer_jwk(text: &str, context: &Context) -> Result<ExitCode, Failure> {
    let mut follower = context.follower()?;
    let (did, keys) = match text.parse::<KeyUrl>() {
        Ok(url) => (url.did, vec![url.key]),
        Err(_) => {
            let did: Did = text.parse().map_err(|error| Failure::reported(ExitCode::Usage, "did_wrong", error))?;
            let keys = issuing_keys(&did, context)?;
            (did, keys)
        }
    };
    if did.chain != follower.trust().chain_ref() {
        let (found, expected) = (did.chain, follower.trust().chain_ref());
        return Err(Failure::of(ExitCode::Usage, "other_chain", &[("found", &found), ("expected", &expected)]));
    }
    let mut found = Vec::new();
    for key in keys {
        if let Some(jwk) = proved_jwk(&mut follower, &did, key)? {
            found.push(IssuerJwk(jwk));
        }
    }
    if found.is_empty() {
        return Err(Failure::of(ExitCode::Refused, "no_issuing_key", &[("did", &did)]));
    }
    for jwk in found {
        context.output.data(&jwk, || jwk.0.to_string())?;
    }
    Ok(ExitCode::Ok)
}

/// Issuing keys that genesis names; later ones are asked for by their URL, which every licence has as `kid`.
fn issuing_keys(did: &Did, context: &Context) -> Result<Vec<KeyId>, Failure> {
    let genesis = context.home.genesis()?;
    let keys = genesis.keys.iter().filter(|key| key.bureau == did.uscc && key.role == KeyRole::Issuing);
    Ok(keys.map(|key| key.key.id()).collect())
}

fn proved_jwk(follower: &mut Follower, did: &Did, key: KeyId) -> Result<Option<serde_json::Value>, Failure> {
    let fetch = |node: &NodeClient| node.key(&did.uscc, key);
    let found = follower.registry::<KeyEntry>(&(did.uscc, key), fetch)?;
    let Some(entry) = found.value.filter(|entry| entry.role == KeyRole::Issuing) else { return Ok(None) };
    let mut jwk = jwk::to_jwk(&entry.key).map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
    jwk["kid"] = did.key_url(key).to_string().into();
    jwk["alg"] = "EdDSA".into();
    jwk["use"] = "sig".into();
    Ok(Some(jwk))
}
