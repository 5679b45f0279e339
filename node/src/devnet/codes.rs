//! Unified social credit codes for examples, with both check characters right.

use kanhe_proto::identifiers::Uscc;

/// The code of the `number`th example organisation: registration and category, region, organisation code, check.
///
/// The organisation code is 8 characters and the check of GB 11714: weights 3 7 9 10 5 8 4 2, modulo 11.
pub fn example_code(prefix: &str, region: &str, number: u32) -> Uscc {
    let body = format!("MB1A{number:04}");
    let weights = [3, 7, 9, 10, 5, 8, 4, 2];
    let value = |c: char| c.to_digit(36).expect("digits and capitals");
    let sum: u32 = body.chars().map(value).zip(weights).map(|(value, weight)| value * weight).sum();
    let check = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from_digit(digit, 10).expect("below ten"),
    };
    Uscc::with_check(&format!("{prefix}{region}{body}{check}")).expect("17 characters of the code's alphabet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_valid_and_differ() {
        let codes: std::collections::BTreeSet<Uscc> = (1..=99).map(|n| example_code("11", "370100", n)).collect();
        assert_eq!(codes.len(), 99);
        assert!(codes.iter().all(|code| code.as_str().starts_with("11370100")));
        assert!(codes.iter().all(|code| code.as_str().parse::<Uscc>() == Ok(*code)));
    }
}
