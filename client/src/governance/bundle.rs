//! What is carried between machines: a proposal and the votes on it, as one file of JSON.

use std::path::Path;

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::governance::{GovernanceVotes, Proposal, proposal_id};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::limits::PROPOSAL_BYTES_MAX;
use kanhe_proto::record::{Choice, GovernanceVote};
use kanhe_proto::vote::ChainContext;
use serde::{Deserialize, Serialize};

use crate::home;
use crate::talk::{ExitCode, Failure};

/// Layout of the file.
const VERSION: u8 = 1;
/// Longest file, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 1 << 20;

/// A proposal with votes, as it is carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Layout: 1.
    pub kanhe_proposal: u8,
    /// The chain that the votes are signed for.
    pub chain: ChainContext,
    /// Which proposal.
    pub id: ProposalId,
    /// Its encoding: whoever votes without a node reads here what is voted on.
    pub proposal: Blob<PROPOSAL_BYTES_MAX>,
    /// Votes, ascending by bureau.
    pub votes: Vec<GovernanceVote>,
}

impl Bundle {
    /// Of a proposal.
    pub fn new(chain: ChainContext, proposal: &Proposal, votes: Vec<GovernanceVote>) -> Result<Self, Failure> {
        let bytes = proposal.to_bytes();
        let id = proposal_id(&bytes);
        Ok(Self { kanhe_proposal: VERSION, chain, id, proposal: blob(bytes)?, votes })
    }

    /// Reads a file and checks that it is of this chain and that the id is the proposal's.
    pub fn read(path: &Path, chain: &ChainContext) -> Result<Self, Failure> {
        let shown = path.display();
        let wrong = |cause: &dyn std::fmt::Display| {
            Failure::of(ExitCode::Failure, "gov_file_wrong", &[("path", &shown), ("cause", cause)])
        };
        let text = home::read_text(path, BUNDLE_BYTES_MAX)?;
        let bundle: Self = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        if bundle.kanhe_proposal != VERSION {
            return Err(wrong(&format!("version {}", bundle.kanhe_proposal)));
        }
        if bundle.chain != *chain {
            let (found, expected) = (bundle.chain.chain_id, chain.chain_id);
            return Err(Failure::of(ExitCode::Failure, "other_chain", &[("found", &found), ("expected", &expected)]));
        }
        if proposal_id(&bundle.proposal) != bundle.id {
            return Err(wrong(&"id"));
        }
        bundle.content()?;
        Ok(bundle)
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self).expect("a bundle has only members that JSON can hold");
        text.push('\n');
        home::write_private(path, text.as_bytes())
    }

    /// The proposal itself.
    pub fn content(&self) -> Result<Proposal, Failure> {
        Proposal::from_bytes(&self.proposal)
            .map_err(|error| Failure::of(ExitCode::Failure, "gov_proposal_malformed", &[("cause", &error)]))
    }

    /// Adds votes; a later one of a bureau takes the place of an earlier.
    pub fn add(&mut self, votes: &[GovernanceVote]) {
        self.votes.retain(|vote| !votes.iter().any(|other| other.bureau == vote.bureau));
        self.votes.extend_from_slice(votes);
        self.votes.sort_by_key(|vote| vote.bureau);
    }

    /// Whether the proposer's yes is there, without which nobody can make the proposal.
    pub fn can_be_made(&self) -> Result<bool, Failure> {
        let proposer = self.content()?.proposer;
        Ok(self.votes.iter().any(|vote| vote.bureau == proposer && vote.choice == Choice::Yes))
    }

    /// The votes as a transaction carries them.
    pub fn list(&self) -> Result<GovernanceVotes, Failure> {
        let too_many = |error| Failure::of(ExitCode::Usage, "gov_too_long", &[("what", &"votes"), ("cause", &error)]);
        List::new(self.votes.clone()).map_err(too_many)
    }
}

fn blob(bytes: Vec<u8>) -> Result<Blob<PROPOSAL_BYTES_MAX>, Failure> {
    Blob::new(bytes)
        .map_err(|error| Failure::of(ExitCode::Usage, "gov_too_long", &[("what", &"proposal"), ("cause", &error)]))
}
