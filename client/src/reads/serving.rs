//! The source: judges what readers ask, records it, and gives.
//!
//! While the chain or a node is waited for the register is given back: other commands get in, and another process that
//! answers the same mail may come to the same, with the same bytes.

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::case::commitment;
use kanhe_proto::codec;
use kanhe_proto::consent::{Answered, Basis, Note, Read, Subject, TraceKey};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::ReadId;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::key::Signer as _;
use kanhe_proto::limits::READ_SERVED_WITHIN_MS;
use kanhe_proto::mail::{MailAnswer, MailRequest};
use kanhe_proto::sharing::{ReadAnswer, ReadLetter, ReadOutcome, Shared};
use schemars::JsonSchema;
use serde::Serialize;

use super::judging::Judging;
use super::parcel::put_together;
use super::recording::{Recorded, Try, record};
use super::refusing::owe;
use super::served::{Served, Stage};
use crate::case::Items;
use crate::clock;
use crate::consent::{count, standing};
use crate::desk::Keeping;
use crate::follow::Follower;
use crate::issuer::PERSON_ID_TYPE;
use crate::issuer::{Office, Register};
use crate::talk::{ExitCode, Failure};

/// A source at work.
#[derive(Debug, Clone, Copy)]
pub struct Serving<'a> {
    /// The bureau, with its keys.
    pub office: &'a Office,
    /// The chain's beginning, for the types.
    pub genesis: &'a Genesis,
    /// The bureau's name, as licences show it.
    pub issuer_name: &'a str,
}

/// The same, with its register open.
#[derive(Debug, Clone, Copy)]
pub(super) struct WithRegister<'a> {
    pub(super) office: &'a Office,
    pub(super) genesis: &'a Genesis,
    pub(super) issuer_name: &'a str,
    pub(super) register: &'a Register,
}

/// What was done with the reads in a portion of mail.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReadRound {
    /// Reads recorded and given.
    pub given: usize,
    /// Reads refused, the reader told why.
    pub refused: usize,
    /// Codes of the refusals, each once.
    pub codes: Vec<String>,
}

impl ReadRound {
    fn refuse(&mut self, code: &str) {
        self.refused += 1;
        if !self.codes.iter().any(|known| known == code) {
            self.codes.push(code.to_owned());
        }
    }
}

/// The letters of readers among the mail of a bureau, and the rest.
pub fn split(office: &Office, mail: Vec<Vec<u8>>) -> (Vec<ReadLetter>, Vec<Vec<u8>>) {
    let (mut letters, mut rest) = (Vec::new(), Vec::new());
    for bytes in mail {
        match open(office, &bytes) {
            Some(letter) => letters.push(letter),
            None => rest.push(bytes),
        }
    }
    (letters, rest)
}

fn open(office: &Office, bytes: &[u8]) -> Option<ReadLetter> {
    let envelope = MailRequest::decode(bytes, &office.chain.chain_id).ok()?;
    let own = envelope.issuer == office.issuer;
    let secret = office.sealing_key(envelope.sealed.key).filter(|_| own)?;
    envelope.open_letter(secret).ok()
}

/// What comes of one letter.
enum Outcome {
    Given(MailAnswer),
    Refused(String),
    /// It is not settled yet: the letter stays where it is.
    Later,
}

/// What comes of a letter before anything is recorded.
enum Begun {
    Signed(Box<Served>),
    Refused(String),
    /// Another read of the same person is not settled yet.
    Later,
}

/// What became of a record.
enum Settled {
    Recorded(Box<Served>),
    Never(String),
    Open,
}

impl<'a> Serving<'a> {
    const fn with<'r>(&self, register: &'r Register) -> WithRegister<'r>
    where
        'a: 'r,
    {
        let Self { office, genesis, issuer_name } = *self;
        WithRegister { office, genesis, issuer_name, register }
    }

    /// Finishes what was signed and is not settled. What is recorded is answered when it is asked for again.
    pub fn finish(&self, keeping: &mut Keeping, follower: &mut Follower) -> Result<(), Failure> {
        for served in keeping.register()?.unproved()? {
            match self.settle(served, Try::Again, keeping, follower) {
                // What came of it is kept; whoever asks again is told.
                Ok(_) => {}
                // The chain stands still: it is looked for again with the next letter.
                Err(failure) if failure.exit == ExitCode::Undecided => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        self.record_refusals(keeping, follower)
    }

    /// Answers letters, one after another: of one person's reads none may pass another. Each answer leaves through `send`
    /// before the next letter is looked at, since it is judged as of now.
    pub fn answer(
        &self,
        letters: &[ReadLetter],
        keeping: &mut Keeping,
        items: &mut Items,
        follower: &mut Follower,
        send: impl Fn(&MailAnswer) -> Result<(), Failure>,
    ) -> Result<ReadRound, Failure> {
        let mut round = ReadRound::default();
        if !letters.is_empty() {
            self.finish(keeping, follower)?;
        }
        for letter in letters {
            let outcome = self.serve(letter, keeping, items, follower)?;
            keeping.give_way();
            match outcome {
                Outcome::Given(answer) => {
                    send(&answer)?;
                    keeping.register()?.mark_sent(&letter.request.request.id(&self.office.chain))?;
                    round.given += 1;
                }
                Outcome::Refused(code) => {
                    owe(self.office, letter, &code, keeping, follower)?;
                    keeping.give_way();
                    send(&refusal(letter, &code)?)?;
                    round.refuse(&code);
                }
                Outcome::Later => {}
            }
        }
        if !letters.is_empty() {
            self.record_refusals(keeping, follower)?;
        }
        Ok(round)
    }

    fn serve(
        &self,
        letter: &ReadLetter,
        keeping: &mut Keeping,
        items: &mut Items,
        follower: &mut Follower,
    ) -> Result<Outcome, Failure> {
        let id = letter.request.request.id(&self.office.chain);
        let register = keeping.register()?;
        let (served, tried) = match register.served(&id)? {
            Some(served) => (served, Try::Again),
            None => match self.with(register).begin(letter, &id, items, follower) {
                Ok(Begun::Signed(served)) => (*served, Try::First),
                Ok(Begun::Refused(code)) => return Ok(Outcome::Refused(code)),
                Ok(Begun::Later) => return Ok(Outcome::Later),
                // Nothing is signed yet, and what is wrong with one letter stands in the way of no other.
                Err(failure) if failure.exit == ExitCode::Unreachable || failure.code == "conflict" => {
                    return Err(failure);
                }
                Err(failure) => return Ok(Outcome::Refused(failure.code)),
            },
        };
        match self.settle(served, tried, keeping, follower)? {
            Settled::Recorded(served) => self.with(keeping.register()?).give(*served, follower),
            Settled::Never(code) => Ok(Outcome::Refused(code)),
            Settled::Open => Ok(Outcome::Later),
        }
    }

    /// Brings the record onto the chain, as far as nodes take it.
    fn settle(
        &self,
        served: Served,
        tried: Try,
        keeping: &mut Keeping,
        follower: &mut Follower,
    ) -> Result<Settled, Failure> {
        if served.stage != Stage::Signed {
            return Ok(Settled::Recorded(Box::new(served)));
        }
        keeping.give_way();
        let recorded = record(self.office, follower, &served.signed()?, served.from, tried)?;
        settled(keeping.register()?, served, recorded)
    }
}

/// Keeps what became of a record.
fn settled(register: &Register, served: Served, recorded: Recorded) -> Result<Settled, Failure> {
    // Another process may have gone on with it while the register was closed.
    let mut served = register.served(&served.id)?.unwrap_or(served);
    if served.stage != Stage::Signed {
        return Ok(Settled::Recorded(Box::new(served)));
    }
    match recorded {
        Recorded::There { index, time } => {
            (served.record, served.recorded, served.stage) = (Some(index), Some(time), Stage::Recorded);
            register.put_served(&served)?;
            Ok(Settled::Recorded(Box::new(served)))
        }
        Recorded::Never(code) => {
            register.drop_served(&served.id)?;
            Ok(Settled::Never(code))
        }
        Recorded::Open => Ok(Settled::Open),
    }
}

impl WithRegister<'_> {
    /// Judges a letter, and keeps the signed read with what will be given.
    fn begin(
        &self,
        letter: &ReadLetter,
        id: &ReadId,
        items: &mut Items,
        follower: &mut Follower,
    ) -> Result<Begun, Failure> {
        let judging = Judging { office: self.office, register: self.register };
        let about = match judging.judge(letter, items, follower)? {
            Ok(about) => about,
            Err(code) => return Ok(Begun::Refused(code.to_owned())),
        };
        // It has the number that this one would have.
        let waits = self.register.unproved()?.iter().any(|served| served.about == about);
        if waits || self.register.owes_about(&about)? {
            return Ok(Begun::Later);
        }
        let parcel = match put_together(self, letter, &about, follower)? {
            Ok(parcel) => parcel,
            Err(code) => return Ok(Begun::Refused(code.to_owned())),
        };
        let from = count(follower, &self.office.issuer)?;
        let (key, n) = trace(self.register, &about)?;
        let random: [u8; 32] = clock::random()?;
        let answered = Answered::Given(commitment(&random, &parcel));
        let read = signed_read(self.office, letter, &key, n, answered)?;
        let long = |error| Failure::reported(ExitCode::Failure, "read_too_long", error);
        let served = Served {
            id: *id,
            stage: Stage::Signed,
            letter: Blob::new(codec::encode(letter)).map_err(long)?,
            about,
            n,
            parcel,
            random: Blob::new(random).expect("32 of 32 bytes"),
            read,
            from,
            at: clock::now(),
            record: None,
            recorded: None,
            withheld: None,
            answer: None,
            sent: false,
        };
        self.register.put_served(&served)?;
        Ok(Begun::Signed(Box::new(served)))
    }

    /// Gives once, to the request's own key; the same bytes when asked again.
    fn give(&self, mut served: Served, follower: &mut Follower) -> Result<Outcome, Failure> {
        let letter = served.opened()?;
        // What no node has taken is judged again: minutes or days may have passed.
        if !served.sent && served.answer.is_some() {
            served.withheld = self.withheld(&served, &letter, follower)?.map(str::to_owned);
        }
        if let (Some(answer), None) = (&served.answer, &served.withheld) {
            let mail = MailAnswer::decode(answer, &self.office.chain.chain_id);
            let mail = mail.map_err(|error| Failure::reported(ExitCode::Failure, "vault_damaged", error))?;
            return Ok(Outcome::Given(mail));
        }
        if served.withheld.is_none() {
            served.withheld = self.withheld(&served, &letter, follower)?.map(str::to_owned);
        }
        if let Some(code) = served.withheld.clone() {
            served.stage = Stage::Answered;
            self.register.put_served(&served)?;
            return Ok(Outcome::Refused(code));
        }
        let record = served.record.expect("proved before it is given");
        let random: [u8; 32] = served.random[..].try_into().expect("32 bytes were kept");
        let shared = Shared { parcel: served.parcel.clone(), random, record };
        let answer = seal(&letter, ReadOutcome::Shared(shared))?;
        let long = |error| Failure::reported(ExitCode::Failure, "read_too_long", error);
        served.answer = Some(Blob::new(codec::encode(&answer)).map_err(long)?);
        served.stage = Stage::Answered;
        self.register.put_served(&served)?;
        Ok(Outcome::Given(answer))
    }

    /// Why the data does not leave although the read is recorded: it took too long, or the consent was taken back.
    fn withheld(
        &self,
        served: &Served,
        letter: &ReadLetter,
        follower: &mut Follower,
    ) -> Result<Option<&'static str>, Failure> {
        if let Basis::Consent(under) = &letter.request.request.basis {
            let found = standing(follower, &under.id)?;
            if found.withdrawing || found.consent.is_none_or(|consent| consent.withdrawn.is_some()) {
                return Ok(Some("consent_withdrawn"));
            }
        }
        let recorded = served.recorded.expect("proved before it is given");
        let late = clock::now().since(recorded) > SpanMs(READ_SERVED_WITHIN_MS);
        Ok(late.then_some("read_too_late"))
    }
}

/// What the source says of a request, signed; encoded as it is sent and kept.
pub(super) fn signed_read<const MAX: usize>(
    office: &Office,
    letter: &ReadLetter,
    key: &TraceKey,
    n: u64,
    answered: Answered,
) -> Result<Blob<MAX>, Failure> {
    let note = key.seal(&office.chain, &letter.request.request, n, &Note::of(&letter.asked.scope));
    let read = Read {
        request: letter.request.clone(),
        tag: key.tag(n),
        note: note.map_err(|error| Failure::reported(ExitCode::Failure, "read_note", error))?,
        answered,
        key: office.key.public_key().id(),
    };
    let signed = read.sign(&office.chain, &office.key);
    let signed = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
    Blob::new(codec::encode(&signed)).map_err(|error| Failure::reported(ExitCode::Failure, "read_too_long", error))
}

/// The person's key and the number of this read. What is no person's nobody could recognise.
pub(super) fn trace(register: &Register, about: &Subject) -> Result<(TraceKey, u64), Failure> {
    // Who has no key yet gets it now, and with it what is recorded here once she collects something.
    if about.id_type.as_str() == PERSON_ID_TYPE {
        register.traces(&[Some(about.clone())])?;
    }
    match register.traced(about)? {
        Some(traced) => Ok(traced),
        None => Ok((TraceKey::from_random(clock::random()?), 1)),
    }
}

fn refusal(letter: &ReadLetter, code: &str) -> Result<MailAnswer, Failure> {
    // A code of the chain is short; what is longer is none that anybody knows.
    let code = Text::new(code).unwrap_or_else(|_| Text::new("read_refused").expect("short"));
    seal(letter, ReadOutcome::Refused(code))
}

fn seal(letter: &ReadLetter, outcome: ReadOutcome) -> Result<MailAnswer, Failure> {
    let answer = MailAnswer::seal_read(letter, &ReadAnswer::new(outcome), clock::random()?);
    answer.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::{ENTERPRISE_ID_TYPE, subject};
    use crate::talk::Passphrase;
    use crate::vault::Effort;

    #[test]
    fn who_awaits_pickup_gets_a_key_with_the_first_read_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new("correct horse".to_owned());
        let register = Register::open_or_create(&dir.path().join("register"), &passphrase, Effort::NONE).unwrap();
        let person = subject(PERSON_ID_TYPE, "11010519491231002X").unwrap();
        assert!(register.traced(&person).unwrap().is_none(), "nothing was signed for her yet");
        let (first, n) = trace(&register, &person).unwrap();
        let (again, same) = trace(&register, &person).unwrap();
        assert_eq!((first.tag(1), n, same), (again.tag(1), 1, 1), "until it is recorded the next has its number");
        // What she collects has the same key: so she finds the read.
        let collected = register.traces(&[Some(person)]).unwrap().remove(0).unwrap();
        assert_eq!(collected.tag(1), first.tag(1));
        let enterprise = subject(ENTERPRISE_ID_TYPE, "91350100M000100Y43").unwrap();
        let (one, other) = (trace(&register, &enterprise).unwrap(), trace(&register, &enterprise).unwrap());
        assert!(one.0.tag(1) != other.0.tag(1) && register.traced(&enterprise).unwrap().is_none());
    }
}
