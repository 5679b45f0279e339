//! The network that is measured: its nodes, their processes and their disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use kanhe_node::devnet::{BureauDescription, DESCRIPTION_FILE, Description};
use kanhe_proto::api::NodeStatus;
use kanhe_proto::genesis::Genesis;

use super::http::Connection;

/// How often nodes are asked whether something has come about.
const POLL: Duration = Duration::from_millis(50);
/// Ticks of a second in `/proc`: fixed by Linux for what programs see.
const TICKS_PER_SECOND: f64 = 100.0;

/// A local network whose nodes run.
pub struct Network {
    /// What `devnet init` wrote.
    pub description: Description,
    /// The founders' file.
    pub genesis: Genesis,
}

impl Network {
    /// Of a folder.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(DESCRIPTION_FILE);
        let text = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let description: Description = serde_json::from_slice(&text)?;
        let genesis = Genesis::from_bytes(&fs::read(&description.genesis)?)?;
        Ok(Self { description, genesis })
    }
    /// Its nodes.
    pub fn nodes(&self) -> &[BureauDescription] {
        &self.description.bureaus
    }
    /// Addresses of the nodes' APIs, without a scheme.
    pub fn hosts(&self) -> Vec<String> {
        self.nodes().iter().map(|node| node.api.trim_start_matches("http://").to_owned()).collect()
    }

    /// CPU seconds that each node has used so far.
    pub fn cpu_seconds(&self) -> anyhow::Result<Vec<f64>> {
        self.nodes().iter().map(|node| cpu_seconds(&pid_of(&node.home)?)).collect()
    }
    /// Bytes of all that the nodes keep, their log lines left out.
    pub fn disk_bytes(&self) -> anyhow::Result<u64> {
        self.nodes().iter().map(|node| tree_bytes(&node.home)).sum()
    }

    /// What each node says of itself.
    pub async fn statuses(&self) -> anyhow::Result<Vec<NodeStatus>> {
        let mut statuses = Vec::new();
        for host in self.hosts() {
            statuses.push(Connection::open(&host).await?.get("/v1/status").await?.json()?);
        }
        Ok(statuses)
    }
    /// Waits until no transaction waits and all nodes are at one height; gives it. Slow blocks are waited for: the limit is
    /// for a time without any.
    pub async fn settle(&self, limit: Duration) -> anyhow::Result<u64> {
        let (mut until, mut top) = (tokio::time::Instant::now() + limit, 0);
        loop {
            let statuses = self.statuses().await?;
            let height = statuses[0].height;
            if statuses.iter().all(|status| status.pending == 0 && status.height == height) {
                return Ok(height);
            }
            let highest = statuses.iter().map(|status| status.height).max().unwrap_or(0);
            if highest > top {
                (until, top) = (tokio::time::Instant::now() + limit, highest);
            }
            let said: Vec<_> = statuses.iter().map(|status| (status.height, status.pending)).collect();
            anyhow::ensure!(tokio::time::Instant::now() < until, "the nodes do not come to rest: {said:?}");
            tokio::time::sleep(POLL).await;
        }
    }
}

fn pid_of(home: &Path) -> anyhow::Result<String> {
    let path = home.join("pid");
    let pid =
        fs::read_to_string(&path).with_context(|| format!("{} (start it with scripts/devnet)", path.display()))?;
    Ok(pid.trim().to_owned())
}

/// User and system time of a process; `self` is this one.
pub fn cpu_seconds(pid: &str) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may hold anything; fields are counted from behind it.
    let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("/proc/PID/stat");
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

fn tree_bytes(path: &PathBuf) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let size = match entry.file_type()? {
            kind if kind.is_dir() => tree_bytes(&entry.path()),
            _ if entry.file_name() == "log" => Ok(0),
            // RocksDB deletes files at any time.
            _ => Ok(entry.metadata().map_or(0, |metadata| metadata.len())),
        };
        bytes += size?;
    }
    Ok(bytes)
}
