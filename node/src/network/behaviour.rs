//! What the swarm is made of.

use std::collections::HashSet;
use std::time::Duration;

use kanhe_proto::hash::{self, ChainId};
use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, IdentityTransform, MessageAuthenticity, MessageId, ValidationMode,
    WhitelistSubscriptionFilter,
};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, identity::Keypair, noise, tcp, yamux};
use libp2p::{Swarm, SwarmBuilder};

use super::codec::Codec;
use super::config::NetworkConfig;
use super::gossip;
use super::handle::NetworkError;
use super::request;

/// Messages waiting for one slow peer; more are dropped.
const PEER_QUEUE_MAX: usize = 256;
/// Connections of one peer: both sides may dial at once, and a lost one may linger.
const PEER_CONNECTIONS_MAX: u32 = 4;
/// Connections whose other side has not yet shown its key.
const PENDING_CONNECTIONS_MAX: u32 = 64;
/// A connection whose handshake takes longer is dropped.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Requests of and to one peer at the same time.
const PEER_STREAMS_MAX: usize = 64;
/// Connections are kept while idle; silent peers are found by asking for their status.
const IDLE_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);

pub(super) type Gossip = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// The order matters: who is not let in is refused before anything else hears of it.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) allowed: allow_block_list::Behaviour<AllowedPeers>,
    limits: connection_limits::Behaviour,
    pub(super) gossip: Gossip,
    pub(super) requests: request_response::Behaviour<Codec>,
}

/// A swarm that does not listen yet.
pub(super) fn swarm(
    config: &NetworkConfig,
    chain: &ChainId,
    keypair: Keypair,
) -> Result<(Swarm<Behaviour>, IdentTopic), NetworkError> {
    let behaviour = behaviour(config, chain)?;
    let setup = |error: &dyn std::fmt::Display| NetworkError::Setup(error.to_string());
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| setup(&error))?
        .with_behaviour(|_| behaviour)
        .expect("giving what exists does not fail")
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_MAX))
        .with_connection_timeout(HANDSHAKE_MAX)
        .build();
    Ok((swarm, IdentTopic::new(gossip::topic(chain))))
}

fn behaviour(config: &NetworkConfig, chain: &ChainId) -> Result<Behaviour, NetworkError> {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_CONNECTIONS_MAX))
        .with_max_established(Some(config.connections_max))
        .with_max_established_per_peer(Some(PEER_CONNECTIONS_MAX));
    let protocol = StreamProtocol::try_from_owned(request::protocol(chain))
        .map_err(|error| NetworkError::Setup(error.to_string()))?;
    let requests = request_response::Behaviour::with_codec(
        Codec,
        [(protocol, ProtocolSupport::Full)],
        request_response::Config::default()
            .with_request_timeout(Duration::from_millis(config.request_timeout_ms))
            .with_max_concurrent_streams(PEER_STREAMS_MAX),
    );
    Ok(Behaviour {
        allowed: allow_block_list::Behaviour::default(),
        limits: connection_limits::Behaviour::new(limits),
        gossip: gossip_behaviour(chain)?,
        requests,
    })
}

/// Anonymous messages named by their content: transactions carry their own signatures, and who passed one on is known
/// from the connection. Peers can subscribe to our topic only.
fn gossip_behaviour(chain: &ChainId) -> Result<Gossip, NetworkError> {
    let topic = IdentTopic::new(gossip::topic(chain));
    let config = ConfigBuilder::default()
        .protocol_id_prefix(format!("/kanhe/{chain}/gossip"))
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(&hash::sha256(&[&message.data])))
        .max_transmit_size(gossip::GOSSIP_BYTES_MAX + 1_024)
        .heartbeat_initial_delay(Duration::from_millis(200))
        .heartbeat_interval(Duration::from_millis(500))
        .history_length(12)
        .history_gossip(6)
        .max_messages_per_rpc(Some(64))
        .connection_handler_queue_len(PEER_QUEUE_MAX)
        .build()
        .map_err(|error| NetworkError::Setup(error.to_string()))?;
    let filter = WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let mut gossip = Gossip::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .map_err(|error| NetworkError::Setup(error.to_owned()))?;
    gossip.subscribe(&topic).map_err(|error| NetworkError::Setup(error.to_string()))?;
    Ok(gossip)
}
