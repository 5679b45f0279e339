//! What the item lets the bureau read of others for a step: asked by itself, each read on its own ground.
//!
//! On a rule the request names the case; under a consent it shows what the party's file has for it. What was asked is kept
//! before it leaves, so that after a crash nothing is asked twice. A read that is refused keeps the rules alone from
//! deciding: an officer sees its code. One that is optional is absent then.

use std::collections::BTreeSet;

use kanhe_proto::case::Case;
use kanhe_proto::case_file::Author;
use kanhe_proto::consent::Subject;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::item::{Basis, PartName, SharedRead};
use serde_json::{Map, Value};

use super::checking::{Opened, trouble};
use super::document::Part;
use super::row::{Fault, RowKey, Trouble};
use crate::case::{CONSENT_PAPER, KnownItem};
use crate::clock;
use crate::consent::{Ticket, scope_of};
use crate::follow::Follower;
use crate::issuer::{ENTERPRISE_ID_TYPE, Office, PERSON_ID_TYPE, Register, subject};
use crate::reads::{Ask, Asked, AskedState, CaseRead, Ground, Reader, fetch, receive, refuse, send};
use crate::talk::{ExitCode, Failure};

/// How often a read is asked anew that could not be given in time or came out of turn.
const TRIES: usize = 3;
/// Refusals that say nothing about the right to read.
const AGAIN: [&str; 4] = ["read_too_late", "consent_order", "read_unanswered", "read_time"];
/// The claim with the holder's number.
const HOLDER: &str = "CZZTDM";

/// What was read for a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// Claims by read.
    pub values: Map<String, Value>,
    /// Why something is not there.
    pub faults: Vec<Fault>,
}

/// A step that reads.
pub(super) struct Reading<'a> {
    pub office: &'a Office,
    pub register: &'a Register,
    pub known: &'a KnownItem,
    pub case: &'a Case,
    pub key: &'a RowKey,
    /// What the parties gave, as far as it is good.
    pub parts: &'a [Part],
    pub opened: &'a [Opened],
}

/// How one read stands.
enum Stands {
    Pending,
    Values(Value),
    Absent,
    Fault(String),
}

impl Reading<'_> {
    /// Everything that the step's bureau reads; nothing yet while an answer is waited for.
    pub(super) fn all(&self, follower: &mut Follower) -> Result<Result<Readings, Trouble>, Failure> {
        let item = &self.known.item;
        let mut found = Readings::default();
        let Some(step) = item.step.get(usize::from(self.key.step)) else { return Ok(Ok(found)) };
        let asked = self.register.asked_for(self.key)?;
        let mut pending = false;
        for read in item.read.iter().filter(|read| read.by == step.by) {
            match self.one(read, &asked, follower)? {
                Stands::Pending => pending = true,
                Stands::Values(values) => drop(found.values.insert(read.code.to_string(), values)),
                Stands::Absent => {}
                Stands::Fault(code) => {
                    found.faults.push(Fault::of(&code, Some(&read.of), format!("read.{}", read.code)));
                }
            }
        }
        Ok(if pending { Err(trouble("reads_pending")) } else { Ok(found) })
    }

    fn one(&self, read: &SharedRead, asked: &[Asked], follower: &mut Follower) -> Result<Stands, Failure> {
        let slot = (0u8..).zip(self.case.slots.iter()).find(|(_, slot)| {
            let party = self.known.item.party.get(usize::from(slot.party));
            slot.presented.is_some() && party.is_some_and(|party| party.code == read.of)
        });
        let Some((slot, _)) = slot else { return Ok(Stands::Absent) };
        let mut tries: Vec<Asked> = asked
            .iter()
            .filter(|asked| asked.case.as_ref().is_some_and(|of| of.read == read.code && of.slot == slot))
            .cloned()
            .collect();
        let Some(mut last) = tries.pop() else { return self.begin(read, slot, follower) };
        if last.state == AskedState::Asked {
            self.look(&mut last, follower)?;
        }
        let refused = last.code.clone().filter(|_| last.state == AskedState::Refused);
        match (last.state, refused) {
            (AskedState::Asked, _) => Ok(Stands::Pending),
            (AskedState::Given, _) => Ok(given(read, &last)),
            (AskedState::Refused, Some(code)) if AGAIN.contains(&code.as_str()) && tries.len() + 1 < TRIES => {
                self.begin(read, slot, follower)
            }
            (AskedState::Refused, code) => Ok(missing(read, code.as_deref().unwrap_or("read_unanswered"))),
        }
    }

    /// Whether the source has answered.
    fn look(&self, asked: &mut Asked, follower: &mut Follower) -> Result<(), Failure> {
        let nodes = follower.nodes().to_vec();
        match fetch(asked, &nodes, 0) {
            Ok(Some(answer)) => receive(asked, &answer, self.register, follower),
            Ok(None) if clock::now() > asked.good_until()? => refuse(asked, "read_unanswered", self.register),
            // Its node may have lost it: the same again changes nothing.
            Ok(None) => send(asked, &nodes).or_else(passing),
            Err(failure) => passing(failure),
        }
    }

    fn begin(&self, read: &SharedRead, slot: u8, follower: &mut Follower) -> Result<Stands, Failure> {
        let item = &self.known.item;
        let Some(about) = self.about(slot) else { return Ok(missing(read, "read_no_subject")) };
        let Some(source) = self.played_by(&read.from) else { return Ok(missing(read, "read_no_subject")) };
        let case =
            CaseRead { case: self.key.case, step: self.key.step, round: self.key.round, slot, read: read.code.clone() };
        let ground = match read.basis {
            Basis::Statute => Ground::Statute { ground: item.purpose.clone(), case: Some(case.clone()) },
            Basis::Consent => match self.ticket(read, slot) {
                Some(ticket) => Ground::Consent(Box::new(ticket)),
                None => return Ok(missing(read, "read_no_consent")),
            },
        };
        let claims = read.claims.iter().filter_map(|claim| claim.split(['.', '[']).next()).map(str::to_owned);
        let ask = Ask {
            source,
            subject: about,
            scope: scope_of(read.type_ref.code().clone(), claims)?,
            purpose: item.purpose.clone(),
            ground,
            case: Some(case),
        };
        let made = Reader { office: self.office, register: self.register }.make(ask, follower);
        let asked = match made {
            Ok(asked) => asked,
            // The chain has no such consent: its word, under its certificate.
            Err(failure) if failure.exit == ExitCode::Refused => return Ok(missing(read, &failure.code)),
            Err(failure) => return Err(failure),
        };
        send(&asked, follower.nodes()).or_else(passing)?;
        Ok(Stands::Pending)
    }

    /// The party by the number in a licence that it gave.
    fn about(&self, slot: u8) -> Option<Subject> {
        let part = self.parts.iter().find(|part| part.slot == slot)?;
        let numbers = part.given.values().filter_map(|claims| claims.get(HOLDER)?.as_str());
        // Of several people an officer decides who is meant.
        let numbers: BTreeSet<&str> = numbers.collect();
        let mut numbers = numbers.into_iter();
        let (Some(number), None) = (numbers.next(), numbers.next()) else { return None };
        let is_enterprise = number.parse::<Uscc>().is_ok();
        subject(if is_enterprise { ENTERPRISE_ID_TYPE } else { PERSON_ID_TYPE }, number)
    }

    fn ticket(&self, read: &SharedRead, slot: u8) -> Option<Ticket> {
        let sent = self.opened.iter().find(|opened| opened.wanted.author == Author::Slot(slot))?;
        let file = sent.file.as_ref().ok()?.file();
        let name = format!("{CONSENT_PAPER}{}", read.code);
        let paper = file.attachments.iter().find(|paper| paper.name.as_str() == name)?;
        Ticket::parse(std::str::from_utf8(&paper.content).ok()?).ok()
    }

    fn played_by(&self, role: &PartName) -> Option<Uscc> {
        let place = self.known.item.bureau.iter().position(|known| known.code == *role)?;
        self.case.chosen.get(place).copied()
    }
}

/// A node that is away is asked again.
fn passing(failure: Failure) -> Result<(), Failure> {
    if failure.exit == ExitCode::Unreachable { Ok(()) } else { Err(failure) }
}

fn missing(read: &SharedRead, code: &str) -> Stands {
    if read.optional { Stands::Absent } else { Stands::Fault(code.to_owned()) }
}

/// Claims of what was given: one good licence of the kind, or it is nothing that rules could name.
fn given(read: &SharedRead, asked: &Asked) -> Stands {
    let good: Vec<_> = asked.licences.iter().filter(|licence| licence.good).collect();
    match good.as_slice() {
        [licence] => Stands::Values(Value::Object(licence.claims.clone())),
        [] if asked.licences.is_empty() => missing(read, "read_nothing"),
        [] => missing(read, "read_not_good"),
        _ => Stands::Fault("read_several".to_owned()),
    }
}
