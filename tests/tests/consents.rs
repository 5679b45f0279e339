//! Consent and reads with real processes, over HTTP: what a person grants at one node is proved by another, a withdrawal is
//! seen while the chain stands still and binds when it goes on, and of a source's reads none can be left out.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_node::run::now;
use kanhe_proto::api::{
    ConsentAnswer, ConsentEventsAnswer, DataClassesAnswer, LeafAnswer, Problem, ReadsAnswer, TransactionState,
    TransactionStatus,
};
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::commitment;
use kanhe_proto::codec;
use kanhe_proto::consent::{
    Act, Answered, Basis, Consent, ConsentHistory, ConsentPayload, Grant, Note, Read, ReadList, ReadPayload,
    ReadRequest, Scope, SignedAct, SourceReads, Statutory, Trace, TraceKey, TypeClaims, Under, Withdraw, consent_id,
    consent_key, source_reads_key,
};
use kanhe_proto::governance::Action;
use kanhe_proto::hash::{ConsentId, sha256};
use kanhe_proto::ids::SpanMs;
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf};
use kanhe_proto::registry::{DataCatalogue, DataClass, DataDeclaration, Names, PurposeClass, RegistryRecord};
use kanhe_proto::transaction::{Payload, TRANSACTION_VERSION, TransactionBody};
use kanhe_proto::trust::Trust;
use kanhe_tests::audit;
use kanhe_tests::network::Network;
use kanhe_tests::officer::Officer;
use serde::de::DeserializeOwned;

const WAIT: Duration = Duration::from_secs(60);
const OCTETS: &str = "application/octet-stream";
const BYTES_MAX: usize = 1 << 20;
/// Has the data; a wallet talks to its node.
const SOURCE: usize = 0;
/// Reads.
const READER: usize = 1;

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}
fn names(name: &str) -> Names {
    Names { zh: text(name), en: text(name) }
}

fn issuing(network: &Network, node: usize) -> SecretKey {
    let bureau = network.bureau(node);
    let passphrase = PassphraseSource::File(bureau.passphrase_file.clone()).read().unwrap();
    keys::open_secret(&bureau.issuing_key, KeyFileRole::Issuing, &passphrase).unwrap()
}

fn get<T: DeserializeOwned>(network: &Network, node: usize, path: &str) -> T {
    let (status, body) = network.http.get(&format!("{}{path}", network.api(node))).unwrap();
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// Hands something in; gives the answer's code if it is refused.
fn post(network: &Network, node: usize, path: &str, body: &[u8]) -> Result<TransactionStatus, (u16, String)> {
    let (status, body) = network.http.post(&format!("{}{path}", network.api(node)), OCTETS, body).unwrap();
    match status {
        202 => Ok(serde_json::from_slice(&body).unwrap()),
        _ => Err((status, serde_json::from_slice::<Problem>(&body).unwrap().code)),
    }
}

fn act(network: &Network, node: usize, acts: &[SignedAct]) -> Result<TransactionStatus, (u16, String)> {
    let payload = ConsentPayload { acts: List::new(acts.to_vec()).unwrap() };
    post(network, node, "/v1/consents/acts", &payload.to_bytes())
}

/// Waits until both nodes have it.
fn committed(network: &Network, status: &TransactionStatus) {
    for node in [SOURCE, READER] {
        let told: TransactionStatus = get(network, node, &format!("/v1/transactions/{}?wait=30", status.id));
        assert_eq!(told.state, TransactionState::Committed, "{told:?}");
    }
}

/// The header of an answer, if a light client believes it.
fn believed(network: &Network, certified: &[u8]) -> CertifiedHeader {
    let certified: CertifiedHeader = codec::decode(certified, BYTES_MAX).unwrap();
    Trust::pin(&network.genesis, now()).unwrap().check(&certified, now()).unwrap();
    certified
}

/// A person with one consent.
struct Person<'a> {
    network: &'a Network,
    key: SecretKey,
    trace: TraceKey,
}

impl Person<'_> {
    fn id(&self) -> ConsentId {
        consent_id(&self.network.genesis.chain_id(), &self.key.public_key())
    }
    fn sign(&self, act: Act) -> SignedAct {
        act.sign(&self.network.genesis.chain(), &self.key).unwrap()
    }
    fn grant(&self, purpose: &str) -> SignedAct {
        self.sign(Act::Grant(Grant {
            key: self.key.public_key(),
            accept_before: now().after(SpanMs(600_000)),
            grantee: self.network.bureau(READER).uscc,
            purpose: text(purpose),
            not_after: now().after(SpanMs(3_600_000)),
            reads: 2,
            terms: commitment(&[1; 32], b"terms"),
        }))
    }
    fn withdraw(&self) -> SignedAct {
        self.sign(Act::Withdraw(Withdraw { consent: self.id() }))
    }
    fn consent(&self, node: usize) -> (Option<Consent>, bool) {
        let answer: ConsentAnswer = get(self.network, node, &format!("/v1/consents/{}", self.id()));
        let certified = believed(self.network, &answer.certified);
        let leaf: ProvedLeaf = codec::decode(&answer.leaf, BYTES_MAX).unwrap();
        (leaf.read(&certified.header.state_root, &consent_key(&self.id())).unwrap(), answer.withdrawing)
    }
    /// The n-th read of the person's data, as the source sends it.
    fn read(&self, basis: Basis, n: u64) -> Result<TransactionStatus, (u16, String)> {
        let (network, chain) = (self.network, self.network.genesis.chain());
        let [source, reader] = [SOURCE, READER].map(|node| issuing(network, node));
        let request = ReadRequest {
            source: network.bureau(SOURCE).uscc,
            reader: network.bureau(READER).uscc,
            key: reader.public_key().id(),
            basis,
            purpose: text("care"),
            nonce: sha256(&[&n.to_be_bytes()]),
            time: now(),
            asked: commitment(&sha256(&[b"asked", &n.to_be_bytes()]), b"asked"),
        };
        let claims = List::new(vec![text("name")]).unwrap();
        let scope: Scope = List::new(vec![TypeClaims { type_code: "a".parse().unwrap(), claims }]).unwrap();
        let read = Read {
            tag: self.trace.tag(n),
            note: self.trace.seal(&chain, &request, n, &Note::of(&scope)).unwrap(),
            answered: Answered::Given(commitment(&sha256(&[b"sent", &n.to_be_bytes()]), b"sent")),
            key: source.public_key().id(),
            request: request.sign(&chain, &reader).unwrap(),
        };
        let reads = List::new(vec![read.sign(&chain, &source).unwrap()]).unwrap();
        let body = TransactionBody {
            version: TRANSACTION_VERSION,
            chain,
            sender: network.bureau(SOURCE).uscc,
            key: source.public_key().id(),
            expiry: now().after(SpanMs(120_000)),
            payload: Payload::AccessRecord(ReadPayload { reads }).to_raw(),
        };
        post(network, SOURCE, "/v1/transactions", &body.sign(&source).unwrap().to_bytes())
    }
    fn under(&self, n: u32) -> Basis {
        Basis::Consent(Under { id: self.id(), n })
    }
}

fn person_of(network: &Network, number: u8) -> Person<'_> {
    Person { network, key: SecretKey::from_seed([number; 32]), trace: TraceKey::from_random([number; 32]) }
}

fn founded() -> Network {
    let mut network = Network::found(2, 1_000);
    network.start_fast();
    network.start_all();
    network.wait_ready(WAIT);
    let officers = [0, 1].map(|node| Officer::of(&network, node));
    let purpose = |code: &str, class| Action::RegisterPurpose { code: text(code), names: names(code), class };
    let actions = vec![purpose("care", PurposeClass::PublicBenefit), purpose("ads", PurposeClass::Commercial)];
    officers[0].propose(&network, 0, &officers[0].proposal("purposes", actions), &[&officers[1]]).unwrap();
    network.wait_blocks(1, WAIT);
    network
}

/// All that happened to a consent, as another node shows it.
fn follow(person: &Person<'_>, node: usize) -> usize {
    let answer: ConsentEventsAnswer = get(person.network, node, &format!("/v1/consents/{}/events", person.id()));
    let certified = believed(person.network, &answer.certified);
    let leaf: ProvedLeaf = codec::decode(&answer.leaf, BYTES_MAX).unwrap();
    let consent: Option<Consent> = leaf.read(&certified.header.state_root, &consent_key(&person.id())).unwrap();
    let mut history = ConsentHistory::of(&consent.unwrap());
    for event in &answer.events {
        history.push(&certified.header, &codec::decode(event, BYTES_MAX).unwrap()).unwrap();
    }
    assert_eq!((history.is_whole(), answer.next), (true, None));
    history.events().len()
}

/// Reads of a person among all of the source from a number on, and how many there are.
fn scan(person: &Person<'_>, node: usize, from: u64) -> (Vec<u64>, u64) {
    let source = person.network.bureau(SOURCE).uscc;
    let answer: ReadsAnswer = get(person.network, node, &format!("/v1/reads?source={source}&from={from}"));
    let certified = believed(person.network, &answer.certified);
    let leaf: ProvedLeaf = codec::decode(&answer.leaf, BYTES_MAX).unwrap();
    let counted: Option<SourceReads> = leaf.read(&certified.header.state_root, &source_reads_key(&source)).unwrap();
    let mut list = ReadList::of(source, counted.as_ref(), from);
    let mut trace = Trace::new(person.trace.clone());
    for read in &answer.reads {
        let record = list.push(&certified.header, &codec::decode(read, BYTES_MAX).unwrap()).unwrap();
        trace.recognise(&record.read.read.tag);
    }
    assert_eq!((list.is_whole(), answer.next), (true, None));
    (trace.found().collect(), counted.map_or(0, |counted| counted.count))
}

#[test]
fn consent_is_given_used_and_taken_back_across_nodes() {
    let mut network = founded();
    {
        let person = person_of(&network, 1);
        assert_eq!(person.consent(READER), (None, false));
        assert_eq!(scan(&person, READER, 0), (vec![], 0));
        let forged = SignedAct { signature: person.withdraw().signature, ..person.grant("care") };
        for (acts, code) in [
            (vec![forged], "consent_signature"),
            (vec![person.grant("ads")], "purpose_commercial"),
            (vec![person.grant("none")], "purpose_unknown"),
            (vec![person.withdraw()], "consent_unknown"),
            (vec![], "no_changes"),
        ] {
            assert_eq!(act(&network, SOURCE, &acts).unwrap_err(), (422, code.to_owned()));
        }
        assert_eq!(post(&network, SOURCE, "/v1/consents/acts", b"no").unwrap_err(), (400, "malformed_body".to_owned()));
        let granted = [person.grant("care")];
        let sent = act(&network, SOURCE, &granted).unwrap();
        assert_eq!(act(&network, SOURCE, &granted).unwrap().id, sent.id, "the same again is the same");
        committed(&network, &sent);
        let (consent, withdrawing) = person.consent(READER);
        assert_eq!((consent.unwrap().left, withdrawing), (2, false));

        assert_eq!(person.read(person.under(2), 1).unwrap_err(), (422, "consent_order".to_owned()));
        committed(&network, &person.read(person.under(1), 1).unwrap());
        let on_a_rule = Basis::Statutory(Statutory { ground: text("care"), case: None });
        committed(&network, &person.read(on_a_rule, 2).unwrap());
        let other = person_of(&network, 2);
        let on_a_rule = Basis::Statutory(Statutory { ground: text("care"), case: None });
        committed(&network, &other.read(on_a_rule, 1).unwrap());
        assert_eq!((scan(&person, READER, 0), scan(&person, SOURCE, 1)), ((vec![1, 2], 3), (vec![2], 3)));
        assert_eq!((scan(&other, READER, 0), follow(&person, READER)), ((vec![1], 3), 2));
    }

    // The other half of the validators is away: no block, but the node knows of the withdrawal and says so.
    network.kill(&[READER]);
    let waiting = {
        let person = person_of(&network, 1);
        let waiting = act(&network, SOURCE, &[person.withdraw()]).unwrap();
        assert_eq!(waiting.state, TransactionState::Pending);
        let (consent, withdrawing) = person.consent(SOURCE);
        assert_eq!((consent.unwrap().withdrawn, withdrawing), (None, true));
        // Handed in with another act that changes its bytes it is the transaction that waits.
        assert_eq!(act(&network, SOURCE, &[person.withdraw(), person.withdraw()]).unwrap_err().0, 422);
        assert_eq!(act(&network, SOURCE, &[person.withdraw()]).unwrap().id, waiting.id);
        waiting
    };
    network.start(READER);
    network.wait_ready(WAIT);
    let person = person_of(&network, 1);
    committed(&network, &waiting);
    let (consent, withdrawing) = person.consent(READER);
    let consent = consent.unwrap();
    assert_eq!((consent.withdrawn.is_some(), consent.left, withdrawing), (true, 1, false));
    assert_eq!(person.read(person.under(2), 3).unwrap_err(), (422, "consent_withdrawn".to_owned()));
    assert_eq!(act(&network, READER, &[person.withdraw()]).unwrap_err(), (422, "consent_withdrawn".to_owned()));
    assert_eq!(follow(&person, SOURCE), 3);
    network.stop_all();
    (0..network.size()).for_each(|node| audit::fsck(&network, node));
}

#[test]
fn a_bureau_tells_which_data_it_holds() {
    let mut network = founded();
    let bureau = network.bureau(READER).uscc;
    let all = |network: &Network| {
        let answer: DataClassesAnswer = get(network, SOURCE, &format!("/v1/registry/data/{bureau}"));
        let root = believed(network, &answer.certified).header.registry_root;
        let leaf: ProvedLeaf = codec::decode(&answer.catalogue, BYTES_MAX).unwrap();
        let catalogue: Option<DataCatalogue> = leaf.read(&root, &DataCatalogue::key_of(&bureau)).unwrap();
        let entries = catalogue.map(|catalogue| catalogue.classes.to_vec()).unwrap_or_default();
        assert_eq!(entries.len(), answer.classes.len());
        let class = |(entry, leaf): (&kanhe_proto::registry::DataEntry, &kanhe_proto::api::LeafBytes)| {
            let leaf: ProvedLeaf = codec::decode(leaf, BYTES_MAX).unwrap();
            let key = DataClass::key_of(&(bureau, entry.code.clone()));
            (leaf.read::<DataClass>(&root, &key).unwrap().unwrap().declared.count, entry.in_force)
        };
        entries.iter().zip(&answer.classes).map(class).collect::<Vec<_>>()
    };
    assert_eq!(all(&network), []);
    let officer = Officer::of(&network, READER);
    let declared = |code: &str, count| DataDeclaration {
        code: text(code),
        names: names(code),
        type_code: None,
        count,
        as_of: now(),
    };
    let classes = List::new(vec![declared("births", 7), declared("households", 9)]).unwrap();
    let declare = officer.proposal("", vec![Action::DeclareData { bureau, classes }]);
    officer.propose(&network, SOURCE, &declare, &[]).unwrap();
    let retire = Action::RetireData { bureau, classes: List::new(vec![text("births")]).unwrap() };
    network.wait_blocks(1, WAIT);
    // Nobody else says it for the bureau.
    let stranger = Officer::of(&network, SOURCE);
    let foreign = stranger.proposal("", vec![retire.clone()]);
    assert_eq!(stranger.propose(&network, SOURCE, &foreign, &[]).unwrap_err(), "not_own");
    assert_eq!(all(&network), [(7, true), (9, true)]);
    officer.propose(&network, SOURCE, &officer.proposal("", vec![retire]), &[]).unwrap();
    assert_eq!(all(&network), [(7, false), (9, true)]);
    let one: LeafAnswer = get(&network, SOURCE, &format!("/v1/registry/data/{bureau}/households"));
    let root = believed(&network, &one.certified).header.registry_root;
    let leaf: ProvedLeaf = codec::decode(&one.leaf, BYTES_MAX).unwrap();
    let class: DataClass = leaf.read(&root, &DataClass::key_of(&(bureau, text("households")))).unwrap().unwrap();
    assert_eq!(class.declared.count, 9);
    network.stop_all();
    (0..network.size()).for_each(|node| audit::fsck(&network, node));
}
