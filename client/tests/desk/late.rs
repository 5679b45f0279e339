//! A step that is not decided in time is listed for all whom it concerns: the bureau, the parties, and anybody who asks a node.

use serde_json::json;

use super::work::{RUN, desk, item, opened};
use crate::case::Lease;

const DAY_MS: u64 = 86_400_000;

#[test]
fn a_late_step_is_listed_for_all_whom_it_concerns() {
    let lease = Lease::with(150, &item().replacen("rules = [\"named\"]\nauto = true", "rules = [\"named\"]", 1));
    let office = desk(&lease, 150);
    let id = opened(&lease);
    office.ok(&RUN);
    let late = |lease: &Lease| lease.scene.bank.ok(&["case", "overdue"]).json();
    let waits = |lease: &Lease| {
        let listed = lease.tenant.ok(&["case", "list"]).json();
        let next = listed[0]["next"].as_array().unwrap();
        next.iter().find(|next| next["what"] == "decide").unwrap()["overdue"].clone()
    };
    assert_eq!((late(&lease), waits(&lease)), (json!([]), json!(false)));
    assert_eq!(office.ok(&["desk", "list"]).json()[0]["overdue"], false);

    // The officer has three days less than there were.
    lease.chain().age_case(&id, 3 * DAY_MS);
    let listed = late(&lease);
    assert_eq!(
        (&listed[0]["case"], &listed[0]["step"], &listed[0]["bureau"]),
        (&json!(id), &json!("decide"), &json!(lease.bureau))
    );
    let of_other = lease.scene.bank.ok(&["case", "overdue", "--bureau", "11370100MB1A0001X2"]).json();
    assert_eq!(of_other, json!([]));
    assert_eq!(waits(&lease), json!(true));
    let words = lease.tenant.run_with(&["case", "show", &id[..8], "--lang", "zh"], false);
    assert!(words.data.contains("已逾期"), "{words:?}");
    let words = lease.tenant.run_with(&["case", "list", "--lang", "en"], false);
    assert!(words.data.contains("late"), "{words:?}");

    // A desk that meets it only now says so too, and it can still be decided.
    let other = desk(&lease, 150);
    other.ok(&RUN);
    assert_eq!(other.ok(&["desk", "list"]).json()[0]["overdue"], true);
    other.ok(&["desk", "approve", &id[..8], "--officer", "7"]);
    other.ok(&RUN);
    assert_eq!(late(&lease), json!([]));
}
