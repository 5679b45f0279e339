//! Nodes that lie. What depends on their word is never `valid` by a lie, and no licence is ever called revoked by one.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use kanhe_client::sample::Subject;
use kanhe_proto::codec;
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::hash::Hash;
use kanhe_proto::response::PATH_BYTES_MAX;
use kanhe_tests::dice::Dice;
use kanhe_tests::liar::{Liar, Lie};
use kanhe_tests::load::Sender;
use kanhe_tests::network::Network;
use kanhe_tests::person::{Ended, Person};
use serde_json::Value;

const TYPE: &str = "DEMOYYZZ001";
const HEARTBEAT_MS: u64 = 1_000;
const MAX_AGE: Duration = Duration::from_secs(4);
const READY: Duration = Duration::from_secs(60);
/// Times that each of the random lies is told.
const TIMES: usize = 25;

/// A network, a company with two licences of which one was revoked, and a bank.
struct Scene {
    network: Network,
    other: Network,
    company: Person,
    bureau: Person,
    bank: Person,
    liar: Liar,
    /// Names in the company's list, and holders' codes: the good one and the revoked one.
    good: Licence,
    revoked: Licence,
}

struct Licence {
    name: String,
    code: String,
    evidence: String,
}

/// Issues the rows to the company's applications, and takes them in.
fn licences(network: &Network, company: &Person, bureau: &Person) -> Vec<Licence> {
    company.ok(&["wallet", "init"]);
    let issuer = network.bureau(0).uscc.to_string();
    company.ok(&["wallet", "apply", "--type", TYPE, "--issuer", &issuer, "--count", "2", "--out", "applications"]);
    company.give("applications", bureau);
    bureau.ok(&[
        "sample",
        "--type",
        "business-licence",
        "--count",
        "2",
        "--applications",
        "applications",
        "--out",
        "a.csv",
    ]);
    let key = network.bureau(0).issuing_key.to_str().unwrap();
    bureau.ok(&["licence", "issue", "a.csv", "--type", TYPE, "--key", key, "--out", "issued"]);
    let codes = Subject::BusinessLicence.rows(1, 2).into_iter().map(|row| row[2].clone());
    codes.map(|code| take_in(&code, company, bureau)).collect()
}

fn take_in(code: &str, company: &Person, bureau: &Person) -> Licence {
    let before = names(company);
    bureau.ok(&["licence", "show", code, "--delivery", "delivery.json"]);
    bureau.give("delivery.json", company);
    company.ok(&["wallet", "import", "delivery.json"]);
    let name = names(company).into_iter().find(|name| !before.contains(name)).unwrap();
    let digest = bureau.ok(&["licence", "show", code]).json()[0]["copies"][0]["digest"].clone();
    let delivery: Value = serde_json::from_slice(&std::fs::read(company.at("delivery.json")).unwrap()).unwrap();
    let path = BASE64URL_NOPAD.decode(delivery["path"].as_str().unwrap().as_bytes()).unwrap();
    let path: LicencePath = codec::decode(&path, PATH_BYTES_MAX).unwrap();
    let evidence = format!("/v1/evidence/{}/{}", path.batch, digest.as_str().unwrap());
    Licence { name, code: code.to_owned(), evidence }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn names(company: &Person) -> Vec<String> {
    let list = company.ok(&["wallet", "list"]).json();
    list.as_array().unwrap().iter().map(|licence| text_of(&licence["id"])).collect()
}

impl Scene {
    fn new() -> Self {
        let mut network = Network::found(4, HEARTBEAT_MS);
        network.start_fast();
        network.start_all();
        let mut other = Network::found(4, HEARTBEAT_MS);
        other.start_fast();
        other.start_all();
        network.wait_ready(READY);
        other.wait_ready(READY);
        let node = network.api(1).to_owned();
        let company = Person::new(&node);
        let bureau = Person::at_desk(&node, &network.bureau(0).passphrase_file);
        let bank = Person::at_desk(&node, &network.description.bank.passphrase_file);
        [&company, &bureau, &bank].into_iter().for_each(|person| person.pin(&network));
        let [good, revoked] = licences(&network, &company, &bureau).try_into().ok().unwrap();
        let liar = Liar::before(&node, Dice::of_test("lies", 5));
        Self { network, other, company, bureau, bank, liar, good, revoked }
    }

    fn change(&self, change: &str, licence: &Licence) {
        let key = self.network.bureau(0).issuing_key.to_str().unwrap();
        self.bureau.ok(&["licence", change, &licence.code, "--key", key]);
    }

    /// The bank asks and the company answers with the evidence that it has, which is too old by the end of this.
    fn present(&self, name: &str, licence: &Licence) {
        let (request, response) = (format!("{name}.request"), format!("{name}.response"));
        let bank = &self.network.description.bank;
        let max_age = format!("{}s", MAX_AGE.as_secs());
        let asked =
            ["verify", "request", "--type", TYPE, "--claims", "CZZT", "--purpose", "loan", "--max-age", &max_age];
        self.bank.ok(&[&asked[..], &["--key", bank.request_key.to_str().unwrap(), "--out", &request]].concat());
        self.bank.give(&request, &self.company);
        self.company.ok(&["wallet", "present", &request, "--licence", &licence.name, "--out", &response]);
        self.company.give(&response, &self.bank);
        let until = Instant::now() + MAX_AGE + Duration::from_secs(1);
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn check(&self, name: &str, node: &str) -> Ended {
        let (request, response) = (format!("{name}.request"), format!("{name}.response"));
        self.bank.run(&["verify", "check", &response, "--request", &request, "--node", node])
    }

    fn lies(&self) -> Vec<(Lie, usize)> {
        vec![
            (Lie::OtherChain(self.other.api(0).to_owned()), 1),
            (Lie::Older, 1),
            (Lie::Portal, 1),
            (Lie::Denies, 1),
            (Lie::Swapped(self.revoked.evidence.clone()), 1),
            (Lie::Swapped(self.good.evidence.clone()), 1),
            (Lie::Truncated, TIMES),
            (Lie::BrokenOff, TIMES / 5),
            (Lie::Flipped, TIMES),
            (Lie::FlippedInside, 4 * TIMES),
            (Lie::CutInside, TIMES),
        ]
    }
}

/// What a check said, if it came to a verdict at all.
fn outcome(ended: &Ended) -> String {
    match ended.code {
        0 | 10 | 11 | 12 => text_of(&ended.json()["outcome"]),
        _ => String::new(),
    }
}

#[test]
fn no_lie_makes_a_licence_valid_or_revoked() {
    let scene = Scene::new();
    let lying = scene.liar.url.clone();
    // The other chain knows the same batch under the same number: only its header differs.
    let root = Hash([7; 32]);
    for network in [&scene.network, &scene.other] {
        let batch = Sender::of(network).batch(root, 1);
        let url = format!("{}/v1/transactions", network.api(0));
        assert_eq!(network.http.post(&url, "application/octet-stream", &batch.to_bytes()).unwrap().0, 202);
    }

    // Everything that is asked later is asked once in truth, so that older answers can be given.
    scene.change("revoke", &scene.revoked);
    let honest = Person::at_desk(&lying, &scene.network.description.bank.passphrase_file);
    honest.pin(&scene.network);
    for evidence in [&scene.good.evidence, &scene.revoked.evidence] {
        assert_eq!(scene.network.http.get(&format!("{lying}{evidence}")).unwrap().0, 200, "{evidence}");
    }
    scene.company.ok(&["wallet", "refresh", "--node", &lying]);
    scene.company.ok(&["trust", "update", "--node", &lying]);

    a_good_licence_stays_undecided(&scene, &lying);
    a_suspended_licence_never_passes(&scene, &lying);
    the_wallet_believes_no_lie(&scene, &lying);
    no_lie_gets_into_an_exported_log(&scene, &lying);
    assert!(scene.liar.asked() > 100, "the liar was asked {} times only", scene.liar.asked());
}

/// Stapled evidence is too old, so that only a node's word could make it valid.
fn a_good_licence_stays_undecided(scene: &Scene, lying: &str) {
    scene.present("good", &scene.good);
    let truth = Lie::Swapped(scene.good.evidence.clone());
    for (lie, times) in scene.lies() {
        scene.liar.tell(lie.clone());
        // Its own evidence is no lie, and a verdict stands.
        for _ in 0..if lie == truth { 0 } else { times } {
            let ended = scene.check("good", lying);
            assert_eq!((ended.code, outcome(&ended).as_str()), (11, "undecided"), "{lie:?}: {ended:?}");
        }
    }
    // Control: the truth is enough.
    scene.liar.tell(Lie::None);
    let ended = scene.check("good", lying);
    assert_eq!((ended.code, outcome(&ended).as_str()), (0, "valid"), "{ended:?}");
}

fn a_suspended_licence_never_passes(scene: &Scene, lying: &str) {
    scene.company.ok(&["wallet", "refresh"]);
    scene.present("suspended", &scene.good);
    scene.change("suspend", &scene.good);
    let truth = Lie::Swapped(scene.good.evidence.clone());
    for (lie, times) in scene.lies() {
        scene.liar.tell(lie.clone());
        for _ in 0..if lie == truth { 0 } else { times } {
            let ended = scene.check("suspended", lying);
            assert_eq!((ended.code, outcome(&ended).as_str()), (11, "undecided"), "{lie:?}: {ended:?}");
        }
    }
    scene.liar.tell(Lie::None);
    let ended = scene.check("suspended", lying);
    assert_eq!((ended.code, outcome(&ended).as_str()), (12, "suspended"), "{ended:?}");
    scene.change("reinstate", &scene.good);
}

/// Whatever a lying node answers to `refresh` and `update`, the wallet's list stays true.
fn the_wallet_believes_no_lie(scene: &Scene, lying: &str) {
    scene.liar.tell(Lie::None);
    scene.company.ok(&["wallet", "refresh", "--node", lying]);
    for (lie, times) in scene.lies() {
        scene.liar.tell(lie.clone());
        // Opening a wallet takes its time.
        for _ in 0..times.min(4) {
            scene.company.run(&["wallet", "refresh", "--node", lying]);
        }
        let list = scene.company.ok(&["wallet", "list"]).json();
        for licence in list.as_array().unwrap() {
            let is_revoked = text_of(&licence["id"]) == scene.revoked.name;
            let expected = if is_revoked { "revoked" } else { "active" };
            assert_eq!(licence["standing"]["status"], expected, "{lie:?}: {licence}");
        }
    }
    scene.liar.tell(Lie::OtherChain(scene.other.api(0).to_owned()));
    let ended = scene.company.run(&["trust", "update", "--node", lying]);
    assert_ne!(ended.code, 0, "{ended:?}");
    scene.liar.tell(Lie::Older);
    let ended = scene.company.run(&["trust", "update", "--node", lying]);
    assert_ne!(ended.code, 0, "{ended:?}");
}

/// The lines of an export that hold records.
fn records(person: &Person, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(person.at(file)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("record").is_some()).collect()
}

/// Whatever a lying node answers, an export holds what the chain has, or it is not made; with an honest node beside it is.
fn no_lie_gets_into_an_exported_log(scene: &Scene, lying: &str) {
    scene.liar.tell(Lie::None);
    let done = scene.bank.ok(&["audit", "log", "--out", "truth.jsonl", "--node", lying]).json();
    let (mut truth, to) = (records(&scene.bank, "truth.jsonl"), done["to_height"].to_string());
    truth.retain(|line| line["record"]["height"].as_u64() != Some(1));
    assert!(!truth.is_empty(), "{done}");
    let both = format!("{lying},{}", scene.network.api(1));
    for (place, (lie, times)) in scene.lies().into_iter().enumerate() {
        scene.liar.tell(lie.clone());
        for time in 0..times.min(3) {
            for (nodes, alone) in [(lying, true), (&both, false)] {
                let file = format!("log-{place}-{time}-{alone}.jsonl");
                let words = ["audit", "log", "--from", "2", "--to", &to, "--out", &file, "--node", nodes];
                let ended = scene.bank.run(&words);
                assert!(alone || ended.code == 0, "{lie:?}: {ended:?}");
                if ended.code == 0 {
                    assert_eq!(records(&scene.bank, &file), truth, "{lie:?}");
                    assert_eq!(scene.bank.run(&["audit", "verify", &file]).code, 0, "{lie:?}");
                }
            }
        }
    }
}
