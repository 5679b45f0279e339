//! The log by the command: exported complete, checked again without a node, and refused with anything done to it.

mod ratings;

use kanhe_proto::identifiers::{Day, Uscc};
use serde_json::{Value, json};

use crate::Scene;
use crate::support::chain::now;
use crate::support::chain::past::LogLie;
use crate::support::command::{Ended, Home};

const OTHER: &str = "11370100MB2815120";

fn other() -> Uscc {
    Uscc::with_check(OTHER).unwrap()
}

/// A log of 22 records of two issuers, two of which are of kinds to come, and blocks in between.
fn scene(seed: u8) -> Scene {
    let scene = Scene::new(seed);
    let mut chain = scene.node.chain.lock().unwrap();
    let issuer = chain.issuer;
    for count in 1..=19 {
        chain.log_batch(if count % 4 == 0 { other() } else { issuer }, count);
        if count == 7 {
            chain.log_raw(&[2, 1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
            chain.log_raw(&[32, 1, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]);
        }
        if count % 3 == 0 {
            chain.certified();
        }
    }
    assert_eq!(chain.records().len(), 22);
    drop(chain);
    scene
}

fn text(home: &Home, file: &str) -> String {
    std::fs::read_to_string(home.at(file)).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Checks a file in a home that can reach no node.
fn verify(scene: &Scene, file: &str) -> Ended {
    scene.bank.run(&["audit", "verify", file, "--node", "http://127.0.0.1:1"])
}

#[test]
fn the_whole_log_is_exported_and_checked_again_without_a_node() {
    let scene = scene(200);
    let done = scene.bank.ok(&["audit", "log", "--out", "log.jsonl"]).json();
    assert_eq!((&done["size"], &done["records"], &done["kept"]), (&json!(22), &json!(22), &json!(0)));
    assert_eq!(done["kinds"], json!({ "access": 1, "batch": 20, "kind_32": 1 }));
    let written = lines(&text(&scene.bank, "log.jsonl"));
    assert_eq!((&written[0]["log"]["from_height"], written.len()), (&json!(1), 24));
    let records = scene.node.chain.lock().unwrap().records().to_vec();
    for (at, line) in written[1..23].iter().enumerate() {
        let record = &line["record"];
        let bytes = kanhe_proto::text::from_base64url(record["bytes"].as_str().unwrap()).unwrap();
        assert_eq!((&record["index"], bytes), (&json!(at), records[at].clone()));
        assert_eq!(record["height"].is_null(), record["kind"] != "batch");
    }
    let unknown = &written[10]["record"];
    let hex = "200108080808080808080808";
    assert_eq!((&unknown["kind"], &unknown["content"]), (&json!("kind_32"), &json!({ "hex": hex })));
    let batch = &written[4]["record"]["content"];
    assert_eq!((&batch["type"], &batch["count"]), (&json!("demo-biz:1"), &json!(3)));
    let checked = verify(&scene, "log.jsonl");
    assert_eq!(checked.code, 0, "{checked:?}");
    let checked = checked.json();
    assert_eq!((&checked["records"], &checked["complete"]), (&json!(22), &json!(true)));
    // Without a file the same lines go to stdout.
    let said = scene.bank.ok(&["audit", "log", "--to", &done["to_height"].to_string()]);
    let said = lines(&said.data);
    assert_eq!(said[1..23], written[1..23]);
}

#[test]
fn any_range_is_proved_and_bound_at_both_ends() {
    let scene = scene(202);
    let top = scene.node.chain.lock().unwrap().height();
    let whole = scene.bank.ok(&["audit", "log", "--to", &top.to_string()]).data;
    let heights: Vec<u64> = lines(&whole).iter().filter_map(|line| line["record"]["height"].as_u64()).collect();
    for (from, to) in [(1, 1), (3, top), (9, 14), (10, 10), (top, top)] {
        let (from_text, to_text, file) = (from.to_string(), to.to_string(), format!("{from}-{to}.jsonl"));
        let done = scene.bank.ok(&["audit", "log", "--from", &from_text, "--to", &to_text, "--out", &file]).json();
        let expected = heights.iter().filter(|height| (from..=to).contains(*height)).count();
        assert_eq!(done["kinds"].get("batch").unwrap_or(&json!(0)), &json!(expected), "{from}..{to}");
        assert_eq!(verify(&scene, &file).code, 0, "{from}..{to}");
    }
    let ahead = scene.bank.run(&["audit", "log", "--to", "100000"]);
    assert_eq!((ahead.code, ahead.error().as_str()), (2, "audit_range_ahead"), "{ahead:?}");
    let empty = scene.bank.run(&["audit", "log", "--from", "5", "--to", "4"]);
    assert_eq!((empty.code, empty.error().as_str()), (2, "audit_range_empty"), "{empty:?}");
}

#[test]
fn days_are_found_by_proved_headers_and_hold_all_of_them() {
    let scene = scene(204);
    let today = Day::of(now()).to_string();
    // The chain may be on both sides of midnight.
    let yesterday = Day::of(kanhe_proto::ids::TimeMs(now().0 - 86_400_000)).to_string();
    let done = scene.bank.ok(&["audit", "log", "--from", &yesterday, "--to", &today, "--out", "days.jsonl"]).json();
    assert_eq!(done["size"], 22);
    let checked = verify(&scene, "days.jsonl").json();
    assert_eq!((&checked["from_day"], &checked["to_day"]), (&json!(yesterday), &json!(today)));
    let before = scene.bank.run(&["audit", "log", "--to", "2020-01-01"]);
    assert_eq!((before.code, before.error().as_str()), (2, "audit_range_empty"), "{before:?}");
    let after = scene.bank.run(&["audit", "log", "--from", "2999-01-01"]);
    assert_eq!((after.code, after.error().as_str()), (2, "audit_range_ahead"), "{after:?}");
    // Whoever says that days are whole which are not.
    let written = lines(&text(&scene.bank, "days.jsonl"));
    let height = written[0]["log"]["to_height"].as_u64().unwrap();
    scene.bank.ok(&["audit", "log", "--to", &(height - 3).to_string(), "--out", "part.jsonl"]);
    let mut spoilt = lines(&text(&scene.bank, "part.jsonl"));
    spoilt[0]["log"]["to_day"] = json!(today);
    write(&scene, "part.jsonl", &spoilt);
    let refused = verify(&scene, "part.jsonl");
    assert_eq!((refused.code, refused.error().as_str()), (10, "audit_file_day"), "{refused:?}");
}

fn write(scene: &Scene, file: &str, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    scene.bank.write(file, text.as_bytes());
}

#[test]
fn all_batches_of_an_issuer_are_shown_and_the_rest_is_known_by_hash() {
    let scene = scene(206);
    let uscc = other().to_string();
    let done = scene.bank.ok(&["audit", "log", "--issuer", &uscc, "--out", "one.jsonl"]).json();
    assert_eq!((&done["size"], &done["records"]), (&json!(22), &json!(4)));
    let written = lines(&text(&scene.bank, "one.jsonl"));
    let counts: Vec<u64> = written.iter().filter_map(|line| line["record"]["content"]["count"].as_u64()).collect();
    assert_eq!(counts, [4, 8, 12, 16]);
    let checked = verify(&scene, "one.jsonl").json();
    assert_eq!((&checked["records"], &checked["complete"]), (&json!(4), &json!(false)));
    let kinds = scene.bank.ok(&["audit", "log", "--kind", "access", "--kind", "case", "--out", "kinds.jsonl"]).json();
    assert_eq!(kinds["kinds"], json!({ "access": 1 }));
    let wrong = scene.bank.run(&["audit", "log", "--issuer", &uscc, "--kind", "case"]);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "audit_issuer_kind"), "{wrong:?}");
    // What is left out takes its place: neither fewer, nor more, nor of an export that shows all.
    for spoil in 0..3 {
        let mut spoilt = written.clone();
        let at = spoilt.iter().position(|line| line.get("left_out").is_some()).unwrap();
        match spoil {
            0 => _ = spoilt.remove(at),
            1 => {
                let again = spoilt[at].clone();
                spoilt.insert(at, again);
            }
            _ => spoilt[0]["log"]["shown"] = json!({ "issuer": null, "kinds": [] }),
        }
        write(&scene, "spoilt.jsonl", &spoilt);
        assert_eq!(verify(&scene, "spoilt.jsonl").code, 10, "{spoil}");
    }
}

#[test]
fn whatever_is_done_to_an_export_is_refused() {
    let scene = scene(208);
    scene.bank.ok(&["audit", "log", "--from", "4", "--out", "log.jsonl"]);
    let good = lines(&text(&scene.bank, "log.jsonl"));
    let refused = |lines: &[Value], what: &str| {
        write(&scene, "spoilt.jsonl", lines);
        let ended = verify(&scene, "spoilt.jsonl");
        assert!(matches!(ended.code, 10 | 11), "{what}: {ended:?}");
        ended.error()
    };
    write(&scene, "spoilt.jsonl", &good);
    assert_eq!(verify(&scene, "spoilt.jsonl").code, 0, "the order of members is of no matter");
    for at in [1, 9, good.len() - 2] {
        let mut spoilt = good.clone();
        spoilt.remove(at);
        assert_eq!(
            refused(&spoilt, "left out"),
            if at == good.len() - 2 { "audit_file_line" } else { "audit_file_record" }
        );
        let mut spoilt = good.clone();
        spoilt.swap(at, at - 1);
        refused(&spoilt, "swapped");
    }
    let mut spoilt = good.clone();
    spoilt[1]["record"]["content"]["count"] = json!(99);
    assert_eq!(refused(&spoilt, "decoded otherwise"), "audit_file_record");
    let mut spoilt = good.clone();
    spoilt[2]["record"]["height"] = json!(5);
    assert_eq!(refused(&spoilt, "of another block"), "audit_file_record");
    let mut spoilt = good.clone();
    let (one, two) = (spoilt[1]["record"]["bytes"].clone(), spoilt[2]["record"]["bytes"].clone());
    (spoilt[1]["record"]["bytes"], spoilt[2]["record"]["bytes"]) = (two, one);
    assert_eq!(refused(&spoilt, "other bytes"), "audit_file_record");
    // Decoded as it should be, but never on the chain.
    let mut spoilt = good.clone();
    let (index, count) = (spoilt[1]["record"]["index"].clone(), spoilt.len());
    spoilt[1] = good[2].clone();
    spoilt[1]["record"]["index"] = index;
    assert_eq!(refused(&spoilt, "another in its place"), "audit_file_root");
    assert_eq!(refused(&good[..count - 1], "no end"), "audit_file_cut");
    assert_eq!(refused(&good[1..], "no beginning"), "audit_file_line");
    assert_eq!(refused(&[&good[..], &good[1..2]].concat(), "something after the end"), "audit_file_line");
    let first = json!(good[0]["log"]["first"].as_u64().unwrap() + 1);
    for (member, value) in [("from_height", json!(3)), ("to_height", json!(5)), ("first", first), ("format", json!(2))]
    {
        let mut spoilt = good.clone();
        spoilt[0]["log"][member] = value;
        refused(&spoilt, member);
    }
    for (member, value) in [("records", json!(3)), ("left_out", json!(1))] {
        let mut spoilt = good.clone();
        spoilt[count - 1]["end"][member] = value;
        refused(&spoilt, member);
    }
    // Parts of another export of the same chain.
    let top = good[0]["log"]["to_height"].as_u64().unwrap();
    let (from, to) = ((top - 6).to_string(), (top - 1).to_string());
    scene.bank.ok(&["audit", "log", "--from", &from, "--to", &to, "--out", "other.jsonl"]);
    let others = lines(&text(&scene.bank, "other.jsonl"));
    let mut spoilt = good.clone();
    spoilt[count - 1] = others[others.len() - 1].clone();
    refused(&spoilt, "another end");
    let mut spoilt = good;
    spoilt[0]["log"]["frontier"] = others[0]["log"]["frontier"].clone();
    assert_eq!(refused(&spoilt, "another frontier"), "audit_file_root");
    // Another chain is nothing that can be told here.
    let elsewhere = Scene::new(210);
    let foreign = elsewhere.bank.run(&["audit", "verify", scene.bank.at("log.jsonl").to_str().unwrap()]);
    assert_eq!((foreign.code, foreign.error().as_str()), (11, "audit_file_chain"), "{foreign:?}");
}

#[test]
fn a_node_that_lies_about_the_log_is_named_and_another_asked() {
    let scene = scene(212);
    let honest = scene.node.url.clone();
    for lie in [LogLie::LeftOut, LogLie::Altered, LogLie::Swapped, LogLie::Cut, LogLie::TooLarge, LogLie::NoPast] {
        let liar = scene.node.lying(lie);
        let (both, file) = (format!("{liar},{honest}"), format!("{lie:?}.jsonl"));
        let words = ["audit", "log", "--from", "4", "--out", &file];
        let done = scene.bank.ok(&[&words[..], &["--node", &both]].concat()).json();
        assert_eq!(done["passed_over"][0]["url"], json!(liar), "{lie:?}");
        assert_eq!(verify(&scene, &file).code, 0, "{lie:?}");
        let alone = scene.bank.run(&["audit", "log", "--from", "4", "--node", &liar]);
        assert!(matches!(alone.code, 3 | 4), "{lie:?}: {alone:?}");
        assert!(alone.talk.contains(&liar), "{lie:?}: {alone:?}");
        assert!(!alone.data.contains("\"end\""), "{lie:?}");
    }
}

#[test]
fn an_export_that_broke_off_goes_on_from_there() {
    let scene = scene(214);
    let top = scene.node.chain.lock().unwrap().height().to_string();
    let words = ["audit", "log", "--to", &top, "--out", "log.jsonl"];
    scene.node.chain.lock().unwrap().past.room = Some(1);
    assert_ne!(scene.bank.run(&words).code, 0);
    scene.node.chain.lock().unwrap().past.room = None;
    // A kill cuts a line.
    let begun = text(&scene.bank, "log.jsonl");
    assert_eq!(lines(&begun).len(), 17);
    scene.bank.write("log.jsonl", &begun.as_bytes()[..begun.len() - 20]);
    assert_eq!(verify(&scene, "log.jsonl").error(), "audit_file_cut");
    let before = scene.node.chain.lock().unwrap().past.served;
    let done = scene.bank.ok(&words).json();
    assert_eq!((&done["kept"], &done["records"]), (&json!(15), &json!(22)));
    assert_eq!(scene.node.chain.lock().unwrap().past.served - before, 3, "1, 4 and 2 records");
    assert_eq!(verify(&scene, "log.jsonl").code, 0);
    let again = scene.bank.ok(&words).json();
    assert_eq!(again["kept"], 22);
    let whole = text(&scene.bank, "log.jsonl");
    scene.bank.ok(&["audit", "log", "--to", &top, "--out", "fresh.jsonl"]);
    let fresh = text(&scene.bank, "fresh.jsonl");
    assert_eq!(lines(&whole)[..23], lines(&fresh)[..23]);
    // What was asked for otherwise, and what was changed meanwhile.
    for other in [&["--to", "9"][..], &["--from", "2"], &["--kind", "case"]] {
        let refused = scene.bank.run(&[&["audit", "log", "--out", "log.jsonl"], other].concat());
        assert_eq!((refused.code, refused.error().as_str()), (2, "audit_out_other"), "{other:?}: {refused:?}");
    }
    let mut spoilt = lines(&whole);
    let index = spoilt[3]["record"]["index"].clone();
    spoilt[3] = spoilt[2].clone();
    spoilt[3]["record"]["index"] = index;
    write(&scene, "log.jsonl", &spoilt[..12]);
    let refused = scene.bank.run(&words);
    assert_eq!((refused.code, refused.error().as_str()), (10, "audit_out_differs"), "{refused:?}");
    assert_eq!(lines(&text(&scene.bank, "log.jsonl")), spoilt[..12], "nothing of it is touched");
    scene.bank.write("log.jsonl", b"no export\n");
    let refused = scene.bank.run(&words);
    assert_eq!((refused.code, refused.error().as_str()), (10, "audit_file_line"), "{refused:?}");
}
