//! Letters: the words that go with a decision, from a bureau to those who take part.
//!
//! A decision commits to its letter on the chain; the words themselves go sealed to the letter key of each slot that gets
//! them, left at the bureau's node like the answers of its mail. Whoever opens one holds it against the chain: a bureau
//! cannot say other words later, nor other words to another slot.
//!
//! Layout, by the codec: [`Letter`] = 32 random bytes, version (1), chain id (32), case (32), step, round (4), words. It is
//! found at [`letter_id`], which names slot's key and letter, so that two letters to one slot never meet.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, section 3

use bincode::{Decode, Encode};

use super::commitment::commitment;
use super::leaf::{Case, Slot};
use crate::bounded::Text;
use crate::codec::{self, CodecError};
use crate::hash::{CaseId, ChainId, Commitment, tagged};
use crate::identifiers::Uscc;
use crate::key::{KeyId, PublicKey};
use crate::limits::LETTER_BYTES_MAX;
use crate::mail::{MAIL_VERSION, MailAnswer, MailError, MailId, info};
use crate::registry::ServiceItem;
use crate::seal::{SealPurpose, SealingSecret, seal};
use crate::tags;

/// The layout that is written and read.
pub const LETTER_VERSION: u8 = 1;
/// What is around the words: random bytes, version, chain, case, step, round, length.
const FRAME_BYTES: usize = 32 + 1 + 32 + 32 + 1 + 4 + 8;

/// Why a letter is not sealed or taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// Not a letter.
    #[error("malformed letter: {0}")]
    Malformed(#[source] CodecError),
    /// Of a layout that is not known.
    #[error("unknown layout {0} of a letter")]
    Version(u8),
    /// Of another chain, case, step or round.
    #[error("the letter is of another decision")]
    Other,
    /// Other words than the decision committed to.
    #[error("the letter is not what the decision committed to")]
    Commitment,
    /// Its envelope cannot be sealed or opened.
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl LetterError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "letter_malformed",
            Self::Version(_) => "letter_version",
            Self::Other => "letter_other",
            Self::Commitment => "letter_commitment",
            Self::Mail(error) => error.code(),
        }
    }
}

/// The words of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Letter {
    /// Kept with the words: without them the commitment means nothing.
    pub random: [u8; 32],
    /// What it says, and of which decision.
    pub content: LetterContent,
}

/// What is committed to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LetterContent {
    /// Layout: [`LETTER_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// The case.
    pub case: CaseId,
    /// Place of the step in the item.
    pub step: u8,
    /// The step's round.
    pub round: u32,
    /// What the bureau says.
    pub words: Text<LETTER_BYTES_MAX>,
}

impl Letter {
    /// What the decision commits to.
    pub fn commitment(&self) -> Commitment {
        commitment(&self.random, &codec::encode(&self.content))
    }

    /// Seals it to a slot's letter key. The seed is 32 fresh random bytes.
    pub fn seal(&self, issuer: Uscc, letter_key: &PublicKey, seed: [u8; 32]) -> Result<MailAnswer, LetterError> {
        let (chain, id) = (self.content.chain, letter_id(letter_key, &self.commitment()));
        let info = info(SealPurpose::Letter, chain, issuer, id);
        let sealed = seal(letter_key, &info, &codec::encode(self), seed).map_err(MailError::from)?;
        Ok(MailAnswer { version: MAIL_VERSION, chain, issuer, id, sealed })
    }

    /// Opens what a node has of this bureau, for who has the letter key; what it says is held against the decision.
    pub fn open(mail: &MailAnswer, secret: &SealingSecret, wanted: &WantedLetter) -> Result<Self, LetterError> {
        if mail.issuer != wanted.issuer {
            return Err(MailError::OtherIssuer(mail.issuer).into());
        }
        if mail.id != letter_id(&secret.public_key(), &wanted.commitment) {
            return Err(MailError::IdWrong.into());
        }
        let info = info(SealPurpose::Letter, mail.chain, mail.issuer, mail.id);
        let bytes = secret.open(&info, &mail.sealed).map_err(MailError::from)?;
        let letter: Self = codec::decode(&bytes, FRAME_BYTES + LETTER_BYTES_MAX).map_err(LetterError::Malformed)?;
        let content = &letter.content;
        if content.version != LETTER_VERSION {
            return Err(LetterError::Version(content.version));
        }
        if letter.commitment() != wanted.commitment {
            return Err(LetterError::Commitment);
        }
        let of = (content.chain, content.case, content.step, content.round);
        if of != (mail.chain, wanted.case, wanted.step, wanted.round) {
            return Err(LetterError::Other);
        }
        Ok(letter)
    }
}

/// A letter that a decision of the chain has committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedLetter {
    /// The bureau that decided.
    pub issuer: Uscc,
    /// The case.
    pub case: CaseId,
    /// Place of the step in the item.
    pub step: u8,
    /// The step's round.
    pub round: u32,
    /// What the chain has.
    pub commitment: Commitment,
}

/// Where a letter to a letter key is left: first 16 bytes of H(tag ‖ key ‖ commitment).
pub fn letter_id(letter_key: &PublicKey, commitment: &Commitment) -> MailId {
    let hash = tagged(tags::LETTER_ID, &(letter_key, commitment));
    MailId(KeyId(hash[..16].try_into().expect("16 of 32 bytes")))
}

/// Slots that get the letter of a decision on a step: those whom it waits for, since it is about what they said; if none of
/// these has a letter key, the applicant's.
pub fn letter_slots(item: &ServiceItem, case: &Case, step: u8) -> Vec<u8> {
    let waits_for = item.steps.get(usize::from(step)).map_or(&[][..], |step| &step.waits_for[..]);
    let has_key = |slot: &Slot| slot.letter_key.is_some();
    let slots = (0u8..).zip(case.slots.iter());
    let asked = slots.filter(|(_, slot)| waits_for.contains(&slot.party) && has_key(slot)).map(|(place, _)| place);
    let asked: Vec<u8> = asked.collect();
    match asked.is_empty() {
        false => asked,
        true => case.applicant(item).filter(|(_, slot)| has_key(slot)).map(|(place, _)| place).into_iter().collect(),
    }
}
