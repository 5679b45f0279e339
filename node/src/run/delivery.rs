//! Brings case files to the nodes of their recipients: part by part, one at a time, until a node of the recipient says
//! that it has all.
//!
//! A recipient whose nodes are not connected costs nothing; when one of them comes back it is asked at once. One that
//! refuses or does not answer is left alone for longer each time, and the others get theirs meanwhile. What was
//! acknowledged is remembered in memory alone: after a restart parts are sent again, and are the same there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::hash::{Hash, ValidatorsHash};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::ProtocolVersion;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::case_files::{CaseFiles, FileId, Waiting};
use crate::chain::{Chain, ChainError};
use crate::network::{FileKept, NetworkHandle, PeerId, PeerInfo, Refusal, Request, Response, peer_id};

/// Pause after each part: other requests to that peer have its rate too.
const PAUSE: Duration = Duration::from_millis(25);
/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// First and longest pause after a failure.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);
/// Longest pause of a file of which all parts here are there, but not all of the file.
const PROBE_MAX: Duration = Duration::from_secs(600);
/// Files that are sent to one recipient, and looked at, before it is the next one's turn.
const FILES_IN_TURN: usize = 16;
const LOOKED_AT_IN_TURN: usize = 4_096;
/// The first protocol that has cases; nodes of chains under older ones may not know this request.
const CASES_FROM: ProtocolVersion = ProtocolVersion(3);

/// When something is tried again, later each time.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    last: Duration,
}

impl Rest {
    fn after(before: Option<&Self>, max: Duration) -> Self {
        let last = before.map_or(REST_MIN, |before| (before.last * 2).min(max));
        Self { until: Instant::now() + last, last }
    }
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// What one peer has of a file.
#[derive(Debug)]
struct Sent {
    peer: PeerId,
    places: BTreeSet<u16>,
    rest: Option<Rest>,
}

/// Why a peer does not take a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// Not now.
    Later,
    /// Not this file.
    Never,
}

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Delivered,
    Waits,
    Failed,
}

/// The task that delivers.
pub struct Delivery {
    files: Arc<CaseFiles>,
    chain: Arc<Chain>,
    network: NetworkHandle,
    /// Nodes of members, as of the state of the registry below.
    nodes: BTreeMap<Uscc, BTreeSet<PeerId>>,
    nodes_as_of: (Hash, ValidatorsHash),
    rests: BTreeMap<Uscc, Rest>,
    turns: BTreeMap<Uscc, FileId>,
    sent: BTreeMap<FileId, Sent>,
}

impl Delivery {
    /// Of a node.
    pub fn new(files: Arc<CaseFiles>, chain: Arc<Chain>, network: NetworkHandle) -> Self {
        let (nodes, rests, turns, sent) = Default::default();
        Self { files, chain, network, nodes, nodes_as_of: Default::default(), rests, turns, sent }
    }

    /// Delivers until the node ends.
    pub async fn serve(mut self) {
        let (mut news, mut peers) = (self.files.news(), self.network.peers());
        let mut connected = BTreeSet::new();
        loop {
            let before = std::mem::replace(&mut connected, connected_now(&mut peers));
            if connected.difference(&before).next().is_some() {
                self.rests.clear();
                self.sent.values_mut().for_each(|sent| sent.rest = None);
            }
            news.borrow_and_update();
            let moved = match self.round(&connected).await {
                Ok(moved) => moved,
                Err(error) => {
                    tracing::error!(error = ?error, "the registry cannot be read: case files wait");
                    false
                }
            };
            if moved {
                continue;
            }
            tokio::select! {
                Ok(()) = news.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// One turn for each recipient; whether something was delivered.
    async fn round(&mut self, connected: &BTreeSet<PeerId>) -> Result<bool, ChainError> {
        let recipients = self.files.store().recipients();
        if recipients.is_empty() {
            self.sent.clear();
            self.turns.clear();
            return Ok(false);
        }
        if self.chain.tip().protocol < CASES_FROM {
            return Ok(false);
        }
        self.look_up_nodes().await?;
        let mut moved = false;
        for to in recipients {
            let nodes = self.nodes.get(&to).into_iter().flatten();
            let peers: Vec<PeerId> = nodes.filter(|peer| connected.contains(peer)).copied().collect();
            if peers.is_empty() || self.rests.get(&to).is_some_and(|rest| !rest.is_over()) {
                continue;
            }
            moved |= self.turn(&to, &peers).await;
        }
        Ok(moved)
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

    /// Some files of one recipient; whether one of them was delivered.
    async fn turn(&mut self, to: &Uscc, peers: &[PeerId]) -> bool {
        let (mut moved, mut tried) = (false, 0);
        for _ in 0..LOOKED_AT_IN_TURN {
            if tried == FILES_IN_TURN {
                break;
            }
            let Some(waiting) = self.files.store().next_waiting(to, self.turns.get(to).copied()) else {
                // From the first one on, the next time.
                self.turns.remove(to);
                break;
            };
            self.turns.insert(*to, waiting.file);
            let rests = self.sent.get(&waiting.file).and_then(|sent| sent.rest);
            if rests.is_some_and(|rest| !rest.is_over()) {
                continue;
            }
            tried += 1;
            match self.deliver(&waiting, peers).await {
                Turn::Delivered => {
                    moved = true;
                    self.rests.remove(to);
                }
                Turn::Waits => {}
                Turn::Failed => {
                    self.rests.insert(*to, Rest::after(self.rests.get(to), REST_MAX));
                    break;
                }
            }
        }
        moved
    }

    async fn deliver(&mut self, waiting: &Waiting, peers: &[PeerId]) -> Turn {
        let file = waiting.file;
        let begun = self.sent.get(&file).map(|sent| sent.peer);
        let (first, others): (Vec<PeerId>, Vec<PeerId>) = peers.iter().partition(|peer| Some(**peer) == begun);
        let mut refused = false;
        for peer in first.into_iter().chain(others) {
            match self.hand_over(waiting, peer).await {
                Ok(true) => {
                    if let Err(error) = self.files.mark_delivered(file).await {
                        tracing::error!(error = ?error, "a case file is delivered, which cannot be written down");
                        return Turn::Failed;
                    }
                    self.sent.remove(&file);
                    tracing::info!(to = %file.to, case = %file.case, parts = waiting.parts, "case file delivered");
                    return Turn::Delivered;
                }
                Ok(false) => {
                    self.rest(&file, peer);
                    return Turn::Waits;
                }
                Err(Failed::Never) => refused = true,
                Err(Failed::Later) => {}
            }
        }
        match (refused, peers.first()) {
            (true, Some(peer)) => {
                tracing::warn!(to = %file.to, case = %file.case, "no node of its recipient takes a case file");
                self.rest(&file, *peer);
                Turn::Waits
            }
            _ => Turn::Failed,
        }
    }

    fn rest(&mut self, file: &FileId, peer: PeerId) {
        let sent = self.sent.entry(*file).or_insert_with(|| Sent { peer, places: BTreeSet::new(), rest: None });
        sent.rest = Some(Rest::after(sent.rest.as_ref(), PROBE_MAX));
    }

    /// Sends a peer what it has not acknowledged, and at least one part; whether it has the whole file then.
    async fn hand_over(&mut self, waiting: &Waiting, peer: PeerId) -> Result<bool, Failed> {
        let file = waiting.file;
        let sent = self.sent.entry(file).or_insert_with(|| Sent { peer, places: BTreeSet::new(), rest: None });
        if sent.peer != peer {
            (sent.peer, sent.places) = (peer, BTreeSet::new());
        }
        let mut places: Vec<u16> = waiting.places.difference(&sent.places).copied().collect();
        if places.is_empty() {
            places.extend(waiting.places.first());
        }
        for place in places {
            let part = self.files.read(file, place).await.map_err(|error| {
                tracing::error!(error = ?error, "a part of a case file cannot be read");
                Failed::Later
            })?;
            // Dropped meanwhile, or damaged.
            let Some(part) = part else { continue };
            let kept = send(&self.network, peer, part).await?;
            if kept.parts != waiting.parts {
                return Err(Failed::Never);
            }
            if kept.stored >= kept.parts {
                return Ok(true);
            }
            let Some(sent) = self.sent.get_mut(&file) else { break };
            sent.places.insert(place);
            if usize::from(kept.stored) < sent.places.len() {
                // It has lost some.
                sent.places = BTreeSet::from([place]);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

fn connected_now(peers: &mut watch::Receiver<Vec<PeerInfo>>) -> BTreeSet<PeerId> {
    peers.borrow_and_update().iter().map(|info| info.peer).collect()
}

async fn send(network: &NetworkHandle, peer: PeerId, part: Vec<u8>) -> Result<FileKept, Failed> {
    match network.request(peer, Request::DeliverFile(part.into())).await {
        Ok(Response::FileKept(kept)) => Ok(kept),
        Ok(Response::Refused(Refusal::NotHere | Refusal::Malformed)) => Err(Failed::Never),
        Ok(other) => {
            tracing::debug!(%peer, ?other, "a part of a case file is not taken now");
            Err(Failed::Later)
        }
        Err(error) => {
            tracing::debug!(%peer, %error, "a part of a case file does not arrive");
            Err(Failed::Later)
        }
    }
}
