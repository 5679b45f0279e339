//! What a bureau must have before it can look at a step, as the chain says.

use std::collections::BTreeSet;

use kanhe_proto::case::{Act, Case, CaseEvent, CaseRecord, FileRef, OPENER_SLOT, Outcome};
use kanhe_proto::case_file::Author;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::registry::ServiceItem;

/// A file that was said to be sent to the bureau.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who said it.
    pub author: Author,
    /// In which round of the slot or step.
    pub round: u32,
    /// What the chain has of it.
    pub file: FileRef,
    /// Time of the block that has the act: what was presented is judged as of then.
    pub presented: TimeMs,
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
            Some((record.time, to_us(files)))
        });
        // Who has not presented in this round says nothing now, whatever it said before.
        if let Some((presented, Some(file))) = said.filter(|_| slot.presented.is_some()) {
            found.push(Wanted { author: Author::Slot(at), round: slot.round, file, presented });
        }
    }
    for before in before(item, step) {
        let passed = events.iter().rev().find_map(|(_, record)| match act(record)? {
            Act::Decide(decide) if decide.step == before && decide.outcome == Outcome::Approved => {
                Some((record.time, decide.round, to_us(&decide.passed)))
            }
            _ => None,
        });
        if let Some((presented, round, Some(file))) = passed {
            let author = Author::Bureau { place: item.steps[usize::from(before)].by, step: before };
            found.push(Wanted { author, round, file, presented });
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
