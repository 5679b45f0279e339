//! Runs that cannot be finished.

use kanhe_client::issuer::{BatchEntry, Register};
use kanhe_client::talk::Passphrase;
use kanhe_proto::status::Status;
use serde_json::json;

use super::*;
use crate::support::command::PASSPHRASE;

impl Office {
    fn abandon(&self, more: &[&str]) -> Ended {
        self.bureau.run(&[&["licence", "issue", "--abandon", "--out", "out"], more].concat())
    }

    fn register(&self) -> Register {
        let passphrase = Passphrase::new(PASSPHRASE.to_owned());
        Register::open(&self.bureau.at("home/register.redb"), &passphrase).unwrap()
    }

    fn change_open(&self, change: impl Fn(&mut BatchEntry)) {
        let register = self.register();
        for mut batch in register.open_batches().unwrap() {
            change(&mut batch);
            register.put_batch(&batch).unwrap();
        }
    }

    /// The same as a quarter of an hour later: what was journaled is void.
    fn expire(&self) {
        self.change_open(|batch| batch.expiry = TimeMs(now().0 - 1_000));
    }
}

#[test]
fn what_is_on_the_chain_stays_and_the_rest_can_be_issued_anew() {
    let office = Office::new(250);
    office.sheet("rows.csv", "business-licence", BUSINESS, "40", "1", "2");
    office.sheet("other.csv", "business-licence", BUSINESS, "40", "1", "2");
    let none = office.abandon(&["--yes"]);
    assert_eq!((none.code, none.error().as_str()), (1, "no_register"));
    // The first batch is on the chain and proved, the second was journaled and never sent, the third never made.
    office.intake(Intake::WorksOnce);
    let cut = office.issue("rows.csv", BUSINESS, &["--batch", "16"]);
    assert_eq!((cut.code, office.batches()), (3, 1), "{cut:?}");
    let other =
        office.bureau.run_with(&["licence", "issue", "other.csv", "--type", BUSINESS, "--key", "issuing.key"], false);
    assert!(other.talk.contains("--abandon"), "{other:?}");

    let pending = office.abandon(&["--yes"]);
    assert_eq!((pending.code, pending.error().as_str()), (11, "abandon_pending"), "{pending:?}");
    let alone = office.abandon(&["--yes", "--node", "http://127.0.0.1:1"]);
    assert_eq!((alone.code, alone.error().as_str()), (3, "unreachable"));
    office.expire();
    let alone = office.abandon(&["--yes", "--node", "http://127.0.0.1:1"]);
    assert_eq!((alone.code, alone.error().as_str()), (3, "unreachable"), "time alone proves nothing");
    let asked = office.abandon(&[]);
    assert_eq!((asked.code, asked.error().as_str()), (2, "needs_yes"));
    assert!(asked.talk.contains("16 licences") && asked.talk.contains("24 are not"), "{asked:?}");
    // Stopped on the way, it can be run again.
    let stopped = office.bureau.run(&["licence", "issue", "--abandon", "--yes", "--out", "/proc/self"]);
    assert_eq!((stopped.code, stopped.error().as_str()), (1, "file_not_written"));

    let ended = office.abandon(&["--yes"]).json();
    let run = &ended["run"];
    assert_eq!((&run["kind"], &run["rows"]), (&json!("issue"), &json!(40)), "{ended}");
    assert_eq!((&run["on_chain"], &run["taken_back"], &ended["pickups"]), (&json!(16), &json!(24), &json!(0)));
    assert_eq!(run["lines"].as_array().map(Vec::len), Some(24));
    assert_eq!(office.import(run).as_array().map(Vec::len), Some(16));
    assert_eq!(office.numbers("济南").len(), 16);
    let again = office.abandon(&["--yes"]);
    assert_eq!((again.code, again.error().as_str()), (2, "nothing_to_abandon"));

    // Another file with the same certificate numbers: those of the licences on the chain are taken, the others free.
    office.intake(Intake::Works);
    let issued = office.issued("other.csv", BUSINESS, &["--skip-bad"]);
    assert_eq!((&issued["licences"], office.numbers("济南").len()), (&json!(24), 40));
}

#[test]
fn a_batch_that_turns_out_to_be_on_the_chain_is_kept() {
    let office = Office::new(251);
    office.sheet("rows.csv", "business-licence", BUSINESS, "20", "1", "2");
    office.intake(Intake::BreaksAfter);
    assert_eq!((office.issue("rows.csv", BUSINESS, &["--batch", "16"]).code, office.batches()), (3, 1));
    // The node has forgotten the transaction, and says so: the log has its batch.
    office.expire();
    office.node.chain.lock().unwrap().forget();
    let ended = office.abandon(&["--yes"]).json();
    assert_eq!((&ended["run"]["on_chain"], &ended["run"]["taken_back"]), (&json!(16), &json!(4)), "{ended}");
    assert_eq!(office.import(&ended["run"]).as_array().map(Vec::len), Some(16));
}

#[test]
fn a_batch_of_another_key_does_not_block_for_ever_and_codes_nobody_came_with_become_void() {
    let office = Office::new(252);
    office.intake(Intake::BreaksBefore);
    let words = ["wallet", "apply", "--type", BUSINESS, "--issuer"];
    let issuer = office.node.chain.lock().unwrap().issuer.to_string();
    office.holder.ok(&[&words[..], &[&issuer, "--count", "2", "--out", "applications"]].concat());
    office.holder.copy("applications", &office.bureau.at("applications"));
    let words = ["sample", "--type", "business-licence", "--count", "5", "--applications", "applications"];
    office.bureau.ok(&[&words[..], &["--out", "rows.csv"]].concat());
    assert_eq!(office.issue("rows.csv", BUSINESS, &[]).code, 3);
    assert_eq!(office.numbers("济南").len(), 5);
    office.intake(Intake::Works);
    let key = PublicKey::ed25519([9; 32]).id();
    office.change_open(|batch| batch.key = key);
    let stuck = office
        .bureau
        .run_with(&["licence", "issue", "rows.csv", "--type", BUSINESS, "--key", "issuing.key", "--out", "out"], false);
    assert!(stuck.code == 1 && stuck.talk.contains("another key") && stuck.talk.contains("--abandon"), "{stuck:?}");
    office.expire();
    let ended = office.abandon(&["--yes"]).json();
    assert_eq!((&ended["run"]["codes_void"], &ended["run"]["taken_back"]), (&json!(3), &json!(2)), "{ended}");
    assert_eq!((&ended["run"]["deliveries"], office.numbers("济南").len()), (&Value::Null, 0));
    let issued = office.issued("rows.csv", BUSINESS, &[]);
    assert_eq!((&issued["licences"], &issued["awaiting"]), (&json!(2), &json!(3)));
}

#[test]
fn a_renewal_that_is_given_up_or_overtaken_frees_what_it_brought_and_gives_back_what_it_took() {
    let office = Office::new(253);
    office.sheet("rows.csv", "business-licence", BUSINESS, "2", "1", "1");
    office.issued("rows.csv", BUSINESS, &[]);
    let numbers = office.numbers("济南");
    let show = |number: &str| office.bureau.ok(&["licence", "show", number]).json()[0].clone();
    let certificate = show(&numbers[0])["claims"]["ZZBH"].as_str().unwrap().to_owned();
    let set = "ZZBH=370100999999999";
    let taken = format!("ZZBH={certificate}");

    office.intake(Intake::BreaksBefore);
    assert_eq!(office.renew(&[&numbers[0], "--set", set]).code, 3);
    office.expire();
    let ended = office.bureau.ok(&["licence", "renew", "--abandon", "--out", "out", "--yes"]).json();
    let run = &ended["run"];
    assert_eq!((&run["kind"], &run["rows"], &run["taken_back"]), (&json!("renew"), &json!(1), &json!(1)), "{ended}");
    assert_eq!((&run["numbers"], office.numbers("济南")), (&json!([numbers[0]]), numbers.clone()));
    office.intake(Intake::Works);
    let wrong = office.renew(&[&numbers[1], "--set", &taken]);
    assert_eq!((wrong.code, wrong.error().as_str()), (1, "renew_bad"), "the old version has its number back");

    // The same by an overtaken renewal: it is taken back by itself.
    office.intake(Intake::BreaksBefore);
    assert_eq!(office.renew(&[&numbers[0], "--set", set]).code, 3);
    office.intake(Intake::Works);
    let digest = show(&numbers[0])["copies"][0]["digest"].as_str().unwrap().parse().unwrap();
    office.node.chain.lock().unwrap().set_status(&digest, Status::Revoked);
    let overtaken = office.renew(&[&numbers[0], "--set", set]);
    assert_eq!((overtaken.code, overtaken.error().as_str()), (4, "status_final"), "{overtaken:?}");
    let wrong = office.renew(&[&numbers[1], "--set", &taken]);
    assert_eq!((wrong.code, wrong.error().as_str()), (1, "renew_bad"));
    let renewed = office.renew(&[&numbers[1], "--set", set]);
    assert_eq!(renewed.code, 0, "nobody has the number that was never issued: {renewed:?}");
}

#[test]
fn a_pickup_that_is_given_up_leaves_its_code_as_good_as_new() {
    let office = Office::new(254);
    let (_, codes) = office.prepared("2", "1", BUSINESS, "business-licence", &[]);
    office.pick_up(&office.holder, &codes[0], &["--wait", "0"]);
    office.intake(Intake::BreaksBefore);
    let words = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key", "--once"];
    assert_eq!(office.bureau.run(&words).code, 3);
    office.intake(Intake::Works);
    let key = PublicKey::ed25519([9; 32]).id();
    office.change_open(|batch| batch.key = key);
    let stuck = office.bureau.run(&words);
    assert_eq!(stuck.code, 0, "it holds nothing else up: {stuck:?}");
    assert!(stuck.talk.contains("batch_other_key"), "{stuck:?}");
    office.expire();
    let ended = office.abandon(&["--yes"]).json();
    assert_eq!((&ended["run"], &ended["pickups"]), (&Value::Null, &json!(1)), "{ended}");
    office.node.chain.lock().unwrap().letters.requests.clear();
    // Even another key may come with it now.
    let service = office.serve(&[]);
    let picked = office.pick_up(&office.another(), &codes[0], &[]);
    assert_eq!((picked.code, picked.json().as_array().map(Vec::len)), (0, Some(1)), "{picked:?}");
    assert_eq!((service.terminate().code, office.batches()), (0, 2));
}

#[test]
fn abandoning_takes_no_file_and_no_key() {
    let office = Home::new(None);
    let ended = office.run(&["licence", "issue", "rows.csv", "--abandon"]);
    assert_eq!((ended.code, ended.error().as_str()), (2, "usage"));
    for words in [&["licence", "issue"][..], &["licence", "renew", "name"], &["licence", "renew", "--key", "k"]] {
        let ended = office.run(words);
        assert_eq!((ended.code, ended.error().as_str()), (2, "usage"), "{words:?}");
    }
}
