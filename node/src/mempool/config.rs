//! How much may wait.

use serde::{Deserialize, Serialize};

/// Bounds of the pool. All are local policy: nodes of one chain may differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MempoolConfig {
    /// Transactions that wait.
    pub transactions_max: usize,
    /// Bytes of all that wait.
    pub bytes_max: usize,
    /// Transactions besides that only take consents back: they count on nobody's share.
    pub withdrawals_max: usize,
    /// Ids of settled transactions that are remembered; the oldest are forgotten.
    pub outcomes_max: usize,
    /// Verified signatures that are remembered, for the check of blocks; the oldest are forgotten.
    pub verified_max: usize,
    /// Callers that wait for a transaction's state.
    pub waiters_max: usize,
    /// Signatures verified at the same time, each on a thread.
    pub verify_threads: usize,
    /// Transactions that are being verified or wait for it.
    pub verify_queue_max: usize,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self {
            transactions_max: 40_000,
            bytes_max: 64 << 20,
            withdrawals_max: 4_096,
            outcomes_max: 200_000,
            verified_max: 100_000,
            waiters_max: 4_096,
            verify_threads: std::thread::available_parallelism().map_or(2, usize::from),
            verify_queue_max: 16_384,
        }
    }
}
