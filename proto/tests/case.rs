//! Cases: what is signed, what fits an item, and that no event can be left out.
#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{
    Act, Assisted, Case, CaseEvent, CasePayload, CaseRecord, CaseStatus, Decide, EventError, EventList, How, Issued,
    Letter, LetterContent, LetterError, Open, Outcome, Present, Rate, ShapeError, SignedAct, SlotKey, SlotRequest,
    WantedLetter, Withdraw, case_id, case_key, case_nonce, commitment, letter_id, letter_slots,
};
use kanhe_proto::codec;
use kanhe_proto::hash::{ChainId, Hash};
use kanhe_proto::ids::{Era, Height, LogIndex, ProtocolVersion, TimeMs};
use kanhe_proto::item::ItemVersion;
use kanhe_proto::key::{PublicKey, SecretKey, Signer};
use kanhe_proto::mail::{MailAnswer, MailError};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::ProvedRecord;
use kanhe_proto::record::Record;
use kanhe_proto::registry::ServiceItem;
use kanhe_proto::seal::{SealError, SealingSecret};
use kanhe_proto::transaction::{Payload, PayloadError};
use kanhe_proto::vote::ChainContext;
use world::cases::{
    NOW, acts, assisted, buyer, case, chain, decide, file, id, invitation, joins, joins_assisted, letter, letter_key,
    open, opener, said, signed, spouse,
};
use world::{World, bureau, issuing_key, item, item_bound, secret};

fn registered() -> ServiceItem {
    item().service_item(&item_bound()).unwrap()
}

#[test]
fn a_signature_is_of_one_act_one_key_and_one_chain() {
    let other_chain = ChainContext { chain_id: ChainId([9; 32]), ..chain() };
    let other_era = ChainContext { era: Era(1), ..chain() };
    for (name, act, key) in acts() {
        let act = signed(act, &key);
        act.verify(&chain(), &key.public_key()).unwrap();
        assert!(act.verify(&chain(), &secret(99).public_key()).is_err(), "{name}");
        assert!(act.verify(&other_chain, &key.public_key()).is_err(), "{name}");
        assert!(act.verify(&other_era, &key.public_key()).is_err(), "{name}");
    }
}

/// Any byte of an act changed: it is not decodable, or its signature does not hold.
#[test]
fn no_byte_of_an_act_can_be_changed() {
    for (name, act, key) in acts() {
        let bytes = codec::encode(&signed(act, &key));
        let mut refused = 0;
        for place in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[place] ^= bit;
                match codec::decode::<SignedAct>(&changed, 1 << 16) {
                    Ok(read) => assert!(read.verify(&chain(), &key.public_key()).is_err(), "{name}: byte {place}"),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 0, "{name}");
    }
}

#[test]
fn an_invitation_lets_one_key_into_one_slot_of_one_case() {
    let join = joins().join.unwrap();
    let invited = invitation().public_key();
    join.verify(&chain(), &id(), 2, &invited).unwrap();
    assert!(join.verify(&chain(), &id(), 1, &invited).is_err());
    assert!(join.verify(&chain(), &case_id(&chain().chain_id, &secret(99).public_key()), 2, &invited).is_err());
    assert!(join.verify(&chain(), &id(), 2, &buyer().public_key()).is_err());
    let stolen = kanhe_proto::case::Join { key: secret(99).public_key(), ..join };
    assert!(stolen.verify(&chain(), &id(), 2, &invited).is_err());
}

fn opening(act: Act) -> Open {
    match act {
        Act::Open(open) => open,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clerk_opens_nothing_else_and_for_nothing_else() {
    let key = issuing_key(3).public_key();
    assisted().verify_assisted(&chain(), &key).unwrap();
    let changed = |edit: &dyn Fn(&mut Open, &mut Assisted)| {
        let mut open = opening(assisted());
        let mut assisted = open.assisted.take().unwrap();
        edit(&mut open, &mut assisted);
        Act::Open(Open { assisted: Some(assisted), ..open }).verify_assisted(&chain(), &key)
    };
    changed(&|_, _| ()).unwrap();
    assert!(changed(&|_, assisted| assisted.bureau = bureau(0)).is_err());
    assert!(changed(&|_, assisted| assisted.clerk = Text::new("A-18").unwrap()).is_err());
    assert!(changed(&|_, assisted| assisted.ground = Text::new("other").unwrap()).is_err());
    assert!(changed(&|_, assisted| assisted.key = issuing_key(0).public_key().id()).is_err());
    assert!(changed(&|open, _| open.key = secret(99).public_key()).is_err());
    assert!(changed(&|open, _| open.not_after = TimeMs(open.not_after.0 + 1)).is_err());
    assert!(changed(&|open, _| open.files = List::empty()).is_err());
    assert!(changed(&|open, _| open.chosen = List::empty()).is_err());
    assert!(assisted().verify_assisted(&chain(), &issuing_key(0).public_key()).is_err());
    assert_eq!((assisted().signatures(), Act::Present(joins()).signatures()), (2, 2));
}

#[test]
fn a_clerk_presents_nothing_else_and_for_nobody_else() {
    let key = issuing_key(3).public_key();
    joins_assisted().verify_assisted(&chain(), &key).unwrap();
    assert_eq!(joins_assisted().signatures(), 3);
    let clerk = joins_assisted().assisted().cloned();
    let changed = |edit: &dyn Fn(&mut Present)| {
        let mut present = Present { assisted: clerk.clone(), ..joins() };
        edit(&mut present);
        Act::Present(present).verify_assisted(&chain(), &key)
    };
    changed(&|_| ()).unwrap();
    assert!(changed(&|present| present.slot = 1).is_err());
    assert!(changed(&|present| present.round = 1).is_err());
    assert!(changed(&|present| present.join = None).is_err());
    assert!(changed(&|present| present.letter_key = letter_key(113)).is_err());
    assert!(changed(&|present| present.files = List::empty()).is_err());
    let case = case_id(&chain().chain_id, &secret(99).public_key());
    assert!(changed(&|present| present.case = case).is_err());
    // What was signed for an opening is none for a presentation.
    let of_opening = assisted().assisted().cloned();
    assert!(changed(&|present| present.assisted = of_opening.clone()).is_err());
    assert_eq!(Act::Present(joins()).assisted(), None);
}

#[test]
fn only_version_3_has_cases() {
    let acts = acts().into_iter().map(|(_, act, key)| signed(act, &key)).collect();
    let payload = CasePayload { acts: List::new(acts).unwrap() };
    assert_eq!(payload.signatures(), 14);
    let raw = Payload::Case(payload.clone()).to_raw();
    for version in [1, 2] {
        let refused = Payload::from_raw(&raw, ProtocolVersion(version)).unwrap_err();
        assert_eq!(refused, PayloadError::UnknownKind { kind: 7, version: 1 });
    }
    assert_eq!(Payload::from_raw(&raw, ProtocolVersion(3)).unwrap(), Payload::Case(payload));
}

/// Thirty-two of the largest acts fit into a transaction.
#[test]
fn the_largest_payload_fits() {
    let key = |n: u8| PublicKey { bytes: Blob::new([n; 65]).unwrap(), ..opener().public_key() };
    let text = |max: usize| "a".repeat(max);
    let mut open = opening(assisted());
    open.item = Text::new(text(64)).unwrap();
    open.chosen = List::new(vec![bureau(0); 16]).unwrap();
    open.slots = List::new(vec![SlotRequest { party: 1, key: SlotKey::Known(key(1)) }; 15]).unwrap();
    open.files = List::new(vec![file(1); 16]).unwrap();
    let assisted = open.assisted.as_mut().unwrap();
    (assisted.clerk, assisted.ground) = (Text::new(text(32)).unwrap(), Text::new(text(64)).unwrap());
    let largest = signed(Act::Open(open), &opener());
    let payload = CasePayload { acts: List::new(vec![largest; 32]).unwrap() };
    assert!(payload.to_bytes().len() < 128 << 10);
    Payload::Case(payload).to_raw();
}

#[test]
fn an_opening_fits_its_item() {
    let item = registered();
    open().check(&item).unwrap();
    opening(assisted()).check(&item).unwrap();
    let changed = |edit: &dyn Fn(&mut Open)| {
        let mut open = opening(assisted());
        edit(&mut open);
        open.check(&item)
    };
    let slot = |party, key: &SecretKey| SlotRequest { party, key: SlotKey::Known(key.public_key()) };
    let slots = |slots: Vec<SlotRequest>| move |open: &mut Open| open.slots = List::new(slots.clone()).unwrap();
    // The optional party may be left out, and come twice.
    changed(&slots(vec![slot(1, &buyer())])).unwrap();
    changed(&slots(vec![slot(2, &spouse()), slot(1, &buyer()), slot(2, &secret(99))])).unwrap();
    let refused = Err(ShapeError::Slots);
    assert_eq!(changed(&slots(vec![])), refused);
    assert_eq!(changed(&slots(vec![slot(2, &spouse())])), refused);
    assert_eq!(changed(&slots(vec![slot(1, &buyer()), slot(1, &spouse())])), refused);
    assert_eq!(changed(&slots(vec![slot(1, &buyer()), slot(0, &spouse())])), refused);
    assert_eq!(changed(&slots(vec![slot(1, &buyer()), slot(3, &spouse())])), refused);
    assert_eq!(changed(&slots(vec![slot(1, &opener())])), Err(ShapeError::Keys));
    assert_eq!(changed(&slots(vec![slot(1, &buyer()), slot(2, &buyer())])), Err(ShapeError::Keys));
    let x25519 = SlotRequest { party: 1, key: SlotKey::Known(letter_key(1)) };
    assert_eq!(changed(&slots(vec![x25519])), Err(ShapeError::Keys));
    assert_eq!(changed(&|open| open.letter_key = buyer().public_key()), Err(ShapeError::Keys));
    assert_eq!(changed(&|open| open.key = letter_key(1)), Err(ShapeError::Keys));
    let chosen = |bureaus: Vec<usize>| {
        changed(&move |open| open.chosen = List::new(bureaus.iter().map(|at| bureau(*at)).collect()).unwrap())
    };
    chosen(vec![0, 1, 3]).unwrap();
    assert_eq!(chosen(vec![0, 3, 3]), Err(ShapeError::Chosen));
    assert_eq!(chosen(vec![0, 1]), Err(ShapeError::Chosen));
    assert_eq!(chosen(vec![0, 1, 3, 3]), Err(ShapeError::Chosen));
    let sized = |bytes| kanhe_proto::case::FileRef { bytes, ..file(1) };
    let files = |files: Vec<_>| changed(&move |open| open.files = List::new(files.clone()).unwrap());
    files(vec![]).unwrap();
    for wrong in [
        vec![file(0)],
        vec![file(1), file(1)],
        vec![file(3)],
        vec![sized(0)],
        vec![sized(4_095)],
        vec![sized((40 << 20) + 4_096)],
    ] {
        assert_eq!(files(wrong), Err(ShapeError::Files));
    }
    for clerk in ["", "李四", "a b"] {
        let named = |open: &mut Open| open.assisted.as_mut().unwrap().clerk = Text::new(clerk).unwrap();
        assert_eq!(changed(&named), Err(ShapeError::Clerk));
    }
}

#[test]
fn a_presentation_fits_its_slot() {
    let (item, case) = (registered(), case());
    let slot = &case.slots[2];
    joins().check(&item, &case, slot).unwrap();
    let changed = |edit: &dyn Fn(&mut Present)| {
        let mut present = joins();
        edit(&mut present);
        present.check(&item, &case, slot)
    };
    assert_eq!(changed(&|present| present.files = List::new(vec![file(1)]).unwrap()), Err(ShapeError::Files));
    assert_eq!(changed(&|present| present.letter_key = buyer().public_key()), Err(ShapeError::Keys));
    let named = |clerk: &str| {
        let mut assisted = joins_assisted().assisted().cloned();
        assisted.as_mut().unwrap().clerk = Text::new(clerk).unwrap();
        changed(&move |present| present.assisted = assisted.clone())
    };
    assert_eq!((named("A-17"), named("李四")), (Ok(()), Err(ShapeError::Clerk)));
    let join = |key: PublicKey| changed(&move |present| present.join.as_mut().unwrap().key = key.clone());
    // Neither another's key nor the invitation's own.
    assert_eq!(join(buyer().public_key()), Err(ShapeError::Keys));
    assert_eq!(join(invitation().public_key()), Err(ShapeError::Keys));
    assert_eq!(join(letter_key(1)), Err(ShapeError::Keys));
}

#[test]
fn a_decision_fits_its_step() {
    let (item, case) = (registered(), case());
    decide().check(&item, &case).unwrap();
    let changed = |edit: &dyn Fn(&mut Decide)| {
        let mut decide = decide();
        edit(&mut decide);
        decide.check(&item, &case)
    };
    changed(&|decide| decide.how = How::Rules).unwrap();
    assert_eq!(changed(&|decide| (decide.how, decide.run) = (How::Rules, None)), Err(ShapeError::How));
    assert_eq!(changed(&|decide| (decide.how, decide.step) = (How::Rules, 1)), Err(ShapeError::How));
    let reason = |text: &str| Some(Text::new(text).unwrap());
    assert_eq!(changed(&|decide| decide.reason = reason("priced")), Err(ShapeError::Reason));
    let no = |outcome, text: Option<&str>| {
        let reason = text.and_then(reason);
        changed(&move |decide| {
            (decide.outcome, decide.passed, decide.reason) = (outcome, List::empty(), reason.clone());
        })
    };
    for outcome in [Outcome::Rejected, Outcome::Returned] {
        no(outcome, Some("priced")).unwrap();
        assert_eq!(no(outcome, None), Err(ShapeError::Reason));
        // No words, and no names.
        assert_eq!(no(outcome, Some("Zhang San")), Err(ShapeError::Reason));
        assert_eq!(no(outcome, Some("")), Err(ShapeError::Reason));
    }
    let passing = |decide: &mut Decide| {
        (decide.outcome, decide.reason) = (Outcome::Rejected, Some(Text::new("priced").unwrap()));
    };
    assert_eq!(changed(&passing), Err(ShapeError::Files));
    assert_eq!(changed(&|decide| decide.passed = List::new(vec![file(1)]).unwrap()), Err(ShapeError::Files));
    let mut alone = item.clone();
    alone.steps.as_mut_slice()[0].waits_for = List::empty();
    let returned = Decide {
        outcome: Outcome::Returned,
        reason: Some(Text::new("priced").unwrap()),
        passed: List::empty(),
        ..decide()
    };
    assert_eq!(returned.check(&alone, &case), Err(ShapeError::Return));
    let issued = |step| Issued { case: id(), step, key: issuing_key(0).public_key().id(), licences: said("licences") };
    issued(1).check(&item, &case).unwrap();
    assert_eq!(issued(0).check(&item, &case), Err(ShapeError::Yields));
    assert_eq!(issued(9).check(&item, &case), Err(ShapeError::Yields));
    for (stars, fits) in [(0, false), (1, true), (5, true), (6, false)] {
        assert_eq!(Rate { case: id(), stars }.check().is_ok(), fits);
    }
}

#[test]
fn a_case_knows_what_is_next() {
    let (item, mut case) = (registered(), case());
    assert_eq!(case.bureau_of(&item, 0), Some(bureau(2)));
    assert_eq!(case.applicant(&item).map(|(place, _)| place), Some(1));
    assert!(case.has_all_for(&item, 0) && !case.has_all_for(&item, 1) && !case.has_all_for(&item, 2));
    assert!(case.runs_at(NOW) && !case.runs_at(case.ends));
    let steps = case.steps.as_mut_slice();
    steps[0].state = kanhe_proto::case::StepState::Approved;
    // The spouse has not presented; without a spouse nobody waits for one.
    assert!(!case.has_all_for(&item, 1));
    let alone = Case { slots: List::new(case.slots[..2].to_vec()).unwrap(), ..case.clone() };
    assert!(alone.has_all_for(&item, 1) && !alone.is_done(&item));
    case.steps.as_mut_slice()[1].state = kanhe_proto::case::StepState::Approved;
    assert!(!case.is_done(&item));
    case.steps.as_mut_slice()[1].issued = true;
    assert!(case.is_done(&item));
    assert_eq!((case.next_by_time(), case.ended()), (case.ends, None));
    let ended = Case { forget: Some(TimeMs(NOW.0 + 30 * 86_400_000)), ..case };
    assert_eq!((ended.next_by_time().0, ended.ended()), (NOW.0 + 30 * 86_400_000, Some(NOW)));
}

/// A log with the events of a case between others', and the leaf that names the last.
fn logged() -> (World, Case, Vec<LogIndex>) {
    let mut world = World::new();
    let record = |number: u32, before: Option<LogIndex>, event| CaseRecord {
        case: id(),
        number,
        before,
        item: item().code,
        version: ItemVersion(1),
        event,
        status: CaseStatus::Open,
        height: Height(7),
        time: NOW,
    };
    let act = |at: usize| {
        let (_, act, key) = acts().swap_remove(at);
        CaseEvent::Act(signed(act, &key))
    };
    let mut places: Vec<LogIndex> = Vec::new();
    for (number, event) in (0..).zip([act(0), act(2), act(4), CaseEvent::Expired]) {
        places.push(world.record(&record(number, places.last().copied(), event)));
        let other = CaseRecord { case: Default::default(), ..record(number, None, CaseEvent::Expired) };
        world.record(&other);
    }
    let case = Case { events: 4, last: places[3], ..case() };
    world.state.insert(case_key(&id()), case.to_value());
    (world, case, places)
}

#[test]
fn events_cannot_be_left_out_or_changed() {
    let (world, case, places) = logged();
    let header = world.header();
    let leaf = world.state_leaf(case_key(&id())).read::<Case>(&header.state_root, &case_key(&id())).unwrap().unwrap();
    assert_eq!(leaf, case);
    let mut list = EventList::of(&leaf);
    for place in places.iter().rev() {
        assert_eq!((list.wanted(), list.is_whole()), (Some(*place), false));
        list.push(&header, &world.proved_record(*place)).unwrap();
    }
    assert!(list.is_whole() && list.events().len() == 4);
    let extra = world.proved_record(places[0]);
    assert_eq!(list.clone().push(&header, &extra).unwrap_err(), EventError::OtherEvent(places[0]));
    let numbers: Vec<u32> = list.into_whole().unwrap().iter().map(|(_, record)| record.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);

    let mut list = EventList::of(&case);
    let refused = |list: &mut EventList, proved: &ProvedRecord| list.push(&header, proved).map(|_| ()).unwrap_err();
    // Neither an earlier one, nor another case's, nor one that the log does not have.
    assert_eq!(refused(&mut list, &world.proved_record(places[2])), EventError::OtherEvent(places[2]));
    let others = LogIndex(places[3].0 + 1);
    assert_eq!(refused(&mut list, &world.proved_record(others)), EventError::OtherEvent(others));
    let mut forged = world.proved_record(places[3]);
    let mut bytes = forged.record.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    forged.record = Blob::new(bytes).unwrap();
    assert!(matches!(refused(&mut list, &forged), EventError::Merkle(_)));
    assert!(list.clone().into_whole().is_none() && list.events().is_empty());
    // A leaf that names fewer than there are, or more.
    let mut short = EventList::of(&Case { events: 3, ..case.clone() });
    assert_eq!(refused(&mut short, &world.proved_record(places[3])), EventError::OtherEvent(places[3]));
    let mut none = EventList::of(&Case { events: 0, ..case });
    assert_eq!(refused(&mut none, &world.proved_record(places[3])), EventError::OtherEvent(places[3]));
}

#[test]
fn the_first_event_is_the_opening() {
    let (mut world, case, _) = logged();
    let (_, act, key) = acts().swap_remove(8);
    let alone = CaseRecord {
        case: id(),
        number: 0,
        before: None,
        item: item().code,
        version: ItemVersion(1),
        event: CaseEvent::Act(signed(act, &key)),
        status: CaseStatus::Open,
        height: Height(7),
        time: NOW,
    };
    let last = world.record(&alone);
    let mut list = EventList::of(&Case { events: 1, last, ..case });
    assert_eq!(list.push(&world.header(), &world.proved_record(last)).unwrap_err(), EventError::NoOpening);
    assert_eq!(CaseRecord::from_record(&alone.to_record()).unwrap(), alone);
}

#[test]
fn commitments_and_nonces_differ_by_all_that_is_in_them() {
    assert_ne!(commitment(&[1; 32], b"a"), commitment(&[2; 32], b"a"));
    assert_ne!(commitment(&[1; 32], b"a"), commitment(&[1; 32], b"b"));
    let nonces = [
        case_nonce(&id(), 0, 0, 0),
        case_nonce(&id(), 1, 0, 0),
        case_nonce(&id(), 0, 1, 0),
        case_nonce(&id(), 0, 0, 1),
        case_nonce(&case_id(&chain().chain_id, &buyer().public_key()), 0, 0, 0),
    ];
    assert!(nonces.iter().enumerate().all(|(at, nonce)| !nonces[at + 1..].contains(nonce)));
    assert_ne!(id(), case_id(&ChainId([9; 32]), &opener().public_key()));
    let withdraw = Withdraw { case: id(), slot: 1 };
    assert_eq!(Act::Withdraw(withdraw).case(&chain().chain_id), id());
    assert_eq!(Act::Open(open()).case(&chain().chain_id), id());
    assert_ne!(Hash(case_key(&id()).0), Hash(id().0));
}

/// The letter in its envelope, changed before it is sealed, and read as the slot does that has the key of this seed.
fn read_letter(
    change: impl Fn(&mut Letter),
    mail: impl Fn(&mut MailAnswer),
    seed: u8,
    wanted: &WantedLetter,
) -> Result<Letter, LetterError> {
    let mut said = letter();
    change(&mut said);
    let mut sealed = said.seal(bureau(2), &letter_key(110), [9; 32]).unwrap();
    mail(&mut sealed);
    Letter::open(&sealed, &SealingSecret::from_seed([seed; 32]), wanted)
}

#[test]
fn a_letter_says_what_was_committed_to_or_nothing() {
    let wanted = WantedLetter { issuer: bureau(2), case: id(), step: 0, round: 1, commitment: letter().commitment() };
    assert_eq!(read_letter(|_| {}, |_| {}, 110, &wanted), Ok(letter()));
    let code = |read: Result<Letter, LetterError>| read.unwrap_err().code();
    // Other words, other random bytes, for another key, of another bureau.
    assert_eq!(code(read_letter(|said| said.random[0] ^= 1, |_| {}, 110, &wanted)), "mail_id_wrong");
    let swapped = |mail: &mut MailAnswer| mail.id = letter_id(&letter_key(110), &wanted.commitment);
    let other_words = |said: &mut Letter| said.content.words = Text::new("approved").unwrap();
    assert_eq!(code(read_letter(other_words, swapped, 110, &wanted)), "seal_unopenable");
    assert_eq!(code(read_letter(|_| {}, |_| {}, 111, &wanted)), "mail_id_wrong");
    let misled = |mail: &mut MailAnswer| mail.id = letter_id(&letter_key(111), &wanted.commitment);
    let other_key = LetterError::Mail(MailError::Seal(SealError::OtherKey(letter_key(110).id())));
    assert_eq!(read_letter(|_| {}, misled, 111, &wanted), Err(other_key));
    let other_bureau = WantedLetter { issuer: bureau(3), ..wanted };
    assert_eq!(code(read_letter(|_| {}, |_| {}, 110, &other_bureau)), "mail_other_issuer");
    // A letter of another decision, which the bureau committed to here.
    let of = |change: &dyn Fn(&mut LetterContent)| {
        let mut said = letter();
        change(&mut said.content);
        let wanted = WantedLetter { commitment: said.commitment(), ..wanted };
        code(read_letter(|letter| change(&mut letter.content), |_| {}, 110, &wanted))
    };
    assert_eq!(of(&|content| content.round = 0), "letter_other");
    assert_eq!(of(&|content| content.step = 1), "letter_other");
    assert_eq!(of(&|content| content.case.0[0] ^= 1), "letter_other");
    assert_eq!(of(&|content| content.version = 2), "letter_version");
}

#[test]
fn a_letter_goes_to_who_presented_for_the_step_or_to_the_applicant() {
    let (mut item, case) = (registered(), case());
    let mut to = |waits_for: &[u8]| {
        item.steps.as_mut_slice()[0].waits_for = List::new(waits_for.to_vec()).unwrap();
        letter_slots(&item, &case, 0)
    };
    assert_eq!(to(&[0]), [0]);
    assert_eq!(to(&[0, 1]), [0, 1]);
    // Who has not joined has no letter key.
    assert_eq!(to(&[0, 2]), [0]);
    let applicant = case.applicant(&registered()).unwrap().0;
    assert_eq!((to(&[2]), to(&[])), (vec![applicant], vec![applicant]));
    assert_eq!(letter_slots(&item, &case, 9), [applicant]);
}
