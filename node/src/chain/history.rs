//! What happened to something that has a leaf: its records, each of which names the one before.

use kanhe_proto::ids::LogIndex;
use kanhe_proto::proof::{ProvedLeaf, ProvedRecord};

use super::error::ChainError;
use super::snapshot::Snapshot;

/// Records about one thing, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Its leaf, or the absence of one.
    pub leaf: ProvedLeaf,
    /// Some of them.
    pub records: Vec<ProvedRecord>,
    /// The one before these.
    pub next: Option<LogIndex>,
}

impl Snapshot<'_> {
    /// Records from one on back, at most `max`. `before` says which one came before a record that is about the same thing;
    /// of another it says nothing, and then there is no such history.
    pub(super) fn history(
        &self,
        leaf: ProvedLeaf,
        mut next: Option<LogIndex>,
        max: usize,
        before: impl Fn(&[u8]) -> Option<Option<LogIndex>>,
    ) -> Result<Option<History>, ChainError> {
        let mut records = Vec::new();
        while let Some(index) = next.filter(|_| records.len() < max) {
            let Some(proved) = self.record(index)? else { return Ok(None) };
            let Some(before) = before(&proved.record) else { return Ok(None) };
            next = before;
            records.push(proved);
        }
        Ok(Some(History { leaf, records, next }))
    }
}
