//! The start: waiting for peers, listening, and what a restart must have again.

use std::time::Duration;

use kanhe_proto::ids::{Height as BlockNumber, SpanMs};
use malachite::{NetworkRequest, Reply};
use malachite_engine::host::HeightParams;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::super::application::{Check, Origin, Tip};
use super::super::context::{Height, KanheContext};
use super::super::engine::ValidatorKey;
use super::super::fatal::Fatal;
use super::Run;

/// Peers are waited for this long even when a quorum is there already.
const PEERS_GRACE: Duration = Duration::from_secs(1);

impl Run {
    pub(super) async fn ready(&mut self, reply: Reply<(Height, HeightParams<KanheContext>)>) -> Result<(), Fatal> {
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
    pub(super) fn set_silence(&self) -> Result<(), Fatal> {
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
    pub(super) async fn restore(&mut self, tip: &Tip) -> Result<(), Fatal> {
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
