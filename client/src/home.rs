//! A person's or an office's folder: what is trusted, the wallet, the verifier's memory.
//!
//! | path | content |
//! | --- | --- |
//! | `genesis.bin`, `trust.bin` | the pinned chain and what the light client believes of it |
//! | `nodes` | nodes to ask where none is named, one URL a line |
//! | `wallet.redb` | licences and their keys, encrypted |
//! | `register.redb` | an issuer's licences and its journal, encrypted |
//! | `relying-parties/<USCC>.json` | relying parties as last proved |
//! | `verifier/requests/<nonce>.json`, `verifier/spent/<nonce>.json` | requests made here, and what answered them |
//! | `verifier/swept` | its time says when requests that are past were last removed |
//! | `verifier/receipts/<nonce>.json`, `verifier/token` | of `verify serve`: receipts, and who may use it |
//!
//! Folders are for their owner alone (0700), files too (0600). A file is written beside its name, flushed, and renamed:
//! it is there as it was or as it is to be, never half.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kanhe_proto::genesis::Genesis;
use kanhe_proto::limits::GENESIS_BYTES_MAX;
use kanhe_proto::text::hex;
use kanhe_proto::trust::{TRUST_BYTES_MAX, Trust};

use crate::clock;
use crate::talk::{ExitCode, Failure};

/// Most that any other file of a home may have, in bytes.
const FILE_BYTES_MAX: usize = 64 << 20;

/// A home.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The home at a path; nothing is made before something is written.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }
    /// `~/.kanhe`.
    pub fn usual() -> Result<PathBuf, Failure> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        home.map(|home| home.join(".kanhe")).ok_or_else(|| Failure::of(ExitCode::Usage, "no_home", &[]))
    }
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// A file or folder inside.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
    /// The wallet's vault.
    pub fn wallet(&self) -> PathBuf {
        self.at("wallet.redb")
    }

    /// The vault of an issuer's register.
    pub fn register(&self) -> PathBuf {
        self.at("register.redb")
    }

    /// The pinned genesis.
    pub fn genesis(&self) -> Result<Genesis, Failure> {
        let path = self.at("genesis.bin");
        let bytes = read(&path, GENESIS_BYTES_MAX)?.ok_or_else(not_pinned)?;
        Genesis::from_bytes(&bytes).map_err(|error| damaged(&path, &error))
    }
    /// What the light client believes.
    pub fn trust(&self) -> Result<Trust, Failure> {
        self.trust_if_pinned()?.ok_or_else(not_pinned)
    }
    /// The same, if a chain is pinned.
    pub fn trust_if_pinned(&self) -> Result<Option<Trust>, Failure> {
        let path = self.at("trust.bin");
        let Some(bytes) = read(&path, TRUST_BYTES_MAX)? else { return Ok(None) };
        Trust::from_bytes(&bytes).map(Some).map_err(|error| damaged(&path, &error))
    }
    /// Remembers what the light client believes. What another process has learnt meanwhile is not forgotten: trust
    /// only grows, and a conflict once seen stays.
    pub fn save_trust(&self, trust: &Trust) -> Result<(), Failure> {
        let _lock = self.lock()?;
        if let Some(kept) = self.trust_if_pinned()?
            && kept.chain == trust.chain
            && kept.pinned_at >= trust.pinned_at
            && (kept.conflict.is_some() || (trust.conflict.is_none() && kept.height() > trust.height()))
        {
            return Ok(());
        }
        self.write(&self.at("trust.bin"), &trust.to_bytes())
    }
    /// Pins a chain in place of whatever was pinned.
    pub fn pin(&self, genesis: &Genesis, trust: &Trust) -> Result<(), Failure> {
        let _lock = self.lock()?;
        // Trust names its chain, so that a kill between the two leaves a pin that is refused, not a mixed one.
        let _ = std::fs::remove_file(self.at("trust.bin"));
        self.write(&self.at("genesis.bin"), &genesis.to_bytes())?;
        self.write(&self.at("trust.bin"), &trust.to_bytes())
    }

    /// Nodes to ask where none is named.
    pub fn nodes(&self) -> Result<Vec<String>, Failure> {
        let text = read(&self.at("nodes"), 64 << 10)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).filter(|line| !line.is_empty()).collect())
    }
    /// Remembers nodes.
    pub fn save_nodes(&self, nodes: &[String]) -> Result<(), Failure> {
        self.write(&self.at("nodes"), format!("{}\n", nodes.join("\n")).as_bytes())
    }

    /// A file of the home, if it is there.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        read(&self.at(name), FILE_BYTES_MAX)
    }
    /// Writes a file of the home whole or not at all.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.write(&self.at(name), bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        write_private(path, bytes)
    }

    /// Held while something of the home is read and written anew.
    pub fn lock(&self) -> Result<File, Failure> {
        make_folder(&self.path)?;
        let path = self.at("lock");
        let open = || {
            let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|error| not_written(&path, &error))
    }
}

fn not_pinned() -> Failure {
    Failure::of(ExitCode::Failure, "not_pinned", &[])
}

fn damaged(path: &Path, cause: &dyn std::fmt::Display) -> Failure {
    Failure::of(ExitCode::Failure, "file_damaged", &[("path", &path.display()), ("cause", cause)])
}

fn not_written(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::of(ExitCode::Failure, "file_not_written", &[("path", &path.display()), ("cause", cause)])
}

fn unread(path: &Path, cause: &dyn std::fmt::Display) -> Failure {
    Failure::of(ExitCode::Failure, "file_unread", &[("path", &path.display()), ("cause", cause)])
}

/// The content of a file of at most so many bytes, if it is there.
pub fn read(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(path, &error)),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(|error| unread(path, &error))?;
    if bytes.len() > bytes_max {
        let limit = format!("> {bytes_max} bytes");
        return Err(unread(path, &limit));
    }
    Ok(Some(bytes))
}

/// The content of a file that the user named, `-` for stdin.
pub fn read_given(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let stdin = std::io::stdin().lock();
        stdin.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(|error| unread(path, &error))?;
        if bytes.len() > bytes_max {
            let limit = format!("> {bytes_max} bytes");
            return Err(unread(path, &limit));
        }
        return Ok(bytes);
    }
    read(path, bytes_max)?.ok_or_else(|| unread(path, &std::io::Error::from(ErrorKind::NotFound)))
}

/// The same as text.
pub fn read_text(path: &Path, bytes_max: usize) -> Result<String, Failure> {
    String::from_utf8(read_given(path, bytes_max)?).map_err(|error| unread(path, &error))
}

/// Writes a file for its owner alone, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let suffix = hex(&clock::random::<4>()?);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".new-{suffix}"));
    let unfinished = path.with_file_name(name);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&unfinished);
        not_written(path, &error)
    })
}

/// The same for a file that may be made by somebody else meanwhile, which then stays; in a folder that may have to be
/// made.
pub fn write_new_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".made-{}", hex(&clock::random::<4>()?)));
    let made = path.with_file_name(name);
    write_private(&made, bytes)?;
    let linked = std::fs::hard_link(&made, path);
    let _ = std::fs::remove_file(&made);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(|error| not_written(path, &error)),
    }
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| not_written(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn files_are_private_and_nothing_is_left_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("home"));
        home.write_file("verifier/requests/n.json", b"one").unwrap();
        home.write_file("verifier/requests/n.json", b"two").unwrap();
        assert_eq!(home.read("verifier/requests/n.json").unwrap().unwrap(), b"two");
        let folder = home.at("verifier/requests");
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(folder.join("n.json")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
        let token = home.at("verifier/new/token");
        for content in [b"first", b"later"] {
            write_new_private(&token, content).unwrap();
        }
        assert_eq!(std::fs::read(&token).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(home.at("verifier/new")).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_home_is_not_pinned_and_stays_empty() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("home"));
        assert_eq!(home.trust().unwrap_err().code, "not_pinned");
        assert!(home.nodes().unwrap().is_empty());
        assert!(!home.path().exists());
        std::fs::create_dir(home.path()).unwrap();
        std::fs::write(home.at("trust.bin"), b"junk").unwrap();
        assert_eq!(home.trust().unwrap_err().code, "file_damaged");
    }

    #[test]
    fn limits_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [0; 10]).unwrap();
        assert!(read(&path, 10).unwrap().is_some());
        assert_eq!(read(&path, 9).unwrap_err().code, "file_unread");
        assert_eq!(read_given(&dir.path().join("none"), 9).unwrap_err().code, "file_unread");
    }
}
