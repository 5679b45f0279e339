//! Why a chain stands still: what a node sees of itself and of the others, and what follows from it.
//!
//! A [`Diagnosis`] is a node's word, good for operators and never for a verdict. [`why()`] and [`why_of`] are pure, so that
//! the node's doctor and the client find the same in the same words. Codes of findings are stable, their texts are not.

mod finding;
#[cfg(test)]
mod tests;
mod together;
mod why;
mod words;

use serde::{Deserialize, Serialize};

use crate::identifiers::Uscc;
use crate::registry::KeyRole;
use crate::validators::Address;

pub use finding::{Code, Finding, Missing, Severity, Told};
pub use together::{together, why_of};
pub use why::{Presence, why};
pub use words::{moment, span};

/// Peers and refusals in one diagnosis, at most.
pub const PEERS_TOLD_MAX: usize = 256;

/// What a node is to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Its key is in the current set.
    Validator,
    /// It has a validator key that is not in the current set.
    NotSeated,
    /// It has no validator key.
    Observer,
}

/// A bureau by its code and names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BureauSeen {
    /// Its unified social credit code.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub uscc: Uscc,
    /// Chinese name; empty if the registry does not say.
    pub zh: String,
    /// English name.
    pub en: String,
}

/// Where the consensus engine is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EngineSeen {
    /// The height that it works on; 0 before it starts.
    pub height: u64,
    /// Its round.
    pub round: u32,
    /// For how long it has been at this height, in milliseconds.
    pub standing_ms: u64,
    /// It waits for work or the heartbeat.
    pub idle: bool,
    /// This validator's guard signs nothing for now.
    pub silent: bool,
    /// Above which height one must be decided before it signs again; none while that is not known.
    pub silent_above: Option<u64>,
}

/// A vote of a validator, as heard by this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VoteSeen {
    /// Its height.
    pub height: u64,
    /// Its round.
    pub round: u32,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
}

/// A validator of the current set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidatorSeen {
    /// Its address.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub address: Address,
    /// Whose it is, if the registry says so.
    pub bureau: Option<BureauSeen>,
    /// Its power.
    pub power: u64,
    /// It is the validator of the node that says this.
    pub own: bool,
    /// Its guard signs nothing, as its own node says.
    pub silenced: bool,
    /// The last height whose committed certificate it signed; for one that is new in the set, the height at which it
    /// came.
    pub last_signed: Option<u64>,
    /// Time of that block, in milliseconds since 1970.
    pub last_signed_ms: Option<u64>,
    /// Connected to this node's engine.
    pub on_engine: bool,
    /// Its bureau is connected to this node's swarm.
    pub on_network: bool,
    /// The highest tip that it announced.
    pub tip: Option<u64>,
    /// Its last vote that this node heard.
    pub last_vote: Option<VoteSeen>,
}

/// A node of the swarm or the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerSeen {
    /// Its peer id.
    pub peer: String,
    /// Whose it is, if the registry says so.
    pub bureau: Option<BureauSeen>,
    /// Connected to this node's engine.
    pub on_engine: bool,
    /// Connected to this node's swarm.
    pub on_network: bool,
    /// Its tip, as it says.
    pub tip: Option<u64>,
    /// How far its clock is ahead of this node's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// Version of its software, as it says.
    #[serde(default)]
    pub version: Option<String>,
    /// The newest rules that its software knows, as it says.
    #[serde(default)]
    pub protocol_known: Option<u32>,
}

/// Why a peer was not let in or not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusedWhy {
    /// Its key is not one of a bureau's network keys.
    NotListed,
    /// Shut out for a while for what it sent.
    Banned,
    /// Too many connections.
    Limits,
    /// Another key answers at its address.
    WrongKey,
    /// No connection to its address.
    Unreachable,
}

/// A peer that this node refuses, or that it does not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedSeen {
    /// Its peer id.
    pub peer: String,
    /// Whose it is, if the registry says so.
    pub bureau: Option<BureauSeen>,
    /// Why.
    pub why: RefusedWhy,
    /// What the network said; empty where strangers ask.
    pub detail: String,
    /// When last, in milliseconds ago.
    pub ago_ms: u64,
}

/// Room on the disk of the home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiskSeen {
    /// Free for this process, in bytes.
    pub free_bytes: u64,
    /// All, in bytes.
    pub total_bytes: u64,
}

/// A key of the node's own bureau that ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyEnding {
    /// What it is for.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub role: KeyRole,
    /// Its id.
    pub key: String,
    /// First height at which it no longer holds, if that is known.
    pub height: Option<u64>,
    /// Time at which it ends, in milliseconds since 1970, if that is how it was decided.
    pub time_ms: Option<u64>,
    /// It has ended and none of the same role holds.
    pub ended: bool,
}

/// Other rules that come into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProtocolNext {
    /// Their version.
    pub version: u32,
    /// Height of their coming.
    pub height: u64,
}

/// A double signature that the chain has recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoubleSigner {
    /// Whose validator.
    pub bureau: BureauSeen,
    /// Its address.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub address: Address,
    /// Height of both votes.
    pub height: u64,
    /// Block that recorded it.
    pub recorded: u64,
    /// Time of that block, in milliseconds since 1970.
    pub recorded_ms: u64,
}

/// What a node sees: its own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diagnosis {
    /// Always true.
    pub unproven: bool,
    /// Name of the node.
    pub name: String,
    /// Whose it is, if its configuration or its key says so.
    pub bureau: Option<BureauSeen>,
    /// What it is to the chain.
    pub role: Role,
    /// Version of its software.
    pub version: String,
    /// The newest rules that this software knows.
    pub protocol_known: u32,
    /// The rules of the next block.
    pub protocol: u32,
    /// Rules that come into force.
    pub protocol_next: Option<ProtocolNext>,
    /// The chain as in DIDs.
    pub chain: String,
    /// Its id.
    pub chain_id: String,
    /// Its era.
    pub era: u32,
    /// Height of its newest block.
    pub height: u64,
    /// Hash of that block's header.
    pub header_hash: String,
    /// Time of that block, in milliseconds since 1970.
    pub time_ms: u64,
    /// The node's clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// Longest time without a block, in milliseconds.
    pub heartbeat_ms: u64,
    /// Transactions waiting.
    pub pending: u64,
    /// The consensus engine.
    pub engine: EngineSeen,
    /// Least power that decides.
    pub power_needed: u64,
    /// All power of the set.
    pub power_total: u64,
    /// Power of the validators that this node counts on now, itself among them.
    pub power_present: u64,
    /// The current set.
    pub validators: Vec<ValidatorSeen>,
    /// Connected peers.
    pub peers: Vec<PeerSeen>,
    /// Peers that are refused or not reached.
    pub refused: Vec<RefusedSeen>,
    /// How far ahead of the node's clock a block may be, in milliseconds.
    pub clock_drift_ms: u64,
    /// Room on the disk; none if the system does not say.
    pub disk: Option<DiskSeen>,
    /// Keys of its bureau that end.
    pub keys_ending: Vec<KeyEnding>,
    /// What was found damaged in its database.
    pub damaged: Option<String>,
    /// Double signatures on the chain, the newest ones.
    pub double_signers: Vec<DoubleSigner>,
}

impl Diagnosis {
    /// What anyone may know: all that operators of other bureaus need to see who is missing and what differs, without
    /// addresses and error texts of this machine.
    pub fn for_strangers(mut self) -> Self {
        self.refused.iter_mut().for_each(|refused| refused.detail.clear());
        if let Some(damaged) = &mut self.damaged {
            *damaged = "something stored is damaged".to_owned();
        }
        self
    }
}

/// What `GET /v1/diagnosis` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiagnosisAnswer {
    /// What the node sees.
    pub diagnosis: Diagnosis,
    /// What follows from it.
    pub findings: Vec<Finding>,
}
