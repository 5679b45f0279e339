//! `kanhe gov vote`, `kanhe gov submit` and `kanhe gov withdraw`.

use std::path::PathBuf;

use clap::Args;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::Height;
use kanhe_proto::record::Choice;
use serde::Serialize;

use super::show::{in_file, not_open, on_chain, settled};
use super::view::{State, View, VoteShown, vote as shown_vote};
use super::words::{self, Who};
use super::{What, reach};
use crate::cli::Context;
use crate::governance::{self, Bundle, Officer, Standing, carry_in, owner, standing, word};
use crate::talk::{ExitCode, Failure, say};

/// Options of `gov vote`.
#[derive(Debug, Args)]
pub struct Vote {
    /// The proposal's id, or its file
    #[arg(value_name = "ID|FILE")]
    what: What,
    /// yes or no
    #[arg(value_name = "yes|no", value_parser = word::<Choice>)]
    choice: Choice,
    #[command(flatten)]
    acting: Acting,
    /// Writes the vote to a file instead of sending it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Who acts.
#[derive(Debug, Args)]
pub struct Acting {
    /// File of the bureau's governance key
    #[arg(long, value_name = "KEYFILE")]
    key: PathBuf,
    /// The bureau, if its key was registered after genesis
    #[arg(long = "as", value_name = "USCC")]
    bureau: Option<Uscc>,
}

/// Options of `gov submit`.
#[derive(Debug, Args)]
pub struct Submit {
    /// What `gov propose --out` and `gov vote --out` wrote
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// File of any member's issuing or governance key, which signs the transaction
    #[arg(long, value_name = "KEYFILE")]
    key: PathBuf,
    /// The bureau of that key, if it was registered after genesis
    #[arg(long = "as", value_name = "USCC")]
    bureau: Option<Uscc>,
}

/// Options of `gov withdraw`.
#[derive(Debug, Args)]
pub struct Withdraw {
    /// The proposal
    id: ProposalId,
    #[command(flatten)]
    acting: Acting,
}

/// What was written instead of being sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Written {
    /// The proposal.
    #[schemars(with = "String")]
    pub id: ProposalId,
    /// The file.
    pub file: String,
    /// Votes in it.
    pub votes: Vec<VoteShown>,
}

/// Says what was written.
pub fn written(written: &Written, context: &Context) -> Result<ExitCode, Failure> {
    context.output.data(written, || say("gov.written", &[("id", &written.id), ("path", &written.file)]))?;
    Ok(ExitCode::Ok)
}

/// Votes on a proposal, which is shown first.
pub fn vote(options: &Vote, context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let chain = follower.trust().chain;
    let bureau = owner(&genesis, &options.acting.key, options.acting.bureau)?;
    let (mut bundle, mut view, online) = match &options.what {
        What::Id(id) => {
            let Standing::Open(open) = standing(&mut follower, id)? else { return Err(not_open(id)) };
            let view = View::open(*id, &open, &governance::rules(&mut follower)?);
            (Bundle::new(chain, &open.proposal, Vec::new())?, view, true)
        }
        What::File(path) => {
            let bundle = Bundle::read(path, &chain)?;
            let online = reach(&mut follower, options.out.is_some(), context)?;
            let view = in_file(&bundle, &genesis, &mut follower, online)?;
            (bundle, view, online)
        }
    };
    let mut who = Who::new(&genesis);
    if online {
        who.learn(&mut follower, view.bureaus().into_iter().chain([bureau]));
    }
    if view.state == State::Decided {
        return Err(Failure::of(ExitCode::Refused, "gov_decided", &[("id", &view.id)]));
    }
    if !context.output.is_json() {
        context.output.talk(view.text(&who));
    }
    let question = [("choice", &words::choice(options.choice) as &dyn std::fmt::Display), ("bureau", &who.is(&bureau))];
    context.confirm(&say("gov.confirm_vote", &question))?;
    let officer = Officer::governance(chain, bureau, &options.acting.key, &context.passphrase.existing()?)?;
    let own = officer.vote(&bundle.id, options.choice)?;
    bundle.add(std::slice::from_ref(&own));
    match &options.out {
        Some(out) => {
            bundle.write(out)?;
            view.votes
                .retain(|vote| vote.bureau != bureau && bundle.votes.iter().any(|kept| kept.bureau == vote.bureau));
            view.votes.push(shown_vote(&own));
            written(&Written { id: bundle.id, file: out.display().to_string(), votes: view.votes }, context)
        }
        None => {
            let height = carry_in(&officer, &mut follower, &bundle)?;
            settled(&[(bundle.id, height)], &mut follower, &mut who, context)
        }
    }
}

/// Carries files onto the chain: those of one proposal together.
pub fn submit(options: &Submit, context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let chain = follower.trust().chain;
    let mut bundles: Vec<Bundle> = Vec::new();
    for path in &options.files {
        let read = Bundle::read(path, &chain)?;
        match bundles.iter_mut().find(|bundle| bundle.id == read.id) {
            Some(bundle) => bundle.add(&read.votes),
            None => bundles.push(read),
        }
    }
    let bureau = owner(&genesis, &options.key, options.bureau)?;
    let sender = Officer::sender(chain, bureau, &options.key, &context.passphrase.existing()?)?;
    let mut sent = Vec::with_capacity(bundles.len());
    for bundle in &bundles {
        // Decided by what was sent before, perhaps by this very file.
        let decided = on_chain(&mut follower, &bundle.id)?.is_some_and(|view| view.state == State::Decided);
        let height = if decided { None } else { carry_in(&sender, &mut follower, bundle)? };
        sent.push((bundle.id, height));
    }
    settled(&sent, &mut follower, &mut Who::new(&genesis), context)
}

/// A proposal that was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Withdrawn {
    #[schemars(with = "String")]
    id: ProposalId,
    #[schemars(with = "u64")]
    height: Height,
}

/// Takes a proposal of the bureau back.
pub fn withdraw(options: &Withdraw, context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let bureau = owner(&genesis, &options.acting.key, options.acting.bureau)?;
    let Standing::Open(open) = standing(&mut follower, &options.id)? else { return Err(not_open(&options.id)) };
    if open.proposal.proposer != bureau {
        let args: &[(&str, &dyn std::fmt::Display)] = &[("id", &options.id), ("proposer", &open.proposal.proposer)];
        return Err(Failure::of(ExitCode::Usage, "gov_not_proposer", args));
    }
    context.confirm(&say("gov.confirm_withdraw", &[("id", &options.id)]))?;
    let chain = follower.trust().chain;
    let officer = Officer::governance(chain, bureau, &options.acting.key, &context.passphrase.existing()?)?;
    let height = governance::withdraw(&officer, &mut follower, &options.id)?;
    let withdrawn = Withdrawn { id: options.id, height };
    context.output.data(&withdrawn, || say("gov.withdrawn", &[("id", &options.id), ("height", &height)]))?;
    Ok(ExitCode::Ok)
}
