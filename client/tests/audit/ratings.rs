//! Ratings counted from the log: each case once, by its applicant alone, and no small group shown.

use kanhe_proto::bounded::List;
use kanhe_proto::case::{Act, CaseEvent, CasePayload, CaseRecord, CaseStatus, Open, Outcome, Rate, SignedAct, case_id};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::ItemVersion;
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::record::Record;
use kanhe_proto::registry::{RegistryRecord, ServiceItem};
use kanhe_proto::seal::SealingSecret;
use serde_json::{Value, json};

use crate::case::Lease;
use crate::support::chain::now;

/// One party, and two bureaus, one after the other.
const ITEM: &str = r#"
format = 1
code = "shop-sign"
version = 1
region = "370100"
names = { zh = "店招备案", en = "Shop sign" }
about = { zh = "备案店招。", en = "Files a shop's sign." }
purpose = "account"
life_days = 30
[[party]]
code = "owner"
names = { zh = "经营者", en = "Owner" }
kind = "enterprise"
opens = true
applicant = true
[[bureau]]
code = "market"
names = { zh = "市场监管", en = "Market regulation" }
[[bureau]]
code = "tax"
names = { zh = "税务", en = "Tax office" }
[[field]]
code = "text"
of = "owner"
to = ["market", "tax"]
names = { zh = "店招", en = "Text" }
kind = "text"
[[step]]
code = "look"
names = { zh = "核对", en = "Look" }
by = "tax"
waits_for = ["owner"]
rules = ["given"]
auto = true
limit_days = 2
[[step]]
code = "decide"
names = { zh = "审批", en = "Decision" }
by = "market"
needs = ["look"]
waits_for = ["owner"]
rules = ["given"]
auto = true
limit_days = 2
final = true
[[rule]]
code = "given"
holds = "size(form.text) > 0"
otherwise = "reject"
say = { zh = "没有内容。", en = "Nothing is given." }
"#;

struct Signs {
    lease: Lease,
    item: ServiceItem,
}

impl Signs {
    fn new(seed: u8) -> Self {
        let lease = Lease::with(seed, ITEM);
        let id = (kanhe_proto::bounded::Text::new("shop-sign").unwrap(), ItemVersion(1));
        let mut chain = lease.chain();
        let leaf = chain.registry::<ServiceItem>(&id);
        let leaf: kanhe_proto::proof::ProvedLeaf = kanhe_proto::codec::decode(&leaf.leaf, 1 << 20).unwrap();
        let item = ServiceItem::from_value(leaf.value.as_ref().unwrap()).unwrap();
        assert_eq!(ServiceItem::key_of(&id), item.key());
        drop(chain);
        Self { lease, item }
    }

    fn send(&self, signed: SignedAct) -> Result<(), &'static str> {
        let payload = CasePayload { acts: List::new(vec![signed]).unwrap() };
        self.lease.chain().acts(&payload.to_bytes()).map(drop)
    }

    fn rate(&self, case: &str, stars: u8, key: &SecretKey) -> Result<(), &'static str> {
        let chain = self.lease.chain().genesis.chain();
        self.send(Act::Rate(Rate { case: case.parse().unwrap(), stars }).sign(&chain, key).unwrap())
    }

    /// A case that goes to its end, or is rejected.
    fn case(&self, number: u8, outcome: Outcome) -> (String, SecretKey) {
        let key = SecretKey::from_seed([number; 32]);
        let (chain, issuer) = {
            let chain = self.lease.chain();
            (chain.genesis.chain(), chain.issuer)
        };
        let open = Open {
            item: self.item.code.clone(),
            version: ItemVersion(1),
            file: self.item.file,
            not_after: TimeMs(now().0 + 600_000),
            key: key.public_key(),
            letter_key: SealingSecret::from_seed([number; 32]).public_key(),
            chosen: List::new(vec![issuer, issuer]).unwrap(),
            slots: List::empty(),
            files: List::empty(),
            assisted: None,
        };
        let id = case_id(&chain.chain_id, &key.public_key()).to_string();
        self.send(Act::Open(open).sign(&chain, &key).unwrap()).unwrap();
        self.lease.chain().decide_step(&id, 0, Outcome::Approved, None);
        let reason = (outcome == Outcome::Rejected).then_some("given");
        self.lease.chain().decide_step(&id, 1, outcome, reason);
        (id, key)
    }

    fn ratings(&self, words: &[&str]) -> Value {
        self.lease.scene.bank.ok(&[&["audit", "ratings"], words].concat()).json()
    }
}

#[test]
fn each_case_is_counted_once_and_no_small_group_is_shown() {
    let signs = Signs::new(220);
    let none = signs.ratings(&[]);
    assert_eq!((&none["items"], &none["bureaus"]), (&json!([]), &json!([])));
    for number in 1..=4 {
        let (id, key) = signs.case(number, Outcome::Approved);
        signs.rate(&id, 5, &key).unwrap();
        // A second one, or somebody else's, does not get onto the chain.
        assert_eq!(signs.rate(&id, 1, &key), Err("case_rated"));
    }
    let few = signs.ratings(&[]);
    let nothing = ["cases", "rated", "average_hundredths", "stars", "case_ms"];
    assert!(nothing.iter().all(|figure| few["items"][0][figure].is_null()), "{few}");
    assert_eq!(few["items"][0]["decisions"], 8, "there are enough of these");
    let (id, key) = signs.case(5, Outcome::Rejected);
    assert_eq!(signs.rate(&id, 1, &SecretKey::from_seed([99; 32])), Err("case_signature"));
    signs.rate(&id, 2, &key).unwrap();
    let (unrated, _) = signs.case(6, Outcome::Approved);
    let counted = signs.ratings(&[]);
    let row = &counted["items"][0];
    assert_eq!((&row["code"], &row["names"]["en"]), (&json!("shop-sign"), &json!("Shop sign")));
    assert_eq!((&row["cases"], &row["rated"], &row["stars"]), (&json!(6), &json!(5), &json!([0, 1, 0, 0, 4])));
    assert_eq!((&row["average_hundredths"], &row["overdue_permille"]), (&json!(440), &json!(0)));
    let bureau = &counted["bureaus"][0];
    assert_eq!((&bureau["code"], &bureau["cases"]), (&json!(signs.lease.bureau), &json!(6)), "one case, two decisions");
    assert_eq!((&bureau["decisions"], &counted["not_counted"]), (&json!(12), &json!(0)));
    assert!(!counted.to_string().contains(&unrated), "no case is named");

    // What a lying chain holds besides does not count.
    let genuine = CaseRecord::from_record(signs.lease.chain().records().last().unwrap()).unwrap();
    assert_eq!(genuine.case.to_string(), unrated);
    let chain = signs.lease.chain().genesis.chain();
    for (at, key) in
        [(1, SecretKey::from_seed([99; 32])), (2, SecretKey::from_seed([6; 32])), (3, SecretKey::from_seed([6; 32]))]
    {
        let act = Act::Rate(Rate { case: genuine.case, stars: 3 }).sign(&chain, &key).unwrap();
        let (event, status) = (CaseEvent::Act(act), CaseStatus::Closed);
        let record = CaseRecord { number: genuine.number + at, event, status, time: now(), ..genuine.clone() };
        signs.lease.chain().log_raw(&record.to_record());
    }
    let counted = signs.ratings(&[]);
    assert_eq!(counted["items"][0]["stars"], json!([0, 1, 1, 0, 4]), "the one of its applicant does, once");
    assert_eq!(counted["not_counted"], 2);
}

#[test]
fn cases_are_chosen_by_their_end_their_item_and_their_bureau() {
    let signs = Signs::new(225);
    for number in 1..=5 {
        signs.case(number, Outcome::Approved);
    }
    let middle = signs.lease.chain().height();
    for number in 6..=10 {
        signs.case(number, Outcome::Approved);
    }
    let cases = |words: &[&str]| signs.ratings(words)["items"][0]["cases"].clone();
    let (until, after) = (middle.to_string(), (middle + 1).to_string());
    assert_eq!([cases(&[]), cases(&["--to", &until]), cases(&["--from", &after])], [json!(10), json!(5), json!(5)]);
    assert_eq!(cases(&["--item", "shop-sign", "--bureau", &signs.lease.bureau]), 10);
    assert_eq!(cases(&["--item", "shop-lease"]), Value::Null);
    assert_eq!(cases(&["--bureau", "91350100M000100Y43"]), Value::Null);
    let said = signs.lease.scene.bank.run_with(&["audit", "ratings", "--lang", "zh"], false);
    assert!(said.data.contains("店招备案") && said.data.contains("10"), "{said:?}");
}
