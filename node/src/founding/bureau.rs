//! A bureau's own part: its keys, its card, its configuration.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::governance::{CardBody, FOUNDING, MembershipCard};
use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key_file::{KdfCost, Passphrase};
use kanhe_proto::registry::{Addresses, KeyRole, Names};
use kanhe_proto::vote::ChainContext;

use super::CARD_FILE;
use super::keys::{BureauKeys, key_path};
use crate::config::{CONFIG_FILE, Config};
use crate::network::{Multiaddr, PeerAddress, peer_id};
use crate::run::peers::{CONSENSUS, NETWORK};

/// What a bureau says of itself.
#[derive(Debug, Clone)]
pub struct BureauOptions {
    /// The home to be made; must not exist, or be empty.
    pub home: PathBuf,
    /// Its unified social credit code.
    pub uscc: Uscc,
    /// Its names.
    pub names: Names,
    /// Its administrative division (GB/T 2260).
    pub region: String,
    /// The address at which the others reach its node.
    pub announce: IpAddr,
    /// Where the engine, the swarm and the API listen, if not where they usually do.
    pub ports: [Option<u16>; 3],
    /// The chain to join; none to found one.
    pub chain: Option<ChainContext>,
    /// What Argon2id costs for each key file.
    pub cost: KdfCost,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The card to be shown.
    pub card: PathBuf,
    /// What people compare.
    pub digest: Hash,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something is there.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// A text is too long.
    #[error("{0}")]
    Text(&'static str),
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes keys, configuration and card. The node cannot run before genesis is installed.
pub fn init(options: &BureauOptions, passphrase: &Passphrase, now: TimeMs) -> Result<Made, InitError> {
    let home = &options.home;
    let failed = |source| InitError::Io { path: home.clone(), source };
    if fs::read_dir(home).is_ok_and(|mut entries| entries.next().is_some()) || home.is_file() {
        return Err(InitError::NotEmpty(home.clone()));
    }
    fs::create_dir_all(home).map_err(failed)?;
    fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(failed)?;
    let keys = BureauKeys::new().map_err(failed)?;
    keys.write(home, passphrase, options.cost).map_err(failed)?;
    let config = config(options);
    fs::write(home.join(CONFIG_FILE), config.to_toml()).map_err(failed)?;
    let card = card(options, &config, &keys, now)?;
    let path = home.join(CARD_FILE);
    fs::write(&path, card.to_bytes()).map_err(failed)?;
    sync(home).map_err(failed)?;
    Ok(Made { card: path, digest: card.digest() })
}

/// Where a node's configuration lets others find it.
fn addresses(options: &BureauOptions, config: &Config, keys: &BureauKeys) -> Addresses {
    let peer = peer_id(&keys.of(KeyRole::Network).public()).expect("network keys are Ed25519");
    let announced = |prefix: &str, listen: &Multiaddr| {
        let ip = match options.announce {
            IpAddr::V4(ip) => libp2p::multiaddr::Protocol::Ip4(ip),
            IpAddr::V6(ip) => libp2p::multiaddr::Protocol::Ip6(ip),
        };
        let port = listen.iter().filter(|part| matches!(part, libp2p::multiaddr::Protocol::Tcp(_)));
        let address = PeerAddress { peer, address: std::iter::once(ip).chain(port).collect() };
        Text::new(format!("{prefix}{address}")).expect("addresses are short")
    };
    let texts = vec![announced(CONSENSUS, &config.consensus.listen.0), announced(NETWORK, &config.network.listen.0)];
    List::new(texts).expect("two addresses")
}

fn card(options: &BureauOptions, config: &Config, keys: &BureauKeys, now: TimeMs) -> Result<MembershipCard, InitError> {
    let chain = options.chain.unwrap_or(FOUNDING);
    let body = CardBody {
        version: CardBody::VERSION,
        chain,
        created: now,
        bureau: options.uscc,
        names: options.names.clone(),
        region: Text::new(options.region.as_str()).map_err(|_| InitError::Text("the region is too long"))?,
        addresses: addresses(options, config, keys),
        keys: List::new(keys.proved(&chain, &options.uscc)).expect("a key of each role"),
    };
    Ok(body.sign(&keys.of(KeyRole::Governance).secret()).expect("a key in memory signs"))
}

fn config(options: &BureauOptions) -> Config {
    let mut config = Config { name: options.uscc.to_string(), bureau: Some(options.uscc), ..Config::default() };
    config.keys.network = key_path("network");
    config.keys.validator = Some(key_path("validator"));
    let [engine, swarm, api] = options.ports;
    let everywhere = |port: u16| format!("/ip4/0.0.0.0/tcp/{port}").parse().expect("an address");
    if let Some(port) = engine {
        config.consensus.listen = everywhere(port);
    }
    if let Some(port) = swarm {
        config.network.listen = everywhere(port);
    }
    if let Some(port) = api {
        config.api.listen.set_port(port);
    }
    config
}

fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::keys;

    #[test]
    fn a_card_says_what_the_home_holds() {
        let dir = tempfile::tempdir().unwrap();
        let text = |text: &str| Text::new(text).unwrap();
        let options = BureauOptions {
            home: dir.path().join("home"),
            uscc: "11370100MB28900011".parse().unwrap(),
            names: Names { zh: text("示例局"), en: text("Example Bureau") },
            region: "370100".into(),
            announce: "10.1.2.3".parse().unwrap(),
            ports: [None; 3],
            chain: None,
            cost: KdfCost::LIGHT_FOR_DEMOS,
        };
        let passphrase = Passphrase::new(b"a long enough passphrase".to_vec());
        let made = init(&options, &passphrase, TimeMs(7)).unwrap();
        let card = MembershipCard::from_bytes(&fs::read(made.card).unwrap(), &FOUNDING).unwrap();
        assert_eq!(card.digest(), made.digest);
        assert!(card.body.addresses[0].starts_with("consensus:/ip4/10.1.2.3/tcp/27000/p2p/12D3"));
        assert!(card.body.addresses[1].starts_with("network:/ip4/10.1.2.3/tcp/27010/p2p/12D3"));
        for key in &card.body.keys {
            let (_, name) = *super::super::keys::ROLES.iter().find(|(role, _)| *role == key.role).unwrap();
            let opened = keys::open(&options.home.join(key_path(name)), &passphrase).unwrap();
            assert_eq!(opened.role.public_key(opened.seed()), key.key);
        }
        assert_eq!(Config::load(&options.home).unwrap(), config(&options));
        assert!(matches!(init(&options, &passphrase, TimeMs(7)), Err(InitError::NotEmpty(_))));
    }
}
