//! What a node does of itself in governance: it lets in whom the registry names, takes the seat that its own key was
//! given, and hands in proofs of double signatures.

use std::sync::Arc;

use kanhe_proto::equivocation::EquivocationPayload;
use kanhe_proto::governance::{GovernancePayload, activate_bytes};
use kanhe_proto::hash::{Hash, TransactionId, ValidatorsHash};
use kanhe_proto::ids::{Height, SpanMs};
use kanhe_proto::key::{PublicKey, Signer};
use kanhe_proto::registry::{Seat, SeatState, Seats};
use kanhe_proto::transaction::{Payload, TRANSACTION_VERSION, TransactionBody};
use tokio::sync::watch;

use super::node::handed_over;
use super::{Pool, now, peers};
use crate::chain::{Chain, ChainError, Members};
use crate::consensus::Wanted;
use crate::mempool::Submission;
use crate::network::{NetworkHandle, PeerAddress, Peers};

/// Blocks until a transaction of this node that did not come through is sent again.
const AGAIN_AFTER: u64 = 20;
/// Life of such a transaction.
const LIFE: SpanMs = SpanMs(300_000);

/// The duties of one node.
pub struct Duties {
    /// The chain.
    pub chain: Arc<Chain>,
    /// Takes the node's own transactions.
    pub pool: Arc<Pool>,
    /// Tells the others of them.
    pub network: NetworkHandle,
    /// The validator key, if this node has one.
    pub signer: Option<Arc<dyn Signer>>,
    /// The validator key that is to take over from it.
    pub next: Option<Arc<dyn Signer>>,
    /// Told once it counts and the other does not.
    pub handed_over: watch::Sender<bool>,
    /// Whom the swarm lets in.
    pub swarm: watch::Sender<Peers>,
    /// Whom the engine talks to.
    pub engine: watch::Sender<Wanted>,
    /// The configured peers of the engine.
    pub engine_peers: Vec<PeerAddress>,
    /// This node's network key.
    pub own: PublicKey,
}

/// What was found at a tip.
#[derive(Default)]
struct Found {
    members: Option<Members>,
    seat: Option<Seat>,
    next: Option<Seat>,
}

impl Duties {
    /// Looks at each new tip until the chain is gone.
    pub async fn serve(self) {
        let mut committed = self.chain.committed();
        let mut known = (Hash::default(), ValidatorsHash::default());
        let mut asked: Option<Height> = None;
        loop {
            let tip = self.chain.tip();
            let now = (tip.header.registry_root, tip.header.next_validators);
            if now != known {
                match self.look(true).await {
                    Ok(found) => {
                        known = now;
                        asked = self.tell(found, asked).await;
                    }
                    Err(error) => tracing::error!("the registry cannot be read: {error}"),
                }
            } else if asked.is_some_and(|at| tip.header.height.0 >= at.0 + AGAIN_AFTER) {
                known = Default::default();
                asked = None;
                continue;
            }
            let own = self.signer.as_ref().map(|signer| signer.public_key());
            if let Some(next) = &self.next
                && handed_over(&tip.next_validators, own.as_ref(), &next.public_key())
            {
                tracing::warn!(height = %tip.header.height.next(), "this validator's next key counts from now on");
                self.handed_over.send_replace(true);
                return;
            }
            for misdeed in self.chain.take_misdeeds() {
                self.report(misdeed).await;
            }
            if committed.changed().await.is_err() {
                return;
            }
        }
    }

    async fn look(&self, with_members: bool) -> Result<Found, ChainError> {
        let chain = Arc::clone(&self.chain);
        let own = self.signer.as_ref().map(|signer| signer.public_key());
        let next = self.next.as_ref().map(|signer| signer.public_key());
        let looked = tokio::task::spawn_blocking(move || {
            let snapshot = chain.snapshot()?;
            let members = if with_members { Some(snapshot.members()?) } else { None };
            let seats = snapshot.registry::<Seats>(&())?.0;
            let seat = |key: Option<PublicKey>| seats.as_ref()?.get(&key?).cloned();
            Ok(Found { members, seat: seat(own), next: seat(next) })
        });
        looked.await.unwrap_or_else(|_| Ok(Found::default()))
    }

    async fn tell(&self, found: Found, asked: Option<Height>) -> Option<Height> {
        if let Some(members) = found.members {
            replace(&self.swarm, peers::swarm(&members));
            replace(&self.engine, peers::engine(&members, &self.engine_peers, &self.own));
        }
        let waits = |seat: &Seat| seat.state != SeatState::Active && seat.by.is_some();
        let of = |signer: &Option<Arc<dyn Signer>>, seat: Option<Seat>| signer.clone().zip(seat.filter(waits));
        let (signer, seat) = of(&self.signer, found.seat).or_else(|| of(&self.next, found.next))?;
        let given = seat.by?;
        if asked.is_some() {
            return asked;
        }
        let chain = self.chain.tip().chain();
        let (bureau, key) = (seat.bureau, seat.key.clone());
        let signature = signer.sign(&activate_bytes(&chain, &bureau, &given)).ok()?;
        let payload = GovernancePayload::Activate { bureau, key, proposal: given, signature };
        if let Some(id) = self.send(&signer, &seat, Payload::Governance(payload)).await {
            tracing::info!(proposal = %given, transaction = %id, "this node's key was given a seat; taking it");
        }
        Some(self.chain.tip().header.height)
    }

    /// Hands in a proof; some node with a seat does, and the first counts.
    async fn report(&self, proof: EquivocationPayload) {
        let Some(signer) = &self.signer else { return };
        let Ok(Found { seat: Some(seat), .. }) = self.look(false).await else { return };
        tracing::error!(validator = %proof.address(), height = %proof.first.vote.height, "a validator signed two values");
        self.send(signer, &seat, Payload::Equivocation(proof)).await;
    }

    async fn send(&self, signer: &Arc<dyn Signer>, seat: &Seat, payload: Payload) -> Option<TransactionId> {
        let tip = self.chain.tip();
        let body = TransactionBody {
            version: TRANSACTION_VERSION,
            chain: tip.chain(),
            sender: seat.bureau,
            key: seat.key.id(),
            expiry: now().max(tip.header.time).after(LIFE),
            payload: payload.to_raw(),
        };
        let transaction = body.sign(signer.as_ref()).ok()?;
        let bytes = bytes::Bytes::from(transaction.to_bytes());
        match self.pool.submit(bytes.clone()).await {
            Submission::Accepted(id) => {
                // The pool offers it to this node's own blocks; others hear of it by gossip, or at the next attempt.
                let _ = self.network.publish(bytes);
                Some(id)
            }
            refused => {
                tracing::debug!(?refused, "the node's own transaction was not taken");
                None
            }
        }
    }
}

/// Wakes those who listen only if something is other than before.
fn replace<T: PartialEq>(channel: &watch::Sender<T>, value: T) {
    channel.send_if_modified(|known| {
        let other = *known != value;
        *known = value;
        other
    });
}
