//! Configuration of a node: one TOML file in its home, unknown keys refused.
//!
//! [`DEFAULT_TOML`] documents every key; a test holds it to the types.

mod consensus;
mod error;
mod log;
mod node;

pub use consensus::ConsensusSection;
pub use error::ConfigError;
pub use log::{LogFormat, LogSection};
pub use node::{AdminSection, ApiSection, ChainSection, Config, KeysSection, SyncSection, TlsSection};

/// The default configuration, with the meaning of each key.
pub const DEFAULT_TOML: &str = include_str!("default.toml");
/// Name of the file in a node's home.
pub const CONFIG_FILE: &str = "config.toml";
/// Longest configuration file, in bytes.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;
