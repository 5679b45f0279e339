//! Works on what peers send.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Pool;
use super::serving::Serving;
use crate::api::PostOffice;
use crate::mempool::relay;
use crate::network::Inbound;

/// Takes what peers send until the swarm is gone. As many at once as the swarm has permits.
pub async fn serve(
    mut inbound: mpsc::Receiver<Inbound>,
    pool: Arc<Pool>,
    mail: Arc<PostOffice>,
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
        }
    }
}
