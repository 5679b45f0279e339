//! Reads that an item declares: fetched by the desk of the step, each on its own ground.

use kanhe_proto::case::{Act, CaseStatus, Outcome};
use serde_json::json;

use super::{IDENTITY, Ward};

const ITEM: &str = r#"
format = 1
code = "home-move"
version = 1
region = "370100"
names = { zh = "迁移户口", en = "Move home" }
about = { zh = "迁移户口。", en = "Moves a household." }
purpose = "treatment"
life_days = 30
[[party]]
code = "mover"
names = { zh = "申请人", en = "Mover" }
kind = "person"
opens = true
applicant = true
[[bureau]]
code = "police"
names = { zh = "公安", en = "Police" }
[[bureau]]
code = "civil"
names = { zh = "民政", en = "Civil affairs" }
[[ask]]
code = "identity"
of = "mover"
to = ["police"]
types = ["DEMOJMSFZ001:1"]
claims = ["CZZTDM"]
why = { zh = "确认身份。", en = "To know who you are." }
[[read]]
code = "birth"
of = "mover"
by = "police"
from = "civil"
type = "DEMOJMSFZ001:1"
claims = ["KZ_CSRQ"]
basis = "consent"
why = { zh = "核对出生日期。", en = "To compare the date of birth." }
[[read]]
code = "named"
of = "mover"
by = "police"
from = "civil"
type = "DEMOJMSFZ001:1"
claims = ["CZZT"]
basis = "statute"
why = { zh = "核对姓名。", en = "To compare the name." }
[[step]]
code = "decide"
names = { zh = "审批", en = "Decision" }
by = "police"
waits_for = ["mover"]
rules = ["born"]
auto = true
limit_days = 2
final = true
[[rule]]
code = "born"
holds = "read.birth.KZ_CSRQ < '2020-01-01' && size(read.named.CZZT) > 0"
otherwise = "reject"
say = { zh = "不符合条件。", en = "Not entitled." }
"#;

/// The ward with the item, whose roles the source's bureau plays both.
struct Move {
    ward: Ward,
}

impl Move {
    fn new(seed: u8) -> Self {
        let ward = Ward::new(seed);
        ward.register(seed, ITEM, &["police", "civil"]);
        Self { ward }
    }

    fn open(&self, more: &[&str]) -> String {
        let opened = self.ward.patient.ok(&[&["case", "open", "home-move", "--yes"], more].concat()).json();
        opened["id"].as_str().unwrap().to_owned()
    }

    fn outcome(&self, id: &str) -> Option<Outcome> {
        let acts = self.ward.chain().acts_of(id);
        acts.iter().find_map(|signed| match &signed.act {
            Act::Decide(decide) => Some(decide.outcome),
            _ => None,
        })
    }
}

#[test]
fn a_desk_reads_on_consent_and_on_a_rule_and_decides_by_it() {
    let scene = Move::new(80);
    // Each consent is asked for by itself, and told before anything leaves.
    let silent = scene.ward.patient.run_with(&["case", "open", "home-move"], false);
    assert_eq!(silent.code, 2, "{silent:?}");
    assert!(silent.talk.contains("To compare the date of birth."), "{silent:?}");
    let id = scene.open(&[]);
    let consents = scene.ward.patient.ok(&["consent", "list"]).json();
    assert_eq!((consents.as_array().unwrap().len(), &consents[0]["case"]), (1, &json!(id)), "{consents}");
    scene.ward.desk_until("recorded");
    assert_eq!(scene.outcome(&id), Some(Outcome::Approved));
    assert_eq!(scene.ward.chain().case(&id).status, CaseStatus::Closed);
    let shown = scene.ward.source.ok(&["desk", "show", &id[..8]]).json();
    assert_eq!(shown["input"]["read"]["named"]["CZZT"], scene.ward.name.as_str(), "{shown}");
    let log = scene.ward.log();
    let reads = log["reads"].as_array().unwrap();
    let mut bases: Vec<&str> = reads.iter().map(|read| read["basis"].as_str().unwrap()).collect();
    bases.sort_unstable();
    assert_eq!(bases, ["consent", "statute"], "{log}");
    let statute = reads.iter().find(|read| read["basis"] == "statute").unwrap();
    assert_eq!(statute["case"], json!(id));
}

#[test]
fn a_consent_that_was_taken_back_is_told_to_an_officer() {
    let scene = Move::new(85);
    let id = scene.open(&[]);
    let consents = scene.ward.patient.ok(&["consent", "list"]).json();
    let consent = consents[0]["id"].as_str().unwrap().to_owned();
    scene.ward.patient.ok(&["consent", "withdraw", &consent[..8], "--yes"]);
    let listed = scene.ward.desk_until("waiting");
    assert_eq!(listed[0]["why"][0]["code"], "consent_withdrawn", "{listed}");
    assert_eq!(scene.outcome(&id), None);
}

#[test]
fn who_declines_is_not_read() {
    let scene = Move::new(90);
    scene.open(&["--decline", "birth"]);
    assert_eq!(scene.ward.patient.ok(&["consent", "list"]).json(), json!([]));
    let listed = scene.ward.desk_until("waiting");
    assert_eq!(listed[0]["why"][0]["code"], "read_no_consent", "{listed}");
    let unknown = scene.ward.patient.run(&["case", "open", "home-move", "--yes", "--decline", "nothing"]);
    assert_eq!((unknown.code, unknown.error().as_str()), (2, "case_part_unknown"), "{unknown:?}");
    let log = scene.ward.log();
    assert_eq!(log["reads"].as_array().unwrap().len(), 1, "the rule's alone: {log}");
}

#[test]
fn what_the_item_does_not_have_is_not_read_for_its_case() {
    let scene = Move::new(95);
    let id = scene.open(&["--decline", "birth"]);
    let service = scene.ward.serve();
    // Another claim than the item's, another read, another bureau than plays the role.
    let words = ["--type", IDENTITY, "--claims", "KZ_ZZ", "--basis", "statute", "--purpose", "treatment"];
    let of_case = ["--subject", &scene.ward.number, "--case", &id, "--read", "named"];
    let refused = scene.ward.read(0, &[&words[..], &of_case].concat());
    assert_eq!((refused.code, refused.error().as_str()), (4, "read_beyond_item"), "{refused:?}");
    assert_eq!(service.terminate().code, 0);
    assert_eq!(scene.ward.given(), 0);
}
