//! The life of a proposal: made, voted on, decided or withdrawn, expired.

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::governance::{
    GovernanceVotes, OpenProposal, Proposal, ProposalContent, ProposalVotes, Tally, open_proposals_key,
    proposal_content_key, proposal_id, proposal_votes_key, tally, withdraw_bytes,
};
use kanhe_proto::hash::{ProposalId, TransactionId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{KeyId, Signature};
use kanhe_proto::limits::{OPEN_PROPOSALS_BUREAU_MAX, PROPOSAL_BYTES_MAX};
use kanhe_proto::record::{Choice, GovernanceRecord, GovernanceVote, Record};

use super::actions::{self, Decision};
use super::desk::Desk;
use super::{require, votes};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

/// A bureau makes a proposal.
pub(super) fn propose<V: View>(
    desk: &mut Desk<'_, '_, V>,
    bytes: &Blob<PROPOSAL_BYTES_MAX>,
    given: &GovernanceVotes,
) -> Result<(), Refusal> {
    let proposal = Proposal::from_bytes(bytes).map_err(|_| Code::ProposalWrong)?;
    let id = proposal_id(bytes);
    check_new(desk, &proposal, &id)?;
    votes::check(desk, &id, given)?;
    let own = |vote: &GovernanceVote| vote.bureau == proposal.proposer && vote.choice == Choice::Yes;
    require(given.iter().any(own), Code::ProposerVote)?;
    if decide(desk, &proposal, &id, bytes, given)? {
        return Ok(());
    }
    try_out(desk, &proposal, &id)?;
    let mut open = desk.open_proposals()?;
    let entry = OpenProposal { id, proposer: proposal.proposer, expires: proposal.expires };
    open.open.push(entry).map_err(|_| Code::ProposalLimit)?;
    desk.put(open_proposals_key(), &open);
    desk.put(proposal_content_key(&id), &ProposalContent { proposal: bytes.clone() });
    let (proposer, expires, height) = (proposal.proposer, proposal.expires, desk.context().height);
    desk.put(proposal_votes_key(&id), &ProposalVotes { proposer, expires, height, votes: given.clone() });
    Ok(())
}

/// All that is asked of a proposal before its votes.
pub(super) fn check_new<V: View>(desk: &Desk<'_, '_, V>, proposal: &Proposal, id: &ProposalId) -> Result<(), Refusal> {
    let context = desk.context();
    proposal.check(&context.chain, &context.parameters).map_err(|error| Code::from(&error))?;
    // Software of an earlier version cannot even read such an action: all refuse it alike.
    require(proposal.actions.iter().all(|action| action.since() <= context.protocol), Code::ProposalWrong)?;
    require(proposal.created <= context.time, Code::ProposalLifetime)?;
    require(context.time <= proposal.expires, Code::ProposalExpired)?;
    desk.require_member(&proposal.proposer)?;
    let open = desk.open_proposals()?;
    require(!open.open.iter().any(|entry| entry.id == *id), Code::ProposalExists)?;
    require(!desk.is_spent(&spent_id(id))?, Code::ProposalExists)?;
    let own = open.open.iter().filter(|entry| entry.proposer == proposal.proposer).count();
    require(own < OPEN_PROPOSALS_BUREAU_MAX, Code::ProposalLimit)
}

/// Votes on an open proposal.
pub(super) fn vote<V: View>(
    desk: &mut Desk<'_, '_, V>,
    id: &ProposalId,
    given: &GovernanceVotes,
) -> Result<(), Refusal> {
    let (bytes, mut leaf) = open(desk, id)?;
    require(desk.context().time <= leaf.expires, Code::ProposalExpired)?;
    let proposal = Proposal::from_bytes(&bytes).map_err(|_| Code::ProposalWrong)?;
    votes::check(desk, id, given)?;
    // Votes of those who are no members any more make room for those who are.
    let all = votes::counted(desk, &votes::merged(&leaf.votes, given))?;
    let all: GovernanceVotes = List::new(all).map_err(|_| Code::RegistryFull)?;
    if decide(desk, &proposal, id, &bytes, &all)? {
        return forget(desk, id);
    }
    if let Err(Refusal::Code(code @ (Code::WouldHalt | Code::PowerChange))) = try_out(desk, &proposal, id) {
        return Err(code.into());
    }
    leaf.votes = all;
    desk.put(proposal_votes_key(id), &leaf);
    Ok(())
}

/// The proposer takes an open proposal back.
pub(super) fn withdraw<V: View>(
    desk: &mut Desk<'_, '_, V>,
    id: &ProposalId,
    bureau: &Uscc,
    key: &KeyId,
    signature: &Signature,
) -> Result<(), Refusal> {
    let (_, leaf) = open(desk, id)?;
    require(leaf.proposer == *bureau, Code::NotOwn)?;
    let key = votes::governance_key(desk, bureau, key)?;
    key.verify(&withdraw_bytes(&desk.context().chain, id), signature).map_err(|_| Code::VoteSignature)?;
    if desk.context().time <= leaf.expires {
        desk.spend(spent_id(id), leaf.expires);
    }
    forget(desk, id)
}

/// Removes the leaves of proposals that expired before the parent's time.
pub(super) fn sweep_expired<V: View>(desk: &mut Desk<'_, '_, V>) -> Result<(), Refusal> {
    let before = desk.context().parent_time;
    let open = desk.open_proposals()?;
    for entry in open.open.iter().filter(|entry| entry.expires < before) {
        forget(desk, &entry.id)?;
    }
    Ok(())
}

/// Content and votes of an open proposal.
pub(super) fn open<V: View>(
    desk: &Desk<'_, '_, V>,
    id: &ProposalId,
) -> Result<(Blob<PROPOSAL_BYTES_MAX>, ProposalVotes), Refusal> {
    let content: Option<ProposalContent> = desk.leaf(&proposal_content_key(id))?;
    let votes: Option<ProposalVotes> = desk.leaf(&proposal_votes_key(id))?;
    let (content, votes) = content.zip(votes).ok_or(Code::ProposalUnknown)?;
    Ok((content.proposal, votes))
}

fn forget<V: View>(desk: &mut Desk<'_, '_, V>, id: &ProposalId) -> Result<(), Refusal> {
    let mut open = desk.open_proposals()?;
    let left = open.open.iter().filter(|entry| entry.id != *id).copied().collect();
    open.open = List::new(left).expect("fewer than before");
    match open.open.is_empty() {
        true => desk.remove(open_proposals_key()),
        false => desk.put(open_proposals_key(), &open),
    }
    desk.remove(proposal_content_key(id));
    desk.remove(proposal_votes_key(id));
    Ok(())
}

/// The count of these votes now.
pub(super) fn count<V: View>(
    desk: &Desk<'_, '_, V>,
    proposal: &Proposal,
    given: &[GovernanceVote],
) -> Result<Tally, Refusal> {
    Ok(tally(proposal, given, &desk.membership()?, &desk.context().parameters))
}

/// Executes all actions and records the decision, if the votes suffice.
fn decide<V: View>(
    desk: &mut Desk<'_, '_, V>,
    proposal: &Proposal,
    id: &ProposalId,
    bytes: &Blob<PROPOSAL_BYTES_MAX>,
    given: &GovernanceVotes,
) -> Result<bool, Refusal> {
    let counted = count(desk, proposal, given)?;
    if !counted.decided {
        return Ok(false);
    }
    // An own act carries the bureau's own vote and no other.
    let own = counted.decided_by == kanhe_proto::governance::DecidedBy::Own;
    let shown = given.iter().filter(|vote| !own || vote.bureau == proposal.proposer).cloned().collect();
    let own_key = given.iter().find(|vote| vote.bureau == proposal.proposer).map(|vote| vote.key);
    let (members, threshold) = (counted.members as u32, counted.threshold);
    actions::execute_all(desk, proposal, &Decision::new(proposal, *id, own_key))?;
    desk.spend(spent_id(id), proposal.expires);
    let context = desk.context();
    let record = GovernanceRecord {
        proposal: bytes.clone(),
        votes: List::new(shown).expect("no more than were given"),
        members,
        threshold,
        height: context.height,
        time: context.time,
    };
    desk.staged.records.push(record.to_record());
    Ok(true)
}

/// Whether the actions could be executed now; nothing of it stays.
fn try_out<V: View>(desk: &mut Desk<'_, '_, V>, proposal: &Proposal, id: &ProposalId) -> Result<(), Refusal> {
    let before = desk.staged.clone();
    let result = actions::execute_all(desk, proposal, &Decision::new(proposal, *id, None));
    desk.staged = before;
    result
}

/// A decided or withdrawn proposal must not come again while its votes live. It is kept among the ids of transactions:
/// both are hashes under tags of their own.
pub(super) const fn spent_id(id: &ProposalId) -> TransactionId {
    TransactionId(id.0)
}
