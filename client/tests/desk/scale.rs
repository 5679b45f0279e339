//! Many cases at one desk: what it asks, sends and keeps for them, and that one that cannot go on holds up no other.

use std::collections::BTreeSet;

use kanhe_proto::case::{Act, Outcome};
use kanhe_proto::record::{BatchRecord, Record as _};
use serde_json::{Value, json};

use super::work::{RUN, decisions, desk, lines, of_step};
use crate::case::{ITEM, Lease};
use crate::support::chain::Intake;

/// The same item without what the levy passes on.
fn plain() -> String {
    ITEM.to_owned()
}

/// Opened from one sheet: ids, and the tenants' codes.
fn opened(lease: &Lease, count: usize) -> Vec<(String, String)> {
    let holder = &lease.scene.holder;
    let mut sheet = "rent,note,contract\n".to_owned();
    (1..=count).for_each(|row| sheet.push_str(&format!("{row}000.00,,contract.pdf\n")));
    holder.write("rents.csv", sheet.as_bytes());
    let out = format!("cases-{count}.csv");
    let words = ["case", "open", "shop-lease", "--from", "rents.csv", "--out", &out, "--yes"];
    let done = holder.ok(&words).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = done["rows"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["case"]), text(&row["invitations"][0]["code"]))).collect()
}

/// How often paths that begin so were asked for, since it was asked last.
fn asked(lease: &Lease) -> impl Fn(&str) -> usize {
    let asked = std::mem::take(&mut lease.chain().asked);
    move |beginning| asked.iter().filter(|path| path.starts_with(beginning)).count()
}

fn proofs_of_one(asked: &impl Fn(&str) -> usize) -> usize {
    let others = ["/v1/cases/acts", "/v1/cases/files", "/v1/cases/proved", "/v1/cases/ready"].map(asked);
    asked("/v1/cases/") - others.iter().sum::<usize>()
}

#[test]
fn many_cases_are_proved_and_decided_in_few_requests() {
    let lease = Lease::with(150, &plain());
    let office = desk(&lease, 150);
    let cases = opened(&lease, 70);
    let batch = asked(&lease);
    assert_eq!((batch("/v1/cases/files"), batch("/v1/cases/acts")), (140, 6), "two files each, 32 acts a transaction");
    let told = lines(&office.ok(&RUN));
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 0, "left": 0 } }), "{told:?}");
    for (id, _) in &cases {
        assert_eq!(decisions(&lease, id), [(0, Outcome::Approved, true, 0)]);
    }
    let first = asked(&lease);
    // A page has three, and a round sixteen pages. What was decided is looked at once more, and is none.
    assert!((24..=26).contains(&first("/v1/cases/ready")), "{}", first("/v1/cases/ready"));
    assert!(first("/v1/cases/proved") <= 14, "{}", first("/v1/cases/proved"));
    assert_eq!(
        (first("/v1/cases/acts"), first("/v1/cases/files")),
        (5, 70),
        "48 in two transactions, handed in twice, and 22"
    );
    assert!(first("/v1/evidence") <= 2, "{}", first("/v1/evidence"));
    assert_eq!(proofs_of_one(&first), 0);
    // Nothing is left, and that costs next to nothing.
    office.ok(&RUN);
    let again = asked(&lease);
    assert_eq!((again("/v1/cases/ready"), again("/v1/cases/proved"), again("/v1/cases/files")), (1, 0, 0));
}

#[test]
fn what_waits_for_an_officer_is_not_proved_again() {
    let lease =
        Lease::with(155, &plain().replacen("rules = [\"rent_known\"]\nauto = true", "rules = [\"rent_known\"]", 1));
    let office = desk(&lease, 155);
    let cases = opened(&lease, 7);
    assert_eq!(lines(&office.ok(&RUN)).last().unwrap(), &json!({ "end": { "officer": 7, "left": 0 } }));
    let _ = asked(&lease);
    office.ok(&RUN);
    let again = asked(&lease);
    assert_eq!((again("/v1/cases/ready"), again("/v1/cases/proved"), again("/v1/cases/files")), (3, 0, 0));
    // One is taken back, one is decided: both are found out, and no other is looked at.
    lease.scene.holder.ok(&["case", "withdraw", &cases[0].0[..8], "--yes"]);
    office.ok(&["desk", "approve", &cases[1].0[..8], "--officer", "7"]);
    let _ = asked(&lease);
    let told = lines(&office.ok(&RUN));
    let states: BTreeSet<String> =
        told.iter().filter_map(|line| Some(line["step"]["state"].as_str()?.to_owned())).collect();
    assert_eq!(states, ["lost", "recorded"].map(str::to_owned).into(), "{told:?}");
    assert_eq!(decisions(&lease, &cases[1].0), [(0, Outcome::Approved, false, 0)]);
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 5, "left": 0 } }));
    assert_eq!(office.ok(&["desk", "list"]).json().as_array().unwrap().len(), 5);
    assert_eq!(office.ok(&["desk", "list", "--all"]).json().as_array().unwrap().len(), 7);
}

/// The same item, whose levy yields a licence to the owner.
fn yielding() -> String {
    let start = ITEM.find("[[yield]]").unwrap();
    let yields = r#"
[[yield]]
code = "permit"
step = "levy"
type = "DEMOYYZZ001:1"
to = "owner"
[yield.claims]
ZZBH = "case.serial"
CZZT = "given.licence.ZZMC"
CZZTDM = '"91370100MA3E00013X"'
KZ_LX = '"有限责任公司"'
KZ_FDDBR = '"王示例"'
KZ_ZCZB = '"10.00"'
KZ_CLRQ = "case.opened"
KZ_ZS = '"济南"'
KZ_JYFW = '"零售"'
ZZYXQQSRQ = "case.opened"
ZZYXQJZRQ = '"长期"'
"#;
    format!("{}{yields}", &ITEM[..start])
}

#[test]
fn of_two_in_one_portion_that_claim_the_same_the_second_is_not_approved() {
    let lease = Lease::with(185, &yielding().replacen("\"case.serial\"", "'\"370100000000001\"'", 1));
    let office = desk(&lease, 185);
    let cases = opened(&lease, 2);
    let told = lines(&office.ok(&RUN));
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 1, "left": 0 } }), "{told:?}");
    let approved: Vec<bool> = cases.iter().map(|(id, _)| !decisions(&lease, id).is_empty()).collect();
    assert_eq!(approved.iter().filter(|approved| **approved).count(), 1, "{told:?}");
    let waits = &cases[approved.iter().position(|approved| !approved).unwrap()].0;
    let listed = office.ok(&["desk", "list"]).json();
    assert_eq!(
        (&listed[0]["case"], &listed[0]["why"][0]["code"]),
        (&json!(waits), &json!("grant_claim_taken")),
        "{listed}"
    );
    let blocked = office.run(&["desk", "approve", &waits[..8], "--officer", "7"]);
    assert_eq!((blocked.code, blocked.error().as_str()), (4, "desk_blocked"), "{blocked:?}");
}

/// The same item, whose levy yields two licences of one type, with these certificate numbers.
fn yielding_two(first: &str, second: &str) -> String {
    let one = yielding();
    let start = one.find("[[yield]]").unwrap();
    let of = |code: &str, number: &str| {
        let named = one[start..].replacen("\"permit\"", &format!("\"{code}\""), 1);
        named.replacen("\"case.serial\"", &format!("'\"{number}\"'"), 1)
    };
    format!("{}{}{}", &one[..start], of("permit", first), of("copy", second))
}

#[test]
fn two_licences_of_one_type_for_one_step_are_both_issued_or_none_is() {
    let lease = Lease::with(190, &yielding_two("370100000000001", "370100000000002"));
    let office = desk(&lease, 190);
    opened(&lease, 1);
    let told = lines(&office.ok(&RUN));
    let (_, last) = of_step(&told, "levy");
    assert_eq!((&last["state"], &last["licences"]), (&json!("issued"), &json!(2)), "{told:?}");
    let lease = Lease::with(195, &yielding_two("370100000000001", "370100000000001"));
    let office = desk(&lease, 195);
    let id = opened(&lease, 1).remove(0).0;
    let told = lines(&office.ok(&RUN));
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 1, "left": 0 } }), "{told:?}");
    assert_eq!(decisions(&lease, &id), []);
    assert_eq!(office.ok(&["desk", "list"]).json()[0]["why"][0]["code"], "grant_claim_taken");
}

#[test]
fn licences_of_many_cases_share_a_batch_and_none_is_issued_twice() {
    let lease = Lease::with(160, &yielding());
    let office = desk(&lease, 160);
    let cases = opened(&lease, 40);
    let before = lease.chain().batches();
    // The answer to the batch is lost: it is on the chain, and the desk does not know it.
    lease.chain().lose_batches = true;
    let broken = office.run(&RUN);
    assert_eq!(broken.code, 3, "{broken:?}");
    lease.chain().lose_batches = false;
    let told = lines(&office.ok(&RUN));
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 0, "left": 0 } }), "{told:?}");
    // A decision each, and that it is issued; one batch for all.
    assert_eq!(lease.chain().batches() - before, 2 * cases.len() + 1);
    assert!(cases.iter().all(|(id, _)| lease.chain().case(id).steps[0].issued));
    office.ok(&RUN);
    assert_eq!(lease.chain().batches() - before, 2 * cases.len() + 1);
    // Each owner's application is answered by a licence of its own.
    let collecting = lease.scene.holder.start(&["case", "collect", &cases[7].0[..8]]);
    for _ in 0..40 {
        if lines(&office.ok(&RUN)).iter().any(|line| line["mail"]["given"] == 1) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    let collected = collecting.ended();
    assert_eq!(collected.code, 0, "{collected:?}");
}

#[test]
fn a_batch_that_is_refused_for_good_holds_up_its_own_licences_alone() {
    let lease = Lease::with(180, &yielding());
    let office = desk(&lease, 180);
    let is_batch = |record: &&Vec<u8>| BatchRecord::from_record(record).is_ok();
    let anchored = || lease.chain().records().iter().filter(is_batch).count();
    let (refused, before) = (opened(&lease, 1).remove(0).0, anchored());
    lease.chain().refuses_batch = true;
    let stuck = office.run(&RUN);
    assert_eq!((stuck.code, stuck.error().as_str()), (11, "desk_left"), "{stuck:?}");
    assert_eq!(lines(&stuck).last().unwrap(), &json!({ "end": { "officer": 0, "left": 1 } }));
    // The desk starts all the same, says so, and issues what other cases yield.
    let others = opened(&lease, 2);
    let stuck = office.run(&RUN);
    assert_eq!((stuck.code, stuck.error().as_str()), (11, "desk_left"), "{stuck:?}");
    assert!(stuck.talk.contains("is not on the chain") && stuck.talk.contains("not_accredited"), "{stuck:?}");
    let issued = |id: &str| lease.chain().case(id).steps[0].issued;
    assert!(others.iter().all(|(id, _)| issued(id)) && !issued(&refused), "{stuck:?}");
    let listed = office.ok(&["desk", "list", "--all"]).json();
    let of_refused = listed.as_array().unwrap().iter().find(|row| row["case"] == json!(refused)).unwrap();
    assert_eq!(
        (&of_refused["state"], &of_refused["why"][0]["code"]),
        (&json!("issuing"), &json!("not_accredited")),
        "{listed}"
    );
    // The same licences once it is taken after all.
    lease.chain().relent();
    let told = lines(&office.ok(&RUN));
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 0, "left": 0 } }), "{told:?}");
    assert!(issued(&refused));
    assert_eq!(anchored() - before, 2, "nothing is signed twice");
}

#[test]
fn one_that_the_chain_refuses_holds_up_no_other() {
    let lease = Lease::with(165, &plain());
    let (office, other) = (desk(&lease, 165), desk(&lease, 165));
    let cases = opened(&lease, 5);
    // It has signed all, and nothing that it sends arrives.
    lease.chain().intake = Intake::BreaksBefore;
    let broken = office.run(&RUN);
    assert_eq!(broken.code, 3, "{broken:?}");
    lease.chain().intake = Intake::Works;
    lease.chain().decide_step(&cases[2].0, 0, Outcome::Rejected, Some("rent_known"));
    let told = lines(&office.ok(&RUN));
    let states = |id: &str| {
        let mut of = told.iter().filter(|line| line["step"]["case"] == id);
        of.next_back().unwrap()["step"]["state"].as_str().unwrap().to_owned()
    };
    for (at, (id, _)) in cases.iter().enumerate() {
        assert_eq!(states(id), if at == 2 { "lost" } else { "recorded" }, "{told:?}");
        let decided = lease.chain().acts_of(id).iter().filter(|act| matches!(act.act, Act::Decide(_))).count();
        assert_eq!(decided, 1);
    }
    assert_eq!(lines(&other.ok(&RUN)).len(), 1, "there is nothing for another");
    assert!(of_step(&told, "levy").0.len() >= 5);
}

#[test]
fn who_asks_too_often_is_told_so_and_goes_on() {
    let lease = Lease::with(170, &plain());
    let office = desk(&lease, 170);
    let cases = opened(&lease, 2);
    lease.chain().too_often = true;
    let told = lines(&office.ok(&RUN));
    assert!(!lease.chain().too_often, "it was told so");
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 0, "left": 0 } }), "{told:?}");
    assert!(cases.iter().all(|(id, _)| decisions(&lease, id).len() == 1));
}

#[test]
fn a_file_that_does_not_come_is_asked_for_less_and_less() {
    let lease = Lease::with(175, &plain());
    let office = desk(&lease, 175);
    opened(&lease, 2);
    lease.chain().files.hidden = true;
    let _ = asked(&lease);
    let mut running = office.start(&RUN.iter().copied().filter(|word| *word != "--once").collect::<Vec<_>>());
    running.first_line();
    // Rounds come one after another here: the node of the test waits for no mail.
    while asked_rounds(&lease) < 40 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let file_of = |path: &str| path.split('/').rev().nth(1).unwrap_or_default().to_owned();
    let files: Vec<String> = lease
        .chain()
        .asked
        .iter()
        .filter(|path| path.starts_with("/v1/cases/files/"))
        .map(|path| file_of(path))
        .collect();
    let most = files.iter().map(|file| files.iter().filter(|other| *other == file).count()).max().unwrap();
    let rounds = asked_rounds(&lease);
    let ended = running.terminate();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(most < rounds / 2, "{most} times in {rounds} rounds");
}

fn asked_rounds(lease: &Lease) -> usize {
    lease.chain().asked.iter().filter(|path| path.starts_with("/v1/cases/ready")).count()
}
