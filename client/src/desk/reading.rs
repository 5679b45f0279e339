//! What the bureau reads of others for a step: asked by itself, each read on its own ground. The item lets it read some; and
//! what somebody would show who has no wallet is read instead, where a clerk acts.
//!
//! On a rule the request names the case; under a consent it shows what the party's file has for it. What was asked is kept
//! before it leaves, so that after a crash nothing is asked twice. A read that is refused keeps the rules alone from
//! deciding: an officer sees its code. One that is optional is absent then.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::bounded::Text;
use kanhe_proto::case::{Case, Clerk};
use kanhe_proto::case_file::{Author, Helped};
use kanhe_proto::consent::Subject;
use kanhe_proto::identifiers::{Day, Uscc, Vct};
use kanhe_proto::item::{Ask, Basis, PartName, SharedRead};
use serde_json::{Map, Value, json};

use super::checking::{Opened, trouble};
use super::document::Part;
use super::row::{Fault, RowKey, Trouble};
use crate::case::{CONSENT_PAPER, KnownItem};
use crate::clock;
use crate::consent::{Ticket, scope_of};
use crate::follow::Follower;
use crate::issuer::{ENTERPRISE_ID_TYPE, Office, PERSON_ID_TYPE, Register, subject};
use crate::reads::{Ask as Request, Asked, AskedState, CaseRead, Ground, Reader, fetch, receive, refuse, send};
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
    /// What was read instead of being shown, by the slot for whose party a clerk acts.
    pub shown: BTreeMap<u8, ReadShown>,
    /// Why something is not there.
    pub faults: Vec<Fault>,
}

/// Licences that were read instead of being shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadShown {
    /// Claims by ask.
    pub given: Map<String, Value>,
    /// What evidence says, by ask.
    pub evidence: Map<String, Value>,
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
    Given(Box<Asked>),
    Absent,
    Fault(String),
}

/// Something that is to be read.
enum Want<'a> {
    /// What the item lets the bureau read.
    Read(&'a SharedRead),
    /// What a party would show, if a clerk did not act for it.
    Ask(&'a Ask, &'a Helped, &'a Clerk),
}

impl Want<'_> {
    const fn code(&self) -> &PartName {
        match self {
            Self::Read(read) => &read.code,
            Self::Ask(ask, ..) => &ask.code,
        }
    }
    const fn is_optional(&self) -> bool {
        match self {
            Self::Read(read) => read.optional,
            Self::Ask(ask, ..) => ask.optional,
        }
    }
    const fn is_ask(&self) -> bool {
        matches!(self, Self::Ask(..))
    }
    fn missing(&self, code: &str) -> Stands {
        if self.is_optional() { Stands::Absent } else { Stands::Fault(code.to_owned()) }
    }
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
            let Some(slot) = self.slot_of(&read.of) else { continue };
            match self.one(&Want::Read(read), slot, &asked, follower)? {
                Stands::Pending => pending = true,
                Stands::Given(of) => drop(found.values.insert(read.code.to_string(), claims(&of))),
                Stands::Absent => {}
                Stands::Fault(code) => {
                    found.faults.push(Fault::of(&code, Some(&read.of), format!("read.{}", read.code)));
                }
            }
        }
        for opened in self.opened {
            let (Author::Slot(slot), Some((helped, clerk))) = (opened.wanted.author, opened.helped()) else { continue };
            let (shown, faults) = match self.asks(slot, &step.by, (helped, clerk), &asked, follower)? {
                Some(read) => read,
                None => {
                    pending = true;
                    continue;
                }
            };
            found.shown.insert(slot, shown);
            found.faults.extend(faults);
        }
        Ok(if pending { Err(trouble("reads_pending")) } else { Ok(found) })
    }

    /// What the item asks of a party for whom a clerk acts, and this bureau is to see; nothing while an answer is waited for.
    fn asks(
        &self,
        slot: u8,
        role: &PartName,
        (helped, clerk): (&Helped, &Clerk),
        asked: &[Asked],
        follower: &mut Follower,
    ) -> Result<Option<(ReadShown, Vec<Fault>)>, Failure> {
        let item = &self.known.item;
        let party = self.case.slots.get(usize::from(slot)).and_then(|slot| item.party.get(usize::from(slot.party)));
        let Some(party) = party else { return Ok(Some(Default::default())) };
        let (mut shown, mut faults, mut pending) = (ReadShown::default(), Vec::new(), false);
        for ask in item.ask.iter().filter(|ask| ask.of == party.code && ask.to.contains(role)) {
            let name = ask.code.to_string();
            match self.one(&Want::Ask(ask, helped, clerk), slot, asked, follower)? {
                Stands::Pending => pending = true,
                Stands::Given(of) => {
                    shown.evidence.insert(name.clone(), evidence(&of, self.case, slot));
                    shown.given.insert(name, within(ask, claims(&of)));
                }
                Stands::Absent => {}
                Stands::Fault(code) => faults.push(Fault::of(&code, Some(&party.code), format!("given.{name}"))),
            }
        }
        Ok((!pending).then_some((shown, faults)))
    }

    /// The slot of a party that has said something.
    fn slot_of(&self, party: &PartName) -> Option<u8> {
        let slot = (0u8..).zip(self.case.slots.iter()).find(|(_, slot)| {
            let known = self.known.item.party.get(usize::from(slot.party));
            slot.presented.is_some() && known.is_some_and(|known| known.code == *party)
        });
        slot.map(|(slot, _)| slot)
    }

    fn one(&self, want: &Want<'_>, slot: u8, asked: &[Asked], follower: &mut Follower) -> Result<Stands, Failure> {
        let is_it = |of: &CaseRead| (&of.read, of.slot, of.is_ask) == (want.code(), slot, want.is_ask());
        let mut tries: Vec<Asked> =
            asked.iter().filter(|asked| asked.case.as_ref().is_some_and(is_it)).cloned().collect();
        let Some(mut last) = tries.pop() else { return self.begin(want, slot, follower) };
        if last.state == AskedState::Asked {
            self.look(&mut last, follower)?;
        }
        let refused = last.code.clone().filter(|_| last.state == AskedState::Refused);
        match (last.state, refused) {
            (AskedState::Asked, _) => Ok(Stands::Pending),
            (AskedState::Given, _) => Ok(given(want, last)),
            (AskedState::Refused, Some(code)) if AGAIN.contains(&code.as_str()) && tries.len() + 1 < TRIES => {
                self.begin(want, slot, follower)
            }
            (AskedState::Refused, code) => Ok(want.missing(code.as_deref().unwrap_or("read_unanswered"))),
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

    fn begin(&self, want: &Want<'_>, slot: u8, follower: &mut Follower) -> Result<Stands, Failure> {
        let (case, step, round) = (self.key.case, self.key.step, self.key.round);
        let case = CaseRead { case, step, round, slot, read: want.code().clone(), is_ask: want.is_ask() };
        let ask = match want {
            Want::Read(read) => self.read(read, case)?,
            Want::Ask(ask, helped, clerk) => self.instead(ask, helped, clerk, case)?,
        };
        let ask = match ask {
            Ok(ask) => ask,
            Err(code) => return Ok(want.missing(code)),
        };
        let made = Reader { office: self.office, register: self.register }.make(ask, follower);
        let asked = match made {
            Ok(asked) => asked,
            // The chain has no such consent, or no such source: its word, under its certificate.
            Err(failure) if failure.exit == ExitCode::Refused || failure.code == "no_sealing_key" => {
                return Ok(want.missing(&failure.code));
            }
            Err(failure) => return Err(failure),
        };
        send(&asked, follower.nodes()).or_else(passing)?;
        Ok(Stands::Pending)
    }

    /// What the item lets this bureau read, or why it cannot be asked for.
    fn read(&self, read: &SharedRead, case: CaseRead) -> Result<Result<Request, &'static str>, Failure> {
        let item = &self.known.item;
        let Some((subject, source)) = self.about(case.slot).zip(self.played_by(&read.from)) else {
            return Ok(Err("read_no_subject"));
        };
        let ground = match read.basis {
            Basis::Statute => Ground::Statute { ground: item.purpose.clone(), case: Some(case.clone()) },
            Basis::Consent => match self.ticket(read, case.slot) {
                Some(ticket) => Ground::Consent(Box::new(ticket)),
                None => return Ok(Err("read_no_consent")),
            },
        };
        let scope = scope_of(read.type_ref.code().clone(), outer(&read.claims))?;
        Ok(Ok(Request { source, subject, scope, purpose: item.purpose.clone(), ground, case: Some(case) }))
    }

    /// What a person would have shown, on the ground that the clerk's act names, of whom the clerk names; or why it cannot be
    /// asked for.
    fn instead(
        &self,
        ask: &Ask,
        helped: &Helped,
        clerk: &Clerk,
        case: CaseRead,
    ) -> Result<Result<Request, &'static str>, Failure> {
        let Some(of) = helped.asks.iter().find(|of| of.ask == ask.code) else { return Ok(Err("read_no_source")) };
        if !ask.types.iter().any(|known| *known.code() == of.type_code) {
            return Ok(Err("read_no_source"));
        }
        let scope = scope_of(of.type_code.clone(), outer(&ask.claims))?;
        let ground = Ground::Statute { ground: clerk.ground.clone(), case: Some(case.clone()) };
        let (subject, purpose) = (helped.person.clone(), self.known.item.purpose.clone());
        Ok(Ok(Request { source: of.source, subject, scope, purpose, ground, case: Some(case) }))
    }

    /// The party by the number that a clerk has seen, or else in a licence that it gave.
    fn about(&self, slot: u8) -> Option<Subject> {
        let sent = self.opened.iter().find(|opened| opened.wanted.author == Author::Slot(slot));
        if let Some((helped, _)) = sent.and_then(Opened::helped) {
            return Some(helped.person.clone());
        }
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

/// Names of claims as a source knows them.
fn outer<const BYTES: usize>(claims: &[Text<BYTES>]) -> impl Iterator<Item = String> + '_ {
    claims.iter().filter_map(|claim| claim.split(['.', '[']).next()).map(str::to_owned)
}

/// What was given: one good licence of the kind, or it is nothing that rules could name.
fn given(want: &Want<'_>, mut asked: Asked) -> Stands {
    let is_none = asked.licences.is_empty();
    asked.licences.retain(|licence| licence.good);
    match asked.licences.len() {
        1 => Stands::Given(Box::new(asked)),
        0 if is_none => want.missing("read_nothing"),
        0 => want.missing("read_not_good"),
        _ => Stands::Fault("read_several".to_owned()),
    }
}

/// Claims of the one licence that was given.
fn claims(asked: &Asked) -> Value {
    asked.licences.first().map_or(Value::Null, |licence| Value::Object(licence.claims.clone()))
}

/// No more of a licence than is asked for.
fn within(ask: &Ask, claims: Value) -> Value {
    let Value::Object(mut claims) = claims else { return claims };
    claims.retain(|name, _| outer(&ask.claims).any(|known| known == *name));
    Value::Object(claims)
}

/// What rules may know of a licence that was read, as of the act: the same names as of one that was shown.
fn evidence(asked: &Asked, case: &Case, slot: u8) -> Value {
    let mut known = Map::new();
    known.insert("issuer".to_owned(), asked.source.to_string().into());
    if let Some(licence) = asked.licences.first() {
        if let Ok(vct) = licence.vct.parse::<Vct>() {
            known.insert("type".to_owned(), vct.code.to_string().into());
            known.insert("version".to_owned(), vct.version.0.into());
        }
        known.insert("status".to_owned(), json!(licence.status));
        if let Some(issued) = licence.issued {
            known.insert("issued".to_owned(), Day::of(issued).to_string().into());
        }
    }
    let presented = case.slots.get(usize::from(slot)).and_then(|slot| slot.presented);
    known.extend(presented.map(|at| ("as_of".to_owned(), Day::of(at).to_string().into())));
    Value::Object(known)
}
