//! The rules of an item on the samples in its file.

use std::collections::BTreeMap;

use kanhe_proto::item::{Item, Outcome, Sample, Step};
use schemars::JsonSchema;
use serde::Serialize;

use crate::rules::{Answer, Job, Made, Runner, RunnerError, decide};
use crate::talk::shape;

/// How a sample ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tried {
    /// What the sample shows.
    pub name: String,
    /// The step.
    pub step: String,
    /// What it says should come.
    #[schemars(with = "shape::StepOutcome")]
    pub expected: Outcome,
    /// What came; nothing if the rules gave no answer.
    #[schemars(with = "Option<shape::StepOutcome>")]
    pub outcome: Option<Outcome>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Why a rule could not be evaluated, or what differs.
    pub reason: Option<String>,
    /// Claims of what it yields, by yield; only if approved or left to an officer.
    pub yields: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether all is as the sample says.
    pub as_expected: bool,
}

/// Tries all samples, each in a process of its own.
pub fn try_samples(item: &Item, runner: &Runner) -> Vec<Tried> {
    let step = |sample: &Sample| item.step.iter().find(|step| step.code == sample.step);
    item.sample.iter().filter_map(|sample| Some(try_one(item, step(sample)?, sample, runner))).collect()
}

fn try_one(item: &Item, step: &Step, sample: &Sample, runner: &Runner) -> Tried {
    let mut tried = Tried {
        name: sample.name.to_string(),
        step: sample.step.to_string(),
        expected: sample.expect,
        outcome: None,
        rule: None,
        reason: None,
        yields: BTreeMap::new(),
        as_expected: false,
    };
    let job = Job::of(item, step, sample.input.clone());
    let answer = match runner.run(&job) {
        Ok(answer) => answer,
        Err(error) => return Tried { reason: Some(told(&error)), ..tried },
    };
    let decided = decide(item, step, &answer);
    tried.rule = decided.rule.as_ref().map(ToString::to_string);
    tried.reason = decided.reason;
    tried.outcome = Some(decided.outcome);
    let mut same = decided.outcome == sample.expect && (sample.rule.is_none() || sample.rule == decided.rule);
    if matches!(decided.outcome, Outcome::Approved | Outcome::Officer) && decided.rule.is_none() {
        match yielded(&job, &answer) {
            Ok(yields) => tried.yields = yields,
            Err(reason) => {
                tried.reason = Some(reason);
                same = false;
            }
        }
    }
    for (code, claims) in &sample.yields {
        let made = tried.yields.get(code.as_str());
        for (claim, expected) in claims {
            let found = made.and_then(|made| made.get(claim.as_str()));
            if found != Some(expected) {
                let found = found.map_or("-", String::as_str);
                tried.reason = Some(format!("{code}.{claim}: {found} ≠ {expected}"));
                same = false;
            }
        }
    }
    Tried { as_expected: same, ..tried }
}

fn told(error: &RunnerError) -> String {
    format!("{}: {error}", error.code())
}

/// Claims by yield; values that are passed on are only looked at for whether they can be made.
fn yielded(job: &Job, answer: &Answer) -> Result<BTreeMap<String, BTreeMap<String, String>>, String> {
    let mut yields: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (source, made) in job.values.iter().zip(&answer.values) {
        let text = match made {
            Made::Text(text) => text.clone(),
            Made::Unknown(reason) => return Err(format!("{}: {reason}", source.name)),
            Made::Whole(_) | Made::Truth(_) if source.name.starts_with("passes.") => continue,
            Made::Whole(_) | Made::Truth(_) => return Err(format!("{}: a claim is a text", source.name)),
        };
        let claim = source.name.strip_prefix("yield.").and_then(|rest| rest.split_once('.'));
        if let Some((code, claim)) = claim {
            yields.entry(code.to_owned()).or_default().insert(claim.to_owned(), text);
        }
    }
    Ok(yields)
}
