//! Pieces of proofs: a certified header, and what is shown under one.

use bincode::{Decode, Encode};

use crate::block::Block;
use crate::bounded::Blob;
use crate::certificate::Certificate;
use crate::codec::CodecError;
use crate::hash::{Hash, MapKey, TransactionId};
use crate::header::Header;
use crate::ids::LogIndex;
use crate::limits::{BLOCK_BYTES_MAX, MAP_VALUE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::map_value::{MapValue, ValueError};
use crate::merkle::MerkleError;
use crate::merkle::log::{self, InclusionProof};
use crate::merkle::map::{self, MapProof};
use crate::transaction::Transaction;

/// A header and the quorum that stands behind it, trimmed as clients get it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CertifiedHeader {
    /// The header.
    pub header: Header,
    /// Precommits for its hash.
    pub certificate: Certificate,
}

/// Why a proof shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The path does not lead to the root.
    #[error(transparent)]
    Merkle(#[from] MerkleError),
    /// The value is not of the kind that its key calls for.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// No block, or a transaction that is none.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The block holds other transactions, or another certificate of its parent, than its header commits to.
    #[error("the block is not the one that its header commits to")]
    OtherBlock,
}

/// What a sparse map holds under a key, or that it holds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ProvedLeaf {
    /// kind ‖ version ‖ fields; nothing if absent.
    pub value: Option<Blob<MAP_VALUE_BYTES_MAX>>,
    /// Path to the root.
    pub proof: MapProof,
}

impl ProvedLeaf {
    /// Checks the path from the key to the root and reads the value; `None` is proved absence.
    pub fn read<T: MapValue>(&self, root: &Hash, key: &MapKey) -> Result<Option<T>, ProofError> {
        match &self.value {
            Some(value) => {
                map::verify_inclusion(root, key, value, &self.proof)?;
                Ok(Some(T::from_value(value)?))
            }
            None => {
                map::verify_absence(root, key, &self.proof)?;
                Ok(None)
            }
        }
    }
}

/// A record of the chain's log at its position.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ProvedRecord {
    /// Its position: of a batch, the batch id.
    pub index: LogIndex,
    /// kind ‖ version ‖ fields.
    pub record: Blob<RECORD_BYTES_MAX>,
    /// Path to the log's root.
    pub inclusion: InclusionProof,
}

impl ProvedRecord {
    /// Checks that the log under this header has the record at this position.
    pub fn verify(&self, header: &Header) -> Result<(), MerkleError> {
        let leaf = log::leaf_hash(&self.record);
        log::verify_inclusion(&leaf, self.index.0, header.log_size, &self.inclusion, &header.log_root)
    }
}

/// A transaction in a block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ProvedTransaction {
    /// The block.
    pub certified: CertifiedHeader,
    /// Path to the transactions root. Its size is not certified, so it shows that the block holds the transaction,
    /// and its place among the others only to who knows their number.
    pub inclusion: InclusionProof,
}

impl ProvedTransaction {
    /// Checks that the block of the header holds the transaction.
    pub fn verify(&self, id: &TransactionId) -> Result<(), MerkleError> {
        let (index, size) = (self.inclusion.index, self.inclusion.size);
        let leaf = log::leaf_hash(id.bytes());
        log::verify_inclusion(&leaf, index, size, &self.inclusion, &self.certified.header.transactions_root)
    }
}

/// A block with the quorum that stands behind its header, trimmed as clients get it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CertifiedBlock {
    /// Precommits for the hash of the block's header.
    pub certificate: Certificate,
    /// The encoding of a [`Block`].
    pub block: Blob<BLOCK_BYTES_MAX>,
}

impl CertifiedBlock {
    /// Reads the block if it holds what its header commits to. Whether to believe the header is for
    /// [`crate::trust`] to say.
    pub fn read(self) -> Result<(CertifiedHeader, Block), ProofError> {
        let block = Block::from_bytes(&self.block)?;
        let mut leaves = Vec::with_capacity(block.transactions.len());
        for bytes in &block.transactions {
            let (_, id) = Transaction::from_bytes(bytes)?;
            leaves.push(log::leaf_hash(id.bytes()));
        }
        let last = block.last_certificate.as_ref().map_or_else(Hash::default, Certificate::hash);
        if log::root(&leaves) != block.header.transactions_root || last != block.header.last_certificate {
            return Err(ProofError::OtherBlock);
        }
        Ok((CertifiedHeader { header: block.header.clone(), certificate: self.certificate }, block))
    }
}
