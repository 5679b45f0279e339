//! A case in order of time: what happened, how it stands, and what is next. All of it is proved; words come from the item.

use std::collections::BTreeMap;

use kanhe_proto::case::{Act, Case, CaseEvent, CaseRecord, CaseStatus, Decide, How, Outcome, SlotKey, StepState};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::registry::Names;
use schemars::JsonSchema;
use serde::Serialize;

use super::assisting::{ClerkShown, PickupShown};
use super::letters::concerns;
use super::own::{Disclosed, OwnCase};
use super::read::{Events, KnownItem};
use crate::talk::{Lang, say_in, shape};

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sentence {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// A case as its parties see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Timeline {
    /// Its id, in hexadecimal.
    pub id: String,
    /// The item and its version.
    pub item: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    pub names: Names,
    /// `open`, `closed`, `rejected`, `withdrawn` or `expired`.
    pub status: &'static str,
    /// Height of the header that proves it.
    pub height: u64,
    /// Time of that header, in milliseconds since 1970: what is late is late by it.
    pub as_of_ms: u64,
    /// When it was opened.
    pub opened_ms: u64,
    /// When its time runs out, if it is not done before.
    pub ends_ms: u64,
    /// As which party this wallet takes part, if it does.
    pub you: Option<String>,
    /// Who takes part.
    pub parties: Vec<PartyShown>,
    /// How each step stands.
    pub steps: Vec<StepShown>,
    /// What happened, oldest first.
    pub events: Vec<EventShown>,
    /// What is next.
    pub next: Vec<NextShown>,
    /// What this wallet disclosed to whom.
    pub disclosed: Vec<Disclosed>,
    /// Codes for those who were invited and have not joined yet.
    pub invitations: Vec<InvitationShown>,
    /// Codes for somebody for whom a clerk acts: with them the licences that come of it are picked up.
    pub pickups: Vec<PickupShown>,
    /// What the applicant said of it, 1 to 5.
    pub stars: Option<u8>,
}

/// Somebody who takes part.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PartyShown {
    /// Place in the case.
    pub slot: u8,
    /// Its name in the item.
    pub party: String,
    /// As people say.
    #[schemars(with = "shape::Names")]
    pub names: Names,
    /// Whether somebody acts in this place.
    pub joined: bool,
    /// How often it was asked to present anew.
    pub round: u32,
    /// When it presented in this round, in milliseconds since 1970.
    pub presented_ms: Option<u64>,
}

/// A step.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StepShown {
    /// Its name in the item.
    pub step: String,
    /// As people say.
    #[schemars(with = "shape::Names")]
    pub names: Names,
    /// Who decides.
    pub bureau: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    pub bureau_names: Names,
    /// `waiting`, `ready`, `approved` or `rejected`.
    pub state: &'static str,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// By when it is to be decided, while it is ready.
    pub due_ms: Option<u64>,
    /// Whether it is not decided in time, by the time of the header.
    pub overdue: bool,
    /// Whether its licences are issued; nothing if none come of it.
    pub issued: Option<bool>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EventShown {
    /// When: time of its block, in milliseconds since 1970.
    pub time_ms: u64,
    /// Block that recorded it.
    pub height: u64,
    /// Where its record is in the log.
    pub record: u64,
    /// `opened`, `presented`, `approved`, `rejected`, `returned`, `issued`, `withdrawn`, `rated` or `expired`.
    pub what: &'static str,
    /// The party that acted.
    pub party: Option<String>,
    /// The bureau that acted.
    pub bureau: Option<String>,
    /// The step that it is about.
    pub step: Option<String>,
    /// Whether rules decided, with no officer.
    pub by_rules: Option<bool>,
    /// Why not: a code of the item.
    pub reason: Option<String>,
    /// The item's words for it.
    pub say: Option<Sentence>,
    /// The bureau's own words, from its letter to this wallet.
    pub words: Option<String>,
    /// Whether there may be a letter to this wallet that could not be fetched yet.
    pub letter_awaited: bool,
    /// The clerk who did it for somebody without a wallet.
    pub clerk: Option<ClerkShown>,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NextShown {
    /// `present`: a party says what is asked. `join`: one who was invited joins. `decide`, `issue`: a bureau. `collect`, `rate`:
    /// this wallet.
    pub what: &'static str,
    /// The party whose turn it is.
    pub party: Option<String>,
    /// The bureau whose turn it is.
    pub bureau: Option<String>,
    /// The step.
    pub step: Option<String>,
    /// By when, in milliseconds since 1970.
    pub by_ms: Option<u64>,
    /// Whether a bureau has not decided in time, by the time of the header.
    pub overdue: bool,
    /// Whether it is the turn of this wallet.
    pub yours: bool,
}

/// An invitation that is open.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InvitationShown {
    /// Place in the case.
    pub slot: u8,
    /// As which party.
    pub party: String,
    /// The code; good for one who joins, once.
    pub code: String,
}

/// A status as programs read it.
pub const fn status(status: CaseStatus) -> &'static str {
    match status {
        CaseStatus::Open => "open",
        CaseStatus::Closed => "closed",
        CaseStatus::Rejected => "rejected",
        CaseStatus::Withdrawn => "withdrawn",
        CaseStatus::Expired => "expired",
    }
}

const fn state(state: StepState) -> &'static str {
    match state {
        StepState::Waiting => "waiting",
        StepState::Ready => "ready",
        StepState::Approved => "approved",
        StepState::Rejected => "rejected",
    }
}

/// What a timeline is made of.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The item.
    pub known: &'a KnownItem,
    /// What the wallet keeps of the case.
    pub own: Option<&'a OwnCase>,
    /// Names of bureaus.
    pub bureaus: &'a BTreeMap<Uscc, Names>,
    /// Whether licences that came of it are still to be collected.
    pub uncollected: bool,
}

impl Sources<'_> {
    /// The case in order of time.
    pub fn timeline(&self, events: &Events) -> Timeline {
        let Events { case, height, time, events: records } = events;
        let item = &self.known.item;
        let shown = |(index, record): &(kanhe_proto::ids::LogIndex, CaseRecord)| EventShown {
            record: index.0,
            ..self.event(case, record)
        };
        Timeline {
            id: case.id.to_string(),
            item: format!("{}:{}", case.item, case.version),
            names: item.names.clone(),
            status: status(case.status),
            height: height.0,
            as_of_ms: time.0,
            opened_ms: case.opened.0,
            ends_ms: case.ends.0,
            you: self.own.map(|own| own.party.to_string()),
            parties: self.parties(case),
            steps: self.steps(case, *time),
            events: records.iter().map(shown).collect(),
            next: self.next(case, *time),
            disclosed: self.own.map(|own| own.disclosed.clone()).unwrap_or_default(),
            invitations: self.invitations(case),
            pickups: self.pickups(case),
            stars: case.stars,
        }
    }

    fn pickups(&self, case: &Case) -> Vec<PickupShown> {
        let assisted = self.own.and_then(|own| own.assisted.as_ref());
        assisted.map_or_else(Vec::new, |assisted| assisted.pickups(&self.known.item, &case.chosen))
    }

    fn party(&self, case: &Case, slot: u8) -> Option<String> {
        let party = case.slots.get(usize::from(slot))?.party;
        Some(self.known.item.party.get(usize::from(party))?.code.to_string())
    }
    fn step_code(&self, step: u8) -> Option<String> {
        Some(self.known.item.step.get(usize::from(step))?.code.to_string())
    }
    fn bureau(&self, case: &Case, step: u8) -> Option<Uscc> {
        case.bureau_of(&self.known.public, step)
    }

    fn parties(&self, case: &Case) -> Vec<PartyShown> {
        let slots = (0u8..).zip(&case.slots).filter_map(|(place, slot)| {
            let party = self.known.item.party.get(usize::from(slot.party))?;
            Some(PartyShown {
                slot: place,
                party: party.code.to_string(),
                names: party.names.clone(),
                joined: matches!(slot.key, SlotKey::Known(_)),
                round: slot.round,
                presented_ms: slot.presented.map(|time| time.0),
            })
        });
        slots.collect()
    }

    fn steps(&self, case: &Case, time: TimeMs) -> Vec<StepShown> {
        let steps = (0u8..).zip(self.known.item.step.iter().zip(&case.steps));
        let shown = steps.filter_map(|(place, (step, stands))| {
            let bureau = self.bureau(case, place)?;
            let role = self.known.item.bureau.iter().find(|role| role.code == step.by)?;
            Some(StepShown {
                step: step.code.to_string(),
                names: step.names.clone(),
                bureau: bureau.to_string(),
                bureau_names: self.bureaus.get(&bureau).unwrap_or(&role.names).clone(),
                state: state(stands.state),
                since_ms: stands.since.0,
                due_ms: stands.due.map(|due| due.0),
                overdue: case.status == CaseStatus::Open && stands.due.is_some_and(|due| due < time),
                issued: case.yields(&self.known.public, place).then_some(stands.issued),
            })
        });
        shown.collect()
    }

    fn event(&self, case: &Case, record: &CaseRecord) -> EventShown {
        let mut shown = EventShown {
            time_ms: record.time.0,
            height: record.height.0,
            record: 0,
            what: "expired",
            party: None,
            bureau: None,
            step: None,
            by_rules: None,
            reason: None,
            say: None,
            words: None,
            letter_awaited: false,
            clerk: None,
        };
        let CaseEvent::Act(signed) = &record.event else { return shown };
        shown.clerk = signed.act.assisted().map(|assisted| assisted.clerk().into());
        match &signed.act {
            Act::Open(_) => (shown.what, shown.party) = ("opened", self.party(case, 0)),
            Act::Present(present) => (shown.what, shown.party) = ("presented", self.party(case, present.slot)),
            Act::Decide(decide) => {
                shown.what = match decide.outcome {
                    Outcome::Approved => "approved",
                    Outcome::Rejected => "rejected",
                    Outcome::Returned => "returned",
                };
                shown.bureau = self.bureau(case, decide.step).map(|uscc| uscc.to_string());
                shown.step = self.step_code(decide.step);
                shown.by_rules = Some(decide.how == How::Rules);
                shown.reason = decide.reason.as_ref().map(ToString::to_string);
                shown.say = decide.reason.as_ref().and_then(|reason| self.say(reason));
                (shown.words, shown.letter_awaited) = self.letter(decide);
            }
            Act::Issued(issued) => {
                shown.what = "issued";
                shown.bureau = self.bureau(case, issued.step).map(|uscc| uscc.to_string());
                shown.step = self.step_code(issued.step);
            }
            Act::Withdraw(withdraw) => (shown.what, shown.party) = ("withdrawn", self.party(case, withdraw.slot)),
            Act::Rate(_) => {
                let applicant = case.applicant(&self.known.public).map(|(slot, _)| slot);
                (shown.what, shown.party) = ("rated", applicant.and_then(|slot| self.party(case, slot)));
            }
        }
        shown
    }

    /// What the letter of a decision says to this wallet, and whether one is still awaited.
    fn letter(&self, decide: &Decide) -> (Option<String>, bool) {
        let (Some(commitment), Some(own)) = (&decide.letter, self.own) else { return (None, false) };
        let read = own.letters.iter().find(|letter| letter.commitment == *commitment);
        let awaited = read.is_none() && concerns(self.known, own, decide.step);
        (read.map(|letter| letter.words.clone()), awaited)
    }

    /// The item's words for a reason, which is the code of a rule, or why whoever acts for an enterprise may not.
    fn say(&self, reason: &str) -> Option<Sentence> {
        let rule = self.known.item.rule.iter().find(|rule| rule.code.as_str() == reason);
        let Some(rule) = rule else { return own_words(reason) };
        Some(Sentence { zh: rule.say.zh.to_string(), en: rule.say.en.to_string() })
    }

    /// What is next in a case as of a header of this time, and whose turn it is.
    pub fn next(&self, case: &Case, time: TimeMs) -> Vec<NextShown> {
        let mut next = Vec::new();
        let mine = |slot: u8| self.own.is_some_and(|own| own.slot == slot);
        let (by_ms, overdue) = (None, false);
        let plain = |what| NextShown { what, party: None, bureau: None, step: None, by_ms, overdue, yours: true };
        let is_open = case.status == CaseStatus::Open;
        for (place, slot) in (0u8..).zip(&case.slots).filter(|(_, slot)| is_open && slot.presented.is_none()) {
            let what = if matches!(slot.key, SlotKey::Invited(_)) { "join" } else { "present" };
            let party = self.party(case, place);
            next.push(NextShown { party, by_ms: Some(case.ends.0), yours: mine(place), ..plain(what) });
        }
        for (place, step) in (0u8..).zip(&case.steps).filter(|_| is_open) {
            let bureau = self.bureau(case, place).map(|uscc| uscc.to_string());
            let about = NextShown { bureau, step: self.step_code(place), yours: false, ..plain("decide") };
            match step.state {
                StepState::Ready => {
                    let overdue = step.due.is_some_and(|due| due < time);
                    next.push(NextShown { by_ms: step.due.map(|due| due.0), overdue, ..about });
                }
                StepState::Approved if !step.issued && case.yields(&self.known.public, place) => {
                    next.push(NextShown { what: "issue", ..about });
                }
                _ => {}
            }
        }
        if self.uncollected && case.steps.iter().any(|step| step.issued) {
            next.push(plain("collect"));
        }
        let applicant = case.applicant(&self.known.public).is_some_and(|(slot, _)| mine(slot));
        if !is_open && case.stars.is_none() && applicant {
            next.push(NextShown { by_ms: case.forget.map(|forget| forget.0), ..plain("rate") });
        }
        next
    }

    fn invitations(&self, case: &Case) -> Vec<InvitationShown> {
        let Some(own) = self.own else { return Vec::new() };
        let open = own.invitations.iter().filter(|invited| {
            let slot = case.slots.get(usize::from(invited.slot));
            slot.is_some_and(|slot| matches!(slot.key, SlotKey::Invited(_))) && case.status == CaseStatus::Open
        });
        open.map(|invited| InvitationShown::of(own, invited)).collect()
    }
}

impl InvitationShown {
    /// The code of an invitation.
    pub fn of(own: &OwnCase, invited: &super::own::Invited) -> Self {
        let (case, slot, secret) = (own.id, invited.slot, invited.secret.clone());
        let code = super::invitation::InvitationCode { case, slot, secret }.shown();
        Self { slot, party: invited.party.to_string(), code }
    }
}

/// Words for reasons of the desk itself: refused mandates.
fn own_words(reason: &str) -> Option<Sentence> {
    if !["account_", "delegate_", "mandate_"].iter().any(|group| reason.starts_with(group)) {
        return None;
    }
    let key = format!("desk.fault.{reason}");
    let words = |lang| Some(say_in(lang, &key, &[])).filter(|text| !text.ends_with(&key));
    Some(Sentence { zh: words(Lang::Zh)?, en: words(Lang::En)? })
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::List;
    use kanhe_proto::case::{CaseStep, Slot};
    use kanhe_proto::hash::{CaseId, Commitment};
    use kanhe_proto::ids::{Height, LogIndex};
    use kanhe_proto::item::PartName;
    use kanhe_proto::key::{SecretKey, Signer as _};

    use super::super::parcel::tests::{bureaus, flat};
    use super::*;
    use crate::wallet::Seed;

    fn slot(party: u8, known: bool, presented: Option<u64>) -> Slot {
        let key = SecretKey::from_seed([party + 1; 32]).public_key();
        let key = if known { SlotKey::Known(key) } else { SlotKey::Invited(key) };
        Slot { party, key, round: 0, presented: presented.map(TimeMs), letter_key: None }
    }

    fn case() -> Case {
        let known = flat();
        let step = |state| CaseStep { state, round: 0, since: TimeMs(10), due: None, issued: false };
        let mut steps = vec![step(StepState::Waiting); 4];
        steps[0] = CaseStep { due: Some(TimeMs(90)), ..step(StepState::Ready) };
        Case {
            id: CaseId([5; 32]),
            item: known.item.code.clone(),
            version: known.item.version,
            chosen: List::new(bureaus()).unwrap(),
            slots: List::new(vec![slot(0, true, Some(10)), slot(1, false, None)]).unwrap(),
            steps: List::new(steps).unwrap(),
            status: CaseStatus::Open,
            opened: TimeMs(10),
            ends: TimeMs(1_000),
            events: 1,
            last: LogIndex(3),
            forget: None,
            stars: None,
        }
    }

    fn own(slot: u8, party: &str) -> OwnCase {
        let known = flat();
        let chain = kanhe_proto::hash::ChainId([1; 32]);
        let (code, version) = (known.item.code.clone(), known.item.version);
        let party = PartName::new(party).unwrap();
        OwnCase { slot, party, ..OwnCase::begin(&chain, code, version, TimeMs(1)).unwrap() }
    }

    fn told(case: &Case, own: Option<&OwnCase>, events: Vec<(LogIndex, CaseRecord)>) -> Timeline {
        let (known, names) = (flat(), BTreeMap::new());
        let sources = Sources { known: &known, own, bureaus: &names, uncollected: true };
        let (case, height, time) = (case.clone(), Height(9), TimeMs(100));
        sources.timeline(&Events { case, height, time, events })
    }

    fn next<'a>(timeline: &'a Timeline) -> Vec<(&'a str, Option<&'a str>, bool)> {
        let about = |next: &'a NextShown| (next.what, next.step.as_deref().or(next.party.as_deref()), next.yours);
        timeline.next.iter().map(about).collect()
    }

    #[test]
    fn what_is_next_is_told_with_whose_turn_it_is() {
        let mut own_case = own(0, "developer");
        let secret = Seed::from_bytes([2; 32]);
        own_case.invitations.push(super::super::own::Invited {
            party: PartName::new("buyer").unwrap(),
            slot: 1,
            secret,
        });
        let timeline = told(&case(), Some(&own_case), Vec::new());
        assert_eq!(next(&timeline), [("join", Some("buyer"), false), ("decide", Some("filing"), false)]);
        assert_eq!(
            (timeline.invitations.len(), timeline.steps[0].overdue, timeline.next[1].by_ms, timeline.next[1].overdue),
            (1, true, Some(90), true)
        );

        let mut running = case();
        running.slots.as_mut_slice()[1] = Slot { round: 1, ..slot(1, true, None) };
        running.steps.as_mut_slice()[0].state = StepState::Approved;
        running.steps.as_mut_slice()[3].state = StepState::Approved;
        let timeline = told(&running, Some(&own(1, "buyer")), Vec::new());
        assert_eq!(next(&timeline), [("present", Some("buyer"), true), ("issue", Some("register"), false)]);
        assert!(timeline.invitations.is_empty());

        let mut done = running;
        done.steps.as_mut_slice()[3].issued = true;
        (done.status, done.forget) = (CaseStatus::Closed, Some(TimeMs(5_000)));
        let timeline = told(&done, Some(&own(1, "buyer")), Vec::new());
        assert_eq!(next(&timeline), [("collect", None, true), ("rate", None, true)]);
        let timeline = told(&done, None, Vec::new());
        assert_eq!((next(&timeline), &timeline.you), (vec![("collect", None, true)], &None));
    }

    #[test]
    fn a_reason_is_told_in_the_items_words() {
        let case = case();
        let key = SecretKey::from_seed([9; 32]);
        let decide = Decide {
            case: case.id,
            step: 0,
            round: 0,
            key: key.public_key().id(),
            outcome: Outcome::Returned,
            how: How::Officer { officer: Commitment([1; 32]) },
            run: None,
            reason: Some(PartName::new("building_named").unwrap()),
            letter: None,
            passed: List::empty(),
        };
        let chain = kanhe_proto::vote::ChainContext {
            chain_id: kanhe_proto::hash::ChainId([1; 32]),
            era: kanhe_proto::ids::Era(0),
        };
        let record = CaseRecord {
            case: case.id,
            number: 1,
            before: Some(LogIndex(3)),
            item: case.item.clone(),
            version: case.version,
            event: CaseEvent::Act(Act::Decide(decide).sign(&chain, &key).unwrap()),
            status: CaseStatus::Open,
            height: Height(8),
            time: TimeMs(80),
        };
        let timeline = told(&case, None, vec![(LogIndex(7), record)]);
        let event = &timeline.events[0];
        assert_eq!((event.what, event.record, event.by_rules), ("returned", 7, Some(false)));
        assert_eq!(event.bureau.as_deref(), Some(bureaus()[0].to_string().as_str()));
        assert_eq!(event.say.as_ref().unwrap().en, "Say which building it is.");
    }
}
