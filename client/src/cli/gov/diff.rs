//! Registry records before and after, as lines.

use std::collections::BTreeMap;

use kanhe_proto::api::RegistryChange;
use kanhe_proto::map_value::{Kind, MapValue};
use kanhe_proto::registry::{
    Accreditation, Bureau, DataCatalogue, DataClass, ItemCatalogue, KeyEntry, LicenceType, Membership, Parameters,
    Purpose, RelyingParty, Schedule, Seats, ServiceItem, Supervision,
};
use serde::Serialize;
use serde_json::Value;

use crate::cli::show::clean;
use crate::talk::say;

/// A registry record that would change.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ChangeShown {
    /// What kind of record: bureau, key, type, …
    pub kind: &'static str,
    /// As it is; nothing if it is new.
    pub before: Option<Value>,
    /// As it would be.
    pub after: Value,
}

impl ChangeShown {
    /// Reads a change; one of a kind that this software does not know is shown as `unknown`.
    pub fn of(change: &RegistryChange) -> Self {
        let (kind, after) = read(&change.after);
        Self { kind, before: change.before.as_ref().map(|before| read(before).1), after }
    }

    /// One line for the record, and one for each difference.
    pub fn lines(&self) -> Vec<String> {
        let title = say("gov.diff.title", &[("kind", &kind_word(self.kind)), ("name", &self.name())]);
        let sign = if self.before.is_some() { '~' } else { '+' };
        let mut lines = vec![format!("{sign} {title}")];
        let before = self.before.as_ref().map(flat).unwrap_or_default();
        let after = flat(&self.after);
        for (path, value) in &after {
            match before.get(path) {
                Some(same) if same == value => {}
                Some(other) => lines.push(format!("    {path}: {} → {}", clean(other), clean(value))),
                None => lines.push(format!("  + {path}: {}", clean(value))),
            }
        }
        let gone = before.iter().filter(|(path, _)| !after.contains_key(*path));
        lines.extend(gone.map(|(path, value)| format!("  - {path}: {}", clean(value))));
        lines
    }

    fn name(&self) -> String {
        let members = ["uscc", "bureau", "supervisor", "issuer", "role", "code", "type_code", "version"];
        let texts = members.iter().filter_map(|member| self.after.get(*member)).map(plain);
        clean(&texts.collect::<Vec<_>>().join(" "))
    }
}

fn kind_word(kind: &str) -> String {
    match kind {
        "bureau" => say("gov.diff.bureau", &[]),
        "key" => say("gov.diff.key", &[]),
        "type" => say("gov.diff.licence_type", &[]),
        "accreditation" => say("gov.diff.accreditation", &[]),
        "relying_party" => say("gov.diff.relying_party", &[]),
        "supervision" => say("gov.diff.supervision", &[]),
        "parameters" => say("gov.diff.parameters", &[]),
        "purpose" => say("gov.diff.purpose", &[]),
        "membership" => say("gov.diff.membership", &[]),
        "seats" => say("gov.diff.seats", &[]),
        "schedule" => say("gov.diff.schedule", &[]),
        "item" => say("gov.diff.item", &[]),
        "items" => say("gov.diff.items", &[]),
        "data_class" => say("gov.diff.data_class", &[]),
        "data_catalogue" => say("gov.diff.data_catalogue", &[]),
        _ => say("gov.diff.unknown", &[]),
    }
}

fn read(value: &[u8]) -> (&'static str, Value) {
    match value.first().copied().and_then(Kind::from_byte) {
        Some(Kind::Bureau) => ("bureau", json::<Bureau>(value)),
        Some(Kind::Key) => ("key", json::<KeyEntry>(value)),
        Some(Kind::LicenceType) => ("type", json::<LicenceType>(value)),
        Some(Kind::Accreditation) => ("accreditation", json::<Accreditation>(value)),
        Some(Kind::RelyingParty) => ("relying_party", json::<RelyingParty>(value)),
        Some(Kind::Supervision) => ("supervision", json::<Supervision>(value)),
        Some(Kind::Parameters) => ("parameters", json::<Parameters>(value)),
        Some(Kind::Purpose) => ("purpose", json::<Purpose>(value)),
        Some(Kind::Membership) => ("membership", json::<Membership>(value)),
        Some(Kind::ServiceItem) => ("item", json::<ServiceItem>(value)),
        Some(Kind::ItemCatalogue) => ("items", json::<ItemCatalogue>(value)),
        Some(Kind::DataClass) => ("data_class", json::<DataClass>(value)),
        Some(Kind::DataCatalogue) => ("data_catalogue", json::<DataCatalogue>(value)),
        Some(Kind::Seats) => ("seats", json::<Seats>(value)),
        Some(Kind::Schedule) => ("schedule", json::<Schedule>(value)),
        _ => ("unknown", Value::Null),
    }
}

fn json<T: MapValue + Serialize>(value: &[u8]) -> Value {
    T::from_value(value).ok().and_then(|record| serde_json::to_value(record).ok()).unwrap_or_default()
}

/// Each plain value under its path. Elements of a list are named by their key where they have one, else by their own
/// text or place, so that one that comes does not shift those behind it.
fn flat(value: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    flatten("", value, &mut found);
    found
}

fn flatten(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| flatten(&below(name), value, found)),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                let key = ["key", "type_code", "code"].iter().find_map(|name| item.get(*name)).map(plain);
                match (item, key) {
                    (Value::Object(_), key) => {
                        let name = key.unwrap_or_else(|| (place + 1).to_string());
                        flatten(&format!("{path}[{name}]"), item, found);
                    }
                    (plain_item, _) => {
                        found.insert(format!("{path}[{}]", plain(plain_item)), "✓".to_owned());
                    }
                }
            }
        }
        other => {
            found.insert(path.to_owned(), plain(other));
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kanhe_proto::bounded::{Blob, List};
    use kanhe_proto::identifiers::Uscc;

    #[test]
    fn only_what_differs_is_shown() {
        let bureaus = ["11370100MB2858147", "11370100MB2858155", "11370100MB2858163"];
        let bureaus: Vec<Uscc> = bureaus.iter().map(|first| Uscc::with_check(first).unwrap()).collect();
        let record = |members: &[Uscc]| {
            let membership = Membership { bureaus: List::new(members.to_vec()).unwrap() };
            Blob::new(membership.to_value()).unwrap()
        };
        let change = RegistryChange { before: Some(record(&bureaus[1..])), after: record(&bureaus[..2]) };
        let shown = ChangeShown::of(&change);
        assert_eq!(shown.kind, "membership");
        let lines = shown.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].starts_with("  + ") && lines[1].contains(&bureaus[0].to_string()), "{lines:?}");
        assert!(lines[2].starts_with("  - ") && lines[2].contains(&bureaus[2].to_string()), "{lines:?}");
        let unknown = RegistryChange { before: None, after: Blob::new(vec![99, 1]).unwrap() };
        assert_eq!(ChangeShown::of(&unknown).kind, "unknown");
    }
}
