//! Bringing acts onto the chain: handed to a node, which makes their transaction, and believed once the proved events of
//! their cases have them.
//!
//! The bytes are the caller's and do not change: handed in again, to the same node or to another, they are the same acts, and
//! the chain takes them once. A refusal counts only if the chain does not have them already, and every node that answers
//! refuses them: it is their word, and proves nothing.

use std::time::Duration;

use kanhe_proto::bounded::List;
use kanhe_proto::case::{CaseEvent, CasePayload, CaseRecord, SignedAct};
use kanhe_proto::codec;
use kanhe_proto::hash::CaseId;
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::limits::{CASE_ACTS_MAX, CASE_PAYLOAD_BYTES_MAX};

use super::read::events_many;
use super::refusal::explain;
use crate::bring::{Bringing, LAG, bring};
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure};

const BRINGING: Bringing<'static> = Bringing {
    patience: Duration::from_secs(180),
    lag: LAG,
    may_lag: &["case_unknown", "case_not_ready", "case_round", "item_not_in_force"],
    unsettled: "case_unsettled",
};
/// Transactions that are on their way at once.
const AHEAD: usize = 8;
/// Bytes of acts in one transaction: what is around them has room beside.
const PORTION_BYTES_MAX: usize = CASE_PAYLOAD_BYTES_MAX - 1_024;

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
    let found = found_many(follower, std::slice::from_ref(act))?;
    Ok(found.into_iter().next().flatten())
}

/// The same for several acts, in their order.
pub fn found_many(follower: &mut Follower, acts: &[SignedAct]) -> Result<Vec<Option<Sent>>, Failure> {
    let chain = follower.trust().chain.chain_id;
    let ids: Vec<CaseId> = acts.iter().map(|act| act.act.case(&chain)).collect();
    let events = events_many(follower, &ids)?;
    let found = acts.iter().zip(events).map(|(act, events)| {
        let events = events?;
        // Who signed it is what counts, not the bytes of the signature.
        let is_it = |record: &CaseRecord| matches!(&record.event, CaseEvent::Act(known) if known.act == act.act);
        let (index, record) = events.events.into_iter().rev().find(|(_, record)| is_it(record))?;
        Some(Sent { index, record, as_of: events.height })
    });
    Ok(found.collect())
}

/// Brings acts onto the chain, each for itself, as many in one transaction as it takes, and says what became of each. Several
/// transactions are on their way at once.
pub fn send_each(follower: &mut Follower, acts: &[SignedAct]) -> Vec<Result<Sent, Failure>> {
    send_each_within(follower, acts, LAG)
}

/// The same for acts that were refused before: no node is waited for that may be behind.
pub(super) fn send_each_again(follower: &mut Follower, acts: &[SignedAct]) -> Vec<Result<Sent, Failure>> {
    send_each_within(follower, acts, Duration::ZERO)
}

fn send_each_within(follower: &mut Follower, acts: &[SignedAct], lag: Duration) -> Vec<Result<Sent, Failure>> {
    let mut ends = Vec::with_capacity(acts.len());
    let portions = portions(acts, PORTION_BYTES_MAX);
    for ahead in portions.chunks(AHEAD) {
        if ahead.len() > 1
            && let Some(node) = follower.nodes().first().cloned()
        {
            // What comes of these is asked for below, where the same acts are the same transaction.
            let handed = ahead.iter().filter_map(|portion| payload(portion).ok());
            handed.for_each(|bytes| drop(node.case_acts(&bytes)));
        }
        for portion in ahead {
            send_portion(follower, portion, lag, &mut ends);
        }
    }
    ends
}

/// In order, as many as one transaction takes.
fn portions(acts: &[SignedAct], bytes_max: usize) -> Vec<&[SignedAct]> {
    let (mut portions, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, act) in acts.iter().enumerate() {
        let len = codec::encode(act).len();
        if at - from == CASE_ACTS_MAX || (at > from && bytes + len > bytes_max) {
            portions.push(&acts[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += len;
    }
    if from < acts.len() {
        portions.push(&acts[from..]);
    }
    portions
}

/// All or none is what the chain takes: of a portion that it refuses those are found out which it refuses.
fn send_portion(follower: &mut Follower, acts: &[SignedAct], lag: Duration, ends: &mut Vec<Result<Sent, Failure>>) {
    match send_within(follower, acts, lag) {
        Ok(sent) => ends.extend(sent.into_iter().map(Ok)),
        Err(failure) if failure.exit == ExitCode::Refused && acts.len() > 1 => {
            let (first, second) = acts.split_at(acts.len() / 2);
            send_portion(follower, first, lag, ends);
            send_portion(follower, second, lag, ends);
        }
        Err(failure) => ends.extend(acts.iter().map(|_| Err(failure.clone()))),
    }
}

fn payload(acts: &[SignedAct]) -> Result<Vec<u8>, Failure> {
    let acts = List::new(acts.to_vec()).map_err(|error| Failure::reported(ExitCode::Usage, "case_acts", error))?;
    Ok(CasePayload { acts }.to_bytes())
}

/// Brings acts onto the chain, all or none and in order, and proves where they are: also if they are there already. A
/// refusal has the chain's code.
pub fn send(follower: &mut Follower, acts: &[SignedAct]) -> Result<Vec<Sent>, Failure> {
    send_within(follower, acts, LAG)
}

fn send_within(follower: &mut Follower, acts: &[SignedAct], lag: Duration) -> Result<Vec<Sent>, Failure> {
    let bytes = payload(acts)?;
    let all = |follower: &mut Follower| Ok(found_many(follower, acts)?.into_iter().collect());
    bring(&Bringing { lag, ..BRINGING }, follower, |node| node.case_acts(&bytes), all).map_err(explain)
}

#[cfg(test)]
mod tests {
    use kanhe_proto::case::{Act, Rate};
    use kanhe_proto::key::Signature;

    use super::*;

    fn signed(act: Act) -> SignedAct {
        SignedAct { act, signature: Signature::ed25519([0; 64]) }
    }

    #[test]
    fn a_transaction_gets_as_many_acts_as_it_takes() {
        let rate = |case: u8| signed(Act::Rate(Rate { case: CaseId([case; 32]), stars: 5 }));
        let acts: Vec<SignedAct> = (0..70).map(rate).collect();
        let lens = |bytes_max| portions(&acts, bytes_max).iter().map(|portion| portion.len()).collect::<Vec<_>>();
        assert_eq!(lens(PORTION_BYTES_MAX), [32, 32, 6]);
        assert_eq!(portions(&acts, PORTION_BYTES_MAX).concat(), acts);
        assert!(portions(&[], PORTION_BYTES_MAX).is_empty());
        let one = codec::encode(&acts[0]).len();
        assert_eq!(lens(20 * one + 1), [20, 20, 20, 10]);
        // One that is too long by itself goes alone: the node says what it thinks of it.
        assert_eq!(lens(1), [1; 70]);
        assert!(
            payload(&acts[..CASE_ACTS_MAX]).unwrap().len()
                <= CASE_ACTS_MAX * one + (CASE_PAYLOAD_BYTES_MAX - PORTION_BYTES_MAX)
        );
    }
}
