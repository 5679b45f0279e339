//! An independent library (`identity-kit`) verifies what is issued here, and the reverse.

mod sd_jwt_support;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use identity_kit::jose::{DefaultVerifier, Jwk, JwsAlgorithm, SignError, Signer as OracleSigner};
use identity_kit::resolver::{KeyReference, KeyResolutionError, KeyResolver, KeyRole};
use identity_kit::sd_jwt_vc::{
    ClaimPath as OraclePath, KeyBinding as OracleBinding, KeyBindingOptions, PathComponent, SdJwt,
    SdJwtCredentialValidator, SdJwtValidationOptions, SdJwtVcBuilder, SdJwtVcClaims,
};
use identity_kit::vc::validation::StatusPolicy;
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::sd_jwt::{ClaimPath, Holding, Step, jwk};
use serde_json::{Value, json};

use sd_jwt_support::*;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The oracle's futures wait for nothing here.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the oracle waits"),
    }
}

fn oracle_jwk(key: &PublicKey) -> Jwk {
    Jwk::from_ed25519_public(&key.bytes).expect("an Ed25519 key")
}

struct Resolver;

impl KeyResolver for Resolver {
    fn resolve_key<'life0, 'life1, 'async_trait>(
        &'life0 self,
        key: &'life1 KeyReference,
        _: KeyRole,
    ) -> Boxed<'async_trait, Result<Jwk, KeyResolutionError>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            match key {
                KeyReference::Jwk(jwk) => Ok(jwk.as_ref().clone()),
                KeyReference::DidUrl(url) if url.to_string() == kid() => Ok(oracle_jwk(&issuer_public())),
                other => Err(KeyResolutionError::unsupported(other)),
            }
        })
    }
}

struct Signs(SecretKey);

impl OracleSigner for Signs {
    fn alg(&self) -> JwsAlgorithm {
        JwsAlgorithm::EdDSA
    }
    fn kid(&self) -> Option<&str> {
        None
    }
    fn sign<'life0, 'life1, 'async_trait>(
        &'life0 self,
        input: &'life1 [u8],
    ) -> Boxed<'async_trait, Result<Vec<u8>, SignError>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { Ok(self.0.sign(input).expect("signs").bytes.to_vec()) })
    }
}

fn oracle_path(path: &ClaimPath) -> OraclePath {
    let component = |step: &Step| -> PathComponent {
        match step {
            Step::Name(name) => name.as_str().into(),
            Step::Index(index) => (*index as usize).into(),
            Step::Any => ().into(),
        }
    };
    OraclePath::from(path.steps().iter().map(component).collect::<Vec<_>>())
}

/// The claims that the oracle sees in a presentation that it accepts.
fn oracle_verify(text: &str) -> Result<Value, String> {
    let validator = SdJwtCredentialValidator::new(Resolver, DefaultVerifier);
    let options = SdJwtValidationOptions::new()
        .with_key_binding(KeyBindingOptions::new(AUDIENCE, NONCE))
        .with_status(StatusPolicy::SkipAll)
        .rejecting_legacy_typ();
    let token = SdJwt::parse(text).map_err(|error| error.to_string())?;
    let validated = now(validator.validate(&token, &options)).map_err(|error| error.to_string())?;
    Ok(Value::Object(validated.credential.payload().clone()))
}

#[test]
fn the_oracle_verifies_what_is_issued_here() {
    let all = Holding::open(&issued().text).expect("opens");
    let everything: Vec<ClaimPath> = all.claims().keys().map(|name| ClaimPath::name(name)).collect();
    let text = presented(&everything);
    let seen = oracle_verify(&text).expect("accepted");
    assert_eq!(&seen, &Value::Object(all.claims().clone()));

    let text = presented(&[path(r#"["uscc"]"#), path(r#"["capital","amount"]"#)]);
    let seen = oracle_verify(&text).expect("accepted");
    assert_eq!(seen["uscc"], "91110000600037341L");
    assert_eq!(seen["capital"], json!({ "amount": 5_000_000, "currency": "CNY" }));
    assert_eq!(seen.get("name"), None);
    assert_eq!(seen["scopes"].as_array().map(|array| array[0] == "software"), Some(true));

    // Control: the oracle refuses what is refused here.
    let (presented_part, _) = text.rsplit_once('~').expect("a `~`");
    assert!(oracle_verify(&format!("{presented_part}~")).is_err());
    let other = Holding::open(&issued().text).expect("opens").present(&[]).expect("presents");
    let bound_by_other = other.bind(&binding(), &issuer_key()).expect("binds");
    assert!(oracle_verify(&bound_by_other).is_err());
}

#[test]
fn what_the_oracle_issues_is_verified_here() {
    let mut all = payload().as_object().expect("an object").clone();
    all.extend(claims());
    let vc: SdJwtVcClaims = serde_json::from_value(Value::Object(all)).expect("claims of an SD-JWT VC");
    let mut builder = SdJwtVcBuilder::from_claims(vc).with_kid(kid()).with_decoys(1);
    let mut count = 0u32;
    builder = builder.with_salt_generator(move || {
        count += 1;
        format!("salt-of-the-oracle-{count}")
    });
    for path in issuance().disclosable {
        builder = builder.conceal(oracle_path(&path));
    }
    let vc = now(builder.sign(&Signs(issuer_key()))).expect("issues");
    let licence = verify(&vc.to_string()).expect("verifies");
    assert_eq!(licence.claims, claims());
    assert_eq!(licence.fixed.issuer, issuer());
    assert_eq!(licence.fixed.holder, holder_key().public_key());
    assert_eq!(licence.disclosed.len(), 9);

    // The oracle as wallet.
    let chosen = oracle_path(&path(r#"["owners",1,"name"]"#));
    let shown = vc.disclose([&chosen]).expect("discloses");
    let time = "2026-03-01T00:00:00Z".parse().expect("a time");
    let bound = now(shown.sign_key_binding(&OracleBinding::new(AUDIENCE, NONCE, time), &Signs(holder_key())))
        .expect("binds")
        .to_string();
    let (licence, key_binding) = verify_presentation(&bound).expect("verifies");
    assert_eq!(licence.claims["owners"], json!([{ "name": "李四", "share": 40 }]));
    assert_eq!(licence.claims.get("uscc"), None);
    assert_eq!(key_binding, binding());
    assert_eq!(oracle_verify(&bound).map(|_| ()), Ok(()));

    // Kanhe as wallet of the oracle's licence.
    let holding = Holding::open(&vc.to_string()).expect("opens");
    let bound = holding.present(&[path(r#"["name"]"#)]).expect("presents").bind(&binding(), &holder_key());
    let bound = bound.expect("binds");
    assert_eq!(oracle_verify(&bound).expect("accepted")["name"], "济南勘合科技有限公司");
}

#[test]
fn keys_have_the_same_thumbprint() {
    let key = holder_key().public_key();
    let theirs = oracle_jwk(&key);
    assert_eq!(jwk::thumbprint(&key).expect("a key"), theirs.thumbprint_sha256().expect("a key"));
    assert_eq!(serde_json::to_value(&theirs).expect("JSON"), jwk::to_jwk(&key).expect("a key"));
}
