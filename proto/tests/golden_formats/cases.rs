//! Service items, cases with their files, and the accounts of those who open them.

use kanhe_proto::account::{self, AccountPayload, AccountRecord, MandateBody};
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{self, Act, CaseEvent, CasePayload, CaseRecord, CaseStatus};
use kanhe_proto::case_file::{
    Attachment, Author, BoundFile, CASE_FILE_VERSION, CaseFile, FilePart, Helped, HelpedAsk, HelpedPickup, NamedValue,
    PART_BYTES,
};
use kanhe_proto::consent;
use kanhe_proto::hash::{CaseId, ProposalId};
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::item::{Item, ItemVersion};
use kanhe_proto::key::Signer;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::pickup::PickupHash;
use kanhe_proto::record::Record;
use kanhe_proto::registry::{Authority, CatalogueEntry, Intervals, ItemCatalogue, RegistryRecord};
use kanhe_proto::transaction::{Payload, TRANSACTION_VERSION, TransactionBody};

use super::{golden, golden_bytes, golden_leaf, golden_text};
use crate::world::{self, PERSON_TYPE, World, bureau, issuing_key, sealing, secret};

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
