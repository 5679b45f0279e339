//! Names inside an item, and its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bounded::Text;
use crate::identifiers::{IdentifierError, TypeCode, TypeVersion, Vct};
use crate::limits::CODE_BYTES_MAX;

/// Code of an item: 1 to 64 of `a-z`, `0-9`, `-`. Checked with the item.
pub type ItemCode = Text<CODE_BYTES_MAX>;

/// Name of a part: a letter `a-z`, then letters, digits and `_`, at most 32; rules say it as an identifier. Checked with
/// the item.
pub type PartName = Text<CODE_BYTES_MAX>;

/// The longest name of a part in bytes.
const PART_NAME_BYTES_MAX: usize = 32;
/// Words that CEL keeps for itself.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Whether a text can name a part.
pub fn is_part_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && text.len() <= PART_NAME_BYTES_MAX
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !RESERVED.contains(&text)
}

/// Whether a text can be the code of an item.
pub(crate) fn is_item_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Version of an item, from 1 without gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode, bincode::Decode, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ItemVersion(pub u32);

impl fmt::Display for ItemVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A version of a licence type, as items name it: `CODE:VERSION`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeRef(pub Vct);

impl TypeRef {
    /// The type.
    pub const fn code(&self) -> &TypeCode {
        &self.0.code
    }
    /// Its version.
    pub const fn version(&self) -> TypeVersion {
        self.0.version
    }
}
impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.code, self.0.version)
    }
}
impl fmt::Debug for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for TypeRef {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        format!("urn:kanhe:type:{text}").parse().map(Self)
    }
}
impl Serialize for TypeRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for TypeRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers_of_rules() {
        for good in ["a", "identity", "buyer_2"] {
            assert!(is_part_name(good), "{good}");
        }
        for wrong in ["", "A", "2a", "_a", "a-b", "in", "true", "购房人", &"a".repeat(33)] {
            assert!(!is_part_name(wrong), "{wrong}");
        }
        assert!(is_item_code("flat-registration-2") && !is_item_code("") && !is_item_code("Flat"));
    }

    #[test]
    fn types_are_written_with_their_version() {
        let given: TypeRef = "DEMO-1:3".parse().unwrap();
        assert_eq!((given.to_string().as_str(), given.version()), ("DEMO-1:3", TypeVersion(3)));
        assert!("DEMO".parse::<TypeRef>().is_err() && "DEMO:x".parse::<TypeRef>().is_err());
    }
}
