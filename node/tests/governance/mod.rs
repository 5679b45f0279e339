//! A chain on which bureaus decide, and what they decide by the noun that it is about.

mod catalogue;
mod keys;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use kanhe_node::ledger::{BlockContext, Code, Execution, Outcome, Refusal, SignatureCheck, execute};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::governance::{Action, GovernancePayload, NewKey, Proposal, activate_bytes};
use kanhe_proto::hash::{ProposalId, sha256};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, Power, ProtocolVersion, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::record::{Choice, GovernanceVote};
use kanhe_proto::registry::{KeyRole, Names, Parameters, RegistryRecord, Seats};
use kanhe_proto::transaction::{Payload, Transaction};
use kanhe_proto::validators::ValidatorSet;

use crate::common::{self, MemoryView, START, World};

pub const DAY: u64 = 86_400_000;

pub fn secret(text: &str) -> SecretKey {
    SecretKey::from_seed(sha256(&[text.as_bytes()]))
}
pub fn names(text: &str) -> Names {
    Names { zh: Text::new(text).unwrap(), en: Text::new(text).unwrap() }
}

/// A chain of blocks of one transaction, without consensus.
pub struct Bench {
    pub world: World,
    pub view: MemoryView,
    pub height: Height,
    pub time: TimeMs,
    pub parent_time: TimeMs,
    pub parameters: Parameters,
    pub protocol: ProtocolVersion,
    pub validators: Arc<ValidatorSet>,
    /// Offices whose validators sign.
    pub awake: Vec<usize>,
    pub seen: RefCell<BTreeSet<Code>>,
}

impl Bench {
    pub fn new(bureaus: usize) -> Self {
        Self::of(World::with(bureaus, Parameters { epoch_blocks: 5, ..Parameters::default() }))
    }
    pub fn of(world: World) -> Self {
        Self {
            view: MemoryView::of(&world),
            height: Height(1),
            time: TimeMs(START.0 + 1_000),
            parent_time: START,
            parameters: world.genesis.parameters.clone(),
            protocol: world.genesis.protocol,
            validators: Arc::new(world.set()),
            awake: (0..world.offices.len()).collect(),
            seen: RefCell::default(),
            world,
        }
    }
    pub fn context(&self) -> BlockContext {
        BlockContext {
            height: self.height,
            time: self.time,
            parent_time: self.parent_time,
            parameters: self.parameters.clone(),
            chain: self.world.chain(),
            protocol: self.protocol,
            validators: Arc::clone(&self.validators),
            signers: self.awake.iter().map(|office| self.world.address(*office)).collect(),
        }
    }
    pub fn send(&self, payload: &Payload) -> Transaction {
        self.world.transaction(0, TimeMs(self.time.0 + 1_000), payload)
    }
    pub fn run(&self, payload: &Payload) -> Result<Outcome, Code> {
        let mut execution = Execution::begin(&self.view, self.context()).unwrap();
        match execution.apply(&self.world.checked(&self.send(payload)), SignatureCheck::Verify) {
            Ok(_) => Ok(execution.finish().unwrap()),
            Err(Refusal::Code(code)) => Err(code),
            Err(Refusal::Read(error)) => panic!("{error}"),
        }
    }
    pub fn keep(&mut self, outcome: &Outcome) {
        self.view.keep(outcome);
        if let Some(set) = &outcome.next_validators {
            self.validators = Arc::new(set.clone());
        }
        self.parameters = outcome.parameters.clone().unwrap_or(self.parameters.clone());
        self.protocol = outcome.protocol.unwrap_or(self.protocol);
        self.height = self.height.next();
        (self.parent_time, self.time) = (self.time, TimeMs(self.time.0 + 1_000));
    }
    pub fn commit(&mut self, payload: &Payload) -> Outcome {
        let outcome = self.run(payload).unwrap();
        self.keep(&outcome);
        outcome
    }
    pub fn empty(&mut self) -> Outcome {
        let outcome = execute(&self.view, self.context(), &[], |_| SignatureCheck::Verify).unwrap();
        self.keep(&outcome);
        outcome
    }
    pub fn end_epoch(&mut self) {
        while !self.height.0.is_multiple_of(self.parameters.epoch_blocks) {
            self.empty();
        }
        self.empty();
    }
    pub fn pass(&mut self, ms: u64) {
        (self.parent_time, self.time) = (TimeMs(self.time.0 + ms), TimeMs(self.time.0 + ms + 1_000));
    }
    pub fn refuses(&self, payload: &Payload, code: Code) {
        assert_eq!(self.run(payload).map(|_| ()), Err(code));
        self.seen.borrow_mut().insert(code);
    }
    pub fn proposal(&self, proposer: usize, actions: Vec<Action>) -> Proposal {
        Proposal {
            version: 1,
            proposer: self.uscc(proposer),
            created: self.parent_time,
            expires: TimeMs(self.parent_time.0 + DAY),
            note: Text::new("why").unwrap(),
            actions: List::new(actions).unwrap(),
        }
    }
    pub fn vote(&self, office: usize, id: &ProposalId, choice: Choice) -> GovernanceVote {
        let office = &self.world.offices[office];
        let signature = office.governance.sign(&GovernanceVote::sign_bytes(&self.world.chain(), id, choice)).unwrap();
        GovernanceVote { bureau: office.uscc, key: office.governance.public_key().id(), choice, signature }
    }
    pub fn votes(&self, id: &ProposalId, offices: &[usize]) -> List<GovernanceVote, 512> {
        List::new(offices.iter().map(|office| self.vote(*office, id, Choice::Yes)).collect()).unwrap()
    }
    pub fn propose(&self, proposal: &Proposal, offices: &[usize]) -> Payload {
        let votes = self.votes(&proposal.id(), offices);
        let proposal = Blob::new(proposal.to_bytes()).unwrap();
        Payload::Governance(GovernancePayload::Propose { proposal, votes })
    }
    pub fn voting(&self, id: &ProposalId, offices: &[usize]) -> Payload {
        Payload::Governance(GovernancePayload::Vote { proposal: *id, votes: self.votes(id, offices) })
    }
    /// Decides these actions by the votes of all bureaus.
    pub fn decided(&self, actions: Vec<Action>) -> Payload {
        let all: Vec<usize> = (0..self.world.offices.len()).collect();
        self.propose(&self.proposal(0, actions), &all)
    }
    pub fn decide(&mut self, actions: Vec<Action>) -> Outcome {
        let payload = self.decided(actions);
        self.commit(&payload)
    }
    pub fn own(&self, office: usize, actions: Vec<Action>) -> Payload {
        self.propose(&self.proposal(office, actions), &[office])
    }
    pub fn refuses_action(&self, action: Action, code: Code) {
        self.refuses(&self.decided(vec![action]), code);
    }
    pub fn get<T: RegistryRecord>(&self, id: &T::Id) -> Option<T> {
        self.view.registry.get(&T::key_of(id)).map(|value| T::from_value(value).unwrap())
    }
    pub fn uscc(&self, office: usize) -> Uscc {
        self.world.offices[office].uscc
    }
    pub fn validator(&self, office: usize) -> PublicKey {
        self.world.offices[office].validator.public_key()
    }
    pub fn seats(&self) -> Seats {
        self.get(&()).unwrap()
    }
    pub fn new_key(&self, bureau: Uscc, role: KeyRole, key: &SecretKey) -> NewKey {
        NewKey::prove(&self.world.chain(), &bureau, role, key).unwrap()
    }
    pub fn activate(&self, bureau: Uscc, key: &SecretKey) -> Payload {
        let proposal = self.seats().get(&key.public_key()).unwrap().by.unwrap();
        let signature = key.sign(&activate_bytes(&self.world.chain(), &bureau, &proposal)).unwrap();
        Payload::Governance(GovernancePayload::Activate { bureau, key: key.public_key(), proposal, signature })
    }
    /// Bureau 9 with a governance and a validator key.
    pub fn admission(&self) -> Action {
        let bureau = common::uscc(9);
        let keys = vec![
            self.new_key(bureau, KeyRole::Governance, &secret("new governance")),
            self.new_key(bureau, KeyRole::Validator, &secret("new validator")),
        ];
        let (names, region) = (names("new"), Text::new("370100").unwrap());
        Action::AdmitBureau { bureau, names, region, addresses: List::empty(), keys: List::new(keys).unwrap() }
    }
    pub fn seating(&self, bureau: Uscc, key: PublicKey, power: u64) -> Action {
        Action::SeatValidator { bureau, key, power: Power(power) }
    }
    pub fn governance(&self) -> &SecretKey {
        &self.world.offices[1].governance
    }
}
