//! The loop that answers the engine.
//!
//! The engine's connector asks one thing at a time and waits, so the loop works through its messages in order; only a
//! decided height may be left waiting for its successor ([`super::pacing`]). Bodies for the next height that come early
//! are kept unexecuted until it starts, so execution is always on top of the tip.

mod catching_up;
mod decisions;
mod parts;
mod rounds;
mod start;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt, TimeMs};
use kanhe_proto::validators::{Address as ValidatorAddress, ValidatorSet as ProtoSet};
use kanhe_proto::vote::ChainContext;
use malachite::{AppMsg, Channels, EngineHandle, NetworkMsg, NetworkRequest, Reply};
use malachite_app::types::ProposedValue;
use malachite_core::VoteExtensionError;
use malachite_engine::host::{HeightParams, Next};
use malachite_types::{LinearTimeouts, Round, Validity};
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::application::{Application, ApplicationError, Candidate};
use super::context::{Address, Height, KanheContext, ValidatorSet, Value};
use super::engine::{Timing, ValidatorKey};
use super::fatal::Fatal;
use super::pacing::{self, Pacing};
use super::streaming::{Assembled, StreamInit, StreamPool};
use super::watch::Watch;

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
    /// Since when it is that height; 0 before the start.
    pub since: TimeMs,
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

/// A candidate being built. It names its proposer and no round, so it is good for any turn at its height.
struct Building {
    height: BlockNumber,
    task: JoinHandle<Result<Candidate, ApplicationError>>,
}

/// A candidate built here, kept until its height is decided: proposed again in a later turn, it is one that the others have
/// or had the time to check, and what came too late for its round is not lost.
struct Built {
    height: BlockNumber,
    candidate: Candidate,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    New,
    Proposed(Attempt),
    /// The chain knows that it was not decided in its round.
    Missed,
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
    built: Option<Built>,
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
            built: None,
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
        let told = *self.status.borrow();
        let same = told.since != TimeMs(0) && told.height == self.working;
        let since = if same { told.since } else { pacing::now() };
        self.status.send_replace(Status {
            height: self.working,
            round: self.round,
            since,
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
}

async fn reported(fatal: &mut channel::Receiver<Option<Fatal>>) -> Fatal {
    match fatal.wait_for(Option::is_some).await.map(|fatal| fatal.clone()) {
        Ok(Some(fatal)) => fatal,
        // Nobody is left to report.
        _ => std::future::pending().await,
    }
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
