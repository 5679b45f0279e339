//! Service items: what is refused, where, and what the registry gets of them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::bounded::Text;
use kanhe_proto::governance::{Action, DecidedBy, ProposalError};
use kanhe_proto::ids::{ProtocolVersion, SpanMs};
use kanhe_proto::item::{BindError, FaultKind, Item, ItemTextError};
use kanhe_proto::limits::ITEM_BYTES_MAX;
use kanhe_proto::registry::Parameters;
use serde_json::{Value, json};
use world::{World, bureau, item, item_bound, item_value};

fn changed(change: impl FnOnce(&mut Value)) -> Item {
    let mut value = item_value();
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

/// The faults of a changed item: where and what.
fn faults(change: impl FnOnce(&mut Value)) -> Vec<(String, FaultKind)> {
    changed(change).faults().into_iter().map(|fault| (fault.at.to_string(), fault.kind)).collect()
}

fn one(place: &str, kind: FaultKind) -> Vec<(String, FaultKind)> {
    vec![(place.to_owned(), kind)]
}

#[test]
fn an_item_without_faults_has_none() {
    assert_eq!(item().faults(), []);
}

#[test]
fn mistakes_are_found_where_they_are() {
    use FaultKind::*;
    assert_eq!(faults(|item| item["format"] = json!(2)), one("format", Format));
    assert_eq!(faults(|item| item["code"] = json!("Flat")), one("code", Code));
    assert_eq!(faults(|item| item["version"] = json!(0)), one("version", Version));
    assert_eq!(faults(|item| item["life_days"] = json!(1_096)), one("life_days", Range));
    assert_eq!(faults(|item| item["names"]["zh"] = json!(" ")), one("names", Words));
    assert_eq!(faults(|item| item["about"]["en"] = json!("")), one("about", Words));
    assert_eq!(faults(|item| item["purpose"] = json!("")), one("purpose", Empty));
    assert_eq!(faults(|item| item["party"][1]["opens"] = json!(true)), one("party[1]", Opener));
    assert_eq!(faults(|item| item["party"][1]["applicant"] = json!(false)), one("party", Applicant));
    assert_eq!(faults(|item| item["party"][1]["optional"] = json!(true)), one("party[1]", Applicant));
    assert_eq!(faults(|item| item["ask"][1]["code"] = json!("identity")), one("ask[1].code", Twice));
    assert_eq!(faults(|item| item["ask"][1]["code"] = json!("in")), one("ask[1].code", Name));
    assert_eq!(faults(|item| item["ask"][0]["of"] = json!("nobody"))[0], ("ask[0].of".into(), Unknown));
    assert_eq!(faults(|item| item["ask"][0]["to"] = json!(["nobody"])), one("ask[0].to[0]", Unknown));
    assert_eq!(faults(|item| item["ask"][0]["claims"] = json!([])), one("ask[0].claims", Empty));
    assert_eq!(faults(|item| item["ask"][0]["claims"][1] = json!("A[x]")), one("ask[0].claims[1]", Claim));
    for shown in ["kanhe_trace", "kanhe_trace.inner"] {
        assert_eq!(faults(|item| item["ask"][0]["claims"][1] = json!(shown)), one("ask[0].claims[1]", Claim));
    }
    assert_eq!(faults(|item| item["ask"][1]["to"] = json!(["tax"])), one("ask[1].to[0]", NotAwaited));
    assert_eq!(faults(|item| item["field"][0]["choices"] = json!(["a"])), one("field[0].choices", Choices));
    assert_eq!(faults(|item| item["field"][1]["choices"] = json!([])), one("field[1].choices", Choices));
    let big = json!((32 << 20) + 1);
    assert_eq!(faults(|item| item["attachment"][0]["bytes_max"] = big), one("attachment[0].bytes_max", Range));
    assert_eq!(faults(|item| item["read"][0]["from"] = json!("registry"))[1], ("read[0].from".into(), OwnRead));
    assert_eq!(faults(|item| item["step"][0]["limit_days"] = json!(0)), one("step[0].limit_days", Range));
    assert!(faults(|item| item["step"][0]["by"] = json!("nobody")).contains(&("step[0].by".into(), Unknown)));
    assert_eq!(faults(|item| item["step"][1]["auto"] = json!(true)), one("step[1].auto", NoRules));
    assert_eq!(faults(|item| item["step"][1]["rules"] = json!(["none"])), one("step[1].rules[0]", Unknown));
    assert_eq!(faults(|item| item["step"][0]["passes"] = json!({"Paid": "1"})), one("step[0].passes.Paid", Name));
    assert_eq!(faults(|item| item["yield"][0]["step"] = json!("none")), one("yield[0].step", Unknown));
    assert_eq!(faults(|item| item["yield"][0]["claims"] = json!({})), one("yield[0].claims", Empty));
    let unused = json!({"code": "r", "holds": "true", "otherwise": "reject", "say": {"zh": "否", "en": "no"}});
    assert_eq!(faults(|item| item["rule"].as_array_mut().unwrap().push(unused)), one("rule[1].code", Unused));
}

#[test]
fn the_graph_has_no_cycle_and_leads_to_its_end() {
    use FaultKind::*;
    let step = |code: &str, needs: Value| {
        let names = json!({"zh": "步", "en": "step"});
        json!({"code": code, "names": names, "by": "tax", "needs": needs, "limit_days": 1})
    };
    let with = |steps: Vec<Value>| move |item: &mut Value| item["step"].as_array_mut().unwrap().extend(steps);
    let cycle = faults(|item| item["step"][0]["needs"] = json!(["register"]));
    assert_eq!(cycle, vec![("step[1].code".into(), FinalNeeded), ("step[0].code".into(), Cycle)]);
    assert_eq!(faults(|item| item["step"][0]["needs"] = json!(["tax"])), one("step[0].code", Cycle));
    let far = faults(with(vec![step("a", json!(["b"])), step("b", json!(["a"]))]));
    let nowhere = [("step[2].code".into(), Nowhere), ("step[3].code".into(), Nowhere)];
    assert_eq!(far, [vec![("step[2].code".into(), Cycle)], nowhere.to_vec()].concat());
    assert_eq!(faults(with(vec![step("alone", json!([]))])), one("step[2].code", Nowhere));
    assert_eq!(faults(|item| item["step"][1]["final"] = json!(false)), one("step", NoFinal));
    assert_eq!(faults(|item| item["step"][1]["needs"] = json!(["tax", "tax"])), one("step[1].needs[1]", Twice));
    let mut named = changed(|item| item["step"][0]["needs"] = json!(["register"])).faults();
    assert_eq!(named.pop().unwrap().name, "tax, register");
}

#[test]
fn one_item_has_one_text() {
    let text = item().to_json();
    assert_eq!(Item::from_json(&text).unwrap().digest(), item().digest());
    let refused = |text: &str| Item::from_json(text).unwrap_err();
    assert_eq!(refused(&text.replace("{\"about\"", "{ \"about\"")), ItemTextError::NotCanonical);
    // What is absent is left out, and samples are no part of it.
    assert_eq!(refused(&text.replacen("\"format\":1", "\"format\":1,\"sample\":[]", 1)), ItemTextError::NotCanonical);
    let optional = text.replacen("\"code\":\"tax\",\"names\"", "\"code\":\"tax\",\"extra\":1,\"names\"", 1);
    assert!(matches!(refused(&optional), ItemTextError::Shape(_)));
    assert!(matches!(refused(&text.replacen("\"life_days\":365", "\"life_days\":365.0", 1)), ItemTextError::Json(_)));
    assert!(matches!(refused(&text.replacen('{', "{\"format\":1,", 1)), ItemTextError::Json(_)));
    assert!(matches!(refused("[]"), ItemTextError::Shape(_)));
    assert_eq!(refused(&" ".repeat(ITEM_BYTES_MAX + 1)), ItemTextError::TooLong);
    let faulty = changed(|item| item["version"] = json!(0)).to_json();
    assert!(matches!(refused(&faulty), ItemTextError::Fault(fault) if fault.kind == FaultKind::Version));
}

#[test]
fn hostile_texts_end_in_a_refusal() {
    let text = item().to_json();
    for end in 0..text.len() {
        if text.is_char_boundary(end) {
            assert!(Item::from_json(&text[..end]).is_err());
        }
    }
    assert!(Item::from_json(&"[".repeat(ITEM_BYTES_MAX)).is_err());
    let long = "x".repeat(3_000);
    assert!(Item::from_json(&text.replacen("Buying a new flat.", &long, 1)).is_err());
    let mut many = item_value();
    let parties = many["party"].as_array_mut().unwrap();
    parties.resize(17, json!({"code": "p", "names": {"zh": "人", "en": "p"}, "kind": "person"}));
    assert!(serde_json::from_value::<Item>(many).is_err());
}

#[test]
fn the_registry_gets_the_graph_by_places() {
    let record = item().service_item(&item_bound()).unwrap();
    assert_eq!((record.file, record.life), (item().digest(), SpanMs(365 * 86_400_000)));
    let sends: Vec<Vec<u8>> = record.parties.iter().map(|party| party.sends_to.to_vec()).collect();
    assert_eq!(sends, [vec![1], vec![0, 1], vec![0]]);
    let steps: Vec<_> =
        record.steps.iter().map(|step| (step.by, step.needs.to_vec(), step.waits_for.to_vec())).collect();
    assert_eq!(steps, [(1, vec![], vec![0, 1]), (0, vec![0], vec![1, 2])]);
    assert!(record.steps[0].auto && !record.steps[0].closes && record.steps[1].closes);
    assert_eq!((record.yields[0].step, record.yields[0].to), (1, 1));

    let mut short = item_bound();
    short.pop();
    assert!(matches!(item().service_item(&short), Err(BindError::Roles(_))));
    let mut swapped = item_bound();
    swapped.swap(0, 1);
    assert!(matches!(item().service_item(&swapped), Err(BindError::Roles(_))));
    let mut twice = item_bound();
    twice[0].bureaus.push(bureau(0)).unwrap();
    assert!(matches!(item().service_item(&twice), Err(BindError::Bureaus(_))));
}

#[test]
fn each_bureau_is_shown_what_is_for_it() {
    let item = item();
    let ids = |party, bureau, with: &[&str]| {
        let query = item.query(party, bureau, with);
        query.map(|query| query.credentials.into_iter().map(|query| query.id).collect::<Vec<_>>())
    };
    assert_eq!(ids("buyer", "tax", &[]), Some(vec!["identity".to_owned()]));
    assert_eq!(ids("spouse", "registry", &[]), None);
    assert_eq!(ids("spouse", "registry", &["spouse_identity"]), Some(vec!["spouse_identity".to_owned()]));
    assert_eq!(ids("spouse", "tax", &["spouse_identity"]), None);
    let query = &item.query("buyer", "registry", &[]).unwrap().credentials[0];
    assert_eq!(query.claim_names().collect::<Vec<_>>(), ["CZZT", "CZZTDM"]);
}

#[test]
fn items_are_registered_by_the_catalogues_vote_from_version_3_on() {
    let world = World::new();
    let (chain, parameters) = (world.genesis.chain(), world.get::<Parameters>(&()));
    let bound = kanhe_proto::bounded::List::new(item_bound()).unwrap();
    let register = |text: String| Action::RegisterItem { file: Text::new(text).unwrap(), bound: bound.clone() };
    let good = register(item().to_json());
    assert_eq!((good.since(), good.decided_by(&bureau(0))), (ProtocolVersion(3), DecidedBy::Catalogue));
    assert_eq!(world.proposal(vec![good]).check(&chain, &parameters), Ok(()));
    let wrong = register(item().to_json().replace("\"format\":1", "\"format\":2"));
    let refused = world.proposal(vec![wrong]).check(&chain, &parameters);
    assert!(matches!(refused, Err(ProposalError::Action(0, _))), "{refused:?}");
    let unbound = Action::RegisterItem { file: Text::new(item().to_json()).unwrap(), bound: Default::default() };
    assert!(world.proposal(vec![unbound]).check(&chain, &parameters).is_err());
    assert_eq!(Action::FreezeBureau { bureau: bureau(0) }.since(), ProtocolVersion(2));
}
