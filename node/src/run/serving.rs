//! Handing over snapshots: a few at a time, each kept for a bounded time.
//!
//! A snapshot holds the database as it was, so what has changed since cannot be given free. Each is read by a thread of
//! its own, one piece after another: who joins takes no more than one processor here.

use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::Height;
use kanhe_proto::snapshot::{Ask, Content, Piece};

use crate::chain::Chain;
use crate::network::{PeerId, Refusal, Reply, Response};

/// Snapshots kept at the same time.
const KEPT_MAX: usize = 2;
/// One that nobody asks any more is let go after this,
const IDLE_MAX: Duration = Duration::from_secs(300);
/// sooner if there is no room for another,
const PARKED_MAX: Duration = Duration::from_secs(60);
/// and any after this.
const LIFE_MAX: Duration = Duration::from_secs(4 * 3_600);
/// One this young is offered again, so that those who join at the same time share it, and one asks several nodes.
const FRESH: Duration = Duration::from_secs(20);
/// Longest wait for the block that somebody asks the snapshot of.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// Questions that wait for one snapshot.
const QUEUE_MAX: usize = 32;

struct Kept {
    height: Height,
    header: HeaderHash,
    offer: Bytes,
    jobs: SyncSender<(Piece, Reply)>,
    born: Instant,
    asked: Instant,
}

/// The snapshots that this node hands over.
pub struct Serving {
    chain: Arc<Chain>,
    kept: Mutex<Vec<Kept>>,
    /// Held while one is made: that may take long, and pieces of the others are handed over meanwhile.
    making: Mutex<()>,
}

impl Serving {
    /// None yet.
    pub fn new(chain: Arc<Chain>) -> Self {
        Self { chain, kept: Mutex::default(), making: Mutex::default() }
    }

    /// Which snapshot is handed over: of the first block from this height on, so that several nodes offer the same; of
    /// the newest block if none comes in time, or the newest snapshot that is kept if there is no room.
    pub async fn offer(self: &Arc<Self>, peer: &PeerId, from: Height) -> Response {
        let mut committed = self.chain.committed();
        // Its sender lives as long as the chain.
        let _ = tokio::time::timeout(WAIT_MAX, committed.wait_for(|height| *height >= from)).await;
        let (serving, peer) = (Arc::clone(self), *peer);
        // A new snapshot reads the ids of the state.
        let offered = tokio::task::spawn_blocking(move || serving.offer_now(&peer, from)).await;
        offered.unwrap_or(Response::Refused(Refusal::Busy))
    }

    fn offer_now(&self, peer: &PeerId, from: Height) -> Response {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.wants_another(from) {
            let Some(new) = self.keep() else { return Response::Refused(Refusal::Busy) };
            tracing::info!(%peer, header = %new.header, "a snapshot is handed over");
            self.kept().push(new);
        }
        match self.kept().last_mut() {
            Some(last) => {
                last.asked = Instant::now();
                Response::Offer(last.offer.clone())
            }
            None => Response::Refused(Refusal::Busy),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go what nobody asks any more; whether the newest that is left does not do, and there is room for another.
    fn wants_another(&self, from: Height) -> bool {
        let (now, tip) = (Instant::now(), self.chain.tip().hash);
        let mut kept = self.kept();
        kept.retain(|kept| now - kept.asked < IDLE_MAX && now - kept.born < LIFE_MAX);
        let is_fresh = |last: &Kept| now - last.born < FRESH && last.height >= from;
        if kept.last().is_some_and(|last| is_fresh(last) || last.header == tip) {
            return false;
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|kept| now - kept.asked < PARKED_MAX);
        }
        kept.len() < KEPT_MAX
    }

    /// Answers a question for a piece, when its turn comes.
    pub fn piece(&self, ask: &[u8], reply: Reply) {
        let Ok(ask) = Ask::from_bytes(ask) else { return reply.send(Response::Refused(Refusal::Malformed)) };
        let mut kept = self.kept();
        let gone = || Response::Piece(Content::Gone.to_bytes().into());
        let Some(at) = kept.iter().position(|kept| kept.header == ask.header) else { return reply.send(gone()) };
        kept[at].asked = Instant::now();
        match kept[at].jobs.try_send((ask.piece, reply)) {
            Ok(()) => {}
            Err(TrySendError::Full((_, reply))) => reply.send(Response::Refused(Refusal::Busy)),
            // Its thread has ended.
            Err(TrySendError::Disconnected((_, reply))) => {
                kept.remove(at);
                reply.send(gone());
            }
        }
    }

    /// Starts the thread that has a snapshot; none if there is nothing to hand over yet.
    fn keep(&self) -> Option<Kept> {
        let chain = Arc::clone(&self.chain);
        let (told, offered) = mpsc::sync_channel(1);
        let (jobs, queue) = mpsc::sync_channel::<(Piece, Reply)>(QUEUE_MAX);
        let born = Instant::now();
        let work = move || {
            let pieces = match chain.snapshot().and_then(|snapshot| snapshot.into_pieces()) {
                Ok(Some(pieces)) => pieces,
                Ok(None) => return,
                Err(error) => return tracing::error!("no snapshot to hand over: {error}"),
            };
            let header = &pieces.offer().certified.header;
            if told.send((header.height, header.hash(), pieces.offer().to_bytes())).is_err() {
                return;
            }
            loop {
                let (piece, reply) = match queue.recv_timeout(IDLE_MAX) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
                };
                if born.elapsed() > LIFE_MAX {
                    return reply.send(Response::Piece(Content::Gone.to_bytes().into()));
                }
                match pieces.piece(&piece) {
                    Ok(content) => reply.send(Response::Piece(content.to_bytes().into())),
                    Err(error) => {
                        tracing::error!(?piece, "a piece of a snapshot cannot be read: {error}");
                        reply.send(Response::Refused(Refusal::Busy));
                    }
                }
            }
        };
        std::thread::Builder::new().name("snapshot".to_owned()).spawn(work).ok()?;
        let (height, header, offer) = offered.recv().ok()?;
        Some(Kept { height, header, offer: offer.into(), jobs, born, asked: born })
    }
}
