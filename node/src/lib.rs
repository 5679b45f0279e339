//! The node of a bureau: ledger, storage, mempool, consensus, network and API.

pub mod consensus;
pub mod ledger;
pub mod storage;
