//! A chain with much in it, to measure what depends on its size: batches, and licences whose status was changed.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::flood::{Plan, send_all};
use super::network::Network;
use super::signing::Signing;

/// Transactions signed at a time, so that few are in memory.
const PORTION: u64 = 10_000;
/// Changes of one transaction: what the chain allows.
const CHANGES: u64 = 1_000;
/// Transactions with so many changes are large: fewer at a time.
const CHANGES_PORTION: u64 = 50;
/// Longest wait until a portion is committed.
const COMMIT: Duration = Duration::from_secs(300);

/// What the chain holds more than before.
#[derive(Debug, Serialize)]
pub struct Grown {
    /// Batches.
    pub batches: u64,
    /// Revoked licences.
    pub exceptions: u64,
    /// Height of the chain then.
    pub height: u64,
    /// Bytes that one node keeps, on average.
    pub disk_bytes_per_node: u64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Anchors batches and revokes licences until there are so many more.
pub async fn grow(
    network: &Network,
    signing: &mut Signing,
    plan: &Plan,
    batches: u64,
    exceptions: u64,
) -> anyhow::Result<Grown> {
    let began = Instant::now();
    let mut sent = 0;
    while sent < batches {
        let portion = PORTION.min(batches - sent);
        send_all(network, signing.batches(portion, 1)?, plan, COMMIT).await?;
        sent += portion;
        eprintln!("{sent} of {batches} batches");
    }
    let mut changed = 0;
    while changed < exceptions {
        let portion = (exceptions - changed).div_ceil(CHANGES).min(CHANGES_PORTION);
        send_all(network, signing.revocations(portion, CHANGES)?, plan, COMMIT).await?;
        changed += portion * CHANGES;
        eprintln!("{changed} of {exceptions} exceptions");
    }
    let height = network.settle(COMMIT).await?;
    let disk_bytes_per_node = network.disk_bytes()? / network.nodes().len().max(1) as u64;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Grown { batches: sent, exceptions: changed, height, disk_bytes_per_node, seconds })
}
