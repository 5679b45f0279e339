//! Drops case files that no event of a case commits to: the case was never opened, its end is 30 days ago, or nobody who
//! takes part in it has said so in time. What an event commits to is known as wanted from then on.

use std::sync::Arc;
use std::time::Duration;

use kanhe_proto::ids::{SpanMs, TimeMs};

use super::claim::claimed;
use crate::case_files::{CaseFiles, FileId, FilesError, Store};
use crate::chain::{Chain, ChainError, Claim};

/// Longest and shortest pause between two looks.
const EVERY_MAX: Duration = Duration::from_secs(600);
const EVERY_MIN: Duration = Duration::from_secs(1);
/// Pause between two looks at what is new: a file is wanted as soon as its act is on the chain.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Files that are looked at under one snapshot.
const AT_ONCE: usize = 256;
/// New files that are looked at before a pause; the next look goes on from there.
const NEW_AT_ONCE: usize = 16 * AT_ONCE;

#[derive(Debug, thiserror::Error)]
enum ForgetError {
    #[error("the chain")]
    Chain(#[from] ChainError),
    #[error("the folder of case files")]
    Files(#[from] FilesError),
}

/// Looks now and then until the node ends, and first when it begins: until then nothing is known to be wanted.
pub async fn forget(files: Arc<CaseFiles>, chain: Arc<Chain>, unclaimed: SpanMs) {
    let every = Duration::from_millis(unclaimed.0 / 4).clamp(EVERY_MIN, EVERY_MAX);
    let mut since: Option<tokio::time::Instant> = None;
    let mut place = None;
    loop {
        let all = since.is_none_or(|since| since.elapsed() >= every);
        if all {
            since = Some(tokio::time::Instant::now());
        }
        let (kept, known) = (Arc::clone(&files), Arc::clone(&chain));
        let looked = tokio::task::spawn_blocking(move || {
            let place = want(kept.store(), &known, place)?;
            let dropped = if all { look(kept.store(), &known, unclaimed)? } else { 0 };
            Ok::<_, ForgetError>((place, dropped))
        });
        match looked.await {
            Ok(Ok((next, dropped))) => {
                place = next;
                if dropped > 0 {
                    tracing::info!(dropped, "case files that no case on the chain commits to");
                }
            }
            Ok(Err(error)) => tracing::error!(error = ?error, "case files are not looked through"),
            Err(panicked) => tracing::error!("case files are not looked through: {panicked}"),
        }
        tokio::time::sleep(every.min(LOOK_EVERY)).await;
    }
}

/// Finds out what the chain wants of that of which it is not known, from a place on. Where to go on; none: from the first.
fn want(store: &Store, chain: &Chain, mut place: Option<FileId>) -> Result<Option<FileId>, ForgetError> {
    for _ in 0..NEW_AT_ONCE / AT_ONCE {
        let found = store.unwanted(place, AT_ONCE);
        let Some((last, _)) = found.last() else { return Ok(None) };
        place = Some(*last);
        let wanted = claims(chain, &found, |claim| claim == Claim::Wanted)?;
        wanted.iter().for_each(|file| store.want(file));
    }
    Ok(place)
}

/// A file is believed unclaimed as of a block that is so much later than its last part: a node that still catches up has
/// not seen what it belongs to. Of a wanted one it is enough that the case is there.
fn look(store: &Store, chain: &Chain, unclaimed: SpanMs) -> Result<usize, ForgetError> {
    let before = TimeMs(chain.tip().header.time.0.saturating_sub(unclaimed.0));
    let (mut after, mut dropped) = (None, 0);
    loop {
        let found = store.older_than(before, after, AT_ONCE);
        let Some((last, _)) = found.last() else { return Ok(dropped) };
        after = Some(*last);
        let (wanted, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(file, _)| store.is_wanted(file));
        let mut gone = absent(chain, &wanted)?;
        gone.extend(claims(chain, &others, |claim| claim != Claim::Wanted)?);
        for file in gone {
            dropped += usize::from(store.drop_older_than(before, &file)?);
        }
    }
}

fn claims(chain: &Chain, files: &[(FileId, u16)], fits: impl Fn(Claim) -> bool) -> Result<Vec<FileId>, ChainError> {
    let snapshot = chain.snapshot()?;
    let mut found = Vec::new();
    for (file, parts) in files {
        if fits(snapshot.claim(&claimed(file, *parts))?) {
            found.push(*file);
        }
    }
    Ok(found)
}

fn absent(chain: &Chain, files: &[(FileId, u16)]) -> Result<Vec<FileId>, ChainError> {
    let snapshot = chain.snapshot()?;
    let mut absent = Vec::new();
    for (file, _) in files {
        if !snapshot.has_case(&file.case)? {
            absent.push(*file);
        }
    }
    Ok(absent)
}
