//! A person's side of consent: what may be read by whom, taking it back, and who has read.
//!
//! Each consent has a key of its own in the wallet, and is durable there before anything leaves: a killed run goes on with
//! the same bytes. What it is about is committed to on the chain and handed to whoever may read as a [`Ticket`], in which
//! the person shows the source by one of their licences whose consent it is.
//!
//! Who has read is found by looking through all reads of the sources of one's licences, here: no node learns which of them
//! are about whom.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, section 6

mod carry;
mod grant;
mod log;
mod own;
mod read;
mod refusal;
mod ticket;

#[cfg(test)]
pub(crate) use carry::tests;
pub use carry::{carry, withdraw};
pub use grant::{Granting, Wished, licence_for, scope_of};
pub use log::{Read, Reads, Source, reads};
pub use own::{OwnConsent, Pending, Shelf, State};
pub use read::{Standing, count, list, standing};
pub use refusal::{explain, words};
pub use ticket::{TICKET_TEXT_BYTES_MAX, Ticket};
