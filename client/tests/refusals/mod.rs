//! Bad input to cases, by who follows no wallet's rules: each is refused with a stable code, the case loses nothing by it, and
//! goes on once what was asked comes. What the chain refuses is tested with the ledger; `docs/CASES.md` has a table of all.

mod rogue;

use kanhe_client::case::InvitationCode;
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{CaseStatus, FileRef};
use kanhe_proto::case_file::{Attachment, Author, FilePart, NamedValue, PartBody};
use kanhe_proto::key::SecretKey;
use kanhe_proto::seal::SealingSecret;
use serde_json::{Value, json};

use crate::Scene;
use crate::case::{ITEM, Lease};
use crate::desk::work::{RUN, desk};
use crate::support::command::Home;
use rogue::{Aim, Rogue, Said};

/// The same item without licences that come of it, and with a small picture that the tenant may hand in.
fn item() -> String {
    let photo = r#"
[[attachment]]
code = "photo"
of = "tenant"
to = ["market"]
names = { zh = "照片", en = "Photo" }
bytes_max = 1000
optional = true
"#;
    let text = &ITEM[..ITEM.find("[[yield]]").unwrap()];
    text.replacen("[[step]]", &format!("{photo}\n[[step]]"), 1)
}

fn value(name: &str, value: &str) -> NamedValue {
    NamedValue { name: Text::new(name).unwrap(), value: Text::new(value).unwrap() }
}

fn photo(bytes: usize) -> Attachment {
    Attachment { name: Text::new("photo.jpg").unwrap(), content: Blob::new(vec![7; bytes]).unwrap() }
}

/// What is wrong, how the desk calls it, and the making of it for a case.
type Wrong = (&'static str, &'static str, fn(&Rogue, &Lease, &Aim) -> Said);

/// Each is the tenant's presentation of round 0, and wrong in one thing.
const WRONG: [Wrong; 13] = [
    ("a licence of another person", "presentation_not_valid", |rogue, lease, aim| {
        let thief = SecretKey::from_seed([66; 32]);
        rogue
            .said(lease, aim, |file| file.presentation = rogue.shows(lease, aim, &["address.city", "kanhe_hb"], &thief))
    }),
    ("what was shown in another case", "presentation_not_valid", |rogue, lease, aim| {
        let mut other = aim.clone();
        other.case.0[0] ^= 1;
        rogue.said(lease, aim, |file| {
            file.presentation = rogue.shows(lease, &other, &["address.city", "kanhe_hb"], &rogue.holder)
        })
    }),
    ("what was shown to another bureau", "presentation_not_valid", |rogue, lease, aim| {
        let other = Aim { place: 1, ..aim.clone() };
        rogue.said(lease, aim, |file| {
            file.presentation = rogue.shows(lease, &other, &["address.city", "kanhe_hb"], &rogue.holder)
        })
    }),
    ("a claim that is asked for and not shown", "presentation_not_valid", |rogue, lease, aim| {
        rogue.said(lease, aim, |file| file.presentation = rogue.shows(lease, aim, &["kanhe_hb"], &rogue.holder))
    }),
    ("rubbish", "presentation_malformed", |rogue, lease, aim| {
        rogue.said(lease, aim, |file| file.presentation = Blob::new(vec![b'['; 100_000]).unwrap())
    }),
    ("a field of another party", "field_unknown", |rogue, lease, aim| {
        rogue.said(lease, aim, |file| file.values = List::new(vec![value("rent", "\"0.01\"")]).unwrap())
    }),
    ("a paper that is too large", "attachment_too_long", |rogue, lease, aim| {
        rogue.said(lease, aim, |file| file.attachments = List::new(vec![photo(1_001)]).unwrap())
    }),
    ("a file of another author", "case_file_author", |rogue, lease, aim| {
        rogue.said(lease, aim, |file| file.from = Author::Slot(0))
    }),
    ("a file of another round", "case_file_round", |rogue, lease, aim| rogue.said(lease, aim, |file| file.round = 3)),
    ("a size that is not the file's", "case_file_size", |rogue, lease, aim| {
        let said = rogue.said(lease, aim, |_| {});
        Said { reference: FileRef { bytes: said.reference.bytes + 4_096, ..said.reference }, ..said }
    }),
    ("a digest of other content", "case_file_commitment", |rogue, lease, aim| rogue.mislabelled(lease, aim)),
    ("parts that are moved from another file", "seal_unopenable", |rogue, lease, aim| {
        let (said, other) = (rogue.said(lease, aim, |_| {}), rogue.said(lease, aim, |_| {}));
        let moved = |part: FilePart| {
            let body = PartBody { commitment: said.reference.commitment, ..part.body };
            body.sign(&rogue.key).unwrap()
        };
        let parts = other.parts.into_iter().map(moved).collect();
        Said { parts, ..said }
    }),
    ("a file sealed to another bureau", "sealing_key_missing", |rogue, lease, aim| {
        let other = SealingSecret::from_seed([99; 32]).public_key();
        rogue.sealed_to(lease, aim, &other)
    }),
];

/// Codes by which a case waits at the desk.
fn why(listed: &Value, case: &str) -> Vec<String> {
    let line = listed.as_array().unwrap().iter().find(|line| line["case"] == case);
    let why = line.unwrap_or_else(|| panic!("{case} does not wait: {listed}"))["why"].as_array().unwrap().clone();
    why.iter().map(|why| why["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_wrong_waits_with_its_code_and_the_case_goes_on_when_it_is_right() {
    let lease = Lease::with(170, &item());
    let office = desk(&lease, 170);
    let mut cases = Vec::new();
    for (place, (what, code, make)) in WRONG.iter().enumerate() {
        let opened = lease.open();
        let invitation = InvitationCode::parse(opened["invitations"][0]["code"].as_str().unwrap()).unwrap();
        let rogue = Rogue::new(&lease, 40 + u8::try_from(place).unwrap());
        let aim = Aim { case: invitation.case, slot: invitation.slot, round: 0, place: 0 };
        rogue
            .sends(&lease, &invitation, 0, &make(&rogue, &lease, &aim))
            .unwrap_or_else(|refused| panic!("{what}: {refused}"));
        cases.push((*what, *code, opened["id"].as_str().unwrap().to_owned(), invitation, rogue));
    }
    // Nothing of it keeps the desk from anything else: it says what is wrong with each, and an officer may return it.
    let ended = office.run(&RUN);
    assert_eq!((ended.code, ended.error().as_str()), (11, "desk_left"), "one file cannot be opened: {ended:?}");
    let listed = office.ok(&["desk", "list"]).json();
    for (what, code, id, ..) in &cases {
        assert_eq!(why(&listed, id).first().map(String::as_str), Some(*code), "{what}: {listed}");
        office.ok(&["desk", "return", &id[..16], "--officer", "7", "--reason", "file_wrong"]);
    }
    office.ok(&RUN);
    for (what, _, id, invitation, rogue) in &cases {
        lease.scene.holder.ok(&["case", "correct", &id[..16], "--yes"]);
        let aim = Aim { case: invitation.case, slot: invitation.slot, round: 1, place: 0 };
        let right = rogue.said(&lease, &aim, |_| {});
        rogue.sends(&lease, invitation, 1, &right).unwrap_or_else(|refused| panic!("{what}: {refused}"));
    }
    office.ok(&RUN);
    for (what, _, id, ..) in &cases {
        assert_eq!(lease.chain().case(id).status, CaseStatus::Closed, "{what}");
        // It is on record for who takes part.
        let shown = lease.shown(&lease.scene.holder, id);
        let returned = shown["events"].as_array().unwrap().iter().find(|event| event["what"] == "returned");
        assert_eq!(returned.unwrap()["reason"], "file_wrong", "{what}");
    }
}

#[test]
fn what_does_not_fit_does_not_leave_the_wallet() {
    let lease = Lease::with(175, &item());
    let holder = &lease.scene.holder;
    let refused = |home: &Home, words: &[&str]| {
        let ended = home.run(words);
        (ended.code, ended.error())
    };
    let open = |field: &str, paper: &str| {
        refused(holder, &["case", "open", "shop-lease", "--field", field, "--attach", paper, "--yes"])
    };
    holder.write("large.pdf", &vec![b'x'; 4_000_001]);
    assert_eq!(open("rent=1.00", "contract=large.pdf"), (2, "case_paper_too_long".to_owned()));
    assert_eq!(open("rent=cheap", "contract=contract.pdf"), (2, "case_field_wrong".to_owned()));
    assert_eq!(open("price=1.00", "contract=contract.pdf"), (2, "case_part_unknown".to_owned()));
    assert_eq!(holder.ok(&["case", "list"]).json(), json!([]), "nothing was begun");

    // A code that was altered opens nothing; one wallet does not play two parties.
    let opened = lease.open();
    let code = opened["invitations"][0]["code"].as_str().unwrap();
    let altered = format!("{}{}", &code[..code.len() - 1], if code.ends_with('A') { 'B' } else { 'A' });
    assert_eq!(refused(&lease.tenant, &["case", "confirm", &altered, "--yes"]), (2, "case_code_wrong".to_owned()));
    assert_eq!(refused(holder, &["case", "confirm", code, "--yes"]), (2, "case_here_already".to_owned()));
}

#[test]
fn a_licence_or_wallet_of_somebody_else_is_of_no_use() {
    let scene = Scene::new(180);
    let thief = Home::new(Some(&scene.node.url));
    let genesis = scene.node.chain.lock().unwrap().genesis.to_bytes();
    thief.write("genesis", &genesis);
    thief.ok(&["trust", "pin", "--genesis", "genesis"]);
    thief.ok(&["wallet", "init"]);
    // What the issuer handed over lacks the key that it is bound to.
    scene.holder.copy("delivery.json", &thief.at("delivery.json"));
    let taken = thief.run(&["wallet", "import", "delivery.json"]);
    assert_eq!((taken.code, taken.error().as_str()), (10, "not_our_key"), "{taken:?}");
    // The wallet's file opens for its owner's passphrase alone.
    scene.holder.copy("home/wallet.redb", &thief.at("home/wallet.redb"));
    thief.write("passphrase", b"another one\n");
    let opened = thief.run(&["wallet", "list"]);
    assert_ne!(opened.code, 0, "{opened:?}");
    assert_eq!(opened.error(), "wrong_passphrase");
}

#[test]
fn a_forged_co_signature_is_refused_and_who_was_invited_can_still_join() {
    let lease = Lease::with(185, &item());
    let opened = lease.open();
    let invitation = InvitationCode::parse(opened["invitations"][0]["code"].as_str().unwrap()).unwrap();
    let rogue = Rogue::new(&lease, 41);
    let aim = Aim { case: invitation.case, slot: invitation.slot, round: 0, place: 0 };
    let said = rogue.said(&lease, &aim, |_| {});
    let forged = InvitationCode { secret: kanhe_client::wallet::Seed::from_bytes([1; 32]), ..invitation };
    assert_eq!(rogue.sends(&lease, &forged, 0, &said), Err("case_signature"));
    let code = opened["invitations"][0]["code"].as_str().unwrap();
    lease.tenant.ok(&["case", "confirm", code, "--yes"]);
}
