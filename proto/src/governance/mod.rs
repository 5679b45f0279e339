//! How bureaus decide: proposals, votes, and what they do.
//!
//! Every decision is a proposal. Its id is the hash of its bytes; votes are signed over that id by governance keys,
//! outside transactions, and live as long as the proposal. What it takes follows from its actions.

mod action;
mod card;
mod check;
mod leaves;
mod new_key;
mod payload;
mod proposal;
mod tally;

pub use action::{Action, DecidedBy};
pub use card::{CardBody, CardError, FOUNDING, MembershipCard};
pub use check::ProposalError;
pub use leaves::{
    Alive, LastSigned, OpenProposal, OpenProposals, ProposalContent, ProposalVotes, alive_key, open_proposals_key,
    proposal_content_key, proposal_votes_key,
};
pub use new_key::{NewKey, NewKeyError};
pub use payload::{GovernancePayload, GovernanceVotes, activate_bytes, withdraw_bytes};
pub use proposal::{PROPOSAL_VERSION, Proposal, proposal_id};
pub(crate) use tally::count;
pub use tally::{Tally, tally};
