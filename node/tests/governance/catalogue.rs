//! Types, accreditations, relying parties, purposes, service items and classes of data.

use kanhe_node::ledger::Code;
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::governance::Action;
use kanhe_proto::identifiers::{TypeVersion, Uscc};
use kanhe_proto::ids::{Height, ProtocolVersion, SpanMs, TimeMs};
use kanhe_proto::item::{BoundRole, Item, ItemVersion};
use kanhe_proto::key::Signer;
use kanhe_proto::registry::{
    Accreditation, Authority, DataCatalogue, DataClass, DataDeclaration, Effect, HolderKind, ItemCatalogue,
    LicenceType, Purpose, PurposeClass, RelyingParty, ServiceItem, Supervision,
};

use super::{Bench, names, secret};
use crate::common::{self, RARE_TYPE, TYPE};

#[test]
fn the_catalogue_changes_by_more_than_half() {
    let mut bench = Bench::new(3);
    let (code, schema) = ("11370100XX".parse::<kanhe_proto::identifiers::TypeCode>().unwrap(), r#"{"title":"x"}"#);
    let register = |schema: &str| Action::RegisterType {
        code: code.clone(),
        version: TypeVersion(1),
        names: names("type"),
        holder: HolderKind::Person,
        schema: Text::new(schema).unwrap(),
        max_age: SpanMs(1_000),
    };
    let id = (code.clone(), TypeVersion(1));
    let issuer = bench.uscc(0);
    let accredit = Action::Accredit { issuer, type_code: code.clone() };
    let supervise = Action::Supervise { supervisor: bench.uscc(1), issuer, type_code: code.clone() };
    let purpose = Text::new("loan").unwrap();
    let party = |purposes: Vec<&str>| Action::RegisterRelyingParty {
        uscc: common::uscc(50),
        names: names("bank"),
        request_key: secret("bank").public_key(),
        may_ask: List::empty(),
        purposes: List::new(purposes.into_iter().map(|code| Text::new(code).unwrap()).collect()).unwrap(),
    };
    bench.refuses_action(party(vec!["loan"]), Code::NoSuch);
    let class = PurposeClass::PublicBenefit;
    let loan = Action::RegisterPurpose { code: purpose.clone(), names: names("loan"), class };
    let all = vec![register(schema), accredit.clone(), supervise.clone(), loan, party(vec!["loan"])];
    let outcome = bench.decide(all);
    assert_eq!(outcome.schemas[0].1, schema);
    let now = |bench: &Bench| bench.height;
    assert!(bench.get::<LicenceType>(&id).unwrap().intervals.hold_at(now(&bench)));
    assert!(bench.get::<Accreditation>(&(issuer, code.clone())).unwrap().intervals.hold_at(now(&bench)));
    bench.refuses_action(register(r#"{"title":"y"}"#), Code::ExistsAlready);
    bench.refuses_action(register(schema), Code::ExistsAlready);
    bench.refuses_action(accredit, Code::ExistsAlready);
    bench.decide(vec![party(vec![])]);
    assert!(bench.get::<RelyingParty>(&common::uscc(50)).unwrap().purposes.is_empty());
    let from = Height(1);
    bench.decide(vec![
        Action::RetireType { code: code.clone(), version: TypeVersion(1), effect: Effect::Keep },
        Action::WithdrawAccreditation { issuer, type_code: code.clone(), effect: Effect::VoidFrom(from) },
        Action::EndSupervision { supervisor: bench.uscc(1), issuer, type_code: code.clone() },
        Action::RemoveRelyingParty { uscc: common::uscc(50) },
        Action::RetirePurpose { code: purpose.clone() },
    ]);
    let before = Height(now(&bench).0 - 1);
    assert!(!bench.get::<LicenceType>(&id).unwrap().intervals.hold_at(now(&bench)));
    assert!(bench.get::<LicenceType>(&id).unwrap().intervals.hold_at(before));
    assert!(!bench.get::<Accreditation>(&(issuer, code.clone())).unwrap().intervals.hold_at(before), "voided");
    let supervision = bench.get::<Supervision>(&(bench.uscc(1), issuer, code)).unwrap();
    assert!(supervision.intervals.hold_at(before) && !supervision.intervals.hold_at(now(&bench)));
    assert!(!bench.get::<Purpose>(&purpose).unwrap().intervals.hold_at(now(&bench)));
    bench.refuses_action(Action::RetirePurpose { code: purpose }, Code::NoSuch);
    bench.refuses_action(
        Action::Accredit { issuer: common::uscc(8), type_code: TYPE.parse().unwrap() },
        Code::NotMember,
    );
}

/// An item of one step, which issues licences of the type that only the first office may issue.
fn item(version: u32) -> Item {
    let words = serde_json::json!({"zh": "词", "en": "word"});
    let kind = format!("{RARE_TYPE}:1");
    serde_json::from_value(serde_json::json!({
        "format": 1, "code": "permit", "version": version, "region": "370100", "names": words, "about": words,
        "purpose": "permits", "life_days": 30,
        "party": [{"code": "owner", "names": words, "kind": "person", "opens": true, "applicant": true}],
        "bureau": [{"code": "office", "names": words}],
        "ask": [{"code": "shown", "of": "owner", "to": ["office"], "types": [kind], "claims": ["CZZT"], "why": words}],
        "step": [{"code": "decide", "names": words, "by": "office", "waits_for": ["owner"], "limit_days": 1, "final": true}],
        "yield": [{"code": "given", "step": "decide", "type": kind, "to": "owner", "claims": {"CZZT": "given.shown.CZZT"}}],
    }))
    .unwrap()
}

#[test]
fn items_are_registered_amended_and_retired() {
    let mut bench = Bench::new(3);
    let register = |text: String, bureau: Uscc| Action::RegisterItem {
        file: Text::new(text).unwrap(),
        bound: List::new(vec![BoundRole {
            role: Text::new("office").unwrap(),
            bureaus: List::new(vec![bureau]).unwrap(),
        }])
        .unwrap(),
    };
    let (own, other) = (bench.uscc(0), bench.uscc(1));
    let purpose = |class| Action::RegisterPurpose { code: Text::new("permits").unwrap(), names: names("p"), class };
    let good = |version| register(item(version).to_json(), own);
    bench.refuses_action(good(1), Code::NoSuch);
    bench.decide(vec![purpose(PurposeClass::Commercial)]);
    bench.refuses_action(good(1), Code::NoSuch);
    bench.decide(vec![Action::RetirePurpose { code: Text::new("permits").unwrap() }]);
    bench.decide(vec![purpose(PurposeClass::PublicBenefit)]);
    bench.refuses_action(register(item(1).to_json(), other), Code::NotAccredited);
    bench.refuses_action(register(item(1).to_json(), common::uscc(8)), Code::NotMember);
    bench.refuses_action(good(2), Code::NoSuch);
    let unknown = item(1).to_json().replace(&format!("{RARE_TYPE}:1"), &format!("{RARE_TYPE}:9"));
    bench.refuses_action(register(unknown, own), Code::UnknownType);
    bench.refuses_action(register(item(1).to_json().replace("\"final\":true,", ""), own), Code::ProposalWrong);
    bench.refuses_action(register(format!("{} ", item(1).to_json()), own), Code::ProposalWrong);
    let retire = Action::RetireItem { code: Text::new("permit").unwrap() };
    bench.refuses_action(retire.clone(), Code::NoSuch);

    let outcome = bench.decide(vec![good(1)]);
    assert_eq!(outcome.schemas[0].1, item(1).to_json(), "the file is kept to be served");
    let record = |bench: &Bench, version| {
        bench.get::<ServiceItem>(&(Text::new("permit").unwrap(), ItemVersion(version))).unwrap()
    };
    assert_eq!((record(&bench, 1).file, record(&bench, 1).steps.len()), (item(1).digest(), 1));
    assert!(record(&bench, 1).intervals.hold_at(bench.height));
    bench.refuses_action(good(1), Code::ExistsAlready);
    bench.refuses_action(good(3), Code::NoSuch);
    bench.decide(vec![good(2)]);
    assert!(!record(&bench, 1).intervals.hold_at(bench.height) && record(&bench, 2).intervals.hold_at(bench.height));
    assert!(record(&bench, 1).intervals.hold_at(Height(bench.height.0 - 1)), "cases of then stand");
    let catalogue = |bench: &Bench| bench.get::<ItemCatalogue>(&()).unwrap().items.to_vec();
    assert_eq!((catalogue(&bench)[0].newest, catalogue(&bench)[0].in_force), (ItemVersion(2), true));
    bench.decide(vec![retire.clone()]);
    assert!(!record(&bench, 2).intervals.hold_at(bench.height) && !catalogue(&bench)[0].in_force);
    bench.refuses_action(retire, Code::NoSuch);
    bench.decide(vec![good(3)]);
    assert_eq!((catalogue(&bench).len(), catalogue(&bench)[0].newest), (1, ItemVersion(3)));
}

#[test]
fn a_bureau_declares_and_retires_its_own_data() {
    let mut bench = Bench::new(3);
    let (bureau, other) = (bench.uscc(1), bench.uscc(2));
    let class = |bench: &Bench, code: &str, count| DataDeclaration {
        code: Text::new(code).unwrap(),
        names: names(code),
        type_code: Some(TYPE.parse().unwrap()),
        count,
        as_of: bench.time,
    };
    let declare = |classes: Vec<DataDeclaration>| Action::DeclareData { bureau, classes: List::new(classes).unwrap() };
    let retire = |codes: &[&str]| {
        let classes = codes.iter().map(|code| Text::new(*code).unwrap()).collect();
        Action::RetireData { bureau, classes: List::new(classes).unwrap() }
    };
    let own = |bench: &Bench, action: Action| bench.own(1, vec![action]);
    let got = |bench: &Bench, code: &str| bench.get::<DataClass>(&(bureau, Text::new(code).unwrap())).unwrap();
    // Nobody else does it for the bureau, not even all together.
    bench.refuses_action(declare(vec![class(&bench, "a", 1)]), Code::NotOwn);
    bench.refuses_action(retire(&["a"]), Code::NotOwn);
    let outcome = bench.commit(&own(&bench, declare(vec![class(&bench, "a", 1), class(&bench, "b", 2)])));
    assert_eq!(outcome.records.len(), 1, "how it stood is in the log");
    assert_eq!((got(&bench, "a").declared.count, got(&bench, "a").intervals.all().len()), (1, 1));
    assert_eq!(got(&bench, "a").intervals.all()[0].by, Authority::Bureau(bureau));
    // Said anew it is the same class as it stands now.
    bench.commit(&own(&bench, declare(vec![class(&bench, "a", 5)])));
    assert_eq!((got(&bench, "a").declared.count, got(&bench, "a").intervals.all().len()), (5, 1));
    let listed = |bench: &Bench| {
        let catalogue = bench.get::<DataCatalogue>(&bureau).unwrap();
        catalogue.classes.iter().map(|entry| (entry.code.to_string(), entry.in_force)).collect::<Vec<_>>()
    };
    assert_eq!(listed(&bench), [("a".into(), true), ("b".into(), true)]);
    bench.commit(&own(&bench, retire(&["a"])));
    assert!(!got(&bench, "a").intervals.hold_at(bench.height) && got(&bench, "b").intervals.hold_at(bench.height));
    assert_eq!(listed(&bench), [("a".into(), false), ("b".into(), true)]);
    bench.refuses(&own(&bench, retire(&["a"])), Code::NoSuch);
    bench.refuses(&own(&bench, retire(&["b", "c"])), Code::NoSuch);
    // It may come back.
    bench.commit(&own(&bench, declare(vec![class(&bench, "a", 7)])));
    assert_eq!((listed(&bench)[0].1, got(&bench, "a").intervals.all().len()), (true, 2));

    for wrong in [vec![], vec![class(&bench, "b", 1), class(&bench, "a", 1)], vec![class(&bench, "", 1)]] {
        bench.refuses(&own(&bench, declare(wrong)), Code::ProposalWrong);
    }
    bench.refuses(&own(&bench, retire(&[])), Code::ProposalWrong);
    bench.refuses(&own(&bench, retire(&["b", "a"])), Code::ProposalWrong);
    let unnamed = DataDeclaration { names: names(""), ..class(&bench, "c", 1) };
    bench.refuses(&own(&bench, declare(vec![unnamed])), Code::ProposalWrong);
    let rare = DataDeclaration { type_code: Some(RARE_TYPE.parse().unwrap()), ..class(&bench, "c", 1) };
    bench.refuses(&own(&bench, declare(vec![rare])), Code::NotAccredited);
    let later = DataDeclaration { as_of: TimeMs(bench.time.0 + 60_001), ..class(&bench, "c", 1) };
    bench.refuses(&own(&bench, declare(vec![later])), Code::EffectiveLater);
    // As many as there is room for, and no more.
    for part in 0..4 {
        let classes = (0..64).map(|at| class(&bench, &format!("x{:03}", 64 * part + at), 1)).collect();
        let full = own(&bench, declare(classes));
        match part {
            3 => bench.refuses(&full, Code::RegistryFull),
            _ => drop(bench.commit(&full)),
        }
    }
    assert_eq!((listed(&bench).len(), bench.get::<DataCatalogue>(&other)), (2 + 192, None));
    bench.protocol = ProtocolVersion(2);
    bench.refuses(&own(&bench, retire(&["b"])), Code::ProposalWrong);
}

#[test]
fn protocol_version_2_has_no_items() {
    let mut bench = Bench::new(3);
    bench.protocol = ProtocolVersion(2);
    let bound = BoundRole { role: Text::new("office").unwrap(), bureaus: List::new(vec![bench.uscc(0)]).unwrap() };
    let file = Text::new(item(1).to_json()).unwrap();
    bench.refuses_action(Action::RegisterItem { file, bound: List::new(vec![bound]).unwrap() }, Code::ProposalWrong);
    bench.refuses_action(Action::RetireItem { code: Text::new("permit").unwrap() }, Code::ProposalWrong);
}
