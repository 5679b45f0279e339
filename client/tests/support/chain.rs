//! A chain of one validator in memory: every header is certified as of now.

pub mod accounts;
pub mod cases;
pub mod consents;
pub mod governance;
pub mod past;

use std::collections::BTreeMap;

use kanhe_client::sample::Subject;
use kanhe_proto::api::{
    BatchAnswer, EvidenceAnswer, EvidenceMany, EvidenceManyAnswer, EvidenceQuery, HeaderAnswer, KeysAnswer, LeafAnswer,
    NodeStatus, TransactionState, TransactionStatus, TrustAnswer,
};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::certificate::Certificate;
use kanhe_proto::codec;
use kanhe_proto::evidence::{EVIDENCE_VERSION, Evidence, LicencePath};
use kanhe_proto::genesis::{GENESIS_VERSION, Genesis, GenesisValidator, PROTOCOL_VERSION, schema_digest};
use kanhe_proto::hash::{Hash, LicenceDigest, MapKey, Suite, TransactionId};
use kanhe_proto::identifiers::{Did, TypeVersion, Uscc, Vct};
use kanhe_proto::ids::{Height, LogIndex, Power, Round, SpanMs, TimeMs};
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::merkle::log::{self, Tree};
use kanhe_proto::merkle::map::{self, MapLeaf};
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf, ProvedRecord, ProvedTransaction};
use kanhe_proto::record::{BatchRecord, Record};
use kanhe_proto::registry::{
    Accreditation, AskRight, Authority, Bureau, HolderKind, Intervals, KeyEntry, KeyRole, LicenceType, Names,
    Parameters, Purpose, PurposeClass, RegistryRecord, RelyingParty,
};
use kanhe_proto::sd_jwt::{ClaimPath, FixedClaims, Issuance, StatusRef};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::status::{self, LicenceStatus, Reason, Status, StatusEntry, batch_status_key, licence_status_key};
use kanhe_proto::text;
use kanhe_proto::transaction::{IssueBatch, Payload, StatusChange, StatusTarget, Transaction, TransactionKind};
use kanhe_proto::validators::ValidatorSet;
use kanhe_proto::vote::{Vote, VoteType};
use serde_json::json;

use super::mail::Letters;

pub const ISSUER_FIRST: &str = "11370100MB2858147";
pub const BANK_FIRST: &str = "91370100MA3C8XYT0";

pub struct Chain {
    pub genesis: Genesis,
    pub issuer: Uscc,
    pub bank: Uscc,
    pub bank_key: SecretKey,
    validator: SecretKey,
    pub issuing: SecretKey,
    pub sealing: SealingSecret,
    records: Vec<Vec<u8>>,
    state: BTreeMap<MapKey, Vec<u8>>,
    /// Registry records that were decided after genesis.
    decided: BTreeMap<MapKey, Vec<u8>>,
    /// The validators, once genesis' were handed over from; and those to come.
    sets: (Option<ValidatorSet>, Option<ValidatorSet>),
    /// Hand-overs.
    handed: Vec<Vec<u8>>,
    /// Code with which every proposal and vote is refused.
    pub refuses: Option<&'static str>,
    height: u64,
    committed: BTreeMap<TransactionId, TransactionStatus>,
    /// What the node does with transactions handed in.
    pub intake: Intake,
    /// Mail for the issuer.
    pub letters: Letters,
    /// The node says that now is this much earlier.
    pub lag_ms: u64,
    /// Whose keys it lists, whoever is asked for.
    pub keys_of: Option<Uscc>,
    /// Files of cases.
    pub files: cases::CaseFiles,
    /// Paths that were asked for.
    pub asked: Vec<String>,
    /// The next request is one too many.
    pub too_often: bool,
    /// Batches are taken, and nobody is told.
    pub lose_batches: bool,
    /// The next batch is refused, and stays so.
    pub refuses_batch: bool,
    refused_root: Option<Hash>,
    /// Headers of the past, and lies about the log.
    pub past: past::Past,
    /// Consents and reads.
    pub sharing: consents::Sharing,
}

/// What a node does with a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Executes it at once.
    Works,
    /// Executes one, and breaks off before all that follow.
    WorksOnce,
    /// Breaks the connection off before it has looked at it.
    BreaksBefore,
    /// Breaks the connection off once the transaction is committed.
    BreaksAfter,
    /// Takes it in and forgets it.
    Forgets,
    /// Says of acts on cases that the chain refuses them, which is not so, and keeps them.
    Refuses,
}

/// A licence as its issuer hands it over.
pub struct Handed {
    pub sd_jwt: String,
    pub path: Vec<u8>,
    pub digest: LicenceDigest,
}

pub fn now() -> TimeMs {
    kanhe_client::clock::now()
}

fn names(zh: &str, en: &str) -> Names {
    Names { zh: Text::new(zh).unwrap(), en: Text::new(en).unwrap() }
}

fn key_entry(bureau: Uscc, role: KeyRole, key: PublicKey) -> KeyEntry {
    KeyEntry { bureau, role, key, intervals: always(), distrusted_from: None }
}

fn always() -> Intervals {
    Intervals::from(Height(0), Authority::Genesis)
}

fn licence_type(code: &str, holder: HolderKind, schema: &str) -> LicenceType {
    LicenceType {
        code: code.parse().unwrap(),
        version: TypeVersion(1),
        names: names("营业执照（演示）", "Business licence (demo)"),
        holder,
        schema: schema_digest(schema),
        max_age: SpanMs(86_400_000),
        intervals: always(),
    }
}

impl Chain {
    pub fn new(seed: u8) -> Self {
        let issuer = Uscc::with_check(ISSUER_FIRST).unwrap();
        let bank = Uscc::with_check(BANK_FIRST).unwrap();
        let secret = |role: u8| SecretKey::from_seed([seed.wrapping_add(role); 32]);
        let (validator, issuing, bank_key, governance) = (secret(1), secret(2), secret(3), secret(4));
        let sealing = SealingSecret::from_seed([seed.wrapping_add(5); 32]);
        let schema = r#"{"type":"object"}"#;
        let [business, identity] = [Subject::BusinessLicence, Subject::IdentityCard].map(Subject::type_file);
        let [business_schema, identity_schema] = [&business, &identity].map(|file| file.schema.to_string());
        let right = |code: &str| AskRight {
            type_code: code.parse().unwrap(),
            claims: List::new(
                ["ZZMC", "CZZT", "CZZTDM", "address", "kanhe_hb"]
                    .iter()
                    .map(|claim| Text::new(*claim).unwrap())
                    .collect(),
            )
            .unwrap(),
        };
        let accredited = |code: &str| Accreditation { issuer, type_code: code.parse().unwrap(), intervals: always() };
        let genesis = Genesis {
            version: GENESIS_VERSION,
            name: "test".parse().unwrap(),
            suite: Suite::Sha256,
            protocol: PROTOCOL_VERSION,
            time: TimeMs(now().0 - 3_600_000),
            parameters: Parameters { heartbeat: SpanMs(5_000), ..Parameters::default() },
            bureaus: List::new(vec![Bureau {
                uscc: issuer,
                names: names("济南高新区市场监管局", "Market Regulation Bureau"),
                region: Text::new("370100").unwrap(),
                addresses: List::empty(),
                intervals: always(),
            }])
            .unwrap(),
            keys: List::new(vec![
                key_entry(issuer, KeyRole::Validator, validator.public_key()),
                key_entry(issuer, KeyRole::Issuing, issuing.public_key()),
                key_entry(issuer, KeyRole::Governance, governance.public_key()),
                key_entry(issuer, KeyRole::Sealing, sealing.public_key()),
            ])
            .unwrap(),
            validators: List::new(vec![GenesisValidator {
                bureau: issuer,
                key: validator.public_key().id(),
                power: Power(1),
            }])
            .unwrap(),
            types: List::new(vec![
                licence_type("demo-biz", HolderKind::Enterprise, schema),
                licence_type("demo-id", HolderKind::Person, schema),
                licence_type(&business.code, HolderKind::Enterprise, &business_schema),
                licence_type(&identity.code, HolderKind::Person, &identity_schema),
            ])
            .unwrap(),
            schemas: List::new(
                [schema, &business_schema, &identity_schema].map(|text| Text::new(text).unwrap()).to_vec(),
            )
            .unwrap(),
            accreditations: List::new(["demo-biz", "demo-id", &business.code, &identity.code].map(accredited).to_vec())
                .unwrap(),
            supervisions: List::empty(),
            relying_parties: List::new(vec![RelyingParty {
                uscc: bank,
                names: names("泉城银行", "Spring City Bank"),
                request_key: bank_key.public_key(),
                may_ask: List::new(["demo-biz", "demo-id", &business.code, &identity.code].map(right).to_vec())
                    .unwrap(),
                purposes: List::new(vec![Text::new("account").unwrap()]).unwrap(),
                intervals: always(),
            }])
            .unwrap(),
            purposes: List::new(vec![Purpose {
                code: Text::new("account").unwrap(),
                names: names("开立账户", "Opening an account"),
                class: PurposeClass::PublicBenefit,
                intervals: always(),
            }])
            .unwrap(),
        };
        genesis.check().unwrap();
        Self {
            genesis,
            issuer,
            bank,
            bank_key,
            validator,
            issuing,
            sealing,
            records: Vec::new(),
            state: BTreeMap::new(),
            decided: BTreeMap::new(),
            sets: (None, None),
            handed: Vec::new(),
            refuses: None,
            height: 0,
            committed: BTreeMap::new(),
            intake: Intake::Works,
            letters: Letters::default(),
            lag_ms: 0,
            keys_of: None,
            files: cases::CaseFiles::default(),
            asked: Vec::new(),
            too_often: false,
            lose_batches: false,
            refuses_batch: false,
            refused_root: None,
            past: past::Past::default(),
            sharing: consents::Sharing::default(),
        }
    }

    /// Issues one licence to each key in one batch.
    pub fn issue(&mut self, code: &str, holders: &[PublicKey], hb: Option<&str>) -> Vec<Handed> {
        let trust = kanhe_proto::trust::Trust::pin(&self.genesis, now()).unwrap();
        let vct = Vct { code: code.parse().unwrap(), version: TypeVersion(1) };
        let mut salt = 0u128;
        let mut issued = Vec::new();
        for (place, holder) in holders.iter().enumerate() {
            let mut claims =
                json!({ "ZZMC": "济南泉城软件有限公司", "address": { "city": "济南", "street": "经十路" } });
            if let Some(hb) = hb {
                claims["kanhe_hb"] = hb.into();
            }
            let serde_json::Value::Object(claims) = claims else { unreachable!() };
            let disclosable = claims.keys().map(|name| ClaimPath::name(name)).collect();
            let issuance = Issuance {
                fixed: FixedClaims {
                    issuer: Did::new(trust.chain_ref(), self.issuer),
                    vct: vct.clone(),
                    jti: Text::new(format!("jti-{}-{place}", self.records.len())).unwrap(),
                    issued_at: Some(now()),
                    not_before: Some(TimeMs(now().0 - 60_000)),
                    expires: Some(TimeMs(now().0 + 86_400_000)),
                    holder: holder.clone(),
                    status: StatusRef { idx: 7, uri: Text::new("https://status.example/1").unwrap() },
                },
                claims,
                disclosable,
                decoys: 1,
            };
            let mut salts = || {
                salt += 1;
                salt.to_be_bytes()
            };
            issued.push(issuance.sign(&self.issuing, &mut salts).unwrap());
        }
        self.anchor(&vct, &issued)
    }

    fn anchor(&mut self, vct: &Vct, issued: &[kanhe_proto::sd_jwt::Issued]) -> Vec<Handed> {
        let tree = Tree::new(issued.iter().map(|one| log::leaf_hash(one.digest.bytes())).collect());
        let batch = LogIndex(self.records.len() as u64);
        self.height += 1;
        let record = BatchRecord {
            issuer: self.issuer,
            signing_key: self.issuing.public_key().id(),
            type_code: vct.code.clone(),
            type_version: vct.version,
            root: tree.root(),
            count: issued.len() as u32,
            height: Height(self.height),
            time: now(),
        };
        self.records.push(record.to_record());
        let handed = issued.iter().enumerate().map(|(at, one)| {
            let path = LicencePath { batch, inclusion: tree.path(at as u64).unwrap() };
            Handed { sd_jwt: one.text.clone(), path: codec::encode(&path), digest: one.digest }
        });
        handed.collect()
    }

    pub fn set_status(&mut self, digest: &LicenceDigest, status: Status) {
        let key = licence_status_key(&self.issuer, digest);
        let mut history: LicenceStatus =
            self.state.get(&key).map(|value| LicenceStatus::from_value(value).unwrap()).unwrap_or_default();
        self.height += 1;
        let entry = StatusEntry {
            height: Height(self.height),
            recorded_at: now(),
            effective_from: now(),
            status,
            reason: Reason::Issuer,
            by: self.issuer,
            supervised_type: None,
        };
        history.entries.push(entry).unwrap();
        self.state.insert(key, history.to_value());
    }

    /// Of what was committed the chain's log and state are left, and nothing is known by its transaction.
    pub fn forget(&mut self) {
        self.committed.clear();
    }

    /// The log.
    pub fn records(&self) -> &[Vec<u8>] {
        &self.records
    }
    /// Batches under the issuer's name.
    pub fn batches(&self) -> usize {
        self.records.len()
    }

    /// Executes a transaction and commits it in a block of its own.
    pub fn submit(&mut self, bytes: &[u8]) -> TransactionStatus {
        if self.intake == Intake::Forgets {
            return self.transaction(&TransactionId([0; 32]));
        }
        let (transaction, id) = Transaction::from_bytes(bytes).unwrap();
        if self.committed.contains_key(&id) {
            return self.transaction(&id);
        }
        if transaction.body.payload.kind == TransactionKind::Governance.byte() {
            self.height += 1;
            return match self.govern(&transaction, &id) {
                Ok(()) => self.commit(id, None),
                Err(code) => {
                    let (state, code) = (TransactionState::Rejected, Some(code.to_owned()));
                    TransactionStatus { state, code, ..self.transaction(&id) }
                }
            };
        }
        let body = &transaction.body;
        let public = self.public_key(body.sender, body.key).unwrap();
        public.verify(&Transaction::sign_bytes(&id), &transaction.signature).unwrap();
        assert_eq!(body.chain, self.genesis.chain());
        assert!(body.expiry > now());
        if let Payload::IssueBatch(batch) = Payload::from_raw(&body.payload, self.genesis.protocol).unwrap()
            && batch.changes.iter().any(|change| self.is_stale(change))
        {
            let state = TransactionState::Rejected;
            let unknown = self.transaction(&id);
            return TransactionStatus { state, code: Some("stale_history".to_owned()), ..unknown };
        }
        if let Payload::IssueBatch(batch) = Payload::from_raw(&body.payload, self.genesis.protocol).unwrap()
            && self.is_refused(batch.root)
        {
            let (state, code) = (TransactionState::Rejected, Some("not_accredited".to_owned()));
            return TransactionStatus { state, code, ..self.transaction(&id) };
        }
        self.height += 1;
        let batch = match Payload::from_raw(&body.payload, self.genesis.protocol).unwrap() {
            Payload::IssueBatch(batch) => {
                batch.changes.iter().for_each(|change| self.execute_change(change));
                Some(self.execute_batch(batch, body.sender, body.key))
            }
            Payload::ChangeStatus(payload) => {
                payload.changes.iter().for_each(|change| self.execute_change(change));
                None
            }
            Payload::AccessRecord(payload) => {
                for read in &payload.reads {
                    if let Err(code) = self.read(read) {
                        let (state, code) = (TransactionState::Rejected, Some(code.to_owned()));
                        return TransactionStatus { state, code, ..self.transaction(&id) };
                    }
                }
                None
            }
            other => panic!("this chain does not execute {other:?}"),
        };
        self.commit(id, batch)
    }

    /// Whether a batch is the one that is refused for good.
    fn is_refused(&mut self, root: Hash) -> bool {
        if std::mem::take(&mut self.refuses_batch) {
            self.refused_root = Some(root);
        }
        self.refused_root == Some(root)
    }

    /// What was refused for good is taken after all.
    pub fn relent(&mut self) {
        self.refused_root = None;
    }

    fn commit(&mut self, id: TransactionId, batch: Option<LogIndex>) -> TransactionStatus {
        let tree = Tree::new(vec![log::leaf_hash(id.bytes())]);
        let certified = self.certified_with(tree.root());
        let height = certified.header.height;
        let proof = ProvedTransaction { certified, inclusion: tree.path(0).unwrap() };
        let status = TransactionStatus {
            id,
            state: TransactionState::Committed,
            unproven: false,
            height: Some(height),
            code: None,
            proof: Some(Blob::new(codec::encode(&proof)).unwrap()),
            batch: batch.and_then(|index| self.record(index)),
        };
        self.committed.insert(id, status);
        self.transaction(&id)
    }

    fn execute_batch(&mut self, batch: IssueBatch, issuer: Uscc, signing_key: kanhe_proto::key::KeyId) -> LogIndex {
        let record = BatchRecord {
            issuer,
            signing_key,
            type_code: batch.type_code,
            type_version: batch.type_version,
            root: batch.root,
            count: batch.count,
            height: Height(self.height),
            time: now(),
        };
        self.records.push(record.to_record());
        LogIndex(self.records.len() as u64 - 1)
    }

    /// Whether somebody has acted since a change was made.
    fn is_stale(&self, change: &StatusChange) -> bool {
        let StatusTarget::Licence(digest) = change.target else { panic!("a licence") };
        let value = self.state.get(&licence_status_key(&change.issuer, &digest));
        let length = value.map_or(0, |value| LicenceStatus::from_value(value).unwrap().entries.len());
        length as u32 != change.expected_length
    }

    fn execute_change(&mut self, change: &StatusChange) {
        let StatusTarget::Licence(digest) = change.target else { panic!("a licence") };
        let key = licence_status_key(&change.issuer, &digest);
        let mut history: LicenceStatus =
            self.state.get(&key).map(|value| LicenceStatus::from_value(value).unwrap()).unwrap_or_default();
        let entry = StatusEntry {
            height: Height(self.height),
            recorded_at: now(),
            effective_from: change.effective_from,
            status: change.status,
            reason: change.reason,
            by: self.issuer,
            supervised_type: None,
        };
        status::append(&mut history.entries, change.expected_length, entry).unwrap();
        self.state.insert(key, history.to_value());
    }

    pub fn transaction(&mut self, id: &TransactionId) -> TransactionStatus {
        let unknown = TransactionStatus {
            id: *id,
            state: TransactionState::Unknown,
            unproven: true,
            height: None,
            code: None,
            proof: None,
            batch: None,
        };
        let mut status = self.committed.get(id).cloned().unwrap_or(unknown);
        // The header that proves the record is always the newest.
        status.batch = status.batch.and_then(|batch| self.record(batch.id));
        status
    }

    pub fn record(&mut self, index: LogIndex) -> Option<BatchAnswer> {
        let record = self.records.get(index.0 as usize)?.clone();
        let certified = self.certified();
        let inclusion = self.log().path(index.0).unwrap();
        let proved = ProvedRecord { index, record: Blob::new(record).unwrap(), inclusion };
        Some(BatchAnswer {
            id: index,
            certified: Blob::new(codec::encode(&certified)).unwrap(),
            record: Blob::new(codec::encode(&proved)).unwrap(),
        })
    }

    pub fn licence_status(&mut self, issuer: &Uscc, digest: &LicenceDigest) -> LeafAnswer {
        let leaf = prove(&self.state, licence_status_key(issuer, digest));
        let certified = Blob::new(codec::encode(&self.certified())).unwrap();
        LeafAnswer { certified, leaf: Blob::new(codec::encode(&leaf)).unwrap() }
    }

    fn log(&self) -> Tree {
        Tree::new(self.records.iter().map(|record| log::leaf_hash(record)).collect())
    }

    /// A header of everything so far, as of now.
    pub fn certified(&mut self) -> CertifiedHeader {
        self.certified_with(log::empty_root())
    }

    fn certified_with(&mut self, transactions: Hash) -> CertifiedHeader {
        self.height += 1;
        let mut header = self.genesis.header().unwrap();
        header.transactions_root = transactions;
        let log = self.log();
        header.height = Height(self.height);
        header.time = TimeMs(now().0 - self.lag_ms);
        header.log_root = if self.records.is_empty() { log::empty_root() } else { log.root() };
        header.log_size = log.size();
        header.state_root = map::root_of(&leaves(&self.state));
        header.registry_root = map::root_of(&leaves(&self.registry_now()));
        let certified = self.certify(header);
        self.past.headers.insert(self.height, certified.clone());
        certified
    }

    fn certify(&self, mut header: kanhe_proto::header::Header) -> CertifiedHeader {
        let set = self.validators();
        header.validators = set.hash();
        header.next_validators = self.sets.1.as_ref().unwrap_or(&set).hash();
        let address = set.members()[0].address;
        let (height, round, value) = (header.height, Round(0), header.hash());
        let vote = Vote { vote_type: VoteType::Precommit, height, round, value: Some(value), address };
        let signature = self.validator.sign(&vote.sign_bytes(&self.genesis.chain())).unwrap();
        let certificate = Certificate::new(&set, height, round, value, vec![(address, signature)]).unwrap();
        CertifiedHeader { header, certificate }
    }

    fn registry_leaf(&self, key: MapKey) -> ProvedLeaf {
        prove(&self.registry_now(), key)
    }

    pub fn registry<T: RegistryRecord>(&mut self, id: &T::Id) -> LeafAnswer {
        let leaf = self.registry_leaf(T::key_of(id));
        let certified = Blob::new(codec::encode(&self.certified())).unwrap();
        LeafAnswer { certified, leaf: Blob::new(codec::encode(&leaf)).unwrap() }
    }

    pub fn keys(&mut self, bureau: &Uscc) -> KeysAnswer {
        let registry = self.registry_now();
        let entries = registry.values().filter_map(|value| KeyEntry::from_value(value).ok());
        let bureau = self.keys_of.unwrap_or(*bureau);
        let own: Vec<KeyEntry> = entries.filter(|entry| entry.bureau == bureau).collect();
        let prove = |entry: &KeyEntry| Blob::new(codec::encode(&self.registry_leaf(entry.key()))).unwrap();
        let keys = own.iter().map(prove).collect();
        KeysAnswer { certified: Blob::new(codec::encode(&self.certified())).unwrap(), keys }
    }

    pub fn evidence(&mut self, batch: LogIndex, digest: &LicenceDigest) -> Option<EvidenceAnswer> {
        let record = self.records.get(batch.0 as usize)?.clone();
        let entry = BatchRecord::from_record(&record).unwrap();
        let code = entry.type_code.clone();
        let certified = self.certified();
        let evidence = Evidence {
            version: EVIDENCE_VERSION,
            certified,
            issuer: self.registry_leaf(Bureau::key_of(&entry.issuer)),
            key: self.registry_leaf(KeyEntry::key_of(&(entry.issuer, entry.signing_key))),
            accreditation: self.registry_leaf(Accreditation::key_of(&(entry.issuer, code.clone()))),
            licence_type: self.registry_leaf(LicenceType::key_of(&(code, entry.type_version))),
            batch: ProvedRecord {
                index: batch,
                record: Blob::new(record).unwrap(),
                inclusion: self.log().path(batch.0).unwrap(),
            },
            batch_status: prove(&self.state, batch_status_key(&entry.issuer, batch)),
            licence_status: prove(&self.state, licence_status_key(&entry.issuer, digest)),
            supervisions: List::empty(),
        };
        Some(EvidenceAnswer { evidence: Blob::new(evidence.to_bytes()).unwrap() })
    }

    pub fn evidence_many(&mut self, asked: &EvidenceMany) -> EvidenceManyAnswer {
        let certified = self.certified();
        let one = |query: &EvidenceQuery| {
            let answer = self.evidence(query.batch, &query.digest)?;
            let evidence = Evidence::from_bytes(&answer.evidence).unwrap();
            let evidence = Evidence { certified: certified.clone(), ..evidence };
            Some(EvidenceAnswer { evidence: Blob::new(evidence.to_bytes()).unwrap() })
        };
        let evidence = asked.licences.iter().map(one).collect();
        EvidenceManyAnswer { certified: Blob::new(codec::encode(&certified)).unwrap(), evidence }
    }

    pub fn trust(&mut self) -> TrustAnswer {
        let newest = Blob::new(codec::encode(&self.certified())).unwrap();
        let hand_overs = self.handed.iter().map(|bytes| Blob::new(bytes.clone()).unwrap()).collect();
        TrustAnswer { hand_overs, newest: Some(newest) }
    }

    pub fn newest(&mut self) -> HeaderAnswer {
        let certified = self.certified();
        HeaderAnswer {
            height: certified.header.height,
            header_hash: certified.header.hash().to_string(),
            time_ms: certified.header.time.0,
            certified: Blob::new(codec::encode(&certified)).unwrap(),
        }
    }

    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            unproven: true,
            chain: "test".to_owned(),
            chain_id: text::hex(&self.genesis.chain_id().0),
            height: self.height,
            header_hash: String::new(),
            time_ms: now().0,
            log_size: self.records.len() as u64,
            pending: 0,
            peers: 0,
            ready: true,
            version: "0".to_owned(),
        }
    }
}

fn leaves(values: &BTreeMap<MapKey, Vec<u8>>) -> Vec<MapLeaf> {
    values.iter().map(|(key, value)| MapLeaf::new(*key, value)).collect()
}

fn prove(values: &BTreeMap<MapKey, Vec<u8>>, key: MapKey) -> ProvedLeaf {
    let value = values.get(&key).map(|value| Blob::new(value.clone()).unwrap());
    ProvedLeaf { value, proof: map::prove(&leaves(values), &key) }
}
