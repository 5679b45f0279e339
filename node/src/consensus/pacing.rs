//! No block without work: when a decided height lets the next one start.
//!
//! The engine starts a height when it is told to, so an idle chain is one that is not told. It is told when
//! transactions wait here, when the heartbeat is due, or when others work on the next height already.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kanhe_proto::ids::{Height, TimeMs};
use tokio::sync::watch;
use tokio::time::Instant;

use super::application::Tip;

/// Why the next height starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Transactions wait.
    Work,
    /// The last block is a heartbeat old.
    Heartbeat,
    /// A validator signed something for the next height.
    Peers,
    /// Peers have the next block.
    Behind,
}

/// What ends the wait.
#[derive(Debug, Clone)]
pub struct Pacing {
    /// Whether transactions wait.
    pub work: watch::Receiver<bool>,
    /// Highest height beyond ours that validators work on.
    pub active: watch::Receiver<Height>,
    /// Tip of the peers, as far as they are believed.
    pub tip: watch::Receiver<Height>,
}

impl Pacing {
    /// Waits until the height may start.
    pub async fn wait(&self, next: Height, due: Instant) -> Reason {
        let (mut work, mut active, mut tip) = (self.work.clone(), self.active.clone(), self.tip.clone());
        // A closed channel can bring no news: only the heartbeat is left then.
        tokio::select! {
            biased;
            Ok(_) = work.wait_for(|work| *work) => Reason::Work,
            Ok(_) = active.wait_for(|height| *height >= next) => Reason::Peers,
            Ok(_) = tip.wait_for(|height| *height >= next) => Reason::Behind,
            () = tokio::time::sleep_until(due) => Reason::Heartbeat,
        }
    }
}

/// When the heartbeat after a tip is due; at most one heartbeat from now, whatever the clocks say.
pub fn heartbeat_due(tip: &Tip) -> Instant {
    let left = tip.time.after(tip.heartbeat).since(now()).0.min(tip.heartbeat.0);
    Instant::now() + Duration::from_millis(left)
}

/// This node's clock.
pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_reason_ends_the_wait() {
        let (work, active, tip) =
            (watch::Sender::new(false), watch::Sender::new(Height(0)), watch::Sender::new(Height(0)));
        let pacing = Pacing { work: work.subscribe(), active: active.subscribe(), tip: tip.subscribe() };
        let far = Instant::now() + Duration::from_secs(3600);
        assert_eq!(pacing.wait(Height(5), Instant::now()).await, Reason::Heartbeat);
        tip.send_replace(Height(4));
        assert_eq!(pacing.wait(Height(5), Instant::now()).await, Reason::Heartbeat);
        tip.send_replace(Height(5));
        assert_eq!(pacing.wait(Height(5), far).await, Reason::Behind);
        active.send_replace(Height(5));
        assert_eq!(pacing.wait(Height(5), far).await, Reason::Peers);
        work.send_replace(true);
        assert_eq!(pacing.wait(Height(6), far).await, Reason::Work);
    }
}
