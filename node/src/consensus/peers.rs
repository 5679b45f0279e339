//! The engine's list of peers, kept as the registry wants it. The engine talks to no others.

use std::collections::BTreeMap;
use std::sync::Arc;

use libp2p::{Multiaddr, PeerId};
use malachite::NetworkRequest;
use tokio::sync::{mpsc, watch as channel};

use super::watch::Watch;

/// Whom the engine is to talk to, each at one address; `/p2p/<peer id>` alone if the peer dials us.
pub type Wanted = BTreeMap<PeerId, Multiaddr>;

/// Follows what is wanted until nobody can change it any more.
pub(super) async fn follow(
    requests: mpsc::Sender<NetworkRequest>,
    mut known: Wanted,
    mut wanted: channel::Receiver<Wanted>,
    watch: Arc<Watch>,
) {
    while wanted.changed().await.is_ok() {
        let now = wanted.borrow_and_update().clone();
        watch.hear(&now);
        // Removals first: the engine forgets a peer with any of its addresses.
        for (peer, address) in left(&known, &now) {
            told(&peer, "left", NetworkRequest::remove_persistent_peer(&requests, address).await);
        }
        for (peer, address) in left(&now, &known) {
            told(&peer, "joined", NetworkRequest::add_persistent_peer(&requests, address).await);
        }
        known = now;
    }
}

/// What is in the first list and not so in the second.
fn left(first: &Wanted, second: &Wanted) -> Vec<(PeerId, Multiaddr)> {
    let gone = first.iter().filter(|(peer, address)| second.get(*peer) != Some(*address));
    gone.map(|(peer, address)| (*peer, address.clone())).collect()
}

fn told<E: std::fmt::Display, F: std::fmt::Display>(peer: &PeerId, what: &str, answer: Result<Result<(), E>, F>) {
    match answer {
        Ok(Ok(())) => tracing::info!(%peer, "peer {what} the engine's list"),
        Ok(Err(error)) => tracing::warn!(%peer, %error, "the engine's list of peers stays as it was"),
        // The engine is ending.
        Err(error) => tracing::debug!(%peer, %error, "the engine does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_address_is_removed_and_added() {
        let (same, moved, gone, new) = (PeerId::random(), PeerId::random(), PeerId::random(), PeerId::random());
        let at = |port: u16| -> Multiaddr { format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap() };
        let before: Wanted = [(same, at(1)), (moved, at(2)), (gone, at(3))].into();
        let after: Wanted = [(same, at(1)), (moved, at(4)), (new, at(5))].into();
        let sorted = |mut list: Vec<_>| {
            list.sort();
            list
        };
        assert_eq!(sorted(left(&before, &after)), sorted(vec![(moved, at(2)), (gone, at(3))]));
        assert_eq!(sorted(left(&after, &before)), sorted(vec![(moved, at(4)), (new, at(5))]));
    }
}
