//! Proposals, votes and withdrawals on their way onto the chain.

use kanhe_proto::governance::GovernancePayload;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::ids::{Height, SpanMs};
use kanhe_proto::key::Signer as _;
use kanhe_proto::record::GovernanceVote;
use kanhe_proto::transaction::{Payload, TRANSACTION_VERSION, TransactionBody};

use super::{Bundle, Officer, Standing, explain, standing};
use crate::clock;
use crate::follow::Follower;
use crate::issuer::{Settled, settle};
use crate::talk::{ExitCode, Failure};

/// How long a transaction may wait for its block.
const EXPIRY: SpanMs = SpanMs(15 * 60_000);

/// Brings a proposal with its votes onto the chain: as votes if it is open there, else as a proposal. The block is
/// proved. Votes that the chain has already are not sent again.
pub fn carry_in(sender: &Officer, follower: &mut Follower, bundle: &Bundle) -> Result<Option<Height>, Failure> {
    let payload = match standing(follower, &bundle.id)? {
        Standing::Open(open) => {
            let known = |vote: &GovernanceVote| open.votes.votes.iter().any(|other| same(other, vote));
            let mut new = bundle.clone();
            new.votes.retain(|vote| !known(vote));
            if new.votes.is_empty() {
                return Ok(None);
            }
            GovernancePayload::Vote { proposal: bundle.id, votes: new.list()? }
        }
        Standing::NotOpen if bundle.can_be_made()? => {
            GovernancePayload::Propose { proposal: bundle.proposal.clone(), votes: bundle.list()? }
        }
        Standing::NotOpen => return Err(Failure::of(ExitCode::Refused, "gov_not_open", &[("id", &bundle.id)])),
    };
    send(sender, follower, payload).map(Some)
}

fn same(one: &GovernanceVote, other: &GovernanceVote) -> bool {
    (one.bureau, one.key, one.choice) == (other.bureau, other.key, other.choice)
}

/// Takes an open proposal of the bureau back.
pub fn withdraw(officer: &Officer, follower: &mut Follower, id: &ProposalId) -> Result<Height, Failure> {
    let signature = officer.withdrawal(id)?;
    let key = officer.key.public_key().id();
    send(officer, follower, GovernancePayload::Withdraw { proposal: *id, bureau: officer.bureau, key, signature })
}

fn send(sender: &Officer, follower: &mut Follower, payload: GovernancePayload) -> Result<Height, Failure> {
    let body = TransactionBody {
        version: TRANSACTION_VERSION,
        chain: sender.chain,
        sender: sender.bureau,
        key: sender.key.public_key().id(),
        expiry: clock::now().after(EXPIRY),
        payload: Payload::Governance(payload).to_raw(),
    };
    let (id, expiry) = (body.id(), body.expiry);
    let signed = body.sign(&sender.key);
    let signed = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
    match settle(follower, &signed.to_bytes(), &id, expiry, None).map_err(explain)? {
        Settled::Committed { height, .. } => Ok(height),
        Settled::Void => Err(Failure::of(ExitCode::Refused, "transaction_expired", &[("id", &id)])),
    }
}
