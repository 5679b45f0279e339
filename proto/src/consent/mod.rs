//! Consent and reads: data that one bureau holds is read by another only on a ground, and each read is recorded before data
//! leaves.
//!
//! On the chain is who may read of whom, why, how often and until when, under a key that is made for one consent; which
//! source, types and claims it is about is committed to ([`Terms`]). A read is a request signed by the reader inside a record
//! signed by the source ([`SignedRead`]). Who it is about, nobody sees but the two bureaus and the person: she recognises it
//! by a tag of a key that only she and the source have ([`TraceKey`]), and finds in its note what was read ([`Note`]).
//!
//! A consent is a leaf of the state until [`CONSENT_FORGET_AFTER_MS`] after its last day; what was granted, withdrawn and read
//! is in the log for good. The leaf names the last of these records and each the one before ([`ConsentHistory`]); the records
//! of one source are counted, and the state has the count ([`ReadList`]): of neither list can any be left out.
//!
//! A source that colludes with a reader can hand data over and record nothing: no ledger can see that.
//!
//! [`CONSENT_FORGET_AFTER_MS`]: crate::limits::CONSENT_FORGET_AFTER_MS
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, §6

mod act;
mod check;
mod history;
mod leaf;
mod note;
mod read;
mod reads;
mod record;
mod terms;
mod trace;

pub use act::{Act, ConsentPayload, Grant, SignedAct, Withdraw, act_bytes, consent_id};
pub use check::ConsentError;
pub use history::{ConsentEvent, ConsentHistory, HistoryError};
pub use leaf::{Consent, SourceReads, consent_key, source_reads_key};
pub use note::{Note, NoteError, SealedNote};
pub use read::{
    Answered, Basis, Read, ReadPayload, ReadRequest, SignedRead, SignedRequest, Statutory, Under, is_refusal_code,
    read_bytes, request_bytes,
};
pub use reads::ReadList;
pub use record::{AccessRecord, ConsentRecord};
pub use terms::{Asked, Scope, Subject, Terms, TermsError, TypeClaims, consent_nonce};
pub use trace::{TRACE_CLAIM, Trace, TraceKey, TraceTag, is_trace};
