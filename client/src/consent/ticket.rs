//! What is handed to whoever may read: the consent's terms, opened, and the person who consents, shown to the source.
//!
//! Layout, by the codec: version (1), chain id (32), consent id (32), terms, 32 random bytes, presentation, path; then the
//! first 4 bytes of the SHA-256 of all before. As base64url after `kanhe-consent:`. Whoever has it and is not the grantee can
//! do nothing with it, but sees the terms and who consents.

use kanhe_proto::codec;
use kanhe_proto::hash::{ChainId, ConsentId, sha256};
use kanhe_proto::sharing::{ConsentShown, Handed, LETTER_BYTES_MAX, SHARING_VERSION};
use kanhe_proto::text;

use crate::talk::{ExitCode, Failure};

const PREFIX: &str = "kanhe-consent:";
const CHECK_BYTES: usize = 4;
/// The longest text that is read as a ticket.
pub const TICKET_TEXT_BYTES_MAX: usize = 2 * LETTER_BYTES_MAX;

/// A consent in the hands of whoever may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The chain.
    pub chain: ChainId,
    /// Which consent.
    pub consent: ConsentId,
    /// What the source is shown of it.
    pub shown: ConsentShown,
}

impl Ticket {
    /// As it is handed over.
    pub fn text(&self) -> String {
        let (chain, consent, shown) = (self.chain, self.consent, self.shown.clone());
        let mut bytes = codec::encode(&Handed { version: SHARING_VERSION, chain, consent, shown });
        let check = sha256(&[&bytes]);
        bytes.extend_from_slice(&check[..CHECK_BYTES]);
        format!("{PREFIX}{}", text::base64url(&bytes))
    }

    /// Reads what was handed over; blanks around and inside it do not matter.
    pub fn parse(given: &str) -> Result<Self, Failure> {
        let wrong = || Failure::of(ExitCode::Usage, "consent_ticket_wrong", &[]);
        if given.len() > TICKET_TEXT_BYTES_MAX {
            return Err(wrong());
        }
        let joined: String = given.split_whitespace().collect();
        let body = joined.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let bytes = text::from_base64url(body).map_err(|_| wrong())?;
        let at = bytes.len().checked_sub(CHECK_BYTES).ok_or_else(wrong)?;
        let (body, check) = bytes.split_at(at);
        if check != &sha256(&[body])[..CHECK_BYTES] {
            return Err(wrong());
        }
        let Handed { chain, consent, shown, .. } = Handed::decode(body).map_err(|_| wrong())?;
        Ok(Self { chain, consent, shown })
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::{Blob, List, Text};
    use kanhe_proto::consent::{Terms, TypeClaims};
    use kanhe_proto::sharing::HolderShown;

    use super::*;

    #[test]
    fn a_ticket_comes_back_and_no_other_does() {
        let claims = List::new(vec![Text::new("ZZMC").unwrap()]).unwrap();
        let scope = List::new(vec![TypeClaims { type_code: "DEMO-1".parse().unwrap(), claims }]).unwrap();
        let terms = Terms::new("11370100MB1A0001X2".parse().unwrap(), scope);
        let holder = HolderShown { token: Text::new("a.b.c~d").unwrap(), path: Blob::new([1, 2]).unwrap() };
        let shown = ConsentShown { terms, random: [5; 32], holder };
        let ticket = Ticket { chain: ChainId([1; 32]), consent: ConsentId([2; 32]), shown };
        let text = ticket.text();
        assert_eq!(Ticket::parse(&text).unwrap(), ticket);
        let (first, second) = text.split_at(40);
        assert_eq!(Ticket::parse(&format!(" {first}\n {second}\n")).unwrap(), ticket);
        let long = format!("kanhe-consent:{}", "A".repeat(TICKET_TEXT_BYTES_MAX));
        for wrong in ["", "kanhe-consent:", &text[1..], &text[..text.len() - 1], &format!("{text}AAAA"), &long] {
            assert_eq!(Ticket::parse(wrong).unwrap_err().code, "consent_ticket_wrong");
        }
    }
}
