//! What a reader and a source say to each other, and what proves it later: each thing that may be wrong by itself.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::codec;
use kanhe_proto::hash::{ChainId, ReadId};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::mail::{MailAnswer, MailError, MailRequest};
use kanhe_proto::sharing::{
    LETTER_BYTES_MAX, ReadAnswer, ReadLetter, ReadOutcome, SharedProof, SharingError, answer_nonce, opened,
};
use kanhe_proto::status::Status;

use world::sharing::{answer, asked, letter, parcel, proof, request};
use world::{World, consents, sealing};

#[test]
fn a_letter_reaches_its_source_alone_and_its_answer_its_reader() {
    let letter = letter();
    let chain = consents::chain().chain_id;
    let mail = MailRequest::seal_letter(&letter, &sealing().public_key(), [1; 32]).unwrap();
    let back = MailRequest::decode(&codec::encode(&mail), &chain).unwrap();
    assert_eq!(back.open_letter(&sealing()).unwrap(), letter);
    // It is no request of a holder, and nobody else opens it.
    assert!(matches!(back.open(&sealing()), Err(MailError::Seal(_))));
    assert!(back.open_letter(&answer()).is_err());
    let refused = ReadAnswer::new(ReadOutcome::Refused(Text::new("consent_over").unwrap()));
    let sealed = MailAnswer::seal_read(&letter, &refused, [2; 32]).unwrap();
    let source = letter.request.request.source;
    assert_eq!(sealed.open_read(&answer(), &source).unwrap(), refused);
    assert!(sealed.open_read(&sealing(), &source).is_err());
    assert!(sealed.open_read(&answer(), &world::bureau(1)).is_err());
    assert!(sealed.open(&answer(), &source).is_err(), "no answer to a holder");
}

/// Anybody can send a letter, signed or not: what is asked under a key to which no answer can be sealed is no letter, so that
/// a source never has to answer one.
#[test]
fn a_letter_that_nobody_could_answer_is_none() {
    let (good, sealing) = (answer().public_key(), sealing());
    let zero = PublicKey { bytes: Blob::new([0; 32]).unwrap(), ..good };
    for key in [SecretKey::from_seed([9; 32]).public_key(), zero] {
        let mut letter = ReadLetter { answer: key.clone(), ..letter() };
        letter.request.request.nonce = answer_nonce(&key);
        letter.check(&consents::chain().chain_id).unwrap();
        let mail = MailRequest::seal_letter(&letter, &sealing.public_key(), [1; 32]).unwrap();
        assert!(matches!(mail.open_letter(&sealing), Err(MailError::Seal(_))), "{key:?}");
    }
}

#[test]
fn what_is_asked_is_what_was_signed() {
    let chain = consents::chain().chain_id;
    letter().check(&chain).unwrap();
    let wrong = |change: fn(&mut ReadLetter)| {
        let mut letter = letter();
        change(&mut letter);
        letter.check(&chain)
    };
    assert_eq!(wrong(|letter| letter.answer = sealing().public_key()), Err(SharingError::NotSigned));
    assert_eq!(wrong(|letter| letter.random[0] ^= 1), Err(SharingError::NotSigned));
    let other = |letter: &mut ReadLetter| letter.asked.subject.id_number = Text::new("11010519491231002x").unwrap();
    assert_eq!(wrong(other), Err(SharingError::NotSigned));
    assert_eq!(wrong(|letter| letter.chain = ChainId([9; 32])), Err(SharingError::OtherChain));
    let mut newer = letter();
    newer.version = 2;
    assert_eq!(ReadLetter::decode(&codec::encode(&newer)), Err(SharingError::Version(2)));
    assert!(matches!(ReadLetter::decode(&vec![0; LETTER_BYTES_MAX + 1]), Err(SharingError::Malformed(_))));
}

#[test]
fn what_was_shared_is_proved_by_its_record() {
    let (mut world, held) = world::sharing::world();
    let given = parcel(&world, &held, &["ZZMC", "name"]);
    let proof = proof(&mut world, &given);
    let shown = proof.verify(&world.trust(), world.time).unwrap();
    let licence = &shown.licences[0];
    assert_eq!((licence.digest, licence.status, licence.in_time), (held.digest, Status::Active, true));
    let mut claims: Vec<&str> = licence.claims.keys().map(String::as_str).collect();
    claims.sort_unstable();
    assert_eq!(claims, ["ZZMC", "name"]);
    assert_eq!(SharedProof::decode(&codec::encode(&proof)).unwrap(), proof);

    let wrong = |change: &dyn Fn(&mut SharedProof)| {
        let mut proof = proof.clone();
        change(&mut proof);
        proof.verify(&world.trust(), world.time).unwrap_err()
    };
    assert_eq!(wrong(&|proof| proof.random[0] ^= 1), SharingError::Commitment);
    assert_eq!(wrong(&|proof| proof.asked_random[0] ^= 1), SharingError::NotSigned);
    assert_eq!(wrong(&|proof| proof.request.request.purpose = Text::new("other").unwrap()), SharingError::OtherRecord);
    assert_eq!(wrong(&|proof| proof.record.index.0 += 1), SharingError::NotRecorded);
    assert!(matches!(wrong(&|proof| proof.certified.header.time.0 += 1), SharingError::Trust(_)));
    let mut altered = proof.parcel.to_vec();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    assert_eq!(wrong(&|proof| proof.parcel = Blob::new(altered.clone()).unwrap()), SharingError::Commitment);
    assert_eq!(
        SharedProof { version: 9, ..proof.clone() }.verify(&world.trust(), world.time).map(|_| ()),
        Ok(()),
        "the layout is looked at when it is read"
    );
    assert_eq!(
        SharedProof::decode(&codec::encode(&SharedProof { version: 9, ..proof.clone() })),
        Err(SharingError::Version(9))
    );
}

#[test]
fn a_source_gives_no_more_than_was_asked_and_only_what_is_its_own() {
    let (world, held) = world::sharing::world();
    let verify = |parcel: &kanhe_proto::sharing::Parcel| {
        opened(&codec::encode(parcel), &request(), &asked(), &world.trust(), world.time)
    };
    assert!(verify(&parcel(&world, &held, &[])).is_ok(), "less is no fault");
    assert_eq!(verify(&parcel(&world, &held, &["ZZMC", "kanhe_hb"])), Err(SharingError::Beyond));
    let mut of_other = parcel(&world, &held, &["name"]);
    of_other.request = ReadId([1; 32]);
    assert_eq!(verify(&of_other), Err(SharingError::OtherRecord));
    of_other = parcel(&world, &held, &["name"]);
    of_other.source = world::bureau(1);
    assert_eq!(verify(&of_other), Err(SharingError::OtherRecord));
    // A licence of another bureau, or of a type that was not asked for.
    let (mut other, _) = world::sharing::world();
    let mut spec = world::Spec::new(world::PERSON_TYPE, 3, 1);
    spec.signer = world::issuing_key(1);
    let foreign = other.issue(&[spec]).remove(0);
    let given = parcel(&other, &foreign, &["name"]);
    let found = opened(&codec::encode(&given), &request(), &asked(), &other.trust(), other.time);
    assert!(found.is_err(), "{found:?}");
    let mut whole: World = World::new();
    let business = whole.issue(&[world::Spec::new(world::BUSINESS_TYPE, 2, 1)]).remove(0);
    let given = parcel(&whole, &business, &["ZZMC"]);
    let found = opened(&codec::encode(&given), &request(), &asked(), &whole.trust(), whole.time);
    assert_eq!(found, Err(SharingError::Beyond));
}

#[test]
fn nobody_discloses_the_key_of_traces() {
    use kanhe_proto::sd_jwt::{ClaimPath, Holding, SdJwtError};
    let (_, held) = world::sharing::world();
    let holding = Holding::open(&held.text).unwrap();
    let path = ClaimPath::name(kanhe_proto::consent::TRACE_CLAIM);
    assert_eq!(holding.present(std::slice::from_ref(&path)).err(), Some(SdJwtError::ClaimKept(path.clone())));
    assert_eq!(holding.selection(&[path.join("inner")]).err(), Some(SdJwtError::ClaimKept(path.join("inner"))));
}
