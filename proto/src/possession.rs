//! What a key signs to prove that someone holds it: one preimage for each use, so that no proof serves another.

use bincode::Encode;

use crate::codec;
use crate::tags;

/// What possession is proved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PossessionUse {
    /// The key of a further copy, inside an application.
    Copy,
    /// A holder's request to an issuer.
    Request,
    /// An issuer fetches what a node has queued for it.
    Queue,
}
crate::ids::byte_enum!(PossessionUse { Copy = 1, Request = 2, Queue = 3 });

/// Tag ‖ use ‖ encoding of what is stated.
pub fn preimage<T: Encode>(purpose: PossessionUse, statement: &T) -> Vec<u8> {
    let mut bytes = tags::POSSESSION.bytes().to_vec();
    bytes.push(purpose.byte());
    bytes.extend_from_slice(&codec::encode(statement));
    bytes
}
