//! A desk at work by the command, from what people presented to the licence that they collect, over a chain in memory.

use kanhe_proto::case::{Act, CaseStatus, How, Outcome};
use kanhe_proto::key_file::KeyFileRole;
use serde_json::{Value, json};

use crate::case::{ITEM, Lease};
use crate::support::chain::Intake;
use crate::support::command::{Ended, Home};

pub(crate) const RUN: [&str; 7] = ["desk", "run", "--once", "--key", "issuing.key", "--sealing-key", "sealing.key"];

/// The same item, with a licence that has a real type, and a value that the tax office passes on.
pub(crate) fn item() -> String {
    let start = ITEM.find("[[yield]]").unwrap();
    let yields = r#"
[[yield]]
code = "permit"
step = "decide"
type = "DEMOJMSFZ001:1"
to = "tenant"
[yield.claims]
CZZT = "given.licence.ZZMC"
CZZTDM = '"11010519491231002X"'
KZ_XB = '"男"'
KZ_MZ = '"汉族"'
KZ_CSRQ = '"1949-12-31"'
KZ_ZZ = "given.person.address.city"
KZ_QFJG = '"济南市公安局"'
ZZYXQQSRQ = "case.opened"
ZZYXQJZRQ = '"长期"'
"#;
    let text = format!("{}{yields}", &ITEM[..start]);
    let text = text.replacen("limit_days = 2\n", "limit_days = 2\npasses = { rent = \"form.rent\" }\n", 1);
    text.replacen(
        "size(given.licence.ZZMC) > 0",
        "size(given.licence.ZZMC) > 0 && cents(passed.levy.rent) >= 100000",
        1,
    )
}

pub(crate) fn desk(lease: &Lease, seed: u8) -> Home {
    let home = Home::new(Some(&lease.scene.node.url));
    let genesis = lease.chain().genesis.to_bytes();
    home.write("genesis", &genesis);
    home.ok(&["trust", "pin", "--genesis", "genesis"]);
    home.key_file("issuing.key", KeyFileRole::Issuing, &[seed.wrapping_add(2); 32]);
    home.key_file("sealing.key", KeyFileRole::Sealing, &[seed.wrapping_add(5); 32]);
    home
}

pub(crate) fn lines(ended: &Ended) -> Vec<Value> {
    ended.data.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The states that a step went through, and what was said of it last.
pub(crate) fn of_step<'a>(lines: &'a [Value], step: &str) -> (Vec<&'a str>, &'a Value) {
    let steps = lines.iter().map(|line| &line["step"]);
    let found: Vec<&Value> = steps.filter(|line| line["step"] == step).collect();
    (found.iter().map(|line| line["state"].as_str().unwrap()).collect(), found.last().unwrap())
}

/// Opened by the owner; confirmed by the tenant.
pub(crate) fn opened(lease: &Lease) -> String {
    let opened = lease.open();
    let code = opened["invitations"][0]["code"].as_str().unwrap().to_owned();
    lease.tenant.ok(&["case", "confirm", &code, "--yes"]);
    opened["id"].as_str().unwrap().to_owned()
}

pub(crate) fn decisions(lease: &Lease, id: &str) -> Vec<(u8, Outcome, bool, usize)> {
    let acts = lease.chain().acts_of(id);
    let decided = acts.iter().filter_map(|signed| match &signed.act {
        Act::Decide(decide) => Some((decide.step, decide.outcome, decide.how == How::Rules, decide.passed.len())),
        _ => None,
    });
    decided.collect()
}

#[test]
fn rules_decide_and_the_licence_is_collected() {
    let lease = Lease::with(130, &item());
    let office = desk(&lease, 130);
    let id = opened(&lease);
    let told = lines(&office.ok(&RUN));
    assert_eq!(of_step(&told, "levy").1["state"], "recorded", "{told:?}");
    let (_, last) = of_step(&told, "decide");
    assert_eq!((&last["state"], &last["licences"], &last["by_officer"]), (&json!("issued"), &json!(1), &json!(false)));
    assert_eq!(told.last().unwrap(), &json!({ "end": { "officer": 0, "left": 0 } }));
    assert_eq!(decisions(&lease, &id), [(0, Outcome::Approved, true, 1), (1, Outcome::Approved, true, 0)]);
    assert_eq!(lease.chain().case(&id).status, CaseStatus::Closed);

    // Who collects is answered by the same process.
    let collecting = lease.tenant.start(&["case", "collect", &id[..8]]);
    for _ in 0..40 {
        let told = lines(&office.ok(&RUN));
        if told.iter().any(|line| line["mail"]["given"] == 1) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    let collected = collecting.ended();
    assert_eq!(collected.code, 0, "{collected:?}");
    let licences = lease.tenant.ok(&["wallet", "list"]).json();
    assert!(licences.to_string().contains("DEMOJMSFZ001"), "{licences}");
    // Nothing is decided or issued again.
    let batches = lease.chain().batches();
    assert_eq!(lines(&office.ok(&RUN)).len(), 1);
    assert_eq!((decisions(&lease, &id).len(), lease.chain().batches()), (2, batches));
}

#[test]
fn an_officer_returns_and_then_approves() {
    let lease = Lease::with(135, &item().replacen("rules = [\"named\"]\nauto = true", "rules = [\"named\"]", 1));
    let office = desk(&lease, 135);
    let id = opened(&lease);
    let told = lines(&office.ok(&RUN));
    let (states, last) = of_step(&told, "decide");
    assert_eq!((states.last(), &last["waits_for"]), (Some(&"waiting"), &json!(["officer_decides"])), "{told:?}");
    let listed = office.ok(&["desk", "list"]).json();
    assert_eq!(
        (&listed[0]["case"], &listed[0]["overdue"], listed.as_array().unwrap().len()),
        (&json!(id), &json!(false), 1)
    );

    let saving = ["--save", "papers", "--key", "issuing.key", "--sealing-key", "sealing.key"];
    let shown = office.ok(&[&["desk", "show", &id[..8]][..], &saving].concat()).json();
    assert_eq!(shown["input"]["given"]["person"]["address"]["city"], "济南");
    assert_eq!(
        (&shown["input"]["passed"], &shown["input"]["form"]),
        (&json!({ "levy": { "rent": "1200.50" } }), &json!({}))
    );
    assert_eq!((&shown["rules"][0]["holds"], &shown["verdicts"][0]["outcome"]), (&json!("yes"), &json!("valid")));
    let saved = shown["attachments"][0]["saved"].as_str().unwrap();
    assert!(std::fs::read(office.at(saved)).unwrap().starts_with(b"%PDF"));

    let wrong = office.run(&["desk", "return", &id[..8], "--officer", "7", "--reason", "nonsense"]);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "desk_reason"), "{wrong:?}");
    office.ok(&["desk", "return", &id[..8], "--officer", "7", "--reason", "form_not_complete"]);
    office.ok(&RUN);
    assert_eq!(decisions(&lease, &id).last(), Some(&(1, Outcome::Returned, false, 0)));
    lease.scene.holder.ok(&["case", "correct", &id[..8], "--yes"]);
    lease.tenant.ok(&["case", "correct", &id[..8], "--yes"]);

    let told = lines(&office.ok(&RUN));
    let (_, last) = of_step(&told, "decide");
    assert_eq!((&last["round"], &last["state"]), (&json!(1), &json!("waiting")), "{told:?}");
    office.ok(&["desk", "approve", &id[..8], "--officer", "7"]);
    let told = lines(&office.ok(&RUN));
    let (_, last) = of_step(&told, "decide");
    assert_eq!((&last["state"], &last["by_officer"]), (&json!("issued"), &json!(true)), "{told:?}");
    assert_eq!(lease.chain().case(&id).status, CaseStatus::Closed);
    let late =
        office.run(&["desk", "reject", &id[..8], "--step", "decide", "--officer", "7", "--reason", "other", "--yes"]);
    assert_eq!((late.code, late.error().as_str()), (4, "desk_not_open"), "{late:?}");
    let words = office.run_with(&["desk", "show", &id[..8], "--step", "decide", "--lang", "zh"], false);
    assert!(words.data.contains("批准") && words.data.contains("已签发"), "{words:?}");
}

#[test]
fn what_others_signed_is_no_file_of_the_case() {
    let lease = Lease::with(150, &item());
    let office = desk(&lease, 150);
    let id = opened(&lease);
    lease.chain().files.forges = true;
    let stuck = office.run(&RUN);
    assert_ne!(stuck.code, 0, "{stuck:?}");
    assert!(stuck.talk.contains("another part than asked for"), "{stuck:?}");
    assert_eq!(decisions(&lease, &id), []);
    // Nothing is held against who takes part: the true parts are as good as before.
    lease.chain().files.forges = false;
    office.ok(&RUN);
    assert_eq!(decisions(&lease, &id), [(0, Outcome::Approved, true, 1), (1, Outcome::Approved, true, 0)]);
}

#[test]
fn what_is_passed_on_is_brought_until_it_is_there() {
    let lease = Lease::with(155, &item().replacen("rules = [\"named\"]\nauto = true", "rules = [\"named\"]", 1));
    let office = desk(&lease, 155);
    let id = opened(&lease);
    office.ok(&RUN);
    let passed = lease.chain().acts_of(&id).into_iter().find_map(|signed| match signed.act {
        Act::Decide(decide) => decide.passed.first().map(|file| file.commitment),
        _ => None,
    });
    let passed = passed.unwrap();
    let before = lease.chain().open_file(&passed);
    // The node has lost it, before the bureau of the next step had it.
    assert!(lease.chain().files.lose(&passed));
    office.ok(&RUN);
    assert_eq!(lease.chain().open_file(&passed), before, "the copy that was kept");
    // Once it is there no copy is kept.
    lease.chain().files.delivers = true;
    office.ok(&RUN);
    assert!(lease.chain().files.lose(&passed));
    office.ok(&RUN);
    assert!(!lease.chain().files.lose(&passed), "it was brought again");
}

#[test]
fn what_is_on_the_chain_when_the_answer_is_lost_is_not_decided_again() {
    let lease = Lease::with(140, &item());
    let office = desk(&lease, 140);
    let id = opened(&lease);
    lease.chain().intake = Intake::BreaksAfter;
    let broken = office.run(&RUN);
    assert!(broken.code == 0 || broken.code == 3, "{broken:?}");
    lease.chain().intake = Intake::Works;
    office.ok(&RUN);
    assert_eq!(decisions(&lease, &id), [(0, Outcome::Approved, true, 1), (1, Outcome::Approved, true, 0)]);
    assert_eq!(lease.chain().case(&id).status, CaseStatus::Closed);
}

#[test]
fn another_desk_that_is_first_decides_alone() {
    let lease = Lease::with(145, &item().replacen("rules = [\"named\"]\nauto = true", "rules = [\"named\"]", 1));
    let (office, other) = (desk(&lease, 145), desk(&lease, 145));
    let id = opened(&lease);
    for home in [&office, &other] {
        home.ok(&RUN);
    }
    let records = lease.chain().batches();
    office.ok(&["desk", "approve", &id[..8], "--officer", "1"]);
    other.ok(&["desk", "approve", &id[..8], "--officer", "2"]);
    other.ok(&RUN);
    let told = lines(&office.ok(&RUN));
    let (_, last) = of_step(&told, "decide");
    assert_eq!((&last["state"], &last["waits_for"]), (&json!("lost"), &json!(["case_over"])), "{told:?}");
    assert_eq!(
        (decisions(&lease, &id).len(), lease.chain().batches()),
        (2, records + 3),
        "a decision, a batch, and that it is issued"
    );
}
