//! Looking at what was said to the bureau in several cases at once: events in few questions, files by several hands, rules on
//! all cores.

use std::collections::BTreeMap;
use std::sync::Arc;

use kanhe_proto::case::StepState;
use kanhe_proto::hash::CaseId;
use kanhe_proto::response::Response;

use super::checking::{Checking, Opened, trouble};
use super::files::{Fetched, fetch_file};
use super::hands::{At, over};
use super::machine::Checks;
use super::row::Row;
use super::wanted::{Wanted, wanted};
use crate::case::{self, Events, KnownItem};
use crate::clock;
use crate::parallel;
use crate::talk::Failure;
use crate::verifier::fresh_many;

/// Files that are fetched at once.
const FETCHED_AT_ONCE: usize = 8;
/// Bytes of files that are looked at together, unless one alone has more.
const TOGETHER_BYTES_MAX: u64 = 64 << 20;

/// A row that can be looked at, with what is wanted for it.
struct Look<'a> {
    at: usize,
    row: &'a Row,
    found: Events,
    item: Arc<KnownItem>,
    wanted: Vec<Wanted>,
}

impl Look<'_> {
    fn bytes(&self) -> u64 {
        self.wanted.iter().map(|wanted| u64::from(wanted.file.bytes)).sum()
    }
}

impl At<'_, '_, '_> {
    /// Fetches, verifies, runs the rules.
    pub(super) fn look(&mut self, rows: &[&Row]) -> Result<Vec<Result<Checks, Failure>>, Failure> {
        let ids: Vec<CaseId> = rows.iter().map(|row| row.key.case).collect();
        let events = case::events_many(self.follower, &ids)?;
        let mut ends = BTreeMap::new();
        let mut looks = Vec::new();
        for (at, (row, found)) in rows.iter().zip(events).enumerate() {
            match self.begin_look(at, row, found) {
                Ok(Ok(look)) => looks.push(look),
                Ok(Err(checks)) => drop(ends.insert(at, Ok(checks))),
                Err(failure) => drop(ends.insert(at, Err(failure))),
            }
        }
        for some in together(looks) {
            ends.extend(self.look_at(some)?);
        }
        Ok(ends.into_values().collect())
    }

    /// What is wanted of a row's case; or that there is nothing to look at.
    fn begin_look<'r>(
        &mut self,
        at: usize,
        row: &'r Row,
        found: Option<Events>,
    ) -> Result<Result<Look<'r>, Checks>, Failure> {
        let Some(found) = found else { return Ok(Err(Checks::Over("case_gone".to_owned()))) };
        if let Some(why) = over(Some(&found.case), &row.key) {
            return Ok(Err(Checks::Over(why)));
        }
        let stands = found.case.steps.get(usize::from(row.key.step)).map(|step| step.state);
        if stands != Some(StepState::Ready) {
            return Ok(Err(Checks::NotYet(trouble("not_ready"))));
        }
        let item = self.desk.items.get(self.follower, &found.case.item, found.case.version)?;
        let wanted = wanted(&item.public, &found.case, &found.events, row.key.step);
        Ok(Ok(Look { at, row, found, item, wanted }))
    }

    fn look_at(&mut self, looks: Vec<Look<'_>>) -> Result<Vec<(usize, Result<Checks, Failure>)>, Failure> {
        let fetched = self.fetch(&looks);
        let (mut ends, mut here) = (Vec::new(), Vec::new());
        for (look, files) in looks.into_iter().zip(fetched) {
            match files {
                Ok(Ok(files)) => here.push((look, files)),
                Ok(Err(code)) => ends.push((look.at, Ok(Checks::NotYet(trouble(code))))),
                Err(failure) => ends.push((look.at, Err(failure))),
            }
        }
        let opened = self.open(here)?;
        let trust = self.follower.trust().clone();
        let (office, runner, now) = (self.desk.office, &self.desk.runner, clock::now());
        let checked = parallel::each(&opened, parallel::cores(), |(look, opened)| {
            let (public, item, case, key) = (&look.item.public, &look.item.item, &look.found.case, &look.row.key);
            Checking { office, public, item, case, key, runner, trust: &trust, now }.check(opened)
        });
        for ((look, _), checked) in opened.iter().zip(checked) {
            let checks = checked.map(|checked| match checked {
                Ok(checked) => Checks::Done(Box::new(checked)),
                Err(trouble) => Checks::NotYet(trouble),
            });
            ends.push((look.at, checks));
        }
        Ok(ends)
    }

    /// Fetches what the chain says was sent, by several hands; the code of what is not here yet otherwise.
    fn fetch(&self, looks: &[Look<'_>]) -> Vec<Result<Result<Vec<Fetched>, &'static str>, Failure>> {
        let (office, nodes) = (self.desk.office, self.follower.nodes());
        let all: Vec<(&CaseId, &Wanted)> =
            looks.iter().flat_map(|look| look.wanted.iter().map(move |wanted| (&look.row.key.case, wanted))).collect();
        let fetched = parallel::each(&all, FETCHED_AT_ONCE, |(case, wanted)| fetch_file(office, nodes, case, wanted));
        let mut fetched = fetched.into_iter();
        let of_look = |look: &Look<'_>| {
            let some: Vec<_> = fetched.by_ref().take(look.wanted.len()).collect();
            let some = some.into_iter().collect::<Result<Vec<Fetched>, Failure>>()?;
            let missing = some.iter().find_map(|file| match file {
                Fetched::NotYet(code) => Some(*code),
                _ => None,
            });
            Ok(missing.map_or(Ok(some), Err))
        };
        looks.iter().map(of_look).collect()
    }

    /// Each file with fresh evidence for what it presents.
    fn open<'r>(&mut self, here: Vec<(Look<'r>, Vec<Fetched>)>) -> Result<Vec<(Look<'r>, Vec<Opened>)>, Failure> {
        let response = |file: &Fetched| match file {
            Fetched::Here(bound) => Response::from_bytes(&bound.file().presentation).ok(),
            _ => None,
        };
        let responses: Vec<Option<Response>> = here.iter().flat_map(|(_, files)| files.iter().map(response)).collect();
        let mut fresh = fresh_many(&responses, self.follower)?.into_iter();
        let open = |(look, files): (Look<'r>, Vec<Fetched>)| {
            let opened = look.wanted.iter().zip(files).zip(fresh.by_ref()).map(|((wanted, file), (fresh, trouble))| {
                let file = match file {
                    Fetched::Here(bound) => Ok(bound),
                    Fetched::Wrong(fault) => Err(fault),
                    Fetched::NotYet(_) => unreachable!("only what is here is opened"),
                };
                Opened { wanted: wanted.clone(), file, fresh, trouble }
            });
            let opened = opened.collect();
            (look, opened)
        };
        Ok(here.into_iter().map(open).collect())
    }
}

/// In portions whose files fit into memory together.
fn together(looks: Vec<Look<'_>>) -> Vec<Vec<Look<'_>>> {
    let (mut portions, mut bytes): (Vec<Vec<Look<'_>>>, u64) = (Vec::new(), u64::MAX);
    for look in looks {
        let more = look.bytes();
        match portions.last_mut() {
            Some(portion) if bytes.saturating_add(more) <= TOGETHER_BYTES_MAX => {
                bytes += more;
                portion.push(look);
            }
            _ => {
                bytes = more;
                portions.push(vec![look]);
            }
        }
    }
    portions
}
