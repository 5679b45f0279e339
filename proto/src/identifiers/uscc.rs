//! 统一社会信用代码: names every organisation (GB 32100-2015).

use std::str::FromStr;

use super::{IdentifierError, Reason, as_text, check, print_text};

/// A unified social credit code: 17 characters and a check character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uscc([u8; 18]);

const fn wrong(reason: Reason) -> IdentifierError {
    IdentifierError { identifier: "unified social credit code", reason }
}

impl Uscc {
    /// The code of these 17 characters: computes the check character.
    pub fn with_check(first17: &str) -> Result<Self, IdentifierError> {
        let first: [u8; 17] = first17.as_bytes().try_into().map_err(|_| wrong(Reason::Length))?;
        let last = check::mod_31(&first).ok_or(wrong(Reason::Character))?;
        let mut code = [last; 18];
        code[..17].copy_from_slice(&first);
        Ok(Self(code))
    }
    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII passes the check")
    }
    /// Six digits of GB/T 2260: where it was registered.
    pub fn region(&self) -> &str {
        &self.as_str()[2..8]
    }
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Uscc {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let code: [u8; 18] = text.as_bytes().try_into().map_err(|_| wrong(Reason::Length))?;
        let last = check::mod_31(&code[..17]).ok_or(wrong(Reason::Character))?;
        if code[17] == last { Ok(Self(code)) } else { Err(wrong(Reason::CheckCharacter)) }
    }
}
as_text!(Uscc, 18);
print_text!(Uscc);
