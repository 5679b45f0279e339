//! The node of a bureau: ledger, storage, mempool, consensus, network and API.

pub mod admin;
pub mod api;
mod bounded_file;
pub mod case_files;
pub mod chain;
pub mod command;
pub mod config;
pub mod consensus;
pub mod devnet;
pub mod founding;
pub mod ledger;
pub mod mempool;
pub mod moving;
pub mod network;
mod remembered;
pub mod run;
pub mod storage;
