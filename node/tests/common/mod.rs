//! A small consortium with known keys, and chains of it in temporary homes.
#![allow(dead_code, clippy::unwrap_used)]

pub mod flat;
pub mod person;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kanhe_node::chain::{BlockCheck, Chain, ChainConfig, CheckRules, Offered, Room, TransactionSource};
use kanhe_node::ledger::map::ReadError;
use kanhe_node::ledger::{BlockContext, CaseDue, Checked, Code, ConsentDue, SpentKey, View};
use kanhe_node::storage::Storage;
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::Case;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::consent::Consent;
use kanhe_proto::genesis::{GENESIS_VERSION, Genesis, GenesisValidator, PROTOCOL_VERSION, schema_digest};
use kanhe_proto::governance::{Action, GovernancePayload, Proposal};
use kanhe_proto::hash::{Hash, HeaderHash, LicenceDigest, MapKey, Suite, TransactionId, sha256};
use kanhe_proto::header::Header;
use kanhe_proto::identifiers::{TypeVersion, Uscc};
use kanhe_proto::ids::{Height, Power, Round, SpanMs, TimeMs};
use kanhe_proto::key::{SecretKey, Signature, Signer};
use kanhe_proto::record::{Choice, GovernanceVote};
use kanhe_proto::registry::{
    Accreditation, Authority, Bureau, HolderKind, Intervals, KeyEntry, KeyRole, LicenceType, Names, Parameters,
    Supervision,
};
use kanhe_proto::status::{Reason, Status};
use kanhe_proto::transaction::{
    ChangeStatus, IssueBatch, Payload, StatusChange, StatusTarget, TRANSACTION_VERSION, Transaction, TransactionBody,
};
use kanhe_proto::validators::{Address, ValidatorSet};
use kanhe_proto::vote::{ChainContext, Vote, VoteType};
use tokio::sync::watch;

/// Time of genesis.
pub const START: TimeMs = TimeMs(1_700_000_000_000);
/// The type that every bureau may issue.
pub const TYPE: &str = "11370100BL";
/// The type that only bureau 0 may issue.
pub const RARE_TYPE: &str = "11370100RE";

/// A bureau with its secret keys.
pub struct Office {
    pub uscc: Uscc,
    pub issuing: SecretKey,
    pub validator: SecretKey,
    pub governance: SecretKey,
    pub retired: SecretKey,
    pub stolen: SecretKey,
}

fn secret(what: &str, number: usize) -> SecretKey {
    SecretKey::from_seed(sha256(&[what.as_bytes(), &number.to_be_bytes()]))
}

pub fn uscc(number: usize) -> Uscc {
    Uscc::with_check(&format!("11370100{number:09}")).unwrap()
}

impl Office {
    pub fn new(number: usize) -> Self {
        Self {
            uscc: uscc(number),
            issuing: secret("issuing", number),
            validator: secret("validator", number),
            governance: secret("governance", number),
            retired: secret("retired", number),
            stolen: secret("stolen", number),
        }
    }

    fn keys(&self) -> Vec<KeyEntry> {
        let always = || Intervals::from(Height(0), Authority::Genesis);
        let entry = |role, key: &SecretKey, intervals| KeyEntry {
            bureau: self.uscc,
            role,
            key: key.public_key(),
            intervals,
            distrusted_from: None,
        };
        let mut ended = always();
        ended.end(Height(1), Authority::Genesis, kanhe_proto::registry::Effect::Keep).unwrap();
        let mut stolen = entry(KeyRole::Issuing, &self.stolen, always());
        stolen.distrusted_from = Some(Height(1));
        vec![
            entry(KeyRole::Issuing, &self.issuing, always()),
            entry(KeyRole::Validator, &self.validator, always()),
            entry(KeyRole::Governance, &self.governance, always()),
            entry(KeyRole::Issuing, &self.retired, ended),
            stolen,
        ]
    }
}

fn names(text: &str) -> Names {
    Names { zh: Text::new(text).unwrap(), en: Text::new(text).unwrap() }
}

/// A consortium of so many bureaus; bureau 1 supervises bureau 0 for [`TYPE`].
pub struct World {
    pub offices: Vec<Office>,
    pub genesis: Genesis,
}

impl World {
    pub fn new(bureaus: usize) -> Self {
        Self::with(bureaus, Parameters::default())
    }

    pub fn with(bureaus: usize, parameters: Parameters) -> Self {
        let offices: Vec<Office> = (0..bureaus).map(Office::new).collect();
        let always = || Intervals::from(Height(0), Authority::Genesis);
        let schema = r#"{"type":"object"}"#;
        let licence_type = |code: &str| LicenceType {
            code: code.parse().unwrap(),
            version: TypeVersion(1),
            names: names("type"),
            holder: HolderKind::Enterprise,
            schema: schema_digest(schema),
            max_age: SpanMs(60_000),
            intervals: always(),
        };
        let accreditation = |office: &Office, code: &str| Accreditation {
            issuer: office.uscc,
            type_code: code.parse().unwrap(),
            intervals: always(),
        };
        let mut accreditations: Vec<_> = offices.iter().map(|office| accreditation(office, TYPE)).collect();
        accreditations.push(accreditation(&offices[0], RARE_TYPE));
        let supervisions = (bureaus > 1).then(|| Supervision {
            supervisor: offices[1].uscc,
            issuer: offices[0].uscc,
            type_code: TYPE.parse().unwrap(),
            intervals: always(),
        });
        let bureau = |office: &Office| Bureau {
            uscc: office.uscc,
            names: names("bureau"),
            region: Text::new("370100").unwrap(),
            addresses: List::empty(),
            intervals: always(),
        };
        let validator = |office: &Office| GenesisValidator {
            bureau: office.uscc,
            key: office.validator.public_key().id(),
            power: Power(1),
        };
        let genesis = Genesis {
            version: GENESIS_VERSION,
            name: "test".parse().unwrap(),
            suite: Suite::Sha256,
            protocol: PROTOCOL_VERSION,
            time: START,
            parameters,
            bureaus: List::new(offices.iter().map(bureau).collect()).unwrap(),
            keys: List::new(offices.iter().flat_map(Office::keys).collect()).unwrap(),
            validators: List::new(offices.iter().map(validator).collect()).unwrap(),
            types: List::new(vec![licence_type(TYPE), licence_type(RARE_TYPE)]).unwrap(),
            schemas: List::new(vec![Text::new(schema).unwrap()]).unwrap(),
            accreditations: List::new(accreditations).unwrap(),
            supervisions: List::new(supervisions.into_iter().collect()).unwrap(),
            relying_parties: List::empty(),
            purposes: List::empty(),
        };
        genesis.check().unwrap();
        Self { offices, genesis }
    }

    pub fn chain(&self) -> ChainContext {
        self.genesis.chain()
    }

    pub fn set(&self) -> ValidatorSet {
        self.genesis.validator_set().unwrap()
    }

    /// A block under genesis' parameters whose parent everybody signed.
    pub fn context(&self, height: Height, time: TimeMs, parent_time: TimeMs) -> BlockContext {
        BlockContext {
            height,
            time,
            parent_time,
            parameters: self.genesis.parameters.clone(),
            chain: self.chain(),
            protocol: self.genesis.protocol,
            validators: Arc::new(self.set()),
            signers: self.set().members().iter().map(|member| member.address).collect(),
        }
    }

    pub fn checked(&self, transaction: &Transaction) -> Checked {
        Checked::from_bytes(&transaction.to_bytes(), &self.chain(), self.genesis.protocol).unwrap()
    }

    pub fn address(&self, office: usize) -> Address {
        Address::of(&self.offices[office].validator.public_key())
    }

    pub fn body(&self, office: usize, expiry: TimeMs, payload: &Payload) -> TransactionBody {
        TransactionBody {
            version: TRANSACTION_VERSION,
            chain: self.chain(),
            sender: self.offices[office].uscc,
            key: self.offices[office].issuing.public_key().id(),
            expiry,
            payload: payload.to_raw(),
        }
    }

    pub fn transaction(&self, office: usize, expiry: TimeMs, payload: &Payload) -> Transaction {
        self.body(office, expiry, payload).sign(&self.offices[office].issuing).unwrap()
    }

    /// A batch of one licence under a root that depends on the number.
    pub fn batch(&self, office: usize, expiry: TimeMs, number: u64) -> Transaction {
        self.transaction(office, expiry, &Payload::IssueBatch(issue(number)))
    }

    /// A decision by the votes of these bureaus, the first of which proposes it.
    pub fn decision(&self, node: &TestNode, voters: &[usize], actions: Vec<Action>) -> Payload {
        let created = node.chain.tip().header.time;
        let proposal = Proposal {
            version: 1,
            proposer: self.offices[voters[0]].uscc,
            created,
            expires: created.after(SpanMs(86_400_000)),
            note: Text::new("").unwrap(),
            actions: List::new(actions).unwrap(),
        };
        let id = proposal.id();
        let vote = |office: &usize| {
            let office = &self.offices[*office];
            let bytes = GovernanceVote::sign_bytes(&self.chain(), &id, Choice::Yes);
            let (key, signature) = (office.governance.public_key().id(), office.governance.sign(&bytes).unwrap());
            GovernanceVote { bureau: office.uscc, key, choice: Choice::Yes, signature }
        };
        Payload::Governance(GovernancePayload::Propose {
            proposal: Blob::new(proposal.to_bytes()).unwrap(),
            votes: List::new(voters.iter().map(vote).collect()).unwrap(),
        })
    }

    /// Everybody's certificate for a header.
    pub fn certify(&self, header: &Header, signers: &[usize]) -> Certificate {
        self.certify_hash(header.height, header.hash(), signers)
    }

    pub fn certify_hash(&self, height: Height, header_hash: HeaderHash, signers: &[usize]) -> Certificate {
        let (set, chain) = (self.set(), self.chain());
        let sign = |office: &usize| {
            let address = self.address(*office);
            let vote =
                Vote { vote_type: VoteType::Precommit, height, round: Round(0), value: Some(header_hash), address };
            (address, self.offices[*office].validator.sign(&vote.sign_bytes(&chain)).unwrap())
        };
        Certificate::new(&set, height, Round(0), header_hash, signers.iter().map(sign).collect()).unwrap()
    }

    pub fn create(&self, dir: &Path) -> TestNode {
        TestNode::new(Storage::create(dir, &self.genesis).unwrap())
    }

    pub fn open(&self, dir: &Path) -> TestNode {
        TestNode::new(Storage::open(dir, &self.genesis.chain_id()).unwrap())
    }
}

pub fn issue(number: u64) -> IssueBatch {
    IssueBatch {
        type_code: TYPE.parse().unwrap(),
        type_version: TypeVersion(1),
        root: Hash(sha256(&[b"root", &number.to_be_bytes()])),
        count: 1,
        changes: List::empty(),
    }
}

pub fn digest(number: u64) -> LicenceDigest {
    LicenceDigest(sha256(&[b"licence", &number.to_be_bytes()]))
}

pub fn change(issuer: Uscc, target: StatusTarget, expected_length: u32, status: Status) -> StatusChange {
    StatusChange {
        issuer,
        target,
        supervised_type: None,
        expected_length,
        status,
        reason: Reason::Issuer,
        effective_from: START,
    }
}

pub fn changes(changes: Vec<StatusChange>) -> Payload {
    Payload::ChangeStatus(ChangeStatus { changes: List::new(changes).unwrap() })
}

/// Transactions of a test, offered in order.
pub struct TestSource {
    waiting: Mutex<Vec<Offered>>,
    verified: Mutex<BTreeSet<(TransactionId, Signature)>>,
    pub rejected: Mutex<Vec<(TransactionId, Code)>>,
    work: watch::Sender<bool>,
}

impl Default for TestSource {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            verified: Mutex::default(),
            rejected: Mutex::default(),
            work: watch::Sender::new(false),
        }
    }
}

impl TestSource {
    pub fn offer(&self, transactions: &[Transaction]) {
        let offered = transactions.iter().map(|transaction| {
            let bytes = transaction.to_bytes().into();
            Offered { id: transaction.body.id(), bytes }
        });
        self.waiting.lock().unwrap().extend(offered);
    }
}

impl TransactionSource for TestSource {
    fn take(&self, room: &Room) -> Vec<Offered> {
        self.waiting.lock().unwrap().iter().take(room.count).cloned().collect()
    }
    fn committed(&self, ids: &[TransactionId], _: Height, _: TimeMs) {
        let ids: BTreeSet<_> = ids.iter().collect();
        self.waiting.lock().unwrap().retain(|offered| !ids.contains(&offered.id));
    }
    fn reject(&self, id: &TransactionId, code: Code) {
        self.waiting.lock().unwrap().retain(|offered| offered.id != *id);
        self.rejected.lock().unwrap().push((*id, code));
    }
    fn work(&self) -> watch::Receiver<bool> {
        self.work.subscribe()
    }
    fn is_verified(&self, id: &TransactionId, signature: &Signature) -> bool {
        self.verified.lock().unwrap().contains(&(*id, signature.clone()))
    }
    fn verified(&self, id: TransactionId, signature: Signature) {
        self.verified.lock().unwrap().insert((id, signature));
    }
}

/// A chain with a clock and a source of its own.
pub struct TestNode {
    pub chain: Chain,
    pub source: Arc<TestSource>,
    pub clock: Arc<AtomicU64>,
    last_certificate: Mutex<Option<Certificate>>,
}

impl TestNode {
    pub fn new(storage: Storage) -> Self {
        let clock = Arc::new(AtomicU64::new(START.0 + 1_000));
        let tells = Arc::clone(&clock);
        let now = Arc::new(move || TimeMs(tells.load(Ordering::SeqCst)));
        // What a test offers fits into one block, however busy the machine.
        let config = ChainConfig { block_work: std::time::Duration::from_secs(600), ..ChainConfig::default() };
        let chain = Chain::open(Arc::new(storage), config, now).unwrap();
        let source = Arc::new(TestSource::default());
        chain.connect(Arc::<TestSource>::clone(&source));
        let tip = chain.tip().header.height;
        let last = chain.storage().read().certificate(tip).unwrap();
        Self { chain, source, clock, last_certificate: Mutex::new(last) }
    }

    pub fn now(&self) -> TimeMs {
        TimeMs(self.clock.load(Ordering::SeqCst))
    }

    pub fn pass(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    /// Builds a block of what is offered, proposed by bureau 0.
    pub fn propose(&self, world: &World) -> (HeaderHash, bytes::Bytes) {
        self.propose_in(world, Round(0))
    }

    /// The same in a later round.
    pub fn propose_in(&self, world: &World, round: Round) -> (HeaderHash, bytes::Bytes) {
        let height = self.chain.tip().header.height.next();
        let last = self.last_certificate.lock().unwrap().clone();
        let built = self.chain.build_candidate((height, round), world.address(0), self.now(), last.as_ref()).unwrap();
        (built.header_hash, built.body)
    }

    /// Commits a block that was checked or kept.
    pub fn decide(&self, world: &World, header_hash: HeaderHash) {
        let all: Vec<usize> = (0..world.offices.len()).collect();
        let height = self.chain.tip().header.height.next();
        let certificate = world.certify_hash(height, header_hash, &all);
        self.chain.commit(&certificate).unwrap();
        *self.last_certificate.lock().unwrap() = Some(certificate);
    }

    /// Builds, keeps and commits a block of these transactions; gives its body.
    pub fn block(&self, world: &World, transactions: &[Transaction]) -> bytes::Bytes {
        self.source.offer(transactions);
        self.pass(100);
        let (hash, body) = self.propose(world);
        self.chain.keep(self.chain.tip().header.height.next(), hash, &body).unwrap();
        self.decide(world, hash);
        body
    }

    pub fn check(&self, body: &[u8]) -> BlockCheck {
        let height = self.chain.tip().header.height.next();
        self.chain.check_block(body, &CheckRules { height, proposer: None, latest: None }).unwrap()
    }

    /// Checks a block of another node and commits it.
    pub fn follow(&self, world: &World, body: &[u8]) {
        match self.check(body) {
            BlockCheck::Valid(hash) => self.decide(world, hash),
            other => panic!("{other:?}"),
        }
    }
}

/// A state in memory.
#[derive(Default, Clone)]
pub struct MemoryView {
    pub registry: BTreeMap<MapKey, Vec<u8>>,
    pub state: BTreeMap<MapKey, Vec<u8>>,
    pub expiries: BTreeSet<SpentKey>,
    pub cases_due: BTreeSet<CaseDue>,
    pub consents_due: BTreeSet<ConsentDue>,
    pub log_size: u64,
}

impl View for MemoryView {
    fn registry(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.registry.get(key).cloned())
    }
    fn state(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.state.get(key).cloned())
    }
    fn expired(&self, before: TimeMs, max: usize) -> Result<Vec<SpentKey>, ReadError> {
        Ok(self.expiries.iter().take_while(|key| key.expiry < before).take(max).copied().collect())
    }
    fn due_cases(&self, before: TimeMs, max: usize) -> Result<Vec<CaseDue>, ReadError> {
        Ok(self.cases_due.iter().take_while(|due| due.time < before).take(max).copied().collect())
    }
    fn due_consents(&self, before: TimeMs, max: usize) -> Result<Vec<ConsentDue>, ReadError> {
        Ok(self.consents_due.iter().take_while(|due| due.time < before).take(max).copied().collect())
    }
    fn log_size(&self) -> u64 {
        self.log_size
    }
}

impl MemoryView {
    pub fn of(world: &World) -> Self {
        Self { registry: world.genesis.registry().unwrap(), ..Self::default() }
    }

    pub fn keep(&mut self, outcome: &kanhe_node::ledger::Outcome) {
        for (key, value) in &outcome.registry {
            self.registry.insert(*key, value.clone().expect("the registry only grows"));
        }
        for (key, value) in &outcome.state {
            match value {
                Some(value) => self.state.insert(*key, value.clone()),
                None => self.state.remove(key),
            };
        }
        for key in &outcome.swept {
            assert!(self.expiries.remove(key));
        }
        self.expiries.extend(&outcome.spent);
        let due = |case: &Case| CaseDue { time: case.next_by_time(), id: case.id };
        for change in &outcome.cases {
            assert!(change.before.as_ref().is_none_or(|case| self.cases_due.remove(&due(case))));
            self.cases_due.extend(change.after.as_ref().map(due));
        }
        let due = |consent: &Consent| ConsentDue { time: consent.forget, id: consent.id };
        for change in &outcome.consents {
            assert!(change.before.as_ref().is_none_or(|consent| self.consents_due.remove(&due(consent))));
            self.consents_due.extend(change.after.as_ref().map(due));
        }
        self.log_size += outcome.records.len() as u64;
    }
}

/// A small generator of numbers for seeded tests.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}
