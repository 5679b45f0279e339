//! Types of licences: code in the catalogue, version, and both as the `vct` of a licence.

use std::str::FromStr;

use super::{IdentifierError, Reason, as_text, parse_number, print_text};

/// 证照类型代码: a type's code in the catalogue: 1 to 32 of `0-9`, `A-Z`, `a-z`, `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeCode(String);

impl TypeCode {
    /// The longest code in bytes.
    pub const MAX: usize = 32;

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for TypeCode {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let wrong = |reason| IdentifierError { identifier: "licence type code", reason };
        if text.is_empty() || text.len() > Self::MAX {
            return Err(wrong(Reason::Length));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(wrong(Reason::Character));
        }
        Ok(Self(text.to_owned()))
    }
}
as_text!(TypeCode, TypeCode::MAX);
print_text!(TypeCode);

/// Version of a licence type's definition.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    bincode::Encode,
    bincode::Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct TypeVersion(pub u32);

impl std::fmt::Display for TypeVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

const PREFIX: &str = "urn:kanhe:type:";

/// `urn:kanhe:type:<code>:<version>`: what a licence says about its type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vct {
    /// The type.
    pub code: TypeCode,
    /// The version of its definition.
    pub version: TypeVersion,
}

impl Vct {
    /// The longest form in bytes.
    pub const MAX: usize = PREFIX.len() + TypeCode::MAX + 1 + 10;

    fn text(&self) -> String {
        format!("{PREFIX}{}:{}", self.code, self.version)
    }
}

impl FromStr for Vct {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let wrong = |reason| IdentifierError { identifier: "vct", reason };
        let (code, version) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or(wrong(Reason::Form))?;
        let version = parse_number(version).map(TypeVersion).ok_or(wrong(Reason::Number))?;
        Ok(Self { code: code.parse()?, version })
    }
}
as_text!(Vct, Vct::MAX);
print_text!(Vct);
