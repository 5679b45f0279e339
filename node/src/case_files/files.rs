//! The store for those who may not block.

use std::sync::Arc;

use kanhe_proto::api::CaseFileState;
use kanhe_proto::case_file::FilePart;
use kanhe_proto::ids::TimeMs;
use tokio::sync::{Semaphore, watch};

use super::disk::{FileId, FilesError};
use super::store::Store;

/// Reads at the same time; more wait. Writes go one after the other, and keep no read waiting.
const READS_MAX: usize = 8;

/// The case files of a node, and news of them.
#[derive(Debug)]
pub struct CaseFiles {
    store: Arc<Store>,
    clock: fn() -> TimeMs,
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    news: watch::Sender<u64>,
}

impl CaseFiles {
    /// Of a store.
    pub fn new(store: Store, clock: fn() -> TimeMs) -> Self {
        Self {
            store: Arc::new(store),
            clock,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            writes: Arc::new(Semaphore::new(1)),
            news: watch::Sender::new(0),
        }
    }
    /// What answers without the disk.
    pub fn store(&self) -> &Store {
        &self.store
    }
    /// Changes whenever a part comes that is for another bureau.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        room: &Arc<Semaphore>,
        work: impl FnOnce(&Store) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, FilesError> {
        let failed = |what: String| FilesError::Io { path: "case-files".into(), source: std::io::Error::other(what) };
        let permit = Arc::clone(room).acquire_owned().await.map_err(|error| failed(error.to_string()))?;
        let store = Arc::clone(&self.store);
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&store)
        });
        done.await.unwrap_or_else(|panicked| Err(failed(panicked.to_string())))
    }

    /// Keeps a part; it is durable when this returns. `wanted`: the chain commits to its file.
    pub async fn keep(&self, part: FilePart, wanted: bool) -> Result<CaseFileState, FilesError> {
        let (now, to) = ((self.clock)(), part.body.to);
        let state = self.blocking(&self.writes, move |store| store.keep(&part, wanted, now)).await?;
        if Some(to) != self.store.bureau() {
            self.news.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(state)
    }
    /// A part, encoded.
    pub async fn read(&self, file: FileId, place: u16) -> Result<Option<Vec<u8>>, FilesError> {
        self.blocking(&self.reads, move |store| store.read(&file, place)).await
    }
    /// A node of the recipient has all parts.
    pub async fn mark_delivered(&self, file: FileId) -> Result<(), FilesError> {
        self.blocking(&self.writes, move |store| store.mark_delivered(&file)).await
    }
}
