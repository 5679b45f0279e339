//! Licences that are picked up and collected.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::*;

impl Office {
    fn issuer(&self) -> String {
        self.node.chain.lock().unwrap().issuer.to_string()
    }

    /// A sheet of so many rows, the first of them with applications; issued. Gives the codes of the others.
    pub(super) fn prepared(
        &self,
        rows: &str,
        applications: &str,
        code: &str,
        subject: &str,
        more: &[&str],
    ) -> (Value, Vec<String>) {
        let words = ["wallet", "apply", "--type", code, "--issuer", &self.issuer(), "--count", applications];
        self.holder.ok(&[&words[..], &["--out", "applications"]].concat());
        self.holder.copy("applications", &self.bureau.at("applications"));
        let words =
            ["sample", "--type", subject, "--count", rows, "--applications", "applications", "--out", "rows.xlsx"];
        self.bureau.ok(&words);
        let issued = self.issued("rows.xlsx", code, more);
        let path = self.bureau.at(issued["codes"].as_str().unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(path).unwrap();
        let codes = text.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().to_owned());
        (issued.clone(), codes.collect())
    }

    pub(super) fn serve(&self, more: &[&str]) -> crate::support::command::Running {
        let words = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key"];
        self.bureau.start(&[&words[..], more].concat())
    }

    pub(super) fn serve_once(&self) -> Value {
        let words = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key", "--once"];
        self.bureau.ok(&words).json()
    }

    pub(super) fn pick_up(&self, holder: &Home, code: &str, more: &[&str]) -> Ended {
        let issuer = self.issuer();
        let words = ["wallet", "collect", "--code", code, "--issuer", &issuer, "--type", BUSINESS];
        holder.run(&[&words[..], more].concat())
    }

    /// Another holder with a wallet of its own.
    pub(super) fn another(&self) -> Home {
        let home = Home::new(Some(&self.node.url));
        let id = std::fs::read_to_string(self.holder.at("chain-id")).unwrap();
        home.ok(&["trust", "pin", "--chain-id", &id]);
        home.ok(&["wallet", "init"]);
        home
    }
}

#[test]
fn licences_are_picked_up_by_code_and_collected_by_possession() {
    let office = Office::new(200);
    let (issued, codes) = office.prepared("5", "2", BUSINESS, "business-licence", &[]);
    assert_eq!((&issued["licences"], &issued["awaiting"], codes.len()), (&json!(2), &json!(3), 3));
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(office.batches(), 1, "nothing of the others is on the chain");
    let waiting = office.bureau.ok(&["licence", "find", "济南"]).json();
    assert_eq!(waiting.as_array().unwrap().iter().filter(|line| line["signed_ms"].is_null()).count(), 3);

    let service = office.serve(&[]);
    let collected = office.holder.ok(&["wallet", "collect"]).json();
    assert_eq!((collected.as_array().unwrap().len(), office.batches()), (2, 1));
    let picked = office.pick_up(&office.holder, &codes[0], &["--copies", "2"]);
    assert_eq!((picked.code, picked.json().as_array().map(Vec::len)), (0, Some(2)), "{picked:?}");
    assert_eq!(office.batches(), 2);
    // The code again, typed as people do: the same answer, and nothing new.
    let again = office.pick_up(&office.holder, &codes[0].to_lowercase().replace('-', " "), &[]);
    assert_eq!((&again.json()[0]["id"], office.batches()), (&picked.json()[0]["id"], 2));
    let other = office.another();
    let refused = office.pick_up(&other, &codes[0], &[]);
    assert_eq!((refused.code, refused.error().as_str()), (4, "pickup_code_taken"));
    let unknown = office.pick_up(&other, "0000-0000-0000-0000-0", &[]);
    assert_eq!((unknown.code, unknown.error().as_str()), (4, "pickup_code_unknown"));
    let mistyped = office.pick_up(&other, "0000-0000-0000-0000-1", &[]);
    assert_eq!((mistyped.code, mistyped.error().as_str()), (2, "pickup_code_check_character"));
    // Nobody knows of an application that was never handed in.
    other.ok(&["wallet", "apply", "--type", BUSINESS, "--issuer", &office.issuer()]);
    let strange = other.run(&["wallet", "collect", "--again", "--type", BUSINESS]);
    assert_eq!((strange.code, strange.error().as_str()), (4, "collect_refused"));
    // Beside the running service the register is free.
    assert_eq!(office.bureau.ok(&["licence", "find", "济南"]).json().as_array().map(Vec::len), Some(5));
    let ended = service.terminate();
    assert_eq!(ended.code, 0, "{ended:?}");

    let first = picked.json()[0]["id"].as_str().unwrap().to_owned();
    office.shown("picked", BUSINESS, &first);
    let (code, verdict) = office.check("picked");
    assert_eq!((code, &verdict["outcome"]), (0, &json!("valid")), "{verdict}");
    let issuer = office.issuer();
    office.bureau.ok(&["licence", "batches", "--issuer", &issuer]);
}

#[test]
fn a_lost_answer_or_a_kill_costs_nothing() {
    let office = Office::new(205);
    let (_, codes) = office.prepared("3", "1", BUSINESS, "business-licence", &[]);
    let late = office.pick_up(&office.holder, &codes[0], &["--wait", "0"]);
    assert_eq!((late.code, late.error().as_str()), (3, "not_answered"));
    // Signed and journaled, and the chain was not reached: the same as a kill between the two.
    office.intake(Intake::BreaksBefore);
    let words = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key", "--once"];
    assert_eq!((office.bureau.run(&words).code, office.batches()), (3, 1));
    let planned = office.bureau.ok(&["licence", "find", "济南"]).json();
    // On the chain, but the answer is lost.
    office.intake(Intake::Works);
    office.node.chain.lock().unwrap().letters.loses = true;
    let round = office.serve_once();
    assert_eq!((&round["given"], &round["issued"], office.batches()), (&json!(1), &json!(0), 2));
    office.node.chain.lock().unwrap().letters.loses = false;
    // Another key comes too late, whatever the first one got.
    let other = office.another();
    office.pick_up(&other, &codes[0], &["--wait", "0"]);
    office.pick_up(&office.holder, &codes[0], &["--wait", "0"]);
    let round = office.serve_once();
    assert_eq!((&round["given"], &round["refused"], office.batches()), (&json!(1), &json!(1), 2));
    assert_eq!(
        office.bureau.ok(&["licence", "find", "济南"]).json().as_array(),
        planned
            .as_array()
            .map(|all| {
                let mut all = all.clone();
                all.iter_mut()
                    .filter(|line| !line["signed_ms"].is_null())
                    .for_each(|line| line["anchored"] = json!(true));
                all
            })
            .as_ref()
    );
    let service = office.serve(&[]);
    let picked = office.pick_up(&office.holder, &codes[0], &[]);
    assert_eq!((picked.code, picked.json().as_array().map(Vec::len)), (0, Some(1)), "{picked:?}");
    assert_eq!((service.terminate().code, office.batches()), (0, 2));
    // The whole file again: what awaits pickup is known as well.
    let again = office.issue("rows.xlsx", BUSINESS, &[]);
    assert_eq!((again.code, again.error().as_str()), (1, "rows_bad"));
}

#[test]
fn rubbish_in_the_queue_is_cleared_and_strangers_do_not_get_the_mail() {
    let office = Office::new(210);
    let (_, codes) = office.prepared("2", "1", BUSINESS, "business-licence", &[]);
    office.pick_up(&office.holder, &codes[0], &["--wait", "0"]);
    {
        let mut chain = office.node.chain.lock().unwrap();
        let (id, mut bytes) = chain.letters.requests[0].clone();
        *bytes.last_mut().unwrap() ^= 1;
        chain.letters.requests.insert(0, (id, bytes));
    }
    let round = office.serve_once();
    assert_eq!((&round["unreadable"], &round["given"]), (&json!(1), &json!(1)), "{round}");
    assert!(office.node.chain.lock().unwrap().letters.requests.is_empty());
    // A key of the bureau that is no issuing key opens no letter box.
    let governance = [214; 32];
    office.bureau.key_file("other.key", KeyFileRole::Issuing, &governance);
    let words = ["licence", "serve", "--key", "other.key", "--sealing-key", "sealing.key", "--once"];
    let ended = office.bureau.run(&words);
    assert_eq!((ended.code, ended.error().as_str()), (2, "issuer_unknown"));
}

#[test]
fn a_person_picks_an_identity_card_up() {
    let office = Office::new(220);
    let (_, codes) = office.prepared("2", "1", IDENTITY, "identity-card", &["--sealing-key", "sealing.key"]);
    let service = office.serve(&[]);
    let issuer = office.issuer();
    let words = ["wallet", "collect", "--code", &codes[0], "--issuer", &issuer, "--type", IDENTITY];
    let picked = office.holder.ok(&words).json();
    let id = picked[0]["id"].as_str().unwrap();
    let claims = office.holder.ok(&["wallet", "show", id]).json()["claims"].clone();
    assert_eq!(claims["kanhe_hb"].as_str().map(str::len), Some(43), "{claims}");
    assert_eq!(service.terminate().code, 0);
}
