//! The parts of a node, wired.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::ChainRef;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::limits::{BLOCK_BYTES_MAX, GENESIS_BYTES_MAX};
use kanhe_proto::validators::{Address, ValidatorSet};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::delivery::Delivery;
use super::diagnosis::{Diagnoser, Known};
use super::error::RunError;
use super::governance::Duties;
use super::joining::Joining;
use super::keys::{PassphraseSource, open_secret};
use super::serving::Serving;
use super::{Pool, descriptors, forgetting, home, inbound, now, peers, ports, scrub, watchers};
use crate::admin::{Admin, AdminSocket};
use crate::api::{Api, PostOffice, Sponsor, Tls};
use crate::bounded_file;
use crate::case_files::{CaseFiles, Room, Store};
use crate::chain::{Chain, ChainAdmission};
use crate::config::Config;
use crate::consensus::guard::GuardError;
use crate::consensus::{self, ConsensusConfig, Fatal, Guard, Handle, ValidatorKey};
use crate::mempool::Mempool;
use crate::network::{self, NetworkHandle};
use crate::storage::{Closing, Staging, Storage, StorageError};

/// Time that open requests get at the end.
const API_END: Duration = Duration::from_secs(5);

/// A home that was opened: all that can be wrong with it has been found.
pub struct Opened {
    config: Config,
    home: PathBuf,
    genesis: Genesis,
    network_key: SecretKey,
    validator: Option<ValidatorKey>,
    next: Option<Arc<dyn Signer>>,
    chain: Arc<Chain>,
    files: Store,
    tls: Option<Arc<Tls>>,
}

/// How a node ended that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Asked,
    /// The next validator key counts from now on: the node is to be started again, with it.
    HandedOver,
}

/// A running node.
pub struct Node {
    chain: Arc<Chain>,
    network: NetworkHandle,
    consensus: Handle,
    api: JoinHandle<io::Result<()>>,
    api_stop: watch::Sender<bool>,
    /// Set when it is asked to end over the admin socket.
    stop: watch::Receiver<bool>,
    tasks: Vec<JoinHandle<()>>,
    handed_over: watch::Receiver<bool>,
}

/// Reads the founders' file of a home.
pub fn read_genesis(home: &Path, config: &Config) -> Result<Genesis, RunError> {
    let path = home.join(&config.genesis);
    let bytes = bounded_file::read(&path, GENESIS_BYTES_MAX)
        .map_err(|source| RunError::GenesisFile { path: path.clone(), source })?;
    Genesis::from_bytes(&bytes).map_err(|source| RunError::Genesis { path, source })
}

/// Opens a home: keys, database, chain, guard. Blocks on disk.
///
/// A home that rejoins may be older than what its validator signed: what is missing is founded again to be filled by
/// peers, and the guard is silent until it cannot contradict what it may have forgotten.
pub fn open(
    home: &Path,
    mut config: Config,
    passphrase_file: Option<PathBuf>,
    rejoin: bool,
) -> Result<Opened, RunError> {
    descriptors::raise(&config)?;
    let tls = config.api.tls.as_ref().map(|section| Tls::open(home, section)).transpose()?.map(Arc::new);
    let genesis = read_genesis(home, &config)?;
    let chain_id = genesis.chain_id();
    let passphrase = PassphraseSource::of(home, &config, passphrase_file).read()?;
    let network_key = open_secret(&home.join(&config.keys.network), KeyFileRole::Network, &passphrase)?;
    let secret = |path: &Option<PathBuf>| match path {
        Some(path) => open_secret(&home.join(path), KeyFileRole::Validator, &passphrase).map(Some),
        None => Ok(None),
    };
    let (mut validator_key, mut next) = (secret(&config.keys.validator)?, secret(&config.keys.validator_next)?);
    let storage = match Storage::open(&home::chain(home), &chain_id) {
        Err(StorageError::Gone(_) | StorageError::NotInitialised(_)) if rejoin => {
            tracing::warn!("there is no database here: all blocks come from peers");
            Storage::create_again(&home::chain(home), &genesis)?
        }
        opened => opened?,
    };
    let chain = Chain::open(Arc::new(storage), config.chain.config(&config.consensus.timing()), Arc::new(now))?;
    let tip = chain.tip();
    let own = validator_key.as_ref().map(Signer::public_key);
    if let Some(other) = &next
        && handed_over(&tip.next_validators, own.as_ref(), &other.public_key())
    {
        take_next(home, &mut config);
        validator_key = next.take();
    }
    let validator = match (validator_key, &config.keys.validator) {
        (Some(key), Some(path)) => Some(open_guard(&home::guard_of(home, path), &genesis, key, rejoin)?),
        _ => None,
    };
    if let (true, Some(key), Some(path)) = (rejoin, &next, &config.keys.validator_next) {
        // What is restored here may be older than what the next key signed; it takes over after this start.
        drop(open_guard(&home::guard_beside(&home.join(path)), &genesis, key.clone(), true)?);
    }
    let room = Room {
        bytes_max: config.case_files.bytes_max,
        case_bytes_max: config.case_files.case_bytes_max,
        free_min: config.case_files.free_bytes_min,
    };
    let files = Store::open(home::case_files(home), chain_id, config.bureau, room)?;
    let next = next.map(|key| Arc::new(key) as Arc<dyn Signer>);
    tracing::info!(chain = %chain_id, height = %tip.header.height, header = %tip.hash, "home opened");
    let (home, chain) = (home.to_owned(), Arc::new(chain));
    Ok(Opened { config, home, genesis, network_key, validator, next, chain, files, tls })
}

/// Whether the next key of a validator counts in a set and the one before, if there is one, does not.
pub(super) fn handed_over(set: &ValidatorSet, key: Option<&PublicKey>, next: &PublicKey) -> bool {
    let counts = |key: &PublicKey| set.get(&Address::of(key)).is_some();
    counts(next) && !key.is_some_and(counts)
}

/// The next validator key becomes the one of this home. Key and guard before it stay where they are. Where the
/// configuration cannot be written each start finds the same by the chain.
fn take_next(home: &Path, config: &mut Config) {
    let before = std::mem::replace(&mut config.keys.validator, config.keys.validator_next.take());
    tracing::warn!(before = ?before, now = ?config.keys.validator, "this validator has changed its key");
    if let Err(error) = config.save(home) {
        tracing::warn!(
            "config.toml could not be written ({error}): name the next key as `validator` in [keys] yourself"
        );
    }
}

fn open_guard(path: &Path, genesis: &Genesis, key: SecretKey, rejoin: bool) -> Result<ValidatorKey, RunError> {
    let guard = match path.exists() {
        true => Guard::open(path, &genesis.chain(), &key.public_key())?,
        false if rejoin => Guard::create(path, &genesis.chain(), &key.public_key(), true)?,
        false => return Err(RunError::GuardMissing(path.to_owned())),
    };
    if let Some(height) = guard.moved() {
        return Err(RunError::Moved(height));
    }
    if rejoin {
        tracing::warn!("rejoining: this validator signs nothing until it cannot contradict what it signed before");
        guard.rejoin().map_err(GuardError::from)?;
    }
    Ok(ValidatorKey { signer: Arc::new(key), guard: Arc::new(guard) })
}

impl Opened {
    /// Gets the state by a snapshot if this node has no blocks, its configuration says so and a peer is far enough
    /// ahead; changes nothing otherwise, or if nobody hands one over.
    pub async fn catch_up(self) -> Result<Self, RunError> {
        let folder = home::chain(&self.home);
        if self.chain.tip().header.height.0 > 0 {
            Staging::discard(&folder)?;
            return Ok(self);
        }
        if self.config.sync.snapshot_above == 0 {
            return Ok(self);
        }
        let members = self.chain.snapshot()?.members()?;
        let (_members, swarm) = watch::channel(peers::joining(&members, &self.config.network.peers));
        let (_tip, tip) = watch::channel(watchers::tip_status(&self.chain));
        // Nothing is worked on yet: what peers send is dropped.
        let (inbound_sender, mut inbound) = mpsc::channel(1);
        let dropping = tokio::spawn(async move { while inbound.recv().await.is_some() {} });
        let setup = network::Setup {
            config: self.config.network.clone(),
            secret: self.network_key.clone(),
            chain: self.genesis.chain_id(),
            members: swarm,
            tip,
            clock: now,
        };
        let network = network::start(setup, inbound_sender).await?;
        let joining = Joining { dir: &folder, genesis: &self.genesis, network: &network };
        let fetched = if is_far_ahead(&network, &self.config).await { joining.fetch().await } else { Ok(None) };
        network.shutdown().await;
        dropping.abort();
        let Some((staging, offer)) = fetched? else {
            tracing::info!("no snapshot: all blocks come from peers");
            return Ok(self);
        };
        let Self { config, home, genesis, network_key, validator, next, chain, files, tls } = self;
        // The database of genesis alone is closed, so that the other can take its place.
        drop(chain);
        let (chain_id, chain_config) = (genesis.chain_id(), config.chain.config(&config.consensus.timing()));
        let replace = move || -> Result<Chain, RunError> {
            staging.finish(&offer)?;
            Ok(Chain::open(Arc::new(Storage::open(&folder, &chain_id)?), chain_config, Arc::new(now))?)
        };
        let replaced = tokio::task::spawn_blocking(replace).await;
        let source = |error: tokio::task::JoinError| io::Error::other(error.to_string());
        let chain = replaced.map_err(|error| RunError::System { what: "the snapshot", source: source(error) })??;
        tracing::info!(height = %chain.base(), "joined by a snapshot: there are no blocks from before here");
        Ok(Self { config, home, genesis, network_key, validator, next, chain: Arc::new(chain), files, tls })
    }

    /// Starts all parts.
    pub async fn start(self) -> Result<Node, RunError> {
        let Self { config, home, genesis, network_key, validator, next, chain, files, tls } = self;
        let socket = match config.admin.socket.as_os_str().is_empty() {
            true => None,
            false => Some(AdminSocket::bind(&home.join(&config.admin.socket))?),
        };
        ports::check_free("the consensus engine", &config.consensus.listen.0)?;
        let address = config.api.listen;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| RunError::Listen { what: "the API", address, source })?;

        let admission = Arc::new(ChainAdmission::new(&chain));
        let pool: Arc<Pool> = Arc::new(Mempool::new(&config.mempool, admission, chain.tip().header.time));
        chain.connect(Arc::<Pool>::clone(&pool));

        let members = chain.snapshot()?.members()?;
        let (swarm_sender, swarm) = watch::channel(peers::swarm(&members));
        let own = network_key.public_key();
        let (engine_sender, engine) = watch::channel(peers::engine(&members, &config.consensus.peers, &own));
        let (tip_sender, tip) = watch::channel(watchers::tip_status(&chain));
        let (inbound_sender, inbound) = mpsc::channel(config.network.inbound_max.max(1));
        let setup = network::Setup {
            config: config.network.clone(),
            secret: network_key.clone(),
            chain: genesis.chain_id(),
            members: swarm,
            tip,
            clock: now,
        };
        let network = network::start(setup, inbound_sender).await?;
        let mail = Arc::new(PostOffice::new(genesis.chain_id(), config.bureau, config.api.mail_max));
        let files = Arc::new(CaseFiles::new(files, now));
        let chain_id = genesis.chain_id();
        let unclaimed = SpanMs(config.case_files.unclaimed_seconds.saturating_mul(1_000));

        let serving = Arc::new(Serving::new(Arc::clone(&chain)));

        let role = if validator.is_some() { "validator" } else { "follower" };
        let signer = validator.as_ref().map(|validator| Arc::clone(&validator.signer));
        let validator_address = signer.as_ref().map(|signer| Address::of(&signer.public_key()));
        let settings = consensus_config(&config, &home, &genesis, network_key, engine);
        let application: Arc<dyn consensus::Application> = Arc::<Chain>::clone(&chain);
        let consensus = consensus::start(settings, application, validator).await?;

        let engine_peers = config.consensus.peers.clone();
        let sponsor = config.bureau.zip(signer.clone()).map(|(bureau, signer)| Sponsor::new(bureau, signer));
        let (api_stop, stopped) = watch::channel(false);
        let (damage, damage_found) = watch::channel(None);
        let diagnoser = Arc::new(Diagnoser {
            name: config.name.clone(),
            bureau: config.bureau,
            home,
            clock_drift_ms: config.chain.clock_drift_ms,
            own: own.clone(),
            validator: validator_address,
            chain_ref: ChainRef::new(genesis.name.clone(), &genesis.chain_id()),
            chain: Arc::clone(&chain),
            pool: Arc::clone(&pool),
            network: network.clone(),
            consensus: consensus.status(),
            observer: consensus.observer(),
            damaged: damage_found.clone(),
            known: Mutex::new(Known::default()),
        });
        let api = Api {
            diagnoser: Arc::clone(&diagnoser),
            config: config.api.clone(),
            genesis: Arc::new(genesis),
            chain: Arc::clone(&chain),
            pool: Arc::clone(&pool),
            network: network.clone(),
            consensus: consensus.status(),
            mail: Arc::clone(&mail),
            files: Arc::clone(&files),
            damaged: damage_found,
            tls: tls.clone(),
            sponsor,
        };
        let (stop_sender, stop) = watch::channel(false);
        let admin = Admin {
            name: config.name.clone(),
            chain: Arc::clone(&chain),
            pool: Arc::clone(&pool),
            network: network.clone(),
            consensus: consensus.status(),
            diagnoser,
            tls,
            stop: stop_sender,
        };
        let scheme = if api.tls.is_some() { "https" } else { "http" };
        tracing::info!(name = config.name, role, api = %address, scheme, swarm = %network.address(), "node started");
        let api = tokio::spawn(api.serve(listener, stopped));
        let clocks = watchers::watch_clocks(network.peers());
        let (handed, handed_over) = watch::channel(false);
        let duties = Duties {
            chain: Arc::clone(&chain),
            pool: Arc::clone(&pool),
            network: network.clone(),
            signer,
            next,
            handed_over: handed,
            swarm: swarm_sender,
            engine: engine_sender,
            engine_peers,
            own,
        };
        let follow = watchers::follow_tip(Arc::clone(&chain), tip_sender);
        let admin = async move {
            let served = match socket {
                Some(socket) => admin.serve(socket).await,
                // Its sender must live as long as the node.
                None => std::future::pending().await,
            };
            tracing::error!(error = ?served, "the admin socket ended");
        };
        let delivery = Delivery::new(Arc::clone(&files), Arc::clone(&chain), network.clone());
        let tasks = vec![
            tokio::spawn(admin),
            tokio::spawn(delivery.serve()),
            tokio::spawn(forgetting::forget(Arc::clone(&files), Arc::clone(&chain), unclaimed)),
            tokio::spawn(inbound::serve(inbound, pool, mail, files, (chain_id, Arc::clone(&chain)), serving)),
            tokio::spawn(clocks),
            tokio::spawn(scrub::scrub(Arc::clone(chain.storage()), damage)),
            tokio::spawn(follow),
            tokio::spawn(duties.serve()),
        ];
        Ok(Node { chain, network, consensus, api, api_stop, stop, tasks, handed_over })
    }
}

/// Whether a peer has more blocks than the configuration says, when all configured ones have told their tip or there
/// was time enough for it.
async fn is_far_ahead(network: &NetworkHandle, config: &Config) -> bool {
    const PAUSE: Duration = Duration::from_millis(50);
    let until = Instant::now() + Duration::from_millis(config.sync.wait_ms);
    let expected = config.network.peers.len().max(1);
    loop {
        let tips: Vec<u64> =
            network.peers().borrow().iter().filter_map(|info| info.status.map(|status| status.height.0)).collect();
        if tips.len() >= expected || Instant::now() >= until {
            return tips.into_iter().any(|tip| tip > config.sync.snapshot_above);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn consensus_config(
    config: &Config,
    home: &Path,
    genesis: &Genesis,
    network_key: SecretKey,
    peers: watch::Receiver<consensus::Wanted>,
) -> ConsensusConfig {
    let bytes_max = usize::try_from(genesis.parameters.block_bytes_max).unwrap_or(BLOCK_BYTES_MAX);
    ConsensusConfig {
        chain: genesis.chain(),
        moniker: config.name.clone(),
        listen: config.consensus.listen.0.clone(),
        peers,
        network_key,
        wal: home::wal(home),
        body_bytes_max: bytes_max,
        timing: config.consensus.timing(),
    }
}

impl Node {
    /// Tells when its database is closed, after its end.
    pub fn closing(&self) -> Closing {
        self.chain.storage().closing()
    }

    /// Runs until asked to end, or until a part cannot go on; ends the others then.
    pub async fn run(mut self, asked: impl Future<Output = ()>) -> Result<Ended, RunError> {
        let mut consensus_ended = None;
        let first = tokio::select! {
            () = asked => Ok(Ended::Asked),
            Ok(_) = self.handed_over.wait_for(|handed| *handed) => Ok(Ended::HandedOver),
            // Without its sender nobody can ask.
            Ok(_) = self.stop.wait_for(|stop| *stop) => Ok(Ended::Asked),
            ended = &mut self.consensus.join => {
                consensus_ended = Some(());
                Err(RunError::Fatal(match ended {
                    Ok(Err(fatal)) => fatal,
                    Ok(Ok(())) => Fatal::EngineStopped("without a request".to_owned()),
                    Err(panicked) => Fatal::EngineStopped(panicked.to_string()),
                }))
            }
            ended = &mut self.api => Err(RunError::Api(match ended {
                Ok(Ok(())) => "without a request".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panicked) => panicked.to_string(),
            })),
        };
        tracing::info!("ending");
        self.api_stop.send_replace(true);
        if !self.api.is_finished() && tokio::time::timeout(API_END, &mut self.api).await.is_err() {
            self.api.abort();
        }
        let stopped = match consensus_ended {
            Some(()) => Ok(()),
            None => self.consensus.stop().await.map_err(RunError::Fatal),
        };
        self.network.shutdown().await;
        self.tasks.iter().for_each(JoinHandle::abort);
        tracing::info!(height = %self.chain.tip().header.height, "ended");
        first.and_then(|ended| stopped.map(|()| ended))
    }
}
