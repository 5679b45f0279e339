//! Four validators over TCP whose blocks take too long: to build, or for the others to check. They make smaller ones and
//! go on.
#![allow(clippy::unwrap_used)]

mod common;
mod validators;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use kanhe_node::chain::Chain;
use kanhe_node::consensus::application::{
    Application, ApplicationError, Candidate, Check, Decided, Equivocation, Origin, Slot, Tip,
};
use kanhe_proto::block::Block;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::transaction::Transaction;
use kanhe_proto::validators::ValidatorSet;
use tokio::sync::watch;
use validators::{ApplicationOf, Net, Node, now, same_chain};

/// Longest wait for anything here.
const LIMIT: Duration = Duration::from_secs(300);

fn batches(net: &Net, numbers: std::ops::Range<u64>) -> Vec<Transaction> {
    let expiry = TimeMs(now().0 + 1_800_000);
    numbers.map(|number| net.world.batch(0, expiry, number)).collect()
}

fn offer(nodes: &[Node], transactions: &[Transaction]) {
    for node in nodes {
        transactions.iter().for_each(|transaction| node.queue.offer(transaction));
    }
}

/// Transactions of a block, and the round in which it was decided.
fn block(node: &Node, height: u64) -> (usize, Round) {
    let decided = Application::decided(node.chain.as_ref(), Height(height)).unwrap().unwrap();
    (Block::from_bytes(&decided.body).unwrap().transactions.len(), decided.certificate.round)
}

async fn stop(net: &Net, nodes: Vec<Node>) {
    same_chain(&nodes.iter().collect::<Vec<_>>());
    for node in nodes {
        node.stop().await.unwrap();
    }
    net.check_guards();
}

/// All that waits would take four seconds to build and four more to check; a proposal is waited for half a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blocks_that_are_slow_to_execute_become_smaller() {
    const WAITING: u64 = 800;
    let dir = tempfile::tempdir().unwrap();
    let net = Net::create(dir.path(), 4, 30_000);
    let nodes = futures::future::join_all((0..4).map(|node| net.start(node))).await;
    nodes.iter().for_each(|node| node.queue.slow.store(5_000, Ordering::Relaxed));
    offer(&nodes, &batches(&net, 0..WAITING));
    let mut committed = nodes[0].chain.committed();
    let emptied = committed.wait_for(|_| nodes[0].queue.len() == 0);
    tokio::time::timeout(LIMIT, emptied).await.expect("the chain goes on").unwrap();
    let top = nodes[0].height().0;
    let blocks: Vec<_> = (1..=top).map(|height| block(&nodes[0], height)).collect();
    println!("{blocks:?}");
    assert_eq!(blocks.iter().map(|(transactions, _)| *transactions as u64).sum::<u64>(), WAITING);
    let largest = blocks.iter().map(|(transactions, _)| *transactions as u64).max().unwrap();
    assert!(largest <= WAITING / 4, "{largest} in one block");
    for node in &nodes {
        node.reach(top, LIMIT).await;
    }
    stop(&net, nodes).await;
}

/// Checks what others propose slowly, by its length.
struct SlowJudge(Arc<Chain>);

/// Each block whole takes about three seconds, each transaction about five milliseconds.
const PER_BYTE: Duration = Duration::from_micros(15);

impl Application for SlowJudge {
    fn check(&self, body: &Bytes, origin: &Origin) -> Result<Check, ApplicationError> {
        std::thread::sleep(PER_BYTE * body.len() as u32);
        Application::check(self.0.as_ref(), body, origin)
    }
    fn missed(&self, header_hash: &HeaderHash) {
        self.0.missed(header_hash);
    }
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

/// No proposer sees by its own work that its blocks are too much: it builds them at once. A full one is decided all the
/// same, when it is proposed again and the others have checked it; and the next ones are smaller, until they are in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blocks_that_are_slow_to_check_are_decided_and_become_smaller() {
    const WAITING: u64 = 600;
    let dir = tempfile::tempdir().unwrap();
    let net = Net::create(dir.path(), 4, 30_000);
    let start = |node: usize| {
        let signer: Arc<dyn Signer> = Arc::new(net.key(node).clone());
        net.start_with(node, signer, |chain| -> Arc<dyn ApplicationOf> { Arc::new(SlowJudge(chain)) })
    };
    let nodes = futures::future::join_all((0..4).map(start)).await;
    let mut next = WAITING;
    offer(&nodes, &batches(&net, 0..next));
    let mut seen = Vec::new();
    let settle = async {
        loop {
            let height = seen.len() as u64 + 1;
            nodes[0].reach(height, LIMIT).await;
            let (transactions, round) = block(&nodes[0], height);
            seen.push((transactions, round));
            // As many wait as before.
            offer(&nodes, &batches(&net, next..next + transactions as u64));
            next += transactions as u64;
            if seen.iter().rev().take_while(|(transactions, round)| *transactions > 0 && *round == Round(0)).count()
                == 4
            {
                break;
            }
        }
    };
    tokio::time::timeout(LIMIT, settle).await.expect("blocks are decided in their first round at last");
    println!("{seen:?}");
    let (last, _) = seen.last().unwrap();
    assert!((*last as u64) < WAITING / 2, "{seen:?}");
    assert!(seen.iter().any(|(_, round)| *round > Round(0)), "the first ones were too much: {seen:?}");
    stop(&net, nodes).await;
}
