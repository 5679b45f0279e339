//! The node's own swarm, between nodes on the loopback interface.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::io;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncRead, AsyncWrite, StreamExt};
use kanhe_node::network::metrics::value;
use kanhe_node::network::{
    Inbound, NetworkConfig, NetworkError, NetworkHandle, PeerAddress, PeerInfo, Peers, Refusal, Request, RequestError,
    Response, Setup, TipStatus, Verdict, peer_id, start,
};
use kanhe_proto::hash::{ChainId, HeaderHash};
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{PeerId, StreamProtocol, Swarm, SwarmBuilder, gossipsub, identity, noise, request_response, tcp, yamux};
use tokio::sync::{mpsc, watch};

const CHAIN: ChainId = ChainId([8; 32]);
const LONG: Duration = Duration::from_secs(60);

fn clock() -> TimeMs {
    TimeMs(1_000_000)
}

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed([number + 1; 32])
}

fn id(number: u8) -> PeerId {
    peer_id(&secret(number).public_key()).unwrap()
}

fn listed(numbers: impl IntoIterator<Item = u8>) -> Peers {
    Peers { keys: numbers.into_iter().map(|number| secret(number).public_key()).collect(), addresses: Vec::new() }
}

fn config(peers: &[&Node]) -> NetworkConfig {
    NetworkConfig {
        listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        peers: peers.iter().map(|node| node.address()).collect(),
        status_interval_ms: 200,
        redial_max_ms: 500,
        request_timeout_ms: 30_000,
        ..NetworkConfig::default()
    }
}

struct Node {
    number: u8,
    handle: NetworkHandle,
    inbound: mpsc::Receiver<Inbound>,
    members: watch::Sender<Peers>,
    _tip: watch::Sender<TipStatus>,
}

impl Node {
    async fn try_start(number: u8, config: NetworkConfig, clock: fn() -> TimeMs) -> Result<Self, NetworkError> {
        let (members, known) = watch::channel(listed(0..4));
        let tip = TipStatus { height: Height(u64::from(number)), header_hash: HeaderHash([number; 32]) };
        let (tip, tip_receiver) = watch::channel(tip);
        let (sender, inbound) = mpsc::channel(64);
        let setup = Setup { config, secret: secret(number), chain: CHAIN, members: known, tip: tip_receiver, clock };
        let handle = start(setup, sender).await?;
        assert_eq!(handle.local_peer(), id(number));
        Ok(Self { number, handle, inbound, members, _tip: tip })
    }
    async fn start(number: u8, config: NetworkConfig) -> Self {
        Self::try_start(number, config, clock).await.unwrap()
    }
    fn address(&self) -> PeerAddress {
        PeerAddress { peer: id(self.number), address: self.handle.address().clone() }
    }
    async fn wait_for_peers(&self, enough: impl FnMut(&Vec<PeerInfo>) -> bool) -> Vec<PeerInfo> {
        let mut peers = self.handle.peers();
        let waited = tokio::time::timeout(LONG, peers.wait_for(enough)).await;
        waited.expect("peers come in time").expect("the swarm runs").clone()
    }
    async fn wait_for_ready(&self, count: usize) {
        self.wait_for_peers(|peers| {
            peers.iter().filter(|peer| peer.subscribed && peer.status.is_some()).count() == count
        })
        .await;
    }
    async fn next(&mut self) -> Inbound {
        tokio::time::timeout(LONG, self.inbound.recv()).await.expect("something comes in time").expect("runs")
    }
    async fn next_transactions(&mut self) -> Vec<Bytes> {
        loop {
            if let Inbound::Transactions { transactions, ticket, .. } = self.next().await {
                ticket.report(Verdict::Accept);
                return transactions;
            }
        }
    }
    /// Takes and passes on transactions until it has so many different ones.
    async fn collect(&mut self, count: usize) -> HashSet<Bytes> {
        let mut seen = HashSet::new();
        while seen.len() < count {
            seen.extend(self.next_transactions().await);
        }
        seen
    }
    async fn publish(&self, transaction: Bytes) {
        while self.handle.publish(transaction.clone()).is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Nodes 0…count−1, each dialling those before it, all connected.
async fn network(count: u8) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..count {
        let config = config(&nodes.iter().collect::<Vec<_>>());
        nodes.push(Node::start(number, config).await);
    }
    for node in &nodes {
        node.wait_for_ready(usize::from(count) - 1).await;
    }
    nodes
}

async fn wait_for_count(counter: &AtomicU64, at_least: u64) {
    let reached = async {
        while value(counter) < at_least {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, reached).await.expect("counted in time");
}

fn transaction(from: u8, number: u32) -> Bytes {
    let mut bytes = vec![from; 300];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// A transaction of one honest node reaches another.
async fn assert_gossip(from: &Node, to: &mut Node, number: u32) {
    let sent = transaction(from.number, number);
    from.publish(sent.clone()).await;
    while !to.next_transactions().await.contains(&sent) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_gossip_two_thousand_transactions() {
    let nodes = network(4).await;
    let mut running = Vec::new();
    for mut node in nodes {
        running.push(tokio::spawn(async move {
            for number in 0..500 {
                node.publish(transaction(node.number, number)).await;
            }
            let seen = node.collect(1_500).await;
            let expected: HashSet<Bytes> = (0..4)
                .filter(|from| *from != node.number)
                .flat_map(|from| (0..500).map(move |number| transaction(from, number)))
                .collect();
            assert_eq!(seen, expected);
            node
        }));
    }
    let mut nodes = Vec::new();
    for task in running {
        nodes.push(task.await.unwrap());
    }
    for node in nodes {
        let metrics = node.handle.metrics();
        assert_eq!(value(&metrics.published_transactions_total), 500);
        assert!(value(&metrics.published_messages_total) < 250, "several transactions in a message");
        assert_eq!(value(&metrics.malformed_messages_total) + value(&metrics.rejected_messages_total), 0);
        node.handle.shutdown().await;
    }
}

#[tokio::test]
async fn a_message_goes_on_only_when_accepted() {
    // 1 and 2 know only 0, so that everything between them passes through it.
    let mut middle = Node::start(0, config(&[])).await;
    let first = Node::start(1, config(&[&middle])).await;
    let mut second = Node::start(2, config(&[&middle])).await;
    first.members.send_replace(listed([0]));
    second.members.send_replace(listed([0]));
    middle.wait_for_ready(2).await;
    for (number, verdict) in
        [(1, Some(Verdict::Reject)), (2, Some(Verdict::Ignore)), (3, None), (4, Some(Verdict::Accept))]
    {
        first.publish(transaction(1, number)).await;
        let Inbound::Transactions { transactions, ticket, peer } = middle.next().await else { panic!("no mail") };
        assert_eq!((transactions, peer), (vec![transaction(1, number)], id(1)));
        if let Some(verdict) = verdict {
            ticket.report(verdict);
        }
    }
    assert_eq!(second.next_transactions().await, [transaction(1, 4)]);
    let metrics = middle.handle.metrics();
    assert_eq!(value(&metrics.rejected_messages_total), 1);
    assert_eq!(value(&metrics.ignored_messages_total), 2);
}

#[tokio::test]
async fn a_stranger_is_refused_and_a_new_member_let_in() {
    let mut nodes = network(2).await;
    let stranger = Node::start(7, config(&[&nodes[0]])).await;
    wait_for_count(&nodes[0].handle.metrics().refused_connections_total, 2).await;
    nodes[0].wait_for_peers(|peers| peers.iter().map(|peer| peer.peer).eq([id(1)])).await;
    let answer = stranger.handle.request(id(0), Request::Status).await;
    assert!(matches!(answer, Err(RequestError::NotConnected(_) | RequestError::NoAnswer(_))), "{answer:?}");
    let (first, second) = nodes.split_at_mut(1);
    assert_gossip(&first[0], &mut second[0], 1).await;
    // The registry changes: the stranger becomes a member, and later is none any more.
    nodes[0].members.send_replace(listed([0, 1, 7]));
    nodes[0].wait_for_ready(2).await;
    nodes[0].members.send_replace(listed([0, 1]));
    nodes[0].wait_for_peers(|peers| peers.iter().map(|peer| peer.peer).eq([id(1)])).await;
}

/// Takes requests and never answers: a peer that doesn't know the protocol at all would be let go at once.
#[derive(Clone, Default)]
struct Mute;

#[async_trait::async_trait]
impl request_response::Codec for Mute {
    type Protocol = StreamProtocol;
    type Request = ();
    type Response = ();

    async fn read_request<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()> {
        std::future::pending().await
    }
    async fn read_response<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()> {
        Ok(())
    }
    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        (): (),
    ) -> io::Result<()> {
        Ok(())
    }
    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        (): (),
    ) -> io::Result<()> {
        Ok(())
    }
}

#[derive(NetworkBehaviour)]
struct Rogue {
    gossip: gossipsub::Behaviour,
    requests: request_response::Behaviour<Mute>,
}

/// A member's node that sends what it likes.
async fn rogue(number: u8, target: &Node) -> (Swarm<Rogue>, gossipsub::IdentTopic) {
    let keypair = identity::Keypair::ed25519_from_bytes(*secret(number).seed()).unwrap();
    let topic = gossipsub::IdentTopic::new(format!("/kanhe/{CHAIN}/transactions/1"));
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(format!("/kanhe/{CHAIN}/gossip"))
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .message_id_fn(|message| gossipsub::MessageId::new(&message.data))
        .max_transmit_size(64 << 20)
        .build()
        .unwrap();
    let mut behaviour = gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Anonymous, config).unwrap();
    behaviour.subscribe(&topic).unwrap();
    let protocol = StreamProtocol::try_from_owned(format!("/kanhe/{CHAIN}/request/1")).unwrap();
    let requests = request_response::Behaviour::with_codec(
        Mute,
        [(protocol, request_response::ProtocolSupport::Full)],
        request_response::Config::default().with_request_timeout(LONG),
    );
    let behaviour = Rogue { gossip: behaviour, requests };
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(LONG))
        .build();
    let address = target.address();
    swarm.dial(address.address.with_p2p(address.peer).unwrap()).unwrap();
    let subscribed = async {
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(RogueEvent::Gossip(gossipsub::Event::Subscribed { .. })) = event {
                return;
            }
        }
    };
    tokio::time::timeout(LONG, subscribed).await.expect("the target subscribes");
    (swarm, topic)
}

async fn drive(swarm: &mut Swarm<Rogue>, until: impl Future<Output = ()>) {
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            _ = swarm.select_next_some() => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_message_harms_nobody() {
    let mut nodes = network(2).await;
    let (mut swarm, topic) = rogue(2, &nodes[0]).await;
    for size in [1 << 20, 8 << 20] {
        swarm.behaviour_mut().gossip.publish(topic.hash(), vec![1; size]).unwrap();
        let (first, second) = nodes.split_at_mut(1);
        drive(&mut swarm, assert_gossip(&first[0], &mut second[0], size as u32)).await;
        drive(&mut swarm, assert_gossip(&second[0], &mut first[0], size as u32)).await;
    }
    assert_eq!(value(&nodes[0].handle.metrics().malformed_messages_total), 0, "not even looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_messages_shut_their_sender_out_and_harm_nobody() {
    let mut nodes = network(2).await;
    let (mut swarm, topic) = rogue(2, &nodes[0]).await;
    for number in 0..6_u8 {
        swarm.behaviour_mut().gossip.publish(topic.hash(), vec![number; 100]).unwrap();
    }
    let metrics = nodes[0].handle.metrics();
    drive(&mut swarm, wait_for_count(&metrics.banned_peers_total, 1)).await;
    assert_eq!(value(&metrics.malformed_messages_total), 6);
    nodes[0].wait_for_peers(|peers| peers.iter().map(|peer| peer.peer).eq([id(1)])).await;
    let (first, second) = nodes.split_at_mut(1);
    assert_gossip(&first[0], &mut second[0], 1).await;
    assert_eq!(value(&second[0].handle.metrics().malformed_messages_total), 0, "not passed on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_dropped_and_its_sender_shut_out_for_a_while() {
    let limits = NetworkConfig { peer_messages_per_second: 20, ban_seconds: 1, ..config(&[]) };
    let node = Node::start(0, limits).await;
    let (mut swarm, topic) = rogue(2, &node).await;
    let metrics = node.handle.metrics();
    for number in 0..200_u32 {
        // The queue of the sending side has a bound as well: what it refuses was not sent.
        let _ = swarm.behaviour_mut().gossip.publish(topic.hash(), number.to_be_bytes().to_vec());
    }
    drive(&mut swarm, wait_for_count(&metrics.banned_peers_total, 1)).await;
    node.wait_for_peers(Vec::is_empty).await;
    let honest = Node::start(2, config(&[&node])).await;
    drop(swarm);
    honest.wait_for_ready(1).await;
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let node = Node::start(0, NetworkConfig { inbound_max: 2, ..config(&[]) }).await;
    let other = Node::start(1, config(&[&node])).await;
    other.wait_for_ready(1).await;
    let metrics = node.handle.metrics();
    for number in 0..8 {
        // Nobody takes what comes in, so each is a message of its own as soon as the one before was received.
        other.publish(transaction(1, number)).await;
        wait_for_count(&metrics.received_messages_total, u64::from(number) + 1).await;
    }
    wait_for_count(&metrics.busy_messages_total, 6).await;
    let answer = other.handle.request(id(0), Request::DeliverMail(Bytes::from_static(b"sealed"))).await;
    assert_eq!(answer, Ok(Response::Refused(Refusal::Busy)));
    assert!(matches!(other.handle.request(id(0), Request::Status).await, Ok(Response::Status(_))), "it lives on");
}

#[tokio::test]
async fn mail_is_delivered_and_answered() {
    let mut nodes = network(2).await;
    let second = nodes.pop().unwrap();
    let mut first = nodes.pop().unwrap();
    let mail = Bytes::from(vec![5; 200_000]);
    let asked = second.handle.request(id(0), Request::DeliverMail(mail.clone()));
    let answered = async {
        let Inbound::Mail { peer, mail, reply } = first.next().await else { panic!("no transactions") };
        assert_eq!(peer, id(1));
        reply.send(Response::Mail(mail.slice(..7)));
    };
    let (answer, ()) = tokio::join!(asked, answered);
    assert_eq!(answer, Ok(Response::Mail(mail.slice(..7))));
    let asked = second.handle.request(id(0), Request::DeliverMail(mail));
    let (answer, _) = tokio::join!(asked, async { drop(first.next().await) });
    assert!(matches!(answer, Err(RequestError::NoAnswer(_))), "{answer:?}");
    let long = Request::DeliverMail(Bytes::from(vec![0; 1 << 20]));
    assert_eq!(second.handle.request(id(0), long).await, Err(RequestError::TooLong(1 << 20)));
    assert_eq!(second.handle.request(id(3), Request::Status).await, Err(RequestError::NotConnected(id(3))));
    let status = second.handle.request(id(0), Request::Status).await;
    let Ok(Response::Status(status)) = status else { panic!("{status:?}") };
    assert_eq!((status.height, status.header_hash, status.clock), (Height(0), HeaderHash([0; 32]), clock()));
    first.handle.shutdown().await;
    second.wait_for_peers(Vec::is_empty).await;
    second.handle.shutdown().await;
    assert_eq!(second.handle.request(id(0), Request::Status).await, Err(RequestError::Stopped));
}

#[tokio::test]
async fn a_clock_that_is_off_is_noticed_on_both_sides() {
    let node = Node::start(0, config(&[])).await;
    let late = Node::try_start(1, config(&[&node]), || TimeMs(clock().0 - 31_000)).await.unwrap();
    let seen = node.wait_for_peers(|peers| peers.iter().any(PeerInfo::is_clock_off)).await;
    assert_eq!(seen[0].clock_ahead_ms, Some(-31_000));
    let seen = late.wait_for_peers(|peers| peers.iter().any(PeerInfo::is_clock_off)).await;
    assert_eq!((seen[0].clock_ahead_ms, seen[0].status.unwrap().height), (Some(31_000), Height(0)));
}

#[tokio::test]
async fn a_restarted_node_is_found_again_and_a_taken_port_is_said() {
    let node = Node::start(0, config(&[])).await;
    let other = Node::start(1, config(&[&node])).await;
    other.wait_for_ready(1).await;
    let same = NetworkConfig { listen: node.address().address.to_string().parse().unwrap(), ..config(&[]) };
    let taken = Node::try_start(2, same.clone(), clock).await;
    assert!(matches!(taken.map(|_| ()), Err(NetworkError::Listen { .. })));
    node.handle.shutdown().await;
    other.wait_for_peers(Vec::is_empty).await;
    // Handed in while nobody is there: kept until somebody is.
    other.publish(transaction(1, 1)).await;
    let mut again = Node::start(0, same).await;
    other.wait_for_ready(1).await;
    assert_eq!(again.next_transactions().await, [transaction(1, 1)]);
}
