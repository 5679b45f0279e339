//! A bureau frozen by votes that were made offline, thawed, and removed, with real processes and the command of its
//! officers: each time its connections are cut at both swarms at once, and the chain goes on.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use kanhe_proto::diagnosis::{Code, Role};
use kanhe_proto::governance::Action;
use kanhe_tests::load::Load;
use kanhe_tests::network::Network;
use kanhe_tests::officer::Officer;
use kanhe_tests::person::Person;
use kanhe_tests::witness::Witness;
use kanhe_tests::{audit, inquiry};

const WAIT: Duration = Duration::from_secs(60);
/// A connection that is to be cut is cut within this, once the block is committed.
const AT_ONCE: Duration = Duration::from_secs(3);
const HEARTBEAT_MS: u64 = 1_000;
const EPOCH: &str = "8";
const FROZEN: usize = 3;
const OTHERS: [usize; 3] = [0, 1, 2];
/// Where no node is.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The desks of the governance officers: the second one's has no network.
struct Desks {
    desks: Vec<Person>,
    keys: Vec<String>,
}

impl Desks {
    fn of(network: &Network) -> Self {
        let desk = |node: usize| {
            let url = if node == 1 { NOWHERE } else { network.api(node) };
            let desk = Person::at_desk(url, &network.bureau(node).passphrase_file);
            desk.pin(network);
            desk
        };
        let keys = OTHERS.map(|node| network.bureau(node).governance_key.to_str().unwrap().to_owned());
        Self { desks: OTHERS.map(desk).into(), keys: keys.into() }
    }

    /// Proposed at the first desk, voted on at desks without a node, carried in from the last by its issuing key; gives
    /// the block of the decision.
    fn decide(&self, network: &Network, name: &str, words: &[&str], votes: &[usize]) -> u64 {
        let (proposal, vote) = (format!("{name}.proposal"), format!("{name}.vote"));
        let (first, last) = (&self.desks[0], &self.desks[2]);
        let propose = [&["gov", "propose"], words, &["--key", &self.keys[0], "--out", &proposal]].concat();
        first.ok(&propose);
        let mut carried = (first, proposal);
        for node in votes.iter().copied() {
            let desk = &self.desks[node];
            if node != 0 {
                carried.0.give(&carried.1, desk);
            }
            let out = format!("{node}.{vote}");
            let shown = desk.ok(&["gov", "show", &carried.1]).json();
            assert_eq!(shown["state"], "draft", "{shown:#}");
            desk.ok(&["gov", "vote", &carried.1, "yes", "--key", &self.keys[node], "--out", &out]);
            carried = (desk, out);
        }
        if carried.0.at("") != last.at("") {
            carried.0.give(&carried.1, last);
        }
        let key = network.bureau(2).governance_key.to_str().unwrap().to_owned();
        let sent = last.ok(&["gov", "submit", &carried.1, "--key", &key]).json();
        assert_eq!(sent["proposals"][0]["state"], "decided", "{sent:#}");
        network.highest()
    }
}

/// Nobody is connected to it, at neither swarm; tells how long that took.
fn is_cut_off(network: &Network, since: Instant) -> Duration {
    let uscc = network.bureau(FROZEN).uscc;
    for node in OTHERS {
        inquiry::wait(network, node, "end of its connections", AT_ONCE, |answer| {
            answer.diagnosis.peers.iter().all(|peer| peer.bureau.as_ref().is_none_or(|bureau| bureau.uscc != uscc))
        });
    }
    let answer = inquiry::wait(network, FROZEN, "loneliness", AT_ONCE, |answer| answer.diagnosis.peers.is_empty());
    assert!(inquiry::finding(&answer, Code::Alone).is_some(), "{:#?}", answer.findings);
    since.elapsed()
}

#[test]
fn who_is_frozen_or_removed_by_vote_is_cut_off_at_once() {
    let mut network = Network::found_with(4, HEARTBEAT_MS, &["--epoch-blocks", EPOCH]);
    network.start_fast();
    network.start_all();
    (0..4).for_each(|node| drop(network.wait(node, "readiness", WAIT, |status| status.ready && status.peers == 3)));
    let (witness, desks) = (Witness::of(&network, 0), Desks::of(&network));
    let load = Load::start_at(&network, &OTHERS, 29, Duration::from_millis(50));
    let uscc = network.bureau(FROZEN).uscc.to_string();

    // More than a third of the bureaus is enough in an emergency.
    let frozen_at = desks.decide(&network, "freeze", &["freeze", &uscc], &[1]);
    println!("frozen at {frozen_at}, cut off after {:?}", is_cut_off(&network, Instant::now()));
    let stuck = network.status(FROZEN).unwrap().height;
    network.wait_blocks_of(&OTHERS, 20, WAIT);
    inquiry::wait(&network, 0, "a set of three", WAIT, |answer| answer.diagnosis.validators.len() == 3);
    assert!(network.status(FROZEN).unwrap().height <= stuck + 1, "it hears nothing");
    // What it wants is not done any more.
    let officer = Officer::of(&network, FROZEN);
    let own = officer.proposal("let me in", vec![Action::ThawBureau { bureau: officer.uscc }]);
    assert!(officer.propose(&network, 0, &own, &[]).is_err(), "a frozen bureau proposes nothing");
    assert!(network.metric(0, "kanhe_network_refused_connections_total").unwrap() > 0, "its attempts are counted");

    // Thawed, it is let in again by itself, follows, and has no seat.
    desks.decide(&network, "thaw", &["thaw", &uscc], &[1, 2]);
    let tip = network.highest();
    network.wait(FROZEN, "the chain", WAIT, |status| status.height > tip && status.peers == 3);
    let answer = inquiry::wait(&network, FROZEN, "a role", WAIT, |answer| answer.diagnosis.role == Role::NotSeated);
    assert!(inquiry::finding(&answer, Code::NotSeated).is_some(), "{:#?}", answer.findings);

    desks.decide(&network, "remove", &["remove", &uscc], &[1, 2]);
    println!("removed, cut off after {:?}", is_cut_off(&network, Instant::now()));
    network.wait_blocks_of(&OTHERS, 10, WAIT);

    let reported = load.stop();
    witness.confirm(&network, 1);
    network.wait_blocks_of(&OTHERS, 1, WAIT);
    network.stop_all();
    audit::check_of(&network, &OTHERS, &reported);
    audit::check_of(&network, &[0, FROZEN], &[]);
}
