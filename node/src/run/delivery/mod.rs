//! Brings case files to the nodes of their recipients: part by part, until a node of the recipient says that it has all.
//!
//! Each recipient has turns of its own, which are bounded and run beside each other: one that is slow or silent keeps
//! nobody else waiting. A recipient whose nodes are not connected costs nothing; when one of them comes back it is asked at
//! once. One that refuses or does not answer is left alone for longer each time. What was acknowledged is remembered in
//! memory alone: after a restart parts are sent again, and are the same there.

mod recipient;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::hash::{Hash, ValidatorsHash};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::ProtocolVersion;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::case_files::CaseFiles;
use crate::chain::{Chain, ChainError};
use crate::network::{NetworkHandle, PeerId, PeerInfo, peer_id};
use recipient::{Carrier, Recipient, TURN_MAX};

/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Recipients that have their turn at the same time.
const TURNS_MAX: usize = 8;
/// The first protocol that has cases; nodes of chains under older ones may not know this request.
const CASES_FROM: ProtocolVersion = ProtocolVersion(3);

/// The task that delivers.
pub struct Delivery {
    turns: Turns<NetworkHandle>,
    chain: Arc<Chain>,
    network: NetworkHandle,
    /// Nodes of members, as of the state of the registry below.
    nodes: BTreeMap<Uscc, BTreeSet<PeerId>>,
    nodes_as_of: (Hash, ValidatorsHash),
}

impl Delivery {
    /// Of a node.
    pub fn new(files: Arc<CaseFiles>, chain: Arc<Chain>, network: NetworkHandle) -> Self {
        let (nodes, nodes_as_of) = Default::default();
        Self { turns: Turns::new(files, network.clone(), TURN_MAX), chain, network, nodes, nodes_as_of }
    }

    /// Delivers until the node ends.
    pub async fn serve(mut self) {
        let (mut news, mut peers) = (self.turns.files.news(), self.network.peers());
        let mut connected = BTreeSet::new();
        let mut clock = tokio::time::interval(LOOK_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let before = std::mem::replace(&mut connected, connected_now(&mut peers));
            if connected.difference(&before).next().is_some() {
                self.turns.wake();
            }
            news.borrow_and_update();
            if let Err(error) = self.begin(&connected).await {
                tracing::error!(error = ?error, "the registry cannot be read: case files wait");
            }
            tokio::select! {
                () = self.turns.ended() => {}
                Ok(()) = news.changed() => self.turns.look_again(),
                _ = clock.tick() => self.turns.look_again(),
            }
        }
    }

    async fn begin(&mut self, connected: &BTreeSet<PeerId>) -> Result<(), ChainError> {
        if self.chain.tip().protocol < CASES_FROM || self.turns.files.store().waiting_count() == 0 {
            return Ok(());
        }
        self.look_up_nodes().await?;
        let nodes = &self.nodes;
        self.turns.begin(|to| {
            let nodes = nodes.get(to).into_iter().flatten();
            nodes.filter(|peer| connected.contains(peer)).copied().collect()
        });
        Ok(())
    }

    async fn look_up_nodes(&mut self) -> Result<(), ChainError> {
        let tip = self.chain.tip();
        let now = (tip.header.registry_root, tip.header.next_validators);
        if now == self.nodes_as_of {
            return Ok(());
        }
        let (chain, own) = (Arc::clone(&self.chain), self.network.local_peer());
        let looked = tokio::task::spawn_blocking(move || chain.snapshot()?.members()).await;
        let Ok(members) = looked else { return Ok(()) };
        let nodes = members?.nodes.into_iter().map(|(uscc, nodes)| {
            let peers = nodes.keys.iter().filter_map(|key| peer_id(key).ok()).filter(|peer| *peer != own);
            (uscc, peers.collect())
        });
        (self.nodes, self.nodes_as_of) = (nodes.collect(), now);
        Ok(())
    }
}

/// Whose turn it is.
struct Turns<C> {
    files: Arc<CaseFiles>,
    carrier: C,
    /// Those that have no turn now.
    resting: BTreeMap<Uscc, Recipient>,
    /// Those for which there was nothing to do in the last turn.
    idle: BTreeSet<Uscc>,
    running: JoinSet<(Recipient, bool)>,
    at_work: Vec<(Id, Uscc)>,
    turn_max: Duration,
    /// Who began last.
    last: Option<Uscc>,
    /// A node came back while these had their turn.
    woken: BTreeSet<Uscc>,
}

impl<C: Carrier> Turns<C> {
    fn new(files: Arc<CaseFiles>, carrier: C, turn_max: Duration) -> Self {
        let (resting, idle, at_work, last, woken) = Default::default();
        Self { files, carrier, resting, idle, running: JoinSet::new(), at_work, turn_max, last, woken }
    }

    /// A node came back: who refused before is asked at once.
    fn wake(&mut self) {
        self.resting.values_mut().for_each(Recipient::wake);
        self.woken = self.at_work.iter().map(|(_, to)| *to).collect();
        self.idle.clear();
    }
    fn look_again(&mut self) {
        self.idle.clear();
    }

    /// Begins turns, as many as there is room for, with who comes after the last one that began.
    fn begin(&mut self, peers: impl Fn(&Uscc) -> Vec<PeerId>) {
        let waiting = self.files.store().recipients();
        self.resting.retain(|to, _| waiting.contains(to));
        let (before, after): (Vec<Uscc>, Vec<Uscc>) = waiting.iter().copied().partition(|to| Some(*to) <= self.last);
        for to in after.into_iter().chain(before) {
            if self.running.len() >= TURNS_MAX {
                return;
            }
            let busy = self.idle.contains(&to) || self.at_work.iter().any(|(_, working)| *working == to);
            let peers = if busy { Vec::new() } else { peers(&to) };
            if peers.is_empty() || self.resting.get(&to).is_some_and(Recipient::rests) {
                continue;
            }
            let mut recipient = self.resting.remove(&to).unwrap_or_else(|| Recipient::new(to));
            let (files, carrier, turn_max) = (Arc::clone(&self.files), self.carrier.clone(), self.turn_max);
            let task = self.running.spawn(async move {
                // Whatever takes longer goes on in the next turn: what was acknowledged is not sent again.
                let went = tokio::time::timeout(turn_max, recipient.turn(&files, &carrier, &peers)).await;
                let went = went.unwrap_or_else(|_| recipient.was_cut());
                (recipient, went)
            });
            self.at_work.push((task.id(), to));
            self.last = Some(to);
        }
    }

    /// Waits for the end of a turn; for ever if there is none.
    async fn ended(&mut self) {
        let Some(ended) = self.running.join_next_with_id().await else { return std::future::pending().await };
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(place) = self.at_work.iter().position(|(working, _)| *working == id) else { return };
        let (_, to) = self.at_work.swap_remove(place);
        let woken = self.woken.remove(&to);
        match ended {
            Ok((_, (mut recipient, went))) => {
                if woken {
                    recipient.wake();
                } else if !went {
                    self.idle.insert(to);
                }
                self.resting.insert(to, recipient);
            }
            // What it has is asked anew.
            Err(error) => {
                tracing::error!(%error, "a turn of the delivery of case files ended badly");
                self.idle.insert(to);
            }
        }
    }
}

fn connected_now(peers: &mut watch::Receiver<Vec<PeerInfo>>) -> BTreeSet<PeerId> {
    peers.borrow_and_update().iter().map(|info| info.peer).collect()
}
