use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use kanhe_proto::bounded::Blob;
use kanhe_proto::case_file::{FilePart, PART_VERSION, PartBody};
use kanhe_proto::hash::{CaseId, ChainId, Commitment};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::seal::{SealInfo, SealPurpose, SealingSecret, seal};

use super::recipient::Failed;
use super::*;
use crate::case_files::{FileId, Room, Store};
use crate::network::FileKept;

const CHAIN: ChainId = ChainId([7; 32]);
const PARTS: u16 = 3;
/// A turn that is soon cut.
const SHORT: Duration = Duration::from_millis(500);
const WAIT: Duration = Duration::from_secs(120);

/// Nodes of recipients, one for each.
#[derive(Clone, Default)]
struct Nodes {
    /// Those that never answer.
    silent: Arc<BTreeSet<PeerId>>,
    /// Those that answer so slowly that no turn takes a whole file.
    slow: Arc<BTreeSet<PeerId>>,
    /// How often each part was taken.
    taken: Arc<Mutex<BTreeMap<FileId, BTreeMap<u16, usize>>>>,
    asked: Arc<Mutex<BTreeSet<PeerId>>>,
}

impl Carrier for Nodes {
    async fn carry(&self, peer: PeerId, part: Vec<u8>) -> Result<FileKept, Failed> {
        self.asked.lock().unwrap().insert(peer);
        if self.silent.contains(&peer) {
            std::future::pending::<()>().await;
        }
        if self.slow.contains(&peer) {
            tokio::time::sleep(SHORT * 3 / 5).await;
        }
        let part = FilePart::decode(&part, &CHAIN).unwrap();
        let mut taken = self.taken.lock().unwrap();
        let places = taken.entry(FileId::of(&part)).or_default();
        *places.entry(part.body.place).or_default() += 1;
        Ok(FileKept { stored: places.len() as u16, parts: part.body.parts })
    }
}

fn bureau(number: u8) -> Uscc {
    Uscc::with_check(&format!("11370100MB28900{number:02}")).unwrap()
}

fn parts(to: Uscc, case: u8) -> impl Iterator<Item = FilePart> {
    let author = SecretKey::from_seed([case; 32]);
    let info = SealInfo { chain: CHAIN, purpose: SealPurpose::CaseFile, subject: Blob::new([0; 4]).unwrap() };
    let sealed = seal(&SealingSecret::from_seed([9; 32]).public_key(), &info, &[5; 50], [3; 32]).unwrap();
    (0..PARTS).map(move |place| {
        let (case, commitment, author_key) = (CaseId([case; 32]), Commitment([case; 32]), author.public_key());
        let (version, chain, parts, sealed) = (PART_VERSION, CHAIN, PARTS, sealed.clone());
        let body = PartBody { version, chain, case, to, commitment, author: author_key, place, parts, sealed };
        body.sign(&author).unwrap()
    })
}

/// Files for so many recipients, some of each.
fn files(dir: &std::path::Path, recipients: u8, each: u8) -> Arc<CaseFiles> {
    let room = Room { bytes_max: 1 << 30, case_bytes_max: 1 << 30, free_min: 0 };
    let store = Store::open(dir.join("case-files"), CHAIN, None, room).unwrap();
    for to in 0..recipients {
        for file in 0..each {
            // Those of even number the chain wants.
            parts(bureau(to), to * each + file)
                .for_each(|part| assert!(store.keep(&part, file % 2 == 0, TimeMs(1)).is_ok()));
        }
    }
    Arc::new(CaseFiles::new(store, || TimeMs(1)))
}

/// Turns until something is so, with a node for each recipient.
async fn turn_until(turns: &mut Turns<Nodes>, peers: &BTreeMap<Uscc, PeerId>, done: impl Fn() -> bool) {
    let all = async {
        let mut clock = tokio::time::interval(Duration::from_millis(50));
        while !done() {
            turns.begin(|to| peers.get(to).into_iter().copied().collect());
            tokio::select! {
                () = turns.ended() => {}
                _ = clock.tick() => turns.look_again(),
            }
        }
    };
    tokio::time::timeout(WAIT, all).await.expect("it comes to that");
}

fn peers(recipients: u8) -> BTreeMap<Uscc, PeerId> {
    (0..recipients).map(|number| (bureau(number), PeerId::random())).collect()
}

#[tokio::test]
async fn who_never_answers_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    // More that are silent than have their turn at once, and all of them come first.
    let silent = TURNS_MAX as u8 + 2;
    let files = files(dir.path(), silent + 1, 2);
    let peers = peers(silent + 1);
    let quiet: BTreeSet<PeerId> = (0..silent).map(|number| peers[&bureau(number)]).collect();
    let nodes = Nodes { silent: Arc::new(quiet), ..Nodes::default() };
    let mut turns = Turns::new(Arc::clone(&files), nodes.clone(), SHORT);
    let store = files.store();
    turn_until(&mut turns, &peers, || !store.recipients().contains(&bureau(silent))).await;
    assert_eq!(store.waiting_count(), 2 * usize::from(silent));
    turn_until(&mut turns, &peers, || nodes.asked.lock().unwrap().len() == peers.len()).await;
}

#[tokio::test]
async fn who_is_slow_goes_on_where_its_turn_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path(), 2, 1);
    let peers = peers(2);
    let nodes = Nodes { slow: Arc::new([peers[&bureau(0)]].into()), ..Nodes::default() };
    let mut turns = Turns::new(Arc::clone(&files), nodes.clone(), SHORT);
    turn_until(&mut turns, &peers, || files.store().waiting_count() == 0).await;
    let taken = nodes.taken.lock().unwrap();
    assert_eq!(taken.len(), 2);
    for places in taken.values() {
        assert_eq!(*places, (0..PARTS).map(|place| (place, 1)).collect(), "what was acknowledged is not sent again");
    }
}

#[tokio::test]
async fn what_the_chain_wants_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path(), 1, 40);
    let peers = peers(1);
    let (to, store) = (bureau(0), files.store());
    let mut turns = Turns::new(Arc::clone(&files), Nodes::default(), WAIT);
    turn_until(&mut turns, &peers, || store.next_waiting(&to, true, None).is_none()).await;
    while !turns.at_work.is_empty() {
        turns.ended().await;
    }
    // Two turns of sixteen and four.
    assert_eq!(store.waiting_count(), 20 - 2 * 4);
    turn_until(&mut turns, &peers, || store.waiting_count() == 0).await;
}
