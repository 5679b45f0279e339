//! Reads between bureaus: the reader asks, the source records and gives, and both can prove it later.
//!
//! A reader's request is kept before it leaves, with the one-time key for its answer. The source judges it (purpose, consent
//! and its terms, whose consent it is, what the item of a case declares), puts together what it has, signs the read and
//! keeps all of that; then it brings the record onto the chain, and only with the proof of that record, not older than a
//! minute, the data leaves: once, sealed to the request's key. The same request again gets the same bytes.
//!
//! | state at the source | next | after a crash |
//! | --- | --- | --- |
//! | – | judged; parcel, number and signed read are kept | judged again |
//! | `signed` | sent until it is proved, or that it can never be, whatever nodes say | the same bytes are sent again |
//! | `recorded` | answered, if the record is young enough and nobody took the consent back | the same, by the same rule |
//! | `answered` | – | the same bytes again |
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, section 6

mod asked;
mod asking;
mod extract;
mod holder;
mod judging;
mod parcel;
mod recording;
mod refusing;
mod served;
mod serving;
mod stats;

pub use asked::{Asked, AskedState, CaseRead, GivenLicence};
pub use asking::{Ask, Ground, Reader, by_licence, fetch, receive, refuse, send, who_consents};
pub use judging::refusal_words;
pub use served::{Served, Stage};
pub use serving::{ReadRound, Serving, split};
pub use stats::{Counted, GROUP_FLOOR, GROUP_MIN, Group, Measure, Statistics, statistics};
