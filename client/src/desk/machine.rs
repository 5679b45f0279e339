//! How a row goes on: the order of what is done and what is kept. What is done is behind [`Hands`], so that a test can stop
//! everything between any two lines.

use kanhe_proto::ids::{LogIndex, TimeMs};

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
#[derive(Debug)]
pub enum Settled {
    /// The chain has it: where, and the time of its block.
    Ours(LogIndex, TimeMs),
    /// The chain has another, or takes none any more.
    Lost(String),
    /// Its key signs no more and the chain does not have it: the same, signed anew, has not left yet.
    Anew(Box<Decision>),
}

/// What became of the licences.
#[derive(Debug)]
pub enum Issuance {
    /// The chain has the act.
    Proved,
    /// The case ended meanwhile: the licences stand, the case says nothing of them.
    Over(String),
    /// Its key signs no more: the act, signed anew, has not left yet.
    Anew(Box<Issued>),
}

/// What the desk does, for several rows at once: what comes of each, in their order. Each may fail or never come back; each may
/// be done again after that.
pub trait Hands {
    /// Fetches, verifies, runs the rules. Changes nothing outside.
    fn check(&mut self, rows: &[&Row]) -> Vec<Result<Checks, Failure>>;
    /// Makes the decisions with everything random in them. Nothing leaves.
    fn sign(&mut self, rows: &[&Row]) -> Vec<Result<Decision, Failure>>;
    /// Sends the bytes of the decisions until it is proved what became of them.
    fn settle(&mut self, rows: &[&Row]) -> Vec<Result<Settled, Failure>>;
    /// Brings the licences onto the chain through the issuer's journal, and signs the acts that say so. Done again it
    /// issues nothing twice. Why nothing is to be issued any more otherwise.
    fn issue(&mut self, rows: &[&Row]) -> Vec<Result<Result<Issued, String>, Failure>>;
    /// Sends these acts' bytes until they are proved.
    fn settle_issued(&mut self, rows: &[&Row]) -> Vec<Result<Issuance, Failure>>;
    /// Makes the rows durable, together. An officer may have spoken meanwhile: that comes into the rows.
    fn keep(&mut self, rows: &mut dyn Iterator<Item = &mut Row>) -> Result<(), Failure>;
}

/// Why a row rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rest {
    /// Nothing is left to do.
    Done,
    /// For an officer.
    Officer,
    /// For what is not here yet.
    Files,
}

/// What is done next with a row, in the order in which all rows go through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Wait,
    // Before anything for which the register is given away: an officer's word does not come in between.
    Sign,
    Check,
    Settle,
    Begin,
    Issue,
    Say,
    Rest(Rest),
}

fn next(row: &Row) -> Next {
    match row.state {
        State::Seen if row.ruling.is_none() => Next::Check,
        State::Checked if row.ruling.is_none() && !is_automatic(row) => Next::Wait,
        State::Waiting if row.ruling.is_none() => Next::Rest(Rest::Officer),
        State::Seen | State::Checked | State::Waiting => Next::Sign,
        State::Signed => Next::Settle,
        State::Recorded if row.has_to_issue() => Next::Begin,
        State::Issuing if row.issued.is_none() => Next::Issue,
        State::Issuing => Next::Say,
        State::Recorded | State::Issued | State::Lost => Next::Rest(Rest::Done),
    }
}

/// Takes rows as far as they go: whoever is behind first, so that what is done later is done for as many as can be. Each state
/// is kept before the next begins: whoever comes back after a crash goes on from the last that was kept. What keeps one row
/// from going on keeps no other; only that nothing can be kept stops all.
pub fn advance(rows: &mut [Row], hands: &mut dyn Hands) -> Result<Vec<Result<Rest, Failure>>, Failure> {
    let mut ends: Vec<Option<Result<Rest, Failure>>> = rows.iter().map(|_| None).collect();
    loop {
        let open = rows.iter().zip(&ends).enumerate().filter(|(_, (_, end))| end.is_none());
        let next: Vec<(usize, Next)> = open.map(|(at, (row, _))| (at, next(row))).collect();
        let Some(first) = next.iter().map(|(_, next)| *next).min() else { break };
        let places: Vec<usize> = next.into_iter().filter(|(_, next)| *next == first).map(|(at, _)| at).collect();
        let mut stage = Stage { rows: &mut *rows, ends: &mut ends, places, kept: Vec::new() };
        match first {
            Next::Check => stage.each(|some| hands.check(some), checked),
            Next::Wait => stage.all(State::Waiting),
            Next::Sign => stage.each(|some| hands.sign(some), signed),
            Next::Settle => stage.each(|some| hands.settle(some), settled),
            Next::Begin => stage.all(State::Issuing),
            Next::Issue => stage.each(|some| hands.issue(some), issued),
            Next::Say => stage.each(|some| hands.settle_issued(some), said),
            Next::Rest(rest) => stage.rest(rest),
        }
        let kept = stage.kept;
        let mut changed = rows.iter_mut().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, row)| row);
        if !kept.is_empty() {
            hands.keep(&mut changed)?;
        }
    }
    Ok(ends.into_iter().map(|end| end.expect("all rest")).collect())
}

/// One thing that is done for some of the rows.
struct Stage<'a> {
    rows: &'a mut [Row],
    ends: &'a mut [Option<Result<Rest, Failure>>],
    places: Vec<usize>,
    kept: Vec<usize>,
}

/// What a result made of a row.
enum Went {
    Kept,
    /// It rests, and what is new is why.
    KeptRests(Rest),
    Rests(Rest),
}

impl Stage<'_> {
    fn each<T>(&mut self, work: impl FnOnce(&[&Row]) -> Vec<Result<T, Failure>>, apply: impl Fn(&mut Row, T) -> Went) {
        let some: Vec<&Row> = self.places.iter().map(|at| &self.rows[*at]).collect();
        let results = work(&some);
        assert_eq!(results.len(), some.len(), "something came of each");
        for (at, result) in self.places.iter().zip(results) {
            let went = match result {
                Ok(result) => apply(&mut self.rows[*at], result),
                Err(failure) => {
                    self.ends[*at] = Some(Err(failure));
                    continue;
                }
            };
            match went {
                Went::Kept => self.kept.push(*at),
                Went::KeptRests(rest) => {
                    self.kept.push(*at);
                    self.ends[*at] = Some(Ok(rest));
                }
                Went::Rests(rest) => self.ends[*at] = Some(Ok(rest)),
            }
        }
    }

    fn all(&mut self, state: State) {
        for at in &self.places {
            step(&mut self.rows[*at], state);
            self.kept.push(*at);
        }
    }

    fn rest(&mut self, rest: Rest) {
        for at in &self.places {
            self.ends[*at] = Some(Ok(rest));
        }
    }
}

fn is_automatic(row: &Row) -> bool {
    row.checked.as_ref().is_some_and(|checked| checked.automatic.is_some())
}

fn checked(row: &mut Row, checks: Checks) -> Went {
    match checks {
        Checks::Done(checked) => {
            row.checked = Some(checked);
            step(row, State::Checked)
        }
        Checks::Over(why) => lose(row, why),
        Checks::NotYet(trouble) if row.trouble.as_ref() == Some(&trouble) => Went::Rests(Rest::Files),
        Checks::NotYet(trouble) => {
            row.trouble = Some(trouble);
            Went::KeptRests(Rest::Files)
        }
    }
}

fn signed(row: &mut Row, decision: Decision) -> Went {
    row.decision = Some(Box::new(decision));
    step(row, State::Signed)
}

fn settled(row: &mut Row, settled: Settled) -> Went {
    match settled {
        Settled::Ours(index, time) => {
            (row.recorded, row.decided) = (Some(index), Some(time));
            step(row, State::Recorded)
        }
        Settled::Lost(why) => lose(row, why),
        Settled::Anew(decision) => {
            row.decision = Some(decision);
            Went::Kept
        }
    }
}

fn issued(row: &mut Row, issued: Result<Issued, String>) -> Went {
    match issued {
        Ok(issued) => {
            row.issued = Some(Box::new(issued));
            Went::Kept
        }
        Err(why) => lose(row, why),
    }
}

fn said(row: &mut Row, issuance: Issuance) -> Went {
    match issuance {
        Issuance::Proved => step(row, State::Issued),
        Issuance::Over(why) => {
            row.lost = Some(why);
            step(row, State::Issued)
        }
        Issuance::Anew(issued) => {
            row.issued = Some(issued);
            Went::Kept
        }
    }
}

fn lose(row: &mut Row, why: String) -> Went {
    row.lost = Some(why);
    step(row, State::Lost)
}

fn step(row: &mut Row, state: State) -> Went {
    assert!(state > row.state, "a row never goes back");
    (row.state, row.trouble) = (state, None);
    Went::Kept
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use kanhe_proto::bounded::Blob;
    use kanhe_proto::case::Outcome;
    use kanhe_proto::hash::CaseId;
    use kanhe_proto::key::KeyId;

    use super::super::row::tests::{checked, row};
    use super::super::row::{Issued, RowKey, Ruling};
    use super::*;
    use crate::talk::ExitCode;

    /// A desk whose machine may stop before and after each thing it does. What is outside stays.
    #[derive(Default)]
    struct World {
        /// Things that may still be done before everything stops; nothing: it does not stop.
        fuel: Option<usize>,
        done: usize,
        kept: BTreeMap<RowKey, String>,
        /// Times that rows were kept.
        keeps: usize,
        states: BTreeMap<RowKey, Vec<State>>,
        random: u64,
        /// What the chain took: of two decisions on one step the first.
        chain: BTreeMap<RowKey, Vec<u8>>,
        /// Everything that left.
        sent: BTreeSet<(RowKey, Vec<u8>)>,
        journal: BTreeSet<RowKey>,
        said: BTreeSet<(RowKey, Vec<u8>)>,
        /// What the rules lead to.
        automatic: Option<Outcome>,
        /// Another desk is first, at this case.
        other_first: Option<u8>,
        files_come_after: usize,
        /// The case whose key signs no more, once.
        anew: Option<u8>,
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
        /// Something for each row, with a place to stop before and after each.
        fn each<T>(&mut self, rows: &[&Row], work: impl Fn(&mut Self, &Row) -> T) -> Vec<Result<T, Failure>> {
            let one = |row: &&Row| {
                self.tick()?;
                let result = work(self, row);
                self.tick().map(|()| result)
            };
            rows.iter().map(one).collect()
        }
        fn decision(&mut self, row: &Row) -> Decision {
            let ruled = row.ruling.as_ref().map(|ruling| ruling.outcome);
            let by_rules = row.checked.as_ref().and_then(|checked| checked.automatic);
            Decision {
                outcome: ruled.or(by_rules).unwrap(),
                reason: None,
                key: KeyId([1; 16]),
                act: Blob::new(self.draw()).unwrap(),
                officer_salt: None,
                passed: Vec::new(),
                on_way: Vec::new(),
                letter_random: None,
                letters: Vec::new(),
            }
        }
    }

    impl Hands for World {
        fn check(&mut self, rows: &[&Row]) -> Vec<Result<Checks, Failure>> {
            self.each(rows, |world, _| {
                if world.files_come_after > 0 {
                    world.files_come_after -= 1;
                    let (code, message) = ("file_missing".to_owned(), "not here".to_owned());
                    return Checks::NotYet(Trouble { code, message });
                }
                Checks::Done(Box::new(checked(world.automatic)))
            })
        }
        fn sign(&mut self, rows: &[&Row]) -> Vec<Result<Decision, Failure>> {
            self.each(rows, Self::decision)
        }
        fn settle(&mut self, rows: &[&Row]) -> Vec<Result<Settled, Failure>> {
            self.each(rows, |world, row| {
                if world.anew == Some(row.key.case.0[0]) {
                    world.anew = None;
                    return Settled::Anew(Box::new(world.decision(row)));
                }
                if world.other_first == Some(row.key.case.0[0]) {
                    world.chain.entry(row.key).or_insert_with(|| b"other".to_vec());
                }
                let act = row.decision.as_ref().unwrap().act.to_vec();
                world.sent.insert((row.key, act.clone()));
                match *world.chain.entry(row.key).or_insert_with(|| act.clone()) == act {
                    true => Settled::Ours(LogIndex(9), TimeMs(9)),
                    false => Settled::Lost("decided_elsewhere".to_owned()),
                }
            })
        }
        fn issue(&mut self, rows: &[&Row]) -> Vec<Result<Result<Issued, String>, Failure>> {
            self.each(rows, |world, row| {
                let decided = row.decision.as_ref().map(|decision| &decision.act[..]);
                assert_eq!(world.chain.get(&row.key).map(|act| &act[..]), decided, "only who decided");
                world.journal.insert(row.key);
                let (salt, key) = (Blob::new([3; 32]).unwrap(), KeyId([1; 16]));
                Ok(Issued { licences: Vec::new(), salt, key, act: Blob::new(world.draw()).unwrap() })
            })
        }
        fn settle_issued(&mut self, rows: &[&Row]) -> Vec<Result<Issuance, Failure>> {
            self.each(rows, |world, row| {
                world.said.insert((row.key, row.issued.as_ref().unwrap().act.to_vec()));
                Issuance::Proved
            })
        }
        fn keep(&mut self, rows: &mut dyn Iterator<Item = &mut Row>) -> Result<(), Failure> {
            self.tick()?;
            self.keeps += 1;
            for row in rows {
                self.kept.insert(row.key, serde_json::to_string(row).unwrap());
                self.states.entry(row.key).or_default().push(row.state);
            }
            self.tick()
        }
    }

    /// Rows of different cases that begin.
    fn rows(count: u8) -> Vec<Row> {
        let of = |case| Row { key: RowKey { case: CaseId([case; 32]), ..row().key }, ..row() };
        (1..=count).map(of).collect()
    }

    /// Goes on until all rest, from what was kept last, whatever stops it.
    fn run(world: &mut World, count: u8, ruling: Option<Outcome>) -> Vec<(Row, Rest)> {
        loop {
            let kept = |world: &World, row: Row| match world.kept.get(&row.key) {
                Some(kept) => serde_json::from_str(kept).unwrap(),
                None => row,
            };
            let mut rows: Vec<Row> = rows(count).into_iter().map(|row| kept(world, row)).collect();
            let ends = advance(&mut rows, world).and_then(|ends| ends.into_iter().collect::<Result<Vec<Rest>, _>>());
            match ends {
                Ok(ends) if ends.contains(&Rest::Files) => {}
                Ok(ends) if ends.contains(&Rest::Officer) && ruling.is_some() => {
                    for (row, _) in rows.iter_mut().zip(&ends).filter(|(_, end)| **end == Rest::Officer) {
                        let (outcome, officer) = (ruling.unwrap(), "7".to_owned());
                        row.ruling = Some(Ruling { outcome, reason: None, words: None, officer, at: row.since });
                        // As the officer's own command does, in one durable step.
                        world.kept.insert(row.key, serde_json::to_string(&row).unwrap());
                    }
                }
                Ok(ends) => return rows.into_iter().zip(ends).collect(),
                Err(failure) => {
                    assert_eq!(failure.code, "crash");
                    world.fuel = None;
                }
            }
        }
    }

    /// Everything without a stop, then with one at each place.
    fn at_every_stop(make: impl Fn() -> World, ruling: Option<Outcome>, check: impl Fn(&World, &[(Row, Rest)])) {
        for count in [1, 3] {
            let mut world = make();
            let rested = run(&mut world, count, ruling);
            check(&world, &rested);
            let places = world.done;
            assert!(places > 4);
            for fuel in 0..places {
                let mut world = World { fuel: Some(fuel), ..make() };
                let rested = run(&mut world, count, ruling);
                check(&world, &rested);
                for states in world.states.values() {
                    assert!(states.windows(2).all(|pair| pair[0] <= pair[1]), "stop {fuel}: {states:?}");
                }
            }
        }
    }

    #[test]
    fn an_approval_is_sent_once_and_issued_once_wherever_it_stops() {
        for anew in [None, Some(1)] {
            let automatic = Some(Outcome::Approved);
            let make = || World { automatic, anew, files_come_after: 1, ..World::default() };
            at_every_stop(make, None, |world, rested| {
                assert!(rested.iter().all(|(row, rest)| (row.state, *rest) == (State::Issued, Rest::Done)));
                // Whatever was drawn anew after a crash, nothing but what was kept ever left.
                let count = rested.len();
                assert_eq!((world.sent.len(), world.said.len(), world.journal.len()), (count, count, count));
                assert!(world.sent.iter().all(|(key, act)| world.chain[key] == *act));
            });
        }
    }

    #[test]
    fn an_officer_is_waited_for_and_decides_once() {
        for outcome in [Outcome::Approved, Outcome::Rejected, Outcome::Returned] {
            at_every_stop(World::default, Some(outcome), |world, rested| {
                let approved = outcome == Outcome::Approved;
                let state = if approved { State::Issued } else { State::Recorded };
                assert!(rested.iter().all(|(row, rest)| (row.state, *rest) == (state, Rest::Done)));
                let issued = if approved { rested.len() } else { 0 };
                assert_eq!((world.sent.len(), world.journal.len()), (rested.len(), issued));
            });
        }
        at_every_stop(World::default, None, |world, rested| {
            assert!(rested.iter().all(|(row, rest)| (row.state, *rest) == (State::Waiting, Rest::Officer)));
            assert!(world.sent.is_empty());
        });
    }

    #[test]
    fn who_is_second_loses_and_issues_nothing_and_the_others_go_on() {
        let automatic = Some(Outcome::Approved);
        let make = || World { automatic, other_first: Some(1), ..World::default() };
        at_every_stop(make, None, |world, rested| {
            for (row, rest) in rested {
                let second = row.key.case.0[0] == 1;
                let state = if second { State::Lost } else { State::Issued };
                assert_eq!((row.state, *rest), (state, Rest::Done));
                assert_eq!(row.lost.as_deref(), second.then_some("decided_elsewhere"));
                assert_eq!(world.journal.contains(&row.key), !second);
            }
            assert_eq!(world.said.len(), rested.len() - 1);
        });
    }

    #[test]
    fn many_rows_are_kept_as_often_as_one() {
        let keeps = |count| {
            let mut world = World { automatic: Some(Outcome::Approved), ..World::default() };
            run(&mut world, count, None);
            world.keeps
        };
        assert_eq!((keeps(1), keeps(40)), (6, 6), "checked, signed, recorded, issuing, issued, said");
    }

    #[test]
    fn what_fails_for_one_row_holds_up_no_other() {
        struct Picky(World);
        impl Hands for Picky {
            fn check(&mut self, rows: &[&Row]) -> Vec<Result<Checks, Failure>> {
                let odd = |row: &&Row| row.key.case.0[0] == 2;
                let ends = self.0.check(rows).into_iter().zip(rows);
                ends.map(|(end, row)| if odd(row) { Err(crash()) } else { end }).collect()
            }
            fn sign(&mut self, rows: &[&Row]) -> Vec<Result<Decision, Failure>> {
                self.0.sign(rows)
            }
            fn settle(&mut self, rows: &[&Row]) -> Vec<Result<Settled, Failure>> {
                self.0.settle(rows)
            }
            fn issue(&mut self, rows: &[&Row]) -> Vec<Result<Result<Issued, String>, Failure>> {
                self.0.issue(rows)
            }
            fn settle_issued(&mut self, rows: &[&Row]) -> Vec<Result<Issuance, Failure>> {
                self.0.settle_issued(rows)
            }
            fn keep(&mut self, rows: &mut dyn Iterator<Item = &mut Row>) -> Result<(), Failure> {
                self.0.keep(rows)
            }
        }
        let mut rows = rows(3);
        let world = World { automatic: Some(Outcome::Approved), ..World::default() };
        let ends = advance(&mut rows, &mut Picky(world)).unwrap();
        assert_eq!(ends, [Ok(Rest::Done), Err(crash()), Ok(Rest::Done)]);
        assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [State::Issued, State::Seen, State::Issued]);
    }
}
