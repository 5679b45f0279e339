//! What the register knows by person: the key by which they recognise who read about them, how often they were read about,
//! and which licences are about a holder.

use std::collections::BTreeSet;

use kanhe_proto::bounded::Text;
use kanhe_proto::consent::{Subject, TraceKey};
use kanhe_proto::hash::sha256;
use kanhe_proto::identifiers::{LicenceNumber, TypeCode, Uscc};
use kanhe_proto::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use super::definition::PERSON_ID_TYPE;
use super::records::{Awaiting, EXTRACTS, LICENCES, PICKUPS};
use super::{Definition, LicenceEntry, Register};
use crate::talk::Failure;
use crate::vault::{Table, Transaction};
use crate::wallet::Seed;

const PEOPLE: Table<Known> = Table::new("people");
const HOLDERS: Table<Vec<LicenceNumber>> = Table::new("holders");
/// Whether all licences are in the table of holders: those of before there was one are put into it once.
const MARKS: Table<bool> = Table::new("marks");
const HOLDERS_MARK: &str = "holders";

/// Kind of an enterprise's number.
pub const ENTERPRISE_ID_TYPE: &str = "USCC";

/// A person as this register knows them.
#[derive(Clone, Serialize, Deserialize)]
struct Known {
    /// Key of the records of who read about them.
    trace: Seed,
    /// Number of the last read that is on the chain; 0: none.
    reads: u64,
}

/// Something that is held about somebody.
#[derive(Debug, Clone)]
pub enum HeldAbout {
    /// A licence that was signed.
    Signed(Box<LicenceEntry>),
    /// One that awaits pickup: nothing is signed of it.
    Awaiting(Box<Awaiting>),
}

/// Hashed, since a number may be longer than a key of the vault.
fn person_row(subject: &Subject) -> String {
    let parts = [subject.id_type.as_bytes(), &[0], subject.id_number.as_bytes()];
    text::hex(&sha256(&parts))
}

fn holder_row(code: &TypeCode, subject: &Subject) -> String {
    format!("{code}/{}", person_row(subject))
}

/// Whose claims are, by what every licence says of its holder.
pub fn holder_of(claims: &Map<String, Value>) -> Option<Subject> {
    let kind = claims.get("CZZTDMLX").and_then(Value::as_str);
    let is_person = kind == Some(super::definition::PERSON_NUMBER);
    subject(if is_person { PERSON_ID_TYPE } else { ENTERPRISE_ID_TYPE }, number_in(claims)?)
}

/// The holder's number in claims.
fn number_in(claims: &Map<String, Value>) -> Option<&str> {
    claims.get("CZZTDM").and_then(Value::as_str)
}

/// Somebody by the kind and number of their identity document.
pub fn subject(id_type: &str, number: &str) -> Option<Subject> {
    Some(Subject { id_type: Text::new(id_type).ok()?, id_number: Text::new(number).ok()? })
}

impl Definition {
    /// Whose a row is.
    pub fn subject(&self, claims: &Map<String, Value>) -> Option<Subject> {
        match self.person(claims) {
            Some((id_type, number)) if self.is_of_persons() => subject(id_type, number),
            _ => subject(if self.is_of_persons() { PERSON_ID_TYPE } else { ENTERPRISE_ID_TYPE }, number_in(claims)?),
        }
    }
}

impl Register {
    /// The key of each of these people, made for who has none; durable when this returns.
    pub fn traces(&self, people: &[Option<Subject>]) -> Result<Vec<Option<TraceKey>>, Failure> {
        self.vault.write::<_, Failure>(|transaction| {
            let trace = |person: &Option<Subject>, transaction: &mut Transaction<'_, '_>| {
                let Some(person) = person else { return Ok(None) };
                let row = person_row(person);
                if let Some(known) = transaction.get(&PEOPLE, &row)? {
                    return Ok(Some(TraceKey::from_random(*known.trace.bytes())));
                }
                let known = Known { trace: Seed::random()?, reads: 0 };
                transaction.put(&PEOPLE, &row, &known)?;
                Ok(Some(TraceKey::from_random(*known.trace.bytes())))
            };
            people.iter().map(|person| trace(person, transaction)).collect()
        })
    }

    /// The key of a person who is known here, and the number that the next read about them has.
    pub fn traced(&self, person: &Subject) -> Result<Option<(TraceKey, u64)>, Failure> {
        let known = self.vault.get(&PEOPLE, &person_row(person))?;
        Ok(known.map(|known| (TraceKey::from_random(*known.trace.bytes()), known.reads + 1)))
    }

    /// Whose the licence of a number is, or the row that awaits pickup.
    pub fn holder_of_number(&self, number: &LicenceNumber) -> Result<Option<Subject>, Failure> {
        let reader = self.vault.read()?;
        let number = number.to_string();
        if let Some(licence) = reader.get(&LICENCES, &number)? {
            return Ok(holder_of(&licence.claims));
        }
        // A row has no claims yet of those that the issuer makes.
        let row = reader.get(&PICKUPS, &number)?;
        Ok(row.and_then(|row| {
            let number = number_in(&row.claims)?;
            let is_enterprise = number.parse::<Uscc>().is_ok();
            subject(if is_enterprise { ENTERPRISE_ID_TYPE } else { PERSON_ID_TYPE }, number)
        }))
    }
    /// The extract of a row that awaits pickup, once it is anchored.
    pub fn extract_of(&self, number: &LicenceNumber) -> Result<Option<LicenceEntry>, Failure> {
        let Some(extract) = self.vault.get(&EXTRACTS, &number.to_string())? else { return Ok(None) };
        let Some(licence) = self.licence(&extract)? else { return Ok(None) };
        let anchored = licence.copies.first().map(|copy| self.path(&copy.digest)).transpose()?.flatten().is_some();
        Ok(anchored.then_some(licence))
    }

    /// Everything of a type that is held about somebody, in its newest version.
    pub fn held_about(&self, code: &TypeCode, subject: &Subject) -> Result<Vec<HeldAbout>, Failure> {
        self.index_holders()?;
        let reader = self.vault.read()?;
        let numbers = reader.get(&HOLDERS, &holder_row(code, subject))?.unwrap_or_default();
        let mut found = Vec::new();
        for number in numbers.iter().map(ToString::to_string) {
            match reader.get(&LICENCES, &number)? {
                Some(licence) if licence.replaced => {}
                Some(licence) => found.push(HeldAbout::Signed(Box::new(licence))),
                None => found.extend(reader.get(&PICKUPS, &number)?.map(|row| HeldAbout::Awaiting(Box::new(row)))),
            }
        }
        Ok(found)
    }

    fn index_holders(&self) -> Result<(), Failure> {
        if self.vault.get(&MARKS, HOLDERS_MARK)?.is_some() {
            return Ok(());
        }
        let signed = self.licences()?.into_iter().map(|licence| (licence.vct.code, licence.claims, licence.number));
        let waiting = self.vault.scan(&PICKUPS)?.into_iter().map(|(_, row)| (row.vct.code, row.claims, row.number));
        let all: Vec<_> = signed.chain(waiting).collect();
        self.vault.write::<_, Failure>(|transaction| {
            for (code, claims, number) in &all {
                if let Some(subject) = holder_of(claims) {
                    add_holder(transaction, code, &subject, number)?;
                }
            }
            Ok(transaction.put(&MARKS, HOLDERS_MARK, &true)?)
        })
    }

    /// Notes that everything from here on is put into the table of holders.
    pub(super) fn mark_new(&self) -> Result<(), Failure> {
        Ok(self.vault.put(&MARKS, HOLDERS_MARK, &true)?)
    }
}

/// Whose a licence is, kept with it.
pub(super) fn add_holder(
    transaction: &mut Transaction<'_, '_>,
    code: &TypeCode,
    subject: &Subject,
    number: &LicenceNumber,
) -> Result<(), Failure> {
    let row = holder_row(code, subject);
    let known: BTreeSet<LicenceNumber> = transaction.get(&HOLDERS, &row)?.unwrap_or_default().into_iter().collect();
    if known.contains(number) {
        return Ok(());
    }
    let numbers: Vec<LicenceNumber> = known.into_iter().chain([number.clone()]).collect();
    Ok(transaction.put(&HOLDERS, &row, &numbers)?)
}

/// A read about a person is on the chain under this number.
pub(crate) fn count_read(transaction: &mut Transaction<'_, '_>, person: &Subject, number: u64) -> Result<(), Failure> {
    let row = person_row(person);
    if let Some(known) = transaction.get(&PEOPLE, &row)? {
        let reads = known.reads.max(number);
        transaction.put(&PEOPLE, &row, &Known { reads, ..known })?;
    }
    Ok(())
}
