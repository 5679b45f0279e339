//! A chain in memory for tests: four bureaus, their validators, maps, log, licences, requests and responses.
//!
//! Everything follows from seeds and from the methods called, so two worlds treated alike have the same bytes.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

pub mod accounts;
pub mod cases;
pub mod consents;

use std::collections::BTreeMap;

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::certificate::Certificate;
use kanhe_proto::codec;
use kanhe_proto::evidence::{EVIDENCE_VERSION, Evidence, LicencePath, SupervisionProof};
use kanhe_proto::genesis::{GENESIS_VERSION, Genesis, GenesisValidator, schema_digest};
use kanhe_proto::governance::{Action, PROPOSAL_VERSION, Proposal};
use kanhe_proto::hand_over::{Act, HAND_OVER_VERSION, HandOver, validator_keys};
use kanhe_proto::hash::{Hash, HeaderHash, LicenceDigest, MapKey, ProposalId, Suite, sha256};
use kanhe_proto::header::Header;
use kanhe_proto::identifiers::{Did, TypeVersion, Uscc, Vct};
use kanhe_proto::ids::{Height, LogIndex, Power, ProtocolVersion, Round, SpanMs, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey, SecretKey, Signature, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::merkle::log::{self, Tree};
use kanhe_proto::merkle::map::{self, MapLeaf};
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf, ProvedRecord};
use kanhe_proto::record::{BatchRecord, Choice, GovernanceRecord, GovernanceVote, Record};
use kanhe_proto::registry::{
    Accreditation, AskRight, Authority, Bureau, HolderKind, Intervals, KeyEntry, KeyRole, LicenceType, Membership,
    Names, Parameters, Purpose, PurposeClass, RegistryRecord, RelyingParty, Supervision,
};
use kanhe_proto::request::{ClaimQuery, Dcql, LicenceQuery, QueryMeta, Request};
use kanhe_proto::response::{Response, Stapled};
use kanhe_proto::sd_jwt::{
    ClaimPath, FixedClaims, HOLDER_BINDING_CLAIM, Holding, Issuance, KeyBinding, StatusRef, holder_binding, set,
};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::status::{BatchStatus, LicenceStatus, Reason, Status, StatusEntry};
use kanhe_proto::status::{batch_status_key, licence_status_key};
use kanhe_proto::trust::Trust;
use kanhe_proto::validators::{Address, Validator, ValidatorSet};
use kanhe_proto::verdict::{Verdict, verify_response};
use kanhe_proto::vote::{Vote, VoteType};
use serde_json::{Map, Value, json};

/// 2026-03-01T00:00:00Z, when the chain begins.
pub const START: TimeMs = TimeMs(1_772_323_200_000);
pub const DAY: u64 = 86_400_000;
pub const SECOND: u64 = 1_000;
pub const SCHEMA: &str = r#"{"type":"object"}"#;
pub const PERSON_TYPE: &str = "demo-id";
pub const BUSINESS_TYPE: &str = "demo-biz";
pub const NONCE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
pub const BUREAUS: usize = 4;

pub fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}
pub fn governance_key(bureau: usize) -> SecretKey {
    secret(10 + bureau as u8)
}
pub fn issuing_key(bureau: usize) -> SecretKey {
    secret(20 + bureau as u8)
}
pub fn validator_key(bureau: usize) -> SecretKey {
    secret(30 + bureau as u8)
}
pub fn bank_key() -> SecretKey {
    secret(60)
}
pub fn sealing() -> SealingSecret {
    SealingSecret::from_seed([50; 32])
}
pub fn bureau(at: usize) -> Uscc {
    Uscc::with_check(["11370100MB2815120", "11370100MB2815121", "11370100MB2815122", "11370100MB2815123"][at]).unwrap()
}
pub fn bank() -> Uscc {
    Uscc::with_check("91370100MA3C8XYT0").unwrap()
}
pub fn vct(code: &str) -> Vct {
    Vct { code: code.parse().unwrap(), version: TypeVersion(1) }
}
pub fn names(zh: &str, en: &str) -> Names {
    Names { zh: Text::new(zh).unwrap(), en: Text::new(en).unwrap() }
}
pub fn always() -> Intervals {
    Intervals::from(Height(0), Authority::Genesis)
}
pub fn key_entry(bureau: Uscc, role: KeyRole, key: PublicKey) -> KeyEntry {
    KeyEntry { bureau, role, key, intervals: always(), distrusted_from: None }
}
pub fn licence_type(code: &str, holder: HolderKind) -> LicenceType {
    LicenceType {
        code: code.parse().unwrap(),
        version: TypeVersion(1),
        names: names("演示证照", "Demo licence"),
        holder,
        schema: schema_digest(SCHEMA),
        max_age: SpanMs(DAY),
        intervals: always(),
    }
}

fn bureau_entry(at: usize) -> Bureau {
    Bureau {
        uscc: bureau(at),
        names: names("演示局", &format!("Bureau {at}")),
        region: Text::new("370100").unwrap(),
        addresses: List::empty(),
        intervals: always(),
    }
}

pub fn relying_party() -> RelyingParty {
    let right = |code: &str| AskRight {
        type_code: code.parse().unwrap(),
        claims: List::new(["ZZMC", "kanhe_hb", "name"].iter().map(|name| Text::new(*name).unwrap()).collect()).unwrap(),
    };
    RelyingParty {
        uscc: bank(),
        names: names("泉城银行", "Spring City Bank"),
        request_key: bank_key().public_key(),
        may_ask: List::new(vec![right(BUSINESS_TYPE), right(PERSON_TYPE)]).unwrap(),
        purposes: List::new(vec![Text::new("account").unwrap()]).unwrap(),
        intervals: always(),
    }
}

pub fn purpose() -> Purpose {
    Purpose {
        code: Text::new("account").unwrap(),
        names: names("开立账户", "Opening an account"),
        class: PurposeClass::PublicBenefit,
        intervals: always(),
    }
}

pub fn genesis() -> Genesis {
    let mut keys = vec![key_entry(bureau(0), KeyRole::Sealing, sealing().public_key())];
    for at in 0..BUREAUS {
        keys.push(key_entry(bureau(at), KeyRole::Governance, governance_key(at).public_key()));
        keys.push(key_entry(bureau(at), KeyRole::Issuing, issuing_key(at).public_key()));
        keys.push(key_entry(bureau(at), KeyRole::Validator, validator_key(at).public_key()));
    }
    let validators = (0..BUREAUS).map(|at| GenesisValidator {
        bureau: bureau(at),
        key: validator_key(at).public_key().id(),
        power: Power(1),
    });
    let accredited =
        |code: &str| Accreditation { issuer: bureau(0), type_code: code.parse().unwrap(), intervals: always() };
    let genesis = Genesis {
        version: GENESIS_VERSION,
        name: "test".parse().unwrap(),
        suite: Suite::Sha256,
        // The files of the formats are those of the version that began with governance; later ones add, and change none.
        protocol: ProtocolVersion(2),
        time: START,
        parameters: Parameters { heartbeat: SpanMs(5_000), ..Parameters::default() },
        bureaus: List::new((0..BUREAUS).map(bureau_entry).collect()).unwrap(),
        keys: List::new(keys).unwrap(),
        validators: List::new(validators.collect()).unwrap(),
        types: List::new(vec![
            licence_type(BUSINESS_TYPE, HolderKind::Enterprise),
            licence_type(PERSON_TYPE, HolderKind::Person),
        ])
        .unwrap(),
        schemas: List::new(vec![Text::new(SCHEMA).unwrap()]).unwrap(),
        accreditations: List::new(vec![accredited(BUSINESS_TYPE), accredited(PERSON_TYPE)]).unwrap(),
        supervisions: List::new(vec![supervision(PERSON_TYPE)]).unwrap(),
        relying_parties: List::new(vec![relying_party()]).unwrap(),
        purposes: List::new(vec![purpose()]).unwrap(),
    };
    genesis.check().unwrap();
    genesis
}

/// Bureau 1 supervises bureau 0.
pub fn supervision(code: &str) -> Supervision {
    Supervision { supervisor: bureau(1), issuer: bureau(0), type_code: code.parse().unwrap(), intervals: always() }
}

/// A licence to be issued.
#[derive(Clone)]
pub struct Spec {
    pub code: &'static str,
    /// Seed of the holder's key for this licence.
    pub holder: u8,
    /// Seed of the person, who has one secret and one id number.
    pub person: u8,
    pub not_before: Option<TimeMs>,
    pub expires: Option<TimeMs>,
    /// Which bureau's issuing key signs, in the name of bureau 0.
    pub signer: SecretKey,
}

impl Spec {
    pub fn new(code: &'static str, holder: u8, person: u8) -> Self {
        let (not_before, expires) = (Some(START), Some(TimeMs(START.0 + 365 * DAY)));
        Self { code, holder, person, not_before, expires, signer: issuing_key(0) }
    }
}

/// A licence in its holder's hands.
#[derive(Clone)]
pub struct Held {
    pub text: String,
    pub digest: LicenceDigest,
    pub path: LicencePath,
    pub holder: SecretKey,
    pub vct: Vct,
    pub key: kanhe_proto::key::KeyId,
}

#[derive(Clone)]
pub struct World {
    pub genesis: Genesis,
    pub registry: BTreeMap<MapKey, Vec<u8>>,
    pub state: BTreeMap<MapKey, Vec<u8>>,
    pub records: Vec<Vec<u8>>,
    pub set: ValidatorSet,
    pub next: ValidatorSet,
    pub validators: Vec<SecretKey>,
    pub height: u64,
    pub time: TimeMs,
    /// The relying party's request, as far as it differs from the usual one.
    pub max_age: SpanMs,
}

impl World {
    pub fn new() -> Self {
        let genesis = genesis();
        let set = genesis.validator_set().unwrap();
        Self {
            registry: genesis.registry().unwrap(),
            state: BTreeMap::new(),
            records: vec![b"\x09\x01another kind of record".to_vec()],
            next: set.clone(),
            set,
            validators: (0..BUREAUS).map(validator_key).collect(),
            height: 1,
            time: TimeMs(START.0 + DAY),
            max_age: SpanMs(3_600_000),
            genesis,
        }
    }
    /// A world with one licence of a person, and a block after it.
    pub fn with_licence() -> (Self, Held) {
        let mut world = Self::new();
        let held = world.issue(&[Spec::new(PERSON_TYPE, 101, 1), Spec::new(PERSON_TYPE, 102, 2)]).remove(0);
        world.block();
        (world, held)
    }
    pub fn trust(&self) -> Trust {
        Trust::pin(&self.genesis, START).unwrap()
    }
    /// Another block, a second later.
    pub fn block(&mut self) {
        self.height += 1;
        self.time.0 += SECOND;
    }

    /// Issues one batch in the name of bureau 0.
    pub fn issue(&mut self, specs: &[Spec]) -> Vec<Held> {
        self.issue_with(specs, |_| {})
    }
    /// Issues one batch whose record is spoilt.
    pub fn issue_with(&mut self, specs: &[Spec], spoil: impl FnOnce(&mut BatchRecord)) -> Vec<Held> {
        self.block();
        let batch = LogIndex(self.records.len() as u64);
        let issued: Vec<_> = specs.iter().enumerate().map(|(at, spec)| self.sign(spec, batch, at)).collect();
        let tree = Tree::new(issued.iter().map(|one| log::leaf_hash(one.digest.bytes())).collect());
        let mut record = BatchRecord {
            issuer: bureau(0),
            signing_key: specs[0].signer.public_key().id(),
            type_code: specs[0].code.parse().unwrap(),
            type_version: TypeVersion(1),
            root: tree.root(),
            count: issued.len() as u32,
            height: Height(self.height),
            time: self.time,
        };
        spoil(&mut record);
        self.records.push(record.to_record());
        let held = issued.into_iter().zip(specs).enumerate().map(|(at, (one, spec))| Held {
            text: one.text,
            digest: one.digest,
            path: LicencePath { batch, inclusion: tree.path(at as u64).unwrap() },
            holder: secret(spec.holder),
            vct: vct(spec.code),
            key: spec.signer.public_key().id(),
        });
        held.collect()
    }

    pub fn claims(spec: &Spec) -> Map<String, Value> {
        let hb = holder_binding(&[spec.person; 32], "RESIDENT", "11010519491231002X");
        let claims = json!({ "ZZMC": "演示证照", "name": format!("张{}", spec.person), "kanhe_hb": hb,
            "address": { "city": "济南", "street": "经十路" } });
        claims.as_object().unwrap().clone()
    }

    fn sign(&self, spec: &Spec, batch: LogIndex, at: usize) -> kanhe_proto::sd_jwt::Issued {
        let claims = Self::claims(spec);
        let issuance = Issuance {
            fixed: FixedClaims {
                issuer: Did::new(self.trust().chain_ref(), bureau(0)),
                vct: vct(spec.code),
                jti: Text::new(format!("jti-{batch}-{at}")).unwrap(),
                issued_at: Some(self.time),
                not_before: spec.not_before,
                expires: spec.expires,
                holder: secret(spec.holder).public_key(),
                status: StatusRef { idx: 7, uri: Text::new("https://status.example/1").unwrap() },
            },
            disclosable: claims.keys().map(|name| ClaimPath::name(name)).collect(),
            claims,
            decoys: 1,
        };
        let mut count = 0u64;
        let mut salts = || {
            count += 1;
            sha256(&[&batch.0.to_be_bytes(), &(at as u64).to_be_bytes(), &count.to_be_bytes()])[..16]
                .try_into()
                .unwrap()
        };
        issuance.sign(&spec.signer, &mut salts).unwrap()
    }

    pub fn put<T: RegistryRecord>(&mut self, record: &T) {
        self.registry.insert(record.key(), record.to_value());
    }
    pub fn get<T: RegistryRecord>(&self, id: &T::Id) -> T {
        T::from_value(&self.registry[&T::key_of(id)]).unwrap()
    }
    /// Changes a registry record.
    pub fn change<T: RegistryRecord>(&mut self, id: &T::Id, change: impl FnOnce(&mut T)) {
        let mut record = self.get::<T>(id);
        change(&mut record);
        self.put(&record);
    }

    /// An entry of the issuer, recorded in a block of its own and effective from then on.
    pub fn entry(&mut self, status: Status) -> StatusEntry {
        self.block();
        StatusEntry {
            height: Height(self.height),
            recorded_at: self.time,
            effective_from: self.time,
            status,
            reason: Reason::Issuer,
            by: bureau(0),
            supervised_type: None,
        }
    }
    /// An entry of bureau 1 as supervisor of a type.
    pub fn supervisor_entry(&mut self, status: Status, code: &str) -> StatusEntry {
        let (by, supervised_type) = (bureau(1), Some(code.parse().unwrap()));
        StatusEntry { reason: Reason::Supervisor, by, supervised_type, ..self.entry(status) }
    }
    pub fn set_licence(&mut self, held: &Held, entries: Vec<StatusEntry>) {
        let status = LicenceStatus { entries: List::new(entries).unwrap() };
        self.state.insert(licence_status_key(&bureau(0), &held.digest), status.to_value());
    }
    pub fn set_batch(&mut self, held: &Held, status: &BatchStatus) {
        self.state.insert(batch_status_key(&bureau(0), held.path.batch), status.to_value());
    }

    pub fn log(&self) -> Tree {
        Tree::new(self.records.iter().map(|record| log::leaf_hash(record)).collect())
    }
    /// The header of everything so far.
    pub fn header(&self) -> Header {
        let log = self.log();
        Header {
            height: Height(self.height),
            time: self.time,
            proposer: self.set.members()[0].address,
            parent: HeaderHash([1; 32]),
            last_certificate: Hash([2; 32]),
            validators: self.set.hash(),
            next_validators: self.next.hash(),
            log_root: log.root(),
            log_size: log.size(),
            registry_root: map::root_of(&leaves(&self.registry)),
            state_root: map::root_of(&leaves(&self.state)),
            history_root: Hash([3; 32]),
            ..self.genesis.header().unwrap()
        }
    }
    pub fn certified(&self) -> CertifiedHeader {
        self.certify(self.header())
    }
    /// A certificate of exactly a quorum.
    pub fn certify(&self, header: Header) -> CertifiedHeader {
        let full = self.certificate(&header, &self.validators);
        let certificate = full.trim(&self.set).unwrap();
        CertifiedHeader { header, certificate }
    }
    /// A certificate of these validators.
    pub fn certificate(&self, header: &Header, signers: &[SecretKey]) -> Certificate {
        let (height, round, value) = (header.height, Round(0), header.hash());
        let signatures = signers.iter().map(|key| {
            let address = Address::of(&key.public_key());
            let vote = Vote { vote_type: VoteType::Precommit, height, round, value: Some(value), address };
            (address, key.sign(&vote.sign_bytes(&self.genesis.chain())).unwrap())
        });
        Certificate::new(&self.set, height, round, value, signatures.collect::<Vec<(Address, Signature)>>()).unwrap()
    }

    pub fn registry_leaf(&self, key: MapKey) -> ProvedLeaf {
        prove(&self.registry, key)
    }
    pub fn state_leaf(&self, key: MapKey) -> ProvedLeaf {
        prove(&self.state, key)
    }
    pub fn proved_record(&self, index: LogIndex) -> ProvedRecord {
        let record = Blob::new(self.records[index.0 as usize].clone()).unwrap();
        ProvedRecord { index, record, inclusion: self.log().path(index.0).unwrap() }
    }

    /// What the chain knows of a licence now.
    pub fn evidence(&self, held: &Held) -> Evidence {
        let (issuer, code, batch) = (bureau(0), held.vct.code.clone(), held.path.batch);
        let supervisor = bureau(1);
        let id = (supervisor, issuer, code.clone());
        let right = SupervisionProof { supervisor, leaf: self.registry_leaf(Supervision::key_of(&id)) };
        Evidence {
            version: EVIDENCE_VERSION,
            certified: self.certified(),
            issuer: self.registry_leaf(Bureau::key_of(&issuer)),
            key: self.registry_leaf(KeyEntry::key_of(&(issuer, held.key))),
            accreditation: self.registry_leaf(Accreditation::key_of(&(issuer, code.clone()))),
            licence_type: self.registry_leaf(LicenceType::key_of(&(code, held.vct.version))),
            batch: self.proved_record(batch),
            batch_status: self.state_leaf(batch_status_key(&issuer, batch)),
            licence_status: self.state_leaf(licence_status_key(&issuer, &held.digest)),
            supervisions: List::new(vec![right]).unwrap(),
        }
    }

    /// A request for these queries: id, type, claims.
    pub fn request(&self, queries: &[(&str, &str, &[&str])], same_holder: bool) -> Request {
        let claim = |name: &&str| ClaimQuery { path: ClaimPath::name(name) };
        let credentials = queries.iter().map(|(id, code, claims)| LicenceQuery {
            id: (*id).to_owned(),
            format: "dc+sd-jwt".to_owned(),
            meta: QueryMeta { vct_values: vec![vct(code)] },
            claims: claims.iter().map(claim).collect(),
        });
        Request {
            client_id: Did::new(self.trust().chain_ref(), bank()),
            response_type: "vp_token".to_owned(),
            nonce: NONCE.to_owned(),
            dcql_query: Dcql { credentials: credentials.collect() },
            purpose: "account".to_owned(),
            max_age_ms: self.max_age,
            same_holder,
            iat: self.time.0 / 1000,
            exp: self.time.0 / 1000 + 600,
        }
    }
    /// The usual request: one licence of a person, its name.
    pub fn usual_request(&self) -> Request {
        self.request(&[("id", PERSON_TYPE, &["name"])], false)
    }

    /// What a wallet answers; licences in the order of the queries.
    pub fn respond(&self, request: &Request, held: &[&Held]) -> Response {
        let evidence: Vec<Evidence> = held.iter().map(|held| self.evidence(held)).collect();
        present(request, held, &evidence, TimeMs(request.iat * 1000))
    }
    /// The verdict on the usual response, now.
    pub fn judge(&self, held: &Held) -> Verdict {
        self.judge_with(held, |_| {})
    }
    /// The verdict on the usual response with spoilt evidence.
    pub fn judge_with(&self, held: &Held, spoil: impl FnOnce(&mut Evidence)) -> Verdict {
        let request = self.usual_request();
        let mut evidence = self.evidence(held);
        spoil(&mut evidence);
        let response = present(&request, &[held], &[evidence], TimeMs(request.iat * 1000));
        verify_response(&response.to_bytes(), &request, &self.trust(), self.time, None)
    }
    /// The verdict on the usual response, asked for at a time.
    pub fn judge_at(&self, held: &Held, now: TimeMs, at: Option<TimeMs>) -> Verdict {
        let mut request = self.usual_request();
        request.iat = now.0 / 1000;
        request.exp = now.0 / 1000 + 600;
        let response = self.respond(&request, &[held]);
        verify_response(&response.to_bytes(), &request, &self.trust(), now, at)
    }

    /// A proposal of bureau 0, made now.
    pub fn proposal(&self, actions: Vec<Action>) -> Proposal {
        Proposal {
            version: PROPOSAL_VERSION,
            proposer: bureau(0),
            created: self.time,
            expires: TimeMs(self.time.0 + 30 * DAY),
            note: Text::new("why").unwrap(),
            actions: List::new(actions).unwrap(),
        }
    }
    pub fn vote(&self, at: usize, id: &ProposalId, choice: Choice) -> GovernanceVote {
        let signer = governance_key(at);
        let signature = signer.sign(&GovernanceVote::sign_bytes(&self.genesis.chain(), id, choice)).unwrap();
        GovernanceVote { bureau: bureau(at), key: signer.public_key().id(), choice, signature }
    }
    /// A decision of these bureaus on [`World::other_set`], put into the log.
    pub fn decide(&mut self, voters: &[(usize, Choice)]) -> LogIndex {
        let proposal = self.proposal(vec![seat(3, &secret(90), 1), unseat(3, &validator_key(3))]);
        self.decide_on(&proposal, voters)
    }
    /// A decision on a proposal, put into the log as if the votes sufficed.
    pub fn decide_on(&mut self, proposal: &Proposal, voters: &[(usize, Choice)]) -> LogIndex {
        let id = proposal.id();
        let votes: Vec<_> = voters.iter().map(|(at, choice)| self.vote(*at, &id, *choice)).collect();
        let members: Membership = self.get(&());
        let parameters: Parameters = self.get(&());
        self.record(&GovernanceRecord {
            proposal: Blob::new(proposal.to_bytes()).unwrap(),
            votes: List::new(votes).unwrap(),
            members: members.bureaus.len() as u32,
            threshold: proposal.decided_by().threshold(&parameters),
            height: Height(self.height),
            time: self.time,
        })
    }
    pub fn record<T: Record>(&mut self, record: &T) -> LogIndex {
        self.records.push(record.to_record());
        LogIndex(self.records.len() as u64 - 1)
    }
    /// The record with the keys that a node shows with it.
    pub fn act(&self, index: LogIndex) -> Act {
        let record = self.proved_record(index);
        let Ok(decision) = GovernanceRecord::from_record(&self.records[index.0 as usize]) else {
            return Act { record, keys: List::empty() };
        };
        let leaf = |id: &(Uscc, KeyId)| self.registry_leaf(KeyEntry::key_of(id));
        let mut keys: Vec<_> = decision.votes.iter().map(|vote| leaf(&(vote.bureau, vote.key))).collect();
        let proposal = Proposal::from_bytes(&decision.proposal);
        let actions = proposal.map(|proposal| proposal.actions.into_vec()).unwrap_or_default();
        let validators = validator_keys(&actions, &self.set, &self.next);
        keys.extend(validators.iter().map(leaf).filter(|leaf| leaf.value.is_some()));
        Act { record, keys: List::new(keys).unwrap() }
    }
    /// Hands over to `self.next` with these acts.
    pub fn hand_over(&self, acts: Vec<Act>) -> HandOver {
        HandOver {
            version: HAND_OVER_VERSION,
            certified: self.certified(),
            next: self.next.clone(),
            acts: List::new(acts).unwrap(),
            parameters: self.registry_leaf(Parameters::key_of(&())),
        }
    }
    /// The set that `self.next` becomes when validators change: the first three and a new one.
    pub fn other_set() -> ValidatorSet {
        ValidatorSet::new(Self::other_keys().iter().map(|key| Validator::new(key.public_key(), Power(1))).collect())
            .unwrap()
    }
    pub fn other_keys() -> Vec<SecretKey> {
        vec![validator_key(0), validator_key(1), validator_key(2), secret(90)]
    }
    /// The next epoch has begun.
    pub fn begin_epoch(&mut self) {
        self.block();
        self.set = self.next.clone();
        self.validators = Self::other_keys();
    }
}

pub fn seat(at: usize, key: &SecretKey, power: u64) -> Action {
    Action::SeatValidator { bureau: bureau(at), key: key.public_key(), power: Power(power) }
}
pub fn unseat(at: usize, key: &SecretKey) -> Action {
    Action::UnseatValidator { bureau: bureau(at), key: key.public_key() }
}

/// A wallet's answer with this evidence.
pub fn present(request: &Request, held: &[&Held], evidence: &[Evidence], issued_at: TimeMs) -> Response {
    let queries = &request.dcql_query.credentials;
    let presentations: Vec<_> = queries
        .iter()
        .zip(held)
        .map(|(query, held)| Holding::open(&held.text).unwrap().present(&query.paths(request.same_holder)).unwrap())
        .collect();
    let hashes: Vec<String> = presentations.iter().map(kanhe_proto::sd_jwt::Presentation::sd_hash).collect();
    let binding = KeyBinding {
        nonce: request.nonce.clone(),
        audience: request.client_id.to_string(),
        issued_at,
        set: Some(set(&hashes)),
    };
    let mut response = Response { vp_token: BTreeMap::new(), evidence: BTreeMap::new() };
    for (at, query) in queries.iter().enumerate().take(held.len()) {
        let token = presentations[at].bind(&binding, &held[at].holder).unwrap();
        response.vp_token.insert(query.id.clone(), vec![token]);
        response.evidence.insert(query.id.clone(), staple(&evidence[at], &held[at].path));
    }
    response
}

pub fn staple(evidence: &Evidence, path: &LicencePath) -> Stapled {
    Stapled { evidence: Blob::new(evidence.to_bytes()).unwrap(), path: Blob::new(codec::encode(path)).unwrap() }
}

pub fn leaves(values: &BTreeMap<MapKey, Vec<u8>>) -> Vec<MapLeaf> {
    values.iter().map(|(key, value)| MapLeaf::new(*key, value)).collect()
}

pub fn prove(values: &BTreeMap<MapKey, Vec<u8>>, key: MapKey) -> ProvedLeaf {
    let value = values.get(&key).map(|value| Blob::new(value.clone()).unwrap());
    ProvedLeaf { value, proof: map::prove(&leaves(values), &key) }
}

/// Outcome, rule and code.
pub fn said(verdict: &Verdict) -> (kanhe_proto::verdict::Outcome, u8, &str) {
    (verdict.outcome, verdict.rule.0, verdict.code.as_str())
}

pub const HOLDER_BINDING: &str = HOLDER_BINDING_CLAIM;

/// A service item with one of everything, as a file has it.
pub fn item_value() -> serde_json::Value {
    let words = |text: &str| serde_json::json!({"zh": format!("{text}（中文）"), "en": text});
    serde_json::json!({
        "format": 1, "code": "flat-purchase", "version": 1, "region": "370100", "names": words("Flat"),
        "about": words("Buying a new flat."), "purpose": "registration", "life_days": 365,
        "party": [
            {"code": "developer", "names": words("Developer"), "kind": "enterprise", "opens": true},
            {"code": "buyer", "names": words("Buyer"), "kind": "person", "applicant": true, "same_holder": true},
            {"code": "spouse", "names": words("Spouse"), "kind": "person", "optional": true},
        ],
        "bureau": [
            {"code": "registry", "names": words("Registry")},
            {"code": "tax", "names": words("Tax office")},
            {"code": "civil", "names": words("Civil affairs")},
        ],
        "ask": [
            {"code": "identity", "of": "buyer", "to": ["registry", "tax"], "types": ["DEMOJMSFZ001:1"],
             "claims": ["CZZT", "CZZTDM"], "why": words("To know the buyer.")},
            {"code": "spouse_identity", "of": "spouse", "to": ["registry"], "types": ["DEMOJMSFZ001:1"],
             "claims": ["CZZT"], "why": words("To know the spouse."), "optional": true},
        ],
        "field": [
            {"code": "price", "of": "developer", "to": ["tax"], "names": words("Price"), "kind": "amount"},
            {"code": "loan", "of": "buyer", "to": ["registry"], "names": words("Loan"), "kind": "choice",
             "choices": ["yes", "no"], "optional": true},
        ],
        "attachment": [
            {"code": "contract", "of": "developer", "to": ["tax"], "names": words("Contract"), "bytes_max": 1_000_000},
        ],
        "read": [
            {"code": "marriage", "of": "buyer", "by": "registry", "from": "civil", "type": "DEMOJHZ001:1",
             "claims": ["KZ_ZT"], "basis": "consent", "why": words("To know co-owners.")},
        ],
        "step": [
            {"code": "tax", "names": words("Tax"), "by": "tax", "waits_for": ["developer", "buyer"],
             "rules": ["priced"], "auto": true, "limit_days": 3, "passes": {"paid": "form.price"}},
            {"code": "register", "names": words("Registration"), "by": "registry", "needs": ["tax"],
             "waits_for": ["buyer", "spouse"], "limit_days": 5, "final": true},
        ],
        "rule": [
            {"code": "priced", "holds": "cents(form.price) > 0", "otherwise": "return", "say": words("Give the price.")},
        ],
        "yield": [
            {"code": "certificate", "step": "register", "type": "11100000MB03271699001:1", "to": "buyer",
             "claims": {"CZZT": "given.identity.CZZT", "CZZTDM": "given.identity.CZZTDM"}},
        ],
    })
}

/// The same, read.
pub fn item() -> kanhe_proto::item::Item {
    serde_json::from_value(item_value()).unwrap()
}

/// Who plays its roles.
pub fn item_bound() -> Vec<kanhe_proto::item::BoundRole> {
    let bound = |role: &str, bureaus: Vec<Uscc>| {
        let (role, mut bureaus) = (Text::new(role).unwrap(), bureaus);
        bureaus.sort_unstable();
        kanhe_proto::item::BoundRole { role, bureaus: List::new(bureaus).unwrap() }
    };
    vec![bound("registry", vec![bureau(0)]), bound("tax", vec![bureau(1), bureau(2)]), bound("civil", vec![bureau(3)])]
}
