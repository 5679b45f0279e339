//! Four validator processes under load, killed without warning again and again: they go on, hold the same chain, and
//! none of them ever signs two messages for one slot.
#![allow(clippy::unwrap_used)]

mod common;
mod validators;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::Dice;
use kanhe_node::consensus::guard;
use kanhe_node::storage::Storage;
use kanhe_proto::ids::{Height, TimeMs};
use validators::{Net, now};

const NODES: usize = 4;
const HEARTBEAT_MS: u64 = 5_000;
const DIR: &str = "KANHE_TEST_DIR";
const NODE: &str = "KANHE_TEST_NODE";
const PORTS: &str = "KANHE_TEST_PORTS";
const KILLS: &str = "KANHE_TEST_KILLS";
const SEED: &str = "KANHE_TEST_SEED";

/// Not a test by itself: a validator process of the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the other test"]
async fn validator_process() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let number: usize = std::env::var(NODE).unwrap().parse().unwrap();
    let ports = std::env::var(PORTS).unwrap().split(',').map(|port| port.parse().unwrap()).collect();
    let net = Net::open(Path::new(&dir), NODES, HEARTBEAT_MS, ports);
    let validators::Node { chain, queue, mut handle } = net.start(number).await;
    let from = now().0 * 1_000;
    let load = async {
        for n in 0.. {
            if queue.len() < 20 {
                queue.offer(&net.world.batch(number, TimeMs(now().0 + 60_000), from + n));
            }
            std::fs::write(net.home(number).join("tip"), chain.tip().header.height.to_string()).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = load => {}
        ended = &mut handle.join => {
            let fatal = ended.unwrap().unwrap_err();
            eprintln!("node {number}: {fatal}");
            std::process::exit(fatal.exit_code().into());
        }
    }
}

fn spawn(net: &Net, node: usize) -> Child {
    let ports: Vec<_> = net.ports.iter().map(u16::to_string).collect();
    let log = std::fs::File::options().create(true).append(true).open(net.home(node).join("log")).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "validator_process", "--ignored", "--nocapture"])
        .env(DIR, &net.dir)
        .env(NODE, node.to_string())
        .env(PORTS, ports.join(","))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn tip(net: &Net, node: usize) -> u64 {
    let text = std::fs::read_to_string(net.home(node).join("tip")).unwrap_or_default();
    text.parse().unwrap_or(0)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Processes that die with the test.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn reach(net: &Net, processes: &mut Processes, height: u64, limit: Duration) {
    let started = Instant::now();
    while (0..NODES).any(|node| tip(net, node) < height) {
        for (node, child) in processes.0.iter_mut().enumerate() {
            assert_eq!(child.try_wait().unwrap(), None, "node {node} ended by itself");
        }
        let tips: Vec<_> = (0..NODES).map(|node| tip(net, node)).collect();
        assert!(started.elapsed() < limit, "tips {tips:?} instead of {height} after {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn killed_validators_go_on_and_never_sign_twice() {
    let dir = tempfile::tempdir().unwrap();
    let net = Net::create(dir.path(), NODES, HEARTBEAT_MS);
    let seed = number(SEED, now().0);
    let kills = number(KILLS, 12);
    println!("seed {seed}, {kills} kills");
    let mut random = Dice::new(seed);
    let mut processes = Processes((0..NODES).map(|node| spawn(&net, node)).collect());
    reach(&net, &mut processes, 5, Duration::from_secs(60));
    for kill in 0..kills {
        std::thread::sleep(Duration::from_millis(300 + random.below(1_500)));
        // Now and then all of them at once.
        let all = kill % 6 == 5;
        let victim = random.below(NODES as u64) as usize;
        let victims: Vec<_> = (0..NODES).filter(|node| all || *node == victim).collect();
        for node in &victims {
            assert_eq!(processes.0[*node].try_wait().unwrap(), None, "node {node} ended by itself");
            processes.0[*node].kill().unwrap();
        }
        for node in victims {
            processes.0[node].wait().unwrap();
            processes.0[node] = spawn(&net, node);
        }
    }
    let highest = (0..NODES).map(|node| tip(&net, node)).max().unwrap();
    reach(&net, &mut processes, highest + 10, Duration::from_secs(90));
    drop(processes);

    let stores: Vec<_> = (0..NODES)
        .map(|node| Storage::open(&net.home(node).join("db"), &net.world.genesis.chain_id()).unwrap())
        .collect();
    let lowest = stores.iter().map(|store| store.read().tip().unwrap().0).min().unwrap();
    for height in 1..=lowest.0 {
        let hashes = stores.iter().map(|store| store.read().header(Height(height)).unwrap().unwrap().hash());
        let hashes: Vec<_> = hashes.collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "height {height}: {hashes:?}");
    }
    let signed: Vec<_> = (0..NODES).map(|node| guard::read(&net.guard(node)).unwrap().len()).collect();
    println!("{lowest} blocks on all nodes, {signed:?} messages signed");
    net.check_guards();
}
