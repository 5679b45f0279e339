//! What is asked of a transaction before it may wait for a block.

use std::sync::{Arc, Weak};

use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::{Height, SpanMs, TimeMs};
use kanhe_proto::key::PublicKey;
use kanhe_proto::limits::EXPIRY_AHEAD_MAX_MS;
use kanhe_proto::transaction::Transaction;

use super::Chain;
use super::error::ChainError;
use super::overlay::TipView;
use crate::ledger::{Checked, Code, Execution, Refusal, Registry, SignatureCheck, check_stateless};
use crate::mempool::{Admission, Denial};

/// A check before the pool: a refusal, or the chain that cannot be read.
pub type AdmissionError = Refusal;

impl Chain {
    /// The key under which a transaction's signature must hold, as of the next block.
    pub fn signer(&self, transaction: &Transaction, now: TimeMs) -> Result<PublicKey, AdmissionError> {
        let tip = self.tip();
        check_stateless(transaction, &tip.chain(), tip.protocol)?;
        let body = &transaction.body;
        check_waiting(body.expiry, tip.header.time, now)?;
        if let Some(key) = tip.signers.get(&(body.sender, body.key)) {
            return Ok(key);
        }
        let (reader, tip) = self.consistent().map_err(unreadable)?;
        let view = TipView { reader: &reader, tip: &tip };
        let mut registry = Registry::new(&view, tip.header.height.next());
        let key = registry.signer(body)?.clone();
        tip.signers.put((body.sender, body.key), key.clone());
        Ok(key)
    }

    /// All other checks, as if the transaction were alone in a block now. Its signature is not verified again.
    pub fn admit(&self, transaction: &Transaction, id: &TransactionId, now: TimeMs) -> Result<(), AdmissionError> {
        let (reader, tip) = self.consistent().map_err(unreadable)?;
        let checked = Checked::new(transaction.clone(), *id, &tip.chain(), tip.protocol)?;
        let expiry = transaction.body.expiry;
        check_waiting(expiry, tip.header.time, now)?;
        // The id of a committed transaction is in the state until it expires, so execution finds a duplicate.
        let view = TipView { reader: &reader, tip: &tip };
        // A block that sweeps nothing: what is swept cannot matter to a transaction that is not expired.
        let mut context = view.context(now.max(TimeMs(tip.header.time.0 + 1)).min(expiry), None);
        context.parameters.block_swept_max = 0;
        let mut execution = Execution::begin(&view, context)?;
        execution.apply(&checked, SignatureCheck::Known)?;
        Ok(())
    }

    /// Where an id was committed.
    pub fn committed_height(&self, id: &TransactionId) -> Result<Option<Height>, ChainError> {
        Ok(self.storage.read().transaction(id)?.map(|(height, _)| height))
    }
}

/// The chain as the pool asks it. Chain and pool know each other, so one of them must not own the other.
#[derive(Debug, Clone)]
pub struct ChainAdmission(Weak<Chain>);

impl ChainAdmission {
    /// Asks this chain for as long as it lives.
    pub fn new(chain: &Arc<Chain>) -> Self {
        Self(Arc::downgrade(chain))
    }
    fn ask<T>(&self, question: impl FnOnce(&Chain, TimeMs) -> Result<T, Refusal>) -> Result<T, Denial<Code>> {
        let chain = self.0.upgrade().ok_or(Denial::Undecided)?;
        question(&chain, chain.now()).map_err(|refusal| match refusal {
            Refusal::Code(code) => Denial::Code(code),
            Refusal::Read(error) => {
                tracing::error!("a transaction cannot be checked: {error:?}");
                Denial::Undecided
            }
        })
    }
}

impl Admission for ChainAdmission {
    type Code = Code;

    fn signer(&self, transaction: &Transaction) -> Result<PublicKey, Denial<Code>> {
        self.ask(|chain, now| chain.signer(transaction, now))
    }
    fn wrong_signature(&self) -> Code {
        Code::BadSignature
    }
    fn admit(&self, transaction: &Transaction, id: &TransactionId) -> Result<(), Denial<Code>> {
        self.ask(|chain, now| chain.admit(transaction, id, now))
    }
    fn committed(&self, id: &TransactionId) -> Option<Height> {
        self.ask(|chain, _| chain.committed_height(id).map_err(unreadable)).ok().flatten()
    }
}

/// The next block is later than the tip and about now.
fn check_waiting(expiry: TimeMs, tip_time: TimeMs, now: TimeMs) -> Result<(), Code> {
    if expiry <= tip_time || expiry < now {
        return Err(Code::Expired);
    }
    if expiry > now.max(tip_time).after(SpanMs(EXPIRY_AHEAD_MAX_MS)) {
        return Err(Code::ExpiryTooFar);
    }
    Ok(())
}

fn unreadable(error: ChainError) -> Refusal {
    Refusal::Read(crate::ledger::map::ReadError(Box::new(error)))
}
