//! The words of a decision: sealed to those whom it concerns, committed to on the chain, left at the node and kept by wallets.

use std::collections::BTreeSet;

use kanhe_proto::case::Act;
use kanhe_proto::mail::{MailAnswer, MailId};
use serde_json::{Value, json};

use super::work::{RUN, desk, item, opened};
use crate::case::Lease;
use crate::support::command::Home;

const WORDS: &str = "合同第三页缺失，请补齐后重新提交。";

/// What a wallet is told of the last decision: the words, and whether a letter is awaited.
fn told(home: &Home, id: &str) -> (Value, Value) {
    let shown = home.ok(&["case", "show", id]).json();
    let events = shown["events"].as_array().unwrap();
    let last = events.iter().rev().find(|event| event["what"] == "returned").unwrap();
    (last["words"].clone(), last["letter_awaited"].clone())
}

#[test]
fn an_officers_words_reach_those_whom_the_step_waits_for_and_nobody_else() {
    let lease = Lease::with(155, &item().replacen("rules = [\"named\"]\nauto = true", "rules = [\"named\"]", 1));
    let office = desk(&lease, 155);
    let id = opened(&lease);
    office.ok(&RUN);
    for wrong in ["", "\u{1b}[2J", "长".repeat(2_001).as_str()] {
        let said = ["desk", "return", &id[..8], "--officer", "7", "--reason", "file_wrong", "--words", wrong];
        let refused = office.run(&said);
        assert_eq!((refused.code, refused.error().as_str()), (2, "desk_words"), "{refused:?}");
    }
    let said = ["desk", "return", &id[..8], "--officer", "7", "--reason", "file_wrong", "--words", WORDS];
    assert_eq!(office.ok(&said).json()["words"], WORDS);
    office.ok(&RUN);

    // On the chain is a commitment; at the node are envelopes that say nothing.
    let acts = lease.chain().acts_of(&id);
    let Act::Decide(decide) = &acts.last().unwrap().act else { panic!("{acts:?}") };
    assert!(decide.letter.is_some());
    let (holder, tenant) = (&lease.scene.holder, &lease.tenant);
    let left = lease.chain().letters.answers.clone();
    assert_eq!(left.len(), 2, "for owner and tenant, whom the step waits for");
    let word = "第三页".as_bytes();
    assert!(left.iter().all(|(_, bytes)| !bytes.windows(word.len()).any(|window| window == word)));

    // A node that has lost them, or gives another's: they are awaited.
    let chain = lease.chain().genesis.chain_id();
    let mut swapped = left.clone();
    let other = MailAnswer::decode(&left[1].1, &chain).unwrap().sealed;
    let first = MailAnswer { sealed: other, ..MailAnswer::decode(&left[0].1, &chain).unwrap() };
    swapped[0].1 = kanhe_proto::codec::encode(&first);
    for answers in [Vec::new(), swapped] {
        lease.chain().letters.answers = answers;
        assert_eq!(told(holder, &id), (Value::Null, json!(true)));
    }
    // The desk leaves them again when it starts anew.
    lease.chain().letters.answers.clear();
    office.ok(&RUN);
    for home in [holder, tenant] {
        assert_eq!(told(home, &id), (json!(WORDS), json!(false)));
    }
    // Who has read them keeps them.
    lease.chain().letters.answers.clear();
    assert_eq!(told(holder, &id), (json!(WORDS), json!(false)));
    let words = holder.run_with(&["case", "show", &id[..8], "--lang", "zh"], false);
    assert!(words.data.contains(WORDS), "{words:?}");
    let shown = office.ok(&["desk", "show", &id[..8], "--step", "decide"]).json();
    assert_eq!(shown["decided"]["words"], WORDS);
    // Who has the id alone sees that something was returned, and no words.
    lease.scene.bank.ok(&["wallet", "init"]);
    assert_eq!(told(&lease.scene.bank, &id), (Value::Null, json!(false)));
}

#[test]
fn a_second_letter_does_not_take_the_place_of_the_first() {
    let lease = Lease::with(160, &item().replacen("rules = [\"named\"]\nauto = true", "rules = [\"named\"]", 1));
    let office = desk(&lease, 160);
    let id = opened(&lease);
    for words in ["first", "second"] {
        office.ok(&RUN);
        office.ok(&["desk", "return", &id[..8], "--officer", "7", "--reason", "other", "--words", words]);
        office.ok(&RUN);
        lease.scene.holder.ok(&["case", "correct", &id[..8], "--yes"]);
        lease.tenant.ok(&["case", "correct", &id[..8], "--yes"]);
    }
    let shown = lease.tenant.ok(&["case", "show", &id]).json();
    let words: Vec<&str> =
        shown["events"].as_array().unwrap().iter().filter_map(|event| event["words"].as_str()).collect();
    assert_eq!(words, ["first", "second"]);
    let ids: BTreeSet<MailId> = lease.chain().letters.answers.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), 4, "two letters to each of two");
}
