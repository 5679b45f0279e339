//! Starting the swarm, and speaking to it.

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use kanhe_proto::hash::ChainId;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{PublicKey, SecretKey};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::behaviour::{self, Behaviour};
use super::config::{NetworkConfig, PeerAddress};
use super::identity::keypair;
use super::inbound::Inbound;
use super::metrics::{self, NetworkMetrics};
use super::refused::RefusedPeer;
use super::request::{MAIL_BYTES_MAX, Request, Response};
use super::status::{PeerInfo, TipStatus};
use super::task::{Channels, Task};

/// Requests of this node that the swarm has not yet taken.
const REQUEST_QUEUE_MAX: usize = 256;
/// An address is bound within this or not at all.
const LISTEN_MAX: Duration = Duration::from_secs(10);

/// Why the swarm does not start.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The address is taken, or is none of this machine.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Which.
        address: Multiaddr,
        /// What the system says.
        reason: String,
    },
    /// The parts don't fit together.
    #[error("cannot set up the network: {0}")]
    Setup(String),
}

/// The queue of transactions to be gossiped is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many transactions wait to be sent to peers")]
pub struct PublishFull;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Longer than any message.
    #[error("a message of {0} bytes is longer than the {MAIL_BYTES_MAX} that are forwarded")]
    TooLong(usize),
    /// Not connected to that peer.
    #[error("not connected to {0}")]
    NotConnected(PeerId),
    /// Too many requests at once.
    #[error("too many requests wait")]
    Busy,
    /// The peer did not answer.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The swarm has stopped.
    #[error("the network is shut down")]
    Stopped,
}

/// Whom the swarm knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    /// Network keys of the bureaus: no others are let in.
    pub keys: BTreeSet<PublicKey>,
    /// Where they listen, besides the configured addresses.
    pub addresses: Vec<PeerAddress>,
}

/// What the swarm is started with.
pub struct Setup {
    /// Local policy.
    pub config: NetworkConfig,
    /// This node's network key.
    pub secret: SecretKey,
    /// The chain.
    pub chain: ChainId,
    /// Whom to let in and where they are; when it changes, connections of others are closed.
    pub members: watch::Receiver<Peers>,
    /// This node's tip, to be told to peers.
    pub tip: watch::Receiver<TipStatus>,
    /// This node's clock.
    pub clock: fn() -> TimeMs,
}

/// A request to the swarm's task.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) peer: PeerId,
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Result<Response, RequestError>>,
}

/// The running swarm. Clones speak to the same one; it stops by [`Self::shutdown`] or when all are gone.
#[derive(Clone)]
pub struct NetworkHandle {
    inner: Arc<Inner>,
}

struct Inner {
    local: PeerId,
    address: Multiaddr,
    publish: mpsc::Sender<Bytes>,
    requests: mpsc::Sender<Asked>,
    peers: watch::Receiver<Vec<PeerInfo>>,
    refused: watch::Receiver<Vec<RefusedPeer>>,
    metrics: Arc<NetworkMetrics>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Binds the address and starts the swarm. What peers send goes to `inbound`; when that is full it is dropped.
pub async fn start(setup: Setup, inbound: mpsc::Sender<Inbound>) -> Result<NetworkHandle, NetworkError> {
    let Setup { config, secret, chain, members, tip, clock } = setup;
    let (mut swarm, topic) = behaviour::swarm(&config, &chain, keypair(&secret))?;
    let address = listen(&mut swarm, &config.listen.0).await?;
    let local = *swarm.local_peer_id();
    let metrics = Arc::new(NetworkMetrics::default());
    let (publish, publish_queue) = mpsc::channel(config.publish_queue_max.max(1));
    let (requests, request_queue) = mpsc::channel(REQUEST_QUEUE_MAX);
    let (peers_sender, peers) = watch::channel(Vec::new());
    let (refused_sender, refused) = watch::channel(Vec::new());
    let (stop, stopped) = watch::channel(false);
    let channels = Channels {
        publish: publish_queue,
        requests: request_queue,
        inbound,
        members,
        tip,
        peers: peers_sender,
        refused: refused_sender,
        stopped,
    };
    let task = Task::new(swarm, topic, &config, clock, channels, Arc::clone(&metrics));
    let task = Mutex::new(Some(tokio::spawn(task.run())));
    let inner = Inner { local, address, publish, requests, peers, refused, metrics, stop, task };
    Ok(NetworkHandle { inner: Arc::new(inner) })
}

async fn listen(swarm: &mut Swarm<Behaviour>, address: &Multiaddr) -> Result<Multiaddr, NetworkError> {
    let failed = |reason: String| NetworkError::Listen { address: address.clone(), reason };
    check_free(address).map_err(|error| failed(error.to_string()))?;
    swarm.listen_on(address.clone()).map_err(|error| failed(error.to_string()))?;
    let bound = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => return Ok(address),
                SwarmEvent::ListenerClosed { reason: Err(error), .. } => return Err(error.to_string()),
                SwarmEvent::ListenerClosed { reason: Ok(()), .. } => return Err("listener closed".to_owned()),
                SwarmEvent::ListenerError { error, .. } => return Err(error.to_string()),
                _ => {}
            }
        }
    };
    let bound = tokio::time::timeout(LISTEN_MAX, bound).await;
    bound.unwrap_or_else(|_| Err("not bound in time".to_owned())).map_err(failed)
}

/// libp2p sets `SO_REUSEPORT`, under which a second process of the same user binds the same port without an error and
/// gets some of the connections. A socket without it does not.
fn check_free(address: &Multiaddr) -> std::io::Result<()> {
    let (mut ip, mut port) = (None, 0);
    for part in address {
        match part {
            Protocol::Ip4(v4) => ip = Some(IpAddr::V4(v4)),
            Protocol::Ip6(v6) => ip = Some(IpAddr::V6(v6)),
            Protocol::Tcp(tcp) => port = tcp,
            _ => {}
        }
    }
    match ip {
        Some(ip) if port != 0 => TcpListener::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}

impl NetworkHandle {
    /// This node's peer id.
    pub fn local_peer(&self) -> PeerId {
        self.inner.local
    }
    /// Where it listens, with the port that was picked; of several interfaces the first.
    pub fn address(&self) -> &Multiaddr {
        &self.inner.address
    }
    /// Gossips a transaction, with others in one message. It must have passed this node's checks.
    pub fn publish(&self, transaction: Bytes) -> Result<(), PublishFull> {
        self.inner.publish.try_send(transaction).map_err(|_| {
            metrics::count(&self.inner.metrics.unpublished_transactions_total);
            PublishFull
        })
    }
    /// Asks a connected peer.
    pub async fn request(&self, peer: PeerId, request: Request) -> Result<Response, RequestError> {
        if request.size() > MAIL_BYTES_MAX {
            return Err(RequestError::TooLong(request.size()));
        }
        let (answer, answered) = oneshot::channel();
        self.inner.requests.try_send(Asked { peer, request, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RequestError::Busy,
            mpsc::error::TrySendError::Closed(_) => RequestError::Stopped,
        })?;
        answered.await.unwrap_or(Err(RequestError::Stopped))
    }
    /// The connected peers, and news of them.
    pub fn peers(&self) -> watch::Receiver<Vec<PeerInfo>> {
        self.inner.peers.clone()
    }
    /// Peers that were refused or not reached, not long ago.
    pub fn refused(&self) -> watch::Receiver<Vec<RefusedPeer>> {
        self.inner.refused.clone()
    }
    /// What was counted.
    pub fn metrics(&self) -> Arc<NetworkMetrics> {
        Arc::clone(&self.inner.metrics)
    }
    /// Closes all connections and waits until the swarm is gone.
    pub async fn shutdown(&self) {
        self.inner.stop.send_replace(true);
        let task = self.inner.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It ends by itself; a panic inside has been reported by then.
            let _ = task.await;
        }
    }
}
