//! The reader: asks, keeps what it asked before it leaves, and proves what comes.

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::codec;
use kanhe_proto::consent::{Asked as Scoped, Basis, ReadRequest, Scope, Statutory, Subject, Under};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::Signer as _;
use kanhe_proto::limits::RECORD_BYTES_MAX;
use kanhe_proto::mail::{MailAnswer, MailId, MailRequest};
use kanhe_proto::proof::{CertifiedHeader, ProvedRecord};
use kanhe_proto::registry::PurposeCode;
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::sharing::{ReadLetter, ReadOutcome, SHARING_VERSION, Shared, SharedFacts, SharedProof, answer_nonce};
use kanhe_proto::status::Status;

use super::asked::{Asked, AskedState, CaseRead, GivenLicence};
use super::judging::refused;
use crate::case::recipient;
use crate::clock;
use crate::consent::{Ticket, standing};
use crate::follow::Follower;
use crate::issuer::{Office, Register};
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};
use crate::wallet::Seed;

/// The subject is the holder of the licence of this number.
pub const LICENCE_ID_TYPE: &str = "LICENCE";
/// The subject is whoever consents: the reader need not know more.
pub const WHO_CONSENTS_ID_TYPE: &str = "CONSENT";
const PROVED_BYTES_MAX: usize = RECORD_BYTES_MAX + (8 << 10);

/// Why the reader may.
#[derive(Debug, Clone)]
pub enum Ground {
    /// Somebody consents.
    Consent(Box<Ticket>),
    /// A rule says so.
    Statute {
        /// The rule.
        ground: PurposeCode,
        /// The case that needs it.
        case: Option<CaseRead>,
    },
}

/// What is to be asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Of whom.
    pub source: Uscc,
    /// About whom.
    pub subject: Subject,
    /// What.
    pub scope: Scope,
    /// What for; under a consent, the consent's.
    pub purpose: PurposeCode,
    /// Why it may.
    pub ground: Ground,
    /// The read of a case that a consent was given for.
    pub case: Option<CaseRead>,
}

/// A bureau that reads.
#[derive(Debug)]
pub struct Reader<'a> {
    /// It, with its issuing key.
    pub office: &'a Office,
    /// Where it keeps what it asked.
    pub register: &'a Register,
}

impl Reader<'_> {
    /// Makes a request and keeps it. Nothing has left so far.
    pub fn make(&self, ask: Ask, follower: &mut Follower) -> Result<Asked, Failure> {
        let scoped = Scoped::new(ask.subject.clone(), ask.scope.clone());
        let form = |error: kanhe_proto::consent::TermsError| Failure::reported(ExitCode::Usage, error.code(), error);
        scoped.check_form().map_err(form)?;
        let sealing_key = recipient(follower, ask.source)?.sealing_key;
        let (basis, consent) = match &ask.ground {
            Ground::Consent(ticket) => {
                let found = standing(follower, &ticket.consent)?.consent;
                // The number of the next read, as it stands now.
                let n = found.ok_or_else(|| refused("consent_unknown"))?.next();
                (Basis::Consent(Under { id: ticket.consent, n }), Some(ticket.shown.clone()))
            }
            Ground::Statute { ground, case } => {
                let case = case.as_ref().map(|read| read.case);
                (Basis::Statutory(Statutory { ground: ground.clone(), case }), None)
            }
        };
        let case = match &ask.ground {
            Ground::Statute { case, .. } => case.clone(),
            Ground::Consent(_) => ask.case.clone(),
        };
        let (answer, random) = (Seed::random()?, clock::random::<32>()?);
        let answer_key = SealingSecret::from_seed(*answer.bytes()).public_key();
        let chain = self.office.chain;
        let request = ReadRequest {
            source: ask.source,
            reader: self.office.issuer,
            key: self.office.key.public_key().id(),
            basis: basis.clone(),
            purpose: ask.purpose.clone(),
            nonce: answer_nonce(&answer_key),
            time: clock::now(),
            asked: scoped.commitment(&random),
        };
        let (id, made) = (request.id(&chain), request.time);
        let signed = request.sign(&chain, &self.office.key);
        let request = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
        let letter = ReadLetter {
            version: SHARING_VERSION,
            chain: chain.chain_id,
            request,
            asked: scoped,
            random,
            read: case.as_ref().filter(|_| consent.is_none()).map(|read| read.read.clone()),
            consent,
            answer: answer_key,
        };
        let envelope = MailRequest::seal_letter(&letter, &sealing_key, clock::random()?);
        let envelope = envelope.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
        let long = |error| Failure::reported(ExitCode::Usage, "read_too_long", error);
        let asked = Asked {
            id,
            source: ask.source,
            subject: ask.subject,
            scope: ask.scope,
            basis,
            purpose: ask.purpose,
            case,
            made,
            letter: Blob::new(codec::encode(&letter)).map_err(long)?,
            answer,
            envelope: Blob::new(codec::encode(&envelope)).map_err(long)?,
            state: AskedState::Asked,
            code: None,
            record: None,
            recorded: None,
            licences: Vec::new(),
        };
        self.register.put_asked(&asked)?;
        Ok(asked)
    }
}

/// Sends a request to its source, through any node. The same again changes nothing.
pub fn send(asked: &Asked, nodes: &[NodeClient]) -> Result<(), Failure> {
    let mut last = NodeError::Unnamed.failure();
    for node in nodes {
        match node.send_mail(&asked.envelope) {
            Ok(_) => return Ok(()),
            Err(error @ NodeError::Refused { .. }) => return Err(error.failure()),
            Err(error) => last = error.failure(),
        }
    }
    Err(last)
}

/// The sealed answer, if there is one within so many seconds.
pub fn fetch(asked: &Asked, nodes: &[NodeClient], wait_seconds: u64) -> Result<Option<Vec<u8>>, Failure> {
    let secret = SealingSecret::from_seed(*asked.answer.bytes());
    let id = MailId::of(&secret.public_key());
    let chain = asked.opened()?.chain;
    let opens = |bytes: &[u8]| {
        MailAnswer::decode(bytes, &chain).and_then(|mail| mail.open_read(&secret, &asked.source)).is_ok()
    };
    let (mut last, mut wait, mut none) = (NodeError::Unnamed.failure(), wait_seconds, false);
    for node in nodes {
        match node.mail_answer(&id, &asked.source, wait) {
            // Only the source has what opens: whatever else a node says is nothing.
            Ok(Some(answer)) if opens(&answer) => return Ok(Some(answer)),
            // Who waited at one node does not wait at the next.
            Ok(_) => (none, wait) = (true, 0),
            Err(error) => last = error.failure(),
        }
    }
    if none { Ok(None) } else { Err(last) }
}

/// What came of a request: opened, proved, kept. A record that nodes do not have leaves it as it is, until no block can
/// record it any more.
pub fn receive(asked: &mut Asked, bytes: &[u8], register: &Register, follower: &mut Follower) -> Result<(), Failure> {
    let secret = SealingSecret::from_seed(*asked.answer.bytes());
    let chain = follower.trust().chain.chain_id;
    let opened = MailAnswer::decode(bytes, &chain).and_then(|mail| mail.open_read(&secret, &asked.source));
    let outcome = match opened {
        Ok(answer) => answer.outcome,
        Err(error) => return refuse(asked, error.code(), register),
    };
    match outcome {
        ReadOutcome::Refused(code) => refuse(asked, &code, register),
        ReadOutcome::Shared(shared) => {
            let letter = asked.opened()?;
            let Some((certified, record)) = recorded(follower, shared.record)? else {
                return unproved(asked, register, follower);
            };
            let proof = proof_of(&letter, shared, certified, record);
            match proof.verify(follower.trust(), clock::now()) {
                Ok(shown) => {
                    asked.state = AskedState::Given;
                    asked.record = Some(shown.index);
                    asked.recorded = Some(shown.record.time);
                    asked.licences = shown.licences.into_iter().map(given).collect();
                    register.put_given(asked, &proof)
                }
                Err(error) => refuse(asked, error.code(), register),
            }
        }
    }
}

/// Notes that nothing will come of it.
pub fn refuse(asked: &mut Asked, code: &str, register: &Register) -> Result<(), Failure> {
    (asked.state, asked.code) = (AskedState::Refused, Some(code.to_owned()));
    register.put_asked(asked)
}

/// The source names a record that no node has: it may be new to them, or it is made up.
fn unproved(asked: &mut Asked, register: &Register, follower: &mut Follower) -> Result<(), Failure> {
    follower.update()?;
    let newest = follower.trust().newest().map_or(TimeMs(0), |newest| newest.time);
    if newest > asked.good_until()? { refuse(asked, "read_unproved", register) } else { Ok(()) }
}

fn given(facts: SharedFacts) -> GivenLicence {
    let good = facts.status == Status::Active && facts.in_time;
    let (digest, vct) = (facts.digest, facts.vct.to_string());
    GivenLicence { digest, vct, claims: facts.claims, good, status: facts.status, issued: facts.issued }
}

fn proof_of(letter: &ReadLetter, shared: Shared, certified: CertifiedHeader, record: ProvedRecord) -> SharedProof {
    SharedProof {
        version: SHARING_VERSION,
        request: letter.request.clone(),
        asked: letter.asked.clone(),
        asked_random: letter.random,
        parcel: shared.parcel,
        random: shared.random,
        certified,
        record,
    }
}

/// A record with the header that proves it; nothing if nodes say that there is none, and none has it.
fn recorded(follower: &mut Follower, index: LogIndex) -> Result<Option<(CertifiedHeader, ProvedRecord)>, Failure> {
    let mut is_missing = false;
    let found = follower.ask(|follower, node| {
        let answer = node.record(index).map_err(|error| match error {
            NodeError::NotFound { detail, .. } | NodeError::Refused { detail, .. } => {
                is_missing = true;
                // The next may have it.
                node.malformed(detail)
            }
            other => other,
        })?;
        let header = follower.believed(node, &answer.certified)?;
        let record: ProvedRecord =
            codec::decode(&answer.record, PROVED_BYTES_MAX).map_err(|error| node.malformed(error))?;
        record.verify(&header.header).map_err(|error| node.malformed(error))?;
        match record.index == index {
            true => Ok((header, record)),
            false => Err(node.malformed("another record than asked for").into()),
        }
    });
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing && error.is_local() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Somebody by the number of a licence.
pub fn by_licence(number: &str) -> Option<Subject> {
    Some(Subject { id_type: Text::new(LICENCE_ID_TYPE).ok()?, id_number: Text::new(number).ok()? })
}

/// Whoever consents.
pub fn who_consents() -> Subject {
    let text = |text: &str| Text::new(text).expect("short");
    Subject { id_type: text(WHO_CONSENTS_ID_TYPE), id_number: text("") }
}
