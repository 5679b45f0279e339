//! The parts of a node, wired.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::limits::BLOCK_BYTES_MAX;
use kanhe_proto::validators::{Address, ValidatorSet};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::error::RunError;
use super::governance::Duties;
use super::keys::{PassphraseSource, open_secret};
use super::{Pool, descriptors, home, inbound, now, peers, ports, scrub, watchers};
use crate::api::{Api, PostOffice};
use crate::chain::{Chain, ChainAdmission};
use crate::config::Config;
use crate::consensus::guard::GuardError;
use crate::consensus::{self, ConsensusConfig, Fatal, Guard, Handle, ValidatorKey};
use crate::mempool::Mempool;
use crate::network::{self, NetworkHandle};
use crate::storage::{Storage, StorageError};

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
    tasks: Vec<JoinHandle<()>>,
    handed_over: watch::Receiver<bool>,
}

/// Reads the founders' file of a home.
pub fn read_genesis(home: &Path, config: &Config) -> Result<Genesis, RunError> {
    let path = home.join(&config.genesis);
    let bytes = fs::read(&path).map_err(|source| RunError::GenesisFile { path: path.clone(), source })?;
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
    let chain = Chain::open(Arc::new(storage), config.chain.config(), Arc::new(now))?;
    let tip = chain.tip();
    if let (Some(key), Some(other)) = (&validator_key, &next)
        && handed_over(&tip.next_validators, &key.public_key(), &other.public_key())
    {
        take_next(home, &mut config)?;
        validator_key = next.take();
    }
    let validator = match (validator_key, &config.keys.validator) {
        (Some(key), Some(path)) => Some(open_guard(&home::guard_of(home, path), &genesis, key, rejoin)?),
        _ => None,
    };
    let next = next.map(|key| Arc::new(key) as Arc<dyn Signer>);
    tracing::info!(chain = %chain_id, height = %tip.header.height, header = %tip.hash, "home opened");
    Ok(Opened { config, home: home.to_owned(), genesis, network_key, validator, next, chain: Arc::new(chain) })
}

/// Whether the next key of a validator counts in a set and the one before does not.
pub(super) fn handed_over(set: &ValidatorSet, key: &PublicKey, next: &PublicKey) -> bool {
    let counts = |key: &PublicKey| set.get(&Address::of(key)).is_some();
    counts(next) && !counts(key)
}

/// The next validator key becomes the one of this home. Key and guard before it stay where they are.
fn take_next(home: &Path, config: &mut Config) -> Result<(), RunError> {
    let before = std::mem::replace(&mut config.keys.validator, config.keys.validator_next.take());
    let failed = |source| RunError::System { what: "the configuration could not be written", source };
    config.save(home).map_err(failed)?;
    tracing::warn!(before = ?before, now = ?config.keys.validator, "this validator has changed its key");
    Ok(())
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
    /// Starts all parts.
    pub async fn start(self) -> Result<Node, RunError> {
        let Self { config, home, genesis, network_key, validator, next, chain } = self;
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

        let role = if validator.is_some() { "validator" } else { "follower" };
        let signer = validator.as_ref().map(|validator| Arc::clone(&validator.signer));
        let settings = consensus_config(&config, &home, &genesis, network_key, engine);
        let application: Arc<dyn consensus::Application> = Arc::<Chain>::clone(&chain);
        let consensus = consensus::start(settings, application, validator).await?;

        let engine_peers = config.consensus.peers.clone();
        let (api_stop, stopped) = watch::channel(false);
        let (damage, damage_found) = watch::channel(None);
        let api = Api {
            config: config.api.clone(),
            genesis: Arc::new(genesis),
            chain: Arc::clone(&chain),
            pool: Arc::clone(&pool),
            network: network.clone(),
            consensus: consensus.status(),
            mail: Arc::clone(&mail),
            damaged: damage_found,
        };
        tracing::info!(name = config.name, role, api = %address, swarm = %network.address(), "node started");
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
        let tasks = vec![
            tokio::spawn(inbound::serve(inbound, pool, mail)),
            tokio::spawn(clocks),
            tokio::spawn(scrub::scrub(Arc::clone(chain.storage()), damage)),
            tokio::spawn(follow),
            tokio::spawn(duties.serve()),
        ];
        Ok(Node { chain, network, consensus, api, api_stop, tasks, handed_over })
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
    /// Runs until asked to end, or until a part cannot go on; ends the others then.
    pub async fn run(mut self, asked: impl Future<Output = ()>) -> Result<Ended, RunError> {
        let mut consensus_ended = None;
        let first = tokio::select! {
            () = asked => Ok(Ended::Asked),
            Ok(_) = self.handed_over.wait_for(|handed| *handed) => Ok(Ended::HandedOver),
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
