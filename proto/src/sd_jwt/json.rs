//! Strict JSON: no name twice in an object, bounded depth, whole numbers only.
//!
//! Parsers differ on all three, and a verifier that reads other claims than a library of the bank has been fooled.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The deepest JSON that is read: [`super::DEPTH_MAX`] and what digests and disclosures put around and inside.
pub const JSON_DEPTH_MAX: usize = super::DEPTH_MAX + 2;

/// Why bytes are not read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or with a fraction, an exponent or a number beyond 64 bits.
    #[error("not JSON of whole numbers")]
    Malformed,
    /// Deeper than [`JSON_DEPTH_MAX`].
    #[error("nested too deep")]
    TooDeep,
    /// A name twice in one object.
    #[error("a name twice in one object")]
    NameRepeated,
    /// JSON, but not an object.
    #[error("not an object")]
    NotObject,
}

/// Reads one JSON value from all of these bytes.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let fault = Cell::new(JsonError::Malformed);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { depth: 0, fault: &fault };
    let value = seed.deserialize(&mut deserializer).map_err(|_| fault.get())?;
    deserializer.end().map_err(|_| JsonError::Malformed)?;
    Ok(value)
}

/// Reads one JSON object from all of these bytes.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match parse(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NotObject),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    /// serde's errors carry text alone: the reason is kept here.
    fault: &'a Cell<JsonError>,
}

impl Strict<'_> {
    fn fail<E: Error>(self, fault: JsonError) -> E {
        self.fault.set(fault);
        E::custom(fault)
    }
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(self.fail(JsonError::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON of whole numbers")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(Number::from(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(Number::from(value)))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Err(self.fail(JsonError::Malformed))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(value) = access.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(self.fail(JsonError::NameRepeated));
            }
            let value = access.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_should() {
        let text = r#" {"a":[1,-2,true,null,"é"],"b":{"a":18446744073709551615}} "#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text.as_bytes()), Ok(value));
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        assert_eq!(parse(br#"{"a":1,"b":{"c":1,"c":2}}"#), Err(JsonError::NameRepeated));
        assert_eq!(parse(br#"{"a":1,"\u0061":2}"#), Err(JsonError::NameRepeated));
        assert_eq!(parse(b"1.0"), Err(JsonError::Malformed));
        assert_eq!(parse(b"1e2"), Err(JsonError::Malformed));
        assert_eq!(parse(b"18446744073709551616"), Err(JsonError::Malformed));
        assert_eq!(parse(b"{} x"), Err(JsonError::Malformed));
        assert_eq!(parse(b"\xff"), Err(JsonError::Malformed));
        assert_eq!(parse(br#""\ud800""#), Err(JsonError::Malformed));
        assert_eq!(parse_object(b"[]"), Err(JsonError::NotObject));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse(nested(JSON_DEPTH_MAX + 1).as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(JsonError::TooDeep));
    }
}
