//! A block: header, the parent's certificate, and the transactions.

use bincode::{Decode, Encode};

use crate::bounded::{Blob, List};
use crate::certificate::Certificate;
use crate::codec::{self, CodecError};
use crate::header::Header;
use crate::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};

/// The bytes of one transaction, as its sender signed them.
pub type TransactionBytes = Blob<TRANSACTION_BYTES_MAX>;

/// A block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Block {
    /// What validators vote for.
    pub header: Header,
    /// The parent's certificate, all its signatures; none in block 1.
    pub last_certificate: Option<Certificate>,
    /// Transactions in order of execution.
    pub transactions: List<TransactionBytes, BLOCK_TRANSACTIONS_MAX>,
}

impl Block {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads a block of any peer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, BLOCK_BYTES_MAX)
    }
}
