//! Invitations: a code by which somebody takes a place in a case, once.
//!
//! Layout: version (1), case id (32), slot (1), secret (32), first 4 bytes of the SHA-256 of all before, as base64url after
//! `kanhe-case:`. Whoever has the code may join; after that it opens nothing.

use kanhe_proto::hash::{CaseId, sha256};
use kanhe_proto::text;
use zeroize::Zeroizing;

use crate::talk::{ExitCode, Failure};
use crate::wallet::Seed;

const PREFIX: &str = "kanhe-case:";
const VERSION: u8 = 1;
const BYTES: usize = 1 + 32 + 1 + 32;
const CHECK_BYTES: usize = 4;
/// The longest text that is read as a code.
const TEXT_BYTES_MAX: usize = 256;

/// An invitation. Its secret is never printed but as the code itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationCode {
    /// To which case.
    pub case: CaseId,
    /// To which slot.
    pub slot: u8,
    /// Signs the joining.
    pub secret: Seed,
}

impl InvitationCode {
    /// The code as it is handed over.
    pub fn shown(&self) -> String {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES + CHECK_BYTES));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.case.0);
        bytes.push(self.slot);
        bytes.extend_from_slice(self.secret.bytes());
        let check = sha256(&[&bytes]);
        bytes.extend_from_slice(&check[..CHECK_BYTES]);
        format!("{PREFIX}{}", text::base64url(&bytes))
    }

    /// Reads what was handed over; blanks around and inside it do not matter.
    pub fn parse(given: &str) -> Result<Self, Failure> {
        let wrong = || Failure::of(ExitCode::Usage, "case_code_wrong", &[]);
        if given.len() > TEXT_BYTES_MAX {
            return Err(wrong());
        }
        let joined: Zeroizing<String> = Zeroizing::new(given.split_whitespace().collect());
        let body = joined.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let bytes = Zeroizing::new(text::from_base64url(body).map_err(|_| wrong())?);
        let (body, check) = bytes.split_at_checked(BYTES).ok_or_else(wrong)?;
        let [version, rest @ ..] = body else { return Err(wrong()) };
        if *version != VERSION || check != &sha256(&[body])[..CHECK_BYTES] {
            return Err(wrong());
        }
        let (case, rest) = rest.split_first_chunk::<32>().ok_or_else(wrong)?;
        let [slot, secret @ ..] = rest else { return Err(wrong()) };
        let secret: [u8; 32] = secret.try_into().map_err(|_| wrong())?;
        Ok(Self { case: CaseId(*case), slot: *slot, secret: Seed::from_bytes(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_comes_back_and_no_other_does() {
        let code = InvitationCode { case: CaseId([3; 32]), slot: 2, secret: Seed::from_bytes([7; 32]) };
        let shown = code.shown();
        assert!(shown.len() <= TEXT_BYTES_MAX && !format!("{code:?}").contains("7, 7"));
        assert_eq!(InvitationCode::parse(&shown).unwrap(), code);
        let (first, second) = shown.split_at(40);
        assert_eq!(InvitationCode::parse(&format!(" {first}\n {second}\n")).unwrap(), code);
        let long = "kanhe-case:".to_owned() + &"A".repeat(300);
        for wrong in ["", "kanhe-case:", &shown[1..], &shown[..shown.len() - 1], &format!("{shown}AAAA"), &long] {
            assert_eq!(InvitationCode::parse(wrong).unwrap_err().code, "case_code_wrong", "{wrong}");
        }
        let swapped = shown.replacen("AwMD", "AwMC", 1);
        assert!(swapped != shown && InvitationCode::parse(&swapped).is_err());
    }
}
