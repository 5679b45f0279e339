//! Why the node ended by itself the last time, kept in its home for whoever looks there before the log.
//!
//! Written when it ends for a reason to stop, taken away when it ends because it was asked to.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{RunError, home, now};
use crate::bounded_file;

/// Bytes of the file.
const BYTES_MAX: usize = 64 << 10;
/// Characters of the reason that are kept.
const TEXT_CHARS_MAX: usize = 4_000;

/// Why it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStop {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The process's exit code.
    pub code: u8,
    /// The reason, in the words of the error.
    pub reason: String,
    /// What the operator can do.
    pub hint: String,
}

impl LastStop {
    /// Of an error that is a reason to stop; nothing of one that kept the node from starting, which is seen again at the
    /// next start.
    pub fn of(error: &RunError) -> Option<Self> {
        let RunError::Fatal(fatal) = error else { return None };
        let reason = fatal.to_string().chars().take(TEXT_CHARS_MAX).collect();
        Some(Self { at_ms: now().0, code: error.exit_code(), reason, hint: error.hint().to_owned() })
    }

    /// Keeps it. Half a file is never seen.
    pub fn write(&self, of: &Path) -> io::Result<()> {
        let path = home::last_stop(of);
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    }

    /// What the home holds; nothing where that is none.
    pub fn read(of: &Path) -> Option<Self> {
        serde_json::from_slice(&bounded_file::read(&home::last_stop(of), BYTES_MAX).ok()?).ok()
    }

    /// Forgets it.
    pub fn clear(of: &Path) {
        // Of a home that cannot be written the next start says more.
        let _ = fs::remove_file(home::last_stop(of));
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::ids::Height;

    use super::*;
    use crate::consensus::Fatal;

    #[test]
    fn a_reason_to_stop_is_kept_until_an_end_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(LastStop::read(folder.path()), None);
        let stop = LastStop::of(&RunError::Fatal(Fatal::DoubleVote { height: Height(7) })).unwrap();
        assert_eq!(stop.code, 72);
        stop.write(folder.path()).unwrap();
        assert_eq!(LastStop::read(folder.path()), Some(stop));
        let later = LastStop::of(&RunError::Fatal(Fatal::Storage("x".repeat(100_000)))).unwrap();
        later.write(folder.path()).unwrap();
        assert_eq!(LastStop::read(folder.path()), Some(later));
        LastStop::clear(folder.path());
        assert_eq!(LastStop::read(folder.path()), None);
        fs::write(home::last_stop(folder.path()), "not ours").unwrap();
        assert_eq!(LastStop::read(folder.path()), None);
        // What keeps a node from starting does so again.
        assert_eq!(LastStop::of(&RunError::Descriptors { allowed: 1, needed: 2 }), None);
    }
}
