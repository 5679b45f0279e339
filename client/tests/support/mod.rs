//! A chain of one validator in memory, a node that serves it, and the `kanhe` command against both.

pub mod chain;
pub mod command;
pub mod mail;
pub mod server;
