//! What the consortium may tune by vote.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::RegistryRecord;
use crate::hash::{self, ParametersHash};
use crate::ids::SpanMs;
use crate::limits::{BATCH_COUNT_MAX, BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, PROPOSAL_LIFETIME_MAX_MS};
use crate::map_value::{Kind, MapValue};
use crate::tags;

/// A share of the bureaus: more than `numerator / denominator` must vote yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Threshold {
    /// Above the line.
    pub numerator: u32,
    /// Below the line.
    pub denominator: u32,
}

impl Threshold {
    /// The fewest votes of so many bureaus that suffice.
    pub fn needed(&self, bureaus: usize) -> usize {
        let above = bureaus as u128 * u128::from(self.numerator) / u128::from(self.denominator.max(1));
        usize::try_from(above + 1).unwrap_or(usize::MAX)
    }
    /// Do these votes of so many bureaus suffice?
    pub fn is_met(&self, votes: usize, bureaus: usize) -> bool {
        votes as u128 * u128::from(self.denominator) > bureaus as u128 * u128::from(self.numerator)
    }
}

/// The chain's parameters. A change binds from the next height at the earliest.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Parameters {
    /// Longest time without a block.
    pub heartbeat: SpanMs,
    /// Blocks of an epoch; the validator set changes only between epochs.
    pub epoch_blocks: u64,
    /// Age of trust after which a light client accepts nothing new.
    pub trust_period: SpanMs,
    /// Bytes of a block.
    pub block_bytes_max: u64,
    /// Transactions of a block.
    pub block_transactions_max: u32,
    /// Leaves that a block may change, ids swept and recorded not counted.
    pub block_updates_max: u32,
    /// Signatures that a block may ask everyone to verify.
    pub block_signatures_max: u32,
    /// Expired ids swept by a block; at least twice its transactions.
    pub block_swept_max: u32,
    /// Licences under one batch root.
    pub batch_count_max: u32,
    /// For changes of members, validators and protocol.
    pub threshold_constitution: Threshold,
    /// For types, accreditations, relying parties and the like.
    pub threshold_catalogue: Threshold,
    /// For freezing a bureau or distrusting a key.
    pub threshold_emergency: Threshold,
    /// Longest time from a proposal's creation to its end.
    pub proposal_lifetime_max: SpanMs,
    /// A new governance key waits so long, and the others may veto it.
    pub governance_key_delay: SpanMs,
}

/// Why parameters cannot be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("parameter {0}")]
pub struct ParametersError(pub &'static str);

impl Default for Parameters {
    fn default() -> Self {
        Self {
            heartbeat: SpanMs(30_000),
            epoch_blocks: 1_000,
            trust_period: SpanMs(365 * 24 * 3_600_000),
            block_bytes_max: 4 << 20,
            block_transactions_max: 4_000,
            block_updates_max: 20_000,
            block_signatures_max: 8_000,
            block_swept_max: 8_000,
            batch_count_max: BATCH_COUNT_MAX,
            threshold_constitution: Threshold { numerator: 2, denominator: 3 },
            threshold_catalogue: Threshold { numerator: 1, denominator: 2 },
            threshold_emergency: Threshold { numerator: 1, denominator: 3 },
            proposal_lifetime_max: SpanMs(30 * 24 * 3_600_000),
            governance_key_delay: SpanMs(3 * 24 * 3_600_000),
        }
    }
}

impl Parameters {
    /// H(tag ‖ encoding).
    pub fn hash(&self) -> ParametersHash {
        ParametersHash(hash::tagged(tags::PARAMETERS, self))
    }
    /// Refuses what would stop the chain or break a limit of the format.
    pub fn check(&self) -> Result<(), ParametersError> {
        let thresholds = [self.threshold_constitution, self.threshold_catalogue, self.threshold_emergency];
        let rules = [
            (self.heartbeat.0 >= 1_000, "heartbeat must be at least 1000 ms"),
            (self.epoch_blocks >= 1, "epoch_blocks must be at least 1"),
            (self.trust_period.0 >= 10 * self.heartbeat.0, "trust_period must be at least ten heartbeats"),
            (
                (64 << 10..=BLOCK_BYTES_MAX as u64).contains(&self.block_bytes_max),
                "block_bytes_max must be between 64 KiB and 16 MiB",
            ),
            (
                (1..=BLOCK_TRANSACTIONS_MAX as u32).contains(&self.block_transactions_max),
                "block_transactions_max must be between 1 and 20000",
            ),
            (self.block_updates_max >= 1_000, "block_updates_max must be at least 1000"),
            (
                self.block_signatures_max >= self.block_transactions_max,
                "block_signatures_max must be at least block_transactions_max",
            ),
            (
                u64::from(self.block_swept_max) >= 2 * u64::from(self.block_transactions_max),
                "block_swept_max must be at least twice block_transactions_max",
            ),
            ((1..=BATCH_COUNT_MAX).contains(&self.batch_count_max), "batch_count_max must be between 1 and 100000"),
            (
                thresholds.iter().all(|t| t.denominator > 0 && t.numerator < t.denominator),
                "thresholds must be shares below one",
            ),
            (
                (60_000..=PROPOSAL_LIFETIME_MAX_MS).contains(&self.proposal_lifetime_max.0),
                "proposal_lifetime_max must be between one minute and 60 days",
            ),
            (self.governance_key_delay.0 <= PROPOSAL_LIFETIME_MAX_MS, "governance_key_delay must be at most 60 days"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(ParametersError(rule)),
            None => Ok(()),
        }
    }
}

impl MapValue for Parameters {
    const KIND: Kind = Kind::Parameters;
}
impl RegistryRecord for Parameters {
    type Id = ();
    fn id(&self) {}
}
