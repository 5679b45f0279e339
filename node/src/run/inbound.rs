//! Works on what peers send.

use std::sync::Arc;

use kanhe_proto::case_file::FilePart;
use kanhe_proto::hash::ChainId;
use tokio::sync::mpsc;

use super::Pool;
use super::claim::claimed;
use super::serving::Serving;
use crate::api::PostOffice;
use crate::case_files::{CaseFiles, FileId, FilesError};
use crate::chain::{Chain, Claim};
use crate::mempool::relay;
use crate::network::{FileKept, Inbound, Refusal, Response};

/// Takes what peers send until the swarm is gone. As many at once as the swarm has permits.
pub async fn serve(
    mut inbound: mpsc::Receiver<Inbound>,
    pool: Arc<Pool>,
    mail: Arc<PostOffice>,
    files: Arc<CaseFiles>,
    chain: (ChainId, Arc<Chain>),
    serving: Arc<Serving>,
) {
    let (chain_id, chain) = chain;
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
                let (files, chain) = (Arc::clone(&files), Arc::clone(&chain));
                tokio::spawn(async move {
                    let response = keep(&files, &chain_id, chain, &part).await;
                    tracing::debug!(%peer, ?response, "part of a case file");
                    reply.send(response);
                });
            }
        }
    }
}

/// Keeps a part for this node's bureau and for nobody else: parts go from where they were handed in to their recipient,
/// without others between. That the peer is a member's node was checked when it was let in. What it brings may be a
/// stranger's, so it is held against the chain as at the first node.
async fn keep(files: &CaseFiles, chain_id: &ChainId, chain: Arc<Chain>, part: &[u8]) -> Response {
    let Ok(part) = FilePart::decode(part, chain_id) else { return Response::Refused(Refusal::Malformed) };
    if files.store().bureau() != Some(part.body.to) {
        return Response::Refused(Refusal::NotHere);
    }
    let (file, parts) = (FileId::of(&part), part.body.parts);
    let claim = match files.store().is_wanted(&file) {
        true => Claim::Wanted,
        false => match claim(chain, file, parts).await {
            Some(claim) => claim,
            None => return Response::Refused(Refusal::Busy),
        },
    };
    if claim == Claim::Stranger {
        return Response::Refused(Refusal::NotHere);
    }
    match files.keep(part, claim == Claim::Wanted).await {
        Ok(state) => Response::FileKept(FileKept { stored: state.stored, parts: state.parts }),
        Err(FilesError::Parts { .. }) => Response::Refused(Refusal::Malformed),
        // Of this file alone: others are taken meanwhile, and those that the chain wants before all.
        Err(FilesError::CaseFull | FilesError::Authors) => Response::Refused(Refusal::NotHere),
        Err(FilesError::Full) if claim != Claim::Wanted => Response::Refused(Refusal::NotHere),
        Err(FilesError::Full) => Response::Refused(Refusal::Busy),
        Err(error @ (FilesError::Layout { .. } | FilesError::Io { .. })) => {
            tracing::error!(error = ?error, "a part of a case file cannot be kept");
            Response::Refused(Refusal::Busy)
        }
    }
}

async fn claim(chain: Arc<Chain>, file: FileId, parts: u16) -> Option<Claim> {
    let asked = tokio::task::spawn_blocking(move || chain.snapshot()?.claim(&claimed(&file, parts))).await;
    match asked {
        Ok(Ok(claim)) => Some(claim),
        Ok(Err(error)) => {
            tracing::error!(error = ?error, "a case cannot be read: its files wait");
            None
        }
        Err(_) => None,
    }
}
