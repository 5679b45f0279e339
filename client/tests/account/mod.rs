//! Accounts of enterprises: by the command, opened with a licence at a desk, and delegates who act within limits and no further.

mod mandate;

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key_file::KeyFileRole;
use serde_json::{Value, json};

use crate::case::{ITEM, Lease};
use crate::support::command::Home;

const COMPANY: &str = "91370100MA3E00013X";
const RUN: [&str; 7] = ["desk", "run", "--once", "--key", "issuing.key", "--sealing-key", "sealing.key"];

/// The bureau's home, with its keys.
fn office(lease: &Lease, seed: u8) -> Home {
    let home = Home::new(Some(&lease.scene.node.url));
    let genesis = lease.chain().genesis.to_bytes();
    home.write("genesis", &genesis);
    home.ok(&["trust", "pin", "--genesis", "genesis"]);
    home.key_file("issuing.key", KeyFileRole::Issuing, &[seed.wrapping_add(2); 32]);
    home.key_file("sealing.key", KeyFileRole::Sealing, &[seed.wrapping_add(5); 32]);
    home
}

fn key(home: &Home) -> (String, String) {
    let made = home.ok(&["account", "keys", "new"]).json();
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

/// An account whose key is the owner's, and the owner's wallet.
fn opened(lease: &Lease, office: &Home) -> (String, String) {
    let (public, id) = key(&lease.scene.holder);
    let words = ["account", "open", COMPANY, &public, "--type", "demo-biz:1", "--key", "issuing.key"];
    let told = office.ok(&words).json();
    assert_eq!((&told["what"], &told["account"]["sequence"]), (&json!("opened"), &json!(1)));
    (public, id)
}

fn uscc() -> Uscc {
    COMPANY.parse().unwrap()
}

#[test]
fn an_account_is_opened_changed_and_proved_by_the_command() {
    let lease = Lease::with(180, ITEM);
    let office = office(&lease, 180);
    let owner = &lease.scene.holder;
    let none = owner.run(&["account", "show", COMPANY]);
    assert_eq!((none.code, none.error()), (4, "account_none".to_owned()));
    let (_, first) = opened(&lease, &office);
    let again =
        office.run(&["account", "open", COMPANY, &key(owner).0, "--type", "demo-biz:1", "--key", "issuing.key"]);
    assert_eq!((again.code, again.error()), (4, "account_exists".to_owned()));

    let (second, second_id) = key(owner);
    owner.ok(&["account", "keys", "add", COMPANY, &second]);
    let shown = owner.ok(&["account", "show", COMPANY]).json();
    assert_eq!((shown["keys"].as_array().unwrap().len(), &shown["closed"]), (2, &json!(false)));
    assert_eq!(owner.run(&["account", "keys", "add", COMPANY, &second]).error(), "account_keys");
    owner.ok(&["account", "keys", "remove", COMPANY, &first]);
    // A wallet without a key of it changes nothing.
    let stranger = lease.tenant.run(&["account", "close", COMPANY, "--yes"]);
    assert_eq!((stranger.code, stranger.error()), (2, "account_not_ours".to_owned()));

    let (delegate, delegate_id) = key(&lease.tenant);
    let add = ["account", "delegate", "add", COMPANY, &delegate, "--item", "shop-lease", "--until", "2028-01-31"];
    owner.ok(&[&add[..], &["--amount", "2000.00", "--cases", "2"]].concat());
    let listed = lease.tenant.ok(&["account", "delegate", "list", COMPANY]).json();
    let of = |field: &str| listed[0][field].clone();
    assert_eq!((of("id"), of("stands"), of("cases_max")), (json!(delegate_id), json!("acts"), json!(2)));
    assert_eq!((of("amount_max"), of("items")), (json!("2000.00"), json!(["shop-lease"])));
    owner.ok(&["account", "delegate", "revoke", COMPANY, &delegate_id]);
    let listed = owner.ok(&["account", "delegate", "list", COMPANY]).json();
    assert_eq!(listed[0]["stands"], "revoked");
    assert_eq!(owner.run(&["account", "delegate", "revoke", COMPANY, &delegate_id]).error(), "account_delegate");
    let wrong = owner.run(&[&add[..], &["--amount", "12,5"]].concat());
    assert_eq!((wrong.code, wrong.error()), (2, "account_amount".to_owned()));

    owner.ok(&["account", "close", COMPANY, "--yes"]);
    assert_eq!(owner.run(&["account", "keys", "add", COMPANY, &delegate]).error(), "account_closed");
    // The bureau brings it back under a key that the enterprise has.
    let (third, _) = key(owner);
    office.ok(&["account", "replace", COMPANY, &third, "--key", "issuing.key", "--yes"]);
    let told = owner.ok(&["account", "show", COMPANY, "--history"]).json();
    let what: Vec<&str> = told["acts"].as_array().unwrap().iter().map(|act| act["what"].as_str().unwrap()).collect();
    let all = ["open", "add_key", "remove_key", "set_delegate", "revoke_delegate", "close", "replace_keys"];
    assert_eq!((what, &told["closed"]), (all.to_vec(), &json!(false)));
    assert_eq!((told["keys"].as_array().unwrap().len(), told["delegates"].as_array().unwrap().len()), (1, 0));
    assert_ne!(told["keys"][0]["id"], second_id.as_str());
}

/// The lease's item, yielding a business licence with which an account is opened.
fn founding() -> String {
    let start = ITEM.find("[[yield]]").unwrap();
    let yields = r#"
[[yield]]
code = "business"
step = "decide"
type = "DEMOYYZZ001:1"
to = "tenant"
account = "CZZTDM"
[yield.claims]
ZZBH = "case.serial"
CZZT = "given.licence.ZZMC"
CZZTDM = "CODE"
KZ_LX = '"有限责任公司"'
KZ_FDDBR = '"张示例"'
KZ_ZCZB = '"100.00"'
KZ_CLRQ = "case.opened"
KZ_ZS = '"济南高新区示例路2号"'
KZ_JYFW = '"软件开发。"'
ZZYXQQSRQ = "case.opened"
ZZYXQJZRQ = '"长期"'
"#;
    format!("{}{yields}", &ITEM[..start])
}

fn decided(lease: &Lease) -> String {
    let code = lease.open()["invitations"][0]["code"].as_str().unwrap().to_owned();
    let told = lease.tenant.ok(&["case", "confirm", &code, "--yes"]).json();
    told["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_desk_opens_the_account_with_the_licence_once() {
    let lease = Lease::with(185, &founding().replace("\"CODE\"", &format!("'\"{COMPANY}\"'")));
    let office = office(&lease, 185);
    decided(&lease);
    let told = office.ok(&RUN);
    assert!(told.data.contains("\"issued\""), "{told:?}");
    let account = lease.chain().account(&uscc()).unwrap();
    assert_eq!((account.sequence, account.keys.len(), account.type_code.to_string()), (1, 1, "DEMOYYZZ001".to_owned()));
    // The key of the licence is the account's: who applied for it changes it.
    let (delegate, _) = key(&lease.scene.holder);
    let add = ["account", "delegate", "add", COMPANY, &delegate, "--item", "shop-lease", "--until", "2028-01-31"];
    lease.tenant.ok(&add);
    office.ok(&RUN);
    assert_eq!(lease.chain().account(&uscc()).unwrap().sequence, 2);

    // A second licence for the same enterprise opens nothing, and an officer sees why.
    decided(&lease);
    let told = office.ok(&RUN);
    assert!(told.data.contains("account_exists"), "{told:?}");
}

#[test]
fn a_licence_that_names_no_enterprise_is_not_granted() {
    let lease = Lease::with(190, &founding().replace("\"CODE\"", "'\"91370100MA3E000130\"'"));
    let office = office(&lease, 190);
    decided(&lease);
    let told = office.ok(&RUN);
    assert!(told.data.contains("waiting") && !told.data.contains("\"issued\""), "{told:?}");
    let listed: Value = office.ok(&["desk", "list"]).json();
    let case = listed[0]["case"].as_str().unwrap();
    let refused = office.run(&["desk", "approve", &case[..12], "--officer", "1"]);
    assert_eq!(refused.error(), "desk_blocked");
}
