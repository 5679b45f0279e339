//! Bodies that come in parts, and their judgement.

use malachite_app::streaming::StreamMessage;
use malachite_app::types::{PeerId, ProposedValue};
use malachite_types::Validity;

use super::super::application::{Check, Origin};
use super::super::context::{self, KanheContext, ProposalPart};
use super::super::fatal::Fatal;
use super::super::streaming::{Accepted, Assembled, StreamInit, Wanted};
use super::{Run, streamed};

/// Rounds ahead of ours for which parts are taken: as many as the engine takes votes for.
const ROUNDS_AHEAD: u32 = 10;
/// Whole bodies for the next height that are kept.
const EARLY_MAX: usize = 8;

impl Run {
    pub(super) async fn received_part(
        &mut self,
        from: PeerId,
        part: StreamMessage<ProposalPart>,
    ) -> Result<Option<ProposedValue<KanheContext>>, Fatal> {
        let next = self.app.tip().height.next();
        let Self { pool, app, settings, bodies, working, round, .. } = self;
        let admit = |init: &StreamInit| {
            if init.height != next && init.height != next.next() {
                return Err(format!("height {} where {next} is next", init.height));
            }
            let ahead = if init.height == *working { round.0 } else { 0 } + ROUNDS_AHEAD;
            if init.round.0 > ahead || init.valid_round.is_some_and(|valid| valid >= init.round) {
                return Err(format!("round {} of height {}", init.round, init.height));
            }
            // The set after the next block is known when that is executed; it is asked again then.
            let set = app.validator_set(init.height).or_else(|| app.validator_set(next));
            let set = set.ok_or("no validator set")?;
            let (_, streamer) = set.get(&init.streamer).ok_or("streamed by no validator")?;
            init.verify(&streamer.key, &settings.chain).map_err(|error| error.to_string())?;
            let known = init.height == *working && bodies.valid.contains(&init.value);
            Ok(if known { Wanted::Nothing } else { Wanted::Body })
        };
        match pool.accept(from, part, admit) {
            Ok(Accepted::Incomplete) => Ok(None),
            Ok(Accepted::Known(init)) => Ok(Some(streamed(&init, Validity::Valid))),
            Ok(Accepted::Whole(assembled)) if assembled.init.height == self.working && self.working == next => {
                self.judge(*assembled).await
            }
            Ok(Accepted::Whole(assembled)) => {
                self.keep_early(*assembled);
                Ok(None)
            }
            Err(dropped) => {
                tracing::debug!(%from, "part dropped: {dropped}");
                Ok(None)
            }
        }
    }

    pub(super) fn keep_early(&mut self, assembled: Assembled) {
        let early = &mut self.bodies.early;
        if early.iter().any(|kept| kept.init.value == assembled.init.value) {
            return;
        }
        if early.len() >= EARLY_MAX {
            early.remove(0);
        }
        early.push(assembled);
    }

    /// Checks a whole body for the height that the engine works on.
    pub(super) async fn judge(&mut self, assembled: Assembled) -> Result<Option<ProposedValue<KanheContext>>, Fatal> {
        let init = assembled.init.clone();
        if self.bodies.valid.contains(&init.value) {
            return Ok(Some(streamed(&init, Validity::Valid)));
        }
        let set = self.set_of(init.height)?;
        if set.get(&init.streamer).is_none() {
            return Ok(None);
        }
        // A block that is proposed again keeps its first proposer's header.
        let proposer = match init.valid_round {
            None => Some(context::proposer_at(&set, init.height, init.round)),
            Some(_) => None,
        };
        let origin = Origin { height: init.height, proposer, synced: false };
        let body = assembled.body.clone();
        match self.ask(move |app| app.check(&body, &origin)).await? {
            Check::Valid(found) if found == init.value => {
                self.bodies.valid.insert(found);
                Ok(Some(streamed(&init, Validity::Valid)))
            }
            Check::Invalid { header_hash: Some(found), reason } if found == init.value => {
                tracing::warn!(height = %init.height, %found, "invalid block proposed: {reason}");
                Ok(Some(streamed(&init, Validity::Invalid)))
            }
            Check::NotYet { header_hash, until } if header_hash == init.value => {
                tracing::warn!(height = %init.height, %until, "a proposed block is ahead of this node's clock");
                self.bodies.not_yet.push(assembled);
                Ok(None)
            }
            other => {
                tracing::warn!(height = %init.height, value = %init.value, ?other, "not the block that was named");
                Ok(None)
            }
        }
    }
}
