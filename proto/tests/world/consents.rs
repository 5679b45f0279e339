//! A consent, reads under it and on a rule, and the key by which their person recognises them.

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::commitment;
use kanhe_proto::consent::{
    Act, Answered, Asked, Basis, Consent, Grant, Note, Read, ReadRequest, Scope, SignedAct, SignedRead, SignedRequest,
    Statutory, Subject, Terms, TraceKey, TypeClaims, Under, Withdraw, consent_id,
};
use kanhe_proto::hash::{Commitment, ConsentId};
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::vote::ChainContext;

use super::{DAY, PERSON_TYPE, START, bureau, genesis, issuing_key, secret};

pub const NOW: TimeMs = TimeMs(START.0 + 5 * DAY);
/// Place of the bureau that has the data, and of the one that reads it.
pub const SOURCE: usize = 0;
pub const READER: usize = 2;

pub fn chain() -> ChainContext {
    genesis().chain()
}
pub fn consent_key() -> SecretKey {
    secret(120)
}
pub fn id() -> ConsentId {
    consent_id(&chain().chain_id, &consent_key().public_key())
}
pub fn trace() -> TraceKey {
    TraceKey::from_random([121; 32])
}
pub fn scope(types: &[(&str, &[&str])]) -> Scope {
    let of_type = |(code, claims): &(&str, &[&str])| TypeClaims {
        type_code: code.parse().unwrap(),
        claims: List::new(claims.iter().map(|claim| Text::new(*claim).unwrap()).collect()).unwrap(),
    };
    List::new(types.iter().map(of_type).collect()).unwrap()
}
pub fn terms() -> Terms {
    Terms::new(bureau(SOURCE), scope(&[("demo-biz", &["ZZMC"]), (PERSON_TYPE, &["ZZMC", "address", "name"])]))
}
pub fn asked() -> Asked {
    let subject =
        Subject { id_type: Text::new("RESIDENT").unwrap(), id_number: Text::new("11010519491231002X").unwrap() };
    Asked::new(subject, scope(&[(PERSON_TYPE, &["ZZMC", "name"])]))
}
pub fn sent() -> Commitment {
    commitment(&[9; 32], b"response")
}

pub fn grant() -> Grant {
    Grant {
        key: consent_key().public_key(),
        accept_before: TimeMs(NOW.0 + DAY),
        grantee: bureau(READER),
        purpose: Text::new("account").unwrap(),
        not_after: TimeMs(NOW.0 + 90 * DAY),
        reads: 3,
        terms: terms().commitment(&[7; 32]),
    }
}
pub fn granted() -> SignedAct {
    Act::Grant(grant()).sign(&chain(), &consent_key()).unwrap()
}
pub fn withdrawn() -> SignedAct {
    Act::Withdraw(Withdraw { consent: id() }).sign(&chain(), &consent_key()).unwrap()
}
pub fn consent() -> Consent {
    Consent { left: 2, withdrawn: None, ..Consent::granted(id(), &grant(), NOW, LogIndex(17)) }
}

pub fn statutory() -> Basis {
    Basis::Statutory(Statutory { ground: Text::new("account").unwrap(), case: Some(super::cases::id()) })
}
pub fn under(n: u32) -> Basis {
    Basis::Consent(Under { id: id(), n })
}
pub fn request(basis: Basis) -> ReadRequest {
    ReadRequest {
        source: bureau(SOURCE),
        reader: bureau(READER),
        key: issuing_key(READER).public_key().id(),
        basis,
        purpose: Text::new("account").unwrap(),
        nonce: [8; 32],
        time: NOW,
        asked: asked().commitment(&[7; 32]),
    }
}
pub fn signed_request(basis: Basis) -> SignedRequest {
    request(basis).sign(&chain(), &issuing_key(READER)).unwrap()
}
/// The n-th read of the person's data.
pub fn read(request: SignedRequest, n: u64) -> Read {
    let note = trace().seal(&chain(), &request.request, n, &Note::of(&asked().scope)).unwrap();
    let key = issuing_key(SOURCE).public_key().id();
    Read { tag: trace().tag(n), note, answered: Answered::Given(sent()), key, request }
}
/// The n-th, of which nothing is given.
pub fn refused_read(basis: Basis, n: u64) -> SignedRead {
    let answered = Answered::Refused(Text::new("terms_beyond").unwrap());
    Read { answered, ..read(signed_request(basis), n) }.sign(&chain(), &issuing_key(SOURCE)).unwrap()
}
pub fn signed_read(basis: Basis, n: u64) -> SignedRead {
    read(signed_request(basis), n).sign(&chain(), &issuing_key(SOURCE)).unwrap()
}
