//! The canonical encoding of everything that is signed, hashed, stored or sent between nodes.
//!
//! `bincode` 2 with big-endian **fixed-size** integers (its variable ones have several encodings of one number),
//! so a length is a `u64` and an enum tag a `u32`. `bincode` is unmaintained: no other module may name it, but for
//! its two derives. A decoder bounds the input before it allocates, consumes all of it, and re-encodes the value:
//! bytes that are not *the* encoding of a value are refused, so two byte strings never mean the same thing.

use bincode::config::{BigEndian, Configuration, Fixint, Limit};
pub use bincode::{Decode, Encode};

/// Memory that one decoding may claim for its containers; encoded forms are at most [`BYTES_MAX`] long.
const CLAIM_MAX: usize = 256 << 20;
/// The longest input that is ever looked at.
pub const BYTES_MAX: usize = 64 << 20;

type Settings = Configuration<BigEndian, Fixint, Limit<CLAIM_MAX>>;

const fn settings() -> Settings {
    bincode::config::standard().with_big_endian().with_fixed_int_encoding().with_limit::<CLAIM_MAX>()
}

/// Why bytes are not the encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// More bytes than the caller's limit for this kind of value.
    #[error("{len} bytes are more than the {max} allowed here")]
    TooLong {
        /// Length of the input.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not decodable at all.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A value, and then more bytes.
    #[error("{0} bytes after the end of the value")]
    Trailing(usize),
    /// Decodes, but is not the one encoding of what it decodes to.
    #[error("not in canonical form")]
    NotCanonical,
}

/// The one encoding of a value.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    bincode::encode_to_vec(value, bincode::config::standard().with_big_endian().with_fixed_int_encoding())
        .expect("encoding into memory fails for no type of this crate")
}

/// Reads a value from exactly these bytes, at most `max` of them.
pub fn decode<T: Decode<()> + Encode>(bytes: &[u8], max: usize) -> Result<T, CodecError> {
    let max = max.min(BYTES_MAX);
    if bytes.len() > max {
        return Err(CodecError::TooLong { len: bytes.len(), max });
    }
    let (value, used) = bincode::decode_from_slice::<T, _>(bytes, settings())
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    if used != bytes.len() {
        return Err(CodecError::Trailing(bytes.len() - used));
    }
    if encode(&value) != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// Gives a type without parameters a hand-written decoder; the derives of `bincode` want a borrowing one as well.
macro_rules! impl_decode {
    ($t:ty, $decoder:ident => $body:expr) => {
        impl<C> bincode::Decode<C> for $t {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                $decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                $body
            }
        }
        impl<'de, C> bincode::BorrowDecode<'de, C> for $t {
            fn borrow_decode<D: bincode::de::BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                <Self as bincode::Decode<C>>::decode(decoder)
            }
        }
    };
}
pub(crate) use impl_decode;
