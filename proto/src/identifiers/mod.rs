//! Identifiers with their check characters: of bureaus and enterprises, persons, licences, chains, keys and types.
//!
//! Each is a type that cannot hold a wrong value: the rules are checked when text is parsed and when bytes are
//! decoded. As text, in JSON and inside the codec an identifier has one form only (capital letters, no spaces), so
//! that equal identifiers are equal bytes. Errors never repeat the value: it may be personal.

mod chain_name;
mod check;
mod day;
mod did;
mod licence_number;
mod person_id;
mod uscc;
mod vct;

pub use chain_name::{ChainName, ChainRef};
pub use day::Day;
pub use did::{Did, KeyUrl};
pub use licence_number::{LicenceNumber, LicenceVersion, Serial};
pub use person_id::PersonId;
pub use uscc::Uscc;
pub use vct::{TypeCode, TypeVersion, Vct};

/// Text that is not the identifier that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{identifier}: {reason}")]
pub struct IdentifierError {
    /// Which identifier was expected.
    pub identifier: &'static str,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Too short or too long.
    #[error("wrong length")]
    Length,
    /// A character outside the identifier's alphabet.
    #[error("a character that it never has")]
    Character,
    /// The check character does not fit the others.
    #[error("the check character does not match")]
    CheckCharacter,
    /// Not a day of the calendar.
    #[error("no such date")]
    Date,
    /// Does not begin as it must, or lacks a part.
    #[error("not of its form")]
    Form,
    /// A number out of range or not in its one form.
    #[error("not a number in range")]
    Number,
}

impl Reason {
    /// The stable name of the reason.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Character => "character",
            Self::CheckCharacter => "check_character",
            Self::Date => "date",
            Self::Form => "form",
            Self::Number => "number",
        }
    }
}

/// Encodes, decodes and (de)serialises a type as its text, through `text()` and `FromStr`.
macro_rules! as_text {
    ($name:ident, $max:expr) => {
        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
                self.text().as_bytes().encode(encoder)
            }
        }
        crate::codec::impl_decode!($name, decoder => {
            let text = <crate::bounded::Text<{ $max }> as bincode::Decode<D::Context>>::decode(decoder)?;
            text.as_str().parse().map_err(|_| bincode::error::DecodeError::Other(concat!("not a ", stringify!($name))))
        });
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use as_text;

/// Prints a type as its text, in `{}` and `{:?}`.
macro_rules! print_text {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.text())
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.text())
            }
        }
    };
}
pub(crate) use print_text;

/// A decimal number in its one form: no sign, no leading zero.
fn parse_number(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}
