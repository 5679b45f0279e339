//! Bringing an act onto the chain: handed to a node, which makes its transaction, and believed once the proved account has it.
//!
//! The act names the number of acts before it, so the chain takes it once, whoever hands it in again.

use std::time::{Duration, Instant};

use kanhe_proto::account::{AccountPayload, EnterpriseAccount, SignedAccountAct};
use kanhe_proto::bounded::List;
use kanhe_proto::ids::LogIndex;

use super::read::history;
use super::refusal::refused;
use crate::case::{Fate, attempt};
use crate::follow::Follower;
use crate::node::NodeError;
use crate::talk::{ExitCode, Failure};

/// How long an act is waited for in all.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a node that is a block behind what was read elsewhere is given.
const LAG: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(300);
/// Refusals that a node a block behind gives to what is right.
const MAY_LAG: [&str; 3] = ["account_unknown", "account_sequence", "not_accredited"];

/// An act on the chain, proved.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Where its record is.
    pub index: LogIndex,
    /// The account after it, or after later acts.
    pub account: EnterpriseAccount,
}

/// Where the chain has an act; none: proved that it has not.
fn found(follower: &mut Follower, act: &SignedAccountAct) -> Result<Option<Sent>, Failure> {
    let Some(told) = history(follower, &act.act.uscc)? else { return Ok(None) };
    let place = told.acts.iter().find(|(_, record)| record.signed.act == act.act).map(|(index, _)| *index);
    Ok(place.map(|index| Sent { index, account: told.account }))
}

/// Brings an act onto the chain and proves where it is: also if it is there already. A refusal has the chain's code.
pub fn send(follower: &mut Follower, act: &SignedAccountAct) -> Result<Sent, Failure> {
    let acts = List::new(vec![act.clone()]).expect("one is within the bound");
    let bytes = AccountPayload { acts }.to_bytes();
    let (began, mut turn, mut last) = (Instant::now(), 0, None);
    while began.elapsed() < PATIENCE {
        let Some(node) = follower.nodes().get(turn % follower.nodes().len().max(1)).cloned() else {
            return Err(NodeError::Unnamed.failure());
        };
        match attempt(&node, node.account_act(&bytes)) {
            // Behind, or it does not tell the truth: after a while another node gets it.
            Fate::Taken => turn += usize::from(began.elapsed() > LAG),
            Fate::Refused(code) => {
                if let Some(sent) = found(follower, act)? {
                    return Ok(sent);
                }
                if !MAY_LAG.contains(&code.as_str()) || began.elapsed() > LAG {
                    return Err(refused(&code));
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
        if let Ok(Some(sent)) = found(follower, act) {
            return Ok(sent);
        }
        std::thread::sleep(PAUSE);
    }
    Err(last.unwrap_or_else(|| Failure::of(ExitCode::Undecided, "account_unsettled", &[])))
}
