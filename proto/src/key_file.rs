//! Secret keys in files: Argon2id from a passphrase, then XChaCha20-Poly1305.
//!
//! A file is one line of JSON that people can recognise: what the key is for, its public half, how the passphrase is
//! stretched, and the encrypted seed. All that is legible is authenticated with it. `check` is a hash over the line's
//! other members, so that a damaged file is told from a wrong passphrase; it protects nothing.

use argon2::{Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::bounded::Blob;
use crate::codec;
use crate::hash;
use crate::key::{PublicKey, SecretKey, Signer as _};
use crate::registry::KeyRole;
use crate::seal::SealingSecret;
use crate::tags;

/// The layout that is written and read.
pub const KEY_FILE_VERSION: u8 = 1;
/// The longest file that is looked at, in bytes.
pub const KEY_FILE_BYTES_MAX: usize = 4096;
/// Seed and authenticator.
const CIPHERTEXT_BYTES: usize = 32 + 16;

/// Why a key is not written or not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not a key file at all.
    #[error("not a key file: {0}")]
    Malformed(&'static str),
    /// Of a layout that is not known.
    #[error("unknown layout {0} of a key file")]
    Version(u8),
    /// Was a key file, but has changed since it was written.
    #[error("the key file is damaged")]
    Damaged,
    /// Stretching the passphrase would take more than is allowed, or less than is possible.
    #[error("the key file asks for {0} to stretch its passphrase")]
    Cost(KdfCost),
    /// The file is whole and the passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
}

impl KeyFileError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "key_file_malformed",
            Self::Version(_) => "key_file_version",
            Self::Damaged => "key_file_damaged",
            Self::Cost(_) => "key_file_cost",
            Self::WrongPassphrase => "wrong_passphrase",
        }
    }
}

/// A passphrase: wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(Vec<u8>);

impl Passphrase {
    /// Takes a passphrase over; the caller's own copies are the caller's.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
    /// Its length in bytes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether it says nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Whether somebody typed the same.
    pub fn is(&self, typed: &[u8]) -> bool {
        self.0 == typed
    }
}

/// What a key in a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFileRole {
    /// [`KeyRole::Governance`].
    Governance,
    /// [`KeyRole::Issuing`].
    Issuing,
    /// [`KeyRole::Validator`].
    Validator,
    /// [`KeyRole::Network`].
    Network,
    /// [`KeyRole::Sealing`].
    Sealing,
    /// A relying party signs its requests.
    Request,
}
crate::ids::byte_enum!(KeyFileRole {
    Governance = 1,
    Issuing = 2,
    Validator = 3,
    Network = 4,
    Sealing = 5,
    Request = 6,
});

impl From<KeyRole> for KeyFileRole {
    fn from(role: KeyRole) -> Self {
        match role {
            KeyRole::Governance => Self::Governance,
            KeyRole::Issuing => Self::Issuing,
            KeyRole::Validator => Self::Validator,
            KeyRole::Network => Self::Network,
            KeyRole::Sealing => Self::Sealing,
        }
    }
}

impl KeyFileRole {
    /// The public half of a seed in this role: X25519 to seal to, Ed25519 otherwise.
    pub fn public_key(self, seed: &[u8; 32]) -> PublicKey {
        match self {
            Self::Sealing => SealingSecret::from_seed(*seed).public_key(),
            _ => SecretKey::from_seed(*seed).public_key(),
        }
    }
}

/// What Argon2id costs. Bounded when read: a file must not be able to ask for all memory or for hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl KdfCost {
    /// For every real key: 64 MiB, three passes, four lanes (RFC 9106, second recommended choice).
    pub const USUAL: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// For tests and demo networks only: opens at once and hardly protects.
    pub const LIGHT_FOR_DEMOS: Self = Self { memory_kib: 64, passes: 1, lanes: 1 };
    /// The most that is accepted from a file.
    pub const MAX: Self = Self { memory_kib: 1 << 20, passes: 16, lanes: 4 };

    pub(crate) fn params(self) -> Result<Params, KeyFileError> {
        let within =
            self.memory_kib <= Self::MAX.memory_kib && self.passes <= Self::MAX.passes && self.lanes <= Self::MAX.lanes;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        params.ok().filter(|_| within).ok_or(KeyFileError::Cost(self))
    }
}

impl std::fmt::Display for KdfCost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} KiB, {} passes and {} lanes", self.memory_kib, self.passes, self.lanes)
    }
}

/// The line of JSON, its members in this order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    kanhe_key_file: u8,
    role: KeyFileRole,
    public_key: PublicKey,
    kdf: KdfName,
    #[serde(rename = "kdf_cost")]
    cost: KdfCost,
    salt: Blob<16>,
    nonce: Blob<24>,
    ciphertext: Blob<CIPHERTEXT_BYTES>,
    check: Blob<8>,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum KdfName {
    #[serde(rename = "argon2id")]
    Argon2id,
}

/// The cipher that a passphrase gives.
pub(crate) fn cipher(cost: KdfCost, salt: &[u8], passphrase: &Passphrase) -> Result<XChaCha20Poly1305, KeyFileError> {
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, cost.params()?)
        .hash_password_into(&passphrase.0, salt, key.as_mut())
        .map_err(|_| KeyFileError::Cost(cost))?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

impl KeyFile {
    /// Tag ‖ encoding of all that is legible and decides how the seed is read.
    fn associated(&self) -> Vec<u8> {
        let KdfCost { memory_kib, passes, lanes } = self.cost;
        let legible = (self.kanhe_key_file, self.role, &self.public_key, memory_kib, passes, lanes, &self.salt);
        let mut bytes = tags::KEY_FILE.bytes().to_vec();
        bytes.extend_from_slice(&codec::encode(&legible));
        bytes
    }
    fn checksum(&self) -> Blob<8> {
        let hash = hash::sha256(&[&self.associated(), &codec::encode(&(&self.nonce, &self.ciphertext))]);
        Blob::new(&hash[..8]).expect("8 bytes are within 8")
    }
    fn cipher(&self, passphrase: &Passphrase) -> Result<XChaCha20Poly1305, KeyFileError> {
        cipher(self.cost, &self.salt, passphrase)
    }
}

/// A secret key out of its file: wiped when dropped, never printed.
pub struct Unlocked {
    /// What it is for.
    pub role: KeyFileRole,
    /// Its public half, proved to be that of the seed.
    pub public_key: PublicKey,
    seed: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unlocked({:?}, {})", self.role, self.public_key)
    }
}

impl Unlocked {
    /// The seed of [`SecretKey`] or [`SealingSecret`].
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

/// The file of a seed. Salt and nonce are fresh random bytes.
pub fn protect(
    seed: &[u8; 32],
    role: KeyFileRole,
    passphrase: &Passphrase,
    cost: KdfCost,
    salt: [u8; 16],
    nonce: [u8; 24],
) -> Result<String, KeyFileError> {
    let mut file = KeyFile {
        kanhe_key_file: KEY_FILE_VERSION,
        role,
        public_key: role.public_key(seed),
        kdf: KdfName::Argon2id,
        cost,
        salt: Blob::new(salt).expect("16 bytes are within 16"),
        nonce: Blob::new(nonce).expect("24 bytes are within 24"),
        ciphertext: Blob::default(),
        check: Blob::default(),
    };
    let payload = Payload { msg: seed, aad: &file.associated() };
    let ciphertext = file.cipher(passphrase)?.encrypt(&XNonce::from(nonce), payload);
    file.ciphertext = Blob::new(ciphertext.expect("32 bytes are not too long to encrypt")).expect("seed and 16 bytes");
    file.check = file.checksum();
    let mut line = serde_json::to_string(&file).expect("a key file has only members that JSON can hold");
    line.push('\n');
    Ok(line)
}

/// What a file says of its key without a passphrase; a hint for people, proved only by [`unprotect`].
pub fn describe(text: &str) -> Result<(KeyFileRole, PublicKey), KeyFileError> {
    read(text).map(|file| (file.role, file.public_key))
}

/// The key of a file.
pub fn unprotect(text: &str, passphrase: &Passphrase) -> Result<Unlocked, KeyFileError> {
    let file = read(text)?;
    let nonce: [u8; 24] = file.nonce[..].try_into().map_err(|_| KeyFileError::Malformed("nonce"))?;
    let payload = Payload { msg: &file.ciphertext, aad: &file.associated() };
    let opened = file.cipher(passphrase)?.decrypt(&XNonce::from(nonce), payload);
    let opened = Zeroizing::new(opened.map_err(|_| KeyFileError::WrongPassphrase)?);
    let mut seed = Zeroizing::new([0; 32]);
    seed.copy_from_slice(opened.get(..32).ok_or(KeyFileError::Malformed("ciphertext"))?);
    if file.role.public_key(&seed) != file.public_key {
        return Err(KeyFileError::Damaged);
    }
    Ok(Unlocked { role: file.role, public_key: file.public_key, seed })
}

fn read(text: &str) -> Result<KeyFile, KeyFileError> {
    #[derive(Deserialize)]
    struct Versioned {
        kanhe_key_file: u8,
    }
    if text.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyFileError::Malformed("too long"));
    }
    let versioned: Versioned =
        serde_json::from_str(text).map_err(|_| KeyFileError::Malformed("no JSON with `kanhe_key_file`"))?;
    if versioned.kanhe_key_file != KEY_FILE_VERSION {
        return Err(KeyFileError::Version(versioned.kanhe_key_file));
    }
    let file: KeyFile = serde_json::from_str(text).map_err(|_| KeyFileError::Malformed("members"))?;
    if (file.salt.len(), file.nonce.len(), file.ciphertext.len()) != (16, 24, CIPHERTEXT_BYTES) {
        return Err(KeyFileError::Malformed("lengths"));
    }
    if file.check != file.checksum() {
        return Err(KeyFileError::Damaged);
    }
    file.cost.params()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Algorithm;
    use serde_json::Value;

    fn pass(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes().to_vec())
    }
    fn file(role: KeyFileRole) -> String {
        protect(&[7; 32], role, &pass("一句长的口令"), KdfCost::LIGHT_FOR_DEMOS, [1; 16], [2; 24]).unwrap()
    }
    /// Changes one member and mends the checksum, as only an attacker does.
    fn forged(member: &str, value: Value) -> String {
        let mut json: Value = serde_json::from_str(&file(KeyFileRole::Issuing)).unwrap();
        json[member] = value;
        let mut file: KeyFile = serde_json::from_value(json).unwrap();
        file.check = file.checksum();
        serde_json::to_string(&file).unwrap()
    }
    fn code(text: &str) -> &'static str {
        unprotect(text, &pass("一句长的口令")).unwrap_err().code()
    }

    #[test]
    fn comes_back_in_every_role() {
        for byte in 1..=6 {
            let role = KeyFileRole::from_byte(byte).unwrap();
            let unlocked = unprotect(&file(role), &pass("一句长的口令")).unwrap();
            assert_eq!((unlocked.role, unlocked.seed()), (role, &[7; 32]));
            assert_eq!(unlocked.public_key, role.public_key(&[7; 32]));
            let sealing = unlocked.public_key.algorithm == Algorithm::X25519;
            assert_eq!(sealing, role == KeyFileRole::Sealing);
            assert_eq!(describe(&file(role)).unwrap(), (role, unlocked.public_key));
        }
    }

    #[test]
    fn one_recognisable_line_without_the_seed() {
        let text = file(KeyFileRole::Issuing);
        assert!(text.starts_with(r#"{"kanhe_key_file":1,"role":"issuing","public_key":"ed25519:"#));
        assert!(text.ends_with("}\n") && text.lines().count() == 1);
        assert!(!text.contains(&crate::text::base64url(&[7; 32])));
    }

    #[test]
    fn the_usual_cost_is_accepted() {
        let text = protect(&[7; 32], KeyFileRole::Request, &pass("x"), KdfCost::USUAL, [1; 16], [2; 24]).unwrap();
        assert_eq!(unprotect(&text, &pass("x")).unwrap().seed(), &[7; 32]);
    }

    #[test]
    fn a_wrong_passphrase_is_told_from_damage() {
        let text = file(KeyFileRole::Issuing);
        assert_eq!(unprotect(&text, &pass("other")).unwrap_err(), KeyFileError::WrongPassphrase);
        assert_eq!(code(&text.replace("issuing", "governance")), "key_file_damaged");
        assert_eq!(code(&text.replace("\"passes\":1", "\"passes\":2")), "key_file_damaged");
        assert_eq!(code(&text[..text.len() / 2]), "key_file_malformed");
        assert_eq!(code(&text.replace("\"kanhe_key_file\":1", "\"kanhe_key_file\":2")), "key_file_version");
        assert_eq!(code(&text.replace("\"role\"", "\"x\":1,\"role\"")), "key_file_malformed");
        assert_eq!(code(&text.replace("argon2id", "argon2i")), "key_file_malformed");
        assert_eq!(code(&" ".repeat(KEY_FILE_BYTES_MAX + 1)), "key_file_malformed");
    }

    #[test]
    fn what_is_legible_is_authenticated() {
        let other = PublicKey::ed25519([9; 32]).to_string();
        for (member, value) in [
            ("role", Value::from("governance")),
            ("public_key", Value::from(other)),
            ("salt", Value::from(crate::text::base64url(&[9; 16]))),
            ("nonce", Value::from(crate::text::base64url(&[9; 24]))),
            ("kdf_cost", serde_json::to_value(KdfCost { passes: 2, ..KdfCost::LIGHT_FOR_DEMOS }).unwrap()),
        ] {
            assert_eq!(code(&forged(member, value)), "wrong_passphrase", "{member}");
        }
        assert_eq!(code(&forged("salt", Value::from("AAAA"))), "key_file_malformed");
    }

    #[test]
    fn costs_are_bounded() {
        let light = KdfCost::LIGHT_FOR_DEMOS;
        for cost in [
            KdfCost { memory_kib: (1 << 20) + 1, ..light },
            KdfCost { passes: 17, ..light },
            KdfCost { lanes: 5, ..light },
            KdfCost { passes: 0, ..light },
            KdfCost { memory_kib: 1, ..light },
        ] {
            assert_eq!(code(&forged("kdf_cost", serde_json::to_value(cost).unwrap())), "key_file_cost");
            assert!(protect(&[7; 32], KeyFileRole::Issuing, &pass("x"), cost, [1; 16], [2; 24]).is_err());
        }
    }
}
