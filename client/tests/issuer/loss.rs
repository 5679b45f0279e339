//! A holder reports a loss.

use serde_json::json;

use super::*;

/// The same companies as in the sheets of this seed, with other certificate numbers and no applications.
fn more_rows(office: &Office, seed: &str, numbers: &[&str], name: &str) {
    let count = numbers.len().to_string();
    let plain = format!("plain-{name}");
    let words = ["sample", "--type", "business-licence", "--count", &count, "--seed", seed, "--out", &plain];
    office.bureau.ok(&words);
    let text = std::fs::read_to_string(office.bureau.at(&plain)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (line, number) in lines[1..].iter_mut().zip(numbers) {
        *line = format!("{number},{}", line.split_once(',').unwrap().1);
    }
    office.bureau.write(name, lines.join("\r\n").as_bytes());
}

impl Office {
    fn statuses(&self, number: &str) -> Vec<String> {
        let shown = self.bureau.ok(&["licence", "show", number]).json();
        let copies = shown[0]["copies"].as_array().unwrap();
        copies.iter().map(|copy| copy["status"].as_str().unwrap().to_owned()).collect()
    }

    fn number_of(&self, certificate: &str) -> String {
        let found = self.numbers(certificate);
        assert_eq!(found.len(), 1, "{certificate}: {found:?}");
        found[0].clone()
    }
}

#[test]
fn a_loss_suspends_what_the_holder_has_in_every_batch_and_nothing_of_others() {
    let office = Office::new(56);
    // One batch of two companies, two copies each; then one that is signed as holders come with codes.
    office.sheet("rows.csv", "business-licence", BUSINESS, "2", "2", "8");
    office.issued("rows.csv", BUSINESS, &[]);
    let (lost, other) = ("370100888888881", "370100888888882");
    more_rows(&office, "8", &[lost, other], "second.csv");
    let issued = office.issued("second.csv", BUSINESS, &[]);
    let codes = std::fs::read_to_string(office.bureau.at(issued["codes"].as_str().unwrap())).unwrap();
    let codes: Vec<&str> = codes.lines().skip(1).map(|line| line.split(',').nth(3).unwrap()).collect();
    for code in &codes {
        office.pick_up(&office.holder, code, &["--wait", "0"]);
    }
    let round = office.serve_once();
    assert_eq!((&round["issued"], office.batches()), (&json!(2), 2), "{round}");
    // And one that was revoked before, in a batch of its own.
    let revoked = "370100777777771";
    more_rows(&office, "8", &[revoked], "third.csv");
    let issued = office.issued("third.csv", BUSINESS, &[]);
    let third = std::fs::read_to_string(office.bureau.at(issued["codes"].as_str().unwrap())).unwrap();
    office.pick_up(&office.holder, third.lines().nth(1).unwrap().split(',').nth(3).unwrap(), &["--wait", "0"]);
    office.serve_once();
    let revoked = office.number_of(revoked);
    assert_eq!(office.act("revoke", &revoked).code, 0);

    let (lost, other) = (office.number_of(lost), office.number_of(other));
    let holder = office.bureau.ok(&["licence", "show", &lost]).json()[0]["claims"]["CZZTDM"].clone();
    let holder = holder.as_str().unwrap();
    let all = office.numbers(holder);
    assert_eq!(all.len(), 3, "{all:?}");
    let words = ["licence", "loss", "--holder", holder, "--key", "issuing.key", "--yes"];
    let told = office.bureau.ok(&words).json();
    assert_eq!((told["licences"].as_array().map(Vec::len), &told["copies_changed"]), (Some(2), &json!(3)), "{told}");
    for number in &all {
        let due = if *number == revoked { "revoked" } else { "suspended" };
        assert!(office.statuses(number).iter().all(|status| status == due), "{number}");
    }
    assert_eq!(office.statuses(&other), ["active"], "the other licence of the same batch");
    let first = office.number_of("370100000000002");
    assert_eq!(office.statuses(&first), ["active", "active"]);
    // Again: all is done, and nothing is sent.
    let again = office.bureau.ok(&words).json();
    assert_eq!((&again["copies_changed"], &again["copies_unchanged"]), (&json!(0), &json!(3)), "{again}");
    // A part of a code or a name is not a holder.
    let part = office.bureau.run(&["licence", "loss", "--holder", &holder[..10], "--key", "issuing.key", "--yes"]);
    assert_eq!((part.code, part.error().as_str()), (2, "not_in_register"));
    // Whoever collects what was suspended is told so.
    let service = office.serve(&[]);
    let picked = office.pick_up(&office.holder, codes[0], &[]);
    assert_eq!(picked.json()[0]["standing"]["status"], "suspended", "{picked:?}");
    assert_eq!(service.terminate().code, 0);
}
