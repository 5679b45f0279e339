//! Bringing signed bytes onto the chain through a node that makes their transaction: believed once the chain is proved to
//! have what they say.
//!
//! The bytes are the caller's and do not change: handed in again, to the same node or to another, they are the same, and the
//! chain takes them once. A refusal counts only if the chain does not have them already.

use std::time::{Duration, Instant};

use kanhe_proto::api::{TransactionState, TransactionStatus, WAIT_MAX_SECONDS};
use kanhe_proto::hash::TransactionId;

use crate::follow::Follower;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure, say};

/// How long a node that is a block behind what was read elsewhere is given.
const LAG: Duration = Duration::from_secs(5);
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
    mut found: impl FnMut(&mut Follower) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let began = Instant::now();
    let (mut last, mut turn) = (None, 0);
    while began.elapsed() < bringing.patience {
        let Some(node) = follower.nodes().get(turn % follower.nodes().len().max(1)).cloned() else {
            return Err(NodeError::Unnamed.failure());
        };
        match attempt(&node, &hand_in) {
            Fate::Taken => {
                if let Some(proved) = found(follower)? {
                    return Ok(proved);
                }
                // Another node is a block behind, or this one does not tell the truth.
            }
            Fate::Refused(code) => {
                if let Some(proved) = found(follower)? {
                    return Ok(proved);
                }
                if !bringing.may_lag.contains(&code.as_str()) || began.elapsed() > LAG {
                    let message = say("issue.rejected", &[("code", &code)]);
                    return Err(Failure::reported(ExitCode::Refused, &code, message));
                }
                turn += 1;
            }
            Fate::Open(failure) => {
                last = failure.or(last);
                turn += 1;
                // All of them were asked in vain.
                if last.is_some() && turn >= 2 * follower.nodes().len() && began.elapsed() > LAG {
                    break;
                }
            }
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
