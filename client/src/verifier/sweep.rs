//! Forgetting: what a verifier need not remember any more.
//!
//! A request that is past its life answers nothing, and a day later nobody asks for its verdict again: then it goes,
//! and the note of what answered it, which holds what was disclosed. A response to it is then one to a request that is
//! not known, never one that was not answered before. Receipts stay until somebody says how long they must be kept:
//! they show why a bank believed, and the law wants some of them for years.

use std::fs::{DirEntry, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

use kanhe_proto::request::REQUEST_LIFE_MAX;
use schemars::JsonSchema;
use serde::Serialize;

use super::Memory;
use crate::talk::{ExitCode, Failure};

/// How long a request is remembered after its life, with its verdict.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// How often it is swept without being asked.
const EVERY: Duration = Duration::from_secs(3600);
const REQUESTS: &str = "verifier/requests";
const SPENT: &str = "verifier/spent";
const RECEIPTS: &str = "verifier/receipts";
/// Its time is that of the last sweep.
const MARK: &str = "verifier/swept";

/// What was swept.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Swept {
    /// Requests.
    pub requests: usize,
    /// Notes of what answered them.
    pub verdicts: usize,
    /// Receipts; none unless asked for.
    pub receipts: usize,
}

impl Memory<'_> {
    /// Sweeps, unless that was done within the hour.
    pub fn sweep_if_due(&self, now: SystemTime) -> Result<(), Failure> {
        let mark = self.home.at(MARK);
        let due = std::fs::metadata(&mark).map_or(true, |meta| is_older(&meta, now, EVERY));
        if due && self.home.at(REQUESTS).exists() {
            self.home.write_file(MARK, b"")?;
            self.sweep(now)?;
        }
        Ok(())
    }

    /// Sweeps requests that are past their life for a day, and what answered them.
    pub fn sweep(&self, now: SystemTime) -> Result<Swept, Failure> {
        let kept = REMEMBERED + Duration::from_millis(REQUEST_LIFE_MAX.0);
        let requests = sweep(&self.home.at(REQUESTS), now, kept, |_| true)?;
        // After its request: what answered it must be known as long as it can be answered.
        let folder = self.home.at(REQUESTS);
        let verdicts = sweep(&self.home.at(SPENT), now, kept, |entry| !folder.join(entry.file_name()).exists())?;
        Ok(Swept { requests, verdicts, receipts: 0 })
    }

    /// Receipts that the service has kept for longer.
    pub fn receipts_older(&self, now: SystemTime, kept: Duration) -> Result<usize, Failure> {
        let mut count = 0;
        sweep(&self.home.at(RECEIPTS), now, kept, |_| {
            count += 1;
            false
        })?;
        Ok(count)
    }

    /// Sweeps them.
    pub fn sweep_receipts(&self, now: SystemTime, kept: Duration) -> Result<usize, Failure> {
        sweep(&self.home.at(RECEIPTS), now, kept, |_| true)
    }
}

fn is_older(meta: &Metadata, now: SystemTime, than: Duration) -> bool {
    // What comes from the future is of a clock that was wrong: it waits until its time is past.
    let age = meta.modified().ok().and_then(|modified| now.duration_since(modified).ok());
    age.is_some_and(|age| age > than)
}

/// Removes old files of a folder; says how many. One that another process removes meanwhile is gone as well.
fn sweep(
    folder: &Path,
    now: SystemTime,
    kept: Duration,
    mut goes: impl FnMut(&DirEntry) -> bool,
) -> Result<usize, Failure> {
    let unread = |error: std::io::Error| {
        Failure::of(ExitCode::Failure, "file_unread", &[("path", &folder.display()), ("cause", &error)])
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(unread(error)),
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry.map_err(unread)?;
        let Ok(meta) = entry.metadata() else { continue };
        if !meta.is_file() || !is_older(&meta, now, kept) || !goes(&entry) {
            continue;
        }
        match std::fs::remove_file(entry.path()) {
            Ok(()) => swept += 1,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unread(error)),
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_past_goes_and_receipts_stay_until_somebody_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().to_path_buf());
        let memory = Memory::new(&home);
        assert_eq!(memory.sweep(SystemTime::now()).unwrap(), Swept::default());
        for folder in [REQUESTS, SPENT, RECEIPTS] {
            for name in ["a.json", "b.json"] {
                home.write_file(&format!("{folder}/{name}"), b"{}").unwrap();
            }
        }
        let now = SystemTime::now();
        assert_eq!(memory.sweep(now + 24 * HOUR).unwrap(), Swept::default(), "a request lives for ten minutes");
        // One request is younger than its verdict: both stay.
        let young = std::fs::File::open(home.at(REQUESTS).join("b.json")).unwrap();
        young.set_modified(now + 2 * HOUR).unwrap();
        let swept = memory.sweep(now + 25 * HOUR).unwrap();
        assert_eq!(swept, Swept { requests: 1, verdicts: 1, receipts: 0 });
        assert!(home.at(SPENT).join("b.json").exists() && home.at(RECEIPTS).join("a.json").exists());

        let years = 24 * 365 * HOUR;
        assert_eq!(memory.receipts_older(now + 6 * years, 5 * years).unwrap(), 2);
        assert_eq!(memory.receipts_older(now + 4 * years, 5 * years).unwrap(), 0);
        assert_eq!(memory.sweep_receipts(now + 6 * years, 5 * years).unwrap(), 2);
        assert_eq!(memory.sweep_receipts(now + 6 * years, 5 * years).unwrap(), 0);
    }

    #[test]
    fn it_is_swept_by_itself_once_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().to_path_buf());
        let memory = Memory::new(&home);
        let now = SystemTime::now();
        memory.sweep_if_due(now).unwrap();
        assert!(!home.at(MARK).exists(), "nothing is made before something is written");
        home.write_file("verifier/requests/a.json", b"{}").unwrap();
        let request = home.at("verifier/requests/a.json");
        let old = std::fs::File::open(&request).unwrap();
        old.set_modified(now - 30 * HOUR).unwrap();
        home.write_file(MARK, b"").unwrap();
        memory.sweep_if_due(now + HOUR / 2).unwrap();
        assert!(request.exists());
        memory.sweep_if_due(now + 2 * HOUR).unwrap();
        assert!(!request.exists());
    }
}
