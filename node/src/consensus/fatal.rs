//! Why the consensus stops the process, each with an exit code of its own.

use std::sync::Arc;

use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::Height;
use tokio::sync::watch;

/// A reason to stop: going on could break a promise already made to others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// The engine could not write its log, or met something that makes signing unsafe, and stopped on purpose.
    #[error("the consensus engine stopped to stay safe (its write-ahead log failed, or worse)")]
    Safety,
    /// Somebody else signs with this validator's key.
    #[error("a vote at height {height} under this validator's key is not one that its guard signed")]
    DoubleVote {
        /// Height of the vote seen.
        height: Height,
    },
    /// The guard's file could not be written.
    #[error("signing guard: {0}")]
    Guard(String),
    /// A quorum certified a block that does not execute to its header here.
    #[error("block {header_hash} at height {height} is certified but does not execute to its header: {reason}")]
    ExecutionMismatch {
        /// Height of the block.
        height: Height,
        /// Its certified hash.
        header_hash: HeaderHash,
        /// What differs.
        reason: String,
    },
    /// A durable write or a read of what was written failed.
    #[error("storage: {0}")]
    Storage(String),
    /// An engine task ended without a request.
    #[error("the consensus engine stopped: {0}")]
    EngineStopped(String),
}

impl Fatal {
    /// The process's exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Safety => 71,
            Self::DoubleVote { .. } => 72,
            Self::Guard(_) => 73,
            Self::ExecutionMismatch { .. } => 74,
            Self::Storage(_) => 75,
            Self::EngineStopped(_) => 76,
        }
    }
}

/// Where any task reports a reason to stop; the first one counts.
#[derive(Debug, Clone)]
pub struct FatalSender(Arc<watch::Sender<Option<Fatal>>>);

impl FatalSender {
    /// A place to report to, and the end that sees it.
    pub fn new() -> (Self, watch::Receiver<Option<Fatal>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(Arc::new(sender)), receiver)
    }
    /// Reports a reason to stop.
    pub fn report(&self, fatal: Fatal) {
        tracing::error!(code = fatal.exit_code(), "{fatal}");
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                *first = Some(fatal);
            }
            is_first
        });
    }
}
