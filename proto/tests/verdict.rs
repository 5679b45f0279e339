//! The verdict on a response: one test per rule and code.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::Signer;
use kanhe_proto::registry::KeyEntry;
use kanhe_proto::request::Request;
use kanhe_proto::response::Response;
use kanhe_proto::status::Status;
use kanhe_proto::verdict::Outcome::{self, *};
use kanhe_proto::verdict::{Verdict, verify_response};
use world::{
    BUSINESS_TYPE, HOLDER_BINDING, Held, PERSON_TYPE, Spec, World, bureau, issuing_key, present, said, secret,
};

fn later(time: TimeMs, ms: u64) -> TimeMs {
    TimeMs(time.0 + ms)
}

#[test]
fn a_good_response_is_valid_and_shows_exactly_what_was_disclosed() {
    let (world, held) = World::with_licence();
    let verdict = world.judge(&held);
    assert_eq!(said(&verdict), (Valid, 8, "valid"));
    assert!(verdict.is_valid());
    let licence = &verdict.licences[0];
    let claims: Vec<&str> = licence.claims.keys().map(String::as_str).collect();
    assert_eq!(claims, ["name"]);
    assert_eq!(licence.claims["name"], "张1");
    assert_eq!(licence.as_of, Some(world.time));
    assert_eq!(verdict.as_of, Some(world.time));
    assert_eq!(licence.status, Some(Status::Active));
    assert_eq!(licence.issuer.as_ref().unwrap().uscc, bureau(0));
    assert_eq!(licence.licence_type.as_ref().unwrap().vct, "urn:kanhe:type:demo-id:1");
    assert_eq!(verdict, serde_json::from_str(&serde_json::to_string(&verdict).unwrap()).unwrap());
}

/// The usual response, spoilt.
fn spoilt(spoil: impl FnOnce(&World, &Held, &mut Request, &mut Response)) -> Verdict {
    let (world, held) = World::with_licence();
    let mut request = world.usual_request();
    let mut response = world.respond(&request, &[&held]);
    spoil(&world, &held, &mut request, &mut response);
    verify_response(&response.to_bytes(), &request, &world.trust(), world.time, None)
}

fn tamper(response: &mut Response, change: impl FnOnce(&str) -> String) {
    let token = &mut response.vp_token.get_mut("id").unwrap()[0];
    *token = change(token);
}

/// Another character in place of one, so that the text stays base64url.
fn flip(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

mod rule_1 {
    use super::*;

    fn invalid(verdict: &Verdict, code: &str) {
        assert_eq!(said(verdict), (Invalid, 1, code));
        assert!(verdict.licences.iter().all(|licence| licence.claims.is_empty()));
    }

    #[test]
    fn bytes_that_are_no_response() {
        let (world, _) = World::with_licence();
        let judge = |bytes: &[u8]| verify_response(bytes, &world.usual_request(), &world.trust(), world.time, None);
        for bytes in [&b""[..], b"{}", b"[]", b"{\"vp_token\":{},\"vp_token\":{}}", b"{\"vp_token\":{},\"more\":1}"] {
            invalid(&judge(bytes), "response_malformed");
        }
        invalid(&judge(&vec![b' '; (1 << 20) + 1]), "response_malformed");
        invalid(&judge(b"{\"vp_token\":{}}"), "licence_missing");
    }
    #[test]
    fn a_request_of_ones_own_that_is_not_one() {
        invalid(&spoilt(|_, _, request, _| request.nonce = "short".into()), "request_malformed");
        let trace = |_: &World, _: &Held, request: &mut Request, _: &mut Response| {
            let path = kanhe_proto::sd_jwt::ClaimPath::name("kanhe_trace");
            request.dcql_query.credentials[0].claims.push(kanhe_proto::request::ClaimQuery { path });
        };
        invalid(&spoilt(trace), "request_malformed");
        invalid(&spoilt(|_, _, request, _| request.exp = request.iat + 601), "request_too_long");
        let over = |_: &World, _: &Held, request: &mut Request, _: &mut Response| {
            request.iat -= 600;
            request.exp -= 600;
        };
        invalid(&spoilt(over), "request_expired");
    }
    #[test]
    fn other_queries_than_asked() {
        let extra = |_: &World, _: &Held, _: &mut Request, response: &mut Response| {
            let token = response.vp_token["id"].clone();
            response.vp_token.insert("more".into(), token);
        };
        invalid(&spoilt(extra), "not_asked_for");
        let evidence = |_: &World, _: &Held, _: &mut Request, response: &mut Response| {
            let stapled = response.evidence["id"].clone();
            response.evidence.insert("more".into(), stapled);
        };
        invalid(&spoilt(evidence), "not_asked_for");
        let renamed = |_: &World, _: &Held, request: &mut Request, _: &mut Response| {
            let mut more = request.dcql_query.credentials[0].clone();
            more.id = "more".into();
            request.dcql_query.credentials.push(more);
        };
        invalid(&spoilt(renamed), "licence_missing");
        let twice = |_: &World, _: &Held, _: &mut Request, response: &mut Response| {
            let tokens = response.vp_token.get_mut("id").unwrap();
            tokens.push(tokens[0].clone());
        };
        invalid(&spoilt(twice), "licence_missing");
        invalid(&spoilt(|_, _, _, response| response.vp_token.clear()), "licence_missing");
    }
    #[test]
    fn a_token_that_is_none() {
        invalid(&spoilt(|_, _, _, response| tamper(response, |_| "x".into())), "format");
        invalid(&spoilt(|_, _, _, response| tamper(response, |token| token.replacen('.', "", 1))), "format");
    }
    #[test]
    fn no_key_binding() {
        let cut = |token: &str| token[..=token.rfind('~').unwrap()].to_owned();
        invalid(&spoilt(|_, _, _, response| tamper(response, cut)), "key_binding_missing");
    }
    #[test]
    fn the_issuers_signature() {
        let break_signature = |token: &str| flip(token, token.find('~').unwrap() - 10);
        invalid(&spoilt(|_, _, _, response| tamper(response, break_signature)), "signature_wrong");
    }
    #[test]
    fn the_holders_signature() {
        let break_signature = |token: &str| flip(token, token.len() - 10);
        invalid(&spoilt(|_, _, _, response| tamper(response, break_signature)), "key_binding_signature");
        let (world, mut held) = World::with_licence();
        held.holder = secret(200);
        invalid(&world.judge(&held), "key_binding_signature");
    }
    #[test]
    fn a_disclosure_of_another_licence_or_changed() {
        let replace = |token: &str| {
            let mut parts: Vec<String> = token.split('~').map(str::to_owned).collect();
            parts[1] = flip(&parts[1], 5);
            parts.join("~")
        };
        let verdict = spoilt(|_, _, _, response| tamper(response, replace));
        assert_eq!((verdict.outcome, verdict.rule.0), (Invalid, 1), "{}", verdict.code);
    }
    #[test]
    fn a_disclosure_taken_away() {
        let cut = |token: &str| {
            let mut parts: Vec<&str> = token.split('~').collect();
            parts.remove(1);
            parts.join("~")
        };
        invalid(&spoilt(|_, _, _, response| tamper(response, cut)), "sd_hash_wrong");
    }
    #[test]
    fn another_nonce_or_audience() {
        invalid(&spoilt(|_, _, request, _| request.nonce = "B".repeat(22)), "nonce_wrong");
        invalid(&spoilt(|_, _, request, _| request.client_id.uscc = bureau(2)), "audience_wrong");
    }
    #[test]
    fn a_key_binding_of_another_time() {
        let (world, held) = World::with_licence();
        let request = world.usual_request();
        let judge = |issued_at| {
            let response = present(&request, &[&held], &[world.evidence(&held)], issued_at);
            verify_response(&response.to_bytes(), &request, &world.trust(), world.time, None)
        };
        assert!(judge(later(world.time, 60_000)).is_valid());
        invalid(&judge(later(world.time, 61_000)), "kb_time");
        assert!(judge(TimeMs(world.time.0 - 660_000)).is_valid());
        invalid(&judge(TimeMs(world.time.0 - 661_000)), "kb_time");
    }
    #[test]
    fn another_type_than_asked_for() {
        let mut world = World::new();
        let held = world.issue(&[Spec::new(BUSINESS_TYPE, 101, 1)]).remove(0);
        invalid(&world.judge(&held), "type_not_asked_for");
    }
    #[test]
    fn a_claim_not_disclosed() {
        let (world, held) = World::with_licence();
        let request = world.usual_request();
        let response = world.respond(&request, &[&held]);
        let asked = world.request(&[("id", PERSON_TYPE, &["name", "ZZMC"])], false);
        let verdict = verify_response(&response.to_bytes(), &asked, &world.trust(), world.time, None);
        invalid(&verdict, "claim_not_disclosed");
    }
    #[test]
    fn a_key_that_the_registry_shows_but_did_not_sign() {
        // The key that `kid` names is another than the one that signed.
        let (world, held) = World::with_licence();
        let other = world.judge_with(&held, |evidence| {
            let id = (bureau(0), issuing_key(1).public_key().id());
            evidence.key = world.registry_leaf(<KeyEntry as kanhe_proto::registry::RegistryRecord>::key_of(&id));
        });
        assert_eq!(said(&other), (Undecided, 2, "registry_proof_wrong"));
    }
}

mod together {
    use super::*;

    fn two(persons: (u8, u8)) -> (World, Held, Held) {
        let mut world = World::new();
        let first = world.issue(&[Spec::new(PERSON_TYPE, 101, persons.0)]).remove(0);
        let second = world.issue(&[Spec::new(BUSINESS_TYPE, 102, persons.1)]).remove(0);
        world.block();
        (world, first, second)
    }
    const QUERIES: [(&str, &str, &[&str]); 2] = [("b", PERSON_TYPE, &["name"]), ("a", BUSINESS_TYPE, &["ZZMC"])];

    fn judge(world: &World, request: &Request, response: &Response) -> Verdict {
        verify_response(&response.to_bytes(), request, &world.trust(), world.time, None)
    }

    #[test]
    fn two_licences_of_one_person() {
        let (world, first, second) = two((1, 1));
        let request = world.request(&QUERIES, true);
        let verdict = judge(&world, &request, &world.respond(&request, &[&first, &second]));
        assert_eq!(said(&verdict), (Valid, 8, "valid"));
        let bindings: Vec<_> = verdict.licences.iter().map(|licence| &licence.claims[HOLDER_BINDING]).collect();
        assert_eq!(bindings[0], bindings[1]);
        let queries: Vec<&str> = verdict.licences.iter().map(|licence| licence.query.as_str()).collect();
        assert_eq!(queries, ["b", "a"], "in the order of the request");
    }
    #[test]
    fn two_licences_of_two_persons() {
        let (world, first, second) = two((1, 2));
        let request = world.request(&QUERIES, true);
        let response = world.respond(&request, &[&first, &second]);
        assert_eq!(said(&judge(&world, &request, &response)), (Invalid, 1, "not_same_holder"));
        let request = world.request(&QUERIES, false);
        let response = world.respond(&request, &[&first, &second]);
        let verdict = judge(&world, &request, &response);
        assert!(verdict.is_valid(), "nothing is said of the holder where nothing is asked");
        assert!(verdict.licences.iter().all(|licence| !licence.claims.contains_key(HOLDER_BINDING)));
    }
    #[test]
    fn one_that_hides_whose_it_is() {
        let (world, first, second) = two((1, 1));
        let hidden = world.request(&QUERIES, false);
        let response = world.respond(&hidden, &[&first, &second]);
        let request = world.request(&QUERIES, true);
        assert_eq!(said(&judge(&world, &request, &response)), (Invalid, 1, "not_same_holder"));
    }
    #[test]
    fn licences_presented_apart_are_not_put_together() {
        let (world, first, second) = two((1, 2));
        let request = world.request(&QUERIES, false);
        let mut mixed = world.respond(&request, &[&first, &second]);
        // The second is presented with another first one.
        let mut other_world = world.clone();
        let other = other_world.issue(&[Spec::new(PERSON_TYPE, 103, 3)]).remove(0);
        let elsewhere = other_world.respond(&request, &[&other, &second]);
        mixed.vp_token.insert("a".into(), elsewhere.vp_token["a"].clone());
        let verdict = judge(&world, &request, &mixed);
        assert_eq!(said(&verdict), (Invalid, 1, "set_wrong"));
        // Each alone, answered to two requests of one licence with the same nonce.
        let alone = |query, held: &Held| {
            let request = world.request(&[query], false);
            world.respond(&request, &[held])
        };
        let mut joined = alone(QUERIES[0], &first);
        let more = alone(QUERIES[1], &second);
        joined.vp_token.extend(more.vp_token);
        joined.evidence.extend(more.evidence);
        assert_eq!(said(&judge(&world, &request, &joined)), (Invalid, 1, "set_wrong"));
    }
    #[test]
    fn the_worst_licence_counts() {
        let (mut world, first, second) = two((1, 1));
        let entry = world.entry(Status::Suspended);
        world.set_licence(&second, vec![entry]);
        let request = world.request(&QUERIES, true);
        let response = world.respond(&request, &[&first, &second]);
        let verdict = judge(&world, &request, &response);
        assert_eq!(said(&verdict), (Suspended, 7, "licence"));
        let outcomes: Vec<Outcome> = verdict.licences.iter().map(|licence| licence.outcome).collect();
        assert_eq!(outcomes, [Valid, Suspended]);
        let mut stripped = response;
        stripped.evidence.remove("b");
        let verdict = judge(&world, &request, &stripped);
        assert_eq!(said(&verdict), (Undecided, 2, "evidence_missing"));
        assert_eq!(verdict.as_of, None);
    }
    #[test]
    fn the_order_of_two_licences_of_one_type_is_bound() {
        let mut world = World::new();
        let held = world.issue(&[Spec::new(PERSON_TYPE, 101, 1), Spec::new(PERSON_TYPE, 102, 2)]);
        let request = world.request(&[("a", PERSON_TYPE, &["name"]), ("b", PERSON_TYPE, &["name"])], false);
        let mut response = world.respond(&request, &[&held[0], &held[1]]);
        assert!(judge(&world, &request, &response).is_valid());
        let (a, b) = (response.vp_token["a"].clone(), response.vp_token["b"].clone());
        response.vp_token.insert("a".into(), b);
        response.vp_token.insert("b".into(), a);
        let (a, b) = (response.evidence["a"].clone(), response.evidence["b"].clone());
        response.evidence.insert("a".into(), b);
        response.evidence.insert("b".into(), a);
        assert_eq!(said(&judge(&world, &request, &response)), (Invalid, 1, "set_wrong"));
    }
}
