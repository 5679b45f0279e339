//! The loop that answers the engine.
//!
//! The engine's connector asks one thing at a time and waits, so the loop works through its messages in order; only a
//! decided height may be left waiting for its successor ([`super::pacing`]). Bodies for the next height that come early
//! are kept unexecuted until it starts, so execution is always on top of the tip.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt, SpanMs};
use kanhe_proto::validators::{Address as ValidatorAddress, ValidatorSet as ProtoSet};
use kanhe_proto::vote::ChainContext;
use malachite::{AppMsg, Channels, EngineHandle, NetworkMsg, NetworkRequest, Reply};
use malachite_app::streaming::StreamMessage;
use malachite_app::types::{LocallyProposedValue, MisbehaviorEvidence, PeerId, ProposedValue};
use malachite_core::{Role, VoteExtensionError};
use malachite_engine::host::{HeightParams, Next, SyncedValueOutcome};
use malachite_sync::RawDecidedValue;
use malachite_types::{
    CommitCertificate, ExtendedCommitCertificate, ExtendedCommitSignature, LinearTimeouts, Round, SignedProposal,
    SignedVote, Validity,
};
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::application::{Application, ApplicationError, Candidate, Check, Decided, Equivocation, Origin, Slot, Tip};
use super::context::{self, Address, Height, KanheContext, ProposalPart, Seal, ValidatorSet, Value};
use super::engine::{Timing, ValidatorKey};
use super::fatal::Fatal;
use super::guard::UNTOLD;
use super::pacing::{self, Pacing, Reason};
use super::streaming::{self, Accepted, Assembled, StreamInit, StreamPool, Wanted};
use super::watch::Watch;

/// Rounds ahead of ours for which parts are taken: as many as the engine takes votes for.
const ROUNDS_AHEAD: u32 = 10;
/// Whole bodies for the next height that are kept.
const EARLY_MAX: usize = 8;
/// Blocks in one answer to a node that catches up.
const ANSWER_BLOCKS_MAX: u64 = 16;
/// Bytes of bodies in one answer after which no more are added.
const ANSWER_BYTES: usize = 4 << 20;
/// Peers are waited for this long even when a quorum is there already.
const PEERS_GRACE: Duration = Duration::from_secs(1);
/// An engine that hangs on purpose stops its actors but never ends.
const ENGINE_END: Duration = Duration::from_secs(2);

/// What the loop is told once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) chain: ChainContext,
    pub(super) timing: Timing,
    pub(super) body_bytes_max: usize,
    pub(super) peers: usize,
    pub(super) cautious: bool,
}

/// What the consensus works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// The height being decided; 0 before the start.
    pub height: BlockNumber,
    /// Its round.
    pub round: Attempt,
    /// The last committed height.
    pub tip: BlockNumber,
    /// Waits for work or the heartbeat before the next height.
    pub idle: bool,
    /// Signs nothing for now: see [`super::guard`].
    pub silent: bool,
    /// Peers heard of.
    pub peers: usize,
}

/// The answer that lets the next height start, held back.
struct Held {
    reply: Reply<Next<KanheContext>>,
    height: BlockNumber,
    due: Instant,
}

struct Building {
    slot: Slot,
    task: JoinHandle<Result<Candidate, ApplicationError>>,
}

/// Bodies at the height that the engine works on, and early ones.
#[derive(Default)]
struct Bodies {
    valid: BTreeSet<HeaderHash>,
    /// Valid, but the engine does not know: found after a restart.
    untold: Vec<HeaderHash>,
    not_yet: Vec<Assembled>,
    early: Vec<Assembled>,
}

/// The loop's state.
pub(super) struct Run {
    settings: Settings,
    app: Arc<dyn Application>,
    validator: Option<(ValidatorKey, ValidatorAddress)>,
    watch: Arc<Watch>,
    messages: mpsc::Receiver<AppMsg<KanheContext>>,
    network: mpsc::Sender<NetworkMsg<KanheContext>>,
    net_requests: mpsc::Sender<NetworkRequest>,
    engine: EngineHandle,
    pacing: Pacing,
    status: channel::Sender<Status>,
    pool: StreamPool,
    bodies: Bodies,
    working: BlockNumber,
    round: Attempt,
    last_certificate: Option<Certificate>,
    building: Option<Building>,
    held: Option<Held>,
    streams: u64,
}

impl Run {
    pub(super) fn new(
        settings: Settings,
        app: Arc<dyn Application>,
        validator: Option<(ValidatorKey, ValidatorAddress)>,
        watch: Arc<Watch>,
        channels: Channels<KanheContext>,
        engine: EngineHandle,
        status: channel::Sender<Status>,
    ) -> Self {
        let pacing = Pacing { work: app.work(), active: watch.active(), tip: watch.tip() };
        Self {
            settings,
            app,
            validator,
            watch,
            messages: channels.consensus,
            network: channels.network,
            net_requests: channels.net_requests,
            engine,
            pacing,
            status,
            pool: StreamPool::new(settings.body_bytes_max),
            bodies: Bodies::default(),
            working: BlockNumber(0),
            round: Attempt(0),
            last_certificate: None,
            building: None,
            held: None,
            streams: 0,
        }
    }

    /// Answers until told to stop or a reason to.
    pub(super) async fn run(
        mut self,
        mut fatal: channel::Receiver<Option<Fatal>>,
        mut shutdown: channel::Receiver<bool>,
    ) -> Result<(), Fatal> {
        let outcome = tokio::select! {
            biased;
            fatal = reported(&mut fatal) => Err(fatal),
            _ = shutdown.wait_for(|asked| *asked) => Ok(()),
            fatal = self.serve() => Err(fatal),
        };
        if let Some(Building { task, .. }) = self.building.take() {
            // It uses the database, which the caller may close next.
            let _ = task.await;
        }
        self.engine.actor.get_cell().stop_children(None);
        self.engine.actor.stop(None);
        let _ = timeout(ENGINE_END, &mut self.engine.handle).await;
        // What the watch or the guard reported says more than an engine that stopped because of it.
        let first = fatal.borrow().clone();
        first.map_or(outcome, Err)
    }

    async fn serve(&mut self) -> Fatal {
        loop {
            let held = self.held.as_ref().map(|held| (held.height, held.due));
            let pacing = self.pacing.clone();
            let waiting = async move {
                match held {
                    Some((height, due)) => pacing.wait(height, due).await,
                    None => std::future::pending().await,
                }
            };
            let served = tokio::select! {
                biased;
                message = self.messages.recv() => match message {
                    Some(message) => self.answer(message).await,
                    None => return self.engine_gone().await,
                },
                reason = waiting => self.release(reason),
            };
            if let Err(fatal) = served {
                return fatal;
            }
        }
    }

    async fn engine_gone(&mut self) -> Fatal {
        match timeout(ENGINE_END, &mut self.engine.handle).await {
            Ok(_) => Fatal::EngineStopped("its supervisor ended".into()),
            Err(_) => Fatal::Safety,
        }
    }

    async fn answer(&mut self, message: AppMsg<KanheContext>) -> Result<(), Fatal> {
        match message {
            AppMsg::ConsensusReady { reply } => self.ready(reply).await,
            AppMsg::StartedRound { height, round, role, reply_value, .. } => {
                let values = self.started_round(height.0, attempt(round), role).await?;
                let _ = reply_value.send(values);
                Ok(())
            }
            AppMsg::GetValue { height, round, timeout, reply } => {
                self.get_value(height.0, attempt(round), timeout, reply).await
            }
            AppMsg::ReceivedProposalPart { from, part, reply, .. } => {
                let value = self.received_part(from, part).await?;
                let _ = reply.send(value);
                Ok(())
            }
            AppMsg::RestreamProposal { height, round, valid_round, value_id, .. } => {
                self.restream(height.0, round, valid_round, value_id).await
            }
            AppMsg::Decided { certificate, reply, .. } => self.decided(&certificate, reply).await,
            AppMsg::Finalized { certificate, evidence, reply, .. } => self.finalized(&certificate, &evidence, reply),
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let outcome = self.synced_value(height.0, round, proposer, value_bytes).await?;
                let _ = reply.send(outcome);
                Ok(())
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let values = self.decided_values(range.start().0, range.end().0).await?;
                let _ = reply.send(values);
                Ok(())
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let _ = reply.send(Height(self.app.earliest().max(BlockNumber(1))));
                Ok(())
            }
            AppMsg::ExtendVote { reply, .. } => {
                let _ = reply.send(None);
                Ok(())
            }
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let refused = |(address, ())| (address, Err(VoteExtensionError::InvalidVoteExtension));
                let _ = reply.send(extensions.into_iter().map(refused).collect());
                Ok(())
            }
        }
    }

    /// Asks the chain on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Application) -> Result<T, ApplicationError> + Send + 'static,
    ) -> Result<T, Fatal> {
        let app = Arc::clone(&self.app);
        match tokio::task::spawn_blocking(move || question(app.as_ref())).await {
            Ok(answer) => answer.map_err(|error| Fatal::Storage(error.to_string())),
            Err(panicked) => Err(Fatal::Storage(panicked.to_string())),
        }
    }

    fn set_of(&self, height: BlockNumber) -> Result<Arc<ProtoSet>, Fatal> {
        self.app
            .validator_set(height)
            .ok_or_else(|| Fatal::Storage(format!("the validator set of height {height} is not known")))
    }

    fn tell(&self) {
        let silent = self.validator.as_ref().is_some_and(|(key, _)| key.guard.silenced().is_some());
        self.status.send_replace(Status {
            height: self.working,
            round: self.round,
            tip: self.app.tip().height,
            idle: self.held.is_some(),
            silent,
            peers: self.watch.peers_heard(),
        });
    }

    fn parameters(&self, set: &ProtoSet) -> HeightParams<KanheContext> {
        let Timing { propose, vote, target, .. } = self.settings.timing;
        let timeouts = LinearTimeouts {
            propose,
            propose_delta: propose / 2,
            prevote: vote,
            prevote_delta: vote / 2,
            precommit: vote,
            precommit_delta: vote / 2,
            rebroadcast: propose + 2 * vote,
            max_timeout: Duration::from_secs(10).max(propose),
        };
        HeightParams::new(ValidatorSet::from(set), timeouts, Some(target))
    }

    // The start.

    async fn ready(&mut self, reply: Reply<(Height, HeightParams<KanheContext>)>) -> Result<(), Fatal> {
        let tip = self.app.tip();
        // What peers say counts by the number of those who may lie.
        self.watch.working_on(tip.height.next(), self.set_of(tip.height.next())?);
        wait_for_peers(&self.net_requests, self.settings.peers, self.settings.timing.peers).await;
        if self.validator.is_some() {
            let SpanMs(heartbeat) = tip.heartbeat;
            let listen = self.settings.timing.listen;
            let careful = listen.max(Duration::from_millis(2 * heartbeat));
            sleep(if self.settings.cautious { careful } else { listen }).await;
        }
        if self.settings.cautious {
            self.set_silence()?;
        }
        self.restore(&tip).await?;
        let height = tip.height.next();
        let set = self.set_of(height)?;
        self.tell();
        tracing::info!(%height, validators = set.members().len(), "consensus starts");
        let _ = reply.send((Height(height), self.parameters(&set)));
        Ok(())
    }

    /// After listening it is known above which height it is safe to speak again.
    ///
    /// Whoever signed at a height had seen the one before decided, so honest peers have the one before that: where the
    /// peers' tip is T, nothing was signed above T + 2. A height above T + 1 is waited for, and what follows is signed.
    fn set_silence(&self) -> Result<(), Fatal> {
        let Some((ValidatorKey { guard, .. }, _)) = &self.validator else { return Ok(()) };
        let Some(peers) = self.watch.settled_tip() else {
            tracing::warn!("this validator is silent; too few peers were heard to know for how long");
            return Ok(());
        };
        let above = guard.highest().unwrap_or_default().max(peers).max(self.app.tip().height).next();
        tracing::warn!(%above, "this validator is silent until a height above is decided");
        guard.silence(above).map_err(|error| Fatal::Guard(error.to_string()))
    }

    /// Executes again what was answered valid before a restart: the engine's log holds only its hash.
    async fn restore(&mut self, tip: &Tip) -> Result<(), Fatal> {
        let (decided, next) = (tip.height, tip.height.next());
        self.last_certificate = match decided {
            BlockNumber(0) => None,
            _ => self.ask(move |app| app.decided(decided)).await?.map(|decided| decided.certificate),
        };
        self.working = next;
        for header_hash in self.ask(move |app| app.undecided(next)).await? {
            let Some(body) = self.ask(move |app| app.body(&header_hash)).await? else { continue };
            // It passed the clock before.
            let origin = Origin { height: next, proposer: None, synced: true };
            if let Check::Valid(header_hash) = self.ask(move |app| app.check(&body, &origin)).await? {
                self.bodies.valid.insert(header_hash);
                self.bodies.untold.push(header_hash);
            }
        }
        Ok(())
    }

    // Rounds and proposals.

    async fn started_round(
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

    /// Starts building a candidate where it is this validator's turn.
    fn build(&mut self, height: BlockNumber, round: Attempt) -> Result<(), Fatal> {
        let Some((key, own)) = &self.validator else { return Ok(()) };
        let set = self.set_of(height)?;
        let proposer = context::proposer_at(&set, height, round);
        let slot = Slot { height, round, proposer };
        if proposer != *own
            || key.guard.silenced().is_some()
            || self.building.as_ref().is_some_and(|building| building.slot == slot)
        {
            return Ok(());
        }
        let (app, certificate) = (Arc::clone(&self.app), self.last_certificate.clone());
        let task = tokio::task::spawn_blocking(move || app.candidate(&slot, certificate.as_ref()));
        self.building = Some(Building { slot, task });
        Ok(())
    }

    /// The candidate for a turn: the one proposed before a restart, or the one being built.
    async fn candidate(
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
        let Some(building) = self.building.as_mut().filter(|building| building.slot.height == height) else {
            return Ok(None);
        };
        let Ok(built) = timeout(limit, &mut building.task).await else {
            tracing::warn!(%height, %round, "no candidate in time");
            return Ok(None);
        };
        self.building = None;
        let candidate = built.map_err(|panicked| Fatal::Storage(panicked.to_string()))?;
        candidate.map(Some).map_err(|error| Fatal::Storage(error.to_string()))
    }

    async fn get_value(
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

    async fn restream(
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

    async fn stream(
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

    async fn received_part(
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

    fn keep_early(&mut self, assembled: Assembled) {
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
    async fn judge(&mut self, assembled: Assembled) -> Result<Option<ProposedValue<KanheContext>>, Fatal> {
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

    // Decisions.

    fn certificate(&self, certificate: &CommitCertificate<KanheContext>) -> Result<Certificate, Fatal> {
        let height = certificate.height.0;
        let set = self.set_of(height)?;
        let signed = certificate.commit_signatures.iter().filter_map(|signed| match &signed.signature {
            Seal::Signed(signature) => Some((signed.address.0, signature.clone())),
            Seal::Withheld => None,
        });
        Certificate::new(&set, height, attempt(certificate.round), certificate.value_id, signed.collect())
            .map_err(|error| Fatal::EngineStopped(format!("it decided by a certificate that is none: {error}")))
    }

    async fn decided(&mut self, certificate: &CommitCertificate<KanheContext>, reply: Reply<()>) -> Result<(), Fatal> {
        let certificate = self.certificate(certificate)?;
        let (height, header_hash) = (certificate.height, certificate.header_hash);
        let app = Arc::clone(&self.app);
        let committed = tokio::task::spawn_blocking(move || app.commit(&certificate)).await;
        match committed {
            Ok(Ok(_)) => {}
            Ok(Err(ApplicationError::Mismatch(reason))) => {
                return Err(Fatal::ExecutionMismatch { height, header_hash, reason });
            }
            Ok(Err(ApplicationError::Storage(reason))) => return Err(Fatal::Storage(reason)),
            Err(panicked) => return Err(Fatal::Storage(panicked.to_string())),
        }
        if let Some((key, _)) = &self.validator {
            if key.guard.silenced() == Some(UNTOLD) {
                self.set_silence()?;
            }
            let lifted = key.guard.decided(height).map_err(|error| Fatal::Guard(error.to_string()))?;
            if lifted {
                tracing::info!(%height, "this validator signs again");
            }
        }
        self.tell();
        let _ = reply.send(());
        Ok(())
    }

    fn finalized(
        &mut self,
        certificate: &CommitCertificate<KanheContext>,
        evidence: &MisbehaviorEvidence<KanheContext>,
        reply: Reply<Next<KanheContext>>,
    ) -> Result<(), Fatal> {
        let certificate = self.certificate(certificate)?;
        self.app.finalized(&certificate, equivocations(evidence));
        let tip = self.app.tip();
        if tip.height != certificate.height {
            let reason = format!("height {} is finalized but {} is committed", certificate.height, tip.height);
            return Err(Fatal::Storage(reason));
        }
        self.last_certificate = Some(certificate);
        self.building = None;
        self.held = Some(Held { reply, height: tip.height.next(), due: pacing::heartbeat_due(&tip) });
        self.tell();
        Ok(())
    }

    fn release(&mut self, reason: Reason) -> Result<(), Fatal> {
        let Some(Held { reply, height, .. }) = self.held.take() else { return Ok(()) };
        tracing::debug!(%height, ?reason, "next height");
        let set = self.set_of(height)?;
        self.build(height, Attempt(0))?;
        let _ = reply.send(Next::Start(Height(height), self.parameters(&set)));
        Ok(())
    }

    // Catching up, and helping others to.

    async fn synced_value(
        &mut self,
        height: BlockNumber,
        round: Round,
        proposer: Address,
        body: Bytes,
    ) -> Result<SyncedValueOutcome<KanheContext>, Fatal> {
        if height != self.app.tip().height.next() {
            return Ok(SyncedValueOutcome::LocalTransientError);
        }
        let verdict = |value, validity| {
            SyncedValueOutcome::Verdict(proposed(height, round, Round::Nil, proposer.0, value, validity))
        };
        let origin = Origin { height, proposer: None, synced: true };
        match self.ask(move |app| app.check(&body, &origin)).await? {
            Check::Valid(header_hash) => {
                if height == self.working {
                    self.bodies.valid.insert(header_hash);
                }
                Ok(verdict(header_hash, Validity::Valid))
            }
            Check::Invalid { header_hash: Some(header_hash), reason } => {
                let set = self.set_of(height)?;
                if self.watch.certified(height, header_hash, &set).is_some() {
                    return Err(Fatal::ExecutionMismatch { height, header_hash, reason });
                }
                tracing::warn!(%height, %header_hash, "a peer sent a block that is not certified: {reason}");
                Ok(verdict(header_hash, Validity::Invalid))
            }
            Check::Invalid { header_hash: None, .. } => Ok(SyncedValueOutcome::PeerFault),
            Check::NotYet { .. } => Ok(SyncedValueOutcome::LocalTransientError),
        }
    }

    async fn decided_values(
        &self,
        first: BlockNumber,
        last: BlockNumber,
    ) -> Result<Vec<RawDecidedValue<KanheContext>>, Fatal> {
        let first = first.max(self.app.earliest()).max(BlockNumber(1));
        let last = last.min(self.app.tip().height).min(BlockNumber(first.0.saturating_add(ANSWER_BLOCKS_MAX - 1)));
        let collect = move |app: &dyn Application| {
            let (mut values, mut bytes) = (Vec::new(), 0);
            for height in first.0..=last.0 {
                let Some(decided) = app.decided(BlockNumber(height))? else { break };
                let Some(set) = app.validator_set(BlockNumber(height)) else { break };
                bytes += decided.body.len();
                values.push(raw_value(decided, &set));
                if bytes >= ANSWER_BYTES {
                    break;
                }
            }
            Ok(values)
        };
        self.ask(collect).await
    }
}

async fn reported(fatal: &mut channel::Receiver<Option<Fatal>>) -> Fatal {
    match fatal.wait_for(Option::is_some).await.map(|fatal| fatal.clone()) {
        Ok(Some(fatal)) => fatal,
        // Nobody is left to report.
        _ => std::future::pending().await,
    }
}

/// Waits until all peers are connected, a quorum of them for a while, or the limit.
async fn wait_for_peers(requests: &mpsc::Sender<NetworkRequest>, peers: usize, limit: Duration) {
    let started = Instant::now();
    while started.elapsed() < limit {
        let connected = match NetworkRequest::dump_state(requests).await {
            Ok(Some(state)) => state.peers.len(),
            _ => 0,
        };
        let quorum = (connected + 1) * 3 > (peers + 1) * 2;
        if connected >= peers || (quorum && started.elapsed() >= PEERS_GRACE.min(limit)) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    tracing::warn!("too few peers after {limit:?}; starting all the same");
}

/// The engine starts no round without a number.
fn attempt(round: Round) -> Attempt {
    Attempt(round.as_u32().unwrap_or(0))
}

fn proposed(
    height: BlockNumber,
    round: Round,
    valid_round: Round,
    proposer: ValidatorAddress,
    value: HeaderHash,
    validity: Validity,
) -> ProposedValue<KanheContext> {
    ProposedValue {
        height: Height(height),
        round,
        valid_round,
        proposer: Address(proposer),
        value: Value(value),
        validity,
    }
}

fn streamed(init: &StreamInit, validity: Validity) -> ProposedValue<KanheContext> {
    let valid_round = init.valid_round.map_or(Round::Nil, |round| Round::new(round.0));
    proposed(init.height, Round::new(init.round.0), valid_round, init.streamer, init.value, validity)
}

fn raw_value(decided: Decided, set: &ProtoSet) -> RawDecidedValue<KanheContext> {
    let Decided { body, certificate } = decided;
    let signatures = certificate.signers(set).zip(certificate.signatures.iter());
    let signed = |(address, signature): (ValidatorAddress, &kanhe_proto::key::Signature)| {
        ExtendedCommitSignature::new(Address(address), Seal::Signed(signature.clone()), None)
    };
    let certificate = ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round.0),
        value_id: certificate.header_hash,
        commit_signatures: signatures.map(signed).collect(),
    };
    RawDecidedValue::new(body, certificate)
}

fn equivocations(evidence: &MisbehaviorEvidence<KanheContext>) -> Vec<Equivocation> {
    let mut by_validator: BTreeMap<Address, Vec<Equivocation>> = BTreeMap::new();
    let vote = |signed: &SignedVote<KanheContext>| match &signed.signature {
        Seal::Signed(signature) => signed.message.to_proto().map(|vote| (vote, signature.clone())),
        Seal::Withheld => None,
    };
    for (address, pairs) in evidence.votes.iter() {
        let found =
            pairs.iter().filter_map(|(one, other)| Some(Equivocation::Votes(Box::new([vote(one)?, vote(other)?]))));
        by_validator.entry(*address).or_default().extend(found);
    }
    let proposal = |signed: &SignedProposal<KanheContext>| match &signed.signature {
        Seal::Signed(signature) => signed.message.to_proto().map(|proposal| (proposal, signature.clone())),
        Seal::Withheld => None,
    };
    for (address, pairs) in evidence.proposals.iter() {
        let found = pairs
            .iter()
            .filter_map(|(one, other)| Some(Equivocation::Proposals(Box::new([proposal(one)?, proposal(other)?]))));
        by_validator.entry(*address).or_default().extend(found);
    }
    by_validator.into_values().flatten().collect()
}
