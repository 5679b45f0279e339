//! Where to listen, whom to dial, and how much to take.

use std::fmt;
use std::str::FromStr;

use libp2p::PeerId;
use libp2p::multiaddr::{Multiaddr, Protocol};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The swarm's local policy. Sizes that both sides must agree on are constants of the messages instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Address to listen on: `/ip4/<address>/tcp/<port>`; port 0 picks a free one.
    pub listen: ListenAddress,
    /// Other bureaus' nodes: `/ip4/<address>/tcp/<port>/p2p/<peer id>`.
    pub peers: Vec<PeerAddress>,
    /// A message of transactions is sent when it has so many bytes,
    pub batch_bytes_max: usize,
    /// or when the first of them has waited so long.
    pub batch_wait_ms: u64,
    /// Transactions waiting to be sent; more are not gossiped.
    pub publish_queue_max: usize,
    /// Messages and requests of peers that are being worked on; more are dropped.
    pub inbound_max: usize,
    /// Gossip messages that one peer may send in a second.
    pub peer_messages_per_second: u32,
    /// Bytes of gossip and requests that one peer may send in a second.
    pub peer_bytes_per_second: u32,
    /// Requests that one peer may make in a second.
    pub peer_requests_per_second: u32,
    /// How long a peer that floods or misbehaves is shut out.
    pub ban_seconds: u64,
    /// How often peers are asked for their tip and clock.
    pub status_interval_ms: u64,
    /// A request without an answer fails after this.
    pub request_timeout_ms: u64,
    /// Longest pause between two attempts to reach a peer.
    pub redial_max_ms: u64,
    /// Connections at the same time.
    pub connections_max: u32,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            listen: ListenAddress("/ip4/0.0.0.0/tcp/27010".parse().expect("a literal address")),
            peers: Vec::new(),
            batch_bytes_max: 64 << 10,
            batch_wait_ms: 5,
            publish_queue_max: 8_192,
            inbound_max: 256,
            peer_messages_per_second: 2_000,
            peer_bytes_per_second: 32 << 20,
            peer_requests_per_second: 50,
            ban_seconds: 60,
            status_interval_ms: 2_000,
            request_timeout_ms: 10_000,
            redial_max_ms: 10_000,
            connections_max: 1_024,
        }
    }
}

/// Not an address that this swarm can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct AddressError(&'static str);

/// `/ip4|ip6/…/tcp/…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress(pub Multiaddr);

/// `/ip4|ip6/…/tcp/…/p2p/…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Who must answer there.
    pub peer: PeerId,
    /// Where, without the peer.
    pub address: Multiaddr,
}

fn ip_tcp(address: &Multiaddr) -> bool {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    matches!(parts.as_slice(), [Protocol::Ip4(_) | Protocol::Ip6(_), Protocol::Tcp(_)])
}

impl FromStr for ListenAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = AddressError("an address /ip4/<address>/tcp/<port>");
        let address: Multiaddr = text.parse().map_err(|_| wrong)?;
        if ip_tcp(&address) { Ok(Self(address)) } else { Err(wrong) }
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = AddressError("an address /ip4/<address>/tcp/<port>/p2p/<peer id>");
        let mut address: Multiaddr = text.parse().map_err(|_| wrong)?;
        match address.pop() {
            Some(Protocol::P2p(peer)) if ip_tcp(&address) => Ok(Self { peer, address }),
            _ => Err(wrong),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/p2p/{}", self.address, self.peer)
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
as_text!(ListenAddress, PeerAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tcp_addresses_with_a_peer_are_dialled() {
        let peer = PeerId::random();
        let text = format!("/ip4/10.0.0.1/tcp/27010/p2p/{peer}");
        let address: PeerAddress = text.parse().unwrap();
        assert_eq!(address.peer, peer);
        assert_eq!(address.to_string(), text);
        for wrong in [
            "/ip4/10.0.0.1/tcp/27010".to_owned(),
            format!("/dns4/example.org/tcp/27010/p2p/{peer}"),
            format!("/ip4/10.0.0.1/udp/27010/quic-v1/p2p/{peer}"),
            format!("/p2p/{peer}"),
            String::new(),
        ] {
            assert!(wrong.parse::<PeerAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_default_survives_toml_and_unknown_keys_do_not() {
        let text = toml::to_string(&NetworkConfig::default()).unwrap();
        assert_eq!(toml::from_str::<NetworkConfig>(&text).unwrap(), NetworkConfig::default());
        assert!(toml::from_str::<NetworkConfig>("lisen = \"/ip4/0.0.0.0/tcp/1\"").is_err());
    }
}
