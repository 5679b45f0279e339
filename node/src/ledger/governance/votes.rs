//! Votes: whose they are, and whether they still count.

use kanhe_proto::governance::GovernanceVotes;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::record::GovernanceVote;
use kanhe_proto::registry::{KeyEntry, KeyRole};

use super::desk::Desk;
use super::require;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

/// The governance key of a member, if it may sign now.
pub(super) fn governance_key<V: View>(
    desk: &Desk<'_, '_, V>,
    bureau: &Uscc,
    key: &KeyId,
) -> Result<PublicKey, Refusal> {
    desk.require_member(bureau)?;
    let entry: KeyEntry = desk.read(&(*bureau, *key))?.ok_or(Code::UnknownKey)?;
    require(entry.role == KeyRole::Governance, Code::KeyRole)?;
    let height = desk.context().height;
    require(entry.intervals.hold_at(height), Code::KeyNotValid)?;
    require(entry.distrusted_from.is_none_or(|from| height < from), Code::KeyDistrusted)?;
    Ok(entry.key)
}

/// Checks votes that came with a transaction.
pub(super) fn check<V: View>(
    desk: &Desk<'_, '_, V>,
    proposal: &ProposalId,
    votes: &GovernanceVotes,
) -> Result<(), Refusal> {
    require(!votes.is_empty() && votes.windows(2).all(|pair| pair[0].bureau < pair[1].bureau), Code::VotesOrder)?;
    for vote in votes {
        let key = governance_key(desk, &vote.bureau, &vote.key)?;
        let bytes = GovernanceVote::sign_bytes(&desk.context().chain, proposal, vote.choice);
        key.verify(&bytes, &vote.signature).map_err(|_| Code::VoteSignature)?;
    }
    Ok(())
}

/// The votes that still count: of members, by keys that hold now.
pub(super) fn counted<V: View>(
    desk: &Desk<'_, '_, V>,
    votes: &[GovernanceVote],
) -> Result<Vec<GovernanceVote>, Refusal> {
    let mut counted = Vec::with_capacity(votes.len());
    for vote in votes {
        match governance_key(desk, &vote.bureau, &vote.key) {
            Ok(_) => counted.push(vote.clone()),
            Err(Refusal::Code(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(counted)
}

/// Later votes take the place of earlier ones of the same bureau.
pub(super) fn merged(before: &[GovernanceVote], later: &[GovernanceVote]) -> Vec<GovernanceVote> {
    let replaced = |vote: &&GovernanceVote| !later.iter().any(|other| other.bureau == vote.bureau);
    let mut votes: Vec<GovernanceVote> = before.iter().filter(replaced).chain(later).cloned().collect();
    votes.sort_unstable_by_key(|vote| vote.bureau);
    votes
}
