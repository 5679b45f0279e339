//! What a rule of a step may name.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::item::{Item, Step};
use kanhe_proto::registry::HolderKind;

/// What evidence says of a licence.
const EVIDENCE: [&str; 6] = ["as_of", "issued", "issuer", "status", "type", "version"];
/// What is known of the enterprise for which a party acts; `refused` alone if it may not.
const MANDATE: [&str; 5] = ["opened_by", "own", "refused", "type", "uscc"];
/// What is known of the case itself.
const CASE: [&str; 4] = ["item", "opened", "parties", "serial"];

/// Names under names; nothing: whatever comes below is not looked at.
type Known = BTreeMap<String, Option<BTreeSet<String>>>;

/// Names that expressions may begin with, and what is known below them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(BTreeMap<&'static str, Known>);

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotKnown {
    /// The name as far as it is wrong.
    pub(super) name: String,
    /// What could be said instead.
    pub(super) instead: Vec<String>,
}

impl Scope {
    /// What the rules of a step see: what its bureau is sent, reads, and is passed by the steps that it needs.
    pub fn of(item: &Item, step: &Step) -> Self {
        let to = |roles: &[kanhe_proto::item::PartName]| roles.contains(&step.by);
        let tops = |claims: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
            claims.map(|claim| claim.split(['.', '[']).next().unwrap_or_default().to_owned()).collect()
        };
        let asks = item.ask.iter().filter(|ask| to(&ask.to));
        let given: Known = asks
            .map(|ask| (ask.code.to_string(), Some(tops(&mut ask.claims.iter().map(|claim| claim.as_str())))))
            .collect();
        let evidence = given.keys().map(|code| (code.clone(), Some(EVIDENCE.map(str::to_owned).into()))).collect();
        let form = item.field.iter().filter(|field| to(&field.to)).map(|field| (field.code.to_string(), None));
        let reads = item.read.iter().filter(|read| read.by == step.by);
        let read = reads
            .map(|read| (read.code.to_string(), Some(tops(&mut read.claims.iter().map(|claim| claim.as_str())))))
            .collect();
        let needed = before(item, step);
        let sees = |other: &Step| needed.contains(other.code.as_str()) && is_told(item, other, step);
        let passed = item.step.iter().filter(|other| sees(other)).map(|other| {
            (other.code.to_string(), Some(other.passes.keys().map(ToString::to_string).collect::<BTreeSet<_>>()))
        });
        let enterprises = item.party.iter().filter(|party| party.kind == HolderKind::Enterprise);
        let mandate = enterprises
            .filter(|party| item.sends(&party.code, &step.by))
            .map(|party| (party.code.to_string(), Some(MANDATE.map(str::to_owned).into())));
        Self(BTreeMap::from([
            ("mandate", mandate.collect()),
            ("given", given),
            ("evidence", evidence),
            ("form", form.collect()),
            ("read", read),
            ("passed", passed.collect()),
            ("case", CASE.map(|name| (name.to_owned(), None)).into()),
        ]))
    }

    /// Checks the names from the first to the last.
    pub(super) fn look_up(&self, names: &[&str]) -> Result<(), NotKnown> {
        let wrong = |count: usize, instead: Vec<String>| NotKnown { name: names[..count].join("."), instead };
        let Some(root) = self.0.get(names[0]) else {
            return Err(wrong(1, self.0.keys().map(|name| (*name).to_owned()).collect()));
        };
        let Some(second) = names.get(1) else { return Ok(()) };
        let Some(below) = root.get(*second) else { return Err(wrong(2, root.keys().cloned().collect())) };
        match (below, names.get(2)) {
            (Some(known), Some(third)) if !known.contains(*third) => Err(wrong(3, known.iter().cloned().collect())),
            _ => Ok(()),
        }
    }
}

/// Whether the bureau of a step is told what another passes: that goes to the bureaus of steps which need the other directly,
/// and to nobody else.
fn is_told(item: &Item, other: &Step, step: &Step) -> bool {
    item.step.iter().any(|later| later.by == step.by && later.needs.contains(&other.code))
}

/// Steps that this one needs, directly or not.
fn before<'a>(item: &'a Item, step: &'a Step) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = step.needs.iter().map(|need| need.as_str()).collect();
    while let Some(name) = open.pop() {
        if found.insert(name)
            && let Some(step) = item.step.iter().find(|step| step.code.as_str() == name)
        {
            open.extend(step.needs.iter().map(|need| need.as_str()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemSource;
    use crate::rules::{RuleFaultKind, check};

    const FLAT: &str = include_str!("../../../deploy/items/flat-registration.toml");

    /// What a rule of the last step may say of what the first passes.
    fn told(change: impl Fn(&str) -> String) -> Vec<RuleFaultKind> {
        let first = "auto = true\nlimit_days = 1\n";
        assert!(FLAT.contains(first));
        let text = FLAT.replacen(first, &format!("{first}passes = {{ at = \"form.building\" }}\n"), 1);
        let item = ItemSource::of(change(&text)).unwrap().item;
        let last = item.step.last().unwrap();
        let found = check("passed.filing.at != \"\"", Some(&Scope::of(&item, last)));
        found.into_iter().map(|fault| fault.kind).collect()
    }

    #[test]
    fn a_rule_names_what_its_bureau_is_told_and_nothing_else() {
        // Filing goes to tax and bank; registration needs it through them.
        assert_eq!(told(str::to_owned), [RuleFaultKind::Name]);
        let direct =
            |text: &str| text.replace("needs = [\"tax\", \"mortgage\"]", "needs = [\"tax\", \"mortgage\", \"filing\"]");
        assert_eq!(told(direct), []);
        // The same bureau has it from a step of its own between.
        let own = |text: &str| text.replace("by = \"bank\"\nneeds", "by = \"registry\"\nneeds");
        assert_eq!(told(own), []);
    }
}
