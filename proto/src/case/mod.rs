//! Cases (办件): one run of a service item, as a list of signed acts.
//!
//! On the chain is who did what when, under keys that are made for one case, and commitments to what was said. Nothing here
//! tells who applied, nor links two cases of one person. Files and letters go sealed to those whom they concern.
//!
//! A case is a leaf of the state while it is open and for [`CASE_FORGET_AFTER_MS`] after its end; its acts are records of
//! the log for good. The leaf names the last record and each record the one before, so that no act can be left out
//! ([`EventList`]).
//!
//! [`CASE_FORGET_AFTER_MS`]: crate::limits::CASE_FORGET_AFTER_MS
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`

mod act;
mod commitment;
mod event;
mod leaf;
mod letter;
mod shape;

pub use act::{
    Act, Assisted, CasePayload, Clerk, Decide, FileRef, How, Invitation, Issued, Join, Open, Outcome, Present, Rate,
    Run, SignedAct, SlotKey, SlotRequest, Withdraw, act_bytes, assisted_bytes, case_id, join_bytes,
};
pub use commitment::{case_nonce, commitment};
pub use event::{CaseEvent, CaseRecord, EventError, EventList};
pub use leaf::{Case, CaseStatus, CaseStep, OPENER_SLOT, Slot, StepState, case_key};
pub use letter::{LETTER_VERSION, Letter, LetterContent, LetterError, WantedLetter, letter_id, letter_slots};
pub use shape::{ShapeError, is_clerk};
