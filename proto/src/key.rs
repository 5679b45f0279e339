//! Keys, signatures, and the one function that verifies them.
//!
//! Every public key and signature carries an algorithm byte. Ed25519 is verified strictly (`verify_strict`:
//! no small-order keys, no malleable encodings): batch verification disagrees with it on crafted signatures, and
//! nodes that disagree on a signature split the chain.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::bounded::Blob;
use crate::hash;
use crate::tags;
use crate::text::{self, NotText};

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// EdDSA over Curve25519 (RFC 8032): in use.
    Ed25519,
    /// ECDSA over P-256 with SHA-256 (RFC 7518): has its number; licences and holders' keys may name it.
    Es256,
    /// SM2 (GB/T 32918): has its number.
    Sm2,
    /// X25519 (RFC 7748): keys to seal to; signs nothing.
    X25519,
}
crate::ids::byte_enum!(Algorithm { Ed25519 = 1, Es256 = 2, Sm2 = 3, X25519 = 17 });

impl Algorithm {
    const NAMES: [(Self, &'static str); 4] =
        [(Self::Ed25519, "ed25519"), (Self::Es256, "es256"), (Self::Sm2, "sm2"), (Self::X25519, "x25519")];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(algorithm, _)| *algorithm == self).map_or("", |(_, name)| name)
    }
}

/// Why a key or signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The algorithm has a number but is not in use under this protocol version.
    #[error("algorithm {0:?} is not in use")]
    NotInUse(Algorithm),
    /// Key and signature name different algorithms.
    #[error("signature algorithm {signature:?} under a key of {key:?}")]
    AlgorithmDiffers {
        /// Algorithm of the key.
        key: Algorithm,
        /// Algorithm of the signature.
        signature: Algorithm,
    },
    /// Not a key or signature of its algorithm.
    #[error("malformed key or signature")]
    Malformed,
    /// The signature is not of this key and message.
    #[error("wrong signature")]
    Wrong,
}

/// A public key with its algorithm.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct PublicKey {
    /// Which algorithm.
    pub algorithm: Algorithm,
    /// Ed25519: 32 bytes (RFC 8032); ES256 and SM2: 65 bytes, uncompressed point.
    pub bytes: Blob<65>,
}

impl PublicKey {
    /// An Ed25519 key.
    pub fn ed25519(bytes: [u8; 32]) -> Self {
        Self { algorithm: Algorithm::Ed25519, bytes: Blob::new(bytes).expect("32 bytes are within 65") }
    }
    /// An X25519 key, to seal to.
    pub fn x25519(bytes: [u8; 32]) -> Self {
        Self { algorithm: Algorithm::X25519, bytes: Blob::new(bytes).expect("32 bytes are within 65") }
    }
    /// First 16 bytes of H(tag ‖ algorithm ‖ key): the fragment of a `kid`.
    pub fn id(&self) -> KeyId {
        let hash = hash::tagged(tags::KEY_ID, self);
        KeyId(hash[..16].try_into().expect("16 of 32 bytes"))
    }
    /// Reads the key once, for many verifications.
    pub fn verifier(&self) -> Result<Verifier, KeyError> {
        if self.algorithm != Algorithm::Ed25519 {
            return Err(KeyError::NotInUse(self.algorithm));
        }
        let bytes: [u8; 32] = self.bytes[..].try_into().map_err(|_| KeyError::Malformed)?;
        VerifyingKey::from_bytes(&bytes).map(Verifier).map_err(|_| KeyError::Malformed)
    }
    /// The one verification of ledger signatures, licences and presentations.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        self.verifier()?.verify(message, signature)
    }
}

/// A public key, decompressed.
#[derive(Debug, Clone)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// Accepts the signature of this key over the message, and no other.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        if signature.algorithm != Algorithm::Ed25519 {
            return Err(KeyError::AlgorithmDiffers { key: Algorithm::Ed25519, signature: signature.algorithm });
        }
        let bytes: [u8; 64] = signature.bytes[..].try_into().map_err(|_| KeyError::Malformed)?;
        let signature = ed25519_dalek::Signature::from_bytes(&bytes);
        self.0.verify_strict(message, &signature).map_err(|_| KeyError::Wrong)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), text::base64url(&self.bytes))
    }
}
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for PublicKey {
    type Err = NotText;
    fn from_str(text: &str) -> Result<Self, NotText> {
        const WRONG: NotText = NotText("public key (algorithm:base64url)");
        let (name, bytes) = text.split_once(':').ok_or(WRONG)?;
        let (algorithm, _) = *Algorithm::NAMES.iter().find(|(_, known)| *known == name).ok_or(WRONG)?;
        let bytes = Blob::new(text::from_base64url(bytes)?).map_err(|_| WRONG)?;
        Ok(Self { algorithm, bytes })
    }
}
impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A signature with its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Signature {
    /// Which algorithm.
    #[serde(with = "algorithm_byte")]
    pub algorithm: Algorithm,
    /// 64 bytes for each algorithm: R‖s or r‖s.
    pub bytes: Blob<64>,
}

impl Signature {
    /// An Ed25519 signature.
    pub fn ed25519(bytes: [u8; 64]) -> Self {
        Self { algorithm: Algorithm::Ed25519, bytes: Blob::new(bytes).expect("64 bytes are within 64") }
    }
}

mod algorithm_byte {
    use super::{Algorithm, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(algorithm: &Algorithm, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(algorithm.byte())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Algorithm, D::Error> {
        let byte = u8::deserialize(deserializer)?;
        Algorithm::from_byte(byte).ok_or_else(|| serde::de::Error::custom("unknown algorithm"))
    }
}

/// Names a key: the fragment of its DID URL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::base64url(&self.0))
    }
}
impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for KeyId {
    type Err = NotText;
    fn from_str(text: &str) -> Result<Self, NotText> {
        let bytes = text::from_base64url(text)?;
        bytes.try_into().map(Self).map_err(|_| NotText("key id of 16 bytes"))
    }
}
impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A signature could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot sign: {0}")]
pub struct SignError(pub String);

/// Whoever holds a secret key: a file today, a token later.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;
    /// Signs the message.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;
}

/// An Ed25519 secret key in memory: wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey {
    seed: [u8; 32],
    #[zeroize(skip)]
    key: SigningKey,
}

impl SecretKey {
    /// The key of a seed of 32 random bytes.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        Self { seed, key }
    }
    /// The seed, to be written to an encrypted file and nowhere else.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key())
    }
}

impl Signer for SecretKey {
    fn public_key(&self) -> PublicKey {
        PublicKey::ed25519(self.key.verifying_key().to_bytes())
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(Signature::ed25519(self.key.sign(message).to_bytes()))
    }
}
