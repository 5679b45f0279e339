//! Hashes: one 32-byte type, a newtype for each thing that is hashed, and hashing under a domain tag.

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::codec;
use crate::tags::Tag;

/// The hash functions that a header may name (its *hash suite*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SM3 (GB/T 32905): has its number, is not in use.
    Sm3,
}
crate::ids::byte_enum!(Suite { Sha256 = 1, Sm3 = 2 });

/// SHA-256 of the parts, one after another.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// H(tag ‖ encoding of the value).
pub fn tagged<T: Encode>(tag: Tag, value: &T) -> [u8; 32] {
    sha256(&[tag.bytes(), &codec::encode(value)])
}

/// H(tag ‖ bytes), for bytes that were received.
pub fn tagged_bytes(tag: Tag, bytes: &[u8]) -> [u8; 32] {
    sha256(&[tag.bytes(), bytes])
}

/// Makes a newtype over 32 bytes, hexadecimal as text and in JSON.
macro_rules! hash_type {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The bytes.
            pub const fn bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&crate::text::hex(&self.0))
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&crate::text::hex(&self.0))
            }
        }
        impl std::str::FromStr for $name {
            type Err = crate::text::NotText;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let bytes = crate::text::from_hex(text)?;
                bytes.try_into().map(Self).map_err(|_| crate::text::NotText("hash of 32 bytes"))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

hash_type! {
    /// Root or node of a Merkle structure.
    Hash,
    /// Hash of genesis: the chain's identity.
    ChainId,
    /// Hash of a header: the value that validators agree on.
    HeaderHash,
    /// Hash of a transaction's bytes before its signature.
    TransactionId,
    /// Hash of the issuer-signed JWT of a licence.
    LicenceDigest,
    /// Position of a leaf in a sparse map.
    MapKey,
    /// Hash of a proposal's bytes.
    ProposalId,
    /// Hash of a validator set.
    ValidatorsHash,
    /// Hash of the parameters.
    ParametersHash,
    /// Hash of the key that opened a case: names the case.
    CaseId,
    /// Hash of a consent's key: names the consent.
    ConsentId,
    /// Hash of what a reader asks.
    ReadId,
    /// Hash of 32 random bytes and content: says nothing once the random bytes are gone.
    Commitment,
}
