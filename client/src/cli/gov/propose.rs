//! `kanhe gov propose`.

use std::path::PathBuf;

use clap::Args;
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::governance::{Action, PROPOSAL_VERSION, Proposal};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::key_file::{self, KEY_FILE_BYTES_MAX};
use kanhe_proto::record::Choice;

use super::reach;
use super::show::settled;
use super::view::{EffectsShown, View, count, vote};
use super::vote::{Written, written};
use super::words::Who;
use crate::cli::Context;
use crate::cli::show::clean;
use crate::clock;
use crate::follow::Follower;
use crate::given;
use crate::governance::{
    Bundle, Desk, Lock, Officer, Proposing, Rules, Wanted, carry_in, effects, explain, owner, rules,
};
use crate::home;
use crate::talk::{ExitCode, Failure, say};

/// How long a proposal can be decided if nothing is said.
const LIFETIME: SpanMs = SpanMs(7 * 86_400_000);

/// Options of `gov propose`.
#[derive(Debug, Args)]
#[command(subcommand_value_name = "ACTION", subcommand_help_heading = "Actions")]
pub struct Propose {
    /// The action
    #[command(subcommand)]
    wanted: Option<Wanted>,
    /// Actions from a file instead; `gov template` writes one
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    making: Making,
}

/// How a proposal is made.
#[derive(Debug, Args)]
pub struct Making {
    /// File of the bureau's governance key
    #[arg(id = "officer_key", long = "key", global = true, value_name = "KEYFILE")]
    pub(super) key: Option<PathBuf>,
    /// The bureau, if its key was registered after genesis
    #[arg(id = "officer_bureau", long = "as", global = true, value_name = "USCC")]
    pub(super) bureau: Option<Uscc>,
    /// Why, for those who vote
    #[arg(long, global = true, value_name = "TEXT")]
    note: Option<String>,
    /// How long it can be decided [default: 7d, or as long as the parameters allow]
    #[arg(long, global = true, value_name = "SPAN")]
    expires: Option<String>,
    /// Writes the proposal with the bureau's vote to a file instead of sending it
    #[arg(long, global = true, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only shows what it would do; nothing is signed
    #[arg(long, global = true)]
    dry_run: bool,
}

/// Makes a proposal of what is on the command line or in the file.
pub fn run(options: &Propose, context: &Context) -> Result<ExitCode, Failure> {
    let (proposing, folder) = match (&options.wanted, &options.file) {
        (Some(wanted), None) => (alone(wanted.clone()), PathBuf::new()),
        (None, Some(path)) => (Proposing::read(path)?, path.parent().map(PathBuf::from).unwrap_or_default()),
        _ => return Err(Failure::of(ExitCode::Usage, "gov_action_or_file", &[])),
    };
    make(&options.making, proposing, folder, context)
}

/// One action as a proposal.
pub fn alone(wanted: Wanted) -> Proposing {
    Proposing { note: None, expires: None, action: vec![wanted] }
}

/// Makes a proposal: tried out, shown, confirmed, signed, sent or written.
pub fn make(making: &Making, proposing: Proposing, folder: PathBuf, context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let online = reach(&mut follower, making.out.is_some(), context)?;
    let (proposer, own_key) = proposer(making, &genesis)?;
    let chain = follower.trust().chain;
    let mut lock = Lock::new(&context.passphrase);
    let (desk_follower, desk_lock) = (&mut follower, &mut lock);
    let mut desk =
        Desk { genesis: &genesis, chain, proposer, own_key, follower: desk_follower, folder, lock: desk_lock };
    let actions = proposing.action.iter().map(|wanted| wanted.action(&mut desk)).collect::<Result<Vec<_>, _>>()?;
    let rules = if online { Some(rules(&mut follower)?) } else { None };
    let proposal = proposal(making, &proposing, proposer, actions, rules.as_ref(), &genesis)?;
    let parameters = rules.as_ref().map_or(&genesis.parameters, |rules| &rules.parameters);
    let checked = proposal.check(&chain, parameters);
    checked.map_err(|error| explain(Failure::reported(ExitCode::Refused, error.code(), error)))?;
    let view = tried(&proposal, rules.as_ref(), &mut follower)?;
    let mut who = Who::new(&genesis);
    if online {
        who.learn(&mut follower, view.bureaus());
    }
    if making.dry_run {
        context.output.data(&view, || view.text(&who))?;
    } else if !context.output.is_json() {
        context.output.talk(view.text(&who));
    }
    // What the chain would refuse now is not signed.
    if let Some(code) = view.effects.as_ref().and_then(|effects| effects.refusal.as_ref()) {
        let code = clean(code);
        let message = say("gov.would_refuse", &[("code", &code)]);
        return Err(explain(Failure::reported(ExitCode::Refused, &code, message)));
    }
    if making.dry_run {
        return Ok(ExitCode::Ok);
    }
    let key = making.key.as_ref().ok_or_else(|| Failure::of(ExitCode::Usage, "gov_key_needed", &[]))?;
    context.confirm(&say("gov.confirm_propose", &[("bureau", &who.is(&proposer))]))?;
    let officer = Officer::governance(chain, proposer, key, &lock.passphrase()?)?;
    let own = officer.vote(&view.id, Choice::Yes)?;
    let bundle = Bundle::new(chain, &proposal, vec![own.clone()])?;
    if let Some(out) = &making.out {
        bundle.write(out)?;
        return written(&Written { id: view.id, file: out.display().to_string(), votes: vec![vote(&own)] }, context);
    }
    let height = carry_in(&officer, &mut follower, &bundle)?;
    settled(&[(view.id, height)], &mut follower, &mut who, context)
}

/// The proposal with what a node says that it would do.
fn tried(proposal: &Proposal, rules: Option<&Rules>, follower: &mut Follower) -> Result<View, Failure> {
    let mut view = View::draft(proposal.id(), proposal.clone(), Vec::new());
    if let Some(rules) = rules {
        let (effects, node) = effects(follower, proposal)?;
        view.count = Some(count(proposal, &[], rules));
        view.effects = Some(EffectsShown::of(&effects, &node));
    }
    Ok(view)
}

fn proposer(making: &Making, genesis: &Genesis) -> Result<(Uscc, Option<kanhe_proto::key::KeyId>), Failure> {
    let Some(key) = &making.key else {
        let needed = || Failure::of(ExitCode::Usage, "gov_key_needed", &[]);
        return making.bureau.filter(|_| making.dry_run).map(|bureau| (bureau, None)).ok_or_else(needed);
    };
    let bureau = owner(genesis, key, making.bureau)?;
    let text = home::read_text(key, KEY_FILE_BYTES_MAX)?;
    let id = key_file::describe(&text).ok().map(|(_, public)| public.id());
    Ok((bureau, id))
}

fn proposal(
    making: &Making,
    proposing: &Proposing,
    proposer: Uscc,
    actions: Vec<Action>,
    rules: Option<&Rules>,
    genesis: &Genesis,
) -> Result<Proposal, Failure> {
    // Not later than any block to come, whatever this machine's clock says.
    let created = rules.map_or_else(clock::now, |rules| rules.time);
    let longest = rules.map_or(&genesis.parameters, |rules| &rules.parameters).proposal_lifetime_max;
    let long = |what: &str, error| Failure::of(ExitCode::Usage, "gov_too_long", &[("what", &what), ("cause", &error)]);
    let lifetime = match making.expires.as_ref().or(proposing.expires.as_ref()) {
        Some(text) => given::span(text)
            .map_err(|cause| Failure::of(ExitCode::Usage, "gov_span", &[("value", text), ("cause", &cause)]))?,
        None => LIFETIME.min(longest),
    };
    let note = making.note.clone().or_else(|| proposing.note.clone()).unwrap_or_default();
    Ok(Proposal {
        version: PROPOSAL_VERSION,
        proposer,
        created,
        expires: created.after(lifetime),
        note: Text::new(note).map_err(|error| long("note", error))?,
        actions: List::new(actions).map_err(|error| long("action", error))?,
    })
}
