//! Reads the whole database once after the start, gently: a damaged table of old blocks would otherwise show only when
//! a peer asks for one of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::storage::{DAMAGED_HINT, Scrubbed, Storage};

/// Bytes read at a time.
const PIECE_BYTES: u64 = 2 << 20;
/// Rest after each: at most 20 MB/s are read.
const REST: Duration = Duration::from_millis(100);

/// Reads all; says what is damaged, in the log and to whoever watches.
pub async fn scrub(storage: Arc<Storage>, damaged: watch::Sender<Option<String>>) {
    let mut at = Scrubbed::default();
    loop {
        let (reader, from) = (Arc::clone(&storage), at);
        let read = tokio::task::spawn_blocking(move || reader.scrub(from, PIECE_BYTES)).await;
        at = match read {
            Ok(Ok(Some(next))) => next,
            Ok(Ok(None)) => {
                tracing::debug!("all of the database was read");
                return;
            }
            Ok(Err(error)) => {
                tracing::error!("{error}; hint: {DAMAGED_HINT}");
                damaged.send_replace(Some(error.to_string()));
                return;
            }
            Err(panicked) => {
                tracing::error!("reading the database ended badly: {panicked}");
                return;
            }
        };
        tokio::time::sleep(REST).await;
    }
}
