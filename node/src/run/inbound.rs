//! Works on what peers send.

use std::sync::Arc;

use kanhe_proto::case_file::FilePart;
use kanhe_proto::hash::ChainId;
use tokio::sync::mpsc;

use super::Pool;
use super::serving::Serving;
use crate::api::PostOffice;
use crate::case_files::{CaseFiles, FilesError};
use crate::mempool::relay;
use crate::network::{FileKept, Inbound, Refusal, Response};

/// Takes what peers send until the swarm is gone. As many at once as the swarm has permits.
pub async fn serve(
    mut inbound: mpsc::Receiver<Inbound>,
    pool: Arc<Pool>,
    mail: Arc<PostOffice>,
    files: Arc<CaseFiles>,
    chain: ChainId,
    serving: Arc<Serving>,
) {
    while let Some(message) = inbound.recv().await {
        match message {
            Inbound::Transactions { transactions, ticket, .. } => {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move {
                    let submissions = pool.submit_many(transactions).await;
                    ticket.report(relay::verdict(&submissions));
                });
            }
            Inbound::Mail { mail: message, reply, .. } => reply.send(mail.deliver(&message)),
            Inbound::SnapshotOffer { peer, from, reply } => {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { reply.send(serving.offer(&peer, from).await) });
            }
            Inbound::SnapshotPiece { ask, reply, .. } => serving.piece(&ask, reply),
            Inbound::File { peer, part, reply } => {
                let files = Arc::clone(&files);
                tokio::spawn(async move {
                    let response = keep(&files, &chain, &part).await;
                    tracing::debug!(%peer, ?response, "part of a case file");
                    reply.send(response);
                });
            }
        }
    }
}

/// Keeps a part for this node's bureau and for nobody else: parts go from where they were handed in to their recipient,
/// without others between. That the peer is a member's node was checked when it was let in.
async fn keep(files: &CaseFiles, chain: &ChainId, part: &[u8]) -> Response {
    let Ok(part) = FilePart::decode(part, chain) else { return Response::Refused(Refusal::Malformed) };
    if files.store().bureau() != Some(part.to) {
        return Response::Refused(Refusal::NotHere);
    }
    match files.keep(part).await {
        Ok(state) => Response::FileKept(FileKept { stored: state.stored, parts: state.parts }),
        Err(FilesError::Parts { .. }) => Response::Refused(Refusal::Malformed),
        Err(FilesError::Full) => Response::Refused(Refusal::Busy),
        Err(error @ FilesError::Io { .. }) => {
            tracing::error!(error = ?error, "a part of a case file cannot be kept");
            Response::Refused(Refusal::Busy)
        }
    }
}
