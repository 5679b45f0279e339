//! What a bureau must have before it can look at a step, as the chain says.

use std::collections::BTreeSet;

use kanhe_proto::case::{Act, Assisted, Case, CaseEvent, CaseRecord, Clerk, FileRef, OPENER_SLOT, Outcome};
use kanhe_proto::case_file::Author;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::{HolderKind, ServiceItem};

/// A file that was said to be sent to the bureau.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who said it.
    pub author: Author,
    /// The key that signed the act: the parts of the file are signed by the same.
    pub key: KeyId,
    /// In which round of the slot or step.
    pub round: u32,
    /// What the chain has of it.
    pub file: FileRef,
    /// Time of the block that has the act: what was presented is judged as of then.
    pub presented: TimeMs,
    /// The clerk who said it for somebody, under a signature that the chain has verified.
    pub clerk: Option<Clerk>,
}

/// What the slots say now to the bureau at this place of the item, by slot; and what the steps before this one pass to it.
pub fn wanted(item: &ServiceItem, case: &Case, events: &[(LogIndex, CaseRecord)], step: u8) -> Vec<Wanted> {
    let Some(place) = item.steps.get(usize::from(step)).map(|step| step.by) else { return Vec::new() };
    let to_us = |files: &[FileRef]| files.iter().find(|file| file.to == place).cloned();
    let mut found = Vec::new();
    for (at, slot) in (0u8..).zip(case.slots.iter()) {
        let said = events.iter().rev().find_map(|(_, record)| {
            let files = match act(record)? {
                Act::Open(open) if at == OPENER_SLOT && slot.round == 0 => &open.files,
                Act::Present(present) if present.slot == at && present.round == slot.round => &present.files,
                _ => return None,
            };
            Some((record.time, to_us(files), act(record)?.assisted().map(Assisted::clerk)))
        });
        // Who has not presented in this round says nothing now, whatever it said before.
        if let Some((presented, Some(file), clerk)) = said.filter(|_| slot.presented.is_some()) {
            // Who presented has a key of its own, also where it was invited.
            let key = slot.key.key().id();
            // Nobody acts for an enterprise but with a key of its account.
            let party = item.parties.get(usize::from(slot.party));
            let clerk = clerk.filter(|_| party.is_some_and(|party| party.kind == HolderKind::Person));
            found.push(Wanted { author: Author::Slot(at), key, round: slot.round, file, presented, clerk });
        }
    }
    for before in before(item, step) {
        let passed = events.iter().rev().find_map(|(_, record)| match act(record)? {
            Act::Decide(decide) if decide.step == before && decide.outcome == Outcome::Approved => {
                Some((record.time, (decide.key, decide.round), to_us(&decide.passed)))
            }
            _ => None,
        });
        if let Some((presented, (key, round), Some(file))) = passed {
            let author = Author::Bureau { place: item.steps[usize::from(before)].by, step: before };
            found.push(Wanted { author, key, round, file, presented, clerk: None });
        }
    }
    found
}

const fn act(record: &CaseRecord) -> Option<&Act> {
    match &record.event {
        CaseEvent::Act(signed) => Some(&signed.act),
        CaseEvent::Expired => None,
    }
}

/// Steps that this one needs, directly or not.
fn before(item: &ServiceItem, step: u8) -> BTreeSet<u8> {
    let needs = |step: u8| item.steps.get(usize::from(step)).map_or(&[][..], |step| &step.needs[..]);
    let (mut found, mut open) = (BTreeSet::new(), needs(step).to_vec());
    while let Some(step) = open.pop() {
        if found.insert(step) {
            open.extend_from_slice(needs(step));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::{List, Text};
    use kanhe_proto::case::{CaseStatus, CaseStep, Decide, How, Open, Present, SignedAct, Slot, SlotKey, StepState};
    use kanhe_proto::hash::{CaseId, Commitment, Hash};
    use kanhe_proto::identifiers::Uscc;
    use kanhe_proto::ids::{Height, SpanMs};
    use kanhe_proto::item::{BoundRole, Item, ItemVersion};
    use kanhe_proto::key::{PublicKey, SecretKey, Signature, Signer};

    use super::*;
    use crate::item::ItemSource;

    const FLAT: &str = include_str!("../../../deploy/items/flat-registration.toml");

    fn item() -> (Item, ServiceItem) {
        let item = ItemSource::of(FLAT.to_owned()).unwrap().item;
        let bureau: Uscc = "11370100MB1A0001X2".parse().unwrap();
        let bound = item
            .bureau
            .iter()
            .map(|role| BoundRole { role: role.code.clone(), bureaus: List::new(vec![bureau]).unwrap() });
        let bound: Vec<BoundRole> = bound.collect();
        let public = item.service_item(&bound).unwrap();
        (item, public)
    }

    fn key(byte: u8) -> PublicKey {
        SecretKey::from_seed([byte; 32]).public_key()
    }
    fn reference(to: u8, byte: u8) -> FileRef {
        FileRef { to, commitment: Commitment([byte; 32]), bytes: 4_096 }
    }
    fn slot(party: u8, round: u32, presented: Option<u64>) -> Slot {
        let key = SlotKey::Known(key(party + 1));
        Slot { party, key, round, presented: presented.map(TimeMs), letter_key: None }
    }
    fn record(number: u32, act: Act) -> (LogIndex, CaseRecord) {
        let signature = Signature::ed25519([0; 64]);
        let event = CaseEvent::Act(SignedAct { act, signature });
        let record = CaseRecord {
            case: CaseId([7; 32]),
            number,
            before: None,
            item: Text::new("flat-registration").unwrap(),
            version: ItemVersion(1),
            event,
            status: CaseStatus::Open,
            height: Height(u64::from(number)),
            time: TimeMs(u64::from(number) * 10),
        };
        (LogIndex(u64::from(number)), record)
    }
    fn open(files: Vec<FileRef>) -> Act {
        Act::Open(Open {
            item: Text::new("flat-registration").unwrap(),
            version: ItemVersion(1),
            file: Hash([0; 32]),
            not_after: TimeMs(0),
            key: key(1),
            letter_key: key(9),
            chosen: List::empty(),
            slots: List::empty(),
            files: List::new(files).unwrap(),
            assisted: None,
        })
    }
    fn present(slot: u8, round: u32, files: Vec<FileRef>) -> Act {
        let (case, letter_key) = (CaseId([7; 32]), key(9));
        Act::Present(Present {
            case,
            slot,
            round,
            join: None,
            letter_key,
            files: List::new(files).unwrap(),
            assisted: None,
        })
    }
    fn decide(step: u8, outcome: Outcome, passed: Vec<FileRef>) -> Act {
        Act::Decide(Decide {
            case: CaseId([7; 32]),
            step,
            round: 0,
            key: KeyId([8; 16]),
            outcome,
            how: How::Rules,
            run: None,
            reason: None,
            letter: None,
            passed: List::new(passed).unwrap(),
        })
    }
    fn case(slots: Vec<Slot>) -> Case {
        let step = CaseStep { state: StepState::Ready, round: 0, since: TimeMs(0), due: None, issued: false };
        Case {
            id: CaseId([7; 32]),
            item: Text::new("flat-registration").unwrap(),
            version: ItemVersion(1),
            chosen: List::empty(),
            slots: List::new(slots).unwrap(),
            steps: List::new(vec![step; 4]).unwrap(),
            status: CaseStatus::Open,
            opened: TimeMs(0),
            ends: TimeMs(0).after(SpanMs(1)),
            events: 0,
            last: LogIndex(0),
            forget: None,
            stars: None,
        }
    }

    #[test]
    fn what_counts_is_the_round_that_stands_and_what_is_for_this_bureau() {
        let (_, item) = item();
        // Steps: filing (housing), tax, mortgage, register; the buyer is party 1.
        let case = case(vec![slot(0, 0, Some(0)), slot(1, 1, Some(30))]);
        let events = [
            record(0, open(vec![reference(0, 1)])),
            record(1, present(1, 0, vec![reference(1, 2), reference(3, 3)])),
            record(2, decide(0, Outcome::Approved, vec![])),
            record(3, present(1, 1, vec![reference(1, 4), reference(3, 5)])),
            record(4, decide(1, Outcome::Returned, vec![])),
            record(5, decide(1, Outcome::Approved, vec![reference(3, 6)])),
        ];
        let of = |author, round, file, presented| {
            let key = match author {
                Author::Slot(slot) => key(slot + 1).id(),
                Author::Bureau { .. } => KeyId([8; 16]),
            };
            Wanted { author, key, round, file, presented: TimeMs(presented), clerk: None }
        };
        assert_eq!(wanted(&item, &case, &events, 0), [of(Author::Slot(0), 0, reference(0, 1), 0)]);
        assert_eq!(wanted(&item, &case, &events, 1), [of(Author::Slot(1), 1, reference(1, 4), 30)]);
        let passed = of(Author::Bureau { place: 1, step: 1 }, 0, reference(3, 6), 50);
        assert_eq!(wanted(&item, &case, &events, 3), [of(Author::Slot(1), 1, reference(3, 5), 30), passed]);
        assert_eq!(wanted(&item, &case, &events, 9), []);
    }

    #[test]
    fn who_was_asked_to_present_anew_says_nothing_until_then() {
        let (_, item) = item();
        let case = case(vec![slot(0, 0, Some(0)), slot(1, 1, None)]);
        let events = [record(0, open(vec![])), record(1, present(1, 0, vec![reference(1, 2)]))];
        assert_eq!(wanted(&item, &case, &events, 1), []);
    }
}
