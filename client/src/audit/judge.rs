//! Whether the events of a case are what the item and the registry allow.
//!
//! That the records are on the chain, whole and in this order, was proved before. A chain whose validators all lie could
//! still hold what nobody signed: so each signature is verified once more, and each decision against the item's own text.

use std::collections::BTreeSet;

use kanhe_proto::case::{Act, Case, CaseEvent, CaseRecord, Decide, How, Open, Outcome, Present, SignedAct, SlotKey};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::KeyRole;
use kanhe_proto::vote::ChainContext;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;

use super::Keys;
use super::keys::named;
use crate::case::KnownItem;
use crate::rules::{ENGINE, Job, rules_digest};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The case was opened, and its opener presented.
    Opened,
    /// A party presented.
    Presented,
    /// A step was decided: yes.
    Approved,
    /// A step was decided: no.
    Rejected,
    /// A step was handed back.
    Returned,
    /// What a step yields was issued.
    Issued,
    /// The case was taken back.
    Withdrawn,
    /// The applicant rated it.
    Rated,
    /// Its time ran out.
    Expired,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// The one-time key of a slot.
    Slot(u8),
    /// A bureau, with its issuing key.
    Bureau(Uscc, KeyId),
    /// Nobody: the block's time.
    Time,
}

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is about another case, item or version.
    OtherCase,
    /// It is not signed by the key that it must be of.
    SignatureWrong,
    /// The key is not in the registry as an issuing key of this bureau, or was not in force.
    KeyNotInForce,
    /// The bureau is not among those that may play the role.
    BureauNotBound,
    /// No such slot, step or invitation.
    NotNamed,
    /// A step that it needs was not approved, or a party that it waits for had not presented.
    NotReady,
    /// It decides what was decided.
    DecidedTwice,
    /// It is of another round.
    OtherRound,
    /// The rules or the engine are not those of the item's text.
    OtherRules,
    /// Decided by rules alone, though the item asks for an officer.
    OfficerMissing,
    /// It came after the case had ended.
    AfterEnd,
    /// Its time had not run out.
    NotExpired,
}

/// An event, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where its record is.
    pub index: LogIndex,
    /// Block.
    pub height: Height,
    /// Time of the block.
    pub time: TimeMs,
    /// What.
    pub done: Done,
    /// Place of the step, if it is about one.
    pub step: Option<u8>,
    /// Who.
    pub signer: Signer,
    /// Whether no officer decided; nothing where nothing was decided.
    pub by_rules: Option<bool>,
    /// Whether it came after the step's time limit.
    pub late: bool,
    /// What is wrong; empty: proved.
    pub faults: Vec<Fault>,
}

struct SlotState {
    party: u8,
    key: SlotKey,
    round: u32,
    presented: bool,
}

#[derive(Clone)]
struct StepState {
    approved: bool,
    rejected: bool,
    issued: bool,
    round: u32,
    ready: Option<TimeMs>,
}

/// The case as its events make it.
struct Replay<'a> {
    chain: &'a ChainContext,
    known: &'a KnownItem,
    case: &'a Case,
    keys: &'a Keys,
    slots: Vec<SlotState>,
    steps: Vec<StepState>,
    over: bool,
}

/// Judges all events of a case, the opening first.
pub fn judge(
    chain: &ChainContext,
    known: &KnownItem,
    case: &Case,
    keys: &Keys,
    events: &[(LogIndex, CaseRecord)],
) -> Vec<Finding> {
    let step = StepState { approved: false, rejected: false, issued: false, round: 0, ready: None };
    let steps = vec![step; known.public.steps.len()];
    let mut replay = Replay { chain, known, case, keys, slots: Vec::new(), steps, over: false };
    events.iter().map(|(index, record)| replay.take(*index, record)).collect()
}

impl Replay<'_> {
    fn take(&mut self, index: LogIndex, record: &CaseRecord) -> Finding {
        let mut faults = BTreeSet::new();
        let of_case = (record.case, &record.item, record.version);
        if of_case != (self.case.id, &self.case.item, self.case.version) {
            faults.insert(Fault::OtherCase);
        }
        let mut finding = Finding {
            index,
            height: record.height,
            time: record.time,
            done: Done::Expired,
            step: None,
            signer: Signer::Time,
            by_rules: None,
            late: false,
            faults: Vec::new(),
        };
        match &record.event {
            CaseEvent::Expired => {
                if record.time < self.case.ends {
                    faults.insert(Fault::NotExpired);
                }
                self.over = true;
            }
            CaseEvent::Act(signed) => self.act(signed, record, &mut finding, &mut faults),
        }
        self.make_ready(record.time);
        finding.faults = faults.into_iter().collect();
        finding
    }

    fn act(&mut self, signed: &SignedAct, record: &CaseRecord, finding: &mut Finding, faults: &mut BTreeSet<Fault>) {
        if signed.act.case(&self.chain.chain_id) != self.case.id {
            faults.insert(Fault::OtherCase);
        }
        if self.over && !matches!(signed.act, Act::Rate(_)) {
            faults.insert(Fault::AfterEnd);
        }
        let bureau = named(record, &self.known.public, &self.case.chosen);
        match &signed.act {
            Act::Open(open) => {
                (finding.done, finding.signer) = (Done::Opened, Signer::Slot(0));
                self.open(open, faults);
                self.signed_by(signed, Some(open.key.clone()), faults);
                if let Some(bureau) = bureau {
                    match self.issuing_key(bureau, record.height, faults) {
                        Some(key) if open.verify_assisted(self.chain, &key).is_ok() => {}
                        _ => _ = faults.insert(Fault::SignatureWrong),
                    }
                }
            }
            Act::Present(present) => {
                (finding.done, finding.signer) = (Done::Presented, Signer::Slot(present.slot));
                let key = self.present(present, faults);
                self.signed_by(signed, key, faults);
            }
            Act::Decide(decide) => {
                finding.done = match decide.outcome {
                    Outcome::Approved => Done::Approved,
                    Outcome::Rejected => Done::Rejected,
                    Outcome::Returned => Done::Returned,
                };
                (finding.step, finding.by_rules) = (Some(decide.step), Some(decide.how == How::Rules));
                finding.late = self.is_late(decide.step, record.time);
                self.by_bureau(signed, bureau, record.height, finding, faults);
                self.decide(decide, faults);
            }
            Act::Issued(issued) => {
                (finding.done, finding.step) = (Done::Issued, Some(issued.step));
                self.by_bureau(signed, bureau, record.height, finding, faults);
                match self.steps.get_mut(usize::from(issued.step)) {
                    Some(step) if !step.approved => _ = faults.insert(Fault::NotReady),
                    Some(step) if step.issued => _ = faults.insert(Fault::DecidedTwice),
                    Some(step) => step.issued = true,
                    None => _ = faults.insert(Fault::NotNamed),
                }
            }
            Act::Withdraw(withdraw) => {
                (finding.done, finding.signer) = (Done::Withdrawn, Signer::Slot(withdraw.slot));
                let key = self.slot_key(withdraw.slot);
                self.signed_by(signed, key, faults);
                self.over = true;
            }
            Act::Rate(_) => {
                let applicant = self.applicant();
                (finding.done, finding.signer) = (Done::Rated, Signer::Slot(applicant.unwrap_or_default()));
                let key = applicant.and_then(|slot| self.slot_key(slot));
                self.signed_by(signed, key, faults);
            }
        }
    }

    fn open(&mut self, open: &Open, faults: &mut BTreeSet<Fault>) {
        let (item, chosen) = (&self.known.public, &self.case.chosen);
        if open.file != item.file || open.chosen != *chosen {
            faults.insert(Fault::OtherCase);
        }
        let bound = item.bureaus.len() == chosen.len()
            && item.bureaus.iter().zip(chosen.iter()).all(|(role, bureau)| role.bound.contains(bureau));
        if !bound {
            faults.insert(Fault::BureauNotBound);
        }
        let opens = (0u8..).zip(item.parties.iter()).find(|(_, party)| party.opens).map_or(0, |(place, _)| place);
        self.slots = vec![SlotState { party: opens, key: SlotKey::Known(open.key.clone()), round: 0, presented: true }];
        let others = open.slots.iter();
        self.slots.extend(others.map(|slot| SlotState {
            party: slot.party,
            key: slot.key.clone(),
            round: 0,
            presented: false,
        }));
    }

    /// The key that the party must have signed with.
    fn present(&mut self, present: &Present, faults: &mut BTreeSet<Fault>) -> Option<PublicKey> {
        let Some(slot) = self.slots.get_mut(usize::from(present.slot)) else {
            faults.insert(Fault::NotNamed);
            return None;
        };
        if slot.round != present.round || slot.presented {
            faults.insert(Fault::OtherRound);
        }
        slot.presented = true;
        let key = match (&slot.key, &present.join) {
            (SlotKey::Invited(invitation), Some(join))
                if join.verify(self.chain, &present.case, present.slot, invitation).is_ok() =>
            {
                join.key.clone()
            }
            (SlotKey::Known(key), None) => key.clone(),
            _ => {
                faults.insert(Fault::NotNamed);
                return None;
            }
        };
        slot.key = SlotKey::Known(key.clone());
        Some(key)
    }

    fn decide(&mut self, decide: &Decide, faults: &mut BTreeSet<Fault>) {
        let place = usize::from(decide.step);
        let (Some(asked), Some(written)) = (self.known.public.steps.get(place), self.known.item.step.get(place)) else {
            faults.insert(Fault::NotNamed);
            return;
        };
        let state = &self.steps[place];
        if state.approved || state.rejected {
            faults.insert(Fault::DecidedTwice);
        }
        if state.ready.is_none() {
            faults.insert(Fault::NotReady);
        }
        if state.round != decide.round {
            faults.insert(Fault::OtherRound);
        }
        if decide.how == How::Rules && !asked.auto {
            faults.insert(Fault::OfficerMissing);
        }
        let job = Job::of(&self.known.item, written, Map::new());
        let same = |run: &kanhe_proto::case::Run| run.rules == rules_digest(&job) && run.engine.as_str() == ENGINE;
        if decide.how == How::Rules && decide.run.is_none() || decide.run.as_ref().is_some_and(|run| !same(run)) {
            faults.insert(Fault::OtherRules);
        }
        match decide.outcome {
            Outcome::Approved => self.steps[place].approved = true,
            Outcome::Rejected => (self.steps[place].rejected, self.over) = (true, true),
            Outcome::Returned => self.hand_back(place),
        }
    }

    /// Whom the step waited for presents anew, and whoever has yet to decide on it begins anew.
    fn hand_back(&mut self, place: usize) {
        let item = &self.known.public;
        let mut parties = BTreeSet::new();
        for slot in &mut self.slots {
            if item.steps[place].waits_for.contains(&slot.party) {
                (slot.round, slot.presented) = (slot.round + 1, false);
                parties.insert(slot.party);
            }
        }
        for (state, asked) in self.steps.iter_mut().zip(item.steps.iter()) {
            let open = !state.approved && !state.rejected;
            if open && asked.waits_for.iter().any(|party| parties.contains(party)) {
                (state.round, state.ready) = (state.round + 1, None);
            }
        }
    }

    fn make_ready(&mut self, time: TimeMs) {
        for place in 0..self.steps.len() {
            let asked = &self.known.public.steps[place];
            let approved = |need: &u8| self.steps.get(usize::from(*need)).is_some_and(|step| step.approved);
            let presented = |slot: &SlotState| !asked.waits_for.contains(&slot.party) || slot.presented;
            let whole = asked.needs.iter().all(approved) && self.slots.iter().all(presented);
            let state = &mut self.steps[place];
            if !state.approved && !state.rejected {
                state.ready = whole.then(|| state.ready.unwrap_or(time));
            }
        }
    }

    fn is_late(&self, step: u8, time: TimeMs) -> bool {
        let place = usize::from(step);
        let (Some(state), Some(asked)) = (self.steps.get(place), self.known.public.steps.get(place)) else {
            return false;
        };
        state.ready.is_some_and(|ready| time > ready.after(asked.limit))
    }

    fn by_bureau(
        &self,
        signed: &SignedAct,
        bureau: Option<(Uscc, KeyId)>,
        height: Height,
        finding: &mut Finding,
        faults: &mut BTreeSet<Fault>,
    ) {
        let Some((uscc, key)) = bureau else {
            faults.insert(Fault::NotNamed);
            return;
        };
        finding.signer = Signer::Bureau(uscc, key);
        let key = self.issuing_key((uscc, key), height, faults);
        self.signed_by(signed, key, faults);
    }

    fn issuing_key(&self, id: (Uscc, KeyId), height: Height, faults: &mut BTreeSet<Fault>) -> Option<PublicKey> {
        let entry = self.keys.get(&id);
        let good = entry.filter(|entry| entry.role == KeyRole::Issuing && entry.intervals.hold_at(height));
        if good.is_none() {
            faults.insert(Fault::KeyNotInForce);
        }
        entry.map(|entry| entry.key.clone())
    }

    fn signed_by(&self, signed: &SignedAct, key: Option<PublicKey>, faults: &mut BTreeSet<Fault>) {
        if key.is_none_or(|key| signed.verify(self.chain, &key).is_err()) {
            faults.insert(Fault::SignatureWrong);
        }
    }

    fn slot_key(&self, slot: u8) -> Option<PublicKey> {
        match &self.slots.get(usize::from(slot))?.key {
            SlotKey::Known(key) => Some(key.clone()),
            SlotKey::Invited(_) => None,
        }
    }

    fn applicant(&self) -> Option<u8> {
        let is_applicant = |party: u8| self.known.public.parties.get(usize::from(party)).is_some_and(|p| p.applicant);
        (0u8..).zip(&self.slots).find(|(_, slot)| is_applicant(slot.party)).map(|(place, _)| place)
    }
}
