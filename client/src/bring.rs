//! Bringing signed bytes onto the chain through a node that makes their transaction: believed once the chain is proved
//! to have what they say.
//!
//! The bytes are the caller's and do not change: handed in again, to the same node or to another, they are the same, and
//! the chain takes them once. That a node took them is its word, and so is a refusal: it counts only if the chain does
//! not have them already, and for whoever asks for it ([`bring_unless_all_refuse`]) only if every node that answers
//! refuses them.

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

/// Hands in until `found` proves it, or until it is refused and `found` has nothing. A refusal has the chain's code.
pub fn bring<T>(
    bringing: &Bringing<'_>,
    follower: &mut Follower,
    hand_in: impl Fn(&NodeClient) -> Result<TransactionStatus, NodeError>,
    found: impl FnMut(&mut Follower) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    bring_until(bringing, Refusing { by_one: true, lag: LAG }, follower, hand_in, found)
}

/// The same where the word of one node that refuses is not enough. `lag`: how long nodes that may be behind are given.
pub fn bring_unless_all_refuse<T>(
    bringing: &Bringing<'_>,
    lag: Duration,
    follower: &mut Follower,
    hand_in: impl Fn(&NodeClient) -> Result<TransactionStatus, NodeError>,
    found: impl FnMut(&mut Follower) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    bring_until(bringing, Refusing { by_one: false, lag }, follower, hand_in, found)
}

fn bring_until<T>(
    bringing: &Bringing<'_>,
    refusing: Refusing,
    follower: &mut Follower,
    hand_in: impl Fn(&NodeClient) -> Result<TransactionStatus, NodeError>,
    mut found: impl FnMut(&mut Follower) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let began = Instant::now();
    let (mut last, mut turn) = (None, 0);
    let nodes = follower.nodes().len();
    let mut said = Said { nodes, may_lag: bringing.may_lag, refusing, answers: BTreeMap::new() };
    while began.elapsed() < bringing.patience {
        let place = turn % nodes.max(1);
        let Some(node) = follower.nodes().get(place).cloned() else {
            return Err(NodeError::Unnamed.failure());
        };
        said.answers.remove(&place);
        match attempt(&node, &hand_in) {
            Fate::Taken => match found(follower) {
                Ok(Some(proved)) => return Ok(proved),
                // Another node is a block behind, or this one does not tell the truth: after a while others get it.
                Ok(None) => turn += usize::from(began.elapsed() > LAG),
                Err(failure) => {
                    last = Some(failure);
                    turn += 1;
                    if turn >= 2 * nodes && began.elapsed() > LAG {
                        break;
                    }
                }
            },
            Fate::Refused(code) => {
                if let Some(proved) = found(follower)? {
                    return Ok(proved);
                }
                said.answers.insert(place, Some(code));
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
                said.answers.insert(place, None);
                last = Some(failure);
                turn += 1;
                // All of them were asked in vain.
                if said.is_silence() && turn >= 2 * nodes && began.elapsed() > LAG {
                    break;
                }
            }
        }
        if let Some(code) = said.refusal(place, began.elapsed()) {
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

/// Which refusals count.
#[derive(Debug, Clone, Copy)]
struct Refusing {
    /// Of any node; otherwise of all that answer.
    by_one: bool,
    /// After how long also those that a node a block behind gives.
    lag: Duration,
}

/// What each node said last, by its place: a code of refusal, or that it does not answer.
struct Said<'a> {
    nodes: usize,
    may_lag: &'a [&'a str],
    refusing: Refusing,
    answers: BTreeMap<usize, Option<String>>,
}

impl Said<'_> {
    fn is_silence(&self) -> bool {
        self.answers.len() == self.nodes && self.answers.values().all(Option::is_none)
    }
    /// The refusal that counts, after the node at this place was asked; not as long as one that refuses may be behind.
    fn refusal(&self, place: usize, elapsed: Duration) -> Option<&str> {
        let lags = |code: &str| self.may_lag.contains(&code) && elapsed < self.refusing.lag;
        if self.refusing.by_one {
            return self.answers.get(&place)?.as_deref().filter(|code| !lags(code));
        }
        // All were asked, and none took it.
        let mut codes = self.answers.values().flatten().map(String::as_str);
        if self.answers.len() < self.nodes || codes.clone().any(lags) { None } else { codes.next() }
    }
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

    fn refusal(by_one: bool, answers: &[Option<&str>], place: usize, elapsed: Duration) -> Option<String> {
        let answers = answers.iter().map(|answer| answer.map(str::to_owned)).enumerate().collect();
        let said = Said { nodes: 3, may_lag: &["case_unknown"], refusing: Refusing { by_one, lag: LAG }, answers };
        said.refusal(place, elapsed).map(str::to_owned)
    }

    const SOON: Duration = Duration::from_secs(1);
    const LATE: Duration = Duration::from_secs(10);
    const OVER: Option<&str> = Some("case_over");
    const BEHIND: Option<&str> = Some("case_unknown");

    #[test]
    fn one_node_alone_refuses_nothing_where_all_are_asked() {
        let said = |answers: &[Option<&str>], elapsed| refusal(false, answers, answers.len() - 1, elapsed);
        assert_eq!(said(&[OVER], LATE), None, "two were not asked yet");
        assert_eq!(said(&[OVER, OVER], LATE), None);
        assert_eq!(said(&[OVER, None, OVER], SOON).as_deref(), OVER, "one that is away is not waited for");
        assert_eq!(said(&[OVER, BEHIND, OVER], SOON), None, "what is true may be new to one of them");
        assert_eq!(said(&[OVER, BEHIND, OVER], LATE).as_deref(), OVER);
        assert_eq!(said(&[None, None, None], LATE), None, "silence is no refusal");
    }

    #[test]
    fn where_one_is_enough_it_is_the_one_that_was_asked_last() {
        assert_eq!(refusal(true, &[OVER], 0, SOON).as_deref(), OVER);
        assert_eq!(refusal(true, &[BEHIND], 0, SOON), None);
        assert_eq!(refusal(true, &[BEHIND], 0, LATE).as_deref(), BEHIND);
        assert_eq!(refusal(true, &[BEHIND, OVER], 1, SOON).as_deref(), OVER);
        assert_eq!(refusal(true, &[BEHIND, None], 1, LATE), None, "this one says nothing");
        assert_eq!(refusal(true, &[BEHIND], 1, LATE), None, "this one took it");
    }
}
