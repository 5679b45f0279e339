//! A bureau of a local network on its way to disk.

use std::io;
use std::path::{Path, PathBuf};

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::governance::{CardBody, MembershipCard, NewKey};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::registry::{Addresses, KeyRole};
use kanhe_proto::vote::ChainContext;

use super::bureaus::{Office, REGION, offices};
use super::keys::FreshKey;
use super::ports::free_ports;
use crate::config::Config;
use crate::network::{PeerAddress, peer_id};
use crate::run::peers::{API, CONSENSUS, NETWORK};

/// The card of a bureau in its home.
pub(super) const CARD_FILE: &str = "card.bin";
/// The roles of a bureau's keys and the names of their files.
const KEYS: [(KeyRole, &str); 5] = [
    (KeyRole::Governance, "governance"),
    (KeyRole::Issuing, "issuing"),
    (KeyRole::Validator, "validator"),
    (KeyRole::Network, "network"),
    (KeyRole::Sealing, "sealing"),
];

/// One bureau on its way to disk.
pub(super) struct Member {
    pub(super) office: Office,
    /// Whether genesis names it.
    pub(super) founder: bool,
    pub(super) keys: Vec<(KeyRole, &'static str, FreshKey)>,
    /// Of the engine, the swarm and the API.
    ports: [u16; 3],
}

impl Member {
    pub(super) fn key(&self, role: KeyRole) -> &FreshKey {
        let key = self.keys.iter().find(|(of, ..)| *of == role);
        &key.expect("a member has a key of every role").2
    }
    fn address(&self, port: u16) -> PeerAddress {
        let peer = peer_id(&self.key(KeyRole::Network).public()).expect("network keys are Ed25519");
        let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().expect("an address of the loopback");
        PeerAddress { peer, address }
    }
    pub(super) fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[2])
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
        let new_key = |(role, _, key): &(KeyRole, &str, FreshKey)| match role {
            KeyRole::Sealing => NewKey::sealing(key.public()),
            _ => NewKey::prove(chain, &bureau, *role, &key.secret()).expect("a key in memory signs"),
        };
        let body = CardBody {
            version: CardBody::VERSION,
            chain: *chain,
            created,
            bureau,
            names: self.office.names.clone(),
            region: Text::new(REGION).expect("six digits"),
            addresses: self.addresses(),
            keys: List::new(self.keys.iter().map(new_key).collect()).expect("a key of each role"),
        };
        body.sign(&self.key(KeyRole::Governance).secret()).expect("a key in memory signs")
    }
}

/// So many founders, and so many bureaus more.
pub(super) fn members(founders: usize, outside: usize) -> io::Result<Vec<Member>> {
    let count = founders + outside;
    let ports = free_ports(3 * count)?;
    let mut members = Vec::with_capacity(count);
    for (office, ports) in offices(count).into_iter().zip(ports.as_chunks::<3>().0) {
        let keys = KEYS.map(|(role, name)| FreshKey::new(role.into()).map(|key| (role, name, key)));
        let keys = keys.into_iter().collect::<io::Result<Vec<_>>>()?;
        members.push(Member { office, founder: members.len() < founders, keys, ports: *ports });
    }
    Ok(members)
}

/// A key's file in a home.
pub(super) fn key_path(name: &str) -> PathBuf {
    Path::new("keys").join(format!("{name}.key"))
}

/// The configuration of its node. Nobody is configured to know a bureau from outside: the registry will tell.
pub(super) fn config_of(member: &Member, members: &[Member]) -> Config {
    let others = || members.iter().filter(|other| other.founder && other.office.uscc != member.office.uscc);
    let listen = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}").parse().expect("an address of the loopback");
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
    config.api.listen = ([127, 0, 0, 1], member.ports[2]).into();
    // All clients of a local network share one address.
    config.api.requests_per_second = 50_000;
    config.api.requests_burst = 50_000;
    config
}
