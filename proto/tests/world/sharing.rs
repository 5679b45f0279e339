//! A letter, and what a source gave for it, with its record in the log.

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::commitment;
use kanhe_proto::codec;
use kanhe_proto::consent::{AccessRecord, Answered, Asked, Note, Read, SignedRequest};
use kanhe_proto::ids::Height;
use kanhe_proto::key::Signer;
use kanhe_proto::sd_jwt::{ClaimPath, Holding};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::sharing::{
    ConsentShown, HolderShown, Parcel, ReadLetter, SHARING_VERSION, SharedLicence, SharedProof, answer_nonce,
};

use super::consents::{self, READER, SOURCE};
use super::{Held, PERSON_TYPE, Spec, World, bureau, issuing_key};

pub const ASKED_RANDOM: [u8; 32] = [7; 32];
pub const PARCEL_RANDOM: [u8; 32] = [6; 32];

pub fn answer() -> SealingSecret {
    SealingSecret::from_seed([123; 32])
}
pub fn asked() -> Asked {
    consents::asked()
}

/// The reader's request, bound to what is asked and to the key for the answer.
pub fn request() -> SignedRequest {
    let mut request = consents::request(consents::under(2));
    request.nonce = answer_nonce(&answer().public_key());
    request.asked = asked().commitment(&ASKED_RANDOM);
    request.sign(&consents::chain(), &issuing_key(READER)).unwrap()
}
pub fn letter() -> ReadLetter {
    let holder = HolderShown { token: Text::new("a.b.c~d.e.f").unwrap(), path: Blob::new([1, 2, 3]).unwrap() };
    ReadLetter {
        version: SHARING_VERSION,
        chain: consents::chain().chain_id,
        request: request(),
        asked: asked(),
        random: ASKED_RANDOM,
        read: Some(Text::new("marriage").unwrap()),
        consent: Some(ConsentShown { terms: consents::terms(), random: [7; 32], holder }),
        answer: answer().public_key(),
    }
}

/// A world with a licence of the source, and the licence.
pub fn world() -> (World, Held) {
    let mut world = World::new();
    let mut spec = Spec::new(PERSON_TYPE, 1, 1);
    spec.signer = issuing_key(SOURCE);
    let held = world.issue(&[spec]).remove(0);
    (world, held)
}

/// What the source gives of it.
pub fn parcel(world: &World, held: &Held, claims: &[&str]) -> Parcel {
    let paths: Vec<ClaimPath> = claims.iter().map(|claim| ClaimPath::name(claim)).collect();
    let presentation = Holding::open(&held.text).unwrap().present(&paths).unwrap();
    let licence = SharedLicence {
        sd_jwt: Text::new(presentation.text()).unwrap(),
        path: Blob::new(codec::encode(&held.path)).unwrap(),
        evidence: Blob::new(world.evidence(held).to_bytes()).unwrap(),
    };
    Parcel {
        version: SHARING_VERSION,
        chain: consents::chain().chain_id,
        request: request().request.id(&consents::chain()),
        source: bureau(SOURCE),
        time: world.time,
        licences: List::new(vec![licence]).unwrap(),
    }
}

/// The record of it, and all that shows it.
pub fn proof(world: &mut World, parcel: &Parcel) -> SharedProof {
    let bytes = codec::encode(parcel);
    let chain = consents::chain();
    let note = consents::trace().seal(&chain, &request().request, 7, &Note::of(&asked().scope)).unwrap();
    let read = Read {
        request: request(),
        tag: consents::trace().tag(7),
        note,
        answered: Answered::Given(commitment(&PARCEL_RANDOM, &bytes)),
        key: issuing_key(SOURCE).public_key().id(),
    };
    let read = read.sign(&chain, &issuing_key(SOURCE)).unwrap();
    let record = AccessRecord { number: 0, before: None, read, height: Height(world.height), time: world.time };
    let index = world.record(&record);
    SharedProof {
        version: SHARING_VERSION,
        request: request(),
        asked: asked(),
        asked_random: ASKED_RANDOM,
        parcel: Blob::new(bytes).unwrap(),
        random: PARCEL_RANDOM,
        certified: world.certified(),
        record: world.proved_record(index),
    }
}
