//! The daemon as its operators have it: real processes of a local network, spoken to over HTTP alone.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kanhe_node::devnet::{BureauDescription, Description};
use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_node::run::now;
use kanhe_proto::account::{
    AccountAct, AccountHistory, AccountPayload, By, Change, EnterpriseAccount, Opening, SignedAccountAct, account_key,
};
use kanhe_proto::api::{
    AccountActsAnswer, BatchAnswer, CASES_PROVED_MAX, CaseEventsAnswer, CaseProved, CasesAnswer, CasesProvedAnswer,
    CasesQuestion, EvidenceAnswer, HeaderAnswer, LeafAnswer, NodeStatus, OverdueAnswer, Problem, ReadyAnswer,
    TransactionState, TransactionStatus,
};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{
    Act, Case, CasePayload, CaseStatus, Decide, EventList, How, Open, Outcome, Rate, SignedAct, Withdraw, case_id,
    case_key, commitment,
};
use kanhe_proto::codec;
use kanhe_proto::evidence::Evidence;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::governance::{Action, GovernancePayload, Proposal};
use kanhe_proto::hash::{CaseId, LicenceDigest};
use kanhe_proto::identifiers::{TypeVersion, Uscc};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::item::{BoundRole, Item};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::merkle::log;
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf, ProvedRecord, ProvedTransaction};
use kanhe_proto::record::{BatchRecord, Choice, GovernanceVote, Record};
use kanhe_proto::registry::{Names, PurposeClass};
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::transaction::{IssueBatch, Payload, Transaction, TransactionBody};
use kanhe_proto::trust::Trust;
use kanhe_proto::vote::ChainContext;
use serde::de::DeserializeOwned;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kanhe-node");
const BYTES_MAX: usize = 1 << 20;
const WAIT: Duration = Duration::from_secs(60);

fn program(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A node's process; killed when dropped, so that a failing test leaves none.
struct Process(Child);

impl Process {
    fn start(home: &Path) -> Self {
        let log = File::options().create(true).append(true).open(home.join("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("run").arg("--home").arg(home).args(["--log-format", "json"]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
    /// SIGTERM, and its exit code.
    fn end(mut self) -> Option<i32> {
        Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Speaks HTTP/1.0: one request a connection, the body up to its end.
struct Http;

impl Http {
    fn ask(&self, node: &BureauDescription, head: &str, body: &[u8]) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(node.api.strip_prefix("http://").unwrap()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        stream.write_all(format!("{head} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
    fn get(&self, node: &BureauDescription, path: &str) -> Option<(u16, String)> {
        self.ask(node, &format!("GET {path}"), &[])
    }
    fn read<T: DeserializeOwned>(&self, node: &BureauDescription, path: &str) -> T {
        let (status, body) = self.get(node, path).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
    fn submit(&self, node: &BureauDescription, bytes: &[u8]) -> (u16, String) {
        self.ask(node, "POST /v1/transactions", bytes).unwrap()
    }
    fn wait(&self, node: &BureauDescription, what: &str, enough: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
        let until = Instant::now() + WAIT;
        loop {
            let status = self.get(node, "/v1/status").map(|(_, body)| serde_json::from_str(&body).unwrap());
            match status {
                Some(status) if enough(&status) => return status,
                status => assert!(
                    Instant::now() < until,
                    "{}: no {what}: {status:?}\n{}",
                    node.name,
                    fs::read_to_string(node.home.join("log")).unwrap_or_default()
                ),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A batch of a bureau that holds these digests.
fn batch(
    bureau: &BureauDescription,
    network: &Description,
    genesis: &Genesis,
    digests: &[LicenceDigest],
) -> Transaction {
    let passphrase = PassphraseSource::File(bureau.passphrase_file.clone()).read().unwrap();
    let key = keys::open_secret(&bureau.issuing_key, KeyFileRole::Issuing, &passphrase).unwrap();
    let leaves: Vec<_> = digests.iter().map(|digest| log::leaf_hash(digest.bytes())).collect();
    let payload = Payload::IssueBatch(IssueBatch {
        type_code: network.types[0].code.clone(),
        type_version: TypeVersion(1),
        root: log::root(&leaves),
        count: digests.len() as u32,
        changes: List::empty(),
    });
    let body = TransactionBody {
        version: 1,
        chain: genesis.chain(),
        sender: bureau.uscc,
        key: kanhe_proto::key::Signer::public_key(&key).id(),
        expiry: now().after(SpanMs(600_000)),
        payload: payload.to_raw(),
    };
    body.sign(&key).unwrap()
}

fn committed(http: &Http, node: &BureauDescription, transaction: &Transaction) -> TransactionStatus {
    let path = format!("/v1/transactions/{}?wait=30", transaction.body.id());
    let status: TransactionStatus = http.read(node, &path);
    assert_eq!(status.state, TransactionState::Committed, "{status:?}");
    status
}

#[test]
fn four_processes_keep_a_chain() {
    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    let made = program(&["devnet", "init", "--dir", net.to_str().unwrap(), "--heartbeat-ms", "1000"]);
    assert!(made.status.success(), "{made:?}");
    let network: Description = serde_json::from_slice(&fs::read(net.join("devnet.json")).unwrap()).unwrap();
    let genesis = Genesis::from_bytes(&fs::read(&network.genesis).unwrap()).unwrap();
    let trust = Trust::pin(&genesis, now()).unwrap();
    let [first, second, third, fourth] = &network.bureaus[..] else { panic!("four bureaus") };
    let http = Http;
    let mut nodes: Vec<Process> = network.bureaus.iter().map(|bureau| Process::start(&bureau.home)).collect();
    network.bureaus.iter().for_each(|node| drop(http.wait(node, "readiness", |status| status.ready)));

    let digests: Vec<LicenceDigest> = (1..=3).map(|i| LicenceDigest([i; 32])).collect();
    let anchored = batch(first, &network, &genesis, &digests);
    assert_eq!(http.submit(first, &anchored.to_bytes()).0, 202);
    let status = committed(&http, second, &anchored);
    let proved: ProvedTransaction = codec::decode(&status.proof.unwrap(), BYTES_MAX).unwrap();
    trust.check(&proved.certified, now()).unwrap();
    proved.verify(&anchored.body.id()).unwrap();
    let BatchAnswer { id, certified, record } = status.batch.unwrap();
    let certified: CertifiedHeader = codec::decode(&certified, BYTES_MAX).unwrap();
    trust.check(&certified, now()).unwrap();
    let record: ProvedRecord = codec::decode(&record, BYTES_MAX).unwrap();
    record.verify(&certified.header).unwrap();
    assert_eq!(BatchRecord::from_record(&record.record).unwrap().issuer, first.uscc);
    // Each answers as of its own tip.
    for node in [third, fourth] {
        http.wait(node, "the block", |seen| seen.height >= status.height.unwrap().0);
    }
    let evidence: EvidenceAnswer = http.read(third, &format!("/v1/evidence/{id}/{}", digests[0]));
    let evidence = Evidence::from_bytes(&evidence.evidence).unwrap();
    trust.check(&evidence.certified, now()).unwrap();

    let (code, body) = http.submit(second, &batch(second, &network, &genesis, &digests).to_bytes());
    let problem: Problem = serde_json::from_str(&body).unwrap();
    assert_eq!((code, problem.code.as_str()), (422, "not_accredited"));
    let (code, body) = http.submit(fourth, &anchored.to_bytes());
    let again: TransactionStatus = serde_json::from_str(&body).unwrap();
    assert_eq!((code, again.state), (202, TransactionState::Committed));

    nodes.pop().unwrap().kill();
    let later = batch(first, &network, &genesis, &digests[..1]);
    assert_eq!(http.submit(third, &later.to_bytes()).0, 202);
    let height = committed(&http, third, &later).height.unwrap();
    nodes.push(Process::start(&fourth.home));
    http.wait(fourth, "what it missed", |status| status.height >= height.0);
    committed(&http, fourth, &later);
    let headers: Vec<HeaderAnswer> =
        network.bureaus.iter().map(|node| http.read(node, &format!("/v1/headers/{height}"))).collect();
    assert!(headers.iter().all(|header| header.header_hash == headers[0].header_hash));

    let taken = program(&["run", "--home", first.home.to_str().unwrap()]);
    assert_eq!(taken.status.code(), Some(25), "{taken:?}");
    for node in nodes {
        assert_eq!(node.end(), Some(0));
    }
    for bureau in &network.bureaus {
        let checked = program(&["fsck", "--home", bureau.home.to_str().unwrap()]);
        assert!(checked.status.success(), "{checked:?}");
    }
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

/// The purpose and the item of [`citizens_hand_in_acts_and_follow_their_case`], decided by the one bureau.
fn registering(bureau: &BureauDescription, item: &Item, at_ms: u64) -> [Proposal; 2] {
    let names = Names { zh: text("询问"), en: text("Asking") };
    let purpose = Action::RegisterPurpose { code: text("asking"), names, class: PurposeClass::PublicBenefit };
    let bureaus = List::new(vec![bureau.uscc]).unwrap();
    let bound = List::new(vec![BoundRole { role: text("office"), bureaus }]).unwrap();
    let file = Text::new(item.to_json()).unwrap();
    [purpose, Action::RegisterItem { file, bound }].map(|action| Proposal {
        version: 1,
        proposer: bureau.uscc,
        created: TimeMs(at_ms),
        expires: TimeMs(at_ms + 3_600_000),
        note: text(""),
        actions: List::new(vec![action]).unwrap(),
    })
}

fn asking() -> Item {
    let words = |text: &str| serde_json::json!({"zh": text, "en": text});
    serde_json::from_value(serde_json::json!({
        "format": 1, "code": "asking", "version": 1, "region": "370100", "names": words("asking"),
        "about": words("asking"), "purpose": "asking", "life_days": 1,
        "party": [{"code": "citizen", "names": words("citizen"), "kind": "person", "opens": true, "applicant": true}],
        "bureau": [{"code": "office", "names": words("office")}],
        "step": [{"code": "answer", "names": words("answer"), "by": "office", "waits_for": ["citizen"],
                  "limit_days": 1, "final": true}],
    }))
    .unwrap()
}

/// Alone of four, so that all waits.
#[test]
fn a_bureau_that_has_its_share_of_the_pool_is_turned_away_and_another_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    assert!(program(&["devnet", "init", "--dir", net.to_str().unwrap()]).status.success());
    let network: Description = serde_json::from_slice(&fs::read(net.join("devnet.json")).unwrap()).unwrap();
    let genesis = Genesis::from_bytes(&fs::read(&network.genesis).unwrap()).unwrap();
    let node = &network.bureaus[0];
    let mut config = kanhe_node::config::Config::load(&node.home).unwrap();
    config.mempool.transactions_max = 8;
    fs::write(node.home.join("config.toml"), toml::to_string(&config).unwrap()).unwrap();
    let _node = Process::start(&node.home);
    let http = Http;
    http.wait(node, "an answer", |_| true);
    let issuers: Vec<&BureauDescription> = network
        .types
        .iter()
        .filter_map(|kind| network.bureaus.iter().find(|bureau| Some(bureau.uscc) == kind.issuer))
        .collect();
    let of = |kind: usize, number: u8| {
        let mut network = Description::clone(&network);
        network.types.swap(0, kind);
        batch(issuers[kind], &network, &genesis, &[LicenceDigest([number; 32])]).to_bytes()
    };
    let hand_in = |kind, number| http.submit(node, &of(kind, number));
    let first = of(0, 1);
    let one = http.submit(node, &first);
    assert_eq!(one.0, 202, "{}", one.1);
    let mut number = 1;
    let (code, told) = loop {
        number += 1;
        let answer = hand_in(0, number);
        if answer.0 != 202 {
            break answer;
        }
    };
    assert_eq!((code, number), (429, 5), "as much as it leaves free: {told}");
    assert_eq!(serde_json::from_str::<Problem>(&told).unwrap().code, "over_quota");
    let other = (0..issuers.len()).find(|kind| issuers[*kind].uscc != issuers[0].uscc).unwrap();
    let (code, told) = hand_in(other, 1);
    assert_eq!(code, 202, "{told}");
    // What was taken before is known still, and takes no room.
    let (code, told) = http.submit(node, &first);
    assert!([200, 202].contains(&code), "{code} {told}");
}

#[test]
fn citizens_hand_in_acts_and_follow_their_case() {
    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    let init = ["devnet", "init", "--dir", net.to_str().unwrap(), "--heartbeat-ms", "1000", "--bureaus", "1"];
    assert!(program(&init).status.success());
    let network: Description = serde_json::from_slice(&fs::read(net.join("devnet.json")).unwrap()).unwrap();
    let genesis = Genesis::from_bytes(&fs::read(&network.genesis).unwrap()).unwrap();
    let (bureau, chain, http) = (&network.bureaus[0], genesis.chain(), Http);
    let _node = Process::start(&bureau.home);
    http.wait(bureau, "readiness", |status| status.ready);
    let passphrase = || PassphraseSource::File(bureau.passphrase_file.clone()).read().unwrap();
    let open = |path: &Path, role| keys::open_secret(path, role, &passphrase()).unwrap();
    let governance = open(&bureau.governance_key, KeyFileRole::Governance);
    let issuing = open(&bureau.issuing_key, KeyFileRole::Issuing);
    let item = asking();
    for proposal in registering(bureau, &item, http.wait(bureau, "a block", |_| true).time_ms) {
        let (id, key) = (proposal.id(), governance.public_key().id());
        let signature = governance.sign(&GovernanceVote::sign_bytes(&chain, &id, Choice::Yes)).unwrap();
        let vote = GovernanceVote { bureau: bureau.uscc, key, choice: Choice::Yes, signature };
        let payload = GovernancePayload::Propose {
            proposal: Blob::new(proposal.to_bytes()).unwrap(),
            votes: List::new(vec![vote]).unwrap(),
        };
        let body = TransactionBody {
            version: 1,
            chain,
            sender: bureau.uscc,
            key,
            expiry: now().after(SpanMs(600_000)),
            payload: Payload::Governance(payload).to_raw(),
        };
        let transaction = body.sign(&governance).unwrap();
        let (code, told) = http.submit(bureau, &transaction.to_bytes());
        assert_eq!(code, 202, "{told}");
        committed(&http, bureau, &transaction);
        // What is decided binds from the next block on.
        let height = http.wait(bureau, "a block", |_| true).height;
        http.wait(bureau, "the next block", |status| status.height > height);
    }

    let citizen = SecretKey::from_seed([1; 32]);
    let id = case_id(&chain.chain_id, &citizen.public_key());
    let hand_in = |acts: Vec<SignedAct>| {
        let payload = CasePayload { acts: List::new(acts).unwrap() };
        let (code, told) = http.ask(bureau, "POST /v1/cases/acts", &payload.to_bytes()).unwrap();
        match code {
            202 => Ok(serde_json::from_str::<TransactionStatus>(&told).unwrap()),
            _ => Err((code, serde_json::from_str::<Problem>(&told).unwrap().code)),
        }
    };
    let sign = |act: Act, key: &SecretKey| act.sign(&chain, key).unwrap();
    let opening = Open {
        item: item.code.clone(),
        version: item.version,
        file: item.digest(),
        not_after: now().after(SpanMs(3_600_000)),
        key: citizen.public_key(),
        letter_key: SealingSecret::from_seed([2; 32]).public_key(),
        chosen: List::new(vec![bureau.uscc]).unwrap(),
        slots: List::empty(),
        files: List::empty(),
        assisted: None,
    };
    let opened = sign(Act::Open(opening), &citizen);
    let forged =
        SignedAct { signature: sign(Act::Rate(Rate { case: id, stars: 1 }), &citizen).signature, ..opened.clone() };
    assert_eq!(hand_in(vec![forged]), Err((422, "case_signature".to_owned())));
    assert_eq!(http.ask(bureau, "POST /v1/cases/acts", b"nothing").unwrap().0, 400);
    let first = hand_in(vec![opened.clone()]).unwrap();
    // The same again is the same.
    assert_eq!(hand_in(vec![opened.clone()]).unwrap().id, first.id);
    let done = |status: TransactionStatus| {
        let told: TransactionStatus = http.read(bureau, &format!("/v1/transactions/{}?wait=30", status.id));
        assert_eq!(told.state, TransactionState::Committed, "{told:?}");
    };
    done(first);
    assert_eq!(hand_in(vec![opened.clone()]).unwrap().state, TransactionState::Committed);
    let withdrawn = |key: &SecretKey| hand_in(vec![sign(Act::Withdraw(Withdraw { case: id, slot: 0 }), key)]);
    assert_eq!(withdrawn(&issuing).unwrap_err().1, "case_signature");
    let cases: CasesAnswer = http.read(bureau, &format!("/v1/cases?bureau={}", bureau.uscc));
    assert_eq!((cases.cases, cases.next), (vec![id], None));
    let overdue: OverdueAnswer = http.read(bureau, "/v1/cases/overdue");
    assert!(overdue.steps.is_empty() && overdue.unproven);

    let ready: ReadyAnswer = http.read(bureau, &format!("/v1/cases/ready?bureau={}", bureau.uscc));
    let turns: Vec<_> = ready.steps.iter().map(|step| (step.case, step.step, step.round)).collect();
    assert_eq!((turns, ready.unproven, ready.next), (vec![(id, 0, 0)], true, None));
    let ask_many = |cases: Vec<CaseId>, events: bool| {
        let question = serde_json::to_vec(&CasesQuestion { cases, events }).unwrap();
        http.ask(bureau, "POST /v1/cases/proved", &question).unwrap()
    };
    assert_eq!(ask_many(vec![id; CASES_PROVED_MAX + 1], false).0, 400);

    let trust = Trust::pin(&genesis, now()).unwrap();
    let many = |cases: Vec<CaseId>, events: bool| {
        let (code, told) = ask_many(cases.clone(), events);
        assert_eq!(code, 200, "{told}");
        let answer: CasesProvedAnswer = serde_json::from_str(&told).unwrap();
        let certified: CertifiedHeader = codec::decode(&answer.certified, BYTES_MAX).unwrap();
        trust.check(&certified, now()).unwrap();
        let read = |(id, proved): (&CaseId, &CaseProved)| {
            let leaf: ProvedLeaf = codec::decode(&proved.leaf, BYTES_MAX).unwrap();
            let case = leaf.read::<Case>(&certified.header.state_root, &case_key(id)).unwrap();
            let mut list = case.as_ref().map(EventList::of);
            for event in &proved.events {
                let record = codec::decode(event, BYTES_MAX).unwrap();
                list.as_mut().unwrap().push(&certified.header, &record).unwrap();
            }
            (case.map(|case| case.status), list.map(|list| list.is_whole()))
        };
        cases.iter().zip(&answer.cases).map(read).collect::<Vec<_>>()
    };
    let nobody = CaseId([9; 32]);
    assert_eq!(many(vec![nobody, id], true), [(None, None), (Some(CaseStatus::Open), Some(true))]);
    assert_eq!(many(vec![id, nobody], false), [(Some(CaseStatus::Open), Some(false)), (None, None)]);
    let leaf = |id: &CaseId| {
        let LeafAnswer { certified, leaf } = http.read(bureau, &format!("/v1/cases/{id}"));
        let certified: CertifiedHeader = codec::decode(&certified, BYTES_MAX).unwrap();
        trust.check(&certified, now()).unwrap();
        let leaf: ProvedLeaf = codec::decode(&leaf, BYTES_MAX).unwrap();
        leaf.read::<Case>(&certified.header.state_root, &case_key(id)).unwrap()
    };
    assert_eq!(leaf(&CaseId([9; 32])), None);
    assert_eq!(leaf(&id).unwrap().status, CaseStatus::Open);
    let decide = Decide {
        case: id,
        step: 0,
        round: 0,
        key: issuing.public_key().id(),
        outcome: Outcome::Approved,
        how: How::Officer { officer: commitment(&[3; 32], b"officer") },
        run: None,
        reason: None,
        letter: None,
        passed: List::empty(),
    };
    done(
        hand_in(vec![sign(Act::Decide(decide), &issuing), sign(Act::Rate(Rate { case: id, stars: 5 }), &citizen)])
            .unwrap(),
    );
    assert_eq!(withdrawn(&citizen).unwrap_err().1, "case_over");

    let answer: CaseEventsAnswer = http.read(bureau, &format!("/v1/cases/{id}/events"));
    let certified: CertifiedHeader = codec::decode(&answer.certified, BYTES_MAX).unwrap();
    trust.check(&certified, now()).unwrap();
    let proved: ProvedLeaf = codec::decode(&answer.leaf, BYTES_MAX).unwrap();
    let case: Case = proved.read(&certified.header.state_root, &case_key(&id)).unwrap().unwrap();
    assert_eq!((case.status, case.stars), (CaseStatus::Closed, Some(5)));
    let mut list = EventList::of(&case);
    for event in &answer.events {
        list.push(&certified.header, &codec::decode(event, BYTES_MAX).unwrap()).unwrap();
    }
    assert_eq!((list.is_whole(), list.events().len(), answer.next), (true, 3, None));
    let (code, told) = http.get(bureau, &format!("/v1/cases/{id}/events?from=0")).unwrap();
    assert_eq!((code, serde_json::from_str::<Problem>(&told).unwrap().code.as_str()), (404, "not_found"));
    let cases: CasesAnswer = http.read(bureau, &format!("/v1/cases?bureau={}", bureau.uscc));
    assert!(cases.cases.is_empty());
    an_account_is_handed_in_and_proved(bureau, &issuing, chain, &trust);
}

/// On the same node: an enterprise's account, from its proved absence to its history.
fn an_account_is_handed_in_and_proved(
    bureau: &BureauDescription,
    issuing: &SecretKey,
    chain: ChainContext,
    trust: &Trust,
) {
    let http = Http;
    let company = Uscc::with_check("91370100MA3E00013").unwrap();
    let owner = SecretKey::from_seed([41; 32]);
    let proved = |certified: &[u8], leaf: &[u8]| {
        let certified: CertifiedHeader = codec::decode(certified, BYTES_MAX).unwrap();
        trust.check(&certified, now()).unwrap();
        let leaf: ProvedLeaf = codec::decode(leaf, BYTES_MAX).unwrap();
        let root = &certified.header.state_root;
        (leaf.read::<EnterpriseAccount>(root, &account_key(&company)).unwrap(), certified.header)
    };
    let account = || {
        let LeafAnswer { certified, leaf } = http.read(bureau, &format!("/v1/accounts/{company}"));
        proved(&certified, &leaf).0
    };
    let hand_in = |act: SignedAccountAct| {
        let payload = AccountPayload { acts: List::new(vec![act]).unwrap() };
        let (code, told) = http.ask(bureau, "POST /v1/accounts/acts", &payload.to_bytes()).unwrap();
        match code {
            202 => Ok(serde_json::from_str::<TransactionStatus>(&told).unwrap()),
            _ => Err((code, serde_json::from_str::<Problem>(&told).unwrap().code)),
        }
    };
    let act = |sequence: u32, by: By, change: Change, key: &SecretKey| {
        AccountAct { uscc: company, sequence, by, change }.sign(&chain, key).unwrap()
    };
    assert_eq!(account(), None);
    assert_eq!(http.ask(bureau, "POST /v1/accounts/acts", b"nothing").unwrap().0, 400);
    let opening = Opening {
        type_code: "DEMOYYZZ001".parse().unwrap(),
        type_version: TypeVersion(1),
        keys: List::new(vec![owner.public_key()]).unwrap(),
    };
    let by = By::Bureau { bureau: bureau.uscc, key: issuing.public_key().id() };
    let own = By::Own(owner.public_key().id());
    let forged = act(0, by.clone(), Change::Open(opening.clone()), &owner);
    assert_eq!(hand_in(forged), Err((422, "account_signature".to_owned())));
    let done = |status: TransactionStatus| {
        let told: TransactionStatus = http.read(bureau, &format!("/v1/transactions/{}?wait=30", status.id));
        assert_eq!(told.state, TransactionState::Committed, "{told:?}");
    };
    let opened = act(0, by, Change::Open(opening), issuing);
    let first = hand_in(opened.clone()).unwrap();
    assert_eq!(hand_in(opened).unwrap().id, first.id);
    done(first);
    assert_eq!(account().unwrap().keys.to_vec(), [owner.public_key()]);
    done(hand_in(act(1, own.clone(), Change::AddKey(SecretKey::from_seed([42; 32]).public_key()), &owner)).unwrap());
    assert_eq!(hand_in(act(1, own, Change::Close, &owner)).unwrap_err().1, "account_sequence");

    let answer: AccountActsAnswer = http.read(bureau, &format!("/v1/accounts/{company}/acts"));
    let (leaf, header) = proved(&answer.certified, &answer.leaf);
    let leaf = leaf.unwrap();
    let mut list = AccountHistory::of(&leaf);
    for record in &answer.acts {
        list.push(&header, &codec::decode(record, BYTES_MAX).unwrap()).unwrap();
    }
    assert_eq!((leaf.sequence, leaf.keys.len(), list.wanted(), answer.next), (2, 2, None, None));
    let (code, told) = http.get(bureau, &format!("/v1/accounts/{company}/acts?from=0")).unwrap();
    assert_eq!((code, serde_json::from_str::<Problem>(&told).unwrap().code.as_str()), (404, "not_found"));
    assert_eq!(http.get(bureau, "/v1/accounts/nobody").unwrap().0, 400);
}

#[test]
fn what_is_wrong_with_a_home_has_its_own_code() {
    let dir = tempfile::tempdir().unwrap();
    let net = dir.path().join("net");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    assert!(program(&["devnet", "init", "--dir", &path(&net), "--bureaus", "1"]).status.success());
    let home = net.join("market-regulation");
    let run = || {
        let output = program(&["run", "--home", &path(&home)]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("\nhint: "), "{output:?}");
        output.status.code()
    };
    let config = fs::read_to_string(home.join("config.toml")).unwrap();
    fs::write(home.join("config.toml"), format!("nothing = 1\n{config}")).unwrap();
    assert_eq!(run(), Some(20));
    fs::write(home.join("config.toml"), &config).unwrap();
    let passphrase = fs::read(home.join("passphrase")).unwrap();
    fs::write(home.join("passphrase"), "another").unwrap();
    assert_eq!(run(), Some(29));
    fs::write(home.join("passphrase"), passphrase).unwrap();
    fs::rename(home.join("keys/network.key"), home.join("keys/away")).unwrap();
    assert_eq!(run(), Some(28));
    fs::rename(home.join("keys/away"), home.join("keys/network.key")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let api = config.lines().find(|line| line.starts_with("listen = \"127.0.0.1:")).unwrap();
    fs::write(home.join("config.toml"), config.replace(api, &format!("listen = \"{port}\""))).unwrap();
    assert_eq!(run(), Some(30));
    fs::write(home.join("config.toml"), &config).unwrap();
    let other = dir.path().join("other");
    assert!(program(&["devnet", "init", "--dir", &path(&other), "--bureaus", "1"]).status.success());
    fs::copy(other.join("genesis.bin"), home.join("genesis.bin")).unwrap();
    assert_eq!(run(), Some(23));
    fs::copy(net.join("genesis.bin"), home.join("genesis.bin")).unwrap();
    fs::remove_dir_all(home.join("chain/db")).unwrap();
    assert_eq!(run(), Some(22));
    assert!(!home.join("chain/db").exists(), "nothing is made in its place");
    fs::remove_dir_all(home.join("chain")).unwrap();
    assert_eq!(run(), Some(21));
    assert_eq!(program(&["run", "--home", &path(&dir.path().join("none"))]).status.code(), Some(21));
}
