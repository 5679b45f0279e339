//! Local networks to play with: `kanhe-node devnet init`.
//!
//! Everything of a consortium in one folder: genesis, a home for each bureau with its keys, and a bank. Its keys are
//! hardly protected and its bureaus are examples; a real consortium makes each key where it is used.

mod bureaus;
mod codes;
mod description;
mod genesis;
mod init;
mod member;
mod ports;
mod types;

pub use description::{BankDescription, BureauDescription, Description, TypeDescription};
pub use init::{DevnetError, DevnetOptions, init};
pub use ports::free_ports;

/// Name of the file that describes a network.
pub const DESCRIPTION_FILE: &str = "devnet.json";
