//! A member's peer of the nodes' own swarm that sends what no honest node sends, and comes back whenever it was sent away.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use kanhe_node::config::Config;
use kanhe_node::network::{PeerAddress, gossip, request};
use kanhe_node::run::peers;
use kanhe_proto::hash::{ChainId, Hash, sha256};
use kanhe_proto::key_file::KeyFileRole;
use libp2p::futures::{AsyncRead, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, StreamProtocol, Swarm, SwarmBuilder, gossipsub, identity, noise, request_response, tcp, yamux};
use tokio::time::MissedTickBehavior;

use crate::byzantine::secret;
use crate::dice::Dice;
use crate::load::Sender;
use crate::network::Network;

/// Pause between two volleys.
const PAUSE: Duration = Duration::from_millis(5);
/// How often it tries to come back.
const REDIAL: Duration = Duration::from_millis(200);
/// Messages at once.
const VOLLEY: usize = 40;
/// Longer than anything that is taken.
const OVERSIZE: usize = 4 << 20;
const LONG: Duration = Duration::from_secs(60);

/// What it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misdeed {
    /// Messages that are no list of transactions.
    Malformed,
    /// Messages above any limit, by gossip and as requests.
    Oversized,
    /// More well-formed messages than anyone may send, of transactions that everybody knows.
    TooMany,
}

impl Misdeed {
    /// All.
    pub const ALL: [Self; 3] = [Self::Malformed, Self::Oversized, Self::TooMany];
}

/// Sends until it is stopped.
#[derive(Debug)]
pub struct Rogue {
    stopped: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Rogue {
    /// Comes in the place of a node that is stopped; waits until it has sent something. With another seed it says something
    /// else.
    pub fn in_place_of(network: &Network, node: usize, misdeed: Misdeed, seed: u64) -> Self {
        let key = secret(network, node, KeyFileRole::Network);
        let targets = Config::load(network.home(node)).unwrap().network.peers;
        let chain = network.genesis.chain_id();
        let sender = Sender::of(network);
        let known = [1, 2].map(|number| Bytes::from(sender.batch(Hash([number; 32]), 1).to_bytes()));
        let (stopped, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted) = (Arc::clone(&stopped), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let keypair = identity::Keypair::ed25519_from_bytes(*key.seed()).unwrap();
            runtime.block_on(async {
                let (swarm, topic) = swarm(keypair, &chain);
                let sending = Sending { swarm, topic, targets, misdeed, known, dice: Dice::new(seed) };
                sending.run(&told, &counted).await;
            });
        });
        let until = Instant::now() + LONG;
        while sent.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < until, "it reached nobody");
            std::thread::sleep(PAUSE);
        }
        Self { stopped, sent, thread }
    }

    /// Stops, and tells how much it sent.
    pub fn stop(self) -> u64 {
        self.stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

struct Sending {
    swarm: Swarm<Behaviour>,
    topic: gossipsub::IdentTopic,
    targets: Vec<PeerAddress>,
    misdeed: Misdeed,
    known: [Bytes; 2],
    dice: Dice,
}

impl Sending {
    async fn run(mut self, stopped: &AtomicBool, sent: &AtomicU64) {
        let (mut volley, mut redial) = (tokio::time::interval(PAUSE), tokio::time::interval(REDIAL));
        // A pause after each, however long it took, in which what was sent leaves.
        volley.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stopped.load(Ordering::Relaxed) {
            tokio::select! {
                _ = self.swarm.select_next_some() => {}
                _ = volley.tick() => {
                    sent.fetch_add(self.volley(), Ordering::Relaxed);
                }
                _ = redial.tick() => self.dial(),
            }
        }
    }

    /// The same transactions again and again, in another order each time.
    fn well_formed(&self, order: &[u8]) -> Vec<u8> {
        let picked = order.iter().map(|byte| self.known[usize::from(byte % 2)].clone());
        gossip::encode(&picked.collect::<Vec<_>>()).unwrap()
    }

    fn dial(&mut self) {
        for target in &self.targets {
            if !self.swarm.is_connected(&target.peer) {
                // Refused while it is shut out.
                let _ = self.swarm.dial(peers::full(target));
            }
        }
    }

    /// What was put on its way.
    fn volley(&mut self) -> u64 {
        let connected: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        if connected.is_empty() {
            return 0;
        }
        let mut sent = 0;
        let count = if self.misdeed == Misdeed::Oversized { 1 } else { VOLLEY };
        for _ in 0..count {
            let noise = self.dice.bytes();
            let message = match self.misdeed {
                Misdeed::Malformed => noise.to_vec(),
                Misdeed::Oversized => [noise.to_vec(), vec![0; OVERSIZE]].concat(),
                Misdeed::TooMany => self.well_formed(&noise),
            };
            // What its own queue refuses was not sent.
            sent += u64::from(self.swarm.behaviour_mut().gossip.publish(self.topic.hash(), message).is_ok());
        }
        if self.misdeed != Misdeed::TooMany {
            for peer in connected {
                self.swarm.behaviour_mut().requests.send_request(&peer, self.misdeed);
                sent += 1;
            }
        }
        sent
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    gossip: gossipsub::Behaviour,
    requests: request_response::Behaviour<Raw>,
}

/// Writes requests that are none, and reads nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

#[async_trait]
impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Misdeed;
    type Response = ();

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Misdeed>
    where
        T: AsyncRead + Unpin + Send,
    {
        std::future::pending().await
    }
    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(())
    }
    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, misdeed: Misdeed) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let length: u32 = if misdeed == Misdeed::Oversized { u32::MAX } else { 8 };
        io.write_all(&length.to_be_bytes()).await?;
        io.write_all(&[0xA5; 8]).await?;
        io.flush().await
    }
    async fn write_response<T>(&mut self, _: &StreamProtocol, _: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Ok(())
    }
}

fn swarm(keypair: identity::Keypair, chain: &ChainId) -> (Swarm<Behaviour>, gossipsub::IdentTopic) {
    let topic = gossipsub::IdentTopic::new(gossip::topic(chain));
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(format!("/kanhe/{chain}/gossip"))
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        // As the nodes name them: otherwise all messages without an author have one name, and only the first is sent.
        .message_id_fn(|message| gossipsub::MessageId::new(&sha256(&[&message.data])))
        .max_transmit_size(64 << 20)
        .build()
        .unwrap();
    let mut gossip = gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Anonymous, config).unwrap();
    gossip.subscribe(&topic).unwrap();
    let protocol = StreamProtocol::try_from_owned(request::protocol(chain)).unwrap();
    let requests = request_response::Behaviour::with_codec(
        Raw,
        [(protocol, request_response::ProtocolSupport::Full)],
        request_response::Config::default().with_request_timeout(LONG),
    );
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| Behaviour { gossip, requests })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(LONG))
        .build();
    (swarm, topic)
}
