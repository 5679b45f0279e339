//! Identifiers against published values, and what they refuse.

use std::fmt::Debug;
use std::str::FromStr;

use kanhe_proto::codec;
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::{
    ChainName, ChainRef, Day, Did, IdentifierError, KeyUrl, LicenceNumber, LicenceVersion, PersonId, Reason, TypeCode,
    TypeVersion, Uscc, Vct,
};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::KeyId;
use proptest::prelude::*;

fn reason<T: FromStr<Err = IdentifierError> + Debug>(text: &str) -> Reason {
    text.parse::<T>().expect_err("refused").reason
}

/// Text, JSON and bytes say the same, and decoding checks as parsing does.
fn agrees<T>(text: &str)
where
    T: FromStr<Err = IdentifierError>
        + Debug
        + PartialEq
        + codec::Encode
        + codec::Decode<()>
        + serde::Serialize
        + serde::de::DeserializeOwned,
{
    let value: T = text.parse().expect("valid");
    let json = serde_json::to_string(&value).expect("serialises");
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<T>(&json).expect("reads"), value);
    let bytes = codec::encode(&value);
    assert_eq!(bytes, codec::encode(&text.to_owned()));
    assert_eq!(codec::decode::<T>(&bytes, 1 << 10).expect("decodes"), value);

    let mut wrong = text.to_owned().into_bytes();
    wrong[0] = b'!';
    let wrong = String::from_utf8(wrong).expect("ASCII");
    assert!(codec::decode::<T>(&codec::encode(&wrong), 1 << 10).is_err());
    assert!(serde_json::from_str::<T>(&format!("\"{wrong}\"")).is_err());
}

const CHAIN_ID: ChainId = ChainId([0xA5; 32]);

fn chain() -> ChainRef {
    ChainRef::new("jinan".parse().expect("name"), &CHAIN_ID)
}

fn did() -> Did {
    Did::new(chain(), "91110000600037341L".parse().expect("code"))
}

#[test]
fn usccs_of_listed_companies() {
    // From the companies' own public filings: among them Tencent, Alibaba, Huawei, Baidu, Xiaomi.
    for code in [
        "91110000600037341L",
        "9144030071526726XG",
        "91330100799655058B",
        "914403001922038216",
        "91110000802100433B",
        "91110108551385082Q",
        "91350100M000100Y43",
    ] {
        agrees::<Uscc>(code);
        assert_eq!(Uscc::with_check(&code[..17]).expect("valid").as_str(), code);
    }
    let code: Uscc = "9144030071526726XG".parse().expect("valid");
    assert_eq!(code.region(), "440300");
    assert_eq!(reason::<Uscc>("91110000600037341M"), Reason::CheckCharacter);
    assert_eq!(reason::<Uscc>("91110000600037341"), Reason::Length);
    assert_eq!(reason::<Uscc>("9111000060003734IL"), Reason::Character);
    assert_eq!(reason::<Uscc>("91110000600037341l"), Reason::CheckCharacter);
    assert_eq!(reason::<Uscc>("9111000060003734中"), Reason::Length);
}

#[test]
fn person_ids_of_the_standard() {
    for number in ["11010519491231002X", "440524188001010014"] {
        agrees::<PersonId>(number);
        assert_eq!(PersonId::with_check(&number[..17]).expect("valid").as_str(), number);
    }
    let person: PersonId = "11010519491231002X".parse().expect("valid");
    assert_eq!(person.birthday().to_string(), "1949-12-31");
    assert!(!format!("{person:?}").contains("1949"));
    assert_eq!(reason::<PersonId>("110105194912310021"), Reason::CheckCharacter);
    assert_eq!(reason::<PersonId>("11010519491231002x"), Reason::CheckCharacter);
    assert_eq!(reason::<PersonId>("11010519490230002X"), Reason::Date);
    assert_eq!(reason::<PersonId>("11010519491331002X"), Reason::Date);
    assert_eq!(reason::<PersonId>("01010519491231002X"), Reason::Form);
    assert_eq!(reason::<PersonId>("1101051949123100X"), Reason::Length);
    assert_eq!(reason::<PersonId>("1101051949123A002X"), Reason::Character);
    assert!(PersonId::with_check("11010519490230002").is_err());
}

#[test]
fn licence_numbers() {
    // The check character by hand from the rule of ISO 7064 MOD 37,36 in DESIGN: see `check.rs` for its vectors.
    let issuer: Uscc = "91110000600037341L".parse().expect("valid");
    let code: TypeCode = "11100000MB03271699043".parse().expect("valid");
    let number = LicenceNumber::new(code, issuer, "00000001".parse().expect("valid"), LicenceVersion::FIRST)
        .expect("capitals and digits");
    let text = number.to_string();
    assert!(text.starts_with("1.2.156.3005.2.11100000MB03271699043.91110000600037341L.00000001.001."));
    agrees::<LicenceNumber>(&text);

    let next = number.next_version().expect("room");
    assert_eq!(next.version().get(), 2);
    assert_eq!((next.issuer(), next.serial(), next.type_code()), (issuer, number.serial(), number.type_code()));
    assert_ne!(next.check_character(), number.check_character());
    let last = LicenceNumber::new(number.type_code().clone(), issuer, number.serial().clone(), LicenceVersion::LAST)
        .expect("valid");
    assert_eq!(last.next_version(), None);

    let body = &text[..text.len() - 1];
    let wrong = if text.ends_with('0') { '1' } else { '0' };
    assert_eq!(reason::<LicenceNumber>(&format!("{body}{wrong}")), Reason::CheckCharacter);
    assert_eq!(reason::<LicenceNumber>(body), Reason::CheckCharacter);
    assert_eq!(reason::<LicenceNumber>(&format!("{text}.1")), Reason::Form);
    assert_eq!(reason::<LicenceNumber>(&text[1..]), Reason::Form);
    assert_eq!(reason::<LicenceNumber>(&text.replace(".001.", ".000.")), Reason::Number);
    assert_eq!(reason::<LicenceNumber>(&text.replace(".001.", ".1.")), Reason::Number);
    assert_eq!(reason::<LicenceNumber>(&text.replace(".001.", ".+01.")), Reason::Number);
    let lower: TypeCode = "demo-1".parse().expect("a catalogue code");
    assert!(LicenceNumber::new(lower, issuer, number.serial().clone(), LicenceVersion::FIRST).is_err());
}

#[test]
fn chains_dids_and_kids() {
    agrees::<ChainName>("jinan2026");
    assert_eq!(reason::<ChainName>(""), Reason::Length);
    assert_eq!(reason::<ChainName>(&"a".repeat(25)), Reason::Length);
    assert_eq!(reason::<ChainName>("Jinan"), Reason::Character);
    assert_eq!(reason::<ChainName>("a-b"), Reason::Character);

    assert_eq!(chain().to_string(), "jinan-uws2ljnfuws2ljnf");
    agrees::<ChainRef>("jinan-uws2ljnfuws2ljnf");
    assert!(chain().is_of(&CHAIN_ID) && !chain().is_of(&ChainId([0xA4; 32])));
    assert_eq!(reason::<ChainRef>("jinan-uws2ljnfuws2ljn"), Reason::Length);
    assert_eq!(reason::<ChainRef>("jinan-UWS2LJNFUWS2LJNF"), Reason::Character);
    assert_eq!(reason::<ChainRef>("jinan-1ws2ljnfuws2ljnf"), Reason::Character);
    assert_eq!(reason::<ChainRef>("jinan"), Reason::Form);

    let text = "did:kanhe:jinan-uws2ljnfuws2ljnf:91110000600037341L";
    assert_eq!(did().to_string(), text);
    agrees::<Did>(text);
    assert_eq!(reason::<Did>(&text[1..]), Reason::Form);
    assert_eq!(reason::<Did>(&format!("{text}1")), Reason::Length);

    let kid = did().key_url(KeyId([7; 16]));
    assert_eq!(kid.to_string(), format!("{text}#BwcHBwcHBwcHBwcHBwcHBw"));
    agrees::<KeyUrl>(&kid.to_string());
    assert_eq!(reason::<KeyUrl>(text), Reason::Form);
    assert_eq!(reason::<KeyUrl>(&format!("{text}#BwcHBwcHBwcHBwcHBwcHBx")), Reason::Form);
}

#[test]
fn types() {
    agrees::<Vct>("urn:kanhe:type:11100000MB03271699043:2");
    let vct: Vct = "urn:kanhe:type:demo-1:7".parse().expect("valid");
    assert_eq!((vct.code.as_str(), vct.version), ("demo-1", TypeVersion(7)));
    assert_eq!(reason::<Vct>("urn:kanhe:type:demo-1"), Reason::Form);
    assert_eq!(reason::<Vct>("urn:other:type:demo-1:1"), Reason::Form);
    assert_eq!(reason::<Vct>("urn:kanhe:type:demo-1:01"), Reason::Number);
    assert_eq!(reason::<Vct>("urn:kanhe:type:demo-1:+1"), Reason::Number);
    assert_eq!(reason::<Vct>("urn:kanhe:type:demo-1:4294967296"), Reason::Number);
    assert_eq!(reason::<Vct>("urn:kanhe:type:demo_1:1"), Reason::Character);
    assert_eq!(reason::<Vct>("urn:kanhe:type::1"), Reason::Length);
}

#[test]
fn days() {
    agrees::<Day>("2026-02-28");
    let day: Day = "2026-03-01".parse().expect("valid");
    // 2026-02-28T16:00:00Z.
    assert_eq!(day.start(), TimeMs(1_772_294_400_000));
    assert_eq!(day.end(), TimeMs(1_772_294_400_000 + 86_400_000));
    assert_eq!(Day::of(day.start()), day);
    assert_eq!(Day::of(TimeMs(day.end().0 - 1)), day);
    assert_eq!(Day::of(TimeMs(day.start().0 - 1)).to_string(), "2026-02-28");
    assert_eq!("1949-10-01".parse::<Day>().expect("valid").start(), TimeMs(0));
    assert_eq!("9999-12-31".parse::<Day>().expect("valid").end(), TimeMs(253_402_272_000_000));
    assert_eq!(Day::of(TimeMs(u64::MAX)).to_string(), "9999-12-31");
    assert_eq!(reason::<Day>("2026-02-29"), Reason::Date);
    assert_eq!(reason::<Day>("2026-2-28"), Reason::Length);
    assert_eq!(reason::<Day>("2026/02/28"), Reason::Form);
    assert_eq!(reason::<Day>("+026-02-28"), Reason::Form);
}

proptest! {
    #[test]
    fn one_wrong_character_is_always_found(body in "[0-9A-HJ-NP-RTUW-Y]{17}", at in 0usize..17, to in "[0-9A-HJ-NP-RTUW-Y]") {
        let code = Uscc::with_check(&body).expect("of the alphabet").to_string();
        let mut wrong = code.clone();
        wrong.replace_range(at..=at, &to);
        prop_assert_eq!(wrong.parse::<Uscc>().is_ok(), wrong == code);
    }

    #[test]
    fn parsing_never_panics(text in ".{0,40}") {
        let _ = text.parse::<Uscc>();
        let _ = text.parse::<PersonId>();
        let _ = text.parse::<LicenceNumber>();
        let _ = text.parse::<KeyUrl>();
        let _ = text.parse::<Vct>();
        let _ = text.parse::<Day>();
    }
}
