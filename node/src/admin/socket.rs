//! The socket's file: made with its mode, put in the place of one that a killed process left, and never in the place of
//! one where somebody answers.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{UnixListener, UnixStream};

use super::error::AdminError;

/// Longest path that a socket's address holds everywhere.
const PATH_BYTES_MAX: usize = 100;
/// Pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A path that an address has room for, with what keeps it so: a deep home is reached through its open folder.
pub(super) struct Reachable {
    pub(super) path: PathBuf,
    _folder: Option<File>,
}

pub(super) fn reachable(path: &Path) -> io::Result<Reachable> {
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok(Reachable { path: path.to_owned(), _folder: None });
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    // Says already here if it is still too long.
    SocketAddr::from_pathname(&path)?;
    Ok(Reachable { path, _folder: Some(folder) })
}

/// The socket of a running node; its file goes with it.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file.
    file: (u64, u64),
}

impl AdminSocket {
    /// Makes the socket.
    pub fn bind(path: &Path) -> Result<Self, AdminError> {
        let unusable = |source| AdminError::Unusable { path: path.to_owned(), source };
        make_room(path)?;
        // Under another name until it has its mode; the rename then replaces what a killed process left.
        let mut new = path.file_name().ok_or_else(|| unusable(io::ErrorKind::InvalidInput.into()))?.to_owned();
        new.push(format!(".{}", std::process::id()));
        let new = path.with_file_name(new);
        let _ = fs::remove_file(&new);
        let reach = reachable(&new).map_err(unusable)?;
        let listener = UnixListener::bind(&reach.path).map_err(unusable)?;
        let placed = fs::set_permissions(&new, Permissions::from_mode(0o600)).and_then(|()| fs::rename(&new, path));
        let placed = placed.and_then(|()| fs::symlink_metadata(path));
        let metadata = placed.map_err(|source| {
            let _ = fs::remove_file(&new);
            unusable(source)
        })?;
        Ok(Self { listener, path: path.to_owned(), file: (metadata.dev(), metadata.ino()) })
    }
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn make_room(path: &Path) -> Result<(), AdminError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(AdminError::NotSocket(path.to_owned()));
    }
    let unusable = |source| AdminError::Unusable { path: path.to_owned(), source };
    match StdStream::connect(reachable(path).map_err(unusable)?.path) {
        Ok(_) => Err(AdminError::InUse(path.to_owned())),
        // Nobody listens any more: its process was killed.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(unusable(error)),
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let own = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file);
        if own {
            // It is only a name; the next start replaces it if it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the process at the other end is the node's own user's, or root's.
fn may(stream: &UnixStream) -> bool {
    let uid = stream.peer_cred().map(|peer| peer.uid());
    uid.is_ok_and(|uid| uid == 0 || uid == rustix::process::geteuid().as_raw())
}

impl Listener for AdminSocket {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) if may(&stream) => return (stream, ()),
                Ok(_) => tracing::warn!("another user was refused at the admin socket"),
                Err(error) => {
                    tracing::warn!("nobody was accepted at the admin socket: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_left_is_replaced_and_what_answers_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let first = AdminSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(AdminSocket::bind(&path), Err(AdminError::InUse(_))));
        drop(first);
        assert!(!path.exists());
        // As SIGKILL leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let second = AdminSocket::bind(&path).unwrap();
        assert!(StdStream::connect(&path).is_ok());
        drop(second);
        fs::write(&path, "mine").unwrap();
        assert!(matches!(AdminSocket::bind(&path), Err(AdminError::NotSocket(_))));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn a_deep_home_has_its_socket_too() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a".repeat(120));
        fs::create_dir(&deep).unwrap();
        let socket = AdminSocket::bind(&deep.join("admin.sock")).unwrap();
        assert!(StdStream::connect(reachable(socket.path()).unwrap().path).is_ok());
        assert!(matches!(AdminSocket::bind(socket.path()), Err(AdminError::InUse(_))));
    }
}
