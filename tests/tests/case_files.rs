//! Case files from node to node, with real processes: a part that a node took is on its way through kills and while its
//! recipient is down; the recipient alone gets it; what others sign is in nobody's way; what no case of the chain commits to
//! is dropped.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use kanhe_node::case_files::AUTHORS_MAX;
use kanhe_node::run::keys::{self, PassphraseSource};
use kanhe_node::run::now;
use kanhe_proto::api::{CaseFileListed, CaseFileState, CaseFilesAnswer, MailChallenge, TransactionStatus};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{Act, CasePayload, FileRef, Open, case_id};
use kanhe_proto::case_file::{
    Attachment, Author, BoundFile, CASE_FILE_VERSION, CaseFile, FilePart, PART_BYTES, PART_ENCODED_BYTES_MAX, PartBody,
};
use kanhe_proto::governance::Action;
use kanhe_proto::hash::{CaseId, ChainId, Commitment};
use kanhe_proto::ids::SpanMs;
use kanhe_proto::item::{BoundRole, Item};
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::key_file::KeyFileRole;
use kanhe_proto::mail::QueueProof;
use kanhe_proto::registry::{Names, PurposeClass};
use kanhe_proto::seal::SealingSecret;
use kanhe_tests::aim::{Aimer, CASE_FILE_POINTS, DELIVERED_POINTS, Point, Shot};
use kanhe_tests::audit;
use kanhe_tests::dice::Dice;
use kanhe_tests::network::Network;
use kanhe_tests::officer::Officer;
use kanhe_tests::power::Shim;
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(60);
const OCTETS: &str = "application/octet-stream";
/// Takes the file.
const TAKER: usize = 0;
/// Whom it is for.
const RECIPIENT: usize = 1;
/// Not its business.
const OTHER: usize = 2;

/// Keys of a bureau, as its desk has them.
struct Desk<'a> {
    network: &'a Network,
    bureau: usize,
    issuing: SecretKey,
    sealing: SealingSecret,
}

impl<'a> Desk<'a> {
    fn of(network: &'a Network, bureau: usize) -> Self {
        let described = network.bureau(bureau);
        let passphrase = PassphraseSource::File(described.passphrase_file.clone()).read().unwrap();
        let issuing = keys::open_secret(&described.issuing_key, KeyFileRole::Issuing, &passphrase).unwrap();
        let sealing = keys::open(&described.sealing_key, &passphrase).unwrap();
        Self { network, bureau, issuing, sealing: SealingSecret::from_seed(*sealing.seed()) }
    }

    fn challenge(&self, node: usize) -> [u8; 32] {
        let url = format!("{}/v1/mail/challenge", self.network.api(node));
        let (status, body) = self.network.http.post(&url, OCTETS, &[]).unwrap();
        assert_eq!(status, 200);
        let answer: MailChallenge = serde_json::from_slice(&body).unwrap();
        <[u8; 32]>::try_from(&answer.challenge[..]).unwrap()
    }
    fn proof(&self, of: usize, challenge: [u8; 32]) -> Vec<u8> {
        let chain = self.network.genesis.chain_id();
        let proof = QueueProof::sign(&chain, self.network.bureau(of).uscc, challenge, &self.issuing).unwrap();
        kanhe_proto::codec::encode(&proof)
    }
    /// Asks its own node as itself.
    fn ask(&self, path: &str) -> (u16, Vec<u8>) {
        let proof = self.proof(self.bureau, self.challenge(self.bureau));
        post(self.network, self.bureau, path, &proof)
    }
    fn list(&self, after: &str) -> CaseFilesAnswer {
        let (status, body) = self.ask(&format!("/v1/cases/files/queue{after}"));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }
    fn fetch(&self, file: &CaseFileListed) -> BoundFile {
        let chain = self.network.genesis.chain_id();
        let part = |place: u16| {
            let CaseFileListed { case, commitment, author, .. } = file;
            let (status, body) = self.ask(&format!("/v1/cases/files/{case}/{commitment}/{author}/{place}"));
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
            FilePart::decode(&body, &chain).unwrap()
        };
        let parts: Vec<FilePart> = (0..file.parts).map(part).collect();
        BoundFile::open(&parts, &self.sealing).unwrap()
    }
}

fn post(network: &Network, node: usize, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    network.http.post(&format!("{}{path}", network.api(node)), OCTETS, body).unwrap()
}

/// The status of an answer and the code of its problem.
fn problem((status, body): (u16, Vec<u8>)) -> (u16, String) {
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

fn hand_in(network: &Network, node: usize, part: &FilePart) -> CaseFileState {
    let (status, body) = post(network, node, "/v1/cases/files", &part.encode());
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

fn state(network: &Network, node: usize, part: &FilePart) -> Option<CaseFileState> {
    let (PartBody { to, case, commitment, .. }, author) = (&part.body, part.author());
    network.http.json(&format!("{}/v1/cases/files/{to}/{case}/{commitment}/{author}", network.api(node)))
}

fn wait_for(network: &Network, what: &str, done: impl Fn() -> bool) {
    let until = Instant::now() + WAIT;
    while !done() {
        assert!(Instant::now() < until, "no {what}\n{}", network.last_words(TAKER));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whose files of a case are, unless it is said otherwise.
fn author(case: &CaseId) -> SecretKey {
    SecretKey::from_seed([case.0[0]; 32])
}

/// A file to a bureau, and its sealed parts.
fn file(network: &Network, to: usize, case: CaseId, attachment: usize) -> (BoundFile, Vec<FilePart>) {
    file_of(&author(&case), network, to, case, attachment)
}

fn file_of(
    author: &SecretKey,
    network: &Network,
    to: usize,
    case: CaseId,
    attachment: usize,
) -> (BoundFile, Vec<FilePart>) {
    let content: Vec<u8> = (0..attachment).map(|at| (at % 251) as u8).collect();
    let paper = Attachment { name: Text::new("contract.pdf").unwrap(), content: Blob::new(content).unwrap() };
    let file = CaseFile {
        version: CASE_FILE_VERSION,
        chain: network.genesis.chain_id(),
        case,
        to: network.bureau(to).uscc,
        from: Author::Slot(0),
        round: 0,
        values: List::empty(),
        presentation: Blob::new([]).unwrap(),
        applications: List::empty(),
        attachments: List::new(vec![paper]).unwrap(),
        mandate: None,
        helped: None,
    };
    let bound = file.bind([case.0[0]; 32]).unwrap();
    let sealing = Desk::of(network, to).sealing.public_key();
    let parts = bound.seal(author, &sealing, (1_u8..).map(|seed| [seed; 32])).unwrap();
    (bound, parts)
}

fn folder(network: &Network, node: usize, part: &FilePart) -> PathBuf {
    let (PartBody { to, case, commitment, .. }, author) = (&part.body, part.author());
    let of_case = network.home(node).join("case-files").join(to.to_string()).join(case.to_string());
    of_case.join(commitment.to_string()).join(author.to_string())
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn what_is_no_part_is_refused_with_its_code(network: &Network, part: &FilePart) {
    let send = |bytes: &[u8]| problem(post(network, TAKER, "/v1/cases/files", bytes));
    let changed = |change: fn(&mut FilePart)| {
        let mut part = part.clone();
        change(&mut part);
        send(&part.encode())
    };
    let bytes = part.encode();
    assert_eq!(send(&bytes[..bytes.len() - 1]), (400, "case_file_malformed".to_owned()));
    assert_eq!(send(&vec![0; PART_ENCODED_BYTES_MAX + 1]), (413, "too_large".to_owned()));
    assert_eq!(changed(|part| part.body.chain = ChainId([1; 32])), (400, "case_file_other".to_owned()));
    assert_eq!(changed(|part| part.body.version = 1), (400, "case_file_version".to_owned()));
    assert_eq!(changed(|part| part.body.place = part.body.parts), (400, "case_file_place".to_owned()));
    let stranger: fn(&mut FilePart) = |part| part.body.author = SecretKey::from_seed([66; 32]).public_key();
    let other: fn(&mut FilePart) = |part| part.body.commitment.0[0] ^= 1;
    for change in [stranger, other] {
        assert_eq!(changed(change), (400, "case_file_signature".to_owned()), "it is of who signed it");
    }
    let to = "91370100MA3C0JXE53".parse().unwrap();
    let nobody = PartBody { to, ..part.body.clone() }.sign(&author(&part.body.case)).unwrap();
    assert_eq!(send(&nobody.encode()), (400, "case_file_no_bureau".to_owned()));
    let get = |path: &str| problem(network.http.get(&format!("{}/v1/cases/files/{path}", network.api(TAKER))).unwrap());
    let (case, commitment, author) = (CaseId([1; 32]), Commitment([2; 32]), part.author());
    assert_eq!(get(&format!("{}/{case}/{commitment}/{author}", part.body.to)), (404, "not_found".to_owned()));
    assert_eq!(get(&format!("..%2f..%2fetc/{case}/{commitment}/{author}")), (400, "malformed_path".to_owned()));
}

/// Only its issuing key opens the queue of a bureau, at its own node, with a challenge that is good once.
fn nobody_else_gets_it(network: &Network, listed: &CaseFileListed) {
    let (own, other) = (Desk::of(network, RECIPIENT), Desk::of(network, OTHER));
    let part = format!("/v1/cases/files/{}/{}/{}/0", listed.case, listed.commitment, listed.author);
    for path in [part.as_str(), "/v1/cases/files/queue"] {
        let ask = |proof: &[u8]| problem(post(network, RECIPIENT, path, proof));
        let stranger = other.proof(OTHER, other.challenge(RECIPIENT));
        assert_eq!(ask(&stranger), (404, "not_found".to_owned()), "{path}");
        let pretender = other.proof(RECIPIENT, other.challenge(RECIPIENT));
        assert_eq!(ask(&pretender), (403, "queue_key".to_owned()), "{path}");
        let once = own.proof(RECIPIENT, own.challenge(RECIPIENT));
        assert_eq!(post(network, RECIPIENT, path, &once).0, 200, "{path}");
        assert_eq!(ask(&once), (403, "queue_other_challenge".to_owned()), "{path}");
        let (code, _) = ask(b"no proof");
        assert_eq!(code, 400, "{path}");
    }
    // A node of another bureau has nothing to hand out.
    let elsewhere = other.proof(OTHER, other.challenge(OTHER));
    assert_eq!(problem(post(network, OTHER, &part, &elsewhere)), (404, "not_found".to_owned()));
}

#[test]
fn a_bureau_that_was_down_gets_its_files_when_it_returns_and_kills_lose_none() {
    let mut network = Network::found(4, 1_000);
    network.start_fast();
    let shim = Rc::new(Shim::build());
    network.record_syncs(Rc::clone(&shim));
    network.start_all();
    network.wait_ready(WAIT);
    let (large, parts) = file(&network, RECIPIENT, CaseId([3; 32]), 3 * PART_BYTES);
    what_is_no_part_is_refused_with_its_code(&network, &parts[0]);

    network.kill(&[RECIPIENT]);
    for (part, stored) in parts.iter().zip(1..) {
        let expected = CaseFileState { parts: 4, stored, delivered: false };
        assert_eq!(hand_in(&network, TAKER, part), expected);
        assert_eq!(hand_in(&network, TAKER, part), expected, "the same again changes nothing");
    }
    // Some of another at one node, the rest at another.
    let (split, halves) = file(&network, RECIPIENT, CaseId([4; 32]), PART_BYTES);
    hand_in(&network, TAKER, &halves[0]);
    hand_in(&network, OTHER, &halves[1]);

    // Not only a kill: what was not synced is gone.
    network.kill(&[TAKER]);
    shim.cut(network.home(TAKER));
    network.start(TAKER);
    network.wait(TAKER, "an answer", WAIT, |_| true);
    assert_eq!(state(&network, TAKER, &parts[0]), Some(CaseFileState { parts: 4, stored: 4, delivered: false }));
    assert_eq!(names(&folder(&network, TAKER, &parts[0])), ["0", "1", "2", "3"]);
    assert_eq!(network.metric(TAKER, "kanhe_case_files_undelivered"), Some(2));

    network.start(RECIPIENT);
    let is_delivered =
        |node: usize, file: &[FilePart]| state(&network, node, &file[0]).is_some_and(|state| state.delivered);
    wait_for(&network, "delivery", || {
        is_delivered(TAKER, &parts) && is_delivered(TAKER, &halves) && is_delivered(OTHER, &halves)
    });
    assert_eq!(names(&folder(&network, TAKER, &parts[0])), ["delivered"]);
    let delivered = CaseFileState { parts: 4, stored: 4, delivered: true };
    assert_eq!(hand_in(&network, TAKER, &parts[2]), delivered);
    assert_eq!(state(&network, RECIPIENT, &parts[0]), Some(delivered));

    let desk = Desk::of(&network, RECIPIENT);
    let listed = desk.list("").files;
    assert_eq!(listed.iter().map(|file| file.case).collect::<Vec<_>>(), [large.file().case, split.file().case]);
    assert_eq!(desk.fetch(&listed[0]), large);
    assert_eq!(desk.fetch(&listed[1]), split);
    let CaseFileListed { case, commitment, author, .. } = &listed[0];
    assert_eq!(desk.list(&format!("?after={case}.{commitment}.{author}")).files, listed[1..]);
    let beyond = format!("/v1/cases/files/{case}/{commitment}/{author}/4");
    assert_eq!(problem(desk.ask(&beyond)), (404, "not_found".to_owned()));
    nobody_else_gets_it(&network, &listed[0]);
    let (mine, others) = (&listed[0], &listed[1]);

    // Both nodes lose what was not synced: what was said stays true.
    network.kill(&[TAKER, RECIPIENT]);
    [TAKER, RECIPIENT].into_iter().for_each(|node| drop(shim.cut(network.home(node))));
    network.start(TAKER);
    network.start(RECIPIENT);
    network.wait_ready(WAIT);
    assert_eq!(state(&network, TAKER, &parts[0]), Some(delivered));
    let desk = Desk::of(&network, RECIPIENT);
    assert_eq!(desk.list("").files, [mine.clone(), others.clone()]);
    assert_eq!(desk.fetch(mine), large);
    network.stop_all();
    (0..network.size()).for_each(|node| audit::fsck(&network, node));
}

/// Nodes that die at points.
struct Range<'a> {
    network: &'a mut Network,
    aimer: &'a mut Aimer,
    dice: &'a mut Dice,
}

impl Range<'_> {
    fn start(&mut self, node: usize) {
        self.network.start(node);
        self.network.wait(node, "an answer", WAIT, |_| true);
    }
    fn start_at(&mut self, node: usize, point: Point) -> Shot {
        let (aimer, dice, mut shot) = (&mut *self.aimer, &mut *self.dice, None);
        self.network.start_with(node, |command, home| shot = Some(aimer.aim(command, home, point, dice)));
        shot.unwrap()
    }
    fn wait_death(&mut self, node: usize, shot: &Shot) {
        let ended = self.network.wait_end(node, WAIT);
        assert!(self.aimer.hit(shot, ended), "{shot}: {ended}\n{}", self.network.last_words(node));
    }
    fn wait_delivered(&mut self, file: &BoundFile, parts: &[FilePart]) {
        let network = &*self.network;
        let told = |node| state(network, node, &parts[0]).is_some_and(|state| state.delivered);
        wait_for(network, "delivery", || told(TAKER) && told(RECIPIENT));
        let desk = Desk::of(network, RECIPIENT);
        let listed = desk.list("").files;
        let mine = listed.iter().find(|listed| listed.commitment == file.commitment()).unwrap();
        assert_eq!(desk.fetch(mine), *file);
        self.network.kill(&[TAKER, RECIPIENT]);
    }

    fn taker_dies(&mut self, point: Point, case: CaseId) {
        let (file, parts) = file(self.network, RECIPIENT, case, 3 * PART_BYTES);
        let shot = self.start_at(TAKER, point);
        self.network.wait(TAKER, "an answer", WAIT, |_| true);
        let url = format!("{}/v1/cases/files", self.network.api(TAKER));
        let is_taken = |part: &&FilePart| {
            self.network.http.post(&url, OCTETS, &part.encode()).is_some_and(|(status, _)| status == 202)
        };
        let taken = parts.iter().take_while(is_taken).count();
        self.wait_death(TAKER, &shot);
        self.start(TAKER);
        let stored = state(self.network, TAKER, &parts[0]).map_or(0, |state| usize::from(state.stored));
        assert!((taken..=taken + 1).contains(&stored), "{shot}: {taken} taken, {stored} stored");
        parts.iter().for_each(|part| assert!(hand_in(self.network, TAKER, part).stored > 0));
        self.start(RECIPIENT);
        self.wait_delivered(&file, &parts);
    }

    fn recipient_dies(&mut self, point: Point, case: CaseId) {
        let (file, parts) = file(self.network, RECIPIENT, case, 3 * PART_BYTES);
        self.start(TAKER);
        parts.iter().for_each(|part| assert!(!hand_in(self.network, TAKER, part).delivered));
        let shot = self.start_at(RECIPIENT, point);
        self.wait_death(RECIPIENT, &shot);
        self.start(RECIPIENT);
        self.wait_delivered(&file, &parts);
    }

    fn taker_dies_at_the_end(&mut self, point: Point, case: CaseId) {
        let (file, parts) = file(self.network, RECIPIENT, case, 3 * PART_BYTES);
        let shot = self.start_at(TAKER, point);
        self.network.wait(TAKER, "an answer", WAIT, |_| true);
        parts.iter().for_each(|part| assert!(!hand_in(self.network, TAKER, part).delivered));
        self.network.start(RECIPIENT);
        self.wait_death(TAKER, &shot);
        self.start(TAKER);
        self.wait_delivered(&file, &parts);
    }
}

#[test]
fn a_kill_where_something_comes_onto_the_disk_loses_nothing() {
    let mut network = Network::found(2, 1_000);
    network.start_fast();
    let (mut aimer, mut dice) = (Aimer::build(), Dice::of_test("case_files", 5));
    let mut range = Range { network: &mut network, aimer: &mut aimer, dice: &mut dice };
    let mut cases = (1_u8..).map(|number| CaseId([number; 32]));
    for point in CASE_FILE_POINTS {
        range.taker_dies(point, cases.next().unwrap());
        range.recipient_dies(point, cases.next().unwrap());
    }
    for point in DELIVERED_POINTS {
        range.taker_dies_at_the_end(point, cases.next().unwrap());
    }
    aimer.table(&[CASE_FILE_POINTS.as_slice(), &DELIVERED_POINTS].concat());
}

fn item() -> Item {
    let words = |text: &str| json!({"zh": text, "en": text});
    serde_json::from_value(json!({
        "format": 1, "code": "asking", "version": 1, "region": "370100", "names": words("asking"),
        "about": words("asking"), "purpose": "asking", "life_days": 1,
        "party": [{"code": "citizen", "names": words("citizen"), "kind": "person", "opens": true, "applicant": true}],
        "bureau": [{"code": "office", "names": words("office")}],
        "attachment": [{"code": "contract", "names": words("contract"), "of": "citizen", "to": ["office"],
                        "bytes_max": 4_000_000}],
        "step": [{"code": "answer", "names": words("answer"), "by": "office", "waits_for": ["citizen"],
                  "limit_days": 1, "final": true}],
    }))
    .unwrap()
}

/// Registers an item that a bureau decides on, by the votes of all that are up.
fn register_item(network: &mut Network, office: usize, voters: &[usize]) {
    let (item, uscc) = (item(), network.bureau(office).uscc);
    let names = Names { zh: Text::new("询问").unwrap(), en: Text::new("Asking").unwrap() };
    let code = Text::new("asking").unwrap();
    let purpose = Action::RegisterPurpose { code, names, class: PurposeClass::PublicBenefit };
    let bureaus = List::new(vec![uscc]).unwrap();
    let bound = List::new(vec![BoundRole { role: Text::new("office").unwrap(), bureaus }]).unwrap();
    let register = Action::RegisterItem { file: Text::new(item.to_json()).unwrap(), bound };
    let officers: Vec<Officer> = voters.iter().map(|node| Officer::of(network, *node)).collect();
    let others: Vec<&Officer> = officers[1..].iter().collect();
    for action in [purpose, register] {
        let proposal = officers[0].proposal("item", vec![action]);
        officers[0].propose(network, voters[0], &proposal, &others).unwrap();
        network.wait_blocks_of(voters, 1, WAIT);
    }
}

/// The case that this key opens.
fn case_of(network: &Network, citizen: &SecretKey) -> CaseId {
    case_id(&network.genesis.chain_id(), &citizen.public_key())
}

/// Opens that case, for a bureau, with these files.
fn open_case(network: &Network, office: usize, citizen: &SecretKey, files: Vec<FileRef>) {
    let (item, chain) = (item(), network.genesis.chain());
    let opening = Open {
        item: item.code.clone(),
        version: item.version,
        file: item.digest(),
        not_after: now().after(SpanMs(3_600_000)),
        key: citizen.public_key(),
        letter_key: SealingSecret::from_seed([2; 32]).public_key(),
        chosen: List::new(vec![network.bureau(office).uscc]).unwrap(),
        slots: List::empty(),
        files: List::new(files).unwrap(),
        assisted: None,
    };
    let act = Act::Open(opening).sign(&chain, citizen).unwrap();
    let payload = CasePayload { acts: List::new(vec![act]).unwrap() };
    let (status, body) = post(network, TAKER, "/v1/cases/acts", &payload.to_bytes());
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
    let sent: TransactionStatus = serde_json::from_slice(&body).unwrap();
    let url = format!("{}/v1/transactions/{}?wait=30", network.api(TAKER), sent.id);
    let status: Value = network.http.json(&url).unwrap();
    assert_eq!(status["state"], "committed", "{status}");
}

#[test]
fn what_no_case_commits_to_is_dropped_and_a_full_node_refuses() {
    let mut network = Network::found(1, 1_000);
    network.start_fast();
    network.configure(0, "case_files.unclaimed_seconds", "4");
    // Two files of one short part; one of them may be of what the chain does not want.
    network.configure(0, "case_files.bytes_max", &(48 << 10).to_string());
    network.start_all();
    network.wait_ready(WAIT);
    register_item(&mut network, 0, &[0]);
    let citizen = SecretKey::from_seed([1; 32]);
    let case = case_of(&network, &citizen);
    let (known, parts) = file_of(&citizen, &network, 0, case, 10);
    open_case(&network, 0, &citizen, vec![known.reference(0)]);
    let (_, others) = file(&network, 0, CaseId([9; 32]), 10);
    let (_, third) = file(&network, 0, CaseId([8; 32]), 10);
    assert!(hand_in(&network, 0, &others[0]).delivered && hand_in(&network, 0, &parts[0]).delivered);
    let full = problem(post(&network, 0, "/v1/cases/files", &third[0].encode()));
    assert_eq!(full, (503, "case_files_full".to_owned()));

    wait_for(&network, "dropping", || state(&network, 0, &others[0]).is_none());
    assert!(!folder(&network, 0, &others[0]).exists());
    network.wait_blocks(8, WAIT);
    assert_eq!(Desk::of(&network, 0).list("").files.len(), 1);
    assert_eq!(state(&network, 0, &parts[0]).map(|state| state.stored), Some(1));
    assert!(hand_in(&network, 0, &third[0]).delivered, "there is room again");
    network.stop_all();
}

/// A part that somebody else signed, under the commitment of another's file.
fn forged(seed: u8, part: &FilePart, content: &FilePart) -> FilePart {
    let stranger = SecretKey::from_seed([seed; 32]);
    let (author, sealed) = (stranger.public_key(), content.body.sealed.clone());
    PartBody { author, sealed, ..part.body.clone() }.sign(&stranger).unwrap()
}

#[test]
fn a_strangers_part_under_a_true_commitment_is_in_nobodys_way() {
    const STRANGERS: std::ops::Range<u8> = 60..60 + AUTHORS_MAX as u8;
    let mut network = Network::found(4, 1_000);
    network.start_fast();
    for node in 0..network.size() {
        network.configure(node, "case_files.unclaimed_seconds", "20");
        // What the strangers bring, and one file more of one short part.
        network.configure(node, "case_files.case_bytes_max", &(128 << 10).to_string());
    }
    network.start_all();
    network.wait_ready(WAIT);
    let up = [TAKER, OTHER, 3];
    register_item(&mut network, RECIPIENT, &[TAKER, RECIPIENT, OTHER, 3]);
    network.kill(&[RECIPIENT]);

    // Strangers know the commitment, and are first.
    let citizen = SecretKey::from_seed([1; 32]);
    let case = case_of(&network, &citizen);
    let (file, parts) = file_of(&citizen, &network, RECIPIENT, case, PART_BYTES);
    let (_, short) = file_of(&citizen, &network, RECIPIENT, CaseId([7; 32]), 10);
    let false_parts: Vec<FilePart> = STRANGERS.map(|seed| forged(seed, &parts[0], &short[0])).collect();
    for part in &false_parts {
        assert_eq!(hand_in(&network, TAKER, part), CaseFileState { parts: 2, stored: 1, delivered: false });
    }
    let refused = |part: &FilePart| problem(post(&network, TAKER, "/v1/cases/files", &part.encode()));
    assert_eq!(refused(&forged(99, &parts[0], &short[0])), (503, "case_files_authors".to_owned()));
    assert_eq!(refused(&parts[1]), (503, "case_files_authors".to_owned()), "the chain does not say yet whose it is");

    // Once the chain says whose it is, that one is taken, and no other is.
    open_case(&network, RECIPIENT, &citizen, vec![file.reference(0)]);
    for (part, stored) in parts.iter().zip(1..) {
        assert_eq!(hand_in(&network, TAKER, part), CaseFileState { parts: 2, stored, delivered: false });
    }
    let stranger = (403, "case_file_stranger".to_owned());
    assert_eq!(refused(&forged(99, &parts[0], &short[0])), stranger);
    // Who takes part may bring what it has not committed to: a little, and not for long.
    let body = PartBody { commitment: Commitment([5; 32]), parts: 1, ..short[0].body.clone() };
    let noise = |body: &PartBody| PartBody { case, ..body.clone() }.sign(&citizen).unwrap();
    let own = noise(&body);
    assert_eq!(hand_in(&network, TAKER, &own), CaseFileState { parts: 1, stored: 1, delivered: false });
    let large =
        noise(&PartBody { sealed: parts[0].body.sealed.clone(), commitment: Commitment([6; 32]), ..body.clone() });
    assert_eq!(refused(&large), (503, "case_files_case_full".to_owned()));
    let other = SecretKey::from_seed([98; 32]);
    let foreign = PartBody { case, author: other.public_key(), ..body }.sign(&other).unwrap();
    assert_eq!(refused(&foreign), stranger, "it says nothing in this case");

    network.start(RECIPIENT);
    network.wait_ready(WAIT);
    wait_for(&network, "delivery", || state(&network, TAKER, &parts[0]).is_some_and(|state| state.delivered));
    let desk = Desk::of(&network, RECIPIENT);
    let is_it = |listed: &&CaseFileListed| (listed.commitment, listed.author) == (file.commitment(), parts[0].author());
    let listed = desk.list("").files;
    let mine = listed.iter().find(is_it).unwrap();
    assert_eq!(desk.fetch(mine), file);

    // What the strangers brought goes, and what nobody committed to; the file stays.
    for node in [TAKER, RECIPIENT] {
        let gone = |part: &FilePart| state(&network, node, part).is_none();
        wait_for(&network, "dropping", || false_parts.iter().all(gone) && gone(&own));
    }
    let mine = mine.clone();
    network.wait_blocks_of(&up, 8, WAIT);
    let desk = Desk::of(&network, RECIPIENT);
    assert_eq!(desk.list("").files, std::slice::from_ref(&mine));
    assert_eq!(desk.fetch(&mine), file);
    network.stop_all();
}
