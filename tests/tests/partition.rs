//! A network that breaks in two, with real processes on machines of their own: no side decides alone, what is missing is
//! named, and when the cables are back one chain goes on. And a stranger on a machine of its own reaches neither swarm.
#![allow(clippy::unwrap_used)]

use std::rc::Rc;
use std::time::{Duration, Instant};

use kanhe_proto::diagnosis::{Code, RefusedWhy};
use kanhe_tests::apart;
use kanhe_tests::audit;
use kanhe_tests::inquiry;
use kanhe_tests::load::Load;
use kanhe_tests::machines::{Machines, Plug};
use kanhe_tests::network::Network;
use kanhe_tests::person::Person;
use kanhe_tests::witness::Witness;

const WAIT: Duration = Duration::from_secs(60);
/// A line that was cut is tried again after pauses that double: half a minute of silence may last a minute.
const HEALED: Duration = Duration::from_secs(120);
const HEARTBEAT_MS: u64 = 1_500;
const ALL: [usize; 4] = [0, 1, 2, 3];
/// The halves.
const LEFT: [usize; 2] = [0, 1];
const RIGHT: [usize; 2] = [2, 3];
/// Whose keys no registry names.
const STRANGER: usize = 4;

#[test]
fn a_broken_network_forks_nothing_and_goes_on_when_it_is_mended() {
    apart::run("no network can be broken");
}

fn heights(network: &Network) -> Vec<u64> {
    ALL.iter().map(|node| network.status(*node).unwrap().height).collect()
}

/// Connections that each of both swarms sent away.
fn refused(network: &Network, node: usize) -> [u64; 2] {
    ["network", "consensus"]
        .map(|swarm| network.metric(node, &format!("kanhe_{swarm}_refused_connections_total")).unwrap())
}

/// It tries both swarms of everybody, from another machine, and the chain goes on.
fn a_stranger_reaches_neither_swarm(network: &mut Network) {
    let before: Vec<[u64; 2]> = ALL.iter().map(|node| refused(network, *node)).collect();
    network.start(STRANGER);
    let stranger = network.wait(STRANGER, "an answer", WAIT, |_| true);
    for node in ALL {
        inquiry::wait(network, node, "word of the stranger", WAIT, |answer| {
            answer.diagnosis.refused.iter().any(|refused| refused.why == RefusedWhy::NotListed)
        });
        let until = Instant::now() + WAIT;
        loop {
            let now = refused(network, node);
            let name = &network.bureau(node).name;
            if now.iter().zip(&before[node]).all(|(now, before)| now > before) {
                println!("{name}: refused by its own swarm and the engine's: {now:?}");
                break;
            }
            assert!(Instant::now() < until, "{name} does not count the stranger at both swarms: {now:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    // Whether by our swarm or by the engine's: nobody has it as a peer.
    for node in ALL {
        let answer = inquiry::diagnosis(network, node).unwrap();
        let peers = &answer.diagnosis.peers;
        assert!(peers.len() == 3 && peers.iter().all(|peer| peer.bureau.is_some()), "{peers:#?}");
    }
    let height = network.highest();
    network.wait_blocks_of(&ALL, 5, WAIT);
    let after = network.status(STRANGER).unwrap();
    assert_eq!((stranger.height, after.height, after.peers), (0, 0, 0), "it saw nothing of {height} blocks");
    network.kill(&[STRANGER]);
}

/// Two and two: neither side is enough.
fn no_half_decides(network: &mut Network, machines: &Machines) {
    RIGHT.iter().for_each(|node| machines.plug(*node, Plug::Switch(1)));
    let cut = Instant::now();
    // What was on its way may still be decided, on one side.
    std::thread::sleep(Duration::from_secs(2));
    let then = heights(network);
    for (node, gone) in [(LEFT[0], RIGHT), (LEFT[1], RIGHT), (RIGHT[0], LEFT), (RIGHT[1], LEFT)] {
        inquiry::wait_quorum_missing(network, node, &gone, WAIT);
    }
    let (code, said) = inquiry::doctor(network, RIGHT[1]);
    assert_eq!(code, Some(35), "{said:#}");
    assert!(inquiry::names(&said, Code::QuorumMissing), "{said:#}");
    // Who asks both sides is told that it is the network.
    let urls: Vec<&str> = ALL.iter().map(|node| network.api(*node)).collect();
    let person = Person::new(&urls.join(","));
    person.pin(network);
    let why = person.ok(&["chain", "status", "--why"]).json();
    let codes: Vec<&str> =
        why["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"partitioned"), "{why:#}");
    assert_eq!(heights(network), then, "nothing is decided on either side");
    println!("two and two: {:?} without a block, at {then:?}", cut.elapsed());

    RIGHT.iter().for_each(|node| machines.plug(*node, Plug::Switch(0)));
    let mended = Instant::now();
    let most = *then.iter().max().unwrap();
    for node in ALL {
        network.wait(node, "one chain", HEALED, |status| status.height >= most + 5);
    }
    println!("two and two: all go on {:?} after the cables were back", mended.elapsed());
}

/// Three and one: three go on, and the one comes after.
fn three_go_on_without_one(network: &mut Network, machines: &Machines) {
    const ONE: usize = 3;
    machines.plug(ONE, Plug::Out);
    network.wait_blocks_of(&[0, 1, 2], 10, HEALED);
    let gone = [network.bureau(ONE).uscc.to_string()].into();
    for node in 0..ONE {
        inquiry::wait(network, node, "the one that is missing", WAIT, |answer| {
            inquiry::finding(answer, Code::ValidatorsMissing).is_some_and(|found| inquiry::missing(found) == gone)
        });
    }
    inquiry::wait_quorum_missing(network, ONE, &[0, 1, 2], WAIT);
    let behind = network.status(ONE).unwrap().height;
    let ahead = network.highest();
    assert!(ahead > behind + 10, "{ahead} without it, {behind} with it");
    machines.plug(ONE, Plug::Switch(0));
    let mended = Instant::now();
    network.wait(ONE, "the chain of the others", HEALED, |status| status.height > ahead);
    println!("three and one: {} blocks caught up {:?} after the cable was back", ahead - behind, mended.elapsed());
    for node in ALL {
        inquiry::wait(network, node, "the whole set", HEALED, |answer| {
            let codes = [Code::ValidatorsMissing, Code::QuorumMissing];
            codes.into_iter().all(|code| inquiry::finding(answer, code).is_none())
        });
    }
}

#[test]
#[ignore = "the part of the other test that runs in namespaces of its own"]
fn inside() {
    let Some(folder) = apart::folder() else { return };
    let machines = Rc::new(Machines::new(ALL.len() + 1));
    let mut network = Network::found_on(&folder, Rc::clone(&machines), 1, HEARTBEAT_MS);
    network.start_fast();
    ALL.into_iter().for_each(|node| network.start(node));
    for node in ALL {
        network.wait(node, "readiness", WAIT, |status| status.ready && status.peers == 3);
    }
    let witness = Witness::of(&network, LEFT[0]);
    a_stranger_reaches_neither_swarm(&mut network);
    let load = Load::start(&network, 17, Duration::from_millis(50));
    no_half_decides(&mut network, &machines);
    three_go_on_without_one(&mut network, &machines);
    let reported = load.stop();
    witness.confirm(&network, RIGHT[0]);
    network.wait_blocks_of(&ALL, 1, WAIT);
    network.stop_all();
    audit::check_of(&network, &ALL, &reported);
    println!("{} transactions were reported as committed", reported.len());
    assert!(reported.len() > 20, "too little load");
    apart::done();
}
