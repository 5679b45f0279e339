//! Small tasks that carry news from one part to another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::chain::Chain;
use crate::network::status::CLOCK_OFF_MAX_MS;
use crate::network::{PeerInfo, TipStatus};

/// Shortest time between two warnings of the same kind.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The tip as peers are told it.
pub fn tip_status(chain: &Chain) -> TipStatus {
    let tip = chain.tip();
    TipStatus { height: tip.header.height, header_hash: tip.hash }
}

/// Tells the swarm each new tip.
pub async fn follow_tip(chain: Arc<Chain>, told: watch::Sender<TipStatus>) {
    let mut committed = chain.committed();
    while committed.changed().await.is_ok() {
        told.send_replace(tip_status(&chain));
    }
}

/// Says so when this node's clock and those of most peers differ.
pub async fn watch_clocks(mut peers: watch::Receiver<Vec<PeerInfo>>) {
    while peers.changed().await.is_ok() {
        let off = clocks_off(&peers.borrow_and_update());
        if let Some(ahead_ms) = off {
            tracing::error!(
                ahead_ms,
                "this clock is more than {} s off those of its peers; hint: set it by NTP, or this node's blocks are \
                 refused",
                CLOCK_OFF_MAX_MS / 1_000
            );
            tokio::time::sleep(WARN_EVERY).await;
        }
    }
}

/// How far most peers' clocks are ahead, if too far.
fn clocks_off(peers: &[PeerInfo]) -> Option<i64> {
    let known: Vec<i64> = peers.iter().filter_map(|peer| peer.clock_ahead_ms).collect();
    let off: Vec<i64> =
        peers.iter().filter(|peer| peer.is_clock_off()).filter_map(|peer| peer.clock_ahead_ms).collect();
    (off.len() * 2 > known.len()).then(|| off.first().copied()).flatten()
}
