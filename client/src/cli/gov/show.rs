//! `kanhe gov show` and `kanhe gov list`, and how proposals stand after something was sent.

use std::time::Duration;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::governance::DecidedBy;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::record::GovernanceVote;
use kanhe_proto::registry::KeyEntry;
use serde::Serialize;

use super::view::{EffectsShown, State, View, VoteShown, count};
use super::words::{self, Who};
use super::{What, reach};
use crate::cli::Context;
use crate::cli::show::clean;
use crate::clock;
use crate::follow::Follower;
use crate::governance::{Bundle, Standing, decided, effects, rules, standing};
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, Table, moment, say};

/// How often a node is asked again whether it has the block of a transaction that is proved.
const CATCH_UPS: usize = 40;
const PAUSE: Duration = Duration::from_millis(100);

/// Shows a proposal.
pub fn show(what: &What, context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let (view, online) = match what {
        What::Id(id) => (on_chain(&mut follower, id)?.ok_or_else(|| not_open(id))?, true),
        What::File(path) => {
            let bundle = Bundle::read(path, &follower.trust().chain)?;
            let online = reach(&mut follower, true, context)?;
            (in_file(&bundle, &genesis, &mut follower, online)?, online)
        }
    };
    let mut who = Who::new(&genesis);
    if online {
        who.learn(&mut follower, view.bureaus());
    }
    context.output.data(&view, || view.text(&who))?;
    Ok(ExitCode::Ok)
}

/// Neither open nor among the last decisions.
pub fn not_open(id: &ProposalId) -> Failure {
    Failure::of(ExitCode::Refused, "gov_not_open", &[("id", id)])
}

/// A proposal as the chain has it: open, or decided not long ago.
pub fn on_chain(follower: &mut Follower, id: &ProposalId) -> Result<Option<View>, Failure> {
    match standing(follower, id)? {
        Standing::Open(open) => Ok(Some(View::open(*id, &open, &rules(follower)?))),
        Standing::NotOpen => Ok(decided(follower, id)?.map(|decided| View::decided(*id, &decided))),
    }
}

/// A proposal of a file. If the chain has it, the votes of both are shown.
pub fn in_file(bundle: &Bundle, genesis: &Genesis, follower: &mut Follower, online: bool) -> Result<View, Failure> {
    let proposal = bundle.content()?;
    let mut votes = Vec::with_capacity(bundle.votes.len());
    for vote in &bundle.votes {
        votes.push(checked(bundle, vote, genesis, follower, online)?);
    }
    if !online {
        return Ok(View::draft(bundle.id, proposal, votes));
    }
    if let Some(mut view) = on_chain(follower, &bundle.id)? {
        votes.retain(|vote| !view.votes.iter().any(|known| known.bureau == vote.bureau));
        view.votes.append(&mut votes);
        return Ok(view);
    }
    let mut view = View::draft(bundle.id, proposal, votes);
    let (effects, node) = effects(follower, &view.proposal)?;
    view.count = Some(count(&view.proposal, &bundle.votes, &rules(follower)?));
    view.effects = Some(EffectsShown::of(&effects, &node));
    Ok(view)
}

fn checked(
    bundle: &Bundle,
    vote: &GovernanceVote,
    genesis: &Genesis,
    follower: &mut Follower,
    online: bool,
) -> Result<VoteShown, Failure> {
    let known = genesis.keys.iter().find(|entry| entry.bureau == vote.bureau && entry.key.id() == vote.key);
    let key = match known {
        Some(entry) => Some(entry.key.clone()),
        None if online => {
            let fetch = |node: &NodeClient| node.key(&vote.bureau, vote.key);
            follower.registry::<KeyEntry>(&(vote.bureau, vote.key), fetch)?.value.map(|entry| entry.key)
        }
        None => None,
    };
    let bytes = GovernanceVote::sign_bytes(&bundle.chain, &bundle.id, vote.choice);
    let signed = key.map(|key| key.verify(&bytes, &vote.signature).is_ok());
    Ok(VoteShown { bureau: vote.bureau, choice: vote.choice, key: vote.key, signed })
}

/// An open proposal in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Listed {
    #[schemars(with = "String")]
    id: ProposalId,
    #[schemars(with = "String")]
    proposer: Uscc,
    #[schemars(with = "u64")]
    expires_ms: TimeMs,
    #[schemars(with = "String")]
    decided_by: DecidedBy,
    yes: usize,
    needed: usize,
    note: String,
    #[serde(skip)]
    first: String,
}

/// All open proposals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct ListShown {
    proposals: Vec<Listed>,
}

/// Lists the open proposals.
pub fn list(context: &Context) -> Result<ExitCode, Failure> {
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let open = crate::governance::list(&mut follower)?;
    let rules = rules(&mut follower)?;
    let mut who = Who::new(&genesis);
    let mut shown = ListShown { proposals: Vec::with_capacity(open.open.len()) };
    for entry in &open.open {
        // Decided or withdrawn since the list was made.
        let Standing::Open(found) = standing(&mut follower, &entry.id)? else { continue };
        let view = View::open(entry.id, &found, &rules);
        who.learn(&mut follower, [view.proposal.proposer]);
        let counted = count(&found.proposal, &found.votes.votes, &rules);
        shown.proposals.push(Listed {
            id: entry.id,
            proposer: view.proposal.proposer,
            expires_ms: view.proposal.expires,
            decided_by: view.decided_by,
            yes: counted.yes,
            needed: counted.needed,
            note: view.proposal.note.as_str().to_owned(),
            first: view.proposal.actions.first().map(|action| words::action(action, &who)).unwrap_or_default(),
        });
    }
    context.output.data(&shown, || table(&shown.proposals, &who))?;
    Ok(ExitCode::Ok)
}

fn table(proposals: &[Listed], who: &Who) -> String {
    if proposals.is_empty() {
        return say("gov.none_open", &[]);
    }
    let mut table = Table::new(&[
        say("gov.column_id", &[]),
        say("gov.column_proposer", &[]),
        say("gov.column_what", &[]),
        say("gov.column_votes", &[]),
        say("gov.column_until", &[]),
    ]);
    for listed in proposals {
        table.row(&[
            listed.id.to_string(),
            who.is(&listed.proposer),
            clean(&listed.first),
            format!("{}/{}", listed.yes, listed.needed),
            moment(listed.expires_ms.0, clock::now().0),
        ]);
    }
    table.to_string()
}

/// How a proposal stands after something was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Sent {
    #[schemars(with = "String")]
    id: ProposalId,
    /// Block of the transaction; nothing if the chain had it already.
    #[schemars(with = "Option<u64>")]
    height: Option<Height>,
    state: State,
    /// More votes that are needed.
    missing: usize,
    /// Members whose yes would count.
    #[schemars(with = "Vec<String>")]
    waiting: Vec<Uscc>,
    /// Where the decision is recorded.
    #[schemars(with = "Option<u64>")]
    record: Option<LogIndex>,
}

/// How proposals stand after something was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct SentShown {
    proposals: Vec<Sent>,
}

/// Says how proposals stand now that something was sent, and who has to do what.
pub fn settled(
    sent: &[(ProposalId, Option<Height>)],
    follower: &mut Follower,
    who: &mut Who,
    context: &Context,
) -> Result<ExitCode, Failure> {
    let (mut shown, mut lines) = (SentShown { proposals: Vec::with_capacity(sent.len()) }, Vec::new());
    for (id, height) in sent {
        catch_up(*height, follower)?;
        let view = on_chain(follower, id)?.ok_or_else(|| not_open(id))?;
        who.learn(follower, view.bureaus());
        let (missing, waiting) = match &view.count {
            Some(count) => (count.missing, count.waiting.clone()),
            None => (0, Vec::new()),
        };
        lines.push(outcome(&view, *height, who));
        let record = view.recorded.map(|at| at.record);
        shown.proposals.push(Sent { id: *id, height: *height, state: view.state, missing, waiting, record });
    }
    context.output.data(&shown, || lines.join("\n"))?;
    Ok(ExitCode::Ok)
}

/// Follows the chain to the block of a transaction, so that no node that lags behind it is believed.
fn catch_up(height: Option<Height>, follower: &mut Follower) -> Result<(), Failure> {
    for _ in 0..CATCH_UPS {
        if height.is_none_or(|height| follower.trust().height() >= height) {
            break;
        }
        follower.update()?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn outcome(view: &View, height: Option<Height>, who: &Who) -> String {
    let mut lines = match height {
        Some(height) => vec![say("gov.sent", &[("id", &view.id), ("height", &height)])],
        None => vec![say("gov.sent_before", &[("id", &view.id)])],
    };
    if let Some(at) = &view.recorded {
        lines.push(say("gov.decided", &[("height", &at.height), ("record", &at.record)]));
        lines.extend(view.proposal.actions.iter().filter_map(words::next).map(|line| format!("  {line}")));
        return lines.join("\n");
    }
    if let Some(count) = &view.count {
        let until = moment(view.proposal.expires.0, clock::now().0);
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("missing", &count.missing), ("bureaus", &who.are(&count.waiting)), ("until", &until), ("id", &view.id)];
        lines.push(say("gov.still_open", args));
    }
    lines.join("\n")
}
