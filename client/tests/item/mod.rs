//! Service items by the command: files checked, registered by vote, and read by citizens beside their wallets.

mod rules;

use std::path::{Path, PathBuf};

use kanhe_proto::key_file::KeyFileRole;
use serde_json::{Value, json};

use crate::Scene;
use crate::support::command::Home;

/// The examples that deployments start from.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/items").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap()
}

#[test]
fn every_example_is_right_and_its_samples_end_as_they_say() {
    let home = Home::new(None);
    let mut count = 0;
    for entry in std::fs::read_dir(example("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let checked = home.ok(&["item", "check", path.to_str().unwrap()]).json();
        assert_eq!((&checked["good"], &checked["mistakes"]), (&json!(true), &json!([])), "{checked}");
        assert!(checked["samples"].as_array().unwrap().len() >= 3, "{checked}");
    }
    assert!(count >= 4);
}

#[test]
fn mistakes_are_explained_where_they_are() {
    let home = Home::new(None);
    let good = text("flat-registration.toml");
    let check = |from: &str, to: &str| -> Value {
        assert!(good.contains(from), "{from}");
        home.write("item.toml", good.replacen(from, to, 1).as_bytes());
        let checked = home.run(&["item", "check", "item.toml"]);
        assert_eq!((checked.code, checked.error().as_str()), (1, "item_wrong"), "{checked:?}");
        checked.json()
    };
    let line = |part: &str| good[..good.find(part).unwrap()].matches('\n').count() + 1;

    let checked = check("needs = [\"tax\", \"mortgage\"]", "needs = [\"tax\", \"mortage\"]"); // typos:ignore
    let unknown = checked["mistakes"].as_array().unwrap().iter().find(|mistake| mistake["code"] == "unknown").unwrap();
    assert_eq!(unknown["line"], line("needs = [\"tax\", \"mortgage\"]"));
    assert_eq!((&unknown["column"], &unknown["place"]), (&json!(17), &json!("step[3].needs[1]")));
    assert!(unknown["message"].as_str().unwrap().contains("mortage") && unknown["hint"].is_string()); // typos:ignore

    let rule = "given.purchase.CZZT == given.identity.CZZT";
    let checked = check(rule, "given.purchase.CZZT == given.identity.KZ_XB");
    let wrong = &checked["mistakes"][0];
    assert_eq!((&wrong["code"], &wrong["line"]), (&json!("rule_name"), &json!(line(rule))), "{checked}");
    assert!(wrong["hint"].as_str().unwrap().contains("CZZTDM"), "{wrong}");
    for (to, code) in [
        ("1.5 > 0.0", "rule_double"),
        ("given.purchase.CZZT.matches('x')", "rule_function"),
        ("given.purchase.CZZT ==", "rule_syntax"),
        ("timestamp('2026-01-01T00:00:00Z') == now()", "rule_function"),
        ("given.licence.CZZT == ''", "rule_name"),
    ] {
        let checked = check(rule, to);
        assert_eq!(checked["mistakes"][0]["code"], code, "{to}: {checked}");
        assert!(checked["samples"].as_array().unwrap().is_empty(), "nothing is tried before all is right");
    }
    let checked = check("life_days = 365", "life_days = 365\nlive_days = 1");
    assert_eq!((&checked["mistakes"][0]["code"], &checked["code"]), (&json!("shape"), &Value::Null), "{checked}");

    // A sample that ends otherwise is a failure too, and says how.
    let checked = check("KZ_GYQK = \"单独所有\"", "KZ_GYQK = \"按份共有\"");
    let sample = &checked["samples"][0];
    assert_eq!((&sample["as_expected"], &checked["good"]), (&json!(false), &json!(false)));
    assert!(sample["reason"].as_str().unwrap().contains("单独所有"), "{sample}");

    home.write("item.toml", good.replacen(rule, "1.5 > 0.0", 1).as_bytes());
    let chinese = home.run_with(&["item", "check", "item.toml", "--lang", "zh"], false);
    assert!(chinese.code == 1 && chinese.data.contains("不允许小数") && chinese.talk.contains("处错误"), "{chinese:?}");
}

/// An item about the licences that the scene's types have.
const ITEM: &str = r#"
format = 1
code = "shop-sign"
version = 1
region = "370100"
names = { zh = "店招备案", en = "Shop sign" }
about = { zh = "登记店招。", en = "Registers the sign of a shop." }
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
[[ask]]
code = "licence"
of = "owner"
to = ["market"]
types = ["demo-biz:1"]
claims = ["ZZMC"]
why = { zh = "确认店名。", en = "To know the shop's name." }
[[step]]
code = "decide"
names = { zh = "审批", en = "Decision" }
by = "market"
waits_for = ["owner"]
rules = ["named"]
auto = true
limit_days = 2
final = true
[[rule]]
code = "named"
holds = "size(given.licence.ZZMC) > 0"
otherwise = "reject"
say = { zh = "没有店名。", en = "No name." }
[[yield]]
code = "permit"
step = "decide"
type = "demo-id:1"
to = "owner"
[yield.claims]
ZZMC = "given.licence.ZZMC"
"#;

#[test]
fn items_are_registered_by_vote_and_shown_beside_the_wallet() {
    let scene = Scene::new(90);
    let bureau = scene.node.chain.lock().unwrap().issuer.to_string();
    let office = Home::new(Some(&scene.node.url));
    let genesis = scene.node.chain.lock().unwrap().genesis.to_bytes();
    office.write("genesis", &genesis);
    office.ok(&["trust", "pin", "--genesis", "genesis"]);
    office.key_file("gov.key", KeyFileRole::Governance, &[94; 32]);
    office.write("item.toml", ITEM.as_bytes());
    assert_eq!(scene.holder.ok(&["item", "list"]).json(), json!([]));
    let unknown = scene.holder.run(&["item", "show", "shop-sign"]);
    assert_eq!((unknown.code, unknown.error().as_str()), (2, "item_unknown"));

    let gov = |words: &[&str]| office.run(&[&["gov", "propose"], words, &["--key", "gov.key", "--yes"]].concat());
    let unbound = gov(&["register-item", "item.toml"]);
    assert_eq!((unbound.code, unbound.error().as_str()), (2, "item_roles"), "{unbound:?}");
    let bind = format!("market={bureau}");
    let made = gov(&["register-item", "item.toml", "--bind", &bind]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(made.json()["proposals"][0]["state"], "decided");

    let listed = scene.holder.ok(&["item", "list"]).json();
    assert_eq!(
        (&listed[0]["code"], &listed[0]["version"], &listed[0]["in_force"]),
        (&json!("shop-sign"), &json!(1), &json!(true))
    );
    let shown = scene.holder.ok(&["item", "show", "shop-sign"]).json();
    assert_eq!((&shown["ready"], &shown["asks"][0]["wallet"]), (&json!(true), &json!("with")), "{shown}");
    assert_eq!(shown["asks"][0]["licences"].as_array().unwrap().len(), 2, "either copy does");
    assert_eq!(shown["asks"][0]["types"]["demo-biz:1"], "Business licence (demo)", "names come from the chain");
    let words = scene.holder.run_with(&["item", "show", "shop-sign"], false);
    for word in ["Shop sign", "To know the shop's name.", "by rules", "within 2 days", "The wallet has all"] {
        assert!(words.data.contains(word), "{word}: {}", words.data);
    }
    let chinese = scene.holder.run_with(&["item", "show", "shop-sign", "--lang", "zh"], false);
    assert!(chinese.data.contains("店招备案") && chinese.data.contains("所需证照齐全"), "{}", chinese.data);
    // The bank has no wallet: nothing is said of one.
    let other = scene.bank.ok(&["item", "show", "shop-sign"]).json();
    assert_eq!((&other["ready"], &other["asks"][0]["wallet"]), (&Value::Null, &Value::Null));

    // Another version asks for a claim that no licence here has, and for a type of which there is none.
    let more = ITEM
        .replace("version = 1\nregion", "version = 2\nregion")
        .replace("claims = [\"ZZMC\"]", "claims = [\"ZZMC\", \"KZ_NONE\"]")
        .replace("[[step]]", "[[ask]]\ncode = \"person\"\nof = \"owner\"\nto = [\"market\"]\ntypes = [\"demo-id:1\"]\nclaims = [\"CZZT\"]\nwhy = { zh = \"确认本人。\", en = \"To know you.\" }\n[[step]]");
    office.write("item.toml", more.as_bytes());
    assert_eq!(gov(&["register-item", "item.toml", "--bind", &bind]).code, 0);
    let shown = scene.holder.ok(&["item", "show", "shop-sign"]).json();
    assert_eq!((&shown["version"], &shown["ready"]), (&json!(2), &json!(false)), "{shown}");
    assert_eq!((&shown["asks"][0]["wallet"], &shown["asks"][1]["wallet"]), (&json!("lacks"), &json!("none")));

    assert_eq!(gov(&["retire-item", "shop-sign"]).code, 0);
    assert_eq!(scene.holder.ok(&["item", "list"]).json(), json!([]));
    assert_eq!(scene.holder.ok(&["item", "list", "--all"]).json()[0]["in_force"], false);
    assert_eq!(scene.holder.ok(&["item", "show", "shop-sign"]).json()["in_force"], false);
}

#[test]
fn a_suspended_licence_does_not_satisfy() {
    let scene = Scene::new(91);
    scene.holder.write("item.toml", ITEM.as_bytes());
    let shown = scene.holder.ok(&["item", "show", "item.toml"]).json();
    assert_eq!((&shown["ready"], &shown["in_force"]), (&json!(true), &Value::Null), "{shown}");
    for digest in &scene.digests {
        scene.node.chain.lock().unwrap().set_status(digest, kanhe_proto::status::Status::Suspended);
    }
    scene.holder.ok(&["wallet", "refresh"]);
    let shown = scene.holder.ok(&["item", "show", "item.toml"]).json();
    assert_eq!((&shown["ready"], &shown["asks"][0]["wallet"]), (&json!(false), &json!("not_good")), "{shown}");
    let wrong = scene.holder.run(&["item", "show", "item.toml", "--as", "nobody"]);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "item_party"));
}
