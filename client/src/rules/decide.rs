//! What follows from the rules of a step.

use kanhe_proto::item::{Item, Otherwise, Outcome, PartName, Step};
use serde_json::{Map, Value};

use super::job::{Answer, Holds, Job, Source};

/// How a step ends by its rules, and because of which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// How.
    pub outcome: Outcome,
    /// The first rule that did not hold, or could not be evaluated.
    pub rule: Option<PartName>,
    /// Why it could not be.
    pub reason: Option<String>,
}

impl Job {
    /// All that a step needs: its rules, what it passes on, and the claims of what it yields.
    pub fn of(item: &Item, step: &Step, input: Map<String, Value>) -> Self {
        let rules = step.rules.iter().filter_map(|code| item.rule.iter().find(|rule| rule.code == *code));
        let rules = rules.map(|rule| Source { name: rule.code.to_string(), cel: rule.holds.to_string() }).collect();
        let passes = step.passes.iter().map(|(name, cel)| (format!("passes.{name}"), cel));
        let yields =
            item.yields.iter().filter(|given| given.step == step.code).flat_map(|given| {
                given.claims.iter().map(|(claim, cel)| (format!("yield.{}.{claim}", given.code), cel))
            });
        let values = passes.chain(yields).map(|(name, cel)| Source { name, cel: cel.to_string() }).collect();
        Self { rules, values, input }
    }
}

/// The first rule that does not hold decides; one that cannot be evaluated leaves it to an officer, and so does a step
/// that is not automatic.
pub fn decide(item: &Item, step: &Step, answer: &Answer) -> Decided {
    for (code, holds) in step.rules.iter().zip(&answer.rules) {
        let rule = Some(code.clone());
        match holds {
            Holds::Yes => {}
            Holds::Unknown(reason) => {
                return Decided { outcome: Outcome::Officer, rule, reason: Some(reason.clone()) };
            }
            Holds::No => {
                let otherwise = item.rule.iter().find(|rule| rule.code == *code).map(|rule| rule.otherwise);
                let outcome = match otherwise {
                    Some(Otherwise::Reject) => Outcome::Rejected,
                    Some(Otherwise::Return) => Outcome::Returned,
                    Some(Otherwise::Officer) | None => Outcome::Officer,
                };
                return Decided { outcome, rule, reason: None };
            }
        }
    }
    let outcome = if step.auto { Outcome::Approved } else { Outcome::Officer };
    Decided { outcome, rule: None, reason: None }
}
