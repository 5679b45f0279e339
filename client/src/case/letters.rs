//! Letters to this wallet: the words of decisions, fetched from the deciding bureau's node through any, held against the chain,
//! and kept. A node that has none, or another, changes nothing: it is asked again the next time.

use kanhe_proto::case::{Act, CaseEvent, Decide, Letter, WantedLetter, letter_id};
use kanhe_proto::hash::Commitment;
use kanhe_proto::mail::MailAnswer;
use kanhe_proto::seal::SealingSecret;
use serde::{Deserialize, Serialize};

use super::own::{OwnCase, Shelf};
use super::read::{Events, KnownItem};
use crate::follow::Follower;
use crate::talk::Failure;
use crate::wallet::Wallet;

/// A letter that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLetter {
    /// What the decision committed to.
    pub commitment: Commitment,
    /// What it says.
    pub words: String,
}

/// Whether the letter of a decision on a step may be to this wallet: the step waits for its party, or it is the applicant.
pub(super) fn concerns(known: &KnownItem, own: &OwnCase, step: u8) -> bool {
    let places = (0u8..).zip(&known.item.party);
    let own_place = places.filter(|(_, party)| party.code == own.party).map(|(place, _)| place).next();
    let step = known.public.steps.get(usize::from(step));
    let asked = own_place.is_some_and(|place| step.is_some_and(|step| step.waits_for.contains(&place)));
    asked || known.item.party.iter().any(|party| party.code == own.party && party.applicant)
}

/// Fetches the letters of a case that are not kept yet.
pub fn read_letters(
    wallet: &Wallet,
    follower: &Follower,
    known: &KnownItem,
    events: &Events,
    own: &mut OwnCase,
) -> Result<(), Failure> {
    let secret = SealingSecret::from_seed(*own.letter.bytes());
    let mut found = Vec::new();
    for (_, record) in &events.events {
        let CaseEvent::Act(signed) = &record.event else { continue };
        let Act::Decide(Decide { step, round, letter: Some(commitment), .. }) = &signed.act else { continue };
        let kept = own.letters.iter().any(|letter| letter.commitment == *commitment);
        let Some(issuer) = events.case.bureau_of(&known.public, *step).filter(|_| !kept) else { continue };
        if concerns(known, own, *step) {
            let (case, step, round, commitment) = (own.id, *step, *round, *commitment);
            let wanted = WantedLetter { issuer, case, step, round, commitment };
            found.extend(fetch(follower, &secret, &wanted));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    own.letters.extend(found);
    Shelf::of(wallet).put(own)
}

/// What the first node has that is the letter, and not only called so.
fn fetch(follower: &Follower, secret: &SealingSecret, wanted: &WantedLetter) -> Option<OwnLetter> {
    let id = letter_id(&secret.public_key(), &wanted.commitment);
    follower.nodes().iter().find_map(|node| {
        let bytes = node.mail_answer(&id, &wanted.issuer, 0).ok()??;
        let mail = MailAnswer::decode(&bytes, &follower.trust().chain.chain_id).ok()?;
        let letter = Letter::open(&mail, secret, wanted).ok()?;
        Some(OwnLetter { commitment: wanted.commitment, words: letter.content.words.to_string() })
    })
}
