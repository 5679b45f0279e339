//! What was read, in words that only the person and the source understand.
//!
//! Who read, why, when and on which basis is in the record already, and a note is bound to the request of its record: it says
//! what the chain does not know, the types and claims. It always has 256 bytes: nonce (12) ‖ ChaCha20-Poly1305 of 228
//! bytes with its authenticator. Key = HMAC-SHA-256(trace key, tag ‖ n), nonce = HMAC-SHA-256(trace key, tag ‖ n ‖ plaintext), its
//! first 12 bytes: the same note gives the same bytes, and another under the same number another nonce. Associated data is
//! the request's id.
//!
//! | plaintext | bytes |
//! | --- | --- |
//! | version | 1: 1 |
//! | claims that were left out | 2 |
//! | types | 1 |
//! | each type | length (1) ‖ code ‖ number of claims (1) ‖ each claim: length (1) ‖ name |
//! | rest | zeros |
//!
//! What does not fit is cut: types and claims are taken in order, and from the first that does not fit on all claims are only counted.

use bincode::{Decode, Encode};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::read::ReadRequest;
use super::terms::{Scope, TypeClaims};
use super::trace::TraceKey;
use crate::bounded::{List, Text};
use crate::identifiers::TypeCode;
use crate::registry::ClaimName;
use crate::tags;
use crate::text;
use crate::vote::ChainContext;

/// Bytes of a sealed note.
const SEALED_BYTES: usize = 256;
const NONCE_BYTES: usize = 12;
const AUTHENTICATOR_BYTES: usize = 16;
/// Bytes of the plaintext.
const PLAIN_BYTES: usize = SEALED_BYTES - NONCE_BYTES - AUTHENTICATOR_BYTES;
const VERSION: u8 = 1;

/// A note as it is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SealedNote(pub [u8; SEALED_BYTES]);

impl std::fmt::Debug for SealedNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&text::hex(&self.0))
    }
}
impl Serialize for SealedNote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text::base64url(&self.0))
    }
}
impl<'de> Deserialize<'de> for SealedNote {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text::from_base64url(&text).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("a note has 256 bytes"))
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Note {
    /// Types and claims, as far as they fit.
    pub scope: Scope,
    /// Claims besides.
    pub left_out: u16,
}

/// Why a note cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Of another key, number or request, or altered.
    #[error("the note is not of this read, or was altered")]
    Unopenable,
    /// The source wrote something else than a note.
    #[error("the source wrote no note that can be read")]
    Malformed,
}

impl Note {
    /// A note of what is read, cut to what fits.
    pub fn of(scope: &Scope) -> Self {
        let mut room = PLAIN_BYTES - 4;
        let mut kept = Vec::new();
        let mut left_out = 0_usize;
        for of_type in scope {
            let head = 2 + of_type.type_code.as_str().len();
            let mut claims = Vec::new();
            // Nothing is kept behind the first that was not.
            if left_out == 0 && head <= room {
                room -= head;
                for claim in &of_type.claims {
                    if 1 + claim.len() > room {
                        break;
                    }
                    room -= 1 + claim.len();
                    claims.push(claim.clone());
                }
            }
            left_out += of_type.claims.len() - claims.len();
            if !claims.is_empty() {
                let claims = List::new(claims).expect("no more than there were");
                kept.push(TypeClaims { type_code: of_type.type_code.clone(), claims });
            }
        }
        let scope = List::new(kept).expect("no more than there were");
        Self { scope, left_out: u16::try_from(left_out).unwrap_or(u16::MAX) }
    }

    /// The plaintext; none if it does not fit.
    fn to_plain(&self) -> Option<Zeroizing<[u8; PLAIN_BYTES]>> {
        let byte = |len: usize| u8::try_from(len).ok();
        let mut bytes = Zeroizing::new(vec![VERSION]);
        bytes.extend(self.left_out.to_be_bytes());
        bytes.push(byte(self.scope.len())?);
        for of_type in &self.scope {
            let code = of_type.type_code.as_str();
            bytes.push(byte(code.len())?);
            bytes.extend(code.as_bytes());
            bytes.push(byte(of_type.claims.len())?);
            for claim in &of_type.claims {
                bytes.push(byte(claim.len())?);
                bytes.extend(claim.as_bytes());
            }
        }
        let mut plain = Zeroizing::new([0; PLAIN_BYTES]);
        plain.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some(plain)
    }

    fn from_plain(plain: &[u8]) -> Option<Self> {
        let mut rest = Rest(plain);
        let (version, left_out) = (rest.byte()?, u16::from_be_bytes([rest.byte()?, rest.byte()?]));
        let mut scope = Scope::empty();
        for _ in 0..rest.byte()? {
            let type_code: TypeCode = rest.text()?.parse().ok()?;
            let mut claims = List::empty();
            for _ in 0..rest.byte()? {
                let claim: ClaimName = Text::new(rest.text()?).ok()?;
                claims.push(claim).ok()?;
            }
            scope.push(TypeClaims { type_code, claims }).ok()?;
        }
        let zeros = rest.0.iter().all(|byte| *byte == 0);
        (version == VERSION && zeros).then_some(Self { scope, left_out })
    }
}

/// What is not read yet.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
    fn text(&mut self) -> Option<&'b str> {
        let len = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

impl TraceKey {
    fn cipher(&self, n: u64) -> ChaCha20Poly1305 {
        let key = Zeroizing::new(self.mac(&[tags::TRACE_NOTE.bytes(), &n.to_be_bytes()]));
        ChaCha20Poly1305::new((&*key).into())
    }
    /// Note of the n-th read, bound to its request.
    pub fn seal(
        &self,
        chain: &ChainContext,
        request: &ReadRequest,
        n: u64,
        note: &Note,
    ) -> Result<SealedNote, NoteError> {
        let plain = note.to_plain().ok_or(NoteError::Malformed)?;
        let mac = self.mac(&[tags::TRACE_NONCE.bytes(), &n.to_be_bytes(), &*plain]);
        let nonce: [u8; NONCE_BYTES] = mac[..NONCE_BYTES].try_into().expect("12 of 32 bytes");
        let id = request.id(chain);
        let payload = Payload { msg: &*plain, aad: id.bytes() };
        let sealed = self.cipher(n).encrypt(&Nonce::from(nonce), payload).map_err(|_| NoteError::Malformed)?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        bytes.try_into().map(SealedNote).map_err(|_| NoteError::Malformed)
    }
    /// Reads the note of the n-th read.
    pub fn open(
        &self,
        chain: &ChainContext,
        request: &ReadRequest,
        n: u64,
        note: &SealedNote,
    ) -> Result<Note, NoteError> {
        let (nonce, sealed) = note.0.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().expect("split there");
        let id = request.id(chain);
        let payload = Payload { msg: sealed, aad: id.bytes() };
        let plain = self.cipher(n).decrypt(&Nonce::from(nonce), payload).map_err(|_| NoteError::Unopenable)?;
        let plain = Zeroizing::new(plain);
        Note::from_plain(&plain).ok_or(NoteError::Malformed)
    }
}
