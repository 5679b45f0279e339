//! When a database is closed.

use std::sync::Weak;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(5);

/// Watches a database without holding it open.
///
/// A process must not end while a thread still closes it: the end takes away what RocksDB's own threads stand on.
#[derive(Debug)]
pub struct Closing(pub(super) Weak<()>);

impl Closing {
    /// Waits until it is closed; whether it was in this time.
    pub fn wait(&self, longest: Duration) -> bool {
        let end = Instant::now() + longest;
        while self.0.strong_count() > 0 {
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }
}
