//! Transactions that a node makes for acts of others: it signs with its own key, the acts are signed inside.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use kanhe_proto::api::TransactionStatus;
use kanhe_proto::hash::{TransactionId, sha256};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::key::Signer;
use kanhe_proto::transaction::{Payload, TRANSACTION_VERSION, TransactionBody};

use super::problem::ApiError;
use super::state::State;
use super::transactions;
use crate::chain::TipState;
use crate::mempool::TransactionState;
use crate::run::now;

/// Life of such a transaction.
const LIFE: SpanMs = SpanMs(300_000);
/// Acts whose transactions are remembered.
const REMEMBERED: usize = 1_024;

/// Refusals of a transaction that are about who sends it.
const IS_THE_SPONSORS: [&str; 5] = ["unknown_sender", "unknown_key", "key_role", "key_not_valid", "key_distrusted"];

/// The bureau and key in whose name this node sends what others signed.
pub struct Sponsor {
    bureau: Uscc,
    signer: Arc<dyn Signer>,
    /// Digest of what was handed in, and its transaction, the newest last.
    sent: Mutex<VecDeque<([u8; 32], TransactionId)>>,
}

impl Sponsor {
    /// Sends in the name of this bureau, with a validator or issuing key of it.
    pub fn new(bureau: Uscc, signer: Arc<dyn Signer>) -> Self {
        Self { bureau, signer, sent: Mutex::default() }
    }

    /// A signed transaction; none if the key does not sign.
    fn transaction(&self, payload: &Payload, tip: &TipState) -> Option<(TransactionId, Vec<u8>)> {
        let body = TransactionBody {
            version: TRANSACTION_VERSION,
            chain: tip.chain(),
            sender: self.bureau,
            key: self.signer.public_key().id(),
            expiry: now().max(tip.header.time).after(LIFE),
            payload: payload.to_raw(),
        };
        let id = body.id();
        match body.sign(self.signer.as_ref()) {
            Ok(transaction) => Some((id, transaction.to_bytes())),
            Err(error) => {
                tracing::error!("the key of this node does not sign: {error}");
                None
            }
        }
    }

    /// The transaction of the same bytes, if it waits or is committed: who did not hear the answer asks again.
    fn sent_before(&self, acts: &[u8], state: &State) -> Option<TransactionId> {
        let digest = sha256(&[acts]);
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, id) = sent.iter().rev().find(|(known, _)| *known == digest)?;
        let stands = matches!(state.pool.state(id), TransactionState::Pending | TransactionState::Committed { .. });
        stands.then_some(*id)
    }

    fn remember(&self, acts: &[u8], id: TransactionId) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= REMEMBERED {
            sent.pop_front();
        }
        sent.push_back((sha256(&[acts]), id));
    }
}

/// Sends acts of others, as they were handed in, in a transaction of this node. The same bytes again, while their
/// transaction is not refused nor expired, are the same transaction.
pub(super) async fn send(state: &Arc<State>, acts: &[u8], payload: &Payload) -> Result<TransactionStatus, ApiError> {
    let sponsor = state.sponsor.as_ref().ok_or_else(ApiError::no_sponsor)?;
    if let Some(id) = sponsor.sent_before(acts, state) {
        return transactions::status_of(state, id).await;
    }
    let (id, bytes) = sponsor.transaction(payload, &state.chain.tip()).ok_or_else(ApiError::internal)?;
    match transactions::hand_in(state, bytes.into()).await {
        Ok(status) => {
            sponsor.remember(acts, id);
            Ok(status)
        }
        // These say something about this node, nothing about the acts.
        Err(error) if IS_THE_SPONSORS.contains(&error.code()) => Err(ApiError::no_sponsor()),
        Err(error) => Err(error),
    }
}
