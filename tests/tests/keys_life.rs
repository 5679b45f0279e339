//! The keys of a bureau over their life, with real processes: all are rotated while licences are issued and verified, one
//! is stolen, others end and are given anew. What was issued keeps its verdict.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kanhe_node::config::Config;
use kanhe_node::consensus::guard;
use kanhe_node::network::peer_id;
use kanhe_node::run::home;
use kanhe_proto::key::PublicKey;
use kanhe_tests::audit;
use kanhe_tests::counter::{Counter, Licence};
use kanhe_tests::network::{Network, run_node_program};
use kanhe_tests::person::{Ended, Person};
use serde_json::Value;

const WAIT: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 1_000;
const EPOCH: &str = "8";
/// The bureau whose keys live; the desks ask another's node.
const OWN: usize = 0;
const OTHER: usize = 1;
const DELAY: &str = "6s";
const OVERLAP: &str = "25s";
const REFUSED: i32 = 4;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A network, and an operator of each bureau.
struct Scene {
    network: Network,
    operators: Vec<Person>,
    /// The governance keys in use.
    governance: Vec<PathBuf>,
    issuing: PathBuf,
    own: String,
}

/// A key that was made.
struct Made {
    file: PathBuf,
    id: String,
    key: PublicKey,
}

impl Scene {
    fn new() -> Self {
        let mut network = Network::found_with(4, HEARTBEAT_MS, &["--epoch-blocks", EPOCH]);
        network.start_fast();
        network.start_all();
        network.wait_ready(WAIT);
        let desk = |node: usize| Person::at_desk(network.api(OTHER), &network.bureau(node).passphrase_file);
        let operators: Vec<Person> = (0..4).map(desk).collect();
        operators.iter().for_each(|operator| operator.pin(&network));
        let governance = (0..4).map(|node| network.bureau(node).governance_key.clone()).collect();
        let (issuing, own) = (network.bureau(OWN).issuing_key.clone(), network.bureau(OWN).uscc.to_string());
        Self { network, operators, governance, issuing, own }
    }

    /// A command of a bureau's operator with its governance key.
    fn gov(&self, node: usize, words: &[&str]) -> Ended {
        let uscc = self.network.bureau(node).uscc.to_string();
        let signed = ["--key", text(&self.governance[node]), "--as", &uscc];
        self.operators[node].run(&[&["gov"], words, &signed].concat())
    }

    /// What a bureau decides for itself.
    fn decides(&self, words: &[&str]) -> Value {
        let ended = self.gov(OWN, words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        let sent = ended.json()["proposals"][0].clone();
        assert_eq!(sent["state"], "decided", "{words:?}: {sent}");
        sent
    }

    /// What several decide: the first proposes.
    fn decide(&self, who: &[usize], words: &[&str]) {
        let ended = self.gov(who[0], &[&["propose"], words].concat());
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        let id = ended.json()["proposals"][0]["id"].as_str().unwrap().to_owned();
        for node in &who[1..] {
            let ended = self.gov(*node, &["vote", &id, "yes"]);
            assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        }
        let shown = self.operators[OTHER].ok(&["gov", "show", &id]).json();
        assert_eq!(shown["state"], "decided", "{words:?}: {shown}");
    }

    fn make(&self, role: &str, name: &str) -> Made {
        let operator = &self.operators[OWN];
        let made = operator.ok(&["gov", "key", "new", "--role", role, "--out", name]).json();
        let of = |member: &str| made[member].as_str().unwrap().to_owned();
        Made { file: operator.at(name), id: of("id"), key: of("key").parse().unwrap() }
    }

    /// How the registry has a key, as the list says.
    fn state(&self, id: &str) -> String {
        let keys = self.operators[OTHER].ok(&["gov", "key", "list", &self.own, "--old"]).json();
        let found = keys["keys"].as_array().unwrap().iter().find(|key| key["id"] == id);
        found.unwrap_or_else(|| panic!("{id} in {keys}"))["state"].as_str().unwrap().to_owned()
    }

    fn wait_state(&self, id: &str, state: &str) {
        let until = Instant::now() + WAIT;
        while self.state(id) != state {
            assert!(Instant::now() < until, "{id} is {}, not {state}", self.state(id));
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Gives the own node another network key, and says in the registry where it listens under it.
    fn put_network_key(&mut self, made: &Made, name: &str) {
        let place = format!("keys/{name}.key");
        fs::copy(&made.file, self.network.home(OWN).join(&place)).unwrap();
        self.network.configure(OWN, "keys.network", &format!("{place:?}"));
        let config = Config::load(self.network.home(OWN)).unwrap();
        let peer = peer_id(&made.key).unwrap();
        let at = |listen: String| format!("{listen}/p2p/{peer}");
        let consensus = format!("consensus:{}", at(config.consensus.listen.0.to_string()));
        let network = format!("network:{}", at(config.network.listen.to_string()));
        self.decides(&["propose", "set-addresses", &consensus, &network]);
    }

    fn restart_own(&mut self) {
        self.network.kill(&[OWN]);
        self.network.start(OWN);
        self.network.wait(OWN, "readiness", WAIT, |status| status.ready && status.peers == 3);
    }

    /// All nodes end well, hold one chain, and go on.
    fn audit(&mut self) {
        self.network.wait_blocks(1, WAIT);
        self.network.stop_all();
        audit::check(&self.network, &[]);
        self.network.start_all();
        self.network.wait_ready(WAIT);
        // Clients believe no node whose newest header is old.
        self.network.wait_blocks(1, WAIT);
    }
}

/// Issues and verifies until it is stopped; every licence must be valid.
struct Traffic {
    stopped: Arc<AtomicBool>,
    key: Arc<Mutex<PathBuf>>,
    thread: JoinHandle<usize>,
}

impl Traffic {
    fn start(scene: &Scene) -> Self {
        let counter = Counter::open(&scene.network, 2);
        let (stopped, key) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(scene.issuing.clone())));
        let (told, shared) = (Arc::clone(&stopped), Arc::clone(&key));
        let thread = std::thread::spawn(move || {
            let mut valid = 0;
            while !told.load(Ordering::SeqCst) {
                let key = shared.lock().unwrap().clone();
                counter.assert_valid(&counter.issue(&key));
                valid += 1;
            }
            valid
        });
        Self { stopped, key, thread }
    }

    fn stop(self) -> usize {
        self.stopped.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn rotate_issuing(scene: &mut Scene, traffic: &Traffic) -> String {
    let listed = scene.operators[OTHER].ok(&["gov", "key", "list", &scene.own]).json();
    let old = listed["keys"].as_array().unwrap().iter().find(|key| key["role"] == "issuing").unwrap()["id"].clone();
    let old = old.as_str().unwrap().to_owned();
    let new = scene.make("issuing", "issuing-2.key");
    scene.decides(&["rotate", "issuing", "--new", "issuing-2.key", "--overlap", OVERLAP]);
    assert_eq!((scene.state(&old), scene.state(&new.id)), ("holds".to_owned(), "holds".to_owned()));
    traffic.key.lock().unwrap().clone_from(&new.file);
    scene.issuing = new.file;
    old
}

/// A holder seals to the new key without being told; what was sealed to the old one is still opened.
fn rotate_sealing(scene: &Scene, counter: &Counter) {
    let old = scene.network.bureau(OWN).sealing_key.clone();
    let new = scene.make("sealing", "sealing-2.key");
    scene.decides(&["rotate", "sealing", "--new", "sealing-2.key", "--overlap", OVERLAP]);
    let (sheet, _) = counter.apply();
    let issued = counter.issue_sheet(&sheet, &scene.issuing);
    assert_eq!(issued.code, 0, "{issued:?}");
    let key = ["licence", "serve", "--key", text(&scene.issuing), "--as", &scene.own];
    let sealing = ["--sealing-key", text(&new.file), "--sealing-key", text(&old), "--node", scene.network.api(OWN)];
    let mut service = counter.desk.command(&[&key[..], &sealing].concat());
    let mut service = service.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let collected = counter.company.run(&["wallet", "collect"]);
    service.kill().unwrap();
    service.wait().unwrap();
    assert_eq!((collected.code, collected.json().as_array().unwrap().len()), (0, 1), "{collected:?}");
}

/// The network key and the validator key, with one start of the node.
fn rotate_node(scene: &mut Scene) {
    let network = scene.make("network", "network-2.key");
    scene.decides(&["rotate", "network", "--new", "network-2.key", "--overlap", "1h"]);
    scene.put_network_key(&network, "network-2");
    let home = scene.network.home(OWN).to_owned();
    let rotated = run_node_program(&["validator", "rotate", "--home", text(&home)]);
    assert!(rotated.status.success(), "{rotated:?}");
    let next = home.join(Config::load(&home).unwrap().keys.validator_next.unwrap());
    scene.restart_own();
    scene.operators[OWN].ok(&["gov", "key", "prove", text(&next), "--as", &scene.own, "--out", "validator.proof"]);
    scene.decides(&["rotate", "validator", "--new", "validator.proof"]);
    let until = Instant::now() + WAIT;
    while guard::read(&home::guard_beside(&next)).unwrap().len() < 5 {
        assert!(Instant::now() < until, "the next key does not sign\n{}", scene.network.last_words(OWN));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The others veto the first; the second votes after the delay, and the old one no more.
fn rotate_governance(scene: &mut Scene) {
    let vetoed = scene.make("governance", "governance-2.key");
    let sent = scene.decides(&["rotate", "governance", "--new", "governance-2.key"]);
    assert_eq!(scene.state(&vetoed.id), "waits");
    scene.decide(&[1, 2], &["veto", sent["id"].as_str().unwrap()]);
    assert_eq!(scene.state(&vetoed.id), "never_began");
    let new = scene.make("governance", "governance-3.key");
    scene.decides(&["rotate", "governance", "--new", "governance-3.key"]);
    scene.wait_state(&new.id, "holds");
    let refused = scene.gov(OWN, &["propose", "set-addresses", "/ip4/127.0.0.1/tcp/1"]);
    assert_eq!(refused.code, REFUSED, "{refused:?}");
    scene.governance[OWN] = new.file;
}

fn everything_is_rotated(scene: &mut Scene, counter: &Counter) -> Licence {
    scene.decide(&[0, 1, 2], &["set", &format!("governance_key_delay={DELAY}")]);
    let traffic = Traffic::start(scene);
    let licence = counter.issue(&scene.issuing);
    let old_key = scene.issuing.clone();
    let old = rotate_issuing(scene, &traffic);
    rotate_sealing(scene, counter);
    rotate_node(scene);
    rotate_governance(scene);
    scene.wait_state(&old, "ended");
    let (sheet, _) = counter.apply();
    let refused = counter.issue_sheet(&sheet, &old_key);
    assert_eq!(refused.code, REFUSED, "{refused:?}");
    let valid = traffic.stop();
    assert!(valid >= 3, "{valid} licences only");
    println!("{valid} licences were issued and verified meanwhile");
    licence
}

/// Batches of a stolen key are revoked from a height on until they are reaffirmed; earlier ones stay.
fn a_stolen_key(scene: &mut Scene, counter: &Counter) {
    let before = counter.issue(&scene.issuing);
    let old_evidence = counter.present(&before);
    let since = (scene.network.highest() + 1).to_string();
    scene.network.wait_blocks(1, WAIT);
    let (honest, forged) = (counter.issue(&scene.issuing), counter.issue(&scene.issuing));
    [&before, &honest, &forged].into_iter().for_each(|licence| counter.assert_valid(licence));

    let listed = scene.operators[OTHER].ok(&["gov", "key", "list", &scene.own]).json();
    let stolen = listed["keys"].as_array().unwrap().iter().find(|key| key["role"] == "issuing").unwrap();
    let stolen = stolen["id"].as_str().unwrap().to_owned();
    scene.decides(&["key-compromised", &stolen, "--since", &since]);
    assert_eq!(scene.state(&stolen), "distrusted");
    counter.assert_valid(&before);
    for licence in [&honest, &forged] {
        let (code, said) = counter.judge(licence);
        assert!(code == 12 && said.contains("key_compromised"), "{code}: {said}");
    }
    let (sheet, _) = counter.apply();
    assert_eq!(counter.issue_sheet(&sheet, &scene.issuing).code, REFUSED);

    scene.decides(&["reaffirm", &honest.batch.to_string()]);
    counter.assert_valid(&honest);
    counter.assert_valid(&before);
    assert_eq!(counter.judge(&forged).0, 12);
    let old = counter.check(&old_evidence, &["--offline"]);
    assert_eq!(old.code, 0, "{old:?}");

    let new = scene.make("issuing", "issuing-3.key");
    scene.decides(&["rotate", "issuing", "--new", "issuing-3.key", "--old", &stolen, "--overlap", "0"]);
    scene.issuing = new.file;
    counter.assert_valid(&counter.issue(&scene.issuing));
}

/// Keys that have ended sign nothing new. The node starts and follows all the same, and the bureau mends it by itself; where
/// its governance key has ended too, by the others' vote.
fn ended_keys(scene: &mut Scene, counter: &Counter) {
    let licence = counter.issue(&scene.issuing);
    let listed = scene.operators[OTHER].ok(&["gov", "key", "list", &scene.own]).json();
    let current = |role: &str| {
        let mut keys =
            listed["keys"].as_array().unwrap().iter().filter(|key| key["role"] == role && key["due_ms"].is_null());
        keys.next().unwrap()["id"].as_str().unwrap().to_owned()
    };
    for role in ["issuing", "sealing"] {
        scene.decides(&["propose", "end-key", &current(role)]);
    }
    let (sheet, _) = counter.apply();
    assert_eq!(counter.issue_sheet(&sheet, &scene.issuing).code, REFUSED);
    counter.assert_valid(&licence);
    scene.network.kill(&[OWN]);
    scene.network.wait_blocks_of(&[1, 2, 3], 5, WAIT);
    scene.network.start(OWN);
    scene.network.wait(OWN, "readiness", WAIT, |status| status.ready);
    let new = scene.make("issuing", "issuing-4.key");
    scene.decides(&["propose", "rotate-key", "issuing", "--new", "issuing-4.key", "--add"]);
    scene.issuing = new.file;
    counter.assert_valid(&counter.issue(&scene.issuing));

    // Without a network key that holds nobody talks to the node; it runs, and takes the new one.
    let network = scene.make("network", "network-3.key");
    for key in listed["keys"].as_array().unwrap().iter().filter(|key| key["role"] == "network") {
        scene.decides(&["propose", "end-key", key["id"].as_str().unwrap()]);
    }
    scene.network.wait(OWN, "loneliness", WAIT, |status| status.peers == 0);
    scene.network.kill(&[OWN]);
    scene.network.start(OWN);
    scene.network.wait(OWN, "an answer", WAIT, |status| status.peers == 0);
    scene.decides(&["propose", "rotate-key", "network", "--new", "network-3.key", "--add"]);
    scene.put_network_key(&network, "network-3");
    scene.restart_own();

    // The governance key last: only the others can give another.
    scene.decides(&["propose", "end-key", &current("governance")]);
    let refused = scene.gov(OWN, &["propose", "set-addresses", "/ip4/127.0.0.1/tcp/1"]);
    assert_eq!(refused.code, REFUSED, "{refused:?}");
    let new = scene.make("governance", "governance-4.key");
    let prove = ["gov", "key", "prove", "governance-4.key", "--as", &scene.own, "--out", "governance.proof"];
    scene.operators[OWN].ok(&prove);
    scene.operators[OWN].give("governance.proof", &scene.operators[1]);
    let replace = ["rotate-key", "governance", "--new", "governance.proof", "--add", "--bureau", &scene.own];
    scene.decide(&[1, 2, 3], &replace);
    scene.governance[OWN] = new.file;
    assert_eq!(scene.state(&new.id), "holds");
    let sealing = scene.make("sealing", "sealing-3.key");
    scene.decides(&["propose", "rotate-key", "sealing", "--new", "sealing-3.key", "--add"]);
    assert_eq!(scene.state(&sealing.id), "holds");
}

#[test]
fn keys_are_rotated_stolen_and_ended_and_evidence_keeps_its_verdict() {
    let began = Instant::now();
    let mut scene = Scene::new();
    let counter = Counter::open(&scene.network, OTHER);
    let first = everything_is_rotated(&mut scene, &counter);
    let evidence = counter.present(&first);
    scene.audit();
    println!("all rotated after {:?}", began.elapsed());
    a_stolen_key(&mut scene, &counter);
    scene.audit();
    println!("stolen after {:?}", began.elapsed());
    ended_keys(&mut scene, &counter);
    counter.assert_valid(&first);
    println!("ended after {:?}", began.elapsed());
    scene.network.wait_blocks(1, WAIT);
    scene.network.stop_all();
    audit::check(&scene.network, &[]);
    // Evidence that was made before most of it, with no node to ask.
    let old = counter.check(&evidence, &["--offline"]);
    assert_eq!(old.code, 0, "{old:?}");
}
