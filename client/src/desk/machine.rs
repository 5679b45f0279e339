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
    /// issues nothing twice. Why nothing is to be issued any more otherwise.
    fn issue(&mut self, row: &Row) -> Result<Result<Issued, String>, Failure>;
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
        None => match hands.issue(row)? {
            Ok(issued) => {
                row.issued = Some(Box::new(issued.clone()));
                hands.keep(row)?;
                Box::new(issued)
            }
            Err(why) => return lose(row, why, hands),
        },
    };
    match hands.settle_issued(row, &issued)? {
        Issuance::Proved => step(row, State::Issued, hands),
        Issuance::Over(why) => {
            row.lost = Some(why);
            step(row, State::Issued, hands)
        }
        Issuance::Anew => match hands.issue(row)? {
            Ok(issued) => {
                row.issued = Some(Box::new(issued));
                hands.keep(row)
            }
            Err(why) => lose(row, why, hands),
        },
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kanhe_proto::bounded::Blob;
    use kanhe_proto::case::Outcome;
    use kanhe_proto::key::KeyId;

    use super::super::row::tests::{checked, row};
    use super::super::row::{Issued, Ruling};
    use super::*;
    use crate::talk::ExitCode;

    /// A desk whose machine may stop before and after each thing it does. What is outside stays.
    #[derive(Default)]
    struct World {
        /// Things that may still be done before everything stops; nothing: it does not stop.
        fuel: Option<usize>,
        done: usize,
        kept: Option<String>,
        states: Vec<State>,
        random: u64,
        /// What the chain took: of two decisions the first.
        chain: Option<Vec<u8>>,
        /// Everything that left.
        sent: BTreeSet<Vec<u8>>,
        journal: BTreeSet<&'static str>,
        said: BTreeSet<Vec<u8>>,
        /// What the rules lead to.
        automatic: Option<Outcome>,
        /// Another desk is first.
        other_first: bool,
        files_come_after: usize,
    }

    fn crash() -> Failure {
        Failure::reported(ExitCode::Failure, "crash", "stopped")
    }

    impl World {
        fn tick(&mut self) -> Result<(), Failure> {
            self.done += 1;
            match &mut self.fuel {
                Some(0) => Err(crash()),
                Some(left) => {
                    *left -= 1;
                    Ok(())
                }
                None => Ok(()),
            }
        }
        fn draw(&mut self) -> Vec<u8> {
            self.random += 1;
            self.random.to_be_bytes().to_vec()
        }
    }

    impl Hands for World {
        fn check(&mut self, _: &Row) -> Result<Checks, Failure> {
            self.tick()?;
            if self.files_come_after > 0 {
                self.files_come_after -= 1;
                let (code, message) = ("file_missing".to_owned(), "not here".to_owned());
                return Ok(Checks::NotYet(Trouble { code, message }));
            }
            let checked = Checks::Done(Box::new(checked(self.automatic)));
            self.tick().map(|()| checked)
        }
        fn sign(&mut self, row: &Row) -> Result<Decision, Failure> {
            self.tick()?;
            let ruled = row.ruling.as_ref().map(|ruling| ruling.outcome);
            let by_rules = row.checked.as_ref().and_then(|checked| checked.automatic);
            let decision = Decision {
                outcome: ruled.or(by_rules).unwrap(),
                reason: None,
                key: KeyId([1; 16]),
                act: Blob::new(self.draw()).unwrap(),
                officer_salt: None,
                passed: Vec::new(),
                on_way: Vec::new(),
                letter_random: None,
                letters: Vec::new(),
            };
            self.tick().map(|()| decision)
        }
        fn settle(&mut self, _: &Row, decision: &Decision) -> Result<Settled, Failure> {
            self.tick()?;
            if self.other_first {
                self.chain.get_or_insert_with(|| b"other".to_vec());
            }
            let act = decision.act.to_vec();
            self.sent.insert(act.clone());
            let taken = self.chain.get_or_insert_with(|| act.clone()).clone();
            self.tick()?;
            Ok(if taken == act { Settled::Ours(LogIndex(9)) } else { Settled::Lost("decided_elsewhere".to_owned()) })
        }
        fn issue(&mut self, row: &Row) -> Result<Result<Issued, String>, Failure> {
            self.tick()?;
            assert_eq!(
                self.chain.as_deref(),
                row.decision.as_ref().map(|decision| &decision.act[..]),
                "only who decided"
            );
            self.journal.insert("one licence");
            self.tick()?;
            let (salt, key) = (Blob::new([3; 32]).unwrap(), KeyId([1; 16]));
            let issued = Issued { licences: Vec::new(), salt, key, act: Blob::new(self.draw()).unwrap() };
            self.tick().map(|()| Ok(issued))
        }
        fn settle_issued(&mut self, _: &Row, issued: &Issued) -> Result<Issuance, Failure> {
            self.tick()?;
            self.said.insert(issued.act.to_vec());
            self.tick().map(|()| Issuance::Proved)
        }
        fn keep(&mut self, row: &Row) -> Result<(), Failure> {
            self.tick()?;
            self.kept = Some(serde_json::to_string(row).unwrap());
            self.states.push(row.state);
            self.tick()
        }
    }

    /// Goes on until it rests, from what was kept last, whatever stops it.
    fn run(world: &mut World, ruling: Option<Outcome>) -> (Row, Rest) {
        loop {
            let mut row = world.kept.as_ref().map_or_else(row, |kept| serde_json::from_str(kept).unwrap());
            match advance(&mut row, world) {
                Ok(Rest::Officer) if ruling.is_some() => {
                    let (outcome, officer) = (ruling.unwrap(), "7".to_owned());
                    row.ruling = Some(Ruling { outcome, reason: None, words: None, officer, at: row.since });
                    // As the officer's own command does, in one durable step.
                    world.kept = Some(serde_json::to_string(&row).unwrap());
                }
                Ok(Rest::Files) => {}
                Ok(rest) => return (row, rest),
                Err(failure) => {
                    assert_eq!(failure.code, "crash");
                    world.fuel = None;
                }
            }
        }
    }

    /// Everything without a stop, then with one at each place.
    fn at_every_stop(make: impl Fn() -> World, ruling: Option<Outcome>, check: impl Fn(&World, &Row, Rest)) {
        let mut world = make();
        let (row, rest) = run(&mut world, ruling);
        check(&world, &row, rest);
        let places = world.done;
        assert!(places > 4);
        for fuel in 0..places {
            let mut world = World { fuel: Some(fuel), ..make() };
            let (row, rest) = run(&mut world, ruling);
            check(&world, &row, rest);
            assert!(world.states.windows(2).all(|pair| pair[0] <= pair[1]), "stop {fuel}: {:?}", world.states);
        }
    }

    #[test]
    fn an_approval_is_sent_once_and_issued_once_wherever_it_stops() {
        let make = || World { automatic: Some(Outcome::Approved), files_come_after: 1, ..World::default() };
        at_every_stop(make, None, |world, row, rest| {
            assert_eq!((row.state, rest), (State::Issued, Rest::Done));
            // Whatever was drawn anew after a crash, nothing but what was kept ever left.
            assert_eq!((world.sent.len(), world.said.len(), world.journal.len()), (1, 1, 1));
            assert_eq!(world.chain.as_ref(), world.sent.first());
        });
    }

    #[test]
    fn an_officer_is_waited_for_and_decides_once() {
        for outcome in [Outcome::Approved, Outcome::Rejected, Outcome::Returned] {
            at_every_stop(World::default, Some(outcome), |world, row, rest| {
                let approved = outcome == Outcome::Approved;
                let state = if approved { State::Issued } else { State::Recorded };
                assert_eq!((row.state, rest), (state, Rest::Done));
                assert_eq!((world.sent.len(), world.journal.len()), (1, usize::from(approved)));
            });
        }
        at_every_stop(World::default, None, |world, row, rest| {
            assert_eq!((row.state, rest, world.sent.len()), (State::Waiting, Rest::Officer, 0));
        });
    }

    #[test]
    fn who_is_second_loses_and_issues_nothing() {
        let make = || World { automatic: Some(Outcome::Approved), other_first: true, ..World::default() };
        at_every_stop(make, None, |world, row, rest| {
            assert_eq!((row.state, rest), (State::Lost, Rest::Done));
            assert_eq!(row.lost.as_deref(), Some("decided_elsewhere"));
            assert!(world.journal.is_empty() && world.said.is_empty());
        });
    }
}
