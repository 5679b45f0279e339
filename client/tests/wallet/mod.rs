//! What must not get lost from a wallet: unshown copies, and the knowledge of what a backup lacks.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::Scene;
use crate::support::command::Home;

fn shown(holder: &Home) -> Vec<u64> {
    let listed = holder.ok(&["wallet", "list"]).json();
    listed.as_array().unwrap().iter().map(|line| line["shown"].as_u64().unwrap()).collect()
}

#[test]
fn what_no_picture_holds_is_not_logged_as_shown() {
    let scene = Scene::new(160);
    let asked = ["verify", "request", "--type", "demo-biz", "--claims", "ZZMC", "--purpose", "account"];
    let more = ["--max-age", "1h", "--key", "request.key", "--out", "one.request"];
    scene.bank.ok(&[&asked[..], &more[..]].concat());
    scene.bank.copy("one.request", &scene.holder.at("one.request"));
    let words = ["wallet", "present", "one.request", "--yes", "--qr", "one.png"];
    let large = scene.holder.run(&words);
    assert_eq!((large.code, large.error().as_str()), (1, "qr_too_large"), "{large:?}");
    assert!(!scene.holder.at("one.png").exists());
    assert_eq!((scene.holder.ok(&["wallet", "log"]).json(), shown(&scene.holder)), (json!([]), vec![0, 0]));
    // The same without the evidence fits, and is logged.
    scene.holder.ok(&[&words[..], &["--format", "sd-jwt"]].concat());
    assert!(std::fs::read(scene.holder.at("one.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(scene.holder.ok(&["wallet", "log"]).json().as_array().unwrap().len(), 1);
    assert_eq!(shown(&scene.holder).iter().sum::<u64>(), 1);
}

/// Restores over what is in place, which cannot be read: refused, then allowed; says why nothing was compared. Where
/// the file that was in place is kept.
fn restored_over_unreadable(holder: &Home, cause: &str) -> PathBuf {
    let words = ["wallet", "restore", "wallet.backup"];
    let refused = holder.run(&words);
    assert_eq!((refused.code, refused.error().as_str()), (1, "vault_unread"), "{refused:?}");
    assert!(refused.talk.contains("--older"));
    let told = holder.ok(&[&words[..], &["--older"]].concat()).json();
    assert_eq!((&told["licences"], &told["lacking"], &told["not_compared"]), (&json!(2), &Value::Null, &json!(cause)));
    told["replaced"].as_str().unwrap().into()
}

#[test]
fn a_restore_says_when_nothing_could_be_compared() {
    let scene = Scene::new(165);
    let holder = &scene.holder;
    let (path, passphrase) = (holder.at("home/wallet.redb"), std::fs::read(holder.at("passphrase")).unwrap());
    holder.ok(&["wallet", "backup", "wallet.backup"]);
    let same = holder.ok(&["wallet", "restore", "wallet.backup"]).json();
    assert_eq!((&same["lacking"], &same["not_compared"]), (&json!([]), &Value::Null));

    std::fs::remove_file(&path).unwrap();
    let none = holder.ok(&["wallet", "restore", "wallet.backup"]).json();
    assert_eq!((&none["lacking"], &none["not_compared"]), (&Value::Null, &json!("no_wallet")));

    std::fs::remove_file(&path).unwrap();
    holder.write("passphrase", b"another long passphrase\n");
    holder.ok(&["wallet", "init"]);
    holder.write("passphrase", &passphrase);
    let other = restored_over_unreadable(holder, "wrong_passphrase");

    std::fs::write(&path, b"rubbish").unwrap();
    let rubbish = restored_over_unreadable(holder, "vault_damaged");
    assert_eq!(std::fs::read(rubbish).unwrap(), b"rubbish");
    std::fs::rename(other, &path).unwrap();
    holder.write("passphrase", b"another long passphrase\n");
    assert_eq!(holder.ok(&["wallet", "list"]).json(), json!([]), "it was kept as it was");
    holder.write("passphrase", &passphrase);

    std::fs::write(&path, b"rubbish").unwrap();
    let words = ["wallet", "restore", "wallet.backup", "--older", "--lang", "zh"];
    let told = holder.run_with(&words, false);
    assert!(told.code == 0 && told.data.contains("原卡包无法读取"), "{told:?}");
    std::fs::remove_file(&path).unwrap();
    let told = holder.run_with(&["wallet", "restore", "wallet.backup"], false);
    assert!(told.code == 0 && told.data.contains("no wallet was here to compare with"), "{told:?}");
}
