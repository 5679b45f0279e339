//! Moments as people in China read them: their clock, and how long ago.

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};

use super::say;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// `14:02 (UTC+8), 35 min ago`; with the date if that is another day than today's. Both in milliseconds since 1970.
pub fn moment(at_ms: u64, now_ms: u64) -> String {
    format!("{} (UTC+8), {}", clock(at_ms, now_ms), age(at_ms, now_ms))
}

/// `35 min ago`, `in 2 h`, `just now`.
pub fn age(at_ms: u64, now_ms: u64) -> String {
    let past = i64::try_from(now_ms.abs_diff(at_ms)).unwrap_or(i64::MAX);
    let key = match (past, at_ms <= now_ms) {
        (0..MINUTE_MS, _) => return say("time.now", &[]),
        (_, true) => "time.ago",
        (_, false) => "time.ahead",
    };
    let span = match past {
        0..HOUR_MS => say("time.minutes", &[("count", &(past / MINUTE_MS))]),
        HOUR_MS..DAY_MS => say("time.hours", &[("count", &(past / HOUR_MS))]),
        _ => say("time.days", &[("count", &(past / DAY_MS))]),
    };
    say(key, &[("span", &span)])
}

fn clock(at_ms: u64, now_ms: u64) -> String {
    let zone = TimeZone::fixed(offset(8));
    let local = |ms: u64| {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_zoned_datetime(zone.clone())
    };
    let (at, now) = (local(at_ms), local(now_ms));
    let form = if at.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_name_the_day_only_when_it_is_another() {
        // 2026-03-01 06:02 UTC.
        let at = 1_772_344_920_000;
        assert_eq!(moment(at, at + 35 * 60_000), "14:02 (UTC+8), 35 min ago");
        assert_eq!(moment(at, at), "14:02 (UTC+8), just now");
        assert_eq!(moment(at, at + 26 * 3_600_000), "2026-03-01 14:02 (UTC+8), 1 d ago");
        assert_eq!(moment(at + 7_200_000, at), "16:02 (UTC+8), in 2 h");
        assert!(moment(u64::MAX, 0).contains("(UTC+8)"));
    }
}
