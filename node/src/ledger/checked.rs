//! The first phase: what needs no state at all.

use kanhe_proto::codec::CodecError;
use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::ProtocolVersion;
use kanhe_proto::key::Algorithm;
use kanhe_proto::limits::TRANSACTION_BYTES_MAX;
use kanhe_proto::transaction::{Payload, PayloadError, TRANSACTION_VERSION, Transaction};
use kanhe_proto::vote::ChainContext;

use super::code::Code;

/// A transaction that is right in itself: of this chain and era, and with a payload that is executed.
#[derive(Debug, Clone)]
pub struct Checked {
    /// As it was signed.
    pub transaction: Transaction,
    /// Its id.
    pub id: TransactionId,
    /// What it does.
    pub payload: Payload,
}

impl Checked {
    /// Decodes and checks what was received.
    pub fn from_bytes(bytes: &[u8], chain: &ChainContext, protocol: ProtocolVersion) -> Result<Self, Code> {
        let (transaction, id) = Transaction::from_bytes(bytes).map_err(|error| match error {
            CodecError::TooLong { .. } => Code::TooLarge,
            _ => Code::Malformed,
        })?;
        Self::new(transaction, id, chain, protocol)
    }

    /// Checks a transaction whose id is known.
    pub fn new(
        transaction: Transaction,
        id: TransactionId,
        chain: &ChainContext,
        protocol: ProtocolVersion,
    ) -> Result<Self, Code> {
        let payload = check_stateless(&transaction, chain, protocol)?;
        Ok(Self { transaction, id, payload })
    }
}

/// The payload of a transaction that is right in itself.
pub fn check_stateless(
    transaction: &Transaction,
    chain: &ChainContext,
    protocol: ProtocolVersion,
) -> Result<Payload, Code> {
    let body = &transaction.body;
    if body.version != TRANSACTION_VERSION {
        return Err(Code::UnknownVersion);
    }
    if body.chain.chain_id != chain.chain_id {
        return Err(Code::WrongChain);
    }
    if body.chain.era != chain.era {
        return Err(Code::WrongEra);
    }
    if body.payload.content.len() > TRANSACTION_BYTES_MAX {
        return Err(Code::TooLarge);
    }
    let signature = &transaction.signature;
    if signature.algorithm != Algorithm::Ed25519 || signature.bytes.len() != 64 {
        return Err(Code::BadSignature);
    }
    Payload::from_raw(&body.payload, protocol).map_err(|error| match error {
        PayloadError::UnknownKind { .. } => Code::UnknownKind,
        PayloadError::Codec(_) => Code::Malformed,
    })
}
