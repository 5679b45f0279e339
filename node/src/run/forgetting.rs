//! Drops case files whose case the chain does not have: it was never opened, or its end is 30 days ago.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::hash::CaseId;
use kanhe_proto::ids::{SpanMs, TimeMs};

use crate::case_files::{CaseFiles, FileId, FilesError, Store};
use crate::chain::{Chain, ChainError};

/// Longest and shortest pause between two looks.
const EVERY_MAX: Duration = Duration::from_secs(600);
const EVERY_MIN: Duration = Duration::from_secs(1);
/// Files that are looked at under one snapshot.
const AT_ONCE: usize = 256;

#[derive(Debug, thiserror::Error)]
enum ForgetError {
    #[error("the chain")]
    Chain(#[from] ChainError),
    #[error("the folder of case files")]
    Files(#[from] FilesError),
}

/// Looks now and then until the node ends.
pub async fn forget(files: Arc<CaseFiles>, chain: Arc<Chain>, unclaimed: SpanMs) {
    let every = Duration::from_millis(unclaimed.0 / 4).clamp(EVERY_MIN, EVERY_MAX);
    loop {
        tokio::time::sleep(every).await;
        let (files, chain) = (Arc::clone(&files), Arc::clone(&chain));
        let looked = tokio::task::spawn_blocking(move || look(files.store(), &chain, unclaimed)).await;
        match looked {
            Ok(Ok(0)) => {}
            Ok(Ok(dropped)) => tracing::info!(dropped, "case files of cases that the chain does not have"),
            Ok(Err(error)) => tracing::error!(error = ?error, "case files are not looked through"),
            Err(panicked) => tracing::error!("case files are not looked through: {panicked}"),
        }
    }
}

/// A case is believed absent as of a block that is so much later than the last part of the file: a node that still
/// catches up has not seen what the file belongs to.
fn look(store: &Store, chain: &Chain, unclaimed: SpanMs) -> Result<usize, ForgetError> {
    let before = TimeMs(chain.tip().header.time.0.saturating_sub(unclaimed.0));
    let (mut after, mut dropped) = (None, 0);
    loop {
        let found = store.older_than(before, after, AT_ONCE);
        let Some(last) = found.last() else { return Ok(dropped) };
        after = Some(*last);
        for file in absent(chain, &found)? {
            dropped += usize::from(store.drop_older_than(before, &file)?);
        }
    }
}

fn absent(chain: &Chain, files: &[FileId]) -> Result<Vec<FileId>, ChainError> {
    let snapshot = chain.snapshot()?;
    let mut known: BTreeMap<CaseId, bool> = BTreeMap::new();
    let mut absent = Vec::new();
    for file in files {
        let is_known = match known.get(&file.case) {
            Some(is_known) => *is_known,
            None => {
                let is_known = snapshot.has_case(&file.case)?;
                known.insert(file.case, is_known);
                is_known
            }
        };
        if !is_known {
            absent.push(*file);
        }
    }
    Ok(absent)
}
