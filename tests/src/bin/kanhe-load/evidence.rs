//! How much evidence the nodes give.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kanhe_node::run::now;
use kanhe_proto::api::EvidenceAnswer;
use kanhe_proto::evidence::Evidence;
use kanhe_proto::hash::{LicenceDigest, sha256};
use kanhe_proto::trust::Trust;
use serde::Serialize;
use tokio::time::sleep;

use super::flood::Plan;
use super::http::Connection;
use super::latency::Spread;
use super::network::{Network, cpu_seconds};

/// One answer of so many is kept and checked afterwards.
const CHECKED_EVERY: u64 = 256;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Queried {
    /// Answers per second.
    pub queries_per_second: f64,
    /// How long each took.
    pub latency: Spread,
    /// Bytes of a bundle, the holder's path not counted: mean and largest of those checked.
    pub evidence_bytes_mean: f64,
    /// The largest.
    pub evidence_bytes_max: usize,
    /// Answers whose header, certificate and record were checked.
    pub checked: usize,
    /// Cores that each node used.
    pub cores_per_node: Vec<f64>,
    /// Cores that the driver used.
    pub cores_driver: f64,
}

/// What one asker found.
#[derive(Default)]
struct Asked {
    times: Vec<Duration>,
    kept: Vec<Vec<u8>>,
}

/// Asks as fast as so many askers at each node can, for random batches and licences.
pub async fn query(network: &Network, plan: &Plan, askers_per_node: usize) -> anyhow::Result<Queried> {
    let batches = network.statuses().await?.iter().map(|status| status.log_size).min().unwrap_or(0);
    ensure!(batches > 0, "there is no batch to ask about");
    let (counts, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut tasks = Vec::new();
    for host in network.hosts() {
        for asker in 0..askers_per_node {
            let seed = sha256(&[host.as_bytes(), &asker.to_be_bytes()]);
            tasks.push(tokio::spawn(ask(host.clone(), batches, seed, Arc::clone(&counts), Arc::clone(&stop))));
        }
    }
    sleep(Duration::from_secs(plan.warm_up_seconds)).await;
    counts.store(true, Ordering::Relaxed);
    let (began, cpu_began, own_began) = (Instant::now(), network.cpu_seconds()?, cpu_seconds("self")?);
    sleep(Duration::from_secs(plan.window_seconds)).await;
    counts.store(false, Ordering::Relaxed);
    let (seconds, cpu_ended, own_ended) = (began.elapsed().as_secs_f64(), network.cpu_seconds()?, cpu_seconds("self")?);
    stop.store(true, Ordering::Relaxed);
    let (mut times, mut kept) = (Vec::new(), Vec::new());
    for task in tasks {
        let asked = task.await.context("an asker")??;
        times.extend(asked.times);
        kept.extend(asked.kept);
    }
    let trust = Trust::pin(&network.genesis, now())?;
    let sizes = kept.iter().map(|body| check(&trust, body)).collect::<anyhow::Result<Vec<usize>>>()?;
    Ok(Queried {
        queries_per_second: times.len() as f64 / seconds,
        latency: Spread::of(times)?,
        evidence_bytes_mean: sizes.iter().sum::<usize>() as f64 / sizes.len().max(1) as f64,
        evidence_bytes_max: sizes.iter().copied().max().unwrap_or(0),
        checked: sizes.len(),
        cores_per_node: cpu_ended.iter().zip(&cpu_began).map(|(end, begin)| (end - begin) / seconds).collect(),
        cores_driver: (own_ended - own_began) / seconds,
    })
}

async fn ask(
    host: String,
    batches: u64,
    seed: [u8; 32],
    counts: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Asked> {
    let mut connection = Connection::open(&host).await?;
    let mut asked = Asked::default();
    let mut number = 0u64;
    while !stop.load(Ordering::Relaxed) {
        let digest = LicenceDigest(sha256(&[&seed, &number.to_be_bytes()]));
        let [.., a, b, c, d, e, f, g, h] = digest.0;
        let batch = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % batches;
        let began = Instant::now();
        let answer = connection.get(&format!("/v1/evidence/{batch}/{digest}")).await?;
        ensure!(answer.status == 200, "evidence: HTTP {} {}", answer.status, answer.text());
        if counts.load(Ordering::Relaxed) {
            asked.times.push(began.elapsed());
            if number.is_multiple_of(CHECKED_EVERY) {
                asked.kept.push(answer.body);
            }
        }
        number += 1;
    }
    Ok(asked)
}

/// Checks what needs no licence, and gives the bundle's bytes.
fn check(trust: &Trust, body: &[u8]) -> anyhow::Result<usize> {
    let answer: EvidenceAnswer = serde_json::from_slice(body)?;
    let evidence = Evidence::from_bytes(&answer.evidence)?;
    trust.check(&evidence.certified, now())?;
    evidence.batch.verify(&evidence.certified.header)?;
    Ok(answer.evidence.len())
}
