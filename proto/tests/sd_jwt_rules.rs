//! Issue, present, verify; and one refusal for every rule.

mod sd_jwt_support;

use kanhe_proto::hash::{LicenceDigest, sha256};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::sd_jwt::{
    ClaimPath, DISCLOSURES_MAX, Disclosure, ExpectedBinding, Holding, Issuance, KEY_BINDING_TYP, KeyBinding,
    NEVER_DISCLOSABLE, SdJwtError, TOKEN_BYTES_MAX, TYP, UnverifiedSdJwt, jws, sd_hash, set,
};
use kanhe_proto::text::base64url;
use serde_json::{Value, json};

use sd_jwt_support::*;

fn code<T: std::fmt::Debug>(result: Result<T, SdJwtError>) -> &'static str {
    result.expect_err("refused").code()
}

/// A compact JWS with this very header, signed.
fn with_header(header: &Value, payload: &Value, signer: &SecretKey) -> String {
    let input = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(payload.to_string().as_bytes()));
    let signature = signer.sign(input.as_bytes()).expect("signs");
    format!("{input}.{}", base64url(&signature.bytes))
}

#[test]
fn an_issued_licence_is_whole() {
    let issued = issued();
    assert_eq!(issued.text, self::issued().text, "the same salts give the same bytes");
    let licence = verify(&issued.text).expect("verifies");
    assert_eq!(licence.fixed, fixed());
    assert_eq!(licence.claims, claims());
    assert_eq!(licence.kid.to_string(), kid());
    assert_eq!(licence.digest, issued.digest);
    let jwt = issued.text.split('~').next().expect("a JWT");
    assert_eq!(issued.digest, LicenceDigest(sha256(&[jwt.as_bytes()])));
    assert_eq!(licence.disclosed.len(), 9);
}

#[test]
fn only_what_is_chosen_is_shown() {
    let (licence, binding) =
        verify_presentation(&presented(&[path(r#"["uscc"]"#), path(r#"["owners",1,"name"]"#)])).expect("verifies");
    assert_eq!(
        Value::Object(licence.claims),
        json!({
            "ZZMC": "营业执照", "uscc": "91110000600037341L",
            // What was kept back leaves no placeholder, and positions close up.
            "owners": [{ "share": 40, "name": "李四" }],
            "scopes": ["software", "trade"],
        })
    );
    let mut disclosed: Vec<String> = licence.disclosed.iter().map(ToString::to_string).collect();
    disclosed.sort();
    assert_eq!(disclosed, ["owners[0]", "owners[0].name", "uscc"]);
    assert_eq!(binding, self::binding());

    let (licence, _) = verify_presentation(&presented(&[])).expect("verifies");
    assert_eq!(
        Value::Object(licence.claims),
        json!({ "ZZMC": "营业执照", "owners": [], "scopes": ["software", "trade"] })
    );
    assert!(licence.disclosed.is_empty());

    // A claim is shown with all inside it; one that is always visible needs nothing.
    let holding = Holding::open(&issued().text).expect("opens");
    let shown = |text: &str| holding.selection(&[path(text)]).expect("is there").len();
    assert_eq!(shown(r#"["capital"]"#), 2);
    assert_eq!(shown(r#"["capital","currency"]"#), 1);
    assert_eq!(shown(r#"["owners",null]"#), 4);
    assert_eq!(shown(r#"["ZZMC"]"#), 0);
    assert_eq!(shown(r#"["iss"]"#), 0);
    for absent in [r#"["owners",2]"#, r#"["none"]"#, r#"["uscc","x"]"#, r#"["uscc",null]"#] {
        assert_eq!(holding.selection(&[path(absent)]).expect_err("absent").code(), "no_such_claim");
    }
    assert!(holding.selection(&[ClaimPath::default()]).is_err());
}

#[test]
fn what_is_not_issued() {
    let issue = |change: &dyn Fn(&mut Issuance)| {
        let mut issuance = issuance();
        change(&mut issuance);
        code(issuance.sign(&issuer_key(), &mut salts(1)).map(|issued| issued.text))
    };
    assert_eq!(issue(&|i| drop(i.claims.insert("exp".into(), 1.into()))), "claim_collision");
    assert_eq!(issue(&|i| drop(i.claims.insert("jti".into(), 1.into()))), "claim_collision");
    assert_eq!(issue(&|i| drop(i.claims.insert("_sd".into(), json!([])))), "reserved_name");
    assert_eq!(issue(&|i| drop(i.claims.insert("a".into(), json!([{ "...": 1 }])))), "reserved_name");
    assert_eq!(issue(&|i| drop(i.claims.insert("_sd_alg".into(), 1.into()))), "reserved_name");
    assert_eq!(issue(&|i| drop(i.claims.insert("a".into(), json!(1.5)))), "format");
    assert_eq!(issue(&|i| i.disclosable.push(path(r#"["none"]"#))), "no_such_claim");
    assert_eq!(issue(&|i| i.disclosable.push(path(r#"["iss"]"#))), "no_such_claim");
    let deep = (0..63).fold(json!({}), |inner, _| json!({ "a": inner }));
    assert_eq!(issue(&|i| drop(i.claims.insert("a".into(), deep.clone()))), "too_deep");
    let large: String = "x".repeat(TOKEN_BYTES_MAX);
    assert_eq!(issue(&|i| drop(i.claims.insert("a".into(), large.clone().into()))), "too_large");
    let many = Value::Array((0..=DISCLOSURES_MAX).map(Value::from).collect());
    let more = |i: &mut Issuance| {
        i.claims.insert("a".into(), many.clone());
        i.disclosable.push(path(r#"["a",null]"#));
    };
    assert_eq!(issue(&more), "too_many_disclosures");
    let repeated = issuance().sign(&issuer_key(), &mut || [0; 16]).map(|issued| issued.text);
    assert_eq!(code(repeated), "digest_repeated");
}

#[test]
fn as_deep_as_is_issued_is_verified() {
    let deep = (0..62).fold(json!({}), |inner, _| json!({ "a": inner }));
    let mut issuance = issuance();
    issuance.claims.insert("a".into(), deep);
    let mut at = ClaimPath::default();
    for _ in 0..63 {
        at = at.join("a");
        issuance.disclosable.push(at.clone());
    }
    let claims = issuance.claims.clone();
    let issued = issuance.sign(&issuer_key(), &mut salts(1)).expect("issues");
    assert_eq!(verify(&issued.text).expect("verifies").claims, claims);
}

#[test]
fn structure() {
    let text = issued().text;
    assert_eq!(code(verify("")), "format");
    assert_eq!(code(verify(&text.replace('~', ""))), "format");
    assert_eq!(code(verify(&text.replacen('~', "~~", 1))), "format");
    assert_eq!(code(verify(&format!("a.{text}"))), "format");
    assert_eq!(code(verify(&text.replacen('.', "", 1))), "format");
    assert_eq!(code(verify(&"~".repeat(TOKEN_BYTES_MAX + 1))), "too_large");
    let many = format!("{text}{}", "YQ~".repeat(DISCLOSURES_MAX));
    assert_eq!(code(verify(&many)), "too_many_disclosures");
    let unfit = format!("{text}W10~");
    assert_eq!(code(verify(&unfit)), "disclosure_malformed");
    assert_eq!(code(verify(&format!("{text}W10=~"))), "disclosure_malformed");
}

#[test]
fn header() {
    let token = |header: Value| format!("{}~", with_header(&header, &payload(), &issuer_key()));
    assert!(verify(&token(json!({ "alg": "EdDSA", "typ": TYP, "kid": kid(), "x": 1 }))).is_ok());
    for alg in [json!("none"), json!("HS256"), json!("ES256"), json!("eddsa"), json!(1), Value::Null] {
        assert_eq!(code(verify(&token(json!({ "alg": alg, "typ": TYP, "kid": kid() })))), "alg_not_allowed");
    }
    for typ in [json!("vc+sd-jwt"), json!("DC+SD-JWT"), json!("application/dc+sd-jwt"), json!("JWT"), Value::Null] {
        assert_eq!(code(verify(&token(json!({ "alg": "EdDSA", "typ": typ, "kid": kid() })))), "typ_wrong");
    }
    assert_eq!(
        code(verify(&token(json!({ "alg": "EdDSA", "typ": TYP, "kid": kid(), "crit": ["b64"], "b64": false })))),
        "header_critical"
    );
    let stranger = SecretKey::from_seed([9; 32]);
    let other = issuer().key_url(stranger.public_key().id()).to_string();
    for kid in [json!("1"), json!(1), json!(other), Value::Null] {
        assert_eq!(code(verify(&token(json!({ "alg": "EdDSA", "typ": TYP, "kid": kid })))), "kid_wrong");
    }
    let large = json!({ "alg": "EdDSA", "typ": TYP, "kid": kid(), "x": "x".repeat(5000) });
    assert_eq!(code(verify(&token(large))), "too_large");
    let twice = format!(r#"{{"alg":"EdDSA","alg":"EdDSA","typ":"{TYP}","kid":"{}"}}"#, kid());
    assert_eq!(code(verify(&format!("{}.e30.AA~", base64url(twice.as_bytes())))), "claim_collision");
}

#[test]
fn signature_first() {
    // Wrong in everything after the header: only the signature is spoken of.
    let header = json!({ "alg": "EdDSA", "typ": TYP, "kid": kid() });
    let stranger = SecretKey::from_seed([9; 32]);
    let forged = with_header(&header, &json!({ "_sd": 1, "exp": "x" }), &stranger);
    assert_eq!(code(verify(&format!("{forged}~W10~W10~"))), "signature_wrong");
    let (body, _) = forged.rsplit_once('.').expect("a JWS");
    assert_eq!(code(verify(&format!("{body}.~"))), "signature_wrong");
    assert_eq!(code(verify(&format!("{body}.AAAA~"))), "signature_wrong");
    let token = format!("{forged}~");
    let unverified = UnverifiedSdJwt::parse(&token).expect("parses");
    assert_eq!(unverified.kid().to_string(), kid());
    assert_eq!(code(unverified.verify(&stranger.public_key())), "kid_wrong");
    assert_eq!(unverified.digest(), LicenceDigest(sha256(&[forged.as_bytes()])));
}

#[test]
fn disclosures() {
    let property = |salt: u8, name: &str, value: Value| Disclosure::property(&[salt; 16], name.into(), value);
    let a = property(1, "a", json!(1));
    let with = |name: &str, value: Value| {
        let mut payload = payload();
        payload[name] = value;
        payload
    };
    let sd = |d: &Disclosure| with("_sd", json!([d.digest()]));
    assert_eq!(verify(&forge(&sd(&a), &[&a])).expect("verifies").claims["a"], 1);
    assert_eq!(code(verify(&forge(&payload(), &[&a]))), "disclosure_unused");
    assert_eq!(code(verify(&forge(&sd(&a), &[&a, &a]))), "disclosure_repeated");
    assert_eq!(code(verify(&forge(&with("_sd", json!(["d", "d"])), &[]))), "digest_repeated");
    let element = Disclosure::element(&[2; 16], json!(1));
    assert_eq!(code(verify(&forge(&sd(&element), &[&element]))), "disclosure_kind");
    assert_eq!(code(verify(&forge(&with("x", json!([{ "...": a.digest() }])), &[&a]))), "disclosure_kind");
    for name in ["_sd", "...", "_sd_alg"] {
        let reserved = property(1, name, json!([]));
        assert_eq!(code(verify(&forge(&sd(&reserved), &[&reserved]))), "reserved_name");
    }
    let vct = property(1, "name", json!(1));
    let mut collides = sd(&vct);
    collides["name"] = json!(2);
    assert_eq!(code(verify(&forge(&collides, &[&vct]))), "claim_collision");
    for name in NEVER_DISCLOSABLE.iter().chain(&["jti", "iat"]) {
        let hidden = property(1, name, payload().get(*name).cloned().unwrap_or(json!(1)));
        let mut payload = sd(&hidden);
        payload.as_object_mut().expect("an object").remove(*name);
        assert_eq!(code(verify(&forge(&payload, &[&hidden]))), "claim_not_disclosable", "{name}");
    }
    let jwk = property(1, "jwk", payload()["cnf"]["jwk"].clone());
    assert_eq!(code(verify(&forge(&with("cnf", json!({ "_sd": [jwk.digest()] })), &[&jwk]))), "claim_not_disclosable");
    assert_eq!(code(verify(&forge(&with("_sd_alg", json!("md5")), &[]))), "hash_not_allowed");
    let deep = (0..64).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(code(verify(&forge(&with("x", deep), &[]))), "too_deep");
    let mut last = property(0, "a", json!({}));
    let mut chain = vec![last.clone()];
    for salt in 1..=100 {
        last = property(salt, "a", json!({ "_sd": [last.digest()] }));
        chain.push(last.clone());
    }
    assert_eq!(code(verify(&forge(&sd(&last), &chain.iter().collect::<Vec<_>>()))), "too_deep");
    let text = r#"["c2FsdA","n",{"x":1,"x":2}]"#;
    let twice = format!("{}{}~", forge(&payload(), &[]), base64url(text.as_bytes()));
    assert_eq!(code(verify(&twice)), "claim_collision");
}

#[test]
fn claims_of_the_protocol() {
    for name in ["iss", "vct", "jti", "cnf", "status"] {
        let mut absent = payload();
        absent.as_object_mut().expect("an object").remove(name);
        assert_eq!(code(verify(&forge(&absent, &[]))), "claim_missing", "{name}");
        let mut wrong = payload();
        wrong[name] = json!(1);
        assert_eq!(code(verify(&forge(&wrong, &[]))), "claim_wrong", "{name}");
    }
    for (name, value) in [("exp", json!(-1)), ("nbf", json!("1")), ("iat", json!(u64::MAX)), ("jti", json!(""))] {
        let mut wrong = payload();
        wrong[name] = value;
        assert_eq!(code(verify(&forge(&wrong, &[]))), "claim_wrong", "{name}");
    }
    let mut wrong = payload();
    wrong["exp"] = json!(1.5);
    assert_eq!(code(verify(&forge(&wrong, &[]))), "format");
    let mut wrong = payload();
    wrong["cnf"]["jwk"]["d"] = json!("AAAA");
    assert_eq!(code(verify(&forge(&wrong, &[]))), "jwk_wrong");
    // Another bureau's name under one's own key.
    let mut wrong = payload();
    wrong["iss"] = json!(AUDIENCE);
    assert_eq!(code(verify(&forge(&wrong, &[]))), "kid_wrong");
    // 长期: no end.
    let mut endless = payload();
    endless.as_object_mut().expect("an object").remove("exp");
    assert_eq!(verify(&forge(&endless, &[])).expect("verifies").fixed.expires, None);
}

#[test]
fn key_binding() {
    let text = presented(&[path(r#"["uscc"]"#)]);
    assert!(verify_presentation(&text).is_ok());
    let (presented_part, _) = text.rsplit_once('~').expect("a `~`");
    let presented_part = format!("{presented_part}~");
    assert_eq!(code(verify_presentation(&presented_part)), "key_binding_missing");
    assert!(verify(&presented_part).is_ok());
    assert_eq!(code(Holding::open(&text).map(|_| ())), "key_binding_unexpected");

    let good = json!({ "nonce": NONCE, "aud": AUDIENCE, "iat": 1_772_323_200, "sd_hash": sd_hash(&presented_part) });
    let bound = |payload: &Value, typ: &str, key: &SecretKey| {
        let jwt = jws::sign(typ, None, payload, key).expect("signs");
        verify_presentation(&format!("{presented_part}{jwt}"))
    };
    let changed = |name: &str, value: Value| {
        let mut payload = good.clone();
        payload[name] = value;
        code(bound(&payload, KEY_BINDING_TYP, &holder_key()))
    };
    assert!(bound(&good, KEY_BINDING_TYP, &holder_key()).is_ok());
    assert_eq!(code(bound(&good, KEY_BINDING_TYP, &issuer_key())), "key_binding_signature");
    assert_eq!(code(bound(&good, "JWT", &holder_key())), "typ_wrong");
    assert_eq!(changed("nonce", json!("other")), "nonce_wrong");
    assert_eq!(changed("aud", json!("other")), "audience_wrong");
    assert_eq!(changed("aud", json!([AUDIENCE])), "claim_wrong");
    assert_eq!(changed("sd_hash", json!(sd_hash("other"))), "sd_hash_wrong");
    assert_eq!(changed("iat", json!("1")), "claim_wrong");
    assert_eq!(changed("set", json!(1)), "set_wrong");
    for name in ["nonce", "aud", "iat", "sd_hash"] {
        let mut payload = good.clone();
        payload.as_object_mut().expect("an object").remove(name);
        assert_eq!(code(bound(&payload, KEY_BINDING_TYP, &holder_key())), "claim_missing", "{name}");
    }
    let none = with_header(&json!({ "alg": "none", "typ": KEY_BINDING_TYP }), &good, &holder_key());
    assert_eq!(code(verify_presentation(&format!("{presented_part}{none}"))), "alg_not_allowed");

    // The binding is over the bytes: a disclosure less, or in another order, is another presentation.
    let all = presented(&[path(r#"["capital"]"#)]);
    let mut parts: Vec<&str> = all.split('~').collect();
    parts.swap(1, 2);
    assert_eq!(code(verify_presentation(&parts.join("~"))), "sd_hash_wrong");
    let without: Vec<&str> = all.split('~').enumerate().filter(|(at, _)| *at != 1).map(|(_, part)| part).collect();
    assert_eq!(code(verify_presentation(&without.join("~"))), "sd_hash_wrong");
}

#[test]
fn presentations_of_one_response_hold_together() {
    let holding = Holding::open(&issued().text).expect("opens");
    let chosen = [path(r#"["uscc"]"#), path(r#"["name"]"#)];
    let parts = chosen.map(|path| holding.present(&[path]).expect("presents"));
    let hashes = [parts[0].sd_hash(), parts[1].sd_hash()];
    let whole = set(&hashes);
    assert_eq!(whole, base64url(&sha256(&[format!("{}.{}", hashes[0], hashes[1]).as_bytes()])));
    let bind = |set: Option<&str>| {
        let binding = KeyBinding { set: set.map(str::to_owned), ..binding() };
        parts[0].bind(&binding, &holder_key()).expect("binds")
    };
    let check = |text: &str| {
        let expected = ExpectedBinding { set: Some(&whole), ..EXPECTED };
        UnverifiedSdJwt::parse(text)?.verify_presentation(&issuer_public(), &expected)
    };
    let text = bind(Some(&whole));
    assert_eq!(UnverifiedSdJwt::parse(&text).expect("parses").sd_hash(), hashes[0]);
    assert_eq!(check(&text).expect("verifies").1.set.as_deref(), Some(whole.as_str()));
    assert_eq!(code(check(&bind(None))), "set_wrong");
    assert_eq!(code(check(&bind(Some(&set(&hashes[..1]))))), "set_wrong");
    assert_eq!(code(check(&bind(Some(&set(&[&hashes[1], &hashes[0]]))))), "set_wrong");
}

#[test]
fn key_bindings_have_their_time() {
    let check = |now: u64| binding().check_time(TimeMs(now), SpanMs(600_000), SpanMs(60_000));
    assert!(check(NOW.0).is_ok() && check(NOW.0 + 600_000).is_ok() && check(NOW.0 - 60_000).is_ok());
    assert_eq!(code(check(NOW.0 + 600_001)), "kb_time");
    assert_eq!(code(check(NOW.0 - 60_001)), "kb_time");
}
