//! How a person recognises reads of her data among all others, and nobody else does.
//!
//! The source puts 32 random bytes, the same for all that it holds about a person, in the claim [`TRACE_CLAIM`] of her licences
//! and keeps them in its register. Its reads of her data are numbered from 1; the n-th has as tag the first 16 bytes of
//! HMAC-SHA-256(key, n as `u64`). Whoever has the key finds them among the source's records; to everybody else they are
//! random. A number that is missing below one that is there shows that something was not recorded, or not yet.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::limits::TRACE_WINDOW;
use crate::sd_jwt::{ClaimPath, Step};
use crate::text::{self, NotText};

/// The claim with the key, base64url. It is selectively disclosable and never disclosed.
pub const TRACE_CLAIM: &str = "kanhe_trace";

/// Whether a claim is the key: nobody asks for it, and nothing that is asked for shows it.
pub fn is_trace(claim: &ClaimPath) -> bool {
    matches!(claim.steps().first(), Some(Step::Name(name)) if name == TRACE_CLAIM)
}

/// Key of a person at a source: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TraceKey([u8; 32]);

impl TraceKey {
    /// The key of 32 random bytes.
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// Value of the claim.
    pub fn to_claim(&self) -> Zeroizing<String> {
        Zeroizing::new(text::base64url(&self.0))
    }
    /// Reads the claim's value.
    pub fn from_claim(claim: &str) -> Result<Self, NotText> {
        let bytes = Zeroizing::new(text::from_base64url(claim)?);
        bytes.as_slice().try_into().map(Self).map_err(|_| NotText("a key of 32 bytes"))
    }
    /// Tag of the n-th read, from 1.
    pub fn tag(&self, n: u64) -> TraceTag {
        TraceTag(self.mac(&[&n.to_be_bytes()])[..16].try_into().expect("16 of 32 bytes"))
    }
    /// HMAC-SHA-256 over the parts, one after another.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// What a read is recognised by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct TraceTag(pub [u8; 16]);

impl std::fmt::Debug for TraceTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&text::hex(&self.0))
    }
}
impl Serialize for TraceTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text::base64url(&self.0))
    }
}
impl<'de> Deserialize<'de> for TraceTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text::from_base64url(&text).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("a tag has 16 bytes"))
    }
}

/// Reads of one person at one source, as they are found among the source's records, in any order. A read is found if its
/// number is at most [`TRACE_WINDOW`] above the highest that was found before it.
pub struct Trace {
    key: TraceKey,
    tags: BTreeMap<TraceTag, u64>,
    found: BTreeSet<u64>,
}

impl Trace {
    /// Nothing is found yet.
    pub fn new(key: TraceKey) -> Self {
        Self::resume(key, [])
    }
    /// Some were found before.
    pub fn resume(key: TraceKey, found: impl IntoIterator<Item = u64>) -> Self {
        let found: BTreeSet<u64> = found.into_iter().collect();
        let mut trace = Self { key, tags: BTreeMap::new(), found };
        trace.extend(1);
        trace
    }
    /// Number of the read if it is hers.
    pub fn recognise(&mut self, tag: &TraceTag) -> Option<u64> {
        let n = *self.tags.get(tag)?;
        let from = self.known() + 1;
        self.found.insert(n);
        self.extend(from);
        Some(n)
    }
    /// Numbers that were found, ascending.
    pub fn found(&self) -> impl Iterator<Item = u64> {
        self.found.iter().copied()
    }
    /// Numbers below the highest that was found which were not.
    pub fn missing(&self) -> Vec<u64> {
        (1..self.highest()).filter(|n| !self.found.contains(n)).collect()
    }

    fn highest(&self) -> u64 {
        self.found.last().copied().unwrap_or(0)
    }
    /// The highest number whose tag is known.
    fn known(&self) -> u64 {
        self.highest().saturating_add(TRACE_WINDOW)
    }
    fn extend(&mut self, from: u64) {
        let tags = (from..=self.known()).map(|n| (self.key.tag(n), n));
        self.tags.extend(tags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_beginning_of_the_mac() {
        // As another implementation of HMAC-SHA-256 has it.
        let key = TraceKey::from_random([7; 32]);
        assert_eq!(text::hex(&key.tag(1).0), "c95f56381ac7d2ae0a57a888a0b4c7c8");
        assert_eq!(key.mac(&[b"ab", b"c"]), key.mac(&[b"abc"]));
        assert_ne!(key.tag(1), key.tag(2));
        assert_ne!(key.tag(1), TraceKey::from_random([8; 32]).tag(1));
    }

    #[test]
    fn reads_are_found_in_any_order_and_gaps_show() {
        let key = TraceKey::from_random([7; 32]);
        let mut trace = Trace::new(key.clone());
        for n in [2, 1, 4, TRACE_WINDOW + 4] {
            assert_eq!(trace.recognise(&key.tag(n)), Some(n));
        }
        assert_eq!(trace.recognise(&key.tag(2)), Some(2), "seen again");
        assert_eq!(trace.recognise(&TraceKey::from_random([8; 32]).tag(1)), None);
        assert_eq!(trace.recognise(&key.tag(2 * TRACE_WINDOW + 5)), None, "beyond what is looked for");
        assert_eq!(trace.missing()[..3], [3, 5, 6]);
        assert_eq!(trace.missing().len() as u64, TRACE_WINDOW);
        let mut later = Trace::resume(key.clone(), trace.found());
        assert_eq!(later.recognise(&key.tag(2 * TRACE_WINDOW + 4)), Some(2 * TRACE_WINDOW + 4));
        assert_eq!(later.recognise(&key.tag(3)), Some(3));
    }

    #[test]
    fn the_claim_is_the_key() {
        let key = TraceKey::from_random([7; 32]);
        assert!(TraceKey::from_claim(&key.to_claim()).unwrap() == key);
        for wrong in ["", "AAAA", "not base64url!"] {
            assert!(TraceKey::from_claim(wrong).is_err());
        }
    }
}
