//! Reads and consents that are refused, each with its code, and what must hold then: nothing recorded, or nothing given.

use std::time::Duration;

use kanhe_client::issuer::Register;
use kanhe_client::talk::Passphrase;
use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::SecretKey;
use kanhe_proto::limits::READ_AGE_MAX_MS;
use kanhe_proto::mail::{MailAnswer, MailRequest};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::sharing::{ReadAnswer, ReadOutcome, Shared};
use serde_json::{Value, json};

use super::{IDENTITY, Ward};
use crate::support::chain::{Intake, now};
use crate::support::command::{Ended, PASSPHRASE};
use crate::support::server::refuser;

fn refused(ended: &Ended, code: &str) {
    assert_eq!((ended.code, ended.error().as_str()), (4, code), "{ended:?}");
    assert!(ended.talk.contains('('), "told in words: {ended:?}");
}

#[test]
fn beyond_what_was_consented_to_nothing_is_read() {
    let ward = Ward::new(50);
    let (_, ticket) = ward.grant(&[]);
    let service = ward.serve();
    // Another claim, another type.
    refused(&ward.read_on_consent(&ticket, "CZZT,KZ_ZZ", &[]), "terms_beyond");
    let other = ["--type", "DEMOYYZZ001", "--claims", "CZZT", "--basis", "consent", "--consent", &ticket];
    refused(&ward.read(0, &other), "terms_beyond");
    // Another reader, another purpose.
    let claims = ["--type", IDENTITY, "--claims", "CZZT", "--basis", "consent", "--consent", &ticket];
    refused(&ward.read(1, &claims), "consent_other");
    refused(&ward.read_on_consent(&ticket, "CZZT", &["--purpose", "relief"]), "consent_other");
    // Somebody else's data.
    refused(&ward.read_on_consent(&ticket, "CZZT", &["--subject", "11010519491231002X"]), "consent_other_person");
    // What links a person's licences, or shows who reads about them.
    refused(&ward.read_on_consent(&ticket, "kanhe_hb", &[]), "read_scope");
    let trace = ward.read_on_consent(&ticket, "kanhe_trace", &[]);
    assert_eq!((trace.code, trace.error().as_str()), (2, "terms_scope"), "{trace:?}");
    assert_eq!(ward.given(), 0);
    // Once is once.
    assert_eq!(ward.read_on_consent(&ticket, "CZZT", &[]).code, 0);
    refused(&ward.read_on_consent(&ticket, "CZZT", &[]), "consent_spent");
    assert_eq!(ward.given(), 1);
    // Again the same day, by the same reader for the same reason: recorded once.
    refused(&ward.read_on_consent(&ticket, "CZZT", &[]), "consent_spent");
    assert_eq!(service.terminate().code, 0);
    let recorded = ["terms_beyond", "consent_other", "consent_other", "consent_other_person", "consent_spent"];
    assert_eq!(ward.refusals(), recorded);
    // That of another's number is another's. She sees who tried, for what and why in vain; among them what was read, and no number is missing.
    let log = ward.log();
    let reads: Vec<&Value> = log["reads"].as_array().unwrap().iter().collect();
    let told: Vec<(Option<&str>, &str)> =
        reads.iter().map(|read| (read["refused"].as_str(), read["reader"].as_str().unwrap())).collect();
    let [hospital, clinic] = [0, 1].map(|at| ward.members[at].uscc.to_string());
    let (hospital, clinic) = (hospital.as_str(), clinic.as_str());
    assert_eq!(
        told,
        [
            (Some("terms_beyond"), hospital),
            (Some("consent_other"), clinic),
            (Some("consent_other"), hospital),
            (None, hospital),
            (Some("consent_spent"), hospital),
        ],
        "{log}"
    );
    assert_eq!((&log["missing"], reads[1]["scope"][0]["claims"].clone()), (&json!([]), json!(["CZZT"])), "{log}");
    let words = ward.patient.run_with(&["consent", "log"], false);
    assert!(words.data.contains("refused") && words.data.contains("Clinic"), "{words:?}");
}

#[test]
fn after_its_time_nothing_is_read() {
    let ward = Ward::new(52);
    let (given, ticket) = ward.grant(&["--reads", "3", "--days", "1"]);
    let service = ward.serve();
    assert_eq!(ward.read_on_consent(&ticket, "CZZT", &[]).code, 0);
    ward.chain().expire(&given["id"].as_str().unwrap().parse().unwrap());
    refused(&ward.read_on_consent(&ticket, "CZZT", &[]), "consent_over");
    assert_eq!(ward.given(), 1);
    assert_eq!(service.terminate().code, 0);
}

#[test]
fn for_profit_nothing_is_read_whoever_asks() {
    let ward = Ward::new(55);
    let service = ward.serve();
    refused(&ward.read_on_rule(0, "marketing", &ward.number), "purpose_commercial");
    refused(&ward.read_on_rule(0, "curiosity", &ward.number), "purpose_unknown");
    // Of somebody whom the source does not know: the record looks the same.
    refused(&ward.read_on_rule(1, "marketing", "110105194912310038"), "purpose_commercial");
    let words = ["consent", "grant", "--to", &ward.members[0].uscc.to_string(), "--purpose", "marketing"];
    let terms = ["--source", &ward.uscc, "--type", IDENTITY, "--claims", "CZZT", "--yes"];
    refused(&ward.patient.run(&[&words[..], &terms].concat()), "purpose_commercial");
    assert_eq!(ward.given(), 0);
    let listed = ward.patient.ok(&["consent", "list"]).json();
    assert_eq!((&listed[0]["state"], &listed[0]["refused"]), (&json!("refused"), &json!("purpose_commercial")));
    assert_eq!(service.terminate().code, 0);
    assert_eq!(
        ward.refusals(),
        ["purpose_commercial"; 2],
        "of a purpose that nobody registered nothing comes onto the chain"
    );
    let log = ward.log();
    let tried: Vec<&Value> = log["reads"].as_array().unwrap().iter().map(|read| &read["reader"]).collect();
    assert_eq!(tried, [&json!(ward.members[0].uscc.to_string())], "not that about somebody else: {log}");
}

#[test]
fn a_withdrawal_binds_before_it_is_in_a_block_and_what_was_read_stays_read() {
    let ward = Ward::new(60);
    let (given, ticket) = ward.grant(&["--reads", "5"]);
    let id = given["id"].as_str().unwrap().to_owned();
    let service = ward.serve();
    assert_eq!(ward.read_on_consent(&ticket, "CZZT", &[]).code, 0);
    // The source's node has only seen the withdrawal.
    ward.chain().sharing.withdrawing.insert(id.parse().unwrap());
    refused(&ward.read_on_consent(&ticket, "CZZT", &[]), "consent_withdrawn");
    ward.chain().sharing.withdrawing.clear();
    // It is in a block, while the hospital was away.
    let silent = ward.patient.run_with(&["consent", "withdraw", &id[..8]], false);
    assert_eq!(silent.code, 2, "nobody said yes: {silent:?}");
    assert!(silent.talk.contains("stays read"), "{silent:?}");
    let withdrawn = ward.patient.ok(&["consent", "withdraw", &id[..8], "--yes"]).json();
    assert_eq!(withdrawn["state"], "withdrawn");
    assert!(withdrawn["withdrawn_ms"].is_u64(), "{withdrawn}");
    let shown = ward.patient.ok(&["consent", "show", &id[..8]]).json();
    assert_eq!(
        (&shown["state"], &shown["ticket"]),
        (&json!("withdrawn"), &json!(null)),
        "nothing is handed over any more"
    );
    refused(&ward.read_on_consent(&ticket, "CZZT", &[]), "consent_withdrawn");
    assert_eq!(ward.patient.ok(&["consent", "withdraw", &id[..8], "--yes"]).json()["state"], "withdrawn", "again");
    assert_eq!(service.terminate().code, 0);
    let log = ward.log();
    let given = log["reads"].as_array().unwrap().iter().filter(|read| read["refused"].is_null()).count();
    assert_eq!(given, 1, "what was read stays read");
}

#[test]
fn what_was_recorded_too_long_ago_does_not_leave() {
    let ward = Ward::new(65);
    let (_, ticket) = ward.grant(&["--reads", "2"]);
    let service = ward.serve();
    ward.chain().sharing.late_ms = 61_000;
    refused(&ward.read_on_consent(&ticket, "CZZT", &[]), "read_too_late");
    ward.chain().sharing.late_ms = 0;
    assert_eq!(ward.read_on_consent(&ticket, "CZZT", &[]).code, 0);
    assert_eq!(service.terminate().code, 0);
    let log = ward.log();
    assert_eq!((log["reads"].as_array().unwrap().len(), &log["missing"]), (2, &json!([])), "both are recorded: {log}");
}

#[test]
fn one_persons_consent_opens_nobody_elses_data() {
    let ward = Ward::with_people(70, "2");
    let (_, ticket) = ward.grant(&["--reads", "2"]);
    let text = std::fs::read_to_string(ward.patient.at("deliveries.jsonl")).unwrap();
    ward.patient.write("all.jsonl", text.as_bytes());
    let service = ward.serve();
    // Whoever consents is whose licence is bound to the consent.
    let read = ward.read_on_consent(&ticket, "CZZT", &[]);
    assert_eq!(read.json()["licences"][0]["claims"]["CZZT"], ward.name.as_str(), "{read:?}");
    // Cut or altered it is no ticket.
    let wrong = ward.read_on_consent(&ticket[..ticket.len() - 1], "CZZT", &[]);
    assert_eq!((wrong.code, wrong.error().as_str()), (2, "consent_ticket_wrong"));
    assert_eq!(service.terminate().code, 0);
}

#[test]
fn a_key_of_another_bureau_or_an_old_letter_reads_nothing() {
    let ward = Ward::new(75);
    // The hospital in the name of the clinic.
    let clinic = ward.members[1].uscc.to_string();
    let words = ["read", "request", "--source", &ward.uscc, "--key", "issuing.key", "--as", &clinic];
    let more = ["--type", IDENTITY, "--claims", "CZZT", "--basis", "statute", "--purpose", "relief"];
    let ended = ward.hospital.run(&[&words[..], &more, &["--subject", &ward.number]].concat());
    assert_eq!((ended.code, ended.error().as_str()), (4, "issuing_key_not_valid"), "{ended:?}");

    // A letter that somebody sealed anew, with another key for the answer: not what the reader signed.
    let late = ward.read(0, &[&more[..], &["--subject", &ward.number, "--wait", "0"]].concat());
    assert_eq!(late.error(), "read_unanswered");
    let once = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key", "--once"];
    {
        let mut chain = ward.chain();
        let (id, sealing) = (chain.genesis.chain_id(), SealingSecret::from_seed(*chain.sealing.seed()));
        let (_, bytes) = chain.letters.requests.remove(0);
        let mail = MailRequest::decode(&bytes, &id).unwrap();
        let mut letter = mail.open_letter(&sealing).unwrap();
        letter.answer = SealingSecret::from_seed([77; 32]).public_key();
        let stolen = MailRequest::seal_letter(&letter, &sealing.public_key(), [3; 32]).unwrap();
        chain.letters.requests.push((stolen.id, codec::encode(&stolen)));
    }
    let round = ward.source.ok(&once).json();
    assert_eq!((&round["shared"], &round["unreadable"]), (&json!(0), &json!(1)), "{round}");

    // One that is good, and too old to come into a block for certain: nobody gets around a record so.
    ward.read(0, &[&more[..], &["--subject", &ward.number, "--wait", "0"]].concat());
    {
        let mut chain = ward.chain();
        let (context, id) = (chain.genesis.chain(), chain.genesis.chain_id());
        let sealing = SealingSecret::from_seed(*chain.sealing.seed());
        let (_, bytes) = chain.letters.requests.remove(0);
        let mut letter = MailRequest::decode(&bytes, &id).unwrap().open_letter(&sealing).unwrap();
        let mut request = letter.request.request;
        request.time = TimeMs(now().0 - READ_AGE_MAX_MS + 30_000);
        letter.request = request.sign(&context, &SecretKey::from_seed(ward.members[0].issuing)).unwrap();
        let late = MailRequest::seal_letter(&letter, &sealing.public_key(), [4; 32]).unwrap();
        chain.letters.requests.push((late.id, codec::encode(&late)));
    }
    let round = ward.source.ok(&once).json();
    assert_eq!((&round["shared"], &round["not_shared"]), (&json!(0), &json!(1)), "{round}");
    assert_eq!(ward.given(), 0);
}

const ON_RULE: [&str; 8] = ["--type", IDENTITY, "--claims", "CZZT", "--basis", "statute", "--purpose", "relief"];

impl Ward {
    /// Asks on a rule about the patient, and does not wait.
    fn ask_on_rule(&self) {
        let late = self.read(0, &[&ON_RULE[..], &["--subject", &self.number, "--wait", "0"]].concat());
        assert_eq!((late.code, late.error().as_str()), (3, "read_unanswered"), "{late:?}");
    }

    /// What the hospital asked, once none of it is open any more.
    fn settled(&self) -> Value {
        for _ in 0..80 {
            let listed = self.hospital.ok(&["read", "list"]).json();
            if listed.as_array().unwrap().iter().all(|read| read["state"] != "asked") {
                return listed;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("{:?}", self.hospital.ok(&["read", "list"]));
    }
}

#[test]
fn what_one_node_refuses_another_brings() {
    let mut ward = Ward::new(79);
    let both = format!("{},{}", refuser("purpose_unknown"), ward.node.url);
    (ward.source.node, ward.patient.node) = (Some(both.clone()), Some(both));
    let (given, ticket) = ward.grant(&[]);
    assert_eq!(given["state"], "given", "{given}");
    let service = ward.serve();
    let read = ward.read_on_consent(&ticket, "CZZT", &[]);
    assert_eq!(read.code, 0, "{read:?}");
    assert_eq!(service.terminate().code, 0);
}

#[test]
fn what_nodes_refuse_is_kept_until_time_proves_them_right() {
    let ward = Ward::new(82);
    ward.chain().sharing.refuses = Some("purpose_unknown");
    let words = ["consent", "grant", "--to", &ward.members[0].uscc.to_string(), "--purpose", "treatment"];
    let terms = ["--source", &ward.uscc, "--type", IDENTITY, "--claims", "CZZT", "--yes"];
    refused(&ward.patient.run(&[&words[..], &terms].concat()), "purpose_unknown");
    let state = || ward.patient.ok(&["consent", "list"]).json()[0]["state"].clone();
    assert_eq!(state(), "refused");
    // Two reads about one person: the second waits for the first, whose number it would have.
    ward.ask_on_rule();
    ward.ask_on_rule();
    let once = ["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key", "--once"];
    let round = ward.source.ok(&once).json();
    assert_eq!((&round["shared"], &round["not_shared"]), (&json!(0), &json!(0)), "nobody is told anything: {round}");
    assert_eq!(ward.chain().letters.requests.len(), 2, "both stay where they are");
    // What was said to be refused comes in after all.
    ward.chain().sharing.refuses = None;
    assert_eq!(state(), "given");
    let round = ward.source.ok(&once).json();
    assert_eq!((&round["shared"], &round["not_shared"]), (&json!(2), &json!(0)), "{round}");
    assert!(ward.settled().as_array().unwrap().iter().all(|read| read["state"] == "given"));
    let log = ward.log();
    let numbers: Vec<&Value> = log["reads"].as_array().unwrap().iter().map(|read| &read["number"]).collect();
    assert_eq!((numbers, &log["missing"]), (vec![&json!(1), &json!(2)], &json!([])), "{log}");
}

#[test]
fn while_a_record_is_waited_for_others_get_at_the_register() {
    let ward = Ward::new(84);
    ward.ask_on_rule();
    let service = {
        ward.chain().intake = Intake::Forgets;
        let _ = std::mem::take(&mut ward.chain().asked);
        ward.serve()
    };
    for _ in 0..200 {
        if ward.chain().asked.iter().any(|path| path.starts_with("/v1/transactions")) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for _ in 0..2 {
        let found = ward.source.run(&["licence", "find", &ward.number]);
        assert_eq!(found.code, 0, "{found:?}");
    }
    ward.chain().intake = Intake::Works;
    assert_eq!(ward.settled()[0]["state"], "given");
    assert_eq!(service.terminate().code, 0);
}

#[test]
fn an_answer_with_a_record_that_nobody_has_is_refused_in_time_and_holds_up_no_other() {
    let ward = Ward::new(86);
    ward.ask_on_rule();
    ward.ask_on_rule();
    {
        let mut chain = ward.chain();
        let (id, sealing) = (chain.genesis.chain_id(), SealingSecret::from_seed(*chain.sealing.seed()));
        let (_, bytes) = chain.letters.requests.remove(0);
        let letter = MailRequest::decode(&bytes, &id).unwrap().open_letter(&sealing).unwrap();
        let made_up = Shared { parcel: Blob::new([]).unwrap(), random: [0; 32], record: LogIndex(1 << 40) };
        let answer = ReadAnswer::new(ReadOutcome::Shared(made_up));
        let answer = MailAnswer::seal_read(&letter, &answer, [5; 32]).unwrap();
        chain.letters.answers.push((answer.id, codec::encode(&answer)));
    }
    ward.source.ok(&["licence", "serve", "--key", "issuing.key", "--sealing-key", "sealing.key", "--once"]);
    let states = || {
        let listed = ward.hospital.ok(&["read", "list"]).json();
        let of = |read: &Value| read["code"].as_str().or(read["state"].as_str()).unwrap().to_owned();
        listed.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["asked", "given"]);
    // The request is older than any that is recorded.
    let passphrase = Passphrase::new(PASSPHRASE.to_owned());
    let register = Register::open(&ward.hospital.at("home/register.redb"), &passphrase).unwrap();
    let mut asked = register.asked().unwrap().remove(0);
    let mut letter = asked.opened().unwrap();
    letter.request.request.time = TimeMs(now().0 - READ_AGE_MAX_MS - 1_000);
    asked.letter = Blob::new(codec::encode(&letter)).unwrap();
    register.put_asked(&asked).unwrap();
    drop(register);
    assert_eq!(states(), ["read_unproved", "given"]);
}
