//! Names of chains, for people and inside DIDs.

use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use crate::hash::ChainId;

use super::{IdentifierError, Reason, as_text, print_text};

/// A chain's name as its founders chose it: 1 to 24 of `a-z`, `0-9`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainName(String);

impl ChainName {
    /// The longest name in bytes.
    pub const MAX: usize = 24;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChainName {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let wrong = |reason| IdentifierError { identifier: "chain name", reason };
        if text.is_empty() || text.len() > Self::MAX {
            return Err(wrong(Reason::Length));
        }
        if !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(wrong(Reason::Character));
        }
        Ok(Self(text.to_owned()))
    }
}
as_text!(ChainName, ChainName::MAX);
print_text!(ChainName);

/// How DIDs name a chain: `<name>-<first 80 bits of the chain id, base32 in lower case>`.
///
/// The bits make it hard to found another chain of the same reference; whoever decides trusts the whole chain id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainRef {
    name: ChainName,
    prefix: [u8; 10],
}

impl ChainRef {
    /// The longest reference in bytes.
    pub const MAX: usize = ChainName::MAX + 17;

    /// The reference of a chain.
    pub fn new(name: ChainName, chain: &ChainId) -> Self {
        let prefix = chain.0[..10].try_into().expect("10 of 32 bytes");
        Self { name, prefix }
    }
    /// The name inside.
    pub const fn name(&self) -> &ChainName {
        &self.name
    }
    /// Whether it refers to this chain.
    pub fn is_of(&self, chain: &ChainId) -> bool {
        chain.0.starts_with(&self.prefix)
    }
    fn text(&self) -> String {
        format!("{}-{}", self.name, crate::text::base32(&self.prefix))
    }
}

impl FromStr for ChainRef {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let wrong = |reason| IdentifierError { identifier: "chain reference", reason };
        let (name, prefix) = text.split_once('-').ok_or(wrong(Reason::Form))?;
        if prefix.len() != 16 {
            return Err(wrong(Reason::Length));
        }
        if prefix.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong(Reason::Character));
        }
        let bytes =
            BASE32_NOPAD.decode(prefix.to_ascii_uppercase().as_bytes()).map_err(|_| wrong(Reason::Character))?;
        Ok(Self { name: name.parse()?, prefix: bytes.try_into().map_err(|_| wrong(Reason::Length))? })
    }
}
as_text!(ChainRef, ChainRef::MAX);
print_text!(ChainRef);
