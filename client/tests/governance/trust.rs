//! What a light client says of changes of the validators.

use super::*;

#[test]
fn an_update_says_who_decided_what_changed_also_what_another_command_followed() {
    let consortium = Consortium::new(31);
    let first = consortium.uscc(0);
    let key = {
        let chain = consortium.node.chain.lock().unwrap();
        chain.genesis.validator_set().unwrap().members()[0].key.to_string()
    };
    let seat = ["propose", "seat", &first, "--validator", &key, "--power", "5", "--note", "more weight"];
    let id = consortium.ok(0, &seat)["id"].as_str().unwrap().to_owned();
    let none = consortium.home(1).ok(&["trust", "update"]).json();
    assert_eq!((&none["hand_overs"], &none["changes"]), (&json!(0), &json!([])));
    consortium.ok(1, &["vote", &id, "yes"]);
    assert_eq!(consortium.ok(2, &["vote", &id, "yes"])["state"], "decided");
    consortium.node.chain.lock().unwrap().hand_over();
    let updated = consortium.home(1).ok(&["trust", "update"]).json();
    let change = &updated["changes"][0];
    assert_eq!((&updated["hand_overs"], &change["new"], &change["how"]), (&json!(1), &json!(true), &json!("power")));
    assert_eq!((&change["power_before"], &change["power_after"]), (&json!(1), &json!(5)), "{change}");
    assert_eq!((&change["bureau"], &change["proposal"]), (&json!(first), &json!(id)));
    assert_eq!((change["yes"].as_array().unwrap().len(), &change["members"]), (3, &json!(3)));
    // Here it is another command that follows the hand-over.
    consortium.home(2).ok(&["gov", "list"]);
    let words = consortium.home(2).run_with(&["trust", "update"], false);
    for word in ["0 hand-overs", "1 → 5", &id, "(3 of 3)", "more weight"] {
        assert!(words.data.contains(word), "{word}: {words:?}");
    }
    assert!(!words.data.contains("new:"), "{words:?}");
    let chinese = consortium.home(1).run_with(&["trust", "update", "--lang", "zh"], false);
    assert!(chinese.data.contains("的投票权 1 → 5"), "{chinese:?}");
}
