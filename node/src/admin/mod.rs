//! Administration of a running node: HTTP over a unix socket in its home, for its own user and root alone.
//!
//! What changes or ends a node is here and nowhere else; the API that strangers reach has none of it. The socket has
//! mode 0600, and whoever connects is asked for by the kernel's word, so that not even a moment between making the file
//! and closing it lets anybody else in.

mod client;
mod error;
mod routes;
mod socket;

pub use client::{Answer, call, ended};
pub use error::AdminError;
pub use routes::Admin;
pub use socket::AdminSocket;
