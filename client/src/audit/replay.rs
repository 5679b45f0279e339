//! A case as its events make it, one after the other.
//!
//! A chain whose validators all lie could hold what nobody signed, or say that a case stood otherwise than it did: so each
//! signature is verified once more, each decision held against the item's own text, and the status after each event and the
//! end of the case are worked out anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use kanhe_proto::case::{
    Act, Assisted, Case, CaseEvent, CaseRecord, CaseStatus, Decide, How, OPENER_SLOT, Open, Outcome, Present, Rate,
    SignedAct, SlotKey, StepState as KeptState, Withdraw,
};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, SpanMs, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::KeyRole;
use kanhe_proto::vote::ChainContext;
use serde_json::Map;

use super::Keys;
use super::finding::{Done, Fault, Finding, Signer};
use super::keys::named;
use crate::case::KnownItem;
use crate::rules::{ENGINE, Job, rules_digest};

#[derive(Debug, Clone)]
struct SlotState {
    party: u8,
    key: SlotKey,
    round: u32,
    presented: bool,
}

#[derive(Debug, Clone)]
struct StepState {
    approved: bool,
    rejected: bool,
    issued: bool,
    round: u32,
    ready: Option<TimeMs>,
}

/// The case as its events make it.
#[derive(Debug, Clone)]
pub struct Replay {
    chain: ChainContext,
    known: Arc<KnownItem>,
    id: CaseId,
    chosen: Vec<Uscc>,
    slots: Vec<SlotState>,
    steps: Vec<StepState>,
    status: CaseStatus,
    opened: TimeMs,
    ends: TimeMs,
    ended: Option<TimeMs>,
    stars: Option<u8>,
}

impl Replay {
    /// A case of which nothing was read yet.
    pub fn new(chain: ChainContext, known: Arc<KnownItem>, id: CaseId) -> Self {
        let step = StepState { approved: false, rejected: false, issued: false, round: 0, ready: None };
        let steps = vec![step; known.public.steps.len()];
        let (status, never) = (CaseStatus::Open, TimeMs(0));
        let (opened, ends, ended, stars) = (never, never, None, None);
        Self { chain, known, id, chosen: Vec::new(), slots: Vec::new(), steps, status, opened, ends, ended, stars }
    }
    /// How it stands.
    pub const fn status(&self) -> CaseStatus {
        self.status
    }
    /// When it was opened.
    pub const fn opened(&self) -> TimeMs {
        self.opened
    }

    /// Takes its next event. Without keys of bureaus their signatures are not judged.
    pub fn take(&mut self, index: LogIndex, record: &CaseRecord, keys: Option<&Keys>) -> Finding {
        let mut faults = BTreeSet::new();
        let item = &self.known.public;
        if (record.case, &record.item, record.version) != (self.id, &item.code, item.version) {
            faults.insert(Fault::OtherCase);
        }
        let mut finding = Finding {
            index,
            height: record.height,
            time: record.time,
            done: Done::Expired,
            step: None,
            signer: Signer::Time,
            clerk: None,
            by_rules: None,
            waited: None,
            late: false,
            faults: Vec::new(),
        };
        match &record.event {
            CaseEvent::Expired => {
                if record.time < self.ends {
                    faults.insert(Fault::NotExpired);
                }
                if self.is_over() {
                    faults.insert(Fault::AfterEnd);
                }
                self.end(CaseStatus::Expired, record.time);
            }
            CaseEvent::Act(signed) => self.act(signed, record, keys, &mut finding, &mut faults),
        }
        self.make_ready(record.time);
        if !self.is_over() && self.is_done() {
            self.end(CaseStatus::Closed, record.time);
        }
        if record.status != self.status {
            faults.insert(Fault::StatusWrong);
        }
        finding.faults = faults.into_iter().collect();
        finding
    }

    fn is_over(&self) -> bool {
        self.status != CaseStatus::Open
    }

    /// What has ended stays so.
    fn end(&mut self, status: CaseStatus, time: TimeMs) {
        if !self.is_over() {
            (self.status, self.ended) = (status, Some(time));
        }
    }

    /// Whether all is decided, and what comes of it issued to whoever takes part.
    fn is_done(&self) -> bool {
        let item = &self.known.public;
        let approved = item.steps.iter().zip(&self.steps).all(|(asked, state)| !asked.closes || state.approved);
        let issued = |place: usize| self.steps.get(place).is_some_and(|step| step.issued);
        let takes_part = |party: u8| self.slots.iter().any(|slot| slot.party == party);
        approved && item.yields.iter().all(|given| issued(usize::from(given.step)) || !takes_part(given.to))
    }

    /// Whether the chain keeps another case than its events make.
    pub fn differs_from(&self, kept: &Case) -> bool {
        let item = &self.known.public;
        let state = |step: &StepState| match (step.approved, step.rejected) {
            (true, _) => Some(KeptState::Approved),
            (_, true) => Some(KeptState::Rejected),
            _ => None,
        };
        let same_step = |(own, kept): (&StepState, &kanhe_proto::case::CaseStep)| {
            let decided = matches!(kept.state, KeptState::Approved | KeptState::Rejected).then_some(kept.state);
            (state(own), own.issued, own.round) == (decided, kept.issued, kept.round)
        };
        let same_slot = |(own, kept): (&SlotState, &kanhe_proto::case::Slot)| {
            (own.party, &own.key, own.round, own.presented)
                == (kept.party, &kept.key, kept.round, kept.presented.is_some())
        };
        let same = kept.id == self.id
            && (&kept.item, kept.version) == (&item.code, item.version)
            && *kept.chosen == *self.chosen
            && (kept.status, kept.stars) == (self.status, self.stars)
            && (kept.opened, kept.ends, kept.ended()) == (self.opened, self.ends, self.ended)
            && (kept.slots.len(), kept.steps.len()) == (self.slots.len(), self.steps.len())
            && self.steps.iter().zip(kept.steps.iter()).all(same_step)
            && self.slots.iter().zip(kept.slots.iter()).all(same_slot);
        !same
    }

    fn act(
        &mut self,
        signed: &SignedAct,
        record: &CaseRecord,
        keys: Option<&Keys>,
        finding: &mut Finding,
        faults: &mut BTreeSet<Fault>,
    ) {
        if signed.act.case(&self.chain.chain_id) != self.id {
            faults.insert(Fault::OtherCase);
        }
        let always = matches!(signed.act, Act::Open(_) | Act::Rate(_));
        if !always && (self.is_over() || record.time >= self.ends) {
            faults.insert(Fault::AfterEnd);
        }
        let bureau = named(record, &self.known.public, &self.chosen);
        match &signed.act {
            Act::Open(open) => {
                (finding.done, finding.signer) = (Done::Opened, Signer::Slot(0));
                self.open(open, record.time, faults);
                self.signed_by(signed, Some(open.key.clone()), faults);
                self.by_clerk(signed, bureau, keys, record.height, finding, faults);
            }
            Act::Present(present) => {
                (finding.done, finding.signer) = (Done::Presented, Signer::Slot(present.slot));
                let key = self.present(present, faults);
                self.signed_by(signed, key, faults);
                self.by_clerk(signed, bureau, keys, record.height, finding, faults);
            }
            Act::Decide(decide) => {
                finding.done = match decide.outcome {
                    Outcome::Approved => Done::Approved,
                    Outcome::Rejected => Done::Rejected,
                    Outcome::Returned => Done::Returned,
                };
                (finding.step, finding.by_rules) = (Some(decide.step), Some(decide.how == How::Rules));
                (finding.waited, finding.late) = self.waited(decide.step, record.time);
                self.by_bureau(signed, bureau, keys, finding, faults);
                self.decide(decide, record.time, faults);
            }
            Act::Issued(issued) => {
                (finding.done, finding.step) = (Done::Issued, Some(issued.step));
                self.by_bureau(signed, bureau, keys, finding, faults);
                match self.steps.get_mut(usize::from(issued.step)) {
                    Some(step) if !step.approved => _ = faults.insert(Fault::NotReady),
                    Some(step) if step.issued => _ = faults.insert(Fault::DecidedTwice),
                    Some(step) => step.issued = true,
                    None => _ = faults.insert(Fault::NotNamed),
                }
            }
            Act::Withdraw(withdraw) => self.withdraw(signed, withdraw, finding, faults),
            Act::Rate(rate) => self.rate(signed, rate, finding, faults),
        }
    }

    /// Who acts for somebody does so under its bureau's issuing key.
    fn by_clerk(
        &self,
        signed: &SignedAct,
        bureau: Option<(Uscc, KeyId)>,
        keys: Option<&Keys>,
        height: Height,
        finding: &mut Finding,
        faults: &mut BTreeSet<Fault>,
    ) {
        finding.clerk = signed.act.assisted().map(Assisted::clerk);
        if let (Some(bureau), Some(keys)) = (bureau, keys) {
            match issuing_key(keys, bureau, height, faults) {
                Some(key) if signed.act.verify_assisted(&self.chain, &key).is_ok() => {}
                _ => _ = faults.insert(Fault::SignatureWrong),
            }
        }
    }

    /// Only the opener and the applicant take a case back.
    fn withdraw(
        &mut self,
        signed: &SignedAct,
        withdraw: &Withdraw,
        finding: &mut Finding,
        faults: &mut BTreeSet<Fault>,
    ) {
        (finding.done, finding.signer) = (Done::Withdrawn, Signer::Slot(withdraw.slot));
        if withdraw.slot != OPENER_SLOT && self.applicant() != Some(withdraw.slot) {
            faults.insert(Fault::NotNamed);
        }
        let key = self.slot_key(withdraw.slot);
        self.signed_by(signed, key, faults);
        self.end(CaseStatus::Withdrawn, finding.time);
    }

    /// Once, after the end, under the applicant's key.
    fn rate(&mut self, signed: &SignedAct, rate: &Rate, finding: &mut Finding, faults: &mut BTreeSet<Fault>) {
        let applicant = self.applicant();
        (finding.done, finding.signer) = (Done::Rated, Signer::Slot(applicant.unwrap_or_default()));
        if !self.is_over() {
            faults.insert(Fault::RatedEarly);
        }
        if self.stars.is_some() {
            faults.insert(Fault::RatedTwice);
        }
        if !(1..=5).contains(&rate.stars) {
            faults.insert(Fault::StarsWrong);
        }
        let key = applicant.and_then(|slot| self.slot_key(slot));
        self.signed_by(signed, key, faults);
        // One that does not count is none.
        if faults.is_empty() {
            self.stars = Some(rate.stars);
        }
    }

    fn open(&mut self, open: &Open, time: TimeMs, faults: &mut BTreeSet<Fault>) {
        let (item, chosen) = (&self.known.public, &open.chosen);
        if open.file != item.file {
            faults.insert(Fault::OtherCase);
        }
        (self.chosen, self.opened, self.ends) = (chosen.to_vec(), time, time.after(item.life));
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
                if join.verify(&self.chain, &present.case, present.slot, invitation).is_ok() =>
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

    fn decide(&mut self, decide: &Decide, time: TimeMs, faults: &mut BTreeSet<Fault>) {
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
            Outcome::Rejected => {
                self.steps[place].rejected = true;
                self.end(CaseStatus::Rejected, time);
            }
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

    /// How long a step had been ready at a time, and whether that is more than its limit.
    fn waited(&self, step: u8, time: TimeMs) -> (Option<SpanMs>, bool) {
        let place = usize::from(step);
        let ready = self.steps.get(place).and_then(|state| state.ready);
        let (Some(ready), Some(asked)) = (ready, self.known.public.steps.get(place)) else { return (None, false) };
        (Some(time.since(ready)), time > ready.after(asked.limit))
    }

    fn by_bureau(
        &self,
        signed: &SignedAct,
        bureau: Option<(Uscc, KeyId)>,
        keys: Option<&Keys>,
        finding: &mut Finding,
        faults: &mut BTreeSet<Fault>,
    ) {
        let Some((uscc, key)) = bureau else {
            faults.insert(Fault::NotNamed);
            return;
        };
        finding.signer = Signer::Bureau(uscc, key);
        if let Some(keys) = keys {
            let key = issuing_key(keys, (uscc, key), finding.height, faults);
            self.signed_by(signed, key, faults);
        }
    }

    fn signed_by(&self, signed: &SignedAct, key: Option<PublicKey>, faults: &mut BTreeSet<Fault>) {
        if key.is_none_or(|key| signed.verify(&self.chain, &key).is_err()) {
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

fn issuing_key(keys: &Keys, id: (Uscc, KeyId), height: Height, faults: &mut BTreeSet<Fault>) -> Option<PublicKey> {
    let entry = keys.get(&id);
    let good = entry.filter(|entry| entry.role == KeyRole::Issuing && entry.intervals.hold_at(height));
    if good.is_none() {
        faults.insert(Fault::KeyNotInForce);
    }
    entry.map(|entry| entry.key.clone())
}
