//! Do these votes suffice? The ledger and the light client ask the same function.

use serde::{Deserialize, Serialize};

use super::{DecidedBy, Proposal};
use crate::record::{Choice, GovernanceVote};
use crate::registry::{Membership, Parameters, Threshold};

/// A count of votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Whose word it takes.
    pub decided_by: DecidedBy,
    /// For it.
    pub yes: usize,
    /// Against it.
    pub no: usize,
    /// Votes for it that suffice.
    pub needed: usize,
    /// Bureaus that may vote.
    pub members: usize,
    /// The share that it takes.
    pub threshold: Threshold,
    /// The votes suffice, and the proposer's is among them where it must be.
    pub decided: bool,
}

/// Counts the votes of members; signatures are checked elsewhere.
pub fn tally(proposal: &Proposal, votes: &[GovernanceVote], members: &Membership, parameters: &Parameters) -> Tally {
    let member = |vote: &&GovernanceVote| members.bureaus.binary_search(&vote.bureau).is_ok();
    let threshold = proposal.decided_by().threshold(parameters);
    count(proposal, votes.iter().filter(member), members.bureaus.len(), threshold)
}

/// Counts these votes against a number of members and a share.
pub(crate) fn count<'a>(
    proposal: &Proposal,
    votes: impl Iterator<Item = &'a GovernanceVote>,
    members: usize,
    threshold: Threshold,
) -> Tally {
    let decided_by = proposal.decided_by();
    let own = decided_by == DecidedBy::Own;
    let (mut yes, mut no, mut proposer) = (0, 0, false);
    for vote in votes.filter(|vote| !own || vote.bureau == proposal.proposer) {
        match vote.choice {
            Choice::Yes => yes += 1,
            Choice::No => no += 1,
        }
        proposer |= vote.bureau == proposal.proposer && vote.choice == Choice::Yes;
    }
    let needed = if own { 1 } else { threshold.needed(members) };
    let decided = yes >= needed && (proposer || !proposal.needs_proposer());
    Tally { decided_by, yes, no, needed, members, threshold, decided }
}

impl DecidedBy {
    /// The share of the members that it takes; of one's own word, more than none.
    pub fn threshold(self, parameters: &Parameters) -> Threshold {
        match self {
            Self::Own => Threshold { numerator: 0, denominator: 1 },
            Self::Emergency => parameters.threshold_emergency,
            Self::Catalogue => parameters.threshold_catalogue,
            Self::Constitution => parameters.threshold_constitution,
        }
    }
}
