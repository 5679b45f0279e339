//! What people may ask of a running consensus: whom the engine is connected to, who voted when, how far peers are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::ids::Height;
use kanhe_proto::validators::Address;
use libp2p::PeerId;
use malachite::NetworkRequest;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::guard::{Guard, UNTOLD};
use super::watch::{Heard, Watch};

/// An engine that is busy or hangs is not waited for longer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Sees a running consensus. It changes nothing.
#[derive(Debug, Clone)]
pub struct Observer {
    requests: mpsc::Sender<NetworkRequest>,
    watch: Arc<Watch>,
    guard: Option<Arc<Guard>>,
}

impl Observer {
    pub(super) const fn new(
        requests: mpsc::Sender<NetworkRequest>,
        watch: Arc<Watch>,
        guard: Option<Arc<Guard>>,
    ) -> Self {
        Self { requests, watch, guard }
    }

    /// Peers of the engine, each with the address of its validator as far as it has proved it; nobody if the engine does
    /// not answer.
    pub async fn peers(&self) -> BTreeMap<PeerId, Option<String>> {
        match timeout(ANSWER_MAX, NetworkRequest::dump_state(&self.requests)).await {
            Ok(Ok(Some(state))) => state.peers.into_iter().map(|(peer, info)| (peer, info.consensus_address)).collect(),
            _ => BTreeMap::new(),
        }
    }

    /// The last votes of the other validators.
    pub fn heard(&self) -> BTreeMap<Address, Heard> {
        self.watch.heard()
    }

    /// Tips that peers told.
    pub fn tips(&self) -> BTreeMap<PeerId, Height> {
        let tips = self.watch.tips();
        tips.into_iter().filter_map(|(peer, height)| Some((PeerId::from_bytes(&peer).ok()?, height))).collect()
    }

    /// Whether the guard is silent, and above which height one must be decided before it signs again, if that is known.
    pub fn silence(&self) -> Option<Option<Height>> {
        let above = self.guard.as_ref()?.silenced()?;
        Some((above != UNTOLD).then_some(above))
    }
}
