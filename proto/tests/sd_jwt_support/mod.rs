//! A bureau, a holder and a licence for the tests of SD-JWT.
#![allow(dead_code)]

use kanhe_proto::bounded::Text;
use kanhe_proto::hash::{ChainId, sha256};
use kanhe_proto::identifiers::{ChainRef, Did};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::sd_jwt::{
    ClaimPath, Disclosure, ExpectedBinding, FixedClaims, Holding, Issuance, Issued, KeyBinding, Salt, SdJwtError,
    StatusRef, TYP, UnverifiedSdJwt, VerifiedLicence, jwk, jws,
};
use serde_json::{Map, Value, json};

pub const AUDIENCE: &str = "did:kanhe:jinan-uws2ljnfuws2ljnf:914403001922038216";
pub const NONCE: &str = "n-0S6_WzA2Mj";
/// 2026-03-01T00:00:00Z.
pub const NOW: TimeMs = TimeMs(1_772_323_200_000);
/// 2100-01-01T00:00:00Z.
pub const FAR: TimeMs = TimeMs(4_102_444_800_000);

pub fn issuer_key() -> SecretKey {
    SecretKey::from_seed([1; 32])
}
pub fn holder_key() -> SecretKey {
    SecretKey::from_seed([2; 32])
}
pub fn issuer_public() -> PublicKey {
    issuer_key().public_key()
}

pub fn issuer() -> Did {
    let chain = ChainRef::new("jinan".parse().expect("a name"), &ChainId([0xA5; 32]));
    Did::new(chain, "91110000600037341L".parse().expect("a code"))
}
pub fn kid() -> String {
    issuer().key_url(issuer_public().id()).to_string()
}

pub fn fixed() -> FixedClaims {
    FixedClaims {
        issuer: issuer(),
        vct: "urn:kanhe:type:11100000MB03271699043:1".parse().expect("a type"),
        jti: Text::new("rQ2mC9wYtHk").expect("short"),
        issued_at: Some(NOW),
        not_before: Some(NOW),
        expires: Some(FAR),
        holder: holder_key().public_key(),
        status: StatusRef { idx: 4_000_000_000, uri: Text::new("https://chain.example/status/7").expect("short") },
    }
}

/// Salts that never repeat; seeded, so that a failure comes again.
pub fn salts(seed: u8) -> impl FnMut() -> Salt {
    let mut count = 0u64;
    move || {
        count += 1;
        sha256(&[&[seed], &count.to_be_bytes()])[..16].try_into().expect("16 of 32 bytes")
    }
}

pub fn claims() -> Map<String, Value> {
    let claims = json!({
        "ZZMC": "营业执照",
        "name": "济南勘合科技有限公司",
        "uscc": "91110000600037341L",
        "capital": { "amount": 5_000_000, "currency": "CNY" },
        "owners": [{ "name": "张三", "share": 60 }, { "name": "李四", "share": 40 }],
        "scopes": ["software", "consulting", "trade"],
    });
    claims.as_object().expect("an object").clone()
}

pub fn path(text: &str) -> ClaimPath {
    serde_json::from_str(text).expect("a claim path")
}

pub fn issuance() -> Issuance {
    let paths = [
        r#"["name"]"#,
        r#"["uscc"]"#,
        r#"["capital"]"#,
        r#"["capital","amount"]"#,
        r#"["owners",null]"#,
        r#"["owners",null,"name"]"#,
        r#"["scopes",1]"#,
    ];
    Issuance { fixed: fixed(), claims: claims(), disclosable: paths.map(path).to_vec(), decoys: 2 }
}

pub fn issued() -> Issued {
    issuance().sign(&issuer_key(), &mut salts(1)).expect("issues")
}

pub fn binding() -> KeyBinding {
    KeyBinding { nonce: NONCE.into(), audience: AUDIENCE.into(), issued_at: NOW, set: None }
}
pub const EXPECTED: ExpectedBinding<'static> = ExpectedBinding { nonce: NONCE, audience: AUDIENCE, set: None };

/// The licence with these claims, bound to the verifier.
pub fn presented(paths: &[ClaimPath]) -> String {
    let holding = Holding::open(&issued().text).expect("opens");
    holding.present(paths).expect("presents").bind(&binding(), &holder_key()).expect("binds")
}

pub fn verify(text: &str) -> Result<VerifiedLicence, SdJwtError> {
    UnverifiedSdJwt::parse(text)?.verify(&issuer_public())
}
pub fn verify_presentation(text: &str) -> Result<(VerifiedLicence, KeyBinding), SdJwtError> {
    UnverifiedSdJwt::parse(text)?.verify_presentation(&issuer_public(), &EXPECTED)
}

/// The payload of a licence without disclosures, to be spoilt.
pub fn payload() -> Value {
    json!({
        "iss": issuer().to_string(), "vct": "urn:kanhe:type:11100000MB03271699043:1", "jti": "j",
        "iat": 1_772_323_200, "nbf": 1_772_323_200, "exp": 4_102_444_800u64,
        "cnf": { "jwk": jwk::to_jwk(&holder_key().public_key()).expect("a JWK") },
        "status": { "status_list": { "idx": 1, "uri": "https://chain.example/status/7" } },
    })
}

/// Signs whatever payload as issuer, with these disclosures behind.
pub fn forge(payload: &Value, disclosures: &[&Disclosure]) -> String {
    let mut text = jws::sign(TYP, Some(&kid()), payload, &issuer_key()).expect("signs");
    text.push('~');
    for disclosure in disclosures {
        text.push_str(disclosure.encoded());
        text.push('~');
    }
    text
}
