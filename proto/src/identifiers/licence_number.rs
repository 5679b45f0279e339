//! 电子证照标识 (GB/T 36904): names a licence across the country.

use std::str::FromStr;

use super::{IdentifierError, Reason, TypeCode, Uscc, as_text, check, print_text};

const ROOT: &str = "1.2.156.3005.2.";

const fn wrong(reason: Reason) -> IdentifierError {
    IdentifierError { identifier: "licence number", reason }
}

fn is_capital_or_digit(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// 流水号: the issuer's own serial of a licence: 1 to 32 of `0-9`, `A-Z`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(String);

impl Serial {
    /// The longest serial in bytes.
    pub const MAX: usize = 32;

    /// The serial.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for Serial {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let wrong = |reason| IdentifierError { identifier: "licence serial", reason };
        if text.is_empty() || text.len() > Self::MAX {
            return Err(wrong(Reason::Length));
        }
        if !is_capital_or_digit(text) {
            return Err(wrong(Reason::Character));
        }
        Ok(Self(text.to_owned()))
    }
}
as_text!(Serial, Serial::MAX);
print_text!(Serial);

/// Version of one licence, 1 to 999: each renewal or correction counts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LicenceVersion(u16);

impl LicenceVersion {
    /// The version of a licence that was never changed.
    pub const FIRST: Self = Self(1);
    /// The last version that three digits hold.
    pub const LAST: Self = Self(999);

    /// This version, if it is 1 to 999.
    pub const fn new(version: u16) -> Option<Self> {
        if version >= Self::FIRST.0 && version <= Self::LAST.0 { Some(Self(version)) } else { None }
    }
    /// As a number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// `1.2.156.3005.2.<type>.<issuer>.<serial>.<version>.<check>`.
///
/// The check character is ISO 7064 MOD 37,36 over type, issuer, serial and version without the dots, so the type
/// code inside is of digits and capital letters only; a catalogue code with others has no licence numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LicenceNumber {
    type_code: TypeCode,
    issuer: Uscc,
    serial: Serial,
    version: LicenceVersion,
}

impl LicenceNumber {
    /// The longest number in bytes.
    pub const MAX: usize = ROOT.len() + TypeCode::MAX + 1 + 18 + 1 + Serial::MAX + 1 + 3 + 1 + 1;

    /// The number of these parts.
    pub fn new(
        type_code: TypeCode,
        issuer: Uscc,
        serial: Serial,
        version: LicenceVersion,
    ) -> Result<Self, IdentifierError> {
        if !is_capital_or_digit(type_code.as_str()) {
            return Err(wrong(Reason::Character));
        }
        Ok(Self { type_code, issuer, serial, version })
    }
    /// The licence's type.
    pub const fn type_code(&self) -> &TypeCode {
        &self.type_code
    }
    /// Who issued it.
    pub const fn issuer(&self) -> Uscc {
        self.issuer
    }
    /// Its serial at the issuer.
    pub const fn serial(&self) -> &Serial {
        &self.serial
    }
    /// Its version.
    pub const fn version(&self) -> LicenceVersion {
        self.version
    }
    /// The number of the licence that replaces this one; none after version 999.
    pub fn next_version(&self) -> Option<Self> {
        let version = LicenceVersion::new(self.version.0 + 1)?;
        Some(Self { version, ..self.clone() })
    }
    /// The check character, that ends the number.
    pub fn check_character(&self) -> char {
        let version = format!("{:03}", self.version.0);
        let parts = [self.type_code.as_str(), self.issuer.as_str(), self.serial.as_str(), &version];
        char::from(check::mod_37_36(parts.iter().flat_map(|part| part.bytes())).expect("digits and capital letters"))
    }
    fn text(&self) -> String {
        let Self { type_code, issuer, serial, version } = self;
        format!("{ROOT}{type_code}.{issuer}.{serial}.{:03}.{}", version.0, self.check_character())
    }
}

impl FromStr for LicenceNumber {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let rest = text.strip_prefix(ROOT).ok_or(wrong(Reason::Form))?;
        let mut parts = rest.split('.');
        let mut part = || parts.next().ok_or(wrong(Reason::Form));
        let (type_code, issuer, serial, version, check) = (part()?, part()?, part()?, part()?, part()?);
        if parts.next().is_some() {
            return Err(wrong(Reason::Form));
        }
        if version.len() != 3 || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong(Reason::Number));
        }
        let version = version.parse().ok().and_then(LicenceVersion::new).ok_or(wrong(Reason::Number))?;
        let number = Self::new(type_code.parse()?, issuer.parse()?, serial.parse()?, version)?;
        if check.chars().eq([number.check_character()]) { Ok(number) } else { Err(wrong(Reason::CheckCharacter)) }
    }
}
as_text!(LicenceNumber, LicenceNumber::MAX);
print_text!(LicenceNumber);
