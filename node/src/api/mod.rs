//! The HTTP API under `/v1`.
//!
//! Every read of the chain is answered with its proof, taken from one snapshot; what has none (`pending`, `rejected`,
//! health) is the node's word and marked `unproven`. There is no "verify for me".
//!
//! Bounds: connections, idle time, bytes of a body, time of a request, requests of an address, reads of the database,
//! streams and long-polls; whoever finds them used up gets a problem (RFC 9457) with a stable code. It speaks TLS
//! if there is a certificate, and plain HTTP otherwise; an address is that of the connection (`X-Forwarded-For` is not
//! believed). Nothing here administers the node: that is for [`crate::admin`].

mod accounts;
mod blocks;
mod body;
mod case_files;
mod cases;
mod consents;
mod diagnosis;
mod evidence;
mod health;
mod history;
mod limits;
mod listener;
mod log;
mod mail;
mod openapi;
mod places;
mod post_office;
mod problem;
mod proposals;
mod registry;
mod serve;
mod sponsor;
mod state;
pub mod tls;
mod transactions;
mod trust;

pub use openapi::document;
pub use post_office::PostOffice;
pub use problem::ApiError;
pub use serve::Api;
pub use sponsor::Sponsor;
pub use tls::{Tls, TlsError};
