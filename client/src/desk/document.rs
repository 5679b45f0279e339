//! The one JSON document that a step's rules see.

use kanhe_proto::case::Case;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Day;
use kanhe_proto::item::{Item, Step};
use serde_json::{Map, Value, json};

use super::row::Fault;

/// What one slot said, as far as it is right.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// The slot.
    pub slot: u8,
    /// Its party.
    pub party: String,
    /// Claims by ask.
    pub given: Map<String, Value>,
    /// Evidence by ask.
    pub evidence: Map<String, Value>,
    /// Fields.
    pub form: Map<String, Value>,
    /// For which enterprise it acts, if for one.
    pub mandate: Option<Map<String, Value>>,
}

/// What is known for a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// By slot.
    pub parts: Vec<Part>,
    /// By step that passes something: its values.
    pub passed: Map<String, Value>,
}

impl Document {
    /// Parties of which several say something: rules have one name for all of them, so an officer looks at each.
    pub fn several(&self) -> Vec<Fault> {
        let mut found: Vec<Fault> = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let before = self.parts[..at].iter().any(|other| other.party == part.party);
            let fault = Fault::of("party_several", Some(&part.party), "");
            if before && !found.contains(&fault) {
                found.push(fault);
            }
        }
        found
    }
}

/// The document as rules see it; of several slots of one party the one named `of`, else the first. What is optional and was
/// not said is absent.
pub fn document(item: &Item, step: &Step, case: &Case, known: &Document, of: Option<u8>) -> Map<String, Value> {
    let (mut given, mut evidence, mut form, mut mandate) = (Map::new(), Map::new(), Map::new(), Map::new());
    let of_party = |part: &Part| known.parts.iter().find(|other| Some(other.slot) == of && other.party == part.party);
    for part in &known.parts {
        let first = known.parts.iter().find(|other| other.party == part.party);
        let chosen = of_party(part).or(first);
        if chosen.is_none_or(|chosen| chosen.slot != part.slot) {
            continue;
        }
        given.extend(part.given.clone());
        evidence.extend(part.evidence.clone());
        form.extend(part.form.clone());
        mandate.extend(part.mandate.clone().map(|seen| (part.party.clone(), Value::Object(seen))));
    }
    let needed = |name: &str| needs(item, step).iter().any(|need| need == name);
    let passed: Map<String, Value> = known
        .passed
        .iter()
        .filter(|(name, _)| needed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let parties = case.slots.iter().filter_map(|slot| item.party.get(usize::from(slot.party)));
    let parties: Vec<&str> = parties.map(|party| party.code.as_str()).collect();
    let case = json!({
        "item": item.code.as_str(),
        "opened": Day::of(case.opened).to_string(),
        "parties": parties,
        "serial": serial(&case.id),
    });
    let members = [
        ("case", case),
        ("evidence", Value::Object(evidence)),
        ("form", Value::Object(form)),
        ("given", Value::Object(given)),
        ("mandate", Value::Object(mandate)),
        ("passed", Value::Object(passed)),
        // Nothing is read of other bureaus yet: whatever a rule says of it cannot be evaluated, so an officer decides.
        ("read", json!({})),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// 15 digits of a case's own, for numbers of certificates: of many millions of cases no two are likely to share one, and a
/// licence type whose numbers are unique refuses the second.
fn serial(id: &CaseId) -> String {
    let (first, _) = id.0.split_first_chunk().expect("an id has 32 bytes");
    format!("{:015}", u64::from_be_bytes(*first) % 1_000_000_000_000_000)
}

/// Steps that this one needs, directly or not.
fn needs(item: &Item, step: &Step) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open: Vec<&str> = step.needs.iter().map(|need| need.as_str()).collect();
    while let Some(name) = open.pop() {
        if found.iter().any(|known| known == name) {
            continue;
        }
        found.push(name.to_owned());
        let step = item.step.iter().find(|step| step.code.as_str() == name);
        open.extend(step.iter().flat_map(|step| step.needs.iter().map(|need| need.as_str())));
    }
    found
}
