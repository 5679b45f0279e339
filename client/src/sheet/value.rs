//! From a raw cell to the value of a claim.

use kanhe_proto::identifiers::{Day, PersonId, Reason, Uscc};

use super::cell::Cell;
use super::columns::{Column, Kind};
use super::fault::Fault;

/// What stands for "no end" in a column of last days.
const NO_END: &str = "长期";
/// From here on a spreadsheet's number has lost digits.
const EXACT_BELOW: f64 = 1e15;

/// The value of a cell in a column: none if it is empty, a fault if it cannot be taken as it is.
pub(super) fn value(column: &Column, cell: &Cell) -> Result<Option<String>, Fault> {
    match cell {
        Cell::Empty => Ok(None),
        Cell::Text(text) if text.is_empty() => Ok(None),
        Cell::Text(text) => of_text(column, text).map(Some),
        Cell::Number(number) => of_number(column, *number).map(Some),
        Cell::Date(day) => match column.kind {
            Kind::Date | Kind::EndDate => Ok(Some(day.to_string())),
            _ => Err(Fault::DateInText),
        },
        Cell::DateTime(_) => match column.kind {
            Kind::Date | Kind::EndDate => Err(Fault::DateTime),
            _ => Err(Fault::DateInText),
        },
        Cell::Bool(_) => Err(Fault::Boolean),
        Cell::Formula => Err(Fault::Formula),
        Cell::Error(_) => Err(Fault::CellError),
    }
}

fn of_text(column: &Column, text: &str) -> Result<String, Fault> {
    if text.trim_matches(is_blank) != text {
        return Err(Fault::Spaces);
    }
    if text.chars().any(|c| c.is_control() || is_hidden(c)) {
        return Err(Fault::Invisible);
    }
    if text.chars().any(is_full_width) {
        return Err(Fault::FullWidth(text.chars().map(half_width).collect()));
    }
    if is_scientific(text) {
        return Err(Fault::NumberMangled);
    }
    match column.kind {
        Kind::Text => {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            if digits && text.len() < column.chars_min { Err(Fault::LeadingZeros) } else { Ok(text.to_string()) }
        }
        Kind::Uscc => match text.parse::<Uscc>() {
            Ok(_) => Ok(text.to_string()),
            Err(_) => Err(mangled(text).unwrap_or(Fault::Uscc)),
        },
        Kind::PersonId => match text.parse::<PersonId>() {
            Ok(_) => Ok(text.to_string()),
            Err(_) => Err(mangled(text).unwrap_or(Fault::PersonId)),
        },
        Kind::EndDate if text == NO_END => Ok(text.to_string()),
        Kind::Date | Kind::EndDate => day(text),
        Kind::Amount if is_amount(text) => Ok(text.to_string()),
        Kind::Amount => Err(Fault::Amount),
    }
}

fn of_number(column: &Column, number: f64) -> Result<String, Fault> {
    match column.kind {
        Kind::Uscc | Kind::PersonId => Err(Fault::NumberMangled),
        Kind::Date | Kind::EndDate => Err(serial(number)),
        _ if !number.is_finite() || number.abs() >= EXACT_BELOW => Err(Fault::NumberMangled),
        Kind::Amount => amount(number),
        // A number that names a licence may have begun with zeros; nobody can tell any more.
        Kind::Text if column.unique => Err(Fault::LeadingZeros),
        Kind::Text if number.fract() != 0.0 => Err(Fault::NumberInText),
        Kind::Text => {
            let text = number.to_string();
            if text.len() < column.chars_min { Err(Fault::LeadingZeros) } else { Ok(text) }
        }
    }
}

/// Spreadsheets keep 15 digits and put zeros for the rest.
fn mangled(text: &str) -> Option<Fault> {
    let digits = text.len() == 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && text.ends_with("000")).then_some(Fault::NumberMangled)
}

/// `3.70102E+17`, `1E+05`.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once("E+").or_else(|| text.split_once("e+")) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(&mantissa.replacen('.', "", 1)) && digits(exponent)
}

fn day(text: &str) -> Result<String, Fault> {
    match text.parse::<Day>() {
        Ok(_) => return Ok(text.to_string()),
        Err(error) if error.reason == Reason::Date => return Err(Fault::NoSuchDay),
        Err(_) => {}
    }
    // Year first: anything else could be read in two ways, and gets no suggestion.
    let parts: Vec<&str> = text.trim_end_matches('日').split(['/', '.', '-', '年', '月']).collect();
    let suggestion = match parts[..] {
        [year, month, day] if year.len() == 4 => of_parts(year, month, day),
        [whole] if whole.len() == 8 && whole.is_ascii() => of_parts(&whole[..4], &whole[4..6], &whole[6..]),
        [whole] => match whole.parse::<f64>() {
            Ok(number) => return Err(serial(number)),
            Err(_) => None,
        },
        _ => None,
    };
    Err(Fault::DateForm(suggestion))
}

fn of_parts(year: &str, month: &str, day: &str) -> Option<String> {
    Day::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).map(|day| day.to_string())
}

/// A bare number in a column of dates: days since 1899-12-30, or `20180903`.
fn serial(number: f64) -> Fault {
    if number.fract() != 0.0 || !(1.0..1e8).contains(&number) {
        return Fault::DateForm(None);
    }
    if number >= 1e7 {
        let text = number.to_string();
        return Fault::DateForm(of_parts(&text[..4], &text[4..6], &text[6..]));
    }
    let epoch = jiff::civil::date(1899, 12, 30);
    let date = epoch.checked_add(jiff::Span::new().days(number as i64));
    match date {
        // Before March 1900 spreadsheets count a day that never was.
        Ok(date) if number > 60.0 && date.year() < 2200 => Fault::DateSerial(date.to_string()),
        _ => Fault::DateForm(None),
    }
}

fn is_amount(text: &str) -> bool {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole, 15) && digits(decimals, 6) && (whole == "0" || !whole.starts_with('0'))
}

/// The shortest decimal that means this number; computed tails (`0.30000000000000004`) are rounded away.
fn amount(number: f64) -> Result<String, Fault> {
    let rounded = (number * 1e6).round() / 1e6;
    let close = (rounded - number).abs() <= 1e-9 * number.abs().max(1.0);
    let text = rounded.to_string();
    if close && is_amount(&text) { Ok(text) } else { Err(Fault::Amount) }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_hidden(c)
}

/// Characters that take no room: joiners, direction marks, byte order marks.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// Full-width digits and letters. Full-width punctuation is ordinary in Chinese names.
fn is_full_width(c: char) -> bool {
    matches!(c, '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ')
}

fn half_width(c: char) -> char {
    let offset = u32::from(c).checked_sub(0xfee0).filter(|_| is_full_width(c));
    offset.and_then(char::from_u32).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: Kind) -> Column {
        Column {
            code: "X".to_string(),
            title_zh: "某".to_string(),
            title_en: "Some".to_string(),
            required: true,
            kind,
            unique: false,
            chars_min: 0,
            example: String::new(),
            claim: true,
        }
    }
    fn text(kind: Kind, text: &str) -> Result<Option<String>, Fault> {
        value(&column(kind), &Cell::Text(text.to_string()))
    }
    fn number(kind: Kind, number: f64) -> Result<Option<String>, Fault> {
        value(&column(kind), &Cell::Number(number))
    }
    fn ok(text: &str) -> Result<Option<String>, Fault> {
        Ok(Some(text.to_string()))
    }

    #[test]
    fn what_spreadsheets_do_to_identifiers_is_named() {
        assert_eq!(text(Kind::PersonId, "11010519491231002X"), ok("11010519491231002X"));
        assert_eq!(text(Kind::PersonId, "110105194912310021"), Err(Fault::PersonId));
        assert_eq!(text(Kind::PersonId, "3.70102E+17"), Err(Fault::NumberMangled));
        assert_eq!(text(Kind::PersonId, "370102197001011000"), Err(Fault::NumberMangled));
        assert_eq!(number(Kind::PersonId, 3.70102e17), Err(Fault::NumberMangled));
        assert_eq!(text(Kind::Uscc, "91350100M000100Y43"), ok("91350100M000100Y43"));
        assert_eq!(text(Kind::Uscc, "91350100M000100Y44"), Err(Fault::Uscc));
        assert_eq!(text(Kind::Uscc, "９1350100M000100Y43"), Err(Fault::FullWidth("91350100M000100Y43".to_string())));
        assert_eq!(text(Kind::Uscc, "91350100M000100Y43 "), Err(Fault::Spaces));
        assert_eq!(text(Kind::Uscc, "91350100M000100Y43\u{feff}"), Err(Fault::Spaces));
    }

    #[test]
    fn dates_are_iso_or_get_the_iso_form_as_hint() {
        assert_eq!(text(Kind::Date, "2018-09-03"), ok("2018-09-03"));
        assert_eq!(text(Kind::EndDate, "长期"), ok("长期"));
        assert_eq!(text(Kind::Date, "2018-02-30"), Err(Fault::NoSuchDay));
        for other in ["2018/9/3", "2018.9.3", "2018年9月3日", "20180903", "2018-9-3"] {
            assert_eq!(text(Kind::Date, other), Err(Fault::DateForm(Some("2018-09-03".to_string()))), "{other}");
        }
        for unclear in ["3/9/2018", "长期", "soon", "2018年", "1/2"] {
            assert_eq!(text(Kind::Date, unclear), Err(Fault::DateForm(None)), "{unclear}");
        }
        assert_eq!(number(Kind::Date, 43346.0), Err(Fault::DateSerial("2018-09-03".to_string())));
        assert_eq!(text(Kind::Date, "43346"), Err(Fault::DateSerial("2018-09-03".to_string())));
        assert_eq!(number(Kind::Date, 20_180_903.0), Err(Fault::DateForm(Some("2018-09-03".to_string()))));
        let day = Cell::Date(Day::new(2018, 9, 3).unwrap());
        assert_eq!(value(&column(Kind::Date), &day), ok("2018-09-03"));
        assert_eq!(value(&column(Kind::Text), &day), Err(Fault::DateInText));
        for odd in [-1.0, 0.5, f64::NAN, f64::INFINITY, 9e9] {
            assert!(number(Kind::Date, odd).is_err());
        }
    }

    #[test]
    fn amounts_are_plain_decimals() {
        for plain in ["0", "500", "0.5", "123456789012345.123456"] {
            assert_eq!(text(Kind::Amount, plain), ok(plain));
        }
        for other in ["1,000", "-5", "05", ".5", "5.", "500万元", "1.1234567", "1e5"] {
            assert_eq!(text(Kind::Amount, other), Err(Fault::Amount), "{other}");
        }
        assert_eq!(number(Kind::Amount, 0.1 + 0.2), ok("0.3"));
        assert_eq!(number(Kind::Amount, 500.0), ok("500"));
        assert_eq!(number(Kind::Amount, -1.0), Err(Fault::Amount));
    }

    #[test]
    fn numbers_in_text_are_taken_only_where_nothing_can_be_lost() {
        assert_eq!(number(Kind::Text, 12.0), ok("12"));
        assert_eq!(number(Kind::Text, 1.5), Err(Fault::NumberInText));
        assert_eq!(number(Kind::Text, 1e15), Err(Fault::NumberMangled));
        let fixed = Column { chars_min: 6, ..column(Kind::Text) };
        assert_eq!(value(&fixed, &Cell::Number(1234.0)), Err(Fault::LeadingZeros));
        assert_eq!(value(&fixed, &Cell::Text("1234".to_string())), Err(Fault::LeadingZeros));
        let unique = Column { unique: true, ..column(Kind::Text) };
        assert_eq!(value(&unique, &Cell::Number(1234.0)), Err(Fault::LeadingZeros));
        assert_eq!(text(Kind::Text, "济南（高新）有限公司"), ok("济南（高新）有限公司"));
        assert_eq!(text(Kind::Text, "a\nb"), Err(Fault::Invisible));
        assert_eq!(text(Kind::Text, "\u{3000}"), Err(Fault::Spaces));
        assert_eq!(value(&column(Kind::Text), &Cell::Formula), Err(Fault::Formula));
    }
}
