//! As many transactions as the network takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kanhe_proto::api::NodeStatus;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::count::{Counted, count};
use super::http::Connection;
use super::network::{Network, cpu_seconds};
use super::signing::Signed;
use super::watch::Watch;

/// Pause of a sender whom the node turned away, or whose node has enough.
const PAUSE: Duration = Duration::from_millis(10);
/// How often a node is asked how many wait.
const GATE_POLL: Duration = Duration::from_millis(50);
/// Longest time until what waits at the end is committed.
const DRAIN: Duration = Duration::from_secs(120);

/// How it is done.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Plan {
    /// Seconds before the count begins.
    pub warm_up_seconds: u64,
    /// Seconds that count.
    pub window_seconds: u64,
    /// Senders at each node, one transaction on its way each.
    pub senders_per_node: usize,
    /// A node that has more waiting is given no more for the moment.
    pub waiting_max: u64,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Flooded {
    /// Distinct transactions per second seen committed on all nodes within the window.
    pub transactions_per_second: f64,
    /// Their number.
    pub transactions: u64,
    /// Blocks of the window.
    pub blocks: u64,
    /// Transactions handed in, before and after the window too.
    pub accepted: u64,
    /// Answers by which a node turned a transaction away for the moment.
    pub turned_away: u64,
    /// Cores that each node used in the window.
    pub cores_per_node: Vec<f64>,
    /// Cores that the driver used.
    pub cores_driver: f64,
    /// Bytes that all nodes together keep per transaction, once all is committed.
    pub disk_bytes_per_transaction: f64,
}

/// What the senders share.
struct Shared {
    transactions: Vec<Signed>,
    next: AtomicUsize,
    stop: AtomicBool,
    /// Per node: whether it has enough.
    shut: Vec<AtomicBool>,
    accepted: AtomicU64,
    turned_away: AtomicU64,
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Sends for the time of the plan, then waits until all is committed, then counts.
pub async fn flood(
    network: &Network,
    watch: &Watch,
    transactions: Vec<Signed>,
    plan: &Plan,
) -> anyhow::Result<Flooded> {
    let from = network.settle(DRAIN).await?;
    let disk_before = network.disk_bytes()?;
    let (shared, gates, senders) = start(network, transactions, plan);
    sleep(Duration::from_secs(plan.warm_up_seconds)).await;
    let (began, cpu_began, own_began) = (Instant::now(), network.cpu_seconds()?, cpu_seconds("self")?);
    sleep(Duration::from_secs(plan.window_seconds)).await;
    let (ended, cpu_ended, own_ended) = (Instant::now(), network.cpu_seconds()?, cpu_seconds("self")?);
    let ran_out = shared.next.load(Ordering::Relaxed) >= shared.transactions.len();
    shared.stop.store(true, Ordering::Relaxed);
    for task in senders.into_iter().chain(gates) {
        task.await.context("a sender")??;
    }
    let to = network.settle(DRAIN).await?;
    watch.check()?;
    if ran_out {
        bail!("all {} signed transactions were sent before the end", shared.transactions.len());
    }
    let Counted { windowed, total, blocks } =
        count(network, watch, &shared.transactions, from + 1..=to, began..=ended).await?;
    let accepted = shared.accepted.load(Ordering::Relaxed);
    anyhow::ensure!(total == accepted, "{accepted} transactions were taken in, but {total} are committed");
    let seconds = (ended - began).as_secs_f64();
    Ok(Flooded {
        transactions_per_second: windowed as f64 / seconds,
        transactions: windowed,
        blocks,
        accepted,
        turned_away: shared.turned_away.load(Ordering::Relaxed),
        cores_per_node: cpu_ended.iter().zip(&cpu_began).map(|(end, begin)| (end - begin) / seconds).collect(),
        cores_driver: (own_ended - own_began) / seconds,
        disk_bytes_per_transaction: network.disk_bytes()?.saturating_sub(disk_before) as f64 / total.max(1) as f64,
    })
}

/// Sends all of them and waits until they are committed.
pub async fn send_all(
    network: &Network,
    transactions: Vec<Signed>,
    plan: &Plan,
    limit: Duration,
) -> anyhow::Result<()> {
    let (shared, gates, senders) = start(network, transactions, plan);
    for task in senders {
        task.await.context("a sender")??;
    }
    shared.stop.store(true, Ordering::Relaxed);
    for task in gates {
        task.await.context("a gate")??;
    }
    network.settle(limit).await?;
    Ok(())
}

type Task = JoinHandle<anyhow::Result<()>>;

/// Starts to send: what they share, those who ask whether a node has enough, and the senders.
fn start(network: &Network, transactions: Vec<Signed>, plan: &Plan) -> (Arc<Shared>, Vec<Task>, Vec<Task>) {
    let hosts = network.hosts();
    let shared = Arc::new(Shared {
        transactions,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        shut: hosts.iter().map(|_| AtomicBool::new(false)).collect(),
        accepted: AtomicU64::new(0),
        turned_away: AtomicU64::new(0),
    });
    let (mut gates, mut senders) = (Vec::new(), Vec::new());
    for (node, host) in hosts.iter().enumerate() {
        gates.push(tokio::spawn(gate(Arc::clone(&shared), node, host.clone(), plan.waiting_max)));
        for _ in 0..plan.senders_per_node {
            senders.push(tokio::spawn(send(Arc::clone(&shared), node, host.clone())));
        }
    }
    (shared, gates, senders)
}

async fn gate(shared: Arc<Shared>, node: usize, host: String, waiting_max: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(&host).await?;
    while !shared.stopped() {
        let status: NodeStatus = connection.get("/v1/status").await?.json()?;
        shared.shut[node].store(status.pending > waiting_max, Ordering::Relaxed);
        sleep(GATE_POLL).await;
    }
    Ok(())
}

async fn send(shared: Arc<Shared>, node: usize, host: String) -> anyhow::Result<()> {
    let mut connection = Connection::open(&host).await?;
    while !shared.stopped() {
        if shared.shut[node].load(Ordering::Relaxed) {
            sleep(PAUSE).await;
            continue;
        }
        let Some(transaction) = shared.transactions.get(shared.next.fetch_add(1, Ordering::Relaxed)) else { break };
        loop {
            let answer = connection.post("/v1/transactions", &transaction.bytes).await?;
            match answer.status {
                202 => shared.accepted.fetch_add(1, Ordering::Relaxed),
                429 | 503 if shared.stopped() => break,
                429 | 503 => {
                    shared.turned_away.fetch_add(1, Ordering::Relaxed);
                    sleep(PAUSE).await;
                    continue;
                }
                status => bail!("{host} refused {}: HTTP {status} {}", transaction.id, answer.text()),
            };
            break;
        }
    }
    Ok(())
}
