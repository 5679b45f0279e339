//! One recipient: what it gets in its turns, and what is known of what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use kanhe_proto::identifiers::Uscc;
use tokio::time::Instant;

use crate::case_files::{CaseFiles, FileId, Waiting};
use crate::network::{FileKept, NetworkHandle, PeerId, Refusal, Request, Response};

/// Longest turn.
pub(super) const TURN_MAX: Duration = Duration::from_secs(20);
/// Pause after each part: other requests to that peer have its rate too.
const PAUSE: Duration = Duration::from_millis(25);
/// First and longest pause after a failure.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);
/// Longest pause of a file of which all parts here are there, but not all of the file.
const PROBE_MAX: Duration = Duration::from_secs(600);
/// Files that are sent in one turn: those that the chain wants, then others.
const FILES_IN_TURN: usize = 16;
const OTHERS_IN_TURN: usize = 4;
/// Files of each kind that are looked at in one turn.
const LOOKED_AT_IN_TURN: usize = 4_096;

/// Why a peer does not take a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// Not now.
    Later,
    /// Not this file.
    Never,
}

/// Carries parts to peers.
pub(super) trait Carrier: Clone + Send + Sync + 'static {
    /// Gives a peer a part; what it has of the file then.
    fn carry(&self, peer: PeerId, part: Vec<u8>) -> impl Future<Output = Result<FileKept, Failed>> + Send;
}

impl Carrier for NetworkHandle {
    async fn carry(&self, peer: PeerId, part: Vec<u8>) -> Result<FileKept, Failed> {
        match self.request(peer, Request::DeliverFile(part.into())).await {
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
}

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

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    Delivered,
    Waits,
    Failed,
}

/// A bureau that does not have all that is for it.
#[derive(Debug)]
pub(super) struct Recipient {
    to: Uscc,
    rest: Option<Rest>,
    /// Where the next turn goes on: of the files that the chain wants, and of the others.
    next: [Option<FileId>; 2],
    sent: BTreeMap<FileId, Sent>,
    /// Whether a part was acknowledged in this turn.
    moved: bool,
}

impl Recipient {
    pub(super) fn new(to: Uscc) -> Self {
        Self { to, rest: None, next: [None; 2], sent: BTreeMap::new(), moved: false }
    }
    /// Whether it is left alone for now.
    pub(super) fn rests(&self) -> bool {
        self.rest.is_some_and(|rest| !rest.is_over())
    }
    /// Is asked at once.
    pub(super) fn wake(&mut self) {
        self.rest = None;
        self.sent.values_mut().for_each(|sent| sent.rest = None);
    }
    /// Its turn was longer than it may be. One that took nothing in all that time is left alone for a while.
    pub(super) fn was_cut(&mut self) -> bool {
        if !self.moved {
            self.rest = Some(Rest::after(self.rest.as_ref(), REST_MAX));
        }
        self.moved
    }

    /// Some files; whether it is worth going on at once.
    pub(super) async fn turn(&mut self, files: &CaseFiles, carrier: &impl Carrier, peers: &[PeerId]) -> bool {
        self.moved = false;
        let mut delivered = false;
        for (wanted, most) in [(true, FILES_IN_TURN), (false, OTHERS_IN_TURN)] {
            let Ok(some) = self.some(files, carrier, peers, wanted, most).await else { return delivered };
            delivered |= some;
        }
        delivered
    }

    /// Some files of one kind; whether one of them was delivered. None are tried after one that nobody takes now.
    async fn some(
        &mut self,
        files: &CaseFiles,
        carrier: &impl Carrier,
        peers: &[PeerId],
        wanted: bool,
        most: usize,
    ) -> Result<bool, Failed> {
        let (mut delivered, mut tried) = (false, 0);
        for _ in 0..LOOKED_AT_IN_TURN {
            if tried == most {
                break;
            }
            let place = &mut self.next[usize::from(wanted)];
            let Some(waiting) = files.store().next_waiting(&self.to, wanted, *place) else {
                // From the first one on, the next time.
                *place = None;
                self.sent.retain(|file, _| files.store().is_waiting(file));
                break;
            };
            *place = Some(waiting.file);
            let rests = self.sent.get(&waiting.file).and_then(|sent| sent.rest);
            if rests.is_some_and(|rest| !rest.is_over()) {
                continue;
            }
            tried += 1;
            match self.deliver(files, carrier, &waiting, peers).await {
                Went::Delivered => {
                    delivered = true;
                    self.rest = None;
                }
                Went::Waits => {}
                Went::Failed => {
                    self.rest = Some(Rest::after(self.rest.as_ref(), REST_MAX));
                    return Err(Failed::Later);
                }
            }
        }
        Ok(delivered)
    }

    async fn deliver(
        &mut self,
        files: &CaseFiles,
        carrier: &impl Carrier,
        waiting: &Waiting,
        peers: &[PeerId],
    ) -> Went {
        let file = waiting.file;
        let begun = self.sent.get(&file).map(|sent| sent.peer);
        let (first, others): (Vec<PeerId>, Vec<PeerId>) = peers.iter().partition(|peer| Some(**peer) == begun);
        let mut refused = false;
        for peer in first.into_iter().chain(others) {
            match self.hand_over(files, carrier, waiting, peer).await {
                Ok(true) => {
                    if let Err(error) = files.mark_delivered(file).await {
                        tracing::error!(error = ?error, "a case file is delivered, which cannot be written down");
                        return Went::Failed;
                    }
                    self.sent.remove(&file);
                    tracing::info!(to = %file.to, case = %file.case, parts = waiting.parts, "case file delivered");
                    return Went::Delivered;
                }
                Ok(false) => {
                    self.leave(&file, peer);
                    return Went::Waits;
                }
                Err(Failed::Never) => refused = true,
                Err(Failed::Later) => {}
            }
        }
        match (refused, peers.first()) {
            (true, Some(peer)) => {
                tracing::warn!(to = %file.to, case = %file.case, "no node of its recipient takes a case file");
                self.leave(&file, *peer);
                Went::Waits
            }
            _ => Went::Failed,
        }
    }

    /// Leaves a file alone for a while.
    fn leave(&mut self, file: &FileId, peer: PeerId) {
        let sent = self.sent.entry(*file).or_insert_with(|| Sent { peer, places: BTreeSet::new(), rest: None });
        sent.rest = Some(Rest::after(sent.rest.as_ref(), PROBE_MAX));
    }

    /// Sends a peer what it has not acknowledged, and at least one part; whether it has the whole file then.
    async fn hand_over(
        &mut self,
        files: &CaseFiles,
        carrier: &impl Carrier,
        waiting: &Waiting,
        peer: PeerId,
    ) -> Result<bool, Failed> {
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
            let part = files.read(file, place).await.map_err(|error| {
                tracing::error!(error = ?error, "a part of a case file cannot be read");
                Failed::Later
            })?;
            // Dropped meanwhile, or damaged.
            let Some(part) = part else { continue };
            let kept = carrier.carry(peer, part).await?;
            self.moved = true;
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
