//! 公民身份号码: names a natural person (GB 11643-1999). Personal data.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroize;

use super::{Day, IdentifierError, Reason, as_text, check};

/// A citizen's id number. Neither `{}` nor `{:?}` prints it: ask for it by name with [`PersonId::as_str`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId([u8; 18]);

const fn wrong(reason: Reason) -> IdentifierError {
    IdentifierError { identifier: "citizen id number", reason }
}

impl PersonId {
    /// The number of these 17 digits: computes the check character.
    pub fn with_check(first17: &str) -> Result<Self, IdentifierError> {
        let first: [u8; 17] = first17.as_bytes().try_into().map_err(|_| wrong(Reason::Length))?;
        let last = check::mod_11_2(&first).ok_or(wrong(Reason::Character))?;
        let mut number = [last; 18];
        number[..17].copy_from_slice(&first);
        std::str::from_utf8(&number).expect("digits are ASCII").parse()
    }
    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII passes the check")
    }
    /// The day of birth.
    pub fn birthday(&self) -> Day {
        birthday(&self.0).expect("checked when it was made")
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

fn birthday(number: &[u8; 18]) -> Option<Day> {
    let part =
        |from: usize, to: usize| number[from..to].iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'));
    let year = part(6, 10);
    // The first census under this numbering counted nobody born earlier: an older year is a slip of the keys.
    if year < 1800 {
        return None;
    }
    Day::new(year, part(10, 12) as i8, part(12, 14) as i8)
}

impl FromStr for PersonId {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let number: [u8; 18] = text.as_bytes().try_into().map_err(|_| wrong(Reason::Length))?;
        let last = check::mod_11_2(&number[..17]).ok_or(wrong(Reason::Character))?;
        if number[0] == b'0' {
            return Err(wrong(Reason::Form));
        }
        birthday(&number).ok_or(wrong(Reason::Date))?;
        if number[17] == last { Ok(Self(number)) } else { Err(wrong(Reason::CheckCharacter)) }
    }
}
impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonId(not shown)")
    }
}
impl Drop for PersonId {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
as_text!(PersonId, 18);
