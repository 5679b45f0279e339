//! A person who consents, and two bureaus that read and have her data: bureau 1 is the source, bureau 2 the reader.

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::commitment;
use kanhe_proto::consent::{
    Act, Answered, Asked, Basis, ConsentPayload, Grant, Note, Read, ReadPayload, ReadRequest, SignedAct, SignedRead,
    Statutory, Subject, Terms, TraceKey, TypeClaims, Under, Withdraw, consent_id,
};
use kanhe_proto::hash::{CaseId, ConsentId, sha256};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::transaction::Payload;
use kanhe_proto::vote::ChainContext;

use super::flat::DAY;
use super::{TYPE, World};

/// Who has the data, and who reads it.
pub const SOURCE: usize = 1;
pub const READER: usize = 2;

/// A person with one consent.
#[derive(Clone)]
pub struct Person {
    pub chain: ChainContext,
    pub number: u64,
    pub key: SecretKey,
    pub trace: TraceKey,
}

impl Person {
    pub fn new(world: &World, number: u64) -> Self {
        let seed = |what: &[u8]| sha256(&[what, &number.to_be_bytes()]);
        let (key, trace) = (SecretKey::from_seed(seed(b"consent")), TraceKey::from_random(seed(b"trace")));
        Self { chain: world.chain(), number, key, trace }
    }
    pub fn id(&self) -> ConsentId {
        consent_id(&self.chain.chain_id, &self.key.public_key())
    }
    fn asked(&self) -> Asked {
        let claims = List::new(vec![Text::new("A").unwrap()]).unwrap();
        let scope = List::new(vec![TypeClaims { type_code: TYPE.parse().unwrap(), claims }]).unwrap();
        let subject =
            Subject { id_type: Text::new("RESIDENT").unwrap(), id_number: Text::new(self.number.to_string()).unwrap() };
        Asked::new(subject, scope)
    }

    pub fn granting(&self, world: &World, now: TimeMs) -> Grant {
        let terms = Terms::new(world.offices[SOURCE].uscc, self.asked().scope);
        Grant {
            key: self.key.public_key(),
            accept_before: TimeMs(now.0 + 3_600_000),
            grantee: world.offices[READER].uscc,
            purpose: Text::new("registration").unwrap(),
            not_after: TimeMs(now.0 + 30 * DAY),
            reads: 3,
            terms: terms.commitment(&[1; 32]),
        }
    }
    pub fn sign(&self, act: Act) -> SignedAct {
        act.sign(&self.chain, &self.key).unwrap()
    }
    pub fn grant(&self, world: &World, now: TimeMs) -> SignedAct {
        self.sign(Act::Grant(self.granting(world, now)))
    }
    pub fn withdraw(&self) -> SignedAct {
        self.sign(Act::Withdraw(Withdraw { consent: self.id() }))
    }

    pub fn under(&self, n: u32) -> Basis {
        Basis::Consent(Under { id: self.id(), n })
    }
    pub fn requesting(&self, world: &World, basis: Basis, now: TimeMs) -> ReadRequest {
        ReadRequest {
            source: world.offices[SOURCE].uscc,
            reader: world.offices[READER].uscc,
            key: world.offices[READER].issuing.public_key().id(),
            basis,
            purpose: Text::new("registration").unwrap(),
            nonce: sha256(&[b"nonce", &now.0.to_be_bytes(), &self.number.to_be_bytes()]),
            time: now,
            asked: self.asked().commitment(&sha256(&[b"asked", &now.0.to_be_bytes()])),
        }
    }
    /// A request signed by the reader, in a read signed by the source: the n-th of this person's data.
    pub fn recorded(&self, world: &World, request: ReadRequest, n: u64) -> SignedRead {
        self.recorded_by(request, n, &world.offices[READER].issuing, &world.offices[SOURCE].issuing)
    }
    pub fn recorded_by(&self, request: ReadRequest, n: u64, reader: &SecretKey, source: &SecretKey) -> SignedRead {
        let note = self.trace.seal(&self.chain, &request, n, &Note::of(&self.asked().scope)).unwrap();
        let read = Read {
            tag: self.trace.tag(n),
            note,
            answered: Answered::Given(commitment(&sha256(&[b"sent", &n.to_be_bytes()]), b"response")),
            key: source.public_key().id(),
            request: request.sign(&self.chain, reader).unwrap(),
        };
        read.sign(&self.chain, source).unwrap()
    }
    pub fn read(&self, world: &World, basis: Basis, n: u64, now: TimeMs) -> SignedRead {
        self.recorded(world, self.requesting(world, basis, now), n)
    }
}

/// On a rule, for a case or for none.
pub fn statutory(case: Option<CaseId>) -> Basis {
    Basis::Statutory(Statutory { ground: Text::new("registration").unwrap(), case })
}
pub fn acts(acts: &[SignedAct]) -> Payload {
    Payload::Consent(ConsentPayload { acts: List::new(acts.to_vec()).unwrap() })
}
pub fn reads(reads: &[SignedRead]) -> Payload {
    Payload::AccessRecord(ReadPayload { reads: List::new(reads.to_vec()).unwrap() })
}
