//! A proposal as it is shown: what is proved, and what is a node's word.

use kanhe_proto::api::ProposalEffects;
use kanhe_proto::governance::{DecidedBy, Proposal, Tally, tally};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, Power, TimeMs};
use kanhe_proto::key::KeyId;
use kanhe_proto::record::{Choice, GovernanceVote};
use kanhe_proto::validators::ValidatorSet;
use serde::Serialize;

use super::diff::ChangeShown;
use super::words::{self, Who};
use crate::cli::show::clean;
use crate::clock;
use crate::governance::{Decided, Open, Rules};
use crate::talk::{moment, say};

/// How a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not on the chain, as far as is known here.
    Draft,
    /// It can be voted on; proved.
    Open,
    /// It was decided and executed; proved.
    Decided,
}

/// A vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct VoteShown {
    /// Whose.
    #[schemars(with = "String")]
    pub bureau: Uscc,
    /// What.
    #[schemars(with = "String")]
    pub choice: Choice,
    /// By which governance key.
    #[schemars(with = "String")]
    pub key: KeyId,
    /// Whether its signature is that key's; nothing if the key is not known here.
    pub signed: Option<bool>,
}

/// How the votes count among the proved members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct CountShown {
    /// For it.
    pub yes: usize,
    /// Against it.
    pub no: usize,
    /// Votes for it that suffice.
    pub needed: usize,
    /// Bureaus that may vote.
    pub members: usize,
    /// More votes for it that are needed.
    pub missing: usize,
    /// Members whose yes would count and is not there.
    #[schemars(with = "Vec<String>")]
    pub waiting: Vec<Uscc>,
    /// Height of the registry that says so, proved.
    #[schemars(with = "u64")]
    pub height: Height,
}

/// What it would do to the quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct QuorumShown {
    /// Power of this epoch's set.
    #[schemars(with = "u64")]
    pub power_before: Power,
    /// Power of the set that would result.
    #[schemars(with = "u64")]
    pub power_after: Power,
    /// Power that the resulting set needs to go on.
    #[schemars(with = "u64")]
    pub quorum_after: Power,
    /// Power of its members that are alive.
    #[schemars(with = "u64")]
    pub living_after: Power,
    /// How many of the strongest living members may fail, and the chain goes on.
    pub may_fail: usize,
}

/// What a proposal would do if it were executed now.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct EffectsShown {
    /// Always true: the node's word.
    pub unproven: bool,
    /// Whose word.
    pub node: String,
    /// Height of the state that it was tried on.
    #[schemars(with = "u64")]
    pub height: Height,
    /// Why it could not be executed.
    pub refusal: Option<String>,
    /// Registry records that would change.
    pub changes: Vec<ChangeShown>,
    /// What it would do to the quorum.
    pub quorum: Option<QuorumShown>,
}

/// Where a decision is recorded; proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RecordedShown {
    /// Record of the log.
    #[schemars(with = "u64")]
    pub record: LogIndex,
    /// Its block.
    #[schemars(with = "u64")]
    pub height: Height,
    /// Time of that block.
    #[schemars(with = "u64")]
    pub time_ms: TimeMs,
}

/// A proposal as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct View {
    /// Which.
    #[schemars(with = "String")]
    pub id: ProposalId,
    /// How it stands.
    pub state: State,
    /// What it says.
    #[schemars(with = "serde_json::Value")]
    pub proposal: Proposal,
    /// Whose word it takes.
    #[schemars(with = "String")]
    pub decided_by: DecidedBy,
    /// Votes on it.
    pub votes: Vec<VoteShown>,
    /// How they count; nothing without a node.
    pub count: Option<CountShown>,
    /// What it would do; nothing without a node, or once it was decided.
    pub effects: Option<EffectsShown>,
    /// Where its decision is recorded.
    pub recorded: Option<RecordedShown>,
}

/// A vote whose signature the chain has checked.
pub fn vote(vote: &GovernanceVote) -> VoteShown {
    VoteShown { bureau: vote.bureau, choice: vote.choice, key: vote.key, signed: Some(true) }
}

/// How votes count.
pub fn count(proposal: &Proposal, votes: &[GovernanceVote], rules: &Rules) -> CountShown {
    let Tally { decided_by, yes, no, needed, members, .. } = tally(proposal, votes, &rules.members, &rules.parameters);
    let own = decided_by == DecidedBy::Own;
    let counts = |bureau: &&Uscc| !own || **bureau == proposal.proposer;
    let said = |bureau: &Uscc| votes.iter().any(|vote| vote.bureau == *bureau && vote.choice == Choice::Yes);
    let waiting = rules.members.bureaus.iter().filter(counts).filter(|bureau| !said(bureau)).copied().collect();
    CountShown { yes, no, needed, members, missing: needed.saturating_sub(yes), waiting, height: rules.height }
}

impl EffectsShown {
    /// What a node says.
    pub fn of(effects: &ProposalEffects, node: &str) -> Self {
        Self {
            unproven: true,
            node: node.to_owned(),
            height: effects.height,
            refusal: effects.refusal.clone(),
            changes: effects.changes.iter().map(ChangeShown::of).collect(),
            quorum: effects.next_validators.as_ref().map(|next| quorum(effects, next)),
        }
    }
}

fn quorum(effects: &ProposalEffects, next: &ValidatorSet) -> QuorumShown {
    let current = &effects.validators;
    // Whoever comes has to sign before it counts.
    let lives = |address| current.get(address).is_none() || effects.living.contains(address);
    let mut living: Vec<u64> =
        next.members().iter().filter(|member| lives(&member.address)).map(|member| member.power.0).collect();
    living.sort_unstable_by(|a, b| b.cmp(a));
    let sum: u64 = living.iter().sum();
    let mut left = sum;
    let fails = living.iter().take_while(|power| {
        left -= **power;
        next.is_quorum(Power(left))
    });
    let may_fail = fails.count();
    let total = next.total_power().0;
    QuorumShown {
        power_before: current.total_power(),
        power_after: Power(total),
        quorum_after: Power(total * 2 / 3 + 1),
        living_after: Power(sum),
        may_fail,
    }
}

impl View {
    /// A proposal that is not on the chain.
    pub fn draft(id: ProposalId, proposal: Proposal, votes: Vec<VoteShown>) -> Self {
        let decided_by = proposal.decided_by();
        Self { id, state: State::Draft, proposal, decided_by, votes, count: None, effects: None, recorded: None }
    }
    /// An open one.
    pub fn open(id: ProposalId, open: &Open, rules: &Rules) -> Self {
        let votes = open.votes.votes.iter().map(vote).collect();
        let effects = open.effects.as_ref().map(|effects| EffectsShown::of(effects, &open.node));
        Self {
            state: State::Open,
            count: Some(count(&open.proposal, &open.votes.votes, rules)),
            effects,
            ..Self::draft(id, open.proposal.clone(), votes)
        }
    }
    /// A decided one.
    pub fn decided(id: ProposalId, decided: &Decided) -> Self {
        let record = &decided.record;
        let votes = record.votes.iter().map(vote).collect();
        let recorded = RecordedShown { record: decided.index, height: record.height, time_ms: record.time };
        Self { state: State::Decided, recorded: Some(recorded), ..Self::draft(id, decided.proposal.clone(), votes) }
    }

    /// Bureaus that it speaks of.
    pub fn bureaus(&self) -> Vec<Uscc> {
        let waiting = self.count.iter().flat_map(|count| count.waiting.iter().copied());
        let votes = self.votes.iter().map(|vote| vote.bureau);
        std::iter::once(self.proposal.proposer).chain(votes).chain(waiting).collect()
    }

    /// For people.
    pub fn text(&self, who: &Who) -> String {
        let now = clock::now().0;
        let proposal = &self.proposal;
        let (made, until) = (moment(proposal.created.0, now), moment(proposal.expires.0, now));
        let proposer = who.is(&proposal.proposer);
        let mut lines =
            vec![say("gov.shown", &[("id", &self.id), ("proposer", &proposer), ("made", &made), ("until", &until)])];
        if !proposal.note.is_empty() {
            lines.push(say("gov.note", &[("note", &clean(&proposal.note))]));
        }
        for (place, action) in proposal.actions.iter().enumerate() {
            lines.push(format!("  {}. {}", place + 1, words::action(action, who)));
        }
        lines.push(say("gov.takes", &[("by", &words::decided_by(self.decided_by))]));
        lines.extend(self.votes.iter().map(|vote| vote.line(who)));
        lines.extend(self.count.as_ref().map(|count| count.text(who)));
        lines.extend(self.effects.iter().flat_map(EffectsShown::lines));
        if let Some(at) = &self.recorded {
            let time = moment(at.time_ms.0, now);
            lines.push(say("gov.recorded", &[("height", &at.height), ("record", &at.record), ("time", &time)]));
        }
        lines.join("\n")
    }
}

impl VoteShown {
    fn line(&self, who: &Who) -> String {
        let signed = match self.signed {
            Some(true) => String::new(),
            Some(false) => say("gov.signed_wrong", &[]),
            None => say("gov.signed_unknown", &[]),
        };
        let line = say("gov.vote_line", &[("bureau", &who.is(&self.bureau)), ("choice", &words::choice(self.choice))]);
        if signed.is_empty() { line } else { format!("{line} {signed}") }
    }
}

impl CountShown {
    fn text(&self, who: &Who) -> String {
        let counted: &[(&str, &dyn std::fmt::Display)] = &[
            ("yes", &self.yes),
            ("no", &self.no),
            ("needed", &self.needed),
            ("members", &self.members),
            ("height", &self.height),
        ];
        let counted = say("gov.counted", counted);
        if self.missing == 0 {
            return counted;
        }
        let waiting = say("gov.waiting", &[("missing", &self.missing), ("bureaus", &who.are(&self.waiting))]);
        format!("{counted}\n{waiting}")
    }
}

impl EffectsShown {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![say("gov.effects", &[("node", &self.node), ("height", &self.height)])];
        for change in &self.changes {
            lines.extend(change.lines().into_iter().map(|line| format!("  {line}")));
        }
        if let Some(quorum) = &self.quorum {
            let args: &[(&str, &dyn std::fmt::Display)] = &[
                ("before", &quorum.power_before),
                ("after", &quorum.power_after),
                ("quorum", &quorum.quorum_after),
                ("living", &quorum.living_after),
                ("fail", &quorum.may_fail),
            ];
            lines.push(format!("  {}", say("gov.quorum", args)));
        }
        if let Some(code) = &self.refusal {
            lines.push(format!("  {}", say("gov.would_refuse", &[("code", &clean(code))])));
        }
        lines
    }
}
