//! A consortium that lives, with real processes: a bureau joins, a dead one is removed, and what would stop the chain is
//! refused.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use kanhe_node::run::now;
use kanhe_proto::api::{HeaderAnswer, ProposalEffects, TrustAnswer};
use kanhe_proto::codec;
use kanhe_proto::governance::{Action, Proposal};
use kanhe_proto::hand_over::{Change, HandOver};
use kanhe_proto::ids::Power;
use kanhe_proto::key::PublicKey;
use kanhe_proto::proof::CertifiedHeader;
use kanhe_proto::registry::KeyRole;
use kanhe_proto::trust::Trust;
use kanhe_proto::validators::Address;
use kanhe_tests::audit;
use kanhe_tests::network::Network;
use kanhe_tests::officer::{Officer, card};

const WAIT: Duration = Duration::from_secs(60);
const HEARTBEAT_MS: u64 = 1_000;
const CERTIFIED_BYTES_MAX: usize = 32 << 10;
const EPOCH: &str = "8";
/// The bureau that founds nothing.
const NEW: usize = 3;

fn validator_key(network: &Network, node: usize) -> PublicKey {
    let card = card(network, node);
    card.body.keys.iter().find(|key| key.role == KeyRole::Validator).unwrap().key.clone()
}

fn address(network: &Network, node: usize) -> Address {
    Address::of(&validator_key(network, node))
}

/// Follows the chain as a light client does, and gives the changes that it was shown.
fn follow(network: &Network, node: usize, trust: &mut Trust) -> Vec<(Address, Change)> {
    let mut seen = Vec::new();
    let url = format!("{}/v1/trust?from={}", network.api(node), trust.sets().last().unwrap().from.0);
    let answer: TrustAnswer = network.http.json(&url).unwrap();
    for bytes in &answer.hand_overs {
        let hand_over = HandOver::from_bytes(bytes).unwrap();
        let explained = trust.hand_over(&hand_over, now()).unwrap();
        seen.extend(explained.iter().map(|explanation| (explanation.address, explanation.change)));
    }
    let newest: CertifiedHeader = codec::decode(&answer.newest.unwrap(), CERTIFIED_BYTES_MAX).unwrap();
    trust.accept(&newest, now()).unwrap();
    seen
}

/// Follows until the chain has handed over once more.
fn followed(network: &Network, node: usize, trust: &mut Trust) -> Vec<(Address, Change)> {
    let until = Instant::now() + WAIT;
    loop {
        let seen = follow(network, node, trust);
        if !seen.is_empty() {
            return seen;
        }
        assert!(Instant::now() < until, "no hand-over\n{}", network.last_words(node));
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn dry_run(network: &Network, node: usize, proposal: &Proposal) -> ProposalEffects {
    let url = format!("{}/v1/proposals/dry-run", network.api(node));
    let (status, body) = network.http.post(&url, "application/octet-stream", &proposal.to_bytes()).unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// Whether it proposed one of the last blocks, as one node has them.
fn proposes(network: &Network, node: usize, who: &Address, heights: u64) -> bool {
    let tip = network.status(node).unwrap().height;
    (tip.saturating_sub(heights).max(1)..tip).any(|height| {
        let url = format!("{}/v1/headers/{height}", network.api(node));
        let answer: HeaderAnswer = network.http.json(&url).unwrap();
        let certified: CertifiedHeader = codec::decode(&answer.certified, CERTIFIED_BYTES_MAX).unwrap();
        certified.header.proposer == *who
    })
}

#[test]
fn bureaus_join_and_leave_and_the_chain_goes_on() {
    let mut network = Network::found_with(3, HEARTBEAT_MS, &["--outside", "1", "--epoch-blocks", EPOCH]);
    network.start_fast();
    let mut trust = Trust::pin(&network.genesis, now()).unwrap();
    let officers: Vec<Officer> = (0..4).map(|node| Officer::of(&network, node)).collect();
    (0..3).for_each(|node| network.start(node));
    (0..3).for_each(|node| drop(network.wait(node, "readiness", WAIT, |status| status.ready)));

    // A stranger reaches neither swarm: it has the genesis and nothing else.
    network.start(NEW);
    network.wait(0, "blocks", WAIT, |status| status.height >= 12);
    let stranger = network.wait(NEW, "an answer", WAIT, |_| true);
    assert_eq!((stranger.height, stranger.peers), (0, 0), "{}", network.last_words(NEW));

    // One proposal admits it and gives it a seat. Three of three must vote: more than two
    // thirds. The votes of the others were made offline.
    let (uscc, key) = (officers[NEW].uscc, validator_key(&network, NEW));
    let seat = Action::SeatValidator { bureau: uscc, key, power: Power(1) };
    let admit = officers[0].proposal("big data joins", vec![card(&network, NEW).admission(), seat]);
    let effects = dry_run(&network, 1, &admit);
    assert_eq!((effects.tally.needed, effects.refusal), (3, None));
    assert_eq!(effects.next_validators.unwrap().members().len(), 4);
    officers[0].propose(&network, 0, &admit, &[&officers[1], &officers[2]]).unwrap();
    assert_eq!(officers[0].propose(&network, 0, &admit, &[]), Err("proposal_exists".to_owned()));

    // Without a restart it is let in, catches up, takes its seat and proposes blocks.
    network.wait(NEW, "the chain", WAIT, |status| status.height > 12 && status.ready && status.peers == 3);
    let new = address(&network, NEW);
    assert_eq!(followed(&network, 2, &mut trust), [(new, Change::Came(Power(1)))]);
    let until = Instant::now() + WAIT;
    while !proposes(&network, 2, &new, 8) {
        assert!(Instant::now() < until, "it proposes nothing\n{}", network.last_words(NEW));
        std::thread::sleep(Duration::from_millis(200));
    }

    // A founder dies. The three others are a quorum only with the new one.
    network.kill(&[1]);
    network.wait(0, "blocks", WAIT, |status| status.height > 12);
    let at = network.highest();
    network.wait(0, "blocks without the dead", WAIT, |status| status.height > at + 20);

    // Another could not leave now: nothing is voted that would stop the chain.
    let suicide = officers[0].proposal("2 leaves", vec![Action::RemoveBureau { bureau: officers[2].uscc }]);
    assert_eq!(dry_run(&network, 0, &suicide).refusal.as_deref(), Some("would_halt"));
    let refused = officers[0].propose(&network, 0, &suicide, &[&officers[2], &officers[NEW]]);
    assert_eq!(refused, Err("would_halt".to_owned()));

    // The dead one can be removed by the others, and is shut out when it comes back.
    let dead = officers[1].uscc;
    let removal = officers[0].proposal("1 is gone", vec![Action::RemoveBureau { bureau: dead }]);
    officers[0].propose(&network, 0, &removal, &[&officers[2], &officers[NEW]]).unwrap();
    let left = address(&network, 1);
    assert_eq!(followed(&network, 0, &mut trust), [(left, Change::Left(Power(1)))]);
    let before = network.highest();
    network.start(1);
    network.wait(0, "blocks", WAIT, |status| status.height > before + 10);
    let removed = network.wait(1, "an answer", WAIT, |_| true);
    assert!(removed.height <= before && removed.peers == 0, "{removed:?}");
    assert_eq!(officers[1].propose(&network, 0, &removal, &[]), Err("unknown_sender".to_owned()));

    // A removed member that runs loses its connections at once.
    let leaves = officers[0].proposal("the new one leaves", vec![Action::RemoveBureau { bureau: officers[NEW].uscc }]);
    officers[0].propose(&network, 0, &leaves, &[&officers[2], &officers[NEW]]).unwrap();
    network.wait(NEW, "loneliness", WAIT, |status| status.peers == 0);
    network.wait(0, "one peer", WAIT, |status| status.peers == 1);
    let at = network.highest();
    network.wait(0, "blocks of two", WAIT, |status| status.height > at + 10);

    network.stop_all();
    audit::check(&network, &[]);
}
