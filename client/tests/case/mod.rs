//! Cases by the command: opened, joined, returned, corrected, taken back and rated, over a chain in memory; what bureaus get is
//! opened and judged as their desks do.

use kanhe_proto::api::TransactionState;
use kanhe_proto::application::Application;
use kanhe_proto::case::{Act, FileRef, Outcome, case_nonce};
use kanhe_proto::case_file::{Author, CaseFile};
use kanhe_proto::identifiers::Did;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::item::Item;
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::request::Request;
use kanhe_proto::sd_jwt::holder_binding;
use kanhe_proto::trust::Trust;
use kanhe_proto::verdict::{Verdict, verify_response};
use serde_json::{Value, json};

use crate::support::chain::{Chain, Intake, now};
use crate::support::command::Home;
use crate::{Scene, delivery};

/// Two parties, two roles that one bureau plays, and a licence for the second party.
pub const ITEM: &str = r#"
format = 1
code = "shop-lease"
version = 1
region = "370100"
names = { zh = "店铺转租", en = "Shop lease" }
about = { zh = "转租店铺。", en = "Lets a shop to somebody." }
purpose = "account"
life_days = 30
[[party]]
code = "owner"
names = { zh = "经营者", en = "Owner" }
kind = "enterprise"
opens = true
[[party]]
code = "tenant"
names = { zh = "承租人", en = "Tenant" }
kind = "person"
applicant = true
same_holder = true
[[party]]
code = "witness"
names = { zh = "见证人", en = "Witness" }
kind = "person"
optional = true
[[bureau]]
code = "market"
names = { zh = "市场监管", en = "Market regulation" }
[[bureau]]
code = "tax"
names = { zh = "税务", en = "Tax office" }
[[ask]]
code = "licence"
of = "owner"
to = ["market", "tax"]
types = ["demo-biz:1"]
claims = ["ZZMC"]
why = { zh = "确认店名。", en = "To know the shop's name." }
[[ask]]
code = "person"
of = "tenant"
to = ["market"]
types = ["demo-id:1"]
claims = ["address.city"]
why = { zh = "确认居住城市。", en = "To know where you live." }
[[ask]]
code = "seen"
of = "witness"
to = ["market"]
types = ["demo-id:1"]
claims = ["ZZMC"]
why = { zh = "见证。", en = "To witness." }
[[field]]
code = "rent"
of = "owner"
to = ["tax"]
names = { zh = "租金", en = "Rent" }
kind = "amount"
[[field]]
code = "note"
of = "owner"
to = ["market"]
names = { zh = "备注", en = "Note" }
kind = "text"
optional = true
[[attachment]]
code = "contract"
of = "owner"
to = ["market"]
names = { zh = "合同", en = "Contract" }
bytes_max = 4000000
[[step]]
code = "levy"
names = { zh = "完税", en = "Levy" }
by = "tax"
waits_for = ["owner"]
rules = ["rent_known"]
auto = true
limit_days = 2
[[step]]
code = "decide"
names = { zh = "审批", en = "Decision" }
by = "market"
needs = ["levy"]
waits_for = ["owner", "tenant", "witness"]
rules = ["named"]
auto = true
limit_days = 2
final = true
[[rule]]
code = "rent_known"
holds = "cents(form.rent) > 0"
otherwise = "return"
say = { zh = "请填写租金。", en = "Say what the rent is." }
[[rule]]
code = "named"
holds = "size(given.licence.ZZMC) > 0"
otherwise = "reject"
say = { zh = "没有店名。", en = "No name." }
[[yield]]
code = "permit"
step = "decide"
type = "demo-id:1"
to = "tenant"
[yield.claims]
ZZMC = "given.licence.ZZMC"
"#;

const CONTRACT: &[u8] = b"%PDF the contract, word for word";

/// A scene with the item registered, and a tenant who has an identity card.
pub struct Lease {
    pub scene: Scene,
    pub tenant: Home,
    pub bureau: String,
}

impl Lease {
    fn new(seed: u8) -> Self {
        Self::with(seed, ITEM)
    }

    /// The same with another text of the item.
    pub fn with(seed: u8, item: &str) -> Self {
        let scene = Scene::new(seed);
        let bureau = scene.node.chain.lock().unwrap().issuer.to_string();
        let (office, tenant) = (Home::new(Some(&scene.node.url)), Home::new(Some(&scene.node.url)));
        let genesis = scene.node.chain.lock().unwrap().genesis.to_bytes();
        for home in [&office, &tenant] {
            home.write("genesis", &genesis);
            home.ok(&["trust", "pin", "--genesis", "genesis"]);
        }
        office.key_file("gov.key", KeyFileRole::Governance, &[seed.wrapping_add(4); 32]);
        office.write("item.toml", item.as_bytes());
        let (market, tax) = (format!("market={bureau}"), format!("tax={bureau}"));
        let made = ["gov", "propose", "register-item", "item.toml", "--bind", &market, "--bind", &tax];
        office.ok(&[&made[..], &["--key", "gov.key", "--yes"]].concat());
        let lease = Self { scene, tenant, bureau };
        lease.identity();
        lease.scene.holder.write("contract.pdf", CONTRACT);
        lease
    }

    fn identity(&self) {
        self.tenant.ok(&["wallet", "init"]);
        let applied = self.tenant.ok(&["wallet", "apply", "--type", "demo-id", "--issuer", &self.bureau]).json();
        let line = applied[0]["application"].as_str().unwrap().to_owned();
        let mut chain = self.chain();
        let (id, issuer) = (chain.genesis.chain_id(), chain.issuer);
        let application = Application::verify(&line, &id, &issuer, now()).unwrap();
        let secret = application.open_secret(&chain.sealing).unwrap();
        let hb = holder_binding(&secret, "RESIDENT", "11010519491231002X");
        let handed = chain.issue("demo-id", &application.keys, Some(&hb));
        drop(chain);
        self.tenant.write("delivery.json", &delivery(&handed));
        self.tenant.ok(&["wallet", "import", "delivery.json"]);
    }

    pub fn chain(&self) -> std::sync::MutexGuard<'_, Chain> {
        self.scene.node.chain.lock().unwrap()
    }

    const OPEN: [&'static str; 7] =
        ["case", "open", "shop-lease", "--field", "rent=1200.50", "--attach", "contract=contract.pdf"];

    pub fn open(&self) -> Value {
        self.scene.holder.ok(&[&Self::OPEN[..], &["--yes"]].concat()).json()
    }

    pub fn shown(&self, home: &Home, id: &str) -> Value {
        home.ok(&["case", "show", &id[..8]]).json()
    }

    /// What a bureau's desk reads of the files of an act: each file, and the verdict on what it shows.
    fn read(&self, party: &str, files: &[FileRef], slot: u8, round: u32) -> Vec<(CaseFile, Option<Verdict>)> {
        let chain = self.chain();
        let item: Item = toml::from_str(ITEM).unwrap();
        let trust = Trust::pin(&chain.genesis, now()).unwrap();
        let read = |file: &FileRef| {
            let bound = chain.open_file(&file.commitment);
            let said = bound.file().clone();
            assert_eq!((said.from, said.round, bound.reference(file.to)), (Author::Slot(slot), round, file.clone()));
            if said.presentation.is_empty() {
                return (said, None);
            }
            let shown: Value = serde_json::from_slice(&said.presentation).unwrap();
            let with: Vec<&str> = shown["vp_token"].as_object().unwrap().keys().map(String::as_str).collect();
            let request = Request {
                client_id: Did::new(trust.chain_ref(), chain.issuer),
                response_type: "vp_token".to_owned(),
                nonce: case_nonce(&said.case, slot, round, file.to),
                dcql_query: item.query(party, &item.bureau[usize::from(file.to)].code, &with).unwrap(),
                purpose: "account".to_owned(),
                max_age_ms: SpanMs(600_000),
                same_holder: item.party.iter().any(|known| known.code.as_str() == party && known.same_holder),
                iat: now().0 / 1_000,
                exp: now().0 / 1_000 + 600,
            };
            let verdict = verify_response(&said.presentation, &request, &trust, now(), None);
            let elsewhere = Request { nonce: case_nonce(&said.case, slot, round + 1, file.to), ..request };
            let refused = verify_response(&said.presentation, &elsewhere, &trust, now(), None);
            assert!(!refused.is_valid(), "it is good in this round alone");
            (said, Some(verdict))
        };
        files.iter().map(read).collect()
    }
}

fn values(file: &CaseFile) -> Vec<(String, String)> {
    file.values.iter().map(|value| (value.name.to_string(), value.value.to_string())).collect()
}

#[test]
fn each_bureau_gets_what_the_item_sends_it_and_can_judge_it() {
    let lease = Lease::new(100);
    let opened = lease.open();
    let id = opened["id"].as_str().unwrap();
    let acts = lease.chain().acts_of(id);
    let Act::Open(open) = &acts[0].act else { panic!("{acts:?}") };
    let read = lease.read("owner", &open.files, 0, 0);
    let [(market, shown), (tax, levied)] = &read[..] else { panic!("{read:?}") };
    assert_eq!(values(market), [], "the optional note was not given, the rent is not for the market bureau");
    assert_eq!(values(tax), [("rent".to_owned(), "\"1200.50\"".to_owned())]);
    let paper = &market.attachments[0];
    assert_eq!((paper.name.as_str(), &paper.content[..], tax.attachments.len()), ("contract.pdf", CONTRACT, 0));
    for verdict in [shown, levied] {
        let verdict = verdict.as_ref().unwrap();
        assert!(verdict.is_valid(), "{verdict:?}");
        assert_eq!(json!(verdict.licences[0].claims), json!({ "ZZMC": "济南泉城软件有限公司" }));
    }
    let bytes = lease.chain().file_bytes();
    for word in ["contract", "1200.50", "泉城"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} is sealed");
    }
    let disclosed = opened["disclosed"].as_array().unwrap();
    assert_eq!(disclosed.len(), 2);
    assert_eq!((&disclosed[0]["attachments"], &disclosed[1]["fields"]), (&json!(["contract"]), &json!(["rent"])));
    assert_ne!(disclosed[0]["licences"][0]["licence"], disclosed[1]["licences"][0]["licence"], "a copy each");
    assert_eq!(lease.scene.holder.ok(&["wallet", "log"]).json().as_array().unwrap().len(), 2);
}

#[test]
fn a_case_goes_from_opening_to_rating() {
    let lease = Lease::new(105);
    let (holder, tenant) = (&lease.scene.holder, &lease.tenant);
    let opened = lease.open();
    let id = opened["id"].as_str().unwrap().to_owned();
    let invited = &opened["invitations"][0];
    assert_eq!((&invited["party"], opened["invitations"].as_array().unwrap().len()), (&json!("tenant"), 1));
    let code = invited["code"].as_str().unwrap();

    let asked = tenant.ok(&["case", "show", "--code", code]).json();
    assert_eq!(
        (&asked["party"], &asked["bureaus"][0]["asks"][0]["claims"]),
        (&json!("tenant"), &json!(["address.city"]))
    );
    let joined = tenant.ok(&["case", "confirm", code, "--yes"]).json();
    assert_eq!(joined["disclosed"][0]["licences"][0]["claims"], json!(["address", "kanhe_hb"]));
    assert_eq!(joined["disclosed"][0]["applications"], 1);
    let acts = lease.chain().acts_of(&id);
    let Act::Present(present) = &acts[1].act else { panic!("{acts:?}") };
    let read = lease.read("tenant", &present.files, 1, 0);
    let (file, verdict) = &read[0];
    assert!(verdict.as_ref().unwrap().is_valid(), "{verdict:?}");
    let chain_id = lease.chain().genesis.chain_id();
    let issuer = lease.chain().issuer;
    Application::verify(&file.applications[0], &chain_id, &issuer, now()).unwrap();

    // The code is good once, for a wallet that is not in the case yet.
    let again = tenant.run(&["case", "confirm", code, "--yes"]);
    assert_eq!((again.code, again.error().as_str()), (2, "case_here_already"), "{again:?}");
    let late = holder.run(&["case", "show", "--code", code]);
    assert_eq!((late.code, late.error().as_str()), (4, "case_code_used"), "{late:?}");
    let early = tenant.run(&["case", "rate", &id, "5"]);
    assert_eq!((early.code, early.error().as_str()), (4, "case_not_over"), "{early:?}");
    let nothing = tenant.run(&["case", "collect", &id[..8]]);
    assert_eq!((nothing.code, nothing.error().as_str()), (1, "case_nothing_issued"), "{nothing:?}");
    let other = holder.run(&["case", "correct", &id[..8], "--yes"]);
    assert_eq!((other.code, other.error().as_str()), (4, "case_presented"), "{other:?}");

    lease.chain().decide_step(&id, 0, Outcome::Returned, Some("rent_known"));
    let shown = lease.shown(holder, &id);
    let last = shown["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["what"], &last["say"]["en"]), (&json!("returned"), &json!("Say what the rent is.")));
    assert_eq!((&shown["next"][0]["what"], &shown["next"][0]["yours"]), (&json!("present"), &json!(true)));
    let words = holder.run_with(&["case", "show", &id[..8], "--lang", "zh"], false);
    assert!(words.data.contains("请填写租金") && words.data.contains("下一步"), "{words:?}");
    // Who names another contract and then says no keeps the one that was given.
    holder.write("other.pdf", &[b'x'; 10]);
    let declined = holder.run(&["case", "correct", &id[..8], "--attach", "contract=other.pdf"]);
    assert_ne!(declined.code, 0, "{declined:?}");
    let corrected = holder.ok(&["case", "correct", &id[..8], "--field", "rent=900.00", "--yes"]).json();
    assert_eq!(corrected["disclosed"][0]["attachments"], json!(["contract"]), "what did not change stays");
    let acts = lease.chain().acts_of(&id);
    let Act::Present(present) = &acts.last().unwrap().act else { panic!("{acts:?}") };
    let read = lease.read("owner", &present.files, 0, 1);
    assert_eq!(values(&read[1].0), [("rent".to_owned(), "\"900.00\"".to_owned())]);
    let contracts: Vec<&[u8]> =
        read.iter().flat_map(|(file, _)| &*file.attachments).map(|paper| &paper.content[..]).collect();
    assert_eq!(contracts, [CONTRACT]);
    assert!(read.iter().all(|(_, verdict)| verdict.as_ref().unwrap().is_valid()));

    lease.chain().decide_step(&id, 0, Outcome::Approved, None);
    lease.chain().decide_step(&id, 1, Outcome::Approved, None);
    let shown = lease.shown(tenant, &id);
    assert_eq!((&shown["status"], &shown["next"][0]["what"]), (&json!("open"), &json!("issue")));
    lease.chain().issued(&id, 1);
    let shown = lease.shown(tenant, &id);
    let next: Vec<&str> = shown["next"].as_array().unwrap().iter().map(|next| next["what"].as_str().unwrap()).collect();
    assert_eq!((&shown["status"], next), (&json!("closed"), vec!["collect", "rate"]));
    tenant.ok(&["case", "rate", &id[..8], "4"]);
    let twice = tenant.run(&["case", "rate", &id[..8], "4"]);
    assert_eq!(twice.code, 0, "the same act again is the one that the chain has: {twice:?}");
    let other = tenant.run(&["case", "rate", &id[..8], "1"]);
    assert_eq!((other.code, other.error().as_str()), (4, "case_rated"), "{other:?}");
    assert_eq!(lease.shown(tenant, &id)["stars"], 4);
    // Anyone who has the id sees the acts, and nothing of what was said.
    let public = lease.scene.bank.ok(&["wallet", "init"]);
    assert_eq!(public.code, 0);
    let shown = lease.scene.bank.ok(&["case", "show", &id]).json();
    assert_eq!((&shown["you"], &shown["disclosed"], &shown["invitations"]), (&Value::Null, &json!([]), &json!([])));
    assert_eq!(shown["events"].as_array().unwrap().len(), 8);
}

#[test]
fn what_was_begun_goes_on_with_the_same_bytes() {
    let lease = Lease::new(115);
    let holder = &lease.scene.holder;
    let open = [&Lease::OPEN[..], &["--yes"]].concat();
    // The node breaks off after the first file.
    lease.chain().files.room = Some(1);
    let broken = holder.run(&open);
    assert_eq!(broken.code, 3, "{broken:?}");
    let listed = || holder.ok(&["case", "list"]).json();
    let unsent = listed();
    assert_eq!((unsent.as_array().unwrap().len(), &unsent[0]["status"]), (1, &json!("unsent")));
    let stored = lease.chain().file_bytes();
    lease.chain().files.room = None;
    // Then its answer to the act is lost.
    lease.chain().intake = Intake::BreaksAfter;
    let after = listed();
    assert!(["unsent", "open"].contains(&after[0]["status"].as_str().unwrap()), "{after}");
    lease.chain().intake = Intake::Works;
    let done = listed();
    assert_eq!(
        (done.as_array().unwrap().len(), &done[0]["status"], &done[0]["id"]),
        (1, &json!("open"), &unsent[0]["id"])
    );
    let id = done[0]["id"].as_str().unwrap();
    assert_eq!(lease.chain().acts_of(id).len(), 1);
    let bytes = lease.chain().file_bytes();
    assert!(
        bytes.windows(stored.len()).any(|window| window == stored),
        "the part that was there was sent again as it was"
    );
    // Copies are kept until the bureau has them.
    lease.chain().files.delivers = true;
    assert_eq!(listed()[0]["status"], "open");
    assert_eq!(lease.chain().transaction(&kanhe_proto::hash::TransactionId([0; 32])).state, TransactionState::Unknown);

    let refused = holder.run(&["case", "withdraw", "00000000", "--yes"]);
    assert_eq!((refused.code, refused.error().as_str()), (2, "case_not_here"));
    holder.ok(&["case", "withdraw", &id[..8], "--yes"]);
    assert_eq!(listed()[0]["status"], "withdrawn");
    let over = holder.run(&["case", "withdraw", &id[..8], "--yes"]);
    assert_eq!(over.code, 0, "it is the act that the chain has: {over:?}");
    let over = holder.run(&["case", "correct", &id[..8], "--yes"]);
    assert_eq!((over.code, over.error().as_str()), (4, "case_over"), "{over:?}");
}

#[test]
fn an_opening_that_one_node_refuses_is_not_given_up() {
    let lease = Lease::new(127);
    let holder = &lease.scene.holder;
    let listed = || holder.ok(&["case", "list"]).json();
    // The only node says that the chain refuses it, and keeps it.
    lease.chain().intake = Intake::Refuses;
    let refused = holder.run(&[&Lease::OPEN[..], &["--yes"]].concat());
    assert_eq!((refused.code, refused.error().as_str()), (4, "case_shape"), "{refused:?}");
    let first = listed();
    assert_eq!((&first[0]["status"], &first[0]["refused"]), (&json!("refused"), &json!("case_shape")));
    let id = first[0]["id"].as_str().unwrap().to_owned();
    // Then it hands it in after all, and goes on saying no.
    let kept = lease.chain().files.refused.clone();
    lease.chain().acts(&kept).unwrap();
    let then = listed();
    assert_eq!((then.as_array().unwrap().len(), &then[0]["status"]), (1, &json!("open")));
    assert_eq!((&then[0]["id"], &then[0]["refused"]), (&json!(id), &Value::Null));
    let shown = lease.shown(holder, &id);
    assert_eq!(shown["disclosed"].as_array().unwrap().len(), 2, "what it said is known");
    // Its files are looked after: one that the node has lost comes again.
    let Act::Open(open) = lease.chain().acts_of(&id).remove(0).act else { panic!("no opening") };
    assert!(lease.chain().files.lose(&open.files[0].commitment));
    listed();
    lease.chain().open_file(&open.files[0].commitment);
    lease.chain().intake = Intake::Works;
    holder.ok(&["case", "withdraw", &id[..8], "--yes"]);
}

#[test]
fn what_is_missing_or_wrong_is_told_before_anything_leaves() {
    let lease = Lease::new(120);
    let holder = &lease.scene.holder;
    let refused = |words: &[&str], code: &str| {
        let ended = holder.run(&[&["case", "open", "shop-lease"], words, &["--yes"]].concat());
        assert_eq!(ended.error(), code, "{words:?}: {ended:?}");
        assert!(ended.talk.contains("\"hint\""), "{ended:?}");
    };
    let paper = ["--attach", "contract=contract.pdf"];
    refused(&["--attach", "contract=contract.pdf"], "case_field_missing");
    refused(&["--field", "rent=1200.50"], "case_paper_missing");
    refused(&[&paper[..], &["--field", "rent=12"]].concat(), "case_field_wrong");
    refused(&[&paper[..], &["--field", "size=12"]].concat(), "case_part_unknown");
    refused(&["--invite", "owner"], "case_part_unknown");
    refused(&["--choose", "bank=11"], "case_part_unknown");
    refused(&["--choose", "tax=11"], "case_choose");
    // The tenant has no business licence.
    lease.tenant.write("contract.pdf", CONTRACT);
    let lacking = lease.tenant.run(&[&Lease::OPEN[..], &["--yes"]].concat());
    assert_eq!((lacking.code, lacking.error().as_str()), (1, "case_licence_missing"), "{lacking:?}");
    // Who does not say yes sends nothing.
    let silent = holder.run_with(&Lease::OPEN, false);
    assert_eq!(silent.code, 2, "{silent:?}");
    for word in ["will see", "济南泉城软件有限公司", "To know the shop's name.", "1200.50", "Nothing else leaves"]
    {
        assert!(silent.talk.contains(word), "{word}: {silent:?}");
    }
    assert!(!silent.talk.contains("经十路"), "an address that nobody asks for is not even shown");
    assert_eq!(holder.ok(&["case", "list"]).json(), json!([]));
    assert!(lease.chain().file_bytes().is_empty());
    let code = holder.run(&["case", "confirm", "kanhe-case:abc", "--yes"]);
    assert_eq!((code.code, code.error().as_str()), (2, "case_code_wrong"));
}

#[test]
fn a_sheet_opens_a_case_for_each_row_once() {
    let lease = Lease::new(125);
    let holder = &lease.scene.holder;
    holder.write("rents.csv", "rent,note,contract\n100.00,楼一,contract.pdf\n12,,contract.pdf\n".as_bytes());
    let words = ["case", "open", "shop-lease", "--from", "rents.csv", "--out", "cases.csv", "--yes"];
    let wrong = holder.run(&words);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "case_row_wrong"), "{wrong:?}");
    assert!(lease.chain().file_bytes().is_empty());

    let mut sheet = "rent,note,contract\n".to_owned();
    (1..=34).for_each(|row| sheet.push_str(&format!("{row}00.00,No. {row},contract.pdf\n")));
    holder.write("rents.csv", sheet.as_bytes());
    // The node breaks off in the middle of it.
    lease.chain().files.room = Some(21);
    let broken = holder.run(&words);
    assert_eq!(broken.code, 3, "{broken:?}");
    lease.chain().files.room = None;
    let done = holder.ok(&words).json();
    let rows = done["rows"].as_array().unwrap();
    assert_eq!((&done["opened"], rows.len(), &rows[33]["line"]), (&json!(34), 34, &json!(35)));
    let ids: std::collections::BTreeSet<&str> = rows.iter().map(|row| row["case"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 34);
    let acts = lease.chain().acts_of(rows[6]["case"].as_str().unwrap());
    let Act::Open(open) = &acts[0].act else { panic!("{acts:?}") };
    let read = lease.read("owner", &open.files, 0, 0);
    assert_eq!(values(&read[0].0), [("note".to_owned(), "\"No. 7\"".to_owned())]);
    assert_eq!(values(&read[1].0), [("rent".to_owned(), "\"700.00\"".to_owned())]);
    let taken = holder.run(&words);
    assert_eq!((taken.code, taken.error().as_str()), (1, "file_exists"), "{taken:?}");
    let again = holder.ok(&[&words[..6], &["more.csv", "--yes"]].concat()).json();
    assert_eq!(again["rows"], done["rows"], "the same sheet again opens nothing");
    assert_eq!(holder.ok(&["case", "list"]).json().as_array().unwrap().len(), 34);
    let written = std::fs::read_to_string(holder.at("cases.csv")).unwrap();
    assert_eq!(written.matches("kanhe-case:").count(), 34);
    let code = rows[33]["invitations"][0]["code"].as_str().unwrap();
    lease.tenant.ok(&["case", "confirm", code, "--yes"]);
}
