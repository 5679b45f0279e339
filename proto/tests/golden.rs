//! Golden files: every format that is signed, hashed, stored or sent, built from seeds and compared byte for byte.
//!
//! A file that differs is a change of format: say so in its commit. `KANHE_BLESS=1` writes the files anew.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod golden_formats;
mod world;

use golden_formats::{golden, golden_bytes, golden_leaf, golden_text};
use kanhe_proto::application::Application;
use kanhe_proto::block::Block;
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::certificate::Certificate;
use kanhe_proto::codec;
use kanhe_proto::evidence::{Evidence, LicencePath};
use kanhe_proto::exchange::{Answer, Ask, DeliveredLicence, HolderRequest, Outcome, Refusal, RequestBody};
use kanhe_proto::genesis::{Genesis, PROTOCOL_VERSION};
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::hash::{ChainId, Hash, HeaderHash, ProposalId};
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Era, Height, LogIndex, ProtocolVersion, Round, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::key_file::{self, KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::mail::{MailAnswer, MailRequest, QueueProof};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::merkle::log::{self, Frontier, Span, Tree, prove_span};
use kanhe_proto::merkle::map::{Prefix, prove_subtree};
use kanhe_proto::pickup::{PickupCode, PickupEntry};
use kanhe_proto::proof::{CertifiedBlock, CertifiedHeader, ProofError, ProvedTransaction};
use kanhe_proto::record::{BatchRecord, Choice, GovernanceRecord, GovernanceVote, Record};
use kanhe_proto::registry::{
    Accreditation, Authority, Bureau, Effect, KeyEntry, LicenceType, Membership, Parameters, RegistryRecord,
};
use kanhe_proto::request::UnverifiedRequest;
use kanhe_proto::response::Response;
use kanhe_proto::sd_jwt::{ExpectedBinding, Holding, UnverifiedSdJwt, holder_binding, jwk};
use kanhe_proto::seal::{SealInfo, SealPurpose, SealingSecret, seal};
use kanhe_proto::snapshot::{self, Content, FullLeaf, HandOverPart, Leaves, Offer, Piece, Records, SNAPSHOT_VERSION};
use kanhe_proto::status::{
    BatchStatus, LicenceStatus, Reaffirmation, Reason, SpentId, Status, batch_status_key, licence_status_key,
    spent_id_key,
};
use kanhe_proto::transaction::{
    ChangeStatus, IssueBatch, Payload, StatusChange, StatusTarget, TRANSACTION_VERSION, Transaction, TransactionBody,
};
use kanhe_proto::trust::Trust;
use kanhe_proto::validators::Address;
use kanhe_proto::vote::{self, Vote, VoteType};
use kanhe_proto::{tags, text, validator_file};
use world::{
    DAY, Held, PERSON_TYPE, START, World, bank_key, bureau, governance_key, issuing_key, sealing, secret, vct,
};

/// A world where everything has happened once.
fn eventful() -> (World, Held) {
    let (mut world, held) = World::with_licence();
    let entries = vec![world.entry(Status::Suspended), world.supervisor_entry(Status::Active, PERSON_TYPE)];
    world.set_licence(&held, entries);
    let reaffirmed = Some(Reaffirmation { height: Height(4), key: governance_key(0).public_key().id() });
    let entries = List::new(vec![world.entry(Status::Suspended), world.entry(Status::Active)]).unwrap();
    world.set_batch(&held, &BatchStatus { entries, reaffirmed });
    (world, held)
}

fn transactions(world: &World, held: &Held) -> [Transaction; 2] {
    let change = StatusChange {
        issuer: bureau(0),
        target: StatusTarget::Licence(held.digest),
        supervised_type: None,
        expected_length: 2,
        status: Status::Superseded,
        reason: Reason::Replaced,
        effective_from: world.time,
    };
    let on_batch = StatusChange {
        target: StatusTarget::Batch(held.path.batch),
        supervised_type: Some(PERSON_TYPE.parse().unwrap()),
        expected_length: 0,
        status: Status::Suspended,
        reason: Reason::Supervisor,
        ..change.clone()
    };
    let issue = IssueBatch {
        type_code: PERSON_TYPE.parse().unwrap(),
        type_version: vct(PERSON_TYPE).version,
        root: Hash([9; 32]),
        count: 2,
        changes: List::new(vec![change]).unwrap(),
    };
    let status = ChangeStatus { changes: List::new(vec![on_batch]).unwrap() };
    [(0, Payload::IssueBatch(issue)), (1, Payload::ChangeStatus(status))].map(|(sender, payload)| {
        let body = TransactionBody {
            version: TRANSACTION_VERSION,
            chain: world.genesis.chain(),
            sender: bureau(sender),
            key: issuing_key(sender).public_key().id(),
            expiry: TimeMs(world.time.0 + 600_000),
            payload: payload.to_raw(),
        };
        body.sign(&issuing_key(sender)).unwrap()
    })
}

#[test]
fn chain() {
    let (world, held) = eventful();
    golden("genesis.hex", &world.genesis);
    assert_eq!(Genesis::from_bytes(&world.genesis.to_bytes()).unwrap(), world.genesis);
    golden::<Header>("header.hex", &world.header());
    golden("header-0.hex", &world.genesis.header().unwrap());
    let version_1 = Genesis { protocol: ProtocolVersion(1), ..world.genesis.clone() };
    golden("header-0-version-1.hex", &version_1.header().unwrap());
    golden("validator-set.hex", &world.set);
    golden::<Certificate>("certificate.hex", &world.certificate(&world.header(), &world.validators));
    golden::<CertifiedHeader>("certified-header.hex", &world.certified());
    let transactions = transactions(&world, &held);
    let bytes = transactions.iter().map(|transaction| Blob::new(transaction.to_bytes()).unwrap()).collect();
    let block = Block {
        header: world.header(),
        last_certificate: Some(world.certificate(&world.header(), &world.validators)),
        transactions: List::new(bytes).unwrap(),
    };
    golden("block.hex", &block);
    assert_eq!(Block::from_bytes(&block.to_bytes()).unwrap(), block);
    certified_block(&world, block);
    let [issue, status] = transactions;
    golden("transaction-issue-batch.hex", &issue);
    golden("transaction-change-status.hex", &status);
    for transaction in [&issue, &status] {
        let (read, id) = Transaction::from_bytes(&transaction.to_bytes()).unwrap();
        assert_eq!((&read, id), (transaction, transaction.body.id()));
        let payload = Payload::from_raw(&read.body.payload, PROTOCOL_VERSION).unwrap();
        assert_eq!(payload.to_raw(), transaction.body.payload);
    }
    golden_bytes("transaction-sign-bytes.hex", &Transaction::sign_bytes(&issue.body.id()));
}

/// A block whose header commits to its contents; with any other contents it is refused.
fn certified_block(world: &World, block: Block) {
    let ids = block.transactions.iter().map(|bytes| Transaction::from_bytes(bytes).unwrap().1);
    let leaves: Vec<Hash> = ids.map(|id| log::leaf_hash(id.bytes())).collect();
    let last = block.last_certificate.as_ref().unwrap().hash();
    let header = Header { transactions_root: log::root(&leaves), last_certificate: last, ..block.header };
    let CertifiedHeader { header, certificate } = world.certify(header);
    let proved = |block: &Block| CertifiedBlock {
        certificate: certificate.clone(),
        block: Blob::new(block.to_bytes()).unwrap(),
    };
    let block = Block { header, ..block };
    golden("proof-block.hex", &proved(&block));
    let (certified, read) = proved(&block).read().unwrap();
    assert_eq!(read, block);
    world.trust().check(&certified, world.time).unwrap();
    let without = List::new(block.transactions[1..].to_vec()).unwrap();
    let swapped = List::new(block.transactions.iter().rev().cloned().collect()).unwrap();
    for other in [
        Block { last_certificate: None, ..block.clone() },
        Block { transactions: without, ..block.clone() },
        Block { transactions: swapped, ..block.clone() },
    ] {
        assert_eq!(proved(&other).read().unwrap_err(), ProofError::OtherBlock);
    }
}

#[test]
fn votes() {
    let world = World::new();
    let chain = world.genesis.chain();
    let (height, value, address) = (Height(7), HeaderHash([7; 32]), Address::of(&world.validators[0].public_key()));
    let precommit = Vote { vote_type: VoteType::Precommit, height, round: Round(2), value: Some(value), address };
    golden_bytes("vote-precommit-sign-bytes.hex", &precommit.sign_bytes(&chain));
    let nil = Vote { vote_type: VoteType::Prevote, value: None, ..precommit };
    golden_bytes("vote-nil-sign-bytes.hex", &nil.sign_bytes(&chain));
    let proposal = vote::Proposal { height, round: Round(2), value, valid_round: Some(Round(1)), address };
    golden_bytes("proposal-sign-bytes.hex", &proposal.sign_bytes(&chain));
    let vote = GovernanceVote::sign_bytes(&chain, &ProposalId([8; 32]), Choice::Yes);
    golden_bytes("governance-vote-sign-bytes.hex", &vote);
}

#[test]
fn records() {
    let (mut world, held) = eventful();
    let batch = BatchRecord::from_record(&world.records[held.path.batch.0 as usize]).unwrap();
    golden_bytes("record-batch.hex", &batch.to_record());
    assert_eq!(BatchRecord::from_record(&batch.to_record()).unwrap(), batch);
    let index = world.decide(&[(0, Choice::Yes), (2, Choice::No)]);
    let record = GovernanceRecord::from_record(&world.records[index.0 as usize]).unwrap();
    golden_bytes("record-governance.hex", &record.to_record());
}

#[test]
fn registry_leaves() {
    let world = World::new();
    let mut bureau_entry: Bureau = world.get(&bureau(0));
    bureau_entry.addresses = List::new(vec![Text::new("/ip4/192.0.2.1/tcp/4001").unwrap()]).unwrap();
    golden_leaf("leaf-bureau.hex", &bureau_entry);
    let mut key: KeyEntry = world.get(&(bureau(0), issuing_key(0).public_key().id()));
    key.intervals.end(Height(9), Authority::Bureau(bureau(0)), Effect::Keep).unwrap();
    key.intervals.open(Height(12), Authority::Vote(ProposalId([8; 32]))).unwrap();
    key.intervals.end(Height(20), Authority::Vote(ProposalId([8; 32])), Effect::VoidFrom(Height(15))).unwrap();
    key.distrusted_from = Some(Height(14));
    golden_leaf("leaf-key.hex", &key);
    let code: kanhe_proto::identifiers::TypeCode = PERSON_TYPE.parse().unwrap();
    golden_leaf("leaf-licence-type.hex", &world.get::<LicenceType>(&(code.clone(), vct(PERSON_TYPE).version)));
    golden_leaf("leaf-accreditation.hex", &world.get::<Accreditation>(&(bureau(0), code)));
    golden_leaf("leaf-relying-party.hex", &world::relying_party());
    golden_leaf("leaf-supervision.hex", &world::supervision(PERSON_TYPE));
    golden_leaf("leaf-purpose.hex", &world::purpose());
    golden_leaf("leaf-parameters.hex", &world.get::<Parameters>(&()));
    golden_leaf("leaf-membership.hex", &world.get::<Membership>(&()));
}

#[test]
fn state_leaves() {
    let (world, held) = eventful();
    let licence = LicenceStatus::from_value(&world.state[&licence_status_key(&bureau(0), &held.digest)]).unwrap();
    golden_leaf("leaf-licence-status.hex", &licence);
    let batch = BatchStatus::from_value(&world.state[&batch_status_key(&bureau(0), held.path.batch)]).unwrap();
    golden_leaf("leaf-batch-status.hex", &batch);
    golden_leaf("leaf-spent-id.hex", &SpentId { expiry: START, height: Height(7) });
}

/// A log in memory that is asked for complete subtrees.
struct Nodes(Vec<Hash>);
impl log::NodeReader for Nodes {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let width = 1usize << level;
        let from = index as usize * width;
        self.0.get(from..from + width).map(log::root)
    }
}

#[test]
fn proofs() {
    let leaves: Vec<Hash> = (0u8..7).map(|at| log::leaf_hash(&[at])).collect();
    let tree = Tree::new(leaves.clone());
    let inclusion = tree.path(5).unwrap();
    golden("proof-inclusion.hex", &inclusion);
    log::verify_inclusion(&leaves[5], 5, 7, &inclusion, &tree.root()).unwrap();
    let consistency = log::prove_consistency(3, 7, &Nodes(leaves.clone())).unwrap();
    golden("proof-consistency.hex", &consistency);
    log::verify_consistency(3, &log::root(&leaves[..3]), 7, &tree.root(), &consistency).unwrap();
    let world = World::new();
    golden("proof-map-present.hex", &world.registry_leaf(Bureau::key_of(&bureau(0))));
    golden("proof-map-absent.hex", &world.registry_leaf(Bureau::key_of(&world::bank())));
    let certified = world.certified();
    let path = Tree::new(vec![log::leaf_hash(&[1; 32]), log::leaf_hash(&[2; 32])]).path(1).unwrap();
    golden("proof-transaction.hex", &ProvedTransaction { certified, inclusion: path });
    golden("proof-record.hex", &world.proved_record(LogIndex(0)));
}

#[test]
fn snapshots() {
    let (world, _) = eventful();
    let nodes = Nodes(world.records.iter().map(|record| log::leaf_hash(record)).collect());
    let frontier = Frontier::read(world.records.len() as u64, &nodes).unwrap();
    let (certified, version) = (world.certified(), SNAPSHOT_VERSION);
    let hash = certified.header.hash();
    // The headers before are not those of the world's history root: only the layout matters here.
    golden("snapshot-offer.hex", &Offer { version, certified, log: frontier.clone(), history: frontier.clone() });
    let prefix = Prefix::of(&Bureau::key_of(&bureau(0)), 3).unwrap();
    let span = Span { level: 1, index: 0 };
    let asks = [
        Piece::Registry(prefix),
        Piece::State(Prefix::ALL),
        Piece::Records(span),
        Piece::Schema(Hash([7; 32])),
        Piece::HandOver { from: Height(9), part: 1 },
    ];
    golden(
        "snapshot-asks.hex",
        &List::<_, 5>::new(asks.map(|piece| snapshot::Ask::new(hash, piece)).to_vec()).unwrap(),
    );
    let all = world::leaves(&world.registry);
    let (covered, proof) = prove_subtree(&all, &prefix);
    let full = |key| FullLeaf { key, value: Blob::new(world.registry[&key].clone()).unwrap() };
    let leaves = List::new(covered.iter().map(|leaf| full(leaf.key)).collect()).unwrap();
    golden("snapshot-leaves.hex", &Content::Leaves(Leaves { leaves, ids: List::empty(), proof }));
    let records = world.records[..2].iter().map(|record| Blob::new(record.clone()).unwrap()).collect();
    let proof = prove_span(&frontier, span, &nodes).unwrap();
    golden("snapshot-records.hex", &Content::Records(Records { records: List::new(records).unwrap(), proof }));
    let part = HandOverPart { length: 3, bytes: Blob::new(*b"abc").unwrap() };
    let others = [
        Content::Schema(Text::new("{}").unwrap()),
        Content::HandOver(Some(part)),
        Content::HandOver(None),
        Content::TooLarge,
        Content::Gone,
    ];
    golden("snapshot-others.hex", &List::<Content, 5>::new(others.to_vec()).unwrap());
}

#[test]
fn trust_and_evidence() {
    let (mut world, held) = eventful();
    let evidence: Evidence = world.evidence(&held);
    golden("evidence.hex", &evidence);
    assert_eq!(Evidence::from_bytes(&evidence.to_bytes()).unwrap(), evidence);
    golden::<LicencePath>("licence-path.hex", &held.path);
    let act = world.decide(&[(0, Choice::Yes), (1, Choice::Yes), (2, Choice::Yes), (3, Choice::No)]);
    world.next = World::other_set();
    let hand_over = world.hand_over(vec![world.act(act)]);
    golden("hand-over.hex", &hand_over);
    assert_eq!(HandOver::from_bytes(&hand_over.to_bytes()).unwrap(), hand_over);
    let mut trust = world.trust();
    golden("trust-pinned.hex", &trust);
    trust.hand_over(&hand_over, world.time).unwrap();
    let (next, mut other) = (world.clone(), world.clone());
    other.next = next.set.clone();
    trust.accept(&other.certified(), other.time).unwrap_err();
    assert!(trust.conflict.is_some());
    golden("trust.hex", &trust);
    assert_eq!(Trust::from_bytes(&trust.to_bytes()).unwrap(), trust);
}

#[test]
fn licence_and_presentation() {
    let (world, held) = World::with_licence();
    golden_text("licence.txt", &format!("{}\n", held.text));
    let licence = UnverifiedSdJwt::parse(&held.text).unwrap().verify(&issuing_key(0).public_key()).unwrap();
    assert_eq!((licence.digest, licence.claims.len()), (held.digest, 4));
    assert_eq!(Holding::open(&held.text).unwrap().digest(), held.digest);

    let request = world.usual_request();
    let signed = request.sign(&bank_key()).unwrap();
    golden_text("request.txt", &format!("{signed}\n"));
    assert_eq!(UnverifiedRequest::parse(&signed).unwrap().verify(&bank_key().public_key()).unwrap(), request);

    let response = world.respond(&request, &[&held]);
    let token = &response.vp_token["id"][0];
    golden_text("presentation.txt", &format!("{token}\n"));
    let audience = request.client_id.to_string();
    let expected = ExpectedBinding { nonce: &request.nonce, audience: &audience, set: None };
    UnverifiedSdJwt::parse(token).unwrap().verify_presentation(&issuing_key(0).public_key(), &expected).unwrap();
    let json = String::from_utf8(response.to_bytes()).unwrap();
    golden_text("response.json", &format!("{json}\n"));
    assert_eq!(Response::from_bytes(&response.to_bytes()).unwrap(), response);
}

#[test]
fn application_and_mail() {
    let chain = World::new().genesis.chain_id();
    let (first, second) = (secret(101), secret(102));
    let sealed = Application::seal_secret(&[5; 32], chain, &first.public_key(), &sealing().public_key(), [6; 32]);
    let application = Application {
        chain,
        issuer: bureau(0),
        vct: vct(PERSON_TYPE),
        time: START,
        keys: List::new(vec![first.public_key(), second.public_key()]).unwrap(),
        secret: Some(sealed.unwrap()),
    };
    let line = application.sign(&[&first, &second]).unwrap();
    golden_text("application.txt", &format!("{line}\n"));
    assert_eq!(Application::verify(&line, &chain, &bureau(0), START).unwrap(), application);
    assert_eq!(*application.open_secret(&sealing()).unwrap(), [5; 32]);

    let one_time = SealingSecret::from_seed([81; 32]);
    let body =
        |ask| RequestBody { version: 1, chain, issuer: bureau(0), time: START, answer: one_time.public_key(), ask };
    let code = PickupCode::from_random([3; 10]);
    let pickup = Ask::Pickup { code, application: Text::new(line).unwrap() };
    let request = HolderRequest::sign(body(pickup), &first).unwrap();
    golden("holder-request-pickup.hex", &request);
    let collect = HolderRequest::sign(body(Ask::Collect { key: first.public_key() }), &first).unwrap();
    golden("holder-request-collect.hex", &collect);
    let mail = MailRequest::seal(&collect, &sealing().public_key(), [7; 32]).unwrap();
    golden("mail-request.hex", &mail);
    assert_eq!(mail.open(&sealing()).unwrap(), collect);

    let (_, held) = World::with_licence();
    let delivered =
        DeliveredLicence { sd_jwt: Text::new(held.text).unwrap(), path: Blob::new(codec::encode(&held.path)).unwrap() };
    let licences = Answer::new(Outcome::Licences(List::new(vec![delivered]).unwrap()));
    golden("answer-licences.hex", &licences);
    let refused = Answer::new(Outcome::Refused(Refusal::CodeTaken));
    golden("answer-refused.hex", &refused);
    let mail = MailAnswer::seal(&collect, &refused, [8; 32]).unwrap();
    golden("mail-answer.hex", &mail);
    assert_eq!(mail.open(&one_time, &bureau(0)).unwrap(), refused);
    let proof = QueueProof::sign(&chain, bureau(0), [4; 32], &issuing_key(0)).unwrap();
    golden("queue-proof.hex", &proof);
    proof.verify(&chain, &[4; 32], &issuing_key(0).public_key()).unwrap();
}

#[test]
fn sealed_and_kept() {
    let chain = World::new().genesis.chain_id();
    let info = SealInfo { chain, purpose: SealPurpose::Answer, subject: Blob::new(vec![1, 2, 3]).unwrap() };
    let sealed = seal(&sealing().public_key(), &info, b"sealed", [9; 32]).unwrap();
    golden("sealed.hex", &sealed);
    assert_eq!(*sealing().open(&info, &sealed).unwrap(), b"sealed");
    let passphrase = Passphrase::new(b"correct horse".to_vec());
    let cost = KdfCost::LIGHT_FOR_DEMOS;
    let file = key_file::protect(&[20; 32], KeyFileRole::Issuing, &passphrase, cost, [1; 16], [2; 24]).unwrap();
    golden_text("key-file.json", &file);
    let unlocked = key_file::unprotect(&file, &passphrase).unwrap();
    assert_eq!((unlocked.seed(), &unlocked.public_key), (&[20; 32], &issuing_key(0).public_key()));
    let fresh = ([1; 16], [2; 24]);
    let chain = vote::ChainContext { chain_id: ChainId([5; 32]), era: Era(0) };
    let file = validator_file::seal(&[20; 32], b"guard", (chain, Height(7)), &passphrase, cost, fresh).unwrap();
    golden_text("validator-file.json", &file);
    assert_eq!(validator_file::open(&file, &passphrase).unwrap().guard, b"guard");
    let code = PickupCode::from_random([3; 10]);
    let mut entry = PickupEntry::new(&code, [4; 16], START);
    entry.redeem(&code, &secret(101).public_key(), TimeMs(START.0 + DAY)).unwrap();
    golden("pickup-entry.hex", &entry);
    golden_text("pickup-code.txt", &format!("{}\n{}\n", code.shown(), text::hex(&code.hash(&[4; 16]).0)));
    assert!(PickupCode::parse(&code.shown()).unwrap() == code);
}

#[test]
fn domain_tags() {
    let line = |(name, tag): &(&str, tags::Tag)| format!("{} {name}\n", text::hex(tag.bytes()));
    golden_text("tags.txt", &tags::ALL.iter().map(line).collect::<String>());
}

/// Everything that is a hash under a tag, by name.
#[test]
fn hashes() {
    let (world, held) = eventful();
    let [issue, status] = transactions(&world, &held);
    let key = issuing_key(0).public_key();
    let certificate = world.certificate(&world.header(), &world.validators);
    let lines = [
        ("chain id", world.genesis.chain_id().to_string()),
        ("chain in DIDs", world.trust().chain_ref().to_string()),
        ("header", world.header().hash().to_string()),
        ("header 0", world.genesis.header().unwrap().hash().to_string()),
        ("certificate", certificate.hash().to_string()),
        ("validators", world.set.hash().to_string()),
        ("parameters", world.genesis.parameters.hash().to_string()),
        ("transaction issue", issue.body.id().to_string()),
        ("transaction status", status.body.id().to_string()),
        ("key id", key.id().to_string()),
        ("address", Address::of(&key).to_string()),
        ("key as text", key.to_string()),
        ("thumbprint", jwk::thumbprint(&key).unwrap()),
        ("bureau key", Bureau::key_of(&bureau(0)).to_string()),
        ("key key", KeyEntry::key_of(&(bureau(0), key.id())).to_string()),
        ("parameters key", Parameters::key_of(&()).to_string()),
        ("licence status key", licence_status_key(&bureau(0), &held.digest).to_string()),
        ("batch status key", batch_status_key(&bureau(0), held.path.batch).to_string()),
        ("spent id key", spent_id_key(&issue.body.id()).to_string()),
        ("licence digest", held.digest.to_string()),
        ("registry root", world.header().registry_root.to_string()),
        ("state root", world.header().state_root.to_string()),
        ("log root", world.header().log_root.to_string()),
        ("kanhe_hb", holder_binding(&[1; 32], "RESIDENT", "11010519491231002X")),
    ];
    let text: String = lines.iter().map(|(name, hash)| format!("{name}: {hash}\n")).collect();
    golden_text("hashes.txt", &text);
}
