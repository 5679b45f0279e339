//! Consents, reads with what is said in them, and the classes of data that are read.

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::consent::{self, AccessRecord, ConsentPayload, ConsentRecord, Note, ReadPayload, SourceReads};
use kanhe_proto::governance::{Action, Proposal};
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::mail::{MailAnswer, MailRequest};
use kanhe_proto::record::Record;
use kanhe_proto::registry::{Authority, DataCatalogue, DataClass, DataDeclaration, DataEntry, Intervals};
use kanhe_proto::sharing::{ReadAnswer, ReadOutcome, answer_nonce};
use kanhe_proto::text;
use kanhe_proto::transaction::{Payload, TRANSACTION_VERSION, TransactionBody};

use super::{golden, golden_bytes, golden_leaf, golden_text};
use crate::world::{self, PERSON_TYPE, World, bureau, issuing_key, sealing};

#[test]
fn consents_and_reads() {
    use world::consents::{
        SOURCE, asked, chain, consent, grant, granted, id, read, refused_read, request, signed_read, signed_request,
        statutory, terms, trace, under, withdrawn,
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
    golden("read-refused.hex", &refused_read(under(2), 9));
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
