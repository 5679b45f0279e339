//! What the chain in memory knows of cases: enough to open, present, decide, withdraw and rate. Which acts the real ledger
//! refuses is tested there; here only what wallets must bear.

use kanhe_proto::api::{
    CaseEventsAnswer, CaseFileState, CaseProved, CasesProvedAnswer, CasesQuestion, OverdueAnswer, OverdueStep,
    ReadyAnswer, ReadyStep,
};
use kanhe_proto::case::{
    Act, Case, CaseEvent, CasePayload, CaseRecord, CaseStatus, CaseStep, Decide, How, Issued, Open, Outcome, Present,
    Run, SignedAct, Slot, SlotKey, StepState, case_id, case_key,
};
use kanhe_proto::case_file::{BoundFile, FilePart, PartBody};
use kanhe_proto::hash::{CaseId, Commitment, sha256};
use kanhe_proto::item::PartName;
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::ServiceItem;

use super::*;

/// Events in one answer: few, so that there is more than one page.
const PAGE: usize = 2;
/// Ready steps in one answer: few likewise.
const READY_PAGE: usize = 3;

type Refused = &'static str;

/// Parts of case files by commitment and author, as a node keeps them.
#[derive(Default)]
pub struct CaseFiles {
    parts: BTreeMap<(Commitment, KeyId), BTreeMap<u16, Vec<u8>>>,
    /// Parts that it takes before it breaks off; none: all.
    pub room: Option<usize>,
    /// Whether it says that the recipient has them.
    pub delivers: bool,
    /// No file comes.
    pub hidden: bool,
    /// Whether it hands parts out that it has signed itself.
    pub forges: bool,
    /// Acts that it said to refuse, and kept.
    pub refused: Vec<u8>,
}

impl CaseFiles {
    /// Loses what it has of a file; whether it had something.
    pub fn lose(&mut self, commitment: &Commitment) -> bool {
        let before = self.parts.len();
        self.parts.retain(|(known, _), _| known != commitment);
        self.parts.len() < before
    }
}

fn require(holds: bool, code: Refused) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(code) }
}

impl Chain {
    fn find_case(&self, id: &CaseId) -> Option<Case> {
        self.state.get(&case_key(id)).map(|value| Case::from_value(value).unwrap())
    }
    pub fn case(&self, id: &str) -> Case {
        self.find_case(&id.parse().unwrap()).unwrap()
    }
    fn item_of(&self, case: &Case) -> ServiceItem {
        let key = ServiceItem::key_of(&(case.item.clone(), case.version));
        ServiceItem::from_value(&self.registry_now()[&key]).unwrap()
    }

    /// Takes acts in, in a block of their own.
    pub fn acts(&mut self, bytes: &[u8]) -> Result<TransactionStatus, Refused> {
        let id = TransactionId(sha256(&[bytes]));
        if self.committed.contains_key(&id) {
            return Ok(self.transaction(&id));
        }
        let payload = CasePayload::from_bytes(bytes).unwrap();
        self.height += 1;
        let before = (self.state.clone(), self.records.len());
        let done = payload.acts.iter().try_for_each(|signed| self.act(signed));
        if let Err(code) = done {
            // All or none.
            self.state = before.0;
            self.records.truncate(before.1);
            return Err(code);
        }
        Ok(self.commit(id, None))
    }

    fn act(&mut self, signed: &SignedAct) -> Result<(), Refused> {
        let chain = self.genesis.chain();
        let id = signed.act.case(&chain.chain_id);
        let by = |key: &PublicKey| signed.verify(&chain, key).map_err(|_| "case_signature");
        if let Some(assisted) = signed.act.assisted() {
            self.is_public(&assisted.ground).map_err(|_| "case_ground")?;
            let key = self.public_key(assisted.bureau, assisted.key).ok_or("case_not_named")?;
            signed.act.verify_assisted(&chain, &key).map_err(|_| "case_signature")?;
        }
        if let Act::Open(open) = &signed.act {
            require(self.find_case(&id).is_none(), "case_exists")?;
            by(&open.key)?;
            let case = self.opened(open);
            let item = self.item_of(&case);
            open.check(&item).map_err(|_| "case_shape")?;
            self.record_case(case, signed);
            return Ok(());
        }
        let mut case = self.find_case(&id).ok_or("case_unknown")?;
        let item = self.item_of(&case);
        match &signed.act {
            Act::Present(present) => {
                let key = self.presented(&mut case, &item, present)?;
                by(&key)?;
            }
            Act::Withdraw(withdraw) => {
                require(case.status == CaseStatus::Open, "case_over")?;
                by(case.slots[usize::from(withdraw.slot)].key.key())?;
                case.status = CaseStatus::Withdrawn;
            }
            Act::Rate(rate) => {
                require(case.status != CaseStatus::Open, "case_not_over")?;
                require(case.stars.is_none(), "case_rated")?;
                by(case.applicant(&item).unwrap().1.key.key())?;
                case.stars = Some(rate.stars);
            }
            Act::Decide(decide) => {
                require(case.status == CaseStatus::Open, "case_over")?;
                let step = &case.steps[usize::from(decide.step)];
                require(step.round == decide.round, "case_round")?;
                require(!matches!(step.state, StepState::Approved | StepState::Rejected), "case_decided")?;
                require(step.state == StepState::Ready, "case_not_ready")?;
                decide.check(&item, &case).map_err(|_| "case_shape")?;
                by(&self.issuing.public_key())?;
                decided(&mut case, &item, decide);
            }
            Act::Issued(issued) => case.steps.as_mut_slice()[usize::from(issued.step)].issued = true,
            Act::Open(_) => unreachable!("above"),
        }
        self.record_case(case, signed);
        Ok(())
    }

    fn opened(&self, open: &Open) -> Case {
        let item = ServiceItem::key_of(&(open.item.clone(), open.version));
        let item = ServiceItem::from_value(&self.registry_now()[&item]).unwrap();
        let opener = item.parties.iter().position(|party| party.opens).unwrap() as u8;
        let (presented, letter_key) = (Some(now()), Some(open.letter_key.clone()));
        let mut slots =
            vec![Slot { party: opener, key: SlotKey::Known(open.key.clone()), round: 0, presented, letter_key }];
        slots.extend(open.slots.iter().map(|slot| Slot {
            party: slot.party,
            key: slot.key.clone(),
            round: 0,
            presented: None,
            letter_key: None,
        }));
        let step = CaseStep { state: StepState::Waiting, round: 0, since: now(), due: None, issued: false };
        Case {
            id: case_id(&self.genesis.chain_id(), &open.key),
            item: open.item.clone(),
            version: open.version,
            chosen: open.chosen.clone(),
            slots: List::new(slots).unwrap(),
            steps: List::new(vec![step; item.steps.len()]).unwrap(),
            status: CaseStatus::Open,
            opened: now(),
            ends: now().after(item.life),
            events: 0,
            last: LogIndex(0),
            forget: None,
            stars: None,
        }
    }

    fn presented(&self, case: &mut Case, item: &ServiceItem, present: &Present) -> Result<PublicKey, Refused> {
        let place = usize::from(present.slot);
        let slot = case.slots[place].clone();
        require(slot.round == present.round, "case_round")?;
        require(slot.presented.is_none(), "case_presented")?;
        present.check(item, case, &slot).map_err(|_| "case_shape")?;
        let key = match (&slot.key, &present.join) {
            (SlotKey::Known(key), None) => key.clone(),
            (SlotKey::Invited(invitation), Some(join)) => {
                let joined = join.verify(&self.genesis.chain(), &case.id, present.slot, invitation);
                joined.map_err(|_| "case_signature")?;
                join.key.clone()
            }
            _ => return Err("case_not_named"),
        };
        let slot = &mut case.slots.as_mut_slice()[place];
        (slot.key, slot.presented) = (SlotKey::Known(key.clone()), Some(now()));
        slot.letter_key = Some(present.letter_key.clone());
        Ok(key)
    }

    fn record_case(&mut self, mut case: Case, signed: &SignedAct) {
        let item = self.item_of(&case);
        for place in 0..case.steps.len() {
            let whole = case.has_all_for(&item, place as u8);
            let step = &mut case.steps.as_mut_slice()[place];
            match (step.state, whole) {
                (StepState::Waiting, true) => {
                    (step.state, step.due) = (StepState::Ready, Some(now().after(item.steps[place].limit)));
                }
                (StepState::Ready, false) => (step.state, step.due) = (StepState::Waiting, None),
                _ => {}
            }
        }
        if case.status == CaseStatus::Open && case.is_done(&item) {
            case.status = CaseStatus::Closed;
        }
        if case.status != CaseStatus::Open && case.forget.is_none() {
            case.forget = Some(now().after(SpanMs(30 * 86_400_000)));
        }
        let before = (case.events > 0).then_some(case.last);
        let number = case.events;
        (case.events, case.last) = (number + 1, LogIndex(self.records.len() as u64));
        let record = CaseRecord {
            case: case.id,
            number,
            before,
            item: case.item.clone(),
            version: case.version,
            event: CaseEvent::Act(signed.clone()),
            status: case.status,
            height: Height(self.height),
            time: now(),
        };
        self.records.push(record.to_record());
        self.state.insert(case_key(&case.id), case.to_value());
    }

    /// The bureau decides a step.
    pub fn decide_step(&mut self, case: &str, step: u8, outcome: Outcome, reason: Option<&str>) {
        let stands = self.case(case);
        let zero = Commitment([0; 32]);
        let act = Act::Decide(Decide {
            case: stands.id,
            step,
            round: stands.steps[usize::from(step)].round,
            key: self.issuing.public_key().id(),
            outcome,
            how: How::Rules,
            run: Some(Run { rules: Hash([0; 32]), engine: Text::new("test").unwrap(), inputs: zero, result: zero }),
            reason: reason.map(|reason| PartName::new(reason).unwrap()),
            letter: None,
            passed: List::empty(),
        });
        self.own_act(act);
    }
    /// The bureau has issued what a step yields.
    pub fn issued(&mut self, case: &str, step: u8) {
        let (case, key) = (case.parse().unwrap(), self.issuing.public_key().id());
        self.own_act(Act::Issued(Issued { case, step, key, licences: Commitment([0; 32]) }));
    }
    fn own_act(&mut self, act: Act) {
        let signed = act.sign(&self.genesis.chain(), &self.issuing).unwrap();
        self.height += 1;
        self.act(&signed).unwrap();
    }

    pub fn case_leaf(&mut self, id: &CaseId) -> LeafAnswer {
        let leaf = prove(&self.state, case_key(id));
        let certified = Blob::new(codec::encode(&self.certified())).unwrap();
        LeafAnswer { certified, leaf: Blob::new(codec::encode(&leaf)).unwrap() }
    }

    pub fn case_events(&mut self, id: &CaseId, from: Option<LogIndex>) -> CaseEventsAnswer {
        let case = self.find_case(id);
        let mut next = from.or(case.as_ref().map(|case| case.last));
        let mut events = Vec::new();
        while let Some(index) = next.filter(|_| events.len() < PAGE) {
            let record = self.records[index.0 as usize].clone();
            next = CaseRecord::from_record(&record).unwrap().before;
            let inclusion = self.log().path(index.0).unwrap();
            let proved = ProvedRecord { index, record: Blob::new(record).unwrap(), inclusion };
            events.push(Blob::new(codec::encode(&proved)).unwrap());
        }
        let LeafAnswer { certified, leaf } = self.case_leaf(id);
        CaseEventsAnswer { certified, leaf: Blob::new(leaf.into_vec()).unwrap(), events, next }
    }

    /// Proofs of several cases under one header.
    pub fn cases_proved(&mut self, question: &CasesQuestion) -> CasesProvedAnswer {
        let one = |id: &CaseId| {
            let whole = self.case_events(id, None);
            CaseProved { leaf: whole.leaf, events: if question.events { whole.events } else { Vec::new() } }
        };
        let cases = question.cases.iter().map(one).collect();
        CasesProvedAnswer { certified: Blob::new(codec::encode(&self.certified())).unwrap(), cases }
    }

    /// Steps that are the turn of the one bureau there is.
    pub fn ready_steps(&self, after: Option<&str>) -> ReadyAnswer {
        let cases = self.state.values().filter_map(|value| Case::from_value(value).ok());
        let open = cases.filter(|case| case.status == CaseStatus::Open);
        let steps = open.flat_map(|case| {
            let ready = (0u8..).zip(case.steps.to_vec()).filter(|(_, step)| step.state == StepState::Ready);
            ready.map(|(at, step)| (step.due.unwrap(), case.id, at, step.round)).collect::<Vec<_>>()
        });
        let place = |(due, case, step, _): &(TimeMs, CaseId, u8, u32)| format!("{due:020}.{case}.{step}");
        let mut steps: Vec<_> = steps.collect();
        steps.sort();
        steps.retain(|step| after.is_none_or(|after| place(step).as_str() > after));
        let next = (steps.len() > READY_PAGE).then(|| place(&steps[READY_PAGE - 1]));
        steps.truncate(READY_PAGE);
        let told = |(due_ms, case, step, round)| ReadyStep { case, step, round, due_ms };
        let steps = steps.into_iter().map(told).collect();
        ReadyAnswer { unproven: true, height: Height(self.height), steps, next }
    }
    /// A case as it would be if what it has had happened so much earlier.
    pub fn age_case(&mut self, id: &str, ms: u64) {
        let mut case = self.case(id);
        let earlier = |time: TimeMs| TimeMs(time.0 - ms);
        for step in case.steps.as_mut_slice() {
            (step.since, step.due) = (earlier(step.since), step.due.map(earlier));
        }
        self.height += 1;
        self.state.insert(case_key(&case.id), case.to_value());
    }
    /// Steps that are ready and were due before now.
    pub fn overdue(&self) -> OverdueAnswer {
        let mut steps = Vec::new();
        let cases = self.state.values().filter_map(|value| Case::from_value(value).ok());
        for case in cases.filter(|case| case.status == CaseStatus::Open) {
            let id = case.id;
            let item = self.item_of(&case);
            for (step, stands) in (0u8..).zip(&case.steps) {
                let (item_code, version) = (case.item.clone(), case.version);
                if let Some(due) = stands.due.filter(|due| *due < now() && stands.state == StepState::Ready) {
                    let bureau = case.bureau_of(&item, step).unwrap();
                    steps.push(OverdueStep { case: id, item: item_code, version, step, bureau, due_ms: due });
                }
            }
        }
        OverdueAnswer { unproven: true, height: Height(self.height), steps, next: None }
    }
    /// A part of a file, for the bureau that proves itself.
    pub fn file_part(&mut self, proof: &[u8], file: &(Commitment, KeyId), place: u16) -> Option<Vec<u8>> {
        let (id, key) = (self.genesis.chain_id(), self.issuing.public_key());
        assert!(self.letters.is_proved(proof, &id, &key), "a proof is good once");
        let part = self.files.parts.get(file).filter(|_| !self.files.hidden)?.get(&place).cloned()?;
        if !self.files.forges {
            return Some(part);
        }
        let (body, forger) = (FilePart::decode(&part, &id).unwrap().body, SecretKey::from_seed([66; 32]));
        Some(PartBody { author: forger.public_key(), ..body }.sign(&forger).unwrap().encode())
    }

    /// Takes a part of a file in; none: it breaks off.
    pub fn take_part(&mut self, bytes: &[u8]) -> Option<CaseFileState> {
        let part = FilePart::decode(bytes, &self.genesis.chain_id()).unwrap();
        if let Some(room) = &mut self.files.room {
            *room = room.checked_sub(1)?;
        }
        let file = (part.body.commitment, part.author());
        self.files.parts.entry(file).or_default().insert(part.body.place, bytes.to_vec());
        self.file_state(&file)
    }
    pub fn file_state(&self, file: &(Commitment, KeyId)) -> Option<CaseFileState> {
        let parts = self.files.parts.get(file)?;
        let first = FilePart::decode(parts.values().next()?, &self.genesis.chain_id()).unwrap();
        Some(CaseFileState { parts: first.body.parts, stored: parts.len() as u16, delivered: self.files.delivers })
    }
    /// A file that the chain has a commitment to, opened as its bureau does.
    pub fn open_file(&self, commitment: &Commitment) -> BoundFile {
        let chain = self.genesis.chain_id();
        let same = self.files.parts.iter().find(|((known, _), _)| known == commitment);
        let parts = same.unwrap().1.values();
        let parts: Vec<FilePart> = parts.map(|bytes| FilePart::decode(bytes, &chain).unwrap()).collect();
        BoundFile::open(&parts, &self.sealing).unwrap()
    }
    /// Everything that the node has of files, as it has it.
    pub fn file_bytes(&self) -> Vec<u8> {
        self.files.parts.values().flat_map(|parts| parts.values()).flatten().copied().collect()
    }
    /// The acts of a case, oldest first.
    pub fn acts_of(&self, case: &str) -> Vec<SignedAct> {
        let records = self.records.iter().filter_map(|record| CaseRecord::from_record(record).ok());
        let own = records.filter(|record| record.case.to_string() == case);
        let acts = own.filter_map(|record| match record.event {
            CaseEvent::Act(signed) => Some(signed),
            CaseEvent::Expired => None,
        });
        acts.collect()
    }
}

fn decided(case: &mut Case, item: &ServiceItem, decide: &Decide) {
    let at = usize::from(decide.step);
    match decide.outcome {
        Outcome::Approved => case.steps.as_mut_slice()[at].state = StepState::Approved,
        Outcome::Rejected => {
            case.steps.as_mut_slice()[at].state = StepState::Rejected;
            case.status = CaseStatus::Rejected;
        }
        Outcome::Returned => {
            let waits_for = &item.steps[at].waits_for;
            for slot in case.slots.as_mut_slice().iter_mut().filter(|slot| waits_for.contains(&slot.party)) {
                slot.round += 1;
                slot.presented = None;
            }
            case.steps.as_mut_slice()[at].round += 1;
        }
    }
}
