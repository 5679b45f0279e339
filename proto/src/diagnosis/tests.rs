//! What a node sees, and what must follow from it.

use super::why::groups;
use super::*;

const NOW: u64 = 1_772_344_920_000;
const BEAT: u64 = 30_000;

fn address(number: u8) -> Address {
    Address([number; 20])
}

fn bureau(number: u8) -> BureauSeen {
    let body = format!("11370100MB28900{number:02}");
    BureauSeen { uscc: Uscc::with_check(&body).unwrap(), zh: format!("局{number}"), en: format!("Bureau {number}") }
}

fn validator(number: u8) -> ValidatorSeen {
    ValidatorSeen {
        address: address(number),
        bureau: Some(bureau(number)),
        power: 10,
        own: number == 1,
        silenced: false,
        last_signed: Some(100),
        last_signed_ms: Some(NOW - 10_000),
        on_engine: number != 1,
        on_network: number != 1,
        tip: Some(100),
        last_vote: None,
    }
}

fn peer(number: u8) -> PeerSeen {
    PeerSeen {
        peer: format!("peer{number}"),
        bureau: Some(bureau(number)),
        on_engine: true,
        on_network: true,
        tip: Some(100),
        clock_ahead_ms: Some(3),
        version: Some("0.1.0".into()),
        protocol_known: Some(2),
    }
}

/// Node 1 of four, idle, ten seconds after the last block.
fn seen() -> Diagnosis {
    let engine = EngineSeen { height: 100, standing_ms: 10_000, idle: true, ..EngineSeen::default() };
    Diagnosis {
        unproven: true,
        name: "node1".into(),
        bureau: Some(bureau(1)),
        role: Role::Validator,
        version: "0.1.0".into(),
        protocol_known: 2,
        protocol: 2,
        protocol_next: None,
        chain: "test".into(),
        chain_id: "00".into(),
        era: 0,
        height: 100,
        header_hash: "aa".into(),
        time_ms: NOW - 10_000,
        now_ms: NOW,
        heartbeat_ms: BEAT,
        pending: 0,
        engine,
        power_needed: 27,
        power_total: 40,
        power_present: 0,
        validators: (1..=4).map(validator).collect(),
        peers: (2..=4).map(peer).collect(),
        refused: Vec::new(),
        clock_drift_ms: 500,
        disk: Some(DiskSeen { free_bytes: 100 << 30, total_bytes: 200 << 30 }),
        keys_ending: Vec::new(),
        damaged: None,
        double_signers: Vec::new(),
    }
}

/// These are gone, and it stands since five minutes.
fn standing(gone: &[u8]) -> Diagnosis {
    let mut seen = seen();
    seen.time_ms = NOW - 300_000;
    seen.engine = EngineSeen { height: 101, standing_ms: 290_000, ..EngineSeen::default() };
    for validator in &mut seen.validators {
        let number = validator.address.0[0];
        validator.last_vote = Some(VoteSeen { height: 101, round: 0, ago_ms: 900 });
        if gone.contains(&number) {
            validator.on_engine = false;
            validator.on_network = false;
            validator.last_vote = None;
            validator.last_signed = Some(90 + u64::from(number));
        }
    }
    seen.peers.retain(|peer| !gone.iter().any(|number| peer.bureau == Some(bureau(*number))));
    seen
}

fn codes(diagnosis: &Diagnosis) -> Vec<(Code, Severity)> {
    why(diagnosis).iter().map(|finding| (finding.code, finding.severity)).collect()
}

fn only(diagnosis: &Diagnosis, code: Code) -> Finding {
    why(diagnosis).into_iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("{code}: {diagnosis:?}"))
}

#[test]
fn an_idle_chain_is_idle_and_one_at_work_goes_on() {
    assert_eq!(codes(&seen()), [(Code::NothingToDo, Severity::Informs)]);
    let mut busy = seen();
    (busy.engine.idle, busy.pending, busy.engine.standing_ms) = (false, 5, 200);
    assert_eq!(codes(&busy), [(Code::GoingOn, Severity::Informs)]);
}

#[test]
fn two_of_four_are_missing_and_either_would_do() {
    let stands = standing(&[3, 4]);
    let found = only(&stands, Code::QuorumMissing);
    assert_eq!((found.severity, found.power_missing), (Severity::Blocks, Some(7)));
    let missing: Vec<_> = found.missing.iter().map(|one| (one.address, one.presence, one.since_height)).collect();
    assert_eq!(missing, [(address(3), Presence::Away, Some(93)), (address(4), Presence::Away, Some(94))]);
    assert_eq!(found.unblock, [[address(3)], [address(4)]]);
    assert!(found.text.en.contains("Bureau 3") && found.text.zh.contains("局4"), "{:?}", found.text);
    assert!(found.hint.unwrap().en.contains("Bureau 3 ("));
    assert!(!why(&stands).iter().any(|finding| finding.code == Code::Unexplained));
    // Before the heartbeat is due nothing stands yet.
    let mut soon = standing(&[3, 4]);
    soon.time_ms = NOW - 1_000;
    assert_eq!(only(&soon, Code::QuorumMissing).severity, Severity::Warns);
}

#[test]
fn one_of_four_is_missed_and_no_other_may_fail() {
    let mut stands = standing(&[4]);
    stands.time_ms = NOW - 1_000;
    let found = only(&stands, Code::ValidatorsMissing);
    assert_eq!((found.severity, found.missing.len(), found.power_missing), (Severity::Warns, 1, None));
}

#[test]
fn connected_without_a_vote_is_missing_as_soon_as_votes_are_owed() {
    let mut stands = standing(&[]);
    for validator in &mut stands.validators[2..] {
        validator.last_vote = Some(VoteSeen { height: 100, round: 0, ago_ms: 280_000 });
    }
    let found = only(&stands, Code::QuorumMissing);
    assert!(found.missing.iter().all(|one| one.presence == Presence::Mute), "{found:?}");
    assert_eq!(found.missing.len(), 2);
}

#[test]
fn what_nothing_explains_is_said_to_be_unexplained() {
    assert_eq!(codes(&standing(&[])), [(Code::Unexplained, Severity::Blocks)]);
}

#[test]
fn after_a_start_an_old_block_is_nothing_to_mend() {
    let mut begins = standing(&[]);
    (begins.engine.height, begins.engine.standing_ms) = (0, 0);
    assert_eq!(codes(&begins), [(Code::Beginning, Severity::Warns)]);
}

#[test]
fn groups_are_the_smallest_that_suffice() {
    let mut missing = only(&standing(&[2, 3, 4]), Code::QuorumMissing).missing;
    for (one, power) in missing.iter_mut().zip([5, 10, 15]) {
        one.power = power;
    }
    assert_eq!(groups(&missing, 15), [vec![address(4)], vec![address(2), address(3)]]);
    assert_eq!(groups(&missing, 30), [[address(2), address(3), address(4)]]);
    let many: Vec<Missing> = (0..40).map(|number| Missing { address: address(number), ..missing[0].clone() }).collect();
    assert_eq!(groups(&many, 20)[0].len(), 4);
}

#[test]
fn the_node_itself_may_be_at_fault() {
    let mut node = standing(&[2, 3, 4]);
    node.engine.silent = true;
    node.engine.silent_above = Some(120);
    node.disk = Some(DiskSeen { free_bytes: 1 << 20, total_bytes: 1 << 40 });
    node.damaged = Some("table 7".into());
    node.protocol_next = Some(ProtocolNext { version: 3, height: 500 });
    node.keys_ending =
        vec![KeyEnding { role: KeyRole::Issuing, key: "k".into(), height: Some(120), time_ms: None, ended: false }];
    let found: Vec<Code> = codes(&node).into_iter().map(|(code, _)| code).collect();
    for code in [
        Code::Alone,
        Code::SilentGuard,
        Code::DiskFull,
        Code::Damaged,
        Code::VersionDiffers,
        Code::KeyExpiring,
        Code::QuorumMissing,
    ] {
        assert!(found.contains(&code), "{code} in {found:?}");
    }
    let mut late = seen();
    late.peers[0].tip = Some(u64::MAX);
    assert!(!codes(&late).iter().any(|(code, _)| *code == Code::Behind), "one liar");
    late.peers[1].tip = Some(150);
    assert!(only(&late, Code::Behind).text.en.contains("50 blocks"));
    late.role = Role::Observer;
    assert_eq!(only(&late, Code::Observer).node.as_deref(), Some("node1"));
}

#[test]
fn clocks_and_refusals_name_who_is_meant() {
    let mut node = seen();
    node.peers[0].clock_ahead_ms = Some(-40_000);
    assert!(only(&node, Code::ClockApart).text.en.contains("Bureau 2"));
    for peer in &mut node.peers {
        peer.clock_ahead_ms = Some(40_000);
    }
    assert!(only(&node, Code::ClockApart).text.en.contains("this node's clock is 40 s behind"));
    node.refused = vec![RefusedSeen {
        peer: "p".into(),
        bureau: Some(bureau(3)),
        why: RefusedWhy::WrongKey,
        detail: "d".into(),
        ago_ms: 5_000,
    }];
    let refused = only(&node, Code::PeerRefused);
    assert!(refused.severity == Severity::Warns && refused.text.zh.contains("局3"));
}

#[test]
fn two_halves_that_do_not_see_each_other_are_told_so() {
    let one = standing(&[3, 4]);
    let mut other = standing(&[1, 2]);
    other.name = "node3".into();
    for validator in &mut other.validators {
        validator.own = validator.address == address(3);
        validator.on_engine = validator.address == address(4);
    }
    let found = why_of(&[one.clone(), other]);
    assert_eq!(found[0].code, Code::Partitioned, "{found:?}");
    assert!(found[0].text.en.contains("node1 does not see Bureau 3"), "{}", found[0].text.en);
    // A silent validator is not there, though its node answers.
    let mut silent = standing(&[3, 4]);
    silent.validators[0].silenced = true;
    let whole = together(&[one, silent]).unwrap();
    assert_eq!(whole.presence(&whole.validators[0]), Presence::Silenced);
}

#[test]
fn different_blocks_at_one_height_are_a_fork() {
    let (one, mut other) = (seen(), seen());
    (other.name, other.header_hash) = ("node2".into(), "bb".into());
    other.version = "0.2.0".into();
    let found = why_of(&[one, other]);
    assert_eq!((found[0].code, found[0].severity), (Code::Fork, Severity::Blocks));
    assert!(found.iter().any(|finding| finding.code == Code::VersionDiffers));
}

#[test]
fn peers_with_other_software_are_named_and_warned_of_where_rules_come() {
    let mut node = seen();
    assert!(!codes(&node).iter().any(|(code, _)| *code == Code::VersionDiffers));
    // Nothing is known of one that has not said.
    node.peers[0].version = None;
    node.peers[0].protocol_known = None;
    assert!(!codes(&node).iter().any(|(code, _)| *code == Code::VersionDiffers));
    for peer in &mut node.peers[1..] {
        peer.version = Some("0.2.0".into());
    }
    let found = only(&node, Code::VersionDiffers);
    assert_eq!(found.severity, Severity::Informs);
    assert!(
        found.text.en.starts_with("Bureau 3") && found.text.en.contains("Bureau 4") && found.text.en.contains("0.2.0")
    );
    node.protocol_known = 3;
    node.protocol_next = Some(ProtocolNext { version: 3, height: 500 });
    let found = only(&node, Code::VersionDiffers);
    assert_eq!(found.severity, Severity::Warns);
    assert!(found.hint.unwrap().en.contains("height 500"));
}

#[test]
fn strangers_are_told_no_addresses_and_no_errors() {
    let mut node = seen();
    let one = |bureau, why| RefusedSeen {
        peer: "p".into(),
        bureau,
        why,
        detail: "10.1.2.3: connection refused".into(),
        ago_ms: 5,
    };
    node.refused = vec![one(Some(bureau(2)), RefusedWhy::Unreachable), one(None, RefusedWhy::NotListed)];
    node.damaged = Some("/home/kanhe/chain/000123.sst: checksum".into());
    let told = node.clone().for_strangers();
    let words = |of: &Diagnosis| serde_json::to_string(&(of, why(of))).unwrap();
    for secret in ["10.1.2.3", "/home/kanhe"] {
        assert!(words(&node).contains(secret) && !words(&told).contains(secret));
    }
    let refused: Vec<_> = why(&told).into_iter().filter(|finding| finding.code == Code::PeerRefused).collect();
    assert!(refused.len() == 2 && refused.iter().all(|finding| finding.text.en.ends_with("ago")), "{refused:?}");
    assert_eq!(only(&told, Code::Damaged).severity, Severity::Blocks);
}

#[test]
fn a_double_signature_is_shown() {
    let mut node = seen();
    node.double_signers =
        vec![DoubleSigner { bureau: bureau(4), address: address(4), height: 50, recorded: 53, recorded_ms: NOW }];
    assert!(only(&node, Code::DoubleSignature).text.en.contains("height 50"));
}

#[test]
fn codes_are_stable_words_each_once() {
    let texts: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
    assert_eq!(moment(NOW), "2026-03-01 14:02:00 (UTC+8)");
    assert_eq!(
        (span(119_000).en, span(7_199_000).zh, span(172_800_000).en),
        ("119 s".into(), "119 分钟".into(), "2 d".into())
    );
}

#[test]
fn an_answer_survives_json() {
    let diagnosis = standing(&[3]);
    let answer = DiagnosisAnswer { findings: why(&diagnosis), diagnosis };
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<DiagnosisAnswer>(&text).unwrap(), answer);
}

#[test]
fn an_open_connection_does_not_hide_who_signs_nothing_while_blocks_come() {
    let mut seen = seen();
    let quiet = 20_000 + 2 * BEAT;
    seen.validators[2].last_signed_ms = Some(seen.time_ms - quiet);
    assert_eq!(seen.presence(&seen.validators[2]), Presence::Present, "it may have missed two");
    seen.validators[2].last_signed_ms = Some(seen.time_ms - quiet - 1);
    let found = only(&seen, Code::ValidatorsMissing);
    let missing: Vec<_> = found.missing.iter().map(|missing| (missing.address, missing.presence)).collect();
    assert_eq!(missing, [(address(3), Presence::Mute)]);
    let heard = |ago_ms| Some(VoteSeen { height: 101, round: 0, ago_ms });
    for (ago_ms, presence) in [(quiet, Presence::Present), (quiet + 1, Presence::Mute)] {
        seen.validators[2].last_vote = heard(ago_ms);
        assert_eq!(seen.presence(&seen.validators[2]), presence, "its vote may come too late for the certificate");
    }
    seen.validators[2].last_vote = None;
    seen.validators[2].last_signed_ms = None;
    assert_eq!(seen.presence(&seen.validators[2]), Presence::Present, "new");
}
