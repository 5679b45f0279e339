//! Random claims make the whole way; random damage never panics and never verifies with other claims.

mod sd_jwt_support;

use kanhe_proto::sd_jwt::{ClaimPath, Holding, Issuance, UnverifiedSdJwt, VerifiedLicence};
use proptest::prelude::*;
use serde_json::{Map, Value};

use sd_jwt_support::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Names of claims that the protocol does not have: none of its own begins with an x.
fn claims_set() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("x[a-z]{1,4}", value(), 1..6).prop_map(|map| map.into_iter().collect())
}

/// Every claim inside, the outer before the inner.
fn all_paths(path: &ClaimPath, value: &Value, paths: &mut Vec<ClaimPath>) {
    let children: Vec<(ClaimPath, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, value)| (path.join(name.as_str()), value)).collect(),
        Value::Array(array) => (0u32..).zip(array).map(|(at, value)| (path.join(at), value)).collect(),
        _ => Vec::new(),
    };
    for (path, value) in children {
        paths.push(path.clone());
        all_paths(&path, value, paths);
    }
}

/// What must be seen, said independently: a claim stays if it is not disclosable, or chosen, or around or in a choice.
fn visible(path: &ClaimPath, value: &Value, hidden: &dyn Fn(&ClaimPath) -> bool) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().map(|(name, value)| (name, path.join(name.as_str()), value));
            let kept = kept.filter(|(_, path, _)| !hidden(path));
            Value::Object(kept.map(|(name, path, value)| (name.clone(), visible(&path, value, hidden))).collect())
        }
        Value::Array(array) => {
            let kept = (0u32..).zip(array).map(|(at, value)| (path.join(at), value));
            kept.filter(|(path, _)| !hidden(path)).map(|(path, value)| visible(&path, value, hidden)).collect()
        }
        leaf => leaf.clone(),
    }
}

fn pick(paths: &[ClaimPath], seed: u64) -> Vec<ClaimPath> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    paths.iter().filter(|_| next() % 2 == 0).cloned().collect()
}

/// Whether nothing in `part` differs from `whole`: it may lack members and elements, and that is all.
fn is_part_of(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| is_part_of(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            let mut rest = whole.iter();
            part.iter().all(|value| rest.any(|whole| is_part_of(value, whole)))
        }
        (part, whole) => part == whole,
    }
}

/// Whatever damage: the same licence, or a part of it, or nothing. Says whether it verified.
fn never_lies(text: &str, whole: &VerifiedLicence) -> bool {
    let Ok(token) = UnverifiedSdJwt::parse(text) else { return false };
    let _ = token.verify_presentation(&issuer_public(), &EXPECTED);
    let Ok(licence) = token.verify(&issuer_public()) else { return false };
    assert_eq!((&licence.fixed, licence.digest), (&whole.fixed, whole.digest));
    assert!(is_part_of(&Value::Object(licence.claims), &Value::Object(whole.claims.clone())));
    true
}

#[test]
fn some_damage_leaves_a_part() {
    // Control: the check above sees licences that verify, and would see another value.
    let issued = issued();
    let whole = verify(&issued.text).expect("verifies");
    assert!(never_lies(&issued.text, &whole));
    let jwt = issued.text.split('~').next().expect("a JWT");
    assert!(never_lies(&format!("{jwt}~"), &whole));
    assert!(!is_part_of(&serde_json::json!({ "name": "other" }), &Value::Object(whole.claims)));
}

proptest! {
    #[test]
    fn whole_way(claims in claims_set(), conceal in any::<u64>(), choose in any::<u64>(), decoys in 0u8..3) {
        let mut paths = Vec::new();
        let tree = Value::Object(claims.clone());
        all_paths(&ClaimPath::default(), &tree, &mut paths);
        let disclosable = pick(&paths, conceal);
        let chosen = pick(&pick(&paths, choose), conceal ^ choose);
        let issuance = Issuance { fixed: fixed(), claims: claims.clone(), disclosable: disclosable.clone(), decoys };
        let issued = issuance.sign(&issuer_key(), &mut salts(7)).expect("issues");
        prop_assert_eq!(&verify(&issued.text).expect("verifies").claims, &claims);

        let holding = Holding::open(&issued.text).expect("opens");
        let text = holding.present(&chosen).expect("presents").bind(&binding(), &holder_key()).expect("binds");
        let (licence, _) = verify_presentation(&text).expect("verifies");
        let hidden = |path: &ClaimPath| {
            disclosable.contains(path) && !chosen.iter().any(|claim| claim.leads_to(path) || path.leads_to(claim))
        };
        prop_assert_eq!(Value::Object(licence.claims), visible(&ClaimPath::default(), &tree, &hidden));
    }

    #[test]
    fn flipped_bits(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let text = presented(&[path(r#"["capital"]"#), path(r#"["owners",null]"#)]);
        let whole = verify(&issued().text).expect("verifies");
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(damaged) = String::from_utf8(bytes) {
            never_lies(&damaged, &whole);
            prop_assert!(verify_presentation(&damaged).is_err());
        }
    }

    #[test]
    fn chosen_parts(keep in any::<u16>()) {
        let text = issued().text;
        let whole = verify(&text).expect("verifies");
        let parts: Vec<&str> = text.split('~').collect();
        let kept = |at: usize| at == 0 || at + 1 == parts.len() || keep >> at & 1 == 1;
        let chosen: Vec<&str> = (0..parts.len()).filter(|at| kept(*at)).map(|at| parts[at]).collect();
        never_lies(&chosen.join("~"), &whole);
    }

    #[test]
    fn shuffled_parts(order in prop::collection::vec(0usize..14, 0..16)) {
        let text = presented(&[path(r#"["capital"]"#), path(r#"["owners",null]"#), path(r#"["name"]"#)]);
        let whole = verify(&issued().text).expect("verifies");
        let parts: Vec<&str> = text.split('~').collect();
        let mut shuffled: Vec<&str> = order.iter().map(|at| parts[at % parts.len()]).collect();
        shuffled.insert(0, parts[0]);
        shuffled.push("");
        never_lies(&shuffled.join("~"), &whole);
    }

    #[test]
    fn any_text(text in "[A-Za-z0-9_.~-]{0,200}|.{0,100}") {
        let _ = verify_presentation(&text);
        let _ = Holding::open(&text);
    }

    #[test]
    fn any_payload(claims in claims_set(), name in "_sd|\\.\\.\\.|cnf|status|exp|iss|_sd_alg", value in value()) {
        let mut payload = payload();
        let object = payload.as_object_mut().expect("an object");
        object.extend(claims);
        object.insert(name, value);
        let _ = verify(&forge(&payload, &[]));
    }
}
