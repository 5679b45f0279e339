//! Bringing acts onto the chain: handed to a node, which makes their transaction, and believed once the proved events of
//! their cases have them.
//!
//! The bytes are the caller's and do not change: handed in again, to the same node or to another, they are the same acts, and
//! the chain takes them once. A refusal counts only if the chain does not have them already, and every node that answers
//! refuses them: it is their word, and proves nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kanhe_proto::api::{TransactionState, TransactionStatus, WAIT_MAX_SECONDS};
use kanhe_proto::bounded::List;
use kanhe_proto::case::{CaseEvent, CasePayload, CaseRecord, SignedAct};
use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::{Height, LogIndex};

use super::read::events;
use super::refusal::{explain, refused};
use crate::follow::Follower;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};

/// How long acts are waited for in all.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long a node that is a block behind what was read elsewhere is given.
const LAG: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(300);

/// Refusals that a node a block behind gives to what is right.
const MAY_LAG: [&str; 4] = ["case_unknown", "case_not_ready", "case_round", "item_not_in_force"];
/// Fates of a transaction that say nothing about the acts in it: the same acts are handed in anew.
const AGAIN: [&str; 2] = ["expired", "duplicate"];

/// An act on the chain, proved.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Where its record is.
    pub index: LogIndex,
    /// Its record.
    pub record: CaseRecord,
    /// Height of the header under which it was read.
    pub as_of: Height,
}

/// Where the chain has an act; none: proved that it has not, or that there is no such case.
pub fn found(follower: &mut Follower, act: &SignedAct) -> Result<Option<Sent>, Failure> {
    let id = act.act.case(&follower.trust().chain.chain_id);
    let Some(events) = events(follower, &id)? else { return Ok(None) };
    let as_of = events.height;
    // Who signed it is what counts, not the bytes of the signature.
    let is_it = |record: &CaseRecord| matches!(&record.event, CaseEvent::Act(known) if known.act == act.act);
    let found = events.events.into_iter().rev().find(|(_, record)| is_it(record));
    Ok(found.map(|(index, record)| Sent { index, record, as_of }))
}

fn all_found(follower: &mut Follower, acts: &[SignedAct]) -> Result<Option<Vec<Sent>>, Failure> {
    let mut all = Vec::with_capacity(acts.len());
    for act in acts {
        match found(follower, act)? {
            Some(sent) => all.push(sent),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// How an attempt at one node ended.
pub(crate) enum Fate {
    /// It says that a block has them.
    Taken,
    /// It, or the chain, refuses them.
    Refused(String),
    /// No answer to rely on: once more, perhaps elsewhere.
    Open(Option<Failure>),
}

/// Brings acts onto the chain, all or none and in order, and proves where they are: also if they are there already. A
/// refusal has the chain's code.
pub fn send(follower: &mut Follower, acts: &[SignedAct]) -> Result<Vec<Sent>, Failure> {
    send_within(follower, acts, LAG)
}

/// The same for acts that were refused before: no node is waited for that may be behind.
pub(super) fn send_again(follower: &mut Follower, acts: &[SignedAct]) -> Result<Vec<Sent>, Failure> {
    send_within(follower, acts, Duration::ZERO)
}

fn send_within(follower: &mut Follower, acts: &[SignedAct], lag: Duration) -> Result<Vec<Sent>, Failure> {
    let list = List::new(acts.to_vec()).map_err(|error| Failure::reported(ExitCode::Usage, "case_acts", error))?;
    let bytes = CasePayload { acts: list }.to_bytes();
    let began = Instant::now();
    let mut last = None;
    let mut turn = 0;
    let mut said = Said { nodes: follower.nodes().len(), lag, answers: BTreeMap::new() };
    while began.elapsed() < PATIENCE {
        let place = turn % said.nodes.max(1);
        let Some(node) = follower.nodes().get(place).cloned() else {
            return Err(NodeError::Unnamed.failure());
        };
        match attempt(&node, node.case_acts(&bytes)) {
            Fate::Taken => {
                if let Some(sent) = all_found(follower, acts)? {
                    return Ok(sent);
                }
                // Another node is a block behind, or this one does not tell the truth.
            }
            Fate::Refused(code) => {
                if let Some(sent) = all_found(follower, acts)? {
                    return Ok(sent);
                }
                said.answers.insert(place, Some(code));
                turn += 1;
            }
            Fate::Open(failure) => {
                if failure.is_some() {
                    said.answers.insert(place, None);
                }
                last = failure.or(last);
                turn += 1;
                // All of them were asked in vain.
                if said.is_silence() && turn >= 2 * said.nodes && began.elapsed() > LAG {
                    break;
                }
            }
        }
        if let Some(code) = said.refusal(began.elapsed()) {
            return Err(refused(code));
        }
        std::thread::sleep(PAUSE);
    }
    if let Ok(Some(sent)) = all_found(follower, acts) {
        return Ok(sent);
    }
    Err(last.map_or_else(|| Failure::of(ExitCode::Undecided, "case_unsettled", &[]), explain))
}

/// What each node said last, by its place: a code of refusal, or nothing.
struct Said {
    nodes: usize,
    lag: Duration,
    answers: BTreeMap<usize, Option<String>>,
}

impl Said {
    fn is_silence(&self) -> bool {
        self.answers.len() == self.nodes && self.answers.values().all(Option::is_none)
    }
    /// The refusal that counts, once all were asked and none took the acts; not as long as one of them may be behind.
    fn refusal(&self, elapsed: Duration) -> Option<&str> {
        let mut codes = self.answers.values().flatten().map(String::as_str);
        let lags = codes.clone().any(|code| MAY_LAG.contains(&code)) && elapsed < self.lag;
        if self.answers.len() < self.nodes || lags { None } else { codes.next() }
    }
}

/// What came of handing acts in at a node.
pub(crate) fn attempt(node: &NodeClient, handed_in: Result<TransactionStatus, NodeError>) -> Fate {
    let status = match handed_in {
        Ok(status) => status,
        Err(NodeError::Refused { code, .. }) if AGAIN.contains(&code.as_str()) => return Fate::Open(None),
        Err(NodeError::Refused { code, .. }) => return Fate::Refused(code),
        Err(error) => return Fate::Open(Some(error.failure())),
    };
    match status.state {
        TransactionState::Committed => Fate::Taken,
        TransactionState::Rejected => rejected(status.code),
        _ => wait(node, &status.id),
    }
}

fn wait(node: &NodeClient, id: &TransactionId) -> Fate {
    match node.transaction(id, WAIT_MAX_SECONDS) {
        Ok(status) => match status.state {
            TransactionState::Committed => Fate::Taken,
            TransactionState::Rejected => rejected(status.code),
            _ => Fate::Open(None),
        },
        Err(error) => Fate::Open(Some(error.failure())),
    }
}

fn rejected(code: Option<String>) -> Fate {
    match code {
        Some(code) if !AGAIN.contains(&code.as_str()) => Fate::Refused(code),
        _ => Fate::Open(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_alone_refuses_nothing() {
        let said = |answers: &[Option<&str>], elapsed| {
            let answers = answers.iter().map(|answer| answer.map(str::to_owned)).enumerate().collect();
            Said { nodes: 3, lag: LAG, answers }.refusal(elapsed).map(str::to_owned)
        };
        let (soon, late) = (Duration::from_secs(1), LAG * 2);
        let (over, behind) = (Some("case_over"), Some("case_unknown"));
        assert_eq!(said(&[over], late), None, "two were not asked yet");
        assert_eq!(said(&[over, over], late), None);
        assert_eq!(said(&[over, None, over], soon).as_deref(), Some("case_over"), "one that is away is not waited for");
        assert_eq!(said(&[over, behind, over], soon), None, "what is true may be new to one of them");
        assert_eq!(said(&[over, behind, over], late).as_deref(), Some("case_over"));
        assert_eq!(said(&[None, None, None], late), None, "silence is no refusal");
    }
}
