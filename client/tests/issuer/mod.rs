//! The issuer's side against a chain in memory.

use kanhe_client::follow::Follower;
use kanhe_client::issuer::{Expected, Settled, settle};
use kanhe_client::node::NodeClient;
use kanhe_proto::hash::{Hash, TransactionId};
use kanhe_proto::identifiers::Vct;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{PublicKey, Signer as _};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::record::{BatchRecord, Record as _};
use serde_json::{Value, json};

use crate::support::chain::{Chain, Intake, now};
use crate::support::command::{Ended, Home};
use crate::support::server::Node;

mod abandon;
mod counter;
mod loss;
mod renew;

const BUSINESS: &str = "DEMOYYZZ001";
const IDENTITY: &str = "DEMOJMSFZ001";

/// A bureau, holders who share a wallet, and a bank.
struct Office {
    node: Node,
    bureau: Home,
    holder: Home,
    bank: Home,
}

impl Office {
    fn new(seed: u8) -> Self {
        let node = Node::serve(Chain::new(seed));
        let [bureau, holder, bank] = [(); 3].map(|()| Home::new(Some(&node.url)));
        let chain = node.chain.lock().unwrap();
        for home in [&bureau, &holder, &bank] {
            home.write("chain-id", chain.genesis.chain_id().to_string().as_bytes());
        }
        bureau.key_file("issuing.key", KeyFileRole::Issuing, chain.issuing.seed());
        bureau.key_file("sealing.key", KeyFileRole::Sealing, chain.sealing.seed());
        bank.request_key(&chain.bank_key.clone());
        drop(chain);
        for home in [&bureau, &holder, &bank] {
            let id = std::fs::read_to_string(home.at("chain-id")).unwrap();
            home.ok(&["trust", "pin", "--chain-id", &id]);
        }
        holder.ok(&["wallet", "init"]);
        Self { node, bureau, holder, bank }
    }

    /// Holders apply, and the bureau has a sheet with their applications.
    fn sheet(&self, name: &str, subject: &str, code: &str, count: &str, copies: &str, seed: &str) {
        let issuer = self.node.chain.lock().unwrap().issuer.to_string();
        let words = ["wallet", "apply", "--type", code, "--issuer", &issuer, "--count", count, "--copies", copies];
        let out = format!("{name}.applications");
        self.holder.ok(&[&words[..], &["--out", &out]].concat());
        self.holder.copy(&out, &self.bureau.at(&out));
        let words = ["sample", "--type", subject, "--count", count, "--seed", seed, "--out", name];
        self.bureau.ok(&[&words[..], &["--applications", &out]].concat());
    }

    fn issue(&self, name: &str, code: &str, more: &[&str]) -> Ended {
        let words = ["licence", "issue", name, "--type", code, "--key", "issuing.key", "--out", "out", "--yes"];
        self.bureau.run(&[&words[..], more].concat())
    }

    fn issued(&self, name: &str, code: &str, more: &[&str]) -> Value {
        let ended = self.issue(name, code, more);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.json()
    }

    fn import(&self, issued: &Value) -> Value {
        let path = issued["deliveries"].as_str().unwrap();
        self.bureau.copy(path, &self.holder.at("deliveries.jsonl"));
        self.holder.ok(&["wallet", "import", "deliveries.jsonl"]).json()
    }

    /// The bank asks, the holder shows one licence, the bank checks.
    fn shown(&self, name: &str, code: &str, licence: &str) {
        let request = format!("{name}.request");
        let asked = ["verify", "request", "--type", code, "--claims", "CZZT,CZZTDM", "--purpose", "account"];
        let more = ["--max-age", "1h", "--key", "request.key", "--out", &request];
        self.bank.ok(&[&asked[..], &more[..]].concat());
        self.bank.copy(&request, &self.holder.at(&request));
        let response = format!("{name}.response");
        self.holder.ok(&["wallet", "present", &request, "--licence", licence, "--yes", "--out", &response]);
        self.holder.copy(&response, &self.bank.at(&response));
    }

    fn check(&self, name: &str) -> (i32, Value) {
        let (response, request) = (format!("{name}.response"), format!("{name}.request"));
        let ended = self.bank.run(&["verify", "check", &response, "--request", &request]);
        (ended.code, ended.json())
    }

    fn act(&self, act: &str, query: &str) -> Ended {
        self.bureau.run(&["licence", act, query, "--key", "issuing.key", "--yes"])
    }

    fn batches(&self) -> usize {
        self.node.chain.lock().unwrap().batches()
    }

    fn intake(&self, intake: Intake) {
        self.node.chain.lock().unwrap().intake = intake;
    }
}

#[test]
fn a_spreadsheet_becomes_licences_that_are_shown_suspended_and_revoked() {
    let office = Office::new(140);
    office.sheet("rows.xlsx", "business-licence", BUSINESS, "20", "2", "1");
    let dry = office.issue("rows.xlsx", BUSINESS, &["--dry-run"]);
    assert_eq!((dry.code, &dry.json()["good"]), (0, &json!(20)));
    assert!(!office.bureau.at("home/register.redb").exists());
    let issued = office.issued("rows.xlsx", BUSINESS, &["--batch", "16"]);
    assert_eq!((&issued["licences"], &issued["copies"]), (&json!(20), &json!(40)));
    assert_eq!((issued["batches"].as_array().unwrap().len(), office.batches()), (3, 3));
    let taken = office.import(&issued);
    assert_eq!(taken.as_array().unwrap().len(), 40);
    let first = taken[0]["id"].as_str().unwrap();
    for name in ["valid", "suspended", "again", "revoked"] {
        office.shown(name, BUSINESS, first);
    }
    let (code, verdict) = office.check("valid");
    assert_eq!((code, &verdict["outcome"]), (0, &json!("valid")), "{verdict}");
    let holder = verdict["licences"][0]["claims"]["CZZTDM"].as_str().unwrap();

    let found = office.bureau.ok(&["licence", "find", holder]).json();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["copies"]), (1, &json!(2)));
    let number = found[0]["number"].as_str().unwrap();
    let suspended = office.act("suspend", number);
    assert_eq!((suspended.code, &suspended.json()["copies_changed"]), (0, &json!(2)), "{suspended:?}");
    assert_eq!((office.check("suspended").0, &office.check("suspended").1["outcome"]), (12, &json!("suspended")));
    assert_eq!(office.act("suspend", number).json()["copies_unchanged"], 2);
    assert_eq!(office.act("reinstate", number).code, 0);
    assert_eq!(office.check("again").0, 0);
    assert_eq!(office.act("revoke", number).code, 0);
    assert_eq!((office.check("revoked").0, &office.check("revoked").1["outcome"]), (12, &json!("revoked")));
    let after = office.act("reinstate", number);
    assert_eq!((after.code, after.error().as_str()), (4, "status_final"));
    let shown = office.bureau.ok(&["licence", "show", number]).json();
    assert_eq!(
        (&shown[0]["copies"][0]["status"], &shown[0]["copies"][1]["status"]),
        (&json!("revoked"), &json!("revoked"))
    );

    let issuer = office.node.chain.lock().unwrap().issuer.to_string();
    let batches = office.bureau.ok(&["licence", "batches", "--issuer", &issuer]).json();
    assert!(batches.as_array().unwrap().iter().all(|batch| batch["known"] == true));
    office.node.chain.lock().unwrap().issue("demo-biz", &[], None);
    let alarm = office.bureau.run(&["licence", "batches", "--issuer", &issuer]);
    assert_eq!((alarm.code, alarm.error().as_str()), (1, "strange_batches"));
}

#[test]
fn a_run_that_was_cut_off_goes_on_and_issues_nothing_twice() {
    let office = Office::new(150);
    office.sheet("rows.csv", "business-licence", BUSINESS, "40", "1", "2");
    office.sheet("other.csv", "business-licence", BUSINESS, "3", "1", "3");
    // Journaled, never sent: the same as a kill between the two.
    office.intake(Intake::BreaksBefore);
    let cut = office.issue("rows.csv", BUSINESS, &["--batch", "16"]);
    assert_eq!((cut.code, cut.error().as_str(), office.batches()), (3, "unreachable", 0));
    let planned = office.bureau.ok(&["licence", "find", "济南"]).json();
    assert_eq!(planned.as_array().unwrap().len(), 16);
    assert!(planned.as_array().unwrap().iter().all(|line| line["anchored"] == false));
    let other = office.issue("other.csv", BUSINESS, &[]);
    assert_eq!((other.code, other.error().as_str()), (1, "run_in_progress"));
    // Sent and committed, but nobody told us.
    office.intake(Intake::BreaksAfter);
    let cut = office.issue("rows.csv", BUSINESS, &["--batch", "16"]);
    assert_eq!((cut.code, office.batches()), (3, 1));
    office.intake(Intake::Works);
    let issued = office.issued("rows.csv", BUSINESS, &["--batch", "16"]);
    assert_eq!((&issued["licences"], office.batches()), (&json!(40), 3));
    let numbers = |list: &Value| -> std::collections::BTreeSet<String> {
        list.as_array().unwrap().iter().map(|line| line["number"].as_str().unwrap().to_owned()).collect()
    };
    let all = office.bureau.ok(&["licence", "find", "济南"]).json();
    assert_eq!(all.as_array().unwrap().len(), 40);
    assert!(numbers(&planned).is_subset(&numbers(&all)), "what was signed before the cut is what was issued");
    assert_eq!(office.import(&issued).as_array().unwrap().len(), 40);
    // The whole file again: every row is in the register.
    let again = office.issue("rows.csv", BUSINESS, &[]);
    assert_eq!((again.code, again.error().as_str(), office.batches()), (1, "rows_bad", 3));
    // The other file is free to be judged now; sample rows of any seed have the same certificate numbers.
    let other = office.issue("other.csv", BUSINESS, &[]);
    assert_eq!((other.code, other.error().as_str()), (1, "rows_bad"));
}

#[test]
fn a_transaction_is_given_up_only_when_no_block_can_hold_it_and_the_log_has_no_batch_of_it() {
    let office = Office::new(190);
    office.intake(Intake::Forgets);
    let mut chain = office.node.chain.lock().unwrap();
    let holder = PublicKey::ed25519([7; 32]);
    chain.issue("demo-biz", &[holder], None);
    let (issuer, key) = (chain.issuer, chain.issuing.public_key().id());
    let record = BatchRecord::from_record(&chain.records()[0]).unwrap();
    drop(chain);
    let vct = Vct { code: record.type_code, version: record.type_version };
    let expected = Expected { issuer, key, vct, root: record.root, count: 1, log_from: 0 };
    let home = kanhe_client::home::Home::new(office.bureau.at("home"));
    let mut follower = Follower::open(&home, vec![NodeClient::new(&office.node.url)]).unwrap();
    let past = TimeMs(now().0 - 1_000);
    let mut settled =
        |expected: &Expected| settle(&mut follower, b"any", &TransactionId([1; 32]), past, Some(expected)).unwrap();
    let found = settled(&expected);
    assert!(matches!(found, Settled::Committed { batch: Some(at), .. } if at.batch == LogIndex(0)), "{found:?}");
    assert_eq!(settled(&Expected { root: Hash([3; 32]), ..expected.clone() }), Settled::Void);
    assert_eq!(settled(&Expected { log_from: 1, ..expected }), Settled::Void);
}

#[test]
fn persons_get_licences_that_show_one_holder() {
    let office = Office::new(160);
    office.sheet("people.csv", "identity-card", IDENTITY, "2", "1", "4");
    let closed = office.issue("people.csv", IDENTITY, &[]);
    assert_eq!((closed.code, closed.error().as_str()), (2, "needs_sealing_key"));
    let issued = office.issued("people.csv", IDENTITY, &["--sealing-key", "sealing.key"]);
    let taken = office.import(&issued);
    let id = taken[0]["id"].as_str().unwrap();
    let claims = office.holder.ok(&["wallet", "show", id]).json()["claims"].clone();
    assert!(claims["kanhe_hb"].as_str().unwrap().len() == 43, "{claims}");
    let holder = claims["CZZTDM"].as_str().unwrap();
    let lost = office.bureau.run(&["licence", "loss", "--holder", holder, "--key", "issuing.key", "--yes"]);
    assert_eq!((lost.code, lost.json()["licences"].as_array().map(Vec::len)), (0, Some(1)), "{lost:?}");
}

#[test]
fn bad_rows_stop_all_or_are_left_out_and_written_to_be_mended() {
    let office = Office::new(170);
    office.sheet("rows.csv", "business-licence", BUSINESS, "4", "1", "5");
    let text = std::fs::read_to_string(office.bureau.at("rows.csv")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // One whose name is missing, one whose application was changed.
    lines[1] = format!(",{}", lines[1].split_once(',').unwrap().1);
    let end = lines[2].len() - 4;
    lines[2].replace_range(end.., "AAAA");
    office.bureau.write("rows.csv", lines.join("\r\n").as_bytes());
    let refused = office.issue("rows.csv", BUSINESS, &[]);
    assert_eq!((refused.code, refused.error().as_str(), office.batches()), (1, "rows_bad", 0));
    assert!(refused.talk.contains("the application cannot be answered"), "{refused:?}");
    let issued = office.issued("rows.csv", BUSINESS, &["--skip-bad"]);
    assert_eq!((&issued["licences"], office.batches()), (&json!(2), 1));
    let folder = std::fs::read_dir(office.bureau.at("out")).unwrap();
    let bad = folder.map(|entry| entry.unwrap().path()).find(|path| path.to_string_lossy().contains("bad-rows"));
    assert_eq!(std::fs::read_to_string(bad.unwrap()).unwrap().lines().count(), 3);
    // Somebody else's key signs nothing here.
    office.bureau.key_file("stranger.key", KeyFileRole::Issuing, &[9; 32]);
    let ended =
        office.bureau.run(&["licence", "issue", "rows.csv", "--type", BUSINESS, "--key", "stranger.key", "--yes"]);
    assert_eq!((ended.code, ended.error().as_str()), (2, "issuer_unknown"));
}

#[test]
fn a_template_can_be_filled_in_and_its_example_is_not_issued() {
    let office = Office::new(180);
    for name in ["template.xlsx", "template.csv"] {
        office.bureau.ok(&["licence", "template", "--type", BUSINESS, "--out", name]);
        let ended = office.issue(name, BUSINESS, &["--dry-run"]);
        assert_eq!((ended.code, &ended.json()["good"], &ended.json()["bad"]), (1, &json!(0), &json!(1)), "{ended:?}");
    }
}

#[test]
fn a_run_ends_only_when_its_deliveries_are_written() {
    let office = Office::new(240);
    office.sheet("rows.csv", "business-licence", BUSINESS, "2", "1", "1");
    // Nobody can make a file there, so the run stops after its batch is on the chain.
    let acting = ["licence", "issue", "rows.csv", "--type", BUSINESS, "--key", "issuing.key", "--yes", "--out"];
    let stopped = office.bureau.run(&[&acting[..], &["/proc/self"]].concat());
    assert_eq!((stopped.code, stopped.error().as_str(), office.batches()), (1, "file_not_written", 1), "{stopped:?}");
    let issued = office.issued("rows.csv", BUSINESS, &[]);
    assert_eq!((office.batches(), office.import(&issued).as_array().unwrap().len()), (1, 2));
}
