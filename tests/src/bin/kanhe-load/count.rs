//! What was committed: read from every node's own blocks after the load, so that counting costs the load nothing.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Instant;

use anyhow::ensure;
use kanhe_proto::codec;
use kanhe_proto::hash::TransactionId;
use kanhe_proto::limits::BLOCK_BYTES_MAX;
use kanhe_proto::proof::CertifiedBlock;
use kanhe_proto::transaction::Transaction;

use super::http::Connection;
use super::network::Network;
use super::signing::Signed;
use super::watch::Watch;

/// Numbers of distinct transactions that every node has.
#[derive(Debug, Default)]
pub struct Counted {
    /// In blocks that the last node showed within the window.
    pub windowed: u64,
    /// In all blocks of the range.
    pub total: u64,
    /// Blocks of the window.
    pub blocks: u64,
}

/// Counts the transactions of these that are in blocks of a range, on all nodes alike.
pub async fn count(
    network: &Network,
    watch: &Watch,
    sent: &[Signed],
    range: RangeInclusive<u64>,
    window: RangeInclusive<Instant>,
) -> anyhow::Result<Counted> {
    let mut expected: BTreeSet<TransactionId> = sent.iter().map(|signed| signed.id).collect();
    let mut connections = Vec::new();
    for host in network.hosts() {
        connections.push(Connection::open(&host).await?);
    }
    let mut counted = Counted::default();
    for height in range {
        let path = format!("/v1/blocks/{height}");
        let mut first: Option<Vec<TransactionId>> = None;
        for connection in &mut connections {
            let answer = connection.get(&path).await?;
            ensure!(answer.status == 200, "block {height}: HTTP {} {}", answer.status, answer.text());
            let ids = ids(&answer.body)?;
            ensure!(first.get_or_insert_with(|| ids.clone()) == &ids, "two nodes differ in block {height}");
        }
        let seen = watch.on_all(height);
        ensure!(seen.is_some(), "block {height} was not announced by all nodes");
        let within = seen.is_some_and(|seen| window.contains(&seen));
        counted.blocks += u64::from(within);
        for id in first.into_iter().flatten() {
            // Taken out when found, so that none counts twice.
            if expected.remove(&id) {
                counted.total += 1;
                counted.windowed += u64::from(within);
            }
        }
    }
    Ok(counted)
}

fn ids(answer: &[u8]) -> anyhow::Result<Vec<TransactionId>> {
    let (_, block) = codec::decode::<CertifiedBlock>(answer, 2 * BLOCK_BYTES_MAX)?.read()?;
    block.transactions.iter().map(|bytes| Ok(Transaction::from_bytes(bytes)?.1)).collect()
}
