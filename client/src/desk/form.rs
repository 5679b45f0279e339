//! What a party filled in and handed in, held against the item.

use kanhe_proto::case_file::CaseFile;
use kanhe_proto::identifiers::Day;
use kanhe_proto::item::{Field, FieldKind, Item, PartName};
use kanhe_proto::sd_jwt::json;
use serde_json::{Map, Value};

use super::row::Fault;
use crate::rules::is_amount;

/// Most characters of a text that was filled in.
const TEXT_CHARS_MAX: usize = 1_000;
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
