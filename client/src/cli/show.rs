//! Facts in words, for several commands.

use kanhe_proto::identifiers::Day;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::sd_jwt::KEPT_CLAIMS;
use kanhe_proto::status::Status;
use serde_json::{Map, Value};

use crate::talk::{moment, say};
use crate::wallet::Standing;

/// A status in words.
pub fn status(status: Status) -> String {
    match status {
        Status::Active => say("licence.active", &[]),
        Status::Suspended => say("licence.suspended", &[]),
        Status::Superseded => say("licence.superseded", &[]),
        Status::Revoked => say("licence.revoked", &[]),
    }
}

/// How a licence stands and as of when.
pub fn standing(standing: &Standing, now: TimeMs) -> String {
    let word = match (standing.status, standing.in_time) {
        (Status::Active, false) => say("licence.out_of_time", &[]),
        (other, _) => status(other),
    };
    say("licence.as_of", &[("status", &word), ("time", &moment(standing.as_of.0, now.0))])
}

/// The last day on which a licence is good; `exp` is the moment after it.
pub fn last_day(expires: Option<TimeMs>) -> String {
    expires.map_or_else(|| say("licence.long_term", &[]), |end| Day::of(TimeMs(end.0.saturating_sub(1))).to_string())
}

/// A claim's value on one line.
pub fn value(value: &Value) -> String {
    clean(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Claims as they are shown: those that nobody is to see over a shoulder or in a file are left out.
pub fn told(claims: &Map<String, Value>) -> Map<String, Value> {
    let kept = |name: &str| KEPT_CLAIMS.contains(&name);
    claims.iter().filter(|(name, _)| !kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Text of others, without control characters and without marks that turn the direction of what follows.
pub fn clean(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_the_one_before_the_end() {
        let day: Day = "2027-12-31".parse().unwrap();
        assert_eq!(last_day(Some(day.end())), "2027-12-31");
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(value(&serde_json::json!("银行")), "银行");
    }
}
