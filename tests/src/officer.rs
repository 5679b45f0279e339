//! Who votes for a bureau, with its governance key; and what they send.

use std::fs;
use std::time::{Duration, Instant};

use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_node::run::now;
use kanhe_proto::api::{TransactionState, TransactionStatus};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::governance::{Action, GovernancePayload, MembershipCard, Proposal};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::record::{Choice, GovernanceVote};
use kanhe_proto::transaction::{Payload, TRANSACTION_VERSION, TransactionBody};
use kanhe_proto::vote::ChainContext;

use crate::network::Network;

const LIFE: SpanMs = SpanMs(24 * 3_600_000);
const WAIT: Duration = Duration::from_secs(30);

/// The governance officer of one bureau.
pub struct Officer {
    /// The bureau.
    pub uscc: Uscc,
    chain: ChainContext,
    key: SecretKey,
}

impl Officer {
    /// Of a node's bureau.
    pub fn of(network: &Network, node: usize) -> Self {
        let bureau = network.bureau(node);
        let passphrase = PassphraseSource::File(bureau.passphrase_file.clone()).read().unwrap();
        let key = keys::open_secret(&bureau.governance_key, KeyFileRole::Governance, &passphrase).unwrap();
        Self { uscc: bureau.uscc, chain: network.genesis.chain(), key }
    }

    /// A vote, made wherever the key is.
    pub fn vote(&self, proposal: &ProposalId, choice: Choice) -> GovernanceVote {
        let signature = self.key.sign(&GovernanceVote::sign_bytes(&self.chain, proposal, choice)).unwrap();
        GovernanceVote { bureau: self.uscc, key: self.key.public_key().id(), choice, signature }
    }

    /// A proposal of these actions.
    pub fn proposal(&self, note: &str, actions: Vec<Action>) -> Proposal {
        Proposal {
            version: kanhe_proto::governance::PROPOSAL_VERSION,
            proposer: self.uscc,
            // Blocks may be a little behind this machine's clock.
            created: TimeMs(now().0 - 60_000),
            expires: now().after(LIFE),
            note: Text::new(note).unwrap(),
            actions: List::new(actions).unwrap(),
        }
    }

    /// Submits a payload through a node and waits for its end: nothing if it is committed, else the code.
    pub fn send(&self, network: &Network, node: usize, payload: GovernancePayload) -> Result<(), String> {
        let body = TransactionBody {
            version: TRANSACTION_VERSION,
            chain: self.chain,
            sender: self.uscc,
            key: self.key.public_key().id(),
            expiry: now().after(SpanMs(120_000)),
            payload: Payload::Governance(payload).to_raw(),
        };
        let transaction = body.sign(&self.key).unwrap();
        let url = format!("{}/v1/transactions", network.api(node));
        let (status, answer) = network.http.post(&url, "application/octet-stream", &transaction.to_bytes()).unwrap();
        if status != 202 {
            let problem: kanhe_proto::api::Problem = serde_json::from_slice(&answer).unwrap();
            return Err(problem.code);
        }
        let until = Instant::now() + WAIT;
        loop {
            let url = format!("{url}/{}?wait=5", transaction.body.id());
            let status: Option<TransactionStatus> = network.http.json(&url);
            match status.map(|status| (status.state, status.code)) {
                Some((TransactionState::Committed, _)) => return Ok(()),
                Some((TransactionState::Rejected, code)) => return Err(code.unwrap_or_default()),
                other => assert!(Instant::now() < until, "{other:?}\n{}", network.last_words(node)),
            }
        }
    }

    /// Proposes with the votes of others, which they made offline.
    pub fn propose(
        &self,
        network: &Network,
        node: usize,
        proposal: &Proposal,
        others: &[&Officer],
    ) -> Result<ProposalId, String> {
        let id = proposal.id();
        let officers = others.iter().copied().chain([self]);
        let mut votes: Vec<GovernanceVote> = officers.map(|officer| officer.vote(&id, Choice::Yes)).collect();
        votes.sort_unstable_by_key(|vote| vote.bureau);
        let proposal = Blob::new(proposal.to_bytes()).unwrap();
        self.send(network, node, GovernancePayload::Propose { proposal, votes: List::new(votes).unwrap() })?;
        Ok(id)
    }
}

/// The membership card of a node's bureau.
pub fn card(network: &Network, node: usize) -> MembershipCard {
    MembershipCard::from_bytes(&fs::read(&network.bureau(node).card).unwrap(), &network.genesis.chain()).unwrap()
}
