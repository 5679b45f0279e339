//! Numbers that mean something: heights, times, indexes and counts, each a type of its own.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Gives an enum of named bytes its one-byte encoding; other bytes are refused.
macro_rules! byte_enum {
    ($name:ident { $($variant:ident = $byte:literal),+ $(,)? }) => {
        impl $name {
            /// The byte that stands for it in every format.
            pub const fn byte(self) -> u8 {
                match self { $(Self::$variant => $byte),+ }
            }
            /// What a byte stands for.
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$variant),)+ _ => None }
            }
        }
        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
                self.byte().encode(encoder)
            }
        }
        crate::codec::impl_decode!($name, decoder => {
            let byte = <u8 as bincode::Decode<C>>::decode(decoder)?;
            Self::from_byte(byte).ok_or(bincode::error::DecodeError::Other(concat!("unknown ", stringify!($name))))
        });
    };
}
pub(crate) use byte_enum;

macro_rules! number_type {
    ($($(#[$doc:meta])* $name:ident($inner:ty)),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

number_type! {
    /// Number of a block; genesis is 0.
    Height(u64),
    /// Counts recoveries of the chain; part of every signature.
    Era(u32),
    /// Attempt of the consensus at one height.
    Round(u32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    TimeMs(u64),
    /// Length of time in milliseconds.
    SpanMs(u64),
    /// Position of a record in the chain's log; of a batch, its id.
    LogIndex(u64),
    /// Voting power of a validator.
    Power(u64),
    /// Version of the rules under which blocks are executed.
    ProtocolVersion(u32),
}

impl Height {
    /// The height after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TimeMs {
    /// This time and a span later; at the end of time, the end of time.
    #[must_use]
    pub const fn after(self, span: SpanMs) -> Self {
        Self(self.0.saturating_add(span.0))
    }
    /// The span since an earlier time; zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> SpanMs {
        SpanMs(self.0.saturating_sub(earlier.0))
    }
}
