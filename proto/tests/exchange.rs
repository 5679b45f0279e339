//! From a wallet to an issuer and back: applications, requests, envelopes, answers. One test per rule.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

use kanhe_proto::application::{AHEAD_MAX, APPLICATION_AGE_MAX, APPLICATION_BYTES_MAX, Application, ApplicationError};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::codec;
use kanhe_proto::exchange::{
    Answer, Ask, DeliveredLicence, HolderRequest, Outcome, ProvedAsk, REQUEST_AGE_MAX, Refusal, RequestBody,
};
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::mail::{MAIL_BYTES_MAX, MailAnswer, MailId, MailRequest, QueueProof};
use kanhe_proto::pickup::PickupCode;
use kanhe_proto::sd_jwt::{jwk, jws};
use kanhe_proto::seal::{PLAINTEXT_BYTES_MAX, Sealed, SealingSecret};
use kanhe_proto::text::{base64url, from_base64url};
use proptest::prelude::*;
use serde_json::{Value, json};

const CHAIN: ChainId = ChainId([1; 32]);
const NOW: TimeMs = TimeMs(1_790_000_000_000);

fn issuer() -> Uscc {
    Uscc::with_check("11370100MB2815123").unwrap()
}
fn other_issuer() -> Uscc {
    Uscc::with_check("11370100MB2815124").unwrap()
}
fn licence_key(at: u8) -> SecretKey {
    SecretKey::from_seed([0x40 + at; 32])
}
fn sealing() -> SealingSecret {
    SealingSecret::from_seed([0x80; 32])
}
fn one_time() -> SealingSecret {
    SealingSecret::from_seed([0x81; 32])
}

fn application(copies: u8, vct: &str, secret: bool) -> (Application, Vec<SecretKey>) {
    let signers: Vec<SecretKey> = (0..copies).map(licence_key).collect();
    let keys: Vec<PublicKey> = signers.iter().map(Signer::public_key).collect();
    let seal = || Application::seal_secret(&[5; 32], CHAIN, &keys[0], &sealing().public_key(), [6; 32]).unwrap();
    let secret = secret.then(seal);
    let keys = List::new(keys.clone()).unwrap();
    (Application { chain: CHAIN, issuer: issuer(), vct: vct.parse().unwrap(), time: NOW, keys, secret }, signers)
}
fn sign((application, signers): &(Application, Vec<SecretKey>)) -> Result<String, ApplicationError> {
    let signers: Vec<&dyn Signer> = signers.iter().map(|signer| signer as &dyn Signer).collect();
    application.sign(&signers)
}
fn text(copies: u8) -> String {
    sign(&application(copies, "urn:kanhe:type:BUSINESS-LICENCE:1", true)).unwrap()
}
fn verify(text: &str) -> Result<Application, ApplicationError> {
    Application::verify(text, &CHAIN, &issuer(), NOW)
}
fn code(text: &str) -> &'static str {
    verify(text).unwrap_err().code()
}
/// The application with a changed payload, signed anew by its first key, as its own holder can.
fn changed(copies: u8, change: impl Fn(&mut Value)) -> String {
    let text = text(copies);
    let mut payload: Value = serde_json::from_slice(&from_base64url(text.split('.').nth(1).unwrap()).unwrap()).unwrap();
    change(&mut payload);
    jws::sign("kanhe-application+jwt", None, &payload, &licence_key(0)).unwrap()
}

#[test]
fn an_application_comes_back_and_is_small() {
    for (copies, secret) in [(1, true), (1, false), (2, true), (16, true)] {
        let made = application(copies, "urn:kanhe:type:BUSINESS-LICENCE:1", secret);
        let text = sign(&made).unwrap();
        assert_eq!(verify(&format!(" {text}\n")), Ok(made.0.clone()));
        assert!(!text.contains(char::is_whitespace));
        if copies == 1 {
            assert!(text.len() < 1_000, "{}", text.len());
        }
        match made.0.open_secret(&sealing()) {
            Ok(opened) => assert_eq!((secret, *opened), (true, [5; 32])),
            Err(error) => assert_eq!((secret, error.code()), (false, "application_no_secret")),
        }
    }
    let longest = format!("urn:kanhe:type:{}:{}", "A".repeat(32), u32::MAX);
    assert!(sign(&application(16, &longest, true)).unwrap().len() <= APPLICATION_BYTES_MAX);
}

#[test]
fn an_application_is_for_one_chain_issuer_and_time() {
    let text = text(1);
    let code = |chain: &ChainId, issuer: &Uscc, now| match Application::verify(&text, chain, issuer, now) {
        Ok(_) => "ok",
        Err(error) => error.code(),
    };
    assert_eq!(code(&ChainId([2; 32]), &issuer(), NOW), "application_other_chain");
    assert_eq!(code(&CHAIN, &other_issuer(), NOW), "application_other_issuer");
    let last = NOW.after(APPLICATION_AGE_MAX);
    assert_eq!(code(&CHAIN, &issuer(), last), "ok");
    assert_eq!(code(&CHAIN, &issuer(), last.after(SpanMs(1))), "application_too_old");
    let first = TimeMs(NOW.0 - AHEAD_MAX.0);
    assert_eq!(code(&CHAIN, &issuer(), first), "ok");
    assert_eq!(code(&CHAIN, &issuer(), TimeMs(first.0 - 1)), "application_ahead");
}

#[test]
fn every_key_of_an_application_proves_its_possession() {
    let stranger = jwk::to_jwk(&licence_key(9).public_key()).unwrap();
    assert_eq!(code(&changed(1, |payload| payload["jwk"] = stranger.clone())), "application_signature");
    // A proof that another holder made, for another application.
    let proof = application(1, "urn:kanhe:type:BUSINESS-LICENCE:1", false);
    let (victim, signers) = (
        Application {
            keys: List::new(vec![licence_key(8).public_key(), licence_key(9).public_key()]).unwrap(),
            ..proof.0
        },
        vec![licence_key(8), licence_key(9)],
    );
    let stolen = sign(&(victim, signers)).unwrap();
    let stolen: Value = serde_json::from_slice(&from_base64url(stolen.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(code(&changed(2, |payload| payload["copies"] = stolen["copies"].clone())), "application_copy_unproved");
    let swap = |payload: &mut Value| payload["copies"].as_array_mut().unwrap().swap(0, 1);
    assert_eq!(code(&changed(3, swap)), "application_copy_unproved");
    assert_eq!(
        code(&changed(2, |payload| payload["vct"] = json!("urn:kanhe:type:OTHER:1"))),
        "application_copy_unproved"
    );
    let repeat = |payload: &mut Value| {
        let copy = payload["copies"][0].clone();
        payload["copies"].as_array_mut().unwrap().push(copy);
    };
    assert_eq!(code(&changed(2, repeat)), "application_key_repeated");
}

#[test]
fn the_members_of_an_application_are_exact() {
    for (member, value, expected) in [
        ("v", json!(2), "application_version"),
        ("v", json!("1"), "application_version"),
        ("more", json!(1), "application_malformed"),
        ("chain", json!("AAAA"), "application_malformed"),
        ("aud", json!("11370100MB28151230"), "application_malformed"),
        ("vct", json!("urn:x"), "application_malformed"),
        ("iat", json!(-1), "application_malformed"),
        ("iat", json!(u64::MAX), "application_malformed"),
        ("jwk", json!({}), "application_malformed"),
        ("copies", json!([]), "application_malformed"),
        ("copies", json!(["x"]), "application_malformed"),
        ("copies", json!(vec!["x"; 16]), "application_copies"),
        ("s", json!("AAAA"), "application_malformed"),
        ("s", json!(7), "application_malformed"),
    ] {
        assert_eq!(code(&changed(1, |payload| payload[member] = value.clone())), expected, "{member}");
    }
    let payload = json!({ "jwk": jwk::to_jwk(&licence_key(0).public_key()).unwrap() });
    assert_eq!(code(&jws::sign("JWT", None, &payload, &licence_key(0)).unwrap()), "application_signature");
    assert_eq!(code(&"x".repeat(APPLICATION_BYTES_MAX + 1)), "application_too_long");
    assert_eq!(code(""), "application_signature");
    let mut made = application(2, "urn:kanhe:type:BUSINESS-LICENCE:1", false);
    made.1.swap(0, 1);
    assert_eq!(sign(&made).unwrap_err().code(), "application_malformed");
    made.0.keys = List::empty();
    assert_eq!(sign(&made).unwrap_err().code(), "application_copies");
}

#[test]
fn a_secret_belongs_to_its_application() {
    let (mut taken, _) = application(1, "urn:kanhe:type:BUSINESS-LICENCE:1", true);
    assert_eq!(taken.open_secret(&one_time()).unwrap_err().code(), "application_secret");
    taken.keys = List::new(vec![licence_key(9).public_key()]).unwrap();
    assert_eq!(taken.open_secret(&sealing()).unwrap_err().code(), "application_secret");
}

fn pickup_body() -> RequestBody {
    let ask = Ask::Pickup { code: PickupCode::from_random([3; 10]), application: Text::new(text(1)).unwrap() };
    RequestBody { version: 1, chain: CHAIN, issuer: issuer(), time: NOW, answer: one_time().public_key(), ask }
}
fn request(body: RequestBody, key: u8) -> HolderRequest {
    HolderRequest::sign(body, &licence_key(key)).unwrap()
}

#[test]
fn requests_travel_sealed_and_are_answered() {
    let collect = RequestBody { ask: Ask::Collect { key: licence_key(0).public_key() }, ..pickup_body() };
    for body in [pickup_body(), collect] {
        let sent = MailRequest::seal(&request(body, 0), &sealing().public_key(), [7; 32]).unwrap();
        let received = MailRequest::decode(&codec::encode(&sent), &CHAIN).unwrap();
        assert_eq!(received.id.to_string().parse(), Ok(MailId::of(&one_time().public_key())));
        let opened = received.open(&sealing()).unwrap();
        match opened.verify(&CHAIN, &issuer(), NOW).unwrap() {
            ProvedAsk::Pickup { code, application } => {
                assert_eq!((code, *application), (PickupCode::from_random([3; 10]), verify(&text(1)).unwrap()));
            }
            ProvedAsk::Collect { key } => assert_eq!(key, licence_key(0).public_key()),
        }
        let licence = DeliveredLicence { sd_jwt: Text::new("a~").unwrap(), path: Blob::new(*b"path").unwrap() };
        let answer = Answer::new(Outcome::Licences(List::new(vec![licence]).unwrap()));
        let mail = MailAnswer::seal(&opened, &answer, [8; 32]).unwrap();
        let mail = MailAnswer::decode(&codec::encode(&mail), &CHAIN).unwrap();
        assert_eq!(mail.open(&one_time(), &issuer()), Ok(answer));
        assert_eq!(mail.open(&one_time(), &other_issuer()).unwrap_err().code(), "mail_other_issuer");
        assert_eq!(mail.open(&sealing(), &issuer()).unwrap_err().code(), "mail_id_wrong");
    }
}

#[test]
fn a_request_is_refused_by_each_rule() {
    let code = |body: RequestBody, key: u8| {
        let error = request(body, key).verify(&CHAIN, &issuer(), NOW).unwrap_err();
        (error.code(), error.refusal())
    };
    let wrong = Refusal::RequestWrong;
    assert_eq!(code(RequestBody { version: 2, ..pickup_body() }, 0), ("request_version", wrong));
    assert_eq!(code(RequestBody { chain: ChainId([2; 32]), ..pickup_body() }, 0), ("request_other_chain", wrong));
    assert_eq!(code(RequestBody { issuer: other_issuer(), ..pickup_body() }, 0), ("request_other_issuer", wrong));
    let old = TimeMs(NOW.0 - REQUEST_AGE_MAX.0 - 1);
    assert_eq!(code(RequestBody { time: old, ..pickup_body() }, 0), ("request_time", wrong));
    let ahead = NOW.after(AHEAD_MAX).after(SpanMs(1));
    assert_eq!(code(RequestBody { time: ahead, ..pickup_body() }, 0), ("request_time", wrong));
    assert_eq!(code(pickup_body(), 1), ("request_signature", wrong));
    let collect = Ask::Collect { key: licence_key(0).public_key() };
    assert_eq!(code(RequestBody { ask: collect, ..pickup_body() }, 1), ("request_signature", wrong));
    let ask = Ask::Pickup { code: PickupCode::from_random([3; 10]), application: Text::new("x").unwrap() };
    assert_eq!(code(RequestBody { ask, ..pickup_body() }, 0), ("application_signature", Refusal::ApplicationWrong));
    let mut redirected = request(pickup_body(), 0);
    redirected.body.answer = sealing().public_key();
    assert_eq!(redirected.verify(&CHAIN, &issuer(), NOW).unwrap_err().code(), "request_signature");
}

#[test]
fn an_envelope_is_refused_by_each_rule() {
    let sent = MailRequest::seal(&request(pickup_body(), 0), &sealing().public_key(), [7; 32]).unwrap();
    let decode = |mail: &MailRequest| MailRequest::decode(&codec::encode(mail), &CHAIN).unwrap_err().code();
    assert_eq!(decode(&MailRequest { version: 2, ..sent.clone() }), "mail_version");
    assert_eq!(decode(&MailRequest { chain: ChainId([2; 32]), ..sent.clone() }), "mail_other_chain");
    let long = vec![0; MAIL_BYTES_MAX + 1];
    assert_eq!(MailRequest::decode(&long, &CHAIN).unwrap_err().code(), "mail_malformed");
    let open = |mail: MailRequest| mail.open(&sealing()).unwrap_err().code();
    let other_id = MailId::of(&sealing().public_key());
    assert_eq!(open(MailRequest { id: other_id, ..sent.clone() }), "seal_unopenable");
    assert_eq!(open(MailRequest { issuer: other_issuer(), ..sent.clone() }), "seal_unopenable");
    assert_eq!(sent.open(&one_time()).unwrap_err().code(), "seal_other_key");
    // An answer is not opened as a request, even under one key.
    let to_sealing = request(RequestBody { answer: sealing().public_key(), ..pickup_body() }, 0);
    let answer = MailAnswer::seal(&to_sealing, &Answer::new(Outcome::Refused(Refusal::NotYet)), [8; 32]).unwrap();
    assert_eq!(open(MailRequest { sealed: answer.sealed, id: other_id, ..sent }), "seal_unopenable");
}

#[test]
fn too_much_is_not_sealed() {
    let sd_jwt = Text::new("a".repeat(PLAINTEXT_BYTES_MAX / 16)).unwrap();
    let licence = DeliveredLicence { sd_jwt, path: Blob::default() };
    let answer = Answer::new(Outcome::Licences(List::new(vec![licence; 16]).unwrap()));
    assert!(!answer.fits());
    let refused = MailAnswer::seal(&request(pickup_body(), 0), &answer, [8; 32]);
    assert_eq!(refused.unwrap_err().code(), "seal_too_long");
}

#[test]
fn an_issuer_proves_itself_to_its_queue() {
    let key = SecretKey::from_seed([0x90; 32]);
    let proof = QueueProof::sign(&CHAIN, issuer(), [4; 32], &key).unwrap();
    let proof = QueueProof::decode(&codec::encode(&proof)).unwrap();
    assert_eq!(proof.key, key.public_key().id());
    assert_eq!(proof.verify(&CHAIN, &[4; 32], &key.public_key()), Ok(()));
    let code = |proof: &QueueProof, chain, challenge, key: &PublicKey| {
        proof.verify(&chain, &challenge, key).unwrap_err().code()
    };
    assert_eq!(code(&proof, CHAIN, [5; 32], &key.public_key()), "queue_other_challenge");
    assert_eq!(code(&proof, ChainId([2; 32]), [4; 32], &key.public_key()), "queue_proof_wrong");
    assert_eq!(code(&proof, CHAIN, [4; 32], &licence_key(0).public_key()), "queue_proof_wrong");
    let renamed = QueueProof { issuer: other_issuer(), ..proof.clone() };
    assert_eq!(code(&renamed, CHAIN, [4; 32], &key.public_key()), "queue_proof_wrong");
    let newer = QueueProof { version: 2, ..proof };
    assert_eq!(QueueProof::decode(&codec::encode(&newer)).unwrap_err().code(), "mail_version");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = HolderRequest::decode(&bytes);
        let _ = Answer::decode(&bytes);
        let _ = MailRequest::decode(&bytes, &CHAIN);
        let _ = MailAnswer::decode(&bytes, &CHAIN);
        let _ = QueueProof::decode(&bytes);
        let _ = codec::decode::<Sealed>(&bytes, 600);
        let texts = String::from_utf8_lossy(&bytes);
        prop_assert!(verify(&texts).is_err());
        let _ = PickupCode::parse(&texts);
        let _ = kanhe_proto::key_file::describe(&texts);
        let _ = kanhe_proto::validator_file::describe(&texts);
        let _ = code(&format!("{}.{}.{}", base64url(b"{}"), base64url(&bytes), base64url(&[0; 64])));
    }

    #[test]
    fn a_flipped_bit_never_passes(at in 0usize..100_000, bit in 0u8..8) {
        let mut bytes = text(2).into_bytes();
        let at_text = at % bytes.len();
        bytes[at_text] ^= 1 << bit;
        if let Ok(flipped) = String::from_utf8(bytes) {
            // A flip may make white space at an end, which is trimmed and then lacks a character.
            prop_assert!(verify(&flipped).is_err());
        }
        let mut bytes = codec::encode(&request(pickup_body(), 0));
        let at_request = at % bytes.len();
        bytes[at_request] ^= 1 << bit;
        let verdict = HolderRequest::decode(&bytes).and_then(|request| request.verify(&CHAIN, &issuer(), NOW));
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn every_pickup_code_comes_back(random in any::<[u8; 10]>()) {
        let code = PickupCode::from_random(random);
        prop_assert_eq!(PickupCode::parse(&code.shown()), Ok(code));
    }
}
