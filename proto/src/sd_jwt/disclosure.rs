//! Disclosures: salt, name and value of a claim behind a digest (RFC 9901 §4.2).

use std::fmt;

use serde_json::Value;

use crate::hash::sha256;
use crate::text::{base64url, from_base64url};

use super::{SdJwtError, json};

/// 128 random bits that keep a digest from being guessed (RFC 9901 §9.3).
pub type Salt = [u8; 16];

/// A disclosure. Its digest is over the received text, since JSON has many forms. Not printed: personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    encoded: String,
    name: Option<String>,
    value: Value,
}

impl Disclosure {
    /// Of a property of an object.
    pub fn property(salt: &Salt, name: String, value: Value) -> Self {
        let array = Value::Array(vec![base64url(salt).into(), name.clone().into(), value.clone()]);
        Self { encoded: base64url(array.to_string().as_bytes()), name: Some(name), value }
    }
    /// Of an element of an array.
    pub fn element(salt: &Salt, value: Value) -> Self {
        let array = Value::Array(vec![base64url(salt).into(), value.clone()]);
        Self { encoded: base64url(array.to_string().as_bytes()), name: None, value }
    }
    /// Reads a received disclosure.
    pub fn parse(encoded: &str) -> Result<Self, SdJwtError> {
        const WRONG: SdJwtError = SdJwtError::DisclosureMalformed;
        let bytes = from_base64url(encoded).map_err(|_| WRONG)?;
        let array = match json::parse(&bytes) {
            Ok(Value::Array(array)) => array,
            Err(json::JsonError::TooDeep) => return Err(SdJwtError::TooDeep),
            Err(json::JsonError::NameRepeated) => return Err(SdJwtError::ClaimCollision),
            Ok(_) | Err(_) => return Err(WRONG),
        };
        let (name, value) = match <[Value; 3]>::try_from(array) {
            Ok([Value::String(_), Value::String(name), value]) => (Some(name), value),
            Ok(_) => return Err(WRONG),
            Err(array) => match <[Value; 2]>::try_from(array) {
                Ok([Value::String(_), value]) => (None, value),
                _ => return Err(WRONG),
            },
        };
        Ok(Self { encoded: encoded.to_owned(), name, value })
    }
    /// As it travels.
    pub fn encoded(&self) -> &str {
        &self.encoded
    }
    /// Name of the property; none for an element.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    /// The value, in which digests of further disclosures may be.
    pub const fn value(&self) -> &Value {
        &self.value
    }
    /// base64url(SHA-256(text)): what stands in its place.
    pub fn digest(&self) -> String {
        digest(&self.encoded)
    }
}

/// The digest of a disclosure's text.
pub(super) fn digest(encoded: &str) -> String {
    base64url(&sha256(&[encoded.as_bytes()]))
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disclosure({})", self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9901 §4.2.1–4.2.3, §4.2.4.
    #[test]
    fn published_digests() {
        for (encoded, digest, name, value) in [
            (
                "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0",
                "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0",
                Some("family_name"),
                "Möbius",
            ),
            ("WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0", "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs", None, "FR"),
            ("WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIlVTIl0", "pFndjkZ_VCzmyTa6UjlZo3dh-ko8aIKQc9DlGzhaVYo", None, "US"),
        ] {
            let disclosure = Disclosure::parse(encoded).unwrap();
            assert_eq!(disclosure.digest(), digest);
            assert_eq!((disclosure.name(), disclosure.value()), (name, &Value::from(value)));
        }
    }

    #[test]
    fn what_is_made_is_read() {
        let made = Disclosure::property(&[1; 16], "a".into(), serde_json::json!({ "b": [1] }));
        assert_eq!(Disclosure::parse(made.encoded()).unwrap(), made);
        let made = Disclosure::element(&[1; 16], Value::Null);
        assert_eq!(Disclosure::parse(made.encoded()).unwrap(), made);
    }

    #[test]
    fn malformed() {
        for text in ["[]", "[1,2]", "[\"s\"]", "[\"s\",1,2]", "[\"s\",\"n\",1,2]", "{}", "\"s\"", "[\"s\",1.5]"] {
            let error = Disclosure::parse(&base64url(text.as_bytes())).unwrap_err();
            assert_eq!(error.code(), "disclosure_malformed", "{text}");
        }
        assert_eq!(Disclosure::parse("W10=").unwrap_err().code(), "disclosure_malformed");
    }
}
