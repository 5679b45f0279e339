//! The node of a bureau: ledger, storage, mempool, consensus, network and API.

pub mod chain;
pub mod consensus;
pub mod ledger;
pub mod mempool;
pub mod network;
pub mod storage;
