//! Commitments to what stays off the chain, and the nonce of a case's presentations.

use crate::hash::{CaseId, Commitment, sha256, tagged};
use crate::tags;
use crate::text;

/// H(tag ‖ 32 random bytes ‖ content). The random bytes are kept with the content: whoever deletes both leaves a hash that
/// means nothing.
pub fn commitment(random: &[u8; 32], content: &[u8]) -> Commitment {
    Commitment(sha256(&[tags::COMMITMENT.bytes(), random, content]))
}

/// Nonce of what a slot shows to a bureau in a round of a case, as base64url: shown anywhere else it is refused.
pub fn case_nonce(case: &CaseId, slot: u8, round: u32, bureau: u8) -> String {
    text::base64url(&tagged(tags::CASE_NONCE, &(case, slot, round, bureau)))
}
