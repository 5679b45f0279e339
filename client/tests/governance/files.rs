//! Files of others: cards, proposals, votes.

use super::*;

#[test]
fn cards_are_checked_and_those_of_founders_name_no_chain() {
    let consortium = Consortium::new(11);
    let (uscc, home) = consortium.card();
    let shown = consortium.home(0).ok(&["gov", "card", "show", "card.json"]).json();
    assert_eq!((&shown["bureau"], shown["keys"].as_array().unwrap().len()), (&json!(uscc.to_string()), 3));
    let words = consortium.home(0).run_with(&["gov", "card", "show", "card.json"], false);
    assert!(words.data.contains("possession proved") && words.data.contains("signature right"), "{words:?}");
    let text = std::fs::read_to_string(consortium.home(0).at("card.json")).unwrap();
    consortium.home(0).write("card.json", text.replace("New bureau", "Old bureau").as_bytes());
    for words in
        [&["gov", "card", "show", "card.json"][..], &["gov", "propose", "admit", "card.json", "--key", "gov.key"]]
    {
        let wrong = consortium.home(0).run(words);
        assert_eq!((wrong.code, wrong.error().as_str()), (1, "gov_card_wrong"), "{wrong:?}");
    }
    let founding = ["--as", &uscc.to_string(), "--zh", "新", "--en", "New", "--region", "370100", "--founding"];
    let card = ["gov", "card", "new", "--key", "gov.key", "--out", "founding.json"];
    let card = home.ok(&[&card[..], &founding[..]].concat()).json();
    assert_eq!((&card["for"], &card["chain"]["chain_id"]), (&json!("founding"), &json!(FOUNDING.chain_id)));
    let lacking = ["gov", "card", "new", "--key", "validator.key", "--out", "none.json"];
    assert_eq!(home.run(&[&lacking[..], &founding[..]].concat()).error(), "gov_card_governance");
}

#[test]
fn a_proposal_that_was_changed_or_is_of_another_chain_is_not_voted_on() {
    let consortium = Consortium::new(12);
    let third = consortium.uscc(2);
    let made = consortium.gov(0, &["propose", "freeze", &third, "--out", "proposal.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    let text = std::fs::read_to_string(consortium.home(0).at("proposal.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut other = file.clone();
    other["id"] = json!("11".repeat(32));
    consortium.home(1).write("changed.json", other.to_string().as_bytes());
    assert_eq!(consortium.gov(1, &["vote", "changed.json", "yes"]).error(), "gov_file_wrong");
    let mut other = file.clone();
    other["chain"]["era"] = json!(1);
    consortium.home(1).write("changed.json", other.to_string().as_bytes());
    assert_eq!(consortium.gov(1, &["vote", "changed.json", "yes"]).error(), "other_chain");
    // A vote that is not the proposer's is seen for what it is, and the chain refuses it.
    let mut other = file.clone();
    other["votes"][0]["signature"]["bytes"] = json!("A".repeat(86));
    consortium.home(1).write("forged.json", other.to_string().as_bytes());
    let shown = consortium.home(1).ok(&["gov", "show", "forged.json"]).json();
    assert_eq!(shown["votes"][0]["signed"], false, "{shown}");
    let refused = consortium.gov(1, &["submit", "forged.json"]);
    assert_eq!((refused.code, refused.error().as_str()), (4, "vote_signature"), "{refused:?}");
    // Without the proposer's vote nobody can make it.
    let mut other = file;
    other["votes"] = json!([]);
    consortium.home(1).write("bare.json", other.to_string().as_bytes());
    assert_eq!(consortium.gov(1, &["submit", "bare.json"]).error(), "gov_not_open");
}

#[test]
fn an_issuing_key_carries_votes_in() {
    let consortium = Consortium::new(13);
    let third = consortium.uscc(2);
    consortium.gov(0, &["propose", "freeze", &third, "--out", "proposal.json"]);
    let home = consortium.home(0);
    let seed = *consortium.node.chain.lock().unwrap().issuing.seed();
    home.key_file("issuing.key", KeyFileRole::Issuing, &seed);
    let sent = home.ok(&["gov", "submit", "proposal.json", "--key", "issuing.key"]).json();
    // Emergency: more than a third of three.
    assert_eq!((&sent["proposals"][0]["state"], &sent["proposals"][0]["missing"]), (&json!("open"), &json!(1)));
}
