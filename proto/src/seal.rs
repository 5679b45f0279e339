//! Sealing to one recipient: HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
//! ChaCha20-Poly1305.
//!
//! `info` is the encoding of [`SealInfo`] after its tag, so that what was sealed for one chain, purpose, recipient or
//! subject opens nowhere else; the associated data is the version and the recipient's key id. Base mode proves nothing
//! about the sender: whoever must know it looks for a signature inside.

use std::convert::Infallible;

use bincode::{Decode, Encode};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender_with_rng};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::bounded::Blob;
use crate::codec;
use crate::hash::{ChainId, sha256};
use crate::key::{Algorithm, KeyId, PublicKey};
use crate::limits::SEALED_BYTES_MAX;
use crate::tags;

/// The layout that is written and read.
pub const SEALED_VERSION: u8 = 1;
/// Version, key id, encapsulated key and the ciphertext's length.
const FRAME_BYTES: usize = 1 + 16 + 32 + 8;
const AUTHENTICATOR_BYTES: usize = 16;
/// The longest ciphertext, so that a whole [`Sealed`] is within [`SEALED_BYTES_MAX`].
pub const CIPHERTEXT_BYTES_MAX: usize = SEALED_BYTES_MAX - FRAME_BYTES;
/// The longest content.
pub const PLAINTEXT_BYTES_MAX: usize = CIPHERTEXT_BYTES_MAX - AUTHENTICATOR_BYTES;
/// The longest subject.
pub const SUBJECT_BYTES_MAX: usize = 64;

/// Why nothing is sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The recipient's key is not X25519, or is one with which no secret can be shared.
    #[error("not a key to seal to")]
    KeyWrong,
    /// More content than fits.
    #[error("{len} bytes are more than the {max} that can be sealed")]
    TooLong {
        /// Length of the content.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Of a layout that is not known.
    #[error("unknown layout {0} of a sealed message")]
    Version(u8),
    /// Sealed to another key; keys rotate.
    #[error("sealed to key {0}")]
    OtherKey(KeyId),
    /// Altered, or sealed for something else.
    #[error("cannot be opened: altered or meant for something else")]
    Unopenable,
}

impl SealError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KeyWrong => "seal_key_wrong",
            Self::TooLong { .. } => "seal_too_long",
            Self::Version(_) => "seal_version",
            Self::OtherKey(_) => "seal_other_key",
            Self::Unopenable => "seal_unopenable",
        }
    }
}

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SealPurpose {
    /// A person's secret inside an application.
    HolderSecret,
    /// A holder's request to an issuer.
    Request,
    /// An issuer's answer.
    Answer,
    /// A part of a case file.
    CaseFile,
    /// The words of a decision.
    Letter,
}
crate::ids::byte_enum!(SealPurpose { HolderSecret = 1, Request = 2, Answer = 3, CaseFile = 4, Letter = 5 });

/// What a sealed message is bound to, besides its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealInfo {
    /// The chain.
    pub chain: ChainId,
    /// What is sealed.
    pub purpose: SealPurpose,
    /// What it is about: encoding of an identifier that both sides know.
    pub subject: Blob<SUBJECT_BYTES_MAX>,
}

impl SealInfo {
    /// Tag ‖ encoding of (chain, purpose, recipient, subject).
    fn bytes(&self, recipient: &PublicKey) -> Vec<u8> {
        let mut bytes = tags::SEAL_INFO.bytes().to_vec();
        bytes.extend_from_slice(&codec::encode(&(self.chain, self.purpose, recipient, &self.subject)));
        bytes
    }
}

/// A sealed message. Layout: version (1), key id (16), encapsulated key (32), length (8), ciphertext.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Sealed {
    /// Layout: [`SEALED_VERSION`].
    pub version: u8,
    /// Which of the recipient's keys opens it.
    pub key: KeyId,
    /// The encapsulated key.
    pub enc: [u8; 32],
    /// Ciphertext and its authenticator.
    pub ciphertext: Blob<CIPHERTEXT_BYTES_MAX>,
}

fn associated(version: u8, key: KeyId) -> Vec<u8> {
    codec::encode(&(version, key))
}

/// Seals to an X25519 key. The seed is 32 fresh random bytes: used twice, it gives away what it hid.
pub fn seal(recipient: &PublicKey, info: &SealInfo, plaintext: &[u8], seed: [u8; 32]) -> Result<Sealed, SealError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(SealError::TooLong { len: plaintext.len(), max: PLAINTEXT_BYTES_MAX });
    }
    let key = recipient.id();
    let (enc, ciphertext) =
        hpke_seal(recipient, &info.bytes(recipient), &associated(SEALED_VERSION, key), plaintext, seed)?;
    let ciphertext = Blob::new(ciphertext).expect("content within its limit gives ciphertext within its own");
    Ok(Sealed { version: SEALED_VERSION, key, enc, ciphertext })
}

fn hpke_seal(
    recipient: &PublicKey,
    info: &[u8],
    associated: &[u8],
    plaintext: &[u8],
    seed: [u8; 32],
) -> Result<([u8; 32], Vec<u8>), SealError> {
    if recipient.algorithm != Algorithm::X25519 {
        return Err(SealError::KeyWrong);
    }
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&recipient.bytes).map_err(|_| SealError::KeyWrong)?;
    let mut seed = SeedRng(seed);
    let (enc, mut context) =
        setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(&OpModeS::Base, &key, info, &mut seed)
            .map_err(|_| SealError::KeyWrong)?;
    let ciphertext = context
        .seal(plaintext, associated)
        .map_err(|_| SealError::TooLong { len: plaintext.len(), max: PLAINTEXT_BYTES_MAX })?;
    Ok((enc.to_bytes().into(), ciphertext))
}

/// An X25519 secret key: wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealingSecret {
    seed: [u8; 32],
    #[zeroize(skip)]
    public: [u8; 32],
}

impl SealingSecret {
    /// The key of a seed of 32 random bytes: DeriveKeyPair of RFC 9180 §7.1.3.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let (_, public) = X25519HkdfSha256::derive_keypair(&seed);
        Self { seed, public: public.to_bytes().into() }
    }
    /// The seed, to be written to an encrypted file and nowhere else.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
    /// What others seal to.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::x25519(self.public)
    }
    /// The content of a message sealed to this key and bound to this info.
    pub fn open(&self, info: &SealInfo, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if sealed.version != SEALED_VERSION {
            return Err(SealError::Version(sealed.version));
        }
        let public = self.public_key();
        if sealed.key != public.id() {
            return Err(SealError::OtherKey(sealed.key));
        }
        self.hpke_open(&info.bytes(&public), &associated(sealed.version, sealed.key), &sealed.enc, &sealed.ciphertext)
    }

    fn hpke_open(
        &self,
        info: &[u8],
        associated: &[u8],
        enc: &[u8; 32],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (secret, _) = X25519HkdfSha256::derive_keypair(&self.seed);
        let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).map_err(|_| SealError::Unopenable)?;
        let mut context =
            setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(&OpModeR::Base, &secret, &enc, info)
                .map_err(|_| SealError::Unopenable)?;
        context.open(ciphertext, associated).map(Zeroizing::new).map_err(|_| SealError::Unopenable)
    }
}

/// Hands the caller's randomness to a crate that draws its own: first the seed itself, which is all that X25519 asks
/// for, then hashes of it.
#[derive(Zeroize, ZeroizeOnDrop)]
struct SeedRng([u8; 32]);

impl TryRng for SeedRng {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_be_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_be_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            chunk.copy_from_slice(&self.0[..chunk.len()]);
            self.0 = sha256(&[tags::DERIVE.bytes(), &self.0]);
        }
        Ok(())
    }
}
impl TryCryptoRng for SeedRng {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::from_hex;

    fn array(hex: &str) -> [u8; 32] {
        from_hex(hex).unwrap().try_into().unwrap()
    }
    fn info() -> SealInfo {
        SealInfo { chain: ChainId([1; 32]), purpose: SealPurpose::Request, subject: Blob::new(*b"about").unwrap() }
    }

    #[test]
    fn rfc_9180_appendix_a_2_1() {
        let secret =
            SealingSecret::from_seed(array("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df"));
        let recipient = secret.public_key();
        assert_eq!(recipient.bytes[..], array("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"));
        let text = b"Beauty is truth, truth beauty";
        let seed = array("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let (enc, ciphertext) = hpke_seal(&recipient, b"Ode on a Grecian Urn", b"Count-0", text, seed).unwrap();
        assert_eq!(enc, array("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"));
        let expected = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28";
        assert_eq!(ciphertext, from_hex(expected).unwrap());
        let opened = secret.hpke_open(b"Ode on a Grecian Urn", b"Count-0", &enc, &ciphertext).unwrap();
        assert_eq!(&opened[..], text);
    }

    #[test]
    fn opens_for_its_key_and_its_info_alone() {
        let secret = SealingSecret::from_seed([2; 32]);
        let sealed = seal(&secret.public_key(), &info(), b"hello", [3; 32]).unwrap();
        assert_eq!(&secret.open(&info(), &sealed).unwrap()[..], b"hello");

        let other = SealingSecret::from_seed([4; 32]);
        assert_eq!(other.open(&info(), &sealed), Err(SealError::OtherKey(secret.public_key().id())));
        let renamed = Sealed { key: other.public_key().id(), ..sealed.clone() };
        assert_eq!(other.open(&info(), &renamed), Err(SealError::Unopenable));
        for wrong in [
            SealInfo { chain: ChainId([9; 32]), ..info() },
            SealInfo { purpose: SealPurpose::Answer, ..info() },
            SealInfo { subject: Blob::new(*b"other").unwrap(), ..info() },
        ] {
            assert_eq!(secret.open(&wrong, &sealed), Err(SealError::Unopenable));
        }
        assert_eq!(secret.open(&info(), &Sealed { version: 2, ..sealed }), Err(SealError::Version(2)));
    }

    #[test]
    fn every_flipped_bit_shows() {
        let secret = SealingSecret::from_seed([2; 32]);
        let bytes = codec::encode(&seal(&secret.public_key(), &info(), b"hello", [3; 32]).unwrap());
        assert_eq!(bytes.len(), FRAME_BYTES + 5 + AUTHENTICATOR_BYTES);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let opened =
                codec::decode::<Sealed>(&flipped, SEALED_BYTES_MAX).map(|sealed| secret.open(&info(), &sealed));
            // RFC 7748 ignores the highest bit of a public key; HPKE hashes the bytes, so that it shows all the same.
            assert!(!matches!(opened, Ok(Ok(_))), "bit {bit}");
        }
    }

    #[test]
    fn refuses_keys_and_lengths() {
        let signing = PublicKey::ed25519([5; 32]);
        assert_eq!(seal(&signing, &info(), b"", [3; 32]), Err(SealError::KeyWrong));
        assert_eq!(seal(&PublicKey::x25519([0; 32]), &info(), b"", [3; 32]), Err(SealError::KeyWrong));
        let short = PublicKey { bytes: Blob::new([1; 31]).unwrap(), ..PublicKey::x25519([0; 32]) };
        assert_eq!(seal(&short, &info(), b"", [3; 32]), Err(SealError::KeyWrong));

        let recipient = SealingSecret::from_seed([2; 32]).public_key();
        let longest = seal(&recipient, &info(), &vec![0; PLAINTEXT_BYTES_MAX], [3; 32]).unwrap();
        assert_eq!(codec::encode(&longest).len(), SEALED_BYTES_MAX);
        let len = PLAINTEXT_BYTES_MAX + 1;
        let refused = seal(&recipient, &info(), &vec![0; len], [3; 32]);
        assert_eq!(refused, Err(SealError::TooLong { len, max: PLAINTEXT_BYTES_MAX }));
    }
}
