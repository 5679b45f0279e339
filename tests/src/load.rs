//! Transactions without end, and what nodes reported of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_node::run::now;
use kanhe_proto::api::{TransactionState, TransactionStatus};
use kanhe_proto::bounded::List;
use kanhe_proto::hash::{Hash, TransactionId};
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::{Height, SpanMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::transaction::{IssueBatch, Payload, TRANSACTION_VERSION, Transaction, TransactionBody};
use kanhe_proto::vote::ChainContext;

use crate::dice::Dice;
use crate::http::Http;
use crate::network::Network;

/// Transactions not yet known to be committed; more are not sent.
const OPEN_MAX: usize = 100;
/// After so long nobody waits for a transaction any more: the pools that held it may all have been killed.
const PATIENCE: Duration = Duration::from_secs(4);
const EXPIRY: SpanMs = SpanMs(10 * 60_000);

/// The bureau that sends, with its key.
#[derive(Debug, Clone)]
pub struct Sender {
    chain: ChainContext,
    uscc: Uscc,
    type_code: TypeCode,
    key: SecretKey,
}

impl Sender {
    /// The bureau that issues the first type.
    pub fn of(network: &Network) -> Self {
        let bureau = network.bureau(0);
        let passphrase = PassphraseSource::File(bureau.passphrase_file.clone()).read().unwrap();
        let key = keys::open_secret(&bureau.issuing_key, KeyFileRole::Issuing, &passphrase).unwrap();
        let type_code = network.description.types[0].code.clone();
        Self { chain: network.genesis.chain(), uscc: bureau.uscc, type_code, key }
    }

    /// A batch under this root.
    pub fn batch(&self, root: Hash, count: u32) -> Transaction {
        let payload = Payload::IssueBatch(IssueBatch {
            type_code: self.type_code.clone(),
            type_version: TypeVersion(1),
            root,
            count,
            changes: List::empty(),
        });
        let body = TransactionBody {
            version: TRANSACTION_VERSION,
            chain: self.chain,
            sender: self.uscc,
            key: self.key.public_key().id(),
            expiry: now().after(EXPIRY),
            payload: payload.to_raw(),
        };
        body.sign(&self.key).unwrap()
    }
}

/// A transaction that a node reported as committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// Which.
    pub id: TransactionId,
    /// In which block.
    pub height: Height,
}

/// A thread that sends to random nodes until it is stopped.
#[derive(Debug)]
pub struct Load {
    stopped: Arc<AtomicBool>,
    committed: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Reported>>,
}

impl Load {
    /// Starts; the pause is between two transactions.
    pub fn start(network: &Network, seed: u64, pause: Duration) -> Self {
        Self::start_at(network, &network.founders().collect::<Vec<_>>(), seed, pause)
    }

    /// The same at some nodes.
    pub fn start_at(network: &Network, nodes: &[usize], seed: u64, pause: Duration) -> Self {
        let (stopped, committed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let sending = Sending {
            sender: Sender::of(network),
            apis: nodes.iter().map(|node| network.api(*node).to_owned()).collect(),
            dice: Dice::new(seed),
            http: Http::default(),
            open: Vec::new(),
            reported: Vec::new(),
        };
        let (told, counted) = (Arc::clone(&stopped), Arc::clone(&committed));
        let thread = std::thread::spawn(move || sending.run(&told, &counted, pause));
        Self { stopped, committed, thread }
    }

    /// How many were reported as committed up to now.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::SeqCst)
    }

    /// Stops and gives all that was reported.
    pub fn stop(self) -> Vec<Reported> {
        self.stopped.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

struct Sending {
    sender: Sender,
    apis: Vec<String>,
    dice: Dice,
    http: Http,
    open: Vec<(TransactionId, Instant)>,
    reported: Vec<Reported>,
}

impl Sending {
    fn run(mut self, stopped: &AtomicBool, committed: &AtomicU64, pause: Duration) -> Vec<Reported> {
        while !stopped.load(Ordering::SeqCst) {
            if self.open.len() < OPEN_MAX {
                self.send();
            }
            self.ask();
            committed.store(self.reported.len() as u64, Ordering::SeqCst);
            std::thread::sleep(pause);
        }
        self.reported
    }

    fn api(&mut self) -> String {
        self.apis[self.dice.place(self.apis.len())].clone()
    }

    fn send(&mut self) {
        let transaction = self.sender.batch(Hash(self.dice.bytes()), 1);
        let url = format!("{}/v1/transactions", self.api());
        // An answer that was lost says nothing: it is asked for like the others.
        let answer = self.http.post(&url, "application/octet-stream", &transaction.to_bytes());
        if answer.is_none_or(|(status, _)| status == 202) {
            self.open.push((transaction.body.id(), Instant::now()));
        }
    }

    /// Asks after the oldest, so that each is asked for often enough at any speed.
    fn ask(&mut self) {
        for _ in 0..2 {
            if self.open.is_empty() {
                return;
            }
            let (id, since) = self.open.remove(0);
            let url = format!("{}/v1/transactions/{id}", self.api());
            let status: Option<TransactionStatus> = self.http.json(&url);
            match status {
                Some(status) if status.state == TransactionState::Committed => {
                    assert!(status.proof.is_some(), "committed without proof");
                    self.reported.push(Reported { id, height: status.height.unwrap() });
                }
                _ if since.elapsed() > PATIENCE => {}
                _ => self.open.push((id, since)),
            }
        }
    }
}
