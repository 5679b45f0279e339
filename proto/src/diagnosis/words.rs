//! Times, spans and names as people read them, in both languages.

use jiff::Timestamp;
use jiff::tz::offset;

use super::{BureauSeen, Told};
use crate::validators::Address;

/// `2026-03-01 14:02:00 (UTC+8)`, of milliseconds since 1970.
pub fn moment(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX);
    let local = offset(8).to_datetime(at);
    format!("{} (UTC+8)", local.strftime("%Y-%m-%d %H:%M:%S"))
}

/// A length of time in one unit.
pub fn span(ms: u64) -> Told {
    let seconds = ms / 1_000;
    let (count, en, zh) = match seconds {
        0..120 => (seconds, "s", "秒"),
        120..7_200 => (seconds / 60, "min", "分钟"),
        7_200..172_800 => (seconds / 3_600, "h", "小时"),
        _ => (seconds / 86_400, "d", "天"),
    };
    Told::new(format!("{count} {en}"), format!("{count} {zh}"))
}

/// Bytes in the largest binary unit that leaves a digit.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// A bureau, else the beginning of an address.
pub(super) fn who(bureau: Option<&BureauSeen>, address: &Address) -> Told {
    match bureau {
        Some(bureau) => of(bureau),
        None => {
            let short: String = address.to_string().chars().take(12).collect();
            Told::new(format!("validator {short}"), format!("验证者 {short}"))
        }
    }
}

/// A bureau by name and code.
pub(super) fn of(bureau: &BureauSeen) -> Told {
    let name = |name: &str| match name {
        "" => bureau.uscc.to_string(),
        name => format!("{name} ({})", bureau.uscc),
    };
    Told::new(name(&bureau.en), name(&bureau.zh))
}

/// `a, b and c`.
pub(super) fn list(items: &[Told]) -> Told {
    let join = |texts: Vec<&str>, comma: &str, last: &str| match texts.split_last() {
        Some((one, rest)) if !rest.is_empty() => format!("{}{last}{one}", rest.join(comma)),
        Some((one, _)) => (*one).to_owned(),
        None => String::new(),
    };
    let en = items.iter().map(|item| item.en.as_str()).collect();
    let zh = items.iter().map(|item| item.zh.as_str()).collect();
    Told::new(join(en, ", ", " and "), join(zh, "、", "和"))
}
