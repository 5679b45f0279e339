//! Four nodes under load, killed without warning at named points and at random moments: nothing that was reported is
//! lost, all go on with one chain, and nobody signs twice.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use kanhe_tests::aim::{self, Aimer, NODE_POINTS, Point, Shot};
use kanhe_tests::audit;
use kanhe_tests::dice::Dice;
use kanhe_tests::inquiry;
use kanhe_tests::load::Load;
use kanhe_tests::network::Network;

const READY: Duration = Duration::from_secs(60);
/// Longest wait for a node to come to its point.
const STRIKE: Duration = Duration::from_secs(40);
/// Nodes that die at a named point at the same time: the others must be enough to go on.
const AIMED_MAX: usize = 2;
/// Every so many points all nodes are killed at once and must be seen to go on.
const ROUND: usize = 8;
/// All kills, at points and at random moments.
const KILLS_MIN: u64 = 50;
const HEARTBEAT_MS: u64 = 2_000;

struct Aimed {
    node: usize,
    point: Point,
    shot: Shot,
    since: Instant,
}

/// Kills at random moments and starts again with an aim; each node that came to its point is started as usual.
struct Shooting<'a> {
    network: &'a mut Network,
    dice: &'a mut Dice,
    aimer: Aimer,
    aimed: Vec<Aimed>,
    random: u64,
}

impl Shooting<'_> {
    fn aim(&mut self, point: Point) {
        let free: Vec<usize> = (0..4).filter(|node| self.aimed.iter().all(|aimed| aimed.node != *node)).collect();
        let node = free[self.dice.place(free.len())];
        if point.file.ends_with(".sst") || point.file.ends_with("MANIFEST-*") {
            // A table is made at the start of what stands in the log, and then listed in the manifest.
            let height = self.network.highest();
            self.network.wait(node, "blocks in its log", READY, |status| status.height > height);
        }
        self.network.kill(&[node]);
        self.random += 1;
        let mut shot = None;
        let (aimer, dice) = (&mut self.aimer, &mut *self.dice);
        self.network.start_with(node, |command, home| shot = Some(aimer.aim(command, home, point, dice)));
        self.aimed.push(Aimed { node, point, shot: shot.unwrap(), since: Instant::now() });
    }

    /// Starts those again that died at their point.
    fn collect(&mut self) {
        let mut waiting = Vec::new();
        for Aimed { node, point, shot, since } in std::mem::take(&mut self.aimed) {
            match self.network.ended(node) {
                None if since.elapsed() < STRIKE => waiting.push(Aimed { node, point, shot, since }),
                None => panic!("{shot}: not reached in {STRIKE:?}\n{}", self.network.last_words(node)),
                Some(ended) => {
                    assert!(self.aimer.hit(&shot, ended), "{shot}: {ended}\n{}", self.network.last_words(node));
                    println!("{} died at {shot} after {:?}", self.network.bureau(node).name, since.elapsed());
                    self.network.start(node);
                }
            }
        }
        self.aimed = waiting;
    }

    fn shoot(&mut self, points: &[Point]) {
        let mut left = points.to_vec();
        while !left.is_empty() || !self.aimed.is_empty() {
            if self.aimed.len() < AIMED_MAX && !left.is_empty() {
                // From "just started" over every point of a round to "deep in the next block".
                std::thread::sleep(Duration::from_millis(self.dice.below(400)));
                self.collect();
                if self.aimed.len() < AIMED_MAX {
                    let point = left.remove(0);
                    self.aim(point);
                }
            }
            self.collect();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill_all(&mut self) {
        std::thread::sleep(Duration::from_millis(self.dice.below(1_100)));
        self.network.kill(&[0, 1, 2, 3]);
        self.random += 1;
        // A kill leaves nothing that keeps a node from starting, and the doctor says so.
        let (code, said) = inquiry::doctor(self.network, self.random as usize % 4);
        assert_eq!((code, said["state"].as_str()), (Some(0), Some("stopped")), "{said:#}");
        self.network.start_all();
    }
}

#[test]
fn killed_nodes_lose_nothing_and_never_sign_twice() {
    let mut dice = Dice::of_test("faults", 11);
    let mut network = Network::found(4, HEARTBEAT_MS);
    network.start_fast();
    network.start_all();
    network.wait_ready(READY);
    let load = Load::start(&network, dice.below(u64::MAX), Duration::from_millis(8));
    let points = aim::shuffled(&NODE_POINTS, &mut dice);
    let mut shooting =
        Shooting { network: &mut network, dice: &mut dice, aimer: Aimer::build(), aimed: Vec::new(), random: 0 };
    for points in points.chunks(ROUND) {
        shooting.shoot(points);
        shooting.kill_all();
        shooting.network.wait_blocks(3, READY);
        println!("block {}, {} reported as committed", shooting.network.highest(), load.committed());
    }
    let kills = shooting.aimer.table(&NODE_POINTS) + shooting.random;
    println!("{:30} {:3}", "at a random moment", shooting.random);
    assert!(kills >= KILLS_MIN, "{kills} kills");
    network.wait_blocks(10, READY);
    let reported = load.stop();
    network.wait_blocks(1, READY);
    network.stop_all();
    let lowest = audit::check(&network, &reported);
    let signed: Vec<usize> = (0..4).map(|node| audit::signed(network.home(node)).len()).collect();
    println!("{lowest} blocks on all nodes, {} transactions reported, {signed:?} messages signed", reported.len());
    assert!(reported.len() > 200, "too little load: {}", reported.len());
}
