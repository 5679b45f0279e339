//! The verifier's side: requests of its own, the verdict on what answers them, receipts for later.
//!
//! A response is judged only against a request that this home made and kept. A nonce is spent by the first response that
//! is bound to it: the same bytes again get the same verdict, others are a replay. What is not bound to the nonce spends
//! nothing, else anybody could use it up.

mod asking;
mod check;
mod fetch;
mod judging;
mod memory;
mod receipt;
mod request;
mod sweep;
mod told;

pub use asking::{Asking, Wanted};
pub use check::{Checked, Question, check};
pub use fetch::{Evidences, fresh, fresh_many, replaced};
pub use judging::{Judged, Presented, judge};
pub use memory::{KeptRequest, Memory, Spent};
pub use receipt::{RECEIPT_BYTES_MAX, Receipt, Rechecked};
pub use request::{Ask, make};
pub use sweep::Swept;
pub use told::Told;
