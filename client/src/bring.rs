//! Bringing signed bytes onto the chain through a node that makes their transaction: believed once the chain is proved to
//! have what they say.
//!
//! The bytes are the caller's and do not change: handed in again, to the same node or to another, they are the same, and the
//! chain takes them once. A refusal counts only if the chain does not have them already, and every node that answers
//! refuses them: it is their word, and proves nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kanhe_proto::api::{TransactionState, TransactionStatus, WAIT_MAX_SECONDS};
use kanhe_proto::hash::TransactionId;

use crate::follow::Follower;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure, say};

/// How long a node that is a block behind what was read elsewhere is given.
pub const LAG: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);
/// Fates of a transaction that say nothing about what is in it: the same is handed in anew.
const AGAIN: [&str; 2] = ["expired", "duplicate"];

/// What is brought.
#[derive(Debug, Clone, Copy)]
pub struct Bringing<'a> {
    /// How long it is tried in all.
    pub patience: Duration,
    /// How long a node that is a block behind is given: [`LAG`], or nothing for what was refused before.
    pub lag: Duration,
    /// Refusals that a node a block behind gives to what is right.
    pub may_lag: &'a [&'a str],
    /// Code of the failure if nothing is known after that.
    pub unsettled: &'a str,
}

/// How an attempt at one node ended.
enum Fate {
    /// It says that a block has it.
    Taken,
    /// It, or the chain, refuses it.
    Refused(String),
    /// No answer to rely on: once more, perhaps elsewhere.
    Open(Option<Failure>),
}

/// What each node said last, by its place: a code of refusal, or nothing.
struct Said<'a> {
    nodes: usize,
    lag: Duration,
    may_lag: &'a [&'a str],
    answers: BTreeMap<usize, Option<String>>,
}

impl<'a> Said<'a> {
    /// Of so many nodes, none of which was asked yet.
    const fn of(nodes: usize, lag: Duration, may_lag: &'a [&'a str]) -> Self {
        Self { nodes, lag, may_lag, answers: BTreeMap::new() }
    }
    /// How many nodes there are.
    const fn nodes(&self) -> usize {
        self.nodes
    }
    /// One is asked again: what it said before counts no more.
    fn is_asked(&mut self, place: usize) {
        self.answers.remove(&place);
    }
    /// One refuses.
    fn refuses(&mut self, place: usize, code: String) {
        self.answers.insert(place, Some(code));
    }
    /// One gives no answer.
    fn is_silent(&mut self, place: usize) {
        self.answers.insert(place, None);
    }
    /// Whether none of them gives an answer.
    fn is_silence(&self) -> bool {
        self.answers.len() == self.nodes && self.answers.values().all(Option::is_none)
    }
    /// The refusal that counts, once all were asked and none took it; not as long as one of them may be behind.
    fn refusal(&self, elapsed: Duration) -> Option<&str> {
        let mut codes = self.answers.values().flatten().map(String::as_str);
        let lags = codes.clone().any(|code| self.may_lag.contains(&code)) && elapsed < self.lag;
        if self.answers.len() < self.nodes || lags { None } else { codes.next() }
    }
}

/// Hands in until `found` proves it, or until all nodes refuse it and `found` has nothing. A refusal has the chain's
/// code.
pub fn bring<T>(
    bringing: &Bringing<'_>,
    follower: &mut Follower,
    hand_in: impl Fn(&NodeClient) -> Result<TransactionStatus, NodeError>,
    mut found: impl FnMut(&mut Follower) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let began = Instant::now();
    let (mut last, mut turn) = (None, 0);
    let mut said = Said::of(follower.nodes().len(), bringing.lag, bringing.may_lag);
    while began.elapsed() < bringing.patience {
        let place = turn % said.nodes().max(1);
        let Some(node) = follower.nodes().get(place).cloned() else {
            return Err(NodeError::Unnamed.failure());
        };
        said.is_asked(place);
        match attempt(&node, &hand_in) {
            Fate::Taken => {
                if let Some(proved) = found(follower)? {
                    return Ok(proved);
                }
                // Another node is a block behind, or this one does not tell the truth: after a while others get it.
                turn += usize::from(began.elapsed() > LAG);
            }
            Fate::Refused(code) => {
                if let Some(proved) = found(follower)? {
                    return Ok(proved);
                }
                said.refuses(place, code);
                turn += 1;
            }
            Fate::Open(None) => {
                // It may be on the chain for all that.
                if let Ok(Some(proved)) = found(follower) {
                    return Ok(proved);
                }
                turn += 1;
            }
            Fate::Open(Some(failure)) => {
                said.is_silent(place);
                last = Some(failure);
                turn += 1;
                // All of them were asked in vain.
                if said.is_silence() && turn >= 2 * said.nodes() && began.elapsed() > LAG {
                    break;
                }
            }
        }
        if let Some(code) = said.refusal(began.elapsed()) {
            let message = say("issue.rejected", &[("code", &code)]);
            return Err(Failure::reported(ExitCode::Refused, code, message));
        }
        std::thread::sleep(PAUSE);
    }
    if let Ok(Some(proved)) = found(follower) {
        return Ok(proved);
    }
    Err(last.unwrap_or_else(|| Failure::of(ExitCode::Undecided, bringing.unsettled, &[])))
}

fn attempt(node: &NodeClient, hand_in: &impl Fn(&NodeClient) -> Result<TransactionStatus, NodeError>) -> Fate {
    let status = match hand_in(node) {
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
            let mut said = Said::of(3, LAG, &["case_unknown"]);
            for (place, answer) in answers.iter().enumerate() {
                match answer {
                    Some(code) => said.refuses(place, (*code).to_owned()),
                    None => said.is_silent(place),
                }
            }
            said.refusal(elapsed).map(str::to_owned)
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
