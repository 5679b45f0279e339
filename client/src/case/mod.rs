//! Cases (办件) as their parties and bureaus meet them: read with proofs, and acts brought onto the chain.
//!
//! Nothing of a node's answer is believed without proof: the case is a leaf under a certified header, its events are a list
//! that cannot be cut, and an act counts as done only once the proved list has it.

mod assisting;
mod carry;
mod consenting;
mod invitation;
mod letters;
mod own;
mod parcel;
mod prepare;
mod read;
mod refusal;
mod send;
mod timeline;

pub use assisting::{Assisted, ClerkShown, PickupShown, Source, source_of};
pub use carry::{carry, look_after, settle, store_all, store_files, tidy};
pub use consenting::{CONSENT_PAPER, ItemRead, item_reads};
pub use invitation::InvitationCode;
pub use letters::{OwnLetter, read_letters};
pub use own::{Disclosed, DisclosedLicence, Given, Invited, OwnCase, OwnFile, Paper, Pending, Shelf};
pub use parcel::{Parcel, TEXT_CHARS_MAX, field_value, paper_name, parcels};
pub use prepare::{Kind, Maker, Recipient, Seen, copies, keep_act, recipient};
pub use read::{Events, Items, KnownItem, ProvedCase, events, events_many, read, read_many};
pub use refusal::explain;
pub use send::{Sent, found, found_many, send, send_each};
pub use timeline::{
    EventShown, InvitationShown, NextShown, PartyShown, Sentence, Sources, StepShown, Timeline, status,
};
