//! From pin to receipt: the command against a chain in memory, every proof real.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod account;
mod audit;
mod case;
mod desk;
mod governance;
mod issuer;
mod item;
mod refusals;
mod service;
mod support;
mod wallet;

use kanhe_proto::application::Application;
use kanhe_proto::hash::LicenceDigest;
use kanhe_proto::sd_jwt::holder_binding;
use kanhe_proto::status::Status;
use kanhe_proto::text;
use serde_json::{Value, json};

use support::chain::{Chain, Handed, now};
use support::command::Home;
use support::server::Node;

/// A network with a holder who has one business licence in two copies, and a bank that may ask.
pub struct Scene {
    node: Node,
    holder: Home,
    bank: Home,
    digests: Vec<LicenceDigest>,
}

fn delivery(handed: &[Handed]) -> Vec<u8> {
    let list: Vec<Value> =
        handed.iter().map(|one| json!({ "sd_jwt": one.sd_jwt, "path": text::base64url(&one.path) })).collect();
    serde_json::to_vec(&list).unwrap()
}

impl Scene {
    fn new(seed: u8) -> Self {
        let chain = Chain::new(seed);
        let node = Node::serve(chain);
        let (holder, bank) = (Home::new(Some(&node.url)), Home::new(Some(&node.url)));
        let id = node.chain.lock().unwrap().genesis.chain_id().to_string();
        for home in [&holder, &bank] {
            home.ok(&["trust", "pin", "--chain-id", &id]);
        }
        holder.ok(&["wallet", "init"]);
        let mut scene = Self { node, holder, bank, digests: Vec::new() };
        scene.licence("demo-biz");
        let key = scene.node.chain.lock().unwrap().bank_key.clone();
        scene.bank.request_key(&key);
        scene
    }

    fn licence(&mut self, code: &str) {
        let issuer = self.node.chain.lock().unwrap().issuer.to_string();
        let applied = self.holder.ok(&["wallet", "apply", "--type", code, "--issuer", &issuer, "--copies", "2"]).json();
        let line = applied[0]["application"].as_str().unwrap().to_owned();
        let mut chain = self.node.chain.lock().unwrap();
        let chain_id = chain.genesis.chain_id();
        let application = Application::verify(&line, &chain_id, &chain.issuer.clone(), now()).unwrap();
        let hb = application.secret.as_ref().map(|_| {
            let secret = application.open_secret(&chain.sealing).unwrap();
            holder_binding(&secret, "RESIDENT", "11010519491231002X")
        });
        let handed = chain.issue(code, &application.keys, hb.as_deref());
        drop(chain);
        self.digests.extend(handed.iter().map(|one| one.digest));
        self.holder.write("delivery.json", &delivery(&handed));
        self.holder.ok(&["wallet", "import", "delivery.json"]);
    }

    /// The bank asks, the holder answers; both files lie in the bank's folder.
    fn present(&self, name: &str, max_age: &str) {
        let request = format!("{name}.request");
        let asked = ["verify", "request", "--type", "demo-biz", "--claims", "ZZMC", "--purpose", "account"];
        let more = ["--max-age", max_age, "--key", "request.key", "--out", &request];
        self.bank.ok(&[&asked[..], &more[..]].concat());
        self.bank.copy(&request, &self.holder.at(&request));
        let response = format!("{name}.response");
        self.holder.ok(&["wallet", "present", &request, "--yes", "--out", &response]);
        self.holder.copy(&response, &self.bank.at(&response));
    }

    fn check(&self, name: &str, more: &[&str]) -> support::command::Ended {
        let (response, request) = (format!("{name}.response"), format!("{name}.request"));
        let words = ["verify", "check", &response, "--request", &request];
        self.bank.run(&[&words[..], more].concat())
    }
}

#[test]
fn a_licence_goes_from_application_to_receipt() {
    let scene = Scene::new(10);
    let listed = scene.holder.ok(&["wallet", "list"]).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["standing"]["status"]), (2, &json!("active")));
    scene.present("one", "1h");
    let checked = scene.check("one", &["--receipt", "one.receipt"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let verdict = checked.json();
    assert_eq!(verdict["outcome"], "valid");
    assert_eq!(verdict["licences"][0]["claims"], json!({ "ZZMC": "济南泉城软件有限公司" }));
    assert_eq!(verdict["licences"][0]["issuer"]["names"]["zh"], "济南高新区市场监管局");

    let rechecked = scene.bank.ok(&["verify", "recheck", "one.receipt"]).json();
    assert_eq!((&rechecked["outcome"], &rechecked["same_as_receipt"]), (&json!("valid"), &json!(true)));

    let log = scene.holder.ok(&["wallet", "log"]).json();
    assert_eq!(log[0]["names"]["zh"], "泉城银行");
    assert_eq!(log[0]["licences"][0]["claims"], json!([["ZZMC"]]));
    // The copy that was not shown yet comes next, so that the two showings cannot be linked.
    scene.present("two", "1h");
    let log = scene.holder.ok(&["wallet", "log"]).json();
    assert_ne!(log[0]["licences"][0]["digest"], log[1]["licences"][0]["digest"]);
}

#[test]
fn the_same_bytes_again_get_the_same_verdict_and_others_are_a_replay() {
    let scene = Scene::new(20);
    scene.present("one", "1h");
    assert_eq!(scene.check("one", &[]).code, 0);
    let again = scene.check("one", &["--offline"]).json();
    assert_eq!(again["outcome"], "valid");
    assert!(again["checked_before"].is_u64());
    let response = std::fs::read(scene.bank.at("one.response")).unwrap();
    scene.bank.write("one.response", &[&response[..], b" "].concat());
    let replay = scene.check("one", &[]);
    assert_eq!((replay.code, &replay.json()["code"]), (10, &json!("replayed")));
}

#[test]
fn garbage_does_not_use_a_nonce_up() {
    let scene = Scene::new(30);
    scene.present("one", "1h");
    let response = std::fs::read(scene.bank.at("one.response")).unwrap();
    scene.bank.write("one.response", b"{}");
    assert_eq!(scene.check("one", &[]).code, 10);
    scene.bank.write("one.response", &response);
    assert_eq!(scene.check("one", &[]).code, 0);
}

#[test]
fn fresh_evidence_tells_of_a_suspension_and_the_old_says_as_of_when() {
    let scene = Scene::new(40);
    // The wallet shows its newer copies first if both are unshown: suspend both.
    scene.present("online", "1h");
    scene.present("offline", "1h");
    for digest in &scene.digests {
        scene.node.chain.lock().unwrap().set_status(digest, Status::Suspended);
    }
    let online = scene.check("online", &[]);
    assert_eq!((online.code, &online.json()["outcome"]), (12, &json!("suspended")));
    let offline = scene.check("offline", &["--offline"]);
    assert_eq!((offline.code, &offline.json()["outcome"]), (0, &json!("valid")));
    for digest in &scene.digests {
        scene.node.chain.lock().unwrap().set_status(digest, Status::Revoked);
    }
    scene.holder.ok(&["wallet", "refresh"]);
    scene.present("revoked", "1h");
    let revoked = scene.check("revoked", &["--offline"]);
    assert_eq!((revoked.code, &revoked.json()["outcome"]), (12, &json!("revoked")));
}

#[test]
fn without_network_old_evidence_is_undecided_and_shows_no_claims() {
    let mut scene = Scene::new(50);
    scene.holder.ok(&["wallet", "refresh"]);
    scene.present("one", "10s");
    std::thread::sleep(std::time::Duration::from_secs(11));
    scene.bank.node = Some("http://127.0.0.1:1".to_owned());
    let checked = scene.check("one", &[]);
    let verdict = checked.json();
    assert_eq!((checked.code, &verdict["code"]), (11, &json!("stale")), "{checked:?}");
    assert_eq!(verdict["licences"][0]["status"], "active");
    assert!(verdict["licences"][0].get("claims").is_none());
    assert!(scene.check("one", &["--show-claims"]).data.contains("济南泉城软件有限公司"));
}

#[test]
fn a_lying_node_changes_nothing() {
    let scene = Scene::new(60);
    scene.present("one", "1h");
    // Another chain's node: its evidence is not believed, the stapled one is.
    let other = Node::serve(Chain::new(70));
    let node = scene.bank.node.clone();
    let bank = Home { node: Some(other.url.clone()), ..scene.bank };
    let scene = Scene { bank, ..scene };
    let checked = scene.check("one", &[]);
    assert_eq!((checked.code, &checked.json()["outcome"]), (0, &json!("valid")), "{checked:?}");
    // A node that lags behind what is known is not believed either, and the next one is asked.
    scene.node.chain.lock().unwrap().lag_ms = 600_000;
    let ended = scene.bank.run(&["trust", "update", "--node", &node.unwrap()]);
    assert_eq!((ended.code, ended.error().as_str()), (3, "rollback"));
}

#[test]
fn an_asker_must_be_registered_and_may_not_ask_beyond_its_right() {
    let scene = Scene::new(80);
    let stranger = kanhe_proto::key::SecretKey::from_seed([99; 32]);
    let bank = scene.node.chain.lock().unwrap().bank.to_string();
    scene.bank.request_key(&stranger);
    let asked = ["verify", "request", "--type", "demo-biz", "--claims", "ZZMC", "--purpose", "account"];
    let more = ["--max-age", "1h", "--key", "request.key", "--out", "bad.request"];
    // The bank's name with another key: the signature is wrong.
    scene.bank.ok(&[&asked[..], &more[..], &["--as", &bank]].concat());
    scene.bank.copy("bad.request", &scene.holder.at("bad.request"));
    let ended = scene.holder.run(&["wallet", "present", "bad.request", "--yes", "--allow-unknown"]);
    assert_eq!((ended.code, ended.error().as_str()), (10, "request_signature_wrong"));
    // Somebody whom the registry does not have.
    let nobody = kanhe_proto::identifiers::Uscc::with_check("91370100MA3C8XYT1").unwrap().to_string();
    scene.bank.ok(&[&asked[..], &more[..], &["--as", &nobody]].concat());
    scene.bank.copy("bad.request", &scene.holder.at("bad.request"));
    let ended = scene.holder.run(&["wallet", "present", "bad.request", "--yes"]);
    assert_eq!((ended.code, ended.error().as_str()), (10, "asker_not_registered"));
    assert_eq!(scene.holder.run(&["wallet", "present", "bad.request", "--yes", "--allow-unknown"]).code, 0);
    // A claim and a purpose beyond the right: the bank's own command says so first.
    let key = scene.node.chain.lock().unwrap().bank_key.clone();
    scene.bank.request_key(&key);
    let beyond = ["verify", "request", "--type", "demo-biz", "--claims", "secret", "--purpose", "account"];
    let ended = scene.bank.run(&[&beyond[..], &more[..]].concat());
    assert_eq!((ended.code, ended.error().as_str()), (2, "beyond_right"));
    // Nobody is there to say yes.
    scene.present("one", "1h");
    let ended = scene.holder.run(&["wallet", "present", "one.request"]);
    assert_eq!((ended.code, ended.error().as_str()), (2, "needs_yes"));
}

#[test]
fn two_licences_of_one_person_show_that_and_no_id_number() {
    let mut scene = Scene::new(90);
    scene.licence("demo-id");
    scene.licence("demo-id");
    let asked = ["verify", "request", "--type", "demo-id", "--claims", "ZZMC", "--type", "demo-id", "--claims", "ZZMC"];
    let more =
        ["--same-holder", "--purpose", "account", "--max-age", "1h", "--key", "request.key", "--out", "two.request"];
    scene.bank.ok(&[&asked[..], &more[..]].concat());
    scene.bank.copy("two.request", &scene.holder.at("two.request"));
    scene.holder.ok(&["wallet", "present", "two.request", "--yes", "--out", "two.response"]);
    scene.holder.copy("two.response", &scene.bank.at("two.response"));
    let checked = scene.check("two", &[]);
    assert_eq!((checked.code, &checked.json()["outcome"]), (0, &json!("valid")), "{checked:?}");
    assert!(!checked.data.contains("11010519491231002X"));
}

#[test]
fn foreign_and_altered_licences_are_not_taken_in() {
    let scene = Scene::new(100);
    let mut chain = scene.node.chain.lock().unwrap();
    let foreign = kanhe_proto::key::Signer::public_key(&kanhe_proto::key::SecretKey::from_seed([7; 32]));
    let handed = chain.issue("demo-biz", &[foreign], None);
    drop(chain);
    scene.holder.write("foreign.json", &delivery(&handed));
    let ended = scene.holder.run(&["wallet", "import", "foreign.json"]);
    assert_eq!((ended.code, ended.error().as_str()), (10, "not_our_key"));
    let list: Vec<Value> = serde_json::from_slice(&std::fs::read(scene.holder.at("delivery.json")).unwrap()).unwrap();
    let mut swapped = list.clone();
    swapped[0]["path"] = list[1]["path"].clone();
    scene.holder.write("swapped.json", &serde_json::to_vec(&swapped).unwrap());
    let ended = scene.holder.run(&["wallet", "import", "swapped.json"]);
    assert_eq!((ended.code, ended.error().as_str()), (10, "not_anchored"));
}

#[test]
fn a_home_holds_one_chain_and_a_backup_says_what_it_lacks() {
    let mut scene = Scene::new(110);
    let other = Node::serve(Chain::new(120));
    let id = other.chain.lock().unwrap().genesis.chain_id().to_string();
    let ended = scene.holder.run(&["trust", "pin", "--node", &other.url, "--chain-id", &id]);
    assert_eq!((ended.code, ended.error().as_str()), (1, "pinned_other"));
    let wrong = scene.holder.run(&["trust", "pin", "--chain-id", &id]);
    assert_eq!((wrong.code, wrong.error().as_str()), (1, "other_chain"));

    scene.holder.ok(&["wallet", "backup", "wallet.backup"]);
    scene.licence("demo-id");
    let ended = scene.holder.run(&["wallet", "restore", "wallet.backup"]);
    assert_eq!((ended.code, ended.error().as_str()), (1, "backup_older"));
    let restored = scene.holder.ok(&["wallet", "restore", "wallet.backup", "--older"]).json();
    assert_eq!((&restored["licences"], restored["lacking"].as_array().unwrap().len()), (&json!(2), 2));
}

#[test]
fn an_empty_home_says_what_to_do() {
    let home = Home::new(None);
    let ended = home.run(&["wallet", "list"]);
    assert_eq!((ended.code, ended.error().as_str()), (1, "no_wallet"));
    let ended = home.run(&["trust", "show"]);
    assert_eq!((ended.code, ended.error().as_str()), (1, "not_pinned"));
    assert_eq!(home.ok(&["status"]).json()["wallet"], false);
    assert_eq!(home.run(&["trust", "nonsense"]).code, 2);
    assert!(!home.at("home").exists(), "nothing is made before something is written");
}

#[test]
fn a_request_that_was_swept_is_not_known_and_its_response_not_judged_twice() {
    let scene = Scene::new(68);
    scene.present("one", "1h");
    assert_eq!(scene.check("one", &["--receipt", "one.receipt"]).code, 0);
    let none = json!({ "requests": 0, "verdicts": 0, "receipts": 0 });
    assert_eq!(scene.bank.ok(&["verify", "sweep", "--receipts-older", "3650d"]).json(), none);
    assert_eq!(scene.check("one", &[]).json()["outcome"], "valid", "it is remembered");
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 3600);
    for folder in ["requests", "spent"] {
        for entry in std::fs::read_dir(scene.bank.at("home/verifier").join(folder)).unwrap() {
            std::fs::File::open(entry.unwrap().path()).unwrap().set_modified(past).unwrap();
        }
    }
    let swept = scene.bank.ok(&["verify", "sweep"]).json();
    assert_eq!(swept, json!({ "requests": 1, "verdicts": 1, "receipts": 0 }));
    let late = scene.check("one", &[]);
    assert_eq!((late.code, late.error().as_str()), (1, "request_not_own"));
    assert_eq!(scene.bank.ok(&["verify", "recheck", "one.receipt"]).json()["same_as_receipt"], true);
}

#[test]
fn the_command_names_and_prints_its_schemas() {
    let scene = Scene::new(62);
    assert_eq!(scene.bank.ok(&["chain", "status"]).json()["proved"], true);
    assert!(scene.bank.ok(&["trust", "update"]).json()["to"].is_u64());
    let names = scene.bank.run_with(&["schema"], false).data;
    assert!(names.lines().count() > 25 && names.lines().any(|name| name == "error"), "{names}");
    let printed = scene.bank.run_with(&["schema", "status"], false).data;
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schemas/status.json");
    assert_eq!(printed, std::fs::read_to_string(kept).unwrap());
    let ended = scene.bank.run(&["schema", "nope"]);
    assert_eq!((ended.code, ended.error().as_str()), (2, "no_schema"));
}

#[test]
fn people_get_words_in_their_language() {
    let scene = Scene::new(130);
    scene.present("one", "1h");
    let response = ["verify", "check", "one.response", "--request", "one.request", "--lang", "zh"];
    let told = scene.bank.run_with(&response, false);
    assert!(told.data.starts_with("有效（截至 ") && told.data.contains("济南高新区市场监管局"), "{told:?}");
    let shown = scene.holder.run_with(&["wallet", "list"], false);
    assert!(shown.data.contains("Market Regulation Bureau") && shown.data.contains("active as of"), "{shown:?}");
    let asked = scene.holder.run_with(&["wallet", "present", "one.request"], false);
    assert!(asked.talk.contains("Spring City Bank") && asked.talk.contains("Opening an account"), "{asked:?}");
    assert!(asked.talk.contains("ZZMC: 济南泉城软件有限公司") && !asked.talk.contains("经十路"), "{asked:?}");
    assert_eq!(asked.code, 2);
    let did = scene.bank.ok(&["trust", "show"]).json()["chain"].as_str().unwrap().to_owned();
    let issuer = scene.node.chain.lock().unwrap().issuer;
    let jwk = scene.bank.ok(&["trust", "issuer-jwk", &format!("did:kanhe:{did}:{issuer}")]).json();
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&json!("OKP"), &json!("Ed25519")));
}
