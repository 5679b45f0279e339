//! The desk at work: what is the bureau's turn, and taking rows as far as they go.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::api::READY_PAGE;
use kanhe_proto::case::{Case, CaseStatus, StepState};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::CaseId;

use super::decision::can_return;
use super::hands::At;
use super::keeping::Keeping;
use super::machine::{Rest, advance};
use super::passing;
use super::row::{OnWay, Row, RowKey, State, Trouble};
use crate::case::{self, Items, KnownItem};
use crate::follow::Follower;
use crate::issuer::{Office, Register};
use crate::parallel;
use crate::rules::Runner;
use crate::talk::{ExitCode, Failure};

/// Most pages of ready steps that are asked for in one round; the next goes on after them.
const PAGES_MAX: usize = 16;
/// Steps that are new in one round, after which what was found is worked on first.
const NEW_MAX: usize = 2 * READY_PAGE;
/// Most steps of one way through the list: a node that never comes to an end is not believed.
const LISTED_MAX: usize = 1 << 18;
/// Rows whose passed files are looked after together.
const LOOKED_AFTER: usize = 128;
/// Rows whose passed files are asked for at once.
const BROUGHT_AT_ONCE: usize = 8;

/// A bureau's desk.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The bureau, with its issuing and sealing keys.
    pub office: &'a Office,
    /// The chain's beginning, for the types.
    pub genesis: &'a Genesis,
    /// The bureau's name, as licences show it.
    pub issuer_name: &'a str,
    /// Runs rules.
    pub runner: Runner,
    /// Items that were read.
    pub items: Items,
}

/// How far the list of what is the bureau's turn was read.
#[derive(Debug, Default)]
pub struct Listing {
    after: Option<String>,
    so_far: BTreeSet<RowKey>,
    whole: Option<BTreeSet<RowKey>>,
}

impl Listing {
    /// All that is the bureau's turn, if the round came to the end of the list.
    pub const fn whole(&self) -> Option<&BTreeSet<RowKey>> {
        self.whole.as_ref()
    }
}

/// How a row went on.
#[derive(Debug)]
pub struct Moved {
    /// The row as it is now.
    pub row: Row,
    /// Whether anything changed.
    pub changed: bool,
    /// Why it rests; nothing: it could not go on.
    pub rest: Option<Rest>,
}

/// How rows went on.
#[derive(Debug)]
pub struct Went {
    /// Each.
    pub moved: Vec<Moved>,
    /// That no node answers, or two tell different stories: no more is tried for now.
    pub failed: Option<Failure>,
}

impl Desk<'_> {
    /// Steps that are the bureau's turn and not known yet, as rows to begin with. Which there are is the nodes' word; each is
    /// proved.
    pub fn ready(
        &mut self,
        follower: &mut Follower,
        listing: &mut Listing,
        is_known: impl Fn(&RowKey) -> bool,
    ) -> Result<Vec<Row>, Failure> {
        let (issuer, mut new) = (self.office.issuer, BTreeSet::new());
        listing.whole = None;
        for _ in 0..PAGES_MAX {
            let page = follower.ask(|_, node| Ok(node.cases_ready(&issuer, listing.after.as_deref())?))?;
            let keys = page.steps.iter().take(READY_PAGE);
            let keys = keys.map(|step| RowKey { case: step.case, step: step.step, round: step.round });
            for key in keys {
                listing.so_far.insert(key);
                if !is_known(&key) {
                    new.insert(key);
                }
            }
            listing.after = page.next;
            if listing.after.is_none() {
                listing.whole = Some(std::mem::take(&mut listing.so_far));
            } else if listing.so_far.len() > LISTED_MAX {
                *listing = Listing::default();
            }
            if listing.after.is_none() || new.len() >= NEW_MAX {
                break;
            }
        }
        self.proved(follower, &new)
    }

    /// The leaf of a case says whether a step of it is ready, in which round, and whose it is.
    fn proved(&mut self, follower: &mut Follower, keys: &BTreeSet<RowKey>) -> Result<Vec<Row>, Failure> {
        let ids: BTreeSet<CaseId> = keys.iter().map(|key| key.case).collect();
        let ids: Vec<CaseId> = ids.into_iter().collect();
        let found = case::read_many(follower, &mut self.items, &ids)?;
        let cases: BTreeMap<CaseId, _> = ids.into_iter().zip(found).collect();
        let ready = keys.iter().filter_map(|key| {
            let found = cases.get(&key.case)?.as_ref().filter(|found| found.case.runs_at(found.time))?;
            let step = found.case.steps.get(usize::from(key.step))?;
            let ours = found.case.bureau_of(&found.item.public, key.step) == Some(self.office.issuer);
            let ready = ours && step.state == StepState::Ready && step.round == key.round;
            ready.then(|| row_of(&found.item, &found.case, key.step)).flatten()
        });
        Ok(ready.collect())
    }

    /// Keeps the rows that are new, and says which.
    pub fn begin(register: &Register, ready: Vec<Row>) -> Result<Vec<Row>, Failure> {
        let keys: Vec<RowKey> = ready.iter().map(|row| row.key).collect();
        let known: BTreeSet<RowKey> = register.rows_of(&keys)?.iter().map(|row| row.key).collect();
        let mut new: Vec<Row> = ready.into_iter().filter(|row| !known.contains(&row.key)).collect();
        if !new.is_empty() {
            register.put_rows(new.iter_mut())?;
        }
        Ok(new)
    }

    /// Sees to what was passed on and may not be there yet: it is brought to every node that does not have it, and kept until
    /// all of them say that its recipient does, or the case is proved to be over. Whether something is left. While nodes are
    /// asked the register is closed.
    pub fn look_after(&mut self, keeping: &mut Keeping, follower: &mut Follower) -> Result<bool, Failure> {
        let mut any_left = false;
        for keys in keeping.register()?.on_way()?.chunks(LOOKED_AFTER) {
            let rows = keeping.register()?.rows_of(keys)?;
            keeping.give_way();
            let nodes = &*follower;
            let mut left: Vec<Vec<OnWay>> =
                parallel::each(&rows, BROUGHT_AT_ONCE, |row| passing::not_there(nodes, row));
            self.drop_what_is_over(follower, &rows, &mut left)?;
            any_left |= left.iter().any(|left| !left.is_empty());
            let changed = rows.iter().zip(left).filter(|(row, left)| left.len() < row.on_way().len());
            let changed: BTreeMap<RowKey, Vec<OnWay>> = changed.map(|(row, left)| (row.key, left)).collect();
            if !changed.is_empty() {
                keeping.register()?.change_rows(changed.keys(), |row| {
                    let left = &changed[&row.key];
                    row.decision.iter_mut().for_each(|decision| decision.on_way.clone_from(left));
                })?;
            }
        }
        keeping.give_way();
        Ok(any_left)
    }

    /// Nobody decides any more in a case that is over.
    fn drop_what_is_over(
        &mut self,
        follower: &mut Follower,
        rows: &[Row],
        left: &mut [Vec<OnWay>],
    ) -> Result<(), Failure> {
        let with_left = || rows.iter().zip(&*left).filter(|(_, left)| !left.is_empty());
        let ids: Vec<CaseId> = with_left().map(|(row, _)| row.key.case).collect();
        let found = case::read_many(follower, &mut self.items, &ids)?;
        for (left, found) in left.iter_mut().filter(|left| !left.is_empty()).zip(found) {
            if found.is_none_or(|found| found.case.status != CaseStatus::Open) {
                left.clear();
            }
        }
        Ok(())
    }

    /// Takes rows as far as they go. What keeps one from going on is kept with it. `over`: those of which nodes say that they
    /// are not the bureau's turn any more.
    pub fn go_on(
        &mut self,
        keeping: &mut Keeping,
        follower: &mut Follower,
        keys: &[RowKey],
        over: &BTreeSet<RowKey>,
    ) -> Result<Went, Failure> {
        let mut rows = keeping.register()?.rows_of(keys)?;
        let before: Vec<(State, Option<Trouble>)> = rows.iter().map(|row| (row.state, row.trouble.clone())).collect();
        let mut hands = At { desk: self, keeping: &mut *keeping, follower };
        hands.end_what_is_over(&mut rows, over)?;
        let ends = advance(&mut rows, &mut hands)?;
        let (mut failed, mut rests, mut troubled) = (None, Vec::new(), BTreeSet::new());
        for (row, end) in rows.iter_mut().zip(ends) {
            rests.push(end.as_ref().ok().copied());
            let Err(failure) = end else { continue };
            if failure.exit == ExitCode::Unreachable || failure.code == "conflict" {
                failed.get_or_insert(failure);
                continue;
            }
            let found = Trouble { code: failure.code, message: failure.message };
            if row.trouble.as_ref() != Some(&found) {
                row.trouble = Some(found);
                troubled.insert(row.key);
            }
        }
        if !troubled.is_empty() {
            keeping.register()?.put_rows(rows.iter_mut().filter(|row| troubled.contains(&row.key)))?;
        }
        let moved = rows.into_iter().zip(before).zip(rests).map(|((row, before), rest)| {
            let changed = before != (row.state, row.trouble.clone());
            Moved { row, changed, rest }
        });
        Ok(Went { moved: moved.collect(), failed })
    }
}

fn row_of(known: &KnownItem, case: &Case, step: u8) -> Option<Row> {
    let place = usize::from(step);
    let (asked, stands) = (known.item.step.get(place)?, case.steps.get(place)?);
    Some(Row {
        key: RowKey { case: case.id, step, round: stands.round },
        state: State::Seen,
        item: case.item.clone(),
        version: case.version,
        item_names: known.item.names.clone(),
        step_code: asked.code.clone(),
        step_names: asked.names.clone(),
        since: stands.since,
        due: stands.due,
        can_return: can_return(&known.public, case, step),
        rules: asked.rules.to_vec(),
        trouble: None,
        checked: None,
        ruling: None,
        decision: None,
        recorded: None,
        decided: None,
        issued: None,
        lost: None,
    })
}
