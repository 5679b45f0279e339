//! Proposals as the chain has them, each with its proof.

use kanhe_proto::api::{LeafBytes, ProposalAnswer, ProposalEffects};
use kanhe_proto::codec;
use kanhe_proto::governance::{
    OpenProposals, Proposal, ProposalContent, ProposalVotes, open_proposals_key, proposal_content_key, proposal_id,
    proposal_votes_key,
};
use kanhe_proto::hash::{MapKey, ProposalId};
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::limits::MAP_VALUE_BYTES_MAX;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf};
use kanhe_proto::record::{GovernanceRecord, Record as _};
use kanhe_proto::registry::{Membership, Parameters};

use super::explain;
use crate::follow::{FollowError, Follower, certified};
use crate::issuer::record_at;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};

pub(super) const LEAF_BYTES_MAX: usize = MAP_VALUE_BYTES_MAX + (16 << 10);
/// Newest records of the log that are searched for a decision.
const SEARCHED_MAX: u64 = 256;

/// An open proposal.
#[derive(Debug, Clone)]
pub struct Open {
    /// The proposal, proved.
    pub proposal: Proposal,
    /// Its votes, proved.
    pub votes: ProposalVotes,
    /// Height of the header that proves both.
    pub height: Height,
    /// Time of that header.
    pub time: TimeMs,
    /// What it would do: the node's word.
    pub effects: Option<ProposalEffects>,
    /// Whose word.
    pub node: String,
}

/// How the chain has a proposal.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It can be voted on.
    Open(Box<Open>),
    /// Proved: it is not open.
    NotOpen,
}

/// A decision of the bureaus in the log.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Where.
    pub index: LogIndex,
    /// What, by whom, when.
    pub record: GovernanceRecord,
    /// The proposal.
    pub proposal: Proposal,
}

/// Who votes, and by which rules.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The bureaus that vote.
    pub members: Membership,
    /// The parameters.
    pub parameters: Parameters,
    /// As of this height.
    pub height: Height,
    /// Time of its header.
    pub time: TimeMs,
}

/// How a proposal stands.
pub fn standing(follower: &mut Follower, id: &ProposalId) -> Result<Standing, Failure> {
    let asked = follower.ask(|follower, node| {
        let answer = node.proposal(id)?;
        read(follower, node, id, answer)
    });
    asked.map_err(|error| explain(error.failure()))
}

fn read(
    follower: &mut Follower,
    node: &NodeClient,
    id: &ProposalId,
    answer: ProposalAnswer,
) -> Result<Standing, FollowError> {
    let header = believed(follower, node, &answer.certified)?;
    let content: Option<ProposalContent> = leaf(node, &answer.content, &header, &proposal_content_key(id))?;
    let votes: Option<ProposalVotes> = leaf(node, &answer.votes, &header, &proposal_votes_key(id))?;
    let Some((content, votes)) = content.zip(votes) else { return Ok(Standing::NotOpen) };
    if proposal_id(&content.proposal) != *id {
        return Err(node.malformed("another proposal than asked for").into());
    }
    let proposal = Proposal::from_bytes(&content.proposal).map_err(|error| node.malformed(error))?;
    let (height, time) = (header.header.height, header.header.time);
    let node = node.url().to_owned();
    Ok(Standing::Open(Box::new(Open { proposal, votes, height, time, effects: answer.effects, node })))
}

/// All open proposals, in the order in which they came.
pub fn list(follower: &mut Follower) -> Result<OpenProposals, Failure> {
    let asked = follower.ask(|follower, node| {
        let answer = node.proposals()?;
        let header = believed(follower, node, &answer.certified)?;
        Ok(leaf(node, &answer.open, &header, &open_proposals_key())?.unwrap_or_default())
    });
    Ok(asked?)
}

/// What a proposal would do, and whose word that is.
pub fn effects(follower: &mut Follower, proposal: &Proposal) -> Result<(ProposalEffects, String), Failure> {
    let bytes = proposal.to_bytes();
    let asked = follower.ask(|_, node| {
        let effects = node.dry_run(&bytes)?;
        if effects.id != proposal_id(&bytes) {
            return Err(node.malformed("effects of another proposal").into());
        }
        Ok((effects, node.url().to_owned()))
    });
    asked.map_err(|error| explain(error.failure()))
}

/// Members and parameters, proved.
pub fn rules(follower: &mut Follower) -> Result<Rules, Failure> {
    let members = follower.registry::<Membership>(&(), NodeClient::membership)?;
    let parameters = follower.registry::<Parameters>(&(), NodeClient::parameters)?;
    let header = &parameters.header.header;
    let (height, time) = (header.height, header.time);
    let missing = || Failure::of(ExitCode::Unreachable, "gov_rules_missing", &[]);
    Ok(Rules {
        members: members.value.ok_or_else(missing)?,
        parameters: parameters.value.ok_or_else(missing)?,
        height,
        time,
    })
}

/// The decision of a proposal, if it is among the newest records of the log.
pub fn decided(follower: &mut Follower, id: &ProposalId) -> Result<Option<Decided>, Failure> {
    follower.update()?;
    let size = follower.trust().newest().map_or(0, |newest| newest.log_size);
    for index in (size.saturating_sub(SEARCHED_MAX)..size).rev().map(LogIndex) {
        let proved = record_at(follower, index)?;
        // Records of other kinds are none of ours.
        let Ok(record) = GovernanceRecord::from_record(&proved.record) else { continue };
        if record.proposal_id() == *id {
            let wrong = |error| Failure::of(ExitCode::Failure, "gov_proposal_malformed", &[("cause", &error)]);
            let proposal = Proposal::from_bytes(&record.proposal).map_err(wrong)?;
            return Ok(Some(Decided { index, record, proposal }));
        }
    }
    Ok(None)
}

pub(super) fn believed(
    follower: &mut Follower,
    node: &NodeClient,
    bytes: &[u8],
) -> Result<CertifiedHeader, FollowError> {
    let header = certified(node, bytes)?;
    follower.believe_newest(node, &header)?;
    Ok(header)
}

/// A leaf of the state; `None` is proved absence.
fn leaf<T: MapValue>(
    node: &NodeClient,
    bytes: &LeafBytes,
    header: &CertifiedHeader,
    key: &MapKey,
) -> Result<Option<T>, NodeError> {
    let leaf: ProvedLeaf = codec::decode(bytes, LEAF_BYTES_MAX).map_err(|error| node.malformed(error))?;
    leaf.read(&header.header.state_root, key).map_err(|error| node.malformed(error))
}
