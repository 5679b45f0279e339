//! Renewals, and the watch over the bureau's name.

use kanhe_proto::status::Status;
use serde_json::json;

use super::*;

impl Office {
    pub(super) fn numbers(&self, query: &str) -> Vec<String> {
        let found = self.bureau.ok(&["licence", "find", query]).json();
        found.as_array().unwrap().iter().map(|line| line["number"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn renew(&self, words: &[&str]) -> Ended {
        let acting = ["licence", "renew", "--key", "issuing.key", "--out", "out", "--yes"];
        self.bureau.run(&[&acting[..], words].concat())
    }
}

#[test]
fn a_renewal_supersedes_the_old_version_in_one_transaction_and_keeps_the_key() {
    let office = Office::new(225);
    office.sheet("rows.csv", "business-licence", BUSINESS, "3", "2", "1");
    let issued = office.issued("rows.csv", BUSINESS, &[]);
    let taken = office.import(&issued);
    let number = office.numbers("济南")[0].clone();
    let old = office.bureau.ok(&["licence", "show", &number]).json();
    let holder = old[0]["claims"]["CZZTDM"].as_str().unwrap().to_owned();

    let wrong = office.renew(&[&number, "--set", "ZZYXQJZRQ=2036/1/1"]);
    assert_eq!((wrong.code, wrong.error().as_str()), (1, "renew_bad"), "{wrong:?}");
    let wrong = office.renew(&[&number, "--set", "NOPE=1"]);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "renew_no_claim"));
    let other = office.numbers("济南")[1].clone();
    let other = office.bureau.ok(&["licence", "show", &other]).json()[0]["claims"]["ZZBH"].as_str().unwrap().to_owned();
    let wrong = office.renew(&[&number, "--set", &format!("ZZBH={other}")]);
    assert_eq!((wrong.code, wrong.error().as_str(), office.batches()), (1, "renew_bad", 1));

    let renewed = office.renew(&[&holder, "--set", "ZZYXQJZRQ=2036-01-01"]);
    assert_eq!((renewed.code, office.batches()), (0, 2), "{renewed:?}");
    let next = renewed.json()["numbers"][0].as_str().unwrap().to_owned();
    assert!(next.contains(".002.") && office.numbers(&holder) == [next.clone()], "{next}");
    let shown = office.bureau.ok(&["licence", "show", &number]).json();
    assert!(shown[0]["copies"].as_array().unwrap().iter().all(|copy| copy["status"] == "superseded"), "{shown}");
    let again = office.renew(&[&number]);
    assert_eq!((again.code, again.error().as_str()), (4, "renew_superseded"));

    // The holder has the keys already, and shows the new version from then on.
    let fresh = office.import(&renewed.json());
    assert_eq!(fresh.as_array().unwrap().len(), 2);
    let id = fresh[0]["id"].as_str().unwrap();
    let claims = office.holder.ok(&["wallet", "show", id]).json()["claims"].clone();
    assert_eq!((&claims["ZZYXQJZRQ"], claims["CZZTDM"].as_str()), (&json!("2036-01-01"), Some(holder.as_str())));
    office.shown("new", BUSINESS, id);
    assert_eq!(office.check("new").0, 0);
    let was: Vec<&str> = taken.as_array().unwrap().iter().map(|line| line["id"].as_str().unwrap()).collect();
    let kept = was.iter().find(|id| {
        office.holder.ok(&["wallet", "show", id]).json()["claims"]["CZZTDM"].as_str() == Some(holder.as_str())
    });
    office.shown("old", BUSINESS, kept.unwrap());
    let (code, verdict) = office.check("old");
    assert_eq!((code, &verdict["outcome"]), (12, &json!("superseded")), "{verdict}");
}

#[test]
fn a_new_application_moves_the_licence_to_new_keys_and_the_service_hands_it_over() {
    let office = Office::new(230);
    office.sheet("rows.csv", "business-licence", BUSINESS, "1", "1", "1");
    office.issued("rows.csv", BUSINESS, &[]);
    let number = office.numbers("济南")[0].clone();
    let issuer = office.node.chain.lock().unwrap().issuer.to_string();
    office.holder.ok(&["wallet", "apply", "--type", BUSINESS, "--issuer", &issuer, "--out", "new.application"]);
    office.holder.copy("new.application", &office.bureau.at("new.application"));
    let renewed = office.renew(&[&number, "--application", "new.application"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    let used = office.renew(&[&office.numbers("济南")[0], "--set", "NOPE=1", "--application", "new.application"]);
    assert_eq!(used.code, 2);
    let words = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key"];
    let service = office.bureau.start(&words);
    // The old application still gets the old version, which says itself that it is superseded.
    let collected = office.holder.ok(&["wallet", "collect"]).json();
    let statuses: Vec<&Value> = collected.as_array().unwrap().iter().map(|one| &one["standing"]["status"]).collect();
    assert_eq!(statuses, [&json!("superseded"), &json!("active")], "{collected}");
    assert_eq!(service.terminate().code, 0);
}

#[test]
fn a_renewal_that_was_cut_off_goes_on_and_one_that_was_overtaken_is_made_anew_or_taken_back() {
    let office = Office::new(235);
    office.sheet("rows.csv", "business-licence", BUSINESS, "2", "1", "1");
    office.issued("rows.csv", BUSINESS, &[]);
    let numbers = office.numbers("济南");
    let digest = |number: &str| -> kanhe_proto::hash::LicenceDigest {
        let shown = office.bureau.ok(&["licence", "show", number]).json();
        shown[0]["copies"][0]["digest"].as_str().unwrap().parse().unwrap()
    };
    let (first, second) = (digest(&numbers[0]), digest(&numbers[1]));
    let status = |digest, status| office.node.chain.lock().unwrap().set_status(digest, status);
    // Journaled, and never sent.
    office.intake(Intake::BreaksBefore);
    assert_eq!((office.renew(&[&numbers[0]]).code, office.batches()), (3, 1));
    office.intake(Intake::Works);
    let other = office.renew(&[&numbers[1]]);
    assert_eq!((other.code, other.error().as_str()), (1, "run_in_progress"));
    // Meanwhile somebody suspended and reinstated it: the history has grown.
    status(&first, Status::Suspended);
    status(&first, Status::Active);
    let renewed = office.renew(&[&numbers[0]]);
    assert_eq!((renewed.code, office.batches()), (0, 2), "{renewed:?}");

    office.intake(Intake::BreaksBefore);
    assert_eq!(office.renew(&[&numbers[1]]).code, 3);
    office.intake(Intake::Works);
    status(&second, Status::Revoked);
    let overtaken = office.renew(&[&numbers[1]]);
    assert_eq!((overtaken.code, overtaken.error().as_str(), office.batches()), (4, "status_final", 2), "{overtaken:?}");
    assert!(office.numbers("济南").contains(&numbers[1]), "the old version stands as it is");
    let suspended = office.renew(&[&numbers[1]]);
    assert_eq!((suspended.code, suspended.error().as_str()), (4, "status_final"));
}

#[test]
fn the_watch_alarms_at_a_batch_that_is_not_the_bureaus() {
    let office = Office::new(240);
    office.sheet("rows.csv", "business-licence", BUSINESS, "1", "1", "1");
    office.issued("rows.csv", BUSINESS, &[]);
    let issuer = office.node.chain.lock().unwrap().issuer.to_string();
    let watch = office.bureau.start(&["licence", "batches", "--issuer", &issuer, "--watch"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    office.node.chain.lock().unwrap().issue("demo-biz", &[], None);
    std::thread::sleep(std::time::Duration::from_secs(5));
    let ended = watch.terminate();
    let known: Vec<bool> =
        ended.data.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["known"] == true).collect();
    assert_eq!((ended.code, known, ended.error().as_str()), (1, vec![true, false], "strange_batches"), "{ended:?}");
}
