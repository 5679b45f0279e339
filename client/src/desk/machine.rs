//! How a row goes on: the order of what is done and what is kept. What is done is behind [`Hands`], so that a test can stop
//! everything between any two lines.

use kanhe_proto::ids::LogIndex;

use super::row::{Checked, Decision, Issued, Row, State, Trouble};
use crate::talk::Failure;

/// What became of the look at a step.
#[derive(Debug)]
pub enum Checks {
    /// All was there.
    Done(Box<Checked>),
    /// Something is not here yet.
    NotYet(Trouble),
    /// There is nothing to decide any more, proved.
    Over(String),
}

/// What became of a signed decision, proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The chain has it.
    Ours(LogIndex),
    /// The chain has another, or takes none any more.
    Lost(String),
    /// Its key signs no more and the chain does not have it: the same is to be signed anew.
    Anew,
}

/// What became of the licences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuance {
    /// The chain has the act.
    Proved,
    /// The case ended meanwhile: the licences stand, the case says nothing of them.
    Over(String),
    /// Its key signs no more: the act is to be signed anew.
    Anew,
}

/// What the desk does. Each may fail or never come back; each may be done again after that.
pub trait Hands {
    /// Fetches, verifies, runs the rules. Changes nothing outside.
    fn check(&mut self, row: &Row) -> Result<Checks, Failure>;
    /// Makes the decision with everything random in it. Nothing leaves.
    fn sign(&mut self, row: &Row) -> Result<Decision, Failure>;
    /// Sends these bytes until it is proved what became of them.
    fn settle(&mut self, row: &Row, decision: &Decision) -> Result<Settled, Failure>;
    /// Brings the licences onto the chain through the issuer's journal, and signs the act that says so. Done again it
    /// issues nothing twice.
    fn issue(&mut self, row: &Row) -> Result<Issued, Failure>;
    /// Sends these bytes until they are proved.
    fn settle_issued(&mut self, row: &Row, issued: &Issued) -> Result<Issuance, Failure>;
    /// Makes the row durable.
    fn keep(&mut self, row: &Row) -> Result<(), Failure>;
}

/// Why a row rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing is left to do.
    Done,
    /// For an officer.
    Officer,
    /// For what is not here yet.
    Files,
}

/// Takes a row as far as it goes. Each state is kept before the next begins: whoever comes back after a crash goes on from
/// the last that was kept.
pub fn advance(row: &mut Row, hands: &mut dyn Hands) -> Result<Rest, Failure> {
    loop {
        match row.state {
            State::Seen if row.ruling.is_none() => match hands.check(row)? {
                Checks::Done(checked) => {
                    row.checked = Some(checked);
                    step(row, State::Checked, hands)?;
                }
                Checks::Over(why) => lose(row, why, hands)?,
                Checks::NotYet(trouble) => {
                    if row.trouble.as_ref() != Some(&trouble) {
                        row.trouble = Some(trouble);
                        hands.keep(row)?;
                    }
                    return Ok(Rest::Files);
                }
            },
            State::Checked if row.ruling.is_none() && !is_automatic(row) => step(row, State::Waiting, hands)?,
            State::Waiting if row.ruling.is_none() => return Ok(Rest::Officer),
            State::Seen | State::Checked | State::Waiting => {
                row.decision = Some(Box::new(hands.sign(row)?));
                step(row, State::Signed, hands)?;
            }
            State::Signed => {
                let decision = row.decision.clone().expect("a signed row has its decision");
                match hands.settle(row, &decision)? {
                    Settled::Ours(index) => {
                        row.recorded = Some(index);
                        step(row, State::Recorded, hands)?;
                    }
                    Settled::Lost(why) => lose(row, why, hands)?,
                    Settled::Anew => {
                        row.decision = Some(Box::new(hands.sign(row)?));
                        hands.keep(row)?;
                    }
                }
            }
            State::Recorded if row.has_to_issue() => step(row, State::Issuing, hands)?,
            State::Issuing => issue(row, hands)?,
            State::Recorded | State::Issued | State::Lost => return Ok(Rest::Done),
        }
    }
}

fn is_automatic(row: &Row) -> bool {
    row.checked.as_ref().is_some_and(|checked| checked.automatic.is_some())
}

fn issue(row: &mut Row, hands: &mut dyn Hands) -> Result<(), Failure> {
    let issued = match row.issued.clone() {
        Some(issued) => issued,
        None => {
            let issued = Box::new(hands.issue(row)?);
            row.issued = Some(issued.clone());
            hands.keep(row)?;
            issued
        }
    };
    match hands.settle_issued(row, &issued)? {
        Issuance::Proved => step(row, State::Issued, hands),
        Issuance::Over(why) => {
            row.lost = Some(why);
            step(row, State::Issued, hands)
        }
        Issuance::Anew => {
            row.issued = Some(Box::new(hands.issue(row)?));
            hands.keep(row)
        }
    }
}

fn lose(row: &mut Row, why: String, hands: &mut dyn Hands) -> Result<(), Failure> {
    row.lost = Some(why);
    step(row, State::Lost, hands)
}

fn step(row: &mut Row, state: State, hands: &mut dyn Hands) -> Result<(), Failure> {
    assert!(state > row.state, "a row never goes back");
    (row.state, row.trouble) = (state, None);
    hands.keep(row)
}
