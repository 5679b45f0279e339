//! Four validators over TCP: they agree, catch up, keep quiet without work, and accept a block proposed again.
#![allow(clippy::unwrap_used)]

mod common;
mod validators;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kanhe_node::chain::Chain;
use kanhe_node::consensus::application::{
    Application, ApplicationError, Candidate, Check, Decided, Equivocation, Origin, Slot, Tip,
};
use kanhe_node::consensus::context::proposer_at;
use kanhe_node::consensus::{Fatal, guard};
use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, SignError, Signature, Signer};
use kanhe_proto::tags;
use kanhe_proto::validators::ValidatorSet;
use kanhe_proto::vote::{Vote, VoteType};
use tokio::sync::watch;
use validators::{ApplicationOf, Net, Node, Queue, now, same_chain};

const HOUR_MS: u64 = 3_600_000;

async fn start_all(net: &Net, nodes: impl IntoIterator<Item = usize>) -> Vec<Node> {
    futures::future::join_all(nodes.into_iter().map(|node| net.start(node))).await
}

/// Gives every node the same new transactions, as gossip would, until it is dropped.
struct Load {
    queues: Arc<Mutex<Vec<Arc<Queue>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    fn on(net: &Net, nodes: &[&Node], every: Duration) -> Self {
        let queues: Arc<Mutex<Vec<_>>> = Arc::default();
        let (from, expiry) = (now().0 * 1_000, TimeMs(now().0 + HOUR_MS / 2));
        let transactions: Vec<_> = (0..6_000).map(|n| net.world.batch(0, expiry, from + n)).collect();
        let fed = Arc::clone(&queues);
        let task = tokio::spawn(async move {
            for transaction in transactions {
                // Always some work, and never more than that: the chain must not fall idle before the test ends.
                while fed.lock().unwrap().iter().all(|queue: &Arc<Queue>| queue.len() > 5) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                fed.lock().unwrap().iter().for_each(|queue| queue.offer(&transaction));
                tokio::time::sleep(every).await;
            }
        });
        let load = Self { queues, task };
        nodes.iter().for_each(|node| load.add(node));
        load
    }
    fn add(&self, node: &Node) {
        self.queues.lock().unwrap().push(Arc::clone(&node.queue));
    }
}
impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_validators_agree_and_one_restarts_and_one_comes_late() {
    let dir = tempfile::tempdir().unwrap();
    let net = Net::create(dir.path(), 4, 30_000);
    let mut nodes = start_all(&net, 0..3).await;
    let load = Load::on(&net, &nodes.iter().collect::<Vec<_>>(), Duration::from_millis(10));
    let started = Instant::now();
    nodes[0].reach(25, Duration::from_secs(60)).await;
    let phase = |what: &str| println!("{what} after {:?}", started.elapsed());
    phase("25 blocks of three");

    // Node 3 was never there: it syncs, and then validates.
    nodes.push(net.start(3).await);
    load.add(&nodes[3]);
    let tip = nodes[0].height().0;
    nodes[3].reach(tip + 5, Duration::from_secs(30)).await;

    phase("the late node validates");

    // Node 1 stops and comes back with its log and guard.
    let node = nodes.remove(1);
    node.stop().await.unwrap();
    phase("a stop");
    let tip = nodes[0].height().0;
    nodes[0].reach(tip + 5, Duration::from_secs(30)).await;
    phase("five blocks of three");
    nodes.insert(1, net.start(1).await);
    load.add(&nodes[1]);
    let tip = nodes[0].height().0;
    nodes[1].reach(tip + 5, Duration::from_secs(30)).await;
    phase("the restarted node validates");

    let target = nodes[0].height().0.max(60);
    for node in &nodes {
        node.reach(target, Duration::from_secs(60)).await;
    }
    let lowest = same_chain(&nodes.iter().collect::<Vec<_>>());
    println!("{lowest} blocks in {:?}", started.elapsed());
    assert!(lowest >= 50);
    drop(load);
    for node in nodes {
        node.stop().await.unwrap();
    }
    net.check_guards();
    for node in 0..4 {
        assert!(!guard::read(&net.guard(node)).unwrap().is_empty(), "node {node} never signed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_idle_chain_makes_blocks_at_heartbeats_and_work_wakes_it() {
    let dir = tempfile::tempdir().unwrap();
    let net = Net::create(dir.path(), 4, 3_000);
    let nodes = start_all(&net, 0..4).await;
    nodes[0].reach(1, Duration::from_secs(20)).await;
    let (from, since) = (nodes[0].height().0, Instant::now());
    nodes[0].reach(from + 3, Duration::from_secs(20)).await;
    assert!(since.elapsed() >= Duration::from_millis(5_500), "3 blocks in {:?}", since.elapsed());

    let mut waits = Vec::new();
    for number in 0..5 {
        let transaction = net.world.batch(0, TimeMs(now().0 + HOUR_MS / 2), number);
        let (asked, at) = (Instant::now(), nodes[0].height().0);
        nodes.iter().for_each(|node| node.queue.offer(&transaction));
        nodes[0].reach(at + 1, Duration::from_secs(2)).await;
        waits.push(asked.elapsed());
        for node in &nodes {
            node.reach(at + 1, Duration::from_secs(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("commit after {waits:?}");
    waits.sort();
    assert!(waits[2] < Duration::from_millis(1_000), "{waits:?}");
    same_chain(&nodes.iter().collect::<Vec<_>>());
    for node in nodes {
        node.stop().await.unwrap();
    }
    net.check_guards();
}

const LOCKED: Height = Height(4);

/// Its first precommit for one height is no signature.
struct Botched {
    key: SecretKey,
    done: AtomicBool,
}

impl Signer for Botched {
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let signature = self.key.sign(message)?;
        let head = [&[VoteType::Precommit.byte()][..], &LOCKED.0.to_be_bytes(), &0u32.to_be_bytes()].concat();
        let botch = message.starts_with(tags::VOTE.bytes()) && message[52..].starts_with(&head);
        if !botch || self.done.swap(true, Ordering::SeqCst) {
            return Ok(signature);
        }
        self.key.sign(b"something else")
    }
}

/// Finds the first block of one height to be ahead of its clock.
struct Slow(Arc<Chain>, AtomicBool);

impl Application for Slow {
    fn tip(&self) -> Tip {
        Application::tip(self.0.as_ref())
    }
    fn validator_set(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        Application::validator_set(self.0.as_ref(), height)
    }
    fn candidate(&self, slot: &Slot, last: Option<&Certificate>) -> Result<Candidate, ApplicationError> {
        self.0.candidate(slot, last)
    }
    fn keep(&self, height: Height, candidate: &Candidate) -> Result<(), ApplicationError> {
        Application::keep(self.0.as_ref(), height, candidate)
    }
    fn check(&self, body: &Bytes, origin: &Origin) -> Result<Check, ApplicationError> {
        let checked = Application::check(self.0.as_ref(), body, origin)?;
        match checked {
            Check::Valid(header_hash) if origin.height == LOCKED && !self.1.swap(true, Ordering::SeqCst) => {
                Ok(Check::NotYet { header_hash, until: now() })
            }
            checked => Ok(checked),
        }
    }
    fn body(&self, header_hash: &HeaderHash) -> Result<Option<Bytes>, ApplicationError> {
        Application::body(self.0.as_ref(), header_hash)
    }
    fn undecided(&self, height: Height) -> Result<Vec<HeaderHash>, ApplicationError> {
        Application::undecided(self.0.as_ref(), height)
    }
    fn commit(&self, certificate: &Certificate) -> Result<Tip, ApplicationError> {
        Application::commit(self.0.as_ref(), certificate)
    }
    fn finalized(&self, certificate: &Certificate, equivocations: Vec<Equivocation>) {
        self.0.finalized(certificate, equivocations);
    }
    fn decided(&self, height: Height) -> Result<Option<Decided>, ApplicationError> {
        self.0.decided(height)
    }
    fn earliest(&self) -> Height {
        self.0.earliest()
    }
    fn work(&self) -> watch::Receiver<bool> {
        self.0.work()
    }
}

/// In round 0 three validators prevote for a block and lock it; only two precommits for it count, since one
/// validator found it ahead of its clock and one botched its signature. The next proposer proposes the same block again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_locked_block_is_proposed_again_under_its_first_proposers_header() {
    let dir = tempfile::tempdir().unwrap();
    let net = Net::create(dir.path(), 4, 30_000);
    let set = net.world.set();
    let office = |round| {
        let proposer = proposer_at(&set, LOCKED, Round(round));
        (0..4).find(|node| net.world.address(*node) == proposer).unwrap()
    };
    let (first, again, slow, botched) = (office(0), office(1), office(2), office(3));
    let signer = |node: usize| -> Arc<dyn Signer> { Arc::new(net.key(node).clone()) };
    let botching = Arc::new(Botched { key: net.key(botched).clone(), done: AtomicBool::new(false) });
    let nodes = futures::join!(
        net.start(first),
        net.start(again),
        net.start_with(slow, signer(slow), |chain| -> Arc<dyn ApplicationOf> {
            Arc::new(Slow(chain, AtomicBool::new(false)))
        }),
        net.start_with(botched, botching, |chain| chain),
    );
    let nodes = [nodes.0, nodes.1, nodes.2, nodes.3];
    let load = Load::on(&net, &nodes.iter().collect::<Vec<_>>(), Duration::from_millis(10));
    for node in &nodes {
        node.reach(LOCKED.0 + 5, Duration::from_secs(60)).await;
    }
    drop(load);
    same_chain(&nodes.iter().collect::<Vec<_>>());
    let snapshot = nodes[0].chain.storage().read();
    let header = snapshot.header(LOCKED).unwrap().unwrap();
    let certificate = snapshot.certificate(LOCKED).unwrap().unwrap();
    assert_eq!(header.proposer, net.world.address(first));
    assert!(certificate.round > Round(0), "decided in round {}", certificate.round);
    drop(snapshot);
    for node in nodes {
        node.stop().await.unwrap();
    }
    net.check_guards();
}

/// A lost log silences a validator until the others decided a height above all it may have signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_validator_without_its_log_is_silent_at_first() {
    let dir = tempfile::tempdir().unwrap();
    let net = Net::create(dir.path(), 4, 1_000);
    let mut nodes = start_all(&net, 0..4).await;
    let load = Load::on(&net, &nodes.iter().collect::<Vec<_>>(), Duration::from_millis(20));
    nodes[0].reach(10, Duration::from_secs(30)).await;
    nodes.pop().unwrap().stop().await.unwrap();
    let signed = guard::read(&net.guard(3)).unwrap().len();
    std::fs::remove_file(net.wal(3)).unwrap();
    let node = net.start(3).await;
    load.add(&node);
    let mut status = node.handle.status();
    let silent = status.wait_for(|status| status.silent && status.height > Height(0));
    tokio::time::timeout(Duration::from_secs(20), silent).await.unwrap().unwrap();
    let loud = status.wait_for(|status| !status.silent);
    tokio::time::timeout(Duration::from_secs(30), loud).await.unwrap().unwrap();
    let tip = node.height().0;
    node.reach(tip + 8, Duration::from_secs(30)).await;
    nodes.push(node);
    drop(load);
    same_chain(&nodes.iter().collect::<Vec<_>>());
    for node in nodes {
        node.stop().await.unwrap();
    }
    assert!(guard::read(&net.guard(3)).unwrap().len() > signed, "signs again");
    net.check_guards();
}

/// Two processes with one key: the first that hears the other's vote stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_vote_under_the_own_key_from_elsewhere_stops_the_node() {
    use kanhe_node::consensus::fatal::FatalSender;
    use kanhe_node::consensus::guard::Guard;
    use kanhe_node::consensus::watch::{Own, Watch};

    let dir = tempfile::tempdir().unwrap();
    let net = Net::open(dir.path(), 4, 1_000, vec![1, 2, 3, 4]);
    let (key, chain) = (net.key(0).clone(), net.world.chain());
    let guard = Arc::new(Guard::create(&dir.path().join("guard"), &chain, &key.public_key(), false).unwrap());
    let (fatal, seen) = FatalSender::new();
    let address = net.world.address(0);
    let own = Own { address, key: key.public_key(), guard: Arc::clone(&guard) };
    let watch = Watch::new(chain, &kanhe_node::consensus::Wanted::default(), Some(own), fatal);
    let vote = |round, value| Vote {
        vote_type: VoteType::Prevote,
        height: Height(3),
        round: Round(round),
        value: Some(HeaderHash([value; 32])),
        address,
    };
    let held = vote(0, 1);
    let message = held.sign_bytes(&chain);
    let signature = guard.sign(guard::SignSlot::of_vote(&held), &message, &key).unwrap();
    watch.vote(&held, &signature);
    // Somebody's forgery is nobody's vote.
    watch.vote(&vote(0, 2), &signature);
    assert_eq!(*seen.borrow(), None);
    let foreign = vote(1, 2);
    watch.vote(&foreign, &key.sign(&foreign.sign_bytes(&chain)).unwrap());
    assert_eq!(*seen.borrow(), Some(Fatal::DoubleVote { height: Height(3) }));
}
