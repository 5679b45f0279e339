//! What peers send, handed to whoever works on it.

use bytes::Bytes;
use kanhe_proto::ids::Height;
use libp2p::PeerId;
use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::request::Response;

/// What becomes of a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Passed on.
    Accept,
    /// Not passed on; nobody is blamed.
    Ignore,
    /// Not passed on, and whoever sent it should have known.
    Reject,
}

/// What the swarm is told back. At most as many as permits are out.
#[derive(Debug)]
pub(super) enum Report {
    Verdict { peer: PeerId, message: MessageId, verdict: Verdict },
    Respond { channel: ResponseChannel<Response>, response: Response },
}

/// The duty to say what becomes of a message. Dropped without a word, the message is ignored.
#[derive(Debug)]
pub struct Ticket {
    peer: PeerId,
    message: MessageId,
    verdict: Verdict,
    reports: mpsc::UnboundedSender<Report>,
    _permit: OwnedSemaphorePermit,
}

impl Ticket {
    pub(super) fn new(
        peer: PeerId,
        message: MessageId,
        reports: mpsc::UnboundedSender<Report>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { peer, message, verdict: Verdict::Ignore, reports, _permit: permit }
    }
    /// Says it.
    pub fn report(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The swarm may be gone already.
        let _ = self.reports.send(Report::Verdict {
            peer: self.peer,
            message: self.message.clone(),
            verdict: self.verdict,
        });
    }
}

/// The duty to answer a request. Dropped without a word, the peer's request fails.
#[derive(Debug)]
pub struct Reply {
    channel: ResponseChannel<Response>,
    reports: mpsc::UnboundedSender<Report>,
    _permit: OwnedSemaphorePermit,
}

impl Reply {
    pub(super) fn new(
        channel: ResponseChannel<Response>,
        reports: mpsc::UnboundedSender<Report>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { channel, reports, _permit: permit }
    }
    /// Answers.
    pub fn send(self, response: Response) {
        let _ = self.reports.send(Report::Respond { channel: self.channel, response });
    }
}

/// Something of a peer to be worked on.
#[derive(Debug)]
pub enum Inbound {
    /// Transactions, not yet decoded.
    Transactions {
        /// Who passed them on.
        peer: PeerId,
        /// Each in its encoding, at least one.
        transactions: Vec<Bytes>,
        /// To be told what becomes of the message.
        ticket: Ticket,
    },
    /// A message to be taken to this node's bureau.
    Mail {
        /// Which node forwards it.
        peer: PeerId,
        /// The message.
        mail: Bytes,
        /// To be answered.
        reply: Reply,
    },
    /// Asks which snapshot this node hands over.
    SnapshotOffer {
        /// Who asks.
        peer: PeerId,
        /// The height that the others are asked for too.
        from: Height,
        /// To be answered.
        reply: Reply,
    },
    /// Asks for a piece of one.
    SnapshotPiece {
        /// Who asks.
        peer: PeerId,
        /// An encoded question.
        ask: Bytes,
        /// To be answered.
        reply: Reply,
    },
    /// A part of a case file, to be kept for this node's bureau.
    File {
        /// Which node forwards it.
        peer: PeerId,
        /// An encoded part.
        part: Bytes,
        /// To be answered.
        reply: Reply,
    },
}

impl Inbound {
    /// The duty to answer, if it is a request.
    pub(super) fn into_reply(self) -> Option<Reply> {
        match self {
            Self::Transactions { .. } => None,
            Self::Mail { reply, .. }
            | Self::SnapshotOffer { reply, .. }
            | Self::SnapshotPiece { reply, .. }
            | Self::File { reply, .. } => Some(reply),
        }
    }
}
