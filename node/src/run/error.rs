//! Why a node does not start or stops, with exit code and hint.

use std::net::SocketAddr;
use std::path::PathBuf;

use kanhe_proto::genesis::GenesisError;
use kanhe_proto::ids::Height;

use super::keys::KeyError;
use crate::admin::AdminError;
use crate::api::TlsError;
use crate::case_files::FilesError;
use crate::chain::ChainError;
use crate::config::ConfigError;
use crate::consensus::guard::GuardError;
use crate::consensus::journal::JournalError;
use crate::consensus::{Fatal, StartError};
use crate::devnet::DevnetError;
use crate::network::NetworkError;
use crate::storage::{CreateError, DAMAGED_HINT, StorageError};

/// Exit codes of `kanhe-node`.
pub mod exit {
    /// Ended as asked.
    pub const OK: u8 = 0;
    /// Something else.
    pub const OTHER: u8 = 1;
    /// Wrong usage.
    pub const USAGE: u8 = 2;
    /// The configuration cannot be used.
    pub const CONFIG: u8 = 20;
    /// The home holds no chain.
    pub const NOT_INITIALISED: u8 = 21;
    /// The database is gone.
    pub const GONE: u8 = 22;
    /// The home is of another chain.
    pub const OTHER_CHAIN: u8 = 23;
    /// The database, the guard or genesis is damaged.
    pub const DAMAGED: u8 = 24;
    /// Another process uses the home.
    pub const IN_USE: u8 = 25;
    /// The home cannot be written.
    pub const UNWRITABLE: u8 = 26;
    /// Written by other software.
    pub const OTHER_SCHEMA: u8 = 27;
    /// A key is missing or no key.
    pub const KEY: u8 = 28;
    /// Wrong or no passphrase.
    pub const PASSPHRASE: u8 = 29;
    /// An address is in use or not of this machine.
    pub const ADDRESS: u8 = 30;
    /// `fsck` found problems.
    pub const FSCK: u8 = 31;
    /// Too few files may be open.
    pub const FILES: u8 = 32;
    /// The validator key was exported from this home.
    pub const MOVED: u8 = 33;
    /// The home has another validator key, or knows more than the file to be imported.
    pub const NOT_IMPORTED: u8 = 34;
    /// `doctor` found what keeps this node or the chain from going on.
    pub const DOCTOR: u8 = 35;
    /// No node answers at the admin socket, it says no, or the socket cannot be made.
    pub const ADMIN: u8 = 36;
    /// The validator's next key counts, and the node could not start itself again with it.
    pub const HANDED_OVER: u8 = 37;
}

/// The exit codes as shown in help.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  ended as asked              1  something else                2  wrong usage
  20  configuration unusable     21  the home holds no chain      22  the database is gone
  23  home of another chain      24  database or guard damaged    25  home in use by another process
  26  home cannot be written     27  written by another version   28  key missing or damaged
  29  wrong or no passphrase     30  address in use               31  fsck found problems
  32  too few files may be open  33  the validator key was exported from this home
  34  not imported: another validator key is in use here, or the file is older than this home's guard
  35  doctor found what must be mended  36  admin socket: no answer, or a refusal
  37  the next validator key counts: start the node again
  71  the engine stopped itself  72  votes under this validator's key that its guard does not know
  73  signing guard failed       74  a certified block does not execute to its header
  75  a durable write failed     76  the consensus engine ended";

/// Why a node does not start or stops.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Configuration.
    #[error("configuration")]
    Config(#[from] ConfigError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The founders' file cannot be read.
    #[error("{} cannot be read", path.display())]
    GenesisFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The founders' file founds no chain.
    #[error("{} founds no chain", path.display())]
    Genesis {
        /// The file.
        path: PathBuf,
        /// Why.
        source: GenesisError,
    },
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database could not be founded again.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// No local network was made.
    #[error(transparent)]
    Devnet(#[from] DevnetError),
    /// The system allows too few open files.
    #[error("only {allowed} files may be open at a time; this configuration may need {needed}")]
    Descriptors {
        /// The limit, raised as far as it can be.
        allowed: u64,
        /// Tables, connections, peers.
        needed: u64,
    },
    /// The chain in it.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The signing guard is not there.
    #[error("the signing guard {} is missing", .0.display())]
    GuardMissing(PathBuf),
    /// The validator key signs on another machine.
    #[error("the validator key of this home was exported at block {0}: it never signs here again")]
    Moved(Height),
    /// The signing guard.
    #[error("signing guard")]
    Guard(#[from] GuardError),
    /// The folder of case files.
    #[error("case files")]
    CaseFiles(#[from] FilesError),
    /// The swarm.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The consensus did not start.
    #[error(transparent)]
    Consensus(#[from] StartError),
    /// An address of the engine or the API.
    #[error("{what} cannot listen on {address}")]
    Listen {
        /// Whose address.
        what: &'static str,
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate of the API.
    #[error("TLS of the API")]
    Tls(#[from] TlsError),
    /// The admin socket.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The consensus stopped to keep a promise.
    #[error("{0}")]
    Fatal(Fatal),
    /// The API stopped.
    #[error("the API stopped: {0}")]
    Api(String),
    /// A part of the system.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

const fn storage_code(error: &StorageError) -> u8 {
    match error {
        StorageError::NotInitialised(_) | StorageError::AlreadyInitialised(_) => exit::NOT_INITIALISED,
        StorageError::Gone(_) => exit::GONE,
        StorageError::OtherChain { .. } => exit::OTHER_CHAIN,
        StorageError::OtherSchema { .. } => exit::OTHER_SCHEMA,
        StorageError::InUse(_) => exit::IN_USE,
        StorageError::Unwritable { .. } => exit::UNWRITABLE,
        StorageError::Damaged(_) => exit::DAMAGED,
        StorageError::Failed(_) | StorageError::FailedBefore => 75,
    }
}

const fn guard_code(error: &GuardError) -> u8 {
    match error {
        GuardError::Journal(JournalError::InUse(_)) => exit::IN_USE,
        GuardError::Foreign => exit::OTHER_CHAIN,
        _ => exit::DAMAGED,
    }
}

const fn create_code(error: &CreateError) -> u8 {
    match error {
        CreateError::Genesis(_) => exit::DAMAGED,
        CreateError::Storage(error) => storage_code(error),
    }
}

const fn devnet_code(error: &DevnetError) -> u8 {
    match error {
        DevnetError::NotEmpty(_) | DevnetError::Bureaus(_) | DevnetError::Hosts { .. } | DevnetError::Genesis(_) => {
            exit::USAGE
        }
        DevnetError::Io { .. } => exit::UNWRITABLE,
        DevnetError::Storage(error) => create_code(error),
        DevnetError::Guard(error) => guard_code(error),
    }
}

const fn devnet_hint(error: &DevnetError) -> &'static str {
    match error {
        DevnetError::NotEmpty(_) => "name a folder with --dir that does not exist yet, or is empty",
        DevnetError::Bureaus(_) | DevnetError::Hosts { .. } | DevnetError::Genesis(_) => {
            "see `kanhe-node devnet init --help`"
        }
        DevnetError::Io { .. } | DevnetError::Storage(_) | DevnetError::Guard(_) => {
            "check owner, permissions and free space of the folder, and the limit of open files (`ulimit -n`)"
        }
    }
}

impl RunError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(error) if error.is_missing() => exit::NOT_INITIALISED,
            Self::Config(_) | Self::Tls(_) => exit::CONFIG,
            Self::Admin(_) => exit::ADMIN,
            Self::Key(error) if error.is_passphrase() => exit::PASSPHRASE,
            Self::Key(_) => exit::KEY,
            Self::GenesisFile { .. } => exit::NOT_INITIALISED,
            Self::Genesis { .. } => exit::DAMAGED,
            Self::Storage(error) | Self::Chain(ChainError::Storage(error)) => storage_code(error),
            Self::Chain(_) | Self::GuardMissing(_) => exit::DAMAGED,
            Self::Moved(_) => exit::MOVED,
            Self::Guard(error) | Self::Consensus(StartError::Guard(error)) => guard_code(error),
            Self::Create(error) => create_code(error),
            Self::Devnet(error) => devnet_code(error),
            Self::Descriptors { .. } => exit::FILES,
            Self::CaseFiles(FilesError::Layout { .. }) => exit::OTHER_SCHEMA,
            Self::CaseFiles(_) => exit::UNWRITABLE,
            Self::Network(NetworkError::Listen { .. }) | Self::Listen { .. } => exit::ADDRESS,
            // A swarm that cannot be set up from what it is told.
            Self::Network(NetworkError::Setup(_)) => exit::CONFIG,
            Self::Consensus(_) | Self::Api(_) | Self::System { .. } => exit::OTHER,
            Self::Fatal(fatal) => fatal.exit_code(),
        }
    }

    /// What the operator can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Config(error) if error.is_missing() => "check --home; `kanhe-node devnet init` makes a local network",
            Self::Config(_) => "`kanhe-node config --default` documents every key",
            Self::Key(error) => error.hint(),
            Self::Tls(error) => error.hint(),
            Self::Admin(error) => error.hint(),
            Self::GenesisFile { .. } | Self::Genesis { .. } => {
                "check the home and `genesis` in config.toml; `kanhe-node devnet init` makes a local network"
            }
            Self::Storage(error)
            | Self::Chain(ChainError::Storage(error))
            | Self::Create(CreateError::Storage(error)) => error.hint(),
            Self::Chain(_) => DAMAGED_HINT,
            Self::Create(CreateError::Genesis(_)) => "restore the genesis file of the home",
            Self::Devnet(error) => devnet_hint(error),
            Self::Descriptors { .. } => {
                "raise the hard limit (`ulimit -Hn`, LimitNOFILE= of a systemd service), or lower connections_max in \
                 config.toml"
            }
            Self::GuardMissing(_) => {
                "without it the key may sign twice: if it is lost, start once with `run --rejoin`. To only follow the \
                 chain, remove keys.validator from config.toml"
            }
            Self::Moved(_) => {
                "run the node where the key was imported. If the file was lost before, `kanhe-node validator export` \
                 writes it again. To follow the chain from here without a vote, remove `validator` from [keys] in \
                 config.toml"
            }
            Self::Guard(_) | Self::Consensus(StartError::Guard(_)) => {
                "each validator key has its own guard; restore the home's own, and end other processes on this home"
            }
            Self::CaseFiles(FilesError::Layout { .. }) => {
                "the folder `case-files` of the home was written by another version: move it away and start again; who \
                 still has a file that was in it hands it in anew"
            }
            Self::CaseFiles(_) => "check owner, permissions and free space of the folder `case-files` in the home",
            Self::Network(NetworkError::Setup(_)) => "check [network] in config.toml and the network key",
            Self::Network(NetworkError::Listen { .. }) | Self::Listen { .. } => {
                "is another node running? or change `listen` in config.toml"
            }
            Self::Consensus(_) => "check [consensus] in config.toml, and that no other process uses this home",
            Self::Fatal(Fatal::DoubleVote { .. }) => {
                "end the other process that holds this validator key. If there is none, this home is older than what its \
                 validator signed: was it restored from a backup? Then start it once with `kanhe-node run --rejoin`"
            }
            Self::Fatal(Fatal::ExecutionMismatch { .. }) => {
                "do not start it again as it is: run fsck and compare versions with the other bureaus. If fsck finds \
                 damage, restore a backup or move the folder `chain` away, and start once with `run --rejoin`"
            }
            Self::Fatal(_) | Self::Api(_) | Self::System { .. } => "check the disk and the log above, then start again",
        }
    }
}
