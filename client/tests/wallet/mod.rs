//! What must not get lost from a wallet: unshown copies.

use serde_json::json;

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
