//! What was found, with its words.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BureauSeen, Presence};
use crate::validators::Address;

/// How bad it is, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The chain, or this node, cannot go on while it is so.
    Blocks,
    /// It will, or may, come to that.
    Warns,
    /// Good to know.
    Informs,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)+) => {
        /// Which finding. The texts are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum Code {
            $($(#[doc = $doc])* #[serde(rename = $text)] $name,)+
        }
        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];
            /// The stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

codes! {
    /// The validators that are there have not the power to decide.
    QuorumMissing = "quorum_missing",
    /// Validators are missing; the rest still decides.
    ValidatorsMissing = "validators_missing",
    /// This node sees no other.
    Alone = "alone",
    /// Enough validators run, but they do not see each other.
    Partitioned = "partitioned",
    /// Two nodes have different blocks at one height.
    Fork = "fork",
    /// The nodes are of different chains.
    OtherChain = "other_chain",
    /// The chain stands, and nothing that this node knows explains it.
    Unexplained = "unexplained",
    /// The newest block is overdue, but this node's engine has only just begun.
    Beginning = "beginning",
    /// Clocks are apart.
    ClockApart = "clock_apart",
    /// No room on the disk.
    DiskFull = "disk_full",
    /// Little room on the disk.
    DiskLow = "disk_low",
    /// Something stored is damaged.
    Damaged = "damaged",
    /// This validator's guard signs nothing.
    SilentGuard = "silent_guard",
    /// This node lacks blocks that others have.
    Behind = "behind",
    /// A peer is refused or not reached.
    PeerRefused = "peer_refused",
    /// Software or rules differ.
    VersionDiffers = "version_differs",
    /// A key of the node's bureau ends, or has ended.
    KeyExpiring = "key_expiring",
    /// The node's validator key has no seat.
    NotSeated = "not_seated",
    /// The node has no validator key.
    Observer = "observer",
    /// The chain has recorded a double signature.
    DoubleSignature = "double_signature",
    /// Idle: no transaction waits and the heartbeat is not due.
    NothingToDo = "nothing_to_do",
    /// Blocks come.
    GoingOn = "going_on",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Told {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Told {
    /// Both.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// A validator that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Missing {
    /// Its address.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub address: Address,
    /// Whose it is.
    pub bureau: Option<BureauSeen>,
    /// Its power.
    pub power: u64,
    /// How it is missing.
    pub presence: Presence,
    /// The last height that it signed.
    pub since_height: Option<u64>,
    /// Time of that block, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Which.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// The node that it is about; none if it is about the chain.
    pub node: Option<String>,
    /// What is so.
    pub text: Told,
    /// What to do.
    pub hint: Option<Told>,
    /// Who is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Power that lacks for a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_missing: Option<u64>,
    /// Smallest groups of the missing that would be enough, each by itself; not more than a few.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<String>>))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unblock: Vec<Vec<Address>>,
}

impl Finding {
    /// About the chain.
    pub(super) fn new(code: Code, severity: Severity, text: Told) -> Self {
        let (missing, unblock) = (Vec::new(), Vec::new());
        Self { code, severity, node: None, text, hint: None, missing, power_missing: None, unblock }
    }
    pub(super) fn hint(mut self, en: impl Into<String>, zh: impl Into<String>) -> Self {
        self.hint = Some(Told::new(en, zh));
        self
    }
    pub(super) fn of(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }
}
