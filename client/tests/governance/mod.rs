//! Governance by the command, against a chain in memory: proposed, voted on also without a node, decided.

use kanhe_proto::governance::FOUNDING;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::registry::{KeyEntry, KeyRole, Membership, Parameters, RegistryRecord};
use serde_json::{Value, json};

use crate::support::chain::Chain;
use crate::support::command::{Ended, Home};
use crate::support::server::Node;

mod files;
mod keys;
mod trust;

const NEWCOMER_FIRST: &str = "11370100MB2858171";

/// Three bureaus, each with a home and its governance key.
struct Consortium {
    node: Node,
    bureaus: Vec<(Uscc, Home)>,
}

impl Consortium {
    fn new(seed: u8) -> Self {
        let (chain, secrets) = Chain::of_three(seed);
        let genesis = chain.genesis.to_bytes();
        let node = Node::serve(chain);
        let office = |(uscc, secret): (Uscc, [u8; 32])| {
            let home = Home::new(Some(&node.url));
            home.write("genesis", &genesis);
            home.ok(&["trust", "pin", "--genesis", "genesis"]);
            home.key_file("gov.key", KeyFileRole::Governance, &secret);
            (uscc, home)
        };
        let bureaus = secrets.into_iter().map(office).collect();
        Self { node, bureaus }
    }

    fn home(&self, place: usize) -> &Home {
        &self.bureaus[place].1
    }
    fn uscc(&self, place: usize) -> String {
        self.bureaus[place].0.to_string()
    }

    /// A command of a bureau's officer.
    fn gov(&self, place: usize, words: &[&str]) -> Ended {
        self.home(place).run(&[&["gov"], words, &["--key", "gov.key", "--yes"]].concat())
    }
    fn ok(&self, place: usize, words: &[&str]) -> Value {
        let ended = self.gov(place, words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        ended.json()["proposals"][0].clone()
    }

    /// A bureau that wants to join, with its card in the first bureau's home.
    fn card(&self) -> (Uscc, Home) {
        let uscc = Uscc::with_check(NEWCOMER_FIRST).unwrap();
        let home = Home::new(Some(&self.node.url));
        self.home(0).copy("genesis", &home.at("genesis"));
        home.ok(&["trust", "pin", "--genesis", "genesis"]);
        for (name, role, secret) in [
            ("gov.key", KeyFileRole::Governance, 101),
            ("validator.key", KeyFileRole::Validator, 102),
            ("sealing.key", KeyFileRole::Sealing, 103),
        ] {
            home.key_file(name, role, &[secret; 32]);
        }
        let keys = ["--key", "gov.key", "--key", "validator.key", "--key", "sealing.key"];
        let who = ["--as", &uscc.to_string(), "--zh", "新部门", "--en", "New bureau", "--region", "370100"];
        let card = home.ok(&[&["gov", "card", "new"], &keys[..], &who[..], &["--out", "card.json"]].concat()).json();
        assert_eq!((&card["for"], &card["keys"][1]["proved"]), (&json!("pinned"), &json!(true)), "{card}");
        assert_eq!((&card["keys"][2]["role"], &card["keys"][2]["proved"]), (&json!("sealing"), &json!(false)));
        home.copy("card.json", &self.home(0).at("card.json"));
        (uscc, home)
    }

    fn registry<T: RegistryRecord>(&self, id: &T::Id) -> Option<T> {
        let registry = self.node.chain.lock().unwrap().registry_now();
        registry.get(&T::key_of(id)).map(|value| T::from_value(value).unwrap())
    }
}

#[test]
fn a_bureau_is_admitted_by_votes_of_which_one_was_made_without_a_node() {
    let consortium = Consortium::new(1);
    let (newcomer, _home) = consortium.card();
    let dry = consortium.gov(0, &["propose", "admit", "card.json", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    let dry = dry.json();
    assert_eq!((&dry["state"], &dry["decided_by"]), (&json!("draft"), &json!("constitution")), "{dry}");
    assert_eq!((&dry["count"]["needed"], &dry["effects"]["unproven"]), (&json!(3), &json!(true)));
    let kinds: Vec<&str> =
        dry["effects"]["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "key").count(), 3, "{kinds:?}");
    assert!(consortium.home(0).ok(&["gov", "list"]).json()["proposals"].as_array().unwrap().is_empty());

    let made = consortium.ok(0, &["propose", "admit", "card.json", "--note", "they issue deeds"]);
    assert_eq!((&made["state"], &made["missing"]), (&json!("open"), &json!(2)), "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let listed = consortium.home(1).ok(&["gov", "list"]).json();
    assert_eq!((&listed["proposals"][0]["id"], &listed["proposals"][0]["yes"]), (&json!(id), &json!(1)));
    let shown = consortium.home(1).run_with(&["gov", "show", &id], false);
    for word in ["New bureau", "they issue deeds", "not proved", "2 more", "Market Regulation Bureau"] {
        assert!(shown.data.contains(word), "{word}: {}", shown.data);
    }
    let chinese = consortium.home(1).run_with(&["gov", "show", &id, "--lang", "zh"], false);
    assert!(chinese.data.contains("接纳 新部门") && chinese.data.contains("未经证明"), "{}", chinese.data);

    let voted = consortium.ok(1, &["vote", &id, "yes"]);
    assert_eq!((&voted["state"], &voted["missing"]), (&json!("open"), &json!(1)), "{voted}");
    // The third votes on a machine that reaches no node, on what it reads in a file.
    let written = consortium.gov(1, &["vote", &id, "yes", "--out", "carried.json"]);
    assert_eq!(written.code, 0, "{written:?}");
    consortium.home(1).copy("carried.json", &consortium.home(2).at("carried.json"));
    let alone = ["--node", "http://127.0.0.1:1"];
    let shown = consortium.home(2).run_with(&[&["gov", "show", "carried.json"], &alone[..]].concat(), false);
    assert!(shown.code == 0 && shown.data.contains("New bureau"), "{shown:?}");
    let voted = consortium.gov(2, &[&["vote", "carried.json", "yes", "--out", "vote.json"], &alone[..]].concat());
    assert_eq!((voted.code, voted.json()["votes"].as_array().unwrap().len()), (0, 2), "{voted:?}");
    consortium.home(2).copy("vote.json", &consortium.home(0).at("vote.json"));
    let decided = consortium.ok(0, &["submit", "vote.json"]);
    assert_eq!((&decided["state"], &decided["missing"]), (&json!("decided"), &json!(0)), "{decided}");
    let members: Membership = consortium.registry(&()).unwrap();
    assert!(members.bureaus.contains(&newcomer) && members.bureaus.len() == 4);
    // Again: the chain has it all.
    let again = consortium.ok(0, &["submit", "vote.json"]);
    assert_eq!((&again["state"], &again["height"]), (&json!("decided"), &Value::Null));
    let late = consortium.gov(1, &["vote", &id, "no"]);
    assert_eq!((late.code, late.error().as_str()), (4, "gov_not_open"), "{late:?}");
    let shown = consortium.home(2).ok(&["gov", "show", &id]).json();
    assert_eq!((&shown["state"], shown["votes"].as_array().unwrap().len()), (&json!("decided"), 3), "{shown}");
}

#[test]
fn a_validator_is_seated_and_a_proposal_is_made_elsewhere_voted_down_and_withdrawn() {
    let consortium = Consortium::new(2);
    let second = consortium.uscc(1);
    let key = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let seat = ["propose", "seat", &second, "--validator", key, "--power", "1"];
    let written = consortium.gov(0, &[&seat[..], &["--out", "proposal.json", "--expires", "2d"]].concat());
    assert_eq!(written.code, 0, "{written:?}");
    assert_eq!(consortium.home(0).ok(&["gov", "list"]).json()["proposals"], json!([]));
    consortium.home(0).copy("proposal.json", &consortium.home(1).at("proposal.json"));
    let drafted = consortium.home(1).ok(&["gov", "show", "proposal.json"]).json();
    assert_eq!((&drafted["state"], &drafted["votes"][0]["signed"]), (&json!("draft"), &json!(true)), "{drafted}");
    // Another bureau carries it in; its own vote goes with it.
    let made = consortium.ok(1, &["vote", "proposal.json", "no"]);
    assert_eq!((&made["state"], &made["missing"]), (&json!("open"), &json!(2)), "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let shown = consortium.home(2).ok(&["gov", "show", &id]).json();
    assert_eq!((&shown["count"]["yes"], &shown["count"]["no"]), (&json!(1), &json!(1)));
    assert_eq!(shown["count"]["waiting"].as_array().unwrap().len(), 2, "{shown}");
    let others = consortium.gov(1, &["withdraw", &id]);
    assert_eq!((others.code, others.error().as_str()), (2, "gov_not_proposer"));
    assert_eq!(consortium.gov(0, &["withdraw", &id]).code, 0);
    assert_eq!(consortium.gov(0, &["withdraw", &id]).error(), "gov_not_open");
}

#[test]
fn nothing_is_signed_without_a_yes_a_key_or_against_a_refusal() {
    let consortium = Consortium::new(3);
    let (home, third) = (consortium.home(0), consortium.uscc(2));
    let freeze = ["gov", "propose", "freeze", &third];
    let asked = home.run(&[&freeze[..], &["--key", "gov.key"]].concat());
    assert_eq!((asked.code, asked.error().as_str()), (2, "needs_yes"), "{asked:?}");
    assert!(asked.talk.contains("--yes"));
    assert_eq!(home.run(&freeze).error(), "gov_key_needed");
    home.ok(&[&freeze[..], &["--dry-run", "--as", &consortium.uscc(0)]].concat());
    home.key_file("other.key", KeyFileRole::Governance, &[77; 32]);
    let unknown = home.run(&[&freeze[..], &["--key", "other.key", "--yes"]].concat());
    assert_eq!((unknown.code, unknown.error().as_str()), (2, "gov_bureau_unknown"));
    let refused = home.run(&[&freeze[..], &["--key", "other.key", "--as", &third, "--yes"]].concat());
    assert_eq!((refused.code, refused.error().as_str()), (4, "unknown_key"), "{refused:?}");
    home.key_file("issuing.key", KeyFileRole::Issuing, &[78; 32]);
    let role = home.run(&[&freeze[..], &["--key", "issuing.key", "--as", &third, "--yes"]].concat());
    assert_eq!((role.code, role.error().as_str()), (2, "key_role_other"));
    consortium.node.chain.lock().unwrap().refuses = Some("would_halt");
    let halted = home.run(&[&freeze[..], &["--key", "gov.key", "--yes"]].concat());
    assert_eq!((halted.code, halted.error().as_str()), (4, "would_halt"), "{halted:?}");
    assert!(halted.talk.contains("hint") && halted.talk.contains("alive"), "{halted:?}");
    let dry = home.run(&[&freeze[..], &["--key", "gov.key", "--dry-run"]].concat());
    assert_eq!((dry.code, &dry.json()["effects"]["refusal"]), (4, &json!("would_halt")));
}

#[test]
fn several_actions_come_from_a_file() {
    let consortium = Consortium::new(4);
    let home = consortium.home(0);
    home.ok(&["gov", "template", "--out", "proposal.toml"]);
    let text = std::fs::read_to_string(home.at("proposal.toml")).unwrap();
    assert!(text.contains("do = \"admit\""));
    home.write("claims.json", br#"{"type":"object"}"#);
    let second = consortium.uscc(1);
    let file = format!(
        "note = \"deeds\"\nexpires = \"3d\"\n[[action]]\ndo = \"register-type\"\ntype = \"deed:1\"\nschema = \
         \"claims.json\"\nzh = \"契证\"\nen = \"Deed\"\nholder = \"person\"\n[[action]]\ndo = \"accredit\"\nissuer = \
         \"{second}\"\ntype = \"deed\"\n"
    );
    home.write("proposal.toml", file.as_bytes());
    let dry = consortium.gov(0, &["propose", "--file", "proposal.toml", "--dry-run"]).json();
    assert_eq!(dry["decided_by"], "catalogue");
    let proposal = &dry["proposal"];
    let lifetime = proposal["expires"].as_u64().unwrap() - proposal["created"].as_u64().unwrap();
    assert_eq!((lifetime, &proposal["note"]), (3 * 86_400_000, &json!("deeds")));
    assert_eq!(proposal["actions"][1]["action"], "accredit");
    home.write("proposal.toml", file.replace("accredit", "acredit").as_bytes());
    let wrong = consortium.gov(0, &["propose", "--file", "proposal.toml", "--dry-run"]);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "gov_file_wrong"), "{wrong:?}");
    let both = consortium.gov(0, &["propose", "freeze", &second, "--file", "x"]);
    assert_ne!(both.code, 0);
}

#[test]
fn parameters_start_from_those_in_force() {
    let consortium = Consortium::new(5);
    let set = consortium.ok(0, &["propose", "set", "heartbeat=9s", "threshold_catalogue=2/3"]);
    let id = set["id"].as_str().unwrap();
    consortium.ok(1, &["vote", id, "yes"]);
    assert_eq!(consortium.ok(2, &["vote", id, "yes"])["state"], "decided");
    let now: Parameters = consortium.registry(&()).unwrap();
    let genesis = consortium.node.chain.lock().unwrap().genesis.parameters.clone();
    assert_eq!((now.heartbeat.0, now.epoch_blocks), (9_000, genesis.epoch_blocks));
    let more = consortium.gov(0, &["propose", "set", "epoch_blocks=7", "--dry-run"]).json();
    assert_eq!(more["proposal"]["actions"][0]["parameters"]["heartbeat"], 9_000);
    let wrong = consortium.gov(0, &["propose", "set", "heartbeet=7s"]);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "gov_parameter"));
    let impossible = consortium.gov(0, &["propose", "set", "heartbeat=1"]);
    assert_eq!((impossible.code, impossible.error().as_str()), (4, "parameters_wrong"), "{impossible:?}");
}
