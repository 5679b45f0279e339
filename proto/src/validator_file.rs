//! A validator key on its way to another machine, together with the signing guard that says what it signed.
//!
//! One line of JSON, sealed like a [key file](crate::key_file): what is legible says which key of which chain it is, and
//! is authenticated. The guard's bytes are the node's own affair.

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::bounded::Blob;
use crate::codec;
use crate::hash;
use crate::ids::Height;
use crate::key::{PublicKey, SecretKey, Signer as _};
use crate::key_file::{self, KdfCost, KdfName, KeyFileError, Passphrase};
use crate::tags;
use crate::validators::Address;
use crate::vote::ChainContext;

/// The layout that is written and read.
pub const VALIDATOR_FILE_VERSION: u8 = 1;
/// The longest file that is looked at, in bytes.
pub const VALIDATOR_FILE_BYTES_MAX: usize = 192 << 20;
/// The longest guard that fits, in bytes.
pub const GUARD_BYTES_MAX: usize = 128 << 20;
const SEED_BYTES: usize = 32;
const CIPHERTEXT_BYTES_MAX: usize = GUARD_BYTES_MAX + SEED_BYTES + 16;

/// What the file says of itself without a passphrase; proved only by [`open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Chain and era in which the key signed.
    pub chain: ChainContext,
    /// Its address in the set.
    pub validator: Address,
    /// The key.
    pub public_key: PublicKey,
    /// The newest block that its node had.
    pub height: Height,
}

/// The line of JSON, its members in this order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidatorFile {
    kanhe_validator_file: u8,
    chain: ChainContext,
    validator: Address,
    public_key: PublicKey,
    height: Height,
    kdf: KdfName,
    #[serde(rename = "kdf_cost")]
    cost: KdfCost,
    salt: Blob<16>,
    nonce: Blob<24>,
    ciphertext: Blob<CIPHERTEXT_BYTES_MAX>,
    check: Blob<8>,
}

impl ValidatorFile {
    /// Tag ‖ encoding of all that is legible and decides how the rest is read.
    fn associated(&self) -> Vec<u8> {
        let KdfCost { memory_kib, passes, lanes } = self.cost;
        let label = (self.kanhe_validator_file, self.chain, self.validator, &self.public_key, self.height);
        let mut bytes = tags::VALIDATOR_FILE.bytes().to_vec();
        bytes.extend_from_slice(&codec::encode(&label));
        bytes.extend_from_slice(&codec::encode(&(memory_kib, passes, lanes, &self.salt)));
        bytes
    }
    fn checksum(&self) -> Blob<8> {
        let length = u32::try_from(self.ciphertext.len()).expect("at most CIPHERTEXT_BYTES_MAX").to_be_bytes();
        let hash = hash::sha256(&[&self.associated(), &codec::encode(&self.nonce), &length, &self.ciphertext]);
        Blob::new(&hash[..8]).expect("8 bytes are within 8")
    }
}

/// A validator key and its guard out of their file; the seed is wiped when dropped and never printed.
pub struct Moved {
    /// What was legible, now proved.
    pub label: Label,
    /// The guard, as the node wrote it.
    pub guard: Vec<u8>,
    seed: Zeroizing<[u8; SEED_BYTES]>,
}

impl std::fmt::Debug for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Moved({:?}, guard of {} bytes)", self.label, self.guard.len())
    }
}

impl Moved {
    /// The seed of the key.
    pub fn seed(&self) -> &[u8; SEED_BYTES] {
        &self.seed
    }
}

/// Seals a key and its guard. Salt and nonce are fresh random bytes.
pub fn seal(
    seed: &[u8; SEED_BYTES],
    guard: &[u8],
    (chain, height): (ChainContext, Height),
    passphrase: &Passphrase,
    cost: KdfCost,
    (salt, nonce): ([u8; 16], [u8; 24]),
) -> Result<String, KeyFileError> {
    if guard.len() > GUARD_BYTES_MAX {
        return Err(KeyFileError::Malformed("too long"));
    }
    let public_key = SecretKey::from_seed(*seed).public_key();
    let mut file = ValidatorFile {
        kanhe_validator_file: VALIDATOR_FILE_VERSION,
        chain,
        validator: Address::of(&public_key),
        public_key,
        height,
        kdf: KdfName::Argon2id,
        cost,
        salt: Blob::new(salt).expect("16 bytes are within 16"),
        nonce: Blob::new(nonce).expect("24 bytes are within 24"),
        ciphertext: Blob::default(),
        check: Blob::default(),
    };
    let message = Zeroizing::new([&seed[..], guard].concat());
    let payload = Payload { msg: &message, aad: &file.associated() };
    let cipher = key_file::cipher(cost, &file.salt, passphrase)?;
    let ciphertext = cipher.encrypt(&XNonce::from(nonce), payload).expect("the bound is far below the cipher's");
    file.ciphertext = Blob::new(ciphertext).expect("the guard's length was checked");
    file.check = file.checksum();
    let mut line = serde_json::to_string(&file).expect("the file has only members that JSON can hold");
    line.push('\n');
    Ok(line)
}

/// What a file says of itself.
pub fn describe(text: &str) -> Result<Label, KeyFileError> {
    read(text).map(|file| label(&file))
}

/// Key and guard of a file.
pub fn open(text: &str, passphrase: &Passphrase) -> Result<Moved, KeyFileError> {
    let file = read(text)?;
    let nonce: [u8; 24] = file.nonce[..].try_into().map_err(|_| KeyFileError::Malformed("nonce"))?;
    let payload = Payload { msg: &file.ciphertext, aad: &file.associated() };
    let opened = key_file::cipher(file.cost, &file.salt, passphrase)?.decrypt(&XNonce::from(nonce), payload);
    let opened = Zeroizing::new(opened.map_err(|_| KeyFileError::WrongPassphrase)?);
    let (head, guard) = opened.split_at_checked(SEED_BYTES).ok_or(KeyFileError::Malformed("ciphertext"))?;
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    seed.copy_from_slice(head);
    let key = SecretKey::from_seed(*seed).public_key();
    if key != file.public_key || Address::of(&key) != file.validator {
        return Err(KeyFileError::Damaged);
    }
    Ok(Moved { label: label(&file), guard: guard.to_vec(), seed })
}

fn label(file: &ValidatorFile) -> Label {
    Label { chain: file.chain, validator: file.validator, public_key: file.public_key.clone(), height: file.height }
}

fn read(text: &str) -> Result<ValidatorFile, KeyFileError> {
    #[derive(Deserialize)]
    struct Versioned {
        kanhe_validator_file: u8,
    }
    if text.len() > VALIDATOR_FILE_BYTES_MAX {
        return Err(KeyFileError::Malformed("too long"));
    }
    let versioned: Versioned =
        serde_json::from_str(text).map_err(|_| KeyFileError::Malformed("no JSON with `kanhe_validator_file`"))?;
    if versioned.kanhe_validator_file != VALIDATOR_FILE_VERSION {
        return Err(KeyFileError::Version(versioned.kanhe_validator_file));
    }
    let file: ValidatorFile = serde_json::from_str(text).map_err(|_| KeyFileError::Malformed("members"))?;
    if (file.salt.len(), file.nonce.len()) != (16, 24) {
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
    use crate::hash::ChainId;
    use crate::ids::Era;

    const CHAIN: ChainContext = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };

    fn pass(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes().to_vec())
    }
    fn sealed(guard: &[u8]) -> String {
        let fresh = ([1; 16], [2; 24]);
        seal(&[7; 32], guard, (CHAIN, Height(12)), &pass("一句长的口令"), KdfCost::LIGHT_FOR_DEMOS, fresh).unwrap()
    }
    fn code(text: &str) -> &'static str {
        open(text, &pass("一句长的口令")).unwrap_err().code()
    }

    #[test]
    fn comes_back_with_its_guard() {
        for guard in [&b""[..], b"guard", &[9; 100_000]] {
            let text = sealed(guard);
            assert_eq!(text.lines().count(), 1);
            let moved = open(&text, &pass("一句长的口令")).unwrap();
            assert_eq!((moved.seed(), &moved.guard[..]), (&[7; 32], guard));
            assert_eq!(moved.label, describe(&text).unwrap());
            assert_eq!((moved.label.chain, moved.label.height), (CHAIN, Height(12)));
            assert_eq!(moved.label.validator, Address::of(&moved.label.public_key));
        }
    }

    #[test]
    fn damage_a_wrong_passphrase_and_another_file_are_told_apart() {
        let text = sealed(b"guard");
        assert_eq!(open(&text, &pass("other")).unwrap_err(), KeyFileError::WrongPassphrase);
        assert_eq!(code(&text.replace("\"height\":12", "\"height\":13")), "key_file_damaged");
        assert_eq!(code(&text.replace("\"era\":0", "\"era\":1")), "key_file_damaged");
        assert_eq!(code(&text[..text.len() / 2]), "key_file_malformed");
        assert_eq!(code(&text.replace("\"kanhe_validator_file\":1", "\"kanhe_validator_file\":2")), "key_file_version");
        assert_eq!(code(&text.replace("\"height\"", "\"x\":1,\"height\"")), "key_file_malformed");
        // Mended by somebody who forges: the cipher notices.
        let mut file: ValidatorFile = serde_json::from_str(&text).unwrap();
        file.height = Height(11);
        file.check = file.checksum();
        assert_eq!(code(&serde_json::to_string(&file).unwrap()), "wrong_passphrase");
    }
}
