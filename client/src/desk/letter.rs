//! The words that go with a decision: sealed to those whom they concern, kept with it before anything leaves, and left at the
//! bureau's node. The node keeps letters in memory alone, so that a running desk hands them in again from time to time.

use kanhe_proto::bounded::{Blob, Text};
use kanhe_proto::case::{Case, LETTER_VERSION, Letter, LetterContent, LetterError, letter_slots};
use kanhe_proto::codec;
use kanhe_proto::hash::Commitment;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::limits::LETTER_BYTES_MAX;
use kanhe_proto::mail::{MAIL_BYTES_MAX, MailAnswer};
use kanhe_proto::registry::ServiceItem;

use super::keeping::Keeping;
use super::row::RowKey;
use crate::clock;
use crate::issuer::{self, Office, Register};
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};

/// Most characters of the words: as many bytes as a letter has in Chinese.
pub const LETTER_CHARS_MAX: usize = LETTER_BYTES_MAX / 3;
/// How long after an officer's word its letter is handed in again: 90 days.
pub const LETTER_LIFE: SpanMs = SpanMs(90 * 86_400_000);

/// A letter in its envelopes, one for each slot that gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// What the decision says of it.
    pub(super) commitment: Commitment,
    /// Random bytes of that commitment.
    pub(super) random: Blob<32>,
    /// The envelopes.
    pub(super) sealed: Vec<Blob<MAIL_BYTES_MAX>>,
}

/// The words as they may be said.
pub(super) fn words(given: &str) -> Result<String, Failure> {
    let text = given.trim();
    let plain = text.chars().all(|character| character == '\n' || !character.is_control());
    let fits = text.chars().count() <= LETTER_CHARS_MAX && text.len() <= LETTER_BYTES_MAX;
    match plain && fits && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err(Failure::of(ExitCode::Usage, "desk_words", &[("most", &LETTER_CHARS_MAX)])),
    }
}

/// Seals the words to the slots that the step's decision concerns; nothing if none of them has a letter key.
pub(super) fn write(
    office: &Office,
    item: &ServiceItem,
    case: &Case,
    key: &RowKey,
    words: &str,
) -> Result<Option<Written>, Failure> {
    let wrong = |error: LetterError| Failure::reported(ExitCode::Failure, error.code(), error);
    let random: [u8; 32] = clock::random()?;
    let words =
        Text::new(words).map_err(|_| Failure::of(ExitCode::Usage, "desk_words", &[("most", &LETTER_CHARS_MAX)]))?;
    let (version, chain) = (LETTER_VERSION, office.chain.chain_id);
    let content = LetterContent { version, chain, case: key.case, step: key.step, round: key.round, words };
    let letter = Letter { random, content };
    let mut sealed = Vec::new();
    for slot in letter_slots(item, case, key.step) {
        let Some(to) = case.slots.get(usize::from(slot)).and_then(|slot| slot.letter_key.as_ref()) else { continue };
        let mail = letter.seal(office.issuer, to, clock::random()?).map_err(wrong)?;
        sealed.push(Blob::new(codec::encode(&mail)).expect("an envelope is within its limit"));
    }
    let random = Blob::new(random).expect("32 of 32 bytes");
    Ok((!sealed.is_empty()).then(|| Written { commitment: letter.commitment(), random, sealed }))
}

/// Leaves letters at a node of the bureau.
pub(super) fn send(office: &Office, nodes: &[NodeClient], sealed: &[Blob<MAIL_BYTES_MAX>]) -> Result<(), Failure> {
    if sealed.is_empty() {
        return Ok(());
    }
    let read = |bytes: &Blob<MAIL_BYTES_MAX>| MailAnswer::decode(bytes, &office.chain.chain_id);
    let letters: Result<Vec<MailAnswer>, _> = sealed.iter().map(read).collect();
    let letters = letters.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
    let mut last = NodeError::Unnamed.failure();
    for node in nodes {
        match issuer::send(office, node, &letters) {
            Ok(()) => return Ok(()),
            // Only the bureau's own node takes them.
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// Whether letters of an officer who spoke then are still to be found at the node.
fn is_kept(ruled: TimeMs, now: TimeMs) -> bool {
    now.since(ruled) <= LETTER_LIFE
}

/// Leaves the letters of the last 90 days once more: the node may have been started anew. Meanwhile the register is closed.
pub fn send_again(office: &Office, keeping: &mut Keeping, nodes: &[NodeClient]) -> Result<usize, Failure> {
    let register = keeping.register()?;
    let keys = looked_after(register, clock::now())?;
    let decisions = register.rows_of(&keys)?.into_iter().filter_map(|row| row.decision);
    let letters: Vec<Blob<MAIL_BYTES_MAX>> = decisions.flat_map(|decision| decision.letters).collect();
    keeping.give_way();
    send(office, nodes, &letters)?;
    Ok(letters.len())
}

/// Rows whose letters are still left at the node; the older ones are looked after no longer.
fn looked_after(register: &Register, now: TimeMs) -> Result<Vec<RowKey>, Failure> {
    let (kept, old): (Vec<_>, Vec<_>) =
        register.with_letters()?.into_iter().partition(|(_, ruled)| is_kept(*ruled, now));
    let keys = |some: Vec<(RowKey, TimeMs)>| some.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    register.forget_letters(&keys(old))?;
    Ok(keys(kept))
}

#[cfg(test)]
mod tests {
    use kanhe_proto::case::Outcome;
    use kanhe_proto::key::KeyId;

    use super::super::row::tests::row;
    use super::super::row::{Decision, Row, Ruling};
    use super::*;
    use crate::talk::Passphrase;
    use crate::vault::Effort;

    /// A decision with a letter of an officer who spoke then.
    fn ruled(round: u32, at: TimeMs) -> Row {
        let mut row = row();
        row.key.round = round;
        let (reason, words, officer) = (None, None, "7".to_owned());
        row.ruling = Some(Ruling { outcome: Outcome::Returned, reason, words, officer, at });
        row.decision = Some(Box::new(Decision {
            outcome: Outcome::Returned,
            reason: None,
            key: KeyId([1; 16]),
            act: Blob::new([]).unwrap(),
            officer_salt: None,
            passed: Vec::new(),
            on_way: Vec::new(),
            letter_random: None,
            letters: vec![Blob::new([1]).unwrap()],
        }));
        row
    }

    #[test]
    fn letters_that_are_left_no_more_leave_the_index() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new("correct horse".to_owned());
        let path = dir.path().join("register");
        let register = Register::open_or_create(&path, &passphrase, Effort::NONE).unwrap();
        let (mut old, mut new) = (ruled(0, TimeMs(1_000)), ruled(1, TimeMs(1_001)));
        register.put_rows([&mut old, &mut new].into_iter()).unwrap();
        let now = TimeMs(1_001 + LETTER_LIFE.0);
        assert_eq!(looked_after(&register, now).unwrap(), [new.key]);
        assert_eq!(register.with_letters().unwrap(), [(new.key, TimeMs(1_001))], "the index does not only grow");
        assert!(!register.row(&old.key).unwrap().unwrap().decision.unwrap().letters.is_empty(), "what was said stays");
    }

    #[test]
    fn words_are_bounded_and_plain() {
        assert_eq!(words(" 请补充合同。\n第三页。 ").unwrap(), "请补充合同。\n第三页。");
        assert_eq!(words(&"长".repeat(LETTER_CHARS_MAX)).unwrap().len(), LETTER_BYTES_MAX);
        let long = ["长".repeat(LETTER_CHARS_MAX + 1), "𠀀".repeat(1_900)];
        for wrong in ["", " \n ", "\u{1b}[31mred", "a\u{0}", long[0].as_str(), long[1].as_str()] {
            assert_eq!(words(wrong).unwrap_err().code, "desk_words", "{wrong:?}");
        }
    }

    #[test]
    fn a_letter_is_left_again_for_ninety_days() {
        assert!(is_kept(TimeMs(1_000), TimeMs(1_000 + LETTER_LIFE.0)));
        assert!(!is_kept(TimeMs(1_000), TimeMs(1_001 + LETTER_LIFE.0)));
    }
}
