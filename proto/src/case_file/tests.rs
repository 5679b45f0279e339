use super::*;
use crate::consent::Subject;
use crate::key::{Algorithm, SecretKey, Signature};
use crate::pickup::PickupHash;

const CHAIN: ChainId = ChainId([7; 32]);

fn file(attachment: usize) -> CaseFile {
    let text = |text: &str| Text::new(text).unwrap();
    let value = |name: &str| NamedValue { name: Text::new(name).unwrap(), value: text("\"370102\"") };
    let content = (0..attachment).map(|at| (at % 251) as u8).collect::<Vec<_>>();
    CaseFile {
        version: CASE_FILE_VERSION,
        chain: CHAIN,
        case: CaseId([3; 32]),
        to: "11370100MB1A0001X2".parse().unwrap(),
        from: Author::Slot(0),
        round: 1,
        values: List::new(vec![value("area"), value("unit")]).unwrap(),
        presentation: Blob::new(*b"{}").unwrap(),
        applications: List::new(vec![Text::new("a.b.c").unwrap()]).unwrap(),
        attachments: List::new(vec![Attachment {
            name: Text::new("contract.pdf").unwrap(),
            content: Blob::new(content).unwrap(),
        }])
        .unwrap(),
        mandate: Some(Blob::new(*b"mandate").unwrap()),
        helped: Some(helped(&["a", "b"], &["c", "d"])),
    }
}

fn helped(asks: &[&str], pickups: &[&str]) -> Helped {
    let text = |text: &str| Text::new(text).unwrap();
    let ask = |name: &&str| HelpedAsk {
        ask: text(name),
        type_code: "DEMOJMSFZ001".parse().unwrap(),
        source: "11370100MB1A0001X2".parse().unwrap(),
    };
    let pickup = |name: &&str| HelpedPickup { yields: text(name), hash: PickupHash([7; 32]) };
    Helped {
        person: Subject {
            id_type: Text::new("RESIDENT").unwrap(),
            id_number: Text::new("11010519491231002X").unwrap(),
        },
        asks: List::new(asks.iter().map(ask).collect()).unwrap(),
        pickups: List::new(pickups.iter().map(pickup).collect()).unwrap(),
    }
}

fn author() -> SecretKey {
    SecretKey::from_seed([4; 32])
}

fn seeds() -> impl Iterator<Item = [u8; 32]> {
    (1u8..).map(|seed| [seed; 32])
}

#[test]
fn a_file_comes_back_from_its_parts_in_any_order() {
    let secret = SealingSecret::from_seed([9; 32]);
    let bound = file(3 * PART_BYTES).bind([5; 32]).unwrap();
    let mut parts = bound.seal(&author(), &secret.public_key(), seeds()).unwrap();
    assert_eq!((parts.len(), bound.parts()), (4, 4));
    parts.reverse();
    let parts: Vec<_> = parts.iter().map(|part| FilePart::decode(&part.encode(), &CHAIN).unwrap()).collect();
    assert_eq!(BoundFile::open(&parts, &secret).unwrap(), bound);
    assert_eq!(BoundFile::from_bytes(bound.to_bytes().to_vec()).unwrap(), bound);
    let reference = bound.reference(2);
    assert_eq!((reference.to, reference.bytes % CASE_FILE_UNIT_BYTES), (2, 0));
    assert!(reference.bytes as usize >= bound.to_bytes().len());
}

#[test]
fn parts_that_are_missing_moved_or_of_another_file_open_nothing() {
    let secret = SealingSecret::from_seed([9; 32]);
    let seal = |random| {
        file(2 * PART_BYTES).bind([random; 32]).unwrap().seal(&author(), &secret.public_key(), seeds()).unwrap()
    };
    let (parts, others) = (seal(5), seal(6));
    let open = |parts: &[FilePart]| BoundFile::open(parts, &secret).unwrap_err();
    assert_eq!(open(&[]), CaseFileError::Incomplete(0));
    assert_eq!(open(&parts[1..]), CaseFileError::Incomplete(2));
    assert_eq!(open(&[parts[0].clone(), parts[1].clone(), parts[1].clone()]), CaseFileError::Incomplete(3));
    let mixed = [parts[0].clone(), parts[1].clone(), others[2].clone()];
    assert_eq!(open(&mixed), CaseFileError::Other);

    let mut swapped = parts.clone();
    (swapped[0].body.place, swapped[1].body.place) = (1, 0);
    assert_eq!(open(&swapped), CaseFileError::Seal(SealError::Unopenable));
    for change in
        [|part: &mut FilePart| part.body.commitment.0[31] ^= 1, |part: &mut FilePart| part.body.case.0[0] ^= 1]
    {
        let mut changed = parts.clone();
        changed.iter_mut().for_each(change);
        assert!(BoundFile::open(&changed, &secret).is_err());
    }
    let other = SealingSecret::from_seed([8; 32]);
    assert!(matches!(BoundFile::open(&parts, &other), Err(CaseFileError::Seal(SealError::OtherKey(_)))));
}

#[test]
fn an_opened_file_of_other_content_is_not_what_was_committed_to() {
    let secret = SealingSecret::from_seed([9; 32]);
    let (mine, other) = (file(10).bind([5; 32]).unwrap(), file(11).bind([5; 32]).unwrap());
    // Sealed by somebody who knows the commitment, but says something else.
    let (chain, case) = (CHAIN, mine.file.case);
    let bound_to = info(chain, &case, &mine.commitment, 0, 1);
    let sealed = seal(&secret.public_key(), &bound_to, other.to_bytes(), [1; 32]).unwrap();
    let (to, commitment, author) = (mine.file.to, mine.commitment, author().public_key());
    let body = PartBody { version: PART_VERSION, chain, case, to, commitment, author, place: 0, parts: 1, sealed };
    let part = body.sign(&self::author()).unwrap();
    assert_eq!(BoundFile::open(&[part], &secret), Err(CaseFileError::Commitment));
}

#[test]
fn parts_of_another_author_are_another_file() {
    let (secret, stranger) = (SealingSecret::from_seed([9; 32]), SecretKey::from_seed([66; 32]));
    let bound = file(2 * PART_BYTES).bind([5; 32]).unwrap();
    let parts = bound.seal(&author(), &secret.public_key(), seeds()).unwrap();
    // Who carries a part may sign its content anew, and has made a file of its own by that.
    let taken = parts[1].body.clone();
    let signed = PartBody { author: stranger.public_key(), ..taken }.sign(&stranger).unwrap();
    assert_eq!(FilePart::decode(&signed.encode(), &CHAIN).unwrap().author(), stranger.public_key().id());
    let mixed = [parts[0].clone(), signed, parts[2].clone()];
    assert_eq!(BoundFile::open(&mixed, &secret), Err(CaseFileError::Other));
    assert_eq!(parts_of(bound.reference(0).bytes as usize), bound.parts());
    let head = codec::encode(&(parts[0].body.version, parts[0].body.chain, parts[0].body.case)).len();
    let sealed = codec::encode(&parts[0].body.sealed).len() + codec::encode(&parts[0].signature).len();
    assert_eq!((head, parts[0].encode().len() - sealed), (65, PART_HEAD_BYTES));
}

#[test]
fn hostile_files_and_parts_are_refused() {
    let bind = |change: fn(&mut CaseFile)| {
        let mut file = file(10);
        change(&mut file);
        file.bind([5; 32]).unwrap_err()
    };
    let attachment = |name: &str, bytes: usize| Attachment {
        name: Text::new(name).unwrap(),
        content: Blob::new(vec![0; bytes]).unwrap(),
    };
    assert_eq!(bind(|file| file.version = 1), CaseFileError::Version(1));
    assert_eq!(bind(|file| file.values.as_mut_slice().swap(0, 1)), CaseFileError::Names);
    assert_eq!(bind(|file| file.helped = Some(helped(&["b", "a"], &[]))), CaseFileError::Names);
    assert_eq!(bind(|file| file.helped = Some(helped(&[], &["c", "c"]))), CaseFileError::Names);
    for name in ["", ".hidden", "../up", "a/b", "line\nfeed"] {
        let mut file = file(10);
        file.attachments = List::new(vec![attachment(name, 1)]).unwrap();
        assert_eq!(file.bind([5; 32]).unwrap_err(), CaseFileError::Names, "{name:?}");
    }
    let mut long = file(10);
    let half = ATTACHMENT_BYTES_MAX as usize / 2 + 1;
    long.attachments = List::new(vec![attachment("a", half), attachment("b", half)]).unwrap();
    assert_eq!(long.bind([5; 32]).unwrap_err(), CaseFileError::Attachments(2 * half));

    let secret = SealingSecret::from_seed([9; 32]);
    let part = file(10).bind([5; 32]).unwrap().seal(&author(), &secret.public_key(), seeds()).unwrap().remove(0);
    let decode = |change: fn(&mut FilePart)| {
        let mut part = part.clone();
        change(&mut part);
        FilePart::decode(&part.encode(), &CHAIN).unwrap_err()
    };
    assert_eq!(decode(|part| part.body.version = 9), CaseFileError::Version(9));
    assert_eq!(decode(|part| part.body.chain.0[0] ^= 1), CaseFileError::Other);
    assert_eq!(decode(|part| part.body.place = 1), CaseFileError::Place { place: 1, parts: 1 });
    assert_eq!(decode(|part| part.body.parts = u16::MAX), CaseFileError::Place { place: 0, parts: u16::MAX });
    let wrong = CaseFileError::Signature(KeyError::Wrong);
    assert_eq!(decode(|part| part.body.author = SecretKey::from_seed([1; 32]).public_key()), wrong);
    assert_eq!(decode(|part| part.body.commitment.0[0] ^= 1), wrong);
    assert_eq!(decode(|part| part.body.to = "11370100MB28900024".parse().unwrap()), wrong);
    assert_eq!(decode(|part| part.signature = Signature::ed25519([0; 64])), wrong);
    assert_eq!(
        decode(|part| part.body.author = PublicKey::x25519([1; 32])),
        CaseFileError::Signature(KeyError::NotInUse(Algorithm::X25519))
    );
    for bytes in [&part.encode()[..part.encode().len() - 1], &[part.encode(), vec![0]].concat(), &[]] {
        assert!(matches!(FilePart::decode(bytes, &CHAIN), Err(CaseFileError::Malformed(_))));
    }
    // As it was before parts were signed.
    let PartBody { chain, case, to, commitment, place, parts, sealed, .. } = part.body;
    let unsigned = codec::encode(&(1u8, chain, case, to, commitment, place, parts, sealed));
    assert_eq!(FilePart::decode(&unsigned, &CHAIN), Err(CaseFileError::Version(1)));
    assert!(BoundFile::from_bytes(vec![0; 8]).is_err());
}
