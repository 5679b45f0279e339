//! Licences: issued, verified alone, and verified in a response with evidence as a bank's desk does it.
#![allow(clippy::unwrap_used, reason = "a bench ends where something is wrong")]

#[path = "../../proto/tests/world/mod.rs"]
mod world;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kanhe_proto::bounded::Text;
use kanhe_proto::hash::{MapKey, sha256};
use kanhe_proto::identifiers::Did;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::Signer as _;
use kanhe_proto::sd_jwt::{ClaimPath, FixedClaims, Issuance, StatusRef, UnverifiedSdJwt};
use kanhe_proto::verdict::verify_response;
use serde_json::{Map, Value};
use world::{BUSINESS_TYPE, DAY, PERSON_TYPE, START, World, bureau, issuing_key, secret, vct};

/// Claims of a licence, about as many as a business licence has.
const CLAIMS: usize = 14;
/// Leaves of the state and records of the log under which evidence is proved.
const LEAVES: u64 = 100_000;
const RECORDS: u64 = 10_000;

fn claims() -> Map<String, Value> {
    (0..CLAIMS).map(|at| (format!("KZ_FIELD_{at:02}"), Value::from("济南泉城软件有限公司"))).collect()
}

fn issuance(world: &World) -> Issuance {
    let claims = claims();
    Issuance {
        fixed: FixedClaims {
            issuer: Did::new(world.trust().chain_ref(), bureau(0)),
            vct: vct(BUSINESS_TYPE),
            jti: Text::new("jti-of-a-bench").unwrap(),
            issued_at: Some(START),
            not_before: Some(START),
            expires: Some(TimeMs(START.0 + 365 * DAY)),
            holder: secret(101).public_key(),
            status: StatusRef { idx: 7, uri: Text::new("https://status.example/1").unwrap() },
        },
        disclosable: claims.keys().map(|name| ClaimPath::name(name)).collect(),
        claims,
        decoys: 0,
    }
}

fn issue_and_verify(criterion: &mut Criterion) {
    let world = World::new();
    let mut salt = 0u128;
    let mut salts = move || {
        salt += 1;
        salt.to_be_bytes()
    };
    let (key, unsigned) = (issuing_key(0), issuance(&world));
    criterion.bench_function("licence/issue", |bencher| {
        bencher.iter(|| black_box(unsigned.clone()).sign(&key, &mut salts).unwrap());
    });
    let issued = unsigned.sign(&key, &mut salts).unwrap();
    let public = key.public_key();
    criterion.bench_function("licence/verify", |bencher| {
        bencher.iter(|| UnverifiedSdJwt::parse(black_box(&issued.text)).unwrap().verify(&public).unwrap());
    });
}

/// The check that needs no network: from the bytes of a response to the verdict.
fn offline_check(criterion: &mut Criterion) {
    let (mut world, held) = World::with_licence();
    for number in 0..LEAVES {
        world.state.insert(MapKey(sha256(&[&number.to_be_bytes()])), number.to_be_bytes().to_vec());
    }
    for number in 0..RECORDS {
        world.records.push([b"\x09\x01another kind of record".as_slice(), &number.to_be_bytes()].concat());
    }
    world.block();
    let request = world.request(&[("id", PERSON_TYPE, &["name", "kanhe_hb"])], false);
    let bytes = world.respond(&request, &[&held]).to_bytes();
    let trust = world.trust();
    assert!(verify_response(&bytes, &request, &trust, world.time, None).is_valid());
    println!("response of {} bytes, evidence of {} bytes", bytes.len(), world.evidence(&held).to_bytes().len());
    criterion.bench_function("response/offline_check", |bencher| {
        bencher.iter(|| verify_response(black_box(&bytes), &request, &trust, world.time, None));
    });
}

criterion_group!(benches, issue_and_verify, offline_check);
criterion_main!(benches);
