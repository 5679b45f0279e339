//! `devnet.json`: what a script or a person needs to know of a local network.

use std::path::PathBuf;

use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::registry::Names;
use serde::{Deserialize, Serialize};

/// The network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// The chain as in DIDs.
    pub chain: String,
    /// Its id.
    pub chain_id: ChainId,
    /// The founders' file.
    pub genesis: PathBuf,
    /// Longest time without a block, in milliseconds.
    pub heartbeat_ms: u64,
    /// The bureaus.
    pub bureaus: Vec<BureauDescription>,
    /// Who asks.
    pub bank: BankDescription,
    /// What is issued.
    pub types: Vec<TypeDescription>,
    /// Codes of the purposes that the bank may name.
    pub purposes: Vec<String>,
}

/// A bureau and its node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BureauDescription {
    /// Name of its folder.
    pub name: String,
    /// Its code.
    pub uscc: Uscc,
    /// Its DID.
    pub did: String,
    /// Its names.
    pub names: Names,
    /// Whether the chain was founded with it.
    pub founder: bool,
    /// The home of its node.
    pub home: PathBuf,
    /// The API of its node.
    pub api: String,
    /// Its membership card.
    pub card: PathBuf,
    /// Signs licences.
    pub issuing_key: PathBuf,
    /// Votes.
    pub governance_key: PathBuf,
    /// Opens what is sealed to it.
    pub sealing_key: PathBuf,
    /// Opens the key files.
    pub passphrase_file: PathBuf,
}

/// The bank.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BankDescription {
    /// Its code.
    pub uscc: Uscc,
    /// Its DID.
    pub did: String,
    /// Its names.
    pub names: Names,
    /// Its folder.
    pub home: PathBuf,
    /// Signs requests.
    pub request_key: PathBuf,
    /// Opens the key file.
    pub passphrase_file: PathBuf,
}

/// A licence type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TypeDescription {
    /// Its code.
    pub code: TypeCode,
    /// Its version.
    pub version: TypeVersion,
    /// Its names.
    pub names: Names,
    /// Who may issue it.
    pub issuer: Option<Uscc>,
}
