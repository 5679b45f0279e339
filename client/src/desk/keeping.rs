//! The register of a running desk: open while something is read from it or kept in it, and given back while the desk waits for
//! anybody else, so that officers get in.
//!
//! One desk works with a register at a time: a lock of its own says so. Officers need none; what they say of a row is taken
//! over whenever the row is kept ([`Register::put_rows`]).

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::issuer::Register;
use crate::talk::{ExitCode, Failure, Passphrase};
use crate::vault::{Effort, Parked};

/// Once the register was open for so long in all, it stays closed for a moment.
const HOLD: Duration = Duration::from_secs(2);
/// For how long: longer than a waiting command sleeps.
const GIVE_WAY: Duration = Duration::from_millis(400);
/// How often it is looked at although nothing seems to be new: what was written in the moment of closing does not show.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A register that is opened when it is needed.
#[derive(Debug)]
pub struct Keeping {
    path: PathBuf,
    passphrase: Passphrase,
    open: Option<(Register, Instant)>,
    parked: Option<(Parked, Instant)>,
    /// How long it was open since it last was closed for long enough.
    held: Duration,
    /// Whether another process has written something that [`Self::seen`] was not said of.
    news: bool,
    /// When everything in it was seen last.
    seen: Option<Instant>,
    /// Held while the desk works.
    lock: Option<File>,
}

impl Keeping {
    /// Nothing is opened yet.
    pub fn new(path: &Path, passphrase: Passphrase) -> Self {
        let path = path.to_owned();
        Self { path, passphrase, open: None, parked: None, held: Duration::ZERO, news: false, seen: None, lock: None }
    }

    /// The register, opened if it is not; made where there is none.
    pub fn register(&mut self) -> Result<&Register, Failure> {
        if self.open.is_none() {
            if let Some((_, since)) = &self.parked {
                let rested = since.elapsed();
                if rested < GIVE_WAY && self.held > HOLD {
                    std::thread::sleep(GIVE_WAY - rested);
                }
                if since.elapsed() >= GIVE_WAY {
                    self.held = Duration::ZERO;
                }
            }
            let register = match &self.parked {
                Some((parked, _)) => {
                    let register = Register::reopen(parked)?;
                    self.news |= register.is_changed_since(parked)?;
                    register
                }
                None => Register::open_or_create(&self.path, &self.passphrase, Effort::USUAL)?,
            };
            self.open = Some((register, Instant::now()));
        }
        Ok(&self.open.as_ref().expect("it was just opened").0)
    }

    /// Closes it.
    pub fn give_way(&mut self) {
        if let Some((register, since)) = self.open.take() {
            self.held += since.elapsed();
            self.parked = Some((register.park(), Instant::now()));
        }
    }

    /// Whether another process may have written to it since all was [`Self::seen`], however often it was open in between.
    pub fn has_news(&self) -> bool {
        let is_changed = || self.parked.as_ref().is_none_or(|(parked, _)| parked.is_changed());
        let is_due = || self.seen.is_none_or(|seen| seen.elapsed() >= LOOK_EVERY);
        self.news || (self.open.is_none() && (is_changed() || is_due()))
    }

    /// All that is in the open register is known now.
    pub fn seen(&mut self) {
        (self.news, self.seen) = (false, Some(Instant::now()));
    }

    /// Keeps every other desk away until [`Self::unlock`], or the process ends.
    pub fn lock(&mut self) -> Result<(), Failure> {
        if self.lock.is_some() {
            return Ok(());
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".desk");
        let path = self.path.with_file_name(name);
        let wrong = |error: std::io::Error| {
            Failure::of(ExitCode::Failure, "desk_lock", &[("path", &path.display()), ("cause", &error)])
        };
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => self.lock = Some(file),
            Err(TryLockError::WouldBlock) => return Err(Failure::of(ExitCode::Failure, "desk_in_use", &[])),
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        Ok(())
    }

    /// Closes the register and lets other desks in.
    pub fn unlock(&mut self) {
        self.give_way();
        self.lock = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    fn keeping(dir: &tempfile::TempDir) -> Keeping {
        // A register of no effort, so that the test is quick.
        let passphrase = || Passphrase::new("correct horse".to_owned());
        let path = dir.path().join("register");
        drop(Register::open_or_create(&path, &passphrase(), Effort::NONE).unwrap());
        Keeping::new(&path, passphrase())
    }

    #[test]
    fn while_it_is_given_back_others_get_in_and_that_shows() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = keeping(&dir);
        assert!(desk.has_news(), "it was never open here");
        desk.register().unwrap().put_row(&row()).unwrap();
        desk.seen();
        desk.give_way();
        assert!(!desk.has_news());
        let passphrase = Passphrase::new("correct horse".to_owned());
        let officer = Register::open(&dir.path().join("register"), &passphrase).unwrap();
        officer
            .change_row(&row().key, |row| {
                row.can_return = false;
                Ok(())
            })
            .unwrap();
        drop(officer);
        assert!(desk.has_news());
        assert!(!desk.register().unwrap().row(&row().key).unwrap().unwrap().can_return);
        desk.give_way();
        // It was open for something else, and nobody has looked what is new.
        assert!(desk.has_news());
        desk.register().unwrap();
        assert!(desk.has_news());
        desk.seen();
        desk.give_way();
        assert!(!desk.has_news());
    }

    #[test]
    fn one_desk_works_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (keeping(&dir), keeping(&dir));
        one.lock().unwrap();
        one.lock().unwrap();
        assert_eq!(other.lock().unwrap_err().code, "desk_in_use");
        one.unlock();
        other.lock().unwrap();
    }
}
