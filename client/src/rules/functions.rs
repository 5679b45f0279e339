//! What rules may call besides CEL's own: days and amounts are texts, and these read them.

use std::sync::Arc;

use cel::{Context, DeclarationError, ExecutionError};
use jiff::civil::Date;
use kanhe_proto::identifiers::Day;

/// Names of the functions, with what each takes.
pub(super) const NAMES: [&str; 3] = ["cents", "days", "years"];

/// Declares them.
pub(super) fn declare(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("cents", |text: Arc<String>| wrap("cents", cents(&text)))?;
    context.add_function("days", |from: Arc<String>, to: Arc<String>| wrap("days", days(&from, &to)))?;
    context.add_function("years", |from: Arc<String>, to: Arc<String>| wrap("years", years(&from, &to)))
}

fn wrap(function: &str, found: Result<i64, String>) -> Result<i64, ExecutionError> {
    found.map_err(|message| ExecutionError::FunctionError { function: function.to_owned(), message })
}

/// `1234.5` → 123450: at most two places, so that no amount is ever rounded.
pub fn cents(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no amount");
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "00"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(part) || part.len() > 2 {
        return Err(wrong());
    }
    let scale = if part.len() == 1 { 10 } else { 1 };
    let part: i64 = part.parse().map_err(|_| wrong())?;
    let whole: i64 = whole.parse().map_err(|_| wrong())?;
    let sum = whole.checked_mul(100).and_then(|sum| sum.checked_add(part * scale)).ok_or_else(wrong)?;
    Ok(if negative { -sum } else { sum })
}

/// Whether a text is an amount that rules can read.
pub fn is_amount(text: &str) -> bool {
    cents(text).is_ok()
}

fn day(text: &str) -> Result<Day, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

/// Days from one day to another; less than zero if that was before.
fn days(from: &str, to: &str) -> Result<i64, String> {
    let date = |text: &str| -> Result<Date, String> {
        let (year, month, day) = day(text)?.parts();
        Date::new(year, month, day).map_err(|error| error.to_string())
    };
    let span = date(from)?.until(date(to)?).map_err(|error| error.to_string())?;
    Ok(i64::from(span.get_days()))
}

/// Whole years from one day to another: an age. Who was born on 29 February is older from 1 March on.
fn years(from: &str, to: &str) -> Result<i64, String> {
    let ((from, from_month, from_day), (to, to_month, to_day)) = (day(from)?.parts(), day(to)?.parts());
    Ok(i64::from(to) - i64::from(from) - i64::from((to_month, to_day) < (from_month, from_day)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_never_rounded() {
        for (text, expected) in [("0", 0), ("12.5", 1_250), ("1234.56", 123_456), ("-3.07", -307)] {
            assert_eq!(cents(text), Ok(expected), "{text}");
        }
        for text in ["", ".5", "1.", "1.234", "1e3", "+1", "1,000", "--1", "92233720368547758.08"] {
            assert!(cents(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_of_days_and_years() {
        assert_eq!(days("2026-02-27", "2026-03-01"), Ok(2));
        assert_eq!(days("2026-03-01", "2026-02-27"), Ok(-2));
        assert_eq!(days("1949-12-31", "2026-03-01"), Ok(27_819));
        assert_eq!(years("2008-02-29", "2026-02-28"), Ok(17));
        assert_eq!(years("2008-02-29", "2026-03-01"), Ok(18));
        assert!(days("2026-02-30", "2026-03-01").is_err() && years("x", "2026-03-01").is_err());
    }
}
