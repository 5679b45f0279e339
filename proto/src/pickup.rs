//! Pickup codes: who has no wallet yet when the licence is prepared gets a code, and binds the licence to a key later.
//!
//! A code is 80 random bits as 16 characters of Crockford's base32 and a check character over GF(32), written
//! `XXXX-XXXX-XXXX-XXXX-C`. The check finds every single wrong character and every exchange of two. The issuer keeps
//! a salted hash; a code lives 30 days and is bound to the first key that succeeds: that key gets the same answer again,
//! since replies get lost, and any other is refused.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hash::{self, ChainId};
use crate::ids::{SpanMs, TimeMs};
use crate::key::PublicKey;
use crate::tags;

/// How long a code can be redeemed, in milliseconds: 30 days.
pub const PICKUP_LIFE: SpanMs = SpanMs(30 * 24 * 3_600_000);
/// The longest text that is read as a code, in bytes: full-width characters and separators allowed for.
pub const PICKUP_TEXT_BYTES_MAX: usize = 128;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SYMBOLS: usize = 16;

/// Text that is not a pickup code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PickupCodeError {
    /// Not 17 characters, separators left out.
    #[error("a pickup code has 17 characters")]
    Length,
    /// A character that no code has.
    #[error("a character that a pickup code never has")]
    Character,
    /// The check character does not fit: mistyped.
    #[error("the pickup code is mistyped")]
    CheckCharacter,
}

impl PickupCodeError {
    /// The stable name of the error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Length => "pickup_code_length",
            Self::Character => "pickup_code_character",
            Self::CheckCharacter => "pickup_code_check_character",
        }
    }
}

/// A pickup code: whoever knows it may bind the licence. Wiped when dropped, printed only on purpose.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Encode, Decode)]
pub struct PickupCode([u8; 10]);

impl PickupCode {
    /// The code of 10 random bytes.
    pub const fn from_random(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }

    /// The code as people see it.
    pub fn shown(&self) -> String {
        let symbols = self.symbols();
        let mut text = String::with_capacity(SYMBOLS + 5);
        for (at, symbol) in symbols.iter().enumerate() {
            if at > 0 && at % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(*symbol)]));
        }
        text.push('-');
        text.push(char::from(ALPHABET[usize::from(check_symbol(&symbols))]));
        text
    }

    /// Reads what people type: in either case, full-width or not, with any dashes and spaces; O is 0, I and L are 1.
    pub fn parse(text: &str) -> Result<Self, PickupCodeError> {
        if text.len() > PICKUP_TEXT_BYTES_MAX {
            return Err(PickupCodeError::Length);
        }
        let mut symbols = Vec::with_capacity(SYMBOLS + 1);
        for character in text.chars().map(half_width) {
            if !is_separator(character) {
                symbols.push(symbol(character).ok_or(PickupCodeError::Character)?);
            }
        }
        let all: [u8; SYMBOLS + 1] = symbols.try_into().map_err(|_| PickupCodeError::Length)?;
        let symbols: [u8; SYMBOLS] = all[..SYMBOLS].try_into().expect("16 of 17 symbols");
        if check_symbol(&symbols) != all[SYMBOLS] {
            return Err(PickupCodeError::CheckCharacter);
        }
        let number = symbols.iter().fold(0u128, |number, symbol| number << 5 | u128::from(*symbol));
        Ok(Self(number.to_be_bytes()[6..].try_into().expect("the last 10 of 16 bytes")))
    }

    /// H(tag ‖ salt ‖ code): what the issuer keeps. One random salt may serve all codes of a run: each code has 80
    /// random bits of its own.
    pub fn hash(&self, salt: &[u8; 16]) -> PickupHash {
        PickupHash(hash::tagged(tags::PICKUP_CODE, &(*salt, self.0)))
    }

    fn symbols(&self) -> [u8; SYMBOLS] {
        let number = self.0.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        std::array::from_fn(|at| (number >> (5 * (SYMBOLS - 1 - at)) & 31) as u8)
    }
}

impl std::fmt::Debug for PickupCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PickupCode(…)")
    }
}

/// ASCII for the full-width forms that Chinese keyboards give.
fn half_width(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(character as u32 - 0xfee0).unwrap_or(character),
        other => other,
    }
}

fn is_separator(character: char) -> bool {
    // Hyphens and dashes that word processors put for one another.
    character.is_whitespace() || matches!(character, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn symbol(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == character).map(|position| position as u8)
}

/// The c with Σ sᵢ·α^(16−i) + c = 0 over GF(2⁵) = GF(2)\[x\]/(x⁵+x²+1), α = x: the powers differ from place to place, so
/// one wrong symbol or two exchanged ones change the sum.
fn check_symbol(symbols: &[u8; SYMBOLS]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| times_alpha(sum ^ symbol))
}

const fn times_alpha(element: u8) -> u8 {
    let doubled = element << 1;
    if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }
}

/// The salt of codes that a clerk hands over for licences of several bureaus: the first half of the chain's id. Whoever issues
/// such a licence looks for its code under this salt alone.
pub fn chain_salt(chain: &ChainId) -> [u8; 16] {
    let (salt, _) = chain.0.split_first_chunk().expect("an id has 32 bytes");
    *salt
}

/// Salted hash of a pickup code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct PickupHash(pub [u8; 32]);

/// Why a code is not redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedeemError {
    /// Not this code.
    #[error("no licence awaits this pickup code")]
    Unknown,
    /// Its 30 days are over.
    #[error("the pickup code has expired")]
    Expired,
    /// Another key came first.
    #[error("the pickup code was used with another key")]
    Taken,
}

/// Whether the code was redeemed now or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The key is bound now: issue.
    First,
    /// The same key again: give the same answer.
    Again,
}

/// A licence that awaits pickup, as the issuer keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PickupEntry {
    /// Layout: 1.
    pub version: u8,
    /// Random salt of the hash.
    pub salt: [u8; 16],
    /// Of the code.
    pub hash: PickupHash,
    /// When the code was made.
    pub made: TimeMs,
    /// The first licence key that came with the code.
    pub bound: Option<PublicKey>,
}

impl PickupEntry {
    /// An entry that nobody has redeemed.
    pub fn new(code: &PickupCode, salt: [u8; 16], made: TimeMs) -> Self {
        Self::of(code.hash(&salt), salt, made)
    }
    /// The same where somebody else knows the code.
    pub const fn of(hash: PickupHash, salt: [u8; 16], made: TimeMs) -> Self {
        Self { version: 1, salt, hash, made, bound: None }
    }

    /// Binds the code to a key whose possession was proved. The key that it is bound to already is never too late.
    pub fn redeem(&mut self, code: &PickupCode, key: &PublicKey, now: TimeMs) -> Result<Redeemed, RedeemError> {
        if code.hash(&self.salt) != self.hash {
            return Err(RedeemError::Unknown);
        }
        match &self.bound {
            Some(bound) if bound == key => Ok(Redeemed::Again),
            Some(_) => Err(RedeemError::Taken),
            None if now.since(self.made) > PICKUP_LIFE => Err(RedeemError::Expired),
            None => {
                self.bound = Some(key.clone());
                Ok(Redeemed::First)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; 10] = [0x9c, 0x01, 0x7f, 0xe2, 0x33, 0x48, 0xd5, 0x60, 0xab, 0x1e];

    #[test]
    fn is_shown_in_groups_and_read_as_people_type_it() {
        let code = PickupCode::from_random(RANDOM);
        let shown = code.shown();
        assert_eq!(shown.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4, 1]);
        assert_eq!(format!("{code:?}"), "PickupCode(…)");
        let full_width: String = shown.chars().filter_map(|c| char::from_u32(c as u32 + 0xfee0)).collect();
        let typed = shown.replace('0', "o").replace('1', "l");
        for text in [
            shown.to_lowercase(),
            shown.replace('-', ""),
            format!(" {} ", shown.replace('-', " — ")),
            full_width,
            typed,
        ] {
            assert_eq!(PickupCode::parse(&text), Ok(code.clone()), "{text}");
        }
    }

    #[test]
    fn every_wrong_and_every_exchanged_character_is_found() {
        let shown = PickupCode::from_random(RANDOM).shown().replace('-', "");
        for at in 0..shown.len() {
            for other in ALPHABET.iter().filter(|other| **other != shown.as_bytes()[at]) {
                let mut wrong = shown.clone().into_bytes();
                wrong[at] = *other;
                let wrong = String::from_utf8(wrong).unwrap();
                assert_eq!(PickupCode::parse(&wrong), Err(PickupCodeError::CheckCharacter));
            }
            for with in at + 1..shown.len() {
                let mut wrong = shown.clone().into_bytes();
                wrong.swap(at, with);
                let wrong = String::from_utf8(wrong).unwrap();
                assert_eq!(PickupCode::parse(&wrong).is_err(), wrong != shown);
            }
        }
    }

    #[test]
    fn refuses_other_texts() {
        let shown = PickupCode::from_random(RANDOM).shown();
        assert_eq!(PickupCode::parse(&shown[1..]), Err(PickupCodeError::Length));
        assert_eq!(PickupCode::parse(&format!("{shown}0")), Err(PickupCodeError::Length));
        assert_eq!(PickupCode::parse(&shown.replace('-', "U")), Err(PickupCodeError::Character));
        assert_eq!(PickupCode::parse(&" ".repeat(PICKUP_TEXT_BYTES_MAX + 1)), Err(PickupCodeError::Length));
    }

    #[test]
    fn hashes_differ_by_salt() {
        let code = PickupCode::from_random(RANDOM);
        assert_eq!(code.hash(&[1; 16]), code.hash(&[1; 16]));
        assert_ne!(code.hash(&[1; 16]), code.hash(&[2; 16]));
    }

    #[test]
    fn is_bound_to_the_first_key() {
        let (code, made) = (PickupCode::from_random(RANDOM), TimeMs(1_000));
        let (first, second) = (PublicKey::ed25519([1; 32]), PublicKey::ed25519([2; 32]));
        let mut entry = PickupEntry::new(&code, [3; 16], made);
        let last = made.after(PICKUP_LIFE);
        let late = last.after(SpanMs(1));
        assert_eq!(entry.redeem(&PickupCode::from_random([0; 10]), &first, made), Err(RedeemError::Unknown));
        assert_eq!(entry.redeem(&code, &first, late), Err(RedeemError::Expired));
        assert_eq!(entry.redeem(&code, &first, last), Ok(Redeemed::First));
        assert_eq!(entry.redeem(&code, &first, late), Ok(Redeemed::Again));
        assert_eq!(entry.redeem(&code, &second, made), Err(RedeemError::Taken));
    }
}
