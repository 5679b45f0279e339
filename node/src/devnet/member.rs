//! A bureau of a local network on its way to disk.

use std::io;
use std::net::Ipv4Addr;

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::governance::{CardBody, MembershipCard};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::registry::{Addresses, KeyRole};
use kanhe_proto::vote::ChainContext;

use super::bureaus::{Office, REGION, offices};
use super::ports::free_ports;
use crate::config::Config;
use crate::founding::keys::{BureauKeys, key_path};
use crate::network::{PeerAddress, peer_id};
use crate::run::peers::{API, CONSENSUS, NETWORK};

/// One bureau on its way to disk.
pub(super) struct Member {
    pub(super) office: Office,
    /// Whether genesis names it.
    pub(super) founder: bool,
    pub(super) keys: BureauKeys,
    /// Of its machine.
    host: Ipv4Addr,
    /// Of the engine, the swarm and the API.
    ports: [u16; 3],
}

impl Member {
    fn address(&self, port: u16) -> PeerAddress {
        let peer = peer_id(&self.keys.of(KeyRole::Network).public()).expect("network keys are Ed25519");
        let address = format!("/ip4/{}/tcp/{port}", self.host).parse().expect("an IPv4 address");
        PeerAddress { peer, address }
    }
    pub(super) fn api(&self) -> String {
        format!("http://{}:{}", self.host, self.ports[2])
    }
    /// Where its node listens, as the registry has it.
    pub(super) fn addresses(&self) -> Addresses {
        let [engine, swarm, _] = self.ports;
        let texts = [
            format!("{CONSENSUS}{}", self.address(engine)),
            format!("{NETWORK}{}", self.address(swarm)),
            format!("{API}{}", self.api()),
        ];
        let texts = texts.into_iter().map(|text| Text::new(text).expect("addresses are short"));
        List::new(texts.collect()).expect("three addresses")
    }
    /// What it shows to be admitted to a chain.
    pub(super) fn card(&self, chain: &ChainContext, created: TimeMs) -> MembershipCard {
        let bureau = self.office.uscc;
        let body = CardBody {
            version: CardBody::VERSION,
            chain: *chain,
            created,
            bureau,
            names: self.office.names.clone(),
            region: Text::new(REGION).expect("six digits"),
            addresses: self.addresses(),
            keys: List::new(self.keys.proved(chain, &bureau)).expect("a key of each role"),
        };
        body.sign(&self.keys.of(KeyRole::Governance).secret()).expect("a key in memory signs")
    }
}

/// So many founders, and so many bureaus more, each on its own machine if there are addresses.
pub(super) fn members(founders: usize, outside: usize, hosts: &[Ipv4Addr]) -> io::Result<Vec<Member>> {
    let count = founders + outside;
    let ports = free_ports(3 * count)?;
    let mut members = Vec::with_capacity(count);
    for (office, ports) in offices(count).into_iter().zip(ports.as_chunks::<3>().0) {
        let founder = members.len() < founders;
        let host = hosts.get(members.len()).copied().unwrap_or(Ipv4Addr::LOCALHOST);
        members.push(Member { office, founder, keys: BureauKeys::new()?, host, ports: *ports });
    }
    Ok(members)
}

/// The configuration of its node. Nobody is configured to know a bureau from outside: the registry will tell.
pub(super) fn config_of(member: &Member, members: &[Member]) -> Config {
    let others = || members.iter().filter(|other| other.founder && other.office.uscc != member.office.uscc);
    let listen = |port: u16| format!("/ip4/{}/tcp/{port}", member.host).parse().expect("an IPv4 address");
    let mut config = Config {
        name: member.office.folder.clone(),
        bureau: Some(member.office.uscc),
        passphrase_file: Some("passphrase".into()),
        ..Config::default()
    };
    config.keys.network = key_path("network");
    config.keys.validator = Some(key_path("validator"));
    config.consensus.listen = listen(member.ports[0]);
    config.consensus.peers = others().map(|other| other.address(other.ports[0])).collect();
    config.network.listen = listen(member.ports[1]);
    config.network.peers = others().map(|other| other.address(other.ports[1])).collect();
    config.api.listen = (member.host, member.ports[2]).into();
    // All clients of a local network share one address.
    config.api.requests_per_second = 50_000;
    config.api.requests_burst = 50_000;
    config
}
