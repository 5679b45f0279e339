//! Starting the engine: its configuration from ours, its network identity, its log, and the caution of the start.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::codec;
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::limits::BLOCK_BYTES_MAX;
use kanhe_proto::validators::Address as ValidatorAddress;
use kanhe_proto::vote::ChainContext;
use libp2p::Multiaddr;
use malachite::{ConsensusContext, NetworkContext, NetworkIdentity, RequestContext, SyncContext, WalContext};
use malachite_app::config::{ConsensusConfig as EngineConsensus, NodeConfig, PubSubProtocol, ValueSyncConfig};
use malachite_app::types::Keypair;
use malachite_codec::Codec as _;
use malachite_signing::Signer as _;
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;

use super::app::{Run, Settings, Status};
use super::application::Application;
use super::codec::EngineCodec;
use super::context::{Address, KanheContext};
use super::fatal::{Fatal, FatalSender};
use super::guard::{Guard, GuardError, UNTOLD};
use super::observer::Observer;
use super::peers::{self, Wanted};
use super::signer::{VoteSigner, VoteVerifier};
use super::tips::StatusKey;
use super::wal::{self, WalState};
use super::watch::{Own, Watch};

/// Blocks in one request of a node that catches up.
const SYNC_BATCH: usize = 8;

/// Peers for which there is room however few the chain begins with.
const ENGINE_PEERS: usize = 128;

/// Of the wait for a proposal, building it and checking it get one part each.
const PROPOSE_PARTS: u64 = 4;

/// How long things take on the network at hand. The defaults are for one city's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Wait for a proposal before voting for nil; half as much more in each round.
    pub propose: Duration,
    /// Wait for the other votes after a quorum that does not agree; half as much more in each round.
    pub vote: Duration,
    /// Shortest time between the starts of two heights: late votes get into certificates, and who syncs gets a turn.
    pub target: Duration,
    /// A validator listens this long before its first signature.
    pub listen: Duration,
    /// Longest wait for peers at the start.
    pub peers: Duration,
    /// How often peers are told this node's tip.
    pub status: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            propose: Duration::from_millis(500),
            vote: Duration::from_millis(200),
            target: Duration::from_millis(50),
            listen: Duration::from_secs(2),
            peers: Duration::from_secs(10),
            status: Duration::from_secs(1),
        }
    }
}

impl Timing {
    /// How long building a block, or checking one, should take at most: both, and the way between, fit into half of what
    /// the others wait for a proposal.
    pub const fn block_work(&self) -> Duration {
        Duration::from_nanos(self.propose.as_nanos() as u64 / PROPOSE_PARTS)
    }
}

/// What the consensus of one node needs to know.
#[derive(Debug, Clone)]
pub struct ConsensusConfig {
    /// Chain and era.
    pub chain: ChainContext,
    /// Name of this node in logs and metrics.
    pub moniker: String,
    /// Where the engine listens: `/ip4/…/tcp/…`.
    pub listen: Multiaddr,
    /// The engines of the other nodes. No others are talked to.
    pub peers: channel::Receiver<Wanted>,
    /// The node's network key: the engine's peer id follows from it.
    pub network_key: SecretKey,
    /// The engine's write-ahead log; its folder exists.
    pub wal: PathBuf,
    /// Longest body that is taken, in bytes.
    pub body_bytes_max: usize,
    /// How long things take.
    pub timing: Timing,
}

/// What makes a node a validator.
#[derive(Clone)]
pub struct ValidatorKey {
    /// Holds the secret key.
    pub signer: Arc<dyn Signer>,
    /// Sees every message before it is signed.
    pub guard: Arc<Guard>,
}

/// Why the consensus did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Only TCP is used.
    #[error("{0} is not a TCP address")]
    NotTcp(Multiaddr),
    /// The network key is not one of libp2p's.
    #[error("network key: {0}")]
    NetworkKey(String),
    /// The log's file system said no.
    #[error("write-ahead log {path}: {source}")]
    Wal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The guard's file failed.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The key did not sign.
    #[error("validator key: {0}")]
    Signer(String),
    /// The engine did not start: its address is in use, or its log.
    #[error("consensus engine: {0}")]
    Engine(String),
}

/// A running consensus.
#[derive(Debug)]
pub struct Handle {
    /// Ends with the consensus: well after a shutdown, with a reason otherwise.
    pub join: JoinHandle<Result<(), Fatal>>,
    shutdown: channel::Sender<bool>,
    status: channel::Receiver<Status>,
    observer: Observer,
}

impl Handle {
    /// Asks it to stop; wait for [`Self::join`].
    pub fn shutdown(&self) {
        self.shutdown.send_replace(true);
    }
    /// What it works on.
    pub fn status(&self) -> channel::Receiver<Status> {
        self.status.clone()
    }
    /// Sees what passes by.
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }
    /// Stops and waits.
    pub async fn stop(self) -> Result<(), Fatal> {
        self.shutdown();
        self.join.await.unwrap_or_else(|panicked| Err(Fatal::EngineStopped(panicked.to_string())))
    }
}

/// The metrics of the engine, as Prometheus text.
pub fn metrics_text() -> String {
    let mut text = String::new();
    malachite_app::metrics::export(&mut text);
    text
}

fn keypair(network_key: &SecretKey) -> Result<Keypair, StartError> {
    Keypair::ed25519_from_bytes(*network_key.seed()).map_err(|error| StartError::NetworkKey(error.to_string()))
}

/// Starts engine and application loop. Without a validator key the node only follows.
pub async fn start(
    config: ConsensusConfig,
    app: Arc<dyn Application>,
    validator: Option<ValidatorKey>,
) -> Result<Handle, StartError> {
    if !config.listen.iter().any(|part| matches!(part, libp2p::multiaddr::Protocol::Tcp(_))) {
        return Err(StartError::NotTcp(config.listen));
    }
    let cautious = caution(&config, app.as_ref(), validator.as_ref())?;
    let (fatal, fatal_seen) = FatalSender::new();
    let address = validator.as_ref().map(|key| ValidatorAddress::of(&key.signer.public_key()));
    let own = validator.as_ref().zip(address).map(|(key, address)| Own {
        address,
        key: key.signer.public_key(),
        guard: Arc::clone(&key.guard),
    });
    let known = config.peers.borrow().clone();
    let watch = Arc::new(Watch::new(config.chain, &known, own, fatal.clone()));
    let vote_signer = validator.as_ref().map(|key| VoteSigner {
        signer: Arc::clone(&key.signer),
        guard: Arc::clone(&key.guard),
        chain: config.chain,
        fatal: fatal.clone(),
    });

    let status_key = StatusKey { key: config.network_key.clone(), chain: config.chain };
    let net_codec = EngineCodec::watched(Arc::clone(&watch), status_key);
    let identity = identity(&config, address, vote_signer.as_ref(), &net_codec).await?;
    let verifier = Box::new(VoteVerifier { chain: config.chain });
    // A follower's address is in no set.
    let engine_address = Address(address.unwrap_or_default());
    let consensus_context = match vote_signer {
        Some(signer) => ConsensusContext::new_validator(engine_address, verifier, Box::new(signer)),
        None => ConsensusContext::new_full_node(engine_address, verifier),
    };
    let (channels, engine) = malachite::start_engine(
        KanheContext,
        EngineConfig::new(&config, &known),
        WalContext::new(config.wal.clone(), EngineCodec::plain()),
        NetworkContext::new(identity, net_codec.clone()),
        consensus_context,
        SyncContext::new(net_codec),
        RequestContext::new(100),
    )
    .await
    .map_err(|error| StartError::Engine(format!("{error:#}")))?;
    sync_folder(&config)?;

    let (shutdown, shutdown_seen) = channel::channel(false);
    let (status_sender, status) = channel::channel(Status::default());
    let settings = Settings {
        chain: config.chain,
        timing: config.timing,
        body_bytes_max: config.body_bytes_max.min(BLOCK_BYTES_MAX),
        peers: known.len(),
        cautious,
    };
    let guard = validator.as_ref().map(|key| Arc::clone(&key.guard));
    let observer = Observer::new(channels.net_requests.clone(), Arc::clone(&watch), guard);
    tokio::spawn(peers::follow(channels.net_requests.clone(), known, config.peers, Arc::clone(&watch)));
    let run = Run::new(settings, app, validator.zip(address), watch, channels, engine, status_sender);
    let join = tokio::spawn(run.run(fatal_seen, shutdown_seen));
    Ok(Handle { join, shutdown, status, observer })
}

/// Silences the guard where this validator may have said more than it knows, and says whether it is silenced.
fn caution(
    config: &ConsensusConfig,
    app: &dyn Application,
    validator: Option<&ValidatorKey>,
) -> Result<bool, StartError> {
    let wal_error = |source| StartError::Wal { path: config.wal.clone(), source };
    let state = wal::inspect(&config.wal).map_err(wal_error)?;
    let Some(ValidatorKey { guard, .. }) = validator else { return Ok(false) };
    let highest = guard.highest();
    let next = app.tip().height.next();
    let reason = match &state {
        WalState::Damaged(aside) => Some(format!("the write-ahead log is damaged (kept as {})", aside.display())),
        WalState::Missing if highest.is_some() => Some("the write-ahead log is missing".to_owned()),
        _ if highest > Some(next) => Some("the database is older than what was signed: a backup?".to_owned()),
        _ => None,
    };
    if let Some(reason) = reason {
        tracing::warn!("{reason}; silent until a height above all that is known is decided");
        // In the file before the engine makes a new log, so that a restart remembers.
        guard.silence(UNTOLD).map_err(GuardError::from)?;
    }
    Ok(guard.silenced().is_some())
}

/// The engine syncs its log but not the folder: without the name, a power cut would lose the log.
fn sync_folder(config: &ConsensusConfig) -> Result<(), StartError> {
    let failed = |source| StartError::Wal { path: config.wal.clone(), source };
    let parent = config.wal.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or_else(|| std::path::Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

async fn identity(
    config: &ConsensusConfig,
    address: Option<ValidatorAddress>,
    signer: Option<&VoteSigner>,
    codec: &EngineCodec,
) -> Result<NetworkIdentity, StartError> {
    let keys = keypair(&config.network_key)?;
    let (Some(address), Some(signer)) = (address, signer) else {
        return Ok(NetworkIdentity::new(config.moniker.clone(), keys, None));
    };
    let public_key = codec::encode(&signer.signer.public_key());
    let peer_id = keys.public().to_peer_id().to_bytes();
    let failed = |error: &dyn std::fmt::Display| StartError::Signer(error.to_string());
    let proof = signer.sign_validator_proof(public_key, peer_id).await.map_err(|error| failed(&error))?;
    let proof = codec.encode(&proof).map_err(|error| failed(&error))?;
    Ok(NetworkIdentity::new_validator(config.moniker.clone(), keys, address.to_string(), proof))
}

#[derive(Debug, Clone)]
struct EngineConfig {
    moniker: String,
    consensus: EngineConsensus,
    value_sync: ValueSyncConfig,
}

impl EngineConfig {
    fn new(config: &ConsensusConfig, peers: &Wanted) -> Self {
        let size = |text: &str| text.parse().expect("a constant size");
        let mut consensus = EngineConsensus::default();
        let p2p = &mut consensus.p2p;
        p2p.listen_addr = config.listen.clone();
        p2p.persistent_peers = peers.values().cloned().collect();
        p2p.persistent_peers_only = true;
        p2p.protocol = PubSubProtocol::Broadcast;
        // A part, its head, and the largest certificate of a round.
        p2p.pubsub_max_size = "1 MiB".parse().expect("a constant size");
        p2p.rpc_max_size = "40 MiB".parse().expect("a constant size");
        // The list may grow while the engine runs.
        let nodes = (peers.len() + 1).max(ENGINE_PEERS);
        p2p.discovery.enabled = false;
        p2p.discovery.num_inbound_peers = nodes.max(p2p.discovery.num_inbound_peers);
        p2p.discovery.num_outbound_peers = nodes.max(p2p.discovery.num_outbound_peers);
        // All nodes of a test network share one address.
        p2p.discovery.max_connections_per_ip = 4 * nodes + 16;
        // Nodes of another chain part at the handshake.
        let chain = kanhe_proto::text::hex(&config.chain.chain_id.0[..10]);
        let era = config.chain.era;
        let names = &mut p2p.protocol_names;
        names.consensus = format!("/kanhe/{chain}/{era}/consensus/1");
        names.sync = format!("/kanhe/{chain}/{era}/sync/2");
        names.validator_proof = format!("/kanhe/{chain}/{era}/validator/1");

        let value_sync = ValueSyncConfig {
            status_update_interval: config.timing.status,
            request_timeout: Duration::from_secs(5),
            // A largest block always fits.
            max_response_size: size("20 MiB"),
            batch_size: SYNC_BATCH,
            ..ValueSyncConfig::default()
        };
        Self { moniker: config.moniker.clone(), consensus, value_sync }
    }
}

impl NodeConfig for EngineConfig {
    fn moniker(&self) -> &str {
        &self.moniker
    }
    fn consensus(&self) -> &EngineConsensus {
        &self.consensus
    }
    fn consensus_mut(&mut self) -> &mut EngineConsensus {
        &mut self.consensus
    }
    fn value_sync(&self) -> &ValueSyncConfig {
        &self.value_sync
    }
    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.value_sync
    }
}
