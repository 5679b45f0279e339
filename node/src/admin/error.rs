//! Why a node is not administered.

use std::io;
use std::path::PathBuf;

/// What is wrong with the socket, or with what came through it.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The configuration names no socket.
    #[error("this node has no admin socket")]
    None,
    /// Another running process answers there.
    #[error("another process answers at the admin socket {}", .0.display())]
    InUse(PathBuf),
    /// There is something else than a socket.
    #[error("{} is not a socket", .0.display())]
    NotSocket(PathBuf),
    /// The socket cannot be made.
    #[error("the admin socket {} cannot be made", path.display())]
    Unusable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody answers.
    #[error("no node answers at {}", path.display())]
    Silent {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The answer is none.
    #[error("what answers at {} is no node", .0.display())]
    Malformed(PathBuf),
    /// The node says no.
    #[error("{0}")]
    Refused(String),
    /// The node did not end.
    #[error("the node goes on ending after {0} seconds")]
    Ending(u64),
}

impl AdminError {
    /// What the operator can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::None => "set `socket` of [admin] in config.toml and start the node again",
            Self::InUse(_) => "each node has a socket of its own: change `socket` of [admin] in config.toml",
            Self::NotSocket(_) => "move the file away, or change `socket` of [admin] in config.toml",
            Self::Unusable { .. } => "check `socket` of [admin] in config.toml, and that its folder can be written",
            Self::Silent { .. } => "is the node running? The socket is for the node's own user and root: try sudo",
            Self::Malformed(_) => "check `socket` of [admin] in config.toml",
            Self::Refused(_) => "see the log of the node",
            Self::Ending(_) => "see the log of the node; it ends by itself once what it does is done",
        }
    }
}
