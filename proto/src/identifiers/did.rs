//! DIDs of bureaus and the URLs of their keys (`kid`).

use std::str::FromStr;

use crate::key::KeyId;

use super::{ChainRef, IdentifierError, Reason, Uscc, as_text, print_text};

const METHOD: &str = "did:kanhe:";

/// `did:kanhe:<chain reference>:<USCC>`: an organisation on a chain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did {
    /// The chain.
    pub chain: ChainRef,
    /// The organisation.
    pub uscc: Uscc,
}

impl Did {
    /// The longest DID in bytes.
    pub const MAX: usize = METHOD.len() + ChainRef::MAX + 1 + 18;

    /// The DID of an organisation on a chain.
    pub const fn new(chain: ChainRef, uscc: Uscc) -> Self {
        Self { chain, uscc }
    }
    /// The URL of one of its keys: the `kid` of what that key signs.
    pub fn key_url(&self, key: KeyId) -> KeyUrl {
        KeyUrl { did: self.clone(), key }
    }
    fn text(&self) -> String {
        format!("{METHOD}{}:{}", self.chain, self.uscc)
    }
}

impl FromStr for Did {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        const WRONG: IdentifierError = IdentifierError { identifier: "DID", reason: Reason::Form };
        let (chain, uscc) = text.strip_prefix(METHOD).and_then(|rest| rest.split_once(':')).ok_or(WRONG)?;
        Ok(Self { chain: chain.parse()?, uscc: uscc.parse()? })
    }
}
as_text!(Did, Did::MAX);
print_text!(Did);

/// `<DID>#<key id>`: a key of an organisation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyUrl {
    /// Whose key.
    pub did: Did,
    /// Which key.
    pub key: KeyId,
}

impl KeyUrl {
    /// The longest URL in bytes: a key id is 22 characters of base64url.
    pub const MAX: usize = Did::MAX + 1 + 22;

    fn text(&self) -> String {
        format!("{}#{}", self.did, self.key)
    }
}

impl FromStr for KeyUrl {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        const WRONG: IdentifierError = IdentifierError { identifier: "key URL", reason: Reason::Form };
        let (did, key) = text.split_once('#').ok_or(WRONG)?;
        Ok(Self { did: did.parse()?, key: key.parse().map_err(|_| WRONG)? })
    }
}
as_text!(KeyUrl, KeyUrl::MAX);
print_text!(KeyUrl);
