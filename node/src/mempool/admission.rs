//! What the pool asks of the ledger.

use std::fmt::Debug;

use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::Height;
use kanhe_proto::key::PublicKey;
use kanhe_proto::transaction::Transaction;

/// Why a transaction is not let in. Only a code says something about the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial<C> {
    /// The rules refuse it.
    Code(C),
    /// The state could not be read: nothing was decided.
    Undecided,
}

impl<C> From<C> for Denial<C> {
    fn from(code: C) -> Self {
        Self::Code(code)
    }
}

/// The checks of a transaction before it may wait, on a snapshot of the last block. Called from threads that may
/// block, several at once.
pub trait Admission: Send + Sync + 'static {
    /// A stable reason code.
    type Code: Clone + Debug + PartialEq + Send + Sync + 'static;

    /// The key under which the signature must hold, or why there is none (other chain, expired, unknown sender or
    /// key). A refusal here is told to the sender and not remembered: nobody has proved yet to have sent this.
    fn signer(&self, transaction: &Transaction) -> Result<PublicKey, Denial<Self::Code>>;

    /// The code of a wrong signature.
    fn wrong_signature(&self) -> Self::Code;

    /// All other checks, after the signature held. A refusal is remembered.
    fn admit(&self, transaction: &Transaction, id: &TransactionId) -> Result<(), Denial<Self::Code>>;

    /// Where an id was committed, if the chain still knows; the pool asks for ids that it has forgotten.
    fn committed(&self, id: &TransactionId) -> Option<Height>;
}
