//! Parameters by their names, as people set them.

use kanhe_proto::registry::Parameters;
use serde_json::{Map, Value, json};

use crate::given;
use crate::talk::{ExitCode, Failure};

/// Names of all parameters, as they are written.
pub const NAMES: [&str; 14] = [
    "heartbeat",
    "epoch_blocks",
    "trust_period",
    "block_bytes_max",
    "block_transactions_max",
    "block_updates_max",
    "block_signatures_max",
    "block_swept_max",
    "batch_count_max",
    "threshold_constitution",
    "threshold_catalogue",
    "threshold_emergency",
    "proposal_lifetime_max",
    "governance_key_delay",
];
/// Those that are spans of time.
const SPANS: [&str; 4] = ["heartbeat", "trust_period", "proposal_lifetime_max", "governance_key_delay"];

/// The parameters with these changed, each as `NAME=VALUE`: a span (30s, 7d), a share (2/3) or a number.
pub fn amend(current: &Parameters, values: &[String]) -> Result<Parameters, Failure> {
    let wrong = |value: &str| {
        let known = NAMES.join(", ");
        Failure::of(ExitCode::Usage, "gov_parameter", &[("value", &value), ("known", &known)])
    };
    let mut members = members(current);
    for given in values {
        let (name, text) = given.split_once('=').ok_or_else(|| wrong(given))?;
        let (name, text) = (name.trim(), text.trim());
        let value = value(name, text).ok_or_else(|| wrong(given))?;
        // Only what is there is replaced: a misspelt name changes nothing.
        *members.get_mut(name).ok_or_else(|| wrong(given))? = value;
    }
    serde_json::from_value(Value::Object(members)).map_err(|error| wrong(&error.to_string()))
}

fn members(parameters: &Parameters) -> Map<String, Value> {
    match serde_json::to_value(parameters) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn value(name: &str, text: &str) -> Option<Value> {
    if name.starts_with("threshold_") {
        let (numerator, denominator) = text.split_once('/')?;
        let (numerator, denominator): (u32, u32) = (numerator.parse().ok()?, denominator.parse().ok()?);
        return Some(json!({ "numerator": numerator, "denominator": denominator }));
    }
    let number = text.parse::<u64>().ok();
    let span = || given::span(text).ok().filter(|_| SPANS.contains(&name)).map(|span| span.0);
    number.or_else(span).map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kanhe_proto::ids::SpanMs;
    use kanhe_proto::registry::Threshold;

    #[test]
    fn all_names_are_parameters_and_only_those_named_change() {
        let before = Parameters::default();
        assert!(NAMES.iter().all(|name| members(&before).contains_key(*name)));
        assert_eq!(members(&before).len(), NAMES.len());
        let values = ["heartbeat=20s", "threshold_catalogue=3/5", "epoch_blocks=7"].map(str::to_owned);
        let after = amend(&before, &values).unwrap();
        let expected = Parameters {
            heartbeat: SpanMs(20_000),
            threshold_catalogue: Threshold { numerator: 3, denominator: 5 },
            epoch_blocks: 7,
            ..before.clone()
        };
        assert_eq!(after, expected);
        for value in ["heartbeet=3s", "heartbeat", "epoch_blocks=3s", "threshold_catalogue=1", "block_bytes_max=-1"] {
            assert_eq!(amend(&before, &[value.to_owned()]).unwrap_err().code, "gov_parameter", "{value}");
        }
    }
}
