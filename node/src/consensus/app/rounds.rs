//! Rounds and proposals: building a candidate, proposing it, and streaming its body.

use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt};
use malachite::{NetworkMsg, Reply};
use malachite_app::types::{LocallyProposedValue, ProposedValue};
use malachite_core::Role;
use malachite_types::{Round, Validity};
use tokio::time::timeout;

use super::super::application::{Candidate, Slot};
use super::super::context::{self, Height, KanheContext, Value};
use super::super::fatal::Fatal;
use super::super::streaming::{self, StreamInit};
use super::{Bodies, Building, Built, Run, Standing, attempt, proposed};

impl Run {
    pub(super) async fn started_round(
        &mut self,
        height: BlockNumber,
        round: Attempt,
        role: Role,
    ) -> Result<Vec<ProposedValue<KanheContext>>, Fatal> {
        let set = self.set_of(height)?;
        if height != self.working {
            self.working = height;
            let early = std::mem::take(&mut self.bodies.early);
            self.bodies = Bodies { not_yet: early, ..Bodies::default() };
            self.pool.started(height);
        }
        self.round = round;
        self.pool.started_round(height, round);
        self.watch.working_on(height, Arc::clone(&set));
        self.tell();
        tracing::debug!(%height, %round, ?role, "round started");
        self.miss(height, round);
        if round > Attempt(0) {
            // Rounds fail: the next turn should not have to wait for its candidate.
            self.build(height, Attempt(round.0.saturating_add(1)))?;
        }
        let proposer = context::proposer_at(&set, height, round);
        let told = |value| proposed(height, Round::new(round.0), Round::Nil, proposer, value, Validity::Valid);
        let mut values: Vec<_> = std::mem::take(&mut self.bodies.untold).into_iter().map(told).collect();
        for assembled in std::mem::take(&mut self.bodies.not_yet) {
            if assembled.init.height == height {
                values.extend(self.judge(assembled).await?);
            }
        }
        Ok(values)
    }

    /// Tells the chain of a candidate whose round ended without a decision.
    fn miss(&mut self, height: BlockNumber, round: Attempt) {
        let Some(built) = self.built.as_mut().filter(|built| built.height == height) else { return };
        if matches!(built.standing, Standing::Proposed(before) if before < round) {
            built.standing = Standing::Missed;
            self.app.missed(&built.candidate.header_hash);
        }
    }

    /// Starts building a candidate where it is this validator's turn and none is there.
    pub(super) fn build(&mut self, height: BlockNumber, round: Attempt) -> Result<(), Fatal> {
        let Some((key, own)) = &self.validator else { return Ok(()) };
        let set = self.set_of(height)?;
        let proposer = context::proposer_at(&set, height, round);
        let has = self.building.as_ref().is_some_and(|building| building.height == height)
            || self.built.as_ref().is_some_and(|built| built.height == height);
        if proposer != *own || key.guard.silenced().is_some() || has {
            return Ok(());
        }
        let slot = Slot { height, round, proposer };
        let (app, certificate) = (Arc::clone(&self.app), self.last_certificate.clone());
        let task = tokio::task::spawn_blocking(move || app.candidate(&slot, certificate.as_ref()));
        self.building = Some(Building { height, task });
        Ok(())
    }

    /// The candidate for a turn: the one proposed before a restart, the one of an earlier turn, or the one being built.
    pub(super) async fn candidate(
        &mut self,
        height: BlockNumber,
        round: Attempt,
        limit: Duration,
    ) -> Result<Option<Candidate>, Fatal> {
        let Some((key, _)) = &self.validator else { return Ok(None) };
        if key.guard.silenced().is_some() {
            return Ok(None);
        }
        if let Some(header_hash) = key.guard.proposed(height, round) {
            let body = self.ask(move |app| app.body(&header_hash)).await?;
            return Ok(body.map(|body| Candidate { header_hash, body }));
        }
        self.build(height, round)?;
        if let Some(building) = self.building.as_mut().filter(|building| building.height == height) {
            let Ok(built) = timeout(limit, &mut building.task).await else {
                tracing::warn!(%height, %round, "no candidate in time; it is kept for the next turn");
                return Ok(None);
            };
            self.building = None;
            let candidate = built.map_err(|panicked| Fatal::Storage(panicked.to_string()))?;
            let candidate = candidate.map_err(|error| Fatal::Storage(error.to_string()))?;
            self.built = Some(Built { height, candidate, standing: Standing::New });
        }
        let built = self.built.as_mut().filter(|built| built.height == height);
        Ok(built.map(|built| {
            if built.standing == Standing::New {
                built.standing = Standing::Proposed(round);
            }
            built.candidate.clone()
        }))
    }

    pub(super) async fn get_value(
        &mut self,
        height: BlockNumber,
        round: Attempt,
        limit: Duration,
        reply: Reply<LocallyProposedValue<KanheContext>>,
    ) -> Result<(), Fatal> {
        // Without an answer the engine's timeout ends the turn.
        let Some(candidate) = self.candidate(height, round, limit).await? else { return Ok(()) };
        // The parts travel while the body is synced; the proposal is signed only after.
        self.stream(height, round, None, &candidate).await?;
        let kept = candidate.clone();
        self.ask(move |app| app.keep(height, &kept)).await?;
        self.bodies.valid.insert(candidate.header_hash);
        let value = Value(candidate.header_hash);
        let _ = reply.send(LocallyProposedValue::new(Height(height), Round::new(round.0), value));
        Ok(())
    }

    pub(super) async fn restream(
        &mut self,
        height: BlockNumber,
        round: Round,
        valid_round: Round,
        header_hash: HeaderHash,
    ) -> Result<(), Fatal> {
        let Some(body) = self.ask(move |app| app.body(&header_hash)).await? else {
            tracing::warn!(%height, %header_hash, "asked to stream a body that is not here");
            return Ok(());
        };
        let valid_round = valid_round.as_u32().map(Attempt);
        self.stream(height, attempt(round), valid_round, &Candidate { header_hash, body }).await
    }

    pub(super) async fn stream(
        &mut self,
        height: BlockNumber,
        round: Attempt,
        valid_round: Option<Attempt>,
        candidate: &Candidate,
    ) -> Result<(), Fatal> {
        let Some((key, own)) = &self.validator else { return Ok(()) };
        let len = candidate.body.len() as u64;
        let fields = (height, round, valid_round, candidate.header_hash, len, *own);
        let init = StreamInit::sign(fields, &self.settings.chain, key.signer.as_ref())
            .map_err(|error| Fatal::Guard(error.to_string()))?;
        self.streams += 1;
        for part in streaming::split(self.streams, init, &candidate.body) {
            if self.network.send(NetworkMsg::PublishProposalPart(part)).await.is_err() {
                // The engine is going; its end is seen where messages are received.
                return Ok(());
            }
        }
        Ok(())
    }
}
