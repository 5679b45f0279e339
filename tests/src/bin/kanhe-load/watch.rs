//! Follows the blocks of every node, and notes when each was seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::bail;
use tokio::task::JoinHandle;

use super::http::Connection;
use super::network::Network;

type Seen = Arc<Mutex<BTreeMap<u64, Instant>>>;

/// Follows all nodes until it is dropped.
pub struct Watch {
    seen: Vec<Seen>,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Watch {
    /// Begins.
    pub async fn start(network: &Network) -> anyhow::Result<Self> {
        let (mut seen, mut tasks) = (Vec::new(), Vec::new());
        for host in network.hosts() {
            let mut stream = Connection::open(&host).await?;
            stream.subscribe("/v1/blocks/stream").await?;
            let of_node = Seen::default();
            seen.push(Arc::clone(&of_node));
            tasks.push(tokio::spawn(async move {
                loop {
                    let height = stream.event_id().await?;
                    of_node.lock().unwrap_or_else(PoisonError::into_inner).entry(height).or_insert_with(Instant::now);
                }
            }));
        }
        Ok(Self { seen, tasks })
    }
    /// When the last of the nodes showed the block as committed.
    pub fn on_all(&self, height: u64) -> Option<Instant> {
        let of_node = |seen: &Seen| seen.lock().unwrap_or_else(PoisonError::into_inner).get(&height).copied();
        let times = self.seen.iter().map(of_node).collect::<Option<Vec<Instant>>>()?;
        times.into_iter().max()
    }
    /// Fails if a stream broke: what was not seen would be missing from the count.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.tasks.iter().any(JoinHandle::is_finished) {
            bail!("a node ended its stream of blocks");
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
