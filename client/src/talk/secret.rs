//! Passphrases: from a person, a file that only its owner reads, or an open file descriptor. Never from an argument,
//! which every process of the machine could read.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{ExitCode, Failure, say};

/// Longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Shortest passphrase that a new store is given, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 8;

/// A passphrase. It does not print, and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Takes a passphrase over; the caller's own copies are the caller's.
    pub fn new(text: String) -> Self {
        Self(text)
    }
    /// Its bytes, for key derivation.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Where a passphrase comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A person at the terminal.
    Prompt,
    /// `--passphrase-file`: its first line; the file must be readable by its owner alone.
    File(PathBuf),
    /// `--passphrase-fd`: the first line of an open descriptor.
    Descriptor(RawFd),
}

impl Source {
    /// From the two options of the command line, of which at most one is given.
    pub fn of(file: Option<PathBuf>, descriptor: Option<RawFd>) -> Result<Self, Failure> {
        match (file, descriptor) {
            (Some(_), Some(_)) => Err(Failure::of(ExitCode::Usage, "passphrase_twice", &[])),
            (Some(path), None) => Ok(Self::File(path)),
            (None, Some(descriptor)) => Ok(Self::Descriptor(descriptor)),
            (None, None) => Ok(Self::Prompt),
        }
    }

    /// The passphrase of something that exists.
    pub fn existing(&self) -> Result<Passphrase, Failure> {
        match self {
            Self::Prompt => ask(&say("prompt.passphrase", &[])),
            Self::File(path) => from_file(path),
            Self::Descriptor(descriptor) => from_descriptor(*descriptor),
        }
    }

    /// The passphrase for something new: long enough, and asked for twice if a person types it.
    pub fn fresh(&self) -> Result<Passphrase, Failure> {
        let first = match self {
            Self::Prompt => ask(&say("prompt.new_passphrase", &[]))?,
            other => other.existing()?,
        };
        if first.0.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(Failure::of(ExitCode::Usage, "passphrase_short", &[("min", &PASSPHRASE_CHARS_MIN)]));
        }
        if *self == Self::Prompt && ask(&say("prompt.again", &[]))?.0 != first.0 {
            return Err(Failure::of(ExitCode::Usage, "passphrase_differs", &[]));
        }
        Ok(first)
    }
}

fn ask(prompt: &str) -> Result<Passphrase, Failure> {
    let nobody = || Failure::of(ExitCode::Usage, "needs_passphrase", &[]);
    if !std::io::stdin().is_terminal() {
        return Err(nobody());
    }
    rpassword::prompt_password(format!("{prompt} ")).map(Passphrase).map_err(|_| nobody())
}

fn from_file(path: &Path) -> Result<Passphrase, Failure> {
    let shown = path.display();
    let unread = |error: std::io::Error| {
        Failure::of(ExitCode::Failure, "passphrase_unread", &[("source", &shown), ("cause", &error)])
    };
    let file = File::open(path).map_err(unread)?;
    let mode = file.metadata().map_err(unread)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let mode = format!("{mode:04o}");
        return Err(Failure::of(ExitCode::Usage, "passphrase_file_open", &[("path", &shown), ("mode", &mode)]));
    }
    first_line(file, &shown.to_string())
}

fn from_descriptor(descriptor: RawFd) -> Result<Passphrase, Failure> {
    // The kernel's own view of our descriptors opens it without taking ownership of a number we were only told.
    let source = format!("/dev/fd/{descriptor}");
    let file = File::open(&source).map_err(|error| {
        Failure::of(ExitCode::Usage, "passphrase_unread", &[("source", &source), ("cause", &error)])
    })?;
    first_line(file, &source)
}

fn first_line(input: impl Read, source: &str) -> Result<Passphrase, Failure> {
    let mut bytes = Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2);
    let read = input.take(PASSPHRASE_BYTES_MAX as u64 + 2).read_to_end(&mut bytes);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).ok().filter(|text| !text.is_empty() && text.len() <= PASSPHRASE_BYTES_MAX);
    let passphrase = text.map(|text| Passphrase(text.to_string()));
    bytes.zeroize();
    let cause = read.err().map_or_else(|| say("prompt.not_a_line", &[]), |error| error.to_string());
    passphrase
        .ok_or_else(|| Failure::of(ExitCode::Failure, "passphrase_unread", &[("source", &source), ("cause", &cause)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_file_gives_its_first_line_if_only_its_owner_reads_it() {
        let (_dir, path) = file("一句长的口令\r\nrest".as_bytes(), 0o600);
        assert_eq!(Source::File(path).existing().unwrap().bytes(), "一句长的口令".as_bytes());
    }

    #[test]
    fn an_open_file_is_refused_with_a_hint() {
        let (_dir, path) = file(b"correct horse\n", 0o644);
        let failure = Source::File(path).existing().unwrap_err();
        assert_eq!((failure.exit, failure.code.as_str()), (ExitCode::Usage, "passphrase_file_open"));
        assert!(failure.hint.unwrap().contains("chmod 600"));
    }

    #[test]
    fn empty_long_and_short_ones_are_refused() {
        let (_dir, path) = file(b"\nsecond", 0o600);
        assert_eq!(Source::File(path).existing().unwrap_err().code, "passphrase_unread");
        let (_dir, path) = file(&[b'a'; PASSPHRASE_BYTES_MAX + 1], 0o600);
        assert_eq!(Source::File(path).existing().unwrap_err().code, "passphrase_unread");
        let (_dir, path) = file(b"short\n", 0o600);
        assert_eq!(Source::File(path).fresh().unwrap_err().code, "passphrase_short");
    }

    #[test]
    fn a_descriptor_is_read_and_nothing_prints() {
        let (_dir, path) = file(b"correct horse\n", 0o600);
        let open = File::open(path).unwrap();
        let passphrase = Source::Descriptor(open.as_raw_fd()).existing().unwrap();
        assert_eq!(passphrase.bytes(), b"correct horse");
        assert_eq!(format!("{passphrase:?}"), "Passphrase(…)");
        assert_eq!(Source::of(Some("x".into()), Some(3)).unwrap_err().exit, ExitCode::Usage);
    }
}
