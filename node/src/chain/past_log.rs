//! The log as it was at any size up to now: for whoever reads all records between two headers.

use kanhe_proto::merkle::log::{ConsistencyProof, Frontier, Span, prove_consistency};
use kanhe_proto::snapshot::Content;

use super::error::ChainError;
use super::pieces::records;
use super::snapshot::Snapshot;

impl Snapshot<'_> {
    /// The log's largest complete subtrees at a size; none beyond its end.
    pub fn log_frontier(&self, size: u64) -> Result<Option<Frontier>, ChainError> {
        if size > self.tip.header.log_size {
            return Ok(None);
        }
        Ok(Some(Frontier::read(size, &self.reader.log())?))
    }

    /// Shows that the log at a size begins with itself at an earlier one; none if that is no earlier one.
    pub fn past_consistency(&self, old_size: u64, size: u64) -> Result<Option<ConsistencyProof>, ChainError> {
        if old_size > size || size > self.tip.header.log_size {
            return Ok(None);
        }
        Ok(Some(prove_consistency(old_size, size, &self.reader.log())?))
    }

    /// All records of a span of the log at a size, proved; `Gone` if it has no such span, `TooLarge` if its halves are to be
    /// asked for.
    pub fn log_span(&self, size: u64, span: Span) -> Result<Content, ChainError> {
        match self.log_frontier(size)? {
            Some(frontier) => records(&self.reader, &frontier, span),
            None => Ok(Content::Gone),
        }
    }
}
