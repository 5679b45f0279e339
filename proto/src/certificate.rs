//! A quorum's precommits for one header.
//!
//! Nodes hold different certificates for one block, and all of them are good: two certificates contradict each
//! other only if they certify different header hashes at one height and era. A block carries its parent's in full;
//! clients get one trimmed to the first members, in set order, that exceed two thirds.

use bincode::{Decode, Encode};

use crate::bounded::{Blob, List};
use crate::codec;
use crate::hash::{self, Hash, HeaderHash};
use crate::ids::{Height, Power, Round};
use crate::key::{KeyError, Signature};
use crate::limits::VALIDATORS_MAX;
use crate::tags;
use crate::validators::{Address, ValidatorSet};
use crate::vote::{ChainContext, Vote, VoteType};

/// Layout of certificates.
pub const CERTIFICATE_VERSION: u8 = 1;

/// Precommits of members of a validator set for one header.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Certificate {
    /// Layout: 1.
    pub version: u8,
    /// Height of the header.
    pub height: Height,
    /// Round in which it was decided.
    pub round: Round,
    /// The header.
    pub header_hash: HeaderHash,
    /// One bit for each member in set order, highest bit of the first byte first; unused bits are zero.
    pub signers: Blob<{ VALIDATORS_MAX / 8 }>,
    /// Signatures of those members, in set order.
    pub signatures: List<Signature, VALIDATORS_MAX>,
}

/// Why a certificate certifies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Unknown layout.
    #[error("certificate of unknown version {0}")]
    Version(u8),
    /// The bitmap has another length than the set needs, or unused bits.
    #[error("bitmap does not fit the validator set")]
    Bitmap,
    /// Number of signatures and of set bits differ.
    #[error("number of signatures and of signers differ")]
    Count,
    /// Not more than two thirds of the power.
    #[error("signers have {signed} of {total} power, a quorum needs more than two thirds")]
    NoQuorum {
        /// Power that signed.
        signed: Power,
        /// Power of the set.
        total: Power,
    },
    /// More signatures than a client's certificate may have.
    #[error("more signatures than exactly a quorum's")]
    NotTrimmed,
    /// A signature that does not verify.
    #[error("signature of {0}: {1}")]
    Signature(Address, KeyError),
    /// A signer that is not of the set, or twice.
    #[error("signer {0} is not of the set or signed twice")]
    Signer(Address),
}

impl Certificate {
    /// A certificate of all signatures given; they are put in set order.
    pub fn new(
        set: &ValidatorSet,
        height: Height,
        round: Round,
        header_hash: HeaderHash,
        signatures: Vec<(Address, Signature)>,
    ) -> Result<Self, CertificateError> {
        let mut by_place = Vec::with_capacity(signatures.len());
        for (address, signature) in signatures {
            let (place, _) = set.get(&address).ok_or(CertificateError::Signer(address))?;
            by_place.push((place, address, signature));
        }
        by_place.sort_by_key(|(place, _, _)| *place);
        if let Some(twice) = by_place.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(CertificateError::Signer(twice[0].1));
        }
        let mut bitmap = vec![0u8; set.members().len().div_ceil(8)];
        for (place, _, _) in &by_place {
            bitmap[place / 8] |= 0x80 >> (place % 8);
        }
        let signatures = by_place.into_iter().map(|(_, _, signature)| signature).collect();
        Ok(Self {
            version: CERTIFICATE_VERSION,
            height,
            round,
            header_hash,
            signers: Blob::new(bitmap).expect("a set has at most VALIDATORS_MAX members"),
            signatures: List::new(signatures).expect("a set has at most VALIDATORS_MAX members"),
        })
    }

    /// Places of the signers in the set.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.signers.len() * 8).filter(|place| self.signers[place / 8] & (0x80 >> (place % 8)) != 0)
    }

    /// Addresses of the signers.
    pub fn signers<'a>(&'a self, set: &'a ValidatorSet) -> impl Iterator<Item = Address> + 'a {
        self.places().filter_map(|place| set.members().get(place)).map(|member| member.address)
    }

    /// Checks layout, power and every signature against the set of its height.
    pub fn verify(&self, set: &ValidatorSet, chain: &ChainContext) -> Result<(), CertificateError> {
        let power = self.check_layout(set)?;
        if !set.is_quorum(power) {
            return Err(CertificateError::NoQuorum { signed: power, total: set.total_power() });
        }
        for (place, signature) in self.places().zip(&self.signatures) {
            let member = &set.members()[place];
            let vote = Vote {
                vote_type: VoteType::Precommit,
                height: self.height,
                round: self.round,
                value: Some(self.header_hash),
                address: member.address,
            };
            member
                .key
                .verify(&vote.sign_bytes(chain), signature)
                .map_err(|error| CertificateError::Signature(member.address, error))?;
        }
        Ok(())
    }

    /// Checks what a client gets: like [`Self::verify`], and no signature more than the first quorum in set order.
    pub fn verify_trimmed(&self, set: &ValidatorSet, chain: &ChainContext) -> Result<(), CertificateError> {
        let power = self.check_layout(set)?;
        let last = self.places().last().map_or(0, |place| set.members()[place].power.0);
        if set.is_quorum(Power(power.0 - last)) {
            return Err(CertificateError::NotTrimmed);
        }
        self.verify(set, chain)
    }

    fn check_layout(&self, set: &ValidatorSet) -> Result<Power, CertificateError> {
        if self.version != CERTIFICATE_VERSION {
            return Err(CertificateError::Version(self.version));
        }
        let members = set.members();
        if self.signers.len() != members.len().div_ceil(8) || self.places().any(|place| place >= members.len()) {
            return Err(CertificateError::Bitmap);
        }
        if self.places().count() != self.signatures.len() {
            return Err(CertificateError::Count);
        }
        Ok(Power(self.places().map(|place| members[place].power.0).sum()))
    }

    /// The first signers, in set order, that exceed two thirds; `None` if all of them do not.
    pub fn trim(&self, set: &ValidatorSet) -> Option<Self> {
        let mut power = Power(0);
        let mut kept = Vec::new();
        for (place, signature) in self.places().zip(&self.signatures) {
            let member = set.members().get(place)?;
            power.0 += member.power.0;
            kept.push((member.address, signature.clone()));
            if set.is_quorum(power) {
                return Self::new(set, self.height, self.round, self.header_hash, kept).ok();
            }
        }
        None
    }

    /// H(tag ‖ encoding): what the next header names.
    pub fn hash(&self) -> Hash {
        Hash(hash::tagged(tags::CERTIFICATE, self))
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
}
