//! The configuration as a whole.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::SpanMs;
use serde::{Deserialize, Serialize};

use super::consensus::ConsensusSection;
use super::error::ConfigError;
use super::log::LogSection;
use super::{CONFIG_BYTES_MAX, CONFIG_FILE};
use crate::bounded_file;
use crate::chain::ChainConfig;
use crate::consensus::Timing;
use crate::mempool::MempoolConfig;
use crate::network::NetworkConfig;

/// Longest wait that the consensus may be given, in milliseconds: ten minutes.
const SPAN_MAX_MS: u64 = 600_000;

/// Configuration of a node. Paths are relative to its home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of this node in logs and metrics.
    pub name: String,
    /// The bureau whose node this is; mail to it is kept here.
    pub bureau: Option<Uscc>,
    /// The founders' file.
    pub genesis: PathBuf,
    /// File with the passphrase of the keys, mode 0600. Without one it is asked for.
    pub passphrase_file: Option<PathBuf>,
    /// Secret keys.
    pub keys: KeysSection,
    /// The HTTP API.
    pub api: ApiSection,
    /// The chain.
    pub chain: ChainSection,
    /// How a node without blocks gets them.
    pub sync: SyncSection,
    /// The consensus engine.
    pub consensus: ConsensusSection,
    /// The swarm for transactions and mail.
    pub network: NetworkConfig,
    /// Transactions that wait.
    pub mempool: MempoolConfig,
    /// Case files on their way.
    pub case_files: CaseFilesSection,
    /// Administration on this machine.
    pub admin: AdminSection,
    /// Log lines.
    pub log: LogSection,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "kanhe".to_owned(),
            bureau: None,
            genesis: "genesis.bin".into(),
            passphrase_file: None,
            keys: KeysSection::default(),
            api: ApiSection::default(),
            chain: ChainSection::default(),
            sync: SyncSection::default(),
            consensus: ConsensusSection::default(),
            network: NetworkConfig::default(),
            mempool: MempoolConfig::default(),
            case_files: CaseFilesSection::default(),
            admin: AdminSection::default(),
            log: LogSection::default(),
        }
    }
}

/// `[keys]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSection {
    /// The network key.
    pub network: PathBuf,
    /// The validator key; without one the node only follows.
    pub validator: Option<PathBuf>,
    /// The validator key that is to take over from it.
    pub validator_next: Option<PathBuf>,
}

impl Default for KeysSection {
    fn default() -> Self {
        Self { network: "keys/network.key".into(), validator: None, validator_next: None }
    }
}

/// `[api]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSection {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Of one address.
    pub connections_per_address: usize,
    /// A connection is closed after so long without an answer.
    pub idle_seconds: u64,
    /// Longest time of a request, long-polls not counted.
    pub request_seconds: u64,
    /// Requests that an address may make in a second,
    pub requests_per_second: u32,
    /// and at once after a pause.
    pub requests_burst: u32,
    /// Reads of the database at the same time.
    pub reads_max: usize,
    /// Streams of blocks at the same time.
    pub streams_max: usize,
    /// Of these, for one address.
    pub streams_per_address: usize,
    /// Sealed messages kept for the bureau, and answers kept for their askers.
    pub mail_max: usize,
    /// Certificate and key; without them it speaks plain HTTP.
    pub tls: Option<TlsSection>,
}

/// `[api.tls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// PEM file with the server's certificate and those that signed it.
    pub certificate: PathBuf,
    /// PEM file with its private key, not readable by everybody.
    pub key: PathBuf,
    /// Longest time of a handshake.
    #[serde(default = "handshake_seconds")]
    pub handshake_seconds: u64,
}

const fn handshake_seconds() -> u64 {
    10
}

/// `[case_files]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseFilesSection {
    /// Room that they take on disk; more are refused.
    pub bytes_max: u64,
    /// Room of the files of one case for one bureau, until the chain commits to them; more are refused.
    pub case_bytes_max: u64,
    /// Room of the disk that is left free; they are refused where less is.
    pub free_bytes_min: u64,
    /// A file that no event of a case on the chain commits to is dropped after so long.
    pub unclaimed_seconds: u64,
}

impl Default for CaseFilesSection {
    fn default() -> Self {
        Self { bytes_max: 8 << 30, case_bytes_max: 128 << 20, free_bytes_min: 2 << 30, unclaimed_seconds: 3_600 }
    }
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSection {
    /// The unix socket over which the node is administered; empty: none.
    pub socket: PathBuf,
}

impl Default for AdminSection {
    fn default() -> Self {
        Self { socket: "admin.sock".into() }
    }
}

impl Default for ApiSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 27080)),
            connections_max: 1_024,
            connections_per_address: 256,
            idle_seconds: 75,
            request_seconds: 15,
            requests_per_second: 200,
            requests_burst: 400,
            reads_max: 64,
            streams_max: 64,
            streams_per_address: 16,
            mail_max: 4_096,
            tls: None,
        }
    }
}

/// `[sync]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncSection {
    /// A node without blocks joins by a snapshot if a peer has more blocks than this; 0: never.
    pub snapshot_above: u64,
    /// Longest wait for peers before that.
    pub wait_ms: u64,
}

impl Default for SyncSection {
    fn default() -> Self {
        Self { snapshot_above: 0, wait_ms: 5_000 }
    }
}

/// `[chain]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainSection {
    /// How far ahead of this node's clock a proposed block may be.
    pub clock_drift_ms: u64,
    /// Threads that verify the signatures of a block.
    pub verify_threads: usize,
    /// Leaves of the registry kept in memory.
    pub registry_held_max: u64,
    /// Leaves of the state kept in memory.
    pub state_held_max: u64,
}

impl Default for ChainSection {
    fn default() -> Self {
        let config = ChainConfig::default();
        Self {
            clock_drift_ms: config.clock_drift.0,
            verify_threads: config.verify_threads,
            registry_held_max: config.registry_held_max,
            state_held_max: config.state_held_max,
        }
    }
}

impl ChainSection {
    /// As the chain takes it.
    pub const fn config(&self, timing: &Timing) -> ChainConfig {
        ChainConfig {
            clock_drift: SpanMs(self.clock_drift_ms),
            verify_threads: self.verify_threads,
            registry_held_max: self.registry_held_max,
            state_held_max: self.state_held_max,
            block_work: timing.block_work(),
        }
    }
}

impl Config {
    /// Reads the configuration of a home.
    pub fn load(home: &Path) -> Result<Self, ConfigError> {
        let path = home.join(CONFIG_FILE);
        let bytes = bounded_file::read(&path, CONFIG_BYTES_MAX).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => ConfigError::TooLong(path.clone()),
            _ => ConfigError::Unreadable { path: path.clone(), source },
        })?;
        let config: Self =
            toml::from_slice(&bytes).map_err(|error| ConfigError::Malformed { path, reason: error.to_string() })?;
        config.check()?;
        Ok(config)
    }

    /// All keys with their values.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("texts, numbers and lists of them can be written as TOML")
    }

    /// Writes it to a home, durably and all or nothing. What the file explained beside the keys is lost.
    pub fn save(&self, home: &Path) -> std::io::Result<()> {
        let path = home.join(CONFIG_FILE);
        let new = path.with_extension("toml.new");
        fs::write(&new, self.to_toml())?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, &path)?;
        fs::File::open(home)?.sync_all()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("api.connections_max", self.api.connections_max as u64),
            ("api.connections_per_address", self.api.connections_per_address as u64),
            ("api.idle_seconds", self.api.idle_seconds),
            ("api.request_seconds", self.api.request_seconds),
            ("api.streams_max", self.api.streams_max as u64),
            ("api.streams_per_address", self.api.streams_per_address as u64),
            ("api.requests_per_second", u64::from(self.api.requests_per_second)),
            ("api.requests_burst", u64::from(self.api.requests_burst)),
            ("api.reads_max", self.api.reads_max as u64),
            ("api.tls.handshake_seconds", self.api.tls.as_ref().map_or(1, |tls| tls.handshake_seconds)),
            ("chain.verify_threads", self.chain.verify_threads as u64),
            ("mempool.verify_threads", self.mempool.verify_threads as u64),
            ("consensus.propose_ms", self.consensus.propose_ms),
            ("consensus.vote_ms", self.consensus.vote_ms),
            ("consensus.status_ms", self.consensus.status_ms),
            ("consensus.target_ms", self.consensus.target_ms),
            ("network.inbound_max", self.network.inbound_max as u64),
            ("network.publish_queue_max", self.network.publish_queue_max as u64),
            ("network.peer_messages_per_second", u64::from(self.network.peer_messages_per_second)),
            ("network.peer_requests_per_second", u64::from(self.network.peer_requests_per_second)),
            ("network.status_interval_ms", self.network.status_interval_ms),
            ("network.request_timeout_ms", self.network.request_timeout_ms),
            ("network.redial_max_ms", self.network.redial_max_ms),
            ("case_files.unclaimed_seconds", self.case_files.unclaimed_seconds),
            ("mempool.transactions_max", self.mempool.transactions_max as u64),
            ("mempool.verify_queue_max", self.mempool.verify_queue_max as u64),
        ];
        if let Some((key, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Value { key, reason: "must be at least 1".to_owned() });
        }
        let spans = [
            ("consensus.propose_ms", self.consensus.propose_ms),
            ("consensus.vote_ms", self.consensus.vote_ms),
            ("consensus.target_ms", self.consensus.target_ms),
            ("sync.wait_ms", self.sync.wait_ms),
            ("consensus.listen_ms", self.consensus.listen_ms),
            ("consensus.peers_ms", self.consensus.peers_ms),
            ("consensus.status_ms", self.consensus.status_ms),
        ];
        match spans.into_iter().find(|(_, value)| *value > SPAN_MAX_MS) {
            Some((key, _)) => Err(ConfigError::Value { key, reason: "must be at most 600000".to_owned() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT_TOML;

    #[test]
    fn the_documented_default_is_the_default_and_names_every_key() {
        let mut default = Config::default();
        let documented: Config = toml::from_str(DEFAULT_TOML).unwrap();
        // Depends on the machine, so it stands in a comment.
        default.mempool.verify_threads = documented.mempool.verify_threads;
        assert_eq!(documented, default);
        default.bureau = Some(Uscc::with_check("11370100MB1A00001").unwrap());
        default.passphrase_file = Some("p".into());
        default.keys.validator = Some("v".into());
        default.keys.validator_next = Some("n".into());
        default.api.tls = Some(TlsSection { certificate: "c".into(), key: "k".into(), handshake_seconds: 1 });
        for line in default.to_toml().lines().filter(|line| line.contains(" = ")) {
            let key = line.split(" = ").next().unwrap();
            let stands = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
            assert!(DEFAULT_TOML.lines().any(stands), "{key} is not documented");
        }
    }

    #[test]
    fn unknown_keys_and_useless_values_are_refused() {
        assert!(toml::from_str::<Config>("naam = \"x\"").is_err());
        assert!(toml::from_str::<Config>("[api]\nlissten = \"127.0.0.1:1\"").is_err());
        let mut config = Config::default();
        assert!(config.check().is_ok());
        config.api.reads_max = 0;
        assert!(matches!(config.check(), Err(ConfigError::Value { key: "api.reads_max", .. })));
        let mut config = Config::default();
        config.consensus.propose_ms = u64::MAX;
        assert!(matches!(config.check(), Err(ConfigError::Value { key: "consensus.propose_ms", .. })));
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let config = Config { name: "局".to_owned(), ..Config::default() };
        assert_eq!(toml::from_str::<Config>(&config.to_toml()).unwrap(), config);
    }
}
