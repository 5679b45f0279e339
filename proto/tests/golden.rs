//! Golden files: every format that is signed, hashed, stored or sent, built from seeds and compared byte for byte.
//!
//! A file that differs is a change of format: say so in its commit. `KANHE_BLESS=1` writes the files anew.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use std::fmt::Debug;
use std::path::Path;

use kanhe_proto::account::{self, AccountPayload, AccountRecord, MandateBody};
use kanhe_proto::application::Application;
use kanhe_proto::block::Block;
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{self, Act, CaseEvent, CasePayload, CaseRecord, CaseStatus};
use kanhe_proto::case_file::{
    Attachment, Author, BoundFile, CASE_FILE_VERSION, CaseFile, FilePart, Helped, HelpedAsk, HelpedPickup, NamedValue,
    PART_BYTES,
};
use kanhe_proto::certificate::Certificate;
use kanhe_proto::codec::{self, BYTES_MAX, Decode, Encode};
use kanhe_proto::consent::{self, AccessRecord, ConsentPayload, ConsentRecord, Note, ReadPayload, SourceReads};
use kanhe_proto::equivocation::{EquivocationPayload, EquivocationRecord, SignedVote};
use kanhe_proto::evidence::{Evidence, LicencePath};
use kanhe_proto::exchange::{Answer, Ask, DeliveredLicence, HolderRequest, Outcome, Refusal, RequestBody};
use kanhe_proto::genesis::{Genesis, PROTOCOL_VERSION};
use kanhe_proto::governance::{
    Action, Alive, CardBody, FOUNDING, GovernancePayload, LastSigned, NewKey, OpenProposal, OpenProposals, Proposal,
    ProposalContent, ProposalVotes, activate_bytes, withdraw_bytes,
};
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::hash::{CaseId, ChainId, Hash, HeaderHash, ProposalId};
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Era, Height, LogIndex, Power, ProtocolVersion, Round, SpanMs, TimeMs};
use kanhe_proto::item::{Item, ItemVersion};
use kanhe_proto::key::Signer;
use kanhe_proto::key_file::{self, KdfCost, KeyFileRole, Passphrase};
use kanhe_proto::mail::{MailAnswer, MailRequest, QueueProof};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::merkle::log::{self, Frontier, Span, Tree, prove_span};
use kanhe_proto::merkle::map::{Prefix, prove_subtree};
use kanhe_proto::pickup::{PickupCode, PickupEntry, PickupHash};
use kanhe_proto::proof::{CertifiedBlock, CertifiedHeader, ProofError, ProvedTransaction};
use kanhe_proto::record::{BatchRecord, Choice, GovernanceRecord, GovernanceVote, Record};
use kanhe_proto::registry::{
    Accreditation, Authority, Bureau, CatalogueEntry, DataCatalogue, DataClass, DataDeclaration, DataEntry, Due,
    Effect, HolderKind, Intervals, ItemCatalogue, KeyEntry, KeyRole, LicenceType, Membership, Parameters,
    RegistryRecord, Schedule, Scheduled, ScheduledWhat, Seat, SeatState, Seats,
};
use kanhe_proto::request::UnverifiedRequest;
use kanhe_proto::response::Response;
use kanhe_proto::sd_jwt::{ExpectedBinding, Holding, UnverifiedSdJwt, holder_binding, jwk};
use kanhe_proto::seal::{SealInfo, SealPurpose, SealingSecret, seal};
use kanhe_proto::sharing::{ReadAnswer, ReadOutcome, answer_nonce};
use kanhe_proto::snapshot::{self, Content, FullLeaf, HandOverPart, Leaves, Offer, Piece, Records, SNAPSHOT_VERSION};
use kanhe_proto::status::{
    BatchStatus, LicenceStatus, Reaffirmation, Reason, SpentId, Status, batch_status_key, licence_status_key,
    spent_id_key,
};
use kanhe_proto::tags;
use kanhe_proto::text;
use kanhe_proto::transaction::{
    ChangeStatus, IssueBatch, Payload, StatusChange, StatusTarget, TRANSACTION_VERSION, Transaction, TransactionBody,
};
use kanhe_proto::trust::Trust;
use kanhe_proto::validator_file;
use kanhe_proto::validators::Address;
use kanhe_proto::vote::{self, Vote, VoteType};
use world::{
    DAY, Held, PERSON_TYPE, START, World, bank_key, bureau, governance_key, issuing_key, sealing, secret, vct,
};

/// Compares with a file, or writes it.
fn golden_text(file: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("KANHE_BLESS").is_some() {
        std::fs::write(&path, content).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(kept, content, "{file} differs: a change of format");
}

/// Bytes as lines of hexadecimal.
fn golden_bytes(file: &str, bytes: &[u8]) {
    let lines: Vec<String> = bytes.chunks(40).map(text::hex).collect();
    golden_text(file, &format!("{}\n", lines.join("\n")));
}

/// A value of the codec: its bytes, and that they are read as the same value.
fn golden<T: Encode + Decode<()> + PartialEq + Debug>(file: &str, value: &T) {
    let bytes = codec::encode(value);
    golden_bytes(file, &bytes);
    assert_eq!(&codec::decode::<T>(&bytes, BYTES_MAX).unwrap(), value, "{file}");
}

/// A leaf of a map: kind, version and value.
fn golden_leaf<T: MapValue + PartialEq + Debug>(file: &str, value: &T) {
    golden_bytes(file, &value.to_value());
    assert_eq!(&T::from_value(&value.to_value()).unwrap(), value, "{file}");
}

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

/// Every action once, for the format only: some would not be decided together.
fn proposals_of_all(world: &World) -> [Proposal; 3] {
    let chain = world.genesis.chain();
    let (code, issuer) = (PERSON_TYPE.parse::<kanhe_proto::identifiers::TypeCode>().unwrap(), bureau(0));
    let key = |role, seed| NewKey::prove(&chain, &bureau(3), role, &secret(seed)).unwrap();
    let keys = vec![key(KeyRole::Governance, 90), NewKey::sealing(sealing().public_key())];
    let addresses = List::new(vec![Text::new("/ip4/192.0.2.1/tcp/4001").unwrap()]).unwrap();
    let names = world::names("新局", "A new bureau");
    let id = issuing_key(3).public_key().id();
    let effect = Effect::VoidFrom(Height(9));
    let version = vct(PERSON_TYPE).version;
    let (supervisor, type_code) = (bureau(1), code.clone());
    let party = world::relying_party();
    let purpose = world::purpose();
    let bureau = bureau(3);
    let region = Text::new("370100").unwrap();
    let actions = [
        vec![
            Action::AdmitBureau {
                bureau,
                names: names.clone(),
                region,
                addresses: addresses.clone(),
                keys: List::new(keys).unwrap(),
            },
            Action::FreezeBureau { bureau },
            Action::ThawBureau { bureau },
            Action::RemoveBureau { bureau },
            world::seat(3, &secret(91), 2),
            world::unseat(3, &secret(91)),
            Action::RegisterType {
                code: code.clone(),
                version,
                names,
                holder: HolderKind::Person,
                schema: Text::new(world::SCHEMA).unwrap(),
                max_age: SpanMs(DAY),
            },
            Action::RetireType { code, version, effect: Effect::Keep },
            Action::Accredit { issuer, type_code: type_code.clone() },
            Action::WithdrawAccreditation { issuer, type_code: type_code.clone(), effect },
            Action::Supervise { supervisor, issuer, type_code: type_code.clone() },
            Action::EndSupervision { supervisor, issuer, type_code },
        ],
        vec![
            Action::RegisterRelyingParty {
                uscc: party.uscc,
                names: party.names,
                request_key: party.request_key,
                may_ask: party.may_ask,
                purposes: party.purposes,
            },
            Action::RemoveRelyingParty { uscc: party.uscc },
            Action::RegisterPurpose { code: purpose.code.clone(), names: purpose.names, class: purpose.class },
            Action::RetirePurpose { code: purpose.code },
        ],
        vec![
            Action::SetParameters { parameters: Box::new(world.get::<Parameters>(&())) },
            Action::ActivateProtocol { version: ProtocolVersion(3), at: Height(99) },
            Action::RotateKey { bureau, new: key(KeyRole::Issuing, 92), old: Some(id), overlap: SpanMs(DAY) },
            Action::EndKey { bureau, key: id },
            Action::DistrustKey { bureau, key: id, since: Height(5) },
            Action::Reaffirm { bureau, batches: List::new(vec![LogIndex(1), LogIndex(4)]).unwrap() },
            Action::SetAddresses { bureau, addresses },
            Action::Veto { proposal: ProposalId([8; 32]) },
        ],
    ];
    let items = vec![
        Action::RegisterItem {
            file: Text::new(world::item().to_json()).unwrap(),
            bound: List::new(world::item_bound()).unwrap(),
        },
        Action::RetireItem { code: world::item().code },
    ];
    [world.proposal(actions[..2].concat()), world.proposal(actions[2].clone()), world.proposal(items)]
}

#[test]
fn governance() {
    let world = World::new();
    let chain = world.genesis.chain();
    let [first, second, items] = proposals_of_all(&world);
    golden("proposal-items.hex", &items);
    golden("proposal-members-and-catalogue.hex", &first);
    golden("proposal-keys-and-parameters.hex", &second);
    let json = serde_json::to_string_pretty(&second).unwrap();
    golden_text("proposal.json", &format!("{json}\n"));
    assert_eq!(serde_json::from_str::<Proposal>(&json).unwrap(), second);
    let id = first.id();
    let propose = GovernancePayload::Propose {
        proposal: Blob::new(first.to_bytes()).unwrap(),
        votes: List::new(vec![world.vote(0, &id, Choice::Yes)]).unwrap(),
    };
    let vote =
        GovernancePayload::Vote { proposal: id, votes: List::new(vec![world.vote(1, &id, Choice::No)]).unwrap() };
    let (signer, validator) = (governance_key(0), secret(91));
    let withdraw = GovernancePayload::Withdraw {
        proposal: id,
        bureau: bureau(0),
        key: signer.public_key().id(),
        signature: signer.sign(&withdraw_bytes(&chain, &id)).unwrap(),
    };
    let activate = GovernancePayload::Activate {
        bureau: bureau(3),
        key: validator.public_key(),
        proposal: id,
        signature: validator.sign(&activate_bytes(&chain, &bureau(3), &id)).unwrap(),
    };
    golden("governance-propose.hex", &propose);
    golden("governance-vote.hex", &vote);
    golden("governance-withdraw.hex", &withdraw);
    golden("governance-activate.hex", &activate);
    golden_bytes("governance-withdraw-sign-bytes.hex", &withdraw_bytes(&chain, &id));
    golden_bytes("governance-activate-sign-bytes.hex", &activate_bytes(&chain, &bureau(3), &id));
    golden_bytes(
        "governance-possession-sign-bytes.hex",
        &NewKey::possession_bytes(&chain, &bureau(3), KeyRole::Issuing),
    );
    let keys = vec![NewKey::prove(&FOUNDING, &bureau(0), KeyRole::Governance, &signer).unwrap()];
    let Bureau { names, region, addresses, .. } = world.get(&bureau(0));
    let (version, keys) = (CardBody::VERSION, List::new(keys).unwrap());
    let body = CardBody { version, chain: FOUNDING, created: START, bureau: bureau(0), names, region, addresses, keys };
    golden("membership-card.hex", &body.sign(&signer).unwrap());
}

#[test]
fn governance_leaves() {
    let world = World::new();
    let [proposal, ..] = proposals_of_all(&world);
    let (id, address) = (proposal.id(), Address::of(&world.validators[0].public_key()));
    let mut seats = world.get::<Seats>(&()).all().to_vec();
    let until = proposal.expires;
    let seat = |key: u8, state| Seat {
        bureau: bureau(3),
        key: secret(key).public_key(),
        power: Power(2),
        state,
        by: Some(id),
    };
    seats.push(seat(91, SeatState::Decided { until }));
    seats.push(seat(92, SeatState::Replacing { old: world.validators[3].public_key(), until }));
    golden_leaf("leaf-seats.hex", &Seats::new(seats).unwrap());
    let key = issuing_key(3).public_key().id();
    let entries = [
        (Due::Time(until), ScheduledWhat::KeyBegins { bureau: bureau(3), key }),
        (Due::Time(until), ScheduledWhat::KeyEnds { bureau: bureau(3), key }),
        (Due::Time(until), ScheduledWhat::SeatLapses { key: secret(91).public_key() }),
        (Due::Height(Height(99)), ScheduledWhat::Protocol { version: ProtocolVersion(3) }),
    ];
    let entries = entries.map(|(due, what)| Scheduled { due, what, by: id }).to_vec();
    golden_leaf("leaf-schedule.hex", &Schedule { entries: List::new(entries).unwrap() });
    let content = Blob::new(proposal.to_bytes()).unwrap();
    golden_leaf("leaf-proposal-content.hex", &ProposalContent { proposal: content });
    let votes = List::new(vec![world.vote(0, &id, Choice::Yes)]).unwrap();
    golden_leaf(
        "leaf-proposal-votes.hex",
        &ProposalVotes { proposer: bureau(0), expires: until, height: Height(7), votes },
    );
    let open = OpenProposal { id, proposer: bureau(0), expires: until };
    golden_leaf("leaf-open-proposals.hex", &OpenProposals { open: List::new(vec![open]).unwrap() });
    let last = LastSigned { address, height: Height(7) };
    golden_leaf("leaf-alive.hex", &Alive { last: List::new(vec![last]).unwrap() });
}

#[test]
fn cases() {
    let world = World::new();
    let mut all = Vec::new();
    for (name, act, key) in world::cases::acts() {
        let act = world::cases::signed(act, &key);
        golden(&format!("{name}.hex"), &act);
        all.push(act);
    }
    let chain = world::cases::chain();
    golden_bytes("case-act-sign-bytes.hex", &case::act_bytes(&chain, &all[7].act));
    let id = world::cases::id();
    golden_bytes("case-join-sign-bytes.hex", &case::join_bytes(&chain, &id, 2, &world::cases::spouse().public_key()));
    let (alone, clerk) = (Act::Open(world::cases::open()), world::cases::clerk());
    let key = world::issuing_key(3).public_key().id();
    golden_bytes("case-assisted-sign-bytes.hex", &case::assisted_bytes(&chain, &alone, &clerk, &key));
    let leaf = world::cases::case();
    golden_leaf("leaf-case.hex", &leaf);
    let record = |number, before, event, status| CaseRecord {
        case: id,
        number,
        before,
        item: leaf.item.clone(),
        version: leaf.version,
        event,
        status,
        height: Height(7),
        time: world.time,
    };
    let opened = record(0, None, CaseEvent::Act(all[0].clone()), CaseStatus::Open);
    golden_bytes("record-case.hex", &opened.to_record());
    let expired = record(4, Some(LogIndex(17)), CaseEvent::Expired, CaseStatus::Expired);
    golden_bytes("record-case-expired.hex", &expired.to_record());
    for record in [opened, expired] {
        assert_eq!(CaseRecord::from_record(&record.to_record()).unwrap(), record);
    }
    let payload = CasePayload { acts: List::new(all[7..].to_vec()).unwrap() };
    let body = TransactionBody {
        version: TRANSACTION_VERSION,
        chain,
        sender: bureau(1),
        key: issuing_key(1).public_key().id(),
        expiry: TimeMs(world.time.0 + 600_000),
        payload: Payload::Case(payload).to_raw(),
    };
    golden("transaction-case.hex", &body.sign(&issuing_key(1)).unwrap());
    let letter = world::cases::letter();
    golden("letter.hex", &letter);
    golden("letter-mail.hex", &letter.seal(bureau(2), &world::cases::letter_key(110), [9; 32]).unwrap());
    let lines = [
        ("case id", id.to_string()),
        ("case key", case::case_key(&id).to_string()),
        ("commitment", world::cases::said("file").to_string()),
        ("nonce", case::case_nonce(&id, 2, 1, 0)),
        ("letter", letter.commitment().to_string()),
    ];
    golden_text("hashes-cases.txt", &lines.map(|(name, value)| format!("{name} {value}\n")).concat());
}

#[test]
fn consents_and_reads() {
    use world::consents::{
        SOURCE, asked, chain, consent, grant, granted, id, read, request, signed_read, signed_request, statutory,
        terms, trace, under, withdrawn,
    };
    let (world, chain) = (World::new(), chain());
    golden("consent-grant.hex", &granted());
    golden("consent-withdraw.hex", &withdrawn());
    golden_bytes("consent-act-sign-bytes.hex", &consent::act_bytes(&chain, &withdrawn().act));
    golden("consent-terms.hex", &terms());
    golden("read-asked.hex", &asked());
    golden("read-request.hex", &signed_request(under(2)));
    golden_bytes("read-request-sign-bytes.hex", &consent::request_bytes(&chain, &request(under(2))));
    golden("read.hex", &signed_read(under(2), 7));
    golden("read-statutory.hex", &signed_read(statutory(), 8));
    golden_bytes("read-sign-bytes.hex", &consent::read_bytes(&chain, &read(signed_request(under(2)), 7)));
    golden_leaf("leaf-consent.hex", &consent());
    let (height, time) = (Height(7), world.time);
    golden_leaf("leaf-source-reads.hex", &SourceReads { source: bureau(SOURCE), count: 9, last: LogIndex(17) });
    let acted = ConsentRecord { consent: id(), before: Some(LogIndex(17)), act: withdrawn(), height, time };
    golden_bytes("record-consent.hex", &acted.to_record());
    assert_eq!(ConsentRecord::from_record(&acted.to_record()).unwrap(), acted);
    let read = AccessRecord { number: 8, before: Some(LogIndex(9)), read: signed_read(under(2), 7), height, time };
    golden_bytes("record-access.hex", &read.to_record());
    assert_eq!(AccessRecord::from_record(&read.to_record()).unwrap(), read);
    let body = |payload: Payload| TransactionBody {
        version: TRANSACTION_VERSION,
        chain,
        sender: bureau(1),
        key: issuing_key(1).public_key().id(),
        expiry: TimeMs(world.time.0 + 600_000),
        payload: payload.to_raw(),
    };
    let acts = ConsentPayload { acts: List::new(vec![granted(), withdrawn()]).unwrap() };
    golden("transaction-consent.hex", &body(Payload::Consent(acts)).sign(&issuing_key(1)).unwrap());
    let reads = ReadPayload { reads: List::new(vec![signed_read(statutory(), 8)]).unwrap() };
    golden("transaction-access.hex", &body(Payload::AccessRecord(reads)).sign(&issuing_key(1)).unwrap());
    // What cannot be seen in the bytes of a read.
    let note = trace().open(&chain, &request(under(2)), 7, &signed_read(under(2), 7).read.note).unwrap();
    assert_eq!(note, Note::of(&asked().scope));
    let lines = [
        ("consent id", id().to_string()),
        ("consent key", consent::consent_key(&id()).to_string()),
        ("source key", consent::source_reads_key(&bureau(SOURCE)).to_string()),
        ("terms", grant().terms.to_string()),
        ("request id", request(under(2)).id(&chain).to_string()),
        ("presentation nonce", consent::consent_nonce(&id(), &grant().terms)),
        ("claim of the trace key", trace().to_claim().to_string()),
        ("tag 7", text::hex(&trace().tag(7).0)),
    ];
    golden_text("hashes-consents.txt", &lines.map(|(name, value)| format!("{name} {value}\n")).concat());
}

#[test]
fn what_readers_and_sources_say() {
    use world::sharing::{answer, letter, parcel};
    let (mut world, held) = world::sharing::world();
    golden("read-letter.hex", &letter());
    let mail = MailRequest::seal_letter(&letter(), &sealing().public_key(), [4; 32]).unwrap();
    golden("mail-read-request.hex", &mail);
    let given = parcel(&world, &held, &["ZZMC", "name"]);
    golden("read-parcel.hex", &given);
    let refused = ReadAnswer::new(ReadOutcome::Refused(Text::new("consent_over").unwrap()));
    golden("read-answer.hex", &refused);
    golden("mail-read-answer.hex", &MailAnswer::seal_read(&letter(), &refused, [5; 32]).unwrap());
    golden("read-shared-proof.hex", &world::sharing::proof(&mut world, &given));
    let nonce = text::hex(&answer_nonce(&answer().public_key()));
    golden_text("hashes-sharing.txt", &format!("nonce {nonce}\n"));
}

#[test]
fn data_classes() {
    let world = World::new();
    let declared = DataDeclaration {
        code: Text::new("households").unwrap(),
        names: world::names("户籍", "Households"),
        type_code: Some(PERSON_TYPE.parse().unwrap()),
        count: 9_400_000,
        as_of: world.time,
    };
    let intervals = Intervals::from(Height(7), Authority::Bureau(bureau(0)));
    golden_leaf("leaf-data-class.hex", &DataClass { bureau: bureau(0), declared: declared.clone(), intervals });
    let entry = |code: &str, in_force| DataEntry { code: Text::new(code).unwrap(), in_force };
    let catalogue = DataCatalogue::empty(bureau(0)).with(entry("households", true)).unwrap();
    let catalogue = catalogue.with(entry("births", false)).unwrap();
    golden_leaf("leaf-data-catalogue.hex", &catalogue);
    assert_eq!(catalogue.with(entry("births", true)).unwrap().classes.len(), 2);
    let (bureau, other) = (bureau(0), DataDeclaration { type_code: None, count: 0, ..declared.clone() });
    let classes = vec![declared, DataDeclaration { code: Text::new("moves").unwrap(), ..other }];
    let actions = vec![
        Action::DeclareData { bureau, classes: List::new(classes).unwrap() },
        Action::RetireData { bureau, classes: List::new(vec![Text::new("births").unwrap()]).unwrap() },
    ];
    let proposal = world.proposal(actions);
    assert_eq!(proposal.decided_by(), kanhe_proto::governance::DecidedBy::Own);
    golden("proposal-data.hex", &proposal);
    let json = serde_json::to_string(&proposal).unwrap();
    assert_eq!(serde_json::from_str::<Proposal>(&json).unwrap(), proposal);
}

#[test]
fn double_signatures() {
    let world = World::new();
    let key = &world.validators[0];
    let (chain, address) = (world.genesis.chain(), Address::of(&key.public_key()));
    let signed = |value| {
        let vote = Vote { vote_type: VoteType::Precommit, height: Height(7), round: Round(2), value, address };
        SignedVote { vote, signature: key.sign(&vote.sign_bytes(&chain)).unwrap() }
    };
    let proof = EquivocationPayload::new(signed(Some(HeaderHash([7; 32]))), signed(None));
    golden("equivocation.hex", &proof);
    let (height, time) = (Height(9), world.time);
    let record = EquivocationRecord { bureau: bureau(0), key: key.public_key(), proof, height, time };
    golden_bytes("record-equivocation.hex", &record.to_record());
    assert_eq!(EquivocationRecord::from_record(&record.to_record()).unwrap(), record);
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

#[test]
fn service_items() {
    let item = world::item();
    golden_text("item.json", &item.to_json());
    assert_eq!(Item::from_json(&item.to_json()).unwrap(), item);
    let mut record = item.service_item(&world::item_bound()).unwrap();
    record.intervals = Intervals::from(Height(7), Authority::Vote(ProposalId([8; 32])));
    golden_leaf("leaf-service-item.hex", &record);
    let entry = |code: &str, newest, in_force| CatalogueEntry {
        code: Text::new(code).unwrap(),
        newest: ItemVersion(newest),
        in_force,
    };
    let catalogue = ItemCatalogue::default().with(entry("flat-purchase", 1, true)).unwrap();
    let catalogue = catalogue.with(entry("enrolment", 3, false)).unwrap();
    golden_leaf("leaf-item-catalogue.hex", &catalogue);
    assert_eq!(catalogue.find("enrolment").unwrap().newest, ItemVersion(3));
    assert_eq!(catalogue.with(entry("enrolment", 4, true)).unwrap().items.len(), 2);
    golden_text(
        "hashes-items.txt",
        &format!("file {}\nitem {}\ncatalogue {}\n", item.digest(), record.key(), catalogue.key()),
    );
}

#[test]
fn case_files() {
    let chain = World::new().genesis.chain_id();
    let file = |attachment: &[u8]| CaseFile {
        version: CASE_FILE_VERSION,
        chain,
        case: CaseId([3; 32]),
        to: bureau(0),
        from: Author::Bureau { place: 1, step: 2 },
        round: 4,
        values: List::new(vec![NamedValue {
            name: Text::new("area").unwrap(),
            value: Text::new("\"370102\"").unwrap(),
        }])
        .unwrap(),
        presentation: Blob::new(*b"response").unwrap(),
        applications: List::new(vec![Text::new("a.b.c").unwrap()]).unwrap(),
        attachments: List::new(vec![Attachment {
            name: Text::new("contract.pdf").unwrap(),
            content: Blob::new(attachment).unwrap(),
        }])
        .unwrap(),
        mandate: Some(Blob::new(*b"mandate").unwrap()),
        helped: Some(Helped {
            person: consent::Subject {
                id_type: Text::new("RESIDENT").unwrap(),
                id_number: Text::new("11010519491231002X").unwrap(),
            },
            asks: List::new(vec![HelpedAsk {
                ask: Text::new("identity").unwrap(),
                type_code: PERSON_TYPE.parse().unwrap(),
                source: bureau(2),
            }])
            .unwrap(),
            pickups: List::new(vec![HelpedPickup {
                yields: Text::new("certificate").unwrap(),
                hash: PickupHash([7; 32]),
            }])
            .unwrap(),
        }),
    };
    let bound = file(b"pdf").bind([7; 32]).unwrap();
    golden_bytes("case-file.hex", bound.to_bytes());
    assert_eq!(BoundFile::from_bytes(bound.to_bytes().to_vec()).unwrap(), bound);

    // The last of two parts, so that it is short.
    let bound = file(&vec![5; PART_BYTES]).bind([7; 32]).unwrap();
    let parts = bound.seal(&secret(60), &sealing().public_key(), [[8; 32], [9; 32]].into_iter()).unwrap();
    golden("file-part.hex", &parts[1]);
    assert_eq!(FilePart::decode(&parts[1].encode(), &chain).unwrap(), parts[1]);
    assert_eq!(BoundFile::open(&parts, &sealing()).unwrap(), bound);
}

#[test]
fn accounts() {
    let world = World::new();
    let mut all = Vec::new();
    for (name, act, key) in world::accounts::acts() {
        let act = world::accounts::signed(act, &key);
        golden(&format!("{name}.hex"), &act);
        all.push(act);
    }
    let chain = world::cases::chain();
    golden_bytes("account-act-sign-bytes.hex", &account::account_act_bytes(&chain, &all[2].act));
    let leaf = world::accounts::account();
    golden_leaf("leaf-account.hex", &leaf);
    let record =
        AccountRecord { before: Some(LogIndex(5)), signed: all[2].clone(), height: Height(7), time: world.time };
    golden_bytes("record-account.hex", &record.to_record());
    assert_eq!(AccountRecord::from_record(&record.to_record()).unwrap(), record);
    let body = TransactionBody {
        version: TRANSACTION_VERSION,
        chain,
        sender: bureau(1),
        key: issuing_key(1).public_key().id(),
        expiry: TimeMs(world.time.0 + 600_000),
        payload: Payload::EnterpriseAccount(AccountPayload { acts: List::new(all).unwrap() }).to_raw(),
    };
    golden("transaction-account.hex", &body.sign(&issuing_key(1)).unwrap());
    let mut shown = World::new();
    let place = account::account_key(&leaf.uscc);
    shown.state.insert(place, leaf.to_value());
    let key = world::accounts::delegate();
    let item = leaf.delegates[0].grant.items[1].clone();
    let (case, slot, account, public) = (world::cases::id(), 0, leaf.uscc, key.public_key());
    let body = MandateBody { version: account::MANDATE_VERSION, case, slot, item, account, key: public };
    golden_bytes("mandate-sign-bytes.hex", &account::mandate_bytes(&chain, &body));
    golden("mandate.hex", &body.sign(&chain, &key, shown.certified(), shown.state_leaf(place)).unwrap());
    golden_text("hashes-accounts.txt", &format!("account key {place}\n"));
}
