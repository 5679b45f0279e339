//! What comes of handing in a transaction.

use kanhe_proto::codec::CodecError;
use kanhe_proto::hash::TransactionId;

use super::outcomes::TransactionState;

/// Which bound a transaction would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The sender's bureau already holds as much as it leaves free.
    #[error("the sponsor's share of the pool is used up")]
    Sponsor,
    /// There is no room at all.
    #[error("the pool is full")]
    Pool,
}

/// The answer to a transaction that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission<C> {
    /// New: it waits for a block.
    Accepted(TransactionId),
    /// Seen before: where the first stands.
    Known {
        /// Its id.
        id: TransactionId,
        /// Its state.
        state: TransactionState<C>,
        /// Whether this copy's signature holds as well.
        signed: bool,
    },
    /// Refused by a check.
    Refused {
        /// Its id.
        id: TransactionId,
        /// Why.
        code: C,
    },
    /// The signature is wrong: whoever passed it on did not look.
    WrongSignature {
        /// Its id, under which nothing is remembered.
        id: TransactionId,
        /// The code of it.
        code: C,
    },
    /// Not a transaction.
    Malformed(CodecError),
    /// No room to wait.
    Full {
        /// Its id.
        id: TransactionId,
        /// Which room.
        what: Full,
    },
    /// Not looked at for want of room or of a readable state: try again in a moment.
    Busy,
}

impl<C: Clone> Submission<C> {
    /// What a copy that waited for this one is told.
    pub(super) fn of_copy(&self) -> Self {
        match self {
            Self::Accepted(id) => Self::Known { id: *id, state: TransactionState::Pending, signed: true },
            other => other.clone(),
        }
    }
}
