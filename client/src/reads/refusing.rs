//! Refusals that concern somebody: recorded, so that whom a reader asked about learns who tried, and why in vain.
//!
//! What is to be recorded is kept before the reader is told. It takes a number in the traces of the person as a read does, so
//! it waits for those before it, and those after it wait. A reader cannot fill the chain with its refusals: of one person and
//! one reason a day has one, and of one reader a few hundred. Whether the source knows the person makes no difference that
//! anybody else could see.

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::codec;
use kanhe_proto::consent::{Answered, Basis, SignedRead, Subject, TraceKey};
use kanhe_proto::hash::{ReadId, sha256};
use kanhe_proto::identifiers::PersonId;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::limits::TRANSACTION_BYTES_MAX;
use kanhe_proto::sharing::{LETTER_BYTES_MAX, ReadLetter};
use kanhe_proto::text;
use serde::{Deserialize, Serialize};

use super::holder::who;
use super::judging::{Judging, public_benefit};
use super::recording::{Recorded, Try, record};
use super::serving::{Serving, signed_read, trace};
use crate::case::Items;
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
/// Refusals of one reader that are recorded within that.
const OF_A_READER_MAX: usize = 256;
/// Refusals that are recorded in one turn: others wait for each.
const IN_A_TURN: usize = 4;
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
/// What a source a block behind says of what is right: judged once more before it is recorded.
const MAY_LAG: [&str; 2] = ["read_case", "read_beyond_item"];

/// A refusal that is to be recorded.
#[derive(Clone, Serialize, Deserialize)]
struct Owed {
    id: ReadId,
    /// Encoding of the letter.
    letter: Blob<LETTER_BYTES_MAX>,
    about: Subject,
    code: String,
    /// Row of when it was kept.
    kept: String,
    signed: Option<Signed>,
}

/// What is sent, and no other bytes.
#[derive(Clone, Serialize, Deserialize)]
struct Signed {
    /// Its number among the reads about the person; none: nobody has the key of it.
    n: Option<u64>,
    /// A number of the source's reads below which it is not.
    from: u64,
    /// Encoding of the [`SignedRead`].
    read: Blob<TRANSACTION_BYTES_MAX>,
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

/// Reader first, so that those of one are counted.
fn kept_row(letter: &ReadLetter, about: &Subject, code: &str) -> String {
    let parts = [about.id_type.as_bytes(), &[0], about.id_number.as_bytes(), &[0], code.as_bytes()];
    format!("{}/{}", letter.request.request.reader, text::hex(&sha256(&parts)))
}

/// Whether the same was kept within a day, or too many of this reader; and what is older than that.
fn room(kept: &[(String, TimeMs)], row: &str, now: TimeMs) -> (bool, Vec<String>) {
    let (fresh, old): (Vec<_>, Vec<_>) = kept.iter().partition(|(_, at)| now.since(*at) < EVERY);
    let reader = row.split('/').next().unwrap_or_default();
    let of_reader = fresh.iter().filter(|(known, _)| known.split('/').next() == Some(reader)).count();
    let has_room = of_reader < OF_A_READER_MAX && !fresh.iter().any(|(known, _)| known == row);
    (has_room, old.into_iter().map(|(row, _)| row.clone()).collect())
}

impl Register {
    /// Whether another refusal about this person is signed and not settled: it has the number that the next would have.
    pub(super) fn owes_about(&self, about: &Subject) -> Result<bool, Failure> {
        let owed = self.vault().scan(&OWED)?;
        Ok(owed.iter().any(|(_, owed)| owed.signed.is_some() && owed.about == *about))
    }
    fn owe(&self, owed: &Owed, now: TimeMs) -> Result<(), Failure> {
        let (has_room, old) = room(&self.vault().scan(&KEPT)?, &owed.kept, now);
        if !has_room {
            return Ok(());
        }
        self.vault().write::<_, Failure>(|rows| {
            for row in &old {
                rows.delete(&KEPT, row)?;
            }
            rows.put(&KEPT, &owed.kept, &now)?;
            Ok(rows.put(&OWED, &owed.id.to_string(), owed)?)
        })
    }
    /// What was not signed yet first: what nodes refuse stands in nobody's way.
    fn owed(&self) -> Result<Vec<ReadId>, Failure> {
        let mut owed: Vec<Owed> = self.vault().scan(&OWED)?.into_iter().map(|(_, owed)| owed).collect();
        owed.sort_by_key(|owed| owed.signed.is_some());
        Ok(owed.into_iter().map(|owed| owed.id).collect())
    }
    /// What came of it; what was not recorded keeps nothing else from being recorded that day.
    fn settle_owed(&self, owed: &Owed, recorded: bool) -> Result<(), Failure> {
        let n = owed.signed.as_ref().and_then(|signed| signed.n);
        self.vault().write::<_, Failure>(|rows| {
            match (recorded, n) {
                (true, Some(n)) => count_read(rows, &owed.about, n)?,
                (true, None) => {}
                (false, _) => drop(rows.delete(&KEPT, &owed.kept)?),
            }
            rows.delete(&OWED, &owed.id.to_string())?;
            Ok(())
        })
    }
}

/// Keeps that something was refused, if it concerns a person.
pub(super) fn owe(
    office: &Office,
    letter: &ReadLetter,
    code: &str,
    keeping: &mut Keeping,
    follower: &mut Follower,
) -> Result<(), Failure> {
    let id = letter.request.request.id(&office.chain);
    // What was recorded as given, and did not leave after all, is on the chain already.
    if !concerns(code) || keeping.register()?.served(&id)?.is_some() || !is_recordable(letter, follower)? {
        return Ok(());
    }
    let Some(about) = about(office, letter, code, keeping.register()?, follower)? else { return Ok(()) };
    let long = |error| Failure::reported(ExitCode::Failure, "read_too_long", error);
    let kept = kept_row(letter, &about, code);
    let letter = Blob::new(codec::encode(letter)).map_err(long)?;
    let owed = Owed { id, letter, about, code: code.to_owned(), kept, signed: None };
    keeping.register()?.owe(&owed, clock::now())
}

/// Whether the chain takes it: purpose and ground are registered, of whatever class.
fn is_recordable(letter: &ReadLetter, follower: &mut Follower) -> Result<bool, Failure> {
    let request = &letter.request.request;
    let ground = match &request.basis {
        Basis::Consent(_) => &request.purpose,
        Basis::Statutory(statutory) => &statutory.ground,
    };
    for purpose in [&request.purpose, ground] {
        if public_benefit(purpose, follower)? == Err("purpose_unknown") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whom a refused request was about: whom it names, or who gave the consent that it shows, proved.
fn about(
    office: &Office,
    letter: &ReadLetter,
    code: &str,
    register: &Register,
    follower: &mut Follower,
) -> Result<Option<Subject>, Failure> {
    let mut holder = None;
    if let (Basis::Consent(under), Some(shown)) = (&letter.request.request.basis, &letter.consent)
        && let Some(consent) = standing(follower, &under.id)?.consent
    {
        holder = who(&shown.holder, &under.id, &consent.terms, office, follower)?.ok();
    }
    let judging = Judging { office, register };
    let person = match holder {
        // It was somebody else's number that was tried.
        Some(holder) if code != "consent_other_person" => holder,
        holder => judging.subject(&letter.asked.subject, holder.as_ref())?,
    };
    let is_person = person.id_type.as_str() == PERSON_ID_TYPE && person.id_number.parse::<PersonId>().is_ok();
    Ok(is_person.then_some(person))
}

impl Serving<'_> {
    /// Records what was refused, as far as it can be now, and some of it at a time.
    pub fn record_refusals(&self, keeping: &mut Keeping, follower: &mut Follower) -> Result<(), Failure> {
        let mut left = IN_A_TURN;
        for id in keeping.register()?.owed()? {
            if left == 0 {
                break;
            }
            match self.record_refusal(&id, keeping, follower) {
                Ok(was_brought) => left -= usize::from(was_brought),
                // The chain stands still: it is tried again in another turn.
                Err(failure) if failure.exit == ExitCode::Undecided => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Whether it was brought to the chain; what has to wait was not.
    fn record_refusal(&self, id: &ReadId, keeping: &mut Keeping, follower: &mut Follower) -> Result<bool, Failure> {
        let register = keeping.register()?;
        // Another process may have settled it.
        let Some(owed) = register.vault().get(&OWED, &id.to_string())? else { return Ok(false) };
        let (owed, tried) = match owed.signed {
            Some(_) => (owed, Try::Again),
            None if register.unproved()?.iter().any(|served| served.about == owed.about) => return Ok(false),
            None if register.owes_about(&owed.about)? => return Ok(false),
            None => match self.sign(owed, register, follower)? {
                Some(owed) => (owed, Try::First),
                None => return Ok(false),
            },
        };
        let Some(Signed { from, read, .. }) = &owed.signed else { return Ok(false) };
        let signed: SignedRead = codec::decode(read, TRANSACTION_BYTES_MAX).map_err(damaged)?;
        let from = *from;
        keeping.give_way();
        match record(self.office, follower, &signed, from, tried)? {
            Recorded::There { .. } => keeping.register()?.settle_owed(&owed, true)?,
            Recorded::Never(_) => keeping.register()?.settle_owed(&owed, false)?,
            Recorded::Open => {}
        }
        Ok(true)
    }

    /// Signs it, and keeps what is signed; nothing if it is not refused any more.
    fn sign(&self, mut owed: Owed, register: &Register, follower: &mut Follower) -> Result<Option<Owed>, Failure> {
        let letter = ReadLetter::decode(&owed.letter).map_err(damaged)?;
        if MAY_LAG.contains(&owed.code.as_str()) {
            let judging = Judging { office: self.office, register };
            if judging.judge(&letter, &mut Items::default(), follower)? != Err(owed.code.as_str()) {
                register.settle_owed(&owed, false)?;
                return Ok(None);
            }
        }
        let from = count(follower, &self.office.issuer)?;
        let (key, n) = self.trace_of(&owed, &letter, register)?;
        let answered = Answered::Refused(Text::new(&*owed.code).map_err(damaged)?);
        let read = signed_read(self.office, &letter, &key, n.unwrap_or(1), answered)?;
        owed.signed = Some(Signed { n, from, read });
        register.vault().put(&OWED, &owed.id.to_string(), &owed)?;
        Ok(Some(owed))
    }

    /// The person's key and number, or a key that nobody has: of whom the source holds nothing nobody can recognise it.
    fn trace_of(
        &self,
        owed: &Owed,
        letter: &ReadLetter,
        register: &Register,
    ) -> Result<(TraceKey, Option<u64>), Failure> {
        let mut is_known = register.traced(&owed.about)?.is_some();
        for of_type in &letter.asked.scope {
            is_known |= !register.held_about(&of_type.type_code, &owed.about)?.is_empty();
        }
        if !is_known {
            return Ok((TraceKey::from_random(clock::random()?), None));
        }
        let (key, n) = trace(register, &owed.about)?;
        Ok((key, Some(n)))
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

    #[test]
    fn of_one_person_and_reason_a_day_has_one_and_of_one_reader_some_hundreds() {
        let now = TimeMs(EVERY.0 * 2);
        let (yesterday, today) = (TimeMs(now.0 - EVERY.0), TimeMs(now.0 - 1));
        let row = |name: &str| name.to_owned();
        let kept = vec![(row("A/1"), today), (row("A/2"), yesterday), (row("B/1"), today)];
        assert_eq!(room(&kept, "A/1", now), (false, vec![row("A/2")]));
        assert!(room(&kept, "A/2", now).0, "that was yesterday");
        assert!(room(&kept, "A/3", now).0);
        let many: Vec<(String, TimeMs)> = (0..OF_A_READER_MAX).map(|at| (format!("A/{at}"), today)).collect();
        assert!(!room(&many, "A/x", now).0);
        assert!(room(&many, "B/x", now).0, "others have their own");
    }
}
