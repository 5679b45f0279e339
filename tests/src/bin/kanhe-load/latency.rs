//! How long one transaction takes when few are sent.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kanhe_node::run::now;
use kanhe_proto::api::{TransactionState, TransactionStatus};
use kanhe_proto::codec;
use kanhe_proto::proof::ProvedTransaction;
use kanhe_proto::trust::Trust;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::http::Connection;
use super::network::Network;
use super::signing::Signed;

/// Bytes of a proof at most.
const PROOF_BYTES_MAX: usize = 256 << 10;

/// Spread of times, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Spread {
    /// Half are at most so long.
    pub p50_ms: f64,
    /// All but one in a hundred are at most so long.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// How many were taken.
    pub samples: usize,
}

impl Spread {
    /// Of at least one time.
    pub fn of(mut times: Vec<Duration>) -> anyhow::Result<Self> {
        ensure!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share).ceil() as usize;
            times[place.clamp(1, times.len()) - 1].as_secs_f64() * 1e3
        };
        Ok(Self { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0), samples: times.len() })
    }
}

/// Sends so many a second, each to the next node, and waits at the same node for the proof that it is committed. The
/// first few do not count; every proof is checked.
pub async fn latency(
    network: &Network,
    transactions: Vec<Signed>,
    per_second: u32,
    skipped: usize,
) -> anyhow::Result<Spread> {
    let trust = Trust::pin(&network.genesis, now())?;
    let hosts = network.hosts();
    let mut clock = interval(Duration::from_secs(1) / per_second);
    // Late is late: no burst makes up for it.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = Vec::new();
    for (place, transaction) in transactions.into_iter().enumerate() {
        clock.tick().await;
        running.push(tokio::spawn(commit(hosts[place % hosts.len()].clone(), transaction)));
    }
    let mut times = Vec::new();
    for (place, task) in running.into_iter().enumerate() {
        let (transaction, status, time) = task.await.context("a sender")??;
        ensure!(status.state == TransactionState::Committed, "{}: {:?}", transaction.id, status.state);
        let proof = status.proof.context("committed without proof")?;
        let proof: ProvedTransaction = codec::decode(&proof, PROOF_BYTES_MAX)?;
        trust.check(&proof.certified, now())?;
        proof.verify(&transaction.id)?;
        if place >= skipped {
            times.push(time);
        }
    }
    Spread::of(times)
}

async fn commit(host: String, transaction: Signed) -> anyhow::Result<(Signed, TransactionStatus, Duration)> {
    let mut connection = Connection::open(&host).await?;
    let began = Instant::now();
    let status: TransactionStatus = connection.post("/v1/transactions", &transaction.bytes).await?.json()?;
    ensure!(status.id == transaction.id, "another id than was signed");
    let status = connection.get(&format!("/v1/transactions/{}?wait=30", transaction.id)).await?.json()?;
    Ok((transaction, status, began.elapsed()))
}
