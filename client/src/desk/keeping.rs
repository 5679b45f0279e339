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

/// A register that is opened when it is needed.
#[derive(Debug)]
pub struct Keeping {
    path: PathBuf,
    passphrase: Passphrase,
    open: Option<(Register, Instant)>,
    parked: Option<(Parked, Instant)>,
    /// How long it was open since it last was closed for long enough.
    held: Duration,
    /// Held while the desk works.
    lock: Option<File>,
}

impl Keeping {
    /// Nothing is opened yet.
    pub fn new(path: &Path, passphrase: Passphrase) -> Self {
        Self { path: path.to_owned(), passphrase, open: None, parked: None, held: Duration::ZERO, lock: None }
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
                Some((parked, _)) => Register::reopen(parked)?,
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

    /// Whether another process has written to it since it was closed here; also if it never was.
    pub fn is_changed(&self) -> bool {
        self.open.is_none() && self.parked.as_ref().is_none_or(|(parked, _)| parked.is_changed())
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
        assert!(desk.is_changed(), "it was never open here");
        desk.register().unwrap().put_row(&row()).unwrap();
        desk.give_way();
        assert!(!desk.is_changed());
        let passphrase = Passphrase::new("correct horse".to_owned());
        let officer = Register::open(&dir.path().join("register"), &passphrase).unwrap();
        officer
            .change_row(&row().key, |row| {
                row.can_return = false;
                Ok(())
            })
            .unwrap();
        drop(officer);
        assert!(desk.is_changed());
        assert!(!desk.register().unwrap().row(&row().key).unwrap().unwrap().can_return);
        desk.give_way();
        assert!(!desk.is_changed());
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
