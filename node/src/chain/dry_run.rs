//! What a proposal would do on top of the tip.

use kanhe_proto::governance::{Proposal, ProposalVotes};
use kanhe_proto::ids::TimeMs;

use super::error::ChainError;
use super::overlay::TipView;
use super::snapshot::Snapshot;
use crate::ledger::governance::{self, Effects};

impl Snapshot<'_> {
    /// Tries a proposal: an open one with its votes, or one that is not made yet. None under rules without governance.
    pub fn dry_run(
        &self,
        proposal: &Proposal,
        votes: Option<&ProposalVotes>,
        now: TimeMs,
    ) -> Result<Option<Effects>, ChainError> {
        let view = TipView { reader: &self.reader, tip: &self.tip };
        let context = view.context(now.max(TimeMs(self.tip.header.time.0 + 1)), None);
        if !context.is_governed() {
            return Ok(None);
        }
        let effects = match votes {
            Some(votes) => governance::dry_run_open(&view, context, proposal, &votes.votes),
            None => governance::dry_run(&view, context, proposal),
        };
        Ok(Some(effects?))
    }
}
