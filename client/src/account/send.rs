//! Bringing an act onto the chain: handed to a node, which makes its transaction, and believed once the proved account has it.
//!
//! The act names the number of acts before it, so the chain takes it once, whoever hands it in again.

use std::time::Duration;

use kanhe_proto::account::{AccountPayload, EnterpriseAccount, SignedAccountAct};
use kanhe_proto::bounded::List;
use kanhe_proto::ids::LogIndex;

use super::read::history;
use super::refusal::explain;
use crate::bring::{Bringing, LAG, bring};
use crate::follow::Follower;
use crate::talk::Failure;

const BRINGING: Bringing<'static> = Bringing {
    patience: Duration::from_secs(120),
    lag: LAG,
    may_lag: &["account_unknown", "account_sequence", "not_accredited"],
    unsettled: "account_unsettled",
};

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
    let sent = bring(&BRINGING, follower, |node| node.account_act(&bytes), |follower| found(follower, act));
    sent.map_err(explain)
}
