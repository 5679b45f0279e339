//! The task that owns the swarm.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use kanhe_proto::diagnosis::RefusedWhy;
use kanhe_proto::genesis::PROTOCOL_VERSION;
use kanhe_proto::ids::TimeMs;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId, PublishError};
use libp2p::request_response::{self, OutboundFailure, OutboundRequestId, ResponseChannel};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, ListenError, SwarmEvent};
use libp2p::{PeerId, Swarm};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{self, MissedTickBehavior};

use super::behaviour::{Behaviour, BehaviourEvent};
use super::codec::Unread;
use super::conduct::{Judgement, Rates};
use super::config::{NetworkConfig, PeerAddress};
use super::dialer::Dialer;
use super::gossip;
use super::handle::{Asked, Peers, RequestError};
use super::identity;
use super::inbound::{Inbound, Reply, Report, Ticket, Verdict};
use super::metrics::{NetworkMetrics, add, count};
use super::outbox::Outbox;
use super::refused::{RefusedPeer, RefusedTable};
use super::request::{Refusal, Request, Response};
use super::status::{CLOCK_OFF_MAX_MS, PeerInfo, PeerStatus, SoftwareVersion, TipStatus};
use super::table::Table;

/// How often it is looked whom to dial, whose ban ended, and whether a held message can go.
const TICK: Duration = Duration::from_millis(100);
/// Requests of this node without an answer yet.
const ASKED_MAX: usize = 1_024;

/// The task's ends of all channels.
pub(super) struct Channels {
    pub(super) publish: mpsc::Receiver<Bytes>,
    pub(super) requests: mpsc::Receiver<Asked>,
    pub(super) inbound: mpsc::Sender<Inbound>,
    pub(super) members: watch::Receiver<Peers>,
    pub(super) tip: watch::Receiver<TipStatus>,
    pub(super) peers: watch::Sender<Vec<PeerInfo>>,
    pub(super) refused: watch::Sender<Vec<RefusedPeer>>,
    pub(super) stopped: watch::Receiver<bool>,
}

type RequestEvent = request_response::Event<Result<Request, Unread>, Response>;

pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    topic: IdentTopic,
    clock: fn() -> TimeMs,
    channels: Channels,
    metrics: Arc<NetworkMetrics>,
    table: Table,
    refused: RefusedTable,
    configured: Vec<PeerAddress>,
    dialer: Dialer,
    ban: Duration,
    poll: Duration,
    outbox: Outbox,
    /// The message of the outbox waits for a peer that can take it.
    held: bool,
    asked: HashMap<OutboundRequestId, oneshot::Sender<Result<Response, RequestError>>>,
    room: Arc<Semaphore>,
    reports_sender: mpsc::UnboundedSender<Report>,
    reports: mpsc::UnboundedReceiver<Report>,
}

impl Task {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        topic: IdentTopic,
        config: &NetworkConfig,
        clock: fn() -> TimeMs,
        channels: Channels,
        metrics: Arc<NetworkMetrics>,
    ) -> Self {
        let rates = Rates {
            messages_per_second: config.peer_messages_per_second,
            bytes_per_second: config.peer_bytes_per_second,
            requests_per_second: config.peer_requests_per_second,
        };
        // Unbounded, but a report is made only by who holds one of the permits.
        let (reports_sender, reports) = mpsc::unbounded_channel();
        let redial_max = Duration::from_millis(config.redial_max_ms);
        Self {
            configured: config.peers.clone(),
            dialer: Dialer::new(redial_max),
            swarm,
            topic,
            clock,
            channels,
            metrics,
            table: Table::new(rates),
            refused: RefusedTable::default(),
            ban: Duration::from_secs(config.ban_seconds),
            poll: Duration::from_millis(config.status_interval_ms.max(100)),
            outbox: Outbox::new(config.batch_bytes_max, Duration::from_millis(config.batch_wait_ms)),
            held: false,
            asked: HashMap::new(),
            room: Arc::new(Semaphore::new(config.inbound_max.clamp(1, Semaphore::MAX_PERMITS))),
            reports_sender,
            reports,
        }
    }

    pub(super) async fn run(mut self) {
        self.update_peers();
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut poll = time::interval(self.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut list_open = true;
        let mut stopped = self.channels.stopped.clone();
        loop {
            let due = self.outbox.due().filter(|_| !self.held);
            let takes = !self.held && !self.outbox.is_full();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(report) = self.reports.recv() => self.on_report(report),
                Some(asked) = self.channels.requests.recv() => self.ask(asked),
                Some(transaction) = self.channels.publish.recv(), if takes => self.publish(transaction),
                () = time::sleep_until(due.unwrap_or_else(time::Instant::now)), if due.is_some() => self.flush(),
                _ = tick.tick() => self.on_tick(),
                _ = poll.tick() => self.ask_all(),
                changed = self.channels.members.changed(), if list_open => {
                    list_open = changed.is_ok();
                    self.update_peers();
                }
                // Also when all handles are gone.
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Requests(event)) => self.on_request_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, num_established, .. } => {
                count(&self.metrics.established_connections_total);
                self.table.connect(peer_id);
                if self.refused.met(&peer_id) {
                    self.channels.refused.send_replace(self.refused.all());
                }
                if num_established.get() == 1 {
                    tracing::info!(peer = %peer_id, "peer connected");
                    self.ask_status(peer_id);
                }
                self.tell_peers();
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                tracing::info!(peer = %peer_id, cause = ?cause, "peer disconnected");
                self.table.disconnect(&peer_id);
                // Told at once, whether it comes back to be refused or not.
                if self.table.is_banned(&peer_id) {
                    self.refuse(Some(peer_id), RefusedWhy::Banned, "");
                }
                self.tell_peers();
            }
            SwarmEvent::IncomingConnectionError { error: ListenError::Denied { cause }, peer_id, .. } => {
                count(&self.metrics.refused_connections_total);
                tracing::debug!(peer = ?peer_id, %cause, "connection refused");
                let why = match &peer_id {
                    Some(peer) if self.table.is_banned(peer) => RefusedWhy::Banned,
                    Some(peer) if !self.table.is_listed(peer) => RefusedWhy::NotListed,
                    _ => RefusedWhy::Limits,
                };
                self.refuse(peer_id, why, &cause.to_string());
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                tracing::debug!(peer = ?peer_id, %error, "peer not reached");
                match &error {
                    // Another connection to it is there or in the making, or it was banned meanwhile.
                    DialError::DialPeerConditionFalse(_) | DialError::Denied { .. } | DialError::Aborted => {}
                    DialError::WrongPeerId { .. } => self.refuse(peer_id, RefusedWhy::WrongKey, &error.to_string()),
                    _ => self.refuse(peer_id, RefusedWhy::Unreachable, &error.to_string()),
                }
            }
            _ => {}
        }
    }

    fn refuse(&mut self, peer: Option<PeerId>, why: RefusedWhy, detail: &str) {
        let Some(peer) = peer.filter(|peer| !self.table.is_connected(peer)) else { return };
        self.refused.note(peer, why, detail, (self.clock)());
        self.channels.refused.send_replace(self.refused.all());
    }

    fn on_gossip_event(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.on_message(propagation_source, message_id, &message.data);
            }
            gossipsub::Event::Subscribed { peer_id, .. } => {
                self.table.subscribe(&peer_id, true);
                self.tell_peers();
            }
            gossipsub::Event::Unsubscribed { peer_id, .. } => {
                self.table.subscribe(&peer_id, false);
                self.tell_peers();
            }
            gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                add(&self.metrics.slow_peer_messages_total, failed_messages.total());
                tracing::debug!(peer = %peer_id, "peer is too slow");
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(peer = %peer_id, "peer speaks of another chain");
            }
        }
    }

    fn on_message(&mut self, peer: PeerId, message: MessageId, data: &[u8]) {
        count(&self.metrics.received_messages_total);
        add(&self.metrics.received_bytes_total, data.len());
        let now = Instant::now();
        let judgement = self.table.conduct(peer, now).message(data.len(), now);
        if judgement != Judgement::Take {
            count(&self.metrics.over_rate_messages_total);
            self.judged(peer, judgement);
            return self.conclude(peer, &message, Verdict::Ignore);
        }
        let transactions = match gossip::decode(data) {
            Ok(transactions) => transactions,
            Err(error) => {
                tracing::warn!(%peer, %error, "malformed gossip");
                count(&self.metrics.malformed_messages_total);
                return self.conclude(peer, &message, Verdict::Reject);
            }
        };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            count(&self.metrics.busy_messages_total);
            return self.conclude(peer, &message, Verdict::Ignore);
        };
        let ticket = Ticket::new(peer, message, self.reports_sender.clone(), permit);
        // A full queue drops the ticket, which ignores the message.
        if self.channels.inbound.try_send(Inbound::Transactions { peer, transactions, ticket }).is_err() {
            count(&self.metrics.busy_messages_total);
        }
    }

    fn conclude(&mut self, peer: PeerId, message: &MessageId, verdict: Verdict) {
        let (acceptance, counter) = match verdict {
            Verdict::Accept => (MessageAcceptance::Accept, &self.metrics.accepted_messages_total),
            Verdict::Ignore => (MessageAcceptance::Ignore, &self.metrics.ignored_messages_total),
            Verdict::Reject => (MessageAcceptance::Reject, &self.metrics.rejected_messages_total),
        };
        count(counter);
        self.swarm.behaviour_mut().gossip.report_message_validation_result(message, &peer, acceptance);
        if verdict == Verdict::Reject {
            let now = Instant::now();
            let judgement = self.table.conduct(peer, now).forgery(now);
            self.judged(peer, judgement);
        }
    }

    fn judged(&mut self, peer: PeerId, judgement: Judgement) {
        if judgement == Judgement::Ban && !self.table.is_banned(&peer) {
            tracing::warn!(%peer, seconds = self.ban.as_secs(), "peer shut out for what it sends");
            count(&self.metrics.banned_peers_total);
            self.table.ban(peer, Instant::now() + self.ban);
            self.swarm.behaviour_mut().allowed.disallow_peer(peer);
        }
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Verdict { peer, message, verdict } => self.conclude(peer, &message, verdict),
            Report::Respond { channel, response } => self.respond(channel, response),
        }
    }

    fn respond(&mut self, channel: ResponseChannel<Response>, response: Response) {
        // Fails only if the peer no longer waits.
        let _ = self.swarm.behaviour_mut().requests.send_response(channel, response);
    }

    fn on_request_event(&mut self, event: RequestEvent) {
        match event {
            RequestEvent::Message { peer, message, .. } => match message {
                request_response::Message::Request { request: Ok(request), channel, .. } => {
                    self.on_request(peer, request, channel);
                }
                request_response::Message::Request { request: Err(unread), .. } => self.on_unread(peer, &unread),
                request_response::Message::Response { request_id, response } => {
                    self.on_response(peer, request_id, response);
                }
            },
            RequestEvent::OutboundFailure { peer, request_id, error, .. } => {
                self.on_failure(peer, request_id, &error);
            }
            // The line's, or of a peer that waits no longer.
            RequestEvent::InboundFailure { peer, error, .. } => tracing::debug!(%peer, %error, "request not answered"),
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    /// Longer than any request, or none at all: no honest node sends that.
    fn on_unread(&mut self, peer: PeerId, Unread(why): &Unread) {
        tracing::debug!(%peer, why, "no request");
        count(&self.metrics.malformed_requests_total);
        let now = Instant::now();
        let judgement = self.table.conduct(peer, now).forgery(now);
        self.judged(peer, judgement);
    }

    fn on_request(&mut self, peer: PeerId, request: Request, channel: ResponseChannel<Response>) {
        count(&self.metrics.received_requests_total);
        let now = Instant::now();
        let judgement = self.table.conduct(peer, now).request(request.size(), now);
        if judgement != Judgement::Take {
            count(&self.metrics.dropped_requests_total);
            self.judged(peer, judgement);
            return self.respond(channel, Response::Refused(Refusal::Busy));
        }
        match request {
            Request::Status => {
                let TipStatus { height, header_hash } = *self.channels.tip.borrow();
                let status = PeerStatus {
                    height,
                    header_hash,
                    clock: (self.clock)(),
                    software: SoftwareVersion::own(),
                    protocol_known: PROTOCOL_VERSION,
                };
                self.respond(channel, Response::Status(status));
            }
            Request::DeliverMail(mail) => {
                self.work_on(channel, |reply| Inbound::Mail { peer, mail, reply });
            }
            Request::SnapshotOffer(from) => {
                self.work_on(channel, |reply| Inbound::SnapshotOffer { peer, from, reply });
            }
            Request::SnapshotPiece(ask) => {
                self.work_on(channel, |reply| Inbound::SnapshotPiece { peer, ask, reply });
            }
            Request::DeliverFile(part) => {
                self.work_on(channel, |reply| Inbound::File { peer, part, reply });
            }
        }
    }

    /// Hands a request on to be worked on, if there is room.
    fn work_on(&mut self, channel: ResponseChannel<Response>, request: impl FnOnce(Reply) -> Inbound) {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            count(&self.metrics.dropped_requests_total);
            return self.respond(channel, Response::Refused(Refusal::Busy));
        };
        let reply = Reply::new(channel, self.reports_sender.clone(), permit);
        if let Err(full) = self.channels.inbound.try_send(request(reply)) {
            count(&self.metrics.dropped_requests_total);
            if let Some(reply) = full.into_inner().into_reply() {
                reply.send(Response::Refused(Refusal::Busy));
            }
        }
    }

    fn on_response(&mut self, peer: PeerId, request: OutboundRequestId, response: Response) {
        if let Some(answer) = self.asked.remove(&request) {
            // Whoever asked may have gone.
            let _ = answer.send(Ok(response));
            return;
        }
        let Response::Status(status) = response else { return self.on_silence(peer, request, false) };
        if self.table.answered(&peer, request, status, (self.clock)()) {
            self.dialer.met(&peer);
            self.tell_peers();
        }
    }

    fn on_failure(&mut self, peer: PeerId, request: OutboundRequestId, error: &OutboundFailure) {
        count(&self.metrics.failed_requests_total);
        if let Some(answer) = self.asked.remove(&request) {
            let _ = answer.send(Err(RequestError::NoAnswer(error.to_string())));
            return;
        }
        self.on_silence(peer, request, matches!(error, OutboundFailure::UnsupportedProtocols));
    }

    /// A status request was not answered; a peer of another chain never will.
    fn on_silence(&mut self, peer: PeerId, request: OutboundRequestId, hopeless: bool) {
        if self.table.failed(&peer, request) || (hopeless && self.table.is_connected(&peer)) {
            tracing::warn!(%peer, "peer does not answer: let go");
            count(&self.metrics.silent_peers_total);
            // It may have gone by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn ask(&mut self, asked: Asked) {
        let Asked { peer, request, answer } = asked;
        // Those who asked and went away need no room.
        self.asked.retain(|_, answer| !answer.is_closed());
        let refusal = if !self.table.is_connected(&peer) {
            RequestError::NotConnected(peer)
        } else if self.asked.len() >= ASKED_MAX {
            RequestError::Busy
        } else {
            let id = self.swarm.behaviour_mut().requests.send_request(&peer, Ok(request));
            self.asked.insert(id, answer);
            return;
        };
        let _ = answer.send(Err(refusal));
    }

    fn ask_all(&mut self) {
        for peer in self.table.to_ask() {
            self.ask_status(peer);
        }
    }

    fn ask_status(&mut self, peer: PeerId) {
        let id = self.swarm.behaviour_mut().requests.send_request(&peer, Ok(Request::Status));
        self.table.asked(&peer, id, (self.clock)());
    }

    fn publish(&mut self, transaction: Bytes) {
        self.outbox.push(transaction, time::Instant::now());
        while self.outbox.is_full() && !self.held {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let transactions = self.outbox.transactions();
        let Some(bytes) = gossip::encode(transactions).ok().filter(|_| !transactions.is_empty()) else {
            add(&self.metrics.unpublished_transactions_total, transactions.len());
            return self.outbox.sent(time::Instant::now());
        };
        let (len, number) = (bytes.len(), transactions.len());
        let published = self.swarm.behaviour_mut().gossip.publish(self.topic.hash(), bytes);
        self.held = matches!(published, Err(PublishError::NoPeersSubscribedToTopic | PublishError::AllQueuesFull(_)));
        match published {
            Ok(_) => {
                count(&self.metrics.published_messages_total);
                add(&self.metrics.published_transactions_total, number);
                add(&self.metrics.published_bytes_total, len);
            }
            Err(_) if self.held => return,
            Err(PublishError::Duplicate) => {}
            Err(error) => {
                tracing::warn!(%error, "transactions not gossiped");
                add(&self.metrics.unpublished_transactions_total, number);
            }
        }
        self.outbox.sent(time::Instant::now());
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        for peer in self.table.pardon(now) {
            self.swarm.behaviour_mut().allowed.allow_peer(peer);
        }
        let table = &self.table;
        for (peer, addresses) in self.dialer.due(now, |peer| table.is_wanted(peer)) {
            let opts = DialOpts::peer_id(peer).addresses(addresses);
            let opts = opts.condition(PeerCondition::DisconnectedAndNotDialing).build();
            if let Err(error) = self.swarm.dial(opts) {
                tracing::debug!(%peer, %error, "peer not dialled");
            }
        }
        if self.held {
            self.held = false;
            self.flush();
        }
    }

    fn update_peers(&mut self) {
        let local = *self.swarm.local_peer_id();
        let Peers { keys, addresses } = self.channels.members.borrow_and_update().clone();
        let listed = keys.iter().filter_map(|key| {
            let id = identity::peer_id(key);
            id.inspect_err(|error| tracing::warn!(%key, %error, "unusable network key in the registry")).ok()
        });
        let (added, removed) = self.table.list(listed.filter(|peer| *peer != local).collect());
        let allowed = &mut self.swarm.behaviour_mut().allowed;
        for peer in added {
            allowed.allow_peer(peer);
        }
        for peer in removed {
            allowed.disallow_peer(peer);
        }
        let known = self.configured.iter().chain(&addresses);
        self.dialer.replace(known, &local, Instant::now());
    }

    fn tell_peers(&self) {
        let infos = self.table.infos();
        self.channels.peers.send_if_modified(|told| {
            if *told == infos {
                return false;
            }
            let before = |peer: &PeerId| told.iter().any(|info| info.peer == *peer && info.is_clock_off());
            for info in infos.iter().filter(|info| info.is_clock_off() && !before(&info.peer)) {
                let ahead_ms = info.clock_ahead_ms.unwrap_or_default();
                tracing::warn!(peer = %info.peer, ahead_ms, limit_ms = CLOCK_OFF_MAX_MS, "a peer's clock is off; hint: check both clocks");
            }
            *told = infos;
            true
        });
    }
}
