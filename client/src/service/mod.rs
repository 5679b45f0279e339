//! The verifier's own HTTP service: what `verify request` and `verify check` do, for a counter's software in any
//! language.
//!
//! It belongs to one machine and one relying party. Whoever uses it asks in that party's name and reads what people
//! disclosed, so it listens on loopback unless told otherwise, wants a token from a file that only its owner reads, and
//! answers no browser: pages of the open web reach loopback too, by other names of this machine (`Host`) or by scripts
//! (`Origin`). Nothing of an answer may be read by another origin, since no header allows it.
//!
//! Bodies, connections, requests at work and their time are bounded. A judgement that takes too long for its answer
//! goes on and is remembered, so that the same bytes asked again get the same verdict.

mod connection;
mod door;
mod keeper;
mod limits;
mod problem;
mod routes;
mod server;
mod token;

pub use door::Door;
pub use keeper::Keeper;
pub use limits::Limits;
pub use routes::{AskedLicence, CheckBody, Healthy, Made, RequestBody};
pub use server::{Server, Service};
pub use token::Token;
