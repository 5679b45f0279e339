//! A bureau's desk: verifies what was presented to it in cases, runs the item's rules, decides or lets an officer decide,
//! and issues what its steps yield.
//!
//! For each round of a step there is one [`Row`] in the register, encrypted, and each of its states is durable before the
//! next begins ([`advance`]). What is random is drawn once and kept before anything leaves: after a crash the same bytes are
//! sent again. So no case is lost; and of two decisions on one step the chain takes the first, so none is decided twice.
//! Only whose decision is proved to be on the chain issues.
//!
//! Rows go on in portions ([`Desk::go_on`]): what is asked of nodes, sent to the chain or kept is asked, sent and kept for many
//! at once, and what fails for one holds up no other. The register is closed while anybody else is waited for ([`Keeping`]).
//!
//! Whatever comes in a case file is hostile: it is what the chain has a commitment to or nothing, and each part of it is
//! what the item asks of this party for this bureau, within its bounds. What is not so, or cannot be evaluated, waits for an
//! officer with the reason.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, section 5

mod accounts;
mod checking;
mod decision;
mod document;
mod files;
mod form;
mod hands;
mod keeping;
mod letter;
mod looking;
mod machine;
mod mandate;
mod officer;
mod passing;
mod presented;
mod reading;
mod round;
mod row;
mod store;
mod wanted;
mod yields;

pub use checking::{Checking, Opened};
pub use decision::{Signing, automatic};
pub use document::{Document, Part, document};
pub use files::{Fetched, FileFault, check_file, fetch_file, fetch_opened};
pub use form::{Filled, fill};
pub use keeping::Keeping;
pub use letter::{LETTER_CHARS_MAX, LETTER_LIFE, send_again};
pub use machine::{Checks, Hands, Issuance, Rest, Settled, advance};
pub use mandate::{Acted, Brought, Mandated, Place, judge};
pub use officer::{OFFICER_CHARS_MAX, REASONS, may, reasons, rule, state};
pub use presented::{Judged, Shown, request_of, shown};
pub use reading::Readings;
pub use round::{Desk, Listing, Moved, Went};
pub use row::{
    AttachmentSeen, Checked, Decision, Fault, Granted, Issued, Kept, Row, RowKey, RuleSeen, Ruling, State, Trouble,
    VerdictSeen,
};
pub use store::OpenRow;
pub use wanted::{Wanted, wanted};
