//! Sealing, pseudonyms and the set hash: all that is done with the data key.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use kanhe_proto::hash::sha256;
use kanhe_proto::tags;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::VaultError;
use super::frame::frame;

const NONCE_BYTES: usize = 24;
/// What a sealed value is longer than its content: nonce and authenticator.
pub(super) const OVERHEAD_BYTES: usize = NONCE_BYTES + 16;
/// Where a row lies: pseudonym of its table (16 bytes), then of its key (32).
pub(super) type Place = [u8; 48];

/// Bytes from the system's random source.
pub(super) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| VaultError::Io(std::io::Error::other(error.to_string())))?;
    Ok(bytes)
}

/// A secret key; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    pub(super) fn random() -> Result<Self, VaultError> {
        random().map(Self)
    }
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for one use only.
    fn derive(&self, label: &str) -> Self {
        Self(sha256(&[tags::DERIVE.bytes(), &self.0, label.as_bytes()]))
    }

    /// Keyed hash: hashed twice, each time after the key, so that no hash can be extended into another.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let inner = sha256(&[tags::DERIVE.bytes(), &self.0, b"inner", &frame(parts)]);
        sha256(&[tags::DERIVE.bytes(), &self.0, b"outer", &inner])
    }

    /// Nonce and ciphertext of XChaCha20-Poly1305; 24 random bytes never repeat in practice.
    pub(super) fn seal(&self, associated: &[u8], content: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let payload = Payload { msg: content, aad: associated };
        let sealed = XChaCha20Poly1305::new(&self.0.into()).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| VaultError::Database("value too large to seal".to_string()))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// The content, if it was sealed under this key and this associated data.
    pub(super) fn unseal(&self, associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: associated };
        XChaCha20Poly1305::new(&self.0.into()).decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

/// The keys for the uses of one vault.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) data: Key,
    rows: Key,
    names: Key,
    sums: Key,
    pub(super) state: Key,
    pub(super) backup: Key,
}

impl Keys {
    pub(super) fn new(data: Key) -> Self {
        let of = |label| data.derive(label);
        let (rows, names, sums) = (of("vault rows"), of("vault names"), of("vault sums"));
        let (state, backup) = (of("vault state"), of("vault backup"));
        Self { rows, names, sums, state, backup, data }
    }

    /// What all places of a table begin with.
    pub(super) fn table(&self, table: &str) -> [u8; 16] {
        let hash = self.names.mac(&[b"table", table.as_bytes()]);
        *hash.first_chunk().expect("16 of 32 bytes")
    }

    /// Where the row of a key lies.
    pub(super) fn place(&self, table: &str, key: &str) -> Place {
        let mut place = [0; 48];
        place[..16].copy_from_slice(&self.table(table));
        place[16..].copy_from_slice(&self.names.mac(&[b"row", table.as_bytes(), key.as_bytes()]));
        place
    }

    pub(super) fn seal_row(&self, place: &Place, content: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.rows.seal(place, content)
    }

    /// The content of a row, if it was sealed for this place.
    pub(super) fn unseal_row(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let content = self.rows.unseal(place, sealed);
        content.ok_or_else(|| VaultError::Damaged("a row was changed or moved".to_string()))
    }

    /// What a row adds to the set hash, which is the exclusive or over all rows: unpredictable without the key, and
    /// no place occurs twice.
    pub(super) fn add_to_sum(&self, sum: &mut [u8; 32], place: &[u8], sealed: &[u8]) {
        add(sum, &self.share_of_sum(place, sealed));
    }

    /// That hash by itself.
    pub(super) fn share_of_sum(&self, place: &[u8], sealed: &[u8]) -> [u8; 32] {
        self.sums.mac(&[place, sealed])
    }
}

/// Adds a row's share to the set hash.
pub(super) fn add(sum: &mut [u8; 32], share: &[u8; 32]) {
    for (byte, other) in sum.iter_mut().zip(share) {
        *byte ^= other;
    }
}
