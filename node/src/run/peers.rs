//! Whom this node talks to, from its configuration and the registry.
//!
//! A bureau's addresses in the registry are texts with a prefix that says for which part of a node they are:
//! `network:/ip4/…/tcp/…/p2p/…` for the swarm of transactions and mail, `consensus:/ip4/…/tcp/…/p2p/…` for the engine.
//! Others, `api:https://…` among them, are for people and clients.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::key::PublicKey;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::chain::{MemberNodes, Members};
use crate::consensus::tips::key_of;
use crate::network::{self, PeerAddress, peer_id};

/// Prefix of addresses of the swarm.
pub const NETWORK: &str = "network:";
/// Prefix of addresses of the engine.
pub const CONSENSUS: &str = "consensus:";
/// Prefix of addresses of the API.
pub const API: &str = "api:";

/// An address with its peer at the end.
pub fn full(address: &PeerAddress) -> Multiaddr {
    address.address.clone().with(Protocol::P2p(address.peer))
}

/// The swarm lets in whom the registry names, and nobody else.
pub fn swarm(members: &Members) -> network::Peers {
    let keys = members.nodes.values().flat_map(|nodes| nodes.keys.iter().cloned()).collect();
    let listed = members.nodes.values().flat_map(listed);
    let addresses = listed.filter_map(|(peers, text)| address(text.strip_prefix(NETWORK)?, &peers));
    network::Peers { keys, addresses: addresses.collect() }
}

/// Whom a node asks that has no chain yet: the founders, and those whom its operator names. Nothing is believed that they
/// hand over.
pub fn joining(founders: &Members, configured: &[PeerAddress]) -> network::Peers {
    let mut peers = swarm(founders);
    peers.keys.extend(configured.iter().filter_map(|address| key_of(&address.peer)));
    peers
}

/// The engine talks to the configured peers and to all that the registry names, but not to those whose key has ended.
/// Unlike the swarm it takes configured peers that the registry does not know: a node that joins reads the chain from
/// those who are members now, not from the founders; and bureaus that are no members any more as long as the chain
/// cannot go on without their votes.
pub fn engine(members: &Members, configured: &[PeerAddress], own: &PublicKey) -> BTreeMap<PeerId, Multiaddr> {
    let ended: BTreeSet<PeerId> = members.ended.iter().filter_map(|key| peer_id(key).ok()).collect();
    let mut wanted = BTreeMap::new();
    for configured in configured.iter().filter(|address| !ended.contains(&address.peer)) {
        wanted.entry(configured.peer).or_insert_with(|| full(configured));
    }
    let nodes = || members.nodes.values().chain(members.needed.values());
    for (peers, text) in nodes().flat_map(listed) {
        if let Some(address) = text.strip_prefix(CONSENSUS).and_then(|text| address(text, &peers)) {
            wanted.entry(address.peer).or_insert_with(|| full(&address));
        }
    }
    // Whoever has no address in the registry dials us.
    for peer in nodes().flat_map(peers) {
        wanted.entry(peer).or_insert_with(|| Multiaddr::empty().with(Protocol::P2p(peer)));
    }
    if let Ok(own) = peer_id(own) {
        wanted.remove(&own);
    }
    wanted
}

/// Each address with the peers of its bureau.
fn listed(nodes: &MemberNodes) -> impl Iterator<Item = (BTreeSet<PeerId>, &str)> {
    let peers: BTreeSet<PeerId> = peers(nodes).collect();
    nodes.addresses.iter().map(move |text| (peers.clone(), text.as_str()))
}

fn peers(nodes: &MemberNodes) -> impl Iterator<Item = PeerId> {
    nodes.keys.iter().filter_map(|key| peer_id(key).ok())
}

/// An address that names a peer of its own bureau. The registry keeps what bureaus wrote; not all of it can be dialled.
fn address(text: &str, peers: &BTreeSet<PeerId>) -> Option<PeerAddress> {
    text.parse().ok().filter(|address: &PeerAddress| peers.contains(&address.peer))
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::{List, Text};
    use kanhe_proto::identifiers::Uscc;
    use kanhe_proto::key::{SecretKey, Signer};

    use super::*;

    fn key(number: u8) -> PublicKey {
        SecretKey::from_seed([number; 32]).public_key()
    }
    fn at(number: u8, port: u16) -> PeerAddress {
        let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
        PeerAddress { peer: peer_id(&key(number)).unwrap(), address }
    }
    fn member(number: u8, addresses: &[String]) -> (Uscc, MemberNodes) {
        let texts = addresses.iter().map(|text| Text::new(text.as_str()).unwrap()).collect();
        let nodes = MemberNodes { keys: [key(number)].into(), addresses: List::new(texts).unwrap() };
        (
            ["91370100MA3C0JXE53", "11370100MB28900011", "11370100MB28900024", "11370100MB28900037"]
                [usize::from(number)]
            .parse()
            .unwrap(),
            nodes,
        )
    }

    #[test]
    fn the_registry_says_who_is_let_in_and_where_to_find_them() {
        let own_address = format!("{CONSENSUS}{}", at(0, 1));
        let theirs = [format!("{NETWORK}{}", at(1, 2)), format!("{CONSENSUS}{}", at(1, 3)), "api:https://a".to_owned()];
        // Names a peer that is not its own.
        let foreign = [format!("{CONSENSUS}{}", at(1, 9))];
        let nodes = [member(0, &[own_address]), member(1, &theirs), member(2, &foreign)].into();
        let needed = [member(3, &[])].into();
        let members = Members { nodes, needed, ended: [key(8)].into() };
        let configured = [at(1, 4), at(7, 5), at(8, 6)];

        let swarm = swarm(&members);
        assert_eq!(swarm.keys, [key(0), key(1), key(2)].into());
        assert_eq!(swarm.addresses, [at(1, 2)]);

        let engine = engine(&members, &configured, &key(0));
        let bare = |number| Multiaddr::empty().with(Protocol::P2p(at(number, 0).peer));
        let wanted = [
            (at(1, 4).peer, full(&at(1, 4))),
            (at(2, 0).peer, bare(2)),
            (at(3, 0).peer, bare(3)),
            (at(7, 5).peer, full(&at(7, 5))),
        ];
        assert_eq!(engine, wanted.into(), "configured first, no ended key, not oneself");
    }
}
