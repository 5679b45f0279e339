//! A part of a file, as nodes carry it, signed by the file's author: tag ‖ body.

use bincode::{Decode, Encode};

use super::{CaseFileError, PART_ENCODED_BYTES_MAX, PART_VERSION, PARTS_MAX, info};
use crate::codec;
use crate::hash::{CaseId, ChainId, Commitment};
use crate::identifiers::Uscc;
use crate::key::{KeyId, PublicKey, SignError, Signature, Signer};
use crate::seal::{SealInfo, Sealed};
use crate::tags;

/// What the author of a part signs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PartBody {
    /// Layout: [`PART_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// The case.
    pub case: CaseId,
    /// Whom it is for.
    pub to: Uscc,
    /// To the whole file.
    pub commitment: Commitment,
    /// The key under which its author acts in the case.
    pub author: PublicKey,
    /// Its place, from 0.
    pub place: u16,
    /// Number of parts of the file.
    pub parts: u16,
    /// Its bytes.
    pub sealed: Sealed,
}

impl PartBody {
    fn sign_bytes(&self) -> Vec<u8> {
        [tags::CASE_FILE_PART.bytes().as_slice(), &codec::encode(self)].concat()
    }
    /// With its author's signature.
    pub fn sign(self, author: &dyn Signer) -> Result<FilePart, SignError> {
        let signature = author.sign(&self.sign_bytes())?;
        Ok(FilePart { body: self, signature })
    }
}

/// A part of a file, as nodes carry it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FilePart {
    /// What is signed.
    pub body: PartBody,
    /// By its author.
    pub signature: Signature,
}

impl FilePart {
    pub(super) fn info(&self) -> SealInfo {
        let PartBody { chain, case, commitment, place, parts, .. } = &self.body;
        info(*chain, case, commitment, *place, *parts)
    }
    pub(super) fn is_of_one_file_with(&self, other: &Self) -> bool {
        let file = |part: &Self| (part.body.chain, part.body.case, part.body.to, part.body.commitment, part.body.parts);
        file(self) == file(other) && self.body.author == other.body.author
    }

    /// Names the key of its author.
    pub fn author(&self) -> KeyId {
        self.body.author.id()
    }

    /// Reads a part that is for this chain and signed by the author that it names.
    pub fn decode(bytes: &[u8], chain: &ChainId) -> Result<Self, CaseFileError> {
        // First, since others are laid out otherwise.
        if let Some(version) = bytes.first().filter(|version| **version != PART_VERSION) {
            return Err(CaseFileError::Version(*version));
        }
        let part: Self = codec::decode(bytes, PART_ENCODED_BYTES_MAX)?;
        let PartBody { place, parts, .. } = part.body;
        if part.body.chain != *chain {
            return Err(CaseFileError::Other);
        }
        if place >= parts || usize::from(parts) > PARTS_MAX {
            return Err(CaseFileError::Place { place, parts });
        }
        part.body.author.verify(&part.body.sign_bytes(), &part.signature).map_err(CaseFileError::Signature)?;
        Ok(part)
    }
    /// As it is sent.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }
}
