//! Whether a reader may: judged by the source before anything is signed, and by the chain again.

use kanhe_proto::case::{Act, CaseEvent, CaseRecord, OPENER_SLOT, Slot};
use kanhe_proto::consent::{Basis, ReadRequest, Statutory, Subject, TypeClaims, Under};
use kanhe_proto::hash::CaseId;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::item::{Ask, Basis as ItemBasis};
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::{HolderKind, KeyEntry, KeyRole, Purpose, PurposeClass};
use kanhe_proto::sd_jwt::{HOLDER_BINDING_CLAIM, KEPT_CLAIMS};
use kanhe_proto::sharing::ReadLetter;

use super::asking::{LICENCE_ID_TYPE, WHO_CONSENTS_ID_TYPE};
use super::holder::who;
use crate::case::{self, Items};
use crate::clock;
use crate::consent::{self, standing};
use crate::follow::Follower;
use crate::issuer::{Office, PERSON_ID_TYPE, Register};
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, say};

/// A refusal by this code, in words.
pub(super) fn refused(code: &str) -> Failure {
    let message = say("issue.rejected", &[("code", &code)]);
    consent::explain(Failure::reported(ExitCode::Refused, code, message))
}

/// Why a read was refused, in words.
pub fn refusal_words(code: &str) -> String {
    refused(code).message
}

/// What a letter is judged with.
pub(super) struct Judging<'a> {
    /// The source.
    pub office: &'a Office,
    /// Its register.
    pub register: &'a Register,
}

/// Least time that a request has left in which it can be recorded.
const TIME_LEFT_MIN: SpanMs = SpanMs(60_000);

type Verdict<T> = Result<Result<T, &'static str>, Failure>;

impl Judging<'_> {
    /// About whom the source gives something to the reader, or the stable code why it does not.
    pub(super) fn judge(&self, letter: &ReadLetter, items: &mut Items, follower: &mut Follower) -> Verdict<Subject> {
        let request = &letter.request.request;
        if request.source != self.office.issuer {
            return Ok(Err("read_other_source"));
        }
        // What could not come into a block any more is asked for anew, and a reader does not get around the record of a refusal.
        let now = clock::now();
        if request.check_time(now).is_err() || request.good_until().since(now) < TIME_LEFT_MIN {
            return Ok(Err("read_time"));
        }
        if letter.asked.check_form().is_err() || self.asks_for_kept(letter) {
            return Ok(Err("read_scope"));
        }
        if let Err(code) = self.signature(letter, request.key, follower)? {
            return Ok(Err(code));
        }
        if let Err(code) = public_benefit(request.purpose.as_str(), follower)? {
            return Ok(Err(code));
        }
        match &request.basis {
            Basis::Consent(under) => self.consent(letter, under, follower),
            Basis::Statutory(statutory) => self.statutory(letter, statutory, items, follower),
        }
    }

    /// What links a person's licences, or shows who reads about them, is given to no bureau.
    fn asks_for_kept(&self, letter: &ReadLetter) -> bool {
        let kept = |claim: &str| KEPT_CLAIMS.contains(&claim) || claim == HOLDER_BINDING_CLAIM;
        letter.asked.scope.iter().any(|of_type| of_type.claims.iter().any(|claim| kept(claim)))
    }

    /// Whether the reader's key is one of its issuing keys now, and signed this.
    fn signature(&self, letter: &ReadLetter, key: KeyId, follower: &mut Follower) -> Verdict<()> {
        let reader = letter.request.request.reader;
        let fetch = |node: &NodeClient| node.key(&reader, key);
        let found = follower.registry::<KeyEntry>(&(reader, key), fetch)?;
        let height = found.header.header.height.next();
        let entry = found.value.filter(|entry| {
            entry.role == KeyRole::Issuing && entry.intervals.hold_at(height) && entry.distrusted_from.is_none()
        });
        let Some(entry) = entry else { return Ok(Err("read_key")) };
        Ok(letter.request.verify(&self.office.chain, &entry.key).map_err(|_| "read_signature"))
    }

    fn consent(&self, letter: &ReadLetter, under: &Under, follower: &mut Follower) -> Verdict<Subject> {
        let Some(shown) = &letter.consent else { return Ok(Err("read_no_consent")) };
        let request = &letter.request.request;
        let found = standing(follower, &under.id)?;
        let Some(consent) = found.consent else { return Ok(Err("consent_unknown")) };
        if let Err(error) = consent.check_read(request, found.time) {
            return Ok(Err(error.code()));
        }
        if found.withdrawing {
            return Ok(Err("consent_withdrawn"));
        }
        let checked = shown.terms.check(&consent.terms, &shown.random, &self.office.issuer, &letter.asked);
        if let Err(error) = checked {
            return Ok(Err(error.code()));
        }
        let holder = match who(&shown.holder, &under.id, &consent.terms, self.office, follower)? {
            Ok(holder) => holder,
            Err(code) => return Ok(Err(code)),
        };
        let about = self.subject(&letter.asked.subject, Some(&holder))?;
        Ok(if about == holder { Ok(about) } else { Err("consent_other_person") })
    }

    fn statutory(
        &self,
        letter: &ReadLetter,
        statutory: &Statutory,
        items: &mut Items,
        follower: &mut Follower,
    ) -> Verdict<Subject> {
        if letter.consent.is_some() {
            return Ok(Err("read_scope"));
        }
        if let Err(code) = public_benefit(statutory.ground.as_str(), follower)? {
            return Ok(Err(code));
        }
        if let Some(id) = &statutory.case {
            let Some(found) = case::read(follower, items, id)? else { return Ok(Err("read_case")) };
            if !found.case.runs_at(found.time) {
                return Ok(Err("read_case"));
            }
            if !is_declared(letter, &found) && !is_instead(letter, statutory, id, &found, follower)? {
                return Ok(Err("read_beyond_item"));
            }
        }
        Ok(Ok(self.subject(&letter.asked.subject, None)?))
    }

    /// The person who is meant.
    pub(super) fn subject(&self, named: &Subject, holder: Option<&Subject>) -> Result<Subject, Failure> {
        let found = match named.id_type.as_str() {
            WHO_CONSENTS_ID_TYPE => holder.cloned(),
            LICENCE_ID_TYPE => match named.id_number.parse() {
                Ok(number) => self.register.holder_of_number(&number)?,
                Err(_) => None,
            },
            _ => None,
        };
        Ok(found.unwrap_or_else(|| named.clone()))
    }
}

/// Whether the item of the case has this read, on a rule, for who plays these roles in it.
fn is_declared(letter: &ReadLetter, found: &case::ProvedCase) -> bool {
    let request: &ReadRequest = &letter.request.request;
    let item = &found.item.item;
    let read = item.read.iter().find(|read| Some(&read.code) == letter.read.as_ref());
    let Some(read) = read.filter(|read| read.basis == ItemBasis::Statute && item.purpose == request.purpose) else {
        return false;
    };
    let played_by = |role: &str| {
        let place = item.bureau.iter().position(|known| known.code.as_str() == role)?;
        found.case.chosen.get(place).copied()
    };
    let [asked] = &letter.asked.scope[..] else { return false };
    let declared = |claim: &str| read.claims.iter().any(|known| known.split(['.', '[']).next() == Some(claim));
    played_by(&read.by) == Some(request.reader)
        && played_by(&read.from) == Some(request.source)
        && asked.type_code == *read.type_ref.code()
        && asked.claims.iter().all(|claim| declared(claim))
}

/// Whether a clerk acts in the case, on this ground, for somebody of whom the item asks this for the reader: proved by the
/// act's record, which the chain has under the signature of the clerk's bureau.
fn is_instead(
    letter: &ReadLetter,
    statutory: &Statutory,
    case: &CaseId,
    found: &case::ProvedCase,
    follower: &mut Follower,
) -> Result<bool, Failure> {
    let (item, request) = (&found.item.item, &letter.request.request);
    let ask = item.ask.iter().find(|ask| Some(&ask.code) == letter.read.as_ref());
    let [asked] = &letter.asked.scope[..] else { return Ok(false) };
    let Some(ask) = ask.filter(|ask| is_asked(ask, asked) && item.purpose == request.purpose) else {
        return Ok(false);
    };
    let roles = item.bureau.iter().zip(found.case.chosen.iter());
    let mut played = roles.filter(|(_, bureau)| **bureau == request.reader);
    if !played.any(|(role, _)| ask.to.contains(&role.code)) {
        return Ok(false);
    }
    if letter.asked.subject.id_type.as_str() != PERSON_ID_TYPE {
        return Ok(false);
    }
    let Some(events) = case::events(follower, case)? else { return Ok(false) };
    let is_helped = |(at, slot): (u8, &Slot)| {
        let party = item.party.get(usize::from(slot.party));
        let is_asked = party.is_some_and(|party| party.code == ask.of && party.kind == HolderKind::Person);
        let last = events.events.iter().rev().find_map(|(_, record)| said_by(record, at));
        let clerk = last.and_then(Act::assisted);
        is_asked && clerk.is_some_and(|clerk| clerk.ground == statutory.ground)
    };
    Ok((0u8..).zip(events.case.slots.iter()).any(is_helped))
}

/// What a slot said with this event, if it said something.
fn said_by(record: &CaseRecord, slot: u8) -> Option<&Act> {
    let CaseEvent::Act(signed) = &record.event else { return None };
    let is_its = match &signed.act {
        Act::Open(_) => slot == OPENER_SLOT,
        Act::Present(present) => slot == present.slot,
        _ => false,
    };
    is_its.then_some(&signed.act)
}

/// Whether an ask is for this, and for no more.
fn is_asked(ask: &Ask, asked: &TypeClaims) -> bool {
    let named = |claim: &str| ask.claims.iter().any(|known| known.split(['.', '[']).next() == Some(claim));
    ask.types.iter().any(|known| *known.code() == asked.type_code) && asked.claims.iter().all(|claim| named(claim))
}

/// Whether a purpose is in force and of public benefit.
pub(super) fn public_benefit(code: &str, follower: &mut Follower) -> Verdict<()> {
    let Ok(id) = kanhe_proto::registry::PurposeCode::new(code) else { return Ok(Err("purpose_unknown")) };
    let found = follower.registry::<Purpose>(&id, |node: &NodeClient| node.purpose(code))?;
    let height = found.header.header.height.next();
    let Some(purpose) = found.value.filter(|purpose| purpose.intervals.hold_at(height)) else {
        return Ok(Err("purpose_unknown"));
    };
    Ok(match purpose.class {
        PurposeClass::PublicBenefit => Ok(()),
        PurposeClass::Commercial => Err("purpose_commercial"),
    })
}
