//! Joining by a snapshot: a node without blocks gets the state after one certified header instead of all blocks.
//!
//! Nothing is believed: the header follows from genesis by the hand-overs, as for a light client, and every piece is
//! verified against it before it is kept. Several peers that offer the same snapshot are asked at once; one that hands
//! over a false piece is named in the log and not asked again. If the snapshot is offered no more, another one is
//! begun; if there is none, the node gets the blocks as ever.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kanhe_proto::genesis::Genesis;
use kanhe_proto::hand_over::{HandOver, HandOverError};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::Height;
use kanhe_proto::limits::HAND_OVER_BYTES_MAX;
use kanhe_proto::merkle::log::Span;
use kanhe_proto::merkle::map::Prefix;
use kanhe_proto::snapshot::{Ask, Content, Offer, Piece, SnapshotError};
use kanhe_proto::trust::{Trust, TrustError};
use tokio::task::{JoinSet, spawn_blocking};

use super::error::RunError;
use super::now;
use crate::network::{NetworkHandle, PeerId, Request, RequestError, Response};
use crate::storage::{Kept, Staging, StorageError};

/// Snapshots that are begun before the node gets the blocks instead.
const ATTEMPTS: usize = 5;
/// Questions to one peer at the same time,
const PER_PEER: usize = 2;
/// and the pause before each: together well below the rate that a node grants a peer.
const PACE: Duration = Duration::from_millis(50);
/// Where blocks are made, the snapshot asked for is of a block so far ahead of what most peers have, that none of them
/// has it yet: so they offer the same.
const AHEAD: u64 = 3;
/// Pause after a peer was too busy.
const BUSY: Duration = Duration::from_millis(500);
/// Unanswered questions in a row before a peer is given up.
const FAILURES_MAX: u32 = 3;
/// Records are asked for by up to 2^this.
const RECORDS_LEVEL: u8 = 10;
/// No honest map has so many leaves under so long a prefix that they fill a piece: their keys would have to be ground.
const BITS_MAX: usize = 64;
/// Time between two reports of progress.
const REPORT: Duration = Duration::from_secs(5);

/// What is needed to join.
pub(super) struct Joining<'a> {
    /// The folder of the database.
    pub dir: &'a Path,
    pub genesis: &'a Genesis,
    pub network: &'a NetworkHandle,
}

/// Why a question brought nothing.
enum Trouble {
    /// The peer lies, or its database is damaged.
    False(String),
    /// It does not answer.
    Silent(String),
    /// It has no room now.
    Busy,
    /// It no longer has this snapshot.
    Gone,
    /// This node's own database failed.
    Own(StorageError),
}

impl From<SnapshotError> for Trouble {
    fn from(error: SnapshotError) -> Self {
        Self::False(error.to_string())
    }
}
impl From<HandOverError> for Trouble {
    fn from(error: HandOverError) -> Self {
        Self::False(error.to_string())
    }
}
impl From<TrustError> for Trouble {
    fn from(error: TrustError) -> Self {
        Self::False(error.to_string())
    }
}
impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        Self::Own(error)
    }
}

/// Peers that offer one snapshot.
struct Group {
    offer: Offer,
    peers: Vec<PeerId>,
}

async fn ask(network: &NetworkHandle, peer: PeerId, header: HeaderHash, piece: Piece) -> Result<Content, Trouble> {
    let request = Request::SnapshotPiece(Ask::new(header, piece).to_bytes().into());
    match network.request(peer, request).await {
        Ok(Response::Piece(bytes)) => match Content::from_bytes(&bytes)? {
            Content::Gone => Err(Trouble::Gone),
            content => Ok(content),
        },
        Ok(Response::Refused(_)) => Err(Trouble::Busy),
        Ok(_) => Err(Trouble::False("an answer to another question".to_owned())),
        Err(error) => Err(Trouble::Silent(error.to_string())),
    }
}

/// Names a peer that must not be asked again.
fn blame(bad: &mut BTreeSet<PeerId>, peer: PeerId, reason: &str) {
    tracing::warn!(%peer, reason, "a peer handed over a false snapshot: it is not asked again");
    bad.insert(peer);
}

impl Joining<'_> {
    /// Fetches a whole snapshot; none if nobody hands one over.
    pub async fn fetch(&self) -> Result<Option<(Staging, Offer)>, RunError> {
        let mut bad = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let resumed = self.resume(&bad).await?;
            let groups = if resumed.is_some() { Vec::new() } else { self.groups(&mut bad).await };
            let begin = |group: Group| -> Result<_, RunError> {
                let staging = Staging::begin(self.dir, self.genesis, &group.offer)?;
                Ok((staging, group))
            };
            let (staging, mut group) = match resumed {
                Some(resumed) => resumed,
                None => match groups.into_iter().next() {
                    Some(group) => begin(group)?,
                    None => continue,
                },
            };
            let height = group.offer.certified.header.height;
            tracing::info!(%height, peers = group.peers.len(), "joining by a snapshot");
            if !self.follow(&staging, &mut group, &mut bad).await? {
                drop(staging);
                continue;
            }
            let (staging, offer) = (Arc::new(staging), Arc::new(group.offer));
            let mut fetch = Fetch::new(self.network, Arc::clone(&staging), Arc::clone(&offer), group.peers);
            let whole = fetch.run(&mut bad).await?;
            drop(fetch);
            if let (true, Some(staging)) = (whole, Arc::into_inner(staging)) {
                return Ok(Some((staging, Arc::unwrap_or_clone(offer))));
            }
            tracing::warn!(%height, "nobody hands this snapshot over any more");
        }
        Ok(None)
    }

    fn peers(&self, bad: &BTreeSet<PeerId>) -> Vec<PeerId> {
        let peers = self.network.peers();
        let peers = peers.borrow();
        peers.iter().map(|info| info.peer).filter(|peer| !bad.contains(peer)).collect()
    }

    /// What an earlier attempt left, if somebody still hands it over.
    async fn resume(&self, bad: &BTreeSet<PeerId>) -> Result<Option<(Staging, Group)>, RunError> {
        let Some((staging, offer)) = Staging::resume(self.dir, &self.genesis.chain_id())? else { return Ok(None) };
        let header = offer.certified.header.hash();
        let mut peers = Vec::new();
        for peer in self.peers(bad) {
            let first = Piece::HandOver { from: Height(1), part: 0 };
            if ask(self.network, peer, header, first).await.is_ok() {
                peers.push(peer);
            }
        }
        if peers.is_empty() {
            return Ok(None);
        }
        tracing::info!("going on with the snapshot that was being fetched");
        Ok(Some((staging, Group { offer, peers })))
    }

    /// Asks all peers the same at once.
    async fn ask_all(&self, bad: &BTreeSet<PeerId>, request: Request) -> Vec<(PeerId, Result<Response, RequestError>)> {
        let mut asked = JoinSet::new();
        for peer in self.peers(bad) {
            let (network, request) = (self.network.clone(), request.clone());
            asked.spawn(async move { (peer, network.request(peer, request).await) });
        }
        asked.join_all().await
    }

    /// The height that most peers have, and whether all have the same block; a few that lie do not move it far.
    async fn tip(&self, bad: &BTreeSet<PeerId>) -> (Height, bool) {
        let answers = self.ask_all(bad, Request::Status).await;
        let mut tips: Vec<(Height, HeaderHash)> = answers
            .into_iter()
            .filter_map(|(_, answer)| match answer {
                Ok(Response::Status(status)) => Some((status.height, status.header_hash)),
                _ => None,
            })
            .collect();
        tips.sort_unstable();
        let median = tips.get(tips.len() / 2).map_or(Height(0), |(height, _)| *height);
        (median, tips.iter().all(|tip| tip.1 == tips[0].1))
    }

    /// All snapshots on offer, the one of most peers first, of those the newest.
    async fn groups(&self, bad: &mut BTreeSet<PeerId>) -> Vec<Group> {
        let (tip, at_rest) = self.tip(bad).await;
        if at_rest {
            let groups = self.groups_from(tip, bad).await;
            if groups.len() == 1 {
                return groups;
            }
        }
        self.groups_from(Height(tip.0.saturating_add(AHEAD)), bad).await
    }

    async fn groups_from(&self, from: Height, bad: &mut BTreeSet<PeerId>) -> Vec<Group> {
        let mut groups: BTreeMap<HeaderHash, Group> = BTreeMap::new();
        for answered in self.ask_all(bad, Request::SnapshotOffer(from)).await {
            match answered {
                (peer, Ok(Response::Offer(bytes))) => match Offer::from_bytes(&bytes) {
                    Ok(offer) => {
                        let group = groups.entry(offer.certified.header.hash());
                        group.or_insert_with(|| Group { offer, peers: Vec::new() }).peers.push(peer);
                    }
                    Err(error) => blame(bad, peer, &error.to_string()),
                },
                (peer, Ok(_)) => tracing::info!(%peer, "this peer hands no snapshot over now"),
                (peer, Err(error)) => tracing::info!(%peer, %error, "this peer was not asked for a snapshot"),
            }
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.peers.len(), group.offer.certified.header.height)));
        groups
    }

    /// Follows the hand-overs of any of the peers to the offered header; whether one of them leads there.
    async fn follow(&self, staging: &Staging, group: &mut Group, bad: &mut BTreeSet<PeerId>) -> Result<bool, RunError> {
        while let Some(peer) = group.peers.first().copied() {
            match self.follow_with(staging, &group.offer, peer).await {
                Ok(()) => return Ok(true),
                Err(Trouble::Own(error)) => return Err(error.into()),
                Err(Trouble::False(reason)) => blame(bad, peer, &reason),
                Err(Trouble::Silent(_) | Trouble::Busy | Trouble::Gone) => {}
            }
            group.peers.remove(0);
        }
        Ok(false)
    }

    async fn follow_with(&self, staging: &Staging, offer: &Offer, peer: PeerId) -> Result<(), Trouble> {
        let mut trust = Trust::pin(self.genesis, now()).map_err(|error| Trouble::False(error.to_string()))?;
        let mut from = Height(1);
        while let Some(hand_over) = self.hand_over(offer, peer, from).await? {
            let height = hand_over.certified.header.height;
            if height < from {
                return Err(Trouble::False("a hand-over below the height asked for".to_owned()));
            }
            trust.hand_over(&hand_over, now())?;
            staging.put_hand_over(&hand_over)?;
            from = height.next();
        }
        Ok(offer.verify(&trust, now())?)
    }

    async fn hand_over(&self, offer: &Offer, peer: PeerId, from: Height) -> Result<Option<HandOver>, Trouble> {
        let mut bytes = Vec::new();
        for number in 0.. {
            let piece = Piece::HandOver { from, part: number };
            let content = ask(self.network, peer, offer.certified.header.hash(), piece).await?;
            offer.verify_piece(&piece, &content)?;
            let Content::HandOver(Some(part)) = content else { break };
            bytes.extend_from_slice(&part.bytes);
            if bytes.len() >= (part.length as usize).min(HAND_OVER_BYTES_MAX) {
                return Ok(Some(HandOver::from_bytes(&bytes)?));
            }
        }
        if bytes.is_empty() { Ok(None) } else { Err(Trouble::False("half a hand-over".to_owned())) }
    }
}

/// A peer while it is asked.
#[derive(Default)]
struct Load {
    flying: usize,
    failures: u32,
}

type Answered = (PeerId, Piece, Result<(Kept, usize), Trouble>);

/// The pieces of one snapshot on their way.
struct Fetch<'a> {
    network: &'a NetworkHandle,
    staging: Arc<Staging>,
    offer: Arc<Offer>,
    header: HeaderHash,
    peers: BTreeMap<PeerId, Load>,
    /// The last first, so that halves are asked for before anything else and the stack stays small.
    stack: Vec<Piece>,
    flying: JoinSet<Answered>,
    pieces: u64,
    bytes: u64,
}

impl<'a> Fetch<'a> {
    fn new(network: &'a NetworkHandle, staging: Arc<Staging>, offer: Arc<Offer>, peers: Vec<PeerId>) -> Self {
        let mut stack: Vec<Piece> = Span::all(offer.log.size(), RECORDS_LEVEL).map(Piece::Records).collect();
        stack.reverse();
        stack.extend([Piece::State(Prefix::ALL), Piece::Registry(Prefix::ALL)]);
        Self {
            network,
            staging,
            header: offer.certified.header.hash(),
            offer,
            peers: peers.into_iter().map(|peer| (peer, Load::default())).collect(),
            stack,
            flying: JoinSet::new(),
            pieces: 0,
            bytes: 0,
        }
    }

    /// Fetches all that is missing; whether it is whole then.
    async fn run(&mut self, bad: &mut BTreeSet<PeerId>) -> Result<bool, RunError> {
        let mut schemas_known = false;
        let mut reported = Instant::now();
        loop {
            self.assign()?;
            if self.flying.is_empty() {
                if !self.stack.is_empty() {
                    return Ok(false);
                }
                // Only the whole registry tells which schemas there are.
                let missing = if schemas_known { Vec::new() } else { self.staging.schemas_missing()? };
                schemas_known = true;
                if missing.is_empty() {
                    tracing::info!(pieces = self.pieces, mib = self.bytes >> 20, "the snapshot is whole");
                    return Ok(true);
                }
                self.stack.extend(missing.into_iter().map(Piece::Schema));
                continue;
            }
            // A task of this fetch that panicked would leave its piece out; `finish` would refuse the whole.
            if let Some(Ok(answered)) = self.flying.join_next().await {
                self.answered(answered, bad)?;
            }
            if reported.elapsed() >= REPORT {
                reported = Instant::now();
                let (waiting, mib) = (self.stack.len() + self.flying.len(), self.bytes >> 20);
                tracing::info!(pieces = self.pieces, waiting, mib, "fetching the snapshot");
            }
        }
    }

    /// Asks for as much at once as the peers may be asked.
    fn assign(&mut self) -> Result<(), RunError> {
        while let Some(piece) = self.stack.pop() {
            match self.staging.kept(&piece)? {
                Some(Kept::Whole) => continue,
                Some(Kept::Halves) => {
                    self.stack.extend(piece.halves().into_iter().flatten());
                    continue;
                }
                None => {}
            }
            let idle = self.peers.iter_mut().filter(|(_, load)| load.flying < PER_PEER);
            let Some((peer, load)) = idle.min_by_key(|(_, load)| load.flying) else {
                self.stack.push(piece);
                return Ok(());
            };
            load.flying += 1;
            let (network, peer, header) = (self.network.clone(), *peer, self.header);
            let (staging, offer) = (Arc::clone(&self.staging), Arc::clone(&self.offer));
            self.flying.spawn(async move {
                tokio::time::sleep(PACE).await;
                let answer = match ask(&network, peer, header, piece).await {
                    Ok(content) => keep(staging, offer, piece, content).await,
                    Err(trouble) => Err(trouble),
                };
                if matches!(answer, Err(Trouble::Busy)) {
                    tokio::time::sleep(BUSY).await;
                }
                (peer, piece, answer)
            });
        }
        Ok(())
    }

    fn answered(&mut self, answered: Answered, bad: &mut BTreeSet<PeerId>) -> Result<(), RunError> {
        let (peer, piece, answer) = answered;
        let failures = self.peers.get_mut(&peer).map_or(0, |load| {
            load.flying -= 1;
            load.failures = if matches!(answer, Err(Trouble::Silent(_))) { load.failures + 1 } else { 0 };
            load.failures
        });
        match answer {
            Ok((Kept::Whole, bytes)) => {
                self.pieces += 1;
                self.bytes += bytes as u64;
                return Ok(());
            }
            Ok((Kept::Halves, _)) => {}
            Err(Trouble::Own(error)) => return Err(error.into()),
            Err(Trouble::False(reason)) => {
                blame(bad, peer, &reason);
                self.peers.remove(&peer);
            }
            Err(Trouble::Gone) => {
                self.peers.remove(&peer);
            }
            Err(Trouble::Silent(reason)) if failures >= FAILURES_MAX => {
                tracing::warn!(%peer, reason, "this peer does not answer");
                self.peers.remove(&peer);
            }
            Err(Trouble::Silent(_) | Trouble::Busy) => {}
        }
        self.stack.push(piece);
        Ok(())
    }
}

/// Verifies a piece and keeps it.
async fn keep(
    staging: Arc<Staging>,
    offer: Arc<Offer>,
    piece: Piece,
    content: Content,
) -> Result<(Kept, usize), Trouble> {
    let work = move || {
        offer.verify_piece(&piece, &content)?;
        let too_deep = matches!(piece, Piece::Registry(prefix) | Piece::State(prefix) if prefix.bits() >= BITS_MAX);
        if content == Content::TooLarge && too_deep {
            return Err(Trouble::False("said to be too large below a prefix that few keys share".to_owned()));
        }
        staging.put(&piece, &content)?;
        let kept = if content == Content::TooLarge { Kept::Halves } else { Kept::Whole };
        let bytes = match &content {
            Content::Leaves(leaves) => leaves.leaves.iter().map(|leaf| leaf.size()).sum(),
            Content::Records(records) => records.records.iter().map(|record| record.len()).sum(),
            _ => 0,
        };
        Ok((kept, bytes))
    };
    spawn_blocking(work).await.unwrap_or_else(|panicked| Err(Trouble::Silent(panicked.to_string())))
}
