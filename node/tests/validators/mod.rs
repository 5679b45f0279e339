//! Validators over real sockets on the loopback: chains of [`super::common`] under the consensus.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kanhe_node::chain::{Chain, ChainConfig, Offered, Room, TransactionSource};
use kanhe_node::consensus::guard::{self, Guard};
use kanhe_node::consensus::{Application, ConsensusConfig, Fatal, Handle, StartError, Timing, ValidatorKey, start};
use kanhe_node::ledger::Code;
use kanhe_node::network::peer_id;
use kanhe_node::storage::Storage;
use kanhe_proto::hash::{HeaderHash, TransactionId, sha256};
use kanhe_proto::ids::{Height, SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signature, Signer};
use kanhe_proto::registry::Parameters;
use kanhe_proto::transaction::Transaction;
use tokio::sync::watch;

use super::common::World;

pub fn now() -> TimeMs {
    TimeMs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}

/// Transactions that wait at one node.
pub struct Queue {
    /// Microseconds that execution is held up by each transaction, both where a block is built and where one is checked.
    pub slow: AtomicU64,
    waiting: Mutex<BTreeMap<TransactionId, Offered>>,
    work: watch::Sender<bool>,
}

impl Queue {
    fn new() -> Arc<Self> {
        Arc::new(Self { slow: AtomicU64::new(0), waiting: Mutex::default(), work: watch::Sender::new(false) })
    }
    pub fn offer(&self, transaction: &Transaction) {
        let offered = Offered { id: transaction.body.id(), bytes: transaction.to_bytes().into() };
        let mut waiting = self.waiting.lock().unwrap();
        waiting.insert(offered.id, offered);
        self.work.send_replace(true);
    }
    pub fn len(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }
    fn drop_all<'a>(&self, ids: impl Iterator<Item = &'a TransactionId>) {
        let mut waiting = self.waiting.lock().unwrap();
        ids.for_each(|id| drop(waiting.remove(id)));
        self.work.send_replace(!waiting.is_empty());
    }
}

impl TransactionSource for Queue {
    fn take(&self, room: &Room) -> Vec<Offered> {
        self.waiting.lock().unwrap().values().take(room.count).cloned().collect()
    }
    fn committed(&self, ids: &[TransactionId], _: Height, _: TimeMs) {
        self.drop_all(ids.iter());
    }
    fn reject(&self, id: &TransactionId, _: Code) {
        self.drop_all(std::iter::once(id));
    }
    fn work(&self) -> watch::Receiver<bool> {
        self.work.subscribe()
    }
    fn is_verified(&self, _: &TransactionId, _: &Signature) -> bool {
        let slow = self.slow.load(Ordering::Relaxed);
        if slow > 0 {
            std::thread::sleep(Duration::from_micros(slow));
        }
        false
    }
    fn verified(&self, _: TransactionId, _: Signature) {}
}

/// A network that can be started node by node.
pub struct Net {
    pub world: World,
    pub dir: PathBuf,
    pub ports: Vec<u16>,
    pub timing: Timing,
}

pub fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// `KANHE_TEST_LOG=debug` shows what the engine does.
fn log() {
    if let Ok(filter) = std::env::var("KANHE_TEST_LOG") {
        let _ =
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).try_init();
    }
}

pub fn fast() -> Timing {
    Timing { listen: Duration::from_millis(300), peers: Duration::from_secs(5), ..Timing::default() }
}

impl Net {
    /// Homes of so many validators under a folder.
    pub fn create(dir: &Path, bureaus: usize, heartbeat_ms: u64) -> Self {
        let net = Self::open(dir, bureaus, heartbeat_ms, free_ports(bureaus));
        for node in 0..bureaus {
            std::fs::create_dir_all(net.home(node)).unwrap();
            drop(Storage::create(&net.home(node).join("db"), &net.world.genesis).unwrap());
            let key = net.key(node).public_key();
            drop(Guard::create(&net.guard(node), &net.world.chain(), &key, false).unwrap());
        }
        net
    }
    /// Homes that exist.
    pub fn open(dir: &Path, bureaus: usize, heartbeat_ms: u64, ports: Vec<u16>) -> Self {
        let parameters = Parameters { heartbeat: SpanMs(heartbeat_ms), ..Parameters::default() };
        Self { world: World::with(bureaus, parameters), dir: dir.to_owned(), ports, timing: fast() }
    }

    pub fn key(&self, node: usize) -> &SecretKey {
        &self.world.offices[node].validator
    }
    pub fn home(&self, node: usize) -> PathBuf {
        self.dir.join(node.to_string())
    }
    pub fn guard(&self, node: usize) -> PathBuf {
        self.home(node).join("guard")
    }
    pub fn wal(&self, node: usize) -> PathBuf {
        self.home(node).join("consensus.wal")
    }
    fn network_key(node: usize) -> SecretKey {
        SecretKey::from_seed(sha256(&[b"network", &[node as u8]]))
    }

    pub fn config(&self, node: usize) -> ConsensusConfig {
        let address = |other: usize| {
            let peer = peer_id(&Self::network_key(other).public_key()).unwrap();
            (peer, format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", self.ports[other]).parse().unwrap())
        };
        let others = (0..self.ports.len()).filter(|other| *other != node);
        ConsensusConfig {
            chain: self.world.chain(),
            moniker: format!("node-{node}-{}", self.ports[node]),
            listen: format!("/ip4/127.0.0.1/tcp/{}", self.ports[node]).parse().unwrap(),
            peers: watch::channel(others.map(address).collect()).1,
            network_key: Self::network_key(node),
            wal: self.wal(node),
            body_bytes_max: 4 << 20,
            timing: self.timing,
        }
    }

    /// A thread of a node that just stopped may hold its database for a moment.
    async fn storage(&self, node: usize) -> Storage {
        let (home, until) = (self.home(node).join("db"), Instant::now() + Duration::from_secs(5));
        loop {
            match Storage::open(&home, &self.world.genesis.chain_id()) {
                Ok(storage) => return storage,
                Err(error) if Instant::now() < until => eprintln!("node {node}: {error}"),
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn start(&self, node: usize) -> Node {
        let signer: Arc<dyn Signer> = Arc::new(self.key(node).clone());
        self.start_with(node, signer, |chain| chain).await
    }

    pub async fn start_with(
        &self,
        node: usize,
        signer: Arc<dyn Signer>,
        wrap: impl Fn(Arc<Chain>) -> Arc<dyn ApplicationOf>,
    ) -> Node {
        log();
        let storage = self.storage(node).await;
        let chain = Arc::new(Chain::open(Arc::new(storage), ChainConfig::default(), Arc::new(now)).unwrap());
        let queue = Queue::new();
        chain.connect(Arc::<Queue>::clone(&queue));
        let key = self.key(node).public_key();
        let guard = Arc::new(Guard::open(&self.guard(node), &self.world.chain(), &key).unwrap());
        let validator = ValidatorKey { signer, guard };
        let until = Instant::now() + Duration::from_secs(5);
        let handle = loop {
            let app = wrap(Arc::clone(&chain)).into_application();
            match start(self.config(node), app, Some(validator.clone())).await {
                Ok(handle) => break handle,
                // An engine that just stopped frees its log a moment later.
                Err(StartError::Engine(reason)) if Instant::now() < until => {
                    eprintln!("node {node}: {reason}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        Node { chain, queue, handle }
    }

    /// No guard signed twice.
    pub fn check_guards(&self) {
        for node in 0..self.ports.len() {
            let entries = guard::read(&self.guard(node)).unwrap();
            assert_eq!(guard::double_signs(&entries), [], "node {node}");
        }
    }
}

/// A chain, or a wrapper of one.
pub trait ApplicationOf: Send + Sync {
    fn into_application(self: Arc<Self>) -> Arc<dyn Application>;
}
impl<T: Application> ApplicationOf for T {
    fn into_application(self: Arc<Self>) -> Arc<dyn Application> {
        self
    }
}

pub struct Node {
    pub chain: Arc<Chain>,
    pub queue: Arc<Queue>,
    pub handle: Handle,
}

impl Node {
    pub fn height(&self) -> Height {
        self.chain.tip().header.height
    }
    pub fn hash(&self, height: u64) -> Option<HeaderHash> {
        self.chain.storage().read().header(Height(height)).unwrap().map(|header| header.hash())
    }
    pub async fn reach(&self, height: u64, limit: Duration) {
        let mut committed = self.chain.committed();
        let reached = tokio::time::timeout(limit, committed.wait_for(|at| at.0 >= height)).await;
        assert!(reached.is_ok(), "at {} instead of {height} after {limit:?}", self.height());
    }
    pub async fn stop(self) -> Result<(), Fatal> {
        self.handle.stop().await
    }
}

/// All nodes hold the same headers up to the lowest tip; gives it.
pub fn same_chain(nodes: &[&Node]) -> u64 {
    let lowest = nodes.iter().map(|node| node.height().0).min().unwrap();
    for height in 0..=lowest {
        let first = nodes[0].hash(height);
        assert!(first.is_some());
        assert!(nodes.iter().all(|node| node.hash(height) == first), "height {height}");
    }
    lowest
}
