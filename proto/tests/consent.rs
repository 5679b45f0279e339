//! Consents and reads: what is signed, what is in time and in order, what only those concerned can tell, and that no event
//! and no read can be left out.
#![allow(clippy::unwrap_used, reason = "helpers of tests are outside the tests themselves")]

mod world;

use std::collections::HashSet;

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::codec;
use kanhe_proto::consent::{
    AccessRecord, Act, Answered, Asked, Basis, Consent, ConsentError, ConsentEvent, ConsentHistory, ConsentPayload,
    ConsentRecord, Grant, HistoryError, Note, NoteError, Read, ReadList, ReadPayload, ReadRequest, Scope, SealedNote,
    SignedAct, SignedRead, SignedRequest, SourceReads, Statutory, Terms, TermsError, Trace, TraceKey, Under, Withdraw,
    act_bytes, consent_id, consent_key, consent_nonce, source_reads_key,
};
use kanhe_proto::hash::{ChainId, Commitment, ConsentId};
use kanhe_proto::ids::{Era, Height, LogIndex, ProtocolVersion, TimeMs};
use kanhe_proto::key::{PublicKey, Signer};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::ProvedRecord;
use kanhe_proto::record::Record;
use kanhe_proto::seal::SealingSecret;
use kanhe_proto::transaction::{Payload, PayloadError};
use kanhe_proto::vote::ChainContext;
use world::consents::{
    NOW, READER, SOURCE, asked, chain, consent, consent_key as key, grant, granted, id, read, request, scope, sent,
    signed_read, signed_request, statutory, terms, trace, under, withdrawn,
};
use world::{DAY, PERSON_TYPE, World, bureau, issuing_key, secret};

fn others() -> [ChainContext; 2] {
    [ChainContext { chain_id: ChainId([9; 32]), ..chain() }, ChainContext { era: Era(1), ..chain() }]
}

#[test]
fn acts_are_signed_by_one_key_on_one_chain() {
    for act in [granted(), withdrawn()] {
        act.verify(&chain(), &key().public_key()).unwrap();
        assert!(act.verify(&chain(), &secret(99).public_key()).is_err());
        assert!(others().iter().all(|other| act.verify(other, &key().public_key()).is_err()));
        assert_eq!(act.act.consent(&chain().chain_id), id());
    }
    assert_ne!(id(), consent_id(&ChainId([9; 32]), &key().public_key()));
    assert_ne!(consent_key(&id()).0, id().0);
}

/// Any byte changed: not decodable, or a signature does not hold.
#[test]
fn no_byte_of_what_is_signed_can_be_changed() {
    fn changed<T: codec::Encode + codec::Decode<()>>(value: &T, holds: impl Fn(&T) -> bool) {
        assert!(holds(value));
        let bytes = codec::encode(value);
        let mut read = 0;
        for place in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[place] ^= bit;
                let Ok(other) = codec::decode::<T>(&changed, 1 << 16) else { continue };
                assert!(!holds(&other), "byte {place}");
                read += 1;
            }
        }
        assert!(read > 100, "most changes can be read");
    }
    let (reader, source) = (issuing_key(READER).public_key(), issuing_key(SOURCE).public_key());
    for act in [granted(), withdrawn()] {
        changed::<SignedAct>(&act, |act| act.verify(&chain(), &key().public_key()).is_ok());
    }
    for basis in [under(1), statutory()] {
        changed::<SignedRequest>(&signed_request(basis.clone()), |request| request.verify(&chain(), &reader).is_ok());
        // The source signs the request with its signature as well.
        changed::<SignedRead>(&signed_read(basis, 1), |read| read.verify(&chain(), &source).is_ok());
    }
}

#[test]
fn a_read_is_signed_by_both_on_one_chain() {
    let (reader, source) = (issuing_key(READER).public_key(), issuing_key(SOURCE).public_key());
    let signed = signed_read(under(1), 1);
    signed.verify(&chain(), &source).unwrap();
    signed.read.request.verify(&chain(), &reader).unwrap();
    assert!(signed.verify(&chain(), &reader).is_err() && signed.read.request.verify(&chain(), &source).is_err());
    for other in &others() {
        assert!(signed.verify(other, &source).is_err() && signed.read.request.verify(other, &reader).is_err());
        assert_ne!(signed.request().id(other), signed.request().id(&chain()));
    }
    let bytes = signed.read.request.to_bytes();
    assert_eq!(SignedRequest::from_bytes(&bytes).unwrap(), signed.read.request);
    assert!(SignedRequest::from_bytes(&bytes[1..]).is_err());
    // What one signs is nothing that the other could have signed.
    assert!(key().verify(&act_bytes(&chain(), &granted().act), &signed.signature).is_err());
}

trait Verifies {
    fn verify(&self, message: &[u8], signature: &kanhe_proto::key::Signature)
    -> Result<(), kanhe_proto::key::KeyError>;
}
impl Verifies for kanhe_proto::key::SecretKey {
    fn verify(
        &self,
        message: &[u8],
        signature: &kanhe_proto::key::Signature,
    ) -> Result<(), kanhe_proto::key::KeyError> {
        self.public_key().verify(message, signature)
    }
}

#[test]
fn only_version_3_has_them_and_the_largest_fit() {
    let acts = ConsentPayload { acts: List::new(vec![granted(), withdrawn()]).unwrap() };
    let reads = ReadPayload { reads: List::new(vec![signed_read(under(1), 1), signed_read(statutory(), 2)]).unwrap() };
    assert_eq!((acts.signatures(), reads.signatures()), (2, 4));
    for (kind, payload) in [(8, Payload::Consent(acts.clone())), (9, Payload::AccessRecord(reads))] {
        let raw = payload.to_raw();
        for version in [1, 2] {
            let refused = Payload::from_raw(&raw, ProtocolVersion(version)).unwrap_err();
            assert_eq!(refused, PayloadError::UnknownKind { kind, version: 1 });
        }
        assert_eq!(Payload::from_raw(&raw, ProtocolVersion(3)).unwrap(), payload);
    }
    let only = |acts: Vec<SignedAct>| ConsentPayload { acts: List::new(acts).unwrap() }.only_withdraws();
    assert!(only(vec![withdrawn(), withdrawn()]));
    assert!(!only(vec![]) && !only(vec![granted()]) && !only(vec![withdrawn(), granted()]));
    assert_eq!(ConsentPayload::from_bytes(&acts.to_bytes()).unwrap(), acts);

    let long = |max: usize| Text::new("a".repeat(max)).unwrap();
    let widest = PublicKey { bytes: Blob::new([1; 65]).unwrap(), ..key().public_key() };
    let act = Act::Grant(Grant { key: widest, purpose: long(64), ..grant() }).sign(&chain(), &key()).unwrap();
    let payload = ConsentPayload { acts: List::new(vec![act; 32]).unwrap() };
    assert!(ConsentPayload::from_bytes(&payload.to_bytes()).is_ok());
    Payload::Consent(payload).to_raw();
    let basis = Basis::Statutory(Statutory { ground: long(64), case: Some(Default::default()) });
    let mut largest = signed_read(basis, 1);
    largest.read.request.request.purpose = long(64);
    assert!(SignedRequest::from_bytes(&largest.read.request.to_bytes()).is_ok());
    Payload::AccessRecord(ReadPayload { reads: List::new(vec![largest; 32]).unwrap() }).to_raw();
}

#[test]
fn a_grant_is_in_time_and_bounded() {
    grant().check(NOW).unwrap();
    let changed = |edit: &dyn Fn(&mut Grant)| {
        let mut grant = grant();
        edit(&mut grant);
        grant.check(NOW)
    };
    changed(&|grant| grant.accept_before = NOW).unwrap();
    changed(&|grant| grant.not_after = TimeMs(NOW.0 + 1)).unwrap();
    changed(&|grant| grant.reads = 1).unwrap();
    changed(&|grant| grant.reads = 1_000).unwrap();
    for late in [NOW.0 - 1, NOW.0 + DAY + 1] {
        assert_eq!(changed(&|grant| grant.accept_before = TimeMs(late)), Err(ConsentError::Late));
    }
    for end in [0, NOW.0, NOW.0 + 90 * DAY + 1, u64::MAX] {
        assert_eq!(changed(&|grant| grant.not_after = TimeMs(end)), Err(ConsentError::Shape));
    }
    for reads in [0, 1_001, u32::MAX] {
        assert_eq!(changed(&|grant| grant.reads = reads), Err(ConsentError::Shape));
    }
    let sealing = SealingSecret::from_seed([1; 32]).public_key();
    assert_eq!(changed(&|grant| grant.key = sealing.clone()), Err(ConsentError::Shape));
    let leaf = Consent::granted(id(), &grant(), NOW, LogIndex(3));
    assert_eq!((leaf.left, leaf.next(), leaf.forget.0), (3, 1, NOW.0 + 120 * DAY));
}

#[test]
fn a_read_under_a_consent_is_the_next_one_of_whom_and_what_it_is_for() {
    let judge = |consent: &Consent, request: &ReadRequest, time: u64| consent.check_read(request, TimeMs(time));
    let (consent, right) = (consent(), request(under(2)));
    judge(&consent, &right, NOW.0).unwrap();
    judge(&consent, &right, consent.not_after.0).unwrap();
    assert_eq!(judge(&consent, &right, consent.not_after.0 + 1), Err(ConsentError::Over));
    for n in [0, 1, 3] {
        assert_eq!(judge(&consent, &request(under(n)), NOW.0), Err(ConsentError::Order(2)));
    }
    let other = |edit: &dyn Fn(&mut ReadRequest)| {
        let mut request = right.clone();
        edit(&mut request);
        assert_eq!(judge(&consent, &request, NOW.0), Err(ConsentError::Other));
    };
    other(&|request| request.reader = bureau(1));
    other(&|request| request.purpose = Text::new("other").unwrap());
    other(&|request| request.basis = Basis::Consent(Under { id: ConsentId([1; 32]), n: 2 }));
    other(&|request| request.basis = statutory());
    let spent = Consent { left: 0, ..consent.clone() };
    assert_eq!(judge(&spent, &request(under(4)), NOW.0), Err(ConsentError::Spent));
    spent.check_withdraw(NOW).unwrap();
    let gone = Consent { withdrawn: Some(NOW), ..consent.clone() };
    assert_eq!(judge(&gone, &right, NOW.0), Err(ConsentError::Withdrawn));
    assert_eq!(gone.check_withdraw(NOW), Err(ConsentError::Withdrawn));
    assert_eq!(consent.check_withdraw(TimeMs(consent.not_after.0 + 1)), Err(ConsentError::Over));
}

#[test]
fn a_request_is_good_for_ten_minutes() {
    let request = request(statutory());
    for (time, right) in
        [(NOW.0 - 60_001, false), (NOW.0 - 60_000, true), (NOW.0 + 600_000, true), (NOW.0 + 600_001, false)]
    {
        assert_eq!(request.check_time(TimeMs(time)).is_ok(), right, "{time}");
    }
    assert_eq!(request.good_until().0, NOW.0 + 600_000);
}

#[test]
fn terms_cover_what_is_asked_and_are_those_committed_to() {
    let (committed, source) = (grant().terms, bureau(SOURCE));
    let check = |terms: &Terms, asked: &Asked| terms.check(&committed, &[7; 32], &source, asked);
    check(&terms(), &asked()).unwrap();
    assert_eq!(terms().check(&committed, &[8; 32], &source, &asked()), Err(TermsError::Commitment));
    assert_eq!(terms().check(&committed, &[7; 32], &bureau(1), &asked()), Err(TermsError::Source));
    let wider = Terms::new(source, scope(&[(PERSON_TYPE, &["ZZMC", "address", "city", "name"])]));
    assert_eq!(check(&wider, &asked()), Err(TermsError::Commitment));
    let asks = |types: &[(&str, &[&str])]| check(&terms(), &Asked::new(asked().subject, scope(types)));
    asks(&[("demo-biz", &["ZZMC"]), (PERSON_TYPE, &["address"])]).unwrap();
    assert_eq!(asks(&[(PERSON_TYPE, &["ZZMC", "city"])]), Err(TermsError::Beyond));
    assert_eq!(asks(&[("demo-biz", &["name"])]), Err(TermsError::Beyond));
    assert_eq!(asks(&[("other", &["ZZMC"])]), Err(TermsError::Beyond));
    for wrong in [
        &[][..],
        &[(PERSON_TYPE, &[][..])],
        &[(PERSON_TYPE, &["name", "ZZMC"][..])],
        &[(PERSON_TYPE, &["name", "name"][..])],
        &[(PERSON_TYPE, &[""][..])],
        &[(PERSON_TYPE, &["ZZMC"][..]), ("demo-biz", &["ZZMC"][..])],
        // The key of the trace is never shown.
        &[(PERSON_TYPE, &["kanhe_trace"][..])],
    ] {
        assert_eq!(asks(wrong), Err(TermsError::Scope), "{wrong:?}");
        assert_eq!(Terms::new(source, scope(wrong)).check_form(), Err(TermsError::Scope));
    }
    assert_eq!(Terms { version: 2, ..terms() }.check_form(), Err(TermsError::Version(2)));
    assert_eq!(Asked { version: 0, ..asked() }.check_form(), Err(TermsError::Version(0)));
    assert_eq!(Terms::from_bytes(&terms().to_bytes()).unwrap(), terms());
    assert_eq!(Asked::from_bytes(&asked().to_bytes()).unwrap(), asked());
    let nonces = [
        consent_nonce(&id(), &committed),
        consent_nonce(&ConsentId([1; 32]), &committed),
        consent_nonce(&id(), &Commitment([1; 32])),
    ];
    assert_eq!(nonces.iter().collect::<HashSet<_>>().len(), 3);
}

#[test]
fn a_note_says_to_the_person_what_was_read_and_to_nobody_else() {
    let (request, note) = (request(under(1)), Note::of(&asked().scope));
    let sealed = trace().seal(&chain(), &request, 4, &note).unwrap();
    assert_eq!((note.left_out, trace().open(&chain(), &request, 4, &sealed)), (0, Ok(note.clone())));
    let refused = Err(NoteError::Unopenable);
    assert_eq!(trace().open(&chain(), &request, 5, &sealed), refused);
    assert_eq!(TraceKey::from_random([1; 32]).open(&chain(), &request, 4, &sealed), refused);
    for other in &others() {
        assert_eq!(trace().open(other, &request, 4, &sealed), refused);
    }
    // Under the record of another request it says nothing, even of the same source and reader.
    let later = ReadRequest { nonce: [9; 32], ..request.clone() };
    assert_eq!(trace().open(&chain(), &later, 4, &sealed), refused);
    for place in 0..256 {
        let mut changed = sealed;
        changed.0[place] ^= 1;
        assert_eq!(trace().open(&chain(), &request, 4, &changed), refused, "byte {place}");
    }
    // Another note under the same number has another nonce, the same note the same bytes.
    assert_eq!(trace().seal(&chain(), &request, 4, &note).unwrap(), sealed);
    let other = trace().seal(&chain(), &request, 4, &Note::default()).unwrap();
    assert_ne!(other.0[..12], sealed.0[..12]);
    assert_ne!(trace().seal(&chain(), &later, 5, &note).unwrap().0[12..], sealed.0[12..]);
    let json = serde_json::to_string(&sealed).unwrap();
    assert_eq!(serde_json::from_str::<SealedNote>(&json).unwrap(), sealed);
}

#[test]
fn what_does_not_fit_into_a_note_is_cut_and_counted() {
    let names = |count: usize, len: usize| -> Vec<String> { (0..count).map(|at| format!("{at:0len$}")).collect() };
    let of = |claims: &[String]| -> Scope {
        let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
        scope(&[("a", &claims), ("b", &["x"])])
    };
    let around = |scope: &Scope| {
        let note = Note::of(scope);
        let sealed = trace().seal(&chain(), &request(under(1)), 1, &note).unwrap();
        assert_eq!(trace().open(&chain(), &request(under(1)), 1, &sealed).unwrap(), note);
        let kept: usize = note.scope.iter().map(|of_type| of_type.claims.len()).sum();
        let all: usize = scope.iter().map(|of_type| of_type.claims.len()).sum();
        assert_eq!(kept + usize::from(note.left_out), all);
        (kept, note)
    };
    // 224 bytes: 3 for each type and its code of one character, 1 and the name for each claim.
    assert_eq!(around(&of(&names(24, 8))).0, 25);
    let (kept, cut) = around(&of(&names(25, 8)));
    assert_eq!((kept, cut.left_out, cut.scope.len()), (24, 2, 1), "nothing after the first that does not fit");
    assert_eq!(around(&of(&names(3, 64))).0, 4);
    assert_eq!(around(&of(&names(4, 64))).0, 3);
    assert_eq!(around(&Scope::empty()), (0, Note::default()));
    let many: Vec<(String, Vec<String>)> = (0..16).map(|at| (format!("t{at:031}"), names(64, 64))).collect();
    let all: Vec<(&str, Vec<&str>)> =
        many.iter().map(|(code, claims)| (code.as_str(), claims.iter().map(String::as_str).collect())).collect();
    let all: Vec<(&str, &[&str])> = all.iter().map(|(code, claims)| (*code, claims.as_slice())).collect();
    assert_eq!(around(&scope(&all)).0, 2);
    // Handed over whole it is no note.
    let whole = Note { scope: scope(&all), left_out: 0 };
    assert_eq!(trace().seal(&chain(), &request(under(1)), 1, &whole), Err(NoteError::Malformed));
}

/// Bytes of a record that are not the same in each record of the two bureaus on this purpose.
fn secret_parts(read: &SignedRead) -> Vec<Vec<u8>> {
    let request = read.request();
    vec![
        request.nonce.to_vec(),
        request.asked.0.to_vec(),
        read.read.request.signature.bytes.to_vec(),
        read.read.tag.0.to_vec(),
        read.read.note.0.to_vec(),
        codec::encode(&read.read.answered)[1..].to_vec(),
        read.signature.bytes.to_vec(),
    ]
}

/// Sequences of four bytes that two records have in common where they could differ.
fn in_common(one: &SignedRead, other: &SignedRead) -> usize {
    let windows = |read: &SignedRead| -> HashSet<Vec<u8>> {
        secret_parts(read).iter().flat_map(|part| part.windows(4).map(<[u8]>::to_vec).collect::<Vec<_>>()).collect()
    };
    windows(one).intersection(&windows(other)).count()
}

/// What a node sees of two reads about one person does not tell them from reads about two: all but the public facts differs,
/// and all that is equal is equal in the records about somebody else as well.
#[test]
fn two_reads_about_one_person_share_nothing_that_links_them() {
    let made = |trace: &TraceKey, person: &str, n: u64, fresh: u8| {
        let subject = kanhe_proto::consent::Subject { id_number: Text::new(person).unwrap(), ..asked().subject };
        let asked = Asked::new(subject, asked().scope);
        let basis = Basis::Statutory(Statutory { ground: Text::new("account").unwrap(), case: None });
        let request = ReadRequest {
            nonce: kanhe_proto::hash::sha256(&[b"nonce", &[fresh]]),
            asked: asked.commitment(&kanhe_proto::hash::sha256(&[b"asked", &[fresh]])),
            ..request(basis)
        };
        let request = request.sign(&chain(), &issuing_key(READER)).unwrap();
        // The same is read of both, and the same answer is sent.
        let disclosed = kanhe_proto::case::commitment(&kanhe_proto::hash::sha256(&[b"sent", &[fresh]]), b"response");
        let note = trace.seal(&chain(), &request.request, n, &Note::of(&asked.scope)).unwrap();
        let read = Read { tag: trace.tag(n), note, answered: Answered::Given(disclosed), ..read(request, n) };
        read.sign(&chain(), &issuing_key(SOURCE)).unwrap()
    };
    let (hers, his) = (TraceKey::from_random([1; 32]), TraceKey::from_random([2; 32]));
    let first = made(&hers, "11010519491231002X", 1, 1);
    let second = made(&hers, "11010519491231002X", 2, 2);
    let another = made(&his, "110105194912310038", 1, 3);
    for (one, other) in [(&first, &second), (&first, &another), (&second, &another)] {
        assert_eq!(in_common(one, other), 0);
        // The public facts are those of the two bureaus, whoever it is about.
        let blank = |read: &SignedRead| {
            let mut blank = read.clone();
            let request = &mut blank.read.request;
            (request.request.nonce, request.request.asked) = ([0; 32], Commitment::default());
            request.signature = first.signature.clone();
            (blank.read.tag.0, blank.read.note.0) = ([0; 16], [0; 256]);
            (blank.read.answered, blank.signature) = (Answered::Given(Commitment::default()), first.signature.clone());
            codec::encode(&blank)
        };
        assert_eq!(blank(one), blank(other));
    }
    // The measure would find a tag, nonce or commitment that comes again.
    let mut linked = second.clone();
    linked.read.tag = first.read.tag;
    assert!(in_common(&first, &linked) > 0);
    // She recognises both, he his own.
    let found = |key: &TraceKey| -> Vec<Option<u64>> {
        let mut trace = Trace::new(key.clone());
        [&first, &second, &another].map(|read| trace.recognise(&read.read.tag)).to_vec()
    };
    assert_eq!(found(&hers), [Some(1), Some(2), None]);
    assert_eq!(found(&his), [None, None, Some(1)]);
    let note = hers.open(&chain(), second.request(), 2, &second.read.note).unwrap();
    assert_eq!(note.scope, asked().scope);
}

fn act_record(before: Option<LogIndex>, act: SignedAct) -> ConsentRecord {
    ConsentRecord { consent: id(), before, act, height: Height(7), time: NOW }
}
fn access(number: u64, before: Option<LogIndex>, read: SignedRead) -> AccessRecord {
    AccessRecord { number, before, read, height: Height(7), time: NOW }
}

/// A log with the events of a consent between other reads.
fn logged() -> (World, Consent, Vec<LogIndex>) {
    let mut world = World::new();
    let mut places = vec![world.record(&act_record(None, granted()))];
    world.record(&access(0, None, signed_read(statutory(), 9)));
    places.push(world.record(&access(1, Some(places[0]), signed_read(under(1), 1))));
    world.record(&access(2, None, signed_read(statutory(), 10)));
    places.push(world.record(&access(3, Some(places[1]), signed_read(under(2), 2))));
    places.push(world.record(&act_record(Some(places[2]), withdrawn())));
    let leaf = Consent { left: 1, last: places[3], withdrawn: Some(NOW), ..consent() };
    world.state.insert(consent_key(&id()), leaf.to_value());
    let reads = SourceReads { source: bureau(SOURCE), count: 4, last: places[2] };
    world.state.insert(source_reads_key(&bureau(SOURCE)), reads.to_value());
    (world, leaf, places)
}

#[test]
fn events_of_a_consent_cannot_be_left_out() {
    let (world, leaf, places) = logged();
    let header = world.header();
    let proved = world.state_leaf(consent_key(&id()));
    assert_eq!(proved.read::<Consent>(&header.state_root, &consent_key(&id())).unwrap(), Some(leaf.clone()));
    let mut list = ConsentHistory::of(&leaf);
    for place in places.iter().rev() {
        assert_eq!((list.wanted(), list.is_whole()), (Some(*place), false));
        list.push(&header, &world.proved_record(*place)).unwrap();
    }
    assert_eq!(list.events().len(), 4);
    let extra = list.clone().push(&header, &world.proved_record(places[0])).map(|_| ());
    assert_eq!(extra, Err(HistoryError::OtherEvent(places[0])));
    let kinds: Vec<bool> =
        list.into_whole().unwrap().iter().map(|(_, event)| matches!(event, ConsentEvent::Read(_))).collect();
    assert_eq!(kinds, [false, true, true, false]);

    let mut list = ConsentHistory::of(&leaf);
    let refused =
        |list: &mut ConsentHistory, proved: &ProvedRecord| list.push(&header, proved).map(|_| ()).unwrap_err();
    // Neither an earlier one, nor a read on a rule, nor what the log does not have.
    for other in [places[2], LogIndex(places[0].0 + 1)] {
        assert_eq!(refused(&mut list, &world.proved_record(other)), HistoryError::OtherEvent(other));
    }
    let mut forged = world.proved_record(places[3]);
    let mut bytes = forged.record.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    forged.record = Blob::new(bytes).unwrap();
    assert!(matches!(refused(&mut list, &forged), HistoryError::Merkle(_)));
    assert!(list.into_whole().is_none());
}

#[test]
fn a_history_begins_with_its_grant() {
    let (mut world, leaf, _) = logged();
    for record in [act_record(None, withdrawn()).to_record(), access(9, None, signed_read(under(1), 1)).to_record()] {
        let last = LogIndex(world.records.len() as u64);
        world.records.push(record);
        let mut list = ConsentHistory::of(&Consent { last, ..leaf.clone() });
        let refused = list.push(&world.header(), &world.proved_record(last)).map(|_| ()).unwrap_err();
        assert_eq!(refused, HistoryError::OtherEvent(last));
    }
    let last = world.record(&act_record(Some(LogIndex(1)), granted()));
    let mut list = ConsentHistory::of(&Consent { last, ..leaf });
    assert!(list.push(&world.header(), &world.proved_record(last)).is_err());
}

#[test]
fn reads_of_a_source_are_counted_without_gaps() {
    let (world, _, places) = logged();
    let header = world.header();
    let key = source_reads_key(&bureau(SOURCE));
    let counted = world.state_leaf(key).read::<SourceReads>(&header.state_root, &key).unwrap().unwrap();
    let all: Vec<LogIndex> = (places[0].0 + 1..=places[2].0).map(LogIndex).collect();
    let mut list = ReadList::of(bureau(SOURCE), Some(&counted), 0);
    let mut mine = Trace::new(trace());
    let mut found = Vec::new();
    for (number, place) in (0..).zip(&all) {
        assert_eq!(list.wanted(), Some(number));
        let record = list.push(&header, &world.proved_record(*place)).unwrap();
        found.extend(mine.recognise(&record.read.read.tag));
    }
    assert!(list.is_whole());
    assert_eq!((found, mine.missing()), (vec![9, 1, 10, 2], vec![3, 4, 5, 6, 7, 8]));

    let refused = |from, source: usize, place: LogIndex| {
        let mut list = ReadList::of(bureau(source), Some(&counted), from);
        list.push(&header, &world.proved_record(place)).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(0, SOURCE, all[1]), HistoryError::OtherEvent(all[1]), "one is left out");
    assert_eq!(refused(4, SOURCE, all[3]), HistoryError::OtherEvent(all[3]), "beyond the count");
    assert_eq!(refused(0, 1, all[0]), HistoryError::OtherEvent(all[0]), "another source");
    assert!(matches!(refused(0, SOURCE, places[0]), HistoryError::Record(_)));
    assert!(ReadList::of(bureau(1), None, 0).is_whole());
    assert_eq!((sent(), Withdraw { consent: id() }.consent), (sent(), id()));
}
