//! What a party filled in and handed in, held against the item.

use kanhe_proto::case_file::CaseFile;
use kanhe_proto::identifiers::Day;
use kanhe_proto::item::{Basis, Field, FieldKind, Item, PartName};
use kanhe_proto::sd_jwt::json;
use serde_json::{Map, Value};

use super::row::Fault;
use crate::case::{CONSENT_PAPER, TEXT_CHARS_MAX};
use crate::rules::is_amount;

/// Most characters of an amount.
const AMOUNT_CHARS_MAX: usize = 20;

/// What is right of it, and what is not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filled {
    /// Values by field.
    pub values: Map<String, Value>,
    /// Attachments: code in the item, name of the file, bytes.
    pub attachments: Vec<(String, String, u64)>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Reads the values and attachments of a party's file for a role of the item. What is not asked of this party for this
/// bureau is a fault, and so is what is missing.
pub fn fill(item: &Item, party: &str, role: &str, file: &CaseFile) -> Filled {
    let mut filled = Filled::default();
    let fault = |code: &str, about: &str| Fault::of(code, Some(party), about);
    let is_for = |of: &PartName, to: &[PartName]| of.as_str() == party && to.iter().any(|to| to.as_str() == role);
    for value in &file.values {
        let field = item.field.iter().find(|field| field.code == value.name && is_for(&field.of, &field.to));
        let Some(field) = field else {
            filled.faults.push(fault("field_unknown", &value.name));
            continue;
        };
        match json::parse(value.value.as_bytes()).ok().filter(|value| fits(field, value)) {
            Some(value) => {
                filled.values.insert(field.code.to_string(), value);
            }
            None => filled.faults.push(fault("field_wrong", &field.code)),
        }
    }
    let named = |name: &str| file.values.iter().any(|value| value.name.as_str() == name);
    let fields = item.field.iter().filter(|field| is_for(&field.of, &field.to));
    let missing = fields.filter(|field| !field.optional && !named(&field.code));
    filled.faults.extend(missing.map(|field| fault("field_missing", &field.code)));
    hand_in(item, file, &is_for, &fault, &mut filled);
    filled
}

/// A file's name is the attachment's code, with an ending or without.
fn hand_in(
    item: &Item,
    file: &CaseFile,
    is_for: &dyn Fn(&PartName, &[PartName]) -> bool,
    fault: &dyn Fn(&str, &str) -> Fault,
    filled: &mut Filled,
) {
    for attachment in &file.attachments {
        let name = attachment.name.as_str();
        if name.strip_prefix(CONSENT_PAPER).is_some_and(|code| is_consent(item, code, is_for)) {
            continue;
        }
        let code = name.split('.').next().unwrap_or_default();
        let asked = item.attachment.iter().find(|asked| asked.code.as_str() == code && is_for(&asked.of, &asked.to));
        let Some(asked) = asked else {
            filled.faults.push(fault("attachment_unknown", name));
            continue;
        };
        let bytes = attachment.content.len() as u64;
        if bytes > u64::from(asked.bytes_max) {
            filled.faults.push(fault("attachment_too_long", code));
        } else if filled.attachments.iter().any(|(known, _, _)| known == code) {
            filled.faults.push(fault("attachment_twice", code));
        } else {
            filled.attachments.push((code.to_owned(), name.to_owned(), bytes));
        }
    }
    for asked in item.attachment.iter().filter(|asked| is_for(&asked.of, &asked.to) && !asked.optional) {
        if !filled.attachments.iter().any(|(known, _, _)| known == asked.code.as_str()) {
            filled.faults.push(fault("attachment_missing", &asked.code));
        }
    }
}

/// Whether it is a consent for something that this bureau reads about this party.
fn is_consent(item: &Item, code: &str, is_for: &dyn Fn(&PartName, &[PartName]) -> bool) -> bool {
    item.read.iter().any(|read| {
        read.code.as_str() == code && read.basis == Basis::Consent && is_for(&read.of, std::slice::from_ref(&read.by))
    })
}

fn fits(field: &Field, value: &Value) -> bool {
    match (field.kind, value) {
        (FieldKind::Text, Value::String(text)) => text.chars().count() <= TEXT_CHARS_MAX,
        (FieldKind::Whole, Value::Number(number)) => number.as_i64().is_some(),
        (FieldKind::Day, Value::String(text)) => text.parse::<Day>().is_ok(),
        (FieldKind::Amount, Value::String(text)) => text.len() <= AMOUNT_CHARS_MAX && is_amount(text),
        (FieldKind::Choice, Value::String(text)) => field.choices.iter().any(|choice| choice.as_str() == text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::{Blob, List, Text};
    use kanhe_proto::case_file::{Attachment, Author, CASE_FILE_VERSION, NamedValue};
    use kanhe_proto::hash::{CaseId, ChainId};

    use super::*;
    use crate::item::ItemSource;

    const FLAT: &str = include_str!("../../../deploy/items/flat-registration.toml");

    fn item() -> Item {
        ItemSource::of(FLAT.to_owned()).unwrap().item
    }

    fn file(values: &[(&str, &str)], attachments: &[(&str, usize)]) -> CaseFile {
        let value = |(name, value): &(&str, &str)| NamedValue {
            name: Text::new(*name).unwrap(),
            value: Text::new(*value).unwrap(),
        };
        let attachment = |(name, bytes): &(&str, usize)| Attachment {
            name: Text::new(*name).unwrap(),
            content: Blob::new(vec![0; *bytes]).unwrap(),
        };
        CaseFile {
            version: CASE_FILE_VERSION,
            chain: ChainId([1; 32]),
            case: CaseId([2; 32]),
            to: "11370100MB1A0001X2".parse().unwrap(),
            from: Author::Slot(0),
            round: 0,
            values: List::new(values.iter().map(value).collect()).unwrap(),
            presentation: Blob::new([]).unwrap(),
            applications: List::empty(),
            attachments: List::new(attachments.iter().map(attachment).collect()).unwrap(),
            mandate: None,
            helped: None,
        }
    }

    fn codes(filled: &Filled) -> Vec<(&str, &str)> {
        filled.faults.iter().map(|fault| (fault.code.as_str(), fault.about.as_str())).collect()
    }

    #[test]
    fn what_is_asked_is_taken_with_its_kind() {
        let item = item();
        let filled = fill(&item, "developer", "housing", &file(&[("building", "\"3\"")], &[("floor_plan.pdf", 9)]));
        assert_eq!(codes(&filled), []);
        assert_eq!(filled.values["building"], "3");
        assert_eq!(filled.attachments, [("floor_plan".to_owned(), "floor_plan.pdf".to_owned(), 9)]);
        let filled = fill(&item, "buyer", "tax", &file(&[("homes", "2")], &[]));
        assert_eq!((codes(&filled), &filled.values["homes"]), (vec![], &Value::from(2)));
    }

    #[test]
    fn hostile_values_are_faults_and_no_values() {
        let item = item();
        for wrong in ["\"2\"", "2.5", "1e400", "null", "{\"a\":1,\"a\":2}", "[2]", "", "2 3", "99999999999999999999"] {
            let filled = fill(&item, "buyer", "tax", &file(&[("homes", wrong)], &[]));
            assert_eq!((codes(&filled), filled.values.len()), (vec![("field_wrong", "homes")], 0), "{wrong}");
        }
        // Of another party, for another bureau, or of nobody.
        for (party, role, name) in [("buyer", "bank", "homes"), ("developer", "tax", "homes"), ("buyer", "tax", "x")] {
            let filled = fill(&item, party, role, &file(&[(name, "1")], &[]));
            assert_eq!(filled.faults[0].code, "field_unknown", "{party} {role} {name}");
            assert!(filled.values.is_empty());
        }
        let long = format!("\"{}\"", "长".repeat(1_001));
        let filled = fill(&item, "developer", "housing", &file(&[("building", &long)], &[("floor_plan", 1)]));
        assert_eq!(codes(&filled), [("field_wrong", "building")]);
        let filled = fill(&item, "buyer", "bank", &file(&[("loan", "\"perhaps\"")], &[]));
        assert_eq!(codes(&filled), [("field_wrong", "loan")]);
        assert_eq!(codes(&fill(&item, "buyer", "tax", &file(&[], &[]))), [("field_missing", "homes")]);
    }

    #[test]
    fn attachments_are_those_that_are_asked_for_and_no_longer() {
        let item = item();
        let handed = |attachments: &[(&str, usize)]| {
            let filled = fill(&item, "developer", "housing", &file(&[("building", "\"3\"")], attachments));
            let codes: Vec<String> = filled.faults.iter().map(|fault| fault.code.clone()).collect();
            (codes, filled.attachments.len())
        };
        let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
        assert_eq!(handed(&[]), (codes(&["attachment_missing"]), 0));
        assert_eq!(handed(&[("floor_plan.a", 1), ("floor_plan.b", 1)]), (codes(&["attachment_twice"]), 1));
        assert_eq!(handed(&[("floor_plan", 8_000_001)]), (codes(&["attachment_too_long", "attachment_missing"]), 0));
        assert_eq!(handed(&[("floor_plan", 1), ("virus.exe", 1)]), (codes(&["attachment_unknown"]), 1));
    }
}
