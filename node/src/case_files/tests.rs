use std::fs;
use std::path::Path;

use kanhe_proto::case_file::{FilePart, PART_ENCODED_BYTES_MAX, PART_VERSION, PartBody};
use kanhe_proto::codec;
use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::seal::{SealInfo, SealPurpose, Sealed, SealingSecret, seal};

use super::*;
use crate::case_files::CaseFiles;

const CHAIN: ChainId = ChainId([7; 32]);
const ROOM: u64 = 1 << 20;
const NOW: TimeMs = TimeMs(1_000);
const HOUR: u64 = 3_600_000;

fn ours() -> Uscc {
    "11370100MB28900011".parse().unwrap()
}
fn theirs() -> Uscc {
    "11370100MB28900024".parse().unwrap()
}

fn sealed(bytes: usize) -> Sealed {
    let info = SealInfo {
        chain: CHAIN,
        purpose: SealPurpose::CaseFile,
        subject: kanhe_proto::bounded::Blob::new([0; 4]).unwrap(),
    };
    seal(&SealingSecret::from_seed([9; 32]).public_key(), &info, &vec![5; bytes], [3; 32]).unwrap()
}

fn part(to: Uscc, case: u8, place: u16, parts: u16) -> FilePart {
    part_of(4, to, case, place, parts)
}

/// As this author signs it, under the same commitment.
fn part_of(author: u8, to: Uscc, case: u8, place: u16, parts: u16) -> FilePart {
    let (signer, sealed) = (SecretKey::from_seed([author; 32]), sealed(5_000));
    let (version, chain, author) = (PART_VERSION, CHAIN, signer.public_key());
    let (case, commitment) = (CaseId([case; 32]), Commitment([0xab; 32]));
    PartBody { version, chain, case, to, commitment, author, place, parts, sealed }.sign(&signer).unwrap()
}

fn open(dir: &Path, bytes_max: u64) -> Store {
    Store::open(dir.join("case-files"), CHAIN, Some(ours()), Room { bytes_max, case_bytes_max: bytes_max, free_min: 0 })
        .unwrap()
}

fn told(parts: u16, stored: u16, delivered: bool) -> CaseFileState {
    CaseFileState { parts, stored, delivered }
}

fn path_of(dir: &Path, part: &FilePart) -> std::path::PathBuf {
    let FileId { to, case, commitment, author } = FileId::of(part);
    let of_case = dir.join("case-files").join(to.to_string()).join(case.to_string());
    of_case.join(commitment.to_string()).join(author.to_string()).join(part.body.place.to_string())
}

#[test]
fn what_is_kept_is_there_after_a_reopen_and_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    let parts = [part(ours(), 1, 0, 2), part(ours(), 1, 1, 2), part(theirs(), 2, 1, 3)];
    let file = FileId::of(&parts[0]);
    assert_eq!(store.state(&file), None);
    assert_eq!(store.keep(&parts[1], false, NOW).unwrap(), told(2, 1, false));
    assert!(store.whole(None, 9).is_empty());
    for _ in 0..2 {
        assert_eq!(store.keep(&parts[0], false, NOW).unwrap(), told(2, 2, true), "whole at its recipient");
    }
    assert_eq!(store.keep(&parts[2], false, NOW).unwrap(), told(3, 1, false));
    let (bytes, waiting) = (store.bytes(), store.next_waiting(&theirs(), false, None).unwrap());
    assert_eq!((waiting.parts, waiting.places), (3, BTreeSet::from([1])));
    drop(store);

    let store = open(dir.path(), ROOM);
    assert_eq!((store.bytes(), store.count(), store.waiting_count()), (bytes, 2, 1));
    assert_eq!(store.state(&file), Some(told(2, 2, true)));
    assert_eq!(store.read(&file, 1).unwrap(), Some(parts[1].encode()));
    assert_eq!(store.read(&file, 2).unwrap(), None);
    let listed = store.whole(None, 9);
    let FileId { case, commitment, author, .. } = file;
    assert_eq!(listed, [CaseFileListed { case, commitment, author, parts: 2 }]);
    assert!(store.whole(Some((case, commitment, author)), 9).is_empty());
    assert_eq!(store.recipients(), [theirs()].into());
}

#[test]
fn another_number_of_parts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    store.keep(&part(ours(), 1, 0, 2), false, NOW).unwrap();
    let other = store.keep(&part(ours(), 1, 1, 3), false, NOW);
    assert!(matches!(other, Err(FilesError::Parts { known: 2, said: 3 })), "{other:?}");
}

#[test]
fn a_full_store_refuses_and_what_goes_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    // A file of one part of 5,000 bytes: 16 KiB for itself, 8 KiB for the part.
    // Half of all for what the chain does not want yet.
    let store = open(dir.path(), 96 << 10);
    let parts: Vec<FilePart> = (1..=3).map(|case| part(theirs(), case, 0, 1)).collect();
    store.keep(&parts[0], false, NOW).unwrap();
    store.keep(&parts[1], false, NOW).unwrap();
    assert!(matches!(store.keep(&parts[2], false, NOW), Err(FilesError::Full)));
    assert!(store.keep(&parts[1], false, NOW).is_ok(), "it is there already");
    store.mark_delivered(&FileId::of(&parts[0])).unwrap();
    assert!(matches!(store.keep(&parts[2], false, NOW), Err(FilesError::Full)), "the mark takes room");
    assert!(store.drop_older_than(TimeMs(NOW.0 + 1), &FileId::of(&parts[0])).unwrap());
    store.keep(&parts[2], false, NOW).unwrap();
    assert_eq!(store.bytes(), 48 << 10);
    assert_eq!(open(dir.path(), 0).bytes(), 48 << 10);
}

#[test]
fn room_is_left_for_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room { bytes_max: u64::MAX, case_bytes_max: u64::MAX, free_min: 1 << 60 };
    let store = Store::open(dir.path().join("case-files"), CHAIN, None, room).unwrap();
    assert!(matches!(store.keep(&part(theirs(), 1, 0, 1), false, NOW), Err(FilesError::Full)));
    assert_eq!((store.bytes(), store.count()), (0, 0));
}

#[test]
fn a_delivered_file_is_known_by_its_mark_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    let parts = [part(theirs(), 1, 0, 2), part(theirs(), 1, 1, 2)];
    let file = FileId::of(&parts[0]);
    for part in &parts {
        store.keep(part, false, NOW).unwrap();
    }
    store.mark_delivered(&file).unwrap();
    store.mark_delivered(&file).unwrap();
    for store in [store, open(dir.path(), ROOM)] {
        assert_eq!(store.state(&file), Some(told(2, 2, true)));
        assert_eq!(store.keep(&parts[1], false, NOW).unwrap(), told(2, 2, true));
        assert_eq!((store.waiting_count(), store.read(&file, 0).unwrap()), (0, None));
        assert!(!path_of(dir.path(), &parts[0]).exists() && !path_of(dir.path(), &parts[1]).exists());
    }
    // Killed between the mark and the last part.
    fs::write(path_of(dir.path(), &parts[0]), parts[0].encode()).unwrap();
    let store = open(dir.path(), ROOM);
    assert_eq!(store.state(&file), Some(told(2, 2, true)));
    assert!(!path_of(dir.path(), &parts[0]).exists());
    assert_eq!(store.bytes(), FILE_BYTES);
}

#[test]
fn what_a_kill_left_half_done_goes_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let kept = part(theirs(), 1, 0, 2);
    open(dir.path(), ROOM).keep(&kept, false, NOW).unwrap();
    let unfinished = dir.path().join("case-files/unfinished");
    fs::write(unfinished.join("new"), &part(theirs(), 1, 1, 2).encode()[..100]).unwrap();
    // Folders of a file that were made, and then nothing.
    let empty = path_of(dir.path(), &part(theirs(), 5, 0, 1));
    fs::create_dir_all(empty.parent().unwrap()).unwrap();
    let store = open(dir.path(), ROOM);
    assert_eq!(store.count(), 1);
    assert_eq!(fs::read_dir(&unfinished).unwrap().count(), 0);
    assert!(!empty.parent().unwrap().parent().unwrap().parent().unwrap().exists());
    assert_eq!(store.keep(&part(theirs(), 1, 1, 2), false, NOW).unwrap(), told(2, 2, false));
}

#[test]
fn what_lies_there_and_is_no_part_is_neither_counted_nor_served() {
    let dir = tempfile::tempdir().unwrap();
    let good = part(theirs(), 1, 0, 4);
    open(dir.path(), ROOM).keep(&good, false, NOW).unwrap();
    let folder = path_of(dir.path(), &good).parent().unwrap().to_owned();
    let put = |name: &str, content: &[u8]| fs::write(folder.join(name), content).unwrap();
    let moved = part(theirs(), 1, 1, 4);
    put("1", &good.encode());
    put("2", &moved.encode()[..60]);
    put("3", &vec![1; PART_ENCODED_BYTES_MAX + 1]);
    put("03", &good.encode());
    put("+3", &good.encode());
    put("99999", b"x");
    put("..x", b"x");
    fs::create_dir(folder.join("4")).unwrap();
    fs::create_dir_all(dir.path().join("case-files/11370100mb28900024/x")).unwrap();
    fs::create_dir_all(dir.path().join("case-files").join(theirs().to_string()).join("AB".repeat(32))).unwrap();
    fs::write(folder.join("delivered"), b"no mark").unwrap();
    fs::write(dir.path().join("case-files").join(ours().to_string()), b"no folder").unwrap();
    let store = open(dir.path(), ROOM);
    let file = FileId::of(&good);
    assert_eq!(store.state(&file), Some(told(4, 1, false)));
    assert_eq!(store.count(), 1);
    // Its place is taken by rubbish, which gives way.
    assert_eq!(store.keep(&moved, false, NOW).unwrap(), told(4, 2, false));
    assert_eq!(store.read(&file, 1).unwrap(), Some(moved.encode()));
}

#[test]
fn a_damaged_part_is_missing_and_can_be_brought_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    let good = part(ours(), 1, 0, 1);
    let file = FileId::of(&good);
    for damage in [good.encode()[..3_000].to_vec(), vec![1; PART_ENCODED_BYTES_MAX + 1]] {
        assert_eq!(store.keep(&good, false, NOW).unwrap(), told(1, 1, true));
        fs::write(path_of(dir.path(), &good), damage).unwrap();
        assert_eq!(store.read(&file, 0).unwrap(), None);
        assert_eq!(store.state(&file), Some(told(1, 0, false)));
    }
    assert_eq!(store.keep(&good, false, NOW).unwrap(), told(1, 1, true));
}

#[test]
fn only_what_is_old_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    let (old, new) = (part(ours(), 1, 0, 2), part(theirs(), 2, 0, 1));
    store.keep(&old, false, NOW).unwrap();
    store.keep(&new, false, TimeMs(5_000)).unwrap();
    let (old, new) = (FileId::of(&old), FileId::of(&new));
    assert_eq!(store.older_than(TimeMs(5_000), None, 9), [(old, 2)]);
    assert_eq!(store.older_than(TimeMs(5_001), Some(old), 9), [(new, 1)]);
    assert!(!store.drop_older_than(TimeMs(5_000), &new).unwrap());
    // Something came since it was looked at.
    store.keep(&part(ours(), 1, 1, 2), false, TimeMs(6_000)).unwrap();
    assert!(!store.drop_older_than(TimeMs(5_000), &old).unwrap());
    for file in [old, new] {
        assert!(store.drop_older_than(TimeMs(7_000), &file).unwrap());
        assert_eq!(store.state(&file), None);
    }
    assert_eq!((store.bytes(), store.count(), store.waiting_count()), (0, 0, 0));
    let left: Vec<_> = fs::read_dir(dir.path().join("case-files")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(left.len(), 2, "layout and unfinished: {left:?}");
}

#[test]
fn what_is_stored_again_stays_as_long_as_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    // Later than the clock of the disk.
    let (part, late) = (part(ours(), 1, 0, 1), TimeMs(4_000_000_000_000));
    let file = FileId::of(&part);
    store.keep(&part, false, NOW).unwrap();
    let bytes = store.bytes();
    assert_eq!(store.keep(&part, false, late).unwrap(), told(1, 1, true));
    assert_eq!(store.keep(&part, false, NOW).unwrap(), told(1, 1, true), "a clock that was set back");
    for store in [&store, &open(dir.path(), ROOM)] {
        assert!(!store.drop_older_than(late, &file).unwrap());
        assert_eq!((store.state(&file), store.bytes()), (Some(told(1, 1, true)), bytes));
    }
    // One that is gone from the disk is written anew, and not only said to be there.
    fs::remove_file(path_of(dir.path(), &part)).unwrap();
    assert_eq!(store.keep(&part, false, late).unwrap(), told(1, 1, true));
    assert_eq!(store.read(&file, 0).unwrap(), Some(part.encode()));
}

#[test]
fn what_its_recipient_may_have_dropped_is_taken_and_delivered_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    let parts = [part(theirs(), 1, 0, 2), part(theirs(), 1, 1, 2)];
    let file = FileId::of(&parts[0]);
    for part in &parts {
        store.keep(part, false, NOW).unwrap();
    }
    store.mark_delivered(&file).unwrap();
    let (soon, late) = (TimeMs(NOW.0 + MARK_BELIEVED.0), TimeMs(NOW.0 + HOUR));
    assert_eq!(store.keep(&parts[0], false, soon).unwrap(), told(2, 2, true));
    assert!(!store.is_waiting(&file) && !path_of(dir.path(), &parts[0]).exists());
    // Its recipient has it no longer, or not for long.
    assert_eq!(store.keep(&parts[0], false, late).unwrap(), told(2, 1, false));
    assert!(store.is_waiting(&file));
    assert_eq!(open(dir.path(), ROOM).state(&file), Some(told(2, 1, false)), "the mark is gone");
    // Its recipient had it still, and keeps it from now on: the other part need not be taken.
    store.mark_delivered(&file).unwrap();
    assert_eq!(store.keep(&parts[1], false, TimeMs(late.0 + 1)).unwrap(), told(2, 2, true));
    assert_eq!((store.waiting_count(), store.bytes()), (0, FILE_BYTES));
    assert!(!store.drop_older_than(late, &file).unwrap());
    // What the chain wants stays with its recipient.
    store.want(&file);
    assert_eq!(store.keep(&parts[1], true, TimeMs(late.0 + HOUR)).unwrap(), told(2, 2, true));
}

#[test]
fn waiting_files_are_found_by_their_recipient() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(
        dir.path().join("case-files"),
        CHAIN,
        None,
        Room { bytes_max: ROOM, case_bytes_max: ROOM, free_min: 0 },
    )
    .unwrap();
    for (to, case) in [(theirs(), 0xff), (ours(), 3), (theirs(), 1), (ours(), 0)] {
        store.keep(&part(to, case, 0, 1), false, NOW).unwrap();
    }
    assert_eq!(store.recipients(), [ours(), theirs()].into());
    let (mut after, mut found) = (None, Vec::new());
    while let Some(waiting) = store.next_waiting(&theirs(), false, after) {
        after = Some(waiting.file);
        found.push(waiting.file.case.0[0]);
    }
    assert_eq!(found, [1, 0xff]);
    assert!(store.whole(None, 9).is_empty(), "a node without a bureau has nothing of its own");
}

#[tokio::test]
async fn who_waits_hears_of_parts_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let files = CaseFiles::new(open(dir.path(), ROOM), || NOW);
    let mut news = files.news();
    files.keep(part(ours(), 1, 0, 1), false).await.unwrap();
    assert!(!news.has_changed().unwrap());
    let waiting = part(theirs(), 1, 0, 1);
    files.keep(waiting.clone(), false).await.unwrap();
    assert!(news.has_changed().unwrap());
    news.borrow_and_update();
    assert_eq!(files.read(FileId::of(&waiting), 0).await.unwrap(), Some(waiting.encode()));
    files.mark_delivered(FileId::of(&waiting)).await.unwrap();
    assert_eq!(files.store().waiting_count(), 0);
}

#[test]
fn what_others_sign_under_a_commitment_is_a_file_of_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    // First a stranger's, which says that the file has another number of parts.
    let stranger = part_of(66, ours(), 1, 0, 9);
    store.keep(&stranger, false, NOW).unwrap();
    let parts = [part(ours(), 1, 0, 2), part(ours(), 1, 1, 2)];
    store.keep(&parts[0], false, NOW).unwrap();
    assert_eq!(store.keep(&parts[1], false, NOW).unwrap(), told(2, 2, true));
    assert_eq!(store.state(&FileId::of(&stranger)), Some(told(9, 1, false)));
    assert_eq!(store.read(&FileId::of(&parts[0]), 0).unwrap(), Some(parts[0].encode()));
    let listed = store.whole(None, 9);
    assert_eq!(listed.iter().map(|file| file.author).collect::<Vec<_>>(), [parts[0].author()]);
    assert!(store.drop_older_than(TimeMs(NOW.0 + 1), &FileId::of(&stranger)).unwrap());
    assert_eq!(open(dir.path(), ROOM).state(&FileId::of(&parts[0])), Some(told(2, 2, true)));
}

#[test]
fn authors_of_one_commitment_are_few_and_never_in_the_way_of_the_one_that_the_chain_names() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ROOM);
    let most = 10 + AUTHORS_MAX as u8;
    (10..most).for_each(|author| assert!(store.keep(&part_of(author, theirs(), 1, 0, 2), false, NOW).is_ok()));
    let mine = [part(theirs(), 1, 0, 2), part(theirs(), 1, 1, 2)];
    assert!(matches!(store.keep(&mine[0], false, NOW), Err(FilesError::Authors)));
    assert!(store.keep(&part_of(10, theirs(), 1, 1, 2), false, NOW).is_ok(), "who is there already goes on");
    assert!(store.keep(&part_of(99, ours(), 1, 0, 2), false, NOW).is_ok(), "of another recipient");
    store.keep(&mine[0], true, NOW).unwrap();
    assert_eq!(store.keep(&mine[1], false, NOW).unwrap(), told(2, 2, false), "it stays wanted");
    // Once one of them is wanted it is not counted.
    store.want(&FileId::of(&part_of(10, theirs(), 1, 0, 2)));
    store.keep(&part_of(98, theirs(), 1, 0, 2), false, NOW).unwrap();
}

#[test]
fn what_the_chain_does_not_want_has_bounds_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    // A file of one part takes 24 KiB, a second part 8.
    let room = Room { bytes_max: 192 << 10, case_bytes_max: 32 << 10, free_min: 0 };
    let open = || Store::open(dir.path().join("case-files"), CHAIN, Some(ours()), room).unwrap();
    let store = open();
    let full = |store: &Store, part: &FilePart| store.keep(part, false, NOW).unwrap_err().to_string();
    for place in 0..2 {
        store.keep(&part(ours(), 1, place, 9), false, NOW).unwrap();
    }
    assert_eq!(full(&store, &part(ours(), 1, 2, 9)), FilesError::CaseFull.to_string());
    assert!(store.keep(&part(theirs(), 1, 0, 9), false, NOW).is_ok(), "of another recipient");
    // What is wanted does not count, and is not bounded by it.
    store.want(&FileId::of(&part(ours(), 1, 0, 9)));
    store.keep(&part(ours(), 1, 2, 9), true, NOW).unwrap();
    store.keep(&part_of(5, ours(), 1, 0, 1), false, NOW).unwrap();
    assert_eq!((store.bytes(), store.unwanted(None, 9).len()), ((40 + 24 + 24) << 10, 2));
    // At most half of all is for what is not wanted: 96 KiB.
    for case in 2..4 {
        store.keep(&part(ours(), case, 0, 1), false, NOW).unwrap();
    }
    assert_eq!(full(&store, &part(ours(), 4, 0, 1)), FilesError::Full.to_string());
    store.keep(&part(ours(), 4, 0, 1), true, NOW).unwrap();
    store.keep(&part(ours(), 5, 0, 1), true, NOW).unwrap();
    let more = store.keep(&part(ours(), 6, 0, 1), true, NOW);
    assert!(matches!(more, Err(FilesError::Full)), "{more:?}");
    // Nothing is known to be wanted after a start, until the chain was looked at.
    let store = open();
    assert_eq!(store.unwanted(None, 99).len(), 7);
    store.unwanted(None, 99).iter().for_each(|(file, _)| store.want(file));
    assert!(store.unwanted(None, 9).is_empty());
    assert_eq!(store.recipients(), [theirs()].into());
    assert!(store.next_waiting(&theirs(), true, None).is_some());
    assert!(store.next_waiting(&theirs(), false, None).is_none());
}

#[test]
fn a_folder_of_another_layout_is_refused_and_left_as_it_is() {
    let (dir, room) = (tempfile::tempdir().unwrap(), Room { bytes_max: ROOM, case_bytes_max: ROOM, free_min: 0 });
    let folder = dir.path().join("case-files");
    let open = || Store::open(folder.clone(), CHAIN, None, room);
    // As it was before parts were signed: RECIPIENT/CASE/COMMITMENT/PLACE, and no line of a layout.
    let FilePart { body: PartBody { case, to, commitment, sealed, .. }, .. } = part(theirs(), 1, 0, 1);
    let unsigned = codec::encode(&(1u8, CHAIN, case, to, commitment, 0u16, 1u16, sealed));
    let old = folder.join(to.to_string()).join(case.to_string()).join(commitment.to_string());
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("0"), &unsigned).unwrap();
    let refused = |opened: Result<Store, FilesError>| match opened {
        Err(FilesError::Layout { found, .. }) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(open()), "case files 1");
    assert_eq!(fs::read(old.join("0")).unwrap(), unsigned);
    fs::rename(&folder, dir.path().join("moved-away")).unwrap();
    drop(open().unwrap());
    drop(open().unwrap());
    fs::write(folder.join("layout"), "case files 3\n").unwrap();
    assert_eq!(refused(open()), "case files 3");
    fs::write(folder.join("layout"), vec![b'x'; 100]).unwrap();
    assert_eq!(refused(open()), "more than one line");
}
