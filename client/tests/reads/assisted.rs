//! The assisted route: a clerk acts for somebody who has an identity card and no wallet.

use kanhe_proto::case::{Act, CaseStatus};
use kanhe_proto::consent::Basis;
use kanhe_proto::key_file::KeyFileRole;
use serde_json::{Value, json};

use super::{IDENTITY, Ward};
use crate::support::command::{Ended, Home};

const ITEM: &str = r#"
format = 1
code = "card-renewal"
version = 1
region = "370100"
names = { zh = "换领身份证", en = "Renewal of a card" }
about = { zh = "换领身份证。", en = "Renews a card." }
purpose = "treatment"
life_days = 30
[[party]]
code = "person"
names = { zh = "申请人", en = "Applicant" }
kind = "person"
opens = true
applicant = true
[[bureau]]
code = "police"
names = { zh = "公安", en = "Police" }
[[ask]]
code = "identity"
of = "person"
to = ["police"]
types = ["DEMOJMSFZ001:1"]
claims = ["CZZT", "CZZTDM"]
why = { zh = "确认身份。", en = "To know who you are." }
[[field]]
code = "city"
of = "person"
to = ["police"]
names = { zh = "城市", en = "City" }
kind = "text"
[[step]]
code = "decide"
names = { zh = "审批", en = "Decision" }
by = "police"
waits_for = ["person"]
rules = ["known"]
auto = true
limit_days = 2
final = true
[[rule]]
code = "known"
holds = "size(given.identity.CZZT) > 0 && evidence.identity.status == 'active' && evidence.identity.type == 'DEMOJMSFZ001'"
otherwise = "reject"
say = { zh = "身份不明。", en = "Nobody knows you." }
[[yield]]
code = "card"
step = "decide"
type = "DEMOJMSFZ001:1"
to = "person"
[yield.claims]
CZZT = "given.identity.CZZT"
CZZTDM = '"11010519491231002X"'
KZ_XB = '"女"'
KZ_MZ = '"汉族"'
KZ_CSRQ = '"1949-12-31"'
KZ_ZZ = "form.city"
KZ_QFJG = '"济南市公安局"'
ZZYXQQSRQ = "case.opened"
ZZYXQJZRQ = '"长期"'
"#;

/// The ward with the item; the hospital has the counter.
struct Counter {
    ward: Ward,
    desk: Home,
}

impl Counter {
    fn new(seed: u8) -> Self {
        let ward = Ward::new(seed);
        ward.register(seed, ITEM, &["police"]);
        let desk = Home::new(Some(&ward.node.url));
        desk.write("genesis", &ward.chain().genesis.to_bytes());
        desk.ok(&["trust", "pin", "--genesis", "genesis"]);
        desk.ok(&["wallet", "init"]);
        desk.key_file("issuing.key", KeyFileRole::Issuing, &ward.members[0].issuing);
        Self { ward, desk }
    }

    fn clerk(&self) -> Vec<String> {
        let uscc = self.ward.members[0].uscc.to_string();
        ["--clerk", "A-17", "--key", "issuing.key", "--as", &uscc].map(str::to_owned).to_vec()
    }

    fn open(&self, number: &str, more: &[&str]) -> Ended {
        let clerk = self.clerk();
        let clerk: Vec<&str> = clerk.iter().map(String::as_str).collect();
        let words = ["case", "open", "card-renewal", "--field", "city=济南", "--yes", "--assist", number];
        self.desk.run(&[&words[..], &clerk, more].concat())
    }

    /// Runs the bureau's desk until so many reads are recorded.
    fn until_read(&self, count: usize) -> usize {
        for _ in 0..8 {
            self.ward.desk();
            if self.ward.chain().access_records().len() >= count {
                break;
            }
        }
        self.ward.chain().access_records().len()
    }

    /// Picks a licence up while the bureau's desk runs.
    fn pick_up(&self, home: &Home, pickup: &Value) -> Ended {
        let text = |name: &str| pickup[name].as_str().unwrap().to_owned();
        let (code, issuer, kind) = (text("code"), text("issuer"), text("type"));
        let going = home.start(&["wallet", "collect", "--code", &code, "--issuer", &issuer, "--type", &kind]);
        for _ in 0..40 {
            let answered = self.ward.desk().data.lines().any(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                line["mail"].is_object()
            });
            if answered {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        going.ended()
    }
}

#[test]
fn who_has_only_a_card_gets_what_the_case_yields_and_sees_who_read() {
    let scene = Counter::new(30);
    let opened = scene.open(&scene.ward.number, &[]);
    assert_eq!(opened.code, 0, "{opened:?}");
    let opened = opened.json();
    let (id, pickups) = (opened["id"].as_str().unwrap(), opened["pickups"].as_array().unwrap());
    assert_eq!((pickups.len(), &pickups[0]["licence"]), (1, &json!("card")), "{opened}");
    let told = &opened["disclosed"][0];
    assert_eq!(
        (&told["reads"], &told["licences"], &told["applications"]),
        (&json!(["identity"]), &json!([]), &json!(0))
    );

    scene.ward.desk_until("issued");
    assert_eq!(scene.ward.chain().case(id).status, CaseStatus::Closed);
    let batches = scene.ward.chain().batches();
    // One read, by a rule, for the case, on the ground that the clerk's act names.
    let reads = scene.ward.chain().access_records();
    assert_eq!(reads.len(), 1);
    let Basis::Statutory(statutory) = &reads[0].read.read.request.request.basis else { panic!("{:?}", reads[0]) };
    assert_eq!((statutory.ground.as_str(), statutory.case.unwrap().to_string()), ("treatment", id.to_owned()));
    let shown = scene.ward.source.ok(&["desk", "show", &id[..8]]).json();
    assert_eq!(shown["input"]["given"]["identity"]["CZZT"], scene.ward.name.as_str(), "{shown}");
    assert_eq!(shown["verdicts"][0]["code"], "read_instead", "{shown}");
    // Nothing is prepared twice, whoever looks again.
    scene.ward.desk();
    assert_eq!(scene.ward.chain().batches(), batches);

    // The clerk is named to whoever looks at the case, and the person is not.
    let audited = scene.desk.ok(&["audit", "case", id]).json();
    assert_eq!(
        (&audited["proved"], &audited["events"][0]["clerk"]["number"]),
        (&json!(true), &json!("A-17")),
        "{audited}"
    );
    let words = scene.desk.run_with(&["case", "show", &id[..8]], false);
    assert!(words.data.contains("A-17") && words.data.contains(pickups[0]["code"].as_str().unwrap()), "{words:?}");
    assert!(!audited.to_string().contains(&scene.ward.number));
    let rated = scene.desk.run(&["case", "rate", &id[..8], "5"]);
    assert_eq!((rated.code, rated.error().as_str()), (4, "case_assist_rate"), "{rated:?}");

    // With a wallet at last, the code is good once.
    let person = Home::new(Some(&scene.ward.node.url));
    let genesis = scene.ward.chain().genesis.chain_id().to_string();
    person.ok(&["trust", "pin", "--chain-id", &genesis]);
    person.ok(&["wallet", "init"]);
    let picked = scene.pick_up(&person, &pickups[0]);
    assert_eq!(picked.code, 0, "{picked:?}");
    assert!(picked.json().to_string().contains(IDENTITY), "{picked:?}");
    let taken = scene.pick_up(&scene.ward.patient, &pickups[0]);
    assert_eq!((taken.code, taken.error().as_str()), (4, "pickup_code_taken"), "{taken:?}");
    // Whom it was about sees it in the log of the licence that was read.
    let log = scene.ward.log();
    let reads = log["reads"].as_array().unwrap();
    assert_eq!((reads.len(), &reads[0]["basis"], &reads[0]["case"]), (1, &json!("statute"), &json!(id)), "{log}");
}

#[test]
fn a_clerk_acts_under_a_key_on_a_ground_for_a_person() {
    let scene = Counter::new(45);
    let number = scene.ward.number.clone();
    let refused = |ended: Ended| (ended.code, ended.error());
    let code = |code: i32, name: &str| (code, name.to_owned());
    assert_eq!(refused(scene.open(&number, &["--ground", "marketing"])), code(4, "case_ground"));
    assert_eq!(refused(scene.open(&number, &["--ground", "nothing"])), code(4, "case_ground"));
    assert_eq!(refused(scene.open("11010519491231002Y", &[])), code(2, "case_assist_number"));
    assert_eq!(
        refused(scene.open(&number, &["--issued-by", "other=11370100MB1A0001X2"])),
        code(2, "case_part_unknown")
    );
    let hospital = format!("identity={}", scene.ward.members[0].uscc);
    assert_eq!(refused(scene.open(&number, &["--issued-by", &hospital])), code(2, "case_no_source"));
    let named = scene.open(&number, &["--clerk", "李四"]);
    assert_eq!(named.code, 2, "{named:?}");
    // A key of somebody else's bureau, and none.
    let other = scene.ward.members[1].issuing;
    scene.desk.key_file("issuing.key", KeyFileRole::Issuing, &other);
    assert_eq!(refused(scene.open(&number, &[])), code(4, "issuing_key_not_valid"));
    let alone = scene.desk.run(&["case", "open", "card-renewal", "--assist", &number, "--clerk", "1", "--yes"]);
    assert_eq!(alone.code, 2, "{alone:?}");
    assert_eq!(scene.ward.given(), 0);
}

#[test]
fn who_is_not_known_is_left_to_an_officer() {
    let scene = Counter::new(60);
    let opened = scene.open("11010519491231002X", &[]);
    assert_eq!(opened.code, 0, "{opened:?}");
    let listed = scene.ward.desk_until("waiting");
    assert_eq!(listed[0]["why"][0]["code"], "read_nothing", "{listed}");

    // He returns it; the clerk says it anew, for the same person, and signs again.
    let id = opened.json()["id"].as_str().unwrap()[..8].to_owned();
    scene.ward.source.ok(&["desk", "return", &id, "--officer", "7", "--reason", "other"]);
    scene.ward.desk();
    let (clerk, number) = (scene.clerk(), scene.ward.number.clone());
    let correct = |more: &[&str]| {
        let clerk = clerk.iter().map(String::as_str);
        let words = ["case", "correct", &id, "--field", "city=青岛", "--yes"];
        scene.desk.run(&words.into_iter().chain(clerk).chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let another = correct(&["--assist", &number]);
    assert_eq!((another.code, another.error().as_str()), (2, "case_assist_stays"), "{another:?}");
    let without = scene.desk.run(&["case", "correct", &id, "--field", "city=青岛", "--yes"]);
    assert_eq!((without.code, without.error().as_str()), (2, "case_clerk_key"), "{without:?}");
    assert_eq!(correct(&[]).code, 0);
    let acts = scene.ward.chain().acts_of(opened.json()["id"].as_str().unwrap());
    let last = acts.iter().rev().find_map(|signed| signed.act.assisted()).unwrap();
    assert_eq!((last.clerk.as_str(), acts.iter().filter(|act| act.act.assisted().is_some()).count()), ("A-17", 2));
    // Each round is read for itself.
    assert_eq!(scene.until_read(2), 2);
}

#[test]
fn a_case_without_a_clerk_lets_nobody_read_what_is_to_be_shown() {
    let scene = Counter::new(75);
    let own = scene.ward.patient.ok(&["case", "open", "card-renewal", "--field", "city=济南", "--yes"]).json();
    let helped = scene.open(&scene.ward.number, &[]).json();
    let service = scene.ward.serve();
    let ask = |case: &Value, claims: &str, read: &str| {
        let words = ["--type", IDENTITY, "--claims", claims, "--basis", "statute", "--purpose", "treatment"];
        let of_case = ["--subject", &scene.ward.number, "--case", case["id"].as_str().unwrap(), "--read", read];
        scene.ward.read(0, &[&words[..], &of_case].concat())
    };
    // The hospital's counter plays no role in the item, so it reads nothing for the case either.
    for (case, claims, read) in [
        (&own, "CZZT", "identity"),
        (&helped, "CZZT", "identity"),
        (&helped, "KZ_ZZ", "identity"),
        (&helped, "CZZT", "x"),
    ] {
        let refused = ask(case, claims, read);
        assert_eq!((refused.code, refused.error().as_str()), (4, "read_beyond_item"), "{refused:?}");
    }
    assert_eq!(service.terminate().code, 0);
    assert_eq!(scene.ward.given(), 0);
    let acts = scene.ward.chain().acts_of(helped["id"].as_str().unwrap());
    assert!(matches!(&acts[0].act, Act::Open(open) if open.assisted.is_some()));
}
