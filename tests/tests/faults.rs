//! Four nodes under load, killed without warning at random moments: nothing that was reported is lost, all go on with
//! one chain, and nobody signs twice.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use kanhe_tests::audit;
use kanhe_tests::dice::Dice;
use kanhe_tests::load::Load;
use kanhe_tests::network::Network;

const READY: Duration = Duration::from_secs(60);
/// Kills of a test; some of them are of all nodes at once.
const KILLS: u64 = 50;
/// Every so many kills all nodes must be seen to go on.
const ROUND: u64 = 10;
const HEARTBEAT_MS: u64 = 2_000;

#[test]
fn killed_nodes_lose_nothing_and_never_sign_twice() {
    let mut dice = Dice::of_test("faults", 11);
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    network.start_all();
    network.wait_ready(READY);
    let load = Load::start(&network, dice.below(u64::MAX), Duration::from_millis(8));
    for kill in 1..=KILLS {
        // From "just started" over every point of a round to "deep in the next block".
        std::thread::sleep(Duration::from_millis(dice.below(1_100)));
        let victims = if kill % 7 == 0 { vec![0, 1, 2, 3] } else { vec![dice.place(4)] };
        network.kill(&victims);
        network.start_all();
        if kill % ROUND == 0 {
            network.wait_blocks(3, READY);
            println!("{kill} kills: block {}, {} reported as committed", network.highest(), load.committed());
        }
    }
    network.wait_blocks(10, READY);
    let reported = load.stop();
    network.stop_all();
    let lowest = audit::check(&network, &reported);
    let signed: Vec<usize> = (0..4).map(|node| audit::signed(network.home(node)).len()).collect();
    println!("{lowest} blocks on all nodes, {} transactions reported, {signed:?} messages signed", reported.len());
    assert!(reported.len() > 200, "too little load: {}", reported.len());
}
