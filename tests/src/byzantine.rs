//! A validator that signs two votes where it may sign one. It has the keys of a home whose node is stopped, and asks no
//! guard; its votes reach the others through the engine's own network.

use std::time::Duration;

use bytes::Bytes;
use kanhe_node::config::Config;
use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_proto::codec;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::text;
use kanhe_proto::validators::Address;
use kanhe_proto::vote::{ChainContext, Vote, VoteType};
use malachite_metrics::{Registry, SharedRegistry};
use malachite_network::handle::CtrlHandle;
use malachite_network::{
    Channel, ChannelNames, Config as Swarm, DiscoveryConfig, GossipSubConfig, Keypair, NetworkIdentity, ProtocolNames,
    PubSubMaxSizePerTopic, PubSubProtocol, TransportProtocol,
};
use tokio::runtime::Runtime;

use crate::network::Network;

/// The kind of a vote on the engine's network.
const VOTE: u8 = 1;
const ANSWER: Duration = Duration::from_secs(5);

/// Keys of a validator and its connections to the others.
pub struct Byzantine {
    /// The address of the validator.
    pub address: Address,
    chain: ChainContext,
    key: SecretKey,
    control: CtrlHandle,
    runtime: Runtime,
}

/// A secret key of a node's home.
pub fn secret(network: &Network, node: usize, role: KeyFileRole) -> SecretKey {
    let home = network.home(node);
    let config = Config::load(home).unwrap();
    let file = match role {
        KeyFileRole::Network => config.keys.network,
        KeyFileRole::Validator => config.keys.validator.unwrap(),
        _ => panic!("a node has no such key"),
    };
    let passphrase = PassphraseSource::File(network.bureau(node).passphrase_file.clone()).read().unwrap();
    keys::open_secret(&home.join(file), role, &passphrase).unwrap()
}

impl Byzantine {
    /// Comes in the place of a node that is stopped.
    pub fn in_place_of(network: &Network, node: usize) -> Self {
        let (chain, key) = (network.genesis.chain(), secret(network, node, KeyFileRole::Validator));
        let keypair = Keypair::ed25519_from_bytes(*secret(network, node, KeyFileRole::Network).seed()).unwrap();
        let peers = Config::load(network.home(node)).unwrap().consensus.peers;
        let peers = peers.iter().map(kanhe_node::run::peers::full).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let identity = NetworkIdentity::new("byzantine".to_owned(), keypair, None);
        let registry = SharedRegistry::new(Registry::default(), None);
        let handle = runtime.block_on(malachite_network::spawn(identity, swarm(&chain, peers), registry)).unwrap();
        let (mut events, control) = handle.split();
        // Nobody reads what comes in, but it must not stand in the way.
        runtime.spawn(async move { while events.recv().await.is_some() {} });
        Self { address: Address::of(&key.public_key()), chain, key, control, runtime }
    }

    /// How many of the others it is connected to.
    pub fn peers(&self) -> usize {
        let dump = async { tokio::time::timeout(ANSWER, self.control.dump_state()).await };
        self.runtime.block_on(dump).unwrap().unwrap().peers.len()
    }

    /// Votes for nothing and for a block that nobody knows, in the first round of a height.
    pub fn sign_twice(&self, height: Height) {
        for value in [None, Some(HeaderHash([7; 32]))] {
            let vote = Vote { vote_type: VoteType::Prevote, height, round: Round(0), value, address: self.address };
            let signature = self.key.sign(&vote.sign_bytes(&self.chain)).unwrap();
            let message = [vec![VOTE], codec::encode(&(vote, signature))].concat();
            self.runtime.block_on(self.control.publish(Channel::Consensus, Bytes::from(message))).unwrap();
        }
    }
}

/// As the engine's own, written down again: a node that no longer understands it fails the test.
fn swarm(chain: &ChainContext, persistent_peers: Vec<malachite_network::Multiaddr>) -> Swarm {
    let (id, era) = (text::hex(&chain.chain_id.0[..10]), chain.era);
    let discovery = DiscoveryConfig { enabled: false, persistent_peers_only: true, ..DiscoveryConfig::default() };
    Swarm {
        listen_addr: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        persistent_peers,
        persistent_peers_only: true,
        discovery,
        idle_connection_timeout: Duration::from_secs(900),
        transport: TransportProtocol::Tcp,
        gossipsub: GossipSubConfig::default(),
        pubsub_protocol: PubSubProtocol::Broadcast,
        channel_names: ChannelNames::default(),
        rpc_max_size: 40 << 20,
        pubsub_max_size: 1 << 20,
        pubsub_max_size_per_topic: PubSubMaxSizePerTopic::default(),
        sync_request_timeout: ANSWER,
        sync_max_request_size: 1 << 20,
        sync_parallel_requests: 1,
        enable_consensus: true,
        enable_sync: false,
        protocol_names: ProtocolNames {
            consensus: format!("/kanhe/{id}/{era}/consensus/1"),
            sync: format!("/kanhe/{id}/{era}/sync/2"),
            validator_proof: format!("/kanhe/{id}/{era}/validator/1"),
            ..ProtocolNames::default()
        },
    }
}
