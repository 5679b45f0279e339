//! Calendar days of Asia/Shanghai, in which licences begin and end.

use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::Date;

use crate::ids::TimeMs;

use super::{IdentifierError, Reason, as_text, print_text};

const DAY_MS: i64 = 86_400_000;
/// China keeps UTC+8 all year. Its summer times of 1940–1991 shift no day on which a licence of today ends.
const OFFSET_MS: i64 = 8 * 3_600_000;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// A day in Asia/Shanghai (UTC+8), `YYYY-MM-DD`, years 0 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day of this year, month and day of month, if there is one.
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        if year < 0 { None } else { Date::new(year, month, day).ok().map(Self) }
    }
    /// The day in which an instant lies.
    pub fn of(time: TimeMs) -> Self {
        let days = time.0.saturating_add(OFFSET_MS as u64) / DAY_MS as u64;
        Self(EPOCH.saturating_add(SignedDuration::from_hours(days as i64 * 24)))
    }
    /// Its first millisecond; for days before 1970-01-02 the beginning of time.
    pub fn start(self) -> TimeMs {
        TimeMs(self.start_ms().max(0) as u64)
    }
    /// The first millisecond after it: a licence is good on its last day, all of it.
    pub fn end(self) -> TimeMs {
        TimeMs((self.start_ms() + DAY_MS).max(0) as u64)
    }
    /// Year, month and day of month.
    pub fn parts(self) -> (i16, i8, i8) {
        (self.0.year(), self.0.month(), self.0.day())
    }
    fn start_ms(self) -> i64 {
        self.0.duration_since(EPOCH).as_hours() / 24 * DAY_MS - OFFSET_MS
    }
    fn text(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl FromStr for Day {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let wrong = |reason| IdentifierError { identifier: "day", reason };
        let bytes: &[u8; 10] = text.as_bytes().try_into().map_err(|_| wrong(Reason::Length))?;
        let shaped = bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if !shaped {
            return Err(wrong(Reason::Form));
        }
        let part =
            |from: usize, to: usize| bytes[from..to].iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'));
        Self::new(part(0, 4), part(5, 7) as i8, part(8, 10) as i8).ok_or(wrong(Reason::Date))
    }
}
as_text!(Day, 10);
print_text!(Day);
