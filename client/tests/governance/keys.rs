//! A bureau's own keys, in one step.

use kanhe_proto::key::{KeyId, PublicKey};

use super::*;

fn id_of(value: &Value) -> KeyId {
    value["id"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_key_is_made_proved_elsewhere_and_rotated_by_the_bureaus_own_vote() {
    let consortium = Consortium::new(21);
    let (home, uscc) = (consortium.home(0), consortium.bureaus[0].0);
    let made = home.ok(&["gov", "key", "new", "--role", "issuing", "--out", "new.key"]).json();
    assert_eq!(home.run(&["gov", "key", "new", "--role", "issuing", "--out", "new.key"]).error(), "file_exists");
    let rotated = consortium.ok(0, &["rotate", "issuing", "--new", "new.key", "--overlap", "7d"]);
    assert_eq!((&rotated["state"], rotated["record"].is_u64()), (&json!("decided"), true), "{rotated}");
    let entry: KeyEntry = consortium.registry(&(uscc, id_of(&made))).unwrap();
    assert_eq!(entry.role, KeyRole::Issuing);
    let shown = home.ok(&["gov", "show", rotated["id"].as_str().unwrap()]).json();
    let action = &shown["proposal"]["actions"][0];
    let old = consortium.node.chain.lock().unwrap().issuing.clone();
    let old = kanhe_proto::key::Signer::public_key(&old).id();
    assert_eq!((&action["old"], &action["overlap"]), (&json!(old), &json!(604_800_000u64)), "{action}");

    // Each is listed with its proof; the old one is still there.
    let listed = home.ok(&["gov", "key", "list", &uscc.to_string()]).json();
    let issuing: Vec<&Value> =
        listed["keys"].as_array().unwrap().iter().filter(|key| key["role"] == "issuing").collect();
    assert!(issuing.iter().any(|key| (&key["id"], &key["state"]) == (&made["id"], &json!("holds"))), "{listed}");
    let words = home.run_with(&["gov", "key", "list", &uscc.to_string(), "--old", "--lang", "zh"], false);
    assert!(words.data.contains("有效") && words.data.contains("每把密钥均有证明"), "{words:?}");
    // A node that answers with the keys of another is not believed.
    consortium.node.chain.lock().unwrap().keys_of = Some(consortium.bureaus[1].0);
    let lied = home.run(&["gov", "key", "list", &uscc.to_string()]);
    assert_eq!(lied.code, 3, "{lied:?}");
    consortium.node.chain.lock().unwrap().keys_of = None;

    // The validator's key stays on its machine: what travels is its proof.
    let machine = Home::new(Some(&consortium.node.url));
    home.copy("genesis", &machine.at("genesis"));
    machine.ok(&["trust", "pin", "--genesis", "genesis"]);
    machine.ok(&["gov", "key", "new", "--role", "validator", "--out", "validator.key"]);
    let proved = machine.ok(&["gov", "key", "prove", "validator.key", "--as", &uscc.to_string(), "--out", "proof"]);
    machine.copy("proof", &home.at("proof"));
    let dry = consortium.gov(0, &["rotate", "validator", "--new", "proof", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    let action = dry.json()["proposal"]["actions"][0].clone();
    assert_eq!((&action["new"]["key"], &action["overlap"]), (&proved.json()["key"], &json!(0)));
    let role = consortium.gov(0, &["rotate", "network", "--new", "proof"]);
    assert_eq!((role.code, role.error().as_str()), (2, "gov_new_key_other"), "{role:?}");
    let unclear = consortium.gov(1, &["rotate", "issuing", "--new", "nowhere"]);
    assert_eq!(unclear.error(), "file_unread");
}

#[test]
fn a_stolen_key_is_reported_and_honest_batches_reaffirmed() {
    let consortium = Consortium::new(22);
    let uscc = consortium.bureaus[0].0;
    let key: PublicKey = kanhe_proto::key::Signer::public_key(&consortium.node.chain.lock().unwrap().issuing);
    let reported = consortium.ok(0, &["key-compromised", &key.id().to_string(), "--since", "1"]);
    assert_eq!(reported["state"], "decided", "{reported}");
    let entry: KeyEntry = consortium.registry(&(uscc, key.id())).unwrap();
    assert_eq!(entry.distrusted_from.map(|height| height.0), Some(1));
    let reaffirmed = consortium.ok(0, &["reaffirm", "4", "3", "4"]);
    let shown = consortium.home(0).ok(&["gov", "show", reaffirmed["id"].as_str().unwrap()]).json();
    assert_eq!(shown["proposal"]["actions"][0]["batches"], json!([3, 4]));
    let words = consortium.home(0).run_with(&["gov", "show", reaffirmed["id"].as_str().unwrap()], false);
    assert!(words.data.contains("concerns only itself"), "{words:?}");
}
