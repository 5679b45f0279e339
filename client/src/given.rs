//! What people write on the command line and programs in JSON: types, spans, moments.

use std::str::FromStr;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{Day, IdentifierError, TypeCode, TypeVersion, Vct};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::registry::LicenceType;

use crate::clock;
use crate::talk::{ExitCode, Failure};

/// How a span is written.
const SPAN_FORMS: &str = "30s | 15m | 24h | 7d";

/// A type: `CODE`, `CODE:VERSION` or `urn:kanhe:type:CODE:VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeSpec {
    /// The type.
    pub code: TypeCode,
    /// The version; none: whichever is known.
    pub version: Option<TypeVersion>,
}

impl FromStr for TypeSpec {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        if !text.contains(':') {
            return Ok(Self { code: text.parse()?, version: None });
        }
        let full = if text.starts_with("urn:") { text.to_owned() } else { format!("urn:kanhe:type:{text}") };
        let vct: Vct = full.parse()?;
        Ok(Self { code: vct.code, version: Some(vct.version) })
    }
}

impl TypeSpec {
    /// Whether it means this entry of the registry.
    pub fn matches(&self, entry: &LicenceType) -> bool {
        entry.code == self.code && self.version.is_none_or(|version| version == entry.version)
    }
    /// Whether it means this version of a type.
    pub fn means(&self, vct: &Vct) -> bool {
        vct.code == self.code && self.version.is_none_or(|version| version == vct.version)
    }
    /// All versions that it means, ascending: those of genesis, or the one that is named.
    pub fn versions(&self, genesis: &Genesis) -> Result<Vec<Vct>, Failure> {
        let known = genesis.types.iter().filter(|entry| self.matches(entry)).map(|entry| entry.version);
        let mut versions: Vec<TypeVersion> = known.chain(self.version).collect();
        versions.sort();
        versions.dedup();
        if versions.is_empty() {
            return Err(Failure::of(ExitCode::Usage, "type_unknown", &[("type", &self.code)]));
        }
        Ok(versions.into_iter().map(|version| Vct { code: self.code.clone(), version }).collect())
    }
}

/// A span with its unit.
pub fn span(text: &str) -> Result<SpanMs, String> {
    let unit = text.chars().last().unwrap_or_default();
    let scale = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(SPAN_FORMS.to_owned()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| SPAN_FORMS.to_owned())?;
    number.checked_mul(scale).filter(|ms| *ms > 0).map(SpanMs).ok_or_else(|| "out of range".to_owned())
}

/// A moment in milliseconds since 1970, or the end of a day (UTC+8), unless that is still to come.
pub fn moment(text: &str) -> Result<TimeMs, String> {
    if let Ok(ms) = text.parse() {
        return Ok(TimeMs(ms));
    }
    let day: Day = text.parse().map_err(|error: IdentifierError| error.to_string())?;
    let end = TimeMs(day.end().0.saturating_sub(1));
    Ok(if day == Day::of(clock::now()) { clock::now() } else { end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_in_three_forms() {
        let plain: TypeSpec = "demo-id".parse().unwrap();
        assert_eq!((plain.code.as_str(), plain.version), ("demo-id", None));
        let full: TypeSpec = "urn:kanhe:type:demo-id:2".parse().unwrap();
        assert_eq!(full, "demo-id:2".parse().unwrap());
        assert_eq!(full.version, Some(TypeVersion(2)));
        assert!("demo-id:x".parse::<TypeSpec>().is_err() && "".parse::<TypeSpec>().is_err());
    }

    #[test]
    fn spans_need_a_unit() {
        assert_eq!(span("10s"), Ok(SpanMs(10_000)));
        assert_eq!(span("24h"), Ok(SpanMs(86_400_000)));
        for wrong in ["", "s", "10", "0h", "-1d", "1.5h", "99999999999999999999d", "10天"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_means_its_end() {
        let day: Day = "2026-03-01".parse().unwrap();
        assert_eq!(moment("2026-03-01"), Ok(TimeMs(day.end().0 - 1)));
        assert_eq!(moment("1772344920000"), Ok(TimeMs(1_772_344_920_000)));
        assert!(moment("2026-02-30").is_err());
    }
}
