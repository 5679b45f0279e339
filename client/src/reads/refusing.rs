//! Refusals that concern somebody: recorded, so that whom a reader asked about learns who tried, and why in vain.
//!
//! What is to be recorded is kept before the reader is told. It takes a number in the traces of the person as a read does, so
//! it waits for those before it, and those after it wait. A reader cannot fill the chain with its refusals: of one person and
//! one reason a day has one.

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::codec;
use kanhe_proto::consent::{Answered, Basis, Note, Read, SignedRead, Subject};
use kanhe_proto::hash::{ReadId, sha256};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::Signer as _;
use kanhe_proto::limits::TRANSACTION_BYTES_MAX;
use kanhe_proto::sharing::{LETTER_BYTES_MAX, ReadLetter};
use kanhe_proto::text;
use serde::{Deserialize, Serialize};

use super::holder::who;
use super::judging::Judging;
use super::recording::{Recorded, Try, record};
use super::serving::{Serving, trace};
use crate::clock;
use crate::consent::{count, standing};
use crate::desk::Keeping;
use crate::follow::Follower;
use crate::issuer::{Office, PERSON_ID_TYPE, Register, count_read};
use crate::talk::{ExitCode, Failure};
use crate::vault::Table;

const OWED: Table<Owed> = Table::new("refusals_owed");
/// By reader, person and reason: when one was kept last.
const KEPT: Table<TimeMs> = Table::new("refusals_kept");
/// How often the same is recorded.
const EVERY: SpanMs = SpanMs(24 * 3_600_000);
/// Refusals of somebody who could have read, or tried to under somebody's consent; others are the reader's own mistakes.
const CONCERNING: [&str; 8] = [
    "purpose_commercial",
    "read_case",
    "read_beyond_item",
    "consent_other",
    "consent_other_person",
    "consent_over",
    "consent_spent",
    "consent_withdrawn",
];

/// A refusal that is to be recorded.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Owed {
    id: ReadId,
    /// Encoding of the letter.
    letter: Blob<LETTER_BYTES_MAX>,
    about: Subject,
    code: String,
    /// Its number among the reads about the person, a number of the source's reads below which it is not, and the encoding of
    /// what is signed: these bytes are sent and no others.
    signed: Option<(u64, u64, Blob<TRANSACTION_BYTES_MAX>)>,
}

impl std::fmt::Debug for Owed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal numbers stay out of logs.
        write!(f, "Owed({}, {})", self.id, self.code)
    }
}

fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::reported(ExitCode::Failure, "vault_damaged", error)
}

/// Whether this is more than a reader's mistake.
fn concerns(code: &str) -> bool {
    CONCERNING.contains(&code) || code.starts_with("terms_")
}

fn kept_row(letter: &ReadLetter, about: &Subject, code: &str) -> String {
    let reader = letter.request.request.reader.to_string();
    let parts =
        [reader.as_bytes(), &[0], about.id_type.as_bytes(), &[0], about.id_number.as_bytes(), &[0], code.as_bytes()];
    text::hex(&sha256(&parts))
}

impl Register {
    /// Whether another refusal about this person is signed and not settled: it has the number that the next would have.
    pub(super) fn owes_about(&self, about: &Subject) -> Result<bool, Failure> {
        let owed = self.vault().scan(&OWED)?;
        Ok(owed.iter().any(|(_, owed)| owed.signed.is_some() && owed.about == *about))
    }
    fn owe(&self, owed: &Owed, letter: &ReadLetter, now: TimeMs) -> Result<(), Failure> {
        let row = kept_row(letter, &owed.about, &owed.code);
        if self.vault().get(&KEPT, &row)?.is_some_and(|last| now.since(last) < EVERY) {
            return Ok(());
        }
        self.vault().write::<_, Failure>(|rows| {
            rows.put(&KEPT, &row, &now)?;
            Ok(rows.put(&OWED, &owed.id.to_string(), owed)?)
        })
    }
    fn owed(&self) -> Result<Vec<Owed>, Failure> {
        Ok(self.vault().scan(&OWED)?.into_iter().map(|(_, owed)| owed).collect())
    }
    fn put_owed(&self, owed: &Owed) -> Result<(), Failure> {
        Ok(self.vault().put(&OWED, &owed.id.to_string(), owed)?)
    }
    fn settle_owed(&self, owed: &Owed, recorded: Option<u64>) -> Result<(), Failure> {
        self.vault().write::<_, Failure>(|rows| {
            if let Some(n) = recorded {
                count_read(rows, &owed.about, n)?;
            }
            rows.delete(&OWED, &owed.id.to_string())?;
            Ok(())
        })
    }
}

/// Keeps that something was refused, if it concerns a person whom the source knows.
pub(super) fn owe(
    office: &Office,
    letter: &ReadLetter,
    code: &str,
    keeping: &mut Keeping,
    follower: &mut Follower,
) -> Result<(), Failure> {
    if !concerns(code) {
        return Ok(());
    }
    let Some(about) = about(office, letter, keeping.register()?, follower)? else { return Ok(()) };
    let long = |error| Failure::reported(ExitCode::Failure, "read_too_long", error);
    let owed = Owed {
        id: letter.request.request.id(&office.chain),
        letter: Blob::new(codec::encode(letter)).map_err(long)?,
        about,
        code: code.to_owned(),
        signed: None,
    };
    keeping.register()?.owe(&owed, letter, clock::now())
}

/// Whom a refused request was about: who gave the consent that it names, proved, or whom it names itself; nobody unless the
/// source knows them.
fn about(
    office: &Office,
    letter: &ReadLetter,
    register: &Register,
    follower: &mut Follower,
) -> Result<Option<Subject>, Failure> {
    let person = match (&letter.request.request.basis, &letter.consent) {
        (Basis::Consent(under), Some(shown)) => {
            let Some(consent) = standing(follower, &under.id)?.consent else { return Ok(None) };
            who(&shown.holder, &under.id, &consent.terms, office, follower)?.ok()
        }
        (Basis::Consent(_), None) => None,
        (Basis::Statutory(_), _) => Some(Judging { office, register }.subject(&letter.asked.subject, None)?),
    };
    let Some(person) = person.filter(|person| person.id_type.as_str() == PERSON_ID_TYPE) else { return Ok(None) };
    Ok(register.traced(&person)?.map(|_| person))
}

impl Serving<'_> {
    /// Records what was refused, as far as it can be now.
    pub(super) fn record_refusals(&self, keeping: &mut Keeping, follower: &mut Follower) -> Result<(), Failure> {
        for owed in keeping.register()?.owed()? {
            let register = keeping.register()?;
            let waits = register.unproved()?.iter().any(|served| served.about == owed.about)
                || (owed.signed.is_none() && register.owes_about(&owed.about)?);
            if waits {
                continue;
            }
            let owed = if owed.signed.is_some() { owed } else { self.sign(owed, register, follower)? };
            let Some((n, from, bytes)) = owed.signed.clone() else { continue };
            let signed: SignedRead = codec::decode(&bytes, TRANSACTION_BYTES_MAX).map_err(damaged)?;
            keeping.give_way();
            match record(self.office, follower, &signed, from, Try::First)? {
                Recorded::There { .. } => keeping.register()?.settle_owed(&owed, Some(n))?,
                Recorded::Never(_) => keeping.register()?.settle_owed(&owed, None)?,
                Recorded::Open => {}
            }
        }
        Ok(())
    }

    fn sign(&self, mut owed: Owed, register: &Register, follower: &mut Follower) -> Result<Owed, Failure> {
        let letter = ReadLetter::decode(&owed.letter).map_err(damaged)?;
        let from = count(follower, &self.office.issuer)?;
        let (key, n) = trace(register, &owed.about)?;
        let note = key.seal(&self.office.chain, &letter.request.request, n, &Note::of(&letter.asked.scope));
        let read = Read {
            request: letter.request,
            tag: key.tag(n),
            note: note.map_err(|error| Failure::reported(ExitCode::Failure, "read_note", error))?,
            answered: Answered::Refused(Text::new(&*owed.code).map_err(damaged)?),
            key: self.office.key.public_key().id(),
        };
        let signed = read.sign(&self.office.chain, &self.office.key);
        let signed = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
        let bytes = Blob::new(codec::encode(&signed)).map_err(damaged)?;
        owed.signed = Some((n, from, bytes));
        register.put_owed(&owed)?;
        Ok(owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readers_own_mistakes_concern_nobody() {
        for code in ["consent_other", "terms_beyond", "purpose_commercial", "read_beyond_item", "consent_over"] {
            assert!(concerns(code), "{code}");
        }
        for code in ["read_time", "read_key", "read_signature", "consent_order", "purpose_unknown", "read_scope", ""] {
            assert!(!concerns(code), "{code}");
        }
        assert!(CONCERNING.iter().all(|code| kanhe_proto::consent::is_refusal_code(code)));
    }
}
