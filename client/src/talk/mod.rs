//! How `kanhe` speaks: data on stdout, talk on stderr, in Chinese or English, for people or (`--json`) for programs.
//!
//! All text that a person reads comes from one catalogue, `client/locales/app.yml`, under keys that are named in
//! the code as literals; a test holds the two together. Error codes are stable, their text is not.

mod exit;
mod failure;
mod language;
mod output;
mod progress;
mod prompt;
pub mod secret;
pub mod shape;
mod table;
mod time;

pub use exit::ExitCode;
pub use failure::{Failure, Wire};
pub use language::{Lang, find, say, say_in};
pub use output::{Captured, Output, Said};
pub use progress::Progress;
pub use prompt::{answer, confirm};
pub use secret::Passphrase;
pub use table::{Table, width};
pub use time::{age, moment};

#[cfg(test)]
mod catalogue;
