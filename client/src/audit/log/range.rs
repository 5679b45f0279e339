//! From which block to which.

use std::str::FromStr;

use kanhe_proto::identifiers::Day;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::proof::CertifiedHeader;

use super::source::LogSource;
use crate::talk::{ExitCode, Failure};

/// A block, by its height or by its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The block of this height.
    Height(Height),
    /// The first or the last block of this day (UTC+8).
    Day(Day),
}

impl FromStr for Bound {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(height) = text.parse() {
            return Ok(Self::Height(Height(height)));
        }
        text.parse().map(Self::Day).map_err(|_| "HEIGHT | YYYY-MM-DD".to_owned())
    }
}

impl Bound {
    /// The day, if it is one.
    pub const fn day(self) -> Option<Day> {
        match self {
            Self::Day(day) => Some(day),
            Self::Height(_) => None,
        }
    }
}

/// Blocks whose records are asked for, by headers that are believed.
#[derive(Debug, Clone)]
pub struct Range {
    /// The header before; none if it begins with the first block.
    pub before: Option<CertifiedHeader>,
    /// The last header.
    pub last: CertifiedHeader,
    /// The newest header.
    pub newest: CertifiedHeader,
}

impl Range {
    /// Finds it: without bounds from the first block to the newest.
    pub fn find(source: &mut LogSource<'_>, from: Option<Bound>, to: Option<Bound>) -> Result<Self, Failure> {
        let newest = source.newest()?;
        let tip = (newest.header.height, newest.header.time);
        let mut time_of = |height: Height| Ok(source.header(height)?.header.time);
        let from = match from {
            None => Height(1),
            Some(Bound::Height(height)) => height.max(Height(1)),
            Some(Bound::Day(day)) => last_before(tip, day.start(), &mut time_of)?.next(),
        };
        let to = match to {
            None => tip.0,
            Some(Bound::Height(height)) => height,
            Some(Bound::Day(day)) => last_before(tip, day.end(), &mut time_of)?,
        };
        Self::between(source, from, to, newest)
    }

    /// The blocks `from` to `to`, both included.
    pub fn between(
        source: &mut LogSource<'_>,
        from: Height,
        to: Height,
        newest: CertifiedHeader,
    ) -> Result<Self, Failure> {
        let tip = newest.header.height;
        if to > tip || from > tip {
            return Err(Failure::of(ExitCode::Usage, "audit_range_ahead", &[("newest", &tip)]));
        }
        if from > to {
            return Err(Failure::of(ExitCode::Usage, "audit_range_empty", &[("from", &from), ("to", &to)]));
        }
        let before = match from.0 {
            0 | 1 => None,
            height => Some(source.header(Height(height - 1))?),
        };
        let last = if to == tip { newest.clone() } else { source.header(to)? };
        Ok(Self { before, last, newest })
    }

    /// Height of its first block.
    pub fn from(&self) -> Height {
        self.before.as_ref().map_or(Height(1), |before| before.header.height.next())
    }
    /// Index of its first record.
    pub fn first(&self) -> u64 {
        self.before.as_ref().map_or(0, |before| before.header.log_size)
    }
}

/// The last block before a moment, genesis if there is none. Times of blocks ascend.
fn last_before(
    newest: (Height, TimeMs),
    moment: TimeMs,
    time_of: &mut impl FnMut(Height) -> Result<TimeMs, Failure>,
) -> Result<Height, Failure> {
    if newest.1 < moment {
        return Ok(newest.0);
    }
    let (mut earlier, mut later) = (0, newest.0.0);
    while later - earlier > 1 {
        let middle = earlier + (later - earlier) / 2;
        match time_of(Height(middle))? < moment {
            true => earlier = middle,
            false => later = middle,
        }
    }
    Ok(Height(earlier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_before_a_moment_is_found_with_few_questions() {
        // Block h is of 10·h, and some are far apart.
        let time = |height: u64| TimeMs(10 * height + if height > 700 { 50_000 } else { 0 });
        for newest in [1u64, 2, 3, 700, 1_000] {
            for moment in [0, 1, 10, 11, 19, 20, 5_000, 7_001, 30_000, 57_010, 57_011, 60_000, 90_000] {
                let mut asked = 0;
                let mut time_of = |height: Height| {
                    asked += 1;
                    Ok(time(height.0))
                };
                let found = last_before((Height(newest), time(newest)), TimeMs(moment), &mut time_of).unwrap();
                let expected = (1..=newest).filter(|height| time(*height).0 < moment).max().unwrap_or(0);
                assert_eq!(found, Height(expected), "{moment} of {newest}");
                assert!(asked <= 10, "{asked}");
            }
        }
    }

    #[test]
    fn a_bound_is_a_height_or_a_day() {
        assert_eq!("17".parse(), Ok(Bound::Height(Height(17))));
        assert_eq!("2026-03-01".parse(), Ok(Bound::Day("2026-03-01".parse().unwrap())));
        for wrong in ["", "-1", "2026-02-30", "yesterday", "1.5"] {
            assert!(wrong.parse::<Bound>().is_err(), "{wrong}");
        }
    }
}
