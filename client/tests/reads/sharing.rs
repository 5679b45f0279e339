//! What goes well: read, recorded, seen by the person, proved later.

use kanhe_client::talk::Passphrase;
use kanhe_client::wallet::Wallet;

use kanhe_proto::consent::{Answered, Note, Read, SignedRead, TRACE_CLAIM, TraceKey};
use kanhe_proto::hash::Commitment;
use kanhe_proto::key::Signer as _;
use kanhe_proto::key_file::KeyFileRole;
use serde_json::json;

use super::{IDENTITY, Ward};
use crate::support::chain::now;
use crate::support::command::PASSPHRASE;

#[test]
fn a_hospital_reads_on_consent_and_the_patient_sees_it() {
    let ward = Ward::new(10);
    let (given, _) = ward.grant(&["--reads", "2", "--out", "ticket"]);
    assert_eq!((&given["state"], &given["reads"]), (&json!("given"), &json!(2)), "{given}");
    ward.patient.copy("ticket", &ward.hospital.at("ticket"));
    let service = ward.serve();
    let read = ward.read_on_consent("ticket", "CZZT", &["--out", "proof"]);
    assert_eq!(read.code, 0, "{read:?}");
    let read = read.json();
    assert_eq!((&read["state"], &read["basis"]), (&json!("given"), &json!("consent")));
    assert_eq!(read["licences"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&read["licences"][0]["claims"], &read["licences"][0]["good"]),
        (&json!({ "CZZT": ward.name }), &json!(true))
    );
    assert!(!read.to_string().contains(&ward.number), "the hospital need not know it to ask: {read}");

    // Whoever is given the file proves what was shared, without asking anybody.
    ward.hospital.copy("proof", &ward.clinic.at("proof"));
    let mut offline = ward.clinic.ok(&["read", "check", "proof"]).json();
    assert_eq!(offline["licences"][0]["claims"], json!({ "CZZT": ward.name }));
    assert_eq!((&offline["reader"], &offline["source"]), (&json!(ward.members[0].uscc.to_string()), &json!(ward.uscc)));
    offline["licences"].take();
    let mut bytes = std::fs::read(ward.clinic.at("proof")).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    ward.clinic.write("altered", &bytes);
    let altered = ward.clinic.run(&["read", "check", "altered"]);
    assert_eq!((altered.code, altered.error().as_str()), (10, "read_proof_wrong"), "{altered:?}");

    // A second read on a rule, by the clinic.
    let other = ward.read_on_rule(1, "relief", &ward.number);
    assert_eq!(other.code, 0, "{other:?}");
    let log = ward.log();
    let reads = log["reads"].as_array().unwrap();
    assert_eq!((reads.len(), log["missing"].as_array().unwrap().len()), (2, 0), "{log}");
    assert_eq!((&reads[0]["basis"], &reads[0]["reader_names"]["en"]), (&json!("consent"), &json!("Hospital")));
    assert_eq!((&reads[0]["consent"], &reads[0]["purpose"]), (&given["id"], &json!("treatment")));
    assert_eq!(reads[0]["scope"], json!([{ "type": IDENTITY, "claims": ["CZZT"] }]));
    assert_eq!((&reads[1]["basis"], &reads[1]["ground"]), (&json!("statute"), &json!("relief")));
    assert_eq!((&reads[0]["number"], &reads[1]["number"]), (&json!(1), &json!(2)));
    // Looked through once more, nothing is asked again from the beginning and nothing is lost.
    assert_eq!(ward.log(), log);
    let shown = ward.patient.ok(&["consent", "show", &given["id"].as_str().unwrap()[..8]]).json();
    assert_eq!((&shown["left"], &shown["withdrawn_ms"]), (&json!(1), &json!(null)));
    let words = ward.patient.run_with(&["consent", "log", "--lang", "zh"], false);
    assert!(words.data.contains("Hospital") && words.data.contains("法定依据"), "{words:?}");
    let listed = ward.hospital.ok(&["read", "list"]).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["state"]), (1, &json!("given")));
    assert_eq!(service.terminate().code, 0);
}

#[test]
fn two_reads_about_one_person_are_unlinkable_to_a_node() {
    let ward = Ward::new(15);
    let service = ward.serve();
    for _ in 0..2 {
        let read = ward.read_on_rule(0, "relief", &ward.number);
        assert_eq!(read.code, 0, "{read:?}");
    }
    assert_eq!(service.terminate().code, 0);
    let records = ward.chain().access_records();
    let [one, other] = records.as_slice() else { panic!("{records:?}") };
    // Whatever in them comes of the person differs; what is alike is of the bureaus and the purpose.
    assert!(one.read.read.tag != other.read.read.tag);
    assert!(one.read.read.note != other.read.read.note);
    assert!(one.read.read.answered != other.read.read.answered);
    let (one, other) = (one.read.request(), other.read.request());
    assert!(one.asked != other.asked && one.nonce != other.nonce);
    // Neither number nor name is anywhere in what the node holds.
    let held: Vec<u8> = ward.chain().records().iter().flatten().copied().collect();
    for secret in [ward.number.as_bytes(), ward.name.as_bytes()] {
        assert!(!held.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn a_gap_in_the_numbers_shows() {
    let ward = Ward::new(20);
    let service = ward.serve();
    assert_eq!(ward.read_on_rule(0, "relief", &ward.number).code, 0);
    assert_eq!(service.terminate().code, 0);
    // The source records its third read of the person, and has said nothing of the second.
    let passphrase = Passphrase::new(PASSPHRASE.to_owned());
    let wallet = Wallet::open(&ward.patient.at("home/wallet.redb"), &passphrase).unwrap();
    let licence = wallet.licences().unwrap().remove(0).holding().unwrap();
    let key = TraceKey::from_claim(licence.claims()[TRACE_CLAIM].as_str().unwrap()).unwrap();
    drop(wallet);
    let mut chain = ward.chain();
    let honest = chain.access_records().remove(0).read;
    let (context, issuing) = (chain.genesis.chain(), chain.issuing.clone());
    let request = honest.read.request.clone();
    let note = key.seal(&context, &request.request, 3, &Note::default()).unwrap();
    let read = Read {
        request,
        tag: key.tag(3),
        note,
        answered: Answered::Given(Commitment([9; 32])),
        key: issuing.public_key().id(),
    };
    let signed: SignedRead = read.sign(&context, &issuing).unwrap();
    chain.append_read(&signed, &mut None, now());
    drop(chain);
    let log = ward.log();
    assert_eq!(log["missing"], json!([{ "source": ward.uscc, "numbers": [2] }]), "{log}");
    assert_eq!(log["reads"].as_array().unwrap().len(), 2);
    let told = ward.patient.run_with(&["consent", "log"], false);
    assert!(told.data.contains("ask that bureau"), "{told:?}");
}

#[test]
fn the_same_request_again_gets_the_same_bytes_and_is_recorded_once() {
    let ward = Ward::new(25);
    // The answer is lost on its way back.
    ward.chain().letters.loses = true;
    let late = ward.read(
        0,
        &[
            "--type",
            IDENTITY,
            "--claims",
            "CZZT",
            "--basis",
            "statute",
            "--purpose",
            "relief",
            "--subject",
            &ward.number,
            "--wait",
            "0",
        ],
    );
    assert_eq!((late.code, late.error().as_str()), (3, "read_unanswered"), "{late:?}");
    let envelope = ward.chain().letters.requests[0].clone();
    let once = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key", "--once"];
    assert_eq!(ward.source.ok(&once).json()["shared"], 1);
    ward.chain().letters.loses = false;
    let mut answers = Vec::new();
    for _ in 0..2 {
        ward.chain().letters.answers.clear();
        ward.chain().letters.requests.push(envelope.clone());
        assert_eq!(ward.source.ok(&once).json()["shared"], 1);
        answers.push(ward.chain().letters.answers[0].1.clone());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(ward.chain().access_records().len(), 1);
    let log = ward.log();
    assert_eq!((log["reads"].as_array().unwrap().len(), &log["missing"]), (1, &json!([])));
}

#[test]
fn what_awaits_pickup_is_read_and_seen_after_it() {
    let ward = Ward::new(30);
    let sample = ["sample", "--type", "identity-card", "--count", "1", "--seed", "99", "--out", "waiting.csv"];
    ward.source.ok(&sample);
    let issue = ["licence", "issue", "waiting.csv", "--type", IDENTITY, "--key", "issuing.key", "--out", "waiting"];
    let issued = ward.source.ok(&[&issue[..], &["--sealing-key", "sealing.key", "--yes"]].concat()).json();
    let codes = std::fs::read_to_string(ward.source.at(issued["codes"].as_str().unwrap())).unwrap();
    let row: Vec<&str> = codes.lines().nth(1).unwrap().split(',').collect();
    let (number, code) = (row[2].to_owned(), row[3].to_owned());
    let service = ward.serve();
    let batches = ward.chain().batches();
    for _ in 0..2 {
        let read = ward.read_on_rule(0, "relief", &number);
        assert_eq!(read.code, 0, "{read:?}");
        assert_eq!(read.json()["licences"].as_array().unwrap().len(), 1);
    }
    assert_eq!(ward.chain().batches(), batches + 3, "one extract, and two reads");
    // Now the person comes, with a wallet.
    let picked = ward.patient.run(&["wallet", "collect", "--code", &code, "--issuer", &ward.uscc, "--type", IDENTITY]);
    assert_eq!(picked.code, 0, "{picked:?}");
    let log = ward.log();
    let seen: Vec<&serde_json::Value> = log["reads"].as_array().unwrap().iter().collect();
    assert_eq!((seen.len(), &log["missing"]), (2, &json!([])), "{log}");
    // What is picked up is read from now on.
    let read = ward.read_on_rule(0, "relief", &number);
    assert_eq!((read.code, read.json()["licences"].as_array().unwrap().len()), (0, 1), "{read:?}");
    assert_eq!(service.terminate().code, 0);
    let found = ward.source.ok(&["licence", "find", &number]).json();
    assert_eq!(found.as_array().unwrap().len(), 1, "an extract is nobody's licence: {found}");
}

#[test]
fn nothing_is_an_answer_too_and_recorded() {
    let ward = Ward::new(35);
    let service = ward.serve();
    let read = ward.read_on_rule(0, "relief", "11010519491231002X");
    assert_eq!((read.code, &read.json()["licences"]), (0, &json!([])), "{read:?}");
    assert_eq!(service.terminate().code, 0);
    assert_eq!(ward.chain().access_records().len(), 1);
    assert_eq!(ward.log()["reads"], json!([]), "of somebody else");
}

#[test]
fn what_few_people_have_is_in_no_statistics() {
    let ward = Ward::with_people(40, "12");
    let service = ward.serve();
    let people = std::fs::read_to_string(ward.source.at("people.csv")).unwrap();
    let is_number = |cell: &str| cell.parse::<kanhe_proto::identifiers::PersonId>().is_ok();
    let place = people.lines().nth(1).unwrap().split(',').position(is_number).unwrap();
    let numbers: Vec<&str> = people.lines().skip(1).map(|line| line.split(',').nth(place).unwrap()).collect();
    ward.hospital.write("people", numbers.join("\n").as_bytes());
    let words = ["--type", IDENTITY, "--claims", "KZ_XB", "--basis", "statute", "--purpose", "relief"];
    let read = ward.read(0, &[&words[..], &["--subjects", "people"]].concat());
    assert_eq!(read.code, 0, "{read:?}");
    let read = read.json();
    let asked: Vec<&str> =
        read.as_array().unwrap().iter().map(|row| row["subject"]["number"].as_str().unwrap()).collect();
    assert_eq!(asked, numbers, "in the order of the file");
    assert!(read.as_array().unwrap().iter().all(|row| row["state"] == "given" && row["licences"][0]["good"] == true));
    assert_eq!(ward.chain().access_records().len(), 12, "each recorded by itself");
    assert_eq!(service.terminate().code, 0);
    let all = ward.hospital.ok(&["read", "stats", "--count"]).json();
    assert_eq!((&all["total"]["people"], &all["min_group"]), (&json!(12), &json!(10)));
    let grouped = ward.hospital.ok(&["read", "stats", "--count", "--group-by", "KZ_XB", "--min-group", "1"]).json();
    let shown = grouped["groups"].as_array().unwrap();
    let people = |group: &serde_json::Value| group["people"].as_u64().unwrap();
    assert!(shown.iter().all(|group| people(group) >= 5), "{grouped}");
    assert!(grouped["hidden"] != json!(1), "{grouped}");
}

#[test]
fn what_a_bureau_holds_is_declared_and_listed() {
    let ward = Ward::new(45);
    let text = "[[class]]\ncode = \"records\"\nzh = \"健康档案\"\nen = \"Health records\"\ncount = 190000000\ntype = \"DEMOJMSFZ001\"\n";
    let uscc = ward.uscc.clone();
    ward.source.key_file("gov.key", KeyFileRole::Governance, &[49; 32]);
    ward.source.write("classes.toml", text.as_bytes());
    let declare = ["catalogue", "declare", "classes.toml", "--key", "gov.key", "--as", &uscc, "--yes"];
    ward.source.ok(&declare);
    let listed = ward.patient.ok(&["catalogue", "list", "--bureau", &uscc]).json();
    assert_eq!(
        (&listed[0]["code"], &listed[0]["count"], &listed[0]["in_force"]),
        (&json!("records"), &json!(190_000_000), &json!(true)),
        "{listed}"
    );
    let words = ward.patient.run_with(&["catalogue", "list", "--bureau", &uscc, "--lang", "zh"], false);
    assert!(words.data.contains("健康档案") && words.data.contains("190000000"), "{words:?}");
    ward.source.write("data.toml", format!("{text}rows = [\"张三\"]\n").as_bytes());
    let refused = ward.source.run(&["catalogue", "declare", "data.toml", "--key", "gov.key", "--as", &uscc, "--yes"]);
    assert_eq!((refused.code, refused.error().as_str()), (2, "gov_file_wrong"), "{refused:?}");
}

#[test]
fn of_many_none_is_asked_if_one_is_nobody_and_a_refusal_shows() {
    let ward = Ward::new(47);
    let words = ["--type", IDENTITY, "--claims", "KZ_XB", "--basis", "statute", "--subjects", "people"];
    let ask = |purpose: &str| ward.read(0, &[&words[..], &["--purpose", purpose]].concat());
    for (text, code) in [(String::new(), "read_subjects"), (format!("{}\nnobody\n", ward.number), "read_subject")] {
        ward.hospital.write("people", text.as_bytes());
        let wrong = ask("relief");
        assert_eq!((wrong.code, wrong.error().as_str()), (2, code), "{wrong:?}");
    }
    assert!(ward.chain().letters.requests.is_empty(), "nothing has left");
    let both = [&words[..], &["--purpose", "relief", "--subject", &ward.number]].concat();
    assert_eq!(ward.read(0, &both).code, 2);
    let service = ward.serve();
    ward.hospital.write("people", format!("{}\n\n11010519491231002X\n", ward.number).as_bytes());
    let refused = ask("marketing");
    assert_eq!((refused.code, refused.error().as_str()), (4, "read_some_refused"), "{refused:?}");
    assert_eq!(refused.json()[1]["code"], "purpose_commercial", "{refused:?}");
    let given = ask("relief");
    assert_eq!((given.code, &given.json()[1]["licences"]), (0, &json!([])), "of one nothing is held: {given:?}");
    assert_eq!(service.terminate().code, 0);
    assert_eq!(ward.given(), 2);
}
